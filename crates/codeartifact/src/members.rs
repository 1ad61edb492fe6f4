//! Members of inputs: text that becomes a type of the catalog, or breaks a rule of the service model.

use std::str::FromStr;

use aws::member::{check_length, check_pattern, parse_integer};
use aws::reader::{Field, Reader};
use aws::{Member, Violation, member};
use catalog::{FormatName, InvalidName, OriginType, RepositoryName, Restriction, Status};
use unicode_general_category::{GeneralCategory as G, get_general_category};

/// The package formats of the API, in its order. That a server serves one is another matter.
pub(crate) const FORMATS: &[&str] = &[
    "npm", "pypi", "maven", "nuget", "generic", "ruby", "swift", "cargo",
];

/// A name of the catalog's, which has the bounds of the service model in its parser.
pub(crate) fn name<T: FromStr<Err = InvalidName>>(text: &str) -> Result<T, Violation> {
    text.parse().map_err(violation)
}

pub(crate) fn violation(invalid: InvalidName) -> Violation {
    match invalid {
        InvalidName::TooShort(length) => Violation::TooShort(length),
        InvalidName::TooLong(length) => Violation::TooLong(length),
        InvalidName::Pattern(pattern) => Violation::Pattern(pattern),
        InvalidName::Refused(rule) => Violation::Other(rule),
    }
}

/// `format`.
pub(crate) fn format(text: &str) -> Result<FormatName, Violation> {
    let known = FORMATS.contains(&text).then(|| text.parse().ok()).flatten();
    known.ok_or(Violation::Enum(FORMATS))
}

/// `publish`, `upstream`.
pub(crate) fn restriction(text: &str) -> Result<Restriction, Violation> {
    text.parse()
        .map_err(|_| Violation::Enum(Restriction::SPELLINGS))
}

/// `originType`.
pub(crate) fn origin_type(text: &str) -> Result<OriginType, Violation> {
    text.parse()
        .map_err(|_| Violation::Enum(OriginType::SPELLINGS))
}

/// `status` of a version, as a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusFilter {
    /// One that a recorded version can have.
    Recorded(Status),
    /// `Deleted`: no recorded version has it.
    Deleted,
}

const STATUSES: &[&str] = &[
    "Published",
    "Unfinished",
    "Unlisted",
    "Archived",
    "Disposed",
    "Deleted",
];

impl Member for StatusFilter {
    fn parse(text: &str) -> Result<Self, Violation> {
        match text {
            "Deleted" => Ok(Self::Deleted),
            _ => text
                .parse()
                .map(Self::Recorded)
                .map_err(|_| Violation::Enum(STATUSES)),
        }
    }
}

/// A member whose one allowed value says that it is asked for.
pub(crate) fn only(value: &'static [&'static str]) -> impl Fn(&str) -> Result<(), Violation> {
    move |text| {
        if value.contains(&text) {
            Ok(())
        } else {
            Err(Violation::Enum(value))
        }
    }
}

/// `durationSeconds`: 0 to 43200. That 1 to 899 are refused is not the model's rule, but the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DurationSeconds(pub(crate) i64);

impl Member for DurationSeconds {
    const KIND: member::Kind = member::Kind::Integer;

    fn parse(text: &str) -> Result<Self, Violation> {
        match parse_integer(text, 0, 43_200)? {
            1..900 => Err(Violation::Other(
                "have value 0 or from 900 to 43200".to_owned(),
            )),
            seconds => Ok(Self(seconds)),
        }
    }
}

/// `unfinished`: the service model has a boolean, the documentation the word itself as its one value; case is no matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfinished(pub(crate) bool);

impl Member for Unfinished {
    const KIND: member::Kind = member::Kind::Boolean;

    fn parse(text: &str) -> Result<Self, Violation> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "unfinished" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(Violation::Type(member::Kind::Boolean)),
        }
    }
}

/// `assetSHA256`: 64 lower-case hex digits. `UNSIGNED-PAYLOAD` and its like are refused: a body must be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) String);

impl Member for Sha256 {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 64, 64)?;
        let is_hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        check_pattern(is_hex, "[0-9a-f]+")?;
        Ok(Self(text.to_owned()))
    }
}

/// `packageVersionRevision`: 1 to 50 characters without blanks, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision(pub(crate) String);

impl Member for Revision {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 1, 50)?;
        check_pattern(!text.chars().any(char::is_whitespace), "\\S+")?;
        Ok(Self(text.to_owned()))
    }
}

/// `Arn` of the model, which is also what keys are named by: 1 to 1011 characters without blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnyArn(pub(crate) String);

impl Member for AnyArn {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 1, 1011)?;
        check_pattern(!text.chars().any(char::is_whitespace), "\\S+")?;
        Ok(Self(text.to_owned()))
    }
}

