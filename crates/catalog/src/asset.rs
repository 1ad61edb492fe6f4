//! Files of versions, and the one way their bytes leave.

use std::ops::Range;
use std::sync::Arc;

use aws::Timestamp;
use bytes::Bytes;
use store::{ByteStream, Digests, Location};

use crate::fetch::{Arriving, Fetched};
use crate::names::{AssetId, AssetName, VersionId};
use crate::package::{OriginType, Status, VersionRecord};
use crate::remote::{Asking, Document, Remote, RemoteAsset};
use crate::repository::Repository;
use crate::screen::{View, screen, screen_bytes};
use crate::shelf::ShelvedAsset;
use crate::{Catalog, Error, Result, record};

/// A file of a version, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetRecord {
    /// Its name.
    pub name: AssetName,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Its digests.
    pub digests: Digests,
    /// When it was stored, or when the registry it came from says it was last changed.
    pub modified: Timestamp,
}

/// A file that may be served: its facts, and its bytes when asked for.
///
/// While it is still being fetched from a registry, size and digests may not be known; [`Asset::settled`] waits.
pub struct Asset {
    /// Which file.
    pub id: AssetId,
    /// When it was stored here, or last changed at its registry.
    pub modified: Timestamp,
    catalog: Catalog,
    source: Source,
}

enum Source {
    /// Stored.
    Recorded(Arc<ShelvedAsset>),
    /// Made from the version's name.
    Derived(AssetRecord, Bytes),
    /// On its way from a registry, to be retained in a repository.
    Arriving(Arc<Arriving>, Arc<Repository>),
    /// Seen at a registry, not fetched: where it would be taken from and retained.
    Seen(Box<Seen>),
}

/// A file that was looked for at a registry and not fetched.
pub(crate) struct Seen {
    pub(crate) remote: Remote,
    pub(crate) place: RemoteAsset,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) connected: Arc<Repository>,
    pub(crate) wanting: Arc<Repository>,
}

impl Asset {
    pub(crate) fn recorded(catalog: &Catalog, id: &AssetId, asset: Arc<ShelvedAsset>) -> Self {
        let modified = asset.record.modified;
        Self {
            id: id.clone(),
            modified,
            catalog: catalog.clone(),
            source: Source::Recorded(asset),
        }
    }

    pub(crate) fn arriving(
        catalog: &Catalog,
        id: &AssetId,
        arriving: Arc<Arriving>,
        wanting: Arc<Repository>,
    ) -> Self {
        let modified = arriving.modified();
        Self {
            id: id.clone(),
            modified,
            catalog: catalog.clone(),
            source: Source::Arriving(arriving, wanting),
        }
    }

    pub(crate) fn seen(
        catalog: &Catalog,
        id: &AssetId,
        modified: Option<Timestamp>,
        seen: Seen,
    ) -> Self {
        Self {
            id: id.clone(),
            modified: modified.unwrap_or_else(|| catalog.now()),
            catalog: catalog.clone(),
            source: Source::Seen(Box::new(seen)),
        }
    }

    /// Its size in bytes, if known.
    pub fn size_bytes(&self) -> Option<u64> {
        match &self.source {
            Source::Recorded(asset) => Some(asset.record.size_bytes),
            Source::Derived(record, _) => Some(record.size_bytes),
            Source::Arriving(arriving, _) => arriving.size_bytes(),
            Source::Seen(seen) => seen.size_bytes,
        }
    }

    /// Its digests, if known: always, except while it is being fetched, or was only looked at.
    pub fn digests(&self) -> Option<&Digests> {
        match &self.source {
            Source::Recorded(asset) => Some(&asset.record.digests),
            Source::Derived(record, _) => Some(&record.digests),
            Source::Arriving(..) | Source::Seen(_) => None,
        }
    }

    /// Its SHA-256 in hex: known, or, of a file that was only looked at, promised by its registry.
    pub fn sha256(&self) -> Option<&str> {
        match &self.source {
            Source::Seen(seen) => seen.place.promise.sha256.as_deref(),
            _ => self.digests().map(|digests| digests.sha256.as_str()),
        }
    }

