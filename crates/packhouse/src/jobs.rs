//! What has to be done every so often, whoever asks for what.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use audit::Dispatcher;
use store::Lease;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

use crate::connection::Phase;
use crate::house::House;

/// Token keys are due by the hour; their steps are cheap to look for.
const EVERY: Duration = Duration::from_mins(1);
/// Of these, the first and then each so-manieth forgets what need not be kept.
const FORGETS: u32 = 60;
/// Bytes that nothing refers to are left alone for a day in any case.
const SWEEP: Duration = Duration::from_hours(24);
/// A server that has just been started has better things to do.
const SWEEP_FIRST: Duration = Duration::from_mins(30);
/// How long a node that died half way keeps the others from sweeping.
const SWEEP_LEASE: Duration = Duration::from_mins(5);

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
        () = every_day(&house) => {}
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

async fn every_day(house: &House) {
    let mut sweeps = interval_at(Instant::now() + SWEEP_FIRST, SWEEP);
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        sweeps.tick().await;
        if let Err(error) = sweep(house).await {
            tracing::warn!(
                error = &*error as &dyn Error,
                "the sweep did not come to its end"
            );
        }
    }
}

/// Removes what nothing refers to, unless another node is at it.
async fn sweep(house: &House) -> Result<(), Box<dyn Error + Send + Sync>> {
    let now = || house.clock.now().millis();
    let database = &house.database;
    let Some(mut lease) =
        Lease::take(database, "sweep", database.node(), SWEEP_LEASE, now()).await?
    else {
        return Ok(());
    };
    let kept = async {
        let mut ticks = interval(SWEEP_LEASE / 3);
        loop {
            ticks.tick().await;
            match lease.renew(now()).await {
                Ok(true) => {}
                Ok(false) => return "another node has taken over the sweep".to_owned(),
                Err(error) => {
                    return format!("the lease of the sweep could not be renewed: {error}");
                }
            }
        }
    };
    let swept = tokio::select! {
        swept = house.catalog.sweep() => swept?,
        lost = kept => return Err(lost.into()),
    };
    lease.release().await?;
    tracing::info!(
        blobs = swept.blobs,
        bytes = swept.bytes,
        rows = swept.rows,
        notes = swept.notes,
        "swept"
    );
    Ok(())
}
