//! Which packages of a domain belong to a group.

use std::sync::Arc;

use iam::Caller;

use super::pattern::{Association, GroupPattern, Looks};
use super::{PackageGroup, arn};
use crate::action::Action;
use crate::change::read_package_id;
use crate::domain::DomainAt;
use crate::names::PackageId;
use crate::page::Page;
use crate::permit::{Permit, Subject, no_domain};
use crate::shelf::DomainMap;
use crate::{Catalog, Result};

/// A package, and how it belongs to its group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssociatedPackage {
    /// The package.
    pub id: PackageId,
    /// How.
    pub association: Association,
}

/// Names that are read at a time.
const AT_A_TIME: u32 = 1_000;

/// Names that one call looks at, at most: what looks like a pattern is not found by an index. A page that ends for this
/// may have fewer entries than asked for, or none, and says where to go on.
const AT_MOST: usize = 20_000;

/// Packages of a domain, whichever of its repositories record them. The order of the tables is that in which they are
/// read, which the planner of `SQLite` takes from `CROSS JOIN`.
pub(crate) const NAMES_OF_DOMAIN: &str = "
    SELECT DISTINCT packages.format, packages.namespace, packages.name
      FROM packages
     CROSS JOIN repositories
     WHERE repositories.id = packages.repository_id
       AND repositories.domain_id = $1
       AND (packages.format, packages.namespace, packages.name) > ($2, $3, $4)
     ORDER BY packages.format, packages.namespace, packages.name
     LIMIT $5";

impl Permit<PackageGroup> {
    /// Packages that belong to it, of all repositories of the domain, by format, namespace and name.
    pub async fn packages(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<AssociatedPackage>> {
        let at = self.domain.at();
        let map = self.catalog.find_domain(&at).await?;
        let map = map.ok_or_else(|| no_domain(&at))?;
        self.catalog
            .packages_of(&map, &self.pattern, after, limit)
            .await
    }
}

impl Catalog {
    /// Packages that would belong to a group of this pattern; there need be none. `Action::ListAssociatedPackages` on
    /// it. Errors: `Denied`, `NotFound` (domain).
    pub async fn preview_packages(
        &self,
        caller: &Caller,
        at: &DomainAt,
        pattern: &GroupPattern,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<AssociatedPackage>> {
        let map = self.find_domain(at).await?;
        let group = map
            .as_ref()
            .and_then(|map| map.groups.find(pattern.as_str()));
        let arn = arn(&self.domain_arn(at), pattern.as_str());
        let subject = Subject {
            resources: &[&arn],
            owner: &at.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: None,
            group: group.map(|group| &**group),
            request_tags: None,
        };
        self.authorize(caller, Action::ListAssociatedPackages, subject)
            .await?;
        let map = map.as_ref().ok_or_else(|| no_domain(at))?;
        self.packages_of(map, pattern, after, limit).await
    }

    async fn packages_of(
        &self,
        map: &Arc<DomainMap>,
        pattern: &GroupPattern,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<AssociatedPackage>> {
        let looks = Looks::of_pattern(pattern);
        let format = pattern.format();
        let mut place = match (after, format) {
            (Some(after), _) => after.to_owned(),
            (None, Some(format)) => format!("{format}//"),
            (None, None) => "//".to_owned(),
        };
        let mut items: Vec<AssociatedPackage> = Vec::new();
        let mut looked_at = 0;
        while looked_at < AT_MOST {
            let names = self.names_after(map, &place).await?;
            let is_last = names.len() < AT_A_TIME as usize;
            for id in names {
                if format.is_some_and(|format| format != id.format.as_str()) {
                    return Ok(Page { items, next: None });
                }
                looked_at += 1;
                let here = cursor(&id);
                if let Some(association) = map.groups.associate_with(pattern, &looks, &id) {
                    if items.len() == limit as usize {
                        let next = items.last().map(|item| cursor(&item.id));
                        return Ok(Page { items, next });
                    }
                    items.push(AssociatedPackage { id, association });
                }
                place = here;
            }
            if is_last {
                return Ok(Page { items, next: None });
            }
        }
        Ok(Page {
            items,
            next: Some(place),
        })
    }

    async fn names_after(&self, map: &DomainMap, place: &str) -> Result<Vec<PackageId>> {
        let mut parts = place.splitn(3, '/');
        let mut next = || parts.next().unwrap_or("").into();
        let values = vec![
            (&*map.domain.id).into(),
            next(),
            next(),
            next(),
            AT_A_TIME.into(),
        ];
        let rows = self.0.database.rows(NAMES_OF_DOMAIN, values).await?;
        rows.iter().map(read_package_id).collect()
    }
}

/// Where a package stands in the list.
fn cursor(id: &PackageId) -> String {
    format!("{}/{}/{}", id.format, id.namespace_text(), id.name)
}
