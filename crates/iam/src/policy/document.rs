//! The grammar of a policy: which elements there are, and what they may hold.
//!
//! ```text
//! policy    = { Version?, Id?, Statement: statement | [statement...] }
//! statement = { Sid?, Effect, Action|NotAction, Resource|NotResource, Principal|NotPrincipal,
//!               Condition? }
//! ```
//!
//! A string may stand wherever a list of strings may. What this reader lets pass has the right
//! shape; whether a particular API may store it is for [`validate`](super::validate).

use serde_json::value::RawValue;

use super::json::{self, Json, Unreadable};
use super::malformed::{Malformed, MalformedCode};

/// A policy, element by element, as its text has it.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) version: Version,
    pub(super) statements: Vec<Clause>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// None given, which means the older one.
    Missing,
    /// `2008-10-17`: `${...}` is plain text.
    Old,
    /// `2012-10-17`: `${...}` is a variable.
    Current,
}

/// What a statement does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// One statement, element by element.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) action: Option<Listed<Vec<String>>>,
    pub(super) resource: Option<Listed<Vec<String>>>,
    pub(super) principal: Option<Listed<Principals>>,
    pub(super) conditions: Vec<Comparing>,
}

/// An element that comes in two forms, `X` and `NotX`.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) negated: bool,
    pub(super) values: T,
}

/// The value of `Principal`.
#[derive(Debug)]
pub(super) enum Principals {
    /// `"*"`.
    Star,
    Named(Vec<(PrincipalKind, Vec<String>)>),
}

/// The keys `Principal` may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PrincipalKind {
    Aws,
    Service,
    Federated,
    /// An object-store account; readable, but nobody here is one.
    CanonicalUser,
}

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Comparing {
    pub(super) operator: String,
    pub(super) key: String,
    pub(super) values: Vec<String>,
}

/// A place in the text of a policy; lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// Where a statement stands in the text of its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its opening brace.
    pub start: Position,
    /// Behind its closing brace.
    pub end: Position,
}

impl Document {
    /// Reads a text.
    ///
    /// Errors: what is not JSON or not of this grammar is "Syntax errors in policy."; characters
    /// outside tab, line feed, carriage return and U+0020 to U+00FF are a `ValidationError`.
    pub(super) fn read(text: &str) -> Result<Self, Malformed> {
        Self::of(json::read(text).map_err(|_| Malformed::syntax())?, text)
    }

    /// [`read`](Self::read), for an API that answers a text that is not JSON in its own words.
    pub(super) fn read_or(text: &str, not_json: &'static str) -> Result<Self, Malformed> {
        let json = json::read(text).map_err(|unreadable| match unreadable {
            Unreadable::NotJson => Malformed::document(not_json),
            Unreadable::NotAllowed => Malformed::syntax(),
        })?;
        Self::of(json, text)
    }

    fn of(json: Json, text: &str) -> Result<Self, Malformed> {
        if !text
            .chars()
            .all(|char| matches!(char, '\t' | '\n' | '\r' | '\u{20}'..='\u{ff}'))
        {
            return Err(Malformed::new(
                MalformedCode::ValidationError,
                "The specified value for policyDocument is invalid. It must contain only printable ASCII characters.",
            ));
        }
        let mut version = Version::Missing;
        let mut statements = None;
        for (name, value) in object(json)? {
            match name.as_str() {
                "Version" => version = Version::read(&string(value)?)?,
                "Id" => drop(string(value)?),
                "Statement" => statements = Some(clauses(value)?),
                _ => return Err(Malformed::syntax()),
            }
        }
        Ok(Self {
            version,
            statements: statements.ok_or_else(Malformed::syntax)?,
        })
    }
}

impl Version {
    fn read(text: &str) -> Result<Self, Malformed> {
        match text {
            "2012-10-17" => Ok(Self::Current),
            "2008-10-17" => Ok(Self::Old),
            _ => Err(Malformed::syntax()),
        }
    }
}

impl Effect {
    fn read(text: &str) -> Result<Self, Malformed> {
        match text {
            "Allow" => Ok(Self::Allow),
            "Deny" => Ok(Self::Deny),
            _ if text.eq_ignore_ascii_case("allow") || text.eq_ignore_ascii_case("deny") => {
                Err(Malformed::legacy())
            }
            _ => Err(Malformed::syntax()),
        }
    }
}

fn clauses(json: Json) -> Result<Vec<Clause>, Malformed> {
    match json {
        Json::List(list) => list.into_iter().map(Clause::read).collect(),
        json => Ok(vec![Clause::read(json)?]),
    }
}

