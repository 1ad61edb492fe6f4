//! A pool of connections, serializable transactions that are run again on conflict, and one connection that listens to the other nodes.
//!
//! Each transaction runs on a blocking thread, where its synchronous closure waits for one statement after the other; there are never more
//! of them than connections. Statements are prepared once a connection, with the types of their values said: text is `TEXT` and a number
//! is `INT8`, so that the server never guesses a narrower one.
#![expect(clippy::disallowed_types, reason = "here PostgreSQL is spoken")]

mod cell;
mod listen;
mod tls;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime,
};
use tokio::runtime::Handle;
use tokio_postgres::Statement;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::{ToSql, Type};

use self::cell::{Bound, Cell};
use self::listen::Ear;
use crate::database::{Failure, Isolation, Statements, Work};
use crate::touch::Listeners;
use crate::{Error, Row, Touched, Tx, Value};

/// Connections of one node; with the listening one, five nodes stay within PostgreSQL's default of 100.
const CONNECTIONS: usize = 16;
/// How often a transaction is run before its caller hears of the conflict: with the pauses between, about two seconds.
const ATTEMPTS: u32 = 10;
/// How long a request waits for a connection, and a connection for the server.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a server may leave bytes unacknowledged, or a connection that nobody uses unanswered, before it counts as broken.
const GONE: Duration = Duration::from_secs(15);
/// How long a statement may take. The server is told to give up after half of it, so this is met only when the network is gone.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same for a migration, which may rewrite tables and wait for another node's.
const MIGRATION_PATIENCE: Duration = Duration::from_hours(1);

/// What every connection is told first. Reading is the rule; a transaction that writes says so.
const SESSION: &str = "
    SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
    SET standard_conforming_strings = on;
    SET client_min_messages = warning;
    SET statement_timeout = '30s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '60s';";

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";

/// The lock makes nodes that start at once migrate one after the other; each statement then sees what was committed before it, which a
/// serializable transaction would not. The number is `packhous` in ASCII.
const BEGIN_SCHEMA: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL statement_timeout = 0;
    SET LOCAL lock_timeout = 0;
    SELECT pg_advisory_xact_lock(8097862917953647987);";

pub(crate) struct Postgres {
    pool: Pool,
    ear: Ear,
    shared: Arc<Shared>,
}

struct Shared {
    node: String,
    listeners: Arc<Listeners>,
}

impl Postgres {
    pub(crate) async fn open(
        url: &url::Url,
        node: &str,
        listeners: Arc<Listeners>,
    ) -> Result<Self, Error> {
        let (mut config, tls) = tls::configure(url)?;
        if config.get_application_name().is_none() {
            config.application_name("packhouse");
        }
        config
            .connect_timeout(CONNECT)
            .tcp_user_timeout(GONE)
            .keepalives_idle(GONE)
            .keepalives_interval(GONE / 3)
            .keepalives_retries(3);
        let shared = Arc::new(Shared {
            node: node.to_owned(),
            listeners,
        });
        let ear = Ear::open(config.clone(), tls.clone(), Arc::clone(&shared)).await?;
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let pool = Pool::builder(Manager::from_config(config, tls, recycling))
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT))
            .create_timeout(Some(CONNECT))
            .recycle_timeout(Some(CONNECT))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    client
                        .batch_execute(SESSION)
                        .await
                        .map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(Error::other)?;
        let postgres = Self { pool, ear, shared };
        let encoding = postgres.rows("SELECT pg_encoding_to_char(encoding) AS encoding FROM pg_database WHERE datname = current_database()", &[]).await?;
        match encoding
            .first()
            .map(|row| row.text("encoding"))
            .transpose()?
            .as_deref()
        {
            Some("UTF8") => Ok(postgres),
            _ => Err(Error::other(
                "the PostgreSQL database is not encoded in UTF8",
            )),
        }
    }

    pub(crate) fn confirmed(&self) -> bool {
        self.ear.confirmed()
    }

    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        let mut again = true;
        loop {
            let client = self.pool.get().await.map_err(from_pool)?;
            let reading = bounded(PATIENCE, rows(&client, sql, values));
            let result = tokio::select! {
                result = reading => result,
                // Who waits for an answer is told as soon as this node stops trusting what it keeps, not half a minute later.
                () = self.ear.loses_trust() => Err(Error::unavailable("the database has not answered for 30 seconds")),
            };
            let Err(Error::Unavailable { .. }) = result else {
                return result;
            };
            let closed = client.is_closed();
            // Out of the pool: it may still wait for an answer.
            drop(Object::take(client));
            // The server may have ended a connection that nobody used, and reading twice does no harm.
            if !(closed && std::mem::take(&mut again)) {
                return result;
            }
        }
    }

    pub(crate) async fn submit(
        &self,
        work: Box<dyn Work>,
        isolation: Isolation,
    ) -> Result<(), Error> {
        let client = self.pool.get().await.map_err(from_pool)?;
        let runtime = Handle::current();
        let shared = Arc::clone(&self.shared);
        // Not waited for: it answers through `work`, and must come to its end also when the caller has gone.
        tokio::task::spawn_blocking(move || run(client, work, isolation, &shared, &runtime));
        Ok(())
    }
}

