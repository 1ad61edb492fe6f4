//! PUT of `maven-metadata.xml`: what publishes versions, finishes builds and names plugins.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use catalog::{
    AssetRecord, Error, Kind, OpenRepository, PackageId, Result, Settle, Status, Version,
};
use http::Response;
use http::header::ETAG;
use http::request::Parts;
use tokio::sync::{Mutex, MutexGuard};

use super::builds::Builds;
use super::document::{Metadata, Plugin};
use super::notes::{self, Current, Uploaded};
use super::publish::{done, read_checksum};
use super::read::chain;
use super::request::{Algorithm, Directory, FORMAT, check_artifact_to_publish};
use super::snapshot::Snapshot;
use super::{Maven, Rules, is_main_pom};
use crate::document::insert;
use crate::protocol::Body;
use crate::upload;

/// Largest metadata document, in bytes.
const METADATA_BYTES: usize = 4 * 1024 * 1024;
/// How often builds are settled anew when another process settles the same ones.
const ATTEMPTS: u32 = 5;

/// How many packages can be settled at once, at most.
const LANES: usize = 64;

/// One request of this process at a time settles the builds of a package: each renames what the one before it made
/// current. Few packages wait for another one that is in the same lane by chance.
pub(crate) struct Turns {
    lanes: [Mutex<()>; LANES],
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            lanes: [const { Mutex::const_new(()) }; LANES],
            hasher: RandomState::new(),
        }
    }
}

impl Turns {
    async fn take(&self, repository: &OpenRepository, package: &PackageId) -> MutexGuard<'_, ()> {
        let hash = self
            .hasher
            .hash_one((&repository.repository().arn, package));
        let lane = usize::try_from(hash % LANES as u64).unwrap_or_default();
        self.lanes[lane].lock().await
    }
}

