//! Names for versions: npm's dist-tags. Set and removed in one transaction with the change that says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::{Row, Tx};

use crate::action::Action;
use crate::change::{self, By, Change};
use crate::names::{PackageId, Version};
use crate::open::OpenRepository;
use crate::package::PackageAt;
use crate::permit::Permit;
use crate::record::{self, PackageRow, Way};
use crate::repository::Repository;
use crate::{Catalog, Error, Result};

/// Characters of a label, at most.
const LABEL_LENGTH: usize = 214;

const LABELS: &str = "
    SELECT label, version
      FROM labels
     WHERE package_id = $1
     ORDER BY label";

const OF_VERSION: &str = "
    SELECT label
      FROM labels
     WHERE package_id = $1
       AND version = $2
     ORDER BY label";

const SET: &str = "
    INSERT INTO labels (package_id, label, version)
    VALUES ($1, $2, $3)
    ON CONFLICT (package_id, label)
    DO UPDATE SET version = EXCLUDED.version";

const REMOVE: &str = "
    DELETE FROM labels
     WHERE package_id = $1
       AND label = $2";

impl OpenRepository {
    /// What may be done to what is published without publishing anew (labels, marks): `PublishPackageVersion` on the
    /// package, or `PutPackageMetadata`. The refusal names the first.
    pub async fn may_annotate(&self, package: &PackageId) -> Result<()> {
        self.annotating(package).await.map(drop)
    }

    pub(crate) async fn annotating(&self, package: &PackageId) -> Result<Permit<PackageAt>> {
        let refused = match self.permit(Action::PublishPackageVersion, package).await {
            Err(Error::Denied(refused)) => refused,
            decided => return decided,
        };
        match self.permit(Action::PutPackageMetadata, package).await {
            Err(Error::Denied(_)) => Err(Error::Denied(refused)),
            decided => decided,
        }
    }

    /// Gives labels of this repository another meaning, all in one transaction; `None` removes one. Whether the version
    /// is there is the format's question: it may be one that only an upstream has. The package is recorded if it was not.
    ///
    /// Errors: those of [`OpenRepository::may_annotate`]; `Invalid` for a label that is empty or too long.
    pub async fn label(
        &self,
        package: &PackageId,
        changes: Vec<(String, Option<Version>)>,
    ) -> Result<()> {
        let permit = self.annotating(package).await?;
        let fits = |label: &str| !label.is_empty() && label.len() <= LABEL_LENGTH;
        if let Some((label, _)) = changes.iter().find(|(label, _)| !fits(label)) {
            return Err(Error::Invalid(format!(
                "`{label}` is not a name for a version: it has 1 to {LABEL_LENGTH} bytes"
            )));
        }
        let (repository, id, by) = (Arc::clone(&self.repository), package.clone(), permit.by());
        self.catalog
            .0
            .database
            .write(move |tx| {
                let row = record::ensure_package(tx, &repository, &by, &id, Way::Taken)?;
                for (label, version) in &changes {
                    set(tx, &repository, &by, (&id, &row), label, version.as_ref())?;
                }
                Ok(())
            })
            .await
    }

    /// The labels that this very repository records of a package.
    pub async fn labels(&self, package: &PackageId) -> Result<BTreeMap<String, Version>> {
        self.may_read().await?;
        match self
            .catalog
            .recorded_package(&self.repository, package)
            .await?
        {
            Some(row) => self.catalog.labels(&row).await,
            None => Ok(BTreeMap::new()),
        }
    }
}

impl Catalog {
    /// The labels of a package.
    pub(crate) async fn labels(&self, package: &PackageRow) -> Result<BTreeMap<String, Version>> {
        let rows = self
            .0
            .database
            .rows(LABELS, vec![package.id.as_str().into()])
            .await?;
        read(&rows)
    }
}

fn read(rows: &[Row]) -> Result<BTreeMap<String, Version>> {
    rows.iter()
        .map(|row| Ok((row.text("label")?, row.parse("version")?)))
        .collect()
}

/// The labels of a package, as they are in a transaction.
pub(crate) fn all(tx: &mut Tx<'_>, package: &PackageRow) -> Result<BTreeMap<String, Version>> {
    read(&tx.rows(LABELS, &[package.id.as_str().into()])?)
}

/// Gives a label a meaning, or takes it away, and says so if that changes anything.
pub(crate) fn set(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    (id, package): (&PackageId, &PackageRow),
    label: &str,
    version: Option<&Version>,
) -> Result<()> {
    if all(tx, package)?.get(label) == version {
        return Ok(());
    }
    let mut values = vec![package.id.as_str().into(), label.into()];
    match version {
        Some(version) => {
            values.push(version.as_str().into());
            tx.execute(SET, &values)?;
        }
        None => {
            tx.execute(REMOVE, &values)?;
        }
    }
    record::edited(tx, package, by)?;
    let change = Change::Label {
        label: label.to_owned(),
        version: version.cloned(),
    };
    change::write(tx, repository, id, by, &change)
}

/// The labels of a version.
pub(crate) fn of_version(
    tx: &mut Tx<'_>,
    package: &PackageRow,
    version: &Version,
) -> Result<Vec<String>> {
    let rows = tx.rows(
        OF_VERSION,
        &[package.id.as_str().into(), version.as_str().into()],
    )?;
    rows.iter().map(|row| Ok(row.text("label")?)).collect()
}

/// The labels of a walk, in its order, each with its distance from the beginning: what a repository says counts less than
/// what its upstreams say, and of these the first counts ("upstreams-and-origin" 2.4 of the specification).
pub(crate) fn merge(found: Vec<(usize, BTreeMap<String, Version>)>) -> BTreeMap<String, Version> {
    // From the last to the first, so that what is behind one is merged when it comes.
    let mut merged: Vec<(usize, BTreeMap<String, Version>)> = Vec::new();
    for (depth, own) in found.into_iter().rev() {
        let mut labels = BTreeMap::new();
        while let Some((_, behind)) = merged.pop_if(|(behind, _)| *behind > depth) {
            for (label, version) in behind {
                labels.entry(label).or_insert(version);
            }
        }
        for (label, version) in own {
            labels.entry(label).or_insert(version);
        }
        merged.push((depth, labels));
    }
    let mut all = BTreeMap::new();
    while let Some((_, labels)) = merged.pop() {
        for (label, version) in labels {
            all.entry(label).or_insert(version);
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn labels(text: &str) -> BTreeMap<String, Version> {
        let pairs = text.split_whitespace().map(|pair| {
            let (label, version) = pair.split_once('=').unwrap();
            (label.to_owned(), version.parse().unwrap())
        });
        pairs.collect()
    }

    #[test]
    fn an_upstream_counts_more_than_a_repository_and_the_first_more_than_the_second() {
        for (found, expected) in [
            (vec![(0, "a=1")], "a=1"),
            (vec![(0, "a=1"), (1, "a=2")], "a=2"),
            (
                vec![(0, "a=1 b=1"), (1, "a=2"), (1, "a=3 c=3")],
                "a=2 b=1 c=3",
            ),
            (vec![(0, "a=1"), (1, "a=2"), (2, "a=3"), (1, "a=4")], "a=3"),
            (vec![(0, "a=1"), (1, ""), (1, "a=4"), (2, "a=5")], "a=5"),
            // A package that the first does not record has no stop of its own here.
            (vec![(1, "a=2"), (2, "a=3"), (1, "b=4")], "a=3 b=4"),
        ] {
            let walked = found.iter().map(|(depth, text)| (*depth, labels(text)));
            assert_eq!(merge(walked.collect()), labels(expected), "{found:?}");
        }
    }
}
