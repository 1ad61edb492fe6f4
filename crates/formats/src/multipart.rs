//! `multipart/form-data` (RFC 7578), read as it comes: uploads of Python and `NuGet` clients.
//!
//! A reader of our own, because its bounds are the point: no part, head or piece can make it hold more than it says.

use bytes::{Buf as _, Bytes, BytesMut};
use catalog::{Error, Result};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt as _;
use memchr::memmem;

use crate::protocol::Body;

/// Bytes of the head of a part, at most; also of what stands before the first.
const HEAD_BYTES: usize = 8 * 1024;
/// Parts, at most.
const MAX_PARTS: usize = 10_000;
/// Characters of a boundary, at most (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A form on its way in.
pub(crate) struct Multipart<'a> {
    body: &'a mut Body,
    buffer: BytesMut,
    /// `\r\n--` and the boundary.
    delimiter: Vec<u8>,
    place: Place,
    parts: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What stands before the first part.
    Preamble,
    /// The rest of the line of a delimiter.
    Line,
    /// The content of a part.
    Content,
    /// Nothing.
    End,
}

/// The head of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field's name.
    pub name: String,
    /// The file's name, where the field is a file.
    pub filename: Option<String>,
}

fn malformed(what: &str) -> Error {
    Error::Invalid(format!("the form cannot be read: {what}"))
}

impl<'a> Multipart<'a> {
    /// Begins to read a body with these headers. Errors: `Invalid` when it is no form.
    pub(crate) fn new(headers: &HeaderMap, body: &'a mut Body) -> Result<Self> {
        let boundary = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(boundary)
            .ok_or_else(|| {
                malformed("its content type is not multipart/form-data with a boundary")
            })?;
        Ok(Self {
            body,
            // So that a form that begins with its first delimiter is like one with something before it.
            buffer: BytesMut::from(&b"\r\n"[..]),
            delimiter: [b"\r\n--", boundary.as_bytes()].concat(),
            place: Place::Preamble,
            parts: 0,
        })
    }

    /// The next part; what is left of the one before is passed over. `None` after the last. Errors: `Invalid`,
    /// `Interrupted`.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>> {
        let mut passed = 0;
        loop {
            match self.place {
                Place::Preamble => match self.piece_or_delimiter().await? {
                    Some(piece) => {
                        passed += piece.len();
                        if passed > HEAD_BYTES {
                            return Err(malformed("no part begins"));
                        }
                    }
                    None => self.place = Place::Line,
                },
                Place::Content => while self.piece().await?.is_some() {},
                Place::Line => return self.head().await,
                Place::End => return Ok(None),
            }
        }
    }

    /// The next piece of the part's content, at most as large as the body's own pieces; `None` at its end.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>> {
        if self.place != Place::Content {
            return Ok(None);
        }
        let piece = self.piece_or_delimiter().await?;
        if piece.is_none() {
            self.place = Place::Line;
        }
        Ok(piece)
    }

    /// The whole content of the part, if it has at most `limit_bytes`.
    pub(crate) async fn whole(&mut self, limit_bytes: usize) -> Result<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > limit_bytes {
                return Err(malformed(&format!(
                    "a field has more than {limit_bytes} bytes"
                )));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// What stands before the next delimiter, piece by piece; `None` when the delimiter has been taken.
    async fn piece_or_delimiter(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(at) = memmem::find(&self.buffer, &self.delimiter) {
                if at > 0 {
                    return Ok(Some(self.buffer.split_to(at).freeze()));
                }
                self.buffer.advance(self.delimiter.len());
                return Ok(None);
            }
            // The beginning of a delimiter may be at the end.
            let safe = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if safe > 0 {
                return Ok(Some(self.buffer.split_to(safe).freeze()));
            }
            self.read().await?;
        }
    }

    /// What follows a delimiter: the end, or the head of a part.
    async fn head(&mut self) -> Result<Option<Part>> {
        while self.buffer.len() < 2 {
            self.read().await?;
        }
        if self.buffer.starts_with(b"--") {
            self.place = Place::End;
            return Ok(None);
        }
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(malformed(&format!("it has more than {MAX_PARTS} parts")));
        }
        let end = loop {
            // From the end of the delimiter's own line, so that a part without headers is one.
            if let Some(at) = memmem::find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > HEAD_BYTES {
                return Err(malformed(&format!(
                    "the head of a part has more than {HEAD_BYTES} bytes"
                )));
            }
            self.read().await?;
        };
        if end > HEAD_BYTES {
            return Err(malformed(&format!(
                "the head of a part has more than {HEAD_BYTES} bytes"
            )));
        }
        let head = self.buffer.split_to(end + 4);
        self.place = Place::Content;
        let head =
            std::str::from_utf8(&head).map_err(|_| malformed("the head of a part is not UTF-8"))?;
        part(head).map(Some)
    }

    async fn read(&mut self) -> Result<()> {
        loop {
            let Some(frame) = self.body.frame().await else {
                return Err(malformed("it ends before its last boundary"));
            };
            let frame = frame.map_err(|error| Error::Interrupted(std::io::Error::other(error)))?;
            if let Ok(data) = frame.into_data()
                && !data.is_empty()
            {
                self.buffer.extend_from_slice(&data);
                return Ok(());
            }
        }
    }
}

