//! The rules of a repository, and what they say of the versions of a package. Pure: time is an argument.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{FormatName, PackageId, RepositoryName, Version};
use crate::package::{OriginType, Status, VersionRecord, spelled};
use crate::{Error, Result};

/// Rules of a repository, at most.
pub const MOST_RULES: usize = 20;
/// Patterns of a rule, at most, of each kind.
const MOST_PATTERNS: usize = 50;
/// Days that a rule can count.
const MOST_DAYS: u32 = 3_650;

/// The rules of a repository, in order: of a version the first that matches it decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rules {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule: which versions it is about, which of them are kept, and what becomes of the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// Which versions it is about.
    #[serde(default, rename = "match")]
    pub matching: Matching,
    /// Which of them are kept: those for which any of it is true.
    pub keep: Keep,
    /// What becomes of the others.
    pub then: Then,
}

/// Which versions a rule is about: all that is given must fit. Nothing given: all that are Published, Unlisted or Archived.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Matching {
    /// Of one of these formats.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<FormatName>,
    /// Whose namespace is one of these; `*` stands for any text. A package without one has the namespace "".
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// Whose name is one of these; `*` stands for any text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// In one of these states.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<Status>,
    /// Of one of these origins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<OriginType>,
}

/// What is kept. At least one of the first four must be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Keep {
    /// The newest so many of the versions that the rule is about, of each package, in the order of the format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<u32>,
    /// What was fetched from this repository within so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_within_days: Option<u32>,
    /// What came into this repository within so many days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_within_days: Option<u32>,
    /// What a client has published to this very repository.
    #[serde(skip_serializing_if = "is_false")]
    pub published_here: bool,
    /// Whether versions that a label (a dist-tag) points to may go too. Without it they are kept.
    #[serde(skip_serializing_if = "is_false")]
    pub not_labelled: bool,
}

/// What becomes of a version that is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Then {
    /// It is neither listed nor served; its bytes stay.
    Archive,
    /// Its files go, its record stays.
    Dispose,
    /// All of it goes.
    Delete,
}

spelled!(Then {
    Archive = "Archive",
    Dispose = "Dispose",
    Delete = "Delete",
});

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What is known of the versions of a package.
pub(super) struct Known<'a> {
    pub(super) repository: &'a RepositoryName,
    pub(super) id: &'a PackageId,
    pub(super) versions: &'a [VersionRecord],
    /// Versions that a label points to.
    pub(super) labelled: &'a BTreeSet<Version>,
    /// When each was last fetched.
    pub(super) fetched: &'a BTreeMap<Version, Timestamp>,
    /// Since when that is known: before, everything may have been fetched.
    pub(super) fetched_known_since: Timestamp,
}

/// A version that a rule does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) version: Version,
    pub(super) revision: String,
    pub(super) status: Status,
    /// The place of the rule.
    pub(super) rule: usize,
    pub(super) then: Then,
}

impl Rules {
    /// Whether they can be meant. `fetches_kept`: how long it is known who fetched what. Errors: `Invalid`, with a sentence.
    pub fn check(&self, fetches_kept: Duration) -> Result<()> {
        let wrong = |message: String| Err(Error::Invalid(message));
        if self.rules.is_empty() || self.rules.len() > MOST_RULES {
            return wrong(format!("there must be 1 to {MOST_RULES} rules"));
        }
        for Rule {
            name,
            matching,
            keep,
            then,
        } in &self.rules
        {
            if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
                return wrong("the name of a rule has 1 to 100 bytes".to_owned());
            }
            let Keep {
                newest,
                fetched_within_days,
                published_within_days,
                published_here,
                ..
            } = keep;
            let any = newest.is_some()
                || fetched_within_days.is_some()
                || published_within_days.is_some()
                || *published_here;
            if !any {
                return wrong(format!(
                    "rule `{name}` keeps nothing: say `newest`, `fetchedWithinDays`, `publishedWithinDays` or `publishedHere`"
                ));
            }
            for days in [fetched_within_days, published_within_days]
                .into_iter()
                .flatten()
            {
                if !(1..=MOST_DAYS).contains(days) {
                    return wrong(format!(
                        "rule `{name}`: days are a number from 1 to {MOST_DAYS}"
                    ));
                }
            }
            let kept = fetches_kept.as_secs() / 86_400;
            if fetched_within_days.is_some_and(|days| u64::from(days) > kept) {
                return wrong(format!(
                    "rule `{name}`: who fetched what is known for {kept} days only"
                ));
            }
            let patterns = [&matching.namespaces, &matching.names];
            if patterns
                .iter()
                .any(|patterns| patterns.len() > MOST_PATTERNS)
                || patterns
                    .into_iter()
                    .flatten()
                    .any(|pattern| pattern.len() > 255)
            {
                return wrong(format!(
                    "rule `{name}` has at most {MOST_PATTERNS} patterns of each kind, each of at most 255 bytes"
                ));
            }
            let gone = |status| matching.statuses.contains(&status);
            if *then != Then::Delete && gone(Status::Disposed)
                || *then == Then::Archive && gone(Status::Unfinished)
            {
                return wrong(format!(
                    "rule `{name}`: {then} cannot be done to versions in all of these states"
                ));
            }
        }
        Ok(())
    }

    /// Which versions go, oldest first. `newer`: how the format orders two versions.
    pub(super) fn decide(
        &self,
        known: &Known<'_>,
        now: Timestamp,
        order: impl Fn(&VersionRecord, &VersionRecord) -> Ordering,
    ) -> Vec<Verdict> {
        let mut versions: Vec<&VersionRecord> = known.versions.iter().collect();
        versions.sort_by(|a, b| order(b, a));
        let mut seen = vec![0_u32; self.rules.len()];
        let mut verdicts = Vec::new();
        for record in versions {
            let found = self
                .rules
                .iter()
                .position(|rule| rule.matching.fits(known.id, record));
            let Some((at, rule)) = found.and_then(|at| Some((at, self.rules.get(at)?))) else {
                continue;
            };
            let place = seen[at];
            seen[at] += 1;
            if !rule.keep.keeps(known, record, place, now) && rule.then.changes(record.status) {
                verdicts.push(Verdict {
                    version: record.version.clone(),
                    revision: record.revision.clone(),
                    status: record.status,
                    rule: at,
                    then: rule.then,
                });
            }
        }
        verdicts.reverse();
        verdicts
    }
}

