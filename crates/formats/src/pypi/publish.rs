//! POST: the upload of one file, as a form ("legacy" upload API).
//!
//! The form is read as it comes. The file is taken in beside everything else; only when all of it is here, and says of
//! itself what the form says of it, is anything published.

use std::collections::BTreeMap;
use std::sync::Arc;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use catalog::{
    AssetName, Described, Digests, Error, OpenRepository, PackageId, Promise, Received, Result,
    Then, Version,
};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use sigstore_verify::Verifier;

use super::attestation::{self, About, Misplaced};
use super::facts::Facts;
use super::filename::{self, Distribution, Kind};
use super::metadata::Metadata;
use super::remote::is_of;
use super::{archive, name, version};
use crate::multipart::{Multipart, Part};
use crate::protocol::{Body, Reason, full};
use crate::refusal::Refusal;
use crate::upload;

/// Bytes of one field, at most.
const FIELD_BYTES: usize = 1024 * 1024;
/// Bytes of all fields together, at most.
const FIELDS_BYTES: usize = 8 * 1024 * 1024;
/// Local projects that a new one's name is compared with.
const COMPARED_PROJECTS: u32 = 1000;

/// The fields that are read. Each may be there once; others say what the file says too, and better.
const FIELDS: [&str; 9] = [
    ":action",
    "protocol_version",
    "name",
    "version",
    "filetype",
    "md5_digest",
    "sha256_digest",
    "blake2_256_digest",
    "attestations",
];

/// Further fields that may be there once.
const SINGLE_FIELDS: [&str; 16] = [
    "metadata_version",
    "pyversion",
    "summary",
    "description",
    "description_content_type",
    "author",
    "author_email",
    "maintainer",
    "maintainer_email",
    "license",
    "license_expression",
    "home_page",
    "download_url",
    "keywords",
    "requires_python",
    "comment",
];

/// Fields that count where a file says nothing of itself, with the headers that would say the same.
const STATED_FIELDS: [(&str, &str); 11] = [
    ("metadata_version", "metadata-version"),
    ("summary", "summary"),
    ("description", "description"),
    ("home_page", "home-page"),
    ("license", "license"),
    ("license_expression", "license-expression"),
    ("keywords", "keywords"),
    ("requires_python", "requires-python"),
    ("classifiers", "classifier"),
    ("requires_dist", "requires-dist"),
    ("project_urls", "project-url"),
];

/// Answers an upload. What the catalog denies is an error, because the door writes it down; everything else is said here,
/// in the words that twine and uv show.
pub(crate) async fn answer(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    verifier: &Arc<Verifier>,
) -> Result<Response<Body>> {
    let outcome = take(parts, body, repository, verifier).await;
    if outcome.is_err() {
        upload::drain(&parts.headers, body).await;
    }
    match outcome {
        Ok(()) => Ok(say(&Refusal::new(StatusCode::OK, "OK"))),
        Err(
            error @ (Error::Denied(_)
            | Error::Blocked { .. }
            | Error::WrongDomain
            | Error::Internal(_)
            | Error::Unavailable(_)),
        ) => Err(error),
        Err(error) => Ok(say(&Refusal::of(&error))),
    }
}

async fn take(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    verifier: &Arc<Verifier>,
) -> Result<()> {
    let limit_bytes = repository.asset_limit_bytes();
    // The file, all fields, and as much again for what stands around them.
    let most = limit_bytes.saturating_add(2 * FIELDS_BYTES as u64);
    if upload::length(&parts.headers).is_some_and(|length| length > most) {
        return Err(Error::TooLarge { limit_bytes });
    }
    let form = Form::read(parts, body, repository).await?;
    form.publish(repository, verifier).await
}

/// A status with a sentence, as text and as the reason phrase: twine shows nothing but the latter.
pub(crate) fn say(refusal: &Refusal) -> Response<Body> {
    let mut answer = Response::new(full(refusal.message.clone()));
    *answer.status_mut() = refusal.status;
    let headers = answer.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, plain);
    if let Some(seconds) = refusal.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    if refusal.status != StatusCode::OK {
        answer
            .extensions_mut()
            .insert(Reason::new(&refusal.message));
    }
    answer
}

