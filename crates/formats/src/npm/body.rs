//! Takes the document that a client publishes apart while it arrives: the tarball in it is decoded and stored piece by
//! piece, and the rest, which is small, is kept to be read as JSON.
//!
//! Members come in any order (Yarn 2 sends attachments first), so nothing is known of the version when its bytes come. The
//! splitter knows just enough JSON to find `_attachments.NAME.data` and to know where each string ends; whether all of it
//! is JSON is seen when the rest is parsed.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use memchr::memchr2;

use super::json::DEPTH;

/// Bytes of the document of a publication without its attachments, at most.
const METADATA_BYTES: usize = 16 << 20;

/// Bytes of a document without attachments, at most: clients that deprecate send all of a packument back.
const DOCUMENT_BYTES: usize = 100 << 20;

/// Standard base64 in which nothing is forgiven.
const STRICT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// What a piece of the body brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// The tarball begins.
    Begin,
    /// More of it, decoded.
    Bytes(Bytes),
    /// It ends.
    End,
}

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It cannot be meant.
    Invalid(&'static str),
    /// It has more than so many bytes besides the tarball.
    TooLarge(usize),
}

/// Where in the document a byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between tokens.
    Between,
    /// In a string, whose text so far is `token` if it may be looked at.
    Text { escaped: bool },
    /// In the string that is the tarball.
    Tarball { escaped: bool },
}

/// The splitter.
pub(crate) struct Splitter {
    rest: Vec<u8>,
    place: Place,
    /// `{` or `[` for each level.
    levels: Vec<u8>,
    /// Where in `rest` the string begins that is being read.
    began: usize,
    /// The last string between tokens, as it stands in `rest`: a key, when a colon follows.
    last: Option<(usize, usize)>,
    /// The keys that lead to the value that is being read, as far as they matter.
    keys: [Option<String>; 3],
    expects_value: bool,
    base64: Vec<u8>,
    has_tarball: bool,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            rest: Vec::new(),
            place: Place::Between,
            levels: Vec::new(),
            began: 0,
            last: None,
            keys: [const { None }; 3],
            expects_value: false,
            base64: Vec::new(),
            has_tarball: false,
        }
    }
}

