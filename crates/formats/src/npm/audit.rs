//! What is known against versions, and what proves where they come from: asked of the public registry, and never about
//! packages whose names are nobody else's business.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::pin::pin;

use bytes::Bytes;
use catalog::{Error, OpenRepository, PackageId, Remote, Version, VersionId};
use flate2::read::MultiGzDecoder;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::manifest::ATTESTATIONS;
use super::range::Range;
use super::remote::{self, SMALL};
use super::request::parse_name;
use super::semver::SemVer;
use super::{json_answer, refusal};
use crate::protocol::Body;
use crate::upload;

/// Bytes of a question, unpacked, at most.
const QUESTION_BYTES: usize = 10 << 20;

/// Bytes of an answer of a registry, at most.
const ANSWER_BYTES: usize = 32 << 20;

/// Packages in a question, at most: each is looked up.
const PACKAGES: usize = 20_000;

/// Packages looked up at a time.
const LOOKED_UP_AT_ONCE: usize = 16;

/// Where a registry is asked.
const BULK: &str = "-/npm/v1/security/advisories/bulk";

/// Packages and their versions.
type Installed = BTreeMap<String, Vec<String>>;

/// Answers `POST -/npm/v1/security/advisories/bulk`. Never "not there": pnpm fails on it.
pub(crate) async fn advisories(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
) -> Result<Response<Body>, Error> {
    repository.may_read().await?;
    let body = question(parts, body).await?;
    let installed: Installed = serde_json::from_slice(&body).map_err(|error| {
        Error::Invalid(format!(
            "the body is not a map from packages to versions: {error}"
        ))
    })?;
    let known = ask(repository, installed).await?;
    Ok(json_answer(StatusCode::OK, &Value::Object(known)))
}

/// A body, unpacked if it is packed.
async fn question(parts: &Parts, body: &mut Body) -> Result<Bytes, Error> {
    let bytes = upload::whole(&parts.headers, body, QUESTION_BYTES).await?;
    let coding = parts.headers.get(CONTENT_ENCODING);
    let coding = coding
        .and_then(|coding| coding.to_str().ok())
        .unwrap_or("identity");
    match coding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" => Ok(bytes),
        "gzip" | "x-gzip" => tokio::task::spawn_blocking(move || unpack(&bytes))
            .await
            .map_err(|error| Error::Internal(Box::new(error)))?,
        other => Err(Error::Invalid(format!(
            "the content coding `{other}` is not known here"
        ))),
    }
}

fn unpack(bytes: &[u8]) -> Result<Bytes, Error> {
    let mut unpacked = Vec::new();
    let limit = QUESTION_BYTES as u64;
    MultiGzDecoder::new(bytes)
        .take(limit + 1)
        .read_to_end(&mut unpacked)
        .map_err(|error| Error::Invalid(format!("the body cannot be unpacked: {error}")))?;
    if unpacked.len() > QUESTION_BYTES {
        return Err(Error::TooLarge { limit_bytes: limit });
    }
    Ok(unpacked.into())
}

/// What the registries on the way know. A registry that cannot be asked knows nothing.
async fn ask(
    repository: &OpenRepository,
    installed: Installed,
) -> Result<Map<String, Value>, Error> {
    if installed.len() > PACKAGES {
        return Err(Error::Invalid(format!(
            "more than {PACKAGES} packages are asked about"
        )));
    }
    let asked = stream::iter(installed).map(async |(name, versions)| {
        let registries = match parse_name(&name) {
            Ok(package) => repository.registries(&package).await?,
            Err(_) => Vec::new(),
        };
        Ok::<_, Error>((name, versions, registries))
    });
    let mut asked = pin!(asked.buffered(LOOKED_UP_AT_ONCE));
    let mut questions: Vec<(Remote, Installed)> = Vec::new();
    while let Some((name, versions, registries)) = asked.try_next().await? {
        for remote in registries {
            let known = questions
                .iter_mut()
                .find(|(known, _)| known.connection() == remote.connection());
            match known {
                Some((_, question)) => {
                    question.insert(name.clone(), versions.clone());
                }
                None => {
                    questions.push((remote, BTreeMap::from([(name.clone(), versions.clone())])));
                }
            }
        }
    }
    let mut known = Map::new();
    for (remote, question) in questions {
        let body = serde_json::to_vec(&question).unwrap_or_default();
        let answer = remote
            .send(BULK, "application/json", body.into(), ANSWER_BYTES)
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(connection = %remote.connection(), %error, "no advisories: a registry cannot be asked");
                continue;
            }
        };
        let read = answer.and_then(|body| serde_json::from_slice::<Map<String, Value>>(&body).ok());
        for (name, advisories) in read.unwrap_or_default() {
            if question.contains_key(&name) {
                known.entry(name).or_insert(advisories);
            }
        }
    }
    Ok(known)
}

