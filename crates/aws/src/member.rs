//! One member of an operation's input: text that becomes a type, or breaks a rule of the model.
//!
//! The texts are AWS's own, because tools match on them:
//! `1 validation error detected: Value 'x' at 'domain' failed to satisfy constraint: Member must …`.

use std::fmt;

use crate::fault::{Fault, Reason};
use crate::identity::AccountId;

/// A type that input text is parsed into.
pub trait Member: Sized {
    /// How the value stands in JSON. In a query string or a form everything is text.
    const KIND: Kind = Kind::Text;

    /// Reads the text; a number or boolean of a JSON body arrives here as it is written there.
    fn parse(text: &str) -> Result<Self, Violation>;
}

/// The JSON type that a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A number without a fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An array.
    List,
    /// An object.
    Structure,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::List => "list",
            Self::Structure => "structure",
        })
    }
}

/// The rule of the service model that a value breaks. Prints as the end of AWS's sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The value is shorter than this many characters, or entries.
    TooShort(usize),
    /// The value is longer than this many characters, or entries.
    TooLong(usize),
    /// The value does not match this pattern of the model.
    Pattern(&'static str),
    /// The value is none of these.
    Enum(&'static [&'static str]),
    /// The number is smaller than this.
    AtLeast(i64),
    /// The number is larger than this.
    AtMost(i64),
    /// The value is of another JSON type.
    Type(Kind),
    /// The value is required and absent.
    Null,
    /// Any other rule, in words that follow "Member must ".
    Other(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(length) => {
                write!(
                    f,
                    "Member must have length greater than or equal to {length}"
                )
            }
            Self::TooLong(length) => {
                write!(f, "Member must have length less than or equal to {length}")
            }
            Self::Pattern(pattern) => {
                write!(
                    f,
                    "Member must satisfy regular expression pattern: {pattern}"
                )
            }
            Self::Enum(values) => {
                let values = values.join(", ");
                write!(f, "Member must satisfy enum value set: [{values}]")
            }
            Self::AtLeast(value) => {
                write!(f, "Member must have value greater than or equal to {value}")
            }
            Self::AtMost(value) => {
                write!(f, "Member must have value less than or equal to {value}")
            }
            Self::Type(kind) => write!(f, "Member must be of type {kind}"),
            Self::Null => f.write_str("Member must not be null"),
            Self::Other(rule) => write!(f, "Member must {rule}"),
        }
    }
}

/// Checks the number of characters, as the model counts them.
pub fn check_length(text: &str, min: usize, max: usize) -> Result<(), Violation> {
    let length = text.chars().count();
    if length < min {
        Err(Violation::TooShort(min))
    } else if length > max {
        Err(Violation::TooLong(max))
    } else {
        Ok(())
    }
}

/// Turns the outcome of a hand-written check into the pattern it stands for.
pub fn check_pattern(holds: bool, pattern: &'static str) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation::Pattern(pattern))
    }
}

/// Reads a whole number between two bounds, ends included.
pub fn parse_integer(text: &str, min: i64, max: i64) -> Result<i64, Violation> {
    let number: i64 = text.parse().map_err(|_| Violation::Type(Kind::Integer))?;
    if number < min {
        Err(Violation::AtLeast(min))
    } else if number > max {
        Err(Violation::AtMost(max))
    } else {
        Ok(number)
    }
}

impl Member for String {
    fn parse(text: &str) -> Result<Self, Violation> {
        Ok(text.to_owned())
    }
}

impl Member for bool {
    const KIND: Kind = Kind::Boolean;

    /// Lower case only.
    fn parse(text: &str) -> Result<Self, Violation> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(Violation::Type(Kind::Boolean)),
        }
    }
}

impl Member for i64 {
    const KIND: Kind = Kind::Integer;

    fn parse(text: &str) -> Result<Self, Violation> {
        parse_integer(text, i64::MIN, i64::MAX)
    }
}

impl Member for AccountId {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 12, 12)?;
        text.parse().map_err(|_| Violation::Pattern("[0-9]{12}"))
    }
}

/// All the rules that one input breaks, in the order in which its members were read.
#[derive(Debug, Default)]
pub struct Violations {
    sentences: Vec<String>,
    cannot_parse: bool,
}

/// Values are echoed up to this many characters; no honest name is longer.
const MAX_ECHO: usize = 1024;

impl Violations {
    /// Notes that `value` (`None` when absent) at `member` breaks a rule.
    pub fn add(&mut self, member: &str, value: Option<&str>, violation: &Violation) {
        self.cannot_parse |= matches!(violation, Violation::Type(_));
        let value = match value {
            None => "null".to_owned(),
            Some(value) => match value.char_indices().nth(MAX_ECHO) {
                None => format!("'{value}'"),
                Some((end, _)) => format!("'{}...'", &value[..end]),
            },
        };
        self.sentences.push(format!(
            "Value {value} at '{member}' failed to satisfy constraint: {violation}"
        ));
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.sentences.append(&mut other.sentences);
        self.cannot_parse |= other.cannot_parse;
    }

    /// `ValidationException` that counts and names all of them; `CANNOT_PARSE` when one is about a
    /// type, otherwise `FIELD_VALIDATION_FAILED`. `None` when there are none.
    pub fn fault(&self) -> Option<Fault> {
        let count = self.sentences.len();
        let noun = match count {
            0 => return None,
            1 => "error",
            _ => "errors",
        };
        let reason = if self.cannot_parse {
            Reason::CannotParse
        } else {
            Reason::FieldValidationFailed
        };
        let sentences = self.sentences.join("; ");
        Some(Fault::validation(
            reason,
            format!("{count} validation {noun} detected: {sentences}"),
        ))
    }
}
