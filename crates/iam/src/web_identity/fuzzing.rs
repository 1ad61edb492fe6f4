//! Tokens and keys of issuers, for `make fuzz`: whatever the bytes, they are read or refused.

use super::keys::Keys;
use super::token::Token;

/// A token.
pub fn token(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(token) = Token::read(text)
    {
        assert!(text.starts_with(token.signed));
    }
}

/// The set of keys that an issuer publishes.
pub fn keys(bytes: &[u8]) {
    drop(Keys::read(bytes));
}
