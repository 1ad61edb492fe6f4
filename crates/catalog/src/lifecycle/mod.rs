//! What becomes of old versions: rules of a repository, what they would do, doing it, undoing it.
//!
//! [`Permit::preview_lifecycle`](crate::Permit) and a run ask the same function, package by package, so that a preview is what a run does when nothing happens
//! in between. What is done is done by the verbs of `versions.rs`, under the rules of those, and only to a version that is
//! still as it was when the rules were applied to it. A run writes down each version that it changed, and whatever it
//! changed can be brought back as long as a removed version can.

mod rules;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws::Timestamp;
use store::Tx;

use crate::error::Kind;
use crate::format::BoxFuture;
use crate::job::{Job, JobRun};
use crate::names::{PackageId, Version};
use crate::package::Status;
use crate::page::Page;
use crate::permit::Permit;
use crate::repository::{PackageFilter, Repository, RepositoryAt};
use crate::{Catalog, Error, Result, record};

use rules::Known;
pub use rules::{Keep, MOST_RULES, Matching, Rule, Rules, Then};
pub use run::LifecycleResult;

/// Packages that a page of a preview looks at, at most: it may have no entry and still say where to go on.
const LOOK: u32 = 200;

/// When versions were fetched: known by whoever writes down who fetched what.
pub trait FetchTimes: Send + Sync {
    /// Since when it is known.
    fn known_since(&self) -> BoxFuture<'_, Result<Timestamp>>;

    /// When each version of a package was last fetched from a repository.
    fn of<'a>(
        &'a self,
        repository: &'a RepositoryAt,
        package: &'a PackageId,
    ) -> BoxFuture<'a, Result<BTreeMap<Version, Timestamp>>>;
}

/// The rules of a repository, and who set them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRules {
    /// The rules.
    pub rules: Rules,
    /// When they were set.
    pub changed: Timestamp,
    /// ARN of who set them: in whose name they are applied.
    pub principal: String,
}

/// A version that the rules do not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The package.
    pub id: PackageId,
    /// The version.
    pub version: Version,
    /// Its revision.
    pub revision: String,
    /// Its state.
    pub status: Status,
    /// The name of the rule.
    pub rule: String,
    /// What becomes of it.
    pub then: Then,
}

const GET: &str = "
    SELECT changed, principal, document
      FROM lifecycle_rules
     WHERE repository_id = $1";

const PUT: &str = "
    INSERT INTO lifecycle_rules (repository_id, changed, principal, document)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (repository_id)
    DO UPDATE SET changed = EXCLUDED.changed, principal = EXCLUDED.principal, document = EXCLUDED.document";

const DELETE: &str = "
    DELETE FROM lifecycle_rules
     WHERE repository_id = $1";

const WITH_RULES: &str = "
    SELECT repository_id, principal
      FROM lifecycle_rules
     ORDER BY repository_id";

const LABELLED: &str = "
    SELECT DISTINCT labels.version
      FROM packages
      JOIN labels ON labels.package_id = packages.id
     WHERE packages.repository_id = $1
       AND packages.format = $2
       AND packages.namespace = $3
       AND packages.name = $4";

impl Permit<Repository> {
    /// Its rules. Errors: `NotFound` (no rules).
    pub async fn lifecycle_rules(&self) -> Result<StoredRules> {
        self.catalog
            .rules_of(self)
            .await?
            .ok_or_else(|| no_rules(self))
    }

