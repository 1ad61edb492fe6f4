//! Work on everything that is stored: only the first account, which runs the installation, has to do with it.

use aws::Fault;
use catalog::QuarantinedBlob;
use catalog::job::Job;
use serde::Deserialize;
use serde_json::json;

use super::audit::invalid;
use super::lifecycle::show_run;
use super::search::without_null;
use super::{Answered, Call, answer_with};

/// What `StartJob` is asked: `{"job": "Sweep"}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    job: String,
}

impl Call<'_> {
    /// Whether the caller may, and belongs to the account that runs the installation.
    async fn may_here(&self) -> Result<(), Fault> {
        self.may("*").await?;
        if *self.caller.account() == self.house.account {
            Ok(())
        } else {
            Err(Fault::access_denied(
                "this is done by the account that runs the installation",
            ))
        }
    }
}

/// The jobs that this is about; those of rules belong to their repository.
fn read(text: &str) -> Result<Job, Fault> {
    match text.parse() {
        Ok(job @ (Job::Sweep | Job::Scrub)) => Ok(job),
        _ => Err(invalid("job", "is `Sweep` or `Scrub`")),
    }
}

pub(super) async fn start(call: Call<'_>) -> Answered {
    let asked: Start = call.read(r#"{"job": "Sweep|Scrub"}"#)?;
    let job = read(&asked.job)?;
    call.may_here().await?;
    let run = call.house.catalog.start_job(job, call.caller.arn()).await;
    let run = run.map_err(codeartifact::fault)?;
    answer_with(&json!({"run": show_run(&run)}))
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let job = call.query("job").map(read).transpose()?;
    call.may_here().await?;
    let paging = call.paging(&["job"])?;
    let runs = call
        .house
        .catalog
        .job_runs(job, paging.after.as_deref(), paging.limit)
        .await;
    let runs = runs.map_err(codeartifact::fault)?;
    let shown: Vec<_> = runs.items.iter().map(show_run).collect();
    let mut page = json!({"runs": shown, "nextToken": paging.token(&call, runs.next.as_deref())});
    without_null(&mut page);
    answer_with(&page)
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    call.may_here().await?;
    let run = call
        .house
        .catalog
        .job_run(call.id)
        .await
        .map_err(codeartifact::fault)?;
    answer_with(&json!({"run": show_run(&run)}))
}

pub(super) async fn quarantine(call: Call<'_>) -> Answered {
    call.may_here().await?;
    let paging = call.paging(&[])?;
    let blobs = call
        .house
        .catalog
        .quarantined(paging.after.as_deref(), paging.limit)
        .await;
    let blobs = blobs.map_err(codeartifact::fault)?;
    let show = |blob: &QuarantinedBlob| {
        json!({
            "sha256": blob.sha256, "size": blob.size_bytes, "domain": blob.domain, "domainOwner": blob.owner,
            "problem": blob.problem, "found": blob.found.iso8601(), "run": blob.run, "files": blob.uses,
        })
    };
    let shown: Vec<_> = blobs.items.iter().map(show).collect();
    let mut page = json!({"blobs": shown, "nextToken": paging.token(&call, blobs.next.as_deref())});
    without_null(&mut page);
    answer_with(&page)
}
