//! Deliveries: from what waits in the catalog's outbox to the receivers.
//!
//! ```text
//! catalog's outbox ──► events, and a delivery for each webhook that wants it      one transaction
//! deliveries that are due, oldest of each package ──► POST, signed ──► gone, or due again later
//! ```
//!
//! At least once: a delivery is gone only after its receiver said 2xx. In order for each package: what follows a delivery
//! waits until it has arrived or was given up. One process does this at a time, under a lease that it has only while
//! there is something to do.

use std::sync::Arc;
use std::time::Duration;

use aws::{AccountId, Region, SecretString, Timestamp};
use bytes::Bytes;
use catalog::outbox::{self, Happening};
use catalog::{Catalog, Courier, NotSent};
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use iam::Iam;
use iam::vault::Owner;
use store::{Database, Lease, Row, Touched, Value};
use tokio::sync::Notify;
use tokio::time::sleep;
use url::Url;

use crate::Error;
use crate::event::{DETAIL_TYPE, Event, events};
use crate::signature::{self, sign};
use crate::table::read;
use crate::webhook::{DELIVER, Filter, TOPIC, delivery, place};

/// Changes that become events in one transaction.
const CHANGES: u32 = 200;
/// Packages of all webhooks that are delivered to at once, and of one webhook.
const AT_ONCE: usize = 16;
const AT_ONCE_OF_ONE: i64 = 4;
/// Deliveries of one package that are made one after the other before others have their turn.
const IN_A_ROW: i64 = 20;
/// How long one round may take before the lease is renewed: a row of deliveries that all time out.
const LEASE: Duration = Duration::from_mins(10);
/// Before the first retry; doubled each time.
const BACK_OFF: Duration = Duration::from_secs(1);
/// Between retries, at most.
const BACK_OFF_MOST: Duration = Duration::from_hours(1);
/// Looks for work at least so often: another node may have left some.
const LOOK: Duration = Duration::from_secs(30);
/// After a failure of the database, or when another node is at it.
const REST: Duration = Duration::from_secs(5);
/// The name of the lease.
const JOB: &str = "events";

const X_DELIVERY: HeaderName = HeaderName::from_static("x-packhouse-delivery");
const X_ATTEMPT: HeaderName = HeaderName::from_static("x-packhouse-attempt");
const X_EVENT: HeaderName = HeaderName::from_static("x-packhouse-event");
const X_SIGNATURE: HeaderName = HeaderName::from_static(signature::HEADER);

const INSERT_EVENT: &str = "
    INSERT INTO events (account, id, at, package, sequence, document)
    VALUES ($1, $2, $3, $4, $5, $6)";

const RECEIVERS: &str = "
    SELECT id, account, filter AS document
      FROM webhooks
     ORDER BY id";

/// Webhooks that something is due of.
const BEHIND: &str = "
    SELECT id
      FROM webhooks
     WHERE enabled = 1
       AND EXISTS (SELECT 1
                     FROM deliveries
                    WHERE deliveries.webhook_id = webhooks.id
                      AND deliveries.due <= $1)
     ORDER BY id";

/// Packages of a webhook of which the oldest delivery is due. How many there are does not matter to other webhooks.
const DUE: &str = "
    SELECT deliveries.package
      FROM deliveries
     WHERE deliveries.webhook_id = $1
       AND deliveries.due <= $2
       AND NOT EXISTS (SELECT 1
                         FROM deliveries AS earlier
                        WHERE earlier.webhook_id = deliveries.webhook_id
                          AND earlier.package = deliveries.package
                          AND (earlier.sequence, earlier.id) < (deliveries.sequence, deliveries.id))
     ORDER BY deliveries.due
     LIMIT $3";

/// When the next one is due.
const NEXT: &str = "
    SELECT MIN(deliveries.due) AS due
      FROM deliveries
      JOIN webhooks ON webhooks.id = deliveries.webhook_id
     WHERE webhooks.enabled = 1";

const OF_PACKAGE: &str = "
    SELECT deliveries.sequence, deliveries.id, deliveries.event_id, deliveries.document, deliveries.since,
           deliveries.attempts, webhooks.url, webhooks.account, webhooks.secret
      FROM deliveries
      JOIN webhooks ON webhooks.id = deliveries.webhook_id
     WHERE deliveries.webhook_id = $1
       AND deliveries.package = $2
       AND webhooks.enabled = 1
     ORDER BY deliveries.sequence, deliveries.id
     LIMIT $3";

