//! Webhooks: who is told of events, and where.

use aws::{AccountId, SecretString, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use catalog::{DomainName, FormatName, RepositoryName, Status};
use iam::Iam;
use iam::vault::{Owner, Place};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use store::{Database, Row, Value};
use url::Url;

use crate::Error;
use crate::draft::new_id;
use crate::table::read;

/// What transactions touch that give the dispatcher something to do.
pub(crate) const TOPIC: &str = "webhooks";

/// Webhooks of an account, at most.
const COUNT: usize = 100;
/// Characters of an address, and of a description.
const TEXT: usize = 2048;
/// Events that one replay sends again.
const REPLAY: i64 = 10_000;
/// Entries of a list of a filter, at most.
const FILTER: usize = 100;
/// `operationType` of an event.
const OPERATION_TYPES: &[&str] = &["Created", "Updated", "Deleted"];

/// Which events a webhook is told of. An empty list lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Filter {
    /// Names of domains.
    pub domains: Vec<String>,
    /// Names of repositories.
    pub repositories: Vec<String>,
    /// `maven`, `npm`, ….
    pub formats: Vec<String>,
    /// `Created`, `Updated`, `Deleted`.
    pub operation_types: Vec<String>,
    /// States that the version is in afterwards: `Published`, `Unlisted`, ….
    pub package_version_states: Vec<String>,
}

impl Filter {
    /// Whether an event passes.
    pub(crate) fn passes(&self, event: &Json) -> bool {
        let detail = &event["detail"];
        let passes = |list: &[String], member: &str| {
            let value = detail[member].as_str();
            list.is_empty() || list.iter().any(|entry| Some(entry.as_str()) == value)
        };
        passes(&self.domains, "domainName")
            && passes(&self.repositories, "repositoryName")
            && passes(&self.formats, "packageFormat")
            && passes(&self.operation_types, "operationType")
            && passes(&self.package_version_states, "packageVersionState")
    }

    /// Whether there can be such events. Errors: `Invalid`, for a list that is too long or has an entry that nothing is
    /// called.
    fn check(&self) -> Result<(), Error> {
        let names = |name: &str, list: &[String], is_one: &dyn Fn(&str) -> bool| {
            if list.len() > FILTER {
                let message = format!("`{name}` of a filter has at most {FILTER} entries");
                return Err(Error::Invalid(message));
            }
            match list.iter().find(|entry| !is_one(entry)) {
                None => Ok(()),
                Some(wrong) => {
                    // Quoted as far as an honest one is long.
                    let wrong: String = wrong.chars().take(100).collect();
                    let message = format!("`{wrong}` is none of the `{name}` that there can be");
                    Err(Error::Invalid(message))
                }
            }
        };
        names("domains", &self.domains, &|text| {
            text.parse::<DomainName>().is_ok()
        })?;
        names("repositories", &self.repositories, &|text| {
            text.parse::<RepositoryName>().is_ok()
        })?;
        names("formats", &self.formats, &|text| {
            text.parse::<FormatName>().is_ok()
        })?;
        names("operationTypes", &self.operation_types, &|text| {
            OPERATION_TYPES.contains(&text)
        })?;
        names(
            "packageVersionStates",
            &self.package_version_states,
            &|text| Status::SPELLINGS.contains(&text),
        )
    }
}

/// A webhook to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewWebhook {
    /// Where events are sent: `https://receiver.example/events`, without user and password.
    pub url: String,
    /// For people.
    #[serde(default)]
    pub description: String,
    /// Which events.
    #[serde(default)]
    pub filter: Filter,
}

/// What is changed of a webhook; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WebhookChange {
    /// Another address.
    pub url: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another filter, whole.
    pub filter: Option<Filter>,
    /// Whether anything is sent; what waits while it is off is sent later, if that is not too late.
    pub enabled: Option<bool>,
}

/// A webhook as its account sees it; its secret is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Its id.
    pub id: String,
    /// Where events are sent.
    pub url: String,
    /// For people.
    pub description: String,
    /// Which events.
    pub filter: Filter,
    /// Whether anything is sent.
    pub enabled: bool,
    /// When it was made.
    pub created: String,
    /// When something last arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_delivered: Option<String>,
    /// When something last did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failed: Option<String>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<String>,
    /// Events that were given up.
    pub abandoned: u64,
    /// Events that wait to be delivered.
    pub waiting: u64,
}

