//! Runs of rules, and undoing them.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws::Timestamp;
use store::{Row, Tx};

use super::{FetchTimes, Planned, Then};
use crate::change::{By, read_package_id};
use crate::error::Kind;
use crate::job::{Counts, JobRun};
use crate::names::{DomainName, PackageId, RepositoryName, Version};
use crate::package::Status;
use crate::page::Page;
use crate::permit::Permit;
use crate::repository::{Repository, RepositoryAt};
use crate::versions::{Act, Acting, Outcomes, Selection};
use crate::{Catalog, DomainAt, Error, Result, job, removed};

/// Results that are undone at a time.
const AT_A_TIME: i64 = 500;

/// What a run did to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleResult {
    /// Its place among the results of the run.
    pub position: u64,
    /// The package.
    pub id: PackageId,
    /// The version.
    pub version: Version,
    /// The name of the rule.
    pub rule: String,
    /// What was done.
    pub then: Then,
    /// Its state before.
    pub status: Status,
    /// Why it was not done.
    pub failure: Option<String>,
    /// When it was undone.
    pub restored: Option<Timestamp>,
}

const PLACE: &str = "
    SELECT domains.owner, domains.name AS domain, repositories.name
      FROM repositories
      JOIN domains ON domains.id = repositories.domain_id
     WHERE repositories.id = $1";

const RESULT: &str = "
    INSERT INTO lifecycle_results (run_id, position, format, namespace, name, version, rule, act, status, failure, restored)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)";

const RESULTS: &str = "
    SELECT position, format, namespace, name, version, rule, act, status, failure, restored
      FROM lifecycle_results
     WHERE run_id = $1
       AND position > $2
     ORDER BY position
     LIMIT $3";

const RESTORED: &str = "
    UPDATE lifecycle_results
       SET restored = $3
     WHERE run_id = $1
       AND position = $2";

fn read(row: &Row) -> Result<LifecycleResult> {
    Ok(LifecycleResult {
        position: row.size("position")?,
        id: read_package_id(row)?,
        version: row.parse("version")?,
        rule: row.text("rule")?,
        then: row.parse("act")?,
        status: row.parse("status")?,
        failure: row.opt_text("failure")?,
        restored: row.opt_int("restored")?.map(Timestamp::from_millis),
    })
}

impl Permit<Repository> {
    /// What a run did, in its order. Errors: `NotFound`.
    pub async fn lifecycle_results(
        &self,
        run: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<LifecycleResult>> {
        let run = self.lifecycle_run(run).await?;
        let after = after.and_then(|after| after.parse().ok()).unwrap_or(-1);
        let results = self
            .catalog
            .results(&run.id, after, i64::from(limit) + 1)
            .await?;
        Ok(Page::cut(results, limit, |result| {
            result.position.to_string()
        }))
    }
}

/// Versions of a package to which a run does the same.
struct Carrying {
    run: JobRun,
    acting: Acting,
    then: Then,
    planned: Vec<Planned>,
    /// Of the first among the results.
    position: u64,
    /// What the run has done before.
    counts: Counts,
}

impl Carrying {
    /// All of it or nothing, and what came of it in the same transaction: whatever a run has done can be undone, wherever
    /// the run ended. Gives what the run has done by now.
    fn out(&self, tx: &mut Tx<'_>) -> Result<Counts> {
        let planned = &self.planned;
        let revision = |one: &Planned| (one.version.clone(), one.revision.clone());
        let selection = Selection {
            versions: planned.iter().map(|one| one.version.clone()).collect(),
            revisions: planned.iter().map(revision).collect(),
            expected: None,
        };
        let act = match self.then {
            Then::Archive => Act::Set(Status::Archived),
            Then::Dispose => Act::Dispose,
            Then::Delete => Act::Delete,
        };
        let outcomes = unless_gone(self.acting.act(tx, &selection, act))?;
        let mut counts = self.counts.clone();
        for (position, one) in (self.position..).zip(planned) {
            let failure = match outcomes.failed.get(&one.version) {
                Some((_, message)) => Some(message.clone()),
                None if outcomes.successful.contains_key(&one.version) => None,
                None => Some("it was gone".to_owned()),
            };
            let counted = match (&failure, one.then) {
                (Some(_), _) => "failed",
                (None, Then::Archive) => "archived",
                (None, Then::Dispose) => "disposed",
                (None, Then::Delete) => "deleted",
            };
            *counts.entry(counted.to_owned()).or_default() += 1;
            let values = [
                self.run.id.as_str().into(),
                position.into(),
                one.id.format.as_str().into(),
                one.id.namespace_text().into(),
                one.id.name.as_str().into(),
                one.version.as_str().into(),
                one.rule.as_str().into(),
                one.then.as_str().into(),
                one.status.as_str().into(),
                failure.into(),
            ];
            tx.execute(RESULT, &values)?;
        }
        job::count(tx, &self.run.id, &counts)?;
        Ok(counts)
    }
}

/// The package may have gone since it was looked at, and its versions with it.
fn unless_gone(outcomes: Result<Outcomes>) -> Result<Outcomes> {
    match outcomes {
        Err(Error::NotFound { .. }) => Ok(Outcomes::default()),
        outcomes => outcomes,
    }
}

impl Catalog {
    /// Does what a run of rules is to do; what it did is written down as it goes. Errors: `NotFound` when the repository
    /// or its rules are gone.
    pub async fn run_lifecycle(&self, run: &JobRun, fetches: &dyn FetchTimes) -> Result<Counts> {
        let repository = self.repository_of(run).await?;
        let stored = self.rules_of(&repository).await?;
        let rules = stored.ok_or_else(|| super::no_rules(&repository))?.rules;
        let mut counts = Counts::new();
        counts
            .extend(["archived", "disposed", "deleted", "failed"].map(|name| (name.to_owned(), 0)));
        let (mut after, mut position) = (None::<String>, 0_u64);
        loop {
            let page = self
                .plan(&repository, &rules, fetches, after.as_deref())
                .await?;
            let mut of_package: BTreeMap<(String, Then), Vec<Planned>> = BTreeMap::new();
            for planned in page.items {
                of_package
                    .entry((planned.id.to_string(), planned.then))
                    .or_default()
                    .push(planned);
            }
            for ((_, then), planned) in of_package {
                let Some(first) = planned.first() else {
                    continue;
                };
                let carrying = Carrying {
                    run: run.clone(),
                    acting: self.acting(run, &repository, &first.id),
                    then,
                    position,
                    counts,
                    planned,
                };
                position += carrying.planned.len() as u64;
                counts = self.0.database.write(move |tx| carrying.out(tx)).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(counts);
            }
        }
    }

