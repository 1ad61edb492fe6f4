//! Changes to several versions of one package at once: status, disposal, deletion.
//!
//! All or nothing: when one version fails, none is changed, and the others are told that they were skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use store::Tx;

use crate::change::{self, By, Change, read_package_id};
use crate::names::{PackageId, Version};
use crate::package::{Package, PackageAt, Restrictions, Status, no_package};
use crate::permit::Permit;
use crate::record::{self, PackageRow, VersionRow, Way};
use crate::removed::{self, Removal};
use crate::repository::Repository;
use crate::{Error, Result};

/// Why a version was not changed, as the API spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCode {
    /// It is in the destination already, and different.
    AlreadyExists,
    /// Its revision is not the expected one.
    MismatchedRevision,
    /// Its status is not the expected one.
    MismatchedStatus,
    /// It is in a state from which this cannot be done.
    NotAllowed,
    /// It is not there.
    NotFound,
    /// Another one failed.
    Skipped,
}

impl FailureCode {
    /// `MISMATCHED_STATUS`.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureCode::AlreadyExists => "ALREADY_EXISTS",
            FailureCode::MismatchedRevision => "MISMATCHED_REVISION",
            FailureCode::MismatchedStatus => "MISMATCHED_STATUS",
            FailureCode::NotAllowed => "NOT_ALLOWED",
            FailureCode::NotFound => "NOT_FOUND",
            FailureCode::Skipped => "SKIPPED",
        }
    }
}

/// What became of each version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Revision and state of those that were changed. `None`: deleted.
    pub successful: BTreeMap<Version, (String, Option<Status>)>,
    /// Why the others were not.
    pub failed: BTreeMap<Version, (FailureCode, String)>,
}

/// Which versions, and what must be true of them.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The versions; doubled ones count once.
    pub versions: Vec<Version>,
    /// The revision that a version must have.
    pub revisions: BTreeMap<Version, String>,
    /// The state that all must be in.
    pub expected: Option<Status>,
}

/// What is done to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Set(Status),
    Dispose,
    Delete,
}

impl Act {
    /// Whether a version in this state is another one afterwards.
    fn changes(self, status: Status) -> bool {
        match self {
            Act::Set(target) => status != target,
            Act::Dispose => status != Status::Disposed,
            Act::Delete => true,
        }
    }
}

const DELETE_VERSION: &str = "
    DELETE FROM versions
     WHERE id = $1";

const DELETE_LABELS: &str = "
    DELETE FROM labels
     WHERE package_id = $1
       AND version = $2";

const DELETE_PACKAGE: &str = "
    DELETE FROM packages
     WHERE id = $1";

const SET_RESTRICTIONS: &str = "
    UPDATE packages
       SET publish = $2, upstream = $3
     WHERE id = $1";

const PACKAGES_OF_REPOSITORY: &str = "
    SELECT id, format, namespace, name
      FROM packages
     WHERE repository_id = $1
     ORDER BY id
     LIMIT $2";

/// Removes packages of a repository for good, at most so many; gives how many.
pub(crate) fn forget_packages(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    limit: u32,
) -> Result<usize> {
    let values = [(&*repository.id).into(), limit.into()];
    let rows = tx.rows(PACKAGES_OF_REPOSITORY, &values)?;
    for row in &rows {
        delete_package(
            tx,
            repository,
            by,
            &read_package_id(row)?,
            row.as_str("id")?,
        )?;
    }
    Ok(rows.len())
}

fn delete_package(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    id: &PackageId,
    row_id: &str,
) -> Result<()> {
    change::forget_package(tx, repository, id, row_id, by)?;
    tx.execute(DELETE_PACKAGE, &[row_id.into()])?;
    Ok(())
}

impl Permit<PackageAt> {
    /// Gives versions another state. Errors: `NotFound` (package); `Invalid` for a state that is no target.
    pub async fn set_status(&self, selection: Selection, target: Status) -> Result<Outcomes> {
        if matches!(target, Status::Unfinished | Status::Disposed) {
            return Err(Error::Invalid(format!(
                "targetStatus {target} cannot be set"
            )));
        }
        self.act(selection, Act::Set(target)).await
    }

