//! Searching the packages of a domain.
//!
//! What is found first: the package of just this name, then names that begin so, then packages that have all the words,
//! those that have them in their name before those that have them in their readme. A filter is one more thing that a
//! package must have.
//!
//! Only repositories that the caller may read are looked at, each asked for by the one [`Permit`](crate::Permit). The work
//! of one call is bounded by the rows that it looks at, and not by how many there are: a page may therefore have fewer
//! entries than asked for, or none, and say where to go on. `docs/decisions/0008` has the numbers.

mod digest;
mod index;
mod open;
mod statements;
mod terms;
mod walk;

use std::collections::HashMap;
use std::sync::Arc;

use aws::Timestamp;
use iam::Caller;

use crate::action::Action;
use crate::domain::DomainAt;
use crate::names::{FormatName, PackageId, RepositoryName, Version};
use crate::page::Page;
use crate::permit::no_domain;
use crate::repository::Repository;
use crate::{Catalog, Error, Result};

pub use digest::{DigestText, FileFound, InvalidDigest};
pub(crate) use index::{bring_up, refresh};
pub use open::PackageSummary;
use walk::{Place, Plan};

/// Words of one search, at most.
pub const SEARCH_WORDS: usize = 6;

/// What is searched for. Everything that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Words of name, namespace, keywords, summary and the beginning of the readme; or the beginning of a name.
    pub text: Option<String>,
    /// The package's name, in any case; ending in `*`: its beginning.
    pub name: Option<String>,
    /// The namespace, in any case; ending in `*`: it or one below it (`org.apache.*`).
    pub namespace: Option<String>,
    /// The format.
    pub format: Option<FormatName>,
    /// A licence of the newest version, as its author wrote it, in any case.
    pub license: Option<String>,
    /// In this repository only.
    pub repository: Option<RepositoryName>,
}

/// A package that was found, in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFound {
    pub(crate) row_id: String,
    /// The repository.
    pub repository: RepositoryName,
    /// The package.
    pub id: PackageId,
    /// The newest version that clients are shown.
    pub version: Version,
    /// When it came into the repository.
    pub published: Timestamp,
    /// What it says of itself, at most 400 characters.
    pub summary: String,
    /// Its licences.
    pub licenses: Vec<String>,
}

impl Catalog {
    /// Packages of a domain, best first, in the repositories that the caller may read (`ReadFromRepository`). A page
    /// may have fewer entries than `limit` and still say where to go on.
    ///
    /// Errors: `Invalid` (more than [`SEARCH_WORDS`] words, a place that is none); `NotFound` (a domain of the caller's
    /// own account). A repository that may not be read, or is not there, has nothing.
    pub async fn search(
        &self,
        caller: &Caller,
        at: &DomainAt,
        search: &Search,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<PackageFound>> {
        let plan = Plan::of(search)?;
        let place = after.map(str::parse::<Place>).transpose()?;
        let (_, repositories) = self
            .readable(caller, at, search.repository.as_ref())
            .await?;
        let repositories: Vec<_> = repositories.into_values().collect();
        self.walk(&repositories, &plan, place, limit).await
    }

    /// The repositories of a domain that a caller may read, by id, and the id of the domain. A domain of another account
    /// that is not there has none, as one that may not be read.
    async fn readable(
        &self,
        caller: &Caller,
        at: &DomainAt,
        only: Option<&RepositoryName>,
    ) -> Result<(Arc<str>, HashMap<Arc<str>, Arc<Repository>>)> {
        let Some(map) = self.find_domain(at).await? else {
            return if at.owner == *caller.account() {
                Err(no_domain(at))
            } else {
                Ok(("".into(), HashMap::new()))
            };
        };
        let mut readable = HashMap::new();
        for (name, repository) in &map.repositories {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let permit = self
                .repository(caller, Action::ReadFromRepository, &repository.at())
                .await;
            match permit {
                Ok(permit) => {
                    let repository = Arc::clone(&permit.thing);
                    readable.insert(Arc::clone(&repository.id), repository);
                }
                Err(Error::Denied(_) | Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok((Arc::clone(&map.domain.id), readable))
    }
}
