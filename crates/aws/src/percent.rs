//! Percent-encoding as signatures and IAM answers need it (RFC 3986, section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

/// All but `A-Za-z0-9-._~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The same with `/` kept bare: for paths.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// Encodes everything but `A-Za-z0-9-._~`, with upper-case hex and a blank as `%20`.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Encodes the bytes of a path that is already encoded once, leaving `/` as it is.
pub fn encode_path(path: &[u8]) -> String {
    percent_encode(path, RESERVED_IN_PATH).to_string()
}

/// Decodes `%XX`, and `+` as a blank if `plus_is_blank`.
///
/// `None` when a percent sign is not followed by two hex digits or the result is not UTF-8: a text
/// with two readings is refused.
pub fn decode(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            b'+' if plus_is_blank => b' ',
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Splits a query string or a form at `&` and the first `=` of each piece, then decodes both sides.
///
/// In a query string a raw `+` is a plus; in a form (`plus_is_blank`) it is a blank. `a` reads as
/// `a=`. `None` as for [`decode`].
pub fn decode_pairs(text: &str, plus_is_blank: bool) -> Option<Vec<(String, String)>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split('&')
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, plus_is_blank)?, decode(value, plus_is_blank)?))
        })
        .collect()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_is_strict_and_undoes_encoding() {
        for (text, plus_is_blank, expected) in [
            ("a%20b+c", false, Some("a b+c")),
            ("a%20b+c%2B", true, Some("a b c+")),
            ("%C3%bc", false, Some("ü")),
            ("%zz", false, None),
            ("%2", false, None),
            ("%", false, None),
            ("%ff", false, None),
        ] {
            assert_eq!(decode(text, plus_is_blank).as_deref(), expected, "{text}");
        }
        for text in ["", "~a-b._/*+ ü\u{1F600}\0"] {
            assert_eq!(decode(&encode(text), false).as_deref(), Some(text));
        }
    }
}
