//! Texts with `*`, `?` and variables, and ARNs made of six of them.
//!
//! A pattern is cut at its stars when a policy is read. What lies between two stars has a fixed
//! length, so the leftmost place where it fits is always the right one: matching walks through the
//! text once and never goes back, however many stars there are.

use std::borrow::Cow;

use super::context::Context;
use super::malformed::Malformed;
use super::variables::{Token, Variable, tokens};

/// Which characters of a pattern are more than characters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Syntax {
    /// `*` and `?`.
    pub(super) wildcards: bool,
    /// `${…}`.
    pub(super) variables: bool,
}

/// A text to compare with, compiled.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Shape);

#[derive(Debug, Clone)]
enum Shape {
    Everything,
    Exact(Box<str>),
    Prefix(Box<str>),
    /// What stands between the stars; a single segment when there is none.
    Segments(Box<[Segment]>),
}

type Segment = Vec<Piece>;

#[derive(Debug, Clone)]
enum Piece {
    Literal(String),
    /// Exactly one character, whatever it is.
    AnyOne,
    Variable(Variable),
}

impl Pattern {
    /// Compiles a text. Errors: a variable that is not closed.
    pub(super) fn read(text: &str, syntax: Syntax) -> Result<Self, Malformed> {
        let tokens = if syntax.variables {
            tokens(text)?
        } else {
            vec![Token::Open(text.to_owned())]
        };
        Ok(Self::compile(tokens, syntax.wildcards))
    }

    /// A text with wildcards and without variables.
    pub(super) fn plain(text: &str) -> Self {
        Self::compile(vec![Token::Open(text.to_owned())], true)
    }

    /// A pattern for action names, to be matched against a name in lower case.
    pub(super) fn action(text: &str) -> Self {
        Self::plain(&text.to_ascii_lowercase())
    }

    fn compile(tokens: Vec<Token>, wildcards: bool) -> Self {
        let mut segments = vec![Segment::new()];
        for token in tokens {
            match token {
                Token::Variable(variable) => push(&mut segments, Piece::Variable(variable)),
                Token::Open(text) if wildcards => open(&mut segments, &text),
                Token::Open(text) | Token::Literal(text) => literal(&mut segments, &text),
            }
        }
        Self(Shape::of(segments))
    }

    /// The variables it reads.
    pub(super) fn variables(&self) -> impl Iterator<Item = &Variable> {
        let segments: &[Segment] = match &self.0 {
            Shape::Segments(segments) => segments,
            Shape::Everything | Shape::Exact(_) | Shape::Prefix(_) => &[],
        };
        segments.iter().flatten().filter_map(|piece| match piece {
            Piece::Variable(variable) => Some(variable),
            Piece::Literal(_) | Piece::AnyOne => None,
        })
    }

    /// Whether the whole text fits. Never, if one of its variables has no value.
    pub(super) fn matches(&self, text: &str, context: &Context) -> bool {
        match &self.0 {
            Shape::Everything => true,
            Shape::Exact(exact) => **exact == *text,
            Shape::Prefix(prefix) => text.starts_with(&**prefix),
            Shape::Segments(segments) => matches_segments(segments, text, context).is_some(),
        }
    }

    /// The text a pattern without wildcards stands for, if its variables have values.
    pub(super) fn resolve<'a>(&'a self, context: &'a Context) -> Option<Cow<'a, str>> {
        match &self.0 {
            Shape::Exact(exact) => Some(Cow::Borrowed(exact)),
            Shape::Segments(segments) if segments.len() == 1 => segments[0]
                .iter()
                .map(|piece| piece.text(context))
                .collect::<Option<String>>()
                .map(Cow::Owned),
            Shape::Everything | Shape::Prefix(_) | Shape::Segments(_) => None,
        }
    }
}

impl Shape {
    fn of(segments: Vec<Segment>) -> Self {
        match segments.as_slice() {
            [only] if only.is_empty() => Self::Exact("".into()),
            [only] => match only.as_slice() {
                [Piece::Literal(text)] => Self::Exact(text.as_str().into()),
                _ => Self::Segments(segments.into()),
            },
            [first, last] if last.is_empty() => match first.as_slice() {
                [] => Self::Everything,
                [Piece::Literal(text)] => Self::Prefix(text.as_str().into()),
                _ => Self::Segments(segments.into()),
            },
            _ => Self::Segments(segments.into()),
        }
    }
}

impl Piece {
    fn text<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Variable(variable) => variable.value(context),
            Self::AnyOne => None,
        }
    }
}

fn push(segments: &mut [Segment], piece: Piece) {
    if let Some(segment) = segments.last_mut() {
        segment.push(piece);
    }
}

