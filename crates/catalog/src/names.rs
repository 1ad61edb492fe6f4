//! The names of things, parsed once at the edge.
//!
//! Every type has a private field, one parser, and a `Display` that is its inverse. The bounds are those of the
//! CodeArtifact service model; what a package format asks for beyond them is the format's own business
//! ([`crate::Format::package`]).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not the name it should be. The bounds are the service model's, so that a face can say which one failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Fewer characters than this.
    #[error("must have length greater than or equal to {0}")]
    TooShort(usize),
    /// More characters than this.
    #[error("must have length less than or equal to {0}")]
    TooLong(usize),
    /// Does not match this pattern of the service model.
    #[error("must satisfy regular expression pattern: {0}")]
    Pattern(&'static str),
    /// Refused for a reason of the format's own.
    #[error("{0}")]
    Refused(String),
}

fn bounded(text: &str, min: usize, max: usize) -> Result<(), InvalidName> {
    let length = text.chars().count();
    if length < min {
        return Err(InvalidName::TooShort(min));
    }
    if length > max {
        return Err(InvalidName::TooLong(max));
    }
    Ok(())
}

/// `[^#/\s]+`, 1 to 255 characters: namespaces, packages and versions alike.
fn coordinate(text: &str) -> Result<(), InvalidName> {
    bounded(text, 1, 255)?;
    if text
        .chars()
        .any(|c| c == '#' || c == '/' || c.is_whitespace())
    {
        return Err(InvalidName::Pattern("[^#/\\s]+"));
    }
    Ok(())
}

/// A character of Unicode category C: control, format, surrogate, private use, unassigned.
pub(crate) fn is_other(c: char) -> bool {
    use unicode_general_category::{GeneralCategory as G, get_general_category};
    matches!(
        get_general_category(c),
        G::Control | G::Format | G::Surrogate | G::PrivateUse | G::Unassigned
    )
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> Result<(), InvalidName> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A domain: 2 to 50 characters, `[a-z][a-z0-9\-]{0,48}[a-z0-9]`.
    DomainName,
    |text| {
        bounded(text, 2, 50)?;
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let bytes = text.as_bytes();
        let ends_well = bytes.last().is_some_and(|b| *b != b'-');
        if bytes[0].is_ascii_lowercase() && ends_well && bytes.iter().copied().all(inner) {
            Ok(())
        } else {
            Err(InvalidName::Pattern("[a-z][a-z0-9\\-]{0,48}[a-z0-9]"))
        }
    }
);

name!(
    /// A repository: 2 to 100 characters, `[A-Za-z0-9][A-Za-z0-9._\-]{1,99}`. Compared with case.
    RepositoryName,
    |text| {
        bounded(text, 2, 100)?;
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(inner) {
            Ok(())
        } else {
            Err(InvalidName::Pattern("[A-Za-z0-9][A-Za-z0-9._\\-]{1,99}"))
        }
    }
);

name!(
    /// A connection to a public registry, like `public:maven-central`: 2 to 100 characters,
    /// `[A-Za-z0-9][A-Za-z0-9._\-:]{1,99}`.
    ConnectionName,
    |text| {
        bounded(text, 2, 100)?;
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
        if text.as_bytes()[0].is_ascii_alphanumeric() && text.bytes().all(inner) {
            Ok(())
        } else {
            Err(InvalidName::Pattern("[A-Za-z0-9][A-Za-z0-9._\\-:]{1,99}"))
        }
    }
);

name!(
    /// A package format as the API spells it, like `maven`: lower-case ASCII letters, at most 20.
    ///
    /// Which formats exist is known to the list that the process hands to [`crate::Catalog::open`].
    FormatName,
    |text| {
        bounded(text, 1, 20)?;
        if text.bytes().all(|b| b.is_ascii_lowercase()) {
            Ok(())
        } else {
            Err(InvalidName::Pattern("[a-z]+"))
        }
    }
);

