//! Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and the escapes `${*}`,
//! `${?}` and `${$}`.
//!
//! A variable stands for the value of a single-valued key, taken literally: a `*` in a value is a
//! plain character. Without a value the text it stands in matches nothing. It is never the empty
//! string, which would turn `repository/${aws:username}*` into `repository/*`.

use super::context::{Context, Key};
use super::malformed::Malformed;

/// One variable of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) key: Key,
    pub(super) default: Option<Box<str>>,
}

impl Variable {
    /// What it stands for in this request.
    pub(super) fn value<'a>(&'a self, context: &'a Context) -> Option<&'a str> {
        context.single(&self.key).or(self.default.as_deref())
    }
}

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Plain characters; an escape yields one, too.
    Literal(String),
    /// Characters in which the caller of [`tokens`] looks for wildcards.
    Open(String),
    Variable(Variable),
}

/// Splits a text at its variables. Errors: an unclosed or empty variable.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Malformed> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        if start > 0 {
            tokens.push(Token::Open(rest[..start].to_owned()));
        }
        let (token, after) = variable(&rest[start + 2..]).ok_or_else(Malformed::legacy)?;
        tokens.push(token);
        rest = after;
    }
    if !rest.is_empty() {
        tokens.push(Token::Open(rest.to_owned()));
    }
    Ok(tokens)
}

/// Reads from behind `${` to behind `}`.
fn variable(text: &str) -> Option<(Token, &str)> {
    for escape in ["*", "?", "$"] {
        if let Some(after) = text
            .strip_prefix(escape)
            .and_then(|rest| rest.strip_prefix('}'))
        {
            return Some((Token::Literal(escape.to_owned()), after));
        }
    }
    let end = text.find([',', '}', '{', '$'])?;
    let key = text[..end].trim();
    if key.is_empty() {
        return None;
    }
    let (default, after) = match text[end..].strip_prefix(',') {
        None => (None, &text[end..]),
        Some(rest) => {
            let (default, after) = rest.trim_start().strip_prefix('\'')?.split_once('\'')?;
            (Some(default.into()), after.trim_start())
        }
    };
    let after = after.strip_prefix('}')?;
    Some((
        Token::Variable(Variable {
            key: Key::of(key),
            default,
        }),
        after,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Token {
        Token::Open(text.to_owned())
    }

    fn key(key: &str, default: Option<&str>) -> Token {
        Token::Variable(Variable {
            key: Key::of(key),
            default: default.map(Into::into),
        })
    }

    #[test]
    fn reads_variables_escapes_and_defaults() {
        for (text, expected) in [
            ("plain*", Some(vec![open("plain*")])),
            ("", Some(vec![])),
            ("$5", Some(vec![open("$5")])),
            (
                "a/${aws:UserName}-*",
                Some(vec![open("a/"), key("aws:username", None), open("-*")]),
            ),
            (
                "${aws:PrincipalTag/team, 'no one'}",
                Some(vec![key("aws:principaltag/team", Some("no one"))]),
            ),
            ("${a:b,'}'}", Some(vec![key("a:b", Some("}"))])),
            (
                "a${*}b",
                Some(vec![open("a"), Token::Literal("*".to_owned()), open("b")]),
            ),
            (
                "${$}${?}",
                Some(vec![
                    Token::Literal("$".to_owned()),
                    Token::Literal("?".to_owned()),
                ]),
            ),
            ("${aws:username", None),
            ("${}", None),
            ("${ }", None),
            ("${a:b, none}", None),
            ("${a:b, 'none}", None),
            ("${a:${b:c}}", None),
        ] {
            assert_eq!(tokens(text).ok(), expected, "{text}");
        }
    }
}
