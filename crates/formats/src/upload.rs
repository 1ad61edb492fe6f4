//! Taking a body in: streamed to the catalog, or read whole under a cap.

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use catalog::{Error, Promise, Result};
use futures_core::Stream;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;

use crate::protocol::Body;
use crate::refusal::Refusal;

/// Most bytes of an unwanted body that are read to keep a connection usable.
const DRAIN_BYTES: usize = 1024 * 1024;
/// For how long.
const DRAIN_FOR: Duration = Duration::from_secs(2);

/// The pieces of a body, for [`catalog::Publication::add`].
pub fn pieces(body: &mut Body) -> impl Stream<Item = io::Result<Bytes>> + Send + '_ {
    futures_util::stream::unfold(body, |body| async {
        loop {
            match body.frame().await? {
                Err(error) => return Some((Err(io::Error::other(error)), body)),
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Some((Ok(data), body));
                    }
                }
            }
        }
    })
}

/// A body that is a document: whole, if it has at most `limit_bytes`. Errors: `TooLarge`, before anything is read when
/// its length is announced; `Interrupted`.
pub async fn whole(headers: &HeaderMap, body: &mut Body, limit_bytes: usize) -> Result<Bytes> {
    let too_large = || Error::TooLarge {
        limit_bytes: limit_bytes as u64,
    };
    if length(headers).is_some_and(|length| length > limit_bytes as u64) {
        return Err(too_large());
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Error::Interrupted(io::Error::other(error)))?;
        if let Ok(data) = frame.into_data() {
            if whole.len() + data.len() > limit_bytes {
                return Err(too_large());
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(whole.freeze())
}

/// Reads what is left of the body of a refused request, if it is little, so that the client reads the answer instead of
/// a broken connection. A client that waits for `100 Continue` sends nothing, and is not asked to.
pub async fn drain(headers: &HeaderMap, body: &mut Body) {
    if headers.contains_key(EXPECT) || length(headers).is_some_and(|all| all > DRAIN_BYTES as u64) {
        return;
    }
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAIN_BYTES {
                break;
            }
        }
    };
    // Running out of time leaves the connection to be closed by the server.
    let _ = tokio::time::timeout(DRAIN_FOR, reading).await;
}

/// The announced length in bytes.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses an `Expect` that is not `100-continue` (RFC 9110, section 10.1.1).
pub fn expectation(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(EXPECT) {
        Some(expected) if !expected.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Err(Refusal::new(
                StatusCode::EXPECTATION_FAILED,
                "the only expectation known here is `100-continue`",
            ))
        }
        _ => Ok(()),
    }
}

/// One digest of a promise.
type Slot = fn(&mut Promise) -> &mut Option<String>;

/// What the headers of an upload promise about its body: `Content-Length`, `X-Checksum-*`, `Content-MD5`,
/// `Digest` (RFC 3230), `Content-Digest` (RFC 9530) and `x-amz-content-sha256`. Errors: `Invalid` when one of them is
/// not a digest, or two contradict each other.
pub fn promise(headers: &HeaderMap) -> Result<Promise> {
    let mut promise = Promise {
        size_bytes: length(headers),
        ..Promise::default()
    };
    let hex: [(&str, Slot, usize); 5] = [
        ("x-checksum-md5", |promise| &mut promise.md5, 32),
        ("x-checksum-sha1", |promise| &mut promise.sha1, 40),
        ("x-checksum-sha256", |promise| &mut promise.sha256, 64),
        ("x-amz-content-sha256", |promise| &mut promise.sha256, 64),
        ("x-checksum-sha512", |promise| &mut promise.sha512, 128),
    ];
    for (header, slot, digits) in hex {
        for value in headers.get_all(header) {
            let value = value.to_str().unwrap_or_default().to_ascii_lowercase();
            let is_digest = value.len() == digits && value.bytes().all(|b| b.is_ascii_hexdigit());
            if !is_digest {
                return Err(Error::Invalid(format!(
                    "the header {header} is not {digits} hex digits"
                )));
            }
            agree(slot(&mut promise), value, header)?;
        }
    }
    for value in headers.get_all("content-md5") {
        let value = value.to_str().unwrap_or_default();
        agree(
            &mut promise.md5,
            unbase64(value, 16, "content-md5")?,
            "content-md5",
        )?;
    }
    for header in ["digest", "content-digest"] {
        for value in headers.get_all(header) {
            for entry in value.to_str().unwrap_or_default().split(',') {
                // Others than these two are allowed and say nothing to us.
                let Some((name, value)) = entry.trim().split_once('=') else {
                    continue;
                };
                let value = value.trim_matches(':');
                match name.to_ascii_lowercase().as_str() {
                    "sha-256" => agree(&mut promise.sha256, unbase64(value, 32, header)?, header)?,
                    "sha-512" => agree(&mut promise.sha512, unbase64(value, 64, header)?, header)?,
                    _ => {}
                }
            }
        }
    }
    Ok(promise)
}

