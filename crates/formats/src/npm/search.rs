//! Search, in what this repository itself has.

use catalog::{Error, OpenRepository, PackageSummary, SEARCH_WORDS};
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::document::iso8601;
use super::json_answer;
use super::request::{Search, full_name, split_name};
use crate::protocol::Body;

/// Packages asked for at a time.
const PAGE: u32 = 250;

/// Times asked, at most: each looks at so many rows and no more.
const PAGES: usize = 40;

/// Packages counted beside those that are shown, at least, if there are so many.
const COUNTED: usize = 1_000;

/// Answers `GET -/v1/search`. Of very many packages `total` says how many were counted: more than have been shown.
pub(crate) async fn answer(
    repository: &OpenRepository,
    search: &Search,
) -> Result<Response<Body>, Error> {
    repository.may_read().await?;
    let mut shown = Vec::new();
    let mut total = 0;
    if let Some(wanted) = wanted(&search.text) {
        let enough = search.from.saturating_add(search.size).max(COUNTED);
        let mut after = None;
        for _ in 0..PAGES {
            let page = repository.search(&wanted, after.as_deref(), PAGE).await?;
            for found in page.items {
                if total >= search.from && shown.len() < search.size {
                    shown.push(found);
                }
                total += 1;
            }
            after = page.next;
            if after.is_none() || total > enough {
                break;
            }
        }
    }
    let shown = repository.summaries(&shown).await?;
    let objects: Vec<_> = shown.iter().map(object).collect();
    let answer = json!({"objects": objects, "total": total, "time": iso8601(repository.now())});
    Ok(json_answer(StatusCode::OK, &answer))
}

/// What a text asks for: words, of which `keywords:` does not matter, a scope (`scope:acme`, `@acme/`), or nothing at all,
/// which is everything. `None` when nothing can be found.
fn wanted(text: &str) -> Option<catalog::Search> {
    let mut namespace = None;
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let word = word.strip_prefix("keywords:").unwrap_or(word);
        let (scope, rest) = match word.strip_prefix("scope:") {
            Some(scope) => (Some(scope.trim_start_matches('@')), ""),
            None => split_name(word),
        };
        namespace = namespace.or(scope.filter(|scope| !scope.is_empty()));
        words.extend(rest.split(|c: char| !c.is_alphanumeric()));
    }
    words.retain(|word| !word.is_empty());
    words.truncate(SEARCH_WORDS);
    if words.is_empty() && namespace.is_none() && !text.trim().is_empty() {
        return None;
    }
    Some(catalog::Search {
        text: (!words.is_empty()).then(|| words.join(" ")),
        namespace: namespace.map(ToOwned::to_owned),
        ..catalog::Search::default()
    })
}

/// A package as it is shown.
fn object(summary: &PackageSummary) -> Value {
    let PackageSummary {
        id,
        version,
        published,
        manifest,
    } = summary;
    let mut links = Map::new();
    for (key, link) in [
        ("homepage", &manifest.home_page),
        ("repository", &manifest.source_code_repository),
    ] {
        if let Some(link) = link {
            links.insert(key.to_owned(), json!(link));
        }
    }
    json!({
        "package": {
            "name": full_name(id),
            "scope": id.namespace.as_ref().map_or("unscoped", |scope| scope.as_str()),
            "version": version,
            "description": manifest.summary.as_deref().unwrap_or_default(),
            "keywords": manifest.keywords,
            "date": iso8601(*published),
            "links": links,
            "publisher": {"username": "packhouse"},
            "maintainers": [],
        },
        "score": {"final": 1, "detail": {"quality": 1, "popularity": 1, "maintenance": 1}},
        "searchScore": 1,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_text_asks_for_words_and_a_scope() {
        for (text, words, scope) in [
            ("", None, None),
            ("left pad", Some("left pad"), None),
            ("left-pad", Some("left pad"), None),
            ("keywords:tree,leaf", Some("tree leaf"), None),
            ("@acme", Some("acme"), None),
            ("@acme/", None, Some("acme")),
            ("@acme/lea", Some("lea"), Some("acme")),
            ("scope:acme leaf", Some("leaf"), Some("acme")),
            ("scope:@acme", None, Some("acme")),
            ("a b c d e f g", Some("a b c d e f"), None),
        ] {
            let found = wanted(text).unwrap();
            assert_eq!(found.text.as_deref(), words, "{text}");
            assert_eq!(found.namespace.as_deref(), scope, "{text}");
        }
        for text in ["--", "scope:", "@/", "*"] {
            assert_eq!(wanted(text), None, "{text}");
        }
    }
}