    /// Whether it was only looked at: nothing of it is here.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self.source, Source::Seen(_))
    }

    /// A part of a file that was only looked at, from its registry and not kept. `None`: the registry sends no parts.
    pub async fn part(&self, range: Range<u64>) -> Result<Option<ByteStream>> {
        match &self.source {
            Source::Seen(seen) => Ok(seen.remote.open_part(&seen.place.path, range).await?),
            _ => self.bytes(Some(range)).await.map(Some),
        }
    }

    /// A document that stands beside a file that was only looked at, its address the file's and then `suffix`. `None`:
    /// there is none, or the file is here.
    pub async fn beside(&self, suffix: &str, asking: &Asking) -> Result<Option<Document>> {
        let Source::Seen(seen) = &self.source else {
            return Ok(None);
        };
        let path = format!("{}{suffix}", seen.place.path);
        Ok(seen.remote.document(&path, asking).await?)
    }

    /// The format's own document of a file that was only looked at, as its registry's list has it.
    pub fn promised_document(&self) -> Option<&str> {
        match &self.source {
            Source::Seen(seen) => seen.place.document.as_deref(),
            _ => None,
        }
    }

    /// Where its bytes are, if it is stored.
    pub(crate) fn location(&self) -> Option<&Location> {
        match &self.source {
            Source::Recorded(asset) => Some(&asset.location),
            Source::Derived(..) | Source::Arriving(..) | Source::Seen(_) => None,
        }
    }

    /// The whole of it, if it is small and in memory already.
    pub fn in_memory(&self) -> Option<Bytes> {
        match &self.source {
            Source::Recorded(asset) => self.catalog.0.blobs.cached(&asset.location),
            Source::Derived(_, bytes) => Some(bytes.clone()),
            Source::Arriving(..) | Source::Seen(_) => None,
        }
    }

    /// Waits until a running fetch has ended, so that size and digests are known and a range can be read. What was only
    /// looked at is fetched.
    pub async fn settled(self) -> Result<Asset> {
        let (arriving, wanting) = match self.source {
            Source::Recorded(_) | Source::Derived(..) => return Ok(self),
            Source::Arriving(arriving, wanting) => (Some(arriving), wanting),
            Source::Seen(seen) => {
                let Seen {
                    connected, wanting, ..
                } = *seen;
                match self.catalog.fetch(&connected, &wanting, &self.id).await? {
                    Some(Fetched::Arriving(arriving)) => (Some(arriving), wanting),
                    Some(Fetched::Kept) => (None, wanting),
                    None => return Err(no_asset(&self.id)),
                }
            }
        };
        if let Some(arriving) = arriving {
            arriving.kept().await?;
        }
        let asset = self.catalog.open_recorded(&wanting, &self.id).await?;
        asset.ok_or_else(|| no_asset(&self.id))
    }

    /// Its bytes, or those of `range` (only when settled). A fetch that fails breaks the stream: it never ends cleanly.
    pub async fn bytes(&self, range: Option<Range<u64>>) -> Result<ByteStream> {
        match &self.source {
            Source::Recorded(asset) => self
                .catalog
                .0
                .blobs
                .read(&asset.location, asset.record.size_bytes, range)
                .await
                .map_err(Error::from),
            Source::Derived(_, bytes) => {
                let length = bytes.len();
                let range = range.map_or(0..length, |range| {
                    let end = usize::try_from(range.end).unwrap_or(length).min(length);
                    usize::try_from(range.start).unwrap_or(end).min(end)..end
                });
                let piece = bytes.slice(range);
                Ok(Box::pin(futures_util::stream::once(
                    async move { Ok(piece) },
                )))
            }
            Source::Arriving(arriving, _) => Ok(arriving.bytes()),
            Source::Seen(_) => Err(Error::internal(
                "an asset that was only looked at has no bytes",
            )),
        }
    }
}

/// What is said of a file that is nowhere.
pub(crate) fn no_asset(id: &AssetId) -> Error {
    Error::not_found(
        crate::Kind::Asset,
        id.name.as_str(),
        format!(
            "Asset not found. Asset '{}' does not exist in package version {}",
            id.name, id.version
        ),
    )
}

