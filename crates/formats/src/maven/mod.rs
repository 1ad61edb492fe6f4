#![doc = include_str!("README.md")]

mod builds;
mod document;
#[cfg(fuzzing)]
pub mod fuzzing;
mod metadata;
mod notes;
mod pom;
mod publish;
mod read;
mod remote;
mod request;
mod snapshot;
#[cfg(test)]
mod tests;
mod version;
mod xml;

use std::cmp::Ordering;

use bytes::Bytes;
use catalog::{
    AssetId, AssetName, BoxFuture, Connection, Error, Format, FormatName, InvalidName, Manifest,
    OpenRepository, PackageId, Remote, RemoteAsset, RemoteError, RemoteListing, Retention,
    Unreadable, Version, VersionId,
};
use http::header::ACCEPT;
use http::{HeaderValue, Request as HttpRequest, Response, StatusCode};

use self::request::{FORMAT, METADATA, Request, check_artifact_to_publish, is_plain_id};
use self::snapshot::{Snapshot, is_build};
use crate::protocol::{Body, Endpoint, Protocol, Step, allow, empty};
use crate::refusal::Refusal;
use crate::upload;

/// The Maven layout: Maven, Gradle, sbt, Ivy, Leiningen, Bazel, coursier.
#[derive(Default)]
pub struct Maven {
    rules: Rules,
    seen: read::Seen,
    turns: metadata::Turns,
}

impl Maven {
    /// With these rules.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            ..Self::default()
        }
    }
}

/// What a server may be stricter about than AWS is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A version without a POM is not published.
    pub requires_pom: bool,
    /// A POM for other coordinates than its path's is refused instead of stored with a warning.
    pub is_strict_about_poms: bool,
    /// Files of a registry without any checksum beside them are taken.
    pub accepts_unverified: bool,
}

/// As strict as AWS.
impl Default for Rules {
    fn default() -> Self {
        Self {
            requires_pom: false,
            is_strict_about_poms: false,
            accepts_unverified: true,
        }
    }
}

impl Format for Maven {
    fn name(&self) -> FormatName {
        FORMAT.clone()
    }

    fn connections(&self) -> &'static [Connection] {
        const CONNECTIONS: &[Connection] = &[
            Connection {
                name: "public:maven-central",
                title: "Maven Central",
            },
            Connection {
                name: "public:maven-googleandroid",
                title: "Google Android",
            },
            Connection {
                name: "public:maven-gradleplugins",
                title: "Gradle plugins",
            },
            Connection {
                name: "public:maven-commonsware",
                title: "CommonsWare Android",
            },
            Connection {
                name: "public:maven-clojars",
                title: "Clojars",
            },
        ];
        CONNECTIONS
    }

    fn package(
        &self,
        namespace: Option<&str>,
        name: &str,
        strict: bool,
    ) -> Result<PackageId, InvalidName> {
        let namespace = namespace.ok_or_else(|| {
            InvalidName::Refused("a Maven package has a namespace: its group id".to_owned())
        })?;
        let package = PackageId {
            format: FORMAT.clone(),
            namespace: Some(namespace.parse()?),
            name: name.parse()?,
        };
        if strict {
            if !namespace
                .split('.')
                .all(|part| !part.is_empty() && is_plain_id(part))
            {
                return Err(InvalidName::Refused(
                    "a group id is made of ASCII letters, digits, `_` and `-`, in parts divided by dots"
                        .to_owned(),
                ));
            }
            check_artifact_to_publish(name)
                .map_err(|reason| InvalidName::Refused(reason.to_owned()))?;
        }
        Ok(package)
    }

    fn version(&self, text: &str) -> Result<Version, InvalidName> {
        text.parse()
    }

    fn order(&self, a: &Version, b: &Version) -> Ordering {
        version::compare(a.as_str(), b.as_str())
    }

    fn retention(&self) -> Retention {
        remote::RETENTION
    }

    fn asset(&self, name: &str) -> Result<AssetName, InvalidName> {
        name.parse()
    }

    fn describes(&self, asset: &AssetId) -> Option<u64> {
        is_main_pom(asset).then_some(pom::MAX_BYTES)
    }

    fn describe(&self, asset: &AssetId, bytes: &Bytes) -> Result<Manifest, Unreadable> {
        pom::describe(bytes, &asset.version).map_err(|error| Unreadable(error.to_string()))
    }

    fn derived(&self, version: &VersionId, uploaded: bool) -> Option<(AssetName, Bytes)> {
        let name = METADATA.parse().ok()?;
        uploaded.then(|| (name, document::neutral(&version.package).into()))
    }

    fn companions(
        &self,
        version: &VersionId,
        present: &[AssetName],
        describing: Option<&Bytes>,
    ) -> Vec<AssetName> {
        let text = version.version.as_str();
        // Registries are never asked for snapshots, and an upstream's are never retained.
        if Snapshot::parse(text).is_some() || is_build(text) {
            return Vec::new();
        }
        let mut suffixes = vec![".pom", ".jar", "-sources.jar", "-javadoc.jar"];
        if describing.is_some_and(|bytes| pom::has_gradle_marker(bytes)) {
            suffixes.push(".module");
        }
        suffixes
            .iter()
            .flat_map(|suffix| [(*suffix).to_owned(), format!("{suffix}.asc")])
            .filter_map(|suffix| {
                format!("{}-{text}{suffix}", version.package.name)
                    .parse()
                    .ok()
            })
            .filter(|name| !present.contains(name))
            .collect()
    }

    fn look_up<'a>(
        &'a self,
        remote: &'a Remote,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<Option<RemoteListing>, RemoteError>> {
        Box::pin(remote::look_up(remote, package))
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
        remote::recognise(asset, content_type, head)
    }
}

