//! What is needed of an HTML page of a registry: its links, its base, its meta elements. One pass; whatever is not
//! understood is passed over, as browsers do.

/// A page, as far as it is looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Html {
    /// Where relative links begin, if the page says so.
    pub base: Option<String>,
    /// Name and content of its meta elements.
    pub meta: Vec<(String, String)>,
    /// The attributes of its links.
    pub links: Vec<Attributes>,
}

/// Attributes of an element, names in lower case; of two with one name the first counts.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// The value of an attribute; empty when it has none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Html {
    /// Reads a page of which at most `max_links` links are kept; `None` when it has more.
    pub(crate) fn read(text: &str, max_links: usize) -> Option<Self> {
        let mut page = Self::default();
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let name_end = rest[1..]
                .find(|c: char| !c.is_ascii_alphanumeric())
                .map_or(rest.len(), |end| end + 1);
            let name = rest[1..name_end].to_ascii_lowercase();
            if name.is_empty() {
                // A closing tag, a doctype, or a lone bracket.
                rest = &rest[1..];
                continue;
            }
            let (attributes, after) = attributes(&rest[name_end..]);
            rest = after;
            match name.as_str() {
                "a" => {
                    if page.links.len() == max_links {
                        return None;
                    }
                    page.links.push(attributes);
                }
                "base" if page.base.is_none() => {
                    page.base = attributes.get("href").map(ToOwned::to_owned);
                }
                "meta" => {
                    if let (Some(name), Some(content)) =
                        (attributes.get("name"), attributes.get("content"))
                    {
                        page.meta
                            .push((name.to_ascii_lowercase(), content.to_owned()));
                    }
                }
                // What is in them is no markup.
                "script" | "style" | "title" | "textarea" => {
                    let end = format!("</{name}");
                    rest = find_ignoring_case(rest, &end).map_or("", |at| &rest[at..]);
                }
                _ => {}
            }
        }
        Some(page)
    }

    /// The content of a meta element.
    pub(crate) fn meta(&self, name: &str) -> Option<&str> {
        self.meta
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, content)| content.as_str())
    }
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.match_indices('<').map(|(at, _)| at).find(|at| {
        text.get(*at..*at + wanted.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    })
}

/// Reads attributes up to the end of a tag, and gives what follows it.
fn attributes(text: &str) -> (Attributes, &str) {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (Attributes(found), after);
        }
        if rest.is_empty() {
            return (Attributes(found), rest);
        }
        // An equals sign at the start is part of the name, so that each step takes something.
        let end = rest
            .char_indices()
            .skip(1)
            .find(|(_, c)| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '='))
            .map_or(rest.len(), |(at, _)| at);
        let name = rest[..end].to_ascii_lowercase();
        rest = rest[end..].trim_start_matches(|c: char| c.is_ascii_whitespace());
        let value = match rest.strip_prefix('=') {
            None => "",
            Some(after) => {
                let after = after.trim_start_matches(|c: char| c.is_ascii_whitespace());
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                if let Some(quote) = quote {
                    let inside = &after[1..];
                    let end = inside.find(quote).unwrap_or(inside.len());
                    rest = inside.get(end + 1..).unwrap_or("");
                    &inside[..end]
                } else {
                    let end = after
                        .find(|c: char| c.is_ascii_whitespace() || c == '>')
                        .unwrap_or(after.len());
                    rest = &after[end..];
                    &after[..end]
                }
            }
        };
        if found.len() < 64 && found.iter().all(|(known, _)| *known != name) {
            found.push((name, unescape(value)));
        }
    }
}

/// Resolves the character references that registries use.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest
            .as_bytes()
            .iter()
            .take(12)
            .position(|b| *b == b';')
            .map(|end| &rest[1..end]);
        if let Some((reference, c)) = reference.and_then(|text| Some((text, character(text)?))) {
            plain.push(c);
            rest = &rest[reference.len() + 2..];
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain.push_str(rest);
    plain
}

fn character(reference: &str) -> Option<char> {
    let number = |digits: &str, radix| {
        u32::from_str_radix(digits, radix)
            .ok()
            .and_then(char::from_u32)
    };
    match reference {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        "plus" => Some('+'),
        _ => {
            let digits = reference.strip_prefix('#')?;
            match digits.strip_prefix(['x', 'X']) {
                Some(hex) => number(hex, 16),
                None => number(digits, 10),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_browsers_read_them() {
        let text = "<!DOCTYPE html><HTML><head><meta name=\"pypi:repository-version\" content='1.1'>\
            <base href=../files/><title><a href=no></title><script>if (1<a) '<a href=\"no\">'</SCRIPT></head><body>\
            <!-- <a href=no> --><a HREF = \"a.whl#sha256=00\" data-requires-python=\"&gt;=3.8, &#60;4 &amp;&bogus; &\" data-yanked>a</a>\
            <a href='b.whl' href='c.whl'>b</a><abbr title=x>no</abbr><a href=d.whl/>d<a";
        let page = Html::read(text, 10).unwrap();
        assert_eq!(page.meta("pypi:repository-version"), Some("1.1"));
        assert_eq!(page.base.as_deref(), Some("../files/"));
        let links: Vec<_> = page.links.iter().map(|link| link.get("href")).collect();
        assert_eq!(
            links,
            [Some("a.whl#sha256=00"), Some("b.whl"), Some("d.whl/"), None]
        );
        assert_eq!(
            page.links[0].get("data-requires-python"),
            Some(">=3.8, <4 &&bogus; &")
        );
        assert_eq!(page.links[0].get("data-yanked"), Some(""));
        assert!(Html::read(text, 3).is_none());
    }

    #[test]
    fn nothing_hangs_or_panics() {
        for text in [
            "",
            "<",
            "<a",
            "<a =",
            "<a ==>",
            "<a href",
            "<a href=",
            "<a href=\"",
            "<!--",
            "<script>",
            "</",
            "<\u{e9}>",
            "<a href='\u{e9}&\u{e9};'>",
            "&",
            "<a b='&#x110000;&#;&#x;'>",
            "<a /",
        ] {
            let _ = Html::read(text, 10);
            let _ = Html::read(&text.repeat(100), 1000);
        }
    }
}
