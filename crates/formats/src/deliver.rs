//! How the bytes of a file leave: the one answer to HEAD, ranges and conditions, for every format and for the API.

use std::ops::Range;

use catalog::{Asset, Error, Timestamp};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, LAST_MODIFIED,
    RANGE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};

use crate::document::insert;
use crate::protocol::{Body, empty, full, streamed};

const X_CHECKSUM_MD5: HeaderName = HeaderName::from_static("x-checksum-md5");
const X_CHECKSUM_SHA1: HeaderName = HeaderName::from_static("x-checksum-sha1");
const X_CHECKSUM_SHA256: HeaderName = HeaderName::from_static("x-checksum-sha256");

/// Answers GET and HEAD with a file.
///
/// `extra` headers come last and replace those of the same name, `Content-Disposition` among them. A file that is still
/// being fetched from a registry is passed on as it arrives, without the headers that need its digests; only who asks
/// for a part of it or names conditions waits until it is here.
///
/// Errors: those of [`Asset::settled`] and [`Asset::bytes`].
pub async fn deliver(
    method: &Method,
    headers: &HeaderMap,
    asset: Asset,
    content_type: &'static str,
    extra: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Result<Response<Body>, Error> {
    // What is elsewhere and promised can be weighed as it is: asking for parts of it is no reason to take it.
    let is_promised =
        asset.is_elsewhere() && asset.sha256().is_some() && asset.size_bytes().is_some();
    let is_asked_about = CONDITIONS.iter().any(|name| headers.contains_key(name));
    let asset = if asset.digests().is_none() && !is_promised && is_asked_about {
        asset.settled().await?
    } else {
        asset
    };
    let mut out = HeaderMap::with_capacity(16);
    out.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    out.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    out.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    insert(&mut out, LAST_MODIFIED, asset.modified.http_date());

    let outcome = match (asset.sha256(), asset.size_bytes()) {
        (Some(sha256), Some(size_bytes)) => {
            let etag = format!("\"{sha256}\"");
            let conditions = Conditions {
                etag: &etag,
                modified: Some(asset.modified),
                size_bytes,
                takes_ranges: true,
            };
            let outcome = conditions.outcome(method, headers);
            out.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            insert(&mut out, ETAG, etag);
            outcome
        }
        _ => Outcome::Whole,
    };
    if let Some(digests) = asset.digests() {
        insert(&mut out, X_CHECKSUM_SHA1, digests.sha1.clone());
        insert(&mut out, X_CHECKSUM_MD5, digests.md5.clone());
        insert(&mut out, X_CHECKSUM_SHA256, digests.sha256.clone());
    }
    for (name, value) in extra {
        out.insert(name, value);
    }

    let status = outcome.status();
    let body = match outcome {
        Outcome::Whole => {
            if let Some(size_bytes) = asset.size_bytes() {
                out.insert(CONTENT_LENGTH, size_bytes.into());
            }
            if method == Method::HEAD {
                empty()
            } else if let Some(bytes) = asset.in_memory() {
                full(bytes)
            } else if asset.is_elsewhere() {
                streamed(asset.settled().await?.bytes(None).await?)
            } else {
                streamed(asset.bytes(None).await?)
            }
        }
        Outcome::Part(part) => {
            let size_bytes = asset.size_bytes().unwrap_or(part.end);
            let range = format!("bytes {}-{}/{size_bytes}", part.start, part.end - 1);
            insert(&mut out, CONTENT_RANGE, range);
            out.insert(CONTENT_LENGTH, (part.end - part.start).into());
            match (asset.in_memory(), as_indexes(&part)) {
                (Some(bytes), Some(part)) if part.end <= bytes.len() => full(bytes.slice(part)),
                _ => match asset.part(part.clone()).await? {
                    Some(bytes) => streamed(bytes),
                    None => streamed(asset.settled().await?.bytes(Some(part)).await?),
                },
            }
        }
        Outcome::Unsatisfiable => {
            let size_bytes = asset.size_bytes().unwrap_or_default();
            insert(&mut out, CONTENT_RANGE, format!("bytes */{size_bytes}"));
            out.remove(CONTENT_TYPE);
            empty()
        }
        Outcome::NotModified | Outcome::Failed => {
            out.remove(CONTENT_TYPE);
            empty()
        }
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = out;
    Ok(answer)
}

/// The headers whose answer needs the file's size and digests.
static CONDITIONS: [HeaderName; 5] = [
    RANGE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_MODIFIED_SINCE,
    IF_UNMODIFIED_SINCE,
];

fn as_indexes(part: &Range<u64>) -> Option<Range<usize>> {
    Some(usize::try_from(part.start).ok()?..usize::try_from(part.end).ok()?)
}

/// What a request's conditions are compared with.
pub(crate) struct Conditions<'a> {
    /// The entity tag, in its quotes.
    pub etag: &'a str,
    /// When it was last changed, if that is known; compared by the second, as the header has it.
    pub modified: Option<Timestamp>,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether parts of it are served.
    pub takes_ranges: bool,
}

/// What becomes of a request for something that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is sent whole.
    Whole,
    /// This part of it is sent; never empty.
    Part(Range<u64>),
    /// The client has it.
    NotModified,
    /// It is not what the client thinks it is.
    Failed,
    /// It has no such part.
    Unsatisfiable,
}

