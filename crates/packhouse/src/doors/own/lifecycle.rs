//! Rules for old versions: set, tried, applied, undone.

use catalog::job::JobRun;
use catalog::lifecycle::{LifecycleResult, Planned, Rules, StoredRules};
use catalog::{Action, Outcomes, RemovedVersion, Version};
use serde::Deserialize;
use serde_json::{Value, json};

use super::search::without_null;
use super::{Answered, Call, answer_with};
use crate::fetch_times::Known;

const PLACE: [&str; 3] = ["domain", "domainOwner", "repository"];
const PACKAGE: [&str; 6] = [
    "domain",
    "domainOwner",
    "repository",
    "format",
    "namespace",
    "package",
];

/// What rules look like.
const FORM: &str =
    r#"{"rules": [{"name": "…", "match": {…}, "keep": {…}, "then": "Archive|Dispose|Delete"}]}"#;

/// What `RestorePackageVersions` is asked: `{"versions": ["1.0.0"]}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Restore {
    versions: Vec<String>,
}

pub(super) async fn put(call: Call<'_>) -> Answered {
    let rules: Rules = call.read(FORM)?;
    let permit = call.repository(Action::UpdateRepository).await?;
    let kept = call.house.ledger.keeps_fetches();
    let stored = permit.put_lifecycle_rules(rules, kept).await;
    show_rules(&stored.map_err(codeartifact::fault)?)
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::DescribeRepository).await?;
    let stored = permit.lifecycle_rules().await;
    show_rules(&stored.map_err(codeartifact::fault)?)
}

fn show_rules(stored: &StoredRules) -> Answered {
    answer_with(&json!({
        "rules": stored.rules.rules, "changed": stored.changed.iso8601(), "principal": stored.principal,
    }))
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::UpdateRepository).await?;
    permit
        .delete_lifecycle_rules()
        .await
        .map_err(codeartifact::fault)?;
    answer_with(&json!({}))
}

/// `POST …/lifecycle/preview`: what a run would do now; with a body, under those rules.
pub(super) async fn preview(call: Call<'_>) -> Answered {
    let rules: Option<Rules> = if call.body.is_empty() {
        None
    } else {
        Some(call.read(FORM)?)
    };
    let permit = call.repository(Action::DescribeRepository).await?;
    let ledger = &call.house.ledger;
    if let Some(rules) = &rules {
        rules
            .check(ledger.keeps_fetches())
            .map_err(codeartifact::fault)?;
    }
    let paging = call.paging(&PLACE)?;
    let planned = permit
        .preview_lifecycle(rules, &Known(ledger), paging.after.as_deref())
        .await;
    let planned = planned.map_err(codeartifact::fault)?;
    let versions: Vec<_> = planned.items.iter().map(show_planned).collect();
    let mut page =
        json!({"versions": versions, "nextToken": paging.token(&call, planned.next.as_deref())});
    without_null(&mut page);
    answer_with(&page)
}

fn show_planned(planned: &Planned) -> Value {
    let id = &planned.id;
    let mut shown = json!({
        "format": id.format.as_str(), "namespace": id.namespace.as_ref().map(ToString::to_string), "package": id.name.as_str(),
        "version": planned.version.as_str(), "status": planned.status.as_str(), "rule": planned.rule, "then": planned.then.as_str(),
    });
    without_null(&mut shown);
    shown
}

pub(super) async fn start(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::UpdateRepository).await?;
    let run = permit
        .start_lifecycle()
        .await
        .map_err(codeartifact::fault)?;
    answer_with(&json!({"run": show_run(&run)}))
}

pub(super) async fn runs(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::DescribeRepository).await?;
    let paging = call.paging(&PLACE)?;
    let runs = permit
        .lifecycle_runs(paging.after.as_deref(), paging.limit)
        .await;
    let runs = runs.map_err(codeartifact::fault)?;
    let shown: Vec<_> = runs.items.iter().map(show_run).collect();
    let mut page = json!({"runs": shown, "nextToken": paging.token(&call, runs.next.as_deref())});
    without_null(&mut page);
    answer_with(&page)
}

