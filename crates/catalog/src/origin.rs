//! Origin controls: may versions of a package come this way?
//!
//! A package that a repository does not record has no control there, and counts as allowed ("upstreams-and-origin" 6.3).

use crate::names::PackageId;
use crate::package::Restriction;
use crate::record::PackageRow;
use crate::repository::Repository;
use crate::{Error, Result, ids};

/// Whether versions may come from upstream repositories and registries.
pub(crate) fn may_take(package: Option<&PackageRow>) -> bool {
    package.is_none_or(|row| row.restrictions.upstream == Restriction::Allow)
}

/// Whether a client may publish. The refusal names the control.
pub(crate) fn may_publish(
    package: Option<&PackageRow>,
    repository: &Repository,
    id: &PackageId,
    now: aws::Timestamp,
) -> Result<()> {
    if package.is_none_or(|row| row.restrictions.publish == Restriction::Allow) {
        return Ok(());
    }
    Err(Error::Blocked {
        id: ids::new_id(now)?,
        message: format!(
            "publishing to package {id} is blocked by its package origin control in repository '{}' (publish: BLOCK)",
            repository.name
        ),
    })
}
