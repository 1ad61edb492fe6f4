//! Ranges of versions as npm has them: `^1.2`, `>=1.0.0 <1.4.2 || 2.x`. Versions with a hyphen are in a range like all
//! others, as an audit wants it: what is wrong with 1.4.1 is wrong with 1.4.2-beta.

use super::semver::{SemVer, numeric};

/// Sets of bounds; a version is in the range if all bounds of one set let it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Range<'a>(Vec<Vec<Bound<'a>>>);

/// What may stand before a version; the longer of two that begin alike first.
const SIGNS: [&str; 8] = ["<=", ">=", "~>", "<", ">", "=", "~", "^"];

/// On one side of a version, or that version itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound<'a> {
    Below(SemVer<'a>),
    AtMost(SemVer<'a>),
    Exactly(SemVer<'a>),
    AtLeast(SemVer<'a>),
    Above(SemVer<'a>),
}

/// `1`, `1.2`, `1.x`, `*`, `1.2.3-pre`: the numbers that are said, and what follows the hyphen.
struct Partial<'a> {
    numbers: Vec<u64>,
    pre: &'a str,
}

impl<'a> Range<'a> {
    /// Reads a range. `None` for what is none: `latest`.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let sets = text.split("||").map(set);
        sets.collect::<Option<_>>().map(Self)
    }

    /// Whether a version is in it.
    pub(crate) fn has(&self, version: &SemVer<'_>) -> bool {
        let lets_in = |bound: &Bound<'_>| match bound {
            Bound::Below(at) => version.precedence(at).is_lt(),
            Bound::AtMost(at) => version.precedence(at).is_le(),
            Bound::Exactly(at) => version.precedence(at).is_eq(),
            Bound::AtLeast(at) => version.precedence(at).is_ge(),
            Bound::Above(at) => version.precedence(at).is_gt(),
        };
        self.0.iter().any(|set| set.iter().all(lets_in))
    }

    /// What begins where it ends for good, as a range: `>=1.4.2`. `None` if it does not end before a version.
    pub(crate) fn beyond(&self) -> Option<String> {
        let end = |set: &Vec<Bound<'a>>| {
            set.iter().find_map(|bound| match bound {
                Bound::Below(at) => Some(*at),
                _ => None,
            })
        };
        let ends = self.0.iter().map(end).collect::<Option<Vec<_>>>()?;
        let last = ends.into_iter().max_by(SemVer::precedence)?;
        Some(format!(">={last}"))
    }
}

/// Bounds between blanks, or two versions with a hyphen between blanks.
fn set(text: &str) -> Option<Vec<Bound<'_>>> {
    let words: Vec<_> = text.split_whitespace().collect();
    if let [from, "-", to] = words[..] {
        let mut both = bounds(">=", &partial(from)?);
        both.extend(bounds("<=", &partial(to)?));
        return Some(both);
    }
    let mut all = Vec::new();
    let mut sign = "";
    for word in words {
        let signed = SIGNS
            .iter()
            .find_map(|sign| Some((*sign, word.strip_prefix(sign)?)));
        let (before, version) = signed.unwrap_or((sign, word));
        sign = before;
        // A sign may stand alone before its version.
        if !version.is_empty() {
            all.extend(bounds(std::mem::take(&mut sign), &partial(version)?));
        }
    }
    // Or before nothing, which is any version.
    if !sign.is_empty() {
        all.extend(bounds(sign, &partial("")?));
    }
    Some(all)
}

fn partial(text: &str) -> Option<Partial<'_>> {
    let text = text.trim_start_matches(['v', '=']);
    if let Some(version) = SemVer::parse(text) {
        return Some(Partial {
            numbers: version.numbers().to_vec(),
            pre: version.pre(),
        });
    }
    let mut numbers = Vec::new();
    let mut is_said = !text.is_empty();
    for (at, part) in text.split('.').enumerate() {
        is_said &= !matches!(part, "x" | "X" | "*");
        if is_said {
            numbers.push(numeric(part)?);
        } else if at > 2 || !matches!(part, "" | "x" | "X" | "*") && numeric(part).is_none() {
            return None;
        }
    }
    (numbers.len() < 3).then_some(Partial { numbers, pre: "0" })
}

