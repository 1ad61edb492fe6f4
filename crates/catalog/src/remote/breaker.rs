//! A registry that fails is left alone for a while, so that it can come back and nobody waits for it in vain.
//!
//! ```text
//!            a failure of the registry, or three in a row of single paths
//!   closed ───────────────────────────────────────────────────────────────▶ open ──▶ (time passes)
//!     ▲                                                                      ▲             │
//!     │ it succeeds                                                  it fails│             ▼
//!     └──────────────────────────────────────────────────────────────────────┴──────── one probe
//! ```
//!
//! "It is not there" is an answer and no failure. What was already under way when the circuit opened is not called back,
//! and when such a request succeeds after all, the circuit closes.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws::Timestamp;

/// Failures that may be the path's alone (one forbidden package, one broken page) open the circuit when so many come
/// without a success between them. One must not be enough: whoever can ask for that path could shut the registry off.
const FAILURES_OF_PATHS: u32 = 3;

/// How long a registry that names a time itself is left alone at most.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(5);

/// When to come again while somebody else's probe is under way.
const DURING_PROBE: Duration = Duration::from_secs(1);

/// What a failure says about the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gravity {
    /// It may concern this path alone: an error page, a refusal.
    Path,
    /// The registry as a whole: no connection, no answer in time, too many requests.
    Registry,
}

/// The circuit to one registry.
#[derive(Debug)]
pub(super) struct Breaker {
    state: Mutex<State>,
    back_off: Duration,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Timestamp, probing: bool },
}

/// The leave to ask once. Dropping it says nothing about the registry.
#[must_use]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Breaker {
    pub(super) fn new(back_off: Duration) -> Self {
        Self {
            state: Mutex::new(State::Closed { failures: 0 }),
            back_off,
        }
    }

    /// The leave to ask, or how long not to.
    pub(super) fn enter(&self, now: Timestamp) -> Result<Pass<'_>, Duration> {
        self.with(|state| match state {
            State::Closed { .. } => Ok(Pass {
                breaker: self,
                is_probe: false,
            }),
            State::Open { until, .. } if now < *until => Err(until.since(now)),
            State::Open { probing: true, .. } => Err(DURING_PROBE),
            State::Open { probing, .. } => {
                *probing = true;
                Ok(Pass {
                    breaker: self,
                    is_probe: true,
                })
            }
        })
    }

    /// How long the registry is still left alone; `None` when it may be asked, if only by a probe.
    pub(super) fn open_for(&self, now: Timestamp) -> Option<Duration> {
        self.with(|state| match state {
            State::Open { until, .. } if now < *until => Some(until.since(now)),
            State::Open { .. } | State::Closed { .. } => None,
        })
    }

    /// A failure of a body, after the head was a success. The time for which the circuit opens, if it does.
    pub(super) fn failed(&self, gravity: Gravity, now: Timestamp) -> Option<Duration> {
        self.with(|state| self.fail(state, gravity, None, now))
    }

    fn fail(
        &self,
        state: &mut State,
        gravity: Gravity,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) -> Option<Duration> {
        let failures = match state {
            State::Closed { failures } => *failures + 1,
            // It was opened by another request meanwhile; all of them together are one failure.
            State::Open { .. } => return None,
        };
        if gravity == Gravity::Path && retry_after.is_none() && failures < FAILURES_OF_PATHS {
            *state = State::Closed { failures };
            return None;
        }
        Some(self.open(state, retry_after, now))
    }

    fn open(&self, state: &mut State, retry_after: Option<Duration>, now: Timestamp) -> Duration {
        let time = retry_after.map_or(self.back_off, |asked| {
            asked.clamp(self.back_off, LONGEST_BACK_OFF.max(self.back_off))
        });
        *state = State::Open {
            until: now.plus(time),
            probing: false,
        };
        time
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Pass<'_> {
    /// The registry answered; true when that closes the circuit.
    pub(super) fn succeeded(self) -> bool {
        self.breaker.with(|state| {
            let was_open = matches!(state, State::Open { .. });
            *state = State::Closed { failures: 0 };
            was_open
        })
    }

    /// The registry failed; `retry_after` is what it asks for. The time for which the circuit opens, if it does.
    pub(super) fn failed(
        self,
        gravity: Gravity,
        retry_after: Option<Duration>,
        now: Timestamp,
    ) -> Option<Duration> {
        let (breaker, is_probe) = (self.breaker, self.is_probe);
        breaker.with(|state| match state {
            State::Open { .. } if is_probe => Some(breaker.open(state, retry_after, now)),
            State::Open { .. } | State::Closed { .. } => {
                breaker.fail(state, gravity, retry_after, now)
            }
        })
    }
}

