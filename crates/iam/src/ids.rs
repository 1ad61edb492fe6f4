//! What this installation makes up: unique ids, access key ids, secrets, session ids.
//!
//! All of it comes from the operating system's random numbers and nothing is ever used twice, so a re-created user
//! never inherits what was said about its namesake.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// The alphabet of RFC 4648 base32, which AWS uses for its ids.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters and digits only: `/` and `+` in secrets keep breaking shells and URLs.
const SECRET_ALPHABET: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// 40 characters of 62 are 238 bits.
const SECRET_LENGTH: usize = 40;

/// Fills an array with random bytes of the operating system.
///
/// A machine without random numbers must not make keys, so it stops here.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .expect("an operating system without random numbers must not make keys");
    bytes
}

/// Base32 without padding; five bytes are eight characters.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut buffer, mut bits) = (0_u16, 0_u8);
    for byte in bytes {
        // At most four bits are left over from before, so twelve are held here.
        buffer = (buffer & 0x0f) << 8 | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(BASE32[usize::from(buffer >> bits & 31)].into());
        }
    }
    if bits > 0 {
        text.push(BASE32[usize::from(buffer << (5 - bits) & 31)].into());
    }
    text
}

/// What a unique id belongs to; it shows in the id's first four letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `AIDA`
    User,
    /// `AGPA`
    Group,
    /// `AROA`
    Role,
    /// `ANPA`
    Policy,
    /// `AIPA`
    InstanceProfile,
}

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::User => "AIDA",
            Self::Group => "AGPA",
            Self::Role => "AROA",
            Self::Policy => "ANPA",
            Self::InstanceProfile => "AIPA",
        }
    }
}

/// A new unique id: the prefix of its kind and 17 characters `A-Z2-7` (85 bits).
pub(crate) fn unique_id(kind: Kind) -> String {
    let letters = base32(&random::<11>());
    format!("{}{}", kind.prefix(), &letters[..17])
}

/// The unique id of a policy that is part of the program: the same in every installation.
pub(crate) fn policy_id_of(name: &str) -> String {
    let digest = Sha256::digest(name);
    format!("{}{}", Kind::Policy.prefix(), &base32(&digest)[..17])
}

/// The first ten bytes of the session whose temporary credentials have this key id, as its id begins: 20 hex digits.
///
/// `None` when it is no key id of ours.
pub(crate) fn session_prefix(access_key_id: &str) -> Option<String> {
    let letters = access_key_id.strip_prefix("ASIA")?;
    if letters.len() != 16 {
        return None;
    }
    // 16 letters of five bits are exactly ten bytes.
    let mut bits = 0_u128;
    for letter in letters.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u128::try_from(value).ok()?;
    }
    Some(format!("{bits:020x}"))
}

/// A new id of a machine or of its association: the prefix and 17 hex digits (68 bits), as EC2 writes them.
pub(crate) fn ec2_id(prefix: &str) -> String {
    let digits = hex::encode(random::<9>());
    format!("{prefix}{}", &digits[..17])
}

/// A new enrolment code: a prefix that scanners for secrets can look for, and 128 bits in hex.
pub(crate) fn enrollment_code() -> Zeroizing<String> {
    Zeroizing::new(format!("phe1_{}", hex::encode(random::<16>())))
}

/// A new id of a long-term access key: `AKIA` and 16 characters (80 bits).
pub(crate) fn access_key_id() -> String {
    format!("AKIA{}", base32(&random::<10>()))
}

/// A new secret: 40 letters and digits, each equally likely.
pub(crate) fn secret() -> Zeroizing<String> {
    let mut secret = Zeroizing::new(String::with_capacity(SECRET_LENGTH));
    while secret.len() < SECRET_LENGTH {
        let bytes = Zeroizing::new(random::<64>());
        // 248 is the largest multiple of 62 that fits into a byte; what is above would favour the first letters.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let room = SECRET_LENGTH - secret.len();
        secret.extend(
            fair.take(room)
                .map(|byte| char::from(SECRET_ALPHABET[usize::from(byte % 62)])),
        );
    }
    secret
}

/// A new id for a refusal: a UUID of version 7, so that records sort by time. `now_ms` is milliseconds since 1970.
pub(crate) fn record_id(now_ms: u64) -> String {
    uuid::Builder::from_unix_timestamp_millis(now_ms, &random())
        .into_uuid()
        .to_string()
}

/// Sixteen bytes that no reader can guess, written as 32 lower-case hex digits: a session or a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id128([u8; 16]);

impl Id128 {
    /// A new one.
    pub(crate) fn new() -> Self {
        Self(random())
    }

    /// The bytes as tokens carry them.
    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The access key id of the temporary credentials of a session with this id: `ASIA` and the first ten bytes in base32.
    pub fn temporary_key_id(&self) -> String {
        format!("ASIA{}", base32(&self.0[..10]))
    }

    /// The name under which the audit log shows a bearer token with this id: `ABIA` and the first ten bytes in base32.
    pub fn bearer_id(&self) -> String {
        format!("ABIA{}", base32(&self.0[..10]))
    }
}

impl From<[u8; 16]> for Id128 {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Id128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Id128 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id128 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl FromStr for Id128 {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn base32_is_that_of_rfc_4648_without_padding() {
        for (bytes, expected) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), expected, "{bytes}");
        }
    }

    #[test]
    fn ids_and_secrets_have_the_shape_that_clients_check() {
        let user = unique_id(Kind::User);
        assert_eq!((user.len(), &user[..4]), (21, "AIDA"));
        let key = access_key_id();
        assert_eq!((key.len(), &key[..4]), (20, "AKIA"));
        assert!(key.bytes().all(|byte| BASE32.contains(&byte)), "{key}");
        let secret = secret();
        assert_eq!(secret.len(), 40);
        assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(access_key_id(), key);
    }

    #[test]
    fn session_ids_are_read_back_from_their_text() {
        let id = Id128::new();
        assert_eq!(id.to_string().parse::<Id128>().unwrap(), id);
        let prefix = session_prefix(&id.temporary_key_id()).unwrap();
        assert_eq!(prefix, id.to_string()[..20]);
        for wrong in [
            "",
            "00",
            "zz112233445566778899aabbccddeeff",
            "00112233445566778899aabbccddeeff00",
        ] {
            assert!(wrong.parse::<Id128>().is_err(), "{wrong}");
        }
    }
}