fn invalid(message: impl Into<String>) -> Error {
    Error::Invalid(message.into())
}

/// An upload, as it came.
struct Form {
    fields: BTreeMap<String, String>,
    /// What it says of the file, by header.
    stated: Vec<(&'static str, String)>,
    content: Content,
}

/// The file of an upload.
struct Content {
    filename: String,
    received: Received,
    blake2_256: String,
}

impl Form {
    async fn read(parts: &Parts, body: &mut Body, repository: &OpenRepository) -> Result<Self> {
        let mut form = Multipart::new(&parts.headers, body)?;
        let mut fields = BTreeMap::new();
        let mut stated = Vec::new();
        let mut content = None;
        let mut seen = Vec::new();
        let mut left = FIELDS_BYTES;
        while let Some(part) = form.next().await? {
            if part.name == "content" {
                if content.is_some() {
                    return Err(invalid("the form has two files"));
                }
                content = Some(Content::take(&mut form, part, &fields, repository).await?);
                continue;
            }
            let value = form.whole(FIELD_BYTES.min(left)).await?;
            left -= value.len();
            if let Some((_, header)) = STATED_FIELDS.iter().find(|(name, _)| *name == part.name) {
                stated.push((*header, String::from_utf8_lossy(&value).into_owned()));
            }
            let is_read = FIELDS.contains(&part.name.as_str());
            if !is_read && !SINGLE_FIELDS.contains(&part.name.as_str()) {
                continue;
            }
            if seen.contains(&part.name) {
                return Err(invalid(format!("the form has `{}` twice", part.name)));
            }
            if is_read {
                let value = String::from_utf8(value)
                    .map_err(|_| invalid(format!("`{}` is not UTF-8", part.name)))?;
                fields.insert(part.name.clone(), value);
            }
            seen.push(part.name);
        }
        let content = content.ok_or_else(|| invalid("the form has no file `content`"))?;
        Ok(Self {
            fields,
            stated,
            content,
        })
    }

    fn field(&self, name: &str) -> Option<&str> {
        let value = self.fields.get(name)?.trim();
        (!value.is_empty()).then_some(value)
    }

    async fn publish(
        mut self,
        repository: &OpenRepository,
        verifier: &Arc<Verifier>,
    ) -> Result<()> {
        if self.field(":action") != Some("file_upload") {
            return Err(invalid("the only `:action` known here is `file_upload`"));
        }
        if !matches!(self.field("protocol_version"), None | Some("1")) {
            return Err(invalid("the only `protocol_version` known here is `1`"));
        }
        let package = package(&self.fields)?.ok_or_else(|| invalid("the form has no `name`"))?;
        let version = self
            .field("version")
            .ok_or_else(|| invalid("the form has no `version`"))?;
        let version = version::canonical(version)
            .ok_or_else(|| invalid(format!("`{version}` is not a version as PEP 440 has them")))?;
        // Before the archive is looked into: whoever may not publish learns nothing of it.
        repository.may_publish_to(&package).await?;
        let kind = self.check_name(&package, &version)?;
        let promise = self.promise()?;
        let mut looked_at = self.look_into(&package, &version).await?;
        looked_at.facts.attestations = self.attestations(&package, verifier).await?;
        self.store(repository, &package, version, kind, promise, looked_at)
            .await
    }

    /// Compares the file's name with what the form says of it.
    fn check_name(&self, package: &PackageId, version: &Version) -> Result<Kind> {
        let filename = self.content.filename.as_str();
        if !filename::is_plain(filename) {
            return Err(invalid("the file's name is not one of a distribution"));
        }
        if !Kind::strip(filename).is_some_and(|(_, kind)| kind.is_published()) {
            return Err(invalid(format!(
                "{filename} is neither a wheel (.whl) nor a source distribution (.tar.gz, .zip)"
            )));
        }
        let file = Distribution::parse(filename, package.name.as_str())
            .filter(|file| version::are_equal(file.version, version.as_str()))
            .ok_or_else(|| {
                invalid(format!(
                    "{filename} is not the name of a file of {} {version}",
                    package.name
                ))
            })?;
        match self.field("filetype") {
            Some(filetype) if filetype != file.kind.filetype() => Err(invalid(format!(
                "`filetype` is `{filetype}`, but {filename} is a {}",
                file.kind.filetype()
            ))),
            _ => Ok(file.kind),
        }
    }

