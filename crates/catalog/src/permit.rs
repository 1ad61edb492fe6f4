//! A thing together with the caller who was allowed to act on it.
//!
//! The only way to get one is to be authorised, and verbs take a permit, not a name. So what is checked and what is
//! acted on cannot differ. Loading, authorising and "not found" stand here in this order, once: a caller who may not
//! act on a thing is told so whether or not it exists.

use std::ops::Deref;
use std::sync::Arc;

use aws::AccountId;
use iam::{Ask, AuthorizeError, Caller, RequestTags};

use crate::action::Action;
use crate::domain::{Domain, DomainAt};
use crate::error::Kind;
use crate::group::PackageGroup;
use crate::names::PackageId;
use crate::package::PackageAt;
use crate::repository::{Repository, RepositoryAt};
use crate::shelf::DomainMap;
use crate::{Catalog, Error, Result};

/// A thing the caller may act on.
pub struct Permit<T> {
    pub(crate) catalog: Catalog,
    pub(crate) thing: Arc<T>,
    pub(crate) caller: Caller,
    pub(crate) action: Action,
}

impl<T> Permit<T> {
    /// What the caller may do to it.
    pub fn action(&self) -> Action {
        self.action
    }
}

impl<T> Deref for Permit<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

/// Of what an action is asked, beside caller and action.
pub(crate) struct Subject<'a> {
    /// ARNs; an Allow for one suffices, a Deny for any wins.
    pub(crate) resources: &'a [&'a str],
    /// The account that the resource belongs to.
    pub(crate) owner: &'a AccountId,
    pub(crate) domain: Option<&'a Domain>,
    pub(crate) repository: Option<&'a Repository>,
    pub(crate) group: Option<&'a PackageGroup>,
    /// What the request does to tags.
    pub(crate) request_tags: Option<RequestTags<'a>>,
}

impl Catalog {
    /// The domain, if the caller may do `action` to it. Errors: `Denied`, then `NotFound`.
    pub async fn domain(
        &self,
        caller: &Caller,
        action: Action,
        at: &DomainAt,
    ) -> Result<Permit<Domain>> {
        let map = self.find_domain(at).await?;
        let domain = map.as_ref().map(|map| &*map.domain);
        let arn = self.domain_arn(at);
        self.authorize(
            caller,
            action,
            Subject {
                resources: &[&arn],
                owner: &at.owner,
                domain,
                repository: None,
                group: None,
                request_tags: None,
            },
        )
        .await?;
        let map = map.ok_or_else(|| no_domain(at))?;
        Ok(self.permit(Arc::clone(&map.domain), caller, action))
    }

    /// The repository, if the caller may do `action` to it. Errors: `Denied`, then `NotFound` (domain, repository).
    pub async fn repository(
        &self,
        caller: &Caller,
        action: Action,
        at: &RepositoryAt,
    ) -> Result<Permit<Repository>> {
        let map = self.find_domain(&at.domain).await?;
        let repository = map.as_ref().and_then(|map| map.repositories.get(&at.name));
        let missing_arn;
        let arn = if let Some(repository) = repository {
            repository.arn.as_str()
        } else {
            missing_arn = self.repository_arn(at);
            missing_arn.as_str()
        };
        self.authorize(
            caller,
            action,
            Subject {
                resources: &[arn],
                owner: &at.domain.owner,
                domain: map.as_ref().map(|map| &*map.domain),
                repository: repository.map(|repository| &**repository),
                group: None,
                request_tags: None,
            },
        )
        .await?;
        let repository = found(map.as_deref(), at)?;
        Ok(self.permit(repository, caller, action))
    }

    /// The place of a package, if the caller may do `action` to it. The package need not exist. Errors: `Denied`, then
    /// `NotFound` (domain, repository).
    pub async fn package(
        &self,
        caller: &Caller,
        action: Action,
        at: &RepositoryAt,
        id: &PackageId,
    ) -> Result<Permit<PackageAt>> {
        let map = self.find_domain(&at.domain).await?;
        let repository = map.as_ref().and_then(|map| map.repositories.get(&at.name));
        let arn = self.package_arn(at, id);
        self.authorize(
            caller,
            action,
            Subject {
                resources: &[&arn],
                owner: &at.domain.owner,
                domain: map.as_ref().map(|map| &*map.domain),
                repository: repository.map(|repository| &**repository),
                group: None,
                request_tags: None,
            },
        )
        .await?;
        let repository = found(map.as_deref(), at)?;
        Ok(self.permit(
            Arc::new(PackageAt {
                repository,
                id: id.clone(),
            }),
            caller,
            action,
        ))
    }