/// How one run of a transaction ended.
enum Ended {
    Kept,
    RolledBack,
    Conflict,
    Failed(Error),
}

fn run(
    client: Object,
    mut work: Box<dyn Work>,
    isolation: Isolation,
    shared: &Shared,
    runtime: &Handle,
) {
    let mut attempt = 1;
    let ended = loop {
        match run_once(&client, work.as_mut(), isolation, shared, runtime) {
            Ended::Kept | Ended::RolledBack => break Ok(()),
            Ended::Failed(error) => break Err(error),
            Ended::Conflict if attempt == ATTEMPTS => {
                break Err(Error::Conflict { attempts: ATTEMPTS });
            }
            Ended::Conflict => runtime.block_on(tokio::time::sleep(pause(attempt))),
        }
        attempt += 1;
    };
    // A connection whose transaction may be open is not given to another.
    if matches!(ended, Err(Error::Unavailable { .. })) || client.is_closed() {
        drop(Object::take(client));
    } else {
        drop(client);
    }
    work.settle(ended);
}

fn run_once(
    client: &ClientWrapper,
    work: &mut dyn Work,
    isolation: Isolation,
    shared: &Shared,
    runtime: &Handle,
) -> Ended {
    let (begin, patience) = match isolation {
        Isolation::Serializable => (BEGIN, PATIENCE),
        Isolation::Schema => (BEGIN_SCHEMA, MIGRATION_PATIENCE),
    };
    let transaction = Transaction {
        client,
        runtime,
        patience,
    };
    if let Err(error) = transaction.simple(begin) {
        return match error {
            Error::Conflict { .. } => transaction.roll_back(Ended::Conflict),
            error => transaction.roll_back(Ended::Failed(error)),
        };
    }
    let mut tx = Tx::new(Statements::Postgres(Transaction {
        client,
        runtime,
        patience,
    }));
    let keep = work.attempt(&mut tx);
    if tx.failure() == Some(Failure::Conflict) {
        return transaction.roll_back(Ended::Conflict);
    }
    if !keep {
        return transaction.roll_back(Ended::RolledBack);
    }
    let touched = tx.into_touched();
    // One message to the server: when a notification is refused, the commit behind it does not run either.
    match transaction.simple(&(listen::notifications(&shared.node, &touched) + "COMMIT")) {
        Ok(()) => {
            shared.listeners.tell(&Touched::Topics(touched));
            Ended::Kept
        }
        Err(Error::Conflict { .. }) => transaction.roll_back(Ended::Conflict),
        Err(error @ Error::Unavailable { .. }) => {
            // It may have been committed, and we do not listen to ourselves.
            shared.listeners.tell(&Touched::Topics(touched));
            Ended::Failed(error)
        }
        Err(error) => transaction.roll_back(Ended::Failed(error)),
    }
}