    /// What the form promises of the file. The digest that the catalog does not know is compared here.
    fn promise(&self) -> Result<Promise> {
        let digest = |name: &str, digits: usize| match self.field(name) {
            None => Ok(None),
            Some(hex) => {
                let is_digest = hex.len() == digits && hex.bytes().all(|b| b.is_ascii_hexdigit());
                if is_digest {
                    Ok(Some(hex.to_ascii_lowercase()))
                } else {
                    Err(invalid(format!("`{name}` is not {digits} hex digits")))
                }
            }
        };
        if let Some(promised) = digest("blake2_256_digest", 64)?
            && promised != self.content.blake2_256
        {
            return Err(Error::Mismatch(format!(
                "the BLAKE2 digest of {} is not the one in the form",
                self.content.filename
            )));
        }
        Ok(Promise {
            md5: digest("md5_digest", 32)?,
            sha256: digest("sha256_digest", 64)?,
            ..Promise::default()
        })
    }

    /// Reads the metadata in the file, and compares it with the form. Where old kinds of files have none, the form's count.
    async fn look_into(&mut self, package: &PackageId, version: &Version) -> Result<LookedAt> {
        let stated = std::mem::take(&mut self.stated);
        let mut reader = self.content.received.reader();
        let (filename, project) = (self.content.filename.clone(), package.name.clone());
        let version = version.clone();
        let read = tokio::task::spawn_blocking(move || {
            let file = Distribution::parse(&filename, project.as_str())
                .ok_or_else(|| invalid("the file's name is not one of a distribution"))?;
            archive::check(&mut reader, &file)?;
            let bytes = archive::core_metadata(&mut reader, &file)?;
            let metadata = match &bytes {
                Some(bytes) => Metadata::parse(bytes)
                    .map_err(|error| invalid(format!("{filename}: {error}")))?,
                None if matches!(file.kind, Kind::Wheel | Kind::TarGz) => {
                    return Err(invalid(format!("{filename} has no metadata in it")));
                }
                None => Metadata::stated(file.name, version.as_str(), stated),
            };
            if !is_of(&metadata, project.as_str(), &file) {
                return Err(invalid(format!(
                    "{filename} says of itself that it is {} {}, not {project} {version}",
                    metadata.name, metadata.version
                )));
            }
            metadata
                .check()
                .map_err(|error| invalid(format!("{filename}: {error}")))?;
            let facts = Facts {
                requires_python: metadata.requires_python(),
                core_metadata: bytes
                    .filter(|_| file.kind == Kind::Wheel)
                    .map(|bytes| Digests::of(&bytes).sha256),
                ..Facts::default()
            };
            Ok(LookedAt { metadata, facts })
        });
        read.await.map_err(|error| Error::Internal(error.into()))?
    }

    /// What is to be shown of the attestations in the form.
    async fn attestations(
        &self,
        package: &PackageId,
        verifier: &Arc<Verifier>,
    ) -> Result<Option<String>> {
        let Some(text) = self.field("attestations") else {
            return Ok(None);
        };
        let attestations = attestation::parse(text)
            .ok_or_else(|| invalid("`attestations` is not a list of attestations"))?;
        let (verifier, project) = (Arc::clone(verifier), package.name.clone());
        let filename = self.content.filename.clone();
        let sha256 = self.content.received.digests().sha256.clone();
        let verifying = tokio::task::spawn_blocking(move || {
            let about = About {
                project: project.as_str(),
                filename: &filename,
                sha256: &sha256,
            };
            attestation::verify(&verifier, attestations, &about)
        });
        let found = verifying
            .await
            .map_err(|error| Error::Internal(error.into()))?
            .map_err(|Misplaced(problem)| invalid(problem))?;
        for problem in &found.problems {
            let file = &self.content.filename;
            tracing::warn!(%package, file, problem, "an attestation is kept, and shown to nobody");
        }
        Ok(found.provenance)
    }

