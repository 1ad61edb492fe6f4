//! XML from outside: read in one pass under caps, with nothing expanded and nothing fetched.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

/// Deepest nesting.
const MAX_DEPTH: usize = 100;
/// Most bytes of the attributes of one element.
const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// Most nodes of a document that a client sends: elements, texts, comments, references.
pub(crate) const MAX_NODES: usize = 200_000;

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XmlError {
    /// It is not XML.
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    /// It has more of something than any honest document.
    #[error("{0}")]
    Excessive(&'static str),
    /// It has what is not read here: an entity of its own, an encoding that nobody uses. It may be good XML.
    #[error("{0}")]
    Opaque(&'static str),
}

/// What is done about a document type declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doctype {
    /// The document is refused.
    Refuse,
    /// It is passed over; entities that it declares are unknown.
    Ignore,
}

/// Reads a document and calls `close` at the end of each element with the names from the root to it and its own text,
/// trimmed. Children are closed before their parents.
pub(crate) fn walk(
    bytes: &[u8],
    doctype: Doctype,
    max_nodes: usize,
    mut close: impl FnMut(&[String], &str),
) -> Result<(), XmlError> {
    let text = decode(bytes)?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut names: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    let mut nodes = 0;
    let mut has_root = false;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        nodes += 1;
        if nodes > max_nodes {
            return Err(XmlError::Excessive("the document has too many nodes"));
        }
        let piece: Cow<'_, str> = match event {
            Event::Start(start) => {
                if names.is_empty() && std::mem::replace(&mut has_root, true) {
                    return Err(XmlError::Malformed("it has two roots".into()));
                }
                if names.len() == MAX_DEPTH {
                    return Err(XmlError::Excessive("the document is nested too deep"));
                }
                names.push(name_of(&start)?);
                texts.push(String::new());
                continue;
            }
            Event::End(_) => {
                let text = texts.pop().unwrap_or_default();
                close(&names, text.trim());
                names.pop();
                continue;
            }
            Event::Text(text) => text.xml10_content().map_err(malformed)?,
            Event::CData(text) => text.xml10_content().map_err(malformed)?,
            Event::GeneralRef(reference) => {
                if let Some(char) = reference.resolve_char_ref().map_err(malformed)? {
                    Cow::Owned(char.to_string())
                } else {
                    let name = reference.decode().map_err(malformed)?;
                    let text = resolve_xml_entity(&name)
                        .ok_or(XmlError::Opaque("the document uses an entity of its own"))?;
                    Cow::Borrowed(text)
                }
            }
            Event::DocType(_) if doctype == Doctype::Refuse => {
                return Err(XmlError::Excessive(
                    "a document type declaration is not accepted",
                ));
            }
            // There are no empty ones with `expand_empty_elements`.
            Event::DocType(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::Decl(_)
            | Event::Empty(_) => continue,
            Event::Eof => break,
        };
        match texts.last_mut() {
            Some(text) => text.push_str(&piece),
            None if piece.trim().is_empty() => {}
            None => return Err(XmlError::Malformed("it has text outside the root".into())),
        }
    }
    if !names.is_empty() {
        return Err(XmlError::Malformed("it ends inside an element".into()));
    }
    if !has_root {
        return Err(XmlError::Malformed("it has no root".into()));
    }
    Ok(())
}

fn name_of(start: &BytesStart<'_>) -> Result<String, XmlError> {
    if start.attributes_raw().len() > MAX_ATTRIBUTE_BYTES {
        return Err(XmlError::Excessive(
            "the attributes of an element are too long",
        ));
    }
    // Duplicates are looked for pair by pair: many attributes would take long.
    if start.attributes_raw().len() <= 4096 {
        for attribute in start.attributes() {
            attribute.map_err(malformed)?;
        }
    }
    Ok(String::from_utf8_lossy(start.local_name().as_ref()).into_owned())
}

fn malformed(error: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(error.to_string())
}

