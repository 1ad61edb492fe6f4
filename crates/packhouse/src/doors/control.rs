//! `/v1/…` and `POST /`: the AWS operations. A signature is verified, an operation found, its answer written in the
//! dialect of the request.
//!
//! Small bodies are read before the signature is checked, since it covers them; under a cap, because nobody knows yet
//! who sends them. The bytes of a published asset are not: their hash was signed in a header, so the signature is
//! checked first and the body streams.

use std::io;
use std::sync::{Arc, OnceLock};

use audit::Service;
use aws::query::Form;
use aws::sigv4::{Claim, Rules, body_hash};
use aws::{Dialect, Fault, QueryService, Reason};
use bytes::Bytes;
use codeartifact::{Answer, Context, Endpoints, Input, Kind};
use formats::{Body, deliver, full};
use futures_util::TryStreamExt as _;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyStream;
use iam::api::Vouched;
use iam::{Caller, NotSignedBy};

use crate::body::{Arriving, NotWhole};
use crate::house::House;
use crate::metrics::Face;
use crate::peer::Peer;
use crate::rates::TooFast;
use crate::record::Record;
use crate::written;

/// The largest honest body is a policy document of 131,072 characters, percent-encoded up to three times that.
const LIMIT_BYTES: usize = 1 << 20;

/// The version that IAM, STS and EC2 are told apart by; EC2's, which `iam` does not know.
const EC2_VERSION: &str = "2016-11-15";

/// `/v1/…`.
pub(crate) async fn rest(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: Parts,
    body: Arriving,
) -> Response<Body> {
    record.face = Face::CodeArtifact;
    record.dialect = Some(Dialect::RestJson);
    let answered = rest_answer(house, peer, record, parts, body).await;
    answered.unwrap_or_else(|fault| record.refuse(fault, Dialect::RestJson))
}

async fn rest_answer(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: Parts,
    body: Arriving,
) -> Result<Response<Body>, Fault> {
    let path = parts.uri.path();
    if is_odd(path) {
        return Err(Fault::validation(
            Reason::Other,
            "the path is not one of this service",
        ));
    }
    let found = codeartifact::find(&parts.method, path);
    let takes_asset = found.is_some_and(|operation| operation.kind == Kind::AssetIn);
    let rules = Rules {
        retry_as_unsigned_payload: takes_asset,
        ..rules(house, peer, "codeartifact", true)
    };
    let claim = read(house, record, &parts, &rules, Dialect::RestJson)?;
    let source = peer.source.clone();
    let (signed, body) = if takes_asset {
        let signed = house.iam.by_signature_before_body(&claim, source).await;
        let pieces = BodyStream::new(body.of_known_sender());
        let pieces = pieces
            .map_err(io::Error::other)
            .try_filter_map(async |frame| Ok(frame.into_data().ok()));
        (signed, codeartifact::Body::Stream(Box::pin(pieces)))
    } else {
        let body = whole(body, Dialect::RestJson).await?;
        let signed = house
            .iam
            .by_signature(&claim, &body_hash(&body), source)
            .await;
        (signed, codeartifact::Body::Whole(body))
    };
    let caller = caller(record, &claim, signed, Dialect::RestJson)?;
    record.called_by(&caller);
    let Some(operation) = found else {
        return Err(codeartifact::unknown(&parts.method, path));
    };
    record.operation = Some(operation.name.to_owned());
    record.repository = place(claim.query());
    let reads = written::is_read_only(Service::CodeArtifact, operation.name);
    let document = match &body {
        codeartifact::Body::Whole(document) => document.clone(),
        codeartifact::Body::Stream(_) => Bytes::new(),
    };
    record
        .draft
        .asks(Service::CodeArtifact, operation.name, reads);
    let parameters = written::rest(operation.name, claim.query(), &document);
    record.draft.with(parameters);
    house
        .meter
        .call(&caller, operation.name, reads, house.clock.now())
        .map_err(|TooFast| Fault::throttling(TooFast::RETRY_AFTER_SECONDS))?;

    let Some(base) = house.base_url(peer, &parts.headers) else {
        return Err(Fault::validation(
            Reason::Other,
            "the request names no host",
        ));
    };
    let context = Context {
        catalog: house.catalog.clone(),
        iam: house.iam.clone(),
        caller,
        endpoints: Endpoints::new(&base),
        sealer: house.sealer.clone(),
    };
    let input = Input {
        query: claim.query().to_vec(),
        headers: parts.headers.clone(),
        body,
    };
    match codeartifact::call(&context, operation, input).await {
        Answer::Json(body) => {
            if let Some(answer) = written::rest_answer(operation.name, &body) {
                record.draft.answered_with(answer);
            }
            Ok(json(body))
        }
        Answer::Fault(fault) => Err(fault),
        Answer::Asset { asset, headers } => {
            let headers = headers
                .into_iter()
                .filter_map(|(name, value)| Some((name?, value)));
            let delivered = deliver(
                &parts.method,
                &parts.headers,
                *asset,
                "application/octet-stream",
                headers,
            );
            delivered.await.map_err(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an asset cannot be delivered"
                );
                Fault::internal()
            })
        }
    }
}

