//! `/d/{domain}-{owner}/{format}/{repository}/…`: package managers.
//!
//! In this order: who is asking (a token, or a challenge, whatever is or is not there), which repository, which format.
//! What a request means is the format's business; its path is handed on relative to the repository, still encoded.

use audit::{Refused, Service};
use aws::AccountId;
use catalog::{DomainAt, DomainName, Error, RepositoryAt, RepositoryName};
use formats::{Base, Body, Protocol, Reason, Refusal, empty, full};
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use hyper::ext::ReasonPhrase;
use iam::{Caller, NotAuthenticated};
use serde_json::{Map, Value, json};

use crate::body::Arriving;
use crate::doors::token::{Token, token};
use crate::house::House;
use crate::http::text;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::rates::TooFast;
use crate::record::Record;

/// Its clients hang when they are offered Basic.
const BEARER_ONLY: &str = "swift";

/// Where a path leads, as far as it is well formed.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    /// `None` when it names no domain, owner or repository that there could be.
    at: Option<RepositoryAt>,
    format: &'a str,
    /// What follows the repository, with the slash before it; empty when nothing does.
    rest: &'a str,
}

impl<'a> Address<'a> {
    /// Reads `/d/{domain}-{owner}/{format}/{repository}{rest}`.
    fn parse(path: &'a str) -> Self {
        let below = path.strip_prefix("/d/").unwrap_or_default();
        let (domain, below) = below.split_once('/').unwrap_or((below, ""));
        let (format, below) = below.split_once('/').unwrap_or((below, ""));
        let end = below.find('/').unwrap_or(below.len());
        let (repository, rest) = below.split_at(end);
        let at = || {
            let (name, owner) = domain.rsplit_once('-')?;
            Some(RepositoryAt {
                domain: DomainAt {
                    owner: owner.parse::<AccountId>().ok()?,
                    name: name.parse::<DomainName>().ok()?,
                },
                name: repository.parse::<RepositoryName>().ok()?,
            })
        };
        Self {
            at: at(),
            format,
            rest,
        }
    }
}

pub(crate) async fn answer(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    mut parts: Parts,
    body: Arriving,
) -> Response<Body> {
    let path = parts.uri.path().to_owned();
    let Address { at, format, rest } = Address::parse(&path);
    let place = house
        .protocols
        .iter()
        .position(|(name, _)| name.as_str() == format);
    let protocol = place.map(|place| house.protocols[place].1);
    record.face = place.map_or(Face::Other, Face::Packages);
    record.repository = at
        .as_ref()
        .map(|at| format!("{}/{}", at.domain.name, at.name));

    record.draft.with(parameters(at.as_ref(), format));
    let caller = match caller(house, peer, record, &parts.headers).await {
        Ok(Some(caller)) => caller,
        Ok(None) => {
            let counted = house.meter.stranger(peer.source.ip, house.clock.now());
            return match counted {
                Ok(()) => worded(challenge(at.as_ref(), format), protocol),
                Err(TooFast) => too_fast(record),
            };
        }
        Err(error) => return unavailable(&error),
    };
    record.called_by(&caller);
    record.draft.asks_for_packages();
    let reads = parts.method.is_safe();
    if let Err(TooFast) = house.meter.package(&caller, reads, house.clock.now()) {
        return too_fast(record);
    }
    let body = body.of_known_sender();
    let (Some(at), Some(place)) = (at, place) else {
        record
            .draft
            .refused(plain(StatusCode::NOT_FOUND, "no such repository"));
        return text(StatusCode::NOT_FOUND, "no such repository\n");
    };
    let (name, protocol) = &house.protocols[place];
    record.operation = Some(name.to_string());

    // Nobody needs it further on, so nobody can write it down.
    parts.headers.remove(AUTHORIZATION);
    let accept = parts.headers.get(ACCEPT).cloned();
    let prefix = path.strip_suffix(rest).unwrap_or(&path);
    let host = house.base_url(peer, &parts.headers).unwrap_or_default();
    parts
        .extensions
        .insert(Base(format!("{host}{prefix}/").into()));
    parts.uri = relative(rest, parts.uri.query());
    let request = Request::from_parts(parts, body.boxed());
    let served = async {
        let repository = house.catalog.open(&caller, &at, name).await?;
        protocol.serve(request, &repository).await
    };
    match served.await {
        Ok(response) => {
            let status = response.status();
            if status.is_client_error() || status.is_server_error() {
                record.draft.refused(plain(status, ""));
            }
            phrased(response)
        }
        Err(Error::WrongDomain) => {
            record.draft.refused(Refused {
                code: "UnauthorizedException".to_owned(),
                message: Error::WrongDomain.to_string(),
                decision: None,
            });
            worded(challenge(Some(&at), format), Some(*protocol))
        }
        Err(error) => {
            report(&error);
            let Refusal {
                code,
                message,
                decision,
                ..
            } = Refusal::of(&error);
            record.draft.refused(Refused {
                code: code.to_owned(),
                message,
                decision: decision.clone(),
            });
            phrased(explained(
                protocol.refuse(&error, accept.as_ref()),
                decision,
            ))
        }
    }
}

