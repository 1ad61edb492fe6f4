//! A document that a client puts: a version to publish, or marks for versions that are there.

use std::io::{self, Read, Seek};

use bytes::Bytes;
use catalog::{
    AssetRecord, Described, Digests, Error, Kind, OpenRepository, PackageId, Promise, Received,
    Status, Then, Version, VersionRecord,
};
use http::request::Parts;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::TARBALL;
use super::body::{Part, Splitter, Wrong};
use super::json::{self, Members, Object, Text, Unique};
use super::manifest::{self, compose, describe, differences};
use super::range::Range;
use super::request::{check_new, full_name};
use super::semver::SemVer;
use super::tarball::Tarball;
use super::{done, edit, remote};
use crate::protocol::Body;
use crate::upload;

/// Bytes of a body, at most: what CodeArtifact takes. In base64 a tarball of 1.5 GiB is as long.
const BODY_BYTES: u64 = 2 << 30;

/// Bytes of what proves where a version comes from, at most: a bundle has some ten thousand.
const BUNDLE_BYTES: usize = 1 << 20;

/// A document, without the bytes of its tarball.
#[derive(Deserialize)]
pub(crate) struct Sent<'a> {
    #[serde(borrow, default, rename = "_id")]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default, rename = "dist-tags")]
    tags: Option<Unique<'a>>,
    #[serde(borrow, default)]
    pub(crate) versions: Option<Unique<'a>>,
    #[serde(borrow, default, rename = "_attachments")]
    pub(crate) attachments: Option<Unique<'a>>,
    #[serde(borrow, default)]
    pub(crate) users: Option<&'a RawValue>,
    #[serde(borrow, default)]
    readme: Option<&'a RawValue>,
}

/// A document as it came.
pub(crate) struct Document {
    text: String,
    tarball: Option<Received>,
}

impl Document {
    /// Takes a body in. Its tarball, if it has one, is stored as it comes. Errors: `TooLarge`, before anything is read
    /// when its length is announced.
    pub(crate) async fn receive(
        parts: &Parts,
        body: &mut Body,
        repository: &OpenRepository,
        package: &PackageId,
    ) -> Result<Self, Error> {
        let too_large = || Error::TooLarge {
            limit_bytes: BODY_BYTES,
        };
        if upload::length(&parts.headers).is_some_and(|length| length > BODY_BYTES) {
            return Err(too_large());
        }
        let mut splitter = Splitter::default();
        let mut receiving = None;
        let mut tarball = None;
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Error::Interrupted(io::Error::other(error)))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            length += data.len() as u64;
            if length > BODY_BYTES {
                return Err(too_large());
            }
            for part in splitter.push(&data).map_err(wrong)? {
                match (part, &mut receiving) {
                    (Part::Begin, _) => receiving = Some(repository.receive(package).await?),
                    (Part::Bytes(bytes), Some(receiving)) => receiving.write(bytes).await?,
                    (Part::End, _) => {
                        if let Some(receiving) = receiving.take() {
                            tarball = Some(receiving.seal().await?);
                        }
                    }
                    (Part::Bytes(_), None) => {}
                }
            }
        }
        let text = splitter.finish().map_err(wrong)?;
        let text = String::from_utf8(text)
            .map_err(|_| Error::Invalid("the document is not UTF-8".to_owned()))?;
        Ok(Self { text, tarball })
    }

    /// Reads it as one about this package.
    pub(crate) fn read(&self, package: &PackageId) -> Result<Sent<'_>, Error> {
        // A list would be read as its members in their order.
        if !self.text.trim_start().starts_with('{') {
            return Err(Error::Invalid("the document is not an object".to_owned()));
        }
        let sent: Sent<'_> = serde_json::from_str(&self.text)
            .map_err(|error| Error::Invalid(format!("the document cannot be read: {error}")))?;
        let name = full_name(package);
        for stated in [&sent.id, &sent.name].into_iter().flatten() {
            if stated.0 != name {
                return Err(Error::Invalid(format!(
                    "the document is about `{}`, and was put to `{name}`",
                    stated.0
                )));
            }
        }
        Ok(sent)
    }
}

fn wrong(wrong: Wrong) -> Error {
    match wrong {
        Wrong::Invalid(message) => Error::Invalid(message.to_owned()),
        Wrong::TooLarge(limit) => Error::TooLarge {
            limit_bytes: limit as u64,
        },
    }
}

