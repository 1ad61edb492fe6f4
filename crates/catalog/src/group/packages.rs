//! Which packages of a domain belong to a group.

use std::sync::Arc;

use iam::Caller;

use super::names::{AFTER, AFTER_BY_NAME, Named, Place, beginnings, looks_of};
use super::pattern::{Association, GroupPattern, Looks};
use super::{PackageGroup, arn};
use crate::action::Action;
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

/// Names that are read at a time, beyond those that fill a page.
const AT_A_TIME: u32 = 500;

/// Names that one call looks at, at most: those that begin like the pattern's may all belong to groups within it. A page
/// that ends for this may have fewer entries than asked for, or none, and says where to go on.
const AT_MOST: usize = 20_000;

impl Permit<PackageGroup> {
    /// Packages that belong to it, of all repositories of the domain, by format and by what their names look like.
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
        let after = after.map(Place::parse);
        // Whoever has begun in one order goes on in it.
        let by_name = match &after {
            Some(place) => place.is_by_name(),
            None => !self.has_caught_up().await?,
        };
        // Ranges of names, in order and apart: one beginning within another adds nothing.
        let mut beginnings = if by_name {
            vec![String::new()]
        } else {
            beginnings(pattern, &looks)
        };
        beginnings.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
        let mut items: Vec<AssociatedPackage> = Vec::new();
        let mut looked_at = 0;
        for beginning in &beginnings {
            let start = Place::before(pattern.format().unwrap_or_default(), beginning);
            let mut place = after.clone().unwrap_or_default().max(start);
            loop {
                let names = self.names_after(map, &place, by_name, limit).await?;
                let is_last = names.len() < (AT_A_TIME + limit) as usize;
                let mut left_range = false;
                for named in names {
                    left_range = !lies_in(&named, pattern, beginning);
                    if left_range {
                        break;
                    }
                    if items.len() == limit as usize {
                        let next = Some(place.text());
                        return Ok(Page { items, next });
                    }
                    looked_at += 1;
                    place = named.place();
                    // A name that looks two ways is met twice where both begin so, and counts the first time.
                    let is_first = looks_of(&named.id)
                        .into_iter()
                        .find(|looks| beginnings.iter().any(|b| looks.starts_with(b.as_str())))
                        .is_none_or(|first| by_name || first == named.looks);
                    let id = named.id;
                    if is_first
                        && let Some(association) = map.groups.associate_with(pattern, &looks, &id)
                    {
                        items.push(AssociatedPackage { id, association });
                    }
                }
                if left_range || is_last {
                    break;
                }
                if looked_at >= AT_MOST {
                    let next = Some(place.text());
                    return Ok(Page { items, next });
                }
            }
        }
        Ok(Page { items, next: None })
    }

    async fn names_after(
        &self,
        map: &DomainMap,
        place: &Place,
        by_name: bool,
        limit: u32,
    ) -> Result<Vec<Named>> {
        let (domain, limit) = (&map.domain.id, AT_A_TIME + limit);
        let (sql, values) = if by_name {
            (AFTER_BY_NAME, place.values_by_name(domain, limit))
        } else {
            (AFTER, place.values(domain, limit))
        };
        let rows = self.0.database.rows(sql, values).await?;
        rows.iter().map(Named::read).collect()
    }
}

/// Whether a name is in the range of those of the pattern's format that look so at their beginning.
fn lies_in(named: &Named, pattern: &GroupPattern, beginning: &str) -> bool {
    let is_of_format = pattern
        .format()
        .is_none_or(|format| format == named.id.format.as_str());
    is_of_format && named.looks.starts_with(beginning)
}
