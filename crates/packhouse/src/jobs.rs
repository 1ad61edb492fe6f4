//! What has to be done every so often, whoever asks for what.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use audit::Dispatcher;
use catalog::job::{self, Counts, Job, JobRun};
use store::{Lease, Touched};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};

use crate::connection::Phase;
use crate::fetch_times::Known;
use crate::house::House;

/// Token keys are due by the hour; their steps are cheap to look for.
const EVERY: Duration = Duration::from_mins(1);
/// Of these, the first and then each so-manieth forgets what need not be kept.
const FORGETS: u32 = 60;
/// How often it is looked for what is due. A server that has just been started has better things to do.
const LOOK: Duration = Duration::from_mins(30);
/// How often bytes that nothing refers to are removed, all bytes are read again, and rules are applied.
const SWEEP: Duration = Duration::from_hours(24);
const SCRUB: Duration = Duration::from_hours(7 * 24);
const LIFECYCLE: Duration = Duration::from_hours(24);
/// How long a node that died half way keeps the others from working.
const LEASE: Duration = Duration::from_mins(5);
/// How long a run waits at most that another node has put into the queue and was not heard of.
const WAIT: Duration = Duration::from_mins(1);

/// Runs the jobs until the process is asked to end. What they do may stop at any point.
pub(crate) async fn run(
    house: Arc<House>,
    dispatcher: Dispatcher,
    keep_events: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    tokio::select! {
        () = every_minute(&house, &dispatcher, keep_events) => {}
        () = dispatcher.run() => {}
        () = look_for_due(&house) => {}
        () = work(&house) => {}
        _ = phase.wait_for(|phase| *phase == Phase::Ending) => {}
    }
}

async fn every_minute(house: &House, dispatcher: &Dispatcher, keep_events: Duration) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and opening the identities has just done this.
    ticks.tick().await;
    for minute in 0_u32.. {
        ticks.tick().await;
        if let Err(error) = house.iam.rotate(house.clock.now()).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "the keys that sign tokens could not be looked after"
            );
        }
        if let Err(error) = house.master_key.settle(&house.iam).await {
            tracing::error!(
                error = &*error as &dyn Error,
                "the master key could not be looked after"
            );
        }
        // Every machine makes two sessions an hour.
        if let Err(error) = house.iam.forget(house.clock.now()).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "sessions that have ended could not be removed"
            );
        }
        if let Err(error) = house.ledger.recover().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what a process that ended has left unrecorded could not be recorded"
            );
        }
        if minute % FORGETS == 0 {
            let before = house.clock.now().minus(keep_events);
            let forgotten = (house.ledger.forget().await, dispatcher.forget(before).await);
            if let (Err(error), _) | (_, Err(error)) = forgotten {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "old records could not be forgotten"
                );
            }
        }
    }
}

async fn look_for_due(house: &House) {
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let queued = house.catalog.queue_due_jobs(SWEEP, SCRUB, LIFECYCLE);
        if let Err(error) = queued.await {
            tracing::warn!(
                error = &error as &dyn Error,
                "what is due could not be queued"
            );
        }
    }
}

/// Does what is in the queue, one run after the other.
async fn work(house: &House) {
    let wake = Arc::new(Notify::new());
    let woken = Arc::clone(&wake);
    house.database.on_touch(move |touched| {
        let ours = match touched {
            Touched::Topics(topics) => topics.iter().any(|topic| topic == job::TOPIC),
            Touched::Everything => true,
        };
        if ours {
            woken.notify_one();
        }
    });
    loop {
        if let Err(error) = with_lease(house).await {
            tracing::warn!(
                error = &*error as &dyn Error,
                "the jobs did not come to their end"
            );
        }
        // Whichever comes first; a touch that came meanwhile is not lost.
        _ = timeout(WAIT, wake.notified()).await;
    }
}

/// Empties the queue, unless another node is at it.
async fn with_lease(house: &House) -> Result<(), Box<dyn Error + Send + Sync>> {
    let now = || house.clock.now().millis();
    let database = &house.database;
    let Some(mut lease) = Lease::take(database, "jobs", database.node(), LEASE, now()).await?
    else {
        return Ok(());
    };
    let kept = async {
        let mut ticks = interval(LEASE / 3);
        loop {
            ticks.tick().await;
            match lease.renew(now()).await {
                Ok(true) => {}
                Ok(false) => return "another node has taken over the jobs".to_owned(),
                Err(error) => {
                    return format!("the lease of the jobs could not be renewed: {error}");
                }
            }
        }
    };
    tokio::select! {
        emptied = empty_queue(house) => emptied?,
        lost = kept => return Err(lost.into()),
    }
    Ok(lease.release().await?)
}

async fn empty_queue(house: &House) -> catalog::Result<()> {
    let catalog = &house.catalog;
    catalog.tidy_jobs().await?;
    // Packages that were recorded by a version that did not keep all of this of them; none, mostly.
    let packages = catalog.catch_up().await?;
    if packages > 0 {
        tracing::info!(
            packages,
            "packages from before can be searched for, and are listed by group without looking at all"
        );
    }
    while let Some(run) = catalog.next_job().await? {
        let (job, id) = (run.job.as_str(), run.id.as_str());
        let failure = match carry_out(house, &run).await {
            Ok(counts) => {
                tracing::info!(job.name = job, job.id = id, ?counts, "a job is done");
                catalog.count_job(&run, counts).await?;
                None
            }
            Err(error) => {
                tracing::warn!(
                    job.name = job,
                    job.id = id,
                    error = &error as &dyn Error,
                    "a job has failed"
                );
                Some(error.to_string())
            }
        };
        catalog.end_job(&run, failure).await?;
    }
    Ok(())
}

async fn carry_out(house: &House, run: &JobRun) -> catalog::Result<Counts> {
    let catalog = &house.catalog;
    match run.job {
        Job::Sweep => {
            let swept = catalog.sweep().await?;
            let counts = [
                ("blobs", swept.blobs),
                ("bytes", swept.bytes),
                ("rows", swept.rows),
                ("notes", swept.notes),
            ];
            Ok(counts.map(|(name, count)| (name.to_owned(), count)).into())
        }
        Job::Scrub => catalog.scrub(run).await,
        Job::Lifecycle => catalog.run_lifecycle(run, &Known(&house.ledger)).await,
        Job::LifecycleUndo => catalog.undo_lifecycle(run).await,
    }
}