const DONE: &str = "
    DELETE FROM deliveries
     WHERE webhook_id = $1
       AND package = $2
       AND sequence = $3
       AND id = $4";

const DELIVERED: &str = "
    UPDATE webhooks
       SET delivered = $2
     WHERE id = $1";

const LATER: &str = "
    UPDATE deliveries
       SET attempts = $5, due = $6
     WHERE webhook_id = $1
       AND package = $2
       AND sequence = $3
       AND id = $4";

const FAILED: &str = "
    UPDATE webhooks
       SET failed = $2, failure = $3, abandoned = abandoned + $4, enabled = enabled * $5
     WHERE id = $1";

const FORGET: &str = "
    DELETE FROM events
     WHERE (account, id) IN (SELECT account, id
                               FROM events
                              WHERE at < $1
                              ORDER BY at
                              LIMIT 2000)";

/// Tells others what happened.
pub struct Dispatcher {
    database: Database,
    iam: Iam,
    catalog: Catalog,
    courier: Courier,
    region: Region,
    retry_for: Duration,
    wake: Arc<Notify>,
}

/// One delivery on its way.
struct Parcel {
    key: [Value; 4],
    webhook: String,
    url: Url,
    account: AccountId,
    sealed: String,
    id: String,
    event_id: String,
    document: String,
    since: Timestamp,
    attempts: u32,
}

/// What became of an attempt.
enum Outcome {
    Arrived,
    /// The receiver wants no more.
    Gone,
    Failed(String),
}

impl Dispatcher {
    /// Over tables that the [`Ledger`](crate::Ledger) has made. `retry_for`: how long a delivery is tried before it is
    /// given up.
    pub fn new(
        database: Database,
        iam: Iam,
        catalog: Catalog,
        courier: Courier,
        retry_for: Duration,
    ) -> Self {
        let wake = Arc::new(Notify::new());
        let woken = Arc::clone(&wake);
        database.on_touch(move |touched| {
            let ours = match touched {
                Touched::Topics(topics) => topics
                    .iter()
                    .any(|topic| topic == outbox::TOPIC || topic == TOPIC),
                Touched::Everything => true,
            };
            if ours {
                woken.notify_one();
            }
        });
        Self {
            region: iam.region().clone(),
            database,
            iam,
            catalog,
            courier,
            retry_for,
            wake,
        }
    }

