//! How often somebody may be wrong: those who guess codes and keys are not heard for the rest of a minute.
//!
//! Only what was refused counts, by address, so nobody who is right is slowed down but by others at the same address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::Timestamp;

use crate::peer;

/// Within [`WINDOW`].
const ALLOWED: u32 = 20;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered; when there are more at once, half of them are forgotten.
const ADDRESSES: usize = 10_000;

/// The failures of the last minute.
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    since: Timestamp,
    count: u32,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// How long an address is not heard any more; `None` when it may ask.
    pub(crate) fn wait(&self, from: Option<IpAddr>, now: Timestamp) -> Option<Duration> {
        let failures = *self.all().get(&network(from))?;
        let end = failures.since.plus(WINDOW);
        (failures.count >= ALLOWED && end > now).then(|| end.since(now))
    }

    /// Notes that an address was wrong.
    pub(crate) fn failed(&self, from: Option<IpAddr>, now: Timestamp) {
        let mut all = self.all();
        if all.len() >= ADDRESSES {
            all.retain(|_, failures| failures.since.plus(WINDOW) > now);
        }
        if all.len() >= ADDRESSES {
            // Half of them, whichever: to look for the oldest each time would be work that strangers cause.
            let mut stays = false;
            all.retain(|_, _| {
                stays = !stays;
                stays
            });
        }
        let failures = all.entry(network(from)).or_insert(Failures {
            since: now,
            count: 0,
        });
        if failures.since.plus(WINDOW) <= now {
            *failures = Failures {
                since: now,
                count: 0,
            };
        }
        failures.count += 1;
    }

    fn all(&self) -> MutexGuard<'_, HashMap<IpAddr, Failures>> {
        // A count that is off by one does no harm.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(from: Option<IpAddr>) -> IpAddr {
    from.map_or(Ipv6Addr::UNSPECIFIED.into(), peer::network)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_773_500_966);

    #[test]
    fn who_is_wrong_too_often_is_not_heard_for_a_minute() {
        let attempts = Attempts::new();
        let ip = |text: &str| Some(text.parse().unwrap());
        for _ in 0..ALLOWED {
            assert_eq!(attempts.wait(ip("10.0.0.1"), NOW), None);
            attempts.failed(ip("10.0.0.1"), NOW);
        }
        assert_eq!(attempts.wait(ip("10.0.0.1"), NOW), Some(WINDOW));
        assert_eq!(attempts.wait(ip("10.0.0.2"), NOW), None);
        assert_eq!(attempts.wait(ip("10.0.0.1"), NOW.plus(WINDOW)), None);
        // Another address of the same network of version 6 is the same somebody.
        for host in 0..ALLOWED {
            attempts.failed(ip(&format!("2001:db8::{host:x}")), NOW);
        }
        assert!(attempts.wait(ip("2001:db8::ffff"), NOW).is_some());
        assert!(attempts.wait(ip("2001:db8:0:1::1"), NOW).is_none());
    }

    #[test]
    fn no_more_than_ten_thousand_are_remembered() {
        let attempts = Attempts::new();
        for number in 0..20_000_u32 {
            attempts.failed(Some(std::net::Ipv4Addr::from(number).into()), NOW);
        }
        assert!((1..=ADDRESSES).contains(&attempts.all().len()));
    }
}
