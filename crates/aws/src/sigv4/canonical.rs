//! The canonical request: one spelling of a request that both sides compute.

use std::borrow::Cow;

use http::HeaderMap;

use crate::percent;

/// The parts of a canonical request that do not depend on the payload.
#[derive(Clone)]
pub(super) struct Canonical<'a> {
    pub method: &'a str,
    /// Normalised, but not yet encoded for the second time.
    pub path: &'a str,
    pub query: &'a str,
    /// `name:value\n` for each signed header.
    pub headers: &'a str,
    /// `host;x-amz-date`.
    pub signed_headers: &'a str,
}

impl Canonical<'_> {
    /// The whole text, ending in the payload hash.
    pub(super) fn request(&self, payload: &str) -> String {
        let Self {
            method,
            query,
            headers,
            signed_headers,
            ..
        } = self;
        let path = percent::encode_path(self.path.as_bytes());
        format!("{method}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}")
    }
}

/// A path as it is signed and routed: empty and `.` segments dropped, `..` resolved, a trailing
/// slash kept. Escapes stay as they are on the wire; signing encodes them once more.
pub fn normalize_path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let trailing = if path.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{trailing}", segments.join("/"))
}

/// Decoded pairs as the canonical query string, without the parameter named `without`.
///
/// Sorted by encoded name, then encoded value, as two fields: in the joined text `a-b=1` would
/// come before `a=2`.
pub(super) fn query(pairs: &[(String, String)], without: Option<&str>) -> String {
    let mut encoded: Vec<(String, String)> = pairs
        .iter()
        .filter(|(name, _)| Some(name.as_str()) != without)
        .map(|(name, value)| (percent::encode(name), percent::encode(value)))
        .collect();
    encoded.sort();
    let joined: Vec<String> = encoded
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    joined.join("&")
}

/// `name:value\n` for each name, or nothing if a header is absent or not UTF-8.
///
/// `host` stands apart because HTTP/2 and proxies carry it elsewhere.
pub(super) fn headers<'a>(
    names: impl IntoIterator<Item = &'a str>,
    headers: &HeaderMap,
    host: &str,
) -> Option<String> {
    let mut text = String::new();
    for name in names {
        let value = if name == "host" {
            Cow::Borrowed(host)
        } else {
            Cow::Owned(header(name, headers)?)
        };
        text.push_str(name);
        text.push(':');
        text.push_str(&value);
        text.push('\n');
    }
    Some(text)
}

/// All values of a header in order, each trimmed and with runs of blanks made one, joined by `,`.
fn header(name: &str, headers: &HeaderMap) -> Option<String> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        let value = std::str::from_utf8(value.as_bytes()).ok()?;
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        values.push(words.join(" "));
    }
    (!values.is_empty()).then(|| values.join(","))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (path, expected) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/v1/domain", "/v1/domain"),
            ("/v1//domain/", "/v1/domain/"),
            ("/v1/./domain/.", "/v1/domain"),
            ("/v1/../../domain", "/domain"),
            ("/v1/%2e%2e/domain", "/v1/%2e%2e/domain"),
            ("/..", "/"),
        ] {
            assert_eq!(normalize_path(path), expected, "{path}");
        }
    }

    #[test]
    fn queries_are_sorted_by_name_and_then_by_value() {
        for (raw, expected) in [
            ("", ""),
            ("a-b=1&a=2", "a=2&a-b=1"),
            ("b=2&a=1&b=1", "a=1&b=1&b=2"),
            ("a", "a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=%7e%2f+", "a=~%2F%2B"),
            ("a=1&&b=2", "=&a=1&b=2"),
        ] {
            let pairs = percent::decode_pairs(raw, false).unwrap();
            assert_eq!(query(&pairs, None), expected, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn a_canonical_query_decodes_to_itself(raw in "([a-zA-Z0-9&=+~._ü😀-]|%[0-7][0-9a-fA-F]){0,40}") {
            let pairs = percent::decode_pairs(&raw, false).unwrap();
            let canonical = query(&pairs, None);
            let again = percent::decode_pairs(&canonical, false).unwrap();
            prop_assert_eq!(&query(&again, None), &canonical);
            let mut sorted = pairs;
            sorted.sort();
            let mut decoded = again;
            decoded.sort();
            prop_assert_eq!(decoded, sorted);
        }
    }
}
