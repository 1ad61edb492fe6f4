//! Project names: as they are written, and as they are compared.

use catalog::{InvalidName, PackageId};

use super::request::FORMAT;

/// Longest project name, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 128;

/// The name by which a project is known: lower case, each run of `-`, `_` and `.` one hyphen (PEP 503).
///
/// `None` when it is no project name: `^([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])$`, at most 128 bytes.
pub(crate) fn normalise(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let (first, last) = (bytes.first()?, bytes.last()?);
    let is_inner = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if bytes.len() > MAX_NAME_BYTES
        || !first.is_ascii_alphanumeric()
        || !last.is_ascii_alphanumeric()
        || !bytes.iter().all(is_inner)
    {
        return None;
    }
    let mut name = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    Some(name)
}

/// The package of a project name in any spelling.
pub(crate) fn package(text: &str) -> Option<PackageId> {
    Some(PackageId {
        format: FORMAT.clone(),
        namespace: None,
        name: normalise(text)?.parse().ok()?,
    })
}

/// The package of a name given through the API, which must be normalised already: another spelling is another name, and
/// nothing has it.
pub(crate) fn package_as_given(
    namespace: Option<&str>,
    name: &str,
    strict: bool,
) -> Result<PackageId, InvalidName> {
    if namespace.is_some() {
        return Err(InvalidName::Refused(
            "a Python package has no namespace".to_owned(),
        ));
    }
    if strict && normalise(name).as_deref() != Some(name) {
        return Err(InvalidName::Refused(
            "the name of a Python package is normalised: lower-case ASCII letters, digits and single hyphens"
                .to_owned(),
        ));
    }
    Ok(PackageId {
        format: FORMAT.clone(),
        namespace: None,
        name: name.parse()?,
    })
}

/// A coarser form by which names that look alike are the same: `l`, `1` and `i`, `o` and `0`, doubled letters, no hyphens.
pub(crate) fn folded(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    for c in name.chars().filter(|c| *c != '-') {
        let c = match c {
            '1' | 'i' => 'l',
            '0' => 'o',
            other => other,
        };
        if !folded.ends_with(c) {
            folded.push(c);
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_normalised() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for (text, expected) in [
            ("flask", Some("flask")),
            ("Acme.Tool", Some("acme-tool")),
            ("acme_tool", Some("acme-tool")),
            ("a-_.-b", Some("a-b")),
            ("PyHamcrest", Some("pyhamcrest")),
            ("3to2", Some("3to2")),
            ("a", Some("a")),
            ("", None),
            ("-a", None),
            ("a.", None),
            ("a b", None),
            ("a/b", None),
            ("..", None),
            ("a%2fb", None),
            ("caf\u{e9}", None),
            ("\u{202e}a", None),
            (&long, None),
        ] {
            assert_eq!(normalise(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_that_look_alike_fold_to_the_same() {
        for (a, b) in [
            ("requests", "request-s"),
            ("flask", "f1ask"),
            ("colorama", "coloorama"),
            ("pillow", "pi11ow"),
        ] {
            assert_eq!(folded(a), folded(b), "{a} {b}");
        }
        assert_ne!(folded("flask"), folded("django"));
    }
}