/// `description`: up to 1000 characters, no line breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description(pub(crate) String);

impl Member for Description {
    fn parse(text: &str) -> Result<Self, Violation> {
        printable(text, 0, 1000, "\\P{C}*").map(Self)
    }
}

/// `policyRevision`: 1 to 100 characters without blanks, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyRevision(pub(crate) String);

impl Member for PolicyRevision {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 1, 100)?;
        check_pattern(!text.chars().any(char::is_whitespace), "\\S+")?;
        Ok(Self(text.to_owned()))
    }
}

/// `policyDocument`: 1 to 7168 characters, printable or white space. That it is a policy is another question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyDocument(pub(crate) String);

impl Member for PolicyDocument {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 1, 7168)?;
        let is_text = |c: char| c.is_whitespace() || !is_other(c);
        check_pattern(text.chars().all(is_text), "[\\P{C}\\s]+")?;
        Ok(Self(text.to_owned()))
    }
}

/// The most tags, or keys, that one request may carry.
const MAX_TAGS: usize = 200;

/// `tags`, none when absent: up to 200, each a key of 1 to 128 characters and a value of up to 256. A value left out is
/// empty.
pub(crate) fn tags(read: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    let tags = read.body("tags", "tags").optional_list_of(MAX_TAGS, tag);
    Some(tags?.unwrap_or_default())
}

/// The same, where they are what the request is about.
pub(crate) fn required_tags(read: &mut Reader<'_>) -> Option<Vec<(String, String)>> {
    read.body("tags", "tags").required_list_of(MAX_TAGS, tag)
}

fn tag(tag: Field<'_, '_>) -> Option<(String, String)> {
    tag.required_structure(|read| {
        let key = read.body("key", "key").required_with(tag_key);
        let value = read
            .body("value", "value")
            .optional_with(|text| printable(text, 0, 256, "\\P{C}*"));
        Some((key?, value?.unwrap_or_default()))
    })
}

fn tag_key(text: &str) -> Result<String, Violation> {
    printable(text, 1, 128, "\\P{C}+")
}

/// `tagKeys`: up to 200.
pub(crate) fn tag_keys(read: &mut Reader<'_>) -> Option<Vec<String>> {
    read.body("tagKeys", "tagKeys")
        .required_list_of(MAX_TAGS, |key| key.required_with(tag_key))
}

/// `upstreams`: any number, each `{"repositoryName": …}`; how many there may be is a quota. `Some(None)` when absent.
#[expect(
    clippy::option_option,
    reason = "outside: could it be read; inside: is it there"
)]
pub(crate) fn upstreams(read: &mut Reader<'_>) -> Option<Option<Vec<RepositoryName>>> {
    read.body("upstreams", "upstreams")
        .optional_list_of(usize::MAX, |upstream| {
            upstream.required_structure(|read| {
                read.body("repositoryName", "repositoryName")
                    .required_with(name)
            })
        })
}

/// Text without characters of category C.
fn printable(
    text: &str,
    min: usize,
    max: usize,
    pattern: &'static str,
) -> Result<String, Violation> {
    check_length(text, min, max)?;
    check_pattern(!text.chars().any(is_other), pattern)?;
    Ok(text.to_owned())
}

/// A character of category C: control, format, surrogate, private use, unassigned.
fn is_other(c: char) -> bool {
    matches!(
        get_general_category(c),
        G::Control | G::Format | G::Surrogate | G::PrivateUse | G::Unassigned
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn durations_below_a_quarter_of_an_hour_are_refused_except_none() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", None),
            ("899", None),
            ("900", Some(900)),
            ("43200", Some(43_200)),
            ("43201", None),
            ("-1", None),
            ("", None),
        ] {
            let found = DurationSeconds::parse(text).ok().map(|duration| duration.0);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_version_is_unfinished_when_told_so_in_either_way() {
        for (text, expected) in [
            ("true", Some(true)),
            ("True", Some(true)),
            ("unfinished", Some(true)),
            ("Unfinished", Some(true)),
            ("false", Some(false)),
            ("", None),
            ("1", None),
        ] {
            let found = Unfinished::parse(text).ok().map(|unfinished| unfinished.0);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn formats_are_those_of_the_api_whatever_the_server_serves() {
        for text in FORMATS {
            assert_eq!(format(text).unwrap().as_str(), *text);
        }
        for text in ["", "NPM", "conda"] {
            assert_eq!(format(text), Err(Violation::Enum(FORMATS)), "{text}");
        }
    }

    #[test]
    fn a_digest_is_64_lower_case_digits() {
        assert!(Sha256::parse(&"0f".repeat(32)).is_ok());
        for text in ["UNSIGNED-PAYLOAD", &"0F".repeat(32), &"0f".repeat(31), ""] {
            assert!(Sha256::parse(text).is_err(), "{text}");
        }
    }
}
