//! The parameters of a call: read by their names on the wire, each through a rule of the service model.

use aws::member::{check_length, check_pattern};
use aws::page::{MaxResults, PageToken};
use aws::query::Form;
use aws::reader::{Field, Reader};
use aws::{Fault, Member, Violation};
use unicode_general_category::{GeneralCategory, get_general_category};

use super::fault::invalid_input;
use crate::quotas;
use crate::tags::{Tag, tag_key};

/// A rule: text that becomes a value.
pub(super) type Rule<T> = fn(&str) -> Result<T, Violation>;

/// Reads the parameters of one call, and remembers everything that is wrong with them.
pub(super) struct Params<'a>(Reader<'a>);

/// Where a page begins and how long it may be, as the client says.
pub(super) struct Paging {
    pub(super) max_items: MaxResults,
    pub(super) marker: Option<PageToken>,
}

impl<'a> Params<'a> {
    pub(super) fn of(form: &'a Form) -> Self {
        Self(Reader::of_form(form))
    }

    pub(super) fn field(&mut self, wire: &str) -> Field<'_, 'a> {
        self.0.form(wire, &member(wire))
    }

    pub(super) fn required<T>(&mut self, wire: &str, rule: Rule<T>) -> Option<T> {
        self.field(wire).required_with(rule)
    }

    #[expect(
        clippy::option_option,
        reason = "outside: could it be read; inside: is it there"
    )]
    pub(super) fn optional<T>(&mut self, wire: &str, rule: Rule<T>) -> Option<Option<T>> {
        self.field(wire).optional_with(rule)
    }

    /// `true` or `false`; absent is false.
    pub(super) fn flag(&mut self, wire: &str) -> Option<bool> {
        let flag: Option<Option<bool>> = self.field(wire).optional();
        flag.map(Option::unwrap_or_default)
    }

    /// A list of plain values.
    pub(super) fn list<T>(&mut self, wire: &str, at_most: usize, rule: Rule<T>) -> Option<Vec<T>> {
        let items = |field: Field<'_, 'a>| field.required_with(rule);
        let list = self.field(wire).optional_list_of(at_most, items);
        list.map(Option::unwrap_or_default)
    }

    /// The same where absence is a violation.
    pub(super) fn required_list<T>(
        &mut self,
        wire: &str,
        at_most: usize,
        rule: Rule<T>,
    ) -> Option<Vec<T>> {
        let items = |field: Field<'_, 'a>| field.required_with(rule);
        self.field(wire).required_list_of(at_most, items)
    }

    /// `Tags.member.1.Key`, `Tags.member.1.Value`, …; empty when absent.
    pub(super) fn tags(&mut self) -> Option<Vec<Tag>> {
        let tags = self.field("Tags").optional_list_of(quotas::TAGS, tag);
        tags.map(Option::unwrap_or_default)
    }

    /// The same where absence is a violation.
    pub(super) fn required_tags(&mut self) -> Option<Vec<Tag>> {
        self.field("Tags").required_list_of(quotas::TAGS, tag)
    }

    /// `MaxItems` and `Marker`.
    pub(super) fn paging(&mut self) -> Option<Paging> {
        let max_items: Option<Option<MaxResults>> = self.field("MaxItems").optional();
        let marker: Option<Option<PageToken>> = self.field("Marker").optional();
        Some(Paging {
            max_items: max_items?.unwrap_or(MaxResults::HUNDRED),
            marker: marker?,
        })
    }

    /// Puts the input together, or answers with everything that is wrong with it.
    pub(super) fn finish<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T, Fault> {
        self.0.finish(build)
    }
}

