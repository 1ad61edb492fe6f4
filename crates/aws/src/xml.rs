//! A small XML writer: elements and escaped text, which is all the Query protocol needs.
//!
//! No declaration, no white space between elements: clients keep white space inside values.

use std::fmt::Display;

use crate::time::Timestamp;

/// Writes elements one after another into one text.
///
/// An element without content is written as a pair of tags; parsers read it like the short form.
#[derive(Debug, Default)]
pub struct Xml {
    text: String,
}

impl Xml {
    /// Nothing written yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// `<name>text</name>`, the text escaped.
    pub fn text(&mut self, name: &str, text: impl Display) -> &mut Self {
        self.open(name, "");
        escape_into(&mut self.text, &text.to_string());
        self.close(name)
    }

    /// [`Xml::text`] if there is a value, otherwise nothing.
    pub fn optional(&mut self, name: &str, text: Option<impl Display>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A time as `2026-03-14T15:09:26Z`.
    pub fn time(&mut self, name: &str, time: Timestamp) -> &mut Self {
        self.text(name, time.iso8601())
    }

    /// A policy document: percent-encoded, as every IAM answer that carries one has it.
    ///
    /// Only `A-Za-z0-9-._~` stay bare, so that clients which decode with form rules (a literal `+`
    /// is a blank to them) read the same text.
    pub fn document(&mut self, name: &str, document: &str) -> &mut Self {
        self.text(name, crate::percent::encode(document))
    }

    /// `<name>…</name>` around what `content` writes.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name, "");
        content(self);
        self.close(name)
    }

    /// An element in a namespace: the root of an answer.
    pub fn root(
        &mut self,
        name: &str,
        namespace: &str,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.open(name, namespace);
        content(self);
        self.close(name)
    }

    /// A list of structures: `<name><member>…</member>…</name>`. Written even when empty, because
    /// clients miss the key otherwise.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.items(name, "member", items, write)
    }

    /// The same in the EC2 form, with `<item>` instead of `<member>`.
    pub fn ec2_list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.items(name, "item", items, write)
    }

    /// A list of plain values: `<name><member>text</member>…</name>`.
    pub fn text_list(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = impl Display>,
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.text("member", item);
            }
        })
    }

    /// A map: `<name><entry><key>k</key><value>v</value></entry>…</name>`.
    pub fn map(
        &mut self,
        name: &str,
        entries: impl IntoIterator<Item = (impl Display, impl Display)>,
    ) -> &mut Self {
        self.items(name, "entry", entries, |xml, (key, value)| {
            xml.text("key", key).text("value", value);
        })
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    fn items<T>(
        &mut self,
        name: &str,
        item_name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.element(name, |xml| {
            for item in items {
                xml.element(item_name, |xml| write(xml, item));
            }
        })
    }

    fn open(&mut self, name: &str, namespace: &str) {
        self.text.push('<');
        self.text.push_str(name);
        if !namespace.is_empty() {
            self.text.push_str(" xmlns=\"");
            escape_into(&mut self.text, namespace);
            self.text.push('"');
        }
        self.text.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }
}

/// Escapes markup, and what a parser would change (`\r`) or refuse (other control characters,
/// which XML 1.0 cannot express at all and which become `U+FFFD`).
fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c < ' ' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_structures_nest() {
        let mut xml = Xml::new();
        xml.root("R", "https://x/", |xml| {
            xml.text("A", "<a & 'b' \"c\">\r\n\u{1}")
                .optional("B", None::<&str>)
                .list("L", ["x"], |xml, item| {
                    xml.text("N", item);
                })
                .text_list("E", [] as [&str; 0])
                .map("M", [("k", 1)])
                .ec2_list("S", [2], |xml, item| {
                    xml.text("N", item);
                })
                .document("D", "{\"a b\": \"*+\"}")
                .time("T", Timestamp::from_seconds(0));
        });
        assert_eq!(
            xml.finish(),
            "<R xmlns=\"https://x/\"><A>&lt;a &amp; 'b' &quot;c&quot;&gt;&#13;\n\u{fffd}</A>\
             <L><member><N>x</N></member></L><E></E><M><entry><key>k</key><value>1</value></entry></M>\
             <S><item><N>2</N></item></S><D>%7B%22a%20b%22%3A%20%22%2A%2B%22%7D</D>\
             <T>1970-01-01T00:00:00Z</T></R>"
        );
    }
}