    /// Delivers until the future is dropped: an attempt that is cut off is made again.
    pub async fn run(&self) {
        loop {
            let rest = match self.round().await {
                Ok(rest) => rest,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "events cannot be delivered now"
                    );
                    REST
                }
            };
            tokio::select! {
                () = sleep(rest) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// Does what there is to do, and says after how long to look again.
    async fn round(&self) -> Result<Duration, Error> {
        if !self.has_work().await? {
            return self.pause().await;
        }
        let lease = Lease::take(
            &self.database,
            JOB,
            self.database.node(),
            LEASE,
            self.now().millis(),
        );
        let Some(mut lease) = lease.await? else {
            return Ok(REST);
        };
        let done = async {
            while self.collect().await? + self.deliver().await? > 0 {
                if !lease.renew(self.now().millis()).await? {
                    break;
                }
            }
            self.pause().await
        };
        let done = done.await;
        lease.release().await?;
        done
    }

    async fn has_work(&self) -> Result<bool, Error> {
        if !self.catalog.happenings(1).await?.is_empty() {
            return Ok(true);
        }
        let due = self.next().await?;
        Ok(due.is_some_and(|due| due <= self.now()))
    }

    /// Until something is due, as far as that is known.
    async fn pause(&self) -> Result<Duration, Error> {
        let until = self.next().await?.map(|due| due.since(self.now()));
        Ok(until.unwrap_or(LOOK).clamp(Duration::from_millis(50), LOOK))
    }

    async fn next(&self) -> Result<Option<Timestamp>, Error> {
        let rows = self.database.rows(NEXT, Vec::new()).await?;
        let due = rows.first().map(|row| row.opt_int("due")).transpose()?;
        Ok(due.flatten().map(Timestamp::from_millis))
    }

    fn now(&self) -> Timestamp {
        self.iam.clock().now()
    }

    /// Makes events of what happened, and deliveries of events; says how many changes there were.
    pub async fn collect(&self) -> Result<usize, Error> {
        let happenings = self.catalog.happenings(CHANGES).await?;
        if happenings.is_empty() {
            return Ok(0);
        }
        let mut receivers = Vec::new();
        for row in self.database.rows(RECEIVERS, Vec::new()).await? {
            let account: AccountId = row.parse("account")?;
            let filter: Filter = read(&row, "filter of a webhook")?;
            receivers.push((row.text("id")?, account, filter));
        }
        let now = self.now();
        let (mut kept, mut sent) = (Vec::new(), Vec::new());
        for event in happenings
            .iter()
            .flat_map(|happening| events(happening, &self.region))
        {
            let document = event.document.to_string();
            for (webhook, account, filter) in &receivers {
                if *account == event.account && filter.passes(&event.document) {
                    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
                    sent.push(delivery(
                        webhook,
                        &event.package,
                        sequence,
                        &event.id,
                        &document,
                        now,
                    ));
                }
            }
            kept.push(values(&event, document));
        }
        let count = happenings.len();
        self.keep(happenings, kept, sent).await?;
        Ok(count)
    }

    async fn keep(
        &self,
        happenings: Vec<Happening>,
        kept: Vec<[Value; 6]>,
        sent: Vec<[Value; 7]>,
    ) -> Result<(), Error> {
        let written = self.database.write(move |tx| {
            outbox::take(tx, &happenings)?;
            for values in &kept {
                tx.execute(INSERT_EVENT, values)?;
            }
            for values in &sent {
                tx.execute(DELIVER, values)?;
            }
            Ok::<_, store::Error>(())
        });
        Ok(written.await?)
    }

    /// Delivers what is due; says how many attempts were made.
    pub async fn deliver(&self) -> Result<usize, Error> {
        let now: Value = self.now().millis().into();
        let mut heads = Vec::new();
        for row in self.database.rows(BEHIND, vec![now.clone()]).await? {
            let webhook = row.text("id")?;
            let values = vec![webhook.as_str().into(), now.clone(), AT_ONCE_OF_ONE.into()];
            for row in self.database.rows(DUE, values).await? {
                heads.push((webhook.clone(), row.text("package")?));
            }
        }
        let attempts = stream::iter(heads)
            .map(|(webhook, package)| async move { self.of_package(&webhook, &package).await })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        attempts.into_iter().sum()
    }

    /// Delivers what waits of one package, in its order, until something fails.
    async fn of_package(&self, webhook: &str, package: &str) -> Result<usize, Error> {
        let values = vec![webhook.into(), package.into(), IN_A_ROW.into()];
        let rows = self.database.rows(OF_PACKAGE, values).await?;
        let mut attempts = 0;
        for row in &rows {
            let parcel = Parcel::read(webhook, package, row)?;
            attempts += 1;
            let outcome = self.send(&parcel).await?;
            if !self.settle(&parcel, outcome).await? {
                break;
            }
        }
        Ok(attempts)
    }

    async fn send(&self, parcel: &Parcel) -> Result<Outcome, Error> {
        let secret = self
            .iam
            .vault()
            .open(
                Owner::Account(&parcel.account),
                place(&parcel.webhook),
                &parcel.sealed,
            )
            .await?;
        let secret = SecretString::new(String::from_utf8_lossy(&secret).into_owned());
        let body = parcel.document.clone().into_bytes();
        let signature = sign(&secret, self.now(), &body).to_string();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(X_EVENT, HeaderValue::from_static(DETAIL_TYPE));
        headers.insert(X_ATTEMPT, HeaderValue::from(parcel.attempts + 1));
        for (name, text) in [(X_DELIVERY, &parcel.id), (X_SIGNATURE, &signature)] {
            let value = HeaderValue::from_str(text);
            headers.insert(name, value.expect("made here of letters, digits, `-,=`"));
        }
        let answered = self.courier.post(&parcel.url, headers, Bytes::from(body));
        Ok(match answered.await {
            Ok(200..=299) => Outcome::Arrived,
            Ok(410) => Outcome::Gone,
            Ok(status) => Outcome::Failed(format!("the receiver answered {status}")),
            Err(error @ (NotSent::NotPublic | NotSent::TimedOut)) => {
                Outcome::Failed(error.to_string())
            }
            Err(error) => Outcome::Failed(error.to_string()),
        })
    }

    /// Writes down what became of an attempt; whether the next one of the package may be made.
    async fn settle(&self, parcel: &Parcel, outcome: Outcome) -> Result<bool, Error> {
        let now = self.now();
        let key = parcel.key.clone();
        let webhook: Value = parcel.webhook.as_str().into();
        let (failure, gone) = match outcome {
            Outcome::Arrived => {
                self.database
                    .write(move |tx| {
                        tx.execute(DONE, &key)?;
                        tx.execute(DELIVERED, &[webhook.clone(), now.millis().into()])
                    })
                    .await?;
                return Ok(true);
            }
            Outcome::Gone => (
                "the receiver answered 410: it wants no more".to_owned(),
                true,
            ),
            Outcome::Failed(failure) => (failure, false),
        };
        let given_up = now.since(parcel.since) >= self.retry_for;
        tracing::info!(
            webhook = parcel.webhook,
            event = parcel.event_id,
            attempt = parcel.attempts + 1,
            failure,
            given_up,
            "an event was not delivered"
        );
        let attempts = parcel.attempts.saturating_add(1);
        let due = now.plus(back_off(parcel.attempts, &parcel.id));
        self.database
            .write(move |tx| {
                if given_up {
                    tx.execute(DONE, &key)?;
                } else {
                    let mut values = key.to_vec();
                    values.extend([attempts.into(), due.millis().into()]);
                    tx.execute(LATER, &values)?;
                }
                let values = [
                    webhook.clone(),
                    now.millis().into(),
                    failure.as_str().into(),
                    given_up.into(),
                    (!gone).into(),
                ];
                tx.execute(FAILED, &values)
            })
            .await?;
        Ok(given_up && !gone)
    }

    /// Forgets events from before a time; says how many. Call it now and then.
    pub async fn forget(&self, before: Timestamp) -> Result<u64, Error> {
        let mut forgotten = 0;
        loop {
            let gone = self
                .database
                .write(move |tx| tx.execute(FORGET, &[before.millis().into()]))
                .await?;
            forgotten += gone;
            if gone < 2000 {
                return Ok(forgotten);
            }
        }
    }
}

impl Parcel {
    fn read(webhook: &str, package: &str, row: &Row) -> Result<Self, Error> {
        let attempts = row.size("attempts")?;
        Ok(Self {
            key: [
                webhook.into(),
                package.into(),
                row.int("sequence")?.into(),
                row.text("id")?.into(),
            ],
            webhook: webhook.to_owned(),
            url: row.parse("url")?,
            account: row.parse("account")?,
            sealed: row.text("secret")?,
            id: row.text("id")?,
            event_id: row.text("event_id")?,
            document: row.text("document")?,
            since: Timestamp::from_millis(row.int("since")?),
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        })
    }
}

fn values(event: &Event, document: String) -> [Value; 6] {
    [
        event.account.as_str().into(),
        event.id.as_str().into(),
        event.at.into(),
        event.package.as_str().into(),
        event.sequence.into(),
        document.into(),
    ]
}

/// Doubles with each attempt, up to an hour; longer by up to a quarter, differently for each delivery, so that those
/// that failed together do not come back together.
fn back_off(attempts: u32, id: &str) -> Duration {
    let doubled = BACK_OFF.saturating_mul(2_u32.saturating_pow(attempts.min(20)));
    let base = doubled.min(BACK_OFF_MOST);
    let last = id.bytes().next_back().unwrap_or_default();
    base + base / 4 * u32::from(last % 16) / 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_later_and_later_up_to_an_hour() {
        let seconds = |attempts| back_off(attempts, "0").as_secs_f64();
        for (attempts, least, most) in [
            (0, 1.0, 1.25),
            (1, 2.0, 2.5),
            (5, 32.0, 40.0),
            (12, 3600.0, 4500.0),
            (u32::MAX, 3600.0, 4500.0),
        ] {
            let found = seconds(attempts);
            assert!((least..=most).contains(&found), "{attempts}: {found}");
        }
    }
}
