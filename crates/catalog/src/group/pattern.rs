//! Patterns of package groups: how they are written, what they match, which of them lies within which.
//!
//! ```text
//! /*                      everything
//! /npm/*                  a format
//! /npm/my-scope~          namespaces that begin with this word, or these words
//! /npm/my-scope/*         a namespace; /npm//* all that have none
//! /npm/my-scope/ui~       names in it that begin so
//! /npm/my-scope/ui-kit$   one package
//! ```
//!
//! Everything here is a prefix match on the path of a package, `/{format}/{namespace}/{name}` ("upstreams-and-origin" 7
//! of the specification). Which formats there are, and what their names look like, is not known here: a face asks that
//! of a pattern before it makes a group of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use unicode_general_category::{GeneralCategory as G, get_general_category};
use unicode_security::skeleton;

use crate::names::{InvalidName, PackageId, is_other};
use crate::package::spelled;

/// Characters that a pattern has at least, and at most, by the service model.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=520;

/// The pattern of a package group, like `/npm/my-scope/ui~`: 2 to 520 characters, well-formed. Compared with case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupPattern(Arc<str>);

/// How a pattern ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suffix {
    /// `$`: the path ends here.
    End,
    /// `~`: the word ends here.
    Word,
    /// `*`: anything may follow.
    Any,
}

/// How a package belongs to its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Association {
    /// It is what the pattern says.
    Strong,
    /// It only looks like that; such a package is kept out.
    Weak,
}

spelled!(Association { Strong = "STRONG", Weak = "WEAK", });

impl GroupPattern {
    /// The pattern of the group that every domain has: `/*`.
    pub fn root() -> Self {
        Self("/*".into())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `/*`.
    pub fn is_root(&self) -> bool {
        &*self.0 == "/*"
    }

    /// The format that it is about; `None` for `/*`.
    pub fn format(&self) -> Option<&str> {
        self.part(1).filter(|format| !format.is_empty())
    }

    /// What it has in place of a namespace, and whether that is the whole namespace or its beginning. `None` when it
    /// has nothing there.
    pub fn namespace(&self) -> Option<(&str, bool)> {
        let namespace = self.part(2)?;
        let is_whole = self.part(3).is_some();
        (is_whole || !namespace.is_empty()).then_some((namespace, is_whole))
    }

    /// What it has in place of a name, and whether that is the whole name or its beginning. `None` when it has nothing
    /// there.
    pub fn name(&self) -> Option<(&str, bool)> {
        let name = self.part(3).filter(|name| !name.is_empty())?;
        Some((name, self.suffix() == Suffix::End))
    }

    fn part(&self, number: usize) -> Option<&str> {
        self.literal().split('/').nth(number)
    }

    /// All but the suffix, which has one byte.
    pub(crate) fn literal(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    fn suffix(&self) -> Suffix {
        match self.0.as_bytes().last() {
            Some(b'$') => Suffix::End,
            Some(b'~') => Suffix::Word,
            _ => Suffix::Any,
        }
    }

    /// Whether it names one package, which is more than to begin like one.
    pub(crate) fn is_exact(&self) -> bool {
        self.suffix() == Suffix::End
    }

    /// Whether everything that `other` matches is matched by this one too. Two patterns either do not meet or one of
    /// them encloses the other.
    pub(crate) fn encloses(&self, other: &Self) -> bool {
        self != other && self.suffix() != Suffix::End && fits(self, self.literal(), other.literal())
    }

    /// The pattern in an ARN: `*`, `$` and `%` encoded, with lower-case digits; the rest, and the slashes, as they are.
    pub(crate) fn encode(pattern: &str) -> String {
        let mut encoded = String::with_capacity(pattern.len() + 2);
        for c in pattern.chars() {
            match c {
                '*' => encoded.push_str("%2a"),
                '$' => encoded.push_str("%24"),
                '%' => encoded.push_str("%25"),
                c => encoded.push(c),
            }
        }
        encoded
    }

    /// The pattern that an ARN has in it. Digits of upper case encode nothing, so that no two ARNs name one group.
    pub fn decode(encoded: &str) -> String {
        encoded
            .replace("%2a", "*")
            .replace("%24", "$")
            .replace("%25", "%")
    }
}

/// Whether `path` begins with `literal` as the suffix of the pattern asks. Both may be in canonical form.
fn fits(pattern: &GroupPattern, literal: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(literal) else {
        return false;
    };
    match pattern.suffix() {
        Suffix::End => rest.is_empty(),
        Suffix::Word => !rest.starts_with(continues_word),
        Suffix::Any => true,
    }
}

/// A letter, a digit or a mark.
fn continues_word(c: char) -> bool {
    matches!(
        get_general_category(c),
        G::UppercaseLetter
            | G::LowercaseLetter
            | G::TitlecaseLetter
            | G::ModifierLetter
            | G::OtherLetter
            | G::DecimalNumber
            | G::LetterNumber
            | G::OtherNumber
            | G::NonspacingMark
            | G::SpacingMark
            | G::EnclosingMark
    )
}

impl FromStr for GroupPattern {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let length = text.chars().count();
        if length < *LENGTHS.start() {
            return Err(InvalidName::TooShort(*LENGTHS.start()));
        }
        if length > *LENGTHS.end() {
            return Err(InvalidName::TooLong(*LENGTHS.end()));
        }
        if text.chars().any(|c| is_other(c) || c.is_whitespace()) {
            return Err(InvalidName::Pattern("[^\\p{C}\\p{IsWhitespace}]+"));
        }
        check(text).map_err(|rule| InvalidName::Refused(rule.to_owned()))?;
        Ok(Self(text.into()))
    }
}

/// The rules of syntax; `Err` ends a sentence that begins "a pattern must".
fn check(text: &str) -> Result<(), &'static str> {
    let path = text.strip_prefix('/').ok_or("begin with a slash")?;
    let suffix = path
        .chars()
        .last()
        .filter(|c| matches!(c, '$' | '~' | '*'))
        .ok_or("end with `$`, `~` or `*`")?;
    let literal = &path[..path.len() - 1];
    if literal.contains(['$', '~', '*']) {
        return Err("have `$`, `~` or `*` at its end only");
    }
    let ends_in_word = literal.ends_with(continues_word);
    match (suffix, literal.matches('/').count()) {
        _ if literal.starts_with('/') => Err("name a format"),
        (_, 3..) => Err("have no more than a format, a namespace and a name"),
        ('*', 0) if literal.is_empty() => Ok(()),
        (_, 0) => Err("be `/*` or name a format and what of it, like `/npm/*`"),
        ('$', 2) if !literal.ends_with('/') => Ok(()),
        ('$', _) => Err("have a whole name before `$`"),
        ('~', _) if !ends_in_word => Err("have a letter, digit or mark before `~`"),
        ('*', _) if ends_in_word => {
            Err("have no letter, digit or mark before `*`; `~` ends a word")
        }
        _ => Ok(()),
    }
}

