//! PUT of files and their checksums.

use bytes::Bytes;
use catalog::{
    AssetRecord, Error, Kind, Manifest, OpenRepository, PackageId, Result, Status, Then, Version,
    VersionId,
};
use http::header::ETAG;
use http::request::Parts;
use http::{Response, StatusCode};

use super::builds::Builds;
use super::metadata::{put_metadata, put_metadata_checksum};
use super::notes;
use super::read::{chain, stated};
use super::request::{Algorithm, File, FileKind, Path, Target};
use super::snapshot::{Snapshot, Stamp};
use super::{Maven, Rules, is_main_pom, pom};
use crate::document::insert;
use crate::protocol::{Body, empty};
use crate::upload;

/// Largest body of a checksum, in bytes.
const CHECKSUM_BYTES: usize = 1024;

pub(crate) async fn answer(
    maven: &Maven,
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    path: &Path,
) -> Result<Response<Body>> {
    match (&path.target, path.checksums.as_slice()) {
        (Target::File(file), []) => put_file(maven.rules, parts, body, repository, file).await,
        (Target::File(file), checksums) => {
            put_checksum(parts, body, repository, file, checksums).await
        }
        (Target::Metadata(directory), []) => {
            put_metadata(maven, parts, body, repository, directory).await
        }
        (Target::Metadata(directory), checksums) => {
            put_metadata_checksum(parts, body, repository, directory, checksums).await
        }
    }
}

/// 201 for what is new, 200 for what was there.
pub(crate) fn done(is_new: bool) -> Response<Body> {
    let mut answer = Response::new(empty());
    *answer.status_mut() = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    answer
}

async fn put_file(
    rules: Rules,
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    file: &File,
) -> Result<Response<Body>> {
    let promise = upload::promise(&parts.headers)?;
    let place = place(repository, file).await?;
    let mut publication = repository
        .publish(&file.package.version(place.version))
        .await?;
    let id = publication.id().asset(file.name.clone());
    let digests = if is_main_pom(&id) {
        let cap = usize::try_from(pom::MAX_BYTES).unwrap_or(usize::MAX);
        let bytes = upload::whole(&parts.headers, body, cap).await?;
        check_pom(rules, publication.id(), &bytes)?;
        let whole = futures_util::stream::once(async { Ok(bytes) });
        publication.add(file.name.clone(), whole, &promise).await?
    } else {
        publication
            .add(file.name.clone(), upload::pieces(body), &promise)
            .await?
    };
    let is_new = match (place.staged, &file.kind) {
        // The same bytes again are no new build.
        (Some(staged), _) if staged.digests.sha256 == digests.sha256 => false,
        (_, FileKind::Plain(snapshot)) => {
            let build = publication.id().version.clone();
            let published = publication.commit(Then::Leave).await?;
            notes::set_plain_build(repository, &file.package, snapshot, Some(&build)).await?;
            published.is_new
        }
        _ => publication.commit(Then::Leave).await?.is_new,
    };
    let mut answer = done(is_new);
    insert(
        answer.headers_mut(),
        ETAG,
        format!("\"{}\"", digests.sha256),
    );
    Ok(answer)
}

fn check_pom(rules: Rules, version: &VersionId, bytes: &Bytes) -> Result<()> {
    let manifest =
        pom::describe(bytes, version).map_err(|error| Error::Invalid(error.to_string()))?;
    let Some(warning) = mismatch(&manifest) else {
        return Ok(());
    };
    if rules.is_strict_about_poms {
        return Err(Error::Invalid(warning.to_owned()));
    }
    tracing::warn!(%version, warning, "a POM contradicts its path");
    Ok(())
}

fn mismatch(manifest: &Manifest) -> Option<&str> {
    let mut warnings = manifest.warnings.iter().map(String::as_str);
    warnings.find(|warning| warning.starts_with(pom::MISMATCH))
}

/// Where an uploaded file goes.
struct Place {
    version: Version,
    /// The file of this name that the build it would otherwise go to has already.
    staged: Option<AssetRecord>,
}

