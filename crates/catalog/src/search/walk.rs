//! A search as a walk: first along the names, then along the packages of one term, in all repositories at once.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use aws::Timestamp;
use futures_util::future::try_join_all;
use store::{Row, Value};

use super::statements::{
    BY_NAME, BY_TERM, CONDITIONS, COUNT, COUNTS, REPOSITORIES, SHOWN, SHOWN_AT_ONCE,
};
use super::terms::{fold, format_term, license_term, name_term, namespace_term, words};
use super::{PackageFound, SEARCH_WORDS, Search};
use crate::change::read_package_id;
use crate::names::Version;
use crate::page::Page;
use crate::repository::Repository;
use crate::{Catalog, Error, Result};

/// Rows that one walk of one call looks at, in all repositories together.
const LOOKS: usize = 1_600;
/// And in each of them at least.
const LOOKS_EACH: usize = 25;
/// Rows that a repository gives beside its share of a page. A page ends where the first repository has given all that it
/// may, so it has at least so many entries if there are so many.
const GIVES_BESIDE: usize = 16;

/// What has to be walked along, and what has to fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Names that begin so are found first, if they have the facts.
    begins: Option<String>,
    /// Names that do not begin so are not found.
    within: String,
    /// Facts, and the words.
    facts: Vec<String>,
    words: Vec<String>,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Along the names.
    Name { folded: String, package: String },
    /// Along the packages that have a term: which of the plan's, where it stands in them.
    Term {
        term: usize,
        weight: i64,
        package: String,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Name { folded, package } => write!(f, "n/{folded}/{package}"),
            Place::Term {
                term,
                weight,
                package,
            } => write!(f, "t/{term}/{weight}/{package}"),
        }
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid("this is no place in a search".to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        match parts[..] {
            ["n", folded, package] => Ok(Place::Name {
                folded: folded.to_owned(),
                package: package.to_owned(),
            }),
            ["t", term, weight, package] => Ok(Place::Term {
                term: term.parse().map_err(|_| wrong())?,
                weight: weight.parse().map_err(|_| wrong())?,
                package: package.to_owned(),
            }),
            _ => Err(wrong()),
        }
    }
}

impl Plan {
    /// Errors: `Invalid`.
    pub(super) fn of(search: &Search) -> Result<Self> {
        let mut facts = Vec::new();
        let mut within = String::new();
        if let Some(name) = &search.name {
            match name.strip_suffix('*') {
                Some(start) => within = fold(start),
                None => facts.push(name_term(name)),
            }
        }
        facts.extend(search.namespace.as_deref().map(namespace_term));
        facts.extend(search.license.as_deref().map(license_term));
        facts.extend(
            search
                .format
                .as_ref()
                .map(|format| format_term(format.as_str())),
        );
        let (mut begins, mut asked) = (None, Vec::new());
        if let Some(text) = &search.text {
            asked = words(text);
            if asked.is_empty() || asked.len() > SEARCH_WORDS {
                return Err(Error::Invalid(format!(
                    "the text of a search has 1 to {SEARCH_WORDS} words"
                )));
            }
            begins = Some(fold(text));
        } else if facts.is_empty() || !within.is_empty() {
            begins = Some(within.clone());
        }
        Ok(Self {
            begins,
            within,
            facts,
            words: asked,
        })
    }

    /// Facts and words, in an order that is the same for every page.
    fn terms(&self) -> Vec<&str> {
        self.words
            .iter()
            .chain(&self.facts)
            .map(String::as_str)
            .collect()
    }

    /// Whether there is a second walk: everything was found by its name where no word was asked for.
    fn walks_terms(&self) -> bool {
        !self.words.is_empty() || (self.begins.is_none() && !self.facts.is_empty())
    }

    /// What of the names has to be walked along: those that begin with both.
    fn names(&self) -> Option<&str> {
        let begins = self.begins.as_deref()?;
        if begins.starts_with(&self.within) {
            Some(begins)
        } else if self.within.starts_with(begins) {
            Some(&self.within)
        } else {
            None
        }
    }
}

/// A row of a walk: where it stands, and what it shows if it fits.
struct Seen {
    place: Place,
    row: Row,
}