impl fmt::Display for GroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GroupPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A path or a literal, as it is written and as it looks.
#[derive(Debug, Clone)]
pub(crate) struct Looks {
    text: String,
    /// Two canonical forms, because a capital `I` is an `i` in other case and looks like an `l`: one form cannot be both.
    forms: [String; 2],
}

impl Looks {
    /// Of the path of a package: `/npm//react`.
    pub(crate) fn of_package(id: &PackageId) -> Self {
        let PackageId { format, name, .. } = id;
        Self::of(format!("/{format}/{}/{name}", id.namespace_text()))
    }

    /// Of the literal of a pattern.
    pub(crate) fn of_pattern(pattern: &GroupPattern) -> Self {
        Self::of(pattern.literal().to_owned())
    }

    fn of(text: String) -> Self {
        let cased = each_name(&text, canonical);
        let as_seen = each_name(&text, |name| canonical(&skeleton(name).collect::<String>()));
        Self {
            text,
            forms: [cased, as_seen],
        }
    }

    /// Its canonical forms: what fits a pattern in any way has one of them begin like that of the pattern.
    pub(super) fn forms(&self) -> &[String; 2] {
        &self.forms
    }

    /// How specific a pattern with this literal is.
    pub(crate) fn length(&self) -> usize {
        self.forms[0].len()
    }

    /// How the package of this path belongs to a group of this pattern, if it does.
    pub(crate) fn association(
        &self,
        pattern: &GroupPattern,
        literal: &Self,
    ) -> Option<Association> {
        if fits(pattern, &literal.text, &self.text) {
            return Some(Association::Strong);
        }
        let mut forms = literal.forms.iter().zip(&self.forms);
        forms
            .any(|(literal, path)| fits(pattern, literal, path))
            .then_some(Association::Weak)
    }
}

/// Applies a form to namespace and name, never across the slash between them; the format stays as it is.
fn each_name(path: &str, form: impl Fn(&str) -> String) -> String {
    let mut parts = path.split('/');
    // What is before the first slash, which is nothing, and the format.
    let mut formed: Vec<String> = parts.by_ref().take(2).map(str::to_owned).collect();
    formed.extend(parts.map(form));
    formed.join("/")
}

/// A name without case, with look-alikes and separators made one (Unicode TR 39). What looks like a separator is one, so
/// they are made one before and after.
fn canonical(name: &str) -> String {
    let plain = separated(&folded(name));
    let seen: String = skeleton(&plain).collect();
    separated(&folded(&seen))
}

