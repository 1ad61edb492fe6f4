//! `packhouse why`: what a refusal rests on, asked of the running server in the name of the account's `admin`.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::bail;
use audit::Explained;
use aws::percent;
use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;

use crate::cli::{Admin, Why};
use crate::client::call_as;
use crate::doors::own::{DECISIONS, Decisions};

/// Without an id, so many are shown.
const NEWEST: u32 = 20;

pub(crate) fn run(arguments: &Why) -> anyhow::Result<()> {
    let admin = &arguments.admin;
    let told = match &arguments.id {
        Some(id) => ask(admin, &format!("{DECISIONS}/{}", percent::encode(id)))?,
        None => ask(admin, &format!("{DECISIONS}?maxResults={NEWEST}"))?,
    };
    let text = if admin.json {
        let value: serde_json::Value = read(&told)?;
        format!("{}\n", serde_json::to_string_pretty(&value)?)
    } else if arguments.id.is_some() {
        whole(&read(&told)?)
    } else {
        lines(&read::<Decisions>(&told)?.decisions)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// One refusal with everything that is known of it.
fn whole(decision: &Explained) -> String {
    let mut text = format!("{}\n\n", decision.explanation);
    for (name, value) in [
        ("decision", &decision.id),
        ("time", &decision.time),
        ("principal", &decision.principal),
        ("action", &decision.action),
        ("resource", &decision.resource),
        ("reason", &decision.reason),
        ("request", &decision.request_id),
        ("record", &decision.event_id),
    ] {
        // Writing to a text cannot fail.
        _ = writeln!(text, "  {name:<10}{value}");
    }
    for statement in &decision.statements {
        let name = statement.policy_arn.as_ref().unwrap_or(&statement.policy);
        let sid = statement.sid.as_deref().map(|sid| format!(" `{sid}`"));
        let (kind, number) = (&statement.policy_type, statement.index + 1);
        let sid = sid.unwrap_or_default();
        _ = writeln!(text, "  statement {number}{sid} of {name} ({kind})");
    }
    text
}

/// A line each.
fn lines(decisions: &[Explained]) -> String {
    let line = |decision: &Explained| {
        let Explained {
            id,
            time,
            explanation,
            ..
        } = decision;
        format!("{time}  {id}  {explanation}\n")
    };
    decisions.iter().map(line).collect()
}

fn ask(admin: &Admin, uri: &str) -> anyhow::Result<Bytes> {
    call_as(admin, (Method::GET, uri), Vec::new())
}

fn read<T: DeserializeOwned>(answer: &Bytes) -> anyhow::Result<T> {
    let Ok(read) = serde_json::from_slice(answer) else {
        bail!("the answer of the server does not read");
    };
    Ok(read)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_is_shown_as_a_sentence_and_its_parts() {
        let decision: Explained = serde_json::from_value(json!({
            "id": "0198", "time": "2026-03-14T15:09:26Z", "requestId": "r", "eventId": "e", "principal": "P",
            "account": "111122223333", "resourceAccount": "111122223333", "action": "a:B", "resource": "R",
            "reason": "explicit-identity", "message": "no", "explanation": "P asked for a:B on R; it is denied.",
            "statements": [{"policyType": "identity", "policy": "careful", "sid": "NotThis", "index": 1}]
        }))
        .unwrap();
        assert_eq!(
            whole(&decision),
            "P asked for a:B on R; it is denied.\n\n  decision  0198\n  time      2026-03-14T15:09:26Z\n  principal P\n  \
             action    a:B\n  resource  R\n  reason    explicit-identity\n  request   r\n  record    e\n  statement 2 \
             `NotThis` of careful (identity)\n"
        );
        assert_eq!(
            lines(&[decision]),
            "2026-03-14T15:09:26Z  0198  P asked for a:B on R; it is denied.\n"
        );
    }
}
