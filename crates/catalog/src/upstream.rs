//! In which order repositories are asked, and what of a package each of them records.
//!
//! Depth first, as listed, each once ("upstreams-and-origin" 2 of the specification). Where [`origin`] does not let a
//! package come in, there is nothing behind a repository for that package.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use crate::asset::{Asset, Seen};
use crate::fetch::Fetched;
use crate::format::Format;
use crate::names::{AssetId, PackageId, Version, VersionId};
use crate::open::Purpose;
use crate::origin::{self, Ruling};
use crate::package::{Origin, VersionRecord};
use crate::record::{self, PackageRow, VERSIONS, VersionRow};
use crate::remote::{Remote, RemoteError};
use crate::repository::Repository;
use crate::screen::{View, screen};
use crate::shelf::{DomainMap, Stamp, domain_topic, package_topic};
use crate::{Catalog, Error, Result};

/// A repository and its upstreams, one after the other, without regard to any package.
pub(crate) struct Order {
    map: Arc<DomainMap>,
    /// Those still to be asked, the next one last.
    ahead: Vec<(Arc<Repository>, usize)>,
    seen: HashSet<Arc<str>>,
    /// How many repositories beside the first may still be asked.
    budget: u32,
    follows_upstreams: bool,
    /// How far the repository last given is from the first.
    depth: usize,
}

/// A walk from a repository through its upstreams, for one package.
pub(crate) struct Walk {
    order: Order,
    from: Arc<Repository>,
    package: PackageId,
    ruling: Ruling,
    /// What the way depends on, as it was before it was looked at.
    stamps: Vec<(Arc<str>, Stamp)>,
}

/// A repository on the walk.
pub(crate) struct Stop {
    pub(crate) repository: Arc<Repository>,
    /// What it records of the package.
    pub(crate) package: Option<PackageRow>,
    /// How far it is from the first: an upstream's upstream is 2.
    pub(crate) depth: usize,
}

impl Order {
    /// Begins at `from`, which is always asked.
    pub(crate) async fn begin(
        catalog: &Catalog,
        from: &Arc<Repository>,
        format: &dyn Format,
    ) -> Result<Self> {
        let map = catalog.find_domain(&from.domain.at()).await?;
        let map = map.ok_or_else(|| crate::permit::no_domain(&from.domain.at()))?;
        Ok(Self {
            map,
            ahead: vec![(Arc::clone(from), 0)],
            seen: HashSet::new(),
            budget: catalog.0.limits.upstreams_searched,
            follows_upstreams: format.retention().upstream,
            depth: 0,
        })
    }

    /// The next repository. Call [`Order::push_upstreams`] to have those behind it asked too.
    pub(crate) fn step(&mut self) -> Option<Arc<Repository>> {
        while let Some((repository, depth)) = self.ahead.pop() {
            let is_first = self.seen.is_empty();
            if self.seen.contains(&repository.id) || (!is_first && self.budget == 0) {
                continue;
            }
            self.seen.insert(Arc::clone(&repository.id));
            if !is_first {
                self.budget -= 1;
            }
            self.depth = depth;
            return Some(repository);
        }
        None
    }

    /// Puts the upstreams of a repository before all others that are still ahead.
    pub(crate) fn push_upstreams(&mut self, repository: &Repository) {
        if self.follows_upstreams {
            for upstream in repository.upstreams.iter().rev() {
                if let Some(upstream) = self.map.repositories.get(upstream) {
                    self.ahead.push((Arc::clone(upstream), self.depth + 1));
                }
            }
        }
    }
}

impl Walk {
    /// Begins at `from`, which is always asked.
    pub(crate) async fn begin(
        catalog: &Catalog,
        from: &Arc<Repository>,
        format: &dyn Format,
        package: &PackageId,
    ) -> Result<Self> {
        let topic: Arc<str> = domain_topic(&from.domain.at()).into();
        let stamp = catalog.0.shelf.stamp(&topic);
        let order = Order::begin(catalog, from, format).await?;
        Ok(Self {
            stamps: vec![(topic, stamp)],
            ruling: Ruling::of(&order.map, package),
            order,
            from: Arc::clone(from),
            package: package.clone(),
        })
    }