/// Says under which id a refusal can be explained: in a header, and in the reason phrase, which is all that Maven, pip and
/// `NuGet` show of an answer that says no.
fn explained(mut response: Response<Body>, decision: Option<String>) -> Response<Body> {
    let Some(id) = decision else {
        return response;
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(aws::fault::DECISION, value);
    }
    let extensions = response.extensions_mut();
    if extensions.get::<Reason>().is_none() {
        extensions.insert(Reason::new(&format!("Forbidden, decision {id}")));
    }
    response
}

/// Writes the reason into the first line.
fn phrased(mut response: Response<Body>) -> Response<Body> {
    let extensions = response.extensions_mut();
    if let Some(reason) = extensions.remove::<Reason>()
        && let Ok(phrase) = ReasonPhrase::try_from(reason.as_str().as_bytes())
    {
        extensions.insert(phrase);
    }
    response
}

/// What the audit log says of an answer that a format wrote by itself.
fn plain(status: StatusCode, message: &str) -> Refused {
    let Refusal { code, .. } = Refusal::new(status, message);
    Refused {
        code: code.to_owned(),
        message: if message.is_empty() {
            status.canonical_reason().unwrap_or_default().to_owned()
        } else {
            message.to_owned()
        },
        decision: None,
    }
}

/// What of the address may be written down; the rest of the path only its format understands.
fn parameters(at: Option<&RepositoryAt>, format: &str) -> Map<String, Value> {
    let mut parameters = Map::new();
    let mut put = |name: &str, value: &str| drop(parameters.insert(name.to_owned(), json!(value)));
    if let Some(RepositoryAt { domain, name }) = at {
        put("domainName", domain.name.as_str());
        put("domainOwner", domain.owner.as_str());
        put("repositoryName", name.as_str());
        put("packageFormat", format);
    }
    parameters
}

/// Who holds the token of a request; `None` without a good one. Errors: nobody can tell now.
async fn caller(
    house: &House,
    peer: &Peer,
    record: &Record,
    headers: &HeaderMap,
) -> Result<Option<Caller>, iam::Error> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    // Two headers could be read differently by whoever stands in front; they count as none.
    let (Some(value), None) = (values.next(), values.next()) else {
        return Ok(None);
    };
    let Some(Token(token)) = token(value) else {
        return Ok(None);
    };
    match house
        .iam
        .by_token(token.expose(), peer.source.clone())
        .await
    {
        Ok(caller) => Ok(Some(caller)),
        Err(NotAuthenticated::Unavailable(error)) => Err(error),
        Err(refused) => {
            tracing::debug!(why = %refused, "token refused");
            // Nothing of the token: not even its id is proven.
            record
                .draft
                .refused_to_stranger(Service::Packages, None, word(&refused));
            record.draft.refused(Refused {
                code: "UnauthorizedException".to_owned(),
                message: refused.to_string(),
                decision: None,
            });
            Ok(None)
        }
    }
}

/// Why a token was refused, as one word.
fn word(refused: &NotAuthenticated) -> &'static str {
    match refused {
        NotAuthenticated::Refused(iam::tokens::Refused::Expired) => "TokenExpired",
        NotAuthenticated::Refused(_) => "TokenInvalid",
        NotAuthenticated::Revoked => "TokenRevoked",
        NotAuthenticated::Gone => "TokenOfNobody",
        NotAuthenticated::Unavailable(_) => "Unavailable",
    }
}

/// 401 in the form on which every package manager comes back with its credentials, on the same connection.
///
/// Basic first: Python's own digest handler fails on a first challenge of any other kind. The realm is compared by sbt.
fn challenge(at: Option<&RepositoryAt>, format: &str) -> Response<Body> {
    let realm = at.map_or_else(
        || "packhouse".to_owned(),
        |at| format!("{}/{}", at.domain.name, at.name),
    );
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
    let schemes: &[&str] = if format == BEARER_ONLY {
        &["Bearer"]
    } else {
        &["Basic", "Bearer"]
    };
    for scheme in schemes {
        let value = HeaderValue::from_str(&format!("{scheme} realm=\"{realm}\""));
        headers.append(
            WWW_AUTHENTICATE,
            value.expect("names of domains and repositories are plain ASCII without quotes"),
        );
    }
    response
}

