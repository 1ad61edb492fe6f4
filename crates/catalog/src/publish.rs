//! Publishing: bytes first, then one transaction. There is no other way for a client's bytes to get in.

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;
use store::{Digests, Stored};

use crate::asset::AssetRecord;
use crate::change::By;
use crate::error::Kind;
use crate::format::{Described, Format, Manifest};
use crate::names::{AssetName, VersionId};
use crate::package::{PackageAt, Status, VersionRecord};
use crate::permit::Permit;
use crate::receive::Received;
use crate::record::{self, NewAsset, NewBytes, Recording, VersionRow, Way};
use crate::repository::{self, Repository};
use crate::upstream::Walk;
use crate::{Catalog, Error, Result, origin};

/// A version being published. Dropped: nothing is visible, and the bytes are swept.
pub struct Publication {
    catalog: Catalog,
    repository: Arc<Repository>,
    format: &'static dyn Format,
    by: By,
    id: VersionId,
    existing: Option<VersionRow>,
    /// Whether a finished version takes more files.
    open_ended: bool,
    added: Vec<NewAsset>,
    manifest: Option<Manifest>,
    document: Option<String>,
    labels: Vec<String>,
}

/// What a sender promises about the bytes that follow. Compared before anything is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Length in bytes.
    pub size_bytes: Option<u64>,
    /// MD5, lower-case hex.
    pub md5: Option<String>,
    /// SHA-1, lower-case hex.
    pub sha1: Option<String>,
    /// SHA-256, lower-case hex.
    pub sha256: Option<String>,
    /// SHA-512, lower-case hex.
    pub sha512: Option<String>,
}

impl Promise {
    /// Compares with what came. `Err` says what differs.
    pub(crate) fn check(
        &self,
        size_bytes: u64,
        digests: &Digests,
    ) -> std::result::Result<(), String> {
        if let Some(promised) = self.size_bytes
            && promised != size_bytes
        {
            return Err(format!(
                "{promised} bytes were promised and {size_bytes} came"
            ));
        }
        for (algorithm, promised, came) in [
            ("SHA-512", &self.sha512, &digests.sha512),
            ("SHA-256", &self.sha256, &digests.sha256),
            ("SHA-1", &self.sha1, &digests.sha1),
            ("MD5", &self.md5, &digests.md5),
        ] {
            if let Some(promised) = promised
                && promised != came
            {
                return Err(format!(
                    "its {algorithm} is {came}, not the promised {promised}"
                ));
            }
        }
        Ok(())
    }
}

/// What becomes of the version when its publication is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is finished: Published, if it was Unfinished or new.
    Publish,
    /// It stays as it is; a new one is Unfinished.
    Leave,
}

/// What was published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version, as it is now.
    pub version: VersionRecord,
    /// Whether anything is new; `false` when all of it was here already with the same bytes.
    pub is_new: bool,
}

impl Publication {
    /// Checks, in this order: origin controls, the state of the version, whether an upstream has it.
    pub(crate) async fn begin(permit: &Permit<PackageAt>, id: VersionId) -> Result<Self> {
        let catalog = permit.catalog.clone();
        let repository = Arc::clone(&permit.repository);
        let by = permit.by();
        let format = catalog
            .0
            .formats
            .named(id.package.format.as_str())
            .ok_or_else(|| {
                Error::Invalid(format!(
                    "packages of format `{}` cannot be published here yet",
                    id.package.format
                ))
            })?;
        let mut walk = Walk::begin(&catalog, &repository, format, &id.package).await?;
        let here = walk.next(&catalog).await?;
        let here = here.ok_or_else(|| Error::internal("a walk has no beginning"))?;
        walk.ruling()
            .may_publish(&repository, here.package.as_ref(), by.now)?;
        let mut id = id;
        let existing = catalog.recorded_as(&here, format, &id).await?;
        if let Some(row) = &existing {
            id.version.clone_from(&row.record.version);
        }
        match existing.as_ref().map(|row| row.record.status) {
            Some(status @ (Status::Archived | Status::Disposed)) => {
                return Err(Error::conflict(
                    Kind::PackageVersion,
                    id.version.as_str(),
                    format!("Package version {id} already exists and is {status}"),
                ));
            }
            Some(_) => {}
            None => {
                let remote = walk.go_on(&catalog, &here, format);
                if let Some(place) = catalog.has_beyond(walk, remote, format, &id).await? {
                    return Err(Error::conflict(
                        Kind::PackageVersion,
                        id.version.as_str(),
                        format!("Package version {id} already exists in {place}"),
                    ));
                }
            }
        }
        Ok(Self {
            catalog,
            repository,
            format,
            by,
            id,
            existing,
            open_ended: format.retention().open_ended,
            added: Vec::new(),
            manifest: None,
            document: None,
            labels: Vec::new(),
        })
    }

    /// Lets nobody add files to a finished version, even where the format would: with AWS's operation, publishing ends
    /// when a version is finished.
    #[must_use]
    pub fn only_until_finished(mut self) -> Self {
        self.open_ended = false;
        self
    }

    /// Which version.
    pub fn id(&self) -> &VersionId {
        &self.id
    }

    /// All versions of the package that the repository records, in any state, by version text. Needs no permission to
    /// read: who may publish is told what is in the way.
    pub async fn versions(&self) -> Result<Vec<VersionRecord>> {
        self.catalog
            .version_records(&self.repository, &self.id.package)
            .await
    }

    /// The version as it was when the publication began, if it existed.
    pub fn existing(&self) -> Option<&VersionRecord> {
        self.existing.as_ref().map(|row| &row.record)
    }

