//! Names for requests: UUIDs of version 7, so that they sort by time.
//!
//! They must differ, on all nodes, but nobody need be unable to guess one: the random part begins at random with the
//! process and goes on by counting, which spares each request a call of the system.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws::Timestamp;
use uuid::{Builder, Uuid};

/// The next name: `0198c5b2-1f6a-7d3e-9a41-0c2b7f5e6d10`.
pub(crate) fn next(now: Timestamp) -> String {
    static PROCESS: OnceLock<(u16, u64)> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (node, start) = *PROCESS.get_or_init(|| {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        // The lowest twelve bits of the first half are random in version 4, those above say which version it is.
        (u16::try_from(high & 0x0fff).unwrap_or_default(), low)
    });
    let count = start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut random = [0; 10];
    random[..2].copy_from_slice(&node.to_be_bytes());
    random[2..].copy_from_slice(&count.to_be_bytes());
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_uuids_of_version_7_and_differ() {
        let now = Timestamp::from_millis(1_795_551_739_559);
        let names: HashSet<_> = (0..1000).map(|_| next(now)).collect();
        assert_eq!(names.len(), 1000);
        for name in &names {
            let name = Uuid::parse_str(name).unwrap();
            assert_eq!(name.get_version_num(), 7);
            assert_eq!(name.get_timestamp().unwrap().to_unix().0, 1_795_551_739);
        }
    }
}