/// Reads the document, does what it says at its level, and remembers its digests.
pub(crate) async fn put_metadata(
    maven: &Maven,
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
        put_snapshot(maven, repository, &package, &snapshot, &metadata).await?;
    } else {
        let is_of_group = !metadata.plugins.is_empty();
        if metadata.has_versioning || metadata.artifact.is_some() || !is_of_group {
            put_artifact(maven, repository, directory, &metadata).await?;
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
    maven: &Maven,
    repository: &OpenRepository,
    directory: &Directory,
    metadata: &Metadata,
) -> Result<()> {
    let package = directory.package().ok_or_else(|| {
        Error::Invalid("an artifact has a group, and so a directory above its own".to_owned())
    })?;
    repository.may_put_metadata(&package).await?;
    check_coordinates(metadata, &package)?;
    let listed: HashSet<&str> = metadata.versions.iter().map(String::as_str).collect();
    let has_snapshots = listed
        .iter()
        .any(|version| Snapshot::parse(version).is_some());
    let _turn = if has_snapshots {
        Some(maven.turns.take(repository, &package).await)
    } else {
        None
    };
    for _ in 0..ATTEMPTS {
        if publish_listed(maven.rules, repository, &package, &listed).await? {
            return Ok(());
        }
    }
    Err(overtaken(&package))
}

/// One attempt of [`put_artifact`]; `false` when another request changed the versions meanwhile.
async fn publish_listed(
    rules: Rules,
    repository: &OpenRepository,
    package: &PackageId,
    listed: &HashSet<&str>,
) -> Result<bool> {
    let records = repository.versions(package).await?;
    let mut steps = Vec::new();
    let mut finished = Vec::new();
    let mut snapshots: Vec<Snapshot> = Vec::new();
    for record in &records {
        let version = record.version.as_str();
        if record.status != Status::Unfinished {
            continue;
        }
        if listed.contains(version) {
            steps.push(Settle::Publish(record.version.clone()));
            finished.push(record.version.clone());
        } else if let Some((snapshot, _)) = Snapshot::of_build(version)
            && listed.contains(snapshot.version().as_str())
            && !snapshots.contains(&snapshot)
        {
            snapshots.push(snapshot);
        }
    }
    let mut currents = Vec::new();
    for snapshot in snapshots {
        let builds = Builds::among(repository, package, &snapshot, &records).await?;
        let staged = builds.staged(|_| true);
        let current = builds
            .finish(repository, package, &snapshot, &staged, &mut steps)
            .await?;
        finished.extend(staged.into_iter().map(|(_, version)| version));
        currents.extend(current.map(|current| (snapshot, current)));
    }
    if !settle(rules, repository, package, steps, &finished).await? {
        return Ok(false);
    }
    for (snapshot, current) in currents {
        let pairs = notes::current(repository, package, &snapshot).await?.pairs;
        let current = Current { pairs, ..current };
        notes::set_current(repository, package, &snapshot, &current).await?;
        notes::set_plain_build(repository, package, &snapshot, None).await?;
    }
    Ok(true)
}

/// Finishes the builds that the document names, and those of plain-named files, which it cannot name.
async fn put_snapshot(
    maven: &Maven,
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
    metadata: &Metadata,
) -> Result<()> {
    repository.may_put_metadata(package).await?;
    check_coordinates(metadata, package)?;
    let _turn = maven.turns.take(repository, package).await;
    for _ in 0..ATTEMPTS {
        if finish_named(maven.rules, repository, package, snapshot, metadata).await? {
            return Ok(());
        }
    }
    Err(overtaken(package))
}

/// One attempt of [`put_snapshot`]; `false` when another request changed the builds meanwhile.
async fn finish_named(
    rules: Rules,
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
    metadata: &Metadata,
) -> Result<bool> {
    let plain = notes::plain_build(repository, package, snapshot).await?;
    let records = repository.versions(package).await?;
    let builds = Builds::among(repository, package, snapshot, &records).await?;
    let named: HashSet<_> = metadata
        .snapshot
        .iter()
        .filter_map(|stamp| snapshot.build(stamp))
        .map(|version| version.to_string())
        .chain(metadata.files.iter().map(|file| file.value.clone()))
        .collect();
    let staged = builds
        .staged(|version| named.contains(version.as_str()) || plain.as_ref() == Some(version));
    let mut steps = Vec::new();
    let finished: Vec<_> = staged.iter().map(|(_, version)| version.clone()).collect();
    let current = builds
        .finish(repository, package, snapshot, &staged, &mut steps)
        .await?;
    if !settle(rules, repository, package, steps, &finished).await? {
        return Ok(false);
    }
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
    Ok(true)
}

fn overtaken(package: &PackageId) -> Error {
    Error::Unavailable(format!("the builds of {package} kept changing meanwhile").into())
}

/// Compares a checksum with the document that was last uploaded.
pub(crate) async fn put_metadata_checksum(
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
                format: FORMAT.clone(),
                namespace: Some(namespace.clone()?),
                name: artifact.parse().ok()?,
            })
        })
        .collect()
}

/// The gate: everything that is to be published matches the checksums that were sent with it, or nothing is. `false`
/// when the steps no longer fit what is there, because another request was faster.
async fn settle(
    rules: Rules,
    repository: &OpenRepository,
    package: &PackageId,
    steps: Vec<Settle>,
    finished: &[Version],
) -> Result<bool> {
    if steps.is_empty() {
        return Ok(true);
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
    let replaced: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Settle::Replace { current, .. } => Some(current.clone()),
            Settle::Publish(_) | Settle::Unlist(_) => None,
        })
        .collect();
    match repository.settle(package, steps).await {
        // A build that became current since then was not to be kept, or its name was taken: nothing was done.
        Ok(changed) if replaced.iter().all(|version| changed.contains(version)) => {}
        Ok(_) => return Ok(false),
        Err(Error::Conflict { .. }) if !replaced.is_empty() => return Ok(false),
        Err(error) => return Err(error),
    }
    for key in settled {
        repository.set_note(&key, None, None).await?;
    }
    Ok(true)
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
