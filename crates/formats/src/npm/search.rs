//! Search, in what this repository itself has.

use catalog::{Error, OpenRepository, PackageSummary};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::document::iso8601;
use super::json_answer;
use super::request::{Search, full_name};
use crate::protocol::Body;

/// Packages read at a time.
const PAGE: u32 = 500;

/// Packages looked at, at most.
const PACKAGES: usize = 50_000;

/// Answers `GET -/v1/search`.
pub(crate) async fn answer(
    repository: &OpenRepository,
    search: &Search,
) -> Result<Response<Body>, Error> {
    let text = search.text.to_lowercase();
    // Words like `author:x` narrow by what we do not know; they find nothing else either.
    let words: Vec<_> = text.split_whitespace().collect();
    let mut found = Vec::new();
    let mut total = 0;
    let mut looked_at = 0;
    let mut after = None;
    while looked_at < PACKAGES {
        let page = repository.summaries(after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        looked_at += page.len();
        after = page.last().map(|summary| summary.id.clone());
        for summary in &page {
            let Some(object) = object(summary, &words) else {
                continue;
            };
            total += 1;
            if total > search.from && found.len() < search.size {
                found.push(object);
            }
        }
        if is_last {
            break;
        }
    }
    let answer = json!({"objects": found, "total": total, "time": iso8601(repository.now())});
    Ok(json_answer(StatusCode::OK, &answer))
}

/// A package as it is shown, if all words are in its name, its description or its keywords.
fn object(summary: &PackageSummary, words: &[&str]) -> Option<Value> {
    let (record, manifest) = summary.newest.as_ref()?;
    let name = full_name(&summary.id);
    let keywords = &manifest.keywords;
    let description = manifest.summary.as_deref().unwrap_or_default();
    let text = format!("{name} {description} {}", keywords.join(" ")).to_lowercase();
    if !words.iter().all(|word| text.contains(word)) {
        return None;
    }
    let shown = summary.labels.get("latest").unwrap_or(&record.version);
    let mut links = serde_json::Map::new();
    for (key, link) in [
        ("homepage", &manifest.home_page),
        ("repository", &manifest.source_code_repository),
    ] {
        if let Some(link) = link {
            links.insert(key.to_owned(), json!(link));
        }
    }
    Some(json!({
        "package": {
            "name": name,
            "scope": summary.id.namespace.as_ref().map_or("unscoped", |scope| scope.as_str()),
            "version": shown,
            "description": description,
            "keywords": keywords,
            "date": iso8601(record.published_upstream.unwrap_or(record.published)),
            "links": links,
            "publisher": {"username": "packhouse"},
            "maintainers": [],
        },
        "score": {"final": 1, "detail": {"quality": 1, "popularity": 1, "maintenance": 1}},
        "searchScore": 1,
    }))
}
