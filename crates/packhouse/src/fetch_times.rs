//! What the ledger knows of fetches, for rules that ask when a version was last fetched.

use std::collections::BTreeMap;

use audit::{FetchedFrom, Ledger};
use aws::Timestamp;
use catalog::lifecycle::FetchTimes;
use catalog::{BoxFuture, Error, PackageId, RepositoryAt, Result, Version};

/// A ledger that is asked for the times of fetches.
pub(crate) struct Known<'a>(pub(crate) &'a Ledger);

/// How the ledger names a package of a repository.
pub(crate) fn fetched_from(at: &RepositoryAt, id: &PackageId) -> FetchedFrom {
    FetchedFrom {
        owner: at.domain.owner,
        domain: at.domain.name.to_string(),
        repository: at.name.to_string(),
        format: id.format.to_string(),
        namespace: id
            .namespace
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        name: id.name.to_string(),
    }
}

impl FetchTimes for Known<'_> {
    fn known_since(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(async { self.0.fetches_known_since().await.map_err(unknown) })
    }

    fn of<'a>(
        &'a self,
        repository: &'a RepositoryAt,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<BTreeMap<Version, Timestamp>>> {
        Box::pin(async move {
            let from = fetched_from(repository, package);
            let times = self.0.last_fetched(&from).await.map_err(unknown)?;
            let read = |(version, time): (String, _)| Some((version.parse().ok()?, time));
            Ok(times.into_iter().filter_map(read).collect())
        })
    }
}

/// Nothing is removed when nobody can tell whether it was fetched.
fn unknown(error: audit::Error) -> Error {
    Error::Unavailable(Box::new(error))
}
