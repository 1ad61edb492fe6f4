//! What happened, written in the transaction in which it happened.
//!
//! A change holds the whole state of its version afterwards, so that the changes of a package, folded up to a time, are
//! its listing at that time: nothing else is needed for events, audit and looking back.

use std::collections::{BTreeMap, HashMap};

use aws::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Row, Tx};

use crate::ids::new_id;
use crate::names::{AssetName, PackageId, Version};
use crate::package::{Origin, PackageAt, Restrictions, Status, VersionRecord};
use crate::permit::Permit;
use crate::record::{self, AssetRow, VersionRow};
use crate::repository::Repository;
use crate::shelf::package_topic;
use crate::{Error, Result, group, outbox, search};

/// Who did it, and when.
#[derive(Debug, Clone)]
pub(crate) struct By {
    /// ARN of the principal.
    pub(crate) principal: String,
    pub(crate) now: Timestamp,
}

impl<T> Permit<T> {
    pub(crate) fn by(&self) -> By {
        By {
            principal: self.caller.arn().to_owned(),
            now: self.catalog.now(),
        }
    }
}

/// One thing that happened to a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Change {
    /// The package is there, and its origin controls are these.
    Package {
        /// The controls.
        restrictions: Restrictions,
    },
    /// A version is there, and is now this.
    Version {
        /// Which.
        version: Version,
        /// Whether it was not there before.
        created: bool,
        /// Whether what it says of itself is another.
        #[serde(default, skip_serializing_if = "is_false")]
        described: bool,
        /// All of it.
        state: VersionState,
    },
    /// A version is no longer there.
    VersionGone {
        /// Which.
        version: Version,
        /// The state it was in.
        status: Status,
        /// All of it, as it was; changes of old do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state: Option<VersionState>,
    },
    /// A name means this version now, or nothing any more.
    Label {
        /// The name: npm's `latest`.
        label: String,
        /// What it means.
        version: Option<Version>,
    },
    /// The package is no longer there, nor any of its versions.
    PackageGone,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What of a version is new with a change, as far as its state does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Novelty {
    /// The version.
    pub(crate) created: bool,
    /// What it says of itself.
    pub(crate) described: bool,
}

/// A version at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionState {
    /// Its state.
    pub status: Status,
    /// Its revision.
    pub revision: String,
    /// How it entered the domain.
    pub origin: Origin,
    /// When its record was made.
    pub published: Timestamp,
    /// Its files: name, size in bytes, SHA-256.
    pub assets: Vec<(AssetName, u64, String)>,
}

impl VersionState {
    pub(crate) fn of(record: &VersionRecord, assets: Vec<(AssetName, u64, String)>) -> Self {
        Self {
            status: record.status,
            revision: record.revision.clone(),
            origin: record.origin.clone(),
            published: record.published,
            assets,
        }
    }
}

/// What is said of a version that goes.
pub(crate) fn gone(record: &VersionRecord, assets: Vec<(AssetName, u64, String)>) -> Change {
    Change::VersionGone {
        version: record.version.clone(),
        status: record.status,
        state: Some(VersionState::of(record, assets)),
    }
}

/// What a change says of files.
pub(crate) fn files(assets: &[AssetRow]) -> Vec<(AssetName, u64, String)> {
    let file = |AssetRow { record, .. }: &AssetRow| {
        let sha256 = record.digests.sha256.clone();
        (record.name.clone(), record.size_bytes, sha256)
    };
    assets.iter().map(file).collect()
}

/// A package at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageState {
    /// Its origin controls.
    pub restrictions: Restrictions,
    /// Its versions, in any state.
    pub versions: BTreeMap<Version, VersionState>,
    /// Names for versions.
    pub labels: BTreeMap<String, Version>,
}

/// What a package was after these changes, in their order; `None` when it was not there.
pub fn fold<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Option<PackageState> {
    let mut package: Option<PackageState> = None;
    for change in changes {
        match change {
            Change::Package { restrictions } => match &mut package {
                Some(package) => package.restrictions = *restrictions,
                None => {
                    package = Some(PackageState {
                        restrictions: *restrictions,
                        versions: BTreeMap::new(),
                        labels: BTreeMap::new(),
                    });
                }
            },
            Change::Version { version, state, .. } => {
                if let Some(package) = &mut package {
                    package.versions.insert(version.clone(), state.clone());
                }
            }
            Change::VersionGone { version, .. } => {
                if let Some(package) = &mut package {
                    package.versions.remove(version);
                    package.labels.retain(|_, named| named != version);
                }
            }
            Change::Label { label, version } => {
                if let Some(package) = &mut package {
                    match version {
                        Some(version) => package.labels.insert(label.clone(), version.clone()),
                        None => package.labels.remove(label),
                    };
                }
            }
            Change::PackageGone => package = None,
        }
    }
    package
}

/// A package begins with the time at which its repository was made, so that in a repository that was deleted and made again
/// the numbers go on growing: to whom they are told, the ARN is the same.
const NEXT: &str = "
    SELECT COALESCE(MAX(sequence), CAST($5 AS BIGINT)) + 1 AS next
      FROM changes
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4";