impl Seen {
    fn package(&self) -> &str {
        match &self.place {
            Place::Name { package, .. } | Place::Term { package, .. } => package,
        }
    }

    /// In the order of the walk.
    fn key(&self) -> (i64, &str, &str) {
        match &self.place {
            Place::Name { folded, package } => (0, folded, package),
            Place::Term {
                weight, package, ..
            } => (*weight, "", package),
        }
    }
}

/// What a walk found, in order, as far as all repositories have been looked through.
struct Walked {
    found: Vec<Seen>,
    /// `None`: to the end.
    until: Option<Place>,
}

impl Catalog {
    pub(super) async fn walk(
        &self,
        repositories: &[Arc<Repository>],
        plan: &Plan,
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<PackageFound>> {
        let limit = limit as usize;
        let mut found: Vec<Seen> = Vec::new();
        let mut next = None;
        let by_term = match after {
            Some(Place::Term { .. }) => after,
            other => {
                if let Some(names) = plan.names() {
                    let walked = self
                        .along_names(repositories, plan, names, other, limit)
                        .await?;
                    (found, next) = (walked.found, walked.until);
                }
                None
            }
        };
        if next.is_none() && plan.walks_terms() {
            if found.len() >= limit {
                // There may be more by words; where they begin is not known yet.
                let term = self.rarest(repositories, plan).await?;
                next = term.map(|term| Place::Term {
                    term,
                    weight: -1,
                    package: String::new(),
                });
            } else {
                let from = match by_term {
                    Some(place) => Some(place),
                    None => self
                        .rarest(repositories, plan)
                        .await?
                        .map(|term| Place::Term {
                            term,
                            weight: -1,
                            package: String::new(),
                        }),
                };
                if let Some(from) = from {
                    let walked = self
                        .along_term(repositories, plan, from, limit - found.len())
                        .await?;
                    found.extend(walked.found);
                    next = walked.until;
                }
            }
        }
        Ok(Page {
            items: self.found_as_shown(repositories, found).await?,
            next: next.map(|place| place.to_string()),
        })
    }

    async fn along_names(
        &self,
        repositories: &[Arc<Repository>],
        plan: &Plan,
        names: &str,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Walked> {
        let (folded, package) = match after {
            Some(Place::Name { folded, package }) => (folded, package),
            _ => (String::new(), String::new()),
        };
        // Without conditions nearly everything that is looked at fits.
        let gives = gives(repositories, limit);
        let looks = if plan.facts.is_empty() {
            gives + GIVES_BESIDE
        } else {
            looks(repositories)
        };
        let facts: Vec<&str> = plan.facts.iter().map(String::as_str).collect();
        let mut values: Vec<Value> = vec![
            names.into(),
            format!("{names}\u{10FFFF}").into(),
            folded.into(),
            package.into(),
            count(gives),
            count(looks),
        ];
        values.extend(conditions(&facts));
        let place = |row: &Row| {
            Ok(Place::Name {
                folded: row.text("folded")?,
                package: row.text("package_id")?,
            })
        };
        self.ask(BY_NAME, values, repositories, (looks, gives), limit, place)
            .await
    }

    async fn along_term(
        &self,
        repositories: &[Arc<Repository>],
        plan: &Plan,
        after: Place,
        limit: usize,
    ) -> Result<Walked> {
        let Place::Term {
            term,
            weight,
            package,
        } = after
        else {
            return Ok(Walked {
                found: Vec::new(),
                until: None,
            });
        };
        let terms = plan.terms();
        let Some(driver) = terms.get(term) else {
            return Err(Error::Invalid("this is no place in this search".to_owned()));
        };
        let others: Vec<&str> = terms
            .iter()
            .filter(|other| *other != driver)
            .copied()
            .collect();
        let gives = gives(repositories, limit);
        // Nearly everything fits where nothing else is asked for.
        let looks = if others.is_empty() && plan.within.is_empty() {
            gives * 2 + GIVES_BESIDE
        } else {
            looks(repositories)
        };
        // No name begins with a space.
        let found_before = plan.names().unwrap_or(" ");
        let mut values: Vec<Value> = vec![
            weight.into(),
            package.into(),
            found_before.into(),
            (*driver).into(),
            count(gives),
            count(looks),
        ];
        values.extend(conditions(&others));
        values.push(plan.within.as_str().into());
        values.push(count(found_before.chars().count()));
        values.push(count(plan.within.chars().count()));
        let place = |row: &Row| {
            Ok(Place::Term {
                term,
                weight: row.int("weight")?,
                package: row.text("package_id")?,
            })
        };
        self.ask(BY_TERM, values, repositories, (looks, gives), limit, place)
            .await
    }

    /// Asks all repositories, eight at a time, and merges what they say: as far as the one that came least far.
    async fn ask(
        &self,
        statement: &'static str,
        values: Vec<Value>,
        repositories: &[Arc<Repository>],
        (looks, gives): (usize, usize),
        limit: usize,
        place: impl Fn(&Row) -> Result<Place>,
    ) -> Result<Walked> {
        let asked = repositories.chunks(REPOSITORIES).map(|some| {
            let mut values = values.clone();
            values.extend(slots(some));
            self.0.database.rows(statement, values)
        });
        let mut of_repositories: HashMap<String, Vec<Seen>> = HashMap::new();
        for rows in try_join_all(asked).await? {
            for row in rows {
                let seen = Seen {
                    place: place(&row)?,
                    row,
                };
                of_repositories
                    .entry(seen.row.text("repository_id")?)
                    .or_default()
                    .push(seen);
            }
        }
        let mut until: Option<Place> = None;
        let mut found: Vec<Seen> = Vec::new();
        for rows in of_repositories.into_values() {
            // It gave as many as it may, or the last of the rows that it may look at.
            let last_place = rows.last().map_or(Ok(0), |last| last.row.int("place"))?;
            let is_cut = rows.len() == gives || count(looks) == Value::from(last_place);
            if is_cut && let Some(last) = rows.last() {
                let is_nearer = until
                    .as_ref()
                    .is_none_or(|until| before(&last.place, until));
                if is_nearer {
                    until = Some(last.place.clone());
                }
            }
            found.extend(rows);
        }
        found.retain(|seen| seen.row.flag("fits").unwrap_or(false));
        if let Some(until) = &until {
            found.retain(|seen| !before(until, &seen.place));
        }
        found.sort_by(|a, b| a.key().cmp(&b.key()));
        if found.len() > limit {
            found.truncate(limit);
            until = found.last().map(|seen| seen.place.clone());
        }
        Ok(Walked { found, until })
    }

    /// Which of the terms the fewest packages have; `None` when some term has none.
    async fn rarest(&self, repositories: &[Arc<Repository>], plan: &Plan) -> Result<Option<usize>> {
        let terms = plan.terms();
        if terms.len() == 1 {
            return Ok(Some(0));
        }
        let asked = repositories.chunks(REPOSITORIES).map(|some| {
            let mut values: Vec<Value> = conditions(&terms).collect();
            values.extend(slots(some));
            self.0.database.rows(COUNT, values)
        });
        let mut counts = vec![0; terms.len()];
        for rows in try_join_all(asked).await? {
            for (counted, column) in counts.iter_mut().zip(COUNTS) {
                *counted += rows.first().map_or(Ok(0), |row| row.int(column))?;
            }
        }
        if counts.contains(&0) {
            return Ok(None);
        }
        Ok((0..terms.len()).min_by_key(|at| counts[*at]))
    }

    async fn found_as_shown(
        &self,
        repositories: &[Arc<Repository>],
        found: Vec<Seen>,
    ) -> Result<Vec<PackageFound>> {
        let mut rows: HashMap<String, Row> = HashMap::new();
        let asked = found.chunks(SHOWN_AT_ONCE).map(|some| {
            let ids = some.iter().map(Seen::package).chain(std::iter::repeat(""));
            let ids = ids.take(SHOWN_AT_ONCE).map(Value::from);
            self.0.database.rows(SHOWN, ids.collect())
        });
        for some in try_join_all(asked).await? {
            for row in some {
                rows.insert(row.text("id")?, row);
            }
        }
        let mut shown = Vec::with_capacity(found.len());
        for seen in &found {
            // It may have gone in between, as a whole or with its last version.
            let Some(row) = rows.get(seen.package()) else {
                continue;
            };
            let id = row.as_str("repository_id")?;
            let repository = repositories.iter().find(|repository| &*repository.id == id);
            let (Some(repository), Some(version)) = (repository, version_of(row)?) else {
                continue;
            };
            shown.push(PackageFound {
                row_id: row.text("id")?,
                repository: repository.name.clone(),
                id: read_package_id(row)?,
                version,
                published: Timestamp::from_millis(row.int("published")?),
                summary: row.text("summary")?,
                licenses: serde_json::from_str(row.as_str("licenses")?).map_err(Error::internal)?,
            });
        }
        Ok(shown)
    }
}

/// The newest version that is listed, if there still is one.
fn version_of(row: &Row) -> Result<Option<Version>> {
    let text = row.as_str("version")?;
    Ok(if text.is_empty() {
        None
    } else {
        Some(row.parse("version")?)
    })
}

fn before(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (
            Place::Name { folded, package },
            Place::Name {
                folded: other,
                package: id,
            },
        ) => (folded, package) < (other, id),
        (
            Place::Term {
                weight, package, ..
            },
            Place::Term {
                weight: other,
                package: id,
                ..
            },
        ) => (weight, package) < (other, id),
        (Place::Name { .. }, Place::Term { .. }) => true,
        (Place::Term { .. }, Place::Name { .. }) => false,
    }
}

fn looks(repositories: &[Arc<Repository>]) -> usize {
    (LOOKS / repositories.len().max(1)).max(LOOKS_EACH)
}

/// Rows of each repository: one more than a page has, or fewer where there are many repositories.
fn gives(repositories: &[Arc<Repository>], limit: usize) -> usize {
    (limit + 1).min(GIVES_BESIDE + 4 * limit / repositories.len().max(1))
}

fn count(number: usize) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// Ten values, the places that are left over empty.
fn conditions(terms: &[&str]) -> impl Iterator<Item = Value> {
    let terms: Vec<Value> = terms.iter().map(|term| Value::from(*term)).collect();
    terms
        .into_iter()
        .chain(std::iter::repeat(Value::from("")))
        .take(CONDITIONS)
}

/// Eight values, the places that are left over empty: no repository has that id.
fn slots(repositories: &[Arc<Repository>]) -> impl Iterator<Item = Value> {
    let ids = repositories
        .iter()
        .map(|repository| Value::from(&*repository.id));
    ids.chain(std::iter::repeat(Value::from("")))
        .take(REPOSITORIES)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in ["n/left-pad/01ABC", "t/2/-1/", "t/0/3/01ABC"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "n/a", "t/x/1/a", "t/1/x/a", "x/a/b"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_search_becomes_walks() {
        let text = |text: &str| Some(text.to_owned());
        for (search, names, by_terms, terms) in [
            (Search::default(), Some(""), false, ""),
            (
                Search {
                    text: text("Left Pad"),
                    ..Search::default()
                },
                Some("left-pad"),
                true,
                "left pad",
            ),
            (
                Search {
                    name: text("left*"),
                    ..Search::default()
                },
                Some("left"),
                false,
                "",
            ),
            (
                Search {
                    name: text("Left"),
                    ..Search::default()
                },
                None,
                true,
                "=name:left",
            ),
            (
                Search {
                    text: text("pad"),
                    name: text("left*"),
                    ..Search::default()
                },
                None,
                true,
                "pad",
            ),
            (
                Search {
                    text: text("left"),
                    name: text("left-p*"),
                    ..Search::default()
                },
                Some("left-p"),
                true,
                "left",
            ),
            (
                Search {
                    license: text("MIT"),
                    name: text("l*"),
                    ..Search::default()
                },
                Some("l"),
                false,
                "=license:mit",
            ),
        ] {
            let plan = Plan::of(&search).unwrap();
            assert_eq!(plan.names(), names, "{search:?}");
            assert_eq!(plan.walks_terms(), by_terms, "{search:?}");
            assert_eq!(plan.terms().join(" "), terms, "{search:?}");
        }
        for refused in ["", "--", "a b c d e f g"] {
            let search = Search {
                text: text(refused),
                ..Search::default()
            };
            assert!(
                matches!(Plan::of(&search), Err(Error::Invalid(_))),
                "{refused}"
            );
        }
    }
}
