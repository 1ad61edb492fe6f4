//! One point in time and every way in which a client wants to read it.
//!
//! Everything below the doors takes `now: Timestamp`; the one [`Clock`] is made at start.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::civil;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// In JSON documents of ours it is that integer; on the AWS wire use [`Timestamp::epoch_seconds`]
/// (REST-JSON) or [`Timestamp::iso8601`] (XML).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// From whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the epoch, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The time that much later, at most the largest one.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)))
    }

    /// The time that much earlier, at least the smallest one.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)))
    }

    /// How long ago `earlier` was; zero when it is in the future.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// `2026-03-14T15:09:26Z`, whole seconds: the form of XML answers and of policies.
    pub fn iso8601(self) -> String {
        self.print("%Y-%m-%dT%H:%M:%SZ")
    }

    /// Reads `2026-03-14T15:09:26Z`, with an optional fraction and with `+01:00` instead of `Z`.
    ///
    /// A fraction beyond milliseconds is cut off.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        let shaped = text.as_bytes().get(10) == Some(&b'T') && !text.contains('[');
        let parsed: jiff::Timestamp = shaped.then_some(text)?.parse().ok()?;
        Some(Self(parsed.as_millisecond()))
    }

    /// `20260314T150926Z`: the form of `X-Amz-Date`.
    pub fn amz_date(self) -> String {
        self.print("%Y%m%dT%H%M%SZ")
    }

    /// Reads `20260314T150926Z` and nothing else.
    pub fn parse_amz_date(text: &str) -> Option<Self> {
        let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
        if bytes[8] != b'T' || bytes[15] != b'Z' {
            return None;
        }
        let number = |at: usize, length: usize| {
            bytes[at..at + length].iter().try_fold(0_i16, |sum, byte| {
                let digit = byte.is_ascii_digit().then(|| i16::from(byte - b'0'))?;
                Some(sum * 10 + digit)
            })
        };
        let small = |at: usize| i8::try_from(number(at, 2)?).ok();
        let year = number(0, 4)?;
        let time = civil::DateTime::new(
            year,
            small(4)?,
            small(6)?,
            small(9)?,
            small(11)?,
            small(13)?,
            0,
        )
        .ok()?;
        let time = TimeZone::UTC.to_timestamp(time).ok()?;
        Some(Self(time.as_millisecond()))
    }

    /// `20260314`: the UTC day in a credential scope.
    pub fn amz_day(self) -> String {
        self.print("%Y%m%d")
    }

    /// `Sat, 14 Mar 2026 15:09:26 GMT` (RFC 9110, section 5.6.7).
    pub fn http_date(self) -> String {
        self.print("%a, %d %b %Y %H:%M:%S GMT")
    }

    /// Reads an HTTP date in any of its three forms, or with `-0000` for `GMT` as Python's
    /// `formatdate` writes it.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = match text.strip_suffix("-0000") {
            Some(start) => httpdate::parse_http_date(&format!("{start}GMT")),
            None => httpdate::parse_http_date(text),
        };
        Some(Self::from(time.ok()?))
    }

    /// Seconds since the epoch with a fraction: the JSON number of REST-JSON answers.
    ///
    /// Exact to the millisecond: 2^53 is three thousand centuries of milliseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of any real date fit into 53 bits"
    )]
    pub fn epoch_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// Dates outside the years -9999 to 9999 print as the nearest one inside.
    fn print(self, format: &str) -> String {
        let nearest = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0)
            .unwrap_or(nearest)
            .strftime(format)
            .to_string()
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(millis_of(after)),
            Err(before) => Self(-millis_of(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// Times before 1970 become 1970: nothing here is that old.
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(time.0).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.print("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where `now` comes from: the machine, or a test's hand.
///
/// Clones of a fixed clock turn together.
#[derive(Clone, Debug)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// A clock that stands still until it is turned.
    pub fn fixed(now: Timestamp) -> Self {
        Self {
            fixed: Some(Arc::new(AtomicI64::new(now.0))),
        }
    }

    /// The time.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> Timestamp {
        match &self.fixed {
            Some(millis) => Timestamp(millis.load(Ordering::SeqCst)),
            None => SystemTime::now().into(),
        }
    }

    /// Turns a fixed clock forward; the machine's clock does not listen.
    pub fn advance(&self, duration: Duration) {
        if let Some(millis) = &self.fixed {
            millis.fetch_add(millis_of(duration), Ordering::SeqCst);
        }
    }

    /// Turns a fixed clock to a time; the machine's clock does not listen.
    pub fn set(&self, now: Timestamp) {
        if let Some(millis) = &self.fixed {
            millis.store(now.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PI_DAY: Timestamp = Timestamp::from_seconds(1_773_500_966);

    #[test]
    fn every_form_prints_and_reads_the_same_second() {
        assert_eq!(PI_DAY.iso8601(), "2026-03-14T15:09:26Z");
        assert_eq!(PI_DAY.amz_date(), "20260314T150926Z");
        assert_eq!(PI_DAY.amz_day(), "20260314");
        assert_eq!(PI_DAY.http_date(), "Sat, 14 Mar 2026 15:09:26 GMT");
        assert_eq!(Timestamp::parse_iso8601(&PI_DAY.iso8601()), Some(PI_DAY));
        assert_eq!(Timestamp::parse_amz_date(&PI_DAY.amz_date()), Some(PI_DAY));
        assert_eq!(
            Timestamp::parse_http_date(&PI_DAY.http_date()),
            Some(PI_DAY)
        );
        assert_eq!(PI_DAY.to_string(), "2026-03-14T15:09:26.000Z");
        let json = serde_json::to_string(&PI_DAY.plus(Duration::from_millis(861))).unwrap();
        assert_eq!(json, "1773500966861");
    }

    #[test]
    fn json_seconds_carry_milliseconds() {
        let time = Timestamp::from_millis(1_583_075_193_861);
        let json = serde_json::to_string(&time.epoch_seconds()).unwrap();
        assert_eq!(json, "1583075193.861");
    }

    #[test]
    fn signing_dates_have_one_form() {
        for text in [
            "2026-03-14T15:09:26Z",
            "20260314T150926",
            "20260314T150926+0000",
            "20261314T150926Z",
            "20260230T150926Z",
            "20260314t150926z",
            "20260314T240000Z",
            "+0260314T150926Z",
            "now",
            "",
        ] {
            assert_eq!(Timestamp::parse_amz_date(text), None, "{text}");
        }
    }

    #[test]
    fn iso_dates_may_have_a_fraction_or_an_offset() {
        for (text, millis) in [
            ("2026-03-14T15:09:26.5Z", Some(500)),
            ("2026-03-14T16:09:26+01:00", Some(0)),
            ("2026-03-14T15:09:26", None),
            ("2026-03-14", None),
            ("2026-03-14T15:09:26Z[UTC]", None),
            ("", None),
        ] {
            let expected = millis.map(|millis| PI_DAY.plus(Duration::from_millis(millis)));
            assert_eq!(Timestamp::parse_iso8601(text), expected, "{text}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let hour = Duration::from_hours(1);
        assert_eq!(PI_DAY.plus(hour).since(PI_DAY), hour);
        assert_eq!(PI_DAY.minus(hour).since(PI_DAY), Duration::ZERO);
        assert_eq!(
            Timestamp::from_millis(i64::MAX).plus(hour).millis(),
            i64::MAX
        );
        assert!(
            Timestamp::from_millis(i64::MAX)
                .iso8601()
                .starts_with("9999-12-30")
        );
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
    }

    #[test]
    fn a_fixed_clock_turns_for_all_its_clones() {
        let clock = Clock::fixed(PI_DAY);
        let other = clock.clone();
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.now(), PI_DAY.plus(Duration::from_secs(5)));
        other.set(PI_DAY);
        assert_eq!(clock.now(), PI_DAY);
        assert!(Clock::system().now() > PI_DAY.minus(Duration::from_hours(24 * 365 * 2)));
    }
}