/// A release is its directory's version. A file of a snapshot belongs to a build: to the current one, if its name says
/// so, else to one that is still being uploaded.
async fn place(repository: &OpenRepository, file: &File) -> Result<Place> {
    let snapshot = match &file.kind {
        FileKind::Release => {
            let version = file.directory.clone();
            return Ok(Place {
                version,
                staged: None,
            });
        }
        FileKind::Plain(snapshot) | FileKind::Stamped(snapshot, _) => snapshot,
    };
    repository.may_publish(&file.package).await?;
    let records = repository.versions(&file.package).await?;
    let builds = Builds::among(repository, &file.package, snapshot, &records).await?;
    if let Some(record) = &builds.current
        && matches!(record.status, Status::Archived | Status::Disposed)
    {
        let id = file.package.version(record.version.clone());
        return Err(Error::Conflict {
            kind: Kind::PackageVersion,
            id: record.version.to_string(),
            message: format!(
                "Package version {id} already exists and is {}",
                record.status
            ),
        });
    }
    if let FileKind::Stamped(_, stamp) = &file.kind {
        let is_current = builds.current_files.iter().any(|record| {
            stated(&file.package, snapshot, &record.name)
                .is_some_and(|(stated, _)| stated.as_ref() == Some(stamp))
        });
        let version = if is_current {
            snapshot.version().clone()
        } else {
            build_version(snapshot, stamp)?
        };
        return Ok(Place {
            version,
            staged: None,
        });
    }
    let mut staged = None;
    if let Some(open) = notes::plain_build(repository, &file.package, snapshot).await? {
        let files = repository
            .assets(&file.package.version(open.clone()))
            .await?;
        staged = files.into_iter().find(|record| record.name == file.name);
        if staged.is_none() {
            return Ok(Place {
                version: open,
                staged,
            });
        }
    }
    // A new build; its number is greater than any, so that two in one second are two.
    let newest = builds.stamps.keys().map(Stamp::number).max().unwrap_or(0);
    let stamp = Stamp::at(repository.now(), newest + 1);
    let version = build_version(snapshot, &stamp)?;
    if staged.is_none() {
        // Before the bytes come, so that a file sent at the same time joins it.
        notes::set_plain_build(repository, &file.package, snapshot, Some(&version)).await?;
    }
    Ok(Place { version, staged })
}

fn build_version(snapshot: &Snapshot, stamp: &Stamp) -> Result<Version> {
    snapshot.build(stamp).ok_or_else(|| {
        Error::Invalid(format!(
            "the version of a build of {} would be too long",
            snapshot.version()
        ))
    })
}

async fn put_checksum(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    file: &File,
    checksums: &[Algorithm],
) -> Result<Response<Body>> {
    repository.may_publish(&file.package).await?;
    let sent = read_checksum(parts, body).await?;
    let mut candidates = Vec::new();
    match &file.kind {
        FileKind::Release => candidates.push(file.directory.clone()),
        FileKind::Stamped(snapshot, stamp) => {
            candidates.push(file.directory.clone());
            candidates.extend(snapshot.build(stamp));
        }
        FileKind::Plain(snapshot) => {
            candidates.extend(notes::plain_build(repository, &file.package, snapshot).await?);
            candidates.push(file.directory.clone());
        }
    }
    for version in candidates {
        let files = repository
            .assets(&file.package.version(version.clone()))
            .await?;
        let Some(record) = files.into_iter().find(|record| record.name == file.name) else {
            continue;
        };
        let is_match = chain(&record.digests, checksums) == sent;
        // The checksum of a checksum says nothing about the file that the checksum itself did not say.
        if let [algorithm] = checksums {
            let key = notes::mismatch_key(&file.package, &version, &file.name, *algorithm);
            if is_match {
                repository.set_note(&key, None, None).await?;
            } else if is_unfinished(repository, &file.package, &version).await? {
                repository.set_note(&key, Some(sent), None).await?;
            }
        }
        return if is_match {
            Ok(done(true))
        } else {
            Err(Error::Mismatch(format!(
                "the checksum is not that of {} as it was received",
                file.name
            )))
        };
    }
    Err(Error::NotFound {
        kind: Kind::Asset,
        id: file.name.to_string(),
        message: format!(
            "there is no {} that this could be the checksum of",
            file.id()
        ),
    })
}

async fn is_unfinished(
    repository: &OpenRepository,
    package: &PackageId,
    version: &Version,
) -> Result<bool> {
    let records = repository.versions(package).await?;
    Ok(records
        .iter()
        .any(|record| record.version == *version && record.status == Status::Unfinished))
}

/// The digest that a checksum file begins with. Upper-case hex stays upper-case, and so matches nothing.
pub(crate) async fn read_checksum(parts: &Parts, body: &mut Body) -> Result<String> {
    let bytes = match upload::whole(&parts.headers, body, CHECKSUM_BYTES).await {
        Err(Error::TooLarge { limit_bytes }) => {
            return Err(Error::Invalid(format!(
                "a checksum has at most {limit_bytes} bytes"
            )));
        }
        read => read?,
    };
    let text = String::from_utf8_lossy(&bytes);
    Ok(text
        .split_ascii_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned())
}
