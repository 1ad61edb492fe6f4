//! The rows of groups, and how all groups of a domain are put together from them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use aws::Timestamp;
use store::{Row, Tx};

use super::pattern::GroupPattern;
use super::tree::{Alone, Groups};
use super::{GroupMode, GroupRestriction, PackageGroup, no_group};
use crate::domain::{Domain, read_tags};
use crate::ids::new_id;
use crate::names::{PackageId, RepositoryName};
use crate::permit::no_domain;
use crate::{Catalog, Error, Result};

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

impl Catalog {
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
}

/// All groups of a domain, as they are in the transaction that needs to know.
pub(crate) fn read_all(tx: &mut Tx<'_>, domain: &Arc<Domain>) -> Result<Groups> {
    let id = [(&*domain.id).into()];
    let rows = tx.rows(OF_DOMAIN, &id)?;
    let allowed = if rows.is_empty() {
        Vec::new()
    } else {
        tx.rows(ALLOWED_OF_DOMAIN, &id)?
    };
    read(domain, &rows, &allowed)
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

pub(super) fn row(tx: &mut Tx<'_>, group: &PackageGroup, now: Timestamp) -> Result<Row> {
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
pub(super) fn insert(
    tx: &mut Tx<'_>,
    domain: &Domain,
    group: &Alone,
    now: Timestamp,
) -> Result<bool> {
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

/// In the order of [`GroupRestriction::ALL`].
pub(super) fn read_modes(row: &Row) -> Result<[GroupMode; 3]> {
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
