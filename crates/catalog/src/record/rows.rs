//! The rows of packages, versions and assets, and how one is looked up.

use aws::Timestamp;
use store::{Digests, Location, Row, Tx};

use crate::asset::AssetRecord;
use crate::format::Manifest;
use crate::names::{PackageId, Version};
use crate::package::{Origin, Restrictions, VersionRecord};
use crate::repository::Repository;
use crate::{Error, Result};

/// A package's row.
#[derive(Debug, Clone)]
pub(crate) struct PackageRow {
    pub(crate) id: String,
    pub(crate) restrictions: Restrictions,
    /// When something of it changed that no time of a version tells.
    pub(crate) edited: Option<Timestamp>,
}

/// A version's row.
#[derive(Debug, Clone)]
pub(crate) struct VersionRow {
    pub(crate) id: String,
    pub(crate) record: VersionRecord,
    pub(crate) manifest: String,
    /// The format's own document of it.
    pub(crate) document: Option<String>,
}

impl VersionRow {
    /// What it says of itself; `None` while the file that says it is not here.
    pub(crate) fn manifest(&self) -> Result<Option<Manifest>> {
        if self.manifest == NO_MANIFEST {
            return Ok(None);
        }
        serde_json::from_str(&self.manifest)
            .map(Some)
            .map_err(Error::internal)
    }
}

/// An asset's row, with its blob's.
#[derive(Debug, Clone)]
pub(crate) struct AssetRow {
    pub(crate) record: AssetRecord,
    pub(crate) location: Location,
    pub(crate) blob_id: String,
    /// The format's own document of it.
    pub(crate) document: Option<String>,
}

pub(crate) const PACKAGE: &str = "
    SELECT id, publish, upstream, edited
      FROM packages
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4";

pub(crate) const VERSION: &str = "
    SELECT id, version, status, revision, origin_type, origin_repository, origin_connection, published,
           published_upstream, manifest, document
      FROM versions
     WHERE package_id = $1
       AND version = $2";

pub(crate) const VERSIONS: &str = "
    SELECT versions.id, version, status, revision, origin_type, origin_repository, origin_connection, published,
           published_upstream, manifest, document
      FROM packages
      JOIN versions ON versions.package_id = packages.id
     WHERE packages.repository_id = $1
       AND packages.format = $2
       AND packages.namespace = $3
       AND packages.name = $4
     ORDER BY version";

/// As [`VERSIONS`], without what a version says of itself, which is long.
pub(crate) const RECORDS: &str = "
    SELECT version, status, revision, origin_type, origin_repository, origin_connection, published, published_upstream
      FROM packages
      JOIN versions ON versions.package_id = packages.id
     WHERE packages.repository_id = $1
       AND packages.format = $2
       AND packages.namespace = $3
       AND packages.name = $4
     ORDER BY version";

pub(crate) const ASSETS: &str = "
    SELECT assets.name, assets.modified, assets.document AS asset_document, blobs.id AS blob_id, blobs.size_bytes, blobs.md5, blobs.sha1, blobs.sha256,
           blobs.sha512, blobs.location
      FROM assets
      JOIN blobs ON blobs.id = assets.blob_id
     WHERE assets.version_id = $1
     ORDER BY assets.name";

/// Those of all versions of a package.
pub(crate) const ASSETS_OF_PACKAGE: &str = "
    SELECT assets.version_id, assets.name, assets.modified, assets.document AS asset_document, blobs.id AS blob_id,
           blobs.size_bytes, blobs.md5, blobs.sha1, blobs.sha256, blobs.sha512, blobs.location
      FROM packages
      JOIN versions ON versions.package_id = packages.id
      JOIN assets ON assets.version_id = versions.id
      JOIN blobs ON blobs.id = assets.blob_id
     WHERE packages.repository_id = $1
       AND packages.format = $2
       AND packages.namespace = $3
       AND packages.name = $4
     ORDER BY assets.name";

/// The manifest of a version whose describing file is not here.
pub(crate) const NO_MANIFEST: &str = "{}";

/// The four values that name a package in a repository.
pub(crate) fn package_key(repository: &Repository, id: &PackageId) -> Vec<store::Value> {
    vec![
        (&*repository.id).into(),
        id.format.as_str().into(),
        id.namespace_text().into(),
        id.name.as_str().into(),
    ]
}

pub(crate) fn package(
    tx: &mut Tx<'_>,
    repository: &Repository,
    id: &PackageId,
) -> Result<Option<PackageRow>> {
    tx.rows(PACKAGE, &package_key(repository, id))?
        .first()
        .map(read_package)
        .transpose()
}

pub(crate) fn version(
    tx: &mut Tx<'_>,
    package: &PackageRow,
    version: &Version,
) -> Result<Option<VersionRow>> {
    let rows = tx.rows(
        VERSION,
        &[package.id.as_str().into(), version.as_str().into()],
    )?;
    rows.first().map(read_version).transpose()
}

pub(crate) fn assets(tx: &mut Tx<'_>, version: &VersionRow) -> Result<Vec<AssetRow>> {
    tx.rows(ASSETS, &[version.id.as_str().into()])?
        .iter()
        .map(read_asset)
        .collect()
}

pub(crate) fn read_package(row: &Row) -> Result<PackageRow> {
    let restrictions = Restrictions {
        publish: row.parse("publish")?,
        upstream: row.parse("upstream")?,
    };
    Ok(PackageRow {
        id: row.text("id")?,
        restrictions,
        edited: row.opt_int("edited")?.map(Timestamp::from_millis),
    })
}

pub(crate) fn read_version(row: &Row) -> Result<VersionRow> {
    Ok(VersionRow {
        id: row.text("id")?,
        record: read_record(row)?,
        manifest: row.text("manifest")?,
        document: row.opt_text("document")?,
    })
}

pub(crate) fn read_record(row: &Row) -> Result<VersionRecord> {
    Ok(VersionRecord {
        version: row.parse("version")?,
        status: row.parse("status")?,
        revision: row.text("revision")?,
        origin: Origin {
            origin_type: row.parse("origin_type")?,
            repository: row.opt_parse("origin_repository")?,
            connection: row.opt_parse("origin_connection")?,
        },
        published: Timestamp::from_millis(row.int("published")?),
        published_upstream: row
            .opt_int("published_upstream")?
            .map(Timestamp::from_millis),
    })
}

pub(crate) fn read_asset(row: &Row) -> Result<AssetRow> {
    Ok(AssetRow {
        record: AssetRecord {
            name: row.parse("name")?,
            size_bytes: row.size("size_bytes")?,
            digests: Digests {
                md5: row.text("md5")?,
                sha1: row.text("sha1")?,
                sha256: row.text("sha256")?,
                sha512: row.text("sha512")?,
            },
            modified: Timestamp::from_millis(row.int("modified")?),
        },
        location: row.parse("location")?,
        document: row.opt_text("asset_document")?,
        blob_id: row.text("blob_id")?,
    })
}