const COLUMNS_OF: &str = "
    SELECT webhooks.id, webhooks.url, webhooks.description, webhooks.filter AS document, webhooks.enabled,
           webhooks.created, webhooks.delivered, webhooks.failed, webhooks.failure, webhooks.abandoned,
           (SELECT COUNT(*) FROM deliveries WHERE deliveries.webhook_id = webhooks.id) AS waiting
      FROM webhooks
     WHERE webhooks.account = $1
       AND ($2 = '' OR webhooks.id = $2)
     ORDER BY webhooks.id";

const INSERT: &str = "
    INSERT INTO webhooks (id, account, url, description, filter, enabled, secret, created, abandoned)
    VALUES ($1, $2, $3, $4, $5, 1, $6, $7, 0)";

const UPDATE: &str = "
    UPDATE webhooks
       SET url = $3, description = $4, filter = $5, enabled = $6
     WHERE account = $1
       AND id = $2";

const SET_SECRET: &str = "
    UPDATE webhooks
       SET secret = $3
     WHERE account = $1
       AND id = $2";

const DELETE: &str = "
    DELETE FROM webhooks
     WHERE account = $1
       AND id = $2";

const EVENTS: &str = "
    SELECT id, at, package, sequence, document
      FROM events
     WHERE account = $1
       AND (at, id) > ($2, $3)
       AND at < $4
     ORDER BY at, id
     LIMIT $5";

pub(crate) const DELIVER: &str = "
    INSERT INTO deliveries (webhook_id, package, sequence, id, event_id, document, since, attempts, due)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $7)";

/// The webhooks of this installation.
#[derive(Clone)]
pub struct Webhooks {
    database: Database,
    iam: Iam,
}

impl Webhooks {
    /// Over tables that the [`Ledger`](crate::Ledger) has made.
    pub fn new(database: Database, iam: Iam) -> Self {
        Self { database, iam }
    }

    /// Makes a webhook; the secret that signs what it is sent is given once. Errors: `Invalid`.
    pub async fn create(
        &self,
        account: &AccountId,
        new: &NewWebhook,
    ) -> Result<(Webhook, SecretString), Error> {
        let url = address(&new.url)?;
        check_text("description", &new.description)?;
        new.filter.check()?;
        if self.list(account).await?.len() >= COUNT {
            return Err(Error::Invalid(format!(
                "an account has at most {COUNT} webhooks"
            )));
        }
        let now = self.iam.clock().now();
        let id = new_id(now);
        let secret = new_secret();
        let sealed = self.seal(account, &id, &secret).await?;
        let values: [Value; 7] = [
            id.as_str().into(),
            account.as_str().into(),
            url.as_str().into(),
            new.description.as_str().into(),
            json(&new.filter)?.into(),
            sealed.into(),
            now.millis().into(),
        ];
        self.database
            .write(move |tx| tx.execute(INSERT, &values))
            .await?;
        Ok((self.get(account, &id).await?, secret))
    }

    /// All webhooks of an account, oldest first.
    pub async fn list(&self, account: &AccountId) -> Result<Vec<Webhook>, Error> {
        self.read(account, "").await
    }

    /// One webhook. Errors: `NotFound`.
    pub async fn get(&self, account: &AccountId, id: &str) -> Result<Webhook, Error> {
        if id.is_empty() {
            return Err(not_found(id));
        }
        let found = self.read(account, id).await?.pop();
        found.ok_or_else(|| not_found(id))
    }

    /// Changes a webhook. Errors: `NotFound`, `Invalid`.
    pub async fn update(
        &self,
        account: &AccountId,
        id: &str,
        change: WebhookChange,
    ) -> Result<Webhook, Error> {
        let now = self.get(account, id).await?;
        let url = address(change.url.as_deref().unwrap_or(&now.url))?;
        let description = change.description.unwrap_or(now.description);
        check_text("description", &description)?;
        // The one that is there stays, whatever was allowed when it was set.
        if let Some(filter) = &change.filter {
            filter.check()?;
        }
        let filter = json(&change.filter.unwrap_or(now.filter))?;
        let values: [Value; 6] = [
            account.as_str().into(),
            id.into(),
            url.as_str().into(),
            description.into(),
            filter.into(),
            change.enabled.unwrap_or(now.enabled).into(),
        ];
        self.database
            .write(move |tx| {
                tx.touch(TOPIC);
                tx.execute(UPDATE, &values)
            })
            .await?;
        self.get(account, id).await
    }