/// 429, with when to come again.
fn too_fast(record: &mut Record) -> Response<Body> {
    let status = StatusCode::TOO_MANY_REQUESTS;
    record.draft.refused(plain(status, "too many requests"));
    let mut response = text(status, "too many requests\n");
    let after = HeaderValue::from(TooFast::RETRY_AFTER_SECONDS);
    response.headers_mut().insert(RETRY_AFTER, after);
    response
}

/// A challenge in the words that the format's clients show, if they show any.
fn worded(mut challenge: Response<Body>, protocol: Option<&dyn Protocol>) -> Response<Body> {
    if let Some((media_type, text)) = protocol.and_then(Protocol::unauthenticated) {
        let headers = challenge.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        *challenge.body_mut() = full(text);
    }
    challenge
}

fn unavailable(error: &iam::Error) -> Response<Body> {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "cannot tell who is asking"
    );
    let mut response = text(
        StatusCode::SERVICE_UNAVAILABLE,
        "identities are not available\n",
    );
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(1));
    response
}

/// The path below the repository, always with a slash in front, so that an address with or without one at its end is
/// the same.
fn relative(rest: &str, query: Option<&str>) -> Uri {
    let path = if rest.is_empty() { "/" } else { rest };
    let text = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let parsed = PathAndQuery::try_from(text);
    Uri::from(parsed.expect("a part of a path and query that was parsed before"))
}

/// What the client is not told goes to the log.
fn report(error: &Error) {
    match error {
        Error::Internal(source) => {
            tracing::error!(
                error = &**source as &dyn std::error::Error,
                "request failed"
            );
        }
        Error::Unavailable(source) => {
            tracing::warn!(
                error = &**source as &dyn std::error::Error,
                "temporarily unavailable"
            );
        }
        Error::Remote(error) => tracing::warn!(%error, "a public registry failed"),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (path, expected, format, rest) in [
            (
                "/d/team-111122223333/maven/app/a/b",
                Some("team 111122223333 app"),
                "maven",
                "/a/b",
            ),
            (
                "/d/my-team-111122223333/npm/app/",
                Some("my-team 111122223333 app"),
                "npm",
                "/",
            ),
            (
                "/d/team-111122223333/npm/app",
                Some("team 111122223333 app"),
                "npm",
                "",
            ),
            (
                "/d/team-111122223333/npm/app//x",
                Some("team 111122223333 app"),
                "npm",
                "//x",
            ),
            ("/d/team/maven/app/a", None, "maven", "/a"),
            ("/d/team-11112222333/maven/app/a", None, "maven", "/a"),
            ("/d/Team-111122223333/maven/app/a", None, "maven", "/a"),
            ("/d/team-111122223333/maven", None, "maven", ""),
            ("/d/team-111122223333/maven/%61pp/a", None, "maven", "/a"),
            ("/d/", None, "", ""),
            ("/d", None, "", ""),
        ] {
            let address = Address::parse(path);
            let at = address
                .at
                .map(|at| format!("{} {} {}", at.domain.name, at.domain.owner, at.name));
            assert_eq!(
                (at.as_deref(), address.format, address.rest),
                (expected, format, rest),
                "{path}"
            );
        }
    }

    #[test]
    fn formats_see_the_path_below_the_repository_as_it_was_sent() {
        for (rest, query, expected) in [
            ("", None, "/"),
            ("/", None, "/"),
            ("/@scope%2fname", None, "/@scope%2fname"),
            ("/a%20b", Some("x=%2B"), "/a%20b?x=%2B"),
            ("//x", None, "//x"),
        ] {
            assert_eq!(relative(rest, query).to_string(), expected);
        }
    }

    #[test]
    fn challenges_offer_basic_first_and_swift_bearer_only() {
        let at = Address::parse("/d/team-111122223333/npm/app/").at;
        let offered = |at: Option<&RepositoryAt>, format| -> Vec<String> {
            let response = challenge(at, format);
            let values = response.headers().get_all(WWW_AUTHENTICATE).iter();
            values
                .map(|value| value.to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            offered(at.as_ref(), "npm"),
            ["Basic realm=\"team/app\"", "Bearer realm=\"team/app\""]
        );
        assert_eq!(offered(at.as_ref(), "swift"), ["Bearer realm=\"team/app\""]);
        assert_eq!(
            offered(None, "x"),
            ["Basic realm=\"packhouse\"", "Bearer realm=\"packhouse\""]
        );
    }
}
