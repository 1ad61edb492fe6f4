#![doc = include_str!("README.md")]

mod audit;
mod body;
mod document;
mod edit;
#[cfg(fuzzing)]
pub mod fuzzing;
mod json;
mod manifest;
mod publish;
mod range;
mod read;
mod remote;
mod request;
mod search;
mod semver;
mod tarball;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::LazyLock;

use bytes::Bytes;
use catalog::{
    Asking, AssetId, AssetName, BoxFuture, Connection, Described, Error, Format, FormatName,
    InvalidName, Kind, ListedVersion, OpenRepository, PackageId, ReadSeek, Remote, RemoteAsset,
    RemoteError, RemoteListing, RemoteVersion, Retention, Version,
};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request as HttpRequest, Response, StatusCode};
use serde_json::{Value, json};

use self::request::{FORMAT, Request};
use crate::protocol::{Body, Endpoint, Protocol, Step, allow, full};
use crate::refusal::Refusal;
use crate::upload;

/// The one file of a version, whatever the tarball was called where it comes from.
pub(crate) static TARBALL: LazyLock<AssetName> =
    LazyLock::new(|| "package.tgz".parse().expect("eleven plain characters"));

/// npm, pnpm, Yarn, Bun, Deno.
#[derive(Debug, Clone)]
pub struct Npm {
    /// What a server may allow or not.
    pub rules: Rules,
}

/// What a server may allow that AWS does not; the default is as AWS does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// `npm unpublish` deletes versions of whoever may delete them.
    pub allows_unpublish: bool,
    /// Tarballs of which a registry promises no digest are taken.
    pub accepts_unverified: bool,
    /// Scopes whose packages no public registry is ever asked about.
    pub private_scopes: BTreeSet<Scope>,
}

/// A scope, in lower case and without its `@`: names that differ in nothing but case give away as much.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(String);

impl Scope {
    fn of(package: &PackageId) -> Option<Self> {
        let scope = package.namespace.as_ref()?;
        Some(Self(scope.as_str().to_ascii_lowercase()))
    }
}

/// `@acme` or `acme`.
impl FromStr for Scope {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let scope = text.strip_prefix('@').unwrap_or(text);
        // A scope is what a package can have for one.
        let package = request::package(Some(scope), "x")?;
        Self::of(&package).ok_or_else(|| InvalidName::Refused("a scope is not empty".to_owned()))
    }
}

impl Format for Npm {
    fn name(&self) -> FormatName {
        FORMAT.clone()
    }

    fn connections(&self) -> &'static [Connection] {
        &[Connection {
            name: "public:npmjs",
            title: "the npm public registry",
        }]
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        strict: bool,
    ) -> Result<PackageId, InvalidName> {
        let package = request::package(namespace, name)?;
        if strict {
            request::check_new(&package)?;
        }
        Ok(package)
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        text.parse()
    }

    fn order(&self, a: &Version, b: &Version) -> Ordering {
        semver::compare(a.as_str(), b.as_str())
    }

    fn retention(&self) -> Retention {
        remote::RETENTION
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        if name == TARBALL.as_str() {
            Ok(TARBALL.clone())
        } else {
            Err(InvalidName::Refused(format!(
                "an npm package has one asset, `{}`",
                *TARBALL
            )))
        }
    }

    fn inspects(&self, asset: &AssetId) -> bool {
        asset.name == *TARBALL
    }

    fn inspect(&self, asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
        remote::inspect(asset, file, place)
    }

    fn display_label(&self) -> Option<&'static str> {
        Some("latest")
    }

    fn lists_contents(&self) -> bool {
        true
    }

    fn refresh(&self, kept: &mut ListedVersion, seen: &RemoteVersion) {
        remote::refresh(kept, seen);
    }

    fn may_ask(&self, package: &PackageId) -> bool {
        Scope::of(package).is_none_or(|scope| !self.rules.private_scopes.contains(&scope))
    }

    fn index(&self, package: &PackageId) -> Option<(String, Asking)> {
        Some((remote::path(package), remote::PACKUMENT))
    }

    fn look_up<'a>(
        &'a self,
        remote: &'a Remote,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(remote::look_up(
            remote,
            package,
            self.rules.accepts_unverified,
        ))
    }

    fn locate<'a>(
        &'a self,
        remote: &'a Remote,
        asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>> {
        Box::pin(remote::locate(remote, asset, self.rules.accepts_unverified))
    }

    fn recognise(
        &self,
        asset: &AssetName,
        content_type: Option<&str>,
        head: &[u8],
    ) -> Result<(), String> {
        let is_page = content_type.is_some_and(|media_type| {
            let media_type = media_type.split(';').next().unwrap_or_default();
            media_type.trim().eq_ignore_ascii_case("text/html")
        });
        if is_page || !head.starts_with(b"\x1f\x8b") {
            return Err(format!("{asset} does not begin as a tarball does"));
        }
        Ok(())
    }
}

