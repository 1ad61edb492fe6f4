//! JSON whose members keep their order and their spelling: documents are passed on, not understood.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use memchr::memchr2;
use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The members of an object, in their order. Of two with one name the later counts, as in JavaScript.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Reads an object.
    pub(crate) fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// The member of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| *value)
    }

    /// The text of a member that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        text(self.get(name)?)
    }

    /// The members of a member that is an object.
    pub(crate) fn object(&self, name: &str) -> Option<Members<'a>> {
        Self::parse(self.get(name)?.get()).ok()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The text of a string.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get())
        .ok()
        .map(|text| text.0)
}

/// Objects and lists within each other, at most, in whatever comes from outside.
pub(crate) const DEPTH: usize = 100;

/// Whether objects and lists stand within each other more than [`DEPTH`] deep. Values that are passed on unread are not
/// looked into otherwise.
pub(crate) fn is_too_deep(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                at += 1;
                while let Some(length) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
                    at += length;
                    if bytes[at] == b'"' {
                        break;
                    }
                    // What follows a backslash ends nothing.
                    at += 2;
                }
            }
            _ => {}
        }
        if depth > DEPTH {
            return true;
        }
        at += 1;
    }
    false
}

/// What a value is, as far as it matters here.
pub(crate) fn is_true(value: &RawValue) -> bool {
    value.get() == "true"
}

/// A string, borrowed where it can be.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

impl<'de> DeserializeSeed<'de> for TextVisitor {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

struct MembersVisitor {
    takes_doubles: bool,
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(Text(key)) = map.next_key_seed(TextVisitor)? {
            members.push((key, map.next_value::<&'de RawValue>()?));
        }
        let names: HashSet<_> = members.iter().map(|(key, _)| key).collect();
        if names.len() < members.len() {
            if !self.takes_doubles {
                return Err(serde::de::Error::custom(
                    "a member stands twice in an object",
                ));
            }
            let mut seen = HashSet::new();
            let mut kept: Vec<_> = members
                .into_iter()
                .rev()
                .filter(|(key, _)| seen.insert(key.clone()))
                .collect();
            kept.reverse();
            members = kept;
        }
        Ok(Members(members))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor {
            takes_doubles: true,
        })
    }
}

/// The same, refused when a name stands twice.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unique<'a>(pub(crate) Members<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Unique<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = deserializer.deserialize_map(MembersVisitor {
            takes_doubles: false,
        })?;
        Ok(Self(members))
    }
}

/// Writes an object, member by member.
pub(crate) struct Object<'o> {
    out: &'o mut String,
    is_empty: bool,
}

impl<'o> Object<'o> {
    /// Begins one at the end of a text.
    pub(crate) fn begin(out: &'o mut String) -> Self {
        out.push('{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// A member, whose value is JSON text.
    pub(crate) fn raw(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push_str(value);
    }

    /// A member whose value is a string.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        quote(self.out, value);
    }

    /// A member whose value is written by the caller.
    pub(crate) fn member(&mut self, name: &str) -> &mut String {
        self.name(name);
        self.out
    }

    /// Ends it.
    pub(crate) fn end(self) {
        self.out.push('}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(',');
        }
        quote(self.out, name);
        self.out.push(':');
    }
}

/// Writes a string with its quotes.
pub(crate) fn quote(out: &mut String, text: &str) {
    let quoted = serde_json::to_string(text).expect("every string is JSON");
    out.push_str(&quoted);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_and_spelling_and_the_later_of_two_counts() {
        let members = Members::parse(r#"{"b":1.50,"__proto__":{},"a":"\u00e4","b":2e3}"#).unwrap();
        let all: Vec<_> = members
            .iter()
            .map(|(key, value)| (key, value.get()))
            .collect();
        assert_eq!(
            all,
            [("__proto__", "{}"), ("a", r#""\u00e4""#), ("b", "2e3")]
        );
        assert_eq!(members.text("a").unwrap(), "ä");
        assert!(serde_json::from_str::<Unique<'_>>(r#"{"a":1,"a":1}"#).is_err());
        assert!(serde_json::from_str::<Unique<'_>>(r#"{"a":1,"\u0061":1}"#).is_err());
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |depth: usize| {
            format!(
                "{{\"a\":{}{}}}",
                "[".repeat(depth - 1),
                "]".repeat(depth - 1)
            )
        };
        let brackets = "[{".repeat(DEPTH);
        for (text, expected) in [
            (nested(DEPTH), false),
            (nested(DEPTH + 1), true),
            (format!(r#"{{"a":"{brackets}"}}"#), false),
            (format!(r#"{{"\\\"{brackets}":1}}"#), false),
            (format!(r#"{{"a\\":{}}}"#, "[".repeat(DEPTH)), true),
            ("[{}]".repeat(DEPTH), false),
            (r#"{"unended"#.to_owned(), false),
            (r#"{"unended\"#.to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_too_deep(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut out = String::new();
        let mut object = Object::begin(&mut out);
        object.text("a\"b", "c\n");
        object.raw("n", "[1]");
        Object::begin(object.member("o")).end();
        object.end();
        assert_eq!(out, r#"{"a\"b":"c\n","n":[1],"o":{}}"#);
    }
}