/// What old clients send: the tree of their lock file.
#[derive(Deserialize)]
struct Tree {
    #[serde(default)]
    dependencies: BTreeMap<String, Branch>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, Branch>,
}

/// Answers `POST -/npm/v1/security/audits` and `…/quick`, the question of old clients, with what the new one is
/// answered.
pub(crate) async fn audit(
    parts: &Parts,
    body: &mut Body,
    repository: &OpenRepository,
) -> Result<Response<Body>, Error> {
    repository.may_read().await?;
    let body = question(parts, body).await?;
    let tree: Tree = serde_json::from_slice(&body).map_err(|error| {
        Error::Invalid(format!("the body is not a tree of dependencies: {error}"))
    })?;
    let mut found = BTreeMap::new();
    collect(&tree.dependencies, "", &mut found);
    let installed: Installed = found
        .iter()
        .map(|(name, versions)| (name.clone(), versions.keys().cloned().collect()))
        .collect();
    let total: usize = found.values().map(BTreeMap::len).sum();
    let known = ask(repository, installed).await?;
    Ok(json_answer(StatusCode::OK, &report(&known, &found, total)))
}

/// Where in the tree each version of a package stands.
type Found = BTreeMap<String, BTreeMap<String, Vec<String>>>;

fn collect(branches: &BTreeMap<String, Branch>, above: &str, found: &mut Found) {
    for (name, branch) in branches {
        let path = if above.is_empty() {
            name.clone()
        } else {
            format!("{above}>{name}")
        };
        if let Some(version) = &branch.version {
            let versions = found.entry(name.clone()).or_default();
            versions
                .entry(version.clone())
                .or_default()
                .push(path.clone());
        }
        collect(&branch.dependencies, &path, found);
    }
}

/// The answer in its old form, of which old clients show what `actions` resolve. What to install instead is left to who
/// reads it.
fn report(known: &Map<String, Value>, found: &Found, total: usize) -> Value {
    let mut advisories = Map::new();
    let mut actions = Vec::new();
    let mut counts: BTreeMap<&str, u64> = ["info", "low", "moderate", "high", "critical"]
        .into_iter()
        .map(|severity| (severity, 0))
        .collect();
    for (name, list) in known {
        let mut resolves = Vec::new();
        for advisory in list.as_array().into_iter().flatten() {
            let range = advisory["vulnerable_versions"].as_str();
            let range = range.and_then(Range::parse);
            let findings: Vec<_> = found
                .get(name)
                .into_iter()
                .flatten()
                .filter(|(version, _)| is_meant(range.as_ref(), version))
                .collect();
            if findings.is_empty() {
                continue;
            }
            let severity = advisory["severity"].as_str().unwrap_or("moderate");
            if let Some(count) = counts.get_mut(severity) {
                *count += 1;
            }
            let id = &advisory["id"];
            let paths = findings.iter().flat_map(|(_, paths)| paths.iter());
            resolves.extend(paths.map(|path| {
                json!({"id": id, "path": path, "dev": false, "optional": false, "bundled": false})
            }));
            let findings = findings
                .iter()
                .map(|(version, paths)| json!({"version": version, "paths": paths}));
            let mut old = advisory.clone();
            old["module_name"] = json!(name);
            old["findings"] = findings.collect();
            let patched = range.and_then(|range| range.beyond());
            let patched = patched.unwrap_or_else(|| "<0.0.0".to_owned());
            for (key, default) in [
                ("overview", ""),
                ("recommendation", ""),
                ("patched_versions", &patched),
                ("access", "public"),
            ] {
                if old[key].is_null() {
                    old[key] = json!(default);
                }
            }
            advisories.insert(id.to_string(), old);
        }
        if !resolves.is_empty() {
            actions.push(json!({"action": "review", "module": name, "resolves": resolves}));
        }
    }
    json!({
        "actions": actions,
        "advisories": advisories,
        "muted": [],
        "metadata": {
            "vulnerabilities": counts,
            "dependencies": total,
            "devDependencies": 0,
            "optionalDependencies": 0,
            "totalDependencies": total,
        },
    })
}

