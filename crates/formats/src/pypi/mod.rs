#![doc = include_str!("README.md")]

mod archive;
mod attestation;
mod document;
mod facts;
mod filename;
#[cfg(fuzzing)]
pub mod fuzzing;
mod html;
mod index;
mod metadata;
mod name;
mod negotiate;
mod publish;
mod read;
mod remote;
mod request;
mod tar;
#[cfg(test)]
mod tests;
mod version;
mod zip;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use catalog::{
    Asking, AssetId, AssetName, BoxFuture, Connection, Described, Error, Format, FormatName,
    InvalidName, ListedVersion, OpenRepository, PackageId, ReadSeek, Remote, RemoteAsset,
    RemoteError, RemoteListing, RemoteVersion, Retention, Version,
};
use http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request as HttpRequest, Response, StatusCode};
use sigstore_verify::Verifier;

use self::filename::{Distribution, Kind};
use self::request::{FORMAT, Request};
use crate::document::insert;
use crate::protocol::{Body, Endpoint, Protocol, Reason, Step, allow, empty};
use crate::refusal::Refusal;
use crate::trust::TrustRoot;
use crate::upload;

/// Python distributions: pip, uv, Poetry, PDM, twine.
pub struct Pypi {
    rules: Rules,
    seen: read::Seen,
    verifier: Arc<Verifier>,
}

impl Pypi {
    /// With these rules; attestations count by this trust root.
    pub fn new(rules: Rules, trust_root: &TrustRoot) -> Self {
        Self {
            rules,
            seen: read::Seen::default(),
            verifier: Arc::new(trust_root.verifier()),
        }
    }
}

impl Default for Pypi {
    fn default() -> Self {
        Self::new(Rules::default(), &TrustRoot::default())
    }
}

/// What a server may settle differently from the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Whether files of which a registry has no digest are taken.
    pub accepts_unverified: bool,
    /// Whether pages show a registry's eggs and Windows installers, which only tools from long ago install.
    pub shows_legacy_files: bool,
    /// Whether the metadata of a wheel that a registry has none beside is promised, and read out of the wheel there.
    pub synthesizes_metadata: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            accepts_unverified: false,
            shows_legacy_files: false,
            synthesizes_metadata: true,
        }
    }
}

impl Format for Pypi {
    fn name(&self) -> FormatName {
        FORMAT.clone()
    }

    fn connections(&self) -> &'static [Connection] {
        const CONNECTIONS: &[Connection] = &[Connection {
            name: "public:pypi",
            title: "the Python Package Index",
        }];
        CONNECTIONS
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        strict: bool,
    ) -> Result<PackageId, InvalidName> {
        name::package_as_given(namespace, name, strict)
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        version::as_given(text)
    }

    fn order(&self, a: &Version, b: &Version) -> Ordering {
        version::compare(a.as_str(), b.as_str())
    }

    fn identity<'a>(&self, version: &'a Version) -> Cow<'a, str> {
        version::identity(version.as_str())
    }

    fn retention(&self) -> Retention {
        remote::RETENTION
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        let kind = Kind::strip(name).filter(|(_, kind)| kind.is_published());
        if !filename::is_plain(name) || kind.is_none() {
            return Err(InvalidName::Refused(
                "an asset of a Python package is a wheel or a source distribution".to_owned(),
            ));
        }
        name.parse()
    }

    fn inspects(&self, asset: &AssetId) -> bool {
        remote::inspects(&asset.name)
    }

    fn inspect(&self, asset: &AssetId, file: &mut dyn ReadSeek, place: &RemoteAsset) -> Described {
        remote::inspect(asset, file, place)
    }

    fn outweighs(&self, asset: &AssetId) -> bool {
        let project = asset.version.package.name.as_str();
        Distribution::parse(asset.name.as_str(), project)
            .is_some_and(|file| file.kind == Kind::Wheel)
    }

    fn lists_contents(&self) -> bool {
        true
    }

    fn refresh(&self, kept: &mut ListedVersion, seen: &RemoteVersion) {
        remote::refresh(kept, seen);
    }

    fn index(&self, package: &PackageId) -> Option<(String, Asking)> {
        Some((remote::page(package), remote::PAGE))
    }

    fn look_up<'a>(
        &'a self,
        remote: &'a Remote,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(remote::look_up(remote, package, self.rules))
    }

    fn locate<'a>(
        &'a self,
        remote: &'a Remote,
        asset: &'a AssetId,
    ) -> BoxFuture<'a, Result<Option<RemoteAsset>, RemoteError>> {
        Box::pin(remote::locate(remote, asset, self.rules))
    }

    fn recognise(
        &self,
        asset: &AssetName,
        content_type: Option<&str>,
        head: &[u8],
    ) -> Result<(), String> {
        remote::recognise(asset, content_type, head)
    }
}

