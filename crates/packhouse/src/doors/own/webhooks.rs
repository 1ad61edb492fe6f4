//! Webhooks: who is told of events.

use audit::{NewWebhook, Webhook, WebhookChange};
use aws::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::{invalid, parse_time};
use super::{Answered, Call, answer_with, failed};

/// A webhook, and its secret where that is new.
#[derive(Serialize)]
struct Shown<'a> {
    webhook: &'a Webhook,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

/// What `ReplayEvents` is asked: `{"startTime": "2026-03-14T00:00:00Z", "endTime": "…"}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Span {
    start_time: String,
    end_time: Option<String>,
}

impl Call<'_> {
    /// The webhook that is meant, or any.
    fn webhook_arn(&self) -> String {
        let id = if self.id.is_empty() { "*" } else { self.id };
        let account = self.caller.account();
        format!(
            "arn:aws:packhouse:{}:{account}:webhook/{id}",
            self.house.region
        )
    }
}

pub(super) async fn create(call: Call<'_>) -> Answered {
    let new: NewWebhook = call.read(r#"{"url": "…", "description": "…", "filter": {…}}"#)?;
    call.may(&call.webhook_arn()).await?;
    let made = call.house.webhooks.create(call.caller.account(), &new);
    let (webhook, secret) = made.await.map_err(failed)?;
    show(&webhook, Some(&secret))
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    call.may(&call.webhook_arn()).await?;
    let webhooks = call.house.webhooks.list(call.caller.account());
    answer_with(&json!({"webhooks": webhooks.await.map_err(failed)?}))
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    call.may(&call.webhook_arn()).await?;
    let webhook = call.house.webhooks.get(call.caller.account(), call.id);
    show(&webhook.await.map_err(failed)?, None)
}

pub(super) async fn update(call: Call<'_>) -> Answered {
    let change: WebhookChange = call.read(
        r#"{"url": "…", "description": "…", "filter": {…}, "enabled": true}, each of them optional"#,
    )?;
    call.may(&call.webhook_arn()).await?;
    let webhook = call
        .house
        .webhooks
        .update(call.caller.account(), call.id, change);
    show(&webhook.await.map_err(failed)?, None)
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    call.may(&call.webhook_arn()).await?;
    let gone = call.house.webhooks.delete(call.caller.account(), call.id);
    gone.await.map_err(failed)?;
    answer_with(&json!({}))
}

pub(super) async fn rotate(call: Call<'_>) -> Answered {
    call.may(&call.webhook_arn()).await?;
    let (webhooks, account) = (&call.house.webhooks, call.caller.account());
    let secret = webhooks.rotate(account, call.id).await.map_err(failed)?;
    let webhook = webhooks.get(account, call.id).await.map_err(failed)?;
    show(&webhook, Some(&secret))
}

pub(super) async fn replay(call: Call<'_>) -> Answered {
    let span: Span = call.read(r#"{"startTime": "…", "endTime": "…"}"#)?;
    let time = |name, text: &str| {
        parse_time(text).ok_or_else(|| invalid(name, "is a time like 2026-03-14T15:09:26Z"))
    };
    let from = time("startTime", &span.start_time)?;
    let until = match &span.end_time {
        Some(text) => time("endTime", text)?,
        None => call.house.clock.now(),
    };
    call.may(&call.webhook_arn()).await?;
    let replayed = call
        .house
        .webhooks
        .replay(call.caller.account(), call.id, from, until);
    let (events, rest) = replayed.await.map_err(failed)?;
    let mut answer = json!({"events": events});
    if let Some(rest) = rest {
        answer["nextStartTime"] = json!(rest.iso8601());
    }
    answer_with(&answer)
}

fn show(webhook: &Webhook, secret: Option<&SecretString>) -> Answered {
    let secret = secret.map(|secret| secret.expose().as_str());
    answer_with(&Shown { webhook, secret })
}