/// The member's name in error texts: AWS writes parameters with a capital and members without.
pub(super) fn member(wire: &str) -> String {
    let mut chars = wire.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn tag(field: Field<'_, '_>) -> Option<Tag> {
    field.required_structure(|tag| {
        let key = tag.form("Key", "key").required_with(key);
        let value = tag.form("Value", "value").required_with(value);
        Some((key?, value?))
    })
}

/// What the service model cannot say about tags: keys are unique without case, and those of AWS are not for others.
pub(super) fn check_tags(tags: &[Tag]) -> Result<(), Fault> {
    let mut keys: Vec<String> = tags.iter().map(|(key, _)| tag_key(key)).collect();
    if keys.iter().any(|key| key.starts_with("aws:")) {
        return Err(invalid_input(
            "aws: prefixed tag key names are not allowed for external use.",
        ));
    }
    keys.sort_unstable();
    let count = keys.len();
    keys.dedup();
    if keys.len() < count {
        return Err(invalid_input(
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ));
    }
    Ok(())
}

/// `[\w+=,.@-]+`, at most `MAX` characters: users and roles 64, others 128.
pub(super) fn name<const MAX: usize>(text: &str) -> Result<String, Violation> {
    check_length(text, 1, MAX)?;
    check_pattern(text.bytes().all(is_name_byte), r"[\w+=,.@-]+")?;
    Ok(text.to_owned())
}

/// The bytes of `[\w+=,.@-]`.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// `/` or `/…/`, printable ASCII, at most 512.
pub(super) fn path(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 512)?;
    let inner = text
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    let fits = inner.is_some_and(|inner| !inner.is_empty() && is_graphic(inner));
    check_pattern(
        text == "/" || fits,
        r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)",
    )?;
    Ok(text.to_owned())
}

/// The stricter path of policies: `((/[A-Za-z0-9\.,\+@=_-]+)*)/`.
pub(super) fn policy_path(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 512)?;
    let inner = text.strip_prefix('/').map(|rest| rest.strip_suffix('/'));
    let fits = match inner {
        Some(Some(inner)) => inner
            .split('/')
            .all(|part| !part.is_empty() && part.bytes().all(is_name_byte)),
        Some(None) => text == "/",
        None => false,
    };
    check_pattern(fits, r"((/[A-Za-z0-9\.,\+@=_-]+)*)/")?;
    Ok(text.to_owned())
}

/// What paths in a list begin with.
pub(super) fn path_prefix(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 512)?;
    check_pattern(
        text.starts_with('/') && is_graphic(text),
        r"\u002F[\u0021-\u007F]*",
    )?;
    Ok(text.to_owned())
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Of a policy: any thousand characters.
pub(super) fn policy_description(text: &str) -> Result<String, Violation> {
    check_length(text, 0, 1000)?;
    Ok(text.to_owned())
}

/// Of a role: a thousand characters without controls, from the first 256.
pub(super) fn role_description(text: &str) -> Result<String, Violation> {
    check_length(text, 0, 1000)?;
    let fits =
        |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a1}'..='\u{ff}');
    check_pattern(
        text.chars().all(fits),
        r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*",
    )?;
    Ok(text.to_owned())
}

/// A policy's text. Which characters it may have is said by the policy's own rules.
pub(super) fn document(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 131_072)?;
    Ok(text.to_owned())
}

/// 20 to 2048 characters; what it is the ARN of is seen when it is used.
pub(super) fn arn(text: &str) -> Result<String, Violation> {
    check_length(text, 20, 2048)?;
    Ok(text.to_owned())
}

/// `v1`, `v12`.
pub(super) fn version_id(text: &str) -> Result<i64, Violation> {
    const PATTERN: &str = r"v[1-9][0-9]*(\.[A-Za-z0-9-]*)?";
    crate::managed_policies::version_number(text).ok_or(Violation::Pattern(PATTERN))
}

/// `[\w]+`, 16 to 128.
pub(super) fn access_key_id(text: &str) -> Result<String, Violation> {
    check_length(text, 16, 128)?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    check_pattern(text.bytes().all(fits), r"[\w]+")?;
    Ok(text.to_owned())
}

/// A tag's key: letters, separators, numbers and `_.:/=+-@`, 1 to 128.
pub(super) fn key(text: &str) -> Result<String, Violation> {
    check_length(text, 1, 128)?;
    check_pattern(is_tag_text(text), r"[\p{L}\p{Z}\p{N}_.:/=+\-@]+")?;
    Ok(text.to_owned())
}

