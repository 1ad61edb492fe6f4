#![doc = include_str!("README.md")]

mod name;
mod publish;
mod request;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::time::Duration;

use catalog::{
    AssetId, AssetName, BoxFuture, Connection, Error, Format, FormatName, InvalidName, Kind,
    OpenRepository, PackageId, Purpose, Remote, RemoteAsset, RemoteError, RemoteListing, Retention,
    Status, Version, VersionId,
};
use http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY};
use http::request::Parts;
use http::{HeaderValue, Method, Request as HttpRequest, Response, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use self::request::{FORMAT, Request};
use crate::deliver::deliver;
use crate::document::Document;
use crate::protocol::{Body, Endpoint, Protocol, Step, allow, empty};
use crate::refusal::Refusal;
use crate::upload;

/// Files under a namespace, a package and a version, with no meaning to us.
#[derive(Debug, Clone, Copy, Default)]
pub struct Generic {
    /// What this server settles.
    pub rules: Rules,
}

/// What a server may settle differently from the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether there is an HTTP endpoint beside the operations of the API.
    pub has_endpoint: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { has_endpoint: true }
    }
}

impl Format for Generic {
    fn name(&self) -> FormatName {
        FORMAT.clone()
    }

    fn connections(&self) -> &'static [Connection] {
        &[]
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        _strict: bool,
    ) -> Result<PackageId, InvalidName> {
        let namespace = namespace
            .ok_or_else(|| InvalidName::Refused("a generic package has a namespace".to_owned()))?;
        name::check_coordinate(namespace)?;
        name::check_coordinate(name)?;
        Ok(PackageId {
            format: FORMAT.clone(),
            namespace: Some(namespace.parse()?),
            name: name.parse()?,
        })
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        name::check_coordinate(text)?;
        text.parse()
    }

    /// Versions are opaque: by their text, so that lists come out the same.
    fn order(&self, a: &Version, b: &Version) -> Ordering {
        a.cmp(b)
    }

    fn retention(&self) -> Retention {
        Retention {
            upstream: false,
            late_assets: false,
            open_ended: true,
            list_lifetime: Duration::ZERO,
            absence_lifetime: Duration::ZERO,
        }
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        name::asset(name)
    }

    fn look_up<'a>(
        &'a self,
        _remote: &'a Remote,
        _package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(async { Ok(None) })
    }

    fn locate<'a>(
        &'a self,
        _remote: &'a Remote,
        _asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>> {
        Box::pin(async { Ok(None) })
    }

    fn recognise(
        &self,
        _asset: &AssetName,
        _content_type: Option<&str>,
        _head: &[u8],
    ) -> Result<(), String> {
        Ok(())
    }
}

impl Protocol for Generic {
    fn serve<'a>(
        &'a self,
        request: HttpRequest<Body>,
        repository: &'a OpenRepository,
    ) -> BoxFuture<'a, Result<Response<Body>, Error>> {
        Box::pin(answer(self.rules, request, repository))
    }

    /// As `PublishPackageVersion` would: over a quota is 402 here too.
    fn refuse(&self, error: &Error, accept: Option<&HeaderValue>) -> Response<Body> {
        let mut refusal = Refusal::of(error);
        if matches!(error, Error::Quota { .. }) {
            refusal.status = StatusCode::PAYMENT_REQUIRED;
        }
        refusal.answer(accept)
    }

    fn connect(&self, endpoint: &Endpoint) -> Vec<Step> {
        connect(endpoint)
    }
}

async fn answer(
    rules: Rules,
    request: HttpRequest<Body>,
    repository: &OpenRepository,
) -> Result<Response<Body>, Error> {
    let (parts, mut body) = request.into_parts();
    let accept = parts.headers.get(ACCEPT);
    if !rules.has_endpoint {
        upload::drain(&parts.headers, &mut body).await;
        let message =
            "generic packages have no endpoint on this server: use the operations of the API";
        return Ok(Refusal::new(StatusCode::NOT_FOUND, message).answer(accept));
    }
    let parsed = match Request::parse(&parts.method, parts.uri.path(), parts.uri.query()) {
        Ok(parsed) => parsed,
        Err(refused) => {
            upload::drain(&parts.headers, &mut body).await;
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
            let mut answer = Refusal::new(status, refused.message).answer(accept);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                allow(&mut answer, request::ALLOW);
            }
            return Ok(answer);
        }
    };
    let document = match parsed {
        Request::Options => {
            let mut answer = Response::new(empty());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            allow(&mut answer, request::ALLOW);
            return Ok(answer);
        }
        Request::Publish {
            asset,
            is_unfinished,
        } => {
            if let Err(refusal) = upload::expectation(&parts.headers) {
                return Ok(refusal.answer(accept));
            }
            let answer = publish::answer(&parts, &mut body, repository, asset, is_unfinished).await;
            if answer.is_err() {
                upload::drain(&parts.headers, &mut body).await;
            }
            return answer;
        }
        Request::Asset(asset) => return read(&parts, repository, &asset).await,
        Request::Versions(package) => versions(repository, &package).await?,
        Request::Assets(version) => assets(repository, &version).await?,
    };
    Ok(document.answer(&parts.method, &parts.headers).await)
}