impl Splitter {
    /// Takes the next bytes of the body; gives what they bring of the tarball.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> Result<Vec<Part>, Wrong> {
        let mut parts = Vec::new();
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Between => self.between(bytes, &mut parts)?,
                Place::Text { escaped } => self.text(bytes, escaped),
                Place::Tarball { escaped } => self.tarball(bytes, escaped, &mut parts)?,
            };
            let limit = if self.has_tarball {
                METADATA_BYTES
            } else {
                DOCUMENT_BYTES
            };
            if self.rest.len() > limit {
                return Err(Wrong::TooLarge(limit));
            }
        }
        Ok(parts)
    }

    /// The document without the tarball, in whose place stands an empty string.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Wrong> {
        if self.place != Place::Between || !self.levels.is_empty() {
            return Err(Wrong::Invalid("the document ends too early"));
        }
        Ok(self.rest)
    }

    fn between<'b>(&mut self, bytes: &'b [u8], parts: &mut Vec<Part>) -> Result<&'b [u8], Wrong> {
        let (byte, next) = (bytes[0], &bytes[1..]);
        self.rest.push(byte);
        match byte {
            b'"' if self.begins_tarball() => {
                if std::mem::replace(&mut self.has_tarball, true) {
                    return Err(Wrong::Invalid("the document has two tarballs"));
                }
                self.place = Place::Tarball { escaped: false };
                self.expects_value = false;
                parts.push(Part::Begin);
            }
            b'"' => {
                self.began = self.rest.len();
                self.place = Place::Text { escaped: false };
                self.expects_value = false;
            }
            b'{' | b'[' => {
                self.expects_value = false;
                if self.levels.len() == DEPTH {
                    return Err(Wrong::Invalid("the document is nested too deeply"));
                }
                self.levels.push(byte);
                self.last = None;
            }
            b'}' | b']' => {
                let opened = if byte == b'}' { b'{' } else { b'[' };
                if self.levels.pop() != Some(opened) {
                    return Err(Wrong::Invalid("the document is not JSON"));
                }
                if let Some(key) = self.keys.get_mut(self.levels.len()) {
                    *key = None;
                }
                self.last = None;
            }
            b':' => {
                self.key()?;
                self.expects_value = true;
            }
            b',' => self.last = None,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.expects_value = false,
        }
        Ok(next)
    }

    /// The string before this colon is the key of what follows.
    fn key(&mut self) -> Result<(), Wrong> {
        let Some((from, to)) = self.last.take() else {
            return Err(Wrong::Invalid("the document is not JSON"));
        };
        let level = self.levels.len();
        if self.levels.last() != Some(&b'{') || !(1..=self.keys.len()).contains(&level) {
            return Ok(());
        }
        // With its quotes, as it stands: however it is spelled, it is compared as what it means.
        let key = serde_json::from_slice(&self.rest[from - 1..=to]);
        let key = key.map_err(|_| Wrong::Invalid("the document is not JSON"))?;
        self.keys[level - 1] = Some(key);
        Ok(())
    }

    /// Whether the string that begins here is `_attachments.NAME.tgz.data`.
    fn begins_tarball(&self) -> bool {
        let [Some(member), Some(name), Some(data)] = &self.keys else {
            return false;
        };
        self.expects_value
            && self.levels == *b"{{{"
            && member == "_attachments"
            && matches!(name.rsplit_once('.'), Some((_, "tgz")))
            && data == "data"
    }

    fn text<'b>(&mut self, bytes: &'b [u8], escaped: bool) -> &'b [u8] {
        if escaped {
            self.rest.push(bytes[0]);
            self.place = Place::Text { escaped: false };
            return &bytes[1..];
        }
        let Some(at) = memchr2(b'"', b'\\', bytes) else {
            self.rest.extend_from_slice(bytes);
            return &[];
        };
        self.rest.extend_from_slice(&bytes[..=at]);
        if bytes[at] == b'\\' {
            self.place = Place::Text { escaped: true };
        } else {
            self.last = Some((self.began, self.rest.len() - 1));
            self.place = Place::Between;
        }
        &bytes[at + 1..]
    }

    fn tarball<'b>(
        &mut self,
        bytes: &'b [u8],
        escaped: bool,
        parts: &mut Vec<Part>,
    ) -> Result<&'b [u8], Wrong> {
        if escaped {
            // The one character of base64 that some write with a backslash.
            if bytes[0] != b'/' {
                return Err(Wrong::Invalid(NOT_BASE64));
            }
            self.base64.push(b'/');
            self.place = Place::Tarball { escaped: false };
            return Ok(&bytes[1..]);
        }
        let at = memchr2(b'"', b'\\', bytes);
        self.base64
            .extend_from_slice(&bytes[..at.unwrap_or(bytes.len())]);
        let Some(at) = at else {
            // The last four may be padded, and then they are the last.
            self.decode(self.base64.len().saturating_sub(1) / 4 * 4, parts)?;
            return Ok(&[]);
        };
        if bytes[at] == b'\\' {
            self.place = Place::Tarball { escaped: true };
        } else {
            self.decode(self.base64.len(), parts)?;
            parts.push(Part::End);
            self.rest.push(b'"');
            self.place = Place::Between;
        }
        Ok(&bytes[at + 1..])
    }

    fn decode(&mut self, length: usize, parts: &mut Vec<Part>) -> Result<(), Wrong> {
        if length == 0 {
            return Ok(());
        }
        let text = &self.base64[..length];
        let is_last = length == self.base64.len();
        if !is_last && text.contains(&b'=') {
            return Err(Wrong::Invalid(NOT_BASE64));
        }
        let decoded = STRICT
            .decode(text)
            .map_err(|_| Wrong::Invalid(NOT_BASE64))?;
        self.base64.drain(..length);
        if !decoded.is_empty() {
            parts.push(Part::Bytes(decoded.into()));
        }
        Ok(())
    }
}

