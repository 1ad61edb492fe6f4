//! What has to be done every so often, whoever asks for what.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use audit::Dispatcher;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Phase;
use crate::house::House;

/// Token keys are due by the hour; their steps are cheap to look for.
const EVERY: Duration = Duration::from_mins(1);
/// Of these, the first and then each so-manieth forgets what need not be kept.
const FORGETS: u32 = 60;

/// Runs the jobs until the process is asked to end.
pub(crate) async fn run(
    house: Arc<House>,
    dispatcher: Dispatcher,
    keep_events: Duration,
    mut phase: watch::Receiver<Phase>,
) {
    tokio::select! {
        () = every_minute(&house, &dispatcher, keep_events) => {}
        () = dispatcher.run() => {}
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