/// What a sign before a version says. A version that is not said whole begins with the first of all that begin so.
fn bounds<'a>(sign: &str, version: &Partial<'a>) -> Vec<Bound<'a>> {
    let numbers = &version.numbers;
    let first = SemVer::of(
        [0, 1, 2].map(|at| numbers.get(at).copied().unwrap_or(0)),
        version.pre,
    );
    // The first that has another number at this place.
    let next = |at: usize| {
        let mut next = [0; 3];
        next[..=at].copy_from_slice(&numbers[..=at]);
        next[at] += 1;
        SemVer::of(next, "0")
    };
    let last = numbers.len().wrapping_sub(1);
    match (sign, numbers.len()) {
        ("<" | ">", 0) => vec![Bound::Below(first)],
        (_, 0) => Vec::new(),
        ("<", _) => vec![Bound::Below(first)],
        ("<=", 3) => vec![Bound::AtMost(first)],
        ("<=", _) => vec![Bound::Below(next(last))],
        (">", 3) => vec![Bound::Above(first)],
        (">", _) => vec![Bound::AtLeast(next(last))],
        (">=", _) => vec![Bound::AtLeast(first)],
        ("~" | "~>", _) => vec![Bound::AtLeast(first), Bound::Below(next(last.min(1)))],
        ("^", _) => {
            let at = numbers.iter().position(|number| *number > 0);
            vec![
                Bound::AtLeast(first),
                Bound::Below(next(at.unwrap_or(last))),
            ]
        }
        (_, 3) => vec![Bound::Exactly(first)],
        _ => vec![Bound::AtLeast(first), Bound::Below(next(last))],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_the_versions_that_npm_finds_in_it() {
        // As `semver.satisfies(version, range, {includePrerelease: true})` has it.
        for (range, inside, outside) in [
            ("", "0.0.0 1.2.3 1.0.0-a", ""),
            ("*", "0.0.0 1.2.3 1.0.0-a", ""),
            ("1.2.3", "1.2.3 1.2.3+b", "1.2.4 1.2.3-a"),
            ("v1.2.3", "1.2.3", "1.2.4"),
            ("=1.2", "1.2.0 1.2.9 1.2.0-a", "1.1.9 1.3.0 1.3.0-0"),
            ("1.x", "1.0.0 1.9.9", "0.9.9 2.0.0 2.0.0-a"),
            (
                "^1.2.3",
                "1.2.3 1.9.0 1.3.0-a",
                "1.2.2 1.2.3-a 2.0.0 2.0.0-a",
            ),
            ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
            ("^0.0", "0.0.0 0.0.9", "0.1.0"),
            ("^0", "0.0.0 0.9.0", "1.0.0"),
            ("^1", "1.0.0 1.9.0", "0.9.0 2.0.0"),
            ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
            ("~1.2", "1.2.0 1.2.9", "1.3.0"),
            ("~> 1", "1.0.0 1.9.9", "2.0.0"),
            ("~=1.2", "1.2.0 1.2.9", "1.3.0"),
            (">1", "2.0.0 2.0.0-a", "1.9.9"),
            (">1.2", "1.3.0", "1.2.9"),
            (">1.2.3", "1.2.4 1.2.4-a", "1.2.3 1.2.3-a"),
            (">=1.2", "1.2.0 1.2.0-a", "1.1.9"),
            ("<1.1.0", "1.0.9 1.1.0-a", "1.1.0"),
            ("<1", "0.9.9", "1.0.0 1.0.0-a"),
            ("<=1", "1.9.9", "2.0.0 2.0.0-a"),
            ("<=1.2.3", "1.2.3 1.2.3-a", "1.2.4"),
            ("1.2 - 2.3", "1.2.0 2.3.9", "1.1.9 2.4.0"),
            ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
            (
                ">=1.0.0-beta.2 <1.4.2",
                "1.0.0-beta.3 1.4.1",
                "1.0.0-beta.1 1.4.2",
            ),
            (">= 1.0.0 < 1.4.2 || 3", "1.0.0 3.1.0", "1.4.2 2.0.0 4.0.0"),
            ("<*", "", "0.0.0 1.0.0"),
            (">*", "", "0.0.0 1.0.0"),
            (">=*", "0.0.0 1.0.0", ""),
        ] {
            let found = Range::parse(range).unwrap();
            for version in inside.split_whitespace() {
                assert!(
                    found.has(&SemVer::parse(version).unwrap()),
                    "{version} in {range}"
                );
            }
            for version in outside.split_whitespace() {
                assert!(
                    !found.has(&SemVer::parse(version).unwrap()),
                    "{version} not in {range}"
                );
            }
        }
        for text in [
            "latest",
            "a||1",
            "1 || latest",
            "1.2.3.4",
            "01",
            "1-beta",
            "1,2",
            "=>1",
            ">>1",
        ] {
            assert_eq!(Range::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_for_a_version_is_no_range() {
        for text in [
            "1.0.0", "1", "1.x", "x", "*", "^1", "~1.2", ">=1 <2", "1 - 2", "v2", "=1", "1||2", "",
            ">",
        ] {
            assert!(Range::parse(text).is_some(), "{text}");
        }
        for text in [
            "latest",
            "next-11",
            "beta",
            "v-next",
            "release-1.x",
            "1st",
            "stable 2",
        ] {
            assert!(Range::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_up_to_a_version_is_right_from_there() {
        for (range, beyond) in [
            ("<1.1.0", Some(">=1.1.0")),
            (">=1.0.0 <1.4.2", Some(">=1.4.2")),
            ("<1.1.0 || >=2.0.0-a <2.3.0-rc.1", Some(">=2.3.0-rc.1")),
            ("1.x", Some(">=2.0.0")),
            ("<=1.2.3", None),
            ("<1.0.0 || >=2.0.0", None),
            ("*", None),
        ] {
            assert_eq!(
                Range::parse(range).unwrap().beyond().as_deref(),
                beyond,
                "{range}"
            );
        }
    }
}
