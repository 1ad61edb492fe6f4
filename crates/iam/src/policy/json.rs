//! JSON as policies and identity tokens may use it: no repeated keys, sixteen levels at most.
//!
//! `serde_json` keeps the last of two equal keys without a word, so a statement with
//! `"Effect": "Deny", "Effect": "Allow"` would read as an Allow. This reader refuses it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;

/// How deep lists and objects may nest. The deepest honest policy needs six levels: document,
/// statements, statement, condition, operator, list of values.
const MAX_DEPTH: usize = 16;

/// A JSON value that keeps the order of its keys.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is not JSON.
    NotJson,
    /// It is JSON, with a repeated key or too many levels.
    NotAllowed,
}

/// Reads a whole text.
pub(crate) fn read(text: &str) -> Result<Json, Unreadable> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let json = Level(MAX_DEPTH)
        .deserialize(&mut reader)
        // `Level` itself takes any JSON, so an error about the data is one of its own two refusals.
        .map_err(|error| {
            if error.is_data() {
                Unreadable::NotAllowed
            } else {
                Unreadable::NotJson
            }
        })?;
    reader.end().map_err(|_| Unreadable::NotJson)?;
    Ok(json)
}

/// The elements of a list, or the one element that stands in its place.
pub(super) fn one_or_many(raw: &RawValue) -> Vec<&RawValue> {
    if raw.get().starts_with('[') {
        serde_json::from_str(raw.get()).unwrap_or_default()
    } else {
        vec![raw]
    }
}

/// The byte range of a part within the text it was borrowed from.
pub(super) fn range_in(text: &str, part: &str) -> std::ops::Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// Reads one value with so many levels left.
struct Level(usize);

impl Level {
    fn deeper<E: serde::de::Error>(&self) -> Result<usize, E> {
        self.0
            .checked_sub(1)
            .ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Number::from_f64(value).map_or(Json::Null, Json::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let left = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Level(left))? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let left = self.deeper()?;
        let mut seen = std::collections::HashSet::new();
        let mut entries = Vec::new();
        while let Some(key) = object.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("repeated key"));
            }
            entries.push((key, object.next_value_seed(Level(left))?));
        }
        Ok(Json::Object(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_json_what_repeats_a_key_and_what_nests_too_deeply() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        for (text, expected) in [
            (r#"{"a": [1, "b", true, null, 1.5]}"#, None),
            (&nested(16), None),
            (&nested(17), Some(Unreadable::NotAllowed)),
            (&nested(1000), Some(Unreadable::NotAllowed)),
            (r#"{"a": 1, "a": 1}"#, Some(Unreadable::NotAllowed)),
            (r#"{"a": 1, "\u0061": 1}"#, Some(Unreadable::NotAllowed)),
            (r#"[{"b": {"a": 1, "a": 1}}]"#, Some(Unreadable::NotAllowed)),
            ("{", Some(Unreadable::NotJson)),
            ("", Some(Unreadable::NotJson)),
            ("{} {}", Some(Unreadable::NotJson)),
            ("\u{feff}{}", Some(Unreadable::NotJson)),
        ] {
            assert_eq!(read(text).err(), expected, "{text}");
        }
    }
}
