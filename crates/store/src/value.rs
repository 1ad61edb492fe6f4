//! What crosses between us and a database: text, 64-bit integers and null; nothing else.
//!
//! Times are milliseconds since 1970 in UTC, digests lower-case hex, documents JSON text, booleans 0 and 1. Both databases hold these
//! alike, so no column ever means two things.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use crate::Error;

/// One cell of a row, or one `$n` of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// No value.
    Null,
    /// A number, a time in milliseconds, a size in bytes, or a boolean as 0 or 1.
    Int(i64),
    /// Text; sorted by bytes in columns declared `{name}`.
    Text(String),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

/// For sizes in bytes: what is above 2⁶³ − 1 (8 EiB) becomes that.
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Int(flag.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of a result; its cells are asked for by column name.
///
/// Every reading method fails with [`Error::Column`] when the column is not in the row or holds something else.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(crate) fn new(columns: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { columns, values }
    }

    /// The cell as it is.
    pub fn value(&self, column: &str) -> Result<&Value, Error> {
        self.columns
            .iter()
            .position(|name| name == column)
            .and_then(|at| self.values.get(at))
            .ok_or_else(|| wrong(column, "is not in the row"))
    }

    /// Text that must be there.
    pub fn text(&self, column: &str) -> Result<String, Error> {
        self.as_str(column).map(str::to_owned)
    }

    /// Text or null.
    pub fn opt_text(&self, column: &str) -> Result<Option<String>, Error> {
        self.unless_null(column, |row| row.text(column))
    }

    /// Text that must be there, borrowed from the row.
    pub fn as_str(&self, column: &str) -> Result<&str, Error> {
        match self.value(column)? {
            Value::Text(text) => Ok(text),
            Value::Int(_) => Err(wrong(column, "is a number, not text")),
            Value::Null => Err(wrong(column, "is null")),
        }
    }

    /// A number that must be there.
    pub fn int(&self, column: &str) -> Result<i64, Error> {
        match self.value(column)? {
            Value::Int(number) => Ok(*number),
            Value::Text(_) => Err(wrong(column, "is text, not a number")),
            Value::Null => Err(wrong(column, "is null")),
        }
    }

    /// A number or null.
    pub fn opt_int(&self, column: &str) -> Result<Option<i64>, Error> {
        self.unless_null(column, |row| row.int(column))
    }

    /// A size in bytes or a count: a number that is not negative.
    pub fn size(&self, column: &str) -> Result<u64, Error> {
        u64::try_from(self.int(column)?).map_err(|_| wrong(column, "is negative"))
    }

    /// A boolean: 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, Error> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(wrong(column, "is neither 0 nor 1")),
        }
    }

    /// Text read by a type's own parser.
    pub fn parse<T>(&self, column: &str) -> Result<T, Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.as_str(column)?
            .parse()
            .map_err(|error: T::Err| wrong(column, &format!("does not read: {error}")))
    }

    /// Text read by a type's own parser, or null.
    pub fn opt_parse<T>(&self, column: &str) -> Result<Option<T>, Error>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.unless_null(column, |row| row.parse(column))
    }

    fn unless_null<T>(
        &self,
        column: &str,
        read: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match self.value(column)? {
            Value::Null => Ok(None),
            _ => read(self).map(Some),
        }
    }
}

fn wrong(column: &str, problem: &str) -> Error {
    Error::Column {
        column: column.to_owned(),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn row() -> Row {
        Row::new(
            ["name", "size", "gone", "yes", "odd"]
                .map(str::to_owned)
                .into(),
            vec![
                "left-pad".into(),
                12_i64.into(),
                Value::Null,
                true.into(),
                (-1_i64).into(),
            ],
        )
    }

    #[test]
    fn cells_are_read_as_what_they_are() {
        let row = row();
        assert_eq!(row.text("name").unwrap(), "left-pad");
        assert_eq!(row.int("size").unwrap(), 12);
        assert_eq!(row.size("size").unwrap(), 12);
        assert_eq!(row.opt_text("gone").unwrap(), None);
        assert_eq!(row.opt_int("gone").unwrap(), None);
        assert_eq!(row.opt_int("size").unwrap(), Some(12));
        assert!(row.flag("yes").unwrap());
        assert_eq!(row.parse::<String>("name").unwrap(), "left-pad");
        assert_eq!(row.opt_parse::<u8>("gone").unwrap(), None);
    }

    #[test]
    fn a_cell_read_as_something_else_says_what_it_is() {
        let row = row();
        for (error, expected) in [
            (
                row.text("nowhere").unwrap_err(),
                "column `nowhere` is not in the row",
            ),
            (
                row.text("size").unwrap_err(),
                "column `size` is a number, not text",
            ),
            (row.text("gone").unwrap_err(), "column `gone` is null"),
            (
                row.int("name").unwrap_err(),
                "column `name` is text, not a number",
            ),
            (row.int("gone").unwrap_err(), "column `gone` is null"),
            (
                row.flag("size").unwrap_err(),
                "column `size` is neither 0 nor 1",
            ),
            (row.size("odd").unwrap_err(), "column `odd` is negative"),
            (
                row.parse::<u8>("name").unwrap_err(),
                "column `name` does not read: invalid digit found in string",
            ),
        ] {
            assert_eq!(error.to_string(), expected);
        }
    }
}
