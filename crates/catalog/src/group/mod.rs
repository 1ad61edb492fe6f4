//! Package groups: rules of a domain for all packages whose path matches a pattern, in whatever repository they are.
//!
//! What a pattern matches is in [`pattern`], how groups hang together in [`tree`], what they decide in [`crate::origin`].
//! All groups of a domain are kept on the shelf together with its repositories, so asking them costs no query.

mod packages;
mod pattern;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws::Timestamp;
use iam::Caller;
use store::{Row, Tx};

use crate::action::Action;
use crate::domain::{Domain, DomainAt, read_tags};
use crate::error::Kind;
use crate::ids::new_id;
use crate::names::{PackageId, RepositoryName};
use crate::package::spelled;
use crate::page::Page;
use crate::permit::{Permit, Subject, no_domain, no_repository};
use crate::repository::RepositoryAt;
use crate::shelf::{DomainMap, domain_topic};
use crate::{Catalog, Error, Result, tags};

pub use packages::AssociatedPackage;
pub use pattern::{Association, GroupPattern};
pub(crate) use tree::{Alone, Groups};

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

const OF_DOMAIN: &str = "
    SELECT id, pattern, contact_info, description, created, publish, external_upstream, internal_upstream, tags
      FROM package_groups
     WHERE domain_id = $1
     ORDER BY pattern";

const ALLOWED_OF_DOMAIN: &str = "
    SELECT allowed_repositories.group_id, allowed_repositories.restriction, repositories.name
      FROM package_groups
      JOIN allowed_repositories ON allowed_repositories.group_id = package_groups.id
      JOIN repositories ON repositories.id = allowed_repositories.repository_id
     WHERE package_groups.domain_id = $1
     ORDER BY allowed_repositories.group_id, repositories.name";

const INSERT: &str = "
    INSERT INTO package_groups (id, domain_id, pattern, contact_info, description, created, publish, external_upstream,
                                internal_upstream, tags)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (domain_id, pattern) DO NOTHING";

const DOMAIN_EXISTS: &str = "
    SELECT id
      FROM domains
     WHERE id = $1";

const FIND: &str = "
    SELECT id, publish, external_upstream, internal_upstream
      FROM package_groups
     WHERE domain_id = $1
       AND pattern = $2";

const SET_CONTACT_INFO: &str = "
    UPDATE package_groups
       SET contact_info = $2
     WHERE id = $1";

const SET_DESCRIPTION: &str = "
    UPDATE package_groups
       SET description = $2
     WHERE id = $1";

const SET_MODES: &str = "
    UPDATE package_groups
       SET external_upstream = $2, internal_upstream = $3, publish = $4
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM package_groups
     WHERE domain_id = $1
       AND pattern = $2";

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

impl Catalog {
    /// Creates a group that inherits everything. Errors: `Denied`, `NotFound` (domain), `Conflict`, `Quota`, `Invalid`
    /// (tags).
    pub async fn create_package_group(
        &self,
        caller: &Caller,
        at: &DomainAt,
        new: NewPackageGroup,
    ) -> Result<Arc<PackageGroup>> {
        let pattern = new.pattern.clone();
        let limit = self.0.limits.tags_per_resource;
        let tags = tags::checked(new.tags, limit, Kind::PackageGroup, pattern.as_str())?;
        let map = self.find_domain(at).await?;
        let domain_arn = self.domain_arn(at);
        let arn = arn(&domain_arn, pattern.as_str());
        let (either, only) = ([arn.as_str(), domain_arn.as_str()], [arn.as_str()]);
        let subject = |resources| Subject {
            resources,
            owner: &at.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: None,
            group: None,
            request_tags: Some(&tags),
        };
        self.authorize(caller, Action::CreatePackageGroup, subject(&either))
            .await?;
        if !tags.is_empty() {
            self.authorize(caller, Action::TagResource, subject(&only))
                .await?;
        }
        let domain = Arc::clone(&map.as_ref().ok_or_else(|| no_domain(at))?.domain);
        let now = self.now();
        let group = Alone {
            contact_info: new.contact_info.filter(|text| !text.is_empty()),
            description: new.description.filter(|text| !text.is_empty()),
            tags,
            ..Alone::new(new.pattern, now)
        };
        self.0
            .database
            .write(move |tx| {
                if group.pattern.is_root() || !insert(tx, &domain, &group, now)? {
                    return Err(Error::conflict(
                        Kind::PackageGroup,
                        group.pattern.as_str(),
                        format!(
                            "Package group already exists. Package group '{}' in domain '{}' owned by account '{}' already exists",
                            group.pattern,
                            domain.name,
                            domain.owner.as_str()
                        ),
                    ));
                }
                tx.touch(&domain_topic(&domain.at()));
                Ok(())
            })
            .await?;
        self.read_group_again(at, &pattern).await
    }