/// Whether an advisory is about a version; one whose range cannot be read is about all.
fn is_meant(range: Option<&Range<'_>>, version: &str) -> bool {
    let Some(range) = range else { return true };
    SemVer::parse(version).is_some_and(|version| range.has(&version))
}

/// Answers `GET -/npm/v1/keys`: those of the registry, which sign what it has.
pub(crate) async fn keys(repository: &OpenRepository) -> Result<Response<Body>, Error> {
    let documents = repository.remote_documents("-/npm/v1/keys", &SMALL).await?;
    Ok(passed_on(
        documents.into_iter().next(),
        "no registry here has keys",
    ))
}

fn passed_on(document: Option<Bytes>, missing: &str) -> Response<Body> {
    let read = document.and_then(|body| serde_json::from_slice::<Value>(&body).ok());
    match read {
        Some(value) => json_answer(StatusCode::OK, &value),
        None => refusal(StatusCode::NOT_FOUND, missing),
    }
}

/// Answers `GET -/npm/v1/attestations/{pkg}@{version}`: what was published with it, else what its registry has.
pub(crate) async fn attestations(
    repository: &OpenRepository,
    package: PackageId,
    version: Version,
) -> Result<Response<Body>, Error> {
    const MISSING: &str = "there are no attestations of this version";
    let id = package.version(version);
    if let Some(listed) = repository.version(&id).await? {
        let members = listed.document.as_deref().map(Members::parse);
        let members = members.and_then(Result::ok).unwrap_or_default();
        if let Some(own) = members.get(ATTESTATIONS) {
            let own: Value = serde_json::from_str(own.get()).unwrap_or_default();
            return Ok(json_answer(StatusCode::OK, &json!({"attestations": own})));
        }
    }
    Ok(passed_on(of_registry(repository, &id).await?, MISSING))
}

async fn of_registry(repository: &OpenRepository, id: &VersionId) -> Result<Option<Bytes>, Error> {
    let path = remote::attestations_path(&id.package, &id.version);
    for remote in repository.registries(&id.package).await? {
        if let Some(document) = remote.document(&path, &SMALL).await? {
            return Ok(Some(document.body));
        }
    }
    Ok(None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::npm::tarball::make::gzip;

    #[test]
    fn a_question_that_unpacks_to_much_is_refused() {
        assert_eq!(unpack(&gzip(b"{}")).unwrap(), "{}");
        let bomb = gzip(&vec![b' '; QUESTION_BYTES + 1]);
        assert!(matches!(unpack(&bomb), Err(Error::TooLarge { .. })));
        assert!(matches!(unpack(b"{}"), Err(Error::Invalid(_))));
    }

    #[test]
    fn the_old_answer_says_where_each_version_stands() {
        let tree: Tree = serde_json::from_str(
            r#"{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}},
                "b":{"version":"1.0.0"}}}"#,
        )
        .unwrap();
        let mut found = BTreeMap::new();
        collect(&tree.dependencies, "", &mut found);
        let known = json!({
            "a": [{"id": 5, "severity": "low", "vulnerable_versions": ">=2"}],
            "b": [
                {"id": 7, "severity": "high", "vulnerable_versions": "<2.0.0"},
                {"id": 8, "severity": "high", "vulnerable_versions": "all of them"},
            ],
        });
        let report = report(known.as_object().unwrap(), &found, 3);
        assert_eq!(report["metadata"]["vulnerabilities"]["high"], 2);
        assert_eq!(report["metadata"]["vulnerabilities"]["low"], 0);
        assert_eq!(report["advisories"].as_object().unwrap().len(), 2);
        let advisory = &report["advisories"]["7"];
        assert_eq!(advisory["module_name"], "b");
        assert_eq!(advisory["patched_versions"], ">=2.0.0");
        assert_eq!(
            advisory["findings"],
            json!([{"version": "1.0.0", "paths": ["b"]}])
        );
        let advisory = &report["advisories"]["8"];
        assert_eq!(advisory["patched_versions"], "<0.0.0");
        assert_eq!(
            advisory["findings"],
            json!([{"version": "1.0.0", "paths": ["b"]}, {"version": "2.0.0", "paths": ["a>b"]}])
        );
        let resolved = |id: u8, path: &str| json!({"id": id, "path": path, "dev": false, "optional": false, "bundled": false});
        assert_eq!(
            report["actions"],
            json!([{
                "action": "review",
                "module": "b",
                "resolves": [resolved(7, "b"), resolved(8, "b"), resolved(8, "a>b")],
            }])
        );
    }
}