impl Then {
    fn changes(self, status: Status) -> bool {
        match self {
            Then::Archive => status != Status::Archived,
            Then::Dispose => status != Status::Disposed,
            Then::Delete => true,
        }
    }
}

impl Matching {
    fn fits(&self, id: &PackageId, record: &VersionRecord) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, text))
        };
        let status = if self.statuses.is_empty() {
            !matches!(record.status, Status::Unfinished | Status::Disposed)
        } else {
            self.statuses.contains(&record.status)
        };
        status
            && (self.formats.is_empty() || self.formats.contains(&id.format))
            && (self.origins.is_empty() || self.origins.contains(&record.origin.origin_type))
            && any(&self.namespaces, id.namespace_text())
            && any(&self.names, id.name.as_str())
    }
}

impl Keep {
    fn keeps(&self, known: &Known<'_>, record: &VersionRecord, place: u32, now: Timestamp) -> bool {
        let since = |days: u32| now.minus(Duration::from_hours(24 * u64::from(days)));
        let origin = &record.origin;
        self.newest.is_some_and(|newest| place < newest)
            || (self.published_here
                && origin.origin_type == OriginType::Internal
                && origin.repository.as_ref() == Some(known.repository))
            || self
                .published_within_days
                .is_some_and(|days| record.published > since(days))
            || self.fetched_within_days.is_some_and(|days| {
                let since = since(days);
                let fetched = known.fetched.get(&record.version);
                // What came later than that cannot have been waited for long enough.
                known.fetched_known_since > since
                    || record.published > since
                    || fetched.is_some_and(|at| *at > since)
            })
            || (!self.not_labelled && known.labelled.contains(&record.version))
    }
}