const NOT_BASE64: &str = "the tarball is not base64";

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Pushes a body in pieces of this size: the document that is left, and the tarball.
    fn split(body: &[u8], size: usize) -> Result<(String, Option<Vec<u8>>), Wrong> {
        let mut splitter = Splitter::default();
        let mut tarball = None;
        for piece in body.chunks(size) {
            for part in splitter.push(piece)? {
                match part {
                    Part::Begin => tarball = Some(Vec::new()),
                    Part::Bytes(bytes) => tarball.as_mut().unwrap().extend_from_slice(&bytes),
                    Part::End => {}
                }
            }
        }
        Ok((String::from_utf8(splitter.finish()?).unwrap(), tarball))
    }

    #[test]
    fn the_tarball_is_found_however_the_body_is_cut_and_ordered() {
        let long = STRICT.encode([9; 1000]);
        for (body, rest, tarball) in [
            (
                r#"{"name":"a","_attachments":{"a-1.tgz":{"length":3,"data":"aGV5"}}}"#.to_owned(),
                r#"{"name":"a","_attachments":{"a-1.tgz":{"length":3,"data":""}}}"#,
                Some(b"hey".to_vec()),
            ),
            (
                r#"{"_attachments" : {"a-1.tgz": {"data" : "aGU=" } }, "x":["data","aGV5"]}"#.to_owned(),
                r#"{"_attachments" : {"a-1.tgz": {"data" : "" } }, "x":["data","aGV5"]}"#,
                Some(b"he".to_vec()),
            ),
            (
                r#"{"\u005fattachments":{"a.tgz":{"data":"\/\/\/\/"}}}"#.to_owned(),
                r#"{"\u005fattachments":{"a.tgz":{"data":""}}}"#,
                Some(vec![255; 3]),
            ),
            (
                r#"{"_attachments":{"a.sigstore":{"data":"{\"a\":1}"},"a.tgz":{"data":""}}}"#.to_owned(),
                r#"{"_attachments":{"a.sigstore":{"data":"{\"a\":1}"},"a.tgz":{"data":""}}}"#,
                Some(Vec::new()),
            ),
            (
                r#"{"versions":{"1":{"_attachments":{"a.tgz":{"data":"!"}}}},"e":"\\\"","_attachments":{"data":{"x.tgz":{"data":"!"}}}}"#.to_owned(),
                r#"{"versions":{"1":{"_attachments":{"a.tgz":{"data":"!"}}}},"e":"\\\"","_attachments":{"data":{"x.tgz":{"data":"!"}}}}"#,
                None,
            ),
            (
                format!(r#"{{"_attachments":{{"a.tgz":{{"data":"{long}"}}}}}}"#),
                r#"{"_attachments":{"a.tgz":{"data":""}}}"#,
                Some(vec![9; 1000]),
            ),
        ] {
            for size in [1, 2, 3, 5, 7, 64, 5000] {
                let found = split(body.as_bytes(), size).unwrap();
                assert_eq!(found, (rest.to_owned(), tarball.clone()), "{body} by {size}");
            }
        }
    }

    #[test]
    fn what_is_not_strictly_base64_is_refused() {
        for data in [
            "aGV",
            "aGV5\\n",
            "aGV5 ",
            "aG=5",
            "aGU=aGU=",
            "aGV5=",
            "====",
            "aGV_",
            "aGV=",
            "\\u0061GV5",
        ] {
            let body = format!(r#"{{"_attachments":{{"a.tgz":{{"data":"{data}"}}}}}}"#);
            for size in [1, 6, 1000] {
                assert!(split(body.as_bytes(), size).is_err(), "{data} by {size}");
            }
        }
    }

    #[test]
    fn documents_that_cannot_be_meant_are_refused() {
        let deep = "[".repeat(101);
        for body in [
            r#"{"_attachments":{"a.tgz":{"data":"aGV5","data":"aGV5"}}}"#,
            r#"{"_attachments":{"a.tgz":{"data":"aGV5"},"b.tgz":{"data":"aGV5"}}}"#,
            r#"{"a":1"#,
            r#"{"a":"1"#,
            r#"{"a":1]"#,
            "}",
            "{:1}",
            &deep,
        ] {
            assert!(split(body.as_bytes(), 1000).is_err(), "{body}");
        }
        let mut splitter = Splitter::default();
        splitter
            .push(br#"{"_attachments":{"a.tgz":{"data":"aGV5"}},"x":""#)
            .unwrap();
        let large = vec![b'x'; METADATA_BYTES];
        assert_eq!(splitter.push(&large), Err(Wrong::TooLarge(METADATA_BYTES)));
    }
}
