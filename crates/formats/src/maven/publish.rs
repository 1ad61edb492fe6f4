//! PUT: files, their checksums, and the metadata that publishes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use catalog::{
    AssetRecord, Error, Kind, Manifest, OpenRepository, PackageId, Result, Settle, Status, Then,
    Version, VersionId, VersionRecord,
};
use http::header::ETAG;
use http::request::Parts;
use http::{Response, StatusCode};

use super::document::{Metadata, Plugin};
use super::notes::{self, Current, Uploaded};
use super::read::{chain, stated};
use super::request::{
    Algorithm, Directory, File, FileKind, Path, Target, check_artifact_to_publish,
};
use super::snapshot::{Snapshot, Stamp};
use super::{Rules, is_main_pom, pom};
use crate::document::insert;
use crate::protocol::{Body, empty};
use crate::upload;

/// Largest metadata document, in bytes.
const METADATA_BYTES: usize = 4 * 1024 * 1024;
/// Largest body of a checksum, in bytes.
const CHECKSUM_BYTES: usize = 1024;

pub(crate) async fn answer(
    rules: Rules,
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    path: &Path,
) -> Result<Response<Body>> {
    match (&path.target, path.checksums.as_slice()) {
        (Target::File(file), []) => put_file(rules, parts, body, repository, file).await,
        (Target::File(file), checksums) => {
            put_checksum(parts, body, repository, file, checksums).await
        }
        (Target::Metadata(directory), []) => {
            put_metadata(rules, parts, body, repository, directory).await
        }
        (Target::Metadata(directory), checksums) => {
            put_metadata_checksum(parts, body, repository, directory, checksums).await
        }
    }
}

fn done(is_new: bool) -> Response<Body> {
    let mut answer = Response::new(empty());
    *answer.status_mut() = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    answer
}

// --- Files ------------------------------------------------------------------------------------------------------------

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
    let builds = Builds::read(repository, &file.package, snapshot).await?;
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

/// A snapshot's current content and all its builds.
struct Builds {
    current: Option<VersionRecord>,
    current_files: Vec<AssetRecord>,
    stamps: BTreeMap<Stamp, VersionRecord>,
}

impl Builds {
    async fn read(
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
    ) -> Result<Self> {
        Self::among(
            repository,
            package,
            snapshot,
            repository.versions(package).await?,
        )
        .await
    }

    async fn among(
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        records: Vec<VersionRecord>,
    ) -> Result<Self> {
        let mut builds = Self {
            current: None,
            current_files: Vec::new(),
            stamps: BTreeMap::new(),
        };
        for record in records {
            if record.version == *snapshot.version() {
                builds.current = Some(record);
            } else if let Some((of, stamp)) = Snapshot::of_build(record.version.as_str())
                && of == *snapshot
            {
                builds.stamps.insert(stamp, record);
            }
        }
        if builds.current.is_some() {
            let version = package.version(snapshot.version().clone());
            builds.current_files = repository.assets(&version).await?;
        }
        Ok(builds)
    }
}