/// 5 ms, doubled each time up to 320 ms, and of that between half and all by chance, so that two that met do not meet again.
fn pause(attempt: u32) -> Duration {
    let whole = 5_000_u64 << attempt.saturating_sub(1).min(6);
    let chance = getrandom::u64().unwrap_or(0) % (whole / 2);
    Duration::from_micros(whole / 2 + chance)
}

/// A transaction under way, for a thread that may wait.
pub(crate) struct Transaction<'a> {
    client: &'a ClientWrapper,
    runtime: &'a Handle,
    patience: Duration,
}

impl Transaction<'_> {
    pub(crate) fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.runtime
            .block_on(bounded(self.patience, rows(self.client, sql, values)))
    }

    pub(crate) fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        self.runtime
            .block_on(bounded(self.patience, execute(self.client, sql, values)))
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<(), Error> {
        self.simple(&sql.replace("{name}", "TEXT COLLATE \"C\""))
    }

    fn simple(&self, sql: &str) -> Result<(), Error> {
        self.runtime.block_on(bounded(self.patience, async {
            self.client.batch_execute(sql).await.map_err(mapped)
        }))
    }

    /// Ends it, if the connection still answers; when it does not, the server has ended it or will.
    fn roll_back(&self, ended: Ended) -> Ended {
        match self.simple("ROLLBACK") {
            Ok(()) => ended,
            Err(error) => match ended {
                Ended::Kept | Ended::RolledBack if self.client.is_closed() => ended,
                Ended::Failed(first) => Ended::Failed(first),
                _ => Ended::Failed(error),
            },
        }
    }
}

async fn rows(client: &ClientWrapper, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
    let statement = prepare(client, sql, values).await?;
    let columns: Arc<[String]> = statement
        .columns()
        .iter()
        .map(|column| column.name().to_owned())
        .collect();
    let values: Vec<Bound<'_>> = values.iter().map(Bound).collect();
    let rows = client
        .query(&statement, &parameters(&values))
        .await
        .map_err(mapped)?;
    rows.iter()
        .map(|row| {
            let cells = (0..columns.len())
                .map(|at| match row.try_get::<_, Cell>(at) {
                    Ok(Cell(value)) => Ok(value),
                    Err(error) => Err(Error::Column {
                        column: columns[at].clone(),
                        problem: format!("does not read: {}", Chain(&error)),
                    }),
                })
                .collect::<Result<_, Error>>()?;
            Ok(Row::new(Arc::clone(&columns), cells))
        })
        .collect()
}

async fn execute(client: &ClientWrapper, sql: &str, values: &[Value]) -> Result<u64, Error> {
    let statement = prepare(client, sql, values).await?;
    let values: Vec<Bound<'_>> = values.iter().map(Bound).collect();
    client
        .execute(&statement, &parameters(&values))
        .await
        .map_err(mapped)
}

/// The statement from the connection's cache, or from the server and then kept.
///
/// Null is written into the text: the server cannot tell the type of `$1` in `$1 IS NULL OR name = $1` and refuses it, but does not mind
/// `NULL IS NULL OR name = NULL`. Its number then goes unused, with a type that makes no difference.
async fn prepare(client: &ClientWrapper, sql: &str, values: &[Value]) -> Result<Statement, Error> {
    let types: Vec<Type> = values
        .iter()
        .map(|value| match value {
            Value::Int(_) => Type::INT8,
            Value::Null | Value::Text(_) => Type::TEXT,
        })
        .collect();
    let sql = if values.contains(&Value::Null) {
        Cow::Owned(with_nulls(sql, values))
    } else {
        Cow::Borrowed(sql)
    };
    client
        .prepare_typed_cached(&sql, &types)
        .await
        .map_err(mapped)
}

/// `NULL` in place of every `$n` that is null; what is quoted stays as it is.
fn with_nulls(sql: &str, values: &[Value]) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut quote = None;
    let mut rest = sql;
    while let Some(character) = rest.chars().next() {
        let after = &rest[character.len_utf8()..];
        let digits = after.len()
            - after
                .trim_start_matches(|next: char| next.is_ascii_digit())
                .len();
        let number = after[..digits]
            .parse::<usize>()
            .ok()
            .filter(|_| character == '$' && quote.is_none());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?));
        if value == Some(&Value::Null) {
            text.push_str("NULL");
            rest = &after[digits..];
            continue;
        }
        match quote {
            // A quote inside quotes is doubled, which closes and opens again.
            Some(open) if open == character => quote = None,
            None if matches!(character, '\'' | '"') => quote = Some(character),
            _ => {}
        }
        text.push(character);
        rest = after;
    }
    text
}

