//! What all formats share and clients send, for `make fuzz`: bytes in, and what must hold of whatever comes out.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::{BodyExt as _, StreamBody};

use crate::deliver::{Conditions, Outcome};
use crate::multipart::Multipart;
use crate::{Body, BoxError};

/// Three headers, a line each: a part that is served lies within the file.
pub fn conditions(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut headers = HeaderMap::new();
    for header in [RANGE, IF_RANGE, IF_NONE_MATCH] {
        if let Some(Ok(value)) = lines.next().map(HeaderValue::from_bytes) {
            headers.insert(header, value);
        }
    }
    for size_bytes in [0, 1, 1000, u64::MAX] {
        let conditions = Conditions {
            etag: "\"a\"",
            modified: None,
            size_bytes,
            takes_ranges: true,
        };
        if let Outcome::Part(part) = conditions.outcome(&Method::GET, &headers) {
            assert!(part.start < part.end && part.end <= size_bytes);
        }
    }
}

/// A form: it comes out the same in whatever pieces it arrives.
pub fn form(bytes: &[u8]) {
    let Some((cut, form)) = bytes.split_first() else {
        return;
    };
    assert_eq!(
        fields(form, form.len().max(1)),
        fields(form, usize::from(*cut) + 1)
    );
}

/// Names and contents, as far as they can be read.
fn fields(form: &[u8], piece: usize) -> Vec<(String, Option<String>, Vec<u8>)> {
    let pieces: Vec<_> = form
        .chunks(piece)
        .map(|piece| Ok::<_, BoxError>(http_body::Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    let mut body: Body = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("multipart/form-data; boundary=b"),
    );
    let mut fields = Vec::new();
    let Ok(mut parts) = Multipart::new(&headers, &mut body) else {
        return fields;
    };
    let reading = async {
        while let Ok(Some(part)) = parts.next().await {
            let Ok(content) = parts.whole(1 << 20).await else {
                return;
            };
            fields.push((part.name, part.filename, content));
        }
    };
    futures_util::FutureExt::now_or_never(reading).unwrap_or_default();
    fields
}