// --- Checksums --------------------------------------------------------------------------------------------------------

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
async fn read_checksum(parts: &Parts, body: &mut Body) -> Result<String> {
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

async fn put_metadata_checksum(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    directory: &Directory,
    checksums: &[Algorithm],
) -> Result<Response<Body>> {
    let uploaded = notes::uploaded(repository, directory).await?;
    let artifacts = uploaded
        .as_ref()
        .map_or(&[][..], |uploaded| &uploaded.artifacts);
    for package in subjects(directory, artifacts) {
        repository.may_put_metadata(&package).await?;
    }
    let sent = read_checksum(parts, body).await?;
    match uploaded {
        None => Err(Error::NotFound {
            kind: Kind::Asset,
            id: directory.document(),
            message: format!(
                "no {directory} metadata was uploaded that this could be the checksum of"
            ),
        }),
        Some(uploaded) if chain(&uploaded.digests, checksums) == sent => Ok(done(true)),
        Some(_) => Err(Error::Mismatch(format!(
            "the checksum is not that of {} as it was last uploaded",
            directory.document()
        ))),
    }
}

/// The packages that a metadata document is about: the artifact of its directory, or those of a group.
fn subjects(directory: &Directory, artifacts: &[String]) -> Vec<PackageId> {
    if let Some((package, _)) = directory.snapshot() {
        return vec![package];
    }
    if artifacts.is_empty() {
        return directory.package().into_iter().collect();
    }
    let namespace = directory.group();
    artifacts
        .iter()
        .filter_map(|artifact| {
            Some(PackageId {
                format: super::request::FORMAT.clone(),
                namespace: Some(namespace.clone()?),
                name: artifact.parse().ok()?,
            })
        })
        .collect()
}

// --- Metadata ---------------------------------------------------------------------------------------------------------

async fn put_metadata(
    rules: Rules,
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
    directory: &Directory,
) -> Result<Response<Body>> {
    let promise = upload::promise(&parts.headers)?;
    let bytes = upload::whole(&parts.headers, body, METADATA_BYTES).await?;
    let digests = catalog::Digests::of(&bytes);
    check_promise(&promise, &digests)?;
    let metadata = Metadata::parse(&bytes).map_err(|error| Error::Invalid(error.to_string()))?;
    let mut artifacts = Vec::new();
    if let Some((package, snapshot)) = directory.snapshot() {
        put_snapshot(rules, repository, &package, &snapshot, &metadata).await?;
    } else {
        let is_of_group = !metadata.plugins.is_empty();
        if metadata.has_versioning || metadata.artifact.is_some() || !is_of_group {
            put_artifact(rules, repository, directory, &metadata).await?;
        }
        if is_of_group {
            artifacts = put_group(repository, directory, &metadata.plugins).await?;
        }
    }
    let is_new = notes::uploaded(repository, directory).await?.is_none();
    let uploaded = Uploaded { digests, artifacts };
    notes::set_uploaded(repository, directory, &uploaded).await?;
    let mut answer = done(is_new);
    insert(
        answer.headers_mut(),
        ETAG,
        format!("\"{}\"", uploaded.digests.sha256),
    );
    Ok(answer)
}

fn check_promise(promise: &catalog::Promise, digests: &catalog::Digests) -> Result<()> {
    for (promised, came) in [
        (&promise.md5, &digests.md5),
        (&promise.sha1, &digests.sha1),
        (&promise.sha256, &digests.sha256),
        (&promise.sha512, &digests.sha512),
    ] {
        if promised.as_ref().is_some_and(|promised| promised != came) {
            return Err(Error::Mismatch(
                "the document does not have the digest that was promised with it".to_owned(),
            ));
        }
    }
    Ok(())
}

/// The path says which artifact it is; a document that says another one was sent to the wrong place.
fn check_coordinates(metadata: &Metadata, package: &PackageId) -> Result<()> {
    let differs = |written: &Option<String>, expected: &str| {
        written
            .as_deref()
            .is_some_and(|written| written != expected)
    };
    if differs(&metadata.group, package.namespace_text())
        || differs(&metadata.artifact, package.name.as_str())
    {
        return Err(Error::Invalid(format!(
            "the document is for {}:{} and its path for {package}",
            metadata.group.as_deref().unwrap_or_default(),
            metadata.artifact.as_deref().unwrap_or_default(),
        )));
    }
    Ok(())
}

/// Publishes what the document lists and is unfinished here; finishes the builds of the snapshots that it lists.
async fn put_artifact(
    rules: Rules,
    repository: &OpenRepository,
    directory: &Directory,
    metadata: &Metadata,
) -> Result<()> {
    let package = directory.package().ok_or_else(|| {
        Error::Invalid("an artifact has a group, and so a directory above its own".to_owned())
    })?;
    repository.may_put_metadata(&package).await?;
    check_coordinates(metadata, &package)?;
    let records = repository.versions(&package).await?;
    let mut steps = Vec::new();
    let mut finished = Vec::new();
    let mut currents = Vec::new();
    for listed in &metadata.versions {
        if let Some(snapshot) = Snapshot::parse(listed) {
            let builds = Builds::among(repository, &package, &snapshot, records.clone()).await?;
            let staged = builds.staged(|_| true);
            let current = builds
                .finish(repository, &package, &snapshot, &staged, &mut steps)
                .await?;
            finished.extend(staged.into_iter().map(|(_, version)| version));
            currents.extend(current.map(|current| (snapshot, current)));
        } else if let Some(record) = records
            .iter()
            .find(|record| record.version.as_str() == listed && record.status == Status::Unfinished)
            && !finished.contains(&record.version)
        {
            steps.push(Settle::Publish(record.version.clone()));
            finished.push(record.version.clone());
        }
    }
    settle(rules, repository, &package, steps, &finished).await?;
    for (snapshot, current) in currents {
        let pairs = notes::current(repository, &package, &snapshot).await?.pairs;
        let current = Current { pairs, ..current };
        notes::set_current(repository, &package, &snapshot, &current).await?;
        notes::set_plain_build(repository, &package, &snapshot, None).await?;
    }
    Ok(())
}

/// Finishes the builds that the document names, and those of plain-named files, which it cannot name.
async fn put_snapshot(
    rules: Rules,
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
    metadata: &Metadata,
) -> Result<()> {
    repository.may_put_metadata(package).await?;
    check_coordinates(metadata, package)?;
    let plain = notes::plain_build(repository, package, snapshot).await?;
    let builds = Builds::read(repository, package, snapshot).await?;
    let named: Vec<_> = metadata
        .snapshot
        .iter()
        .filter_map(|stamp| snapshot.build(stamp))
        .map(|version| version.to_string())
        .chain(metadata.files.iter().map(|file| file.value.clone()))
        .collect();
    let staged = builds.staged(|version| {
        named.iter().any(|name| name == version.as_str()) || plain.as_ref() == Some(version)
    });
    let mut steps = Vec::new();
    let finished: Vec<_> = staged.iter().map(|(_, version)| version.clone()).collect();
    let current = builds
        .finish(repository, package, snapshot, &staged, &mut steps)
        .await?;
    settle(rules, repository, package, steps, &finished).await?;
    let before = notes::current(repository, package, snapshot).await?;
    let pairs: Vec<_> = metadata
        .files
        .iter()
        .filter(|file| !file.extension.is_empty())
        .map(|file| (file.classifier.clone(), file.extension.clone()))
        .collect();
    let now = Current {
        build: current.map_or_else(|| before.build.clone(), |current| current.build),
        pairs: if pairs.is_empty() {
            before.pairs.clone()
        } else {
            pairs
        },
    };
    if now != before {
        notes::set_current(repository, package, snapshot, &now).await?;
    }
    if plain.is_some() {
        notes::set_plain_build(repository, package, snapshot, None).await?;
    }
    Ok(())
}

impl Builds {
    /// The builds that are still being uploaded, oldest first.
    fn staged(&self, is_meant: impl Fn(&Version) -> bool) -> Vec<(Stamp, Version)> {
        self.stamps
            .iter()
            .filter(|(_, record)| record.status == Status::Unfinished && is_meant(&record.version))
            .map(|(stamp, record)| (stamp.clone(), record.version.clone()))
            .collect()
    }

    /// The steps by which these builds become current one after the other, or superseded at once if they are older than
    /// what is current. The result is what is current then, if that changes.
    async fn finish(
        &self,
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        staged: &[(Stamp, Version)],
        steps: &mut Vec<Settle>,
    ) -> Result<Option<Current>> {
        if staged.is_empty() {
            return Ok(None);
        }
        let mut current = match &self.current {
            Some(record) => Some(
                self.current_stamp(repository, package, snapshot, record)
                    .await?,
            ),
            None => None,
        };
        let mut is_changed = false;
        for (stamp, version) in staged {
            if current.as_ref().is_some_and(|current| stamp < current) {
                steps.push(Settle::Unlist(version.clone()));
                continue;
            }
            steps.push(Settle::Replace {
                current: snapshot.version().clone(),
                staged: version.clone(),
                keep_as: current.as_ref().and_then(|stamp| snapshot.build(stamp)),
            });
            current = Some(stamp.clone());
            is_changed = true;
        }
        Ok(current.filter(|_| is_changed).map(|stamp| Current {
            build: snapshot.build(&stamp).map(|version| version.to_string()),
            pairs: Vec::new(),
        }))
    }

    /// Which build the current files are: as their names say, else as was noted, else by the time it came.
    async fn current_stamp(
        &self,
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        record: &VersionRecord,
    ) -> Result<Stamp> {
        let named = self
            .current_files
            .iter()
            .filter_map(|file| stated(package, snapshot, &file.name)?.0)
            .max();
        if let Some(stamp) = named {
            return Ok(stamp);
        }
        let noted = notes::current(repository, package, snapshot).await?.build;
        let noted = noted
            .and_then(|build| Snapshot::of_build(&build))
            .map(|(_, stamp)| stamp)
            .filter(|stamp| !self.stamps.contains_key(stamp));
        Ok(noted.unwrap_or_else(|| Stamp::at(record.published, 0)))
    }
}

/// The gate: everything that is to be published matches the checksums that were sent with it, or nothing is.
async fn settle(
    rules: Rules,
    repository: &OpenRepository,
    package: &PackageId,
    steps: Vec<Settle>,
    finished: &[Version],
) -> Result<()> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut settled = Vec::new();
    for version in finished {
        let mismatches = notes::mismatches(repository, package, version).await?;
        if mismatches.is_empty() && !rules.requires_pom {
            continue;
        }
        let id = package.version(version.clone());
        let files = repository.assets(&id).await?;
        for mismatch in mismatches {
            if is_outstanding(&mismatch, &files) {
                return Err(Error::Invalid(format!(
                    "{id} is not published: the uploaded checksum {} does not match the file; \
                     upload the right one, then the metadata again",
                    mismatch.name
                )));
            }
            settled.push(mismatch.key);
        }
        let has_pom = || {
            files
                .iter()
                .any(|file| is_main_pom(&id.asset(file.name.clone())))
        };
        if rules.requires_pom && !has_pom() {
            return Err(Error::Invalid(format!(
                "{id} is not published: it has no POM, and this server asks for one"
            )));
        }
    }
    repository.settle(package, steps).await?;
    for key in settled {
        repository.set_note(&key, None, None).await?;
    }
    Ok(())
}

