//! Small documents of our own making: indexes and checksums.

use std::any::Any;
use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use catalog::{Digests, Timestamp, Weighed};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    LAST_MODIFIED, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};

use crate::deliver::{Conditions, Outcome};
use crate::protocol::{Body, empty, full};

/// Smaller documents are sent as they are: a gzip frame alone has 18 bytes, and the headers take more.
const WORTH_COMPRESSING_BYTES: usize = 512;
/// Compressed where it is; more is done on a blocking thread.
const QUICK_BYTES: usize = 32 * 1024;

/// A document that is rendered: its bytes, and what is derived from them once, when it is first asked for. Cheap to
/// clone.
#[derive(Clone)]
pub struct Document(Arc<Rendered>);

struct Rendered {
    body: Bytes,
    content_type: &'static str,
    changed: Option<Timestamp>,
    digests: OnceLock<Digests>,
    compressed: OnceLock<Bytes>,
}

impl Document {
    /// Wraps rendered bytes. `changed` is when the newest of the facts in it came to be: never the time of rendering,
    /// or the same document would be another one a second later. `None` when nobody knows.
    pub fn new(
        body: impl Into<Bytes>,
        content_type: &'static str,
        changed: Option<Timestamp>,
    ) -> Self {
        Self(Arc::new(Rendered {
            body: body.into(),
            content_type,
            changed,
            digests: OnceLock::new(),
            compressed: OnceLock::new(),
        }))
    }

    /// Its bytes.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// When it last changed, if that is known.
    pub fn changed(&self) -> Option<Timestamp> {
        self.0.changed
    }

    /// Its digests.
    pub fn digests(&self) -> &Digests {
        self.0.digests.get_or_init(|| Digests::of(&self.0.body))
    }

    /// Answers GET and HEAD: conditions, gzip for who wants it, checksums in the headers.
    pub async fn answer(&self, method: &Method, headers: &HeaderMap) -> Response<Body> {
        let worth_it = self.0.body.len() >= WORTH_COMPRESSING_BYTES;
        let gzip = worth_it && accepts_gzip(headers);
        let suffix = if gzip { "-gzip" } else { "" };
        let digests = self.digests();
        let etag = format!("\"{}{suffix}\"", digests.sha256);

        let mut answer = Response::new(empty());
        let out = answer.headers_mut();
        out.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        insert(out, ETAG, etag.clone());
        if let Some(changed) = self.0.changed {
            insert(out, LAST_MODIFIED, changed.http_date());
        }
        if worth_it {
            out.insert(VARY, HeaderValue::from_static("accept-encoding"));
        }
        let conditions = Conditions {
            etag: &etag,
            modified: self.0.changed,
            size_bytes: 0,
            takes_ranges: false,
        };
        match conditions.outcome(method, headers) {
            Outcome::Whole | Outcome::Part(_) => {}
            refused => {
                *answer.status_mut() = refused.status();
                return answer;
            }
        }
        out.insert(CONTENT_TYPE, HeaderValue::from_static(self.0.content_type));
        insert(
            out,
            HeaderName::from_static("x-checksum-sha1"),
            digests.sha1.clone(),
        );
        insert(
            out,
            HeaderName::from_static("x-checksum-md5"),
            digests.md5.clone(),
        );
        let body = if gzip {
            out.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            self.compressed().await
        } else {
            self.0.body.clone()
        };
        answer
            .headers_mut()
            .insert(CONTENT_LENGTH, body.len().into());
        if method != Method::HEAD {
            *answer.body_mut() = full(body);
        }
        answer
    }

    async fn compressed(&self) -> Bytes {
        if let Some(compressed) = self.0.compressed.get() {
            return compressed.clone();
        }
        let rendered = Arc::clone(&self.0);
        let compress = move || {
            rendered
                .compressed
                .get_or_init(|| gzip(&rendered.body))
                .clone()
        };
        if self.0.body.len() <= QUICK_BYTES {
            return compress();
        }
        let rendered = Arc::clone(&self.0);
        tokio::task::spawn_blocking(compress)
            .await
            .unwrap_or_else(|_| gzip(&rendered.body))
    }
}

/// What a rendered list is kept by: its bytes, and those that compressing will add.
impl Weighed for Document {
    fn weight_bytes(&self) -> usize {
        let body = self.0.body.len();
        body + body / 4
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

fn gzip(body: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::default());
    encoder
        .write_all(body)
        .and_then(|()| encoder.finish())
        .expect("a vector takes every byte")
        .into()
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
            let is_refused = weight
                .trim()
                .strip_prefix("q=")
                .is_some_and(|weight| weight.parse() == Ok(0.0_f32));
            name.trim().eq_ignore_ascii_case("gzip") && !is_refused
        })
}

/// Inserts a header whose value is made of visible ASCII by us.
pub(crate) fn insert(headers: &mut HeaderMap, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Read as _;

    use http::StatusCode;
    use http::header::IF_NONE_MATCH;
    use http_body_util::BodyExt as _;

    use super::*;

    fn document() -> Document {
        let body = "<version>1.0</version>\n".repeat(100);
        Document::new(
            body,
            "application/xml",
            Some(Timestamp::from_seconds(1_700_000_000)),
        )
    }

    fn asking(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect()
    }

    #[tokio::test]
    async fn gzip_is_for_those_who_accept_it_and_is_another_entity() {
        let plain = document().answer(&Method::GET, &asking(&[])).await;
        for accept in ["gzip,deflate", "br, GZIP;q=0.5"] {
            let headers = asking(&[(ACCEPT_ENCODING, accept)]);
            let answer = document().answer(&Method::GET, &headers).await;
            assert_eq!(answer.headers()[CONTENT_ENCODING], "gzip");
            assert_ne!(answer.headers()[ETAG], plain.headers()[ETAG]);
            let sent = answer.into_body().collect().await.unwrap().to_bytes();
            let mut read = String::new();
            flate2::read::GzDecoder::new(&sent[..])
                .read_to_string(&mut read)
                .unwrap();
            assert_eq!(read.as_bytes(), document().body());
        }
        for accept in ["identity", "gzip;q=0", "deflate"] {
            let headers = asking(&[(ACCEPT_ENCODING, accept)]);
            let answer = document().answer(&Method::GET, &headers).await;
            assert!(!answer.headers().contains_key(CONTENT_ENCODING), "{accept}");
            assert_eq!(answer.headers()[VARY], "accept-encoding");
        }
    }

    #[tokio::test]
    async fn head_says_what_get_says() {
        let get = document().answer(&Method::GET, &asking(&[])).await;
        let head = document().answer(&Method::HEAD, &asking(&[])).await;
        assert_eq!(get.headers(), head.headers());
        assert!(
            head.into_body()
                .collect()
                .await
                .unwrap()
                .to_bytes()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn who_has_it_is_told_so() {
        let get = document().answer(&Method::GET, &asking(&[])).await;
        let etag = get.headers()[ETAG].to_str().unwrap();
        let headers = asking(&[(IF_NONE_MATCH, etag)]);
        let again = document().answer(&Method::GET, &headers).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[ETAG], get.headers()[ETAG]);
    }
}
