//! The token out of an `Authorization` header, however a package manager writes it.

use aws::SecretString;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::HeaderValue;

/// A token as it was sent; nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) SecretString);

/// Longer headers are no tokens of ours, which have 128 characters.
const LIMIT_BYTES: usize = 8 << 10;

/// Finds the token: `Bearer T`, `Basic base64(anybody:T)`, `Basic base64(T:)`, or `T` alone as cargo sends it.
///
/// Schemes are read in any case. White space around the token is dropped: pipelines on Windows add some.
pub(crate) fn token(value: &HeaderValue) -> Option<Token> {
    let text = value.to_str().ok()?.trim();
    if text.len() > LIMIT_BYTES {
        return None;
    }
    let token: SecretString = match text.split_once(' ') {
        None => text.into(),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.into(),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("basic") => password(rest.trim())?,
        Some(_) => return None,
    };
    let trimmed = token.expose().trim();
    (!trimmed.is_empty()).then(|| Token(trimmed.into()))
}

/// The password; the user name if there is no password.
fn password(encoded: &str) -> Option<SecretString> {
    let decoded = STANDARD
        .decode(encoded)
        .or_else(|_| STANDARD_NO_PAD.decode(encoded))
        .ok()?;
    let decoded = SecretString::new(String::from_utf8(decoded).ok()?);
    let (user, password) = decoded.expose().split_once(':')?;
    Some(if password.trim().is_empty() {
        user.into()
    } else {
        password.into()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_however_they_are_sent() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, expected) in [
            ("Bearer T".to_owned(), Some("T")),
            ("bearer  T ".to_owned(), Some("T")),
            ("BEARER T".to_owned(), Some("T")),
            ("T".to_owned(), Some("T")),
            (basic("aws:T"), Some("T")),
            (basic("anybody:T"), Some("T")),
            (basic(":T"), Some("T")),
            (basic("T:"), Some("T")),
            (basic("aws:T\r\n"), Some("T")),
            (basic("aws:a:b"), Some("a:b")),
            (basic("aws:T").replace("Basic", "bAsIc"), Some("T")),
            (basic("aws:T1").trim_end_matches('=').to_owned(), Some("T1")),
            (basic("T"), None),
            (basic(":"), None),
            ("Basic !!!".to_owned(), None),
            ("Digest T".to_owned(), None),
            (String::new(), None),
        ] {
            let value = HeaderValue::from_str(&header).unwrap();
            let found = token(&value).map(|Token(token)| token.expose().clone());
            assert_eq!(found.as_deref(), expected, "{header}");
        }
    }

    #[test]
    fn what_is_not_text_is_no_token() {
        let value = HeaderValue::from_bytes(b"Bearer \xff").unwrap();
        assert_eq!(token(&value), None);
    }
}
