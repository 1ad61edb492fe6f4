//! Condition operators: `{"StringLike": {"aws:PrincipalTag/team": ["a*", "b*"]}}`.
//!
//! Operands are parsed when a policy is read, so a bad date is found on save and costs nothing per
//! request.

use std::cmp::Ordering;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::context::{Context, Key};
use super::malformed::Malformed;
use super::pattern::{ArnParts, ArnPattern, Pattern, Syntax};
use super::variables::Variable;

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Condition {
    quantifier: Quantifier,
    if_exists: bool,
    negated: bool,
    key: Key,
    operands: Operands,
}

/// How the values of a request key are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    /// No prefix: meant for keys with one value; of several, one must match (or, negated, none).
    Plain,
    /// `ForAllValues:`, true for a key without values.
    All,
    /// `ForAnyValue:`, false for a key without values.
    Any,
}

/// What the values are compared with; any of the listed may match.
#[derive(Debug)]
enum Operands {
    /// `Null`: must the key be absent?
    Absent(Vec<bool>),
    Text(Vec<Pattern>),
    TextWithoutCase(Vec<Pattern>),
    Number(Comparison, Vec<Number>),
    Date(Comparison, Vec<Timestamp>),
    Bool(Vec<bool>),
    Binary(Vec<Vec<u8>>),
    Address(Vec<IpNet>),
    /// `None` for a text that is no ARN and so matches nothing.
    Arn(Vec<Option<ArnPattern>>),
}

#[derive(Debug, Clone, Copy)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    fn named(name: &str) -> Option<(Self, bool)> {
        match name {
            "equals" => Some((Self::Equal, false)),
            "notequals" => Some((Self::Equal, true)),
            "lessthan" => Some((Self::Less, false)),
            "lessthanequals" => Some((Self::LessOrEqual, false)),
            "greaterthan" => Some((Self::Greater, false)),
            "greaterthanequals" => Some((Self::GreaterOrEqual, false)),
            _ => None,
        }
    }
}

impl Condition {
    /// Compiles `{operator: {key: values}}`; `variables` says whether the policy's version knows
    /// them.
    ///
    /// Errors: an unknown operator, or a value the operator cannot compare with.
    pub(super) fn read(
        operator: &str,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, Malformed> {
        let operator = operator.to_ascii_lowercase();
        let (quantifier, name) = match operator.split_once(':') {
            None => (Quantifier::Plain, operator.as_str()),
            Some(("forallvalues", name)) => (Quantifier::All, name),
            Some(("foranyvalue", name)) => (Quantifier::Any, name),
            Some(_) => return Err(Malformed::syntax()),
        };
        let (name, if_exists) = match name.strip_suffix("ifexists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (negated, operands) = operands(name, values, variables)?;
        if matches!(operands, Operands::Absent(_)) && (if_exists || quantifier != Quantifier::Plain)
        {
            return Err(Malformed::syntax());
        }
        Ok(Self {
            quantifier,
            if_exists,
            negated,
            key: Key::of(key),
            operands,
        })
    }

    /// The keys it may read.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let variables: Box<dyn Iterator<Item = &Variable>> = match &self.operands {
            Operands::Text(patterns) | Operands::TextWithoutCase(patterns) => {
                Box::new(patterns.iter().flat_map(Pattern::variables))
            }
            Operands::Arn(patterns) => {
                Box::new(patterns.iter().flatten().flat_map(ArnPattern::variables))
            }
            _ => Box::new(std::iter::empty()),
        };
        std::iter::once(&self.key)
            .chain(variables.map(|variable| &variable.key))
            .map(Key::as_str)
    }

    /// Whether the request satisfies it.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let values = context.values_of(&self.key);
        if let Operands::Absent(wanted) = &self.operands {
            return wanted.contains(&values.is_empty());
        }
        let matches = |value: &String| self.operands.any_matches(value, context);
        if values.is_empty() {
            return match self.quantifier {
                Quantifier::All => true,
                Quantifier::Any => self.if_exists,
                Quantifier::Plain => self.negated || self.if_exists,
            };
        }
        match self.quantifier {
            Quantifier::All => values.iter().all(|value| matches(value) != self.negated),
            Quantifier::Any => values.iter().any(|value| matches(value) != self.negated),
            Quantifier::Plain => values.iter().any(matches) != self.negated,
        }
    }
}

