//! Who fetched which version of a package.
//!
//! Kept beside the records, from the same requests and in the same transaction: a row for each version, caller and address,
//! with the first and the last time and how often. What a record says of each fetch by itself is forgotten sooner where
//! there are many; this is kept as long as records may be.

use std::collections::BTreeMap;

use aws::{AccountId, Timestamp};
use iam::Caller;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use store::{Database, Tx, Value};

use crate::Error;

/// Of what a version is a version of, and where it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FetchedFrom {
    /// The account of the domain.
    pub owner: AccountId,
    /// The domain.
    pub domain: String,
    /// The repository that was asked.
    pub repository: String,
    /// The format.
    pub format: String,
    /// The namespace; empty for none.
    pub namespace: String,
    /// The package.
    pub name: String,
}

/// A fetch as it stands in a record: of whatever file of the version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    from: FetchedFrom,
    version: String,
    principal: String,
    source: String,
}

/// How often, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: u64,
}

impl Times {
    pub(crate) fn once(at: Timestamp) -> Self {
        let at = at.millis();
        Self {
            first: at,
            last: at,
            count: 1,
        }
    }
}

/// Who fetched a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fetcher {
    /// ARN of the caller.
    pub principal: String,
    /// The address it came from.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_ip_address: String,
    /// When first.
    pub first: String,
    /// When last.
    pub last: String,
    /// How many requests for files of it were answered.
    pub count: u64,
}

const PUT: &str = "
    INSERT INTO fetches (owner, domain, repository, format, namespace, name, version, principal, source, first, last, fetches)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (owner, domain, repository, format, namespace, name, version, principal, source)
    DO UPDATE SET first = CASE WHEN fetches.first < EXCLUDED.first THEN fetches.first ELSE EXCLUDED.first END,
                  last = CASE WHEN fetches.last > EXCLUDED.last THEN fetches.last ELSE EXCLUDED.last END,
                  fetches = fetches.fetches + EXCLUDED.fetches";

const LIST: &str = "
    SELECT principal, source, first, last, fetches
      FROM fetches
     WHERE owner = $1
       AND domain = $2
       AND repository = $3
       AND format = $4
       AND namespace = $5
       AND name = $6
       AND version = $7
       AND (principal, source) > ($8, $9)
     ORDER BY principal, source
     LIMIT $10";

const LAST: &str = "
    SELECT version, MAX(last) AS last
      FROM fetches
     WHERE owner = $1
       AND domain = $2
       AND repository = $3
       AND format = $4
       AND namespace = $5
       AND name = $6
     GROUP BY version";

const BEGIN: &str = "
    INSERT INTO fetches_since (id, at)
    VALUES (1, $1)
    ON CONFLICT (id) DO NOTHING";

const SINCE: &str = "
    SELECT at
      FROM fetches_since
     WHERE id = 1";

const FORGET: &str = "
    DELETE FROM fetches
     WHERE (owner, domain, repository, format, namespace, name, version, principal, source) IN (
           SELECT owner, domain, repository, format, namespace, name, version, principal, source
             FROM fetches
            WHERE last < $1
            ORDER BY last
            LIMIT 2000)";

/// What a record of a request says of a fetch, if it is one: a file of a version was asked for and sent.
pub(crate) fn key(
    parameters: &Map<String, Json>,
    caller: &Caller,
    source: Option<String>,
) -> Option<Key> {
    let text = |name: &str| {
        let value = parameters.get(name).and_then(Json::as_str);
        value.map(str::to_owned)
    };
    // Without the name of a file it was asked for a list, or for what is said of a version.
    text("assetName")?;
    let owner = match text("domainOwner") {
        Some(owner) => owner.parse().ok()?,
        // The operations of AWS mean the caller's own domain then.
        None => *caller.account(),
    };
    Some(Key {
        from: FetchedFrom {
            owner,
            domain: text("domainName")?,
            repository: text("repositoryName")?,
            format: text("packageFormat")?,
            namespace: text("packageNamespace").unwrap_or_default(),
            name: text("packageName")?,
        },
        version: text("packageVersion")?,
        principal: caller.arn().to_owned(),
        source: source.unwrap_or_default(),
    })
}