    /// The group, if the caller may do `action` to it. Errors: `Denied`, then `NotFound` (domain, group).
    pub async fn package_group(
        &self,
        caller: &Caller,
        action: Action,
        at: &GroupAt,
    ) -> Result<Permit<PackageGroup>> {
        self.package_group_asking(caller, action, at, None).await
    }

    pub(crate) async fn package_group_asking(
        &self,
        caller: &Caller,
        action: Action,
        at: &GroupAt,
        request_tags: Option<&[(String, String)]>,
    ) -> Result<Permit<PackageGroup>> {
        let map = self.find_domain(&at.domain).await?;
        let group = map.as_ref().and_then(|map| map.groups.find(&at.pattern));
        let arn = arn(&self.domain_arn(&at.domain), &at.pattern);
        let subject = Subject {
            resources: &[&arn],
            owner: &at.domain.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: None,
            group: group.map(|group| &**group),
            request_tags,
        };
        self.authorize(caller, action, subject).await?;
        if map.is_none() {
            return Err(no_domain(&at.domain));
        }
        let group = group.ok_or_else(|| no_group(&at.domain, &at.pattern))?;
        Ok(self.permit(Arc::clone(group), caller, action))
    }

    /// The group that a package belongs to, and how; there need be no such package. Errors: `Denied` (to be asked of the
    /// group that it turns out to be), `NotFound` (domain).
    pub async fn associated_group(
        &self,
        caller: &Caller,
        at: &DomainAt,
        id: &PackageId,
    ) -> Result<(Arc<PackageGroup>, Association)> {
        let map = self.find_domain(at).await?;
        let found = map.as_ref().and_then(|map| map.groups.associate(id));
        let root = GroupPattern::root();
        let pattern = found.map_or(&root, |(group, _)| &group.pattern);
        let arn = arn(&self.domain_arn(at), pattern.as_str());
        let subject = Subject {
            resources: &[&arn],
            owner: &at.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: None,
            group: found.map(|(group, _)| &**group),
            request_tags: None,
        };
        self.authorize(caller, Action::GetAssociatedPackageGroup, subject)
            .await?;
        let (group, how) = found.ok_or_else(|| no_domain(at))?;
        Ok((Arc::clone(group), how))
    }

    /// All groups of a domain.
    pub(crate) async fn read_groups(&self, domain: &Arc<Domain>) -> Result<Groups> {
        let database = &self.0.database;
        let id = || vec![(&*domain.id).into()];
        let rows = database.rows(OF_DOMAIN, id()).await?;
        let allowed = if rows.is_empty() {
            Vec::new()
        } else {
            database.rows(ALLOWED_OF_DOMAIN, id()).await?
        };
        read(domain, &rows, &allowed)
    }

    async fn read_group_again(
        &self,
        at: &DomainAt,
        pattern: &GroupPattern,
    ) -> Result<Arc<PackageGroup>> {
        let map = self.find_domain(at).await?.ok_or_else(|| no_domain(at))?;
        let group = map.groups.find(pattern.as_str());
        group.cloned().ok_or_else(|| no_group(at, pattern.as_str()))
    }
}

