//! A statement or two beside whatever a task writes, in the same transaction.
//!
//! Whoever answers a request knows things that belong to everything it changes (who asked, and what for), and the code
//! that changes it does not. A [`Companion`] runs at the end of each transaction of the task that it accompanies: its
//! statements are committed with the others or not at all, and no writer can forget it.
//!
//! What is spawned from the task is not accompanied: it outlives the request, and is not done for it alone.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::{Error, Tx};

type Step = dyn Fn(&mut Tx<'_>) -> Result<(), Error> + Send + Sync;

/// What is done at the end of each transaction; cheap to clone.
///
/// It may run again, as the transaction itself may, and it runs on the writer's thread: it must be quick. When it
/// fails, the transaction fails.
#[derive(Clone)]
pub struct Companion(Arc<Step>);

tokio::task_local! {
    static COMPANION: Companion;
}

impl Companion {
    /// From a step of SQL alone.
    pub fn new(step: impl Fn(&mut Tx<'_>) -> Result<(), Error> + Send + Sync + 'static) -> Self {
        Self(Arc::new(step))
    }

    /// Runs a future; every [`Database::write`](crate::Database::write) in it ends with this step.
    pub async fn accompany<F: Future>(self, future: F) -> F::Output {
        COMPANION.scope(self, future).await
    }

    /// That of the task that runs now, if it has one.
    pub(crate) fn current() -> Option<Self> {
        COMPANION.try_with(Clone::clone).ok()
    }

    pub(crate) fn end(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        (self.0)(tx)
    }
}

impl fmt::Debug for Companion {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Companion")
    }
}
