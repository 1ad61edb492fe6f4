//! Pages of lists: how many entries, and where the next page begins.
//!
//! A token is the cursor of the list, encrypted and bound to the operation and its filters, so that
//! a client can neither read it, nor make one, nor carry it to another list. Nothing is stored.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::fault::{Fault, Reason};
use crate::member::{Kind, Member, Violation, parse_integer};
use crate::secret::Secret;

/// Seals and opens page tokens with one key.
///
/// A token is `base64url(nonce[12] || AES-256-GCM(cursor) || tag[16])`. The nonce is an HMAC of what
/// is sealed, so the same page gets the same token, different pages different ones, and no random
/// source is needed. (Two cursors would have to collide in 96 bits to share a nonce.)
#[derive(Clone)]
pub struct Sealer {
    encrypt: Secret<[u8; 32]>,
    nonce: Secret<[u8; 32]>,
}

/// What a list is restricted to, as far as a token must not be used elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filters([u8; 32]);

impl Filters {
    /// A digest of the values in this order; an absent one differs from an empty one.
    ///
    /// The page size is not a filter: a client may change it on the way.
    pub fn of<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let mut digest = Sha256::new();
        for value in values {
            match value {
                None => digest.update([0]),
                Some(value) => {
                    digest.update([1]);
                    digest.update(value.len().to_be_bytes());
                    digest.update(value);
                }
            }
        }
        Self(digest.finalize().into())
    }
}

/// The token was not made here, or for another operation or other filters.
///
/// Becomes `ValidationException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("The pagination token is not valid for this request")]
pub struct InvalidToken;

impl From<InvalidToken> for Fault {
    fn from(invalid: InvalidToken) -> Self {
        Self::validation(Reason::Other, invalid.to_string())
    }
}

const NONCE_LENGTH: usize = 12;

impl Sealer {
    /// From a random key of 32 bytes, the same on all nodes.
    pub fn new(key: &Secret<[u8; 32]>) -> Self {
        Self {
            encrypt: mac(key, [b"packhouse/page/encrypt/1".as_slice()]),
            nonce: mac(key, [b"packhouse/page/nonce/1".as_slice()]),
        }
    }

    /// The token for the page that begins after `cursor`.
    ///
    /// `A-Za-z0-9_-`, 4/3 × (28 + length of the cursor in bytes) characters; within the 2000 of the
    /// service model for cursors of up to 1470 bytes.
    pub fn seal(&self, operation: &str, filters: &Filters, cursor: &str) -> String {
        let bound = bound(operation, filters);
        let parts = [bound.as_slice(), cursor.as_bytes()];
        let mut sealed = mac(&self.nonce, parts).expose()[..NONCE_LENGTH].to_vec();
        let nonce = Nonce::try_from(sealed.as_slice()).expect("cut to the length of a nonce");
        let payload = Payload {
            msg: cursor.as_bytes(),
            aad: &bound,
        };
        let encrypted = self.cipher().encrypt(&nonce, payload);
        sealed.extend(encrypted.expect("cursors are far below the 64 GiB that AES-GCM refuses"));
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// The cursor inside a token made by [`Sealer::seal`] for the same operation and filters.
    pub fn open(
        &self,
        operation: &str,
        filters: &Filters,
        token: &str,
    ) -> Result<String, InvalidToken> {
        let sealed = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
        let (nonce, encrypted) = sealed.split_at_checked(NONCE_LENGTH).ok_or(InvalidToken)?;
        let nonce = Nonce::try_from(nonce).map_err(|_| InvalidToken)?;
        let payload = Payload {
            msg: encrypted,
            aad: &bound(operation, filters),
        };
        let opened = self.cipher().decrypt(&nonce, payload);
        String::from_utf8(opened.map_err(|_| InvalidToken)?).map_err(|_| InvalidToken)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(self.encrypt.expose().into())
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer([secret])")
    }
}

/// Operation and filters as one unambiguous text: the filters have a fixed length.
fn bound(operation: &str, filters: &Filters) -> Vec<u8> {
    [filters.0.as_slice(), operation.as_bytes(), &[0]].concat()
}

fn mac<'a>(key: &Secret<[u8; 32]>, parts: impl IntoIterator<Item = &'a [u8]>) -> Secret<[u8; 32]> {
    let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key.expose())
        .expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    Secret::new(mac.finalize().into_bytes().into())
}

/// How many entries a page has at most: 1 to 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MaxResults(u16);

impl MaxResults {
    /// The default of `ListPackageVersions` and the two lists of repositories.
    pub const FIFTY: Self = Self(50);
    /// The default of all other lists.
    pub const HUNDRED: Self = Self(100);

    /// The number.
    pub fn get(self) -> u32 {
        u32::from(self.0)
    }
}

impl Member for MaxResults {
    const KIND: Kind = Kind::Integer;

    fn parse(text: &str) -> Result<Self, Violation> {
        let number = parse_integer(text, 1, 1000)?;
        Ok(Self(
            u16::try_from(number).map_err(|_| Violation::AtMost(1000))?,
        ))
    }
}

/// A `nextToken` as it arrives: 1 to 4096 characters without blanks.
///
/// The model says 2000; names with many four-byte characters can make a token longer than that, and
/// a client must be able to send back what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// The token.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Member for PageToken {
    fn parse(text: &str) -> Result<Self, Violation> {
        crate::member::check_length(text, 1, 4096)?;
        let blank = text.chars().any(char::is_whitespace);
        crate::member::check_pattern(!blank, "\\S+")?;
        Ok(Self(text.to_owned()))
    }
}
