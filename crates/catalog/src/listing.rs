//! The versions of a package that a repository can serve, its upstreams merged in.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use aws::Timestamp;
use store::Row;

use crate::format::Format;
use crate::names::{AssetName, ConnectionName, PackageId, Version, VersionId};
use crate::open::{OpenRepository, note_package};
use crate::package::{Origin, OriginType, Status};
use crate::publish::Promise;
use crate::record::{self, PackageRow, VersionRow};
use crate::refreshed::{self, Refreshed};
use crate::remote::{Remote, RemoteError, RemoteListing, RemoteVersion};
use crate::rendered::Sources;
use crate::repository::Repository;
use crate::screen::{View, screen};
use crate::upstream::{Stop, Walk};
use crate::{Catalog, Error, Result, labels};

/// Every version of a package that a repository can serve, its upstreams merged in.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Which package.
    pub package: PackageId,
    /// Versions that a client may see, in the format's order, oldest first.
    pub versions: Vec<ListedVersion>,
    /// Names for versions, like npm's `latest`. Where a repository and an upstream name differently, the upstream counts;
    /// names for versions that are not listed are left out.
    pub labels: BTreeMap<String, Version>,
    /// The newest change among the facts in it. Never the time of asking: the same facts give the same time.
    pub changed: Timestamp,
    /// Whether a registry that should have been asked could not be, and nothing kept of it was at hand.
    pub is_partial: bool,
}

/// A version in a listing.
#[derive(Debug, Clone)]
pub struct ListedVersion {
    /// Which version.
    pub version: Version,
    /// Its state in the repository that decides: the first that has it.
    pub status: Status,
    /// When it was published; at the registry, if it comes from one and the registry says so.
    pub published: Option<Timestamp>,
    /// How it entered the domain, or would.
    pub origin: Origin,
    /// Whether a repository records it, so that what is said of its files is known and not promised.
    pub is_recorded: bool,
    /// The format's own document of it, JSON text. Only for formats with [`Format::lists_contents`], as are its files.
    pub document: Option<Arc<str>>,
    /// Its files.
    pub assets: Vec<ListedAsset>,
}

/// A file of a version in a listing.
#[derive(Debug, Clone)]
pub struct ListedAsset {
    /// Its name.
    pub name: AssetName,
    /// Size and digests: known, or promised by the registry that has it.
    pub bytes: Promise,
    /// When it was stored, or changed at its registry.
    pub modified: Option<Timestamp>,
    /// The format's own document of it, JSON text.
    pub document: Option<Arc<str>>,
}

/// Whether there is a version of a package `$1` whose origin is not `$2`.
const OWN: &str = "
    SELECT id
      FROM versions
     WHERE package_id = $1
       AND origin_type <> $2
     LIMIT 1";

const PACKAGES: &str = "
    SELECT id, format, namespace, name, publish, upstream, edited
      FROM packages
     WHERE repository_id = $1
       AND format = $2
       AND (namespace > $3 OR (namespace = $3 AND name > $4))
     ORDER BY namespace, name
     LIMIT $5";

impl OpenRepository {
    /// Every version it can serve, upstreams merged. `None` when no repository and no registry on the way knows the
    /// package. Retains nothing. Errors: `Denied`; `Remote` when a registry cannot be asked and nothing at all is known.
    pub async fn package(&self, id: &PackageId) -> Result<Option<Listing>> {
        note_package(id);
        self.may_read().await?;
        self.list(id).await.map(|(listing, _)| listing)
    }

    /// One version as it is served, listed or not: as the first repository on the way that has it records it. `None`
    /// when none has; what only registries have is in [`OpenRepository::package`]. Errors: `Denied`, `Held`.
    pub async fn version(&self, id: &VersionId) -> Result<Option<ListedVersion>> {
        note_package(&id.package);
        self.may_read().await?;
        let catalog = &self.catalog;
        let mut walk = Walk::begin(catalog, &self.repository, self.format, &id.package).await?;
        while let Some(stop) = walk.next(catalog).await? {
            if let Some(package) = &stop.package
                && let Some(row) = catalog.recorded_version(package, &id.version).await?
            {
                screen(row.record.status, View::Serve, || id.to_string()).map_err(Error::Held)?;
                let values = vec![row.id.as_str().into()];
                let rows = catalog.0.database.rows(record::ASSETS, values).await?;
                let assets = rows.iter().map(read_listed_asset).collect::<Result<_>>()?;
                return Ok(Some(listed(row, assets)));
            }
            walk.go_on(catalog, &stop, self.format);
        }
        Ok(None)
    }