const RECORDED: &str = "
    SELECT versions.version, versions.status, versions.revision, versions.origin_type, versions.origin_repository,
           versions.origin_connection, versions.published, versions.published_upstream, NULL AS asset_document,
           assets.name, assets.modified, blobs.id AS blob_id, blobs.size_bytes, blobs.md5, blobs.sha1, blobs.sha256,
           blobs.sha512, blobs.location, quarantined_blobs.blob_id AS quarantined
      FROM packages
      JOIN versions ON versions.package_id = packages.id
      JOIN assets ON assets.version_id = versions.id
      JOIN blobs ON blobs.id = assets.blob_id
      LEFT JOIN quarantined_blobs ON quarantined_blobs.blob_id = blobs.id
     WHERE packages.repository_id = $1
       AND packages.format = $2
       AND packages.namespace = $3
       AND packages.name = $4
       AND versions.version = $5
       AND assets.name = $6";

impl Catalog {
    /// A file that this very repository records; `None` when it has none of the name. Errors: `Held`.
    pub(crate) async fn open_recorded(
        &self,
        repository: &Arc<Repository>,
        id: &AssetId,
    ) -> Result<Option<Asset>> {
        let shelved = match self.0.shelf.asset(repository, id) {
            Some(shelved) => shelved,
            None => match self.read_asset(repository, id).await? {
                Some(shelved) => shelved,
                None => return self.open_derived(repository, id).await,
            },
        };
        screen(shelved.version.status, View::Serve, || id.to_string()).map_err(Error::Held)?;
        screen_bytes(shelved.is_quarantined, || id.to_string()).map_err(Error::Held)?;
        Ok(Some(Asset::recorded(self, id, shelved)))
    }

    async fn read_asset(
        &self,
        repository: &Arc<Repository>,
        id: &AssetId,
    ) -> Result<Option<Arc<ShelvedAsset>>> {
        let stamp = self.0.shelf.stamp(&repository.topic);
        let mut values = record::package_key(repository, &id.version.package);
        values.push(id.version.version.as_str().into());
        values.push(id.name.as_str().into());
        let rows = self.0.database.rows(RECORDED, values).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let asset = record::read_asset(row)?;
        let version = record::read_record(row)?;
        let shelved = Arc::new(ShelvedAsset {
            version,
            record: asset.record,
            location: asset.location,
            is_quarantined: row.opt_text("quarantined")?.is_some(),
        });
        self.0.shelf.put_asset(repository, id, stamp, &shelved);
        Ok(Some(shelved))
    }

    async fn open_derived(
        &self,
        repository: &Arc<Repository>,
        id: &AssetId,
    ) -> Result<Option<Asset>> {
        let Some(format) = self.0.formats.named(id.version.package.format.as_str()) else {
            return Ok(None);
        };
        if format
            .derived(&id.version, true)
            .is_none_or(|(name, _)| name != id.name)
        {
            return Ok(None);
        }
        let Some(version) = self.recorded(repository, &id.version).await? else {
            return Ok(None);
        };
        screen(version.record.status, View::Serve, || id.to_string()).map_err(Error::Held)?;
        Ok(self
            .derived(&id.version, &version.record)
            .map(|(record, bytes)| Asset {
                id: id.clone(),
                modified: record.modified,
                catalog: self.clone(),
                source: Source::Derived(record, bytes),
            }))
    }

    /// The file that the API shows of a version although nobody uploaded it.
    pub(crate) fn derived(
        &self,
        id: &VersionId,
        version: &VersionRecord,
    ) -> Option<(AssetRecord, Bytes)> {
        if matches!(version.status, Status::Unfinished | Status::Disposed) {
            return None;
        }
        let format = self.0.formats.named(id.package.format.as_str())?;
        let (name, bytes) =
            format.derived(id, version.origin.origin_type == OriginType::Internal)?;
        let record = AssetRecord {
            name,
            size_bytes: bytes.len() as u64,
            digests: Digests::of(&bytes),
            modified: version.published,
        };
        Some((record, bytes))
    }
}
