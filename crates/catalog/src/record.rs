//! The one transaction step that adds to packages, versions, assets and blobs.
//!
//! Publishing, ingesting from a registry and retaining from an upstream end here, so what a version is, what its
//! revision is, and what is said about it afterwards cannot differ between them.

mod blobs;
mod rows;

use aws::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};
use store::{Digests, Location, Stored, Tx};

use crate::asset::AssetRecord;
use crate::change::{self, By, Change, Novelty};
use crate::error::Kind;
use crate::format::Manifest;
use crate::ids::new_id;
use crate::names::{AssetName, PackageId, VersionId};
use crate::package::{Origin, OriginType, Restrictions, Status, VersionRecord};
use crate::repository::Repository;
use crate::screen::{View, screen};
use crate::{Error, Result, group, labels, origin};

pub(crate) use blobs::claim_blob;
pub(crate) use rows::{
    ASSETS, ASSETS_OF_PACKAGE, AssetRow, PACKAGE, PackageRow, RECORDS, VERSION, VERSIONS,
    VersionRow, assets, package, package_key, read_asset, read_package, read_record, read_version,
    version,
};

use blobs::{ensure_blob, heal};
pub(crate) use rows::NO_MANIFEST;

/// Follows upon a look that found none. Two transactions may both have looked; with `ON CONFLICT` the later one runs again
/// on PostgreSQL, by whichever index it looked, where it would else be refused for the key.
const INSERT_PACKAGE: &str = "
    INSERT INTO packages (id, repository_id, format, namespace, name, publish, upstream)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (repository_id, format, namespace, name) DO NOTHING";

/// As [`INSERT_PACKAGE`].
const INSERT_VERSION: &str = "
    INSERT INTO versions (id, package_id, version, status, revision, origin_type, origin_repository, origin_connection,
                          published, published_upstream, manifest, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (package_id, version) DO NOTHING";

const UPDATE_VERSION: &str = "
    UPDATE versions
       SET version = $2, status = $3, revision = $4, manifest = $5, document = $6
     WHERE id = $1";

const INSERT_ASSET: &str = "
    INSERT INTO assets (version_id, name, blob_id, modified, document)
    VALUES ($1, $2, $3, $4, $5)";

const DELETE_ASSETS: &str = "
    DELETE FROM assets
     WHERE version_id = $1";

/// Which way a version comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A client publishes it here.
    Published,
    /// From a registry, or from an upstream repository.
    Taken,
    /// Copied on purpose, whatever state it is in; of this origin.
    Copied(OriginType),
}

/// Bytes for a version: brought along, or those of an asset in the same domain.
#[derive(Debug, Clone)]
pub(crate) enum NewBytes {
    Stored(Stored),
    Shared(AssetRow),
}

/// A file to be added to a version.
#[derive(Debug, Clone)]
pub(crate) struct NewAsset {
    pub(crate) name: AssetName,
    pub(crate) bytes: NewBytes,
    pub(crate) modified: Timestamp,
    /// The format's own document of it.
    pub(crate) document: Option<String>,
}

impl NewAsset {
    pub(crate) fn digests(&self) -> &Digests {
        match &self.bytes {
            NewBytes::Stored(stored) => &stored.digests,
            NewBytes::Shared(row) => &row.record.digests,
        }
    }
}

/// What is to be recorded about a version.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) id: VersionId,
    pub(crate) way: Way,
    /// For a new version.
    pub(crate) origin: Origin,
    /// For a new version, from a registry that says so.
    pub(crate) published_upstream: Option<Timestamp>,
    pub(crate) assets: Vec<NewAsset>,
    /// What it says of itself; `None` leaves what is there.
    pub(crate) manifest: Option<Manifest>,
    /// Whether that is only for a version of which nothing is known.
    pub(crate) yields: bool,
    /// The format's own document of it; `None` leaves what is there.
    pub(crate) document: Option<String>,
    /// Names that are to mean this version from now on.
    pub(crate) labels: Vec<String>,
    /// The state of a new version; an Unfinished one that is recorded as something else becomes that.
    pub(crate) status: Status,
    /// Whether a finished version takes further files.
    pub(crate) open_ended: bool,
    pub(crate) assets_per_version: u32,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) version: VersionRow,
    /// Whether the version was not there before.
    pub(crate) created: bool,
    /// Whether anything changed.
    pub(crate) is_new: bool,
    /// Bytes that were brought along and are here already.
    pub(crate) spare: Vec<Location>,
}