    /// The registries on the way that may know of a package, nearest first. None for one that was published on the way:
    /// its name is nobody else's business.
    pub async fn registries(&self, id: &PackageId) -> Result<Vec<Remote>> {
        self.may_read().await?;
        let catalog = &self.catalog;
        let mut walk = Walk::begin(catalog, &self.repository, self.format, id).await?;
        let mut registries = Vec::new();
        while let Some(stop) = walk.next(catalog).await? {
            if let Some(package) = &stop.package {
                let values = vec![
                    package.id.as_str().into(),
                    OriginType::External.as_str().into(),
                ];
                if !catalog.0.database.rows(OWN, values).await?.is_empty() {
                    return Ok(Vec::new());
                }
            }
            registries.extend(walk.go_on(catalog, &stop, self.format));
        }
        Ok(registries)
    }

    /// Packages of this format that this very repository records, by namespace and name, from after `after` on.
    pub async fn packages(&self, after: Option<&PackageId>, limit: u32) -> Result<Vec<PackageId>> {
        self.may_read().await?;
        let rows = self.package_rows(after, limit).await?;
        Ok(rows.into_iter().map(|(id, _)| id).collect())
    }

    async fn package_rows(
        &self,
        after: Option<&PackageId>,
        limit: u32,
    ) -> Result<Vec<(PackageId, PackageRow)>> {
        let values = vec![
            (&*self.repository.id).into(),
            self.format.name().as_str().into(),
            after.map_or("", PackageId::namespace_text).into(),
            after.map_or("", |id| id.name.as_str()).into(),
            limit.into(),
        ];
        let rows = self.catalog.0.database.rows(PACKAGES, values).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    crate::change::read_package_id(row)?,
                    record::read_package(row)?,
                ))
            })
            .collect()
    }

    /// The list, and what it was made from.
    pub(crate) async fn list(&self, id: &PackageId) -> Result<(Option<Listing>, Sources)> {
        let mut walk = Walk::begin(&self.catalog, &self.repository, self.format, id).await?;
        let mut merging = Merging::new(self.format);
        let mut sources = Sources::default();
        let mut recorders = Vec::new();
        while let Some(stop) = walk.next(&self.catalog).await? {
            self.add_recorded(&mut merging, &stop, id).await?;
            if stop.package.is_some() {
                recorders.push(Arc::clone(&stop.repository));
            }
            if let Some(remote) = walk.go_on(&self.catalog, &stop, self.format) {
                // Before it is read: what is read is this or newer, and if newer it is read again next time.
                sources.add(self.format, &remote, id).await;
                match self.format.look_up(&remote, id).await {
                    Ok(Some(listing)) => {
                        merging.add_remote(remote.connection(), stop.depth + 1, listing);
                    }
                    Ok(None) => {}
                    Err(error) => merging.failure = Some(error),
                }
            }
        }
        sources.stamps = walk.stamps();
        let refreshed = std::mem::take(&mut merging.refreshed);
        if !refreshed.is_empty()
            && let Err(error) = self.catalog.remember(recorders, id, refreshed).await
        {
            // The list has it all the same, and the next one tries again.
            tracing::warn!(package = %id, %error, "what a registry says anew of files was not written back");
        }
        Ok((merging.finish(id)?, sources))
    }

    async fn add_recorded(&self, merging: &mut Merging, stop: &Stop, id: &PackageId) -> Result<()> {
        let Some(package) = &stop.package else {
            return Ok(());
        };
        let catalog = &self.catalog;
        let rows = catalog.recorded_versions(&stop.repository, id).await?;
        let mut assets = if self.format.lists_contents() {
            catalog.assets_of_package(&stop.repository, id).await?
        } else {
            HashMap::new()
        };
        if !rows.is_empty() {
            merging.is_known = true;
            merging.changed = merging.changed.max(package.edited);
        }
        merging
            .labels
            .push((stop.depth, catalog.labels(package).await?));
        for row in rows {
            let assets = assets.remove(&row.id).unwrap_or_default();
            merging.add_recorded(row, assets);
        }
        Ok(())
    }
}

/// What is listed of a version that a repository records.
fn listed(row: VersionRow, assets: Vec<ListedAsset>) -> ListedVersion {
    let VersionRow {
        record, document, ..
    } = row;
    // What came from a registry changed there, not when it was taken: taking it must not change the list.
    let at = record.published_upstream.unwrap_or(record.published);
    ListedVersion {
        version: record.version,
        status: record.status,
        published: Some(at),
        origin: record.origin,
        is_recorded: true,
        document: document.map(Arc::from),
        assets,
    }
}

/// What was decided about a version by the first that has it.
enum Decided {
    Hidden,
    Shown {
        index: usize,
        /// The registry from which it may still be brought up to date.
        refreshed_by: Option<ConnectionName>,
    },
}

/// The versions of a package, as they are found on the way. The first that has a version decides about it.
struct Merging {
    format: &'static dyn Format,
    /// By [`Format::identity`].
    decided: HashMap<String, Decided>,
    versions: Vec<ListedVersion>,
    /// With the distance of whoever has them.
    labels: Vec<(usize, BTreeMap<String, Version>)>,
    changed: Option<Timestamp>,
    is_known: bool,
    failure: Option<RemoteError>,
    /// What a registry says anew of files that are recorded.
    refreshed: Vec<Refreshed>,
}