    /// Gives a webhook another secret, from the next delivery on. Errors: `NotFound`.
    pub async fn rotate(&self, account: &AccountId, id: &str) -> Result<SecretString, Error> {
        self.get(account, id).await?;
        let secret = new_secret();
        let sealed = self.seal(account, id, &secret).await?;
        let values: [Value; 3] = [account.as_str().into(), id.into(), sealed.into()];
        self.database
            .write(move |tx| tx.execute(SET_SECRET, &values))
            .await?;
        Ok(secret)
    }

    /// Removes a webhook, and what it was to be told. Errors: `NotFound`.
    pub async fn delete(&self, account: &AccountId, id: &str) -> Result<(), Error> {
        let values: [Value; 2] = [account.as_str().into(), id.into()];
        let gone = self
            .database
            .write(move |tx| tx.execute(DELETE, &values))
            .await?;
        if gone == 0 {
            return Err(not_found(id));
        }
        Ok(())
    }

    /// Sends again what happened from `from` and before `until`, as far as it is kept; says how many events, and where
    /// to go on when there were more. Errors: `NotFound`.
    pub async fn replay(
        &self,
        account: &AccountId,
        id: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<(u64, Option<Timestamp>), Error> {
        let webhook = self.get(account, id).await?;
        let limit = usize::try_from(REPLAY).unwrap_or(usize::MAX);
        // No id is empty: nothing of that very time is left out.
        let (mut at, mut after, mut count) = (from.millis(), String::new(), 0);
        loop {
            let values = vec![
                account.as_str().into(),
                at.into(),
                after.into(),
                until.millis().into(),
                (REPLAY + 1).into(),
            ];
            let events = self.database.rows(EVENTS, values).await?;
            let again = events.get(..limit).unwrap_or(&events);
            count += self.deliver_again(&webhook, again).await?;
            let (Some(last), Some(next)) = (again.last(), events.get(limit)) else {
                return Ok((count, None));
            };
            // Times are told in seconds. As long as that would lead back to where this began, it goes on.
            let rest = Timestamp::from_seconds(next.int("at")?.div_euclid(1000));
            if rest > from {
                return Ok((count, Some(rest)));
            }
            (at, after) = (last.int("at")?, last.text("id")?);
        }
    }

    async fn deliver_again(&self, webhook: &Webhook, events: &[Row]) -> Result<u64, Error> {
        let now = self.iam.clock().now();
        let mut deliveries = Vec::new();
        for row in events {
            let event: Json = read(row, "event")?;
            if webhook.filter.passes(&event) {
                deliveries.push(delivery(
                    &webhook.id,
                    row.as_str("package")?,
                    row.int("sequence")?,
                    row.as_str("id")?,
                    row.as_str("document")?,
                    now,
                ));
            }
        }
        let count = u64::try_from(deliveries.len()).unwrap_or(u64::MAX);
        self.database
            .write(move |tx| {
                tx.touch(TOPIC);
                for values in &deliveries {
                    tx.execute(DELIVER, values)?;
                }
                Ok::<_, store::Error>(())
            })
            .await?;
        Ok(count)
    }

    async fn read(&self, account: &AccountId, id: &str) -> Result<Vec<Webhook>, Error> {
        let rows = self
            .database
            .rows(COLUMNS_OF, vec![account.as_str().into(), id.into()])
            .await?;
        rows.iter().map(webhook).collect()
    }

    async fn seal(
        &self,
        account: &AccountId,
        id: &str,
        secret: &SecretString,
    ) -> Result<String, Error> {
        let sealed = self.iam.vault().seal(
            Owner::Account(account),
            place(id),
            secret.expose().as_bytes(),
        );
        Ok(sealed.await?)
    }
}

/// The one cell that the secret of a webhook stands in.
pub(crate) fn place(id: &str) -> Place<'_> {
    Place {
        table: "webhooks",
        column: "secret",
        key: id,
    }
}

/// A row of `deliveries`, due now.
pub(crate) fn delivery(
    webhook_id: &str,
    package: &str,
    sequence: i64,
    event_id: &str,
    document: &str,
    now: Timestamp,
) -> [Value; 7] {
    [
        webhook_id.into(),
        package.into(),
        sequence.into(),
        new_id(now).into(),
        event_id.into(),
        document.into(),
        now.millis().into(),
    ]
}