/// Whether a text is of a pattern, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut left) = text.strip_prefix(start) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.len() >= end.len() && left.ends_with(end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::package::Origin;

    const DAY: Duration = Duration::from_hours(24);

    fn rules(rule: &serde_json::Value) -> Rules {
        serde_json::from_value(json!({"rules": [rule]})).unwrap()
    }

    /// Versions 1 to 9, each a day older than the next, 9 of today.
    fn versions(now: Timestamp) -> Vec<VersionRecord> {
        let version = |number: u32| VersionRecord {
            version: number.to_string().parse().unwrap(),
            status: match number {
                1 => Status::Archived,
                2 => Status::Disposed,
                3 => Status::Unfinished,
                _ => Status::Published,
            },
            revision: format!("r{number}"),
            origin: Origin {
                origin_type: if number == 5 {
                    OriginType::Internal
                } else {
                    OriginType::External
                },
                repository: (number == 5).then(|| "here".parse().unwrap()),
                connection: None,
            },
            published: now.minus(DAY * (9 - number)),
            published_upstream: None,
        };
        (1..=9).map(version).collect()
    }

    #[test]
    fn rules_decide_which_versions_go() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let id = PackageId {
            format: "npm".parse().unwrap(),
            namespace: Some("acme".parse().unwrap()),
            name: "toy-box".parse().unwrap(),
        };
        let labelled = BTreeSet::from(["4".parse().unwrap()]);
        let fetched = BTreeMap::from([
            ("6".parse().unwrap(), now.minus(DAY / 2)),
            ("7".parse().unwrap(), now.minus(DAY * 3)),
        ]);
        for (rule, gone) in [
            (json!({"keep": {"newest": 3}}), "1 5 6"),
            (
                json!({"keep": {"newest": 3, "notLabelled": true}}),
                "1 4 5 6",
            ),
            (
                json!({"keep": {"newest": 0, "publishedHere": true}}),
                "1 6 7 8 9",
            ),
            (json!({"keep": {"publishedWithinDays": 2}}), "1 5 6 7"),
            (json!({"keep": {"fetchedWithinDays": 1}}), "1 5 7 8"),
            (
                json!({"keep": {"newest": 0}, "match": {"statuses": ["Archived", "Disposed", "Unfinished"]}, "then": "Delete"}),
                "1 2 3",
            ),
            (
                json!({"keep": {"newest": 0}, "match": {"origins": ["INTERNAL"]}}),
                "5",
            ),
            (
                json!({"keep": {"newest": 2}, "match": {"formats": ["npm"], "namespaces": ["ac*"], "names": ["*-b*"]}}),
                "1 5 6 7",
            ),
            (
                json!({"keep": {"newest": 2}, "match": {"formats": ["maven"]}}),
                "",
            ),
            (
                json!({"keep": {"newest": 2}, "match": {"namespaces": [""]}}),
                "",
            ),
            (
                json!({"keep": {"newest": 0}, "then": "Archive"}),
                "5 6 7 8 9",
            ),
        ] {
            let mut whole = json!({"name": "r", "then": "Dispose"});
            whole
                .as_object_mut()
                .unwrap()
                .extend(rule.as_object().unwrap().clone());
            let rules = rules(&whole);
            rules.check(DAY * 400).unwrap();
            let versions = versions(now);
            let repository = "here".parse().unwrap();
            let known = Known {
                repository: &repository,
                id: &id,
                versions: &versions,
                labelled: &labelled,
                fetched: &fetched,
                fetched_known_since: now.minus(DAY * 100),
            };
            let order = |a: &VersionRecord, b: &VersionRecord| a.version.cmp(&b.version);
            let decide = |known: &Known<'_>| {
                let verdicts = rules.decide(known, now, order);
                let gone: Vec<_> = verdicts.iter().map(|one| one.version.to_string()).collect();
                gone.join(" ")
            };
            assert_eq!(decide(&known), gone, "{rule}");
            if rule.to_string().contains("fetched") {
                let known = Known {
                    fetched_known_since: now.minus(DAY / 4),
                    ..known
                };
                assert_eq!(decide(&known), "", "nobody knows yet what was fetched");
            }
        }
    }

    #[test]
    fn of_a_version_the_first_rule_that_matches_decides() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let rules: Rules = serde_json::from_value(json!({"rules": [
            {"name": "ours", "match": {"origins": ["INTERNAL"]}, "keep": {"newest": 1}, "then": "Archive"},
            {"name": "rest", "keep": {"newest": 4}, "then": "Delete"},
        ]}))
        .unwrap();
        let id = PackageId {
            format: "npm".parse().unwrap(),
            namespace: None,
            name: "toy".parse().unwrap(),
        };
        let (versions, repository) = (versions(now), "here".parse().unwrap());
        let known = Known {
            repository: &repository,
            id: &id,
            versions: &versions,
            labelled: &BTreeSet::new(),
            fetched: &BTreeMap::new(),
            fetched_known_since: now,
        };
        let verdicts = rules.decide(&known, now, |a, b| a.version.cmp(&b.version));
        let shown: Vec<_> = verdicts
            .iter()
            .map(|one| format!("{} {} {}", one.version, one.rule, one.then))
            .collect();
        assert_eq!(shown, ["1 1 Delete", "4 1 Delete"]);
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused() {
        for (rule, said) in [
            (
                json!({"name": "r", "keep": {}, "then": "Delete"}),
                "keeps nothing",
            ),
            (
                json!({"name": "", "keep": {"newest": 1}, "then": "Delete"}),
                "1 to 100 bytes",
            ),
            (
                json!({"name": "r", "keep": {"fetchedWithinDays": 0}, "then": "Delete"}),
                "1 to 3650",
            ),
            (
                json!({"name": "r", "keep": {"fetchedWithinDays": 91}, "then": "Delete"}),
                "for 90 days only",
            ),
            (
                json!({"name": "r", "keep": {"newest": 1}, "then": "Dispose", "match": {"statuses": ["Disposed"]}}),
                "cannot be done",
            ),
        ] {
            let error = rules(&rule).check(DAY * 90).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(Rules::default().check(DAY).is_err());
        for rule in [
            json!({"name": "r", "keep": {"newest": 1}}),
            json!({"name": "r", "keep": {"newest": 1, "x": 2}, "then": "Delete"}),
        ] {
            assert!(serde_json::from_value::<Rules>(json!({"rules": [rule]})).is_err());
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("toy", "toy", true),
            ("toy", "toys", false),
            ("*", "", true),
            ("toy*", "toy-box", true),
            ("*box", "toy-box", true),
            ("t*y*x", "toy-box", true),
            ("t*z*x", "toy-box", false),
            ("ab*ba", "aba", false),
            ("a*b*c*", "abc", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