impl Merging {
    fn new(format: &'static dyn Format) -> Self {
        Self {
            format,
            decided: HashMap::new(),
            versions: Vec::new(),
            labels: Vec::new(),
            changed: None,
            is_known: false,
            failure: None,
            refreshed: Vec::new(),
        }
    }

    fn add_recorded(&mut self, row: VersionRow, assets: Vec<ListedAsset>) {
        let record = &row.record;
        let identity = self.format.identity(&record.version).into_owned();
        if let Some(decided) = self.decided.get_mut(&identity) {
            // What was published on the way, or is held back there, is not mixed with what the registry says now.
            let is_open = record.origin.origin_type == OriginType::External
                && screen(record.status, View::Serve, String::new).is_ok();
            if let (Decided::Shown { refreshed_by, .. }, false) = (decided, is_open) {
                *refreshed_by = None;
            }
            return;
        }
        if screen(record.status, View::List, String::new).is_err() {
            self.decided.insert(identity, Decided::Hidden);
            return;
        }
        let decided = Decided::Shown {
            index: self.versions.len(),
            refreshed_by: record.origin.connection.clone(),
        };
        self.decided.insert(identity, decided);
        let listed = listed(row, assets);
        self.changed = self.changed.max(listed.published);
        self.versions.push(listed);
    }

    fn add_remote(&mut self, connection: &ConnectionName, depth: usize, listing: RemoteListing) {
        self.is_known = true;
        self.changed = self.changed.max(Some(listing.changed));
        self.labels.push((depth, listing.labels));
        for seen in listing.versions {
            let identity = self.format.identity(&seen.version).into_owned();
            match self.decided.get(&identity) {
                None => self.add_seen(connection, identity, seen),
                Some(Decided::Shown {
                    index,
                    refreshed_by: Some(by),
                }) if by == connection => {
                    let listed = &mut self.versions[*index];
                    let refresh = |listed: &mut _| self.format.refresh(listed, &seen);
                    self.refreshed
                        .extend(refreshed::watch(listed, connection, refresh));
                }
                Some(_) => {}
            }
        }
    }

    fn add_seen(&mut self, connection: &ConnectionName, identity: String, seen: RemoteVersion) {
        let decided = Decided::Shown {
            index: self.versions.len(),
            refreshed_by: None,
        };
        self.decided.insert(identity, decided);
        self.versions.push(ListedVersion {
            version: seen.version,
            status: Status::Published,
            published: seen.published,
            origin: Origin {
                origin_type: OriginType::External,
                repository: None,
                connection: Some(connection.clone()),
            },
            is_recorded: false,
            document: seen.document,
            assets: seen.assets,
        });
    }

    fn finish(mut self, id: &PackageId) -> Result<Option<Listing>> {
        if !self.is_known {
            return match self.failure {
                Some(error) => Err(error.into()),
                None => Ok(None),
            };
        }
        let format = self.format;
        self.versions.sort_by(|a, b| {
            format
                .order(&a.version, &b.version)
                .then_with(|| a.version.cmp(&b.version))
        });
        let mut labels = labels::merge(self.labels);
        labels.retain(|_, version| {
            let identity = format.identity(version);
            matches!(self.decided.get(&*identity), Some(Decided::Shown { .. }))
        });
        Ok(Some(Listing {
            package: id.clone(),
            labels,
            changed: self.changed.unwrap_or(Timestamp::from_millis(0)),
            is_partial: self.failure.is_some(),
            versions: self.versions,
        }))
    }
}

/// What is listed of a file that a repository has.
fn read_listed_asset(row: &Row) -> Result<ListedAsset> {
    let record::AssetRow {
        record, document, ..
    } = record::read_asset(row)?;
    let digests = record.digests;
    Ok(ListedAsset {
        name: record.name,
        bytes: Promise {
            size_bytes: Some(record.size_bytes),
            md5: Some(digests.md5),
            sha1: Some(digests.sha1),
            sha256: Some(digests.sha256),
            sha512: Some(digests.sha512),
        },
        modified: Some(record.modified),
        document: document.map(Arc::from),
    })
}

impl Catalog {
    /// The files of all versions that a repository records of a package, by the version's row.
    async fn assets_of_package(
        &self,
        repository: &Repository,
        id: &PackageId,
    ) -> Result<HashMap<String, Vec<ListedAsset>>> {
        let values = record::package_key(repository, id);
        let rows = self
            .0
            .database
            .rows(record::ASSETS_OF_PACKAGE, values)
            .await?;
        let mut assets: HashMap<String, Vec<ListedAsset>> = HashMap::new();
        for row in &rows {
            assets
                .entry(row.text("version_id")?)
                .or_default()
                .push(read_listed_asset(row)?);
        }
        Ok(assets)
    }
}