    /// What the domain says about the package.
    pub(crate) fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    /// Everything of ours that the way so far depends on, as it was before it was looked at.
    pub(crate) fn stamps(self) -> Vec<(Arc<str>, Stamp)> {
        self.stamps
    }

    /// The next repository. Call [`Walk::go_on`] to have those behind it asked too.
    pub(crate) async fn next(&mut self, catalog: &Catalog) -> Result<Option<Stop>> {
        let Some(repository) = self.order.step() else {
            return Ok(None);
        };
        let topic: Arc<str> = package_topic(&repository, &self.package).into();
        let stamp = catalog.0.shelf.stamp(&topic);
        self.stamps.push((topic, stamp));
        let package = catalog.recorded_package(&repository, &self.package).await?;
        Ok(Some(Stop {
            repository,
            package,
            depth: self.order.depth,
        }))
    }

    /// Goes on behind a repository that did not have what is looked for, as far as [`origin`] lets it come in. Gives its
    /// registry, if it has one of this format, which is to be asked before its upstreams.
    ///
    /// Upstreams are a matter of the repository that would keep what they have, the first; those in between keep nothing,
    /// and are asked for their own controls alone. A registry is a matter of the repository that is connected to it.
    pub(crate) fn go_on(
        &mut self,
        catalog: &Catalog,
        stop: &Stop,
        format: &dyn Format,
    ) -> Option<Remote> {
        let Stop {
            repository,
            package,
            ..
        } = stop;
        if !self.order.follows_upstreams {
            return None;
        }
        let goes_on = if repository.id == self.from.id {
            !repository.upstreams.is_empty() && self.ruling.may_retain(repository, package.as_ref())
        } else {
            origin::may_take(package.as_ref())
        };
        if goes_on {
            self.order.push_upstreams(repository);
        }
        let remote = catalog.remote_for(repository, format, &self.package)?;
        self.ruling
            .may_ingest(repository, package.as_ref())
            .then_some(remote)
    }
}

impl Catalog {
    /// A file that the repository of a request does not have itself, wherever on the way it is.
    ///
    /// A registry that cannot be asked keeps back nothing that is recorded on the way behind it; only where that has no such
    /// file is its failure the answer. "Not found" would send clients to another index.
    pub(crate) async fn find_beyond(
        &self,
        from: &Arc<Repository>,
        format: &'static dyn Format,
        id: &AssetId,
        purpose: Purpose,
    ) -> Result<Option<Asset>> {
        let mut failure = None;
        let found = self
            .look_beyond(from, format, id, purpose, &mut failure)
            .await;
        match (found, failure) {
            (Ok(None) | Err(Error::Held(_)), Some(error)) => Err(error.into()),
            (found, _) => found,
        }
    }

    async fn look_beyond(
        &self,
        from: &Arc<Repository>,
        format: &'static dyn Format,
        id: &AssetId,
        purpose: Purpose,
        failure: &mut Option<RemoteError>,
    ) -> Result<Option<Asset>> {
        let mut walk = Walk::begin(self, from, format, &id.version.package).await?;
        while let Some(stop) = walk.next(self).await? {
            if let Some(row) = self.recorded_as(&stop, format, &id.version).await? {
                // As it is spelled there.
                let id = &id
                    .version
                    .package
                    .version(row.record.version.clone())
                    .asset(id.name.clone());
                let version = &id.version;
                // The first that has the version decides, whatever others have.
                screen(row.record.status, View::Serve, || id.to_string()).map_err(Error::Held)?;
                if let Some(asset) = self.open_recorded(&stop.repository, id).await? {
                    // Not where a registry nearer by may have another one: what is kept is there for good.
                    if purpose == Purpose::Take && failure.is_none() {
                        self.keep(&stop.repository, from, version).await;
                    }
                    return Ok(Some(asset));
                }
                if !format.retention().late_assets {
                    return Ok(None);
                }
                let Some(remote) = walk.go_on(self, &stop, format) else {
                    return self
                        .find_late(from, &stop, walk, format, id, &row.record.origin, purpose)
                        .await;
                };
                if row.record.origin.connection.as_ref() == Some(remote.connection()) {
                    return self
                        .take(&remote, &stop.repository, from, id, purpose)
                        .await;
                }
                return Ok(None);
            }
            let remote = walk.go_on(self, &stop, format);
            // Of two registries the nearer decides, even if it cannot say anything now.
            if let Some(remote) = remote.filter(|_| failure.is_none()) {
                let taken = self.take(&remote, &stop.repository, from, id, purpose);
                match taken.await {
                    Err(Error::Remote(error)) => *failure = Some(error),
                    Ok(None) => {}
                    found => return found,
                }
            }
        }
        Ok(None)
    }

