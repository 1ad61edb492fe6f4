//! In which form a page is sent: JSON, the versioned HTML type, or plain HTML, as `Accept` says (PEP 691).

use http::HeaderMap;
use http::header::ACCEPT;

/// A form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Form {
    /// `application/vnd.pypi.simple.v1+json`
    Json,
    /// `application/vnd.pypi.simple.v1+html`
    VersionedHtml,
    /// `text/html`
    Html,
}

/// Media types, each with its form; of those with the same weight the first is taken.
const TYPES: [(&str, Form); 5] = [
    ("application/vnd.pypi.simple.v1+json", Form::Json),
    ("application/vnd.pypi.simple.latest+json", Form::Json),
    ("application/vnd.pypi.simple.v1+html", Form::VersionedHtml),
    (
        "application/vnd.pypi.simple.latest+html",
        Form::VersionedHtml,
    ),
    ("text/html", Form::Html),
];

impl Form {
    /// The content type of a page in this form. Plain `application/json` would not be taken for an index by pip and uv.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Form::Json => "application/vnd.pypi.simple.v1+json",
            Form::VersionedHtml => "application/vnd.pypi.simple.v1+html",
            Form::Html => "text/html; charset=utf-8",
        }
    }

    /// The form that a client prefers; `None` when it accepts none. Without `Accept`, and for `*/*`, it is HTML: those are
    /// clients older than JSON.
    pub(crate) fn wanted(headers: &HeaderMap) -> Option<Self> {
        let mut accepted = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|range| !range.is_empty())
            .map(Range::parse)
            .peekable();
        if accepted.peek().is_none() {
            return Some(Form::Html);
        }
        let ranges: Vec<Range> = accepted.collect();
        let mut best: Option<(u16, Form)> = None;
        for (media_type, form) in TYPES {
            // The most specific range about a type decides.
            let weight = ranges
                .iter()
                .filter_map(|range| Some((range.about(media_type)?, range.weight)))
                .max_by_key(|(specificity, _)| *specificity)
                .map_or(0, |(_, weight)| weight);
            if weight > 0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, form));
            }
        }
        let (weight, form) = best?;
        let is_only_anything = ranges
            .iter()
            .all(|range| range.weight < weight || range.media_type == "*/*");
        Some(if is_only_anything { Form::Html } else { form })
    }
}

/// One media range of an `Accept` header.
struct Range<'a> {
    media_type: &'a str,
    /// In thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, value)| thousandths(value.trim()));
        Self { media_type, weight }
    }

    /// How specifically it is about a media type, if it is.
    fn about(&self, media_type: &str) -> Option<u8> {
        if self.media_type.eq_ignore_ascii_case(media_type) {
            return Some(2);
        }
        let (kind, subtype) = self.media_type.split_once('/')?;
        if subtype != "*" {
            return None;
        }
        if kind == "*" {
            return Some(0);
        }
        let (of, _) = media_type.split_once('/')?;
        kind.eq_ignore_ascii_case(of).then_some(1)
    }
}

/// `0.25` is 250. What is no weight counts as none.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_weight = matches!(whole, "0" | "1")
        && fraction.len() <= 3
        && fraction.bytes().all(|b| b.is_ascii_digit());
    if !is_weight {
        return 0;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().unwrap_or(0);
    if whole == "1" { 1000 } else { fraction }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn clients_get_the_form_they_prefer() {
        let json = "application/vnd.pypi.simple.v1+json";
        let html = "application/vnd.pypi.simple.v1+html";
        for (accept, expected) in [
            (None, Some(Form::Html)),
            (Some(String::new()), Some(Form::Html)),
            (Some("*/*".to_owned()), Some(Form::Html)),
            (Some("text/html".to_owned()), Some(Form::Html)),
            (Some("TEXT/HTML".to_owned()), Some(Form::Html)),
            (Some("text/*".to_owned()), Some(Form::Html)),
            (Some(json.to_owned()), Some(Form::Json)),
            (Some(html.to_owned()), Some(Form::VersionedHtml)),
            (
                Some("application/vnd.pypi.simple.latest+json".to_owned()),
                Some(Form::Json),
            ),
            (
                Some("application/vnd.pypi.simple.latest+html".to_owned()),
                Some(Form::VersionedHtml),
            ),
            // pip, uv, Poetry, a browser.
            (
                Some(format!("{json}, {html}; q=0.1, text/html; q=0.01")),
                Some(Form::Json),
            ),
            (
                Some(format!("{json}, {html};q=0.2, text/html;q=0.01")),
                Some(Form::Json),
            ),
            (Some(format!("{json}, */*;q=0.1")), Some(Form::Json)),
            (
                Some("text/html,application/xhtml+xml,*/*;q=0.8".to_owned()),
                Some(Form::Html),
            ),
            (
                Some(format!("{json};q=0.2, {html};q=0.3")),
                Some(Form::VersionedHtml),
            ),
            (Some(format!("text/html, {html}, {json}")), Some(Form::Json)),
            (
                Some(format!("text/html, {html}")),
                Some(Form::VersionedHtml),
            ),
            (Some(format!("{json};q=0, */*")), Some(Form::Html)),
            (Some("application/*".to_owned()), Some(Form::Json)),
            (Some("application/json".to_owned()), None),
            (Some("image/png".to_owned()), None),
            (Some(format!("{json};q=0")), None),
            (Some(format!("{json};q=x")), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = &accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(Form::wanted(&headers), expected, "{accept:?}");
        }
    }
}