impl Permit<Domain> {
    /// Groups of the domain whose patterns begin like this, by pattern.
    pub async fn package_groups(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Arc<PackageGroup>>> {
        let map = self.catalog.find_domain(&self.at()).await?;
        let map = map.ok_or_else(|| no_domain(&self.at()))?;
        let begins = |group: &PackageGroup| group.pattern.as_str().starts_with(prefix);
        Ok(page(&map, begins, after, limit))
    }
}

impl Permit<PackageGroup> {
    /// The groups that it encloses most closely, by pattern.
    pub async fn sub_groups(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Arc<PackageGroup>>> {
        let at = self.domain.at();
        let map = self.catalog.find_domain(&at).await?;
        let map = map.ok_or_else(|| no_domain(&at))?;
        let is_child = |group: &PackageGroup| {
            let parent = group.parent.as_ref();
            parent.is_some_and(|parent| parent.pattern == self.pattern)
        };
        Ok(page(&map, is_child, after, limit))
    }

    /// Its own list of repositories for this restriction, by name.
    pub fn allowed_repositories(
        &self,
        restriction: GroupRestriction,
        after: Option<&str>,
        limit: u32,
    ) -> Page<RepositoryName> {
        let allowed = self.rule(restriction).allowed.iter();
        let allowed = allowed.filter(|name| after.is_none_or(|after| name.as_str() > after));
        let allowed = allowed.take(limit as usize + 1).cloned().collect();
        Page::cut(allowed, limit, RepositoryName::to_string)
    }

    /// Changes what is said about it; an empty text clears, `None` leaves. Errors: `NotFound`.
    pub async fn update(
        &self,
        contact_info: Option<String>,
        description: Option<String>,
    ) -> Result<Arc<PackageGroup>> {
        let (group, now) = (Arc::clone(&self.thing), self.catalog.now());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let id = row_id(tx, &group, now)?;
                for (sql, text) in [
                    (SET_CONTACT_INFO, &contact_info),
                    (SET_DESCRIPTION, &description),
                ] {
                    if let Some(text) = text {
                        let text = Some(text.as_str()).filter(|text| !text.is_empty());
                        tx.execute(sql, &[id.as_str().into(), text.into()])?;
                    }
                }
                tx.touch(&domain_topic(&group.domain.at()));
                Ok::<_, Error>(())
            })
            .await?;
        self.read_again().await
    }

    /// Deletes it; its children become those of its parent. Errors: `NotFound`, `Invalid` (the root group).
    pub async fn delete(&self) -> Result<Arc<PackageGroup>> {
        if self.pattern.is_root() {
            return Err(Error::Invalid(
                "the root package group `/*` cannot be deleted".to_owned(),
            ));
        }
        let group = Arc::clone(&self.thing);
        self.catalog
            .0
            .database
            .write(move |tx| {
                let domain = &group.domain;
                let values = [(&*domain.id).into(), group.pattern.as_str().into()];
                if tx.execute(DELETE, &values)? == 0 {
                    return Err(no_group(&domain.at(), group.pattern.as_str()));
                }
                tx.touch(&domain_topic(&domain.at()));
                Ok(())
            })
            .await?;
        Ok(Arc::clone(&self.thing))
    }

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

    async fn read_again(&self) -> Result<Arc<PackageGroup>> {
        let at = self.domain.at();
        self.catalog.read_group_again(&at, &self.pattern).await
    }
}

/// Some of the groups of a domain, by pattern.
fn page(
    map: &DomainMap,
    wanted: impl Fn(&PackageGroup) -> bool,
    after: Option<&str>,
    limit: u32,
) -> Page<Arc<PackageGroup>> {
    let groups = map.groups.iter().filter(|group| wanted(group));
    let groups = groups.filter(|group| after.is_none_or(|after| group.pattern.as_str() > after));
    let groups = groups.take(limit as usize + 1).cloned().collect();
    Page::cut(groups, limit, |group| group.pattern.to_string())
}