    /// Sets its rules. `fetches_kept`: how long it is known who fetched what. Errors: `Invalid`.
    pub async fn put_lifecycle_rules(
        &self,
        rules: Rules,
        fetches_kept: Duration,
    ) -> Result<StoredRules> {
        rules.check(fetches_kept)?;
        let by = self.by();
        let document = serde_json::to_string(&rules).map_err(Error::internal)?;
        let values = [
            (&*self.id).into(),
            by.now.millis().into(),
            by.principal.as_str().into(),
            document.into(),
        ];
        let put = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(PUT, &values)?);
        self.catalog.0.database.write(put).await?;
        Ok(StoredRules {
            rules,
            changed: by.now,
            principal: by.principal,
        })
    }

    /// Removes its rules. Errors: `NotFound`.
    pub async fn delete_lifecycle_rules(&self) -> Result<()> {
        let id = Arc::clone(&self.id);
        let delete = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(DELETE, &[(&*id).into()])?);
        match self.catalog.0.database.write(delete).await? {
            0 => Err(no_rules(self)),
            _ => Ok(()),
        }
    }

    /// What a run would do now, or with these rules instead of its own: some packages at a time, a page may have any
    /// number of entries. Errors: `NotFound` (no rules); `Invalid`.
    pub async fn preview_lifecycle(
        &self,
        rules: Option<Rules>,
        fetches: &dyn FetchTimes,
        after: Option<&str>,
    ) -> Result<Page<Planned>> {
        let rules = match rules {
            Some(rules) => rules,
            None => self.lifecycle_rules().await?.rules,
        };
        self.catalog.plan(self, &rules, fetches, after).await
    }

    /// Puts a run of its rules into the queue. Errors: `NotFound` (no rules).
    pub async fn start_lifecycle(&self) -> Result<JobRun> {
        self.lifecycle_rules().await?;
        let principal = self.by().principal;
        self.catalog
            .enqueue(Job::Lifecycle, &self.id, "", &principal)
            .await
    }

    /// Puts into the queue that what a run did is undone. Errors: `NotFound` (no such run, or one that removed nothing).
    pub async fn undo_lifecycle(&self, run: &str) -> Result<JobRun> {
        let run = self.lifecycle_run(run).await?;
        if run.job != Job::Lifecycle {
            return Err(Error::Invalid(format!(
                "the run `{}` is no run of rules",
                run.id
            )));
        }
        let principal = self.by().principal;
        self.catalog
            .enqueue(Job::LifecycleUndo, &self.id, &run.id, &principal)
            .await
    }
}

impl Catalog {
    pub(super) async fn rules_of(&self, repository: &Repository) -> Result<Option<StoredRules>> {
        let rows = self
            .0
            .database
            .rows(GET, vec![(&*repository.id).into()])
            .await?;
        let read = |row: &store::Row| {
            Ok(StoredRules {
                rules: serde_json::from_str(row.as_str("document")?).map_err(Error::internal)?,
                changed: Timestamp::from_millis(row.int("changed")?),
                principal: row.text("principal")?,
            })
        };
        rows.first().map(read).transpose()
    }

    /// Repositories that have rules, and who set them.
    pub(crate) async fn repositories_with_rules(&self) -> Result<Vec<(String, String)>> {
        let rows = self.0.database.rows(WITH_RULES, Vec::new()).await?;
        rows.iter()
            .map(|row| Ok((row.text("repository_id")?, row.text("principal")?)))
            .collect()
    }

    /// What the rules do not keep of the next packages after a place: the one place where that is decided.
    pub(super) async fn plan(
        &self,
        repository: &Repository,
        rules: &Rules,
        times: &dyn FetchTimes,
        after: Option<&str>,
    ) -> Result<Page<Planned>> {
        let now = self.now();
        let fetched_known_since = times.known_since().await?;
        let asks_times = rules
            .rules
            .iter()
            .any(|rule| rule.keep.fetched_within_days.is_some());
        let all = PackageFilter::default();
        let packages = self
            .packages_recorded(repository, &all, after, LOOK)
            .await?;
        let mut planned = Vec::new();
        for package in packages.items {
            let id = package.id;
            let key = record::package_key(repository, &id);
            let versions = self.version_records(repository, &id).await?;
            let rows = self.0.database.rows(LABELLED, key).await?;
            let labelled = rows.iter().map(|row| row.parse("version"));
            let labelled = labelled.collect::<Result<BTreeSet<Version>, _>>()?;
            let fetched = if asks_times {
                times.of(&repository.at(), &id).await?
            } else {
                BTreeMap::new()
            };
            let known = Known {
                repository: &repository.name,
                id: &id,
                versions: &versions,
                labelled: &labelled,
                fetched: &fetched,
                fetched_known_since,
            };
            let format = self.0.formats.named(id.format.as_str());
            let verdicts = rules.decide(&known, now, |a, b| match format {
                Some(format) => format.order(&a.version, &b.version),
                None => a.published.cmp(&b.published),
            });
            planned.extend(verdicts.into_iter().map(|verdict| {
                Planned {
                    id: id.clone(),
                    version: verdict.version,
                    revision: verdict.revision,
                    status: verdict.status,
                    rule: rules
                        .rules
                        .get(verdict.rule)
                        .map_or_else(String::new, |rule| rule.name.clone()),
                    then: verdict.then,
                }
            }));
        }
        Ok(Page {
            items: planned,
            next: packages.next,
        })
    }
}

fn no_rules(repository: &Repository) -> Error {
    let name = repository.name.as_str();
    Error::not_found(
        Kind::LifecycleRules,
        name,
        format!("repository `{name}` has no rules"),
    )
}