/// A tag's value: the same, 0 to 256.
pub(super) fn value(text: &str) -> Result<String, Violation> {
    check_length(text, 0, 256)?;
    check_pattern(is_tag_text(text), r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")?;
    Ok(text.to_owned())
}

/// Whether the text could be a tag's value, but for its length.
pub(super) fn is_tag_text(text: &str) -> bool {
    text.chars().all(is_tag_char)
}

fn is_tag_char(c: char) -> bool {
    use GeneralCategory as G;
    let category = || {
        matches!(
            get_general_category(c),
            G::UppercaseLetter
                | G::LowercaseLetter
                | G::TitlecaseLetter
                | G::ModifierLetter
                | G::OtherLetter
                | G::SpaceSeparator
                | G::LineSeparator
                | G::ParagraphSeparator
                | G::DecimalNumber
                | G::LetterNumber
                | G::OtherNumber
        )
    };
    "_.:/=+-@".contains(c) || category()
}

/// Seconds between two bounds.
pub(super) fn seconds<const MIN: i64, const MAX: i64>(text: &str) -> Result<u64, Violation> {
    let seconds = aws::member::parse_integer(text, MIN, MAX)?;
    u64::try_from(seconds).map_err(|_| Violation::AtLeast(MIN))
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(
    text: &str,
    words: &[(&'static str, T)],
    all: &'static [&'static str],
) -> Result<T, Violation> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or(Violation::Enum(all))
}

/// Any text of up to `MAX` characters, one at least.
pub(super) fn text<const MAX: usize>(text: &str) -> Result<String, Violation> {
    check_length(text, 1, MAX)?;
    String::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_tags_have_the_form_of_the_model() {
        type Check = fn(&str) -> bool;
        let long = "a".repeat(65);
        let cases: &[(Check, &str, bool)] = &[
            (|t| name::<64>(t).is_ok(), "build+ci=x,y.z@w-_1", true),
            (|t| name::<64>(t).is_ok(), "", false),
            (|t| name::<64>(t).is_ok(), "a/b", false),
            (|t| name::<64>(t).is_ok(), "ü", false),
            (|t| name::<64>(t).is_ok(), &long, false),
            (|t| name::<128>(t).is_ok(), &long, true),
            (|t| path(t).is_ok(), "/", true),
            (|t| path(t).is_ok(), "/a/b c/", false),
            (|t| path(t).is_ok(), "/a/b/", true),
            (|t| path(t).is_ok(), "//", false),
            (|t| path(t).is_ok(), "/a", false),
            (|t| path(t).is_ok(), "a/", false),
            (|t| policy_path(t).is_ok(), "/", true),
            (|t| policy_path(t).is_ok(), "/a/b/", true),
            (|t| policy_path(t).is_ok(), "/a//b/", false),
            (|t| policy_path(t).is_ok(), "/a*/", false),
            (|t| policy_path(t).is_ok(), "", false),
            (|t| path_prefix(t).is_ok(), "/bui", true),
            (|t| path_prefix(t).is_ok(), "bui", false),
            (|t| key(t).is_ok(), "Größe Ⅷ:/=+-@_.", true),
            (|t| key(t).is_ok(), "tab\t", false),
            (|t| key(t).is_ok(), "a*", false),
            (|t| key(t).is_ok(), "", false),
            (|t| value(t).is_ok(), "", true),
            (|t| access_key_id(t).is_ok(), "AKIAVECTORUSER000001", true),
            (|t| access_key_id(t).is_ok(), "AKIA", false),
            (|t| seconds::<900, 43_200>(t).is_ok(), "900", true),
            (|t| seconds::<900, 43_200>(t).is_ok(), "899", false),
        ];
        for (at, (check, text, expected)) in cases.iter().enumerate() {
            assert_eq!(check(text), *expected, "{at}: {text}");
        }
    }

    #[test]
    fn members_are_parameters_with_a_small_letter() {
        assert_eq!(member("UserName"), "userName");
        assert_eq!(
            member("OpenIDConnectProviderArn"),
            "openIDConnectProviderArn"
        );
    }
}