    /// The domain, if the caller may make something of this ARN in it, with these tags. An Allow for the domain does for
    /// making it; for tagging it only one for the thing itself. Errors: `Denied`, then `NotFound` (domain).
    pub(crate) async fn may_make(
        &self,
        caller: &Caller,
        action: Action,
        at: &DomainAt,
        arn: &str,
        tags: &[(String, String)],
    ) -> Result<Arc<DomainMap>> {
        let map = self.find_domain(at).await?;
        let domain_arn = self.domain_arn(at);
        let (either, only) = ([arn, domain_arn.as_str()], [arn]);
        let subject = |resources| Subject {
            resources,
            owner: &at.owner,
            domain: map.as_ref().map(|map| &*map.domain),
            repository: None,
            group: None,
            request_tags: Some(RequestTags::Put(tags)),
        };
        self.authorize(caller, action, subject(&either)).await?;
        if !tags.is_empty() {
            self.authorize(caller, Action::TagResource, subject(&only))
                .await?;
        }
        map.ok_or_else(|| no_domain(at))
    }

    pub(crate) fn permit<T>(&self, thing: Arc<T>, caller: &Caller, action: Action) -> Permit<T> {
        Permit {
            catalog: self.clone(),
            thing,
            caller: caller.clone(),
            action,
        }
    }

    /// Asks IAM, with the resource policies that have a say in this action.
    pub(crate) async fn authorize(
        &self,
        caller: &Caller,
        action: Action,
        subject: Subject<'_>,
    ) -> Result<()> {
        let domain = subject.domain.filter(|_| action.asks_domain_policy());
        let repository = subject
            .repository
            .filter(|_| action.asks_repository_policy());
        let tags: &[(String, String)] = match (subject.group, subject.repository, subject.domain) {
            (Some(group), _, _) => &group.tags,
            (None, Some(repository), _) => &repository.tags,
            // A domain's tags count for the domain itself, not for what is being made in it.
            (None, None, Some(domain)) if subject.resources.first() == Some(&&*domain.arn) => {
                &domain.tags
            }
            _ => &[],
        };
        let ask = Ask {
            caller,
            action: action.as_str(),
            resources: subject.resources,
            owner: subject.owner,
            administrator: subject
                .repository
                .map(|repository| &repository.administrator),
            domain_policy: domain.and_then(|domain| domain.policy.as_ref()),
            repository_policy: repository.and_then(|repository| repository.policy.as_ref()),
            resource_tags: tags,
            request_tags: subject.request_tags,
            context: &[],
        };
        self.0
            .iam
            .authorize(&ask)
            .await
            .map_err(|error| match error {
                AuthorizeError::Denied(denial) => Error::Denied(denial),
                error @ AuthorizeError::Unavailable(_) => Error::Unavailable(Box::new(error)),
            })
    }

    pub(crate) fn domain_arn(&self, at: &DomainAt) -> String {
        let region = self.0.iam.region();
        format!(
            "arn:aws:codeartifact:{}:{}:domain/{}",
            region.as_str(),
            at.owner.as_str(),
            at.name
        )
    }

    pub(crate) fn repository_arn(&self, at: &RepositoryAt) -> String {
        let region = self.0.iam.region();
        let DomainAt { owner, name } = &at.domain;
        format!(
            "arn:aws:codeartifact:{}:{}:repository/{name}/{}",
            region.as_str(),
            owner.as_str(),
            at.name
        )
    }

    pub(crate) fn package_arn(&self, at: &RepositoryAt, id: &PackageId) -> String {
        let region = self.0.iam.region();
        let DomainAt { owner, name } = &at.domain;
        format!(
            "arn:aws:codeartifact:{}:{}:package/{name}/{}/{}/{}/{}",
            region.as_str(),
            owner.as_str(),
            at.name,
            id.format,
            id.namespace_text(),
            id.name
        )
    }
}

/// What is said of a domain that is not there; tools look for this very text.
pub(crate) fn no_domain(at: &DomainAt) -> Error {
    let DomainAt { owner, name } = at;
    Error::not_found(
        Kind::Domain,
        name.as_str(),
        format!(
            "Domain not found. Domain '{name}' owned by account '{}' does not exist",
            owner.as_str()
        ),
    )
}

/// What is said of a repository that is not there.
pub(crate) fn no_repository(at: &RepositoryAt) -> Error {
    let RepositoryAt { domain, name } = at;
    Error::not_found(
        Kind::Repository,
        name.as_str(),
        format!(
            "Repository not found. Repository '{name}' in domain '{}' owned by account '{}' does not exist",
            domain.name,
            domain.owner.as_str()
        ),
    )
}

/// The repository in what was loaded, or which of the two is missing.
fn found(map: Option<&DomainMap>, at: &RepositoryAt) -> Result<Arc<Repository>> {
    let map = map.ok_or_else(|| no_domain(&at.domain))?;
    map.repositories
        .get(&at.name)
        .cloned()
        .ok_or_else(|| no_repository(at))
}