/// The operands of an operator and whether it is a negated one. `name` is in lower case.
fn operands(name: &str, values: &[String], variables: bool) -> Result<(bool, Operands), Malformed> {
    let exact = Syntax {
        wildcards: false,
        variables,
    };
    let like = Syntax {
        wildcards: true,
        variables,
    };
    let patterns = |syntax| {
        values
            .iter()
            .map(|value| Pattern::read(value, syntax))
            .collect::<Result<_, _>>()
    };
    Ok(match name {
        "stringequals" => (false, Operands::Text(patterns(exact)?)),
        "stringnotequals" => (true, Operands::Text(patterns(exact)?)),
        "stringequalsignorecase" => (false, Operands::TextWithoutCase(patterns(exact)?)),
        "stringnotequalsignorecase" => (true, Operands::TextWithoutCase(patterns(exact)?)),
        "stringlike" => (false, Operands::Text(patterns(like)?)),
        "stringnotlike" => (true, Operands::Text(patterns(like)?)),
        "bool" => (false, Operands::Bool(parsed(values, boolean)?)),
        "null" => (false, Operands::Absent(parsed(values, boolean)?)),
        "binaryequals" => (
            false,
            Operands::Binary(parsed(values, |value| BASE64.decode(value).ok())?),
        ),
        "ipaddress" => (false, Operands::Address(parsed(values, range)?)),
        "notipaddress" => (true, Operands::Address(parsed(values, range)?)),
        "arnequals" | "arnlike" => (false, Operands::Arn(arns(values, variables)?)),
        "arnnotequals" | "arnnotlike" => (true, Operands::Arn(arns(values, variables)?)),
        _ => {
            let named = |prefix| name.strip_prefix(prefix).and_then(Comparison::named);
            if let Some((comparison, negated)) = named("numeric") {
                (
                    negated,
                    Operands::Number(comparison, parsed(values, Number::parse)?),
                )
            } else if let Some((comparison, negated)) = named("date") {
                (negated, Operands::Date(comparison, parsed(values, date)?))
            } else {
                return Err(Malformed::syntax());
            }
        }
    })
}

fn parsed<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Malformed> {
    values
        .iter()
        .map(|value| parse(value).ok_or_else(Malformed::legacy))
        .collect()
}

fn arns(values: &[String], variables: bool) -> Result<Vec<Option<ArnPattern>>, Malformed> {
    values
        .iter()
        .map(|value| ArnPattern::condition(value, variables))
        .collect()
}

impl Operands {
    /// Whether one of the listed values matches the request's; a request value of another type
    /// matches none.
    fn any_matches(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Absent(_) => false,
            Self::Text(patterns) => patterns
                .iter()
                .any(|pattern| pattern.matches(value, context)),
            Self::TextWithoutCase(patterns) => {
                let value = value.to_lowercase();
                patterns
                    .iter()
                    .filter_map(|pattern| pattern.resolve(context))
                    .any(|text| text.to_lowercase() == value)
            }
            Self::Number(comparison, listed) => Number::parse(value).is_some_and(|value| {
                listed
                    .iter()
                    .any(|number| comparison.holds(value.cmp(number)))
            }),
            Self::Date(comparison, listed) => date(value)
                .is_some_and(|value| listed.iter().any(|date| comparison.holds(value.cmp(date)))),
            Self::Bool(listed) => boolean(value).is_some_and(|value| listed.contains(&value)),
            Self::Binary(listed) => BASE64
                .decode(value)
                .is_ok_and(|value| listed.contains(&value)),
            Self::Address(ranges) => {
                address(value).is_some_and(|value| ranges.iter().any(|net| net.contains(&value)))
            }
            Self::Arn(patterns) => ArnParts::split(value).is_some_and(|arn| {
                patterns
                    .iter()
                    .flatten()
                    .any(|pattern| pattern.matches(&arn, context))
            }),
        }
    }
}

/// A decimal number, exact: counted in units of 10⁻¹⁸, so that 19 digits before and 18 behind the
/// point fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Number(i128);

impl Number {
    const FRACTION_DIGITS: usize = 18;
    const WHOLE_DIGITS: usize = 19;

    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let fits = !whole.is_empty()
            && whole.len() <= Self::WHOLE_DIGITS
            && fraction.len() <= Self::FRACTION_DIGITS;
        if !fits
            || !whole
                .bytes()
                .chain(fraction.bytes())
                .all(|digit| digit.is_ascii_digit())
        {
            return None;
        }
        let units: i128 = format!("{whole}{fraction:0<width$}", width = Self::FRACTION_DIGITS)
            .parse()
            .ok()?;
        Some(Self(if negative { -units } else { units }))
    }
}

/// `2026-03-14T15:09:26Z`, with an offset instead of `Z`, without a time (midnight UTC), or seconds
/// since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_second(text.parse().ok()?).ok();
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    TimeZone::UTC
        .to_timestamp(text.parse::<DateTime>().ok()?)
        .ok()
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A listener for both families reports IPv4 peers as `::ffff:a.b.c.d`; they are IPv4 here.
fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

