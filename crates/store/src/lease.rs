//! One process does a job at a time.
//!
//! A lease is a row with an end: whoever finds none, or one that has ended, takes it. A process that dies simply stops renewing. The
//! clocks of the nodes are compared with each other, so a lease should be longer than they may differ.

use std::time::Duration;

use crate::{Database, Error, Migration};

/// The tables of this crate.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "leases",
    sql: "
        CREATE TABLE store_leases (
            name       {name} NOT NULL PRIMARY KEY,
            holder     {name} NOT NULL,
            token      {name} NOT NULL,
            expires_at BIGINT NOT NULL
        );",
}];

const TAKE: &str = "
    INSERT INTO store_leases (name, holder, token, expires_at)
    VALUES ($1, $2, $3, $4)
        ON CONFLICT (name) DO UPDATE
       SET holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at
     WHERE store_leases.expires_at <= $5";

const RENEW: &str = "
    UPDATE store_leases
       SET expires_at = $3
     WHERE name = $1
       AND token = $2";

const RELEASE: &str = "
    DELETE FROM store_leases
     WHERE name = $1
       AND token = $2";

/// The right to do a job, until it ends.
///
/// Dropping it without [`Lease::release`] leaves the row, and the job waits until the lease has ended.
#[derive(Debug)]
pub struct Lease {
    database: Database,
    name: String,
    token: String,
    ttl: Duration,
    expires_at: i64,
}

impl Lease {
    /// Takes the lease `name` for `ttl` from `now_ms` (milliseconds since 1970), or gives `None` while somebody has it.
    ///
    /// `holder` says who, for those who look into the table; the same holder cannot take the same lease twice either.
    pub async fn take(
        database: &Database,
        name: &str,
        holder: &str,
        ttl: Duration,
        now_ms: i64,
    ) -> Result<Option<Self>, Error> {
        let token = crate::random_hex();
        let expires_at = end(now_ms, ttl);
        let values = [
            name.into(),
            holder.into(),
            token.as_str().into(),
            expires_at.into(),
            now_ms.into(),
        ];
        let is_ours = database.write(move |tx| tx.execute(TAKE, &values)).await? == 1;
        Ok(is_ours.then(|| Self {
            database: database.clone(),
            name: name.to_owned(),
            token,
            ttl,
            expires_at,
        }))
    }

    /// When it ends unless renewed, in milliseconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Makes it last another `ttl` from `now_ms`; false when it had ended and somebody else took it, and then the job must stop.
    pub async fn renew(&mut self, now_ms: i64) -> Result<bool, Error> {
        let expires_at = end(now_ms, self.ttl);
        let values = [
            self.name.as_str().into(),
            self.token.as_str().into(),
            expires_at.into(),
        ];
        let renewed = self
            .database
            .write(move |tx| tx.execute(RENEW, &values))
            .await?
            == 1;
        if renewed {
            self.expires_at = expires_at;
        }
        Ok(renewed)
    }

    /// Gives it back before its end; nothing happens when somebody else has it.
    pub async fn release(self) -> Result<(), Error> {
        let values = [self.name.as_str().into(), self.token.as_str().into()];
        self.database
            .write(move |tx| tx.execute(RELEASE, &values))
            .await
            .map(drop)
    }
}

fn end(now_ms: i64, ttl: Duration) -> i64 {
    now_ms.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX))
}
