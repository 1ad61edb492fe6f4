//! Words and terms: what a package is found by. Pure.
//!
//! A term is a word in small letters, or a fact behind `=`, which no word begins with: `=format:npm`, `=license:mit`,
//! `=namespace:org.apache`, `=below:org` (for every namespace that begins so), `=name:left-pad`.

use std::collections::BTreeMap;

use crate::format::Manifest;
use crate::names::PackageId;

/// Characters of a readme that are looked at: what stands at its beginning says what a package is.
const README_CHARACTERS: usize = 600;
/// Words of it that count.
const README_WORDS: usize = 24;
/// Words of a summary that count.
const SUMMARY_WORDS: usize = 40;
/// Words of the keywords that count.
const KEYWORD_WORDS: usize = 40;
/// Bytes of a word; what is longer is no word that anybody types.
const WORD_BYTES: usize = 64;

/// Where a term stands. The smaller, the more it says of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    Fact = 0,
    Name = 1,
    Namespace = 2,
    Keyword = 3,
    Summary = 4,
    Readme = 5,
}

/// A name in small letters, with one hyphen for whatever is neither letter nor digit: `Spring.Boot_Web` and
/// `spring boot web` are both `spring-boot-web`.
pub(super) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() {
            folded.extend(c.to_lowercase());
        } else if !folded.is_empty() && !folded.ends_with('-') {
            folded.push('-');
        }
    }
    if folded.ends_with('-') {
        folded.pop();
    }
    folded
}

/// The words of a text, in small letters, each once, in their order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        let word = word.to_lowercase();
        if !word.is_empty() && word.len() <= WORD_BYTES && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// `HikariCP` is found by `hikaricp`, and by `hikari` too.
fn humps(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut before_is_small = false;
    for c in text.chars() {
        let begins = before_is_small && c.is_uppercase();
        if begins || parts.is_empty() || !c.is_alphanumeric() {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut()
            && c.is_alphanumeric()
        {
            part.extend(c.to_lowercase());
        }
        before_is_small = c.is_lowercase();
    }
    parts.retain(|part| part.chars().count() > 1 && part.len() <= WORD_BYTES);
    parts
}

pub(super) fn format_term(format: &str) -> String {
    format!("=format:{format}")
}

pub(super) fn license_term(license: &str) -> String {
    format!("=license:{}", license.trim().to_lowercase())
}

pub(super) fn name_term(name: &str) -> String {
    format!("=name:{}", name.to_lowercase())
}

/// For a namespace, or for all that begin with it and go on after a dot or a slash when it ends in `*`.
pub(super) fn namespace_term(namespace: &str) -> String {
    match namespace.strip_suffix('*') {
        Some(start) => format!(
            "=below:{}",
            start.trim_end_matches(['.', '/']).to_lowercase()
        ),
        None => format!("=namespace:{}", namespace.to_lowercase()),
    }
}

/// Everything that a package is found by, with the best place of each.
pub(super) fn terms(id: &PackageId, manifest: &Manifest) -> BTreeMap<String, Weight> {
    let mut terms = BTreeMap::new();
    let mut add = |term: String, weight: Weight| {
        let place = terms.entry(term).or_insert(weight);
        *place = weight.min(*place);
    };
    add(format_term(id.format.as_str()), Weight::Fact);
    add(name_term(id.name.as_str()), Weight::Fact);
    if let Some(namespace) = &id.namespace {
        let namespace = namespace.as_str();
        add(namespace_term(namespace), Weight::Fact);
        for (at, _) in namespace.match_indices(['.', '/']) {
            add(
                namespace_term(&format!("{}*", &namespace[..at])),
                Weight::Fact,
            );
        }
        add(namespace_term(&format!("{namespace}*")), Weight::Fact);
        for word in words(namespace) {
            add(word, Weight::Namespace);
        }
    }
    for license in &manifest.licenses {
        if let Some(name) = license.name.as_deref().filter(|name| name.len() <= 128) {
            add(license_term(name), Weight::Fact);
        }
    }
    for word in words(id.name.as_str())
        .into_iter()
        .chain(humps(id.name.as_str()))
    {
        add(word, Weight::Name);
    }
    let mut text = |text: &str, most: usize, weight| {
        for word in words(text).into_iter().take(most) {
            add(word, weight);
        }
    };
    if let Some(name) = &manifest.display_name {
        text(name, SUMMARY_WORDS, Weight::Summary);
    }
    text(&manifest.keywords.join(" "), KEYWORD_WORDS, Weight::Keyword);
    if let Some(summary) = &manifest.summary {
        text(summary, SUMMARY_WORDS, Weight::Summary);
    }
    if let Some(readme) = &manifest.readme {
        let end = readme.char_indices().nth(README_CHARACTERS);
        let start = end.map_or(readme.as_str(), |(end, _)| &readme[..end]);
        text(start, README_WORDS, Weight::Readme);
    }
    terms
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::format::License;

    #[test]
    fn names_are_folded_and_texts_fall_into_words() {
        for (text, folded, split) in [
            ("left-pad", "left-pad", "left pad"),
            ("Spring.Boot__Web", "spring-boot-web", "spring boot web"),
            ("@scope/Name", "scope-name", "scope name"),
            ("--", "", ""),
            ("", "", ""),
            ("Ärger ärger", "ärger-ärger", "ärger"),
        ] {
            assert_eq!(fold(text), folded, "{text}");
            assert_eq!(words(text).join(" "), split, "{text}");
        }
    }

    #[test]
    fn humps_are_words_of_their_own() {
        for (name, parts) in [
            ("HikariCP", "hikari cp"),
            ("commons-IO", "commons io"),
            ("aB", ""),
            ("left", "left"),
        ] {
            assert_eq!(humps(name).join(" "), parts, "{name}");
        }
    }

    #[test]
    fn a_package_is_found_by_its_names_facts_and_texts_each_at_its_best_place() {
        let id = PackageId {
            format: "maven".parse().unwrap(),
            namespace: Some("org.Acme".parse().unwrap()),
            name: "toy-box".parse().unwrap(),
        };
        let manifest = Manifest {
            summary: Some("A box".to_owned()),
            keywords: vec!["wood".to_owned()],
            readme: Some("wood glue".to_owned()),
            licenses: vec![License {
                name: Some(" MIT ".to_owned()),
                url: None,
            }],
            ..Manifest::default()
        };
        let found: Vec<_> = terms(&id, &manifest)
            .into_iter()
            .map(|(term, weight)| format!("{term} {}", weight as i64))
            .collect();
        assert_eq!(
            found,
            [
                "=below:org 0",
                "=below:org.acme 0",
                "=format:maven 0",
                "=license:mit 0",
                "=name:toy-box 0",
                "=namespace:org.acme 0",
                "a 4",
                "acme 2",
                "box 1",
                "glue 5",
                "org 2",
                "toy 1",
                "wood 3",
            ]
        );
        assert_eq!(namespace_term("org.acme.*"), "=below:org.acme");
    }
}
