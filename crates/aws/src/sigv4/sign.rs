//! The client's half: signs a request in its headers.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use thiserror::Error;

use super::canonical::{self, Canonical, normalize_path};
use super::{ALGORITHM, Scope, SigningKey};
use crate::identity::{AccessKeyId, Region};
use crate::percent;
use crate::secret::SecretString;
use crate::time::Timestamp;

/// An access key with its secret, and the session token that temporary keys have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The public half.
    pub access_key_id: AccessKeyId,
    /// The secret half.
    pub secret_access_key: SecretString,
    /// Sent along by temporary keys.
    pub session_token: Option<SecretString>,
}

/// The request cannot be signed as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsignable {
    /// Neither a `Host` header nor an address with a host.
    #[error("the request names no host")]
    NoHost,
    /// A percent sign without two hex digits, or bytes that are not UTF-8.
    #[error("the query string is not validly encoded")]
    BadQuery,
    /// A header to be signed, or the session token, is not plain text.
    #[error("a header is not plain text")]
    BadHeader,
}

/// Signs requests of one caller to one service in one region.
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    /// Who signs.
    pub credentials: &'a Credentials,
    /// The region in the scope.
    pub region: &'a Region,
    /// The service's signing name.
    pub service: &'a str,
}

/// Headers of one request that change on the way, so they are never signed.
const UNSIGNED: [&str; 8] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host", // always signed, but handled apart
    "transfer-encoding",
    "user-agent",
    "x-amzn-trace-id",
];

impl Signer<'_> {
    /// Adds `X-Amz-Date`, `X-Amz-Security-Token` and `Authorization`, replacing earlier ones.
    ///
    /// `payload` is [`super::body_hash`] of the body, or what the request already says in
    /// `x-amz-content-sha256`. Signed are the host and all headers present but those that proxies
    /// and clients change.
    pub fn sign(&self, parts: &mut Parts, payload: &str, now: Timestamp) -> Result<(), Unsignable> {
        let amz_date = now.amz_date();
        let date = HeaderValue::from_str(&amz_date).map_err(|_| Unsignable::BadHeader)?;
        parts.headers.insert(AMZ_DATE, date);
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(SECURITY_TOKEN);
        if let Some(token) = &self.credentials.session_token {
            let mut token =
                HeaderValue::from_str(token.expose()).map_err(|_| Unsignable::BadHeader)?;
            token.set_sensitive(true);
            parts.headers.insert(SECURITY_TOKEN, token);
        }
        let scope = Scope {
            date: now.amz_day(),
            region: self.region.clone(),
            service: self.service.to_owned(),
        };
        let secret = &self.credentials.secret_access_key;
        let key = SigningKey::derive(secret, &scope.date, &scope.region, self.service);
        let authorization = authorization(
            parts,
            payload,
            &Signing {
                key: &key,
                scope: &scope,
                amz_date: &amz_date,
                access_key_id: &self.credentials.access_key_id,
            },
        )?;
        parts.headers.insert(AUTHORIZATION, authorization);
        Ok(())
    }
}

struct Signing<'a> {
    key: &'a SigningKey,
    scope: &'a Scope,
    amz_date: &'a str,
    access_key_id: &'a AccessKeyId,
}

fn authorization(
    parts: &Parts,
    payload: &str,
    signing: &Signing<'_>,
) -> Result<HeaderValue, Unsignable> {
    let query = parts.uri.query().unwrap_or("");
    let pairs = percent::decode_pairs(query, false).ok_or(Unsignable::BadQuery)?;
    let mut names: Vec<&str> = (parts.headers.keys().map(HeaderName::as_str))
        .filter(|name| !UNSIGNED.contains(name))
        .chain(["host"])
        .collect();
    names.sort_unstable();
    let signed_headers = names.join(";");
    let host = host(parts).ok_or(Unsignable::NoHost)?;
    let headers = canonical::headers(names, &parts.headers, &host).ok_or(Unsignable::BadHeader)?;
    let request = Canonical {
        method: parts.method.as_str(),
        path: &normalize_path(parts.uri.path()),
        query: &canonical::query(&pairs, None),
        headers: &headers,
        signed_headers: &signed_headers,
    }
    .request(payload);
    let Signing {
        key,
        scope,
        amz_date,
        access_key_id,
    } = signing;
    let signature = key.sign(amz_date, scope, &request);
    let text = format!(
        "{ALGORITHM} Credential={access_key_id}/{scope}, SignedHeaders={signed_headers}, \
         Signature={signature}"
    );
    let mut value = HeaderValue::from_str(&text).map_err(|_| Unsignable::BadHeader)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The host as HTTP clients will send it: without the port that the scheme implies.
fn host(parts: &Parts) -> Option<Cow<'_, str>> {
    if let Some(host) = parts.headers.get(HOST) {
        return host.to_str().ok().map(Cow::Borrowed);
    }
    let authority = parts.uri.authority()?;
    let implied = match parts.uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    };
    Some(match authority.port_u16() {
        Some(port) if Some(port) != implied => Cow::Owned(format!("{}:{port}", authority.host())),
        _ => Cow::Borrowed(authority.host()),
    })
}

const AMZ_DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
