//! Domains: what holds repositories and shares their bytes.

use aws::{AccountId, Timestamp};
use iam::{Caller, ResourcePolicy};

use crate::names::DomainName;
use crate::page::Page;
use crate::permit::Permit;
use crate::{Catalog, Result};

/// Which domain: its owner and its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DomainAt {
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name.
    pub name: DomainName,
}

/// A domain as it is stored.
#[derive(Debug, Clone)]
pub struct Domain {
    pub(crate) id: String,
    /// The number that tokens carry; never used again after the domain is gone.
    pub number: u64,
    /// The account that owns it.
    pub owner: AccountId,
    /// Its name.
    pub name: DomainName,
    /// The ARN of the key its creator asked for, or of the account's own.
    pub encryption_key: String,
    /// When it was created.
    pub created: Timestamp,
    /// Its tags, in key order.
    pub tags: Vec<(String, String)>,
    /// Its permissions policy.
    pub policy: Option<ResourcePolicy>,
}

/// What is counted, not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DomainFigures {
    /// Repositories in it now.
    pub repository_count: u64,
    /// Bytes of the distinct assets stored in it.
    pub asset_size_bytes: u64,
}

impl Catalog {
    /// Creates a domain owned by the caller's account. Errors: `Denied`, `Conflict` (also when it is the same in every
    /// way), `Quota`, `Invalid` (tags).
    pub async fn create_domain(
        &self,
        _caller: &Caller,
        _name: &DomainName,
        _encryption_key: Option<String>,
        _tags: Vec<(String, String)>,
    ) -> Result<Domain> {
        todo!()
    }

    /// Domains owned by the caller's account, by name.
    pub async fn list_domains(
        &self,
        _caller: &Caller,
        _after: Option<&str>,
        _limit: u32,
    ) -> Result<Page<Domain>> {
        todo!()
    }

    /// Deletes a domain that has no repositories; `None` if there is none of the name. Errors: `Conflict`.
    pub async fn delete_domain(
        &self,
        _caller: &Caller,
        _at: &DomainAt,
    ) -> Result<Option<(Domain, DomainFigures)>> {
        todo!()
    }
}

impl Permit<Domain> {
    /// Its counts.
    pub async fn figures(&self) -> Result<DomainFigures> {
        todo!()
    }
}