/// Answers `PUT {pkg}`.
pub(crate) async fn put(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    package: &PackageId,
) -> Result<Response<Body>, Error> {
    repository.may_annotate(package).await?;
    let mut document = Document::receive(parts, body, repository, package).await?;
    match document.tarball.take() {
        Some(tarball) => publish(repository, package, &document, tarball).await,
        None => edit::put(repository, package, &document).await,
    }
}

/// What is to be published, as far as the client says.
#[derive(Debug)]
struct Stated {
    version: Version,
    labels: Vec<String>,
    promise: Promise,
    /// The version's own document.
    document: String,
    readme: Option<String>,
    /// What proves where it comes from: a bundle, JSON text.
    bundle: Option<String>,
}

impl Stated {
    fn read(sent: &Sent<'_>, package: &PackageId) -> Result<Self, Error> {
        let invalid = |message: String| Err(Error::Invalid(message));
        let name = full_name(package);
        if sent.name.is_none() && sent.id.is_none() {
            return invalid("the document does not say which package it is about".to_owned());
        }
        let none = Unique::default();
        let versions = &sent.versions.as_ref().unwrap_or(&none).0;
        let mut all = versions.iter();
        let (Some((text, own)), None) = (all.next(), all.next()) else {
            return invalid("a publication has exactly one version".to_owned());
        };
        let Some(_) = SemVer::parse(text) else {
            return invalid(format!("`{text}` is not a version: write it like `1.2.3`"));
        };
        let version: Version = text
            .parse()
            .map_err(|error| Error::Invalid(format!("`{text}` is not a version: {error}")))?;
        let members = Members::parse(own.get())
            .map_err(|_| Error::Invalid("the version is not described by an object".to_owned()))?;
        let is =
            |key: &str, expected: &str| members.text(key).is_none_or(|stated| stated == expected);
        if !is("name", &name) || !is("version", text) {
            return invalid(format!("the description is not that of {name}@{text}"));
        }
        let labels = labels(sent.tags.as_ref().unwrap_or(&none), text)?;
        let attachments = &sent.attachments.as_ref().unwrap_or(&none).0;
        let (size_bytes, bundle) = attached(attachments, package, text)?;
        let dist = members.object("dist").unwrap_or_default();
        let (integrity, shasum) = (dist.text("integrity"), dist.text("shasum"));
        let readme = members.get("readme").or(sent.readme);
        Ok(Self {
            version,
            labels,
            promise: Promise {
                size_bytes,
                ..remote::promise(integrity.as_deref(), shasum.as_deref())
            },
            document: own.get().to_owned(),
            readme: readme.and_then(json::text).map(Into::into),
            bundle,
        })
    }
}

fn labels(tags: &Unique<'_>, version: &str) -> Result<Vec<String>, Error> {
    let mut labels = Vec::new();
    for (label, value) in tags.0.iter() {
        check_label(label)?;
        if json::text(value).is_none_or(|named| named != version) {
            return Err(Error::Invalid(format!(
                "the tag `{label}` names another version than the one that is published"
            )));
        }
        labels.push(label.to_owned());
    }
    if labels.is_empty() {
        return Err(Error::Invalid(
            "a publication has at least one tag; clients use `latest`".to_owned(),
        ));
    }
    Ok(labels)
}

/// Refuses what cannot be a tag. Whatever could be a range of versions would be taken for one.
pub(crate) fn check_label(label: &str) -> Result<(), Error> {
    let is_plain = !label.is_empty()
        && label.len() <= 214
        && !label
            .chars()
            .any(|c| c == '/' || c.is_whitespace() || c.is_control());
    if !is_plain || Range::parse(label).is_some() {
        return Err(Error::Invalid(format!(
            "`{label}` cannot be a tag: it is empty, too long, has a slash or a blank in it, or is a range of versions"
        )));
    }
    Ok(())
}