/// Whether a checksum that did not match when it was sent still does not: the file may have been deleted, and uploaded
/// again with the bytes that were meant.
fn is_outstanding(mismatch: &notes::Mismatch, files: &[AssetRecord]) -> bool {
    let Some((file, extension)) = mismatch.name.rsplit_once('.') else {
        return false;
    };
    let algorithm = Algorithm::ALL
        .into_iter()
        .find(|one| one.as_str() == extension);
    let record = files.iter().find(|record| record.name.as_str() == file);
    match (algorithm, record) {
        (Some(algorithm), Some(record)) => algorithm.of(&record.digests) != mismatch.value,
        _ => false,
    }
}

/// Stores which prefixes the plugins of a group have. The result is the artifacts that the document names.
async fn put_group(
    repository: &OpenRepository,
    directory: &Directory,
    plugins: &[Plugin],
) -> Result<Vec<String>> {
    let group = directory
        .group()
        .ok_or_else(|| Error::Invalid("its directory is not that of a group".to_owned()))?;
    for plugin in plugins {
        check_artifact_to_publish(&plugin.artifact)
            .map_err(|reason| Error::Invalid(format!("a plugin's {reason}")))?;
        let is_prefix = !plugin.prefix.is_empty()
            && plugin.prefix.len() <= 255
            && plugin.prefix.bytes().all(|b| b.is_ascii_graphic());
        if !is_prefix {
            return Err(Error::Invalid(format!(
                "the prefix of the plugin {} is not one to be typed",
                plugin.artifact
            )));
        }
    }
    let artifacts: Vec<_> = plugins
        .iter()
        .map(|plugin| plugin.artifact.clone())
        .collect();
    for package in subjects(directory, &artifacts) {
        repository.may_put_metadata(&package).await?;
    }
    for plugin in plugins {
        notes::set_plugin(repository, &group, plugin).await?;
    }
    Ok(artifacts)
}