/// A file, or the SHA-256 of one: a real file of that name comes first.
async fn read(
    parts: &Parts,
    repository: &OpenRepository,
    id: &AssetId,
) -> Result<Response<Body>, Error> {
    let purpose = if parts.method == Method::HEAD {
        Purpose::Look
    } else {
        Purpose::Take
    };
    let absent = match repository.asset(id, purpose).await {
        Ok(asset) => {
            let extra = [
                (CONTENT_DISPOSITION, disposition(&id.name)),
                (CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox")),
            ];
            let content_type = "application/octet-stream";
            return deliver(&parts.method, &parts.headers, asset, content_type, extra).await;
        }
        Err(error) => error,
    };
    let base = id.name.as_str().strip_suffix(".sha256");
    let (Error::NotFound { .. }, Some(Ok(base))) = (&absent, base.map(str::parse)) else {
        return Err(absent);
    };
    let base = id.version.asset(base);
    let asset = repository.asset(&base, Purpose::Look).await;
    let asset = asset.map_err(|error| match error {
        // What is missing is what was asked for.
        Error::NotFound { .. } | Error::Held(_) => absent,
        other => other,
    })?;
    let hex = asset.digests().map(|digests| digests.sha256.clone());
    let hex = hex.ok_or_else(|| Error::Internal("a stored file has digests".into()))?;
    let document = Document::new(hex, "text/plain", Some(asset.modified));
    Ok(document.answer(&parts.method, &parts.headers).await)
}

/// The name as RFC 6266 writes it, for whatever characters.
fn disposition(name: &AssetName) -> HeaderValue {
    let encoded = utf8_percent_encode(name.as_str(), NON_ALPHANUMERIC);
    HeaderValue::try_from(format!("attachment; filename*=UTF-8''{encoded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

/// `["1.0", …]`: what is published of a package.
async fn versions(repository: &OpenRepository, id: &PackageId) -> Result<Document, Error> {
    let mut records = repository.versions(id).await?;
    records.retain(|record| record.status == Status::Published);
    if records.is_empty() {
        return Err(Error::NotFound {
            kind: Kind::Package,
            id: id.to_string(),
            message: format!("no version of {id} is published in this repository"),
        });
    }
    let versions: Vec<_> = records
        .iter()
        .map(|record| record.version.as_str())
        .collect();
    // Without a time: a version that goes away changes the list, and no time in it.
    Ok(Document::new(json!(versions).to_string(), JSON, None))
}

const JSON: &str = "application/json";

/// `[{"name": …, "size": …, "sha256": …}, …]`: the files of a version, by name.
async fn assets(repository: &OpenRepository, id: &VersionId) -> Result<Document, Error> {
    let records = repository.versions(&id.package).await?;
    let is_served = records.iter().any(|record| {
        record.version == id.version
            && matches!(record.status, Status::Published | Status::Unlisted)
    });
    if !is_served {
        return Err(Error::NotFound {
            kind: Kind::PackageVersion,
            id: id.version.to_string(),
            message: format!("there is no {id} to be had in this repository"),
        });
    }
    let files: Vec<_> = repository
        .assets(id)
        .await?
        .iter()
        .map(|file| json!({"name": file.name, "size": file.size_bytes, "sha256": file.digests.sha256}))
        .collect();
    Ok(Document::new(json!(files).to_string(), JSON, None))
}

fn connect(endpoint: &Endpoint) -> Vec<Step> {
    let Endpoint {
        url,
        domain,
        domain_owner,
        repository,
    } = endpoint;
    vec![
        Step {
            title: "Publish with the AWS command line",
            file: None,
            text: format!(
                "aws codeartifact publish-package-version --domain {domain} --domain-owner {domain_owner} \
                 --repository {repository} --format generic --namespace my-namespace --package my-package \
                 --package-version 1.0.0 --asset-name file.tar.gz --asset-content file.tar.gz \
                 --asset-sha256 $(sha256sum file.tar.gz | cut -d ' ' -f 1)"
            ),
        },
        endpoint.token(),
        Step {
            title: "Publish and fetch with curl",
            file: None,
            text: format!(
                "curl -fsS -u aws:$CODEARTIFACT_AUTH_TOKEN -T file.tar.gz {url}my-namespace/my-package/1.0.0/\n\
                 curl -fsS -u aws:$CODEARTIFACT_AUTH_TOKEN -O {url}my-namespace/my-package/1.0.0/file.tar.gz"
            ),
        },
    ]
}