/// The announced size of the tarball, and the bundle beside it.
fn attached(
    attachments: &Members<'_>,
    package: &PackageId,
    version: &str,
) -> Result<(Option<u64>, Option<String>), Error> {
    let mut has_tarball = false;
    let mut size_bytes = None;
    let mut bundle = None;
    for (file, value) in attachments.iter() {
        let stem = file
            .strip_suffix(".tgz")
            .or_else(|| file.strip_suffix(".sigstore"));
        let is_ours = stem.is_some_and(|stem| {
            let names = [full_name(package), package.name.to_string()];
            names.iter().any(|name| stem == format!("{name}-{version}"))
        });
        if !is_ours {
            return Err(Error::Invalid(format!(
                "the attachment `{file}` is not the tarball of {}@{version}",
                full_name(package)
            )));
        }
        let members = Members::parse(value.get())
            .map_err(|_| Error::Invalid(format!("the attachment `{file}` is not an object")))?;
        if file.strip_suffix(".tgz").is_some() {
            if std::mem::replace(&mut has_tarball, true) {
                return Err(Error::Invalid("the document has two tarballs".to_owned()));
            }
            size_bytes = members
                .get("length")
                .and_then(|length| length.get().parse().ok());
        } else {
            let text = members.text("data").unwrap_or_default();
            if text.len() > BUNDLE_BYTES {
                return Err(Error::Invalid(format!(
                    "the attachment `{file}` has more than {BUNDLE_BYTES} bytes"
                )));
            }
            bundle = Some(text.into_owned());
        }
    }
    Ok((size_bytes, bundle))
}

/// The record of a bundle, as it is served: what it attests, and the bundle.
fn attestation(bundle: &str) -> Option<String> {
    use base64::Engine as _;
    let members = Members::parse(bundle).ok()?;
    let payload = members.object("dsseEnvelope")?.text("payload")?;
    let payload = base64::engine::general_purpose::STANDARD
        .decode(&*payload)
        .ok()?;
    let statement = std::str::from_utf8(&payload).ok()?;
    let kind = Members::parse(statement)
        .ok()?
        .text("predicateType")?
        .into_owned();
    let mut out = String::from("[");
    let mut object = Object::begin(&mut out);
    object.text("predicateType", &kind);
    object.raw("bundle", bundle);
    object.end();
    out.push(']');
    Some(out)
}

async fn publish(
    repository: &OpenRepository,
    package: &PackageId,
    document: &Document,
    received: Received,
) -> Result<Response<Body>, Error> {
    let stated = Stated::read(&document.read(package)?, package)?;
    check_promise(&stated.promise, received.size_bytes(), received.digests())?;
    let attestations = match &stated.bundle {
        Some(bundle) => Some(
            attestation(bundle)
                .ok_or_else(|| Error::Invalid("the attached bundle cannot be read".to_owned()))?,
        ),
        None => None,
    };
    let (reader, size_bytes) = (received.reader(), received.size_bytes());
    let tarball = tokio::task::spawn_blocking(move || look_through(reader, size_bytes)).await;
    let tarball = tarball
        .map_err(|error| Error::Internal(Box::new(error)))?
        .map_err(|problem| Error::Invalid(format!("the tarball cannot be read: {problem}")))?;
    let described = describe_version(package, &stated, &tarball, attestations.as_deref())?;

    let id = package.version(stated.version.clone());
    let mut publication = repository.publish(&id).await?;
    for label in &stated.labels {
        publication.label(label.as_str());
    }
    let is_there = publication.existing().map(|record| record.status);
    if let Some(status) = is_there {
        let assets = publication.existing_assets().await?;
        if !is_same(status, &assets, received.digests()) {
            return Err(conflict(
                &id.version,
                format!(
                    "You cannot publish over the previously published version {}: it exists with other content",
                    id.version
                ),
            ));
        }
        publication.commit(Then::Leave).await?;
        return Ok(done(StatusCode::OK, package, &id.version));
    }
    let versions = publication.versions().await?;
    if versions.is_empty() {
        check_new(package).map_err(|error| Error::Invalid(error.to_string()))?;
    }
    check_build(&versions, &id.version)?;
    publication
        .add_received(TARBALL.clone(), received, &stated.promise, None)
        .await?;
    publication.describe(described);
    publication.commit(Then::Publish).await?;
    Ok(done(StatusCode::CREATED, package, &id.version))
}

fn look_through(mut reader: impl Read + Seek, size_bytes: u64) -> Result<Tarball, String> {
    let mut tarball = Tarball::read(&mut reader, size_bytes)?;
    if let Some(directory) = manifest::command_directory(&tarball.package_json) {
        reader.rewind().map_err(|error| error.to_string())?;
        tarball.find_commands(reader, size_bytes, &directory)?;
    }
    Ok(tarball)
}