impl Drop for Pass<'_> {
    /// A probe that was given up lets the next one through.
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.with(|state| {
                if let State::Open { probing, .. } = state {
                    *probing = false;
                }
            });
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BACK_OFF: Duration = Duration::from_secs(30);

    fn second(number: i64) -> Timestamp {
        Timestamp::from_seconds(number)
    }

    #[test]
    fn it_opens_at_a_failure_of_the_registry_and_lets_one_probe_through_afterwards() {
        let breaker = Breaker::new(BACK_OFF);
        let pass = breaker.enter(second(0)).unwrap();
        assert_eq!(
            pass.failed(Gravity::Registry, None, second(0)),
            Some(BACK_OFF)
        );
        assert_eq!(
            breaker.enter(second(10)).err(),
            Some(Duration::from_secs(20))
        );
        assert_eq!(breaker.open_for(second(10)), Some(Duration::from_secs(20)));

        let probe = breaker.enter(second(30)).unwrap();
        assert_eq!(breaker.enter(second(30)).err(), Some(DURING_PROBE));
        assert_eq!(
            probe.failed(Gravity::Path, None, second(31)),
            Some(BACK_OFF)
        );
        assert!(breaker.enter(second(60)).is_err());

        let probe = breaker.enter(second(61)).unwrap();
        assert!(probe.succeeded(), "a success closes it");
        assert!(breaker.enter(second(61)).is_ok() && breaker.enter(second(61)).is_ok());
    }

    #[test]
    fn failures_of_paths_open_it_only_when_nothing_succeeds_between_them() {
        let breaker = Breaker::new(BACK_OFF);
        let fail = || {
            breaker
                .enter(second(0))
                .unwrap()
                .failed(Gravity::Path, None, second(0))
        };
        assert_eq!([fail(), fail()], [None, None]);
        assert!(!breaker.enter(second(0)).unwrap().succeeded());
        assert_eq!([fail(), fail(), fail()], [None, None, Some(BACK_OFF)]);
    }

    #[test]
    fn a_registry_may_ask_for_more_time_but_not_for_ever() {
        for (asked, given) in [(1, 30), (120, 120), (86_400, 300)] {
            let breaker = Breaker::new(BACK_OFF);
            let asked = Some(Duration::from_secs(asked));
            let pass = breaker.enter(second(0)).unwrap();
            let opened = pass.failed(Gravity::Path, asked, second(0));
            assert_eq!(opened, Some(Duration::from_secs(given)), "{asked:?}");
        }
    }

    #[test]
    fn a_probe_that_is_given_up_lets_the_next_one_through() {
        let breaker = Breaker::new(BACK_OFF);
        let _ = breaker.failed(Gravity::Registry, second(0));
        let probe = breaker.enter(second(30)).unwrap();
        assert!(breaker.enter(second(30)).is_err());
        drop(probe);
        assert!(breaker.enter(second(30)).is_ok());
    }

    #[test]
    fn many_failures_at_once_are_one() {
        let breaker = Breaker::new(BACK_OFF);
        let passes: Vec<_> = (0..50).map(|_| breaker.enter(second(0)).unwrap()).collect();
        let opened = passes.into_iter().enumerate().filter_map(|(late, pass)| {
            pass.failed(
                Gravity::Registry,
                None,
                second(i64::try_from(late).unwrap()),
            )
        });
        assert_eq!(opened.count(), 1);
        assert!(breaker.enter(second(30)).is_ok());
    }
}