impl Protocol for Pypi {
    fn serve<'a>(
        &'a self,
        request: HttpRequest<Body>,
        repository: &'a OpenRepository,
    ) -> BoxFuture<'a, Result<Response<Body>, Error>> {
        Box::pin(answer(self, request, repository))
    }

    /// The sentence stands in the reason phrase too: it is all that pip and twine show.
    fn refuse(&self, error: &Error, accept: Option<&HeaderValue>) -> Response<Body> {
        refused(&Refusal::of(error), accept)
    }

    fn connect(&self, endpoint: &Endpoint) -> Vec<Step> {
        connect(endpoint)
    }
}

fn refused(refusal: &Refusal, accept: Option<&HeaderValue>) -> Response<Body> {
    let mut answer = refusal.answer(accept);
    let reason = match &refusal.decision {
        Some(decision) => format!("{} (decision {decision})", refusal.message),
        None => refusal.message.clone(),
    };
    answer.extensions_mut().insert(Reason::new(&reason));
    answer
}

async fn answer(
    pypi: &Pypi,
    request: HttpRequest<Body>,
    repository: &OpenRepository,
) -> Result<Response<Body>, Error> {
    let (parts, mut body) = request.into_parts();
    let accept = parts.headers.get(ACCEPT);
    let parsed = match Request::parse(&parts.method, parts.uri.path()) {
        Ok(parsed) => parsed,
        Err(problem) => {
            upload::drain(&parts.headers, &mut body).await;
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::NOT_FOUND);
            let mut answer = refused(&Refusal::new(status, problem.message), accept);
            if status == StatusCode::METHOD_NOT_ALLOWED {
                allow(&mut answer, request::ALLOW);
            }
            return Ok(answer);
        }
    };
    match parsed {
        Request::Options => {
            let mut answer = Response::new(empty());
            *answer.status_mut() = StatusCode::NO_CONTENT;
            allow(&mut answer, request::ALLOW);
            Ok(answer)
        }
        Request::Moved(to) => {
            repository.may_read().await?;
            let mut answer = Response::new(empty());
            *answer.status_mut() = StatusCode::MOVED_PERMANENTLY;
            insert(answer.headers_mut(), LOCATION, to);
            Ok(answer)
        }
        Request::List => read::list(&parts, repository).await,
        Request::Project(package) => read::page(&parts, repository, &package, pypi.rules).await,
        Request::File(place) => read::asset(&parts, repository, &place).await,
        Request::Metadata(place) => read::metadata(&parts, repository, &place, pypi).await,
        Request::Provenance(place) => read::provenance(&parts, repository, &place).await,
        Request::Upload => {
            if let Err(refusal) = upload::expectation(&parts.headers) {
                return Ok(refused(&refusal, accept));
            }
            // `pip search` sends its questions to the same address.
            let is_xml = parts
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|value| value.as_bytes().starts_with(b"text/xml"));
            if is_xml {
                upload::drain(&parts.headers, &mut body).await;
                let refusal = Refusal::new(StatusCode::NOT_FOUND, "there is no search here");
                return Ok(refused(&refusal, accept));
            }
            publish::answer(&parts, &mut body, repository, &pypi.verifier).await
        }
    }
}

fn connect(endpoint: &Endpoint) -> Vec<Step> {
    let Endpoint {
        url,
        domain,
        domain_owner,
        repository,
    } = endpoint;
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    vec![
        Step {
            title: "pip and twine, set up by the AWS command line",
            file: None,
            text: format!(
                "aws codeartifact login --tool pip --domain {domain} --domain-owner {domain_owner} --repository {repository}\n\
                 aws codeartifact login --tool twine --domain {domain} --domain-owner {domain_owner} --repository {repository}\n\
                 twine upload --repository codeartifact dist/*"
            ),
        },
        endpoint.token(),
        Step {
            title: "pip: one index, never an extra one",
            file: Some("~/.config/pip/pip.conf"),
            text: format!(
                "[global]\nindex-url = {scheme}://aws:${{CODEARTIFACT_AUTH_TOKEN}}@{rest}simple/"
            ),
        },
        Step {
            title: "uv",
            file: Some("pyproject.toml"),
            text: format!(
                "# export UV_INDEX_PACKHOUSE_USERNAME=aws UV_INDEX_PACKHOUSE_PASSWORD=$CODEARTIFACT_AUTH_TOKEN\n\
                 [[tool.uv.index]]\nname = \"packhouse\"\nurl = \"{url}simple/\"\npublish-url = \"{url}\"\ndefault = true"
            ),
        },
        Step {
            title: "Poetry",
            file: None,
            text: format!(
                "poetry config http-basic.packhouse aws $CODEARTIFACT_AUTH_TOKEN\n\
                 poetry source add --priority primary packhouse {url}simple/\n\
                 poetry config repositories.packhouse {url}"
            ),
        },
    ]
}