/// A range in prefix notation; without a prefix, one address.
fn range(text: &str) -> Option<IpNet> {
    let Ok(net) = text.parse::<IpNet>() else {
        return address(text).map(IpNet::from);
    };
    match (net.addr().to_canonical(), net.prefix_len().checked_sub(96)) {
        (address @ IpAddr::V4(_), Some(prefix)) if net.addr().is_ipv6() => {
            IpNet::new(address, prefix).ok()
        }
        _ => Some(net),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn condition(operator: &str, values: &[&str]) -> Result<Condition, Malformed> {
        let values: Vec<String> = values.iter().map(|&value| value.to_owned()).collect();
        Condition::read(operator, "k", &values, true)
    }

    #[test]
    fn every_operator_compares_in_its_own_way() {
        let context = Context::new().with("me", "alice");
        for (operator, values, request, expected) in [
            ("StringEquals", &["${me}"][..], "alice", true),
            ("StringEquals", &["a*"], "alice", false),
            ("StringNotEquals", &["bob", "${me}"], "alice", false),
            ("StringEqualsIgnoreCase", &["${me}-Ä"], "ALICE-ä", true),
            ("StringNotEqualsIgnoreCase", &["${none}"], "x", true),
            ("StringLike", &["*lic?"], "alice", true),
            ("StringNotLike", &["*lic?"], "alice", false),
            ("NumericEquals", &["1.50"], "1.5", true),
            (
                "NumericEquals",
                &["9007199254740993"],
                "9007199254740992",
                false,
            ),
            ("NumericNotEquals", &["1"], "one", true),
            ("NumericLessThan", &["1"], "one", false),
            ("NumericLessThan", &["-1"], "-1.000000000000000001", true),
            ("NumericGreaterThanEquals", &["10"], "9", false),
            ("NumericGreaterThan", &["5", "100"], "6", true),
            ("DateEquals", &["2026-03-14T15:09:26Z"], "1773500966", true),
            (
                "DateNotEquals",
                &["2026-03-14"],
                "2026-03-14T00:00:00Z",
                false,
            ),
            (
                "DateLessThan",
                &["2026-03-14T16:09:26.5+01:00"],
                "2026-03-14T15:09:26Z",
                true,
            ),
            (
                "DateGreaterThanEquals",
                &["2026-03-14T15:09:26"],
                "2026-03-14T15:09:26Z",
                true,
            ),
            ("Bool", &["TRUE"], "true", true),
            ("BinaryEquals", &["QQ=="], "QQ==", true),
            ("BinaryEquals", &["QQ=="], "Qg==", false),
            ("IpAddress", &["192.0.2.0/24"], "::ffff:192.0.2.7", true),
            ("IpAddress", &["::ffff:192.0.2.0/120"], "192.0.2.7", true),
            ("IpAddress", &["::/0"], "192.0.2.7", false),
            ("IpAddress", &["192.0.2.0/24"], "nowhere", false),
            ("NotIpAddress", &["192.0.2.7"], "192.0.2.7", false),
            (
                "ArnLike",
                &["arn:aws:iam::*:user/${me}"],
                "arn:aws:iam::1:user/alice",
                true,
            ),
            ("ArnEquals", &["*"], "arn:aws:iam::1:user/alice", false),
            ("ArnNotEquals", &["*"], "arn:aws:iam::1:user/alice", true),
            ("ArnNotLike", &["arn:aws:iam::1:*"], "not an arn", true),
            ("Null", &["false"], "x", true),
        ] {
            let context = context.clone().with("k", request);
            let condition = condition(operator, values).unwrap();
            assert_eq!(
                condition.holds(&context),
                expected,
                "{operator} {values:?} {request}"
            );
        }
    }

    #[test]
    fn an_absent_key_fails_positive_operators_and_satisfies_negated_ones() {
        for (operator, value, expected) in [
            ("StringEquals", "a", false),
            ("StringNotEquals", "a", true),
            ("NotIpAddress", "192.0.2.7", true),
            ("NumericLessThan", "1", false),
            ("BoolIfExists", "true", true),
            ("StringNotEqualsIfExists", "a", true),
            ("ForAllValues:StringEquals", "a", true),
            ("ForAllValues:StringNotEquals", "a", true),
            ("ForAnyValue:StringEquals", "a", false),
            ("ForAnyValue:StringNotEquals", "a", false),
            ("ForAnyValue:StringEqualsIfExists", "a", true),
            ("Null", "true", true),
            ("Null", "false", false),
        ] {
            assert_eq!(
                condition(operator, &[value])
                    .unwrap()
                    .holds(&Context::new()),
                expected,
                "{operator}"
            );
        }
    }

    #[test]
    fn values_an_operator_cannot_compare_with_are_refused() {
        for (operator, value) in [
            ("NumericEquals", "many"),
            ("NumericEquals", "1e3"),
            ("NumericEquals", "."),
            ("NumericEquals", "12345678901234567890"),
            ("DateEquals", "2026-13-01"),
            ("DateEquals", ""),
            ("Bool", "perhaps"),
            ("Null", "perhaps"),
            ("BinaryEquals", "%"),
            ("IpAddress", "192.0.2.0/33"),
            ("StringEquals", "${open"),
            ("StringMatches", "a"),
            ("NullIfExists", "true"),
            ("ForAllValues:Null", "true"),
            ("ForSomeValues:StringEquals", "a"),
            ("Numeric", "1"),
        ] {
            assert!(condition(operator, &[value]).is_err(), "{operator} {value}");
        }
    }
}