fn unbase64(text: &str, bytes: usize, header: &str) -> Result<String> {
    match BASE64.decode(text) {
        Ok(digest) if digest.len() == bytes => Ok(hex::encode(digest)),
        _ => Err(Error::Invalid(format!(
            "the header {header} is not {bytes} bytes in base64"
        ))),
    }
}

fn agree(slot: &mut Option<String>, value: String, header: &str) -> Result<()> {
    match slot {
        Some(earlier) if *earlier != value => Err(Error::Mismatch(format!(
            "the header {header} contradicts another one"
        ))),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::HeaderValue;

    use super::*;
    use crate::protocol::full;

    const HELLO_SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn headers(of: &[(&'static str, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| {
                (
                    http::HeaderName::from_static(name),
                    HeaderValue::from_str(value).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn promises_are_read_from_every_header_that_makes_one() {
        let base64 = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
        for header in [
            ("x-checksum-sha256", HELLO_SHA256.to_owned()),
            ("x-checksum-sha256", HELLO_SHA256.to_uppercase()),
            ("x-amz-content-sha256", HELLO_SHA256.to_owned()),
            ("digest", format!("SHA-256={base64}")),
            ("content-digest", format!("md5=:xx:, sha-256=:{base64}:")),
        ] {
            let promise = promise(&headers(&[(header.0, &header.1)])).unwrap();
            assert_eq!(promise.sha256.as_deref(), Some(HELLO_SHA256), "{header:?}");
        }
        let md5 = headers(&[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")]);
        assert_eq!(
            promise(&md5).unwrap().md5.as_deref(),
            Some("5d41402abc4b2a76b9719d911017c592")
        );
        let length = headers(&[("content-length", "5")]);
        assert_eq!(promise(&length).unwrap().size_bytes, Some(5));
    }

    #[test]
    fn a_promise_that_is_none_is_refused() {
        for header in [
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("x-checksum-sha1", HELLO_SHA256),
            ("content-md5", "zz"),
            ("content-digest", "sha-256=:abc:"),
        ] {
            assert!(promise(&headers(&[header])).is_err(), "{header:?}");
        }
        let two = headers(&[
            ("x-checksum-sha256", HELLO_SHA256),
            ("x-amz-content-sha256", &HELLO_SHA256.replace('2', "3")),
        ]);
        assert!(matches!(promise(&two), Err(Error::Mismatch(_))));
    }

    #[test]
    fn only_one_expectation_is_known() {
        assert!(expectation(&headers(&[])).is_ok());
        assert!(expectation(&headers(&[("expect", "100-Continue")])).is_ok());
        assert_eq!(
            expectation(&headers(&[("expect", "tea")]))
                .unwrap_err()
                .status,
            StatusCode::EXPECTATION_FAILED
        );
    }

    #[tokio::test]
    async fn documents_are_read_under_a_cap() {
        let none = HeaderMap::new();
        assert_eq!(whole(&none, &mut full("hello"), 5).await.unwrap(), "hello");
        let error = whole(&none, &mut full("hello"), 4).await.unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit_bytes: 4 }));
        let announced = headers(&[("content-length", "5")]);
        assert!(whole(&announced, &mut full(""), 4).await.is_err());
    }
}
