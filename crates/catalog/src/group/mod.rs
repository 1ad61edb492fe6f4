//! Package groups: rules of a domain for all packages whose path matches a pattern, in whatever repository they are.
//!
//! What a pattern matches is in [`pattern`], how groups hang together in [`tree`], what they decide in [`crate::origin`].
//! All groups of a domain are kept on the shelf together with its repositories, so asking them costs no query.

mod change;
mod names;
mod packages;
mod pattern;
mod rows;
mod tree;
mod verbs;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws::Timestamp;

use crate::Error;
use crate::domain::{Domain, DomainAt};
use crate::error::Kind;
use crate::names::RepositoryName;
use crate::package::spelled;

pub use change::{GroupChange, ListChange};
pub(crate) use names::{forget, note};
pub use packages::AssociatedPackage;
pub use pattern::{Association, GroupPattern};
pub(crate) use rows::{is_open, read_all, row_id};
pub(crate) use tree::Groups;

/// Which group: its domain and its pattern, in the caller's words. A text that is no pattern is the pattern of no group.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupAt {
    /// The domain it is in.
    pub domain: DomainAt,
    /// Its pattern.
    pub pattern: String,
}

/// What a group restricts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupRestriction {
    /// That public registries are asked. Which repository is asked about: the one that has the connection.
    ExternalUpstream,
    /// That upstream repositories are asked. Which repository is asked about: the one that would keep what they have.
    InternalUpstream,
    /// That clients publish. Which repository is asked about: the one published to.
    Publish,
}

/// What a group says about a restriction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupMode {
    /// Allowed in all repositories.
    Allow,
    /// Allowed in the repositories on the group's list for this restriction.
    AllowSpecificRepositories,
    /// Allowed in none.
    Block,
    /// Mode and list are those of the parent.
    Inherit,
}

spelled!(GroupRestriction {
    ExternalUpstream = "EXTERNAL_UPSTREAM",
    InternalUpstream = "INTERNAL_UPSTREAM",
    Publish = "PUBLISH",
});
spelled!(GroupMode {
    Allow = "ALLOW",
    AllowSpecificRepositories = "ALLOW_SPECIFIC_REPOSITORIES",
    Block = "BLOCK",
    Inherit = "INHERIT",
});

impl GroupRestriction {
    /// All three, in the order of the API.
    pub const ALL: [Self; 3] = [
        Self::ExternalUpstream,
        Self::InternalUpstream,
        Self::Publish,
    ];
}

/// How one group names another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupName {
    /// Its ARN.
    pub arn: String,
    /// Its pattern.
    pub pattern: GroupPattern,
}

/// One restriction of a group, as it says and as it is.
#[derive(Debug, Clone)]
pub struct GroupRule {
    /// What the group itself says.
    pub mode: GroupMode,
    /// What holds: never `Inherit`.
    pub effective_mode: GroupMode,
    /// The group that says what holds, where this one inherits.
    pub inherited_from: Option<GroupName>,
    /// The group's own list of repositories; empty in all modes but one.
    pub allowed: Arc<BTreeSet<RepositoryName>>,
    pub(crate) effectively_allowed: Arc<BTreeSet<RepositoryName>>,
}

impl GroupRule {
    /// Whether it is allowed in this repository of the domain.
    pub fn allows(&self, repository: &RepositoryName) -> bool {
        match self.effective_mode {
            GroupMode::Allow => true,
            GroupMode::AllowSpecificRepositories => self.effectively_allowed.contains(repository),
            GroupMode::Block | GroupMode::Inherit => false,
        }
    }
}

/// A package group, with what it has from those around it.
#[derive(Debug, Clone)]
pub struct PackageGroup {
    /// Its ARN, with the pattern encoded.
    pub arn: String,
    /// The domain it is in.
    pub domain: Arc<Domain>,
    /// Its pattern.
    pub pattern: GroupPattern,
    /// Whom to ask about it; `None` when not set.
    pub contact_info: Option<String>,
    /// What it is for; `None` when not set.
    pub description: Option<String>,
    /// When it was created; the root group with its domain.
    pub created: Timestamp,
    /// Its tags, in key order.
    pub tags: Vec<(String, String)>,
    /// The group that encloses it most closely; only the root group has none.
    pub parent: Option<GroupName>,
    rules: [GroupRule; 3],
}

impl PackageGroup {
    /// Where it is.
    pub fn at(&self) -> GroupAt {
        GroupAt {
            domain: self.domain.at(),
            pattern: self.pattern.to_string(),
        }
    }

    /// What holds about this restriction.
    pub fn rule(&self, restriction: GroupRestriction) -> &GroupRule {
        &self.rules[restriction as usize]
    }

    /// Whether it leaves everything to the package origin controls of repositories.
    pub(crate) fn is_open(&self) -> bool {
        let is_open = |rule: &GroupRule| rule.effective_mode == GroupMode::Allow;
        self.rules.iter().all(is_open)
    }
}

/// What a new group should be.
#[derive(Debug, Clone)]
pub struct NewPackageGroup {
    /// Its pattern.
    pub pattern: GroupPattern,
    /// Whom to ask about it.
    pub contact_info: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// The ARN of a group, from that of its domain.
pub(crate) fn arn(domain_arn: &str, pattern: &str) -> String {
    let domain = domain_arn.replacen(":domain/", ":package-group/", 1);
    domain + &GroupPattern::encode(pattern)
}

/// What is said of a group that is not there.
pub(crate) fn no_group(at: &DomainAt, pattern: &str) -> Error {
    Error::not_found(
        Kind::PackageGroup,
        pattern,
        format!(
            "Package group not found. Package group '{pattern}' in domain '{}' owned by account '{}' does not exist",
            at.name,
            at.owner.as_str()
        ),
    )
}

#[cfg(test)]
mod tests;
