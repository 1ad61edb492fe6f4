//! The server's half: what a request claims about who signed it, and whether that holds.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::canonical::{self, Canonical, normalize_path};
use super::refusal::NotSigned;
use super::stated::{Stated, check_scope, single};
use super::{Scope, SigningKey, UNSIGNED_PAYLOAD};
use crate::identity::{AccessKeyId, Region};
use crate::percent;
use crate::secret::SecretString;
use crate::time::Timestamp;

const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// What this server, at this path, for this peer, accepts.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The signing name that the path stands for, for example `codeartifact`.
    pub service: &'static str,
    /// The regions that may stand in the scope; `None` takes any well-formed one, as IAM and STS
    /// must, because SDKs sign for the client's own region at a custom endpoint.
    pub regions: Option<Vec<Region>>,
    /// How far the client's clock may be off, both ways, ends included. 300 s unless configured.
    pub max_skew: Duration,
    /// Whether `UNSIGNED-PAYLOAD` is good enough; only sensible over TLS.
    pub allow_unsigned_payload: bool,
    /// Whether a request whose hash header is signed may have been signed as `UNSIGNED-PAYLOAD`
    /// nevertheless, as the Rust SDK does for streamed bodies. For publish-package-version only.
    pub retry_as_unsigned_payload: bool,
    /// Whether the peer is a proxy of ours, whose `X-Forwarded-Host` may be what was signed.
    pub trust_forwarded_host: bool,
}

impl Rules {
    /// Five minutes of skew, signed bodies, no proxy.
    pub fn new(service: &'static str, regions: Option<Vec<Region>>) -> Self {
        Self {
            service,
            regions,
            max_skew: Duration::from_mins(5),
            allow_unsigned_payload: false,
            retry_as_unsigned_payload: false,
            trust_forwarded_host: false,
        }
    }
}

/// How the body takes part in the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadHash {
    /// No header: the hash of the body that arrives.
    OfBody,
    /// This hash, in hex, which the body must have. The signature can be checked before the body.
    Declared(String),
    /// `UNSIGNED-PAYLOAD`: the body is not bound.
    Unsigned,
    /// `STREAMING-…`, which only S3 knows, or anything else.
    Streaming,
}

/// A signed request taken apart: everything that is said, nothing of it proven yet.
#[derive(Clone)]
pub struct Claim {
    access_key_id: AccessKeyId,
    session_token: Option<SecretString>,
    scope: Scope,
    date: Timestamp,
    method: String,
    path: String,
    pairs: Vec<(String, String)>,
    query: String,
    /// The signed headers, once for each host that may have been meant; empty when one is absent.
    headers: Vec<String>,
    signed_headers: String,
    signature: String,
    payload: PayloadHash,
    allow_unsigned_payload: bool,
    retry_as_unsigned_payload: bool,
}

impl Claim {
    /// Reads either form, `Authorization` header or presigned query, and checks form, date, clock
    /// and scope in AWS's order.
    ///
    /// Errors: any [`NotSigned`] but `ExpiredToken` and the two about the payload.
    pub fn read(parts: &Parts, rules: &Rules, now: Timestamp) -> Result<Self, NotSigned> {
        let pairs = percent::decode_pairs(parts.uri.query().unwrap_or(""), false)
            .ok_or_else(|| NotSigned::incomplete("The query string is not valid."))?;
        let stated = Stated::find(&parts.headers, &pairs)?;
        let [key, date, region, service, terminator] = stated.credential()?;
        let names = stated.signed_headers()?;
        let time = stated.time(date)?;
        stated.check_clock(time, rules.max_skew, now)?;
        let scope = Scope {
            date: date.to_owned(),
            region: check_scope([region, service, terminator], rules)?,
            service: service.to_owned(),
        };
        let access_key_id = key.parse().map_err(|_| NotSigned::InvalidClientTokenId)?;
        let headers = hosts(parts, rules)
            .iter()
            .filter_map(|host| canonical::headers(names.iter().copied(), &parts.headers, host))
            .collect();
        Ok(Self {
            access_key_id,
            session_token: stated.token.map(SecretString::from),
            scope,
            date: time,
            method: parts.method.as_str().to_owned(),
            path: normalize_path(parts.uri.path()),
            query: canonical::query(&pairs, stated.expires.map(|_| "X-Amz-Signature")),
            headers,
            signed_headers: names.join(";"),
            signature: stated.signature.to_owned(),
            payload: payload(&parts.headers)?,
            allow_unsigned_payload: rules.allow_unsigned_payload,
            retry_as_unsigned_payload: rules.retry_as_unsigned_payload,
            pairs,
        })
    }

