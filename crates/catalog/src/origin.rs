//! Origin controls: may versions of a package come this way?
//!
//! Two have a say, and both must allow it ("upstreams-and-origin" 6.3 of the specification): the package's own control in
//! one repository, and the package group that the package belongs to in the whole domain. A package that a repository
//! does not record has no control there, and counts as allowed. A package that only looks like those of its group is
//! kept out whatever the group says.
//!
//! What is recorded stays and is served: controls are asked about what comes in.

use std::sync::Arc;

use store::Tx;

use crate::group::{self, Association, GroupMode, GroupRestriction, Groups, PackageGroup};
use crate::names::PackageId;
use crate::package::{OriginType, Restriction, Restrictions};
use crate::record::{self, PackageRow, Way};
use crate::repository::Repository;
use crate::shelf::DomainMap;
use crate::{Error, Result, ids};

/// What a domain says about one package, whatever repository it is about.
pub(crate) struct Ruling {
    package: PackageId,
    /// `None` in no domain there is: every one has the root group.
    group: Option<(Arc<PackageGroup>, Association)>,
}

impl Ruling {
    pub(crate) fn of(map: &DomainMap, package: &PackageId) -> Self {
        Self::among(&map.groups, package)
    }

    fn among(groups: &Groups, package: &PackageId) -> Self {
        let group = groups.associate(package);
        Self {
            package: package.clone(),
            group: group.map(|(group, how)| (Arc::clone(group), how)),
        }
    }

    /// Whether a client may publish to this repository, which records the package so. The refusal names the control.
    pub(crate) fn may_publish(
        &self,
        repository: &Repository,
        recorded: Option<&PackageRow>,
        now: aws::Timestamp,
    ) -> Result<()> {
        let package = &self.package;
        let message = if let Some(why) = self.keeps_out(GroupRestriction::Publish, repository) {
            format!("publishing to package {package} is blocked by {why}")
        } else if recorded.is_some_and(|row| row.restrictions.publish == Restriction::Block) {
            format!(
                "publishing to package {package} is blocked by its package origin control in repository '{}' (publish: BLOCK)",
                repository.name
            )
        } else {
            return Ok(());
        };
        let id = ids::new_id(now)?;
        Err(Error::Blocked { id, message })
    }

    /// Whether this repository, of which a client asks for it, may keep what its upstream repositories have.
    pub(crate) fn may_retain(
        &self,
        repository: &Repository,
        recorded: Option<&PackageRow>,
    ) -> bool {
        may_take(recorded) && self.lets_in(GroupRestriction::InternalUpstream, repository)
    }

    /// Whether this repository may keep what its own public registry has.
    pub(crate) fn may_ingest(
        &self,
        repository: &Repository,
        recorded: Option<&PackageRow>,
    ) -> bool {
        may_take(recorded) && self.lets_in(GroupRestriction::ExternalUpstream, repository)
    }

    fn lets_in(&self, restriction: GroupRestriction, repository: &Repository) -> bool {
        let Some(why) = self.keeps_out(restriction, repository) else {
            return true;
        };
        let (package, name) = (&self.package, &repository.name);
        // A block is what somebody asked for; a likeness is what somebody may want to know of.
        if self.is_weak() {
            tracing::info!(%package, repository = %name, "package {package} is kept out of repository {name} by {why}");
        } else {
            tracing::debug!(%package, repository = %name, "package {package} is kept out of repository {name} by {why}");
        }
        false
    }

    fn is_weak(&self) -> bool {
        let how = self.group.as_ref().map(|(_, how)| *how);
        how == Some(Association::Weak)
    }

    /// Why the group keeps it out of a repository; `None` when it does not.
    fn keeps_out(&self, restriction: GroupRestriction, repository: &Repository) -> Option<String> {
        let (group, _) = self.group.as_ref()?;
        let pattern = &group.pattern;
        if self.is_weak() {
            return Some(format!(
                "package group '{pattern}', whose packages its name looks like without being one of them (association: WEAK); a \
                 package group for exactly this name would let it in"
            ));
        }
        let rule = group.rule(restriction);
        if rule.allows(&repository.name) {
            return None;
        }
        let mode = rule.effective_mode;
        let from = rule.inherited_from.as_ref();
        let from = from.map_or(String::new(), |from| {
            format!(", inherited from '{}'", from.pattern)
        });
        let but = match mode {
            GroupMode::AllowSpecificRepositories => {
                format!(", of which '{}' is none", repository.name)
            }
            _ => String::new(),
        };
        Some(format!(
            "package group '{pattern}' ({restriction}: {mode}{from}{but})"
        ))
    }
}

/// Looks again whether a client may publish to this repository, in the transaction that records what it sent: the bytes
/// may have taken long, and a block counts from the moment that it is set.
pub(crate) fn still_may_publish(
    tx: &mut Tx<'_>,
    repository: &Repository,
    package: &PackageId,
    now: aws::Timestamp,
) -> Result<()> {
    let groups = group::read_all(tx, &repository.domain)?;
    let recorded = record::package(tx, repository, package)?;
    Ruling::among(&groups, package).may_publish(repository, recorded.as_ref(), now)
}

/// Whether the package's own control in a repository lets versions come from elsewhere. Where it does not, the repository
/// is a leaf for the package.
pub(crate) fn may_take(recorded: Option<&PackageRow>) -> bool {
    recorded.is_none_or(|row| row.restrictions.upstream == Restriction::Allow)
}

/// The control that a package has in a repository from its first version on ("upstreams-and-origin" 6.2). Where the group
/// restricts anything, it alone decides.
pub(crate) fn first_control(way: Way, group_is_open: bool) -> Restrictions {
    let (publish, upstream) = match way {
        _ if !group_is_open => (Restriction::Allow, Restriction::Allow),
        Way::Published | Way::Copied(OriginType::Internal | OriginType::Unknown) => {
            (Restriction::Allow, Restriction::Block)
        }
        Way::Taken | Way::Copied(OriginType::External) => (Restriction::Block, Restriction::Allow),
    };
    Restrictions { publish, upstream }
}