impl Outcome {
    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Outcome::Whole => StatusCode::OK,
            Outcome::Part(_) => StatusCode::PARTIAL_CONTENT,
            Outcome::NotModified => StatusCode::NOT_MODIFIED,
            Outcome::Failed => StatusCode::PRECONDITION_FAILED,
            Outcome::Unsatisfiable => StatusCode::RANGE_NOT_SATISFIABLE,
        }
    }
}

impl Conditions<'_> {
    /// Weighs the headers of a GET or HEAD in the order of RFC 9110, section 13.2.2.
    pub(crate) fn outcome(&self, method: &Method, headers: &HeaderMap) -> Outcome {
        if headers.contains_key(IF_MATCH) {
            if !self.is_named(headers, &IF_MATCH) {
                return Outcome::Failed;
            }
        } else if let (Some(modified), Some(since)) = self.dates(headers, &IF_UNMODIFIED_SINCE)
            && modified > since
        {
            return Outcome::Failed;
        }
        if headers.contains_key(IF_NONE_MATCH) {
            if self.is_named(headers, &IF_NONE_MATCH) {
                return Outcome::NotModified;
            }
        } else if let (Some(modified), Some(since)) = self.dates(headers, &IF_MODIFIED_SINCE)
            && modified <= since
        {
            return Outcome::NotModified;
        }
        if !self.takes_ranges || method != Method::GET || !self.may_be_partial(headers) {
            return Outcome::Whole;
        }
        match headers.get(RANGE).and_then(|range| range.to_str().ok()) {
            Some(range) => self.part(range),
            None => Outcome::Whole,
        }
    }

    /// Whether one of the entity tags in a list is ours. Weak ones count: a weak tag of ours is the same bytes.
    fn is_named(&self, headers: &HeaderMap, header: &HeaderName) -> bool {
        headers
            .get_all(header)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }

    /// `If-Range`: a part is only of use if the rest is of the same file. Compared strongly.
    fn may_be_partial(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE).and_then(|value| value.to_str().ok()) else {
            return true;
        };
        if value.starts_with('"') || value.starts_with("W/") {
            return value == self.etag;
        }
        matches!(self.dates(headers, &IF_RANGE), (Some(modified), Some(since)) if modified == since)
    }

    /// Our time of change and that of a header, in seconds.
    fn dates(&self, headers: &HeaderMap, header: &HeaderName) -> (Option<i64>, Option<i64>) {
        let date = headers.get(header).and_then(|value| value.to_str().ok());
        let date = date.and_then(Timestamp::parse_http_date);
        (
            self.modified.map(Timestamp::seconds),
            date.map(Timestamp::seconds),
        )
    }

    /// `bytes=0-4`, `bytes=5-`, `bytes=-5`. Several ranges, other units and nonsense are answered with the whole, as a
    /// server may.
    fn part(&self, range: &str) -> Outcome {
        let Some((first, last)) = range
            .strip_prefix("bytes=")
            .and_then(|range| range.trim().split_once('-'))
        else {
            return Outcome::Whole;
        };
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            // Numbers too large for us are beyond the end of every file.
            is_number.then(|| text.parse().unwrap_or(u64::MAX))
        };
        let size = self.size_bytes;
        let (start, end) = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1).min(size)),
            (Some(first), None) if last.is_empty() => (first, size),
            (None, Some(length)) if first.is_empty() => (size - length.min(size), size),
            _ => return Outcome::Whole,
        };
        if start < end {
            Outcome::Part(start..end)
        } else {
            Outcome::Unsatisfiable
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const THEN: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const EARLIER: &str = "Wed, 31 Dec 2025 23:59:59 GMT";
    const LATER: &str = "Thu, 01 Jan 2026 00:00:01 GMT";

    fn outcome(method: &Method, size_bytes: u64, lines: &[(HeaderName, &str)]) -> Outcome {
        let headers = lines
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        let conditions = Conditions {
            etag: "\"abc\"",
            // Changed within the second that the header can say.
            modified: Some(Timestamp::from_millis(
                Timestamp::parse_http_date(THEN).unwrap().millis() + 900,
            )),
            size_bytes,
            takes_ranges: true,
        };
        conditions.outcome(method, &headers)
    }

    #[test]
    fn ranges_are_cut_to_the_file() {
        for (range, size, expected) in [
            ("bytes=0-4", 10, Outcome::Part(0..5)),
            ("bytes=0-0", 10, Outcome::Part(0..1)),
            ("bytes=5-", 10, Outcome::Part(5..10)),
            ("bytes=-3", 10, Outcome::Part(7..10)),
            ("bytes=-30", 10, Outcome::Part(0..10)),
            ("bytes=8-99", 10, Outcome::Part(8..10)),
            ("bytes=8-99999999999999999999999", 10, Outcome::Part(8..10)),
            ("bytes=10-", 10, Outcome::Unsatisfiable),
            ("bytes=10-11", 10, Outcome::Unsatisfiable),
            ("bytes=-0", 10, Outcome::Unsatisfiable),
            ("bytes=0-", 0, Outcome::Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Outcome::Unsatisfiable),
            ("bytes=0-1,3-4", 10, Outcome::Whole),
            ("bytes=4-2", 10, Outcome::Whole),
            ("bytes=-", 10, Outcome::Whole),
            ("bytes=a-b", 10, Outcome::Whole),
            ("bytes=+1-2", 10, Outcome::Whole),
            ("lines=0-4", 10, Outcome::Whole),
            ("0-4", 10, Outcome::Whole),
        ] {
            let outcome = outcome(&Method::GET, size, &[(RANGE, range)]);
            assert_eq!(outcome, expected, "{range} of {size}");
        }
    }

    #[test]
    fn conditions_are_weighed_in_the_order_of_the_standard() {
        let part = Outcome::Part(0..1);
        for (lines, expected) in [
            (vec![(IF_NONE_MATCH, "\"abc\"")], Outcome::NotModified),
            (
                vec![(IF_NONE_MATCH, "\"x\", W/\"abc\"")],
                Outcome::NotModified,
            ),
            (vec![(IF_NONE_MATCH, "*")], Outcome::NotModified),
            (vec![(IF_NONE_MATCH, "\"x\"")], Outcome::Whole),
            (vec![(IF_MODIFIED_SINCE, THEN)], Outcome::NotModified),
            (vec![(IF_MODIFIED_SINCE, LATER)], Outcome::NotModified),
            (vec![(IF_MODIFIED_SINCE, EARLIER)], Outcome::Whole),
            (vec![(IF_MODIFIED_SINCE, "yesterday")], Outcome::Whole),
            (
                vec![(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, THEN)],
                Outcome::Whole,
            ),
            (vec![(IF_UNMODIFIED_SINCE, EARLIER)], Outcome::Failed),
            (vec![(IF_UNMODIFIED_SINCE, THEN)], Outcome::Whole),
            (vec![(IF_MATCH, "\"x\"")], Outcome::Failed),
            (
                vec![(IF_MATCH, "\"abc\""), (IF_UNMODIFIED_SINCE, EARLIER)],
                Outcome::Whole,
            ),
            (
                vec![(RANGE, "bytes=0-0"), (IF_UNMODIFIED_SINCE, EARLIER)],
                Outcome::Failed,
            ),
            (
                vec![(RANGE, "bytes=0-0"), (IF_RANGE, "\"abc\"")],
                part.clone(),
            ),
            (vec![(RANGE, "bytes=0-0"), (IF_RANGE, THEN)], part.clone()),
            (
                vec![(RANGE, "bytes=0-0"), (IF_RANGE, "\"x\"")],
                Outcome::Whole,
            ),
            (
                vec![(RANGE, "bytes=0-0"), (IF_RANGE, "W/\"abc\"")],
                Outcome::Whole,
            ),
            (
                vec![(RANGE, "bytes=0-0"), (IF_RANGE, LATER)],
                Outcome::Whole,
            ),
            (
                vec![(RANGE, "bytes=0-0"), (IF_NONE_MATCH, "\"abc\"")],
                Outcome::NotModified,
            ),
        ] {
            assert_eq!(outcome(&Method::GET, 10, &lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn head_is_never_partial() {
        let lines = [(RANGE, "bytes=0-0")];
        assert_eq!(outcome(&Method::HEAD, 10, &lines), Outcome::Whole);
    }
}
