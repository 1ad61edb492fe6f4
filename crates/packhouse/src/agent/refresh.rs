//! Asks the server for sessions, early enough that clients never see one near its end.
//!
//! ```text
//! no role           look for one every few seconds
//! a role, no trust  ask again every few seconds, after two minutes every half minute
//! a session         a new one at half life; meanwhile look every few seconds whether it is still the same role
//! no answer         what there is stays; again after 1, 2, 4, … 60 s, each shortened by up to half
//! refused           what there is goes
//! ```

use std::time::Duration;

use aws::{AccountId, Clock, Timestamp};
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};

use super::arguments::Hours;
use super::held::{Held, Holder, NOT_KNOWN, NOT_YET};
use super::server::{AskError, Enrolled};
use super::wire::Told;

/// How soon a role that was attached is noticed.
const LOOK_FOR_ROLE: Duration = Duration::from_secs(3);
/// How soon it is noticed that the role was taken away, or is another one.
const LOOK_AT_ROLE: Duration = Duration::from_secs(15);
/// So long a role that does not trust machines is asked for as often: somebody may be about to mend it.
const MENDED_SOON: Duration = Duration::from_mins(2);
/// And so often after that: each time is a refusal in the server's audit log.
const LOOK_FOR_TRUST: Duration = Duration::from_secs(30);
/// After the first failure; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What to ask next, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// For a session.
    Session(Duration),
    /// Whether the role is the same.
    Look(Duration),
}

/// What to do with `held`, after so many failures in a row.
fn plan(held: &Held, failures: u32, now: Timestamp) -> Next {
    if failures > 0 {
        return Next::Session(pause(failures));
    }
    match (held, held.half_life()) {
        (Held::Session { .. }, Some(half_life)) => {
            let left = half_life.since(now);
            if left <= LOOK_AT_ROLE {
                Next::Session(left)
            } else {
                Next::Look(LOOK_AT_ROLE)
            }
        }
        (Held::Refused { since, .. }, _) if now.since(*since) < MENDED_SOON => {
            Next::Session(LOOK_FOR_ROLE)
        }
        (Held::Refused { .. }, _) => Next::Session(LOOK_FOR_TRUST),
        _ => Next::Look(LOOK_FOR_ROLE),
    }
}

/// 1, 2, 4, … 60 s.
fn pause(failures: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(6));
    doubled.min(LONGEST_PAUSE)
}

/// Shortened by up to a half, so that machines which lost their server together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random numbers it is not shortened.
    _ = SystemRandom::new().fill(&mut byte);
    pause.mul_f64(1.0 - f64::from(byte[0]) / 512.0)
}

/// The side of the agent that fetches.
pub(super) struct Refresher {
    server: Enrolled,
    account: AccountId,
    hours: Hours,
    holder: Holder,
    clock: Clock,
    failures: u32,
    has_warned: bool,
}

impl Refresher {
    pub(super) fn new(
        server: Enrolled,
        account: AccountId,
        hours: Hours,
        holder: Holder,
        clock: Clock,
    ) -> Self {
        Self {
            server,
            account,
            hours,
            holder,
            clock,
            failures: 0,
            has_warned: false,
        }
    }

    /// Asks for a session at once, then one step after another.
    pub(super) async fn run(&mut self) {
        self.renew().await;
        loop {
            self.step().await;
        }
    }

    /// Lets go of everything: what comes next is asked for anew.
    pub(super) fn drop_all(&mut self) {
        self.holder.set(Held::Nothing { why: NOT_YET });
        self.failures = 0;
    }

    async fn step(&mut self) {
        let held = self.holder.get();
        match plan(&held, self.failures, self.clock.now()) {
            Next::Session(wait) => {
                let wait = if self.failures > 0 {
                    jittered(wait)
                } else {
                    wait
                };
                tokio::time::sleep(wait).await;
                self.renew().await;
            }
            Next::Look(wait) => {
                tokio::time::sleep(wait).await;
                self.look().await;
            }
        }
    }

    /// Whether the machine still has the same role; if not, what there is goes at once.
    async fn look(&mut self) {
        let told = self.server.binding().await;
        let Some(told) = self.heard(told) else {
            return;
        };
        let held = self.holder.get();
        if told.role.as_ref() == held.role() {
            if told.role.is_none() {
                self.holder.set(Held::Nothing {
                    why: super::held::NO_ROLE,
                });
            }
            return;
        }
        if let Some(role) = &told.role {
            tracing::info!(role = role.name, "a role was attached");
        } else {
            tracing::info!("the role was taken away");
        }
        if held.role().is_some() {
            self.drop_all();
        }
        self.renew().await;
    }

    async fn renew(&mut self) {
        let told = self.server.credentials(self.hours.seconds()).await;
        let Some(told) = self.heard(told) else {
            return;
        };
        let Some(mut held) = Held::of(told, self.account, self.clock.now()) else {
            self.failures += 1;
            tracing::error!("the server's answer makes no sense");
            return;
        };
        held.goes_on_from(&self.holder.get());
        match &held {
            Held::Nothing { why } => tracing::info!("{why}"),
            Held::Refused { role, refusal, .. } => {
                tracing::warn!(role = role.name, "{}", refusal.message);
            }
            Held::Session { role, answer } => tracing::info!(
                role = role.name,
                until = %answer.expiration.iso8601(),
                "a new session"
            ),
        }
        self.has_warned = false;
        self.holder.set(held);
    }

