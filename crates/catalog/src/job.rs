//! Work that is done aside, and what came of it: a queue in the database, and its history.
//!
//! Whoever asks puts a run into the queue; one process at a time, under a lease that is not kept here, takes the oldest. What
//! stood as running when the lease was taken was left behind by a process that is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Timestamp;
use store::{Row, Tx, Value};

use crate::error::Kind;
use crate::ids::new_id;
use crate::package::spelled;
use crate::page::Page;
use crate::repository::Repository;
use crate::{Catalog, Error, Result};

/// What transactions touch that put something into the queue.
pub const TOPIC: &str = "jobs";

/// How long what came of a run is kept.
pub const KEPT: Duration = Duration::from_hours(90 * 24);

/// Which work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Removes bytes that nothing refers to.
    Sweep,
    /// Reads all bytes again and compares their digests.
    Scrub,
    /// Applies the rules of a repository.
    Lifecycle,
    /// Brings back what such a run removed.
    LifecycleUndo,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nobody has begun.
    Queued,
    /// Somebody is at it.
    Running,
    /// Done.
    Succeeded,
    /// Something went wrong.
    Failed,
    /// The process that was at it has ended before it was done.
    Interrupted,
}

spelled!(Job {
    Sweep = "Sweep",
    Scrub = "Scrub",
    Lifecycle = "Lifecycle",
    LifecycleUndo = "LifecycleUndo",
});
spelled!(JobState {
    Queued = "Queued",
    Running = "Running",
    Succeeded = "Succeeded",
    Failed = "Failed",
    Interrupted = "Interrupted",
});

/// What was counted: `{"blobs": 3, "bytes": 5000}`.
pub type Counts = BTreeMap<String, u64>;

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// Its id.
    pub id: String,
    /// Which work.
    pub job: Job,
    /// How far it is.
    pub state: JobState,
    /// ARN of who asked for it; of nobody's it says `packhouse`.
    pub principal: String,
    /// When.
    pub asked: Timestamp,
    /// When it was begun.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it has done so far.
    pub counts: Counts,
    /// Why it failed.
    pub failure: Option<String>,
    /// The run that this one undoes.
    pub of_run: Option<String>,
    pub(crate) repository_id: String,
}

/// Who asks for what nobody asked for.
pub const HOUSE: &str = "packhouse";

const INSERT: &str = "
    INSERT INTO job_runs (id, job, repository_id, of_run, state, principal, asked, started, ended, counts, failure)
    VALUES ($1, $2, $3, $4, 'Queued', $5, $6, NULL, NULL, '{}', NULL)";

const WAITING: &str = "
    SELECT id, job, repository_id, of_run, state, principal, asked, started, ended, counts, failure
      FROM job_runs
     WHERE job = $1
       AND repository_id = $2
       AND of_run = $3
       AND state = 'Queued'
     ORDER BY id
     LIMIT 1";

const NEXT: &str = "
    SELECT id, job, repository_id, of_run, state, principal, asked, started, ended, counts, failure
      FROM job_runs
     WHERE state = 'Queued'
     ORDER BY id
     LIMIT 1";

const GET: &str = "
    SELECT id, job, repository_id, of_run, state, principal, asked, started, ended, counts, failure
      FROM job_runs
     WHERE id = $1";

/// Of everything, or of one repository.
const LIST: &str = "
    SELECT id, job, repository_id, of_run, state, principal, asked, started, ended, counts, failure
      FROM job_runs
     WHERE repository_id = $1
       AND id < $2
       AND ($3 = '' OR job = $3)
     ORDER BY id DESC
     LIMIT $4";

const LAST: &str = "
    SELECT MAX(asked) AS last
      FROM job_runs
     WHERE job = $1
       AND repository_id = $2";

const BEGIN: &str = "
    UPDATE job_runs
       SET state = 'Running', started = $2
     WHERE id = $1";

const COUNT: &str = "
    UPDATE job_runs
       SET counts = $2
     WHERE id = $1";

const END: &str = "
    UPDATE job_runs
       SET state = $2, ended = $3, failure = $4
     WHERE id = $1";

const INTERRUPT: &str = "
    UPDATE job_runs
       SET state = 'Interrupted', ended = $1
     WHERE state = 'Running'";

const FORGET: &str = "
    DELETE FROM job_runs
     WHERE asked <= $1";

pub(crate) fn read(row: &Row) -> Result<JobRun> {
    let time = |column| Ok::<_, Error>(row.opt_int(column)?.map(Timestamp::from_millis));
    let of_run = row.text("of_run")?;
    Ok(JobRun {
        id: row.text("id")?,
        job: row.parse("job")?,
        state: row.parse("state")?,
        principal: row.text("principal")?,
        asked: Timestamp::from_millis(row.int("asked")?),
        started: time("started")?,
        ended: time("ended")?,
        counts: serde_json::from_str(row.as_str("counts")?).map_err(Error::internal)?,
        failure: row.opt_text("failure")?,
        of_run: (!of_run.is_empty()).then_some(of_run),
        repository_id: row.text("repository_id")?,
    })
}

pub(crate) fn count(tx: &mut Tx<'_>, run: &str, counts: &Counts) -> Result<()> {
    let counts = serde_json::to_string(counts).map_err(Error::internal)?;
    tx.execute(COUNT, &[run.into(), counts.into()])?;
    Ok(())
}

impl Catalog {
    /// Puts work on everything into the queue, unless the same waits there already. `principal`: ARN of who asks.
    pub async fn start_job(&self, job: Job, principal: &str) -> Result<JobRun> {
        self.enqueue(job, "", "", principal).await
    }