fn webhook(row: &Row) -> Result<Webhook, Error> {
    let time = |column| -> Result<Option<String>, store::Error> {
        let millis = row.opt_int(column)?;
        Ok(millis.map(|millis| Timestamp::from_millis(millis).iso8601()))
    };
    Ok(Webhook {
        id: row.text("id")?,
        url: row.text("url")?,
        description: row.text("description")?,
        filter: read(row, "filter of a webhook")?,
        enabled: row.flag("enabled")?,
        created: time("created")?.unwrap_or_default(),
        last_delivered: time("delivered")?,
        last_failed: time("failed")?,
        last_failure: row.opt_text("failure")?,
        abandoned: row.size("abandoned")?,
        waiting: row.size("waiting")?,
    })
}

fn not_found(id: &str) -> Error {
    Error::NotFound {
        kind: "webhook",
        id: id.to_owned(),
    }
}

fn json(filter: &Filter) -> Result<String, Error> {
    serde_json::to_string(filter).map_err(|source| Error::Damaged {
        what: "filter of a webhook",
        source,
    })
}

/// 256 bits that nobody can guess, recognisable where they should not be.
fn new_secret() -> SecretString {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .expect("an operating system without random numbers must not make secrets");
    SecretString::new(format!("whsec_{}", URL_SAFE_NO_PAD.encode(*bytes)))
}

/// An address that events may be sent to. What it resolves to is looked at when they are sent.
fn address(text: &str) -> Result<Url, Error> {
    let invalid = |why: &str| Error::Invalid(format!("`url` {why}"));
    if text.len() > TEXT {
        return Err(invalid("is too long"));
    }
    let url: Url = text
        .parse()
        .map_err(|_| invalid("is not an address like https://receiver.example/events"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid("begins with https:// or http:// and a host"));
    }
    // They would stand in the open in every answer about it; the signature proves who sends.
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("may not have a user or password in it"));
    }
    Ok(url)
}

fn check_text(name: &str, text: &str) -> Result<(), Error> {
    if text.chars().count() > TEXT || text.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "`{name}` has at most {TEXT} characters and no control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_are_web_addresses_without_a_secret() {
        for (text, good) in [
            ("https://receiver.example/events?x=1", true),
            ("http://10.0.0.1:8080/", true),
            ("https://user:secret@receiver.example/", false),
            ("https://user@receiver.example/", false),
            ("ftp://receiver.example/", false),
            ("file:///etc/passwd", false),
            ("receiver.example", false),
            ("", false),
        ] {
            assert_eq!(address(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn filters_let_through_what_they_name() {
        let event = json!({"detail": {
            "domainName": "d", "repositoryName": "r", "packageFormat": "npm", "operationType": "Created",
            "packageVersionState": "Published"
        }});
        let list = |text: &str| vec![text.to_owned()];
        for (filter, passes) in [
            (Filter::default(), true),
            (
                Filter {
                    domains: list("d"),
                    operation_types: list("Created"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    domains: list("d"),
                    formats: list("maven"),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    repositories: list("x"),
                    ..Filter::default()
                },
                false,
            ),
            (
                Filter {
                    package_version_states: list("Published"),
                    ..Filter::default()
                },
                true,
            ),
            (
                Filter {
                    package_version_states: list("Disposed"),
                    ..Filter::default()
                },
                false,
            ),
        ] {
            assert_eq!(filter.passes(&event), passes, "{filter:?}");
        }
    }

    #[test]
    fn a_filter_names_what_there_can_be() {
        let many: Vec<_> = (0..=FILTER).map(|n| format!("domain-{n}")).collect();
        for (filter, good) in [
            (json!({}), true),
            (
                json!({
                    "domains": ["my-domain"], "repositories": ["my_repository"], "formats": ["npm", "conda"],
                    "operationTypes": ["Created", "Deleted"], "packageVersionStates": ["Published", "Disposed"]
                }),
                true,
            ),
            (json!({"domains": &many[1..]}), true),
            (json!({"domains": many}), false),
            (json!({"domains": ["My"]}), false),
            (json!({"repositories": ["a/b"]}), false),
            (json!({"formats": [""]}), false),
            (json!({"operationTypes": ["created"]}), false),
            (json!({"packageVersionStates": ["Deleted"]}), false),
        ] {
            let parsed: Filter = serde_json::from_value(filter.clone()).unwrap();
            assert_eq!(parsed.check().is_ok(), good, "{filter}");
        }
    }

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, other) = (new_secret(), new_secret());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 6 + 43);
    }
}