    /// The files of that version.
    pub async fn existing_assets(&self) -> Result<Vec<AssetRecord>> {
        match &self.existing {
            Some(row) => self.catalog.recorded_assets(&row.id).await,
            None => Ok(Vec::new()),
        }
    }

    /// Stores a file: streams it, computes its digests, compares them with the promise. Nothing is visible yet.
    ///
    /// Errors: `TooLarge`, `Mismatch`, `Interrupted`; `Invalid` when the format cannot read the description in it.
    pub async fn add(
        &mut self,
        name: AssetName,
        body: impl Stream<Item = io::Result<Bytes>> + Send,
        promise: &Promise,
    ) -> Result<Digests> {
        let limit_bytes = self.catalog.0.limits.asset_size_bytes;
        if promise.size_bytes.is_some_and(|size| size > limit_bytes) {
            return Err(Error::TooLarge { limit_bytes });
        }
        let asset = self.id.asset(name);
        let describes = self.format.describes(&asset);
        let limit_bytes = describes.map_or(limit_bytes, |cap| cap.min(limit_bytes));
        let mut incoming = self.catalog.0.blobs.incoming(limit_bytes);
        let mut body = pin!(body);
        while let Some(piece) = body.next().await {
            incoming.write(piece.map_err(Error::Interrupted)?).await?;
        }
        let sealed = incoming.seal().await?;
        let received = Received { sealed };
        received.check(&asset.name, promise)?;
        let stored = received.sealed.keep().await?;
        if describes.is_some() {
            match self.catalog.describe(self.format, &asset, &stored).await {
                Ok(manifest) => self.manifest = manifest,
                Err(error) => {
                    self.catalog.remove_spare(vec![stored.location]).await;
                    return Err(error);
                }
            }
        }
        let digests = stored.digests.clone();
        self.added.push(NewAsset {
            name: asset.name,
            bytes: NewBytes::Stored(stored),
            modified: self.by.now,
            document: None,
        });
        Ok(digests)
    }

    /// Adds a file whose bytes came before it was known what they are; compares them with the promise. `document` is
    /// the format's own document of the file. Nothing is visible yet.
    ///
    /// Errors: `Mismatch`.
    pub async fn add_received(
        &mut self,
        name: AssetName,
        received: Received,
        promise: &Promise,
        document: Option<String>,
    ) -> Result<Digests> {
        received.check(&name, promise)?;
        let stored = received.sealed.keep().await?;
        let digests = stored.digests.clone();
        self.added.push(NewAsset {
            name,
            bytes: NewBytes::Stored(stored),
            modified: self.by.now,
            document,
        });
        Ok(digests)
    }

    /// Says what the version says of itself, where that is not read from a file that [`Format::describes`] names.
    pub fn describe(&mut self, described: Described) {
        let Described {
            manifest, document, ..
        } = described;
        self.manifest = manifest.or(self.manifest.take());
        self.document = document.or(self.document.take());
    }

    /// Names the version, from the moment on that it is visible: npm's `latest`.
    pub fn label(&mut self, label: impl Into<String>) {
        self.labels.push(label.into());
    }

    /// Makes what was added visible, in one transaction, which looks at everything again that may have changed while the
    /// bytes came. Errors: `NotFound` when the repository is gone; `Blocked`; `Conflict` when a file of the name has other
    /// bytes, or the version takes no more files; `Quota`.
    pub async fn commit(self, then: Then) -> Result<Published> {
        let Self {
            catalog,
            repository,
            by,
            id,
            open_ended,
            added,
            manifest,
            document,
            labels,
            ..
        } = self;
        let brought: Vec<_> = added
            .iter()
            .filter_map(|asset| match &asset.bytes {
                NewBytes::Stored(stored) => Some(stored.location),
                NewBytes::Shared(_) => None,
            })
            .collect();
        let recording = Recording {
            id,
            way: Way::Published,
            origin: record::internal(&repository),
            published_upstream: None,
            assets: added,
            manifest,
            yields: false,
            document,
            labels,
            status: if then == Then::Publish {
                Status::Published
            } else {
                Status::Unfinished
            },
            open_ended,
            assets_per_version: catalog.0.limits.assets_per_version,
        };
        let recorded = catalog
            .0
            .database
            .write(move |tx| {
                repository::still_there(tx, &repository)?;
                origin::still_may_publish(tx, &repository, &recording.id.package, by.now)?;
                record::record(tx, &repository, &by, &recording)
            })
            .await;
        match recorded {
            Ok(recorded) => {
                catalog.remove_spare(recorded.spare).await;
                Ok(Published {
                    version: recorded.version.record,
                    is_new: recorded.is_new,
                })
            }
            Err(error) => {
                // After an unclear commit the bytes may be referred to: then they stay, and the sweep decides.
                if !matches!(error, Error::Unavailable(_) | Error::Internal(_)) {
                    catalog.remove_spare(brought).await;
                }
                Err(error)
            }
        }
    }
}

impl Catalog {
    /// What a file says of its version, if the format reads it.
    async fn describe(
        &self,
        format: &dyn Format,
        asset: &crate::AssetId,
        stored: &Stored,
    ) -> Result<Option<Manifest>> {
        let cap = format.describes(asset).unwrap_or_default();
        let bytes = self.0.blobs.read_all(&stored.location, cap).await?;
        format
            .describe(asset, &bytes)
            .map(Some)
            .map_err(|problem| Error::Invalid(problem.to_string()))
    }

    /// Removes bytes that nothing refers to. Failing is no harm: the sweep finds them.
    pub(crate) async fn remove_spare(&self, locations: Vec<store::Location>) {
        for location in locations {
            if let Err(error) = self.0.blobs.remove(&location).await {
                tracing::debug!(%location, error = %error, "spare bytes are left to the sweep");
            }
        }
    }
}