    fn acting(&self, run: &JobRun, repository: &Arc<Repository>, id: &PackageId) -> Acting {
        Acting {
            repository: Arc::clone(repository),
            id: id.clone(),
            by: self.by_run(run),
            run: run.id.clone(),
        }
    }

    fn by_run(&self, run: &JobRun) -> By {
        By {
            principal: run.principal.clone(),
            now: self.now(),
        }
    }

    /// Brings back what a run removed, as far as it can still be brought back; what is there again stays as it is.
    pub async fn undo_lifecycle(&self, run: &JobRun) -> Result<Counts> {
        let repository = self.repository_of(run).await?;
        let undone = run.of_run.clone().unwrap_or_default();
        let mut counts = Counts::new();
        counts.extend(["restored", "failed"].map(|name| (name.to_owned(), 0)));
        let mut after = -1;
        loop {
            let results = self.results(&undone, after, AT_A_TIME).await?;
            let Some(last) = results.last() else {
                return Ok(counts);
            };
            after = i64::try_from(last.position).unwrap_or(i64::MAX);
            for result in results {
                if result.failure.is_some() || result.restored.is_some() {
                    continue;
                }
                let is_restored = self.undo_one(run, &repository, &undone, &result).await?;
                let counted = if is_restored { "restored" } else { "failed" };
                *counts.entry(counted.to_owned()).or_default() += 1;
            }
            self.count_job(run, counts.clone()).await?;
        }
    }

    /// What is brought back is written down with it, so that nothing is brought back twice.
    async fn undo_one(
        &self,
        run: &JobRun,
        repository: &Arc<Repository>,
        undone: &str,
        result: &LifecycleResult,
    ) -> Result<bool> {
        let acting = self.acting(run, repository, &result.id);
        let (undone, result) = (undone.to_owned(), result.clone());
        let undo = move |tx: &mut Tx<'_>| {
            let versions = vec![result.version.clone()];
            let outcomes = if result.then == Then::Archive {
                let selection = Selection {
                    versions,
                    expected: Some(Status::Archived),
                    ..Selection::default()
                };
                unless_gone(acting.act(tx, &selection, Act::Set(result.status)))?
            } else {
                let place = (&*acting.repository, &acting.id, &acting.by);
                removed::restore(tx, place, &versions, &undone)?
            };
            let is_restored = outcomes.successful.contains_key(&result.version);
            if is_restored {
                let values = [
                    undone.as_str().into(),
                    result.position.into(),
                    acting.by.now.millis().into(),
                ];
                tx.execute(RESTORED, &values)?;
            }
            Ok(is_restored)
        };
        self.0.database.write(undo).await
    }

    async fn results(&self, run: &str, after: i64, limit: i64) -> Result<Vec<LifecycleResult>> {
        let values = vec![run.into(), after.into(), limit.into()];
        let rows = self.0.database.rows(RESULTS, values).await?;
        rows.iter().map(read).collect()
    }

    /// The repository that a run is about, wherever it is. Errors: `NotFound`.
    async fn repository_of(&self, run: &JobRun) -> Result<Arc<Repository>> {
        let id = run.repository_id.as_str();
        let rows = self.0.database.rows(PLACE, vec![id.into()]).await?;
        let gone = || Error::not_found(Kind::Repository, id, "the repository is gone");
        let row = rows.first().ok_or_else(gone)?;
        let at = RepositoryAt {
            domain: DomainAt {
                owner: row.parse("owner")?,
                name: row.parse::<DomainName>("domain")?,
            },
            name: row.parse::<RepositoryName>("name")?,
        };
        let map = self.find_domain(&at.domain).await?.ok_or_else(gone)?;
        map.repositories.get(&at.name).cloned().ok_or_else(gone)
    }
}
