//! What can be done with groups: create, find, list, describe anew, delete.

use std::sync::Arc;

use iam::{Caller, RequestTags};

use super::pattern::{Association, GroupPattern};
use super::rows::{insert, row_id};
use super::tree::Alone;
use super::{GroupAt, GroupRestriction, NewPackageGroup, PackageGroup, arn, no_group};
use crate::action::Action;
use crate::domain::{Domain, DomainAt};
use crate::error::Kind;
use crate::names::{PackageId, RepositoryName};
use crate::page::Page;
use crate::permit::{Permit, Subject, no_domain};
use crate::shelf::{DomainMap, domain_topic};
use crate::{Catalog, Error, Result, tags};

const SET_CONTACT_INFO: &str = "
    UPDATE package_groups
       SET contact_info = $2
     WHERE id = $1";

const SET_DESCRIPTION: &str = "
    UPDATE package_groups
       SET description = $2
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM package_groups
     WHERE domain_id = $1
       AND pattern = $2";

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
        let arn = arn(&self.domain_arn(at), pattern.as_str());
        let action = Action::CreatePackageGroup;
        let map = self.may_make(caller, action, at, &arn, &tags).await?;
        let domain = Arc::clone(&map.domain);
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
        request_tags: Option<RequestTags<'_>>,
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

    pub(super) async fn read_group_again(
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

    pub(super) async fn read_again(&self) -> Result<Arc<PackageGroup>> {
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