/// Rows for what was fetched, each once.
pub(crate) fn rows<'a>(fetched: impl Iterator<Item = &'a (Key, Times)>) -> Vec<Vec<Value>> {
    let mut merged: BTreeMap<&Key, Times> = BTreeMap::new();
    for (key, times) in fetched {
        let so_far = merged.entry(key).or_insert(Times { count: 0, ..*times });
        so_far.first = so_far.first.min(times.first);
        so_far.last = so_far.last.max(times.last);
        so_far.count += times.count;
    }
    let row = |(key, times): (&Key, Times)| {
        let mut row = values(&key.from);
        row.extend([
            key.version.as_str().into(),
            key.principal.as_str().into(),
            key.source.as_str().into(),
        ]);
        row.extend([times.first.into(), times.last.into(), times.count.into()]);
        row
    };
    merged.into_iter().map(row).collect()
}

fn values(from: &FetchedFrom) -> Vec<Value> {
    vec![
        from.owner.as_str().into(),
        from.domain.as_str().into(),
        from.repository.as_str().into(),
        from.format.as_str().into(),
        from.namespace.as_str().into(),
        from.name.as_str().into(),
    ]
}

pub(crate) fn insert(tx: &mut Tx<'_>, rows: &[Vec<Value>]) -> Result<(), store::Error> {
    for row in rows {
        tx.execute(PUT, row)?;
    }
    Ok(())
}

/// Says since when fetches are written down, if that is not known.
pub(crate) async fn begin(database: &Database, now: Timestamp) -> Result<(), store::Error> {
    let begin = move |tx: &mut Tx<'_>| tx.execute(BEGIN, &[now.millis().into()]);
    database.write(begin).await.map(drop)
}

pub(crate) async fn since(database: &Database) -> Result<Option<Timestamp>, store::Error> {
    let rows = database.rows(SINCE, Vec::new()).await?;
    let at = rows.first().map(|row| row.int("at")).transpose()?;
    Ok(at.map(Timestamp::from_millis))
}

/// Who fetched a version, by caller and address, and where the next page begins.
pub(crate) async fn list(
    database: &Database,
    from: &FetchedFrom,
    version: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Fetcher>, Option<String>), Error> {
    // An address has no space.
    let (source, principal) = after
        .and_then(|after| after.split_once(' '))
        .unwrap_or_default();
    let mut asked = values(from);
    asked.extend([
        version.into(),
        principal.into(),
        source.into(),
        (i64::from(limit) + 1).into(),
    ]);
    let rows = database.rows(LIST, asked).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let time = |row: &store::Row, column| {
        Ok::<_, Error>(Timestamp::from_millis(row.int(column)?).iso8601())
    };
    let shown = rows.iter().take(wanted).map(|row| {
        Ok(Fetcher {
            principal: row.text("principal")?,
            source_ip_address: row.text("source")?,
            first: time(row, "first")?,
            last: time(row, "last")?,
            count: row.size("fetches")?,
        })
    });
    let shown = shown.collect::<Result<Vec<_>, Error>>()?;
    let next = shown
        .last()
        .filter(|_| rows.len() > wanted)
        .map(|last| format!("{} {}", last.source_ip_address, last.principal));
    Ok((shown, next))
}

/// When each version of a package was last fetched.
pub(crate) async fn last(
    database: &Database,
    from: &FetchedFrom,
) -> Result<BTreeMap<String, Timestamp>, store::Error> {
    let rows = database.rows(LAST, values(from)).await?;
    let read = |row: &store::Row| {
        Ok((
            row.text("version")?,
            Timestamp::from_millis(row.int("last")?),
        ))
    };
    rows.iter().map(read).collect()
}

/// Forgets what was last fetched before a time.
pub(crate) async fn forget(database: &Database, before: Timestamp) -> Result<u64, store::Error> {
    let mut forgotten = 0;
    loop {
        let gone = database
            .write(move |tx| tx.execute(FORGET, &[before.millis().into()]))
            .await?;
        forgotten += gone;
        if gone < 2000 {
            return Ok(forgotten);
        }
    }
}