    /// Takes the files of versions away; their records stay. Their bytes are gone when they can no longer be
    /// [brought back](Permit::restore). Errors: `NotFound` (package).
    pub async fn dispose(&self, selection: Selection) -> Result<Outcomes> {
        self.act(selection, Act::Dispose).await
    }

    /// Removes versions; they may be published or taken again, or [brought back](Permit::restore). Errors: `NotFound` (package).
    pub async fn delete_versions(&self, selection: Selection) -> Result<Outcomes> {
        self.act(selection, Act::Delete).await
    }

    /// Removes the package with its origin controls and all versions. Errors: `NotFound`.
    pub async fn delete(&self) -> Result<Package> {
        let (repository, id, by) = (Arc::clone(&self.repository), self.id.clone(), self.by());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let row = found(tx, &repository, &id)?;
                for version in versions(tx, &repository, &id)? {
                    let place = (&*repository, &id, &by);
                    removed::put(tx, place, &row, &version, Removal::Delete, "")?;
                }
                delete_package(tx, &repository, &by, &id, &row.id)?;
                Ok(Package {
                    id: id.clone(),
                    restrictions: row.restrictions,
                })
            })
            .await
    }

    /// Sets the origin controls; the package is made if it is not there.
    pub async fn set_restrictions(&self, restrictions: Restrictions) -> Result<Package> {
        let (repository, id, by) = (Arc::clone(&self.repository), self.id.clone(), self.by());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let row = record::ensure_package(tx, &repository, &by, &id, Way::Published)?;
                if row.restrictions != restrictions {
                    let Restrictions { publish, upstream } = restrictions;
                    let values = [
                        row.id.as_str().into(),
                        publish.as_str().into(),
                        upstream.as_str().into(),
                    ];
                    tx.execute(SET_RESTRICTIONS, &values)?;
                    change::write(tx, &repository, &id, &by, &Change::Package { restrictions })?;
                }
                Ok(Package {
                    id: id.clone(),
                    restrictions,
                })
            })
            .await
    }

    async fn act(&self, selection: Selection, act: Act) -> Result<Outcomes> {
        let acting = Acting {
            repository: Arc::clone(&self.repository),
            id: self.id.clone(),
            by: self.by(),
            run: String::new(),
        };
        let database = &self.catalog.0.database;
        database
            .write(move |tx| acting.act(tx, &selection, act))
            .await
    }
}

/// Where something is done to versions, by whom, and in the course of which job.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    pub(crate) repository: Arc<Repository>,
    pub(crate) id: PackageId,
    pub(crate) by: By,
    /// The id of the run; empty for what a caller does.
    pub(crate) run: String,
}

impl Acting {
    /// All of them or none. Errors: `NotFound` (package).
    pub(crate) fn act(&self, tx: &mut Tx<'_>, selection: &Selection, act: Act) -> Result<Outcomes> {
        let package = found(tx, &self.repository, &self.id)?;
        let mut outcomes = Outcomes::default();
        let mut rows = Vec::new();
        let versions: BTreeSet<_> = selection.versions.iter().collect();
        for version in versions {
            match checked(tx, &package, version, selection, act)? {
                Ok(row) => rows.push(row),
                Err(failure) => {
                    outcomes.failed.insert(version.clone(), failure);
                }
            }
        }
        if !outcomes.failed.is_empty() {
            skip_all(
                &mut outcomes,
                rows.into_iter().map(|row| row.record.version),
            );
            return Ok(outcomes);
        }
        if rows.iter().any(|row| act.changes(row.record.status)) {
            record::edited(tx, &package, &self.by)?;
        }
        for row in rows {
            let version = row.record.version.clone();
            let result = self.apply(tx, &package, row, act)?;
            outcomes.successful.insert(version, result);
        }
        Ok(outcomes)
    }