    async fn store(
        self,
        repository: &OpenRepository,
        package: &PackageId,
        version: Version,
        kind: Kind,
        promise: Promise,
        looked_at: LookedAt,
    ) -> Result<()> {
        let asset: AssetName = self
            .content
            .filename
            .parse()
            .map_err(|_| invalid("the file's name is not one of a distribution"))?;
        let mut publication = repository.publish(&package.version(version)).await?;
        let present = publication.existing_assets().await?;
        let has_wheel = present
            .iter()
            .any(|file| matches!(Kind::strip(file.name.as_str()), Some((_, Kind::Wheel))));
        // The first wheel describes the version, else the first file.
        let describes = present.is_empty() || (kind == Kind::Wheel && !has_wheel);
        let digests = self.content.received.digests().clone();
        publication
            .add_received(
                asset.clone(),
                self.content.received,
                &promise,
                Some(looked_at.facts.to_text()),
            )
            .await?;
        if describes {
            publication.describe(Described {
                manifest: Some(looked_at.metadata.manifest()),
                ..Described::default()
            });
        }
        let is_new_project = publication.existing().is_none();
        match publication.commit(Then::Publish).await {
            Ok(_) => {}
            Err(Error::Conflict { kind, id, .. }) if id == asset.as_str() => {
                return Err(Error::Conflict {
                    kind,
                    id,
                    message: format!("File {asset} already exists with different content"),
                });
            }
            Err(error) => return Err(error),
        }
        if is_new_project {
            warn_of_twins(repository, package).await;
        }
        if let Some(text) = self.fields.get("attestations") {
            // As they came, those that could not be verified too: another trust root may say otherwise of them.
            let key = format!("attestations/{}/{}", package.name, digests.sha256);
            if let Err(error) = repository.set_note(&key, Some(text.clone()), None).await {
                tracing::warn!(%package, file = %asset, %error, "attestations were not kept");
            }
        }
        Ok(())
    }
}

/// What a file says.
struct LookedAt {
    metadata: Metadata,
    facts: Facts,
}

impl Content {
    async fn take(
        form: &mut Multipart<'_>,
        part: Part,
        fields: &BTreeMap<String, String>,
        repository: &OpenRepository,
    ) -> Result<Self> {
        let filename = part
            .filename
            .filter(|filename| !filename.is_empty())
            .ok_or_else(|| invalid("the file has no name"))?;
        let mut receiving = match package(fields)? {
            Some(package) => repository.receive(&package).await?,
            None => repository.receive_unnamed().await?,
        };
        let mut blake2 = Blake2b::<U32>::new();
        while let Some(piece) = form.piece().await? {
            blake2.update(&piece);
            receiving.write(piece).await?;
        }
        Ok(Self {
            filename,
            received: receiving.seal().await?,
            blake2_256: hex::encode(blake2.finalize()),
        })
    }
}

fn package(fields: &BTreeMap<String, String>) -> Result<Option<PackageId>> {
    let Some(text) = fields.get("name").map(|name| name.trim()) else {
        return Ok(None);
    };
    name::package(text)
        .map(Some)
        .ok_or_else(|| invalid("`name` is not the name of a project"))
}

/// Names that look alike are allowed, and worth knowing about.
async fn warn_of_twins(repository: &OpenRepository, package: &PackageId) {
    let Ok(packages) = repository.packages(None, COMPARED_PROJECTS).await else {
        return;
    };
    let folded = name::folded(package.name.as_str());
    for other in packages {
        if other.name != package.name && name::folded(other.name.as_str()) == folded {
            tracing::warn!(%package, twin = %other, "a project is published beside one that looks like it");
        }
    }
}
