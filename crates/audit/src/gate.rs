//! How many refusals of strangers are recorded: whoever holds no credentials must not fill the disk.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use aws::Timestamp;

/// Of one source in one second (`identity.md` 7).
const OF_SOURCE: u32 = 10;
/// Of all sources together in one second.
const OF_ALL: u32 = 200;
/// Sources that are told apart.
const SOURCES: usize = 4096;

/// Lets so many through in each second and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<Second>);

#[derive(Debug, Default)]
struct Second {
    number: i64,
    all: u32,
    sources: HashMap<Option<IpAddr>, u32>,
    kept_out: u64,
}

impl Gate {
    /// Whether this one is recorded.
    pub(crate) fn passes(&self, source: Option<IpAddr>, now: Timestamp) -> bool {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if second.number != now.seconds() {
            second.number = now.seconds();
            second.all = 0;
            second.sources.clear();
        }
        let room = second.all < OF_ALL && second.sources.len() < SOURCES;
        let count = second.sources.get(&source).copied().unwrap_or(0);
        if !room || count >= OF_SOURCE {
            second.kept_out += 1;
            return false;
        }
        second.all += 1;
        second.sources.insert(source, count + 1);
        true
    }

    /// How many were not, since this was last asked.
    pub(crate) fn kept_out(&self) -> u64 {
        let mut second = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut second.kept_out)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ten_of_a_source_pass_in_a_second_and_the_rest_is_counted() {
        let gate = Gate::default();
        let at = Timestamp::from_seconds;
        let source = |last: u8| Some(IpAddr::from([203, 0, 113, last]));
        let passed = |source, now| (0..15).filter(|_| gate.passes(source, now)).count();
        assert_eq!(passed(source(1), at(1)), 10);
        assert_eq!(passed(source(2), at(1)), 10);
        assert_eq!(gate.kept_out(), 10);
        assert_eq!(passed(source(1), at(2)), 10);
        assert_eq!(gate.kept_out(), 5);
        let all: usize = (0..=255).map(|last| passed(source(last), at(3))).sum();
        assert_eq!(all, 200);
    }
}