/// Records it. Everything that others may have done since the request began is looked at again here, in the transaction.
///
/// Errors: `Conflict` (a file of the name with other bytes, a version that takes no more), `Quota`.
pub(crate) fn record(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    new: &Recording,
) -> Result<Recorded> {
    let id = &new.id;
    let package = ensure_package(tx, repository, by, &id.package, new.way)?;
    let found = version(tx, &package, &id.version)?;
    let created = found.is_none();
    let mut row = match found {
        Some(row) => row,
        None => new_version(tx, &package, by, new)?,
    };
    let mut present = assets(tx, &row)?;
    let before = present.len();
    let spare = add_assets(tx, repository, by, new, &row, created, &mut present)?;
    let added = present.len() - before;
    let finished =
        row.record.status == Status::Unfinished && new.status != Status::Unfinished && !created;
    if finished {
        row.record.status = new.status;
    }
    let (mut described, mut documented) = (false, false);
    let is_foreign = is_foreign(&row.record, new) && !created;
    if let Some(manifest) = &new.manifest
        && !(new.yields && row.manifest != NO_MANIFEST)
        && !is_foreign
    {
        let manifest = serde_json::to_string(manifest).map_err(Error::internal)?;
        described = row.manifest != manifest;
        row.manifest = manifest;
    }
    if let Some(document) = &new.document
        && !is_foreign
    {
        documented = row.document.as_ref() != Some(document);
        row.document = Some(document.clone());
    }
    let is_new = created || finished || described || documented || added > 0;
    if is_new {
        present.sort_by(|a, b| a.record.name.cmp(&b.record.name));
        let novelty = Novelty { created, described };
        save(tx, repository, by, &id.package, &mut row, &present, novelty)?;
    }
    for label in &new.labels {
        labels::set(
            tx,
            repository,
            by,
            (&id.package, &package),
            label,
            Some(&id.version),
        )?;
    }
    Ok(Recorded {
        version: row,
        created,
        is_new,
        spare,
    })
}

/// Adds the files that are not there yet to `present`; gives the bytes that were brought in vain.
fn add_assets(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    new: &Recording,
    row: &VersionRow,
    created: bool,
    present: &mut Vec<AssetRow>,
) -> Result<Vec<Location>> {
    let id = &new.id;
    let mut spare = Vec::new();
    for asset in &new.assets {
        if let Some(same) = present.iter().find(|row| row.record.name == asset.name) {
            if same.record.digests.sha256 != asset.digests().sha256 {
                return Err(Error::conflict(
                    Kind::Asset,
                    asset.name.as_str(),
                    format!(
                        "Asset {} of {id} already exists with different content",
                        asset.name
                    ),
                ));
            }
            if let NewBytes::Stored(stored) = &asset.bytes
                && !heal(tx, &same.blob_id, stored)?
            {
                spare.push(stored.location);
            }
            continue;
        }
        takes_more(&row.record, id, new, created)?;
        if present.len() >= new.assets_per_version as usize {
            return Err(Error::Quota {
                kind: Kind::PackageVersion,
                id: id.version.to_string(),
                message: format!(
                    "a package version may have at most {} assets",
                    new.assets_per_version
                ),
            });
        }
        let (blob_id, location, is_spare) = ensure_blob(tx, repository, by, &asset.bytes)?;
        spare.extend(is_spare);
        tx.execute(
            INSERT_ASSET,
            &[
                row.id.as_str().into(),
                asset.name.as_str().into(),
                blob_id.as_str().into(),
                asset.modified.millis().into(),
                asset.document.clone().into(),
            ],
        )?;
        let size_bytes = match &asset.bytes {
            NewBytes::Stored(stored) => stored.size,
            NewBytes::Shared(row) => row.record.size_bytes,
        };
        present.push(AssetRow {
            record: AssetRecord {
                name: asset.name.clone(),
                size_bytes,
                digests: asset.digests().clone(),
                modified: asset.modified,
            },
            location,
            document: asset.document.clone(),
            blob_id,
        });
    }
    Ok(spare)
}

/// Whether a client publishes to a version that came from a registry: the two are never mixed.
fn is_foreign(record: &VersionRecord, new: &Recording) -> bool {
    new.way == Way::Published && record.origin.origin_type == OriginType::External
}