/// `GET …/lifecycle/runs/{id}`: the run, and a page of what it did.
pub(super) async fn run(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::DescribeRepository).await?;
    let paging = call.paging(&PLACE)?;
    let run = permit
        .lifecycle_run(call.id)
        .await
        .map_err(codeartifact::fault)?;
    let results = permit
        .lifecycle_results(call.id, paging.after.as_deref(), paging.limit)
        .await;
    let results = results.map_err(codeartifact::fault)?;
    let shown: Vec<_> = results.items.iter().map(show_result).collect();
    let mut page = json!({
        "run": show_run(&run), "results": shown, "nextToken": paging.token(&call, results.next.as_deref()),
    });
    without_null(&mut page);
    answer_with(&page)
}

pub(super) async fn undo(call: Call<'_>) -> Answered {
    let permit = call.repository(Action::UpdateRepository).await?;
    let run = permit
        .undo_lifecycle(call.id)
        .await
        .map_err(codeartifact::fault)?;
    answer_with(&json!({"run": show_run(&run)}))
}

pub(super) fn show_run(run: &JobRun) -> Value {
    let time = |time: Option<aws::Timestamp>| time.map(aws::Timestamp::iso8601);
    let mut shown = json!({
        "id": run.id, "job": run.job.as_str(), "state": run.state.as_str(), "principal": run.principal,
        "asked": run.asked.iso8601(), "started": time(run.started), "ended": time(run.ended), "counts": run.counts,
        "failure": run.failure, "ofRun": run.of_run,
    });
    without_null(&mut shown);
    shown
}

fn show_result(result: &LifecycleResult) -> Value {
    let id = &result.id;
    let mut shown = json!({
        "format": id.format.as_str(), "namespace": id.namespace.as_ref().map(ToString::to_string), "package": id.name.as_str(),
        "version": result.version.as_str(), "status": result.status.as_str(), "rule": result.rule, "then": result.then.as_str(),
        "failure": result.failure, "restored": result.restored.map(aws::Timestamp::iso8601),
    });
    without_null(&mut shown);
    shown
}

/// `GET …/removed-versions`: what of a package can be brought back.
pub(super) async fn removed(call: Call<'_>) -> Answered {
    let permit = call.package(Action::ListPackageVersions).await?;
    let paging = call.paging(&PACKAGE)?;
    let removed = permit.removed(paging.after.as_deref(), paging.limit).await;
    let removed = removed.map_err(codeartifact::fault)?;
    let show = |one: &RemovedVersion| {
        json!({
            "version": one.version.as_str(), "status": one.status.as_str(), "revision": one.revision,
            "removed": one.removed.iso8601(), "until": one.until.iso8601(), "principal": one.principal,
            "how": one.removal.as_str(),
        })
    };
    let versions: Vec<_> = removed.items.iter().map(show).collect();
    let mut page =
        json!({"versions": versions, "nextToken": paging.token(&call, removed.next.as_deref())});
    without_null(&mut page);
    answer_with(&page)
}

/// `POST …/removed-versions/restore`: all or none.
pub(super) async fn restore(call: Call<'_>) -> Answered {
    let asked: Restore = call.read(r#"{"versions": ["…"]}"#)?;
    let wrong = |_| super::audit::invalid("versions", "has a version that is none");
    let versions: Vec<Version> = asked
        .versions
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if versions.is_empty() || versions.len() > 100 {
        return Err(super::audit::invalid("versions", "has 1 to 100 versions"));
    }
    let permit = call.package(Action::PublishPackageVersion).await?;
    let Outcomes { successful, failed } = permit
        .restore(versions)
        .await
        .map_err(codeartifact::fault)?;
    let successful = successful.iter().map(|(version, (revision, status))| {
        let status = status.map(catalog::Status::as_str);
        (
            version.to_string(),
            json!({"revision": revision, "status": status}),
        )
    });
    let failed = failed.iter().map(|(version, (code, message))| {
        (
            version.to_string(),
            json!({"errorCode": code.as_str(), "errorMessage": message}),
        )
    });
    answer_with(&json!({
        "successfulVersions": successful.collect::<serde_json::Map<_, _>>(),
        "failedVersions": failed.collect::<serde_json::Map<_, _>>(),
    }))
}
