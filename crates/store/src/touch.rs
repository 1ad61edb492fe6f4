//! Who hears what a committed transaction changed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

/// What a transaction that is now visible has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These topics, each once, in the order in which they were first touched.
    Topics(Vec<String>),
    /// Possibly everything: for a while this node could not hear the others.
    Everything,
}

type Listener = Arc<dyn Fn(&Touched) + Send + Sync>;

/// Everybody who asked to be told.
#[derive(Default)]
pub(crate) struct Listeners(RwLock<Vec<Listener>>);

impl Listeners {
    pub(crate) fn add(&self, listener: impl Fn(&Touched) + Send + Sync + 'static) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(listener));
    }

    /// Tells all of them before it returns; nobody is told of a transaction that touched nothing.
    pub(crate) fn tell(&self, touched: &Touched) {
        if *touched == Touched::Topics(Vec::new()) {
            return;
        }
        // Copied out so that a listener may add another one.
        let listeners = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for listener in listeners {
            // One that panics must neither keep the others from hearing nor end the writer's thread.
            if catch_unwind(AssertUnwindSafe(|| listener(touched))).is_err() {
                tracing::error!(?touched, "a listener to committed changes panicked");
            }
        }
    }
}
