//! The builds of a snapshot: the current one, those being uploaded, those that were.

use std::collections::BTreeMap;

use catalog::{
    AssetRecord, OpenRepository, PackageId, Result, Settle, Status, Version, VersionRecord,
};

use super::notes::{self, Current};
use super::read::stated;
use super::snapshot::{Snapshot, Stamp};

/// A snapshot's current content and all its builds.
pub(crate) struct Builds {
    /// The record of the snapshot itself.
    pub(crate) current: Option<VersionRecord>,
    /// Its files.
    pub(crate) current_files: Vec<AssetRecord>,
    /// The builds beside it, oldest first.
    pub(crate) stamps: BTreeMap<Stamp, VersionRecord>,
}

impl Builds {
    /// Those among the versions that a repository records of a package.
    pub(crate) async fn among(
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        records: &[VersionRecord],
    ) -> Result<Self> {
        let mut builds = Self {
            current: None,
            current_files: Vec::new(),
            stamps: BTreeMap::new(),
        };
        for record in records {
            if record.version == *snapshot.version() {
                builds.current = Some(record.clone());
            } else if let Some((of, stamp)) = Snapshot::of_build(record.version.as_str())
                && of == *snapshot
            {
                builds.stamps.insert(stamp, record.clone());
            }
        }
        if builds.current.is_some() {
            let version = package.version(snapshot.version().clone());
            builds.current_files = repository.assets(&version).await?;
        }
        Ok(builds)
    }

    /// The builds that are still being uploaded, oldest first.
    pub(crate) fn staged(&self, is_meant: impl Fn(&Version) -> bool) -> Vec<(Stamp, Version)> {
        self.stamps
            .iter()
            .filter(|(_, record)| record.status == Status::Unfinished && is_meant(&record.version))
            .map(|(stamp, record)| (stamp.clone(), record.version.clone()))
            .collect()
    }

    /// The steps by which these builds become current one after the other, or superseded at once if they are older than
    /// what is current. The result is what is current then, if that changes.
    pub(crate) async fn finish(
        &self,
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        staged: &[(Stamp, Version)],
        steps: &mut Vec<Settle>,
    ) -> Result<Option<Current>> {
        if staged.is_empty() {
            return Ok(None);
        }
        let mut current = match &self.current {
            Some(record) => Some(
                self.current_stamp(repository, package, snapshot, record)
                    .await?,
            ),
            None => None,
        };
        let mut is_changed = false;
        for (stamp, version) in staged {
            if current.as_ref().is_some_and(|current| stamp < current) {
                steps.push(Settle::Unlist(version.clone()));
                continue;
            }
            steps.push(Settle::Replace {
                current: snapshot.version().clone(),
                staged: version.clone(),
                keep_as: current.as_ref().and_then(|stamp| snapshot.build(stamp)),
            });
            current = Some(stamp.clone());
            is_changed = true;
        }
        Ok(current.filter(|_| is_changed).map(|stamp| Current {
            build: snapshot.build(&stamp).map(|version| version.to_string()),
            pairs: Vec::new(),
        }))
    }

    /// Which build the current files are: as their names say, else as was noted, else by the time it came.
    async fn current_stamp(
        &self,
        repository: &OpenRepository,
        package: &PackageId,
        snapshot: &Snapshot,
        record: &VersionRecord,
    ) -> Result<Stamp> {
        let named = self
            .current_files
            .iter()
            .filter_map(|file| stated(package, snapshot, &file.name)?.0)
            .max();
        if let Some(stamp) = named {
            return Ok(stamp);
        }
        let noted = notes::current(repository, package, snapshot).await?.build;
        let noted = noted
            .and_then(|build| Snapshot::of_build(&build))
            .map(|(_, stamp)| stamp)
            .filter(|stamp| !self.stamps.contains_key(stamp));
        Ok(noted.unwrap_or_else(|| Stamp::at(record.published, 0)))
    }
}
