//! What this format remembers of a repository between requests, and under which keys.

use std::time::Duration;

use catalog::{AssetName, Digests, Error, Namespace, OpenRepository, PackageId, Result, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::document::Plugin;
use super::request::{Algorithm, Directory};
use super::snapshot::Snapshot;

/// How long the digests of an uploaded metadata document are compared with.
const UPLOAD_KEPT: Duration = Duration::from_hours(24);
/// How long further plain-named files belong to the build of the first one.
const PLAIN_BUILD_KEPT: Duration = Duration::from_mins(10);

/// An uploaded `maven-metadata.xml`, which itself is not kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Uploaded {
    /// The digests of its bytes.
    pub digests: Digests,
    /// The artifacts of the group that it was about, for a document of a group.
    pub artifacts: Vec<String>,
}

/// What is known of a snapshot beside its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Current {
    /// The version of the build that is current, which plain names do not tell.
    pub build: Option<String>,
    /// Classifier and extension of its files, as they were uploaded: `a-1-x.y.tar.gz` can be cut in several ways.
    pub pairs: Vec<(String, String)>,
}

/// A checksum that was uploaded and did not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Under which key.
    pub key: String,
    /// Of which file, with its extension: `lib-a-1.0.jar.sha1`.
    pub name: String,
    /// What was uploaded.
    pub value: String,
}

pub(crate) fn mismatch_key(
    package: &PackageId,
    version: &Version,
    file: &AssetName,
    algorithm: Algorithm,
) -> String {
    format!(
        "{}{file}.{}",
        mismatches_of(package, version),
        algorithm.as_str()
    )
}

fn mismatches_of(package: &PackageId, version: &Version) -> String {
    format!(
        "mismatch/{}/{}/{version}/",
        package.namespace_text(),
        package.name
    )
}

/// The checksums of a version that did not match when they were uploaded.
pub(crate) async fn mismatches(
    repository: &OpenRepository,
    package: &PackageId,
    version: &Version,
) -> Result<Vec<Mismatch>> {
    let prefix = mismatches_of(package, version);
    let notes = repository.notes(&prefix).await?;
    Ok(notes
        .into_iter()
        .map(|note| Mismatch {
            name: note.key[prefix.len()..].to_owned(),
            value: note.text,
            key: note.key,
        })
        .collect())
}

pub(crate) async fn uploaded(
    repository: &OpenRepository,
    directory: &Directory,
) -> Result<Option<Uploaded>> {
    read(repository, &format!("uploaded/{directory}")).await
}

pub(crate) async fn set_uploaded(
    repository: &OpenRepository,
    directory: &Directory,
    uploaded: &Uploaded,
) -> Result<()> {
    let key = format!("uploaded/{directory}");
    write(repository, &key, uploaded, Some(UPLOAD_KEPT)).await
}

fn snapshot_key(kind: &str, package: &PackageId, snapshot: &Snapshot) -> String {
    let namespace = package.namespace_text();
    format!("{kind}/{namespace}/{}/{}", package.name, snapshot.version())
}

pub(crate) async fn current(
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
) -> Result<Current> {
    let current = read(repository, &snapshot_key("current", package, snapshot)).await?;
    Ok(current.unwrap_or_default())
}

pub(crate) async fn set_current(
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
    current: &Current,
) -> Result<()> {
    let key = snapshot_key("current", package, snapshot);
    write(repository, &key, current, None).await
}

/// The version of the build that plain-named files of a snapshot belong to just now.
pub(crate) async fn plain_build(
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
) -> Result<Option<Version>> {
    let note = repository
        .note(&snapshot_key("plain", package, snapshot))
        .await?;
    Ok(note.and_then(|note| note.text.parse().ok()))
}

pub(crate) async fn set_plain_build(
    repository: &OpenRepository,
    package: &PackageId,
    snapshot: &Snapshot,
    build: Option<&Version>,
) -> Result<()> {
    let key = snapshot_key("plain", package, snapshot);
    let text = build.map(Version::to_string);
    repository
        .set_note(&key, text, Some(PLAIN_BUILD_KEPT))
        .await
}

fn plugins_key(group: &Namespace) -> String {
    format!("plugin/{group}/")
}

/// The plugins of a group that this repository and its upstream repositories know, nearest first, and when the newest
/// of them was noted.
pub(crate) async fn plugins(
    repository: &OpenRepository,
    group: &Namespace,
) -> Result<Vec<(Plugin, catalog::Timestamp)>> {
    let notes = repository.notes_on_the_way(&plugins_key(group)).await?;
    Ok(notes
        .into_iter()
        .filter_map(|note| Some((serde_json::from_str(&note.text).ok()?, note.written)))
        .collect())
}

pub(crate) async fn set_plugin(
    repository: &OpenRepository,
    group: &Namespace,
    plugin: &Plugin,
) -> Result<()> {
    let key = format!("{}{}", plugins_key(group), plugin.artifact);
    write(repository, &key, plugin, None).await
}

/// A note of ours that does not read is as good as none.
async fn read<T: DeserializeOwned>(repository: &OpenRepository, key: &str) -> Result<Option<T>> {
    let note = repository.note(key).await?;
    Ok(note.and_then(|note| serde_json::from_str(&note.text).ok()))
}

async fn write<T: Serialize>(
    repository: &OpenRepository,
    key: &str,
    value: &T,
    keep_for: Option<Duration>,
) -> Result<()> {
    let text = serde_json::to_string(value).map_err(|error| Error::Internal(error.into()))?;
    repository.set_note(key, Some(text), keep_for).await
}