fn parameters<'a>(values: &'a [Bound<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

/// An error's own words and those of its cause.
struct Chain<'a>(&'a tokio_postgres::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match std::error::Error::source(self.0) {
            Some(source) => write!(out, "{source}"),
            None => write!(out, "{}", self.0),
        }
    }
}

async fn bounded<T>(
    patience: Duration,
    statement: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, statement).await {
        Ok(result) => result,
        Err(elapsed) => Err(Error::unavailable(elapsed)),
    }
}

fn from_pool(error: PoolError) -> Error {
    match error {
        PoolError::Backend(error) => mapped(error),
        error => Error::unavailable(error),
    }
}

fn mapped(error: tokio_postgres::Error) -> Error {
    let Some(refusal) = error.as_db_error() else {
        // Nothing from the server: either the connection is gone, or a value could not be written.
        return if error.is_closed() || has_io_source(&error) {
            Error::unavailable(error)
        } else {
            Error::other(error)
        };
    };
    match *refusal.code() {
        SqlState::UNIQUE_VIOLATION => Error::Unique {
            constraint: constraint(refusal),
        },
        SqlState::FOREIGN_KEY_VIOLATION => Error::Reference,
        SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::LOCK_NOT_AVAILABLE => Error::Conflict { attempts: 1 },
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::QUERY_CANCELED
        | SqlState::DISK_FULL
        | SqlState::OUT_OF_MEMORY
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Error::unavailable(error),
        _ => Error::other(error),
    }
}

fn has_io_source(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

fn constraint(refusal: &DbError) -> String {
    named(
        refusal.table().unwrap_or_default(),
        refusal.detail().unwrap_or_default(),
        refusal.constraint().unwrap_or_default(),
    )
}

/// The key's columns as SQLite names them, from `Key (account, name)=(1, x) already exists.`; the server translates the words, not the form.
fn named(table: &str, detail: &str, constraint: &str) -> String {
    let columns = detail
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(")=("))
        .map(|(columns, _)| columns.split(", ").collect::<Vec<_>>())
        .unwrap_or_default();
    let plain = |column: &&str| {
        column
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if columns.is_empty() || !columns.iter().all(plain) {
        return format!("index {constraint}");
    }
    columns
        .iter()
        .map(|column| format!("{table}.{column}"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_key_is_named_by_its_columns() {
        for (detail, expected) in [
            ("Key (name)=(x) already exists.", "users.name"),
            (
                "Key (account, name)=(1, x) already exists.",
                "users.account, users.name",
            ),
            ("Schlüssel »(name)=(x)« existiert bereits.", "users.name"),
            ("Key (lower(name))=(x) already exists.", "index users_key"),
            ("", "index users_key"),
        ] {
            assert_eq!(named("users", detail, "users_key"), expected, "{detail}");
        }
    }

    #[test]
    fn null_is_written_into_the_text() {
        let values = [Value::Null, "x".into(), Value::Null];
        for (sql, expected) in [
            ("SELECT $1, $2, $3", "SELECT NULL, $2, NULL"),
            (
                "SELECT '$1', \"$1\", 'it''s $1', $1",
                "SELECT '$1', \"$1\", 'it''s $1', NULL",
            ),
            ("SELECT $10, $0, $, é $1", "SELECT $10, $0, $, é NULL"),
        ] {
            assert_eq!(with_nulls(sql, &values), expected);
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        for (attempt, least, most) in [(1, 2, 5), (2, 5, 10), (7, 160, 320), (9, 160, 320)] {
            let pause = pause(attempt);
            assert!(
                pause >= Duration::from_millis(least),
                "{attempt}: {pause:?}"
            );
            assert!(pause <= Duration::from_millis(most), "{attempt}: {pause:?}");
        }
    }
}
