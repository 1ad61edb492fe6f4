//! The names of snapshots and their builds.

use std::cmp::Ordering;
use std::fmt;

use catalog::{Timestamp, Version};

/// The version of a snapshot: `1.1-SNAPSHOT`, or `SNAPSHOT` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot(Version);

/// The suffix that makes a snapshot.
const SUFFIX: &str = "SNAPSHOT";

impl Snapshot {
    /// Reads `X-SNAPSHOT` or `SNAPSHOT`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let base = text.strip_suffix(SUFFIX)?;
        if base.is_empty() || (base.len() > 1 && base.ends_with('-')) {
            Some(Self(text.parse().ok()?))
        } else {
            None
        }
    }

    /// The snapshot that `version` is a build of: `1.1-20261122.194127-1` is one of `1.1-SNAPSHOT`.
    pub(crate) fn of_build(version: &str) -> Option<(Self, Stamp)> {
        let (base, stamp) = split_build(version)?;
        Some((Self(format!("{base}{SUFFIX}").parse().ok()?), stamp))
    }

    /// What stands before `SNAPSHOT`: `1.1-`, or nothing.
    pub(crate) fn base(&self) -> &str {
        let text = self.0.as_str();
        &text[..text.len() - SUFFIX.len()]
    }

    /// The version itself, which is the name of its directory.
    pub(crate) fn version(&self) -> &Version {
        &self.0
    }

    /// The version of one build: `1.1-20261122.194127-1`. `None` when that is too long for a version.
    pub(crate) fn build(&self, stamp: &Stamp) -> Option<Version> {
        format!("{}{stamp}", self.base()).parse().ok()
    }
}

/// When a build was made and its number: `20261122.194127-1`. Later is greater.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    moment: String,
    number: u64,
}

/// `yyyyMMdd.HHmmss`.
const MOMENT_BYTES: usize = 15;
/// Fits into 64 bits whatever the digits: 10^18 < 2^63.
const MAX_NUMBER_DIGITS: usize = 18;

impl Stamp {
    /// From the moment in UTC and the number that a client or we gave it.
    pub(crate) fn new(moment: &str, number: u64) -> Option<Self> {
        is_moment(moment).then(|| Self {
            moment: moment.to_owned(),
            number,
        })
    }

    /// The stamp of a build that arrives now.
    pub(crate) fn at(now: Timestamp, number: u64) -> Self {
        let digits = compact(now);
        Self {
            moment: format!("{}.{}", &digits[..8], &digits[8..]),
            number,
        }
    }

    /// Reads a whole text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (stamp, rest) = Self::parse_prefix(text)?;
        rest.is_empty().then_some(stamp)
    }

    /// Reads a stamp off the front of a text; the rest is what follows.
    pub(crate) fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let moment = text.get(..MOMENT_BYTES)?;
        let number = text.get(MOMENT_BYTES..)?.strip_prefix('-')?;
        let end = number
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(number.len());
        let (digits, rest) = number.split_at(end);
        // Without leading zeros, so that printing it gives the same text.
        let is_number = !digits.is_empty()
            && digits.len() <= MAX_NUMBER_DIGITS
            && (digits == "0" || !digits.starts_with('0'));
        if !is_number {
            return None;
        }
        Some((Self::new(moment, digits.parse().ok()?)?, rest))
    }

    /// `20261122.194127`.
    pub(crate) fn moment(&self) -> &str {
        &self.moment
    }

    /// `20261122194127`, as metadata documents write times.
    pub(crate) fn updated(&self) -> String {
        self.moment.replace('.', "")
    }

    /// The build number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.moment, self.number)
    }
}

impl Ord for Stamp {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.moment, self.number).cmp(&(&other.moment, other.number))
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether a version is that of a build: `1.1-20261122.194127-1`.
pub(crate) fn is_build(version: &str) -> bool {
    split_build(version).is_some()
}

fn split_build(version: &str) -> Option<(&str, Stamp)> {
    let number_at = version.rfind('-')?;
    let moment_at = number_at.checked_sub(MOMENT_BYTES)?;
    let base = version.get(..moment_at)?;
    if !base.is_empty() && (base.len() == 1 || !base.ends_with('-')) {
        return None;
    }
    Some((base, Stamp::parse(version.get(moment_at..)?)?))
}

fn is_moment(text: &str) -> bool {
    text.len() == MOMENT_BYTES
        && text.bytes().enumerate().all(|(at, byte)| {
            if at == 8 {
                byte == b'.'
            } else {
                byte.is_ascii_digit()
            }
        })
}

/// `yyyyMMddHHmmss` in UTC, as metadata documents write times.
pub(crate) fn compact(time: Timestamp) -> String {
    time.amz_date()
        .chars()
        .filter(char::is_ascii_digit)
        .collect()
}

/// Reads [`compact`].
pub(crate) fn parse_compact(text: &str) -> Option<Timestamp> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Timestamp::parse_amz_date(&format!("{}T{}Z", &text[..8], &text[8..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn builds_know_their_snapshot_and_print_as_they_were_read() {
        for (build, snapshot) in [
            ("1.1-20261122.194127-1", "1.1-SNAPSHOT"),
            ("20261122.194127-10", "SNAPSHOT"),
            ("1-rc-20261122.194127-0", "1-rc-SNAPSHOT"),
        ] {
            let (of, stamp) = Snapshot::of_build(build).unwrap();
            assert_eq!(of.version().as_str(), snapshot);
            assert_eq!(of.build(&stamp).unwrap().as_str(), build);
            assert_eq!(Snapshot::parse(snapshot), Some(of));
        }
        for text in [
            "1.1",
            "1.1-SNAPSHOT",
            "1.1-20261122.194127",
            "1.1-20261122.194127-",
            "1.1-20261122.194127-01",
            "1.1-20261122-194127-1",
            "1.120261122.194127-1",
            "-20261122.194127-1",
            "1.1-20261122.194127-1234567890123456789",
            "ü-20261122.19412ü-1",
        ] {
            assert!(!is_build(text), "{text}");
        }
        for text in [
            "1.1",
            "1.1SNAPSHOT",
            "-SNAPSHOT",
            "1.1-snapshot",
            "1.1-SNAPSHOT-1",
        ] {
            assert_eq!(Snapshot::parse(text), None, "{text}");
        }
    }

    #[test]
    fn later_stamps_are_greater() {
        let stamps: Vec<_> = [
            "20251231.235959-12",
            "20260101.000000-2",
            "20260101.000000-10",
        ]
        .iter()
        .map(|text| Stamp::parse(text).unwrap())
        .collect();
        assert!(stamps.is_sorted());
    }

    #[test]
    fn times_are_written_as_metadata_writes_them() {
        let time = parse_compact("20261122194127").unwrap();
        assert_eq!(compact(time), "20261122194127");
        assert_eq!(Stamp::at(time, 3).to_string(), "20261122.194127-3");
        assert_eq!(Stamp::at(time, 3).updated(), "20261122194127");
        for text in ["", "2026112219412", "20261322194127", "2026112219412x"] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
    }
}