const INSERT: &str = "
    INSERT INTO changes (id, domain_id, repository_id, format, namespace, name, sequence, at, principal, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const OF_PACKAGE: &str = "
    SELECT document
      FROM changes
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4
       AND at <= $5
     ORDER BY sequence";

const VERSIONS_OF_PACKAGE: &str = "
    SELECT id, version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream
      FROM versions
     WHERE package_id = $1
     ORDER BY version";

const FILES_OF_PACKAGE: &str = "
    SELECT assets.version_id, assets.name, blobs.size_bytes, blobs.sha256
      FROM versions
      JOIN assets ON assets.version_id = versions.id
      JOIN blobs ON blobs.id = assets.blob_id
     WHERE versions.package_id = $1
     ORDER BY assets.name";

/// Writes a change.
pub(crate) fn write(
    tx: &mut Tx<'_>,
    repository: &Repository,
    package: &PackageId,
    by: &By,
    change: &Change,
) -> Result<()> {
    let sequence = next(tx, repository, package)?;
    append(tx, repository, package, by, sequence, change)?;
    search::refresh(tx, repository, package)?;
    touch(tx, repository, package);
    Ok(())
}

fn touch(tx: &mut Tx<'_>, repository: &Repository, package: &PackageId) {
    tx.touch(&repository.topic);
    tx.touch(&package_topic(repository, package));
}

/// The number of the next change of a package.
fn next(tx: &mut Tx<'_>, repository: &Repository, package: &PackageId) -> Result<i64> {
    let mut values = record::package_key(repository, package);
    values.push(repository.created.millis().into());
    let rows = tx.rows(NEXT, &values)?;
    rows.first().map_or(Ok(1), |row| Ok(row.int("next")?))
}

fn append(
    tx: &mut Tx<'_>,
    repository: &Repository,
    package: &PackageId,
    by: &By,
    sequence: i64,
    change: &Change,
) -> Result<()> {
    let document = serde_json::to_string(change).map_err(Error::internal)?;
    let id = new_id(by.now)?;
    tx.execute(
        INSERT,
        &[
            id.as_str().into(),
            (&*repository.domain.id).into(),
            (&*repository.id).into(),
            package.format.as_str().into(),
            package.namespace_text().into(),
            package.name.as_str().into(),
            sequence.into(),
            by.now.millis().into(),
            by.principal.as_str().into(),
            document.into(),
        ],
    )?;
    outbox::put(tx, repository, &id, sequence, change)
}

/// Writes that a version is now this.
pub(crate) fn write_version(
    tx: &mut Tx<'_>,
    repository: &Repository,
    package: &PackageId,
    by: &By,
    version: &VersionRow,
    assets: &[AssetRow],
    novelty: Novelty,
) -> Result<()> {
    let Novelty { created, described } = novelty;
    let record = &version.record;
    let state = VersionState::of(record, files(assets));
    write(
        tx,
        repository,
        package,
        by,
        &Change::Version {
            version: record.version.clone(),
            created,
            described,
            state,
        },
    )
}

/// Writes that a package and all its versions are gone; before its row is, with which what it is found by goes too.
pub(crate) fn forget_package(
    tx: &mut Tx<'_>,
    repository: &Repository,
    id: &PackageId,
    package_id: &str,
    by: &By,
) -> Result<()> {
    let mut files: HashMap<String, Vec<_>> = HashMap::new();
    for row in tx.rows(FILES_OF_PACKAGE, &[package_id.into()])? {
        let file = (
            row.parse("name")?,
            row.size("size_bytes")?,
            row.text("sha256")?,
        );
        files.entry(row.text("version_id")?).or_default().push(file);
    }
    let mut sequence = next(tx, repository, id)?;
    for row in tx.rows(VERSIONS_OF_PACKAGE, &[package_id.into()])? {
        let files = files.remove(row.as_str("id")?).unwrap_or_default();
        let gone = gone(&record::read_record(&row)?, files);
        append(tx, repository, id, by, sequence, &gone)?;
        sequence += 1;
    }
    append(tx, repository, id, by, sequence, &Change::PackageGone)?;
    touch(tx, repository, id);
    group::forget(tx, repository, id)
}

/// The package that a row with `format`, `namespace` and `name` is about.
pub(crate) fn read_package_id(row: &Row) -> Result<PackageId> {
    let namespace = row.text("namespace")?;
    let namespace = if namespace.is_empty() {
        None
    } else {
        Some(namespace.parse().map_err(Error::internal)?)
    };
    Ok(PackageId {
        format: row.parse("format")?,
        namespace,
        name: row.parse("name")?,
    })
}

impl Permit<PackageAt> {
    /// What the package was at a time, read from its changes alone. `None` when it was not there.
    pub async fn at(&self, time: Timestamp) -> Result<Option<PackageState>> {
        let values = vec![
            (&*self.repository.id).into(),
            self.id.format.as_str().into(),
            self.id.namespace_text().into(),
            self.id.name.as_str().into(),
            time.millis().into(),
        ];
        let rows = self.catalog.0.database.rows(OF_PACKAGE, values).await?;
        let changes = rows
            .iter()
            .map(|row| serde_json::from_str(row.as_str("document")?).map_err(Error::internal))
            .collect::<Result<Vec<Change>>>()?;
        Ok(fold(&changes))
    }
}
