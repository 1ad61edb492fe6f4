//! Looking things up: records of requests, and why something was refused.

use audit::{Explained, Lookup};
use aws::page::{Filters, MaxResults};
use aws::{Fault, Member as _, Reason, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Answered, Call, answer_with, failed};

/// Of a page, unless the caller says otherwise.
const PAGE: u32 = 50;

/// A page of refusals.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decisions {
    /// Newest first.
    pub(crate) decisions: Vec<Explained>,
    /// Where the next page begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_token: Option<String>,
}

/// `GET …/audit/events?startTime=…&endTime=…&principal=…&eventName=…&resource=…&errors=true&maxResults=…&nextToken=…`
pub(super) async fn lookup(call: Call<'_>) -> Answered {
    let text = |name: &str| call.query(name).map(str::to_owned);
    let lookup = Lookup {
        from: time(&call, "startTime")?,
        until: time(&call, "endTime")?,
        principal: text("principal"),
        event: text("eventName"),
        resource: text("resource"),
        failed: match call.query("errors") {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid("errors", "is `true` or `false`")),
        },
    };
    call.may("*").await?;
    let account = call.caller.account();
    let filters = Filters::of([
        Some(account.as_str()),
        call.query("startTime"),
        call.query("endTime"),
        call.query("principal"),
        call.query("eventName"),
        call.query("resource"),
        call.query("errors"),
    ]);
    let before = opened(&call, &filters)?;
    let limit = limit(&call)?;
    let found = call
        .house
        .ledger
        .find(account, &lookup, before.as_deref(), limit);
    let found = found.await.map_err(failed)?;
    let mut page = json!({"events": found.records});
    if let Some(next) = found.next {
        let token = call.house.sealer.seal(call.operation.name, &filters, &next);
        page["nextToken"] = json!(token);
    }
    answer_with(&page)
}

/// `GET …/decisions/{id}`: the id of a decision, or of the request that was refused.
pub(super) async fn explain(call: Call<'_>) -> Answered {
    call.may("*").await?;
    let explained = call.house.ledger.explain(call.caller.account(), call.id);
    answer_with(&explained.await.map_err(failed)?)
}

/// `GET …/decisions`: the newest refusals of the account's callers.
pub(super) async fn list(call: Call<'_>) -> Answered {
    call.may("*").await?;
    let account = call.caller.account();
    let filters = Filters::of([Some(account.as_str())]);
    let before = opened(&call, &filters)?;
    let limit = limit(&call)?;
    let found = call
        .house
        .ledger
        .refusals(account, before.as_deref(), limit);
    let (decisions, next) = found.await.map_err(failed)?;
    let seal = |next: String| call.house.sealer.seal(call.operation.name, &filters, &next);
    answer_with(&Decisions {
        decisions,
        next_token: next.map(seal),
    })
}

fn opened(call: &Call<'_>, filters: &Filters) -> Result<Option<String>, Fault> {
    let token = call.query("nextToken");
    let open = |token| call.house.sealer.open(call.operation.name, filters, token);
    Ok(token.map(open).transpose()?)
}

pub(super) fn limit(call: &Call<'_>) -> Result<u32, Fault> {
    let Some(text) = call.query("maxResults") else {
        return Ok(PAGE);
    };
    let wanted = MaxResults::parse(text);
    wanted
        .map(MaxResults::get)
        .map_err(|_| invalid("maxResults", "is a number from 1 to 1000"))
}

/// A time as ISO 8601, or in seconds since 1970.
pub(super) fn time(call: &Call<'_>, name: &str) -> Result<Option<Timestamp>, Fault> {
    let Some(text) = call.query(name) else {
        return Ok(None);
    };
    match parse_time(text) {
        Some(time) => Ok(Some(time)),
        None => Err(invalid(
            name,
            "is a time like 2026-03-14T15:09:26Z, or in seconds since 1970",
        )),
    }
}

pub(super) fn parse_time(text: &str) -> Option<Timestamp> {
    let seconds = || text.parse().ok().map(Timestamp::from_seconds);
    Timestamp::parse_iso8601(text).or_else(seconds)
}

pub(super) fn invalid(name: &str, rule: &str) -> Fault {
    Fault::validation(Reason::FieldValidationFailed, format!("`{name}` {rule}"))
}