impl Protocol for Npm {
    fn serve<'a>(
        &'a self,
        request: HttpRequest<Body>,
        repository: &'a OpenRepository,
    ) -> BoxFuture<'a, Result<Response<Body>, Error>> {
        Box::pin(self.answer(request, repository))
    }

    fn refuse(&self, error: &Error, _accept: Option<&HeaderValue>) -> Response<Body> {
        if let Error::NotFound {
            kind: Kind::Package,
            ..
        } = error
        {
            let body = json!({
                "error": "not_found",
                "reason": "document not found",
                "message": error.to_string(),
                "code": "ResourceNotFoundException",
            });
            return json_answer(StatusCode::NOT_FOUND, &body);
        }
        refused(&Refusal::of(error))
    }

    fn unauthenticated(&self) -> Option<(&'static str, &'static str)> {
        Some((
            "application/json",
            concat!(
                r#"{"error":"authorization token is missing, invalid or expired","#,
                r#""message":"authorization token is missing, invalid or expired","#,
                r#""code":"UnauthorizedException"}"#
            ),
        ))
    }

    fn connect(&self, endpoint: &Endpoint) -> Vec<Step> {
        connect(endpoint)
    }
}

impl Npm {
    async fn answer(
        &self,
        request: HttpRequest<Body>,
        repository: &OpenRepository,
    ) -> Result<Response<Body>, Error> {
        let (parts, mut body) = request.into_parts();
        let parsed = Request::parse(&parts.method, parts.uri.path(), parts.uri.query());
        let parsed = match parsed {
            Ok(parsed) => parsed,
            Err(refused) => {
                upload::drain(&parts.headers, &mut body).await;
                let status =
                    StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
                let mut answer = refusal(status, &refused.message);
                if status == StatusCode::METHOD_NOT_ALLOWED {
                    allow(&mut answer, request::ALLOW);
                }
                return Ok(answer);
            }
        };
        let answer = self.act(&parts, &mut body, repository, parsed).await;
        let is_refused = answer
            .as_ref()
            .map_or(true, |answer| !answer.status().is_success());
        if is_refused {
            upload::drain(&parts.headers, &mut body).await;
        }
        answer
    }