/// `multipart/form-data; boundary=…`
fn boundary(content_type: &str) -> Option<String> {
    let (media_type, parameters) = content_type.split_once(';')?;
    if !media_type
        .trim()
        .eq_ignore_ascii_case("multipart/form-data")
    {
        return None;
    }
    let boundary = parameter(parameters, "boundary")?;
    let is_good = (1..=MAX_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
        && !boundary.ends_with(' ');
    is_good.then_some(boundary)
}

fn part(head: &str) -> Result<Part> {
    let mut disposition = None;
    for line in head.split("\r\n").filter(|line| !line.trim().is_empty()) {
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| malformed("a line in the head of a part is no header"))?;
        if name.trim().eq_ignore_ascii_case("content-disposition")
            && disposition.replace(value.trim()).is_some()
        {
            return Err(malformed("a part has two dispositions"));
        }
    }
    let disposition = disposition.ok_or_else(|| malformed("a part has no disposition"))?;
    let (kind, parameters) = disposition.split_once(';').unwrap_or((disposition, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(malformed("a part is no form data"));
    }
    let name = parameter(parameters, "name").ok_or_else(|| malformed("a part has no name"))?;
    Ok(Part {
        name,
        filename: parameter(parameters, "filename"),
    })
}

/// A parameter of a header: a token, or a quoted text with `\` before what would end it.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([';', ' ', '\t']);
        let (name, after) = rest.split_once('=')?;
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\\') => value.push(chars.next()?.1),
                    (_, c) => value.push(c),
                }
            };
            (value, &quoted[end..])
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::stream;
    use http::HeaderValue;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=XX";

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())])
    }

    /// A body that comes `size` bytes at a time.
    fn body(text: &[u8], size: usize) -> Body {
        let pieces: Vec<_> = text
            .chunks(size)
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        StreamBody::new(stream::iter(pieces)).boxed_unsync()
    }

    async fn read(content_type: &str, text: &[u8], size: usize) -> Result<Vec<(Part, String)>> {
        let mut body = body(text, size);
        let mut form = Multipart::new(&headers(content_type), &mut body)?;
        let mut parts = Vec::new();
        while let Some(part) = form.next().await? {
            let content = form.whole(1 << 20).await?;
            parts.push((part, String::from_utf8(content).unwrap()));
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn parts_are_read_however_the_body_comes() {
        let text = b"before\r\n--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n--XX\r\n\
            content-disposition: form-data; filename=\"x\\\"y.whl\"; name=content\r\nContent-Type: b/c\r\n\r\n\
            \r\n--X\r\n--\r\n\r\n--XX  \r\nContent-Disposition: form-data; name=\"e\"\r\n\r\n\r\n--XX--\r\nafter";
        for size in [1, 2, 3, 7, 64, 1024] {
            let parts = read(TYPE, text, size).await.unwrap();
            let shown: Vec<_> = parts
                .iter()
                .map(|(part, content)| {
                    (
                        part.name.as_str(),
                        part.filename.as_deref(),
                        content.as_str(),
                    )
                })
                .collect();
            assert_eq!(
                shown,
                [
                    ("a", None, "value"),
                    ("content", Some("x\"y.whl"), "\r\n--X\r\n--\r\n"),
                    ("e", None, ""),
                ],
                "{size}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_form_is_refused() {
        let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n";
        let long = format!("--XX\r\nX: {}\r\n\r\n", "y".repeat(20_000));
        let endless = format!("--XX\r\n{}", "y".repeat(20_000));
        let many = part.repeat(MAX_PARTS + 1);
        for (content_type, text) in [
            ("text/plain", "x"),
            ("multipart/form-data", "x"),
            ("multipart/form-data; boundary=", "x"),
            (TYPE, ""),
            (TYPE, "no part at all"),
            (TYPE, part),
            (TYPE, "--XX\r\n\r\nx\r\n--XX--"),
            (
                TYPE,
                "--XX\r\nContent-Disposition: form-data\r\n\r\nx\r\n--XX--",
            ),
            (
                TYPE,
                "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--XX--",
            ),
            (
                TYPE,
                "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--XX--",
            ),
            (TYPE, long.as_str()),
            (TYPE, endless.as_str()),
            (TYPE, &"x".repeat(20_000)),
            (TYPE, many.as_str()),
        ] {
            let error = read(content_type, text.as_bytes(), 4096).await.unwrap_err();
            let start: String = text.chars().take(60).collect();
            assert!(matches!(error, Error::Invalid(_)), "{content_type} {start}");
        }
    }

    #[tokio::test]
    async fn a_part_that_nobody_reads_is_passed_over() {
        let text =
            b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nlong content\r\n--XX\r\n\
            Content-Disposition: form-data; name=\"b\"\r\n\r\n\r\n--XX--";
        let mut body = body(text, 5);
        let mut form = Multipart::new(&headers(TYPE), &mut body).unwrap();
        assert_eq!(form.next().await.unwrap().unwrap().name, "a");
        assert_eq!(form.next().await.unwrap().unwrap().name, "b");
        assert_eq!(form.next().await.unwrap(), None);
    }
}