/// Paths that two readers could take for two things. All data of this service is in the query, so no honest client
/// sends one.
fn is_odd(path: &str) -> bool {
    path.contains('%')
        || path
            .split('/')
            .skip(1)
            .any(|segment| matches!(segment, "" | "." | ".."))
}

/// `domain`, `domain/repository`, as the query names them; for the log.
fn place(query: &[(String, String)]) -> Option<String> {
    let value = |wanted: &str| {
        query
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    let domain = value("domain")?;
    Some(match value("repository") {
        Some(repository) => format!("{domain}/{repository}"),
        None => domain.to_owned(),
    })
}

pub(crate) fn json(body: Bytes) -> Response<Body> {
    let mut response = Response::new(full(body));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// `POST /` and `GET /?Action=…`: IAM, STS and EC2 by the `Version` of the form.
pub(crate) async fn query(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    parts: Parts,
    body: Arriving,
) -> Response<Body> {
    record.face = Face::Query;
    let mut dialect = Dialect::Query(QueryService::Iam);
    let answered = query_answer(house, peer, record, &mut dialect, &parts, body).await;
    match answered {
        Ok(response) => response.map(full),
        Err(fault) => record.refuse(fault, dialect),
    }
}

async fn query_answer(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    dialect: &mut Dialect,
    parts: &Parts,
    body: Arriving,
) -> Result<Response<Bytes>, Fault> {
    let body = whole(body, *dialect).await?;
    let pairs = aws::percent::decode_pairs(parts.uri.query().unwrap_or_default(), false);
    let form = Form::of_request(&pairs.unwrap_or_default(), &body)?;
    let (service, spoken_to) = match form.version() {
        Some(EC2_VERSION) => {
            *dialect = Dialect::Ec2;
            ("ec2", Service::Ec2)
        }
        version => {
            let service = iam::api::service(version).unwrap_or(QueryService::Iam);
            *dialect = Dialect::Query(service);
            match service {
                QueryService::Iam => ("iam", Service::Iam),
                QueryService::Sts => ("sts", Service::Sts),
            }
        }
    };
    record.dialect = Some(*dialect);
    if iam::api::is_unsigned(&form) {
        return unsigned(house, peer, record, &form).await;
    }
    // SDKs sign these for the client's own region when they are pointed at an address.
    let rules = rules(house, peer, service, false);
    let claim = read(house, record, parts, &rules, *dialect)?;
    let signed = house
        .iam
        .by_signature(&claim, &body_hash(&body), peer.source.clone())
        .await;
    let caller = caller(record, &claim, signed, *dialect)?;
    record.called_by(&caller);
    let name = form.action().ok().filter(|name| is_word(name));
    record.operation = name.map(str::to_owned);
    let name = name.unwrap_or_default();
    let reads = written::is_read_only(spoken_to, name);
    record.draft.asks(spoken_to, name, reads);
    record.draft.with(written::form(name, &form));
    let answer = match dialect {
        Dialect::Ec2 => house.iam.call_ec2(&caller, &form, record.id()).await?,
        Dialect::Query(_) | Dialect::RestJson => {
            house.iam.call(&caller, &form, record.id()).await?
        }
    };
    if !reads && let Some(answer) = written::form_answer(answer.body()) {
        record.draft.answered_with(answer);
    }
    Ok(answer)
}

/// The operation of STS that comes without a signature: the token that it brings is its proof.
async fn unsigned(
    house: &House,
    peer: &Peer,
    record: &mut Record,
    form: &Form,
) -> Result<Response<Bytes>, Fault> {
    let name = form.action()?;
    record.operation = Some(name.to_owned());
    record
        .draft
        .refused_to_stranger(Service::Sts, None, "web identity token");
    record.draft.asks(Service::Sts, name, false);
    record.draft.with(written::form(name, form));
    let (draft, who) = (Arc::clone(&record.draft), OnceLock::new());
    let vouched = |vouched: Vouched| {
        draft.called_by_web_identity(&vouched.provider, &vouched.subject);
        // Told once.
        _ = who.set(vouched);
    };
    let answer = house
        .iam
        .call_unsigned(&peer.source, &vouched, form, record.id())
        .await;
    if let Some(vouched) = who.get() {
        record.called_by_web_identity(vouched);
    }
    let answer = answer?;
    if let Some(answer) = written::form_answer(answer.body()) {
        record.draft.answered_with(answer);
    }
    Ok(answer)
}

/// What could be the name of an operation; anything else is not written down.
fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

pub(crate) fn rules(house: &House, peer: &Peer, service: &'static str, own_region: bool) -> Rules {
    Rules {
        max_skew: house.iam.settings().max_skew,
        trust_forwarded_host: peer.is_proxied,
        ..Rules::new(service, own_region.then(|| vec![house.region.clone()]))
    }
}

pub(crate) fn read(
    house: &House,
    record: &Record,
    parts: &Parts,
    rules: &Rules,
    dialect: Dialect,
) -> Result<Claim, Fault> {
    Claim::read(parts, rules, house.clock.now()).map_err(|refused| {
        tracing::debug!(why = refused.reason(), "signature refused");
        record
            .draft
            .refused_to_stranger(spoken_to(dialect, record.face), None, refused.reason());
        refused.fault(dialect)
    })
}

pub(crate) fn caller(
    record: &Record,
    claim: &Claim,
    signed: Result<Caller, NotSignedBy>,
    dialect: Dialect,
) -> Result<Caller, Fault> {
    signed.map_err(|refused| match refused {
        NotSignedBy::Refused(refused) => {
            tracing::debug!(why = refused.reason(), "signature refused");
            record.draft.refused_to_stranger(
                spoken_to(dialect, record.face),
                Some(claim.access_key_id().as_str()),
                refused.reason(),
            );
            refused.fault(dialect)
        }
        NotSignedBy::Unavailable(error) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot tell who is asking"
            );
            Fault {
                status: StatusCode::SERVICE_UNAVAILABLE,
                retry_after: Some(1),
                ..Fault::internal()
            }
        }
    })
}

