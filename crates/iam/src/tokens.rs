//! The tokens that clients carry: bearer tokens for package managers, session tokens beside temporary keys.
//!
//! Both are fixed-size, signed and hold no permissions, only names of rows (`identity.md` 5.3 and 5.6):
//!
//! ```text
//! bearer  "phk1_" base64url( payload[60] | HMAC-SHA256(key, "packhouse/bearer/1" 0 payload)[32] )
//!         payload: u8 format=1 | u8 flags | u16 key | u32 issued | u32 expires | 16 token | 16 session | u64 domain | u64 account
//! sts     "phs1_" base64url( payload[28] | HMAC-SHA256(key, "packhouse/sts/1" 0 payload)[32] )
//!         payload: u8 format=1 | u8 flags | u16 key | u32 issued | u32 expires | 16 session
//! ```
//!
//! This module is pure: keys, time and expectations are arguments. What it gave up: tokens that describe themselves
//! (a JWT is five times longer, leaks session policies to whoever holds the file, and has an algorithm to get wrong).

use std::collections::HashMap;

use aws::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ids::Id128;

/// Set when the token was issued with temporary credentials.
pub(crate) const TEMPORARY: u8 = 1;
/// Set when the principal is a role session.
pub(crate) const ROLE_SESSION: u8 = 2;

const FORMAT: u8 = 1;
const TAG: usize = 32;
/// How far in the future a token may have been issued: two nodes' clocks differ a little. Seconds.
const EARLY: u64 = 300;

/// Why a token was refused, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Prefix, alphabet, length, padding, trailing bits or format are not ours.
    #[error("malformed")]
    Malformed,
    /// Signed with a key that this node does not have.
    #[error("unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("bad tag")]
    BadTag,
    /// Its time is over; `expires` itself no longer counts.
    #[error("expired")]
    Expired,
    /// Issued more than 300 s from now.
    #[error("not yet valid")]
    NotYetValid,
    /// A session token beside an access key id that is not its own.
    #[error("belongs to another key")]
    KeyMismatch,
}

/// The keys that sign one kind of token, by number; each already primed, so that a check costs two hash blocks less.
#[derive(Clone, Default)]
pub struct Keyring(HashMap<u16, Hmac<Sha256>>);

impl Keyring {
    /// Adds a key, or replaces the one with this number.
    pub fn insert(&mut self, number: u16, key: &[u8; 32]) {
        let primed = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        self.0.insert(number, primed);
    }

    fn tag(&self, key: u16, label: &[u8], payload: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = self.0.get(&key)?.clone();
        mac.update(label);
        mac.update(payload);
        Some(mac)
    }
}

/// What a bearer token says; [`Bearer::open`] gives one only when the signature fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer {
    /// 1: issued with temporary credentials; 2: the principal is a role session.
    pub flags: u8,
    /// Number of the signing key.
    pub key: u16,
    /// Seconds since 1970.
    pub issued: u32,
    /// Seconds since 1970; the first second in which it is no longer valid.
    pub expires: u32,
    /// Its own id.
    pub token: Id128,
    /// The session whose principal, tags and policies stand behind it.
    pub session: Id128,
    /// The only domain it is good for.
    pub domain: u64,
    /// The owner of that domain.
    pub account: u64,
}

impl Bearer {
    const PREFIX: &str = "phk1_";
    const LABEL: &[u8] = b"packhouse/bearer/1\0";
    const PAYLOAD: usize = 60;

    /// Reads and checks a token; what remains to be asked is domain and revocation.
    pub fn open(text: &str, keys: &Keyring, now: u64) -> Result<Self, Refused> {
        let mut bytes = [0; Self::PAYLOAD + TAG];
        let payload = open(text, Self::PREFIX, Self::LABEL, keys, &mut bytes)?;
        let mut fields = Fields(payload);
        let (_format, flags) = (fields.take::<1>(), fields.take::<1>()[0]);
        let token = Self {
            flags,
            key: u16::from_be_bytes(fields.take()),
            issued: u32::from_be_bytes(fields.take()),
            expires: u32::from_be_bytes(fields.take()),
            token: fields.take::<16>().into(),
            session: fields.take::<16>().into(),
            domain: u64::from_be_bytes(fields.take()),
            account: u64::from_be_bytes(fields.take()),
        };
        in_time(token.issued, token.expires, now)?;
        Ok(token)
    }

    /// The name under which the audit log shows a token, read from its text without any check: to speak of a token that was
    /// found somewhere, whether or not it is still good. `None` for what has not the form of one.
    pub fn name(text: &str) -> Option<String> {
        let mut bytes = [0; Self::PAYLOAD + TAG];
        let body = text.strip_prefix(Self::PREFIX)?;
        let read = URL_SAFE_NO_PAD.decode_slice(body, &mut bytes).ok()?;
        let id = bytes[..read].get(12..28)?.first_chunk::<16>()?;
        (read == bytes.len()).then(|| Id128::from(*id).bearer_id())
    }

    /// Signs it: 128 characters of `A-Za-z0-9_-`. `None` when the ring has no key of that number.
    pub fn seal(&self, keys: &Keyring) -> Option<Zeroizing<String>> {
        let mut payload = Vec::with_capacity(Self::PAYLOAD + TAG);
        payload.extend([FORMAT, self.flags]);
        payload.extend(self.key.to_be_bytes());
        payload.extend(self.issued.to_be_bytes());
        payload.extend(self.expires.to_be_bytes());
        payload.extend(self.token.as_bytes());
        payload.extend(self.session.as_bytes());
        payload.extend(self.domain.to_be_bytes());
        payload.extend(self.account.to_be_bytes());
        seal(payload, Self::PREFIX, Self::LABEL, self.key, keys)
    }
}

