//! Which of two versions is newer, as the POM reference describes it ("Version Order Specification").
//!
//! A version is a row of tokens, cut at dots, hyphens and underscores and where digits meet letters. Each token knows
//! whether a dot or something else stood before it. Written out for `1.0-alpha1`: `1`, `.0`, `-alpha`, `-1`.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Compares two versions. Versions that Maven takes for the same (`1`, `1.0`) are ordered by their text, so that a list
/// always comes out in the same order.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    meaning(a, b).then_with(|| a.cmp(b))
}

/// Compares as Maven does.
fn meaning(a: &str, b: &str) -> Ordering {
    if is_numeric(a) && is_numeric(b) {
        return numeric(a, b);
    }
    let (a, b) = (tokens(a), tokens(b));
    let (mut left, mut right) = (a.iter(), b.iter());
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (Some(one), Some(other)) => one.cmp(other),
            (Some(one), None) => one.cmp(&one.absent()),
            (None, Some(other)) => other.absent().cmp(other),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

/// Digits and single dots only: nearly all versions, compared without taking them apart.
fn is_numeric(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn numeric(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.split('.'), b.split('.'));
    loop {
        let ordering = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (one, other) => compare_digits(one.unwrap_or("0"), other.unwrap_or("0")),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
}

/// Numbers of any length.
fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token<'a> {
    /// Whether a dot stood before it. Never for a qualifier: `1.rc` is `1-rc`.
    after_dot: bool,
    value: Value<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value<'a> {
    /// Rank among the known ones, then the text.
    Qualifier(u8, Cow<'a, str>),
    /// Digits.
    Number(&'a str),
}

/// The rank of no qualifier at all, and of `ga`, `final` and `release`, which say that there is none.
const RELEASE: u8 = 5;
/// The rank of a qualifier that nobody knows.
const OTHER: u8 = 7;

impl<'a> Token<'a> {
    fn number(after_dot: bool, digits: &'a str) -> Self {
        Self {
            after_dot,
            value: Value::Number(digits),
        }
    }

    fn qualifier(text: &str, before_number: bool) -> Self {
        let text = text.to_lowercase();
        let rank = match text.as_str() {
            "alpha" => 0,
            "a" if before_number => 0,
            "beta" => 1,
            "b" if before_number => 1,
            "milestone" => 2,
            "m" if before_number => 2,
            "rc" | "cr" => 3,
            "snapshot" => 4,
            "" | "ga" | "final" | "release" => RELEASE,
            "sp" => 6,
            _ => OTHER,
        };
        let text = if rank == OTHER { text } else { String::new() };
        Self {
            after_dot: false,
            value: Value::Qualifier(rank, Cow::Owned(text)),
        }
    }

    /// What stands for a token that the shorter version does not have.
    fn absent(&self) -> Token<'static> {
        let value = if self.after_dot {
            Value::Number("0")
        } else {
            Value::Qualifier(RELEASE, Cow::Borrowed(""))
        };
        Token {
            after_dot: self.after_dot,
            value,
        }
    }

    fn is_zero(&self) -> bool {
        matches!(self.value, Value::Number(digits) if digits.bytes().all(|b| b == b'0'))
    }

    /// Qualifiers come before numbers after a hyphen, and those before numbers after a dot.
    fn cmp(&self, other: &Token<'_>) -> Ordering {
        match (&self.value, &other.value) {
            (Value::Qualifier(rank, text), Value::Qualifier(other_rank, other_text)) => {
                (rank, text).cmp(&(other_rank, other_text))
            }
            (Value::Qualifier(..), Value::Number(_)) => Ordering::Less,
            (Value::Number(_), Value::Qualifier(..)) => Ordering::Greater,
            (Value::Number(one), Value::Number(two)) => self
                .after_dot
                .cmp(&other.after_dot)
                .then_with(|| compare_digits(one, two)),
        }
    }
}

fn tokens(version: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(8);
    let mut rest = version;
    // The first token counts as one after a dot.
    let mut after_dot = true;
    loop {
        let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
        let end = rest
            .find(|c: char| is_separator(c) || c.is_ascii_digit() != is_number)
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        let next = after.strip_prefix(is_separator);
        if text.is_empty() {
            tokens.push(Token::number(after_dot, "0"));
        } else if is_number {
            if !after_dot {
                trim(&mut tokens);
            }
            tokens.push(Token::number(after_dot, text));
        } else {
            trim(&mut tokens);
            let before_number = after
                .trim_start_matches(['-', '_'])
                .starts_with(|c: char| c.is_ascii_digit());
            tokens.push(Token::qualifier(text, before_number));
        }
        match next {
            Some(next) => {
                after_dot = after.starts_with('.');
                rest = next;
            }
            None if after.is_empty() => break,
            // From a digit to a letter or back counts as a hyphen.
            None => {
                after_dot = false;
                rest = after;
            }
        }
    }
    trim(&mut tokens);
    tokens
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | '-' | '_')
}

/// Zeros at the end, or before a hyphen, say nothing.
fn trim(tokens: &mut Vec<Token<'_>>) {
    while tokens.last().is_some_and(Token::is_zero) {
        tokens.pop();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rising_rows_rise() {
        for row in [
            // Qualifiers, with and without numbers.
            "1-alpha2snapshot 1-alpha2 1-alpha-123 1-beta-2 1-beta123 1-m2 1-m11 1-rc 1-cr2 1-rc123 1-SNAPSHOT 1 1-sp 1-sp2 1-sp123 1-abc 1-def 1-pom-1 1-1-snapshot 1-1 1-2 1-123",
            // Numbers after dots, hyphens and nothing.
            "2.0 2.0.a 2-1 2.0.2 2.0.123 2.1.0 2.1-a 2.1b 2.1-c 2.1-1 2.1.0.1 2.2 2.123 11.a2 11.a11 11.b2 11.b11 11.m2 11.m11 11 11.a 11b 11c 11m",
            "1 1.1 1.2.0 1.5 2 2.5",
            "1.0-alpha-1 1.0-alpha-2 1.0-beta-1 1.0-SNAPSHOT 1.0 1.0-1 1.0-2",
            "1.0-alpha-1-SNAPSHOT 1.0-alpha-1",
            "2.0-1 2.0.1",
            "2.0.1-klm 2.0.1-lmn 2.0.1-123",
            "2.0.1 2.0.1-xyz 2.0.1-123",
            "0.2 0.7 1.0.7 2",
            "6.1.0rc3 6.1.0 6.1H.5-beta",
            "20190126.230843 1234567890.12345 123456789012345.1H.5-beta 12345678901234567890.1H.5-beta",
            "1-0.alpha 1-0.beta 1",
            "1.0.0.RC1 1.0.0-RC2",
            "1.0.0.abc1 1.0.0-abc2",
            "1.0.final-redhat 1.0-sp1-redhat",
            "1.0.final-redhat 1.0-sp-1-redhat",
            "1.0.final-redhat 1.0-sp.1-redhat",
            "1-ga 1-ga1 1-ga2",
            "c J 7",
            "\u{e9} 1",
            "\u{1d7e4} 1",
            "\u{668} 1 9",
            "aardvark zebra \u{3b6}\u{3b5}\u{3b2}\u{3c1}\u{3b1}",
        ] {
            let row: Vec<_> = row.split(' ').collect();
            for (at, low) in row.iter().enumerate() {
                for high in &row[at + 1..] {
                    assert_eq!(meaning(low, high), Ordering::Less, "{low} < {high}");
                    assert_eq!(meaning(high, low), Ordering::Greater, "{high} > {low}");
                }
            }
        }
    }

    #[test]
    fn the_same_is_the_same() {
        for row in [
            "1 1.0 1.0.0 1-0 1.0-0 1ga 1release 1final 1Ga 1GA 1RELEASE 1FinaL 1_0",
            "1a 1-a 1.0-a 1.0.0-a 1.0a 1.0.0a 1A",
            "1x 1-x 1.0-x 1.0.0-x 1.0x 1.0.0x 1X",
            "1cr 1rc 1Cr 1cR",
            "1a1 1-alpha-1",
            "1b2 1-beta-2",
            "1m3 1-milestone-3 1MileStone3",
            "2-abc 2.0.abc 2.0.0.abc",
            "2-RC 2.0.rc 2.0.0.Rc",
            "1.0.0-alpha1 1.0.0-ALPHA1",
            "1.\u{e9} 1.\u{c9}",
            "0000000000000000001 000001 01 1",
            "0000000000000000000 000 0",
        ] {
            let row: Vec<_> = row.split(' ').collect();
            for one in &row {
                for other in &row {
                    assert_eq!(meaning(one, other), Ordering::Equal, "{one} = {other}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_versions_have_an_order(mut versions in prop::collection::vec("[0-2ab.r_c-]{0,6}", 3)) {
            // Panics when the order is none.
            versions.sort_by(|a, b| compare(a, b));
            prop_assert_ne!(compare(&versions[0], &versions[2]), Ordering::Greater);
        }

        #[test]
        fn the_short_cut_gives_the_same(a in "[0-9]{1,3}(\\.[0-9]{1,2}){0,3}", b in "[0-9]{1,3}(\\.[0-9]{1,2}){0,3}") {
            let padded = |text: &str| format!("{text}-sp");
            let whole = meaning(&padded(&a), &padded(&b));
            // The same qualifier at the end of both changes nothing, unless one is the beginning of the other.
            if !tokens(&a).iter().zip(&tokens(&b)).all(|(a, b)| a.cmp(b) == Ordering::Equal) {
                prop_assert_eq!(numeric(&a, &b), whole);
            }
        }
    }
}
