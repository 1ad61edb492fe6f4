//! Versions as PEP 440 has them. Very old public files have others, which are kept as they are and come before all.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::FromStr as _;

use catalog::{InvalidName, Version};
use pep440_rs::Version as Pep440;

/// Longest version, in bytes: that of every name in the API.
const MAX_VERSION_BYTES: usize = 255;

/// Reads a version; `None` when it is none of PEP 440.
pub(crate) fn parse(text: &str) -> Option<Pep440> {
    if text.len() > MAX_VERSION_BYTES || !text.is_ascii() {
        return None;
    }
    Pep440::from_str(text).ok()
}

/// The spelling that is kept: `1.0.0-RC1` is `1.0.0rc1`, `v1.0` is `1.0`; zeros at the end stay.
pub(crate) fn canonical(text: &str) -> Option<Version> {
    parse(text)?.to_string().parse().ok()
}

/// The same for one given through the API. Others than those of PEP 440 may have come from a registry, and are taken as
/// they are.
pub(crate) fn as_given(text: &str) -> Result<Version, InvalidName> {
    canonical(text).map_or_else(|| text.parse(), Ok)
}

/// One text for all spellings that are equal: `1`, `1.0` and `1.0.0` are `1`.
pub(crate) fn identity(text: &str) -> Cow<'_, str> {
    let Some(version) = parse(text) else {
        return Cow::Borrowed(text);
    };
    let release = version.release();
    let kept = release.iter().rposition(|part| *part != 0).unwrap_or(0);
    let release = release[..=kept].to_vec();
    Cow::Owned(version.with_release(release).to_string())
}

/// Whether two texts mean the same version.
pub(crate) fn are_equal(a: &str, b: &str) -> bool {
    a == b || matches!((parse(a), parse(b)), (Some(a), Some(b)) if a == b)
}

/// Which of two versions is newer.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    match (parse(a), parse(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Greater,
        (None, Some(_)) => Ordering::Less,
        (None, None) => a.cmp(b),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn versions_have_one_spelling() {
        for (text, expected) in [
            ("1.0", Some("1.0")),
            ("v1.0", Some("1.0")),
            ("1.0.0-RC1", Some("1.0.0rc1")),
            ("1.0.alpha.1", Some("1.0a1")),
            ("1.0-1", Some("1.0.post1")),
            ("1.0+CU121", Some("1.0+cu121")),
            ("1.0+a-b_c", Some("1.0+a.b.c")),
            ("1!2.0", Some("1!2.0")),
            ("0!2.0", Some("2.0")),
            ("2004d", None),
            ("latest", None),
            ("", None),
        ] {
            let found = canonical(text);
            assert_eq!(found.as_ref().map(Version::as_str), expected, "{text}");
        }
        assert!(canonical(&format!("1.{}", "0".repeat(300))).is_none());
    }

    #[test]
    fn equal_versions_have_one_identity() {
        for (a, b, same) in [
            ("1", "1.0.0", true),
            ("1.0", "v1", true),
            ("0", "0.0", true),
            ("1.0rc1", "1.0.0-RC1", true),
            ("1.0+local", "1.0.0+local", true),
            ("1.0", "1.0+local", false),
            ("1.0", "1.0.1", false),
            ("10", "1", false),
            ("2004d", "2004d", true),
            ("2004d", "2004e", false),
        ] {
            assert_eq!(identity(a) == identity(b), same, "{a} {b}");
            assert_eq!(are_equal(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn versions_are_ordered_as_pip_orders_them() {
        let order = [
            "2004d",
            "0.9",
            "1.0.dev1",
            "1.0a1",
            "1.0rc1",
            "1.0",
            "1.0+local",
            "1.0.post1",
            "1.0.1",
            "1.10",
            "1!0.1",
        ];
        for pair in order.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
        }
    }
}
