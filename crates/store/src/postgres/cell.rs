//! Our three kinds of value in PostgreSQL's binary form.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::Value;

type Cause = Box<dyn Error + Sync + Send>;

/// A value on its way to the server.
#[derive(Debug)]
pub(super) struct Bound<'a>(pub(super) &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Cause> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
        }
    }

    // The statement was prepared with the types of these very values.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value on its way from the server.
pub(super) struct Cell(pub(super) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Cause> {
        let value = match *kind {
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Value::Int(i16::from_sql(kind, raw)?.into()),
            // A comparison among the columns; SQLite gives 0 and 1.
            Type::BOOL => Value::Int(bool::from_sql(kind, raw)?.into()),
            // A sum of BIGINT; SQLite gives an integer.
            Type::NUMERIC => Value::Int(whole(raw).ok_or("is not a 64-bit integer")?),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Value::Text(String::from_sql(&Type::TEXT, raw)?)
            }
            _ => return Err(format!("the server's type is {kind}").into()),
        };
        Ok(Self(value))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Cause> {
        Ok(Self(Value::Null))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The integer in a `NUMERIC` of the wire: count of digits, weight of the first, sign, scale, then digits to the base 10,000, 16 bits each.
fn whole(raw: &[u8]) -> Option<i64> {
    let mut words = raw
        .chunks_exact(2)
        .map(|word| i16::from_be_bytes([word[0], word[1]]));
    let (count, weight, sign, _scale) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    let mut number: i128 = 0;
    // A 64-bit integer has at most five such digits.
    if weight > 4 {
        return None;
    }
    for place in 0..=weight {
        let digit = if place < count { words.next()? } else { 0 };
        number = number * 10_000 + i128::from(digit);
    }
    if words.any(|digit| digit != 0) {
        return None;
    }
    match sign {
        0 => i64::try_from(number).ok(),
        0x4000 => i64::try_from(-number).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn sums_are_read() {
        for (words, expected) in [
            (&[0, 0, 0, 0][..], Some(0)),
            (&[1, 0, 0, 0, 12], Some(12)),
            (&[1, 1, 0, 0, 3], Some(30_000)),
            (&[2, 1, 0x4000, 0, 3, 4], Some(-30_004)),
            (&[5, 4, 0, 0, 922, 3372, 368, 5477, 5807], Some(i64::MAX)),
            (&[5, 4, 0, 0, 922, 3372, 368, 5477, 5808], None),
            (&[2, 0, 0, 1, 1, 5000], None),
            (&[1, -1, 0, 1, 5000], None),
            (&[1, 5, 0, 0, 1], None),
            (&[0, 0, -0x4000, 0], None),
            (&[1, 0], None),
        ] {
            let raw: Vec<u8> = words
                .iter()
                .flat_map(|word: &i16| word.to_be_bytes())
                .collect();
            assert_eq!(whole(&raw), expected, "{words:?}");
        }
    }
}
