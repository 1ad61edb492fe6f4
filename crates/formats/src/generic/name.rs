//! What generic packages and their files may be called.

use catalog::{AssetName, InvalidName};
use unicode_general_category::{GeneralCategory as G, get_general_category};
use unicode_normalization::is_nfc;
use unicode_security::skeleton;

/// Beside letters, numbers and the space.
const SPECIAL: &str = "~!@^&()-_+[]{};,.`";

/// Parses the name of a file: letters and numbers of any script, the space (not at the ends, not doubled) and
/// ``~!@^&()-_+[]{};,.` ``; composed (NFC), 1 to 255 characters, not `.` or `..`.
pub(crate) fn asset(text: &str) -> Result<AssetName, InvalidName> {
    let name: AssetName = text.parse()?;
    let refused = |reason: &str| Err(InvalidName::Refused(format!("an asset name {reason}")));
    if matches!(text, "." | "..") {
        return refused("is not `.` or `..`");
    }
    if let Some(c) = text.chars().find(|&c| !is_allowed(c)) {
        return refused(&format!("cannot have the character U+{:04X}", u32::from(c)));
    }
    if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
        return refused("has no space at its beginning or end, and no two in a row");
    }
    check_composed(text)?;
    Ok(name)
}

fn is_allowed(c: char) -> bool {
    c == ' '
        || SPECIAL.contains(c)
        || matches!(
            get_general_category(c),
            G::LowercaseLetter
                | G::ModifierLetter
                | G::OtherLetter
                | G::TitlecaseLetter
                | G::UppercaseLetter
                | G::LetterNumber
                | G::DecimalNumber
        )
}

/// Checks a namespace, a package or a version beyond what the API does: it has to survive being a segment of an address.
pub(crate) fn check_coordinate(text: &str) -> Result<(), InvalidName> {
    if matches!(text, "." | "..") {
        return Err(InvalidName::Refused(
            "`.` and `..` are not names: addresses would lose them".to_owned(),
        ));
    }
    check_composed(text)
}

fn check_composed(text: &str) -> Result<(), InvalidName> {
    if is_nfc(text) {
        Ok(())
    } else {
        Err(InvalidName::Refused(
            "names are in Unicode normalization form C".to_owned(),
        ))
    }
}

/// Whether two different names look alike (Unicode Technical Standard 39, "confusable").
pub(crate) fn are_confusable(a: &str, b: &str) -> bool {
    a != b && skeleton(&a.to_lowercase()).eq(skeleton(&b.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asset_names_are_those_that_aws_allows() {
        for good in [
            "a (1) \u{fc}n\u{ef}.tar.gz",
            "\u{6a21}\u{578b}.bin",
            "x@^&[]{};,.!~",
            "`",
            "a_b-c+d",
            "\u{2167}",
            "...",
            &"\u{1d49c}".repeat(255),
        ] {
            assert!(asset(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            " a",
            "a ",
            "a  b",
            "a/b",
            "../../etc/passwd",
            "a\\b",
            "c:a",
            "a:b",
            "a%b",
            "a*b",
            "a?b",
            "a\"b",
            "a<b",
            "a>b",
            "a|b",
            "a#b",
            "a$b",
            "a=b",
            "a'b",
            "a\tb",
            "a\nb",
            "a\u{0}b",
            "a\u{a0}b",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{ff0f}b",
            "u\u{308}",
            "\u{212b}",
            &"a".repeat(256),
        ] {
            assert!(asset(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn coordinates_survive_an_address() {
        for good in ["1.0", "...", "a%b", "^", "\u{fc}"] {
            assert!(check_coordinate(good).is_ok(), "{good}");
        }
        for bad in [".", "..", "u\u{308}"] {
            assert!(check_coordinate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn twins_are_seen() {
        assert!(are_confusable("paypal", "p\u{430}ypal"));
        assert!(are_confusable("README", "readme"));
        assert!(!are_confusable("a", "a"));
        assert!(!are_confusable("a", "b"));
    }
}
