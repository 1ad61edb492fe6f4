//! The origin configuration of a group: what of it is changed, and how.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::Timestamp;
use store::Tx;

use super::{GroupMode, GroupRestriction, PackageGroup, rows};
use crate::names::RepositoryName;
use crate::permit::{Permit, no_repository};
use crate::repository::RepositoryAt;
use crate::shelf::domain_topic;
use crate::{Error, Result};

/// What of the origin configuration of a group should change: first modes, then lists.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    /// New modes; the others stay.
    pub modes: BTreeMap<GroupRestriction, GroupMode>,
    /// Repositories to be put on lists.
    pub add: Vec<(GroupRestriction, RepositoryName)>,
    /// Repositories to be taken off lists, after that.
    pub remove: Vec<(GroupRestriction, RepositoryName)>,
}

/// What became of a list of repositories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListChange {
    /// Those that were not on it.
    pub added: Vec<RepositoryName>,
    /// Those that were on it.
    pub removed: Vec<RepositoryName>,
}

/// Repositories that one change may put on lists and take off them, together.
const REPOSITORIES_PER_CHANGE: usize = 100;

const SET_MODES: &str = "
    UPDATE package_groups
       SET external_upstream = $2, internal_upstream = $3, publish = $4
     WHERE id = $1";

const REPOSITORY: &str = "
    SELECT id
      FROM repositories
     WHERE domain_id = $1
       AND name = $2";

const ALLOW: &str = "
    INSERT INTO allowed_repositories (group_id, restriction, repository_id)
    VALUES ($1, $2, $3)
    ON CONFLICT (group_id, restriction, repository_id) DO NOTHING";

const DISALLOW: &str = "
    DELETE FROM allowed_repositories
     WHERE group_id = $1
       AND restriction = $2
       AND repository_id = $3";

const DISALLOW_ALL: &str = "
    DELETE FROM allowed_repositories
     WHERE group_id = $1
       AND restriction = $2";

impl Permit<PackageGroup> {
    /// Changes modes and lists. What is said of the lists is what really changed: a repository that was on a list is not
    /// added, nor removed one that was not.
    ///
    /// Errors: `Invalid` (the root group cannot inherit; a list of a restriction whose mode has none; too many
    /// repositories at once), `NotFound` (group, repository to be added).
    pub async fn set_origin(
        &self,
        change: GroupChange,
    ) -> Result<(Arc<PackageGroup>, BTreeMap<GroupRestriction, ListChange>)> {
        if change.add.len() + change.remove.len() > REPOSITORIES_PER_CHANGE {
            return Err(Error::Invalid(format!(
                "at most {REPOSITORIES_PER_CHANGE} repositories can be added and removed at once"
            )));
        }
        if self.pattern.is_root()
            && change
                .modes
                .values()
                .any(|mode| *mode == GroupMode::Inherit)
        {
            return Err(Error::Invalid(
                "the root package group `/*` has no parent to inherit from".to_owned(),
            ));
        }
        let (group, now) = (Arc::clone(&self.thing), self.catalog.now());
        let changed = self
            .catalog
            .0
            .database
            .write(move |tx| {
                let changed = set_origin(tx, &group, &change, now)?;
                tx.touch(&domain_topic(&group.domain.at()));
                Ok::<_, Error>(changed)
            })
            .await?;
        Ok((self.read_again().await?, changed))
    }
}

fn set_origin(
    tx: &mut Tx<'_>,
    group: &PackageGroup,
    change: &GroupChange,
    now: Timestamp,
) -> Result<BTreeMap<GroupRestriction, ListChange>> {
    let row = rows::row(tx, group, now)?;
    let id = row.text("id")?;
    let mut modes = rows::read_modes(&row)?;
    for (restriction, mode) in &change.modes {
        modes[*restriction as usize] = *mode;
        if *mode != GroupMode::AllowSpecificRepositories {
            let values = [id.as_str().into(), restriction.as_str().into()];
            tx.execute(DISALLOW_ALL, &values)?;
        }
    }
    let mut values = vec![id.as_str().into()];
    values.extend(modes.map(|mode| mode.as_str().into()));
    tx.execute(SET_MODES, &values)?;

    let mut changed: BTreeMap<GroupRestriction, ListChange> = BTreeMap::new();
    for (restriction, name) in &change.add {
        if modes[*restriction as usize] != GroupMode::AllowSpecificRepositories {
            return Err(Error::Invalid(format!(
                "repository `{name}` cannot be added: the mode of {restriction} is not {}",
                GroupMode::AllowSpecificRepositories
            )));
        }
        let repository = repository(tx, group, name)?;
        let repository = repository.ok_or_else(|| {
            let domain = group.domain.at();
            no_repository(&RepositoryAt {
                domain,
                name: name.clone(),
            })
        })?;
        let values = [
            id.as_str().into(),
            restriction.as_str().into(),
            repository.into(),
        ];
        if tx.execute(ALLOW, &values)? == 1 {
            changed
                .entry(*restriction)
                .or_default()
                .added
                .push(name.clone());
        }
    }
    for (restriction, name) in &change.remove {
        let Some(repository) = repository(tx, group, name)? else {
            continue;
        };
        let values = [
            id.as_str().into(),
            restriction.as_str().into(),
            repository.into(),
        ];
        if tx.execute(DISALLOW, &values)? == 1 {
            changed
                .entry(*restriction)
                .or_default()
                .removed
                .push(name.clone());
        }
    }
    Ok(changed)
}

/// The id of a repository of the group's domain.
fn repository(
    tx: &mut Tx<'_>,
    group: &PackageGroup,
    name: &RepositoryName,
) -> Result<Option<String>> {
    let rows = tx.rows(
        REPOSITORY,
        &[(&*group.domain.id).into(), name.as_str().into()],
    )?;
    Ok(rows.first().map(|row| row.text("id")).transpose()?)
}