    async fn act(
        &self,
        parts: &http::request::Parts,
        body: &mut Body,
        repository: &OpenRepository,
        request: Request,
    ) -> Result<Response<Body>, Error> {
        match request {
            Request::Root | Request::Ping => {
                repository.may_read().await?;
                Ok(json_answer(StatusCode::OK, &json!({})))
            }
            Request::WhoAmI => {
                repository.may_read().await?;
                let arn = repository.caller().arn();
                let name = arn.rsplit(['/', ':']).next().unwrap_or(arn);
                Ok(json_answer(StatusCode::OK, &json!({"username": name})))
            }
            Request::Packument(package) => read::packument(parts, repository, &package).await,
            Request::Manifest(package, wanted) => {
                read::manifest(parts, repository, &package, &wanted).await
            }
            Request::Tarball(package, file) => read::file(parts, repository, &package, &file).await,
            Request::Put(package) => publish::put(parts, body, repository, &package).await,
            Request::PutRevision(..) | Request::Delete(..) | Request::DeleteTarball(..)
                if !self.rules.allows_unpublish =>
            {
                Ok(refusal(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "npm unpublish is not supported; use delete-package-versions",
                ))
            }
            Request::PutRevision(package, rev) => {
                edit::put_revision(parts, body, repository, &package, &rev).await
            }
            Request::Delete(package, rev) => edit::delete_all(repository, &package, &rev).await,
            // Its version went with the document before.
            Request::DeleteTarball(package, _) => {
                repository.may_delete(&package).await?;
                Ok(ok(StatusCode::OK))
            }
            Request::Tags(package) => read::tags(parts, repository, &package).await,
            Request::SetTags(package) => edit::set_tags(parts, body, repository, &package).await,
            Request::SetTag(package, tag) => {
                edit::set_tag(parts, body, repository, &package, &tag).await
            }
            Request::RemoveTag(package, tag) => edit::remove_tag(repository, &package, &tag).await,
            Request::Search(search) => search::answer(repository, &search).await,
            Request::Advisories => audit::advisories(parts, body, repository).await,
            Request::Audit => audit::audit(parts, body, repository).await,
            Request::Keys => audit::keys(repository).await,
            Request::Attestations(package, version) => {
                audit::attestations(repository, package, version).await
            }
            // The client then forgets its token, which is all that it could do.
            Request::Logout => Ok(ok(StatusCode::OK)),
            Request::Unsupported(message) => {
                repository.may_read().await?;
                Ok(refusal(StatusCode::NOT_FOUND, message))
            }
        }
    }
}

/// An answer that is JSON.
fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    json_text(status, value.to_string().into())
}

fn json_text(status: StatusCode, text: Bytes) -> Response<Body> {
    let mut answer = Response::new(full(text));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn ok(status: StatusCode) -> Response<Body> {
    json_answer(status, &json!({"ok": true}))
}

/// A version was published, or was there already.
fn done(status: StatusCode, package: &PackageId, version: &Version) -> Response<Body> {
    json_text(status, publish::done_text(package, version))
}

fn refusal(status: StatusCode, message: &str) -> Response<Body> {
    refused(&Refusal::new(status, message))
}

/// npm and Yarn show the member `error` and nothing else.
fn refused(refusal: &Refusal) -> Response<Body> {
    let mut body = json!({
        "error": refusal.message,
        "message": refusal.message,
        "code": refusal.code,
    });
    if let Some(decision) = &refusal.decision {
        body["error"] = json!(format!("{} (decision {decision})", refusal.message));
        body["decisionId"] = json!(decision);
    }
    let mut answer = json_answer(refusal.status, &body);
    if let Some(seconds) = refusal.retry_after {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

fn connect(endpoint: &Endpoint) -> Vec<Step> {
    let Endpoint {
        url,
        domain,
        domain_owner,
        repository,
    } = endpoint;
    let place = url.split_once(':').map_or(url.as_str(), |(_, place)| place);
    vec![
        Step {
            title: "npm and pnpm: address and token, for twelve hours",
            file: None,
            text: format!(
                "aws codeartifact login --tool npm --domain {domain} --domain-owner {domain_owner} \
                 --repository {repository}"
            ),
        },
        Step {
            title: "The same by hand; Yarn 1 sends the token only with always-auth",
            file: Some("~/.npmrc"),
            text: format!(
                "registry={url}\n{place}:_authToken=${{CODEARTIFACT_AUTH_TOKEN}}\n{place}:always-auth=true"
            ),
        },
        endpoint.token(),
        Step {
            title: "Yarn 2 and later",
            file: Some(".yarnrc.yml"),
            text: format!(
                "npmRegistryServer: \"{url}\"\nnpmAlwaysAuth: true\nnpmAuthToken: \"${{CODEARTIFACT_AUTH_TOKEN}}\""
            ),
        },
    ]
}