    /// Retains what one repository has of a version in another. That it cannot be kept is no reason not to send it.
    async fn keep(&self, holder: &Arc<Repository>, from: &Arc<Repository>, version: &VersionId) {
        if let Err(error) = self.retain(holder, from, version).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%version, repository = %from.name, error = %error, cause, "sent without being kept");
        }
    }

    /// A further file of a version that a repository records without it: looked for behind that repository, only where
    /// the version came from, so that what was published is never mixed with what a registry has. A repository on the way
    /// that records another version by that name, or holds it back, ends the search.
    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one walk, used once"
    )]
    async fn find_late(
        &self,
        from: &Arc<Repository>,
        holder: &Stop,
        mut walk: Walk,
        format: &'static dyn Format,
        id: &AssetId,
        origin: &Origin,
        purpose: Purpose,
    ) -> Result<Option<Asset>> {
        let version = &id.version;
        while let Some(stop) = walk.next(self).await? {
            if let Some(package) = &stop.package
                && let Some(row) = self.recorded_version(package, &version.version).await?
            {
                let is_held = screen(row.record.status, View::Serve, String::new).is_err();
                if is_held || row.record.origin != *origin {
                    return Ok(None);
                }
                if let Some(asset) = self.open_recorded(&stop.repository, id).await? {
                    if purpose == Purpose::Take {
                        self.keep(&stop.repository, &holder.repository, version)
                            .await;
                        self.keep(&stop.repository, from, version).await;
                    }
                    return Ok(Some(asset));
                }
            }
            if let Some(remote) = walk.go_on(self, &stop, format)
                && origin.connection.as_ref() == Some(remote.connection())
            {
                let asset = self
                    .take(&remote, &stop.repository, from, id, purpose)
                    .await?;
                return Ok(asset);
            }
        }
        Ok(None)
    }

    /// A file of the registry of `connected`: fetched, or only looked at.
    async fn take(
        &self,
        remote: &Remote,
        connected: &Arc<Repository>,
        from: &Arc<Repository>,
        id: &AssetId,
        purpose: Purpose,
    ) -> Result<Option<Asset>> {
        if purpose == Purpose::Look {
            let Some(format) = self.0.formats.named(id.version.package.format.as_str()) else {
                return Ok(None);
            };
            let Some(place) = format.locate(remote, id).await? else {
                return Ok(None);
            };
            let (mut size_bytes, mut modified) = (place.promise.size_bytes, place.published);
            if size_bytes.is_none() {
                let Some(head) = remote.head(&place.path).await? else {
                    return Ok(None);
                };
                (size_bytes, modified) = (head.size_bytes, head.modified);
            }
            let seen = Seen {
                remote: remote.clone(),
                place,
                size_bytes,
                connected: Arc::clone(connected),
                wanting: Arc::clone(from),
            };
            return Ok(Some(Asset::seen(self, id, modified, seen)));
        }
        match self.fetch(connected, from, id).await? {
            None => Ok(None),
            Some(Fetched::Arriving(arriving)) => {
                Ok(Some(Asset::arriving(self, id, arriving, Arc::clone(from))))
            }
            Some(Fetched::Kept) => match self.open_recorded(from, id).await? {
                Some(asset) => Ok(Some(asset)),
                // It could not be recorded where it was wanted; that is no reason not to send it.
                None => self.open_recorded(connected, id).await,
            },
        }
    }

    /// Whether a repository or registry behind the beginning of a walk has a version, and which. A registry that cannot
    /// be asked is taken to have none, as AWS does.
    pub(crate) async fn has_beyond(
        &self,
        mut walk: Walk,
        remote: Option<Remote>,
        format: &dyn Format,
        id: &VersionId,
    ) -> Result<Option<String>> {
        let lists = async |remote: &Remote| match format.look_up(remote, &id.package).await {
            Ok(listing) => listing.is_some_and(|list| {
                let wanted = format.identity(&id.version);
                list.versions
                    .iter()
                    .any(|listed| format.identity(&listed.version) == wanted)
            }),
            Err(error) => {
                tracing::warn!(version = %id, error = %error, "published without asking a registry");
                false
            }
        };
        if let Some(remote) = remote
            && lists(&remote).await
        {
            return Ok(Some(remote.connection().to_string()));
        }
        while let Some(stop) = walk.next(self).await? {
            if self.recorded_as(&stop, format, id).await?.is_some() {
                return Ok(Some(format!(
                    "upstream repository '{}'",
                    stop.repository.name
                )));
            }
            if let Some(remote) = walk.go_on(self, &stop, format)
                && lists(&remote).await
            {
                return Ok(Some(remote.connection().to_string()));
            }
        }
        Ok(None)
    }

    /// The registry of a repository's connection, if that connection is of this format.
    pub(crate) fn remote_of(&self, repository: &Repository, format: &dyn Format) -> Option<Remote> {
        let connection = repository.connection.as_ref()?;
        let is_of_format = format
            .connections()
            .iter()
            .any(|known| known.name == connection.as_str());
        is_of_format.then(|| self.0.remotes.remote(connection))
    }

    /// The same, if it may be asked about this package.
    pub(crate) fn remote_for(
        &self,
        repository: &Repository,
        format: &dyn Format,
        package: &PackageId,
    ) -> Option<Remote> {
        self.remote_of(repository, format)
            .filter(|_| format.may_ask(package))
    }

    /// What a repository records of a package.
    pub(crate) async fn recorded_package(
        &self,
        repository: &Repository,
        id: &PackageId,
    ) -> Result<Option<PackageRow>> {
        let values = record::package_key(repository, id);
        let rows = self.0.database.rows(record::PACKAGE, values).await?;
        rows.first().map(record::read_package).transpose()
    }

    /// What a repository records of one version, be it under another spelling ([`Format::identity`]).
    pub(crate) async fn recorded_as(
        &self,
        stop: &Stop,
        format: &dyn Format,
        id: &VersionId,
    ) -> Result<Option<VersionRow>> {
        let Some(package) = &stop.package else {
            return Ok(None);
        };
        let exactly = self.recorded_version(package, &id.version).await?;
        // Borrowed: in this format each spelling is a version of its own.
        let (None, Cow::Owned(wanted)) = (&exactly, format.identity(&id.version)) else {
            return Ok(exactly);
        };
        let records = self.version_records(&stop.repository, &id.package).await?;
        let same = records
            .into_iter()
            .find(|record| format.identity(&record.version) == wanted);
        match same {
            Some(record) => self.recorded_version(package, &record.version).await,
            None => Ok(None),
        }
    }

    /// What a repository records of one version.
    pub(crate) async fn recorded_version(
        &self,
        package: &PackageRow,
        version: &Version,
    ) -> Result<Option<VersionRow>> {
        let values = vec![package.id.as_str().into(), version.as_str().into()];
        let rows = self.0.database.rows(record::VERSION, values).await?;
        rows.first().map(record::read_version).transpose()
    }

    /// What a repository records of one version, of a package that need not be there.
    pub(crate) async fn recorded(
        &self,
        repository: &Repository,
        id: &VersionId,
    ) -> Result<Option<VersionRow>> {
        match self.recorded_package(repository, &id.package).await? {
            Some(package) => self.recorded_version(&package, &id.version).await,
            None => Ok(None),
        }
    }

    /// All versions of a package that a repository records, without what they say of themselves.
    pub(crate) async fn version_records(
        &self,
        repository: &Repository,
        id: &PackageId,
    ) -> Result<Vec<VersionRecord>> {
        let values = record::package_key(repository, id);
        let rows = self.0.database.rows(record::RECORDS, values).await?;
        rows.iter().map(record::read_record).collect()
    }

    /// What a repository records of all versions of a package.
    pub(crate) async fn recorded_versions(
        &self,
        repository: &Repository,
        id: &PackageId,
    ) -> Result<Vec<VersionRow>> {
        let rows = self
            .0
            .database
            .rows(VERSIONS, record::package_key(repository, id))
            .await?;
        rows.iter().map(record::read_version).collect()
    }
}
