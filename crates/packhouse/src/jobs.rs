//! What has to be done every so often, whoever asks for what.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Phase;
use crate::house::House;

/// Token keys are due by the hour; their steps are cheap to look for.
const EVERY: Duration = Duration::from_mins(1);

/// Runs the jobs until the process is asked to end.
pub(crate) async fn run(house: Arc<House>, mut phase: watch::Receiver<Phase>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, and opening the identities has just done this.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => return,
        }
        if let Err(error) = house.iam.rotate(house.clock.now()).await {
            tracing::warn!(
                error = &error as &dyn Error,
                "the keys that sign tokens could not be looked after"
            );
        }
    }
}