/// Whether a version takes a file that it has not.
fn takes_more(
    record: &VersionRecord,
    id: &VersionId,
    new: &Recording,
    created: bool,
) -> Result<()> {
    let what = match record.status {
        _ if created || matches!(new.way, Way::Copied(_)) => return Ok(()),
        _ if is_foreign(record, new) => {
            "was taken from a public registry and takes no files of clients"
        }
        Status::Unfinished => return Ok(()),
        Status::Published | Status::Unlisted if new.open_ended => return Ok(()),
        Status::Published | Status::Unlisted => "is finished and takes no more assets",
        Status::Archived => "is Archived",
        Status::Disposed => "is Disposed; delete it before publishing it again",
    };
    Err(Error::conflict(
        Kind::PackageVersion,
        id.version.as_str(),
        format!("Package version {id} {what}"),
    ))
}

/// Copies what one repository records of a version into another of the domain: the version if it is new there, and the
/// files that it lacks, unless they would be too many. A version of another origin there is left alone, and so is a file
/// that is there. False when `from` records no such version, or one that may not be kept elsewhere.
pub(crate) fn retain(
    tx: &mut Tx<'_>,
    from: &Repository,
    to: &Repository,
    by: &By,
    id: &VersionId,
    assets_per_version: u32,
) -> Result<bool> {
    let Some(source_package) = package(tx, from, &id.package)? else {
        return Ok(false);
    };
    let Some(source) = version(tx, &source_package, &id.version)? else {
        return Ok(false);
    };
    if screen(source.record.status, View::Serve, || id.to_string()).is_err() {
        return Ok(false);
    }
    let mut wanted = assets(tx, &source)?;
    let mut knows_itself = false;
    if let Some(target_package) = package(tx, to, &id.package)?
        && let Some(target) = version(tx, &target_package, &id.version)?
    {
        if target.record.origin != source.record.origin {
            return Ok(true);
        }
        let present = assets(tx, &target)?;
        wanted.retain(|row| {
            present
                .iter()
                .all(|known| known.record.name != row.record.name)
        });
        if present.len() + wanted.len() > assets_per_version as usize {
            tracing::warn!(version = %id, repository = %to.name, "not kept: a version may not have so many assets");
            return Ok(true);
        }
        // With a further file it is described as it is where that comes from.
        knows_itself = target.manifest != NO_MANIFEST && wanted.is_empty();
    }
    let (manifest, document) = if knows_itself {
        (None, None)
    } else {
        (source.manifest()?, source.document.clone())
    };
    let recording = Recording {
        id: id.clone(),
        way: Way::Taken,
        origin: source.record.origin.clone(),
        published_upstream: source.record.published_upstream,
        assets: wanted
            .into_iter()
            .map(|row| NewAsset {
                name: row.record.name.clone(),
                modified: row.record.modified,
                document: row.document.clone(),
                bytes: NewBytes::Shared(row),
            })
            .collect(),
        manifest,
        yields: false,
        document,
        labels: Vec::new(),
        status: source.record.status,
        open_ended: true,
        assets_per_version,
    };
    record(tx, to, by, &recording)?;
    Ok(true)
}

const EDITED: &str = "
    UPDATE packages
       SET edited = $2
     WHERE id = $1";

/// Writes that something of a package changed now that no time of a version tells.
pub(crate) fn edited(tx: &mut Tx<'_>, package: &PackageRow, by: &By) -> Result<()> {
    tx.execute(
        EDITED,
        &[package.id.as_str().into(), by.now.millis().into()],
    )?;
    Ok(())
}

/// Writes that a version is in another state. Its revision is that of its content, and stays.
pub(crate) fn save_status(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    package: &PackageId,
    row: &VersionRow,
    assets: &[AssetRow],
) -> Result<()> {
    update(tx, row)?;
    let novelty = Novelty::default();
    change::write_version(tx, repository, package, by, row, assets, novelty)
}

/// Writes a version's row after a change, with its new revision, and the change.
pub(crate) fn save(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    package: &PackageId,
    row: &mut VersionRow,
    assets: &[AssetRow],
    novelty: Novelty,
) -> Result<()> {
    row.record.revision = revision(package, assets, row);
    update(tx, row)?;
    change::write_version(tx, repository, package, by, row, assets, novelty)
}