/// By way of upper case, which makes one of more letters than lower case does: `ſ` and `s`, `ß` and `ss`.
fn folded(text: &str) -> String {
    text.chars()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

/// With every run of `-`, `.` and `_` as one `.`.
fn separated(text: &str) -> String {
    let mut separated = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '-' | '.' | '_' if separated.ends_with('.') => {}
            '-' | '.' | '_' => separated.push('.'),
            c => separated.push(c),
        }
    }
    separated
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn pattern(text: &str) -> GroupPattern {
        text.parse().unwrap()
    }

    /// How a package, given as its path, belongs to a pattern.
    fn association(of: &str, path: &str) -> Option<Association> {
        let of = pattern(of);
        Looks::of(path.to_owned()).association(&of, &Looks::of_pattern(&of))
    }

    #[test]
    fn patterns_are_read_as_the_guide_says() {
        for text in [
            "/*",
            "/npm/*",
            "/npm//*",
            "/npm/my-scope~",
            "/npm/my-scope/*",
            "/npm/my-scope/ui~",
            "/npm/my-scope/ui-kit$",
            "/pypi//requests$",
            "/maven/com.example~",
            "/maven/com.example/*",
            "/maven/com.example/lib-core$",
            "/generic/builds/*",
            "/npm/my-*",
            "/npm/my-scope/ui-*",
            "/npm/my-scope/ui_*",
            "/npm//foo.$",
            "/npm/räksmörgås/å~",
            "/npm/e\u{301}~",
        ] {
            assert_eq!(pattern(text).to_string(), text);
        }
        for text in [
            "npm/*",
            "/npm",
            "/npm/a*",
            "/npm/my-~",
            "/npm/a/b/c$",
            "/npm/a/b/c/*",
            "/npm/a$",
            "/npm/a/$",
            "/npm/$",
            "/$",
            "/~",
            "/npm~",
            "/npm$",
            "/npm*",
            "/npm/~",
            "/npm//~",
            "/npm/a/~",
            "/npm/*/*",
            "/npm/a$b/c~",
            "/npm/a/b$$",
            "/npm/a/b~*",
            "/npm/a/b*",
            "/npm/a b/*",
            "/npm/a\u{200b}b/*",
            "*",
            "",
            "//",
            "//a/*",
        ] {
            assert!(text.parse::<GroupPattern>().is_err(), "{text}");
        }
        let longest = format!("/npm/{}/*", "a".repeat(513));
        assert_eq!(pattern(&longest).to_string(), longest);
        let refused = format!("/npm/{}/*", "a".repeat(514)).parse::<GroupPattern>();
        assert_eq!(refused, Err(InvalidName::TooLong(520)));
    }

    #[test]
    fn a_pattern_says_what_it_is_about() {
        for (text, format, namespace, name) in [
            ("/*", None, None, None),
            ("/npm/*", Some("npm"), None, None),
            ("/npm/my~", Some("npm"), Some(("my", false)), None),
            ("/npm/my/*", Some("npm"), Some(("my", true)), None),
            ("/npm//*", Some("npm"), Some(("", true)), None),
            (
                "/npm/my/ui~",
                Some("npm"),
                Some(("my", true)),
                Some(("ui", false)),
            ),
            (
                "/npm/my/ui$",
                Some("npm"),
                Some(("my", true)),
                Some(("ui", true)),
            ),
        ] {
            let pattern = pattern(text);
            let found = (pattern.format(), pattern.namespace(), pattern.name());
            assert_eq!(found, (format, namespace, name), "{text}");
        }
    }

    #[test]
    fn a_pattern_in_an_arn_is_encoded_and_read_back() {
        for (pattern, encoded) in [
            ("/*", "/%2a"),
            ("/npm//foo$", "/npm//foo%24"),
            ("/npm/my~", "/npm/my~"),
            ("/npm//100%/*", "/npm//100%25/%2a"),
            ("/npm//%2a$", "/npm//%252a%24"),
        ] {
            assert_eq!(GroupPattern::encode(pattern), encoded);
            assert_eq!(GroupPattern::decode(encoded), pattern);
        }
        assert_eq!(GroupPattern::decode("/npm/%2A"), "/npm/%2A");
    }

    #[test]
    fn a_word_ends_where_no_letter_digit_or_mark_follows() {
        use Association::Strong;
        for (of, path, expected) in [
            ("/npm/space/foo~", "/npm/space/foo", Some(Strong)),
            ("/npm/space/foo~", "/npm/space/foo-bar", Some(Strong)),
            ("/npm/space/foo~", "/npm/space/foo.bar", Some(Strong)),
            ("/npm/space/foo~", "/npm/space/foo.js", Some(Strong)),
            ("/npm/space/foo~", "/npm/space/food", None),
            ("/npm/space/foo~", "/npm/space/foot", None),
            ("/npm/space/foo~", "/npm/space/foo1", None),
            ("/npm/space/foo~", "/npm/space/fooBar", None),
            ("/npm/space/foo~", "/npm/space/föö", None),
            ("/npm/space/foo~", "/npm/space/foo\u{301}", None),
            ("/npm/space/foo~", "/npm/other/foo", None),
            (
                "/maven/com.anycompany~",
                "/maven/com.anycompany/a",
                Some(Strong),
            ),
            (
                "/maven/com.anycompany~",
                "/maven/com.anycompany.iot/a",
                Some(Strong),
            ),
            ("/maven/com.anycompany~", "/maven/com.anycompanyx/a", None),
            ("/npm/space/foo$", "/npm/space/foo", Some(Strong)),
            ("/npm/space/foo$", "/npm/space/foo-bar", None),
            ("/npm/space/foo-*", "/npm/space/foo-bar", Some(Strong)),
            ("/npm/space/foo-*", "/npm/space/foo", None),
            ("/npm/*", "/npm//react", Some(Strong)),
            ("/npm//*", "/npm//react", Some(Strong)),
            ("/npm//*", "/npm/types/node", None),
            ("/npm/*", "/pypi//requests", None),
            ("/*", "/pypi//requests", Some(Strong)),
        ] {
            assert_eq!(association(of, path), expected, "{of} {path}");
        }
    }

    #[test]
    fn what_only_looks_the_same_is_weak() {
        use Association::Weak;
        for (of, path, expected) in [
            // Case.
            ("/npm/anycompany/*", "/npm/AnyCompany/core", Some(Weak)),
            ("/npm/my/straße$", "/npm/my/STRASSE", Some(Weak)),
            // Separators, and runs of them.
            ("/npm/my/foo-bar$", "/npm/my/foo.bar", Some(Weak)),
            ("/npm/my/foo-bar$", "/npm/my/foo..bar", Some(Weak)),
            ("/npm/my/foo-bar$", "/npm/my/foo_bar", Some(Weak)),
            ("/npm/my/foo-bar$", "/npm/my/foo\u{2010}bar", Some(Weak)),
            ("/npm/my/foo-bar$", "/npm/my/foobar", None),
            ("/npm/my/foo-*", "/npm/my/foo_bar", Some(Weak)),
            // Look-alikes.
            ("/npm/anycompany/*", "/npm/anyc0mpany/core", Some(Weak)),
            ("/npm/anycompany/*", "/npm/anycornpany/core", Some(Weak)),
            (
                "/npm/anycompany/*",
                "/npm/anyc\u{43e}mpany/core",
                Some(Weak),
            ),
            ("/npm/my/lib$", "/npm/my/1ib", Some(Weak)),
            ("/npm/my/lib$", "/npm/my/Iib", Some(Weak)),
            ("/npm/my/lib$", "/npm/my/LIB", Some(Weak)),
            ("/npm/my/ui~", "/npm/my/UI-kit", Some(Weak)),
            ("/npm/my/lib$", "/npm/my/li\u{200b}b", Some(Weak)),
            // Never across a slash, and never in the format.
            ("/npm/a/b$", "/npm/a.b/c", None),
            ("/maven/a/*", "/rnaven/a/b", None),
            // A boundary is one in the canonical form.
            ("/npm/my/ui~", "/npm/my/UIkit", None),
            ("/npm/my/ui~", "/npm/MY/ui.kit", Some(Weak)),
        ] {
            assert_eq!(association(of, path), expected, "{of} {path}");
        }
    }

    #[test]
    fn of_two_patterns_one_is_within_the_other_or_they_do_not_meet() {
        for (outer, inner, expected) in [
            ("/*", "/npm/*", true),
            ("/*", "/npm/a/foo$", true),
            ("/npm/*", "/npm//*", true),
            ("/npm/*", "/npm/a~", true),
            ("/npm/*", "/pypi/*", false),
            ("/npm/a~", "/npm/a/*", true),
            ("/npm/a~", "/npm/a.b~", true),
            ("/npm/a~", "/npm/ab~", false),
            ("/npm/a~", "/npm/ab/*", false),
            ("/npm/a/*", "/npm/a/foo~", true),
            ("/npm/a/foo~", "/npm/a/foo$", true),
            ("/npm/a/foo~", "/npm/a/foo-bar$", true),
            ("/npm/a/foo~", "/npm/a/foo-*", true),
            ("/npm/a/foo~", "/npm/a/food$", false),
            ("/npm/a/foo$", "/npm/a/foo~", false),
            ("/npm/a/foo-*", "/npm/a/foo~", false),
            ("/npm/a/foo.*", "/npm/a/foo.$", true),
            ("/npm/a/*", "/npm/a/*", false),
            ("/npm/*", "/*", false),
        ] {
            let found = pattern(outer).encloses(&pattern(inner));
            assert_eq!(found, expected, "{outer} {inner}");
        }
    }
}
