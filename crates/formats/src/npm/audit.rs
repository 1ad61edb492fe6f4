//! What is known against versions, and what proves where they come from: asked of the public registry, and never about
//! packages whose names are nobody else's business.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::Bytes;
use catalog::{Error, OpenRepository, PackageId, Remote, Version, VersionId};
use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json::Members;
use super::manifest::ATTESTATIONS;
use super::remote::SMALL;
use super::request::{full_name, parse_name};
use super::{json_answer, refusal};
use crate::protocol::Body;
use crate::upload;

/// Bytes of a question, unpacked, at most.
const QUESTION_BYTES: usize = 10 << 20;

/// Bytes of an answer of a registry, at most.
const ANSWER_BYTES: usize = 32 << 20;

/// Packages in a question, at most: each is looked up.
const PACKAGES: usize = 20_000;

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
    let mut questions: Vec<(Remote, Installed)> = Vec::new();
    for (name, versions) in installed {
        let Ok(package) = parse_name(&name) else {
            continue;
        };
        for remote in repository.registries(&package).await? {
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

/// The answer in its old form. Which of several versions an advisory is about is not said; all are named then.
fn report(known: &Map<String, Value>, found: &Found, total: usize) -> Value {
    let mut advisories = Map::new();
    let mut counts: BTreeMap<&str, u64> = ["info", "low", "moderate", "high", "critical"]
        .into_iter()
        .map(|severity| (severity, 0))
        .collect();
    for (name, list) in known {
        let findings: Vec<_> = found
            .get(name)
            .into_iter()
            .flatten()
            .map(|(version, paths)| json!({"version": version, "paths": paths}))
            .collect();
        for advisory in list.as_array().into_iter().flatten() {
            let id = advisory["id"].to_string();
            let severity = advisory["severity"].as_str().unwrap_or("moderate");
            if let Some(count) = counts.get_mut(severity) {
                *count += 1;
            }
            let mut old = advisory.clone();
            old["module_name"] = json!(name);
            old["findings"] = json!(findings);
            for (key, default) in [
                ("overview", ""),
                ("recommendation", ""),
                ("patched_versions", "<0.0.0"),
                ("access", "public"),
            ] {
                if old[key].is_null() {
                    old[key] = json!(default);
                }
            }
            advisories.insert(id, old);
        }
    }
    json!({
        "actions": [],
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
    let name = full_name(&id.package);
    for remote in repository.registries(&id.package).await? {
        let path = format!("-/npm/v1/attestations/{name}@{}", id.version);
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
        let known = json!({"b": [{"id": 7, "severity": "high", "title": "t"}]});
        let report = report(known.as_object().unwrap(), &found, 3);
        assert_eq!(report["metadata"]["vulnerabilities"]["high"], 1);
        let advisory = &report["advisories"]["7"];
        assert_eq!(advisory["module_name"], "b");
        assert_eq!(
            advisory["findings"],
            json!([{"version": "1.0.0", "paths": ["b"]}, {"version": "2.0.0", "paths": ["a>b"]}])
        );
    }
}