/// Whether this is the POM of its version, and not one with a classifier: `lib-a-1.0.pom`, and for a snapshot also
/// `lib-a-1.1-20261122.194127-1.pom`.
fn is_main_pom(asset: &AssetId) -> bool {
    let artifact = asset.version.package.name.as_str();
    let version = asset.version.version.as_str();
    let Some(stated) = asset
        .name
        .as_str()
        .strip_prefix(artifact)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(".pom"))
    else {
        return false;
    };
    if stated == version {
        return true;
    }
    let of = |version: &str| Snapshot::of_build(version).map(|(snapshot, _)| snapshot);
    // A build of the snapshot, or the snapshot's plain name in one of its builds.
    let this = Snapshot::parse(version).or_else(|| of(version));
    this.is_some() && (this == of(stated) || this == Snapshot::parse(stated))
}

impl Protocol for Maven {
    fn serve<'a>(
        &'a self,
        request: HttpRequest<Body>,
        repository: &'a OpenRepository,
    ) -> BoxFuture<'a, Result<Response<Body>, Error>> {
        Box::pin(self.answer(request, repository))
    }

    fn refuse(&self, error: &Error, accept: Option<&HeaderValue>) -> Response<Body> {
        Refusal::of(error).answer(accept)
    }

    fn connect(&self, endpoint: &Endpoint) -> Vec<Step> {
        connect(endpoint)
    }
}

impl Maven {
    async fn answer(
        &self,
        request: HttpRequest<Body>,
        repository: &OpenRepository,
    ) -> Result<Response<Body>, Error> {
        let (parts, mut body) = request.into_parts();
        let accept = parts.headers.get(ACCEPT);
        let parsed = match Request::parse(&parts.method, parts.uri.path()) {
            Ok(parsed) => parsed,
            Err(refused) => {
                upload::drain(&parts.headers, &mut body).await;
                let status =
                    StatusCode::from_u16(refused.status).unwrap_or(StatusCode::BAD_REQUEST);
                let mut answer = Refusal::new(status, refused.message).answer(accept);
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
            Request::Read(path) => read::answer(&self.seen, &parts, repository, &path).await,
            Request::Write(path) => {
                if let Err(refusal) = upload::expectation(&parts.headers) {
                    return Ok(refusal.answer(accept));
                }
                let answer = publish::answer(self, &parts, &mut body, repository, &path).await;
                if answer.is_err() {
                    upload::drain(&parts.headers, &mut body).await;
                }
                answer
            }
        }
    }
}

fn connect(endpoint: &Endpoint) -> Vec<Step> {
    let Endpoint {
        url,
        domain,
        repository,
        ..
    } = endpoint;
    let id = format!("{domain}-{repository}");
    vec![
        endpoint.token(),
        Step {
            title: "Maven: credentials and where everything is fetched from",
            file: Some("~/.m2/settings.xml"),
            text: format!(
                "<settings>\n  <servers>\n    <server>\n      <id>{id}</id>\n      <username>aws</username>\n      \
                 <password>${{env.CODEARTIFACT_AUTH_TOKEN}}</password>\n    </server>\n  </servers>\n  <mirrors>\n    \
                 <mirror>\n      <id>{id}</id>\n      <name>{id}</name>\n      <url>{url}</url>\n      \
                 <mirrorOf>*</mirrorOf>\n    </mirror>\n  </mirrors>\n</settings>"
            ),
        },
        Step {
            title: "Maven: where `mvn deploy` publishes, and snapshots",
            file: Some("pom.xml"),
            text: format!(
                "<distributionManagement>\n  <repository>\n    <id>{id}</id>\n    <url>{url}</url>\n  </repository>\n\
                 </distributionManagement>\n<repositories>\n  <repository>\n    <id>{id}</id>\n    <url>{url}</url>\n    \
                 <snapshots><enabled>true</enabled></snapshots>\n  </repository>\n</repositories>"
            ),
        },
        Step {
            title: "Gradle",
            file: Some("build.gradle"),
            text: format!(
                "repositories {{\n  maven {{\n    url '{url}'\n    credentials {{\n      username 'aws'\n      \
                 password System.getenv('CODEARTIFACT_AUTH_TOKEN')\n    }}\n  }}\n}}"
            ),
        },
    ]
}