    /// What the server said, if it did.
    fn heard(&mut self, told: Result<Told, AskError>) -> Option<Told> {
        match told {
            Ok(told) => {
                if self.failures > 0 {
                    tracing::info!("the server answers again");
                }
                self.failures = 0;
                Some(told)
            }
            Err(error @ AskError::Unreachable { .. }) => {
                if self.failures == 0 {
                    tracing::warn!(error = &error as &dyn std::error::Error, "no answer");
                }
                self.failures = self.failures.saturating_add(1);
                self.warn_of_the_end();
                None
            }
            Err(error @ AskError::Refused { .. }) => {
                if self.failures == 0 {
                    tracing::error!("{error}");
                }
                self.failures = self.failures.saturating_add(1);
                self.holder.set(Held::Nothing { why: NOT_KNOWN });
                None
            }
        }
    }

    fn warn_of_the_end(&mut self) {
        if !self.has_warned && self.holder.get().is_nearly_over(self.clock.now()) {
            self.has_warned = true;
            tracing::warn!(
                "the session ends in less than 20 minutes, and some clients will use it beyond its end"
            );
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::wire::{Refusal, Role, Session};
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_773_500_966);

    fn role() -> Role {
        Role {
            association_id: "iip-assoc-0123456789abcdef0".to_owned(),
            id: "AROAEXAMPLE".to_owned(),
            name: "ec2-ca".to_owned(),
            instance_profile_arn: "arn:aws:iam::111122223333:instance-profile/ec2-ca".to_owned(),
            instance_profile_id: "AIPAEXAMPLE".to_owned(),
        }
    }

    fn session(life: Duration) -> Held {
        let session = Session {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "hush".to_owned(),
            token: "phs1_x".to_owned(),
            expiration: NOW.plus(life).iso8601(),
        };
        let told = Told {
            role: Some(role()),
            session: Some(session),
            refusal: None,
        };
        Held::of(told, "111122223333".parse().unwrap(), NOW).unwrap()
    }

    fn refused() -> Held {
        let told = Told {
            role: Some(role()),
            session: None,
            refusal: Some(Refusal {
                code: "AssumeRoleUnauthorizedAccess".to_owned(),
                message: "no".to_owned(),
            }),
        };
        Held::of(told, "111122223333".parse().unwrap(), NOW).unwrap()
    }

    #[test]
    fn a_session_is_renewed_at_half_life_and_its_role_looked_at_before() {
        let (minutes, seconds) = (Duration::from_mins, Duration::from_secs);
        for (held, failures, after, expected) in [
            (
                session(minutes(60)),
                0,
                minutes(0),
                Next::Look(LOOK_AT_ROLE),
            ),
            (
                session(minutes(60)),
                0,
                minutes(29),
                Next::Look(LOOK_AT_ROLE),
            ),
            (
                session(minutes(60)),
                0,
                seconds(29 * 60 + 50),
                Next::Session(seconds(10)),
            ),
            (
                session(minutes(60)),
                0,
                minutes(30),
                Next::Session(seconds(0)),
            ),
            (
                session(minutes(60)),
                0,
                minutes(61),
                Next::Session(seconds(0)),
            ),
            (
                session(minutes(360)),
                0,
                minutes(179),
                Next::Look(LOOK_AT_ROLE),
            ),
            (
                session(minutes(60)),
                1,
                minutes(30),
                Next::Session(seconds(1)),
            ),
            (
                session(minutes(60)),
                4,
                minutes(30),
                Next::Session(seconds(8)),
            ),
            (
                session(minutes(60)),
                40,
                minutes(30),
                Next::Session(seconds(60)),
            ),
            (
                Held::Nothing { why: "" },
                0,
                minutes(0),
                Next::Look(LOOK_FOR_ROLE),
            ),
            (refused(), 0, seconds(119), Next::Session(LOOK_FOR_ROLE)),
            (refused(), 0, minutes(2), Next::Session(LOOK_FOR_TRUST)),
            (
                Held::Nothing { why: "" },
                2,
                minutes(0),
                Next::Session(seconds(2)),
            ),
        ] {
            let found = plan(&held, failures, NOW.plus(after));
            assert_eq!(found, expected, "{failures} failures, after {after:?}");
        }
    }

    #[test]
    fn with_a_server_no_session_is_served_in_its_last_20_minutes() {
        for hours in 1..=6 {
            let held = session(Duration::from_hours(hours));
            let renewed = held.half_life().unwrap();
            assert!(!held.is_nearly_over(renewed), "{hours} h");
        }
        let held = session(Duration::from_hours(1));
        assert!(held.is_nearly_over(NOW.plus(Duration::from_mins(41))));
    }

    #[test]
    fn pauses_are_shortened_by_up_to_a_half() {
        for _ in 0..100 {
            let pause = jittered(Duration::from_mins(1));
            assert!((30.0..=60.0).contains(&pause.as_secs_f64()), "{pause:?}");
        }
    }

    #[test]
    fn what_the_server_says_is_held_or_is_nonsense() {
        let account = "111122223333".parse().unwrap();
        let none = Held::of(Told::default(), account, NOW).unwrap();
        assert!(matches!(none, Held::Nothing { .. }) && none.role().is_none());
        let first = refused();
        assert!(matches!(first, Held::Refused { .. }));
        assert_eq!(first.role(), Some(&role()));
        let told = Told {
            role: Some(role()),
            ..Told::default()
        };
        assert!(Held::of(told, account, NOW).is_none());
    }
}