fn check_promise(promise: &Promise, size_bytes: u64, digests: &Digests) -> Result<(), Error> {
    let differs = |promised: &Option<String>, came: &String| {
        promised.as_ref().is_some_and(|promised| promised != came)
    };
    if promise
        .size_bytes
        .is_some_and(|promised| promised != size_bytes)
    {
        return Err(Error::Mismatch(
            "integrity mismatch: the tarball has not the announced length".to_owned(),
        ));
    }
    if differs(&promise.sha512, &digests.sha512)
        || differs(&promise.sha256, &digests.sha256)
        || differs(&promise.sha1, &digests.sha1)
    {
        return Err(Error::Mismatch(
            "integrity mismatch: the tarball has not the digest that is stated with it".to_owned(),
        ));
    }
    Ok(())
}

fn is_same(status: Status, assets: &[AssetRecord], digests: &Digests) -> bool {
    matches!(status, Status::Published | Status::Unlisted)
        && assets
            .iter()
            .any(|asset| asset.digests.sha512 == digests.sha512)
}

/// To npm two versions that differ in their build alone are the same.
fn check_build(versions: &[VersionRecord], version: &Version) -> Result<(), Error> {
    let wanted = SemVer::parse(version.as_str());
    let same = versions.iter().find(|record| {
        let known = SemVer::parse(record.version.as_str());
        matches!((known, wanted), (Some(known), Some(wanted)) if known.precedence(&wanted).is_eq())
    });
    match same {
        Some(record) => Err(conflict(
            version,
            format!(
                "You cannot publish {version}: it differs from the published {} in its build alone",
                record.version
            ),
        )),
        None => Ok(()),
    }
}

fn conflict(version: &Version, message: String) -> Error {
    Error::Conflict {
        kind: Kind::PackageVersion,
        id: version.to_string(),
        message,
    }
}

/// Reads the `package.json` in the tarball, which counts, and compares it with what was stated.
fn describe_version(
    package: &PackageId,
    stated: &Stated,
    tarball: &Tarball,
    attestations: Option<&str>,
) -> Result<Described, Error> {
    let own: Unique<'_> = serde_json::from_str(&tarball.package_json).map_err(|error| {
        Error::Invalid(format!(
            "the package.json in the tarball cannot be read: {error}"
        ))
    })?;
    let own = own.0;
    let sent = Members::parse(&stated.document).unwrap_or_default();
    let name = full_name(package);
    let version = own.text("version").unwrap_or_default();
    let is_version = SemVer::clean(&version) == SemVer::parse(stated.version.as_str())
        && SemVer::clean(&version).is_some();
    if own.text("name").as_deref() != Some(&name) || !is_version {
        return Err(Error::Invalid(format!(
            "the package.json in the tarball is that of {}@{version}, not of {name}@{}",
            own.text("name").unwrap_or_default(),
            stated.version
        )));
    }
    let mut differing = differences(&own, &sent);
    // The client has listed the commands, as is done here.
    differing.retain(|key| *key != "bin" || tarball.commands.is_empty());
    if !differing.is_empty() {
        tracing::warn!(
            package = name,
            version = %stated.version,
            members = differing.join(", "),
            "a version was published with another description than its tarball has; the tarball's counts"
        );
    }
    let readme = manifest::readme(stated.readme.as_deref(), Some(tarball));
    Ok(Described {
        manifest: Some(describe(
            &own,
            readme.as_ref().map(|(_, text)| text.as_str()),
        )),
        document: Some(compose(
            &own,
            &stated.version,
            &sent,
            tarball,
            readme.as_ref(),
            attestations,
        )),
        ..Described::default()
    })
}

/// The bytes of an answer that says that something was done.
pub(crate) fn done_text(package: &PackageId, version: &Version) -> Bytes {
    let digest = Digests::of(format!("{package} {version}").as_bytes()).sha256;
    let mut out = String::new();
    let mut object = Object::begin(&mut out);
    object.raw("ok", "true");
    object.raw("success", "true");
    object.text("id", &full_name(package));
    object.text("rev", &format!("1-{}", &digest[..32]));
    object.end();
    out.into()
}
