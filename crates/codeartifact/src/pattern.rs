//! Patterns of package groups, as far as they are about formats: which there are, and what their names look like.

use aws::member::{check_length, check_pattern};
use aws::{Member, Violation};
use catalog::GroupPattern;

use crate::members::{FORMATS, is_other, name};
use crate::names::{self, Namespaces};

/// `packageGroup` where it names a group: any text that the model allows. One that is no pattern names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PatternText(pub(crate) String);

impl Member for PatternText {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 2, 520)?;
        let is_plain = !text.chars().any(|c| is_other(c) || c.is_whitespace());
        check_pattern(is_plain, "[^\\p{C}\\p{IsWhitespace}]+")?;
        Ok(Self(text.to_owned()))
    }
}

/// `prefix` of a list of groups: up to 520 characters; none, and the empty one, are of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) String);

impl Member for Prefix {
    fn parse(text: &str) -> Result<Self, Violation> {
        check_length(text, 0, 520)?;
        check_pattern(!text.chars().any(is_other), "\\P{C}*")?;
        Ok(Self(text.to_owned()))
    }
}

/// `packageGroup` of a group that is to be made, or might be.
pub(crate) fn pattern(text: &str) -> Result<GroupPattern, Violation> {
    let pattern: GroupPattern = name(text)?;
    match check(&pattern) {
        Ok(()) => Ok(pattern),
        Err(rule) => Err(Violation::Other(rule)),
    }
}

/// `Err` ends a sentence that begins "Member must".
fn check(pattern: &GroupPattern) -> Result<(), String> {
    let Some(format) = pattern.format() else {
        return Ok(());
    };
    let names = names::of(format)
        .ok_or_else(|| format!("begin with one of the formats {}", FORMATS.join(", ")))?;
    let (namespace, name) = (pattern.namespace(), pattern.name());
    let is_empty = namespace.is_none_or(|(namespace, _)| namespace.is_empty());
    match names.namespaces {
        Namespaces::Never if !is_empty => {
            return Err(format!(
                "have no namespace: packages of format {format} have none"
            ));
        }
        Namespaces::Always if is_empty && name.is_some() => {
            return Err(format!(
                "have a namespace: packages of format {format} have one"
            ));
        }
        _ => {}
    }
    for (part, _) in [namespace, name].into_iter().flatten() {
        // It would match nothing but what only looks like it, and so keep out what it is about.
        if names.is_lower_case && part.to_lowercase() != part {
            return Err(format!("be in lower case, as names of format {format} are"));
        }
        if names.is_dashed && (part.contains(['.', '_']) || part.contains("--")) {
            return Err(format!(
                "have a single `-` for each run of `-`, `.` and `_`, as names of format {format} do"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_one_that_names_of_its_format_can_match() {
        for (text, rule) in [
            ("/*", None),
            ("/npm/*", None),
            ("/npm//*", None),
            ("/npm/My~", None),
            ("/npm//react$", None),
            ("/npm/types/node$", None),
            ("/pypi//requests$", None),
            (
                "/pypi//my-~",
                Some("have a letter, digit or mark before `~`"),
            ),
            ("/pypi//my-*", None),
            ("/maven/com.example~", None),
            ("/maven/com.example/Lib$", None),
            ("/generic/builds/*", None),
            ("/ruby//rails$", None),
            (
                "/swift/mona/LinkedList$",
                Some("be in lower case, as names of format swift are"),
            ),
            ("/cargo//serde_json$", None),
            (
                "/pypi//My$",
                Some("be in lower case, as names of format pypi are"),
            ),
            (
                "/nuget//Newtonsoft.Json$",
                Some("be in lower case, as names of format nuget are"),
            ),
            ("/nuget//newtonsoft.json$", None),
            (
                "/pypi//my.lib$",
                Some(
                    "have a single `-` for each run of `-`, `.` and `_`, as names of format pypi do",
                ),
            ),
            (
                "/pypi//my--lib$",
                Some(
                    "have a single `-` for each run of `-`, `.` and `_`, as names of format pypi do",
                ),
            ),
            (
                "/pypi/ns/x$",
                Some("have no namespace: packages of format pypi have none"),
            ),
            (
                "/cargo/ns~",
                Some("have no namespace: packages of format cargo have none"),
            ),
            (
                "/maven//x$",
                Some("have a namespace: packages of format maven have one"),
            ),
            (
                "/swift//x~",
                Some("have a namespace: packages of format swift have one"),
            ),
            (
                "/python//requests$",
                Some(
                    "begin with one of the formats npm, pypi, maven, nuget, generic, ruby, swift, cargo",
                ),
            ),
        ] {
            let found = pattern(text);
            match rule {
                None => assert_eq!(found.unwrap().as_str(), text),
                Some(rule) => assert_eq!(found, Err(Violation::Other(rule.to_owned())), "{text}"),
            }
        }
    }
}
