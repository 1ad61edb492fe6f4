//! `packhouse sweep` and `packhouse scrub`: asks the running server to begin, and waits until it is done.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use catalog::job::Job;
use http::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cli::StartJob;
use crate::client::{block_on, call_as};
use crate::doors::own::JOBS;

/// How often it is asked how far it is.
const EVERY: Duration = Duration::from_millis(500);

pub(crate) fn run(job: Job, arguments: &StartJob) -> anyhow::Result<()> {
    let ask = |method: Method, uri: &str, body: Vec<u8>| -> anyhow::Result<Value> {
        let answer = call_as(&arguments.admin, (method, uri), body)?;
        let answer: Value =
            serde_json::from_slice(&answer).context("the answer of the server does not read")?;
        Ok(answer["run"].clone())
    };
    let body = json!({"job": job.as_str()}).to_string().into_bytes();
    let mut run = ask(Method::POST, JOBS, body)?;
    let uri = format!("{JOBS}/{}", run["id"].as_str().unwrap_or_default());
    while !arguments.no_wait && matches!(run["state"].as_str(), Some("Queued" | "Running")) {
        block_on(async {
            sleep(EVERY).await;
            Ok(())
        })?;
        run = ask(Method::GET, &uri, Vec::new())?;
    }
    let text = if arguments.admin.json {
        format!("{}\n", serde_json::to_string_pretty(&run)?)
    } else {
        line(&run)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    match (run["state"].as_str(), run["failure"].as_str()) {
        (Some("Failed"), why) => bail!("the job has failed: {}", why.unwrap_or("nobody knows why")),
        (Some("Interrupted"), _) => bail!("the server ended before the job was done"),
        _ if run["counts"]["damaged"].as_u64().unwrap_or(0) > 0 => {
            bail!(
                "some bytes are damaged and in quarantine\nhint: the operation `ListQuarantinedBlobs` names them"
            )
        }
        _ => Ok(()),
    }
}

/// `Scrub 01J… Succeeded: blobs 12, bytes 34567, damaged 0, healed 0`
fn line(run: &Value) -> String {
    let text = |name: &str| run[name].as_str().unwrap_or("-").to_owned();
    let counts = run["counts"].as_object();
    let counts = counts
        .into_iter()
        .flatten()
        .map(|(name, count)| format!("{name} {count}"));
    let counts = counts.collect::<Vec<_>>().join(", ");
    let counts = if counts.is_empty() {
        counts
    } else {
        format!(": {counts}")
    };
    format!("{} {} {}{counts}\n", text("job"), text("id"), text("state"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_a_line() {
        for (run, expected) in [
            (
                json!({"job": "Sweep", "id": "01J", "state": "Queued", "counts": {}}),
                "Sweep 01J Queued\n",
            ),
            (
                json!({"job": "Scrub", "id": "01J", "state": "Succeeded", "counts": {"blobs": 2, "damaged": 0}}),
                "Scrub 01J Succeeded: blobs 2, damaged 0\n",
            ),
        ] {
            assert_eq!(line(&run), expected);
        }
    }
}