    pub(crate) async fn enqueue(
        &self,
        job: Job,
        repository_id: &str,
        of_run: &str,
        principal: &str,
    ) -> Result<JobRun> {
        let now = self.now();
        let key: Vec<Value> = vec![job.as_str().into(), repository_id.into(), of_run.into()];
        let id = new_id(now)?;
        let mut new = vec![Value::from(id.as_str())];
        new.extend(key.clone());
        new.extend([principal.into(), now.millis().into()]);
        let queue = move |tx: &mut Tx<'_>| {
            if let Some(row) = tx.rows(WAITING, &key)?.first() {
                return read(row);
            }
            tx.execute(INSERT, &new)?;
            tx.touch(TOPIC);
            let rows = tx.rows(GET, &[id.as_str().into()])?;
            let row = rows
                .first()
                .ok_or_else(|| Error::internal("a run that was just made is gone"))?;
            read(row)
        };
        self.0.database.write(queue).await
    }

    /// Puts into the queue what is due: a sweep each `sweep`, a scrub each `scrub`, the rules of each repository each
    /// `lifecycle`.
    pub async fn queue_due_jobs(
        &self,
        sweep: Duration,
        scrub: Duration,
        lifecycle: Duration,
    ) -> Result<()> {
        for (job, every) in [(Job::Sweep, sweep), (Job::Scrub, scrub)] {
            if self.is_due(job, "", every).await? {
                self.start_job(job, HOUSE).await?;
            }
        }
        for (repository_id, principal) in self.repositories_with_rules().await? {
            if self
                .is_due(Job::Lifecycle, &repository_id, lifecycle)
                .await?
            {
                self.enqueue(Job::Lifecycle, &repository_id, "", &principal)
                    .await?;
            }
        }
        Ok(())
    }

    async fn is_due(&self, job: Job, repository_id: &str, every: Duration) -> Result<bool> {
        let values = vec![job.as_str().into(), repository_id.into()];
        let rows = self.0.database.rows(LAST, values).await?;
        let last = rows
            .first()
            .map(|row| row.opt_int("last"))
            .transpose()?
            .flatten();
        Ok(last.is_none_or(|last| last <= self.now().minus(every).millis()))
    }

    /// Says of runs that a process which is gone has left behind that they were interrupted, and forgets old ones. Call it
    /// when nobody else can be at any.
    pub async fn tidy_jobs(&self) -> Result<()> {
        let now = self.now();
        let tidy = move |tx: &mut Tx<'_>| {
            tx.execute(INTERRUPT, &[now.millis().into()])?;
            tx.execute(FORGET, &[now.minus(KEPT).millis().into()])?;
            Ok::<_, Error>(())
        };
        self.0.database.write(tidy).await
    }

    /// Takes the oldest run out of the queue, and says that it runs.
    pub async fn next_job(&self) -> Result<Option<JobRun>> {
        let now = self.now();
        let take = move |tx: &mut Tx<'_>| {
            let Some(run) = tx.rows(NEXT, &[])?.first().map(read).transpose()? else {
                return Ok::<_, Error>(None);
            };
            tx.execute(BEGIN, &[run.id.as_str().into(), now.millis().into()])?;
            Ok(Some(JobRun {
                state: JobState::Running,
                started: Some(now),
                ..run
            }))
        };
        self.0.database.write(take).await
    }

    /// Writes down how a run ended. `failure`: for people, nothing secret.
    pub async fn end_job(&self, run: &JobRun, failure: Option<String>) -> Result<()> {
        let state = if failure.is_some() {
            JobState::Failed
        } else {
            JobState::Succeeded
        };
        let values = [
            run.id.as_str().into(),
            state.as_str().into(),
            self.now().millis().into(),
            failure.into(),
        ];
        let end = move |tx: &mut Tx<'_>| Ok::<_, Error>(tx.execute(END, &values)?);
        self.0.database.write(end).await.map(drop)
    }

    /// Writes down what a run has done so far.
    pub async fn count_job(&self, run: &JobRun, counts: Counts) -> Result<()> {
        let id = run.id.clone();
        self.0
            .database
            .write(move |tx| count(tx, &id, &counts))
            .await
    }

    /// A run of work on everything. Errors: `NotFound`.
    pub async fn job_run(&self, id: &str) -> Result<JobRun> {
        self.run_of("", id).await
    }

    pub(crate) async fn run_of(&self, repository_id: &str, id: &str) -> Result<JobRun> {
        let rows = self.0.database.rows(GET, vec![id.into()]).await?;
        let run = rows.first().map(read).transpose()?;
        run.filter(|run| run.repository_id == repository_id)
            .ok_or_else(|| Error::not_found(Kind::Run, id, format!("there is no run `{id}`")))
    }

    /// Runs of work on everything, newest first.
    pub async fn job_runs(
        &self,
        job: Option<Job>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<JobRun>> {
        self.runs_of("", job, after, limit).await
    }

    pub(crate) async fn runs_of(
        &self,
        repository_id: &str,
        job: Option<Job>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<JobRun>> {
        let values = vec![
            repository_id.into(),
            // Behind every id.
            after.unwrap_or("~").into(),
            job.map_or("", Job::as_str).into(),
            (i64::from(limit) + 1).into(),
        ];
        let rows = self.0.database.rows(LIST, values).await?;
        let runs = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(runs, limit, |run| run.id.clone()))
    }
}

/// Which runs there are of a repository, and one of them.
impl crate::Permit<Repository> {
    /// Runs of its rules, newest first.
    pub async fn lifecycle_runs(&self, after: Option<&str>, limit: u32) -> Result<Page<JobRun>> {
        self.catalog.runs_of(&self.id, None, after, limit).await
    }

    /// One of them. Errors: `NotFound`.
    pub async fn lifecycle_run(&self, id: &str) -> Result<JobRun> {
        self.catalog.run_of(&self.id, id).await
    }
}