    /// The key that is said to have signed.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.access_key_id
    }

    /// The token that temporary keys need and others must not have.
    pub fn session_token(&self) -> Option<&SecretString> {
        self.session_token.as_ref()
    }

    /// Day, region and service; what [`SigningKey::derive`] needs besides the secret.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// When the request was signed, by the client's clock.
    pub fn date(&self) -> Timestamp {
        self.date
    }

    /// The normalised path that the signature covers. Route on this one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query, decoded once, in the order of the wire: the very values the signature covers.
    pub fn query(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// How the body is bound, which tells whether it has to be read before verifying.
    pub fn payload(&self) -> &PayloadHash {
        &self.payload
    }

    /// Whether the signature, and the hash if one was declared, hold for a body with this SHA-256
    /// (64 lower-case hex digits, [`super::body_hash`]).
    ///
    /// Errors: `SignatureDoesNotMatch`, `UnsupportedPayload`, `PayloadMismatch`.
    pub fn verify(&self, key: &SigningKey, body_hash_hex: &str) -> Result<(), NotSigned> {
        self.verify_with(key, Some(body_hash_hex))?;
        match &self.payload {
            PayloadHash::Declared(hash) if !hash.eq_ignore_ascii_case(body_hash_hex) => {
                Err(NotSigned::PayloadMismatch)
            }
            _ => Ok(()),
        }
    }

    /// The signature alone, for bodies too large to be read first: the caller compares the body
    /// with [`PayloadHash::Declared`] while it streams, and keeps it only on equality.
    ///
    /// Errors: `SignatureDoesNotMatch`; `UnsupportedPayload` when no hash was declared.
    pub fn verify_before_body(&self, key: &SigningKey) -> Result<(), NotSigned> {
        self.verify_with(key, None)
    }

    fn verify_with(&self, key: &SigningKey, body_hash: Option<&str>) -> Result<(), NotSigned> {
        let payload = match &self.payload {
            PayloadHash::OfBody => body_hash.ok_or(NotSigned::UnsupportedPayload)?,
            PayloadHash::Declared(hash) => hash,
            PayloadHash::Unsigned if self.allow_unsigned_payload => UNSIGNED_PAYLOAD,
            PayloadHash::Unsigned => return Err(NotSigned::mismatch()),
            PayloadHash::Streaming => return Err(NotSigned::UnsupportedPayload),
        };
        // The body stays bound: its hash stands in a header that the signature covers.
        let retry = self.retry_as_unsigned_payload
            && matches!(self.payload, PayloadHash::Declared(_))
            && self.signed_headers.split(';').any(|n| n == CONTENT_SHA256);
        let holds = |payload: &str| {
            self.canonical_requests(payload)
                .any(|request| self.is_signature_of(&request, key))
        };
        if holds(payload) || (retry && holds(UNSIGNED_PAYLOAD)) {
            Ok(())
        } else {
            Err(NotSigned::mismatch())
        }
    }

    /// The canonical requests that would do, one for each host that may have been meant.
    ///
    /// They contain the session token if it is signed: not for logs, not for answers.
    pub fn canonical_requests(&self, payload: &str) -> impl Iterator<Item = String> {
        self.headers.iter().map(move |headers| {
            Canonical {
                method: &self.method,
                path: &self.path,
                query: &self.query,
                headers,
                signed_headers: &self.signed_headers,
            }
            .request(payload)
        })
    }

    /// The text whose HMAC is the signature, for tests against published vectors.
    pub fn string_to_sign(&self, canonical_request: &str) -> String {
        super::string_to_sign(&self.date.amz_date(), &self.scope, canonical_request)
    }

    fn is_signature_of(&self, canonical_request: &str, key: &SigningKey) -> bool {
        let expected = key.sign(&self.date.amz_date(), &self.scope, canonical_request);
        bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes()))
    }
}

impl fmt::Debug for Claim {
    /// Without signature, token and headers, which may carry the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("date", &self.date)
            .field("signed_headers", &self.signed_headers)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}

fn payload(headers: &HeaderMap) -> Result<PayloadHash, NotSigned> {
    Ok(match single(headers, CONTENT_SHA256)? {
        None => PayloadHash::OfBody,
        Some(UNSIGNED_PAYLOAD) => PayloadHash::Unsigned,
        Some(hash) if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            PayloadHash::Declared(hash.to_owned())
        }
        Some(_) => PayloadHash::Streaming,
    })
}

/// The host as the client may have seen it: the header, or `:authority` of HTTP/2, then what a
/// trusted proxy says it was.
fn hosts<'a>(parts: &'a Parts, rules: &Rules) -> Vec<Cow<'a, str>> {
    let text = |name| {
        let mut values = parts.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        // Two hosts are none: each reader would pick another one.
        values.next().is_none().then_some(value.trim())
    };
    let own = if parts.headers.contains_key(HOST) {
        text(HOST.as_str())
    } else {
        parts.uri.authority().map(http::uri::Authority::as_str)
    };
    let forwarded = rules
        .trust_forwarded_host
        .then(|| text("x-forwarded-host"))
        .flatten();
    own.into_iter()
        .chain(forwarded)
        .map(Cow::Borrowed)
        .collect()
}
