//! In which order repositories are asked, and what of a package each of them records.
//!
//! Depth first, as listed, each once ("upstreams-and-origin" 2 of the specification). A repository whose own origin
//! control blocks upstreams for a package is a leaf for that package.

use std::collections::HashSet;
use std::sync::Arc;

use crate::format::Format;
use crate::names::{PackageId, Version};
use crate::origin;
use crate::record::{self, PackageRow, VERSIONS, VersionRow};
use crate::remote::Remote;
use crate::repository::Repository;
use crate::shelf::DomainMap;
use crate::{Catalog, Result};

const PACKAGE: &str = "
    SELECT id, publish, upstream
      FROM packages
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4";

const VERSION: &str = "
    SELECT id, version, status, revision, origin_type, origin_repository, origin_connection, published,
           published_upstream, manifest
      FROM versions
     WHERE package_id = $1
       AND version = $2";

/// A walk from a repository through its upstreams, for one package.
pub(crate) struct Walk {
    map: Arc<DomainMap>,
    /// Those still to be asked, the next one last.
    ahead: Vec<Arc<Repository>>,
    seen: HashSet<Arc<str>>,
    /// How many repositories beside the first may still be asked.
    budget: u32,
    follows_upstreams: bool,
}

/// A repository on the walk.
pub(crate) struct Stop {
    pub(crate) repository: Arc<Repository>,
    /// What it records of the package.
    pub(crate) package: Option<PackageRow>,
}

impl Walk {
    /// Begins at `from`, which is always asked.
    pub(crate) async fn begin(catalog: &Catalog, from: &Arc<Repository>, format: &dyn Format) -> Result<Self> {
        let map = catalog.find_domain(&from.domain.at()).await?;
        let map = map.ok_or_else(|| crate::permit::no_domain(&from.domain.at()))?;
        Ok(Self {
            map,
            ahead: vec![Arc::clone(from)],
            seen: HashSet::new(),
            budget: catalog.0.limits.upstreams_searched,
            follows_upstreams: format.retention().upstream,
        })
    }

    /// The next repository. Call [`Walk::go_on`] to have those behind it asked too.
    pub(crate) async fn next(&mut self, catalog: &Catalog, package: &PackageId) -> Result<Option<Stop>> {
        while let Some(repository) = self.ahead.pop() {
            let is_first = self.seen.is_empty();
            if self.seen.contains(&repository.id) || (!is_first && self.budget == 0) {
                continue;
            }
            self.seen.insert(Arc::clone(&repository.id));
            if !is_first {
                self.budget -= 1;
            }
            let rows = catalog.0.database.rows(PACKAGE, record::package_key(&repository, package)).await?;
            let package = rows.first().map(record::read_package).transpose()?;
            return Ok(Some(Stop { repository, package }));
        }
        Ok(None)
    }

    /// Goes on behind a repository that did not have what is looked for, unless its origin control forbids. Gives its
    /// registry, if it has one of this format, which is to be asked before its upstreams.
    pub(crate) fn go_on(&mut self, catalog: &Catalog, stop: &Stop, format: &dyn Format) -> Option<Remote> {
        if !self.follows_upstreams || !origin::may_take(stop.package.as_ref()) {
            return None;
        }
        for upstream in stop.repository.upstreams.iter().rev() {
            self.ahead.extend(self.map.repositories.get(upstream).cloned());
        }
        catalog.remote_of(&stop.repository, format)
    }
}

impl Catalog {
    /// The registry of a repository's connection, if that connection is of this format.
    pub(crate) fn remote_of(&self, repository: &Repository, format: &dyn Format) -> Option<Remote> {
        let connection = repository.connection.as_ref()?;
        let is_of_format = format.connections().iter().any(|known| known.name == connection.as_str());
        is_of_format.then(|| self.0.remotes.remote(connection))
    }

    /// What a repository records of one version.
    pub(crate) async fn recorded_version(&self, package: &PackageRow, version: &Version) -> Result<Option<VersionRow>> {
        let values = vec![package.id.as_str().into(), version.as_str().into()];
        let rows = self.0.database.rows(VERSION, values).await?;
        rows.first().map(record::read_version).transpose()
    }

    /// What a repository records of all versions of a package.
    pub(crate) async fn recorded_versions(&self, repository: &Repository, id: &PackageId) -> Result<Vec<VersionRow>> {
        let rows = self.0.database.rows(VERSIONS, record::package_key(repository, id)).await?;
        rows.iter().map(record::read_version).collect()
    }
}