/// Whether the group of a package leaves its origin controls to the repositories. Read in the transaction that needs to
/// know, which is one that makes a package.
pub(crate) fn is_open(tx: &mut Tx<'_>, domain: &Arc<Domain>, id: &PackageId) -> Result<bool> {
    let rows = tx.rows(OF_DOMAIN, &[(&*domain.id).into()])?;
    if rows.is_empty() {
        return Ok(true);
    }
    let groups = read(domain, &rows, &[])?;
    let found = groups.associate(id);
    Ok(found.is_none_or(|(group, _)| group.is_open()))
}

/// The id of the group's row. The root group has none until it is asked for here.
pub(crate) fn row_id(tx: &mut Tx<'_>, group: &PackageGroup, now: Timestamp) -> Result<String> {
    let row = row(tx, group, now)?;
    Ok(row.text("id")?)
}

fn row(tx: &mut Tx<'_>, group: &PackageGroup, now: Timestamp) -> Result<Row> {
    let domain = &group.domain;
    let values = [(&*domain.id).into(), group.pattern.as_str().into()];
    let mut rows = tx.rows(FIND, &values)?;
    if rows.is_empty() && group.pattern.is_root() {
        let root = Alone::new(GroupPattern::root(), domain.created);
        insert(tx, domain, &root, now)?;
        rows = tx.rows(FIND, &values)?;
    }
    let row = rows.into_iter().next();
    row.ok_or_else(|| no_group(&domain.at(), group.pattern.as_str()))
}

/// False when there is one of this pattern. Errors: `NotFound` (domain).
fn insert(tx: &mut Tx<'_>, domain: &Domain, group: &Alone, now: Timestamp) -> Result<bool> {
    if tx.rows(DOMAIN_EXISTS, &[(&*domain.id).into()])?.is_empty() {
        return Err(no_domain(&domain.at()));
    }
    let mode = |restriction: GroupRestriction| group.modes[restriction as usize].as_str().into();
    let tags = serde_json::to_string(&group.tags).map_err(Error::internal)?;
    let values = [
        new_id(now)?.into(),
        (&*domain.id).into(),
        group.pattern.as_str().into(),
        group.contact_info.as_deref().into(),
        group.description.as_deref().into(),
        group.created.millis().into(),
        mode(GroupRestriction::Publish),
        mode(GroupRestriction::ExternalUpstream),
        mode(GroupRestriction::InternalUpstream),
        tags.into(),
    ];
    Ok(tx.execute(INSERT, &values)? == 1)
}

fn set_origin(
    tx: &mut Tx<'_>,
    group: &PackageGroup,
    change: &GroupChange,
    now: Timestamp,
) -> Result<BTreeMap<GroupRestriction, ListChange>> {
    let row = row(tx, group, now)?;
    let id = row.text("id")?;
    let mut modes = read_modes(&row)?;
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

/// In the order of [`GroupRestriction::ALL`].
fn read_modes(row: &Row) -> Result<[GroupMode; 3]> {
    Ok([
        row.parse("external_upstream")?,
        row.parse("internal_upstream")?,
        row.parse("publish")?,
    ])
}

fn read(domain: &Arc<Domain>, rows: &[Row], allowed: &[Row]) -> Result<Groups> {
    let mut lists: HashMap<String, [BTreeSet<RepositoryName>; 3]> = HashMap::new();
    for row in allowed {
        let restriction: GroupRestriction = row.parse("restriction")?;
        let lists = lists.entry(row.text("group_id")?).or_default();
        lists[restriction as usize].insert(row.parse("name")?);
    }
    let mut groups = Vec::with_capacity(rows.len());
    for row in rows {
        groups.push(Alone {
            pattern: row.parse("pattern")?,
            contact_info: row.opt_text("contact_info")?,
            description: row.opt_text("description")?,
            created: Timestamp::from_millis(row.int("created")?),
            tags: read_tags(row)?,
            modes: read_modes(row)?,
            allowed: lists.remove(row.as_str("id")?).unwrap_or_default(),
        });
    }
    Ok(Groups::new(domain, groups))
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