fn literal(segments: &mut [Segment], text: &str) {
    match segments.last_mut().and_then(|segment| segment.last_mut()) {
        Some(Piece::Literal(before)) => before.push_str(text),
        _ if text.is_empty() => {}
        _ => push(segments, Piece::Literal(text.to_owned())),
    }
}

fn open(segments: &mut Vec<Segment>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(['*', '?']) {
        literal(segments, &rest[..at]);
        if rest[at..].starts_with('?') {
            push(segments, Piece::AnyOne);
        } else if segments.len() == 1 || segments.last().is_some_and(|segment| !segment.is_empty())
        {
            // Two stars in a row are one.
            segments.push(Segment::new());
        }
        rest = &rest[at + 1..];
    }
    literal(segments, rest);
}

fn matches_segments(segments: &[Segment], text: &str, context: &Context) -> Option<()> {
    let (first, others) = segments.split_first()?;
    let mut rest = strip(first, text, context)?;
    let Some((last, middle)) = others.split_last() else {
        return rest.is_empty().then_some(());
    };
    for segment in middle {
        rest = find(segment, rest, context)?;
    }
    ends(last, rest, context)
}

/// What is left of the text behind the segment, which must stand at its start.
fn strip<'a>(segment: &[Piece], text: &'a str, context: &Context) -> Option<&'a str> {
    segment.iter().try_fold(text, |rest, piece| match piece {
        Piece::AnyOne => rest.chars().next().map(|first| &rest[first.len_utf8()..]),
        Piece::Literal(_) | Piece::Variable(_) => rest.strip_prefix(piece.text(context)?),
    })
}

/// What is left of the text behind the first place where the segment stands.
fn find<'a>(segment: &[Piece], text: &'a str, context: &Context) -> Option<&'a str> {
    if let [piece @ (Piece::Literal(_) | Piece::Variable(_))] = segment {
        let wanted = piece.text(context)?;
        return text.find(wanted).map(|at| &text[at + wanted.len()..]);
    }
    text.char_indices()
        .map(|(at, _)| at)
        .chain([text.len()])
        .find_map(|at| strip(segment, &text[at..], context))
}

/// Whether the segment stands at the end of the text.
fn ends(segment: &[Piece], text: &str, context: &Context) -> Option<()> {
    segment.iter().try_rfold(text, |rest, piece| match piece {
        Piece::AnyOne => rest
            .chars()
            .next_back()
            .map(|last| &rest[..rest.len() - last.len_utf8()]),
        Piece::Literal(_) | Piece::Variable(_) => rest.strip_suffix(piece.text(context)?),
    })?;
    Some(())
}

/// The six parts of an ARN: `arn`, partition, service, region, account, resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArnParts<'a>([&'a str; 6]);

impl<'a> ArnParts<'a> {
    /// Splits at the first five colons; nothing, if there are fewer.
    pub(super) fn split(text: &'a str) -> Option<Self> {
        let mut colons = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b':')
            .map(|(at, _)| at);
        let mut start = 0;
        let mut parts = [""; 6];
        for part in &mut parts[..5] {
            let end = colons.next()?;
            *part = &text[start..end];
            start = end + 1;
        }
        parts[5] = &text[start..];
        Some(Self(parts))
    }

    /// The service, such as `codeartifact`.
    pub(super) fn service(&self) -> &'a str {
        self.0[2]
    }

    /// The last part, such as `repository/my-domain/my-repository`.
    pub(super) fn resource(&self) -> &'a str {
        self.0[5]
    }
}

/// A pattern for ARNs. Each part matches on its own, so no `*` but the last reaches over a colon.
#[derive(Debug, Clone)]
pub(super) struct ArnPattern([Pattern; 6]);

impl ArnPattern {
    /// As it stands under `Resource`: a short one is completed with `*`, and only the last part
    /// knows variables.
    pub(super) fn resource(text: &str, variables: bool) -> Result<Self, Malformed> {
        let mut parts = text.splitn(6, ':');
        let mut next = || Pattern::plain(parts.next().unwrap_or("*"));
        let head = [next(), next(), next(), next(), next()];
        let last = Pattern::read(
            parts.next().unwrap_or("*"),
            Syntax {
                wildcards: true,
                variables,
            },
        )?;
        let [arn, partition, service, region, account] = head;
        Ok(Self([arn, partition, service, region, account, last]))
    }

