//! Changes to the versions of a package that need no new bytes.

use store::Tx;

use crate::change::{self, By, Novelty};
use crate::error::Kind;
use crate::names::{PackageId, Version};
use crate::open::Settle;
use crate::package::Status;
use crate::record::{self, PackageRow};
use crate::repository::Repository;
use crate::{Error, Result};

/// Does the steps in their order. A step about a version that is not here, or not in the state it is about, does nothing.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    id: &PackageId,
    steps: &[Settle],
) -> Result<Vec<Version>> {
    let Some(package) = record::package(tx, repository, id)? else {
        return Ok(Vec::new());
    };
    let mut settling = Settling {
        tx,
        repository,
        by,
        id,
        package,
        changed: Vec::new(),
    };
    for step in steps {
        match step {
            Settle::Publish(version) => settling.finish(version, Status::Published, None)?,
            Settle::Unlist(version) => settling.finish(version, Status::Unlisted, None)?,
            Settle::Replace {
                current,
                staged,
                keep_as,
            } => settling.replace(current, staged, keep_as.as_ref())?,
        }
    }
    Ok(settling.changed)
}

struct Settling<'a, 'tx> {
    tx: &'a mut Tx<'tx>,
    repository: &'a Repository,
    by: &'a By,
    id: &'a PackageId,
    package: PackageRow,
    changed: Vec<Version>,
}

impl Settling<'_, '_> {
    /// An Unfinished version becomes `status`, and is called `name` from now on, if given.
    fn finish(&mut self, version: &Version, status: Status, name: Option<&Version>) -> Result<()> {
        let Some(row) = record::version(self.tx, &self.package, version)? else {
            return Ok(());
        };
        if row.record.status == Status::Unfinished {
            self.change(row, status, name)
        } else {
            Ok(())
        }
    }

    fn replace(
        &mut self,
        current: &Version,
        staged: &Version,
        keep_as: Option<&Version>,
    ) -> Result<()> {
        let Some(coming) = record::version(self.tx, &self.package, staged)? else {
            return Ok(());
        };
        if coming.record.status != Status::Unfinished {
            return Ok(());
        }
        if let Some(going) = record::version(self.tx, &self.package, current)? {
            let Some(name) = keep_as else { return Ok(()) };
            if record::version(self.tx, &self.package, name)?.is_some() {
                let message = format!("Package version {name} of {} already exists", self.id);
                return Err(Error::conflict(
                    Kind::PackageVersion,
                    name.as_str(),
                    message,
                ));
            }
            self.change(going, Status::Unlisted, Some(name))?;
        }
        self.change(coming, Status::Published, Some(current))
    }

    fn change(
        &mut self,
        mut row: record::VersionRow,
        status: Status,
        name: Option<&Version>,
    ) -> Result<()> {
        let assets = record::assets(self.tx, &row)?;
        let renamed = name.filter(|name| **name != row.record.version);
        if let Some(name) = renamed {
            let gone = change::gone(&row.record, change::files(&assets));
            change::write(self.tx, self.repository, self.id, self.by, &gone)?;
            row.record.version = name.clone();
        }
        row.record.status = status;
        record::save(
            self.tx,
            self.repository,
            self.by,
            self.id,
            &mut row,
            &assets,
            Novelty {
                created: renamed.is_some(),
                described: false,
            },
        )?;
        self.changed.push(row.record.version);
        Ok(())
    }
}
