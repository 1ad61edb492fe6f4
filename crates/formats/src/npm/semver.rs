//! Versions as npm has them: `SemVer` 2.

use std::cmp::Ordering;
use std::fmt;

/// Characters of a version, at most: what npm's own parser takes.
const LENGTH: usize = 256;

/// Largest number: 2^53 - 1, which is what JavaScript counts exactly.
const LARGEST: u64 = (1 << 53) - 1;

/// A version, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SemVer<'a> {
    numbers: [u64; 3],
    pre: &'a str,
    build: &'a str,
}

impl<'a> SemVer<'a> {
    /// Reads `1.2.3-beta.1+build`, exactly. `None` for everything else: `v1.0.0`, `1.0`, `01.0.0`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > LENGTH {
            return None;
        }
        let (rest, build) = text.split_once('+').unwrap_or((text, ""));
        if text.len() != rest.len() && !are_identifiers(build, false) {
            return None;
        }
        let (rest, pre) = match rest.split_once('-') {
            Some((rest, pre)) if are_identifiers(pre, true) => (rest, pre),
            Some(_) => return None,
            None => (rest, ""),
        };
        let mut parts = rest.split('.');
        let mut number = || numeric(parts.next()?);
        let numbers = [number()?, number()?, number()?];
        parts.next().is_none().then_some(Self {
            numbers,
            pre,
            build,
        })
    }

    /// The same with what npm takes away before it looks: blanks around, `v` and `=` in front.
    pub(crate) fn clean(text: &'a str) -> Option<Self> {
        Self::parse(text.trim().trim_start_matches(['=', 'v', ' ']))
    }

    /// One of these three numbers and what follows the hyphen; empty: nothing does.
    pub(crate) fn of(numbers: [u64; 3], pre: &'a str) -> Self {
        Self {
            numbers,
            pre,
            build: "",
        }
    }

    /// Its three numbers.
    pub(crate) fn numbers(&self) -> [u64; 3] {
        self.numbers
    }

    /// What follows the hyphen.
    pub(crate) fn pre(&self) -> &'a str {
        self.pre
    }

    /// Whether something follows a hyphen: not for everybody yet.
    pub(crate) fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }

    /// By precedence: the build does not count.
    pub(crate) fn precedence(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.is_prerelease(), other.is_prerelease()) {
                (false, false) => Ordering::Equal,
                (false, true) => Ordering::Greater,
                (true, false) => Ordering::Less,
                (true, true) => identifiers(self.pre, other.pre),
            }
        })
    }
}

/// Without its build, and without the `-0` that is before all others of its numbers.
impl fmt::Display for SemVer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        match self.pre {
            "" | "0" => Ok(()),
            pre => write!(f, "-{pre}"),
        }
    }
}

/// Which is newer: by precedence, then by build, and what is no version before all that are.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    match (SemVer::parse(a), SemVer::parse(b)) {
        (Some(x), Some(y)) => x.precedence(&y).then_with(|| x.build.cmp(y.build)),
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Digits without a zero in front, up to what JavaScript counts.
pub(crate) fn numeric(text: &str) -> Option<u64> {
    let is_plain = text == "0" || (!text.starts_with('0') && !text.is_empty());
    if !is_plain || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= LARGEST)
}

fn are_identifiers(text: &str, is_pre: bool) -> bool {
    text.split('.').all(|part| {
        let is_word = !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        is_word && (!is_pre || !is_number || numeric(part).is_some())
    })
}

fn identifiers(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let (a, b) = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => (a, b),
        };
        let order = match (numeric(a), numeric(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => a.cmp(b),
        };
        if order.is_ne() {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_versions_are_versions() {
        for text in [
            "1.0.0",
            "0.0.0",
            "1.0.0-beta.1",
            "1.0.0-x-y.2+build.007",
            "1.0.0+a",
            "9007199254740991.0.0",
        ] {
            assert!(SemVer::parse(text).is_some(), "{text}");
        }
        let long = format!("1.0.0-{}", "a".repeat(300));
        for text in [
            "",
            "1",
            "1.0",
            "v1.0.0",
            " 1.0.0",
            "1.0.0\n",
            "01.0.0",
            "1.0.0-",
            "1.0.0-01",
            "1.0.0+",
            "1.0.0-a..b",
            "1.0.0.0",
            "1.x.0",
            "9007199254740992.0.0",
            "1.0.0-ä",
            &long,
        ] {
            assert!(SemVer::parse(text).is_none(), "{text}");
        }
        assert!(SemVer::clean(" =v1.0.0 ").is_some());
    }

    #[test]
    fn versions_stand_in_the_order_of_the_specification() {
        let sorted = [
            "nonsense",
            "0.9.10",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.0+a",
            "1.0.0+b",
            "2.0.0",
            "10.0.0",
        ];
        for (at, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                assert_eq!(compare(a, b), at.cmp(&other), "{a} {b}");
            }
        }
    }
}