    fn apply(
        &self,
        tx: &mut Tx<'_>,
        package: &PackageRow,
        mut row: VersionRow,
        act: Act,
    ) -> Result<(String, Option<Status>)> {
        let Self {
            repository,
            id,
            by,
            run,
        } = self;
        let before = row.record.status;
        let revision = row.record.revision.clone();
        if !act.changes(before) {
            return Ok((revision, Some(before)));
        }
        match act {
            Act::Delete => {
                let files = change::files(&record::assets(tx, &row)?);
                let gone = change::gone(&row.record, files);
                removed::put(
                    tx,
                    (repository, id, by),
                    package,
                    &row,
                    Removal::Delete,
                    run,
                )?;
                let version = row.record.version.clone();
                tx.execute(
                    DELETE_LABELS,
                    &[package.id.as_str().into(), version.as_str().into()],
                )?;
                tx.execute(DELETE_VERSION, &[row.id.as_str().into()])?;
                change::write(tx, repository, id, by, &gone)?;
                return Ok((revision, None));
            }
            Act::Set(target) => row.record.status = target,
            Act::Dispose => {
                removed::put(
                    tx,
                    (repository, id, by),
                    package,
                    &row,
                    Removal::Dispose,
                    run,
                )?;
                row.record.status = Status::Disposed;
                record::delete_assets(tx, &row)?;
            }
        }
        let assets = record::assets(tx, &row)?;
        record::save_status(tx, repository, by, id, &row, &assets)?;
        Ok((revision, Some(row.record.status)))
    }
}

/// Says of versions that nothing was done to them because another one failed.
pub(crate) fn skip_all(outcomes: &mut Outcomes, versions: impl Iterator<Item = Version>) {
    for version in versions {
        let message = format!("version {version} is skipped");
        outcomes
            .failed
            .insert(version, (FailureCode::Skipped, message));
    }
}

fn found(tx: &mut Tx<'_>, repository: &Repository, id: &PackageId) -> Result<PackageRow> {
    record::package(tx, repository, id)?.ok_or_else(|| no_package(repository, id))
}

/// All versions of a package, by version text.
pub(crate) fn versions(
    tx: &mut Tx<'_>,
    repository: &Repository,
    id: &PackageId,
) -> Result<Vec<VersionRow>> {
    tx.rows(record::VERSIONS, &record::package_key(repository, id))?
        .iter()
        .map(record::read_version)
        .collect()
}

/// Why a version was not changed, and a sentence.
pub(crate) type Failure = (FailureCode, String);

/// The version, if it is there and may be changed so.
fn checked(
    tx: &mut Tx<'_>,
    package: &PackageRow,
    version: &Version,
    selection: &Selection,
    act: Act,
) -> Result<Result<VersionRow, Failure>> {
    let Some(row) = record::version(tx, package, version)? else {
        return Ok(Err((
            FailureCode::NotFound,
            format!("Could not find version {version}"),
        )));
    };
    let VersionRow { record, .. } = &row;
    if let Some(expected) = selection.revisions.get(version)
        && *expected != record.revision
    {
        let message = format!(
            "current revision: {}, expected revision: {expected}",
            record.revision
        );
        return Ok(Err((FailureCode::MismatchedRevision, message)));
    }
    if let Some(expected) = selection.expected
        && expected != record.status
    {
        let message = format!(
            "current status: {}, expected status: {expected}",
            record.status
        );
        return Ok(Err((FailureCode::MismatchedStatus, message)));
    }
    if let Act::Set(target) = act {
        let allowed = match record.status {
            Status::Published | Status::Unlisted | Status::Archived => true,
            Status::Unfinished => target == Status::Published,
            Status::Disposed => false,
        };
        if !allowed {
            let message = format!(
                "version {version} is {} and cannot become {target}",
                record.status
            );
            return Ok(Err((FailureCode::NotAllowed, message)));
        }
    }
    Ok(Ok(row))
}