/// The text of a document in UTF-8, UTF-16 with a byte order mark, or Latin-1: what POMs are written in.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let utf16 = |from: fn([u8; 2]) -> u16| {
        let (units, _) = bytes[2..].as_chunks::<2>();
        let units = units.iter().map(|pair| from(*pair));
        char::decode_utf16(units)
            .collect::<Result<String, _>>()
            .map(Cow::Owned)
            .map_err(malformed)
    };
    match bytes {
        [0xfe, 0xff, ..] => return utf16(u16::from_be_bytes),
        [0xff, 0xfe, ..] => return utf16(u16::from_le_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match declared_encoding(bytes).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(malformed),
        Some("iso-8859-1" | "iso-8859-15" | "latin1" | "windows-1252" | "cp1252") => {
            Ok(bytes.iter().map(|&byte| char::from(byte)).collect())
        }
        Some(_) => Err(XmlError::Opaque(
            "the document has an encoding that is not read here",
        )),
    }
}

/// The encoding in `<?xml version="1.0" encoding="ISO-8859-1"?>`, in lower case.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..200).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head);
    let (declaration, _) = head.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, _) = value[1..].split_once(quote)?;
    Some(name.to_ascii_lowercase())
}

/// Writes a text so that it reads as the same text inside an element.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    quick_xml::escape::partial_escape(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(bytes: &[u8], doctype: Doctype) -> Result<Vec<String>, XmlError> {
        let mut seen = Vec::new();
        walk(bytes, doctype, 1000, |names, text| {
            seen.push(format!("{}={text}", names.join("/")));
        })?;
        Ok(seen)
    }

    #[test]
    fn elements_are_seen_with_their_text() {
        let seen = read(
            b"<?xml version='1.0'?><!-- c --><a x='1'> t <b>1 &lt; &#50;</b><c/><n:d xmlns:n='u'><![CDATA[<&]]></n:d></a>\n",
            Doctype::Refuse,
        );
        assert_eq!(seen.unwrap(), ["a/b=1 < 2", "a/c=", "a/d=<&", "a=t"]);
    }

    #[test]
    fn encodings_of_poms_are_read() {
        let latin1 = b"<?xml version=\"1.0\" encoding='ISO-8859-1'?><a>\xfc</a>";
        assert_eq!(read(latin1, Doctype::Refuse).unwrap(), ["a=\u{fc}"]);
        let utf16: Vec<u8> = "\u{feff}<a>\u{fc}</a>"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        assert_eq!(read(&utf16, Doctype::Refuse).unwrap(), ["a=\u{fc}"]);
        assert_eq!(
            read(b"\xef\xbb\xbf<a>\xc3\xbc</a>", Doctype::Refuse).unwrap(),
            ["a=\u{fc}"]
        );
        assert!(matches!(
            read(b"<a>\xfc</a>", Doctype::Refuse),
            Err(XmlError::Malformed(_))
        ));
        let other = b"<?xml version=\"1.0\" encoding=\"EBCDIC\"?><a/>";
        assert!(matches!(
            read(other, Doctype::Refuse),
            Err(XmlError::Opaque(_))
        ));
    }

    #[test]
    fn what_is_not_one_document_is_malformed() {
        for text in [
            "",
            " ",
            "text",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>text",
            "<a",
            "<a b='1' b='2'/>",
            "<a b=c/>",
            "<a>&</a>",
            "<a><![CDATA[</a>",
            "<a><!-- </a>",
        ] {
            let error = read(text.as_bytes(), Doctype::Refuse).unwrap_err();
            assert!(matches!(error, XmlError::Malformed(_)), "{text}: {error}");
        }
    }

    #[test]
    fn nothing_is_expanded() {
        let bomb = r#"<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "file:///etc/passwd"><!ENTITY d "&b;&b;">]><a>&d;</a>"#;
        assert!(matches!(
            read(bomb.as_bytes(), Doctype::Refuse),
            Err(XmlError::Excessive(_))
        ));
        assert!(matches!(
            read(bomb.as_bytes(), Doctype::Ignore),
            Err(XmlError::Opaque(_))
        ));
        let unused = r#"<!DOCTYPE a [<!ENTITY b "x">]><a>1</a>"#;
        assert_eq!(read(unused.as_bytes(), Doctype::Ignore).unwrap(), ["a=1"]);
    }

    #[test]
    fn caps_hold() {
        let deep = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(read(deep(100).as_bytes(), Doctype::Refuse).is_ok());
        let many = format!("<a>{}</a>", "<b/>".repeat(1000));
        let wide = format!("<a b='{}'/>", "x".repeat(MAX_ATTRIBUTE_BYTES));
        for text in [deep(101), many, wide] {
            let error = read(text.as_bytes(), Doctype::Refuse).unwrap_err();
            assert!(matches!(error, XmlError::Excessive(_)), "{error}");
        }
    }
}
