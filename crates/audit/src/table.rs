//! The tables of records: kept, found again, forgotten.

use aws::{AccountId, Timestamp};
use serde_json::Value as Json;
use store::{Database, Row, Tx, Value};

use crate::Error;
use crate::draft::first_id;
use crate::record::Record;

/// What is asked of the records of an account. Absent filters let everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// The caller's ARN.
    pub principal: Option<String>,
    /// `CreateDomain`, `ReadFromRepository`.
    pub event: Option<String>,
    /// An ARN that was asked for, or the beginning of one that ends in `*`.
    pub resource: Option<String>,
    /// Only what failed.
    pub failed: bool,
}

/// A page of records, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The records.
    pub records: Vec<Json>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

const INSERT: &str = "
    INSERT INTO audit_records (account, id, at, event, principal, resource, failed, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id, account)
    DO UPDATE SET failed = EXCLUDED.failed, document = EXCLUDED.document";

const PUT: &str = "
    INSERT INTO audit_outbox (account, id, at, event, principal, resource, failed, document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (id, account) DO NOTHING";

const TAKE: &str = "
    DELETE FROM audit_outbox
     WHERE id = $1";

const LEFT: &str = "
    SELECT account, id, at, event, principal, resource, failed, document
      FROM audit_outbox
     WHERE at < $1
     ORDER BY at, id, account
     LIMIT 500";

/// A statement for each filter that has an index; the others are looked at on the way. `$1` account, `$2` not before,
/// `$3` before, `$4` principal, `$5` event, `$6` resource, `$7` the end of its range, `$8` failed, `$9` limit.
macro_rules! find {
    ($first:literal) => {
        concat!(
            "
    SELECT id, document
      FROM audit_records
     WHERE account = $1
       AND id >= $2
       AND id < $3
       AND ",
            $first,
            "
       AND ($4 = '' OR principal = $4)
       AND ($5 = '' OR event = $5)
       AND ($6 = '' OR (resource >= $6 AND resource <= $7))
       AND ($8 = 0 OR failed = 1)
     ORDER BY id DESC
     LIMIT $9"
        )
    };
}

pub(crate) const FIND: &str = find!("1 = 1");
pub(crate) const FIND_OF_PRINCIPAL: &str = find!("principal = $4");
pub(crate) const FIND_OF_EVENT: &str = find!("event = $5");
pub(crate) const FIND_FAILURES: &str = find!("failed = 1");

const FORGET: &str = "
    DELETE FROM audit_records
     WHERE (account, id) IN (SELECT account, id
                               FROM audit_records
                              WHERE at < $1
                              ORDER BY at
                              LIMIT 2000)";

/// The time of the record that is followed by as many as may be kept.
const OLDEST_KEPT: &str = "
    SELECT at
      FROM audit_records
     ORDER BY at DESC
     LIMIT 1
    OFFSET $1";

/// What the index has after every ARN that begins alike.
const LAST: char = '\u{10FFFF}';

fn values(record: &Record, account: &AccountId) -> [Value; 8] {
    [
        account.as_str().into(),
        record.id.as_str().into(),
        record.at.into(),
        record.event.as_str().into(),
        record.principal.as_str().into(),
        record.resource.as_str().into(),
        record.failed.into(),
        record.line(account).into(),
    ]
}

/// Rows of records, made once for however often the transaction runs.
pub(crate) fn rows(records: &[Record]) -> Vec<[Value; 8]> {
    let rows = records.iter().flat_map(|record| {
        record
            .accounts
            .iter()
            .map(|account| values(record, account))
    });
    rows.collect()
}

pub(crate) fn insert(tx: &mut Tx<'_>, rows: &[[Value; 8]]) -> Result<(), store::Error> {
    for row in rows {
        tx.execute(INSERT, row)?;
    }
    Ok(())
}

/// Puts a record beside the change that it is about.
pub(crate) fn put(tx: &mut Tx<'_>, record: &Record) -> Result<(), store::Error> {
    for row in rows(std::slice::from_ref(record)) {
        tx.execute(PUT, &row)?;
    }
    Ok(())
}

pub(crate) fn take(tx: &mut Tx<'_>, ids: &[String]) -> Result<(), store::Error> {
    for id in ids {
        tx.execute(TAKE, &[id.into()])?;
    }
    Ok(())
}

/// What was put before a time and never taken: rows for the table, and lines for the file.
pub(crate) async fn left(
    database: &Database,
    before: Timestamp,
) -> Result<Vec<[Value; 8]>, store::Error> {
    let rows = database.rows(LEFT, vec![before.millis().into()]).await?;
    let columns = [
        "account",
        "id",
        "at",
        "event",
        "principal",
        "resource",
        "failed",
        "document",
    ];
    let read = |row: &Row| -> Result<[Value; 8], store::Error> {
        let mut cells = [const { Value::Null }; 8];
        for (cell, column) in cells.iter_mut().zip(columns) {
            *cell = row.value(column)?.clone();
        }
        Ok(cells)
    };
    rows.iter().map(read).collect()
}

/// The records of an account, newest first; `before` is where a page before this one ended.
pub(crate) async fn find(
    database: &Database,
    account: &AccountId,
    lookup: &Lookup,
    before: Option<&str>,
    limit: u32,
) -> Result<Found, Error> {
    let until = match (before, lookup.until) {
        (Some(id), _) => id.to_owned(),
        (None, Some(until)) => first_id(until),
        // After every id.
        (None, None) => "g".to_owned(),
    };
    let (resource, resource_end) = match lookup.resource.as_deref() {
        None => (String::new(), String::new()),
        Some(text) => match text.strip_suffix('*') {
            Some(start) => (start.to_owned(), format!("{start}{LAST}")),
            None => (text.to_owned(), text.to_owned()),
        },
    };
    let text = |text: &Option<String>| Value::from(text.as_deref().unwrap_or_default());
    let statement = match lookup {
        Lookup {
            principal: Some(_), ..
        } => FIND_OF_PRINCIPAL,
        Lookup { event: Some(_), .. } => FIND_OF_EVENT,
        Lookup { failed: true, .. } => FIND_FAILURES,
        _ => FIND,
    };
    let values = vec![
        account.as_str().into(),
        lookup.from.map(first_id).unwrap_or_default().into(),
        until.into(),
        text(&lookup.principal),
        text(&lookup.event),
        resource.into(),
        resource_end.into(),
        lookup.failed.into(),
        (i64::from(limit) + 1).into(),
    ];
    let rows = database.rows(statement, values).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown = &rows[..rows.len().min(wanted)];
    let records = shown.iter().map(|row| read(row, "record"));
    Ok(Found {
        records: records.collect::<Result<_, _>>()?,
        next: match shown.last() {
            Some(last) if rows.len() > wanted => Some(last.text("id")?),
            _ => None,
        },
    })
}

/// The document of a row.
pub(crate) fn read<T: serde::de::DeserializeOwned>(
    row: &Row,
    what: &'static str,
) -> Result<T, Error> {
    serde_json::from_str(row.as_str("document")?).map_err(|source| Error::Damaged { what, source })
}

/// Forgets what is older than `before`, and the oldest of what is more than `keep`; a slice at a time, until there is
/// nothing more to forget.
pub(crate) async fn forget(
    database: &Database,
    before: Timestamp,
    keep: u64,
) -> Result<u64, store::Error> {
    let oldest = database.rows(OLDEST_KEPT, vec![keep.into()]).await?;
    let oldest = oldest.first().map(|row| row.int("at")).transpose()?;
    let before = oldest.unwrap_or(i64::MIN).max(before.millis());
    let mut forgotten = 0;
    loop {
        let gone = database
            .write(move |tx| tx.execute(FORGET, &[before.into()]))
            .await?;
        forgotten += gone;
        if gone < 2000 {
            return Ok(forgotten);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Each filter's statement walks its own index.
    #[tokio::test]
    async fn every_lookup_has_its_index() {
        let database = Database::open(&"sqlite::memory:".parse().unwrap())
            .await
            .unwrap();
        database.migrate("audit", crate::MIGRATIONS).await.unwrap();
        for (statement, index) in [
            (FIND, "sqlite_autoindex_audit_records_1"),
            (FIND_OF_PRINCIPAL, "audit_records_of_principal"),
            (FIND_OF_EVENT, "audit_records_of_event"),
            (FIND_FAILURES, "audit_records_of_failures"),
        ] {
            let explain: &'static str =
                Box::leak(format!("EXPLAIN QUERY PLAN {statement}").into_boxed_str());
            let mut values = vec![Value::from("x"); 7];
            values.extend([Value::from(0), Value::from(1)]);
            let rows = database.rows(explain, values).await.unwrap();
            let plan = rows[0].text("detail").unwrap();
            assert!(plan.contains(index), "{index}: {plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
