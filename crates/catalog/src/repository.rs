//! Repositories: where packages are looked for, and what is asked next.

use std::sync::Arc;

use aws::{AccountId, Timestamp};
use iam::{Caller, ResourcePolicy};

use crate::domain::{Domain, DomainAt};
use crate::names::{ConnectionName, FormatName, RepositoryName};
use crate::package::{Package, Restriction};
use crate::page::Page;
use crate::permit::Permit;
use crate::{Catalog, Result};

/// Which repository: its domain and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryAt {
    /// The domain it is in.
    pub domain: DomainAt,
    /// Its name.
    pub name: RepositoryName,
}

/// A repository as it is stored.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(crate) id: String,
    /// The domain it is in.
    pub domain: Arc<Domain>,
    /// Its name.
    pub name: RepositoryName,
    /// The account whose caller created it.
    pub administrator: AccountId,
    /// What it is for; `None` when never set.
    pub description: Option<String>,
    /// Its direct upstream repositories, first asked first.
    pub upstreams: Vec<RepositoryName>,
    /// Its connection to a public registry. Never together with upstreams.
    pub connection: Option<ConnectionName>,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags, in key order.
    pub tags: Vec<(String, String)>,
    /// Its permissions policy.
    pub policy: Option<ResourcePolicy>,
}

/// What a new repository should be.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// Its name.
    pub name: RepositoryName,
    /// What it is for.
    pub description: Option<String>,
    /// Its direct upstream repositories, first asked first.
    pub upstreams: Vec<RepositoryName>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// What of a repository should change. `None` leaves a member as it is.
#[derive(Debug, Clone, Default)]
pub struct RepositoryChange {
    /// The description; an empty one clears it.
    pub description: Option<String>,
    /// The whole list of upstreams.
    pub upstreams: Option<Vec<RepositoryName>>,
}

/// Which packages of a repository are listed.
#[derive(Debug, Clone, Default)]
pub struct PackageFilter {
    /// Of this format only.
    pub format: Option<FormatName>,
    /// Whose namespace starts like this.
    pub namespace_prefix: Option<String>,
    /// Whose name starts like this.
    pub name_prefix: Option<String>,
    /// Whose own publish restriction is this.
    pub publish: Option<Restriction>,
    /// Whose own upstream restriction is this.
    pub upstream: Option<Restriction>,
}

impl Catalog {
    /// Creates a repository, administered by the caller's account. Errors: `Denied` (also for an upstream the caller
    /// may not use), `NotFound` (domain, upstream), `Conflict`, `Quota`, `Invalid`.
    pub async fn create_repository(
        &self,
        _caller: &Caller,
        _at: &DomainAt,
        _new: NewRepository,
    ) -> Result<Repository> {
        todo!()
    }

    /// Deletes a repository with all that is in it; `None` if there is none of the name.
    pub async fn delete_repository(
        &self,
        _caller: &Caller,
        _at: &RepositoryAt,
    ) -> Result<Option<Repository>> {
        todo!()
    }

    /// Repositories administered by the caller's account, in any domain, by domain and name.
    pub async fn list_repositories(
        &self,
        _caller: &Caller,
        _prefix: Option<&RepositoryName>,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page<Repository>> {
        todo!()
    }
}

impl Permit<Domain> {
    /// Repositories of the domain, by name.
    pub async fn repositories(
        &self,
        _administrator: Option<&AccountId>,
        _prefix: Option<&RepositoryName>,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page<Repository>> {
        todo!()
    }
}

impl Permit<Repository> {
    /// Changes description or upstreams. Errors: `Invalid` (upstreams beside a connection, doubled, itself), `NotFound`,
    /// `Quota`, `Denied` (an upstream being added).
    pub async fn update(&self, _change: RepositoryChange) -> Result<Repository> {
        todo!()
    }

    /// Connects it to a public registry. Errors: `Invalid` (unknown name, another connection, upstreams), `Conflict`
    /// (this connection already).
    pub async fn connect(&self, _connection: &ConnectionName) -> Result<Repository> {
        todo!()
    }

    /// Ends its connection. Errors: `NotFound` when it has not this one.
    pub async fn disconnect(&self, _connection: &ConnectionName) -> Result<Repository> {
        todo!()
    }

    /// Packages recorded in this repository itself, by format, namespace and name.
    pub async fn packages(
        &self,
        _filter: &PackageFilter,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page<Package>> {
        todo!()
    }
}
