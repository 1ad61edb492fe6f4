//! What names of the formats of the API look like, whether or not this server serves a format ("control-plane" 1.4 of the
//! specification).
//!
//! A format that is not served may have package groups and origin controls all the same, so its rules cannot be had from
//! the format itself.

use std::borrow::Cow;

use catalog::{FormatName, InvalidName, Namespace, PackageId, PackageName};

/// Whether packages of a format have something before their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespaces {
    Never,
    Sometimes,
    Always,
}

/// What names of a format look like once they are normalised.
pub(crate) struct Names {
    format: &'static str,
    pub(crate) namespaces: Namespaces,
    pub(crate) is_lower_case: bool,
    /// Whether every run of `-`, `.` and `_` is one `-`.
    pub(crate) is_dashed: bool,
}

const fn names(format: &'static str, namespaces: Namespaces, is_lower_case: bool) -> Names {
    Names {
        format,
        namespaces,
        is_lower_case,
        is_dashed: false,
    }
}

const NAMES: &[Names] = &[
    names("npm", Namespaces::Sometimes, false),
    Names {
        is_dashed: true,
        ..names("pypi", Namespaces::Never, true)
    },
    names("maven", Namespaces::Always, false),
    names("nuget", Namespaces::Never, true),
    names("generic", Namespaces::Always, false),
    names("ruby", Namespaces::Never, false),
    names("swift", Namespaces::Always, true),
    names("cargo", Namespaces::Never, false),
];

/// The rules of a format; `None` when the API has none of the name.
pub(crate) fn of(format: &str) -> Option<&'static Names> {
    NAMES.iter().find(|names| names.format == format)
}

/// A name, a namespace or the beginning of one in the normal form of its format.
pub(crate) fn normal<'a>(format: &FormatName, text: &'a str) -> Cow<'a, str> {
    let Some(names) = of(format.as_str()) else {
        return text.into();
    };
    let mut normal = Cow::Borrowed(text);
    if names.is_lower_case && text.chars().any(char::is_uppercase) {
        normal = normal.to_lowercase().into();
    }
    if names.is_dashed && normal.contains(['-', '.', '_']) {
        let mut dashed = String::with_capacity(normal.len());
        for c in normal.chars() {
            match c {
                '-' | '.' | '_' if dashed.ends_with('-') => {}
                '-' | '.' | '_' => dashed.push('-'),
                c => dashed.push(c),
            }
        }
        normal = dashed.into();
    }
    normal
}

/// The package of a format that this server does not serve. Errors: a namespace where there is none, or none where there
/// must be one.
pub(crate) fn unserved(
    format: &FormatName,
    namespace: Option<Namespace>,
    name: PackageName,
) -> Result<PackageId, InvalidName> {
    let namespaces = of(format.as_str()).map_or(Namespaces::Sometimes, |names| names.namespaces);
    match (namespaces, &namespace) {
        (Namespaces::Never, Some(_)) => {
            let message = format!("packages of format {format} have no namespace");
            Err(InvalidName::Refused(message))
        }
        (Namespaces::Always, None) => {
            let message = format!("packages of format {format} have a namespace");
            Err(InvalidName::Refused(message))
        }
        _ => Ok(PackageId {
            format: format.clone(),
            namespace,
            name,
        }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::members::FORMATS;

    #[test]
    fn every_format_of_the_api_has_its_rules() {
        let known: Vec<_> = NAMES.iter().map(|names| names.format).collect();
        assert_eq!(known, FORMATS);
    }

    #[test]
    fn names_are_brought_into_the_form_of_their_format() {
        for (format, text, expected) in [
            ("npm", "JSONStream", "JSONStream"),
            ("pypi", "Flatten_JSON", "flatten-json"),
            ("pypi", "a-_.b", "a-b"),
            ("pypi", "My_", "my-"),
            ("maven", "com.Example", "com.Example"),
            ("nuget", "Newtonsoft.JSON", "newtonsoft.json"),
            ("generic", "Tools_A", "Tools_A"),
            ("ruby", "A_b", "A_b"),
            ("swift", "Mona", "mona"),
            ("cargo", "serde_Json", "serde_Json"),
        ] {
            assert_eq!(normal(&format.parse().unwrap(), text), expected, "{format}");
        }
    }

    #[test]
    fn a_format_that_is_not_served_has_its_namespaces_all_the_same() {
        for (format, namespace, good) in [
            ("nuget", None, true),
            ("nuget", Some("x"), false),
            ("ruby", Some("x"), false),
            ("cargo", Some("x"), false),
            ("swift", Some("x"), true),
            ("swift", None, false),
        ] {
            let namespace = namespace.map(|text: &str| text.parse().unwrap());
            let found = unserved(&format.parse().unwrap(), namespace, "p".parse().unwrap());
            assert_eq!(found.is_ok(), good, "{format}");
        }
    }
}
