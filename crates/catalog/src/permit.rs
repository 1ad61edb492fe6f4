//! A thing together with the caller who was allowed to act on it.
//!
//! The only way to get one is to be authorised, and verbs take a permit, not a name. So what is checked and what is
//! acted on cannot differ.

use std::ops::Deref;
use std::sync::Arc;

use iam::Caller;

use crate::action::Action;
use crate::domain::{Domain, DomainAt};
use crate::names::PackageId;
use crate::package::PackageAt;
use crate::repository::{Repository, RepositoryAt};
use crate::{Catalog, Result};

/// A thing the caller may act on.
pub struct Permit<T> {
    pub(crate) catalog: Catalog,
    pub(crate) thing: Arc<T>,
    pub(crate) caller: Caller,
    pub(crate) action: Action,
}

impl<T> Deref for Permit<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl Catalog {
    /// The domain, if the caller may do `action` to it. Errors: `Denied`, then `NotFound`.
    pub async fn domain(
        &self,
        _caller: &Caller,
        _action: Action,
        _at: &DomainAt,
    ) -> Result<Permit<Domain>> {
        todo!()
    }

    /// The repository, if the caller may do `action` to it. Errors: `Denied`, then `NotFound` (domain, repository).
    pub async fn repository(
        &self,
        _caller: &Caller,
        _action: Action,
        _at: &RepositoryAt,
    ) -> Result<Permit<Repository>> {
        todo!()
    }

    /// The place of a package, if the caller may do `action` to it. The package need not exist. Errors: `Denied`, then
    /// `NotFound` (domain, repository).
    pub async fn package(
        &self,
        _caller: &Caller,
        _action: Action,
        _at: &RepositoryAt,
        _id: &PackageId,
    ) -> Result<Permit<PackageAt>> {
        todo!()
    }
}