name!(
    /// The part before the name: an npm scope, a Maven group id. `[^#/\s]+`, 1 to 255 characters.
    Namespace,
    coordinate
);

name!(
    /// The name of a package within its namespace. `[^#/\s]+`, 1 to 255 characters.
    PackageName,
    coordinate
);

name!(
    /// The version of a package, opaque here. `[^#/\s]+`, 1 to 255 characters.
    Version,
    coordinate
);

name!(
    /// A file of a version, like `lib-a-1.0.jar`. `\P{C}+`, 1 to 255 characters.
    AssetName,
    |text| {
        bounded(text, 1, 255)?;
        if text.chars().any(is_other) {
            return Err(InvalidName::Pattern("\\P{C}+"));
        }
        Ok(())
    }
);

/// A package within a repository: format, namespace and name, normalised by its format.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// Which format it is of.
    pub format: FormatName,
    /// What stands before the name, where the format has it.
    pub namespace: Option<Namespace>,
    /// The name.
    pub name: PackageName,
}

impl PackageId {
    /// The namespace as text; empty when there is none, as in ARNs and in the database.
    pub fn namespace_text(&self) -> &str {
        self.namespace.as_ref().map_or("", Namespace::as_str)
    }

    /// The version `version` of this package.
    pub fn version(&self, version: Version) -> VersionId {
        VersionId {
            package: self.clone(),
            version,
        }
    }
}

/// `namespace:name`, or `name`: for people and logs.
impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}:")?;
        }
        write!(f, "{}", self.name)
    }
}

/// One version of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId {
    /// Of which package.
    pub package: PackageId,
    /// Which version.
    pub version: Version,
}

impl VersionId {
    /// The asset `name` of this version.
    pub fn asset(&self, name: AssetName) -> AssetId {
        AssetId {
            version: self.clone(),
            name,
        }
    }
}

/// `namespace:name:version`, for people and logs.
impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.package, self.version)
    }
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId {
    /// Of which version.
    pub version: VersionId,
    /// Which file.
    pub name: AssetName,
}

/// `namespace:name:version/file`, for people and logs.
impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.version, self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_the_service_model_says() {
        fn all<T: FromStr>(good: &[&str], bad: &[&str]) {
            for text in good {
                assert!(text.parse::<T>().is_ok(), "{text:?} should be accepted");
            }
            for text in bad {
                assert!(text.parse::<T>().is_err(), "{text:?} should be refused");
            }
        }
        let long = "a".repeat(51);
        all::<DomainName>(
            &["ab", "my-domain", "a0", &long[..50]],
            &["", "a", "-a", "a-", "0a", "My", "a_b", "a.b", &long, "ä b"],
        );
        let long = "a".repeat(101);
        all::<RepositoryName>(
            &["ab", "0a", "A.b_c-", &long[..100]],
            &["", "a", ".a", "-a", "a/b", "a b", "..", &long],
        );
        let long = "a".repeat(256);
        all::<Version>(
            &["1", "1.0-SNAPSHOT", "^", "..", &long[..255]],
            &["", "a#b", "a/b", "a b", "a\nb", &long],
        );
        all::<AssetName>(
            &["a b", "模型.bin", &"𝒜".repeat(255)],
            &["", "a\u{0}", "a\u{202e}b", "a\u{200b}", &"𝒜".repeat(256)],
        );
        all::<FormatName>(&["maven", "npm"], &["", "Maven", "ma-ven", "a1"]);
    }

    #[test]
    fn display_and_parse_are_inverse() {
        for text in ["my-domain", "ab"] {
            assert_eq!(text.parse::<DomainName>().unwrap().to_string(), text);
        }
        let json = serde_json::to_string(&"1.0".parse::<Version>().unwrap()).unwrap();
        assert_eq!(json, "\"1.0\"");
        assert!(serde_json::from_str::<Version>("\"a/b\"").is_err());
    }
}