/// The service that a dialect and a door stand for.
fn spoken_to(dialect: Dialect, face: Face) -> Service {
    match (dialect, face) {
        (Dialect::Query(QueryService::Iam), _) => Service::Iam,
        (Dialect::Query(QueryService::Sts), _) => Service::Sts,
        (Dialect::Ec2, _) => Service::Ec2,
        (Dialect::RestJson, Face::Own) => Service::Packhouse,
        (Dialect::RestJson, _) => Service::CodeArtifact,
    }
}

pub(crate) async fn whole(body: Arriving, dialect: Dialect) -> Result<Bytes, Fault> {
    body.whole(LIMIT_BYTES).await.map_err(|error| match error {
        NotWhole::TooLarge => {
            let code = match dialect {
                Dialect::RestJson => "RequestEntityTooLargeException",
                Dialect::Query(_) | Dialect::Ec2 => "RequestEntityTooLarge",
            };
            let message = format!("the body of a request may have at most {LIMIT_BYTES} bytes");
            Fault::new(code, StatusCode::PAYLOAD_TOO_LARGE, message)
        }
        NotWhole::Broken(error) => {
            tracing::debug!(
                error = &*error as &dyn std::error::Error,
                "the body of a request broke off"
            );
            Fault::new(
                "RequestTimeout",
                StatusCode::REQUEST_TIMEOUT,
                "the body ended before it was whole",
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_paths_are_known() {
        for (path, odd) in [
            ("/v1/domain", false),
            ("/v1/package/version/asset", false),
            ("/v1/x/../domain", true),
            ("/v1/./domain", true),
            ("/v1//domain", true),
            ("/v1/domain/", true),
            ("/v1/%64omain", true),
            ("/v1/domain%3f", true),
            ("/v1", false),
        ] {
            assert_eq!(is_odd(path), odd, "{path}");
        }
    }
}