    /// As it stands in a condition: all parts know variables; with fewer than six parts it can
    /// match nothing.
    pub(super) fn condition(text: &str, variables: bool) -> Result<Option<Self>, Malformed> {
        let tokens = if variables {
            tokens(text)?
        } else {
            vec![Token::Open(text.to_owned())]
        };
        let mut done: Vec<Vec<Token>> = Vec::new();
        let mut part = Vec::new();
        for token in tokens {
            let Token::Open(text) = token else {
                part.push(token);
                continue;
            };
            // The sixth part keeps its colons.
            for (index, stretch) in text.splitn(6 - done.len(), ':').enumerate() {
                if index > 0 {
                    done.push(std::mem::take(&mut part));
                }
                part.push(Token::Open(stretch.to_owned()));
            }
        }
        done.push(part);
        let patterns: Vec<Pattern> = done
            .into_iter()
            .map(|part| Pattern::compile(part, true))
            .collect();
        Ok(<[Pattern; 6]>::try_from(patterns).ok().map(Self))
    }

    pub(super) fn matches(&self, arn: &ArnParts<'_>, context: &Context) -> bool {
        self.0
            .iter()
            .zip(arn.0)
            .all(|(pattern, part)| pattern.matches(part, context))
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().flat_map(Pattern::variables)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const FULL: Syntax = Syntax {
        wildcards: true,
        variables: true,
    };

    #[test]
    fn matches_whole_texts() {
        let context = Context::new().with("team", "y*").with("empty", "");
        for (pattern, text, expected) in [
            ("*", "", true),
            ("**", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("abc*", "abcd", true),
            ("*abc", "xabc", true),
            ("*abc", "abcabc", true),
            ("*abc", "abcab", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a?c", "abc", true),
            ("a?c", "aéc", true),
            ("a?c", "ac", false),
            ("?", "", false),
            ("*?", "", false),
            ("*?", "a", true),
            ("?*?", "a", false),
            ("*?b", "éb", true),
            ("*a?c*", "xxabcx", true),
            ("*a?*?c", "aac", false),
            ("*a?*?c", "aabc", true),
            ("*a?*?c", "axxxc", true),
            ("repository/*/x", "repository/a/b/x", true),
            ("${team}", "y*", true),
            ("${team}", "yellow", false),
            ("*${team}*", "-y*-", true),
            ("*${team}", "-y*", true),
            ("${team}?${team}", "y*xy*", true),
            ("${none}*", "anything", false),
            ("*${none}", "anything", false),
            ("*${none}*", "anything", false),
            ("${none, 'x'}*", "xyz", true),
            ("a${empty}b", "ab", true),
            ("*${empty}*", "ab", true),
            ("a${*}b", "a*b", true),
            ("a${*}b", "aab", false),
        ] {
            let compiled = Pattern::read(pattern, FULL).unwrap();
            assert_eq!(
                compiled.matches(text, &context),
                expected,
                "{pattern} on {text}"
            );
        }
    }

    #[test]
    fn arns_match_part_by_part() {
        let context = Context::new()
            .with("aws:username", "alice")
            .with("account", "111122223333");
        for (pattern, arn, as_resource, as_condition) in [
            (
                "arn:aws:iam::111122223333:user/*",
                "arn:aws:iam::111122223333:user/a/b",
                true,
                true,
            ),
            (
                "arn:aws:iam::*",
                "arn:aws:iam::111122223333:user/a",
                true,
                false,
            ),
            (
                "arn:aws:iam::*:user/${aws:username}",
                "arn:aws:iam::1:user/alice",
                true,
                true,
            ),
            (
                "arn:aws:iam::${account}:user/a",
                "arn:aws:iam::111122223333:user/a",
                false,
                true,
            ),
            (
                "arn:aws:s3:*:finance/*",
                "arn:aws:s3:x:y:finance/a",
                false,
                false,
            ),
            ("arn:aws:s3:::a:b*", "arn:aws:s3:::a:bc", true, true),
            ("*", "arn:aws:s3:::a", true, false),
        ] {
            let parts = ArnParts::split(arn).unwrap();
            let resource = ArnPattern::resource(pattern, true).unwrap();
            assert_eq!(
                resource.matches(&parts, &context),
                as_resource,
                "{pattern} as a resource"
            );
            let condition = ArnPattern::condition(pattern, true).unwrap();
            let matched = condition.is_some_and(|condition| condition.matches(&parts, &context));
            assert_eq!(matched, as_condition, "{pattern} in a condition");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_costs_no_more_than_its_length() {
        let context = Context::new();
        let text = format!("{}b", "a".repeat(1023));
        for pattern in [
            "*a".repeat(512),
            format!("{}c", "*a".repeat(511)),
            format!("*{}c", "a".repeat(511)),
        ] {
            let pattern = Pattern::plain(&pattern);
            let best = (0..10)
                .map(|_| {
                    let start = Instant::now();
                    assert!(!pattern.matches(&text, &context));
                    start.elapsed()
                })
                .min()
                .unwrap();
            assert!(best < Duration::from_millis(1), "{best:?}");
        }
    }
}