impl Clause {
    fn read(json: Json) -> Result<Self, Malformed> {
        let mut sid = None;
        let mut effect = None;
        let mut action = None;
        let mut resource = None;
        let mut principal = None;
        let mut conditions = Vec::new();
        for (name, value) in object(json)? {
            let negated = name.starts_with("Not");
            match name.as_str() {
                "Sid" => sid = Some(string(value)?),
                "Effect" => effect = Some(Effect::read(&string(value)?)?),
                "Action" | "NotAction" => once(
                    &mut action,
                    Listed {
                        negated,
                        values: strings(value)?,
                    },
                )?,
                "Resource" | "NotResource" => once(
                    &mut resource,
                    Listed {
                        negated,
                        values: strings(value)?,
                    },
                )?,
                "Principal" | "NotPrincipal" => once(
                    &mut principal,
                    Listed {
                        negated,
                        values: principals(value)?,
                    },
                )?,
                "Condition" => conditions = comparisons(value)?,
                _ => return Err(Malformed::syntax()),
            }
        }
        let effect = effect.ok_or_else(Malformed::syntax)?;
        Ok(Self {
            sid,
            effect,
            action,
            resource,
            principal,
            conditions,
        })
    }
}

/// An element and its negation may not stand together.
fn once<T>(element: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match element.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::syntax()),
    }
}

fn principals(json: Json) -> Result<Principals, Malformed> {
    match json {
        Json::Text(text) if text == "*" => Ok(Principals::Star),
        Json::Object(entries) => {
            let named = entries
                .into_iter()
                .map(|(kind, names)| Ok((PrincipalKind::read(&kind)?, strings(names)?)));
            Ok(Principals::Named(named.collect::<Result<_, Malformed>>()?))
        }
        _ => Err(Malformed::syntax()),
    }
}

impl PrincipalKind {
    fn read(text: &str) -> Result<Self, Malformed> {
        match text {
            "AWS" => Ok(Self::Aws),
            "Service" => Ok(Self::Service),
            "Federated" => Ok(Self::Federated),
            "CanonicalUser" => Ok(Self::CanonicalUser),
            _ => Err(Malformed::syntax()),
        }
    }
}

fn comparisons(json: Json) -> Result<Vec<Comparing>, Malformed> {
    let mut comparisons = Vec::new();
    for (operator, keys) in object(json)? {
        for (key, values) in object(keys)? {
            let values = match values {
                Json::List(list) => list.into_iter().map(scalar).collect::<Result<_, _>>()?,
                value => vec![scalar(value)?],
            };
            comparisons.push(Comparing {
                operator: operator.clone(),
                key,
                values,
            });
        }
    }
    Ok(comparisons)
}

fn object(json: Json) -> Result<Vec<(String, Json)>, Malformed> {
    match json {
        Json::Object(entries) => Ok(entries),
        _ => Err(Malformed::syntax()),
    }
}

fn string(json: Json) -> Result<String, Malformed> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(Malformed::syntax()),
    }
}

fn strings(json: Json) -> Result<Vec<String>, Malformed> {
    match json {
        Json::List(list) => list.into_iter().map(string).collect(),
        json => Ok(vec![string(json)?]),
    }
}

/// Condition values may be numbers and booleans, too: the `CodeArtifact` guide writes
/// `{"sts:DurationSeconds": 3600}`.
fn scalar(json: Json) -> Result<String, Malformed> {
    match json {
        Json::Text(text) => Ok(text),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(Malformed::syntax()),
    }
}

/// The statements of a document that was read, as they stand in its text.
pub(super) fn raw_statements(text: &str) -> Vec<&RawValue> {
    let document: std::collections::HashMap<String, &RawValue> =
        serde_json::from_str(text).unwrap_or_default();
    document
        .get("Statement")
        .map(|raw| json::one_or_many(raw))
        .unwrap_or_default()
}

/// Where the statements of a document that was read stand, in their order.
pub(super) fn spans(text: &str) -> Vec<Span> {
    let mut cursor = Cursor {
        text,
        at: 0,
        position: Position { line: 1, column: 1 },
    };
    let ranges = raw_statements(text)
        .into_iter()
        .map(|raw| json::range_in(text, raw.get()));
    ranges
        .map(|range| Span {
            start: cursor.go_to(range.start),
            end: cursor.go_to(range.end),
        })
        .collect()
}

/// Counts lines and columns, forwards only.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    position: Position,
}

impl Cursor<'_> {
    fn go_to(&mut self, at: usize) -> Position {
        for char in self.text[self.at..at].chars() {
            if char == '\n' {
                self.position = Position {
                    line: self.position.line + 1,
                    column: 1,
                };
            } else {
                self.position.column += 1;
            }
        }
        self.at = at;
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_know_where_they_stand() {
        let at = |line, column| Position { line, column };
        for (text, expected) in [
            (
                r#"{"Statement":{"Effect":"Deny"}}"#,
                vec![(at(1, 14), at(1, 31))],
            ),
            (
                "{\n \"Statement\": [ {\"Sid\":\n\"é\"},\n\t{}]}",
                vec![(at(2, 17), at(3, 5)), (at(4, 2), at(4, 4))],
            ),
            (r#"{"Id":"{","Statement":[]}"#, vec![]),
        ] {
            let spans: Vec<_> = spans(text)
                .iter()
                .map(|span| (span.start, span.end))
                .collect();
            assert_eq!(spans, expected, "{text}");
        }
    }
}