/// Writes a version's row after a change, and nothing else.
pub(crate) fn update(tx: &mut Tx<'_>, row: &VersionRow) -> Result<()> {
    let record = &row.record;
    tx.execute(
        UPDATE_VERSION,
        &[
            row.id.as_str().into(),
            record.version.as_str().into(),
            record.status.as_str().into(),
            record.revision.as_str().into(),
            row.manifest.as_str().into(),
            row.document.clone().into(),
        ],
    )?;
    Ok(())
}

/// Takes the files of a version away.
pub(crate) fn delete_assets(tx: &mut Tx<'_>, row: &VersionRow) -> Result<()> {
    tx.execute(DELETE_ASSETS, &[row.id.as_str().into()])?;
    Ok(())
}

pub(crate) fn ensure_package(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    id: &PackageId,
    way: Way,
) -> Result<PackageRow> {
    if let Some(row) = package(tx, repository, id)? {
        return Ok(row);
    }
    let restrictions = origin::first_control(way, group::is_open(tx, &repository.domain, id)?);
    insert_package(tx, repository, by, id, restrictions)
}

/// Makes a package that is not there.
pub(crate) fn insert_package(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    id: &PackageId,
    restrictions: Restrictions,
) -> Result<PackageRow> {
    let row = PackageRow {
        id: new_id(by.now)?,
        restrictions,
        edited: None,
    };
    let mut values = vec![row.id.as_str().into()];
    values.extend(package_key(repository, id));
    values.push(row.restrictions.publish.as_str().into());
    values.push(row.restrictions.upstream.as_str().into());
    tx.execute(INSERT_PACKAGE, &values)?;
    group::note(tx, &repository.domain.id, id)?;
    change::write(
        tx,
        repository,
        id,
        by,
        &Change::Package {
            restrictions: row.restrictions,
        },
    )?;
    Ok(row)
}

fn new_version(
    tx: &mut Tx<'_>,
    package: &PackageRow,
    by: &By,
    new: &Recording,
) -> Result<VersionRow> {
    let row = VersionRow {
        id: new_id(by.now)?,
        record: VersionRecord {
            version: new.id.version.clone(),
            status: new.status,
            revision: String::new(),
            origin: new.origin.clone(),
            published: by.now,
            published_upstream: new.published_upstream,
        },
        manifest: NO_MANIFEST.to_owned(),
        document: None,
    };
    insert_version(tx, package, &row)?;
    Ok(row)
}

/// Inserts the row of a version that is not there.
pub(crate) fn insert_version(
    tx: &mut Tx<'_>,
    package: &PackageRow,
    row: &VersionRow,
) -> Result<()> {
    let VersionRecord {
        version,
        status,
        revision,
        origin,
        published,
        published_upstream,
    } = &row.record;
    tx.execute(
        INSERT_VERSION,
        &[
            row.id.as_str().into(),
            package.id.as_str().into(),
            version.as_str().into(),
            status.as_str().into(),
            revision.as_str().into(),
            origin.origin_type.as_str().into(),
            origin.repository.as_ref().map(ToString::to_string).into(),
            origin.connection.as_ref().map(ToString::to_string).into(),
            published.millis().into(),
            published_upstream.map(Timestamp::millis).into(),
            row.manifest.as_str().into(),
            row.document.clone().into(),
        ],
    )?;
    Ok(())
}

/// Identifies the exact content of a version: base64 of a SHA-256, 44 characters. The same content has the same
/// revision in every repository.
fn revision(package: &PackageId, assets: &[AssetRow], row: &VersionRow) -> String {
    let mut hash = Sha256::new();
    let mut line = |text: &str| {
        hash.update(text.as_bytes());
        hash.update(b"\n");
    };
    line(package.format.as_str());
    line(package.namespace_text());
    line(package.name.as_str());
    line(row.record.version.as_str());
    for AssetRow { record, .. } in assets {
        line(record.name.as_str());
        line(&record.digests.sha256);
    }
    line(&row.manifest);
    if let Some(document) = &row.document {
        line(document);
    }
    BASE64.encode(hash.finalize())
}

/// How a version that a client publishes to this repository enters the domain.
pub(crate) fn internal(repository: &Repository) -> Origin {
    Origin {
        origin_type: OriginType::Internal,
        repository: Some(repository.name.clone()),
        connection: None,
    }
}