/// What the session token beside a temporary access key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionToken {
    /// 1: issued with temporary credentials; 2: the principal is a role session.
    pub flags: u8,
    /// Number of the signing key.
    pub key: u16,
    /// Seconds since 1970.
    pub issued: u32,
    /// Seconds since 1970; the first second in which it is no longer valid.
    pub expires: u32,
    /// The session.
    pub session: Id128,
}

impl SessionToken {
    const PREFIX: &str = "phs1_";
    const LABEL: &[u8] = b"packhouse/sts/1\0";
    const PAYLOAD: usize = 28;

    /// Reads a token, checks its signature and that it belongs to this access key, but not its time:
    /// only a holder of the secret may learn that a session is over (`identity.md` 1.1, step 11).
    pub fn open(text: &str, keys: &Keyring, access_key: &str) -> Result<Self, Refused> {
        let token = Self::read(text, keys)?;
        if token.session.temporary_key_id() == access_key {
            Ok(token)
        } else {
            Err(Refused::KeyMismatch)
        }
    }

    /// Reads a token and checks everything, time before key.
    pub fn check(text: &str, keys: &Keyring, access_key: &str, now: u64) -> Result<Self, Refused> {
        let token = Self::read(text, keys)?;
        in_time(token.issued, token.expires, now)?;
        if token.session.temporary_key_id() == access_key {
            Ok(token)
        } else {
            Err(Refused::KeyMismatch)
        }
    }

    fn read(text: &str, keys: &Keyring) -> Result<Self, Refused> {
        let mut bytes = [0; Self::PAYLOAD + TAG];
        let payload = open(text, Self::PREFIX, Self::LABEL, keys, &mut bytes)?;
        let mut fields = Fields(payload);
        let (_format, flags) = (fields.take::<1>(), fields.take::<1>()[0]);
        Ok(Self {
            flags,
            key: u16::from_be_bytes(fields.take()),
            issued: u32::from_be_bytes(fields.take()),
            expires: u32::from_be_bytes(fields.take()),
            session: fields.take::<16>().into(),
        })
    }

    /// Signs it: 85 characters. `None` when the ring has no key of that number.
    pub fn seal(&self, keys: &Keyring) -> Option<Zeroizing<String>> {
        let mut payload = Vec::with_capacity(Self::PAYLOAD + TAG);
        payload.extend([FORMAT, self.flags]);
        payload.extend(self.key.to_be_bytes());
        payload.extend(self.issued.to_be_bytes());
        payload.extend(self.expires.to_be_bytes());
        payload.extend(self.session.as_bytes());
        seal(payload, Self::PREFIX, Self::LABEL, self.key, keys)
    }
}

/// Decodes strictly into `bytes` (payload and tag, exactly) and gives the payload when the tag fits.
fn open<'b>(
    text: &str,
    prefix: &str,
    label: &[u8],
    keys: &Keyring,
    bytes: &'b mut [u8],
) -> Result<&'b [u8], Refused> {
    let body = text.strip_prefix(prefix).ok_or(Refused::Malformed)?;
    // The engine refuses padding, foreign letters and unused trailing bits; the length is ours to check.
    if body.len() != (bytes.len() * 4).div_ceil(3) {
        return Err(Refused::Malformed);
    }
    let read = URL_SAFE_NO_PAD
        .decode_slice(body, bytes)
        .map_err(|_| Refused::Malformed)?;
    let (payload, tag) = bytes[..read].split_at(read - TAG);
    if payload[0] != FORMAT {
        return Err(Refused::Malformed);
    }
    let key = u16::from_be_bytes([payload[2], payload[3]]);
    let mac = keys.tag(key, label, payload).ok_or(Refused::UnknownKey)?;
    mac.verify_slice(tag).map_err(|_| Refused::BadTag)?;
    Ok(payload)
}

fn seal(
    payload: Vec<u8>,
    prefix: &str,
    label: &[u8],
    key: u16,
    keys: &Keyring,
) -> Option<Zeroizing<String>> {
    let tag = keys.tag(key, label, &payload)?.finalize().into_bytes();
    let mut bytes = Zeroizing::new(payload);
    bytes.extend_from_slice(&tag);
    let mut text = Zeroizing::new(String::with_capacity(
        prefix.len() + (bytes.len() * 4).div_ceil(3),
    ));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(&*bytes, &mut text);
    Some(text)
}

fn in_time(issued: u32, expires: u32, now: u64) -> Result<(), Refused> {
    if u64::from(expires) <= now {
        return Err(Refused::Expired);
    }
    if u64::from(issued) > now + EARLY {
        return Err(Refused::NotYetValid);
    }
    Ok(())
}

/// Cuts a payload into its fields; the payload's length is fixed, so every field is there.
struct Fields<'b>(&'b [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_at(N);
        self.0 = rest;
        field.try_into().expect("split at this very length")
    }
}

/// A time as tokens carry it; it fits until 2106.
pub(crate) fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.seconds().max(0)).unwrap_or(u32::MAX)
}
