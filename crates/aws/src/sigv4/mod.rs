//! Signature Version 4, on both sides.
//!
//! This module knows no keys, so verifying has two steps with the key lookup between them:
//!
//! 1. [`Claim::read`] takes the request apart and checks everything that needs no secret: form,
//!    date, clock, scope.
//! 2. Whoever knows keys looks up [`Claim::access_key_id`] and checks [`Claim::session_token`].
//! 3. [`Claim::verify`] compares the signature, then the body, with the [`SigningKey`] of that
//!    secret. Only afterwards may anyone say that a session has expired.
//!
//! [`Signer`] is the client's half. What differs from S3, and why code for S3 does not fit: paths
//! are normalised and encoded twice, and a missing payload header means the hash of the body.
//!
//! Source: AWS IAM user guide, "Create a signed AWS API request".

mod canonical;
mod claim;
mod refusal;
mod sign;
mod stated;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::identity::Region;
use crate::secret::{Secret, SecretString};

pub use canonical::normalize_path;
pub use claim::{Claim, PayloadHash, Rules};
pub use refusal::NotSigned;
pub use sign::{Credentials, Signer, Unsignable};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// SHA-256 of no bytes, in hex: the payload hash of a request without a body.
pub const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// SHA-256 of a body, in lower-case hex: the payload hash.
pub fn body_hash(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// What a signature is good for: one day, one region, one service.
///
/// Prints as `20260314/us-east-1/codeartifact/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    date: String,
    region: Region,
    service: String,
}

impl Scope {
    /// The UTC day as `20260314`. Caches of signing keys use this one, not the server's day.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The region the client signed for.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The service's signing name, for example `codeartifact`.
    pub fn service(&self) -> &str {
        &self.service
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            date,
            region,
            service,
        } = self;
        write!(f, "{date}/{region}/{service}/{TERMINATOR}")
    }
}

/// The key that signs for one day, region and service; the secret cannot be computed from it.
///
/// Safe to cache until the day ends or the access key changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey(Secret<[u8; 32]>);

impl SigningKey {
    /// Derives it from the secret access key with four HMACs. `date` is the scope's, `20260314`.
    pub fn derive(secret: &SecretString, date: &str, region: &Region, service: &str) -> Self {
        let start = Secret::new(format!("AWS4{}", secret.expose()));
        let date_key = hmac(start.expose().as_bytes(), date);
        let region_key = hmac(date_key.expose(), region.as_str());
        let service_key = hmac(region_key.expose(), service);
        Self(hmac(service_key.expose(), TERMINATOR))
    }

    /// The 64 lower-case hex digits that sign a canonical request.
    pub(crate) fn sign(&self, amz_date: &str, scope: &Scope, canonical_request: &str) -> String {
        let to_sign = string_to_sign(amz_date, scope, canonical_request);
        hex::encode(hmac(self.0.expose(), &to_sign).expose())
    }

    /// The raw key, for tests against published vectors.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

fn string_to_sign(amz_date: &str, scope: &Scope, canonical_request: &str) -> String {
    let hash = body_hash(canonical_request.as_bytes());
    format!("{ALGORITHM}\n{amz_date}\n{scope}\n{hash}")
}

fn hmac(key: &[u8], text: &str) -> Secret<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    Secret::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_empty_hash_is_that_of_no_bytes() {
        assert_eq!(body_hash(b""), EMPTY_HASH);
    }

    #[test]
    fn the_key_of_the_aws_documentation_is_derived() {
        // AWS general reference, "Examples of how to derive a signing key".
        let secret = SecretString::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let key = SigningKey::derive(&secret, "20120215", &"us-east-1".parse().unwrap(), "iam");
        assert_eq!(
            hex::encode(key.expose()),
            "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d"
        );
        assert_eq!(format!("{key:?}"), "SigningKey([secret])");
    }
}
