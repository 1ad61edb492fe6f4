//! The only way to SQL: `rows` to read, `write` to change.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;

use tokio::sync::oneshot;

use crate::postgres::{self, Postgres};
use crate::sqlite::{self, Sqlite};
use crate::touch::Listeners;
use crate::{Companion, Error, Row, Touched, Value, lease};

/// Which database, as it is written in the configuration.
///
/// `sqlite:PATH`, `sqlite::memory:` (for tests: gone with the last handle), `postgres://user:password@host/name` or the same with
/// `postgresql:`. A PostgreSQL address may say `sslmode=require` (or `verify-ca`, `verify-full`; all three verify the certificate) and
/// `sslrootcert=PATH`; the other modes connect in plain text. Printing it leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAddress(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Memory,
    File(PathBuf),
    Postgres(url::Url),
}

/// Why a text is not the address of a database.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDatabaseAddress {
    /// It does not begin with a scheme that we know.
    #[error("a database address begins with `sqlite:`, `postgres://` or `postgresql://`")]
    Scheme,
    /// `sqlite:` and nothing after it.
    #[error("`sqlite:` must be followed by the path of a file")]
    NoPath,
    /// It is not a URL.
    #[error("the address of the PostgreSQL server does not read")]
    Url(#[source] url::ParseError),
}

impl FromStr for DatabaseAddress {
    type Err = InvalidDatabaseAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("sqlite:") {
            Some(":memory:") => Ok(Self(Kind::Memory)),
            Some("") => Err(InvalidDatabaseAddress::NoPath),
            Some(path) => Ok(Self(Kind::File(path.into()))),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => text
                .parse()
                .map(|url| Self(Kind::Postgres(url)))
                .map_err(InvalidDatabaseAddress::Url),
            None => Err(InvalidDatabaseAddress::Scheme),
        }
    }
}

impl fmt::Display for DatabaseAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Memory => out.write_str("sqlite::memory:"),
            Kind::File(path) => write!(out, "sqlite:{}", path.display()),
            Kind::Postgres(url) => {
                let mut shown = url.clone();
                // The address may carry the password in two places; a URL that cannot have one refuses to have it removed.
                if url.password().is_some() && shown.set_password(Some("…")).is_err() {
                    return out.write_str("postgres://…");
                }
                if url.query_pairs().any(|(name, _)| name == "password") {
                    shown.set_query(None);
                }
                out.write_str(&shown.as_str().replace("%E2%80%A6", "…"))
            }
        }
    }
}

impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "DatabaseAddress({self})")
    }
}

/// A database; cheap to clone, and the last clone closes it.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    engine: Engine,
    listeners: Arc<Listeners>,
    node: String,
}

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// How a transaction sees the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// As if alone.
    Serializable,
    /// For migrations: alone among migrations, and each statement sees what was committed before it.
    Schema,
}

impl Database {
    /// Opens or makes the database and this crate's own tables.
    ///
    /// Errors: [`Error::Locked`] when another process has the SQLite file, [`Error::Unavailable`] when the server does not answer,
    /// [`Error::Migration`] when a newer program has been here.
    pub async fn open(address: &DatabaseAddress) -> Result<Self, Error> {
        let listeners = Arc::new(Listeners::default());
        let node = crate::random_hex();
        let engine = match &address.0 {
            Kind::Memory => Engine::Sqlite(Sqlite::temporary(Arc::clone(&listeners)).await?),
            Kind::File(path) => Engine::Sqlite(Sqlite::open(path, Arc::clone(&listeners)).await?),
            Kind::Postgres(url) => {
                Engine::Postgres(Postgres::open(url, &node, Arc::clone(&listeners)).await?)
            }
        };
        let database = Self(Arc::new(Inner {
            engine,
            listeners,
            node,
        }));
        database.migrate("store", lease::MIGRATIONS).await?;
        Ok(database)
    }

    /// Runs one statement that reads, outside any transaction, and gives its rows.
    ///
    /// `$1` is the first of `values`. A statement that would change something is refused by the database.
    pub async fn rows(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Row>, Error> {
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.rows(sql, values).await,
            Engine::Postgres(postgres) => postgres.rows(sql, &values).await,
        }
    }

    /// Runs a closure as one transaction: all of it happens, and is durable when this returns, or none of it does.
    ///
    /// The closure is synchronous on purpose: between `BEGIN` and `COMMIT` there can then be nothing but SQL. It sees the database as if
    /// it were alone. It is run again when another writer was in the way, so it must not move out what it captured nor count anything.
    /// When it fails, nothing is kept; a failed statement cannot be carried on from ([`Error::Aborted`]).
    ///
    /// The task's [`Companion`], if it has one, runs last in it.
    ///
    /// When the returned future is dropped the transaction may still be committed, as a whole. Errors: the closure's own;
    /// [`Error::Conflict`] when others were in the way too often; [`Error::Unavailable`].
    pub async fn write<T, E>(
        &self,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Some(companion) = Companion::current() else {
            return self.write_at(Isolation::Serializable, work).await;
        };
        let mut work = work;
        let accompanied = move |tx: &mut Tx<'_>| {
            let result = work(tx)?;
            companion.end(tx)?;
            Ok(result)
        };
        self.write_at(Isolation::Serializable, accompanied).await
    }

    pub(crate) async fn write_at<T, E>(
        &self,
        isolation: Isolation,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(Job {
            work,
            outcome: None,
            reply,
        });
        match &self.0.engine {
            Engine::Sqlite(sqlite) => sqlite.submit(job).await?,
            Engine::Postgres(postgres) => postgres.submit(job, isolation).await?,
        }
        match outcome.await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::unavailable("the writer has stopped").into()),
        }
    }

    /// Asks to be told what every transaction has changed, once it is committed.
    ///
    /// For this node's own transactions before their [`Database::write`] returns, and exactly the topics that they touched; for those of
    /// other nodes soon after. The listener runs on the writer's thread: it must be quick, and cannot write. It must not hold this database
    /// or a clone of it, which would then never be closed.
    pub fn on_touch(&self, listener: impl Fn(&Touched) + Send + Sync + 'static) {
        self.0.listeners.add(listener);
    }

    /// Whether this node can be sure to have heard, but for the last seconds, what the others changed.
    ///
    /// False when the connection that listens has not been confirmed for 30 seconds; what is kept in memory must then not be trusted.
    /// Always true on SQLite, which has one node.
    pub fn confirmed(&self) -> bool {
        match &self.0.engine {
            Engine::Sqlite(_) => true,
            Engine::Postgres(postgres) => postgres.confirmed(),
        }
    }

    /// A name for this handle and its clones, new at each start: 32 hex digits.
    pub fn node(&self) -> &str {
        &self.0.node
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let engine = match self.0.engine {
            Engine::Sqlite(_) => "sqlite",
            Engine::Postgres(_) => "postgres",
        };
        out.debug_struct("Database")
            .field("engine", &engine)
            .field("node", &self.0.node)
            .finish_non_exhaustive()
    }
}

/// A transaction under way.
pub struct Tx<'a> {
    statements: Statements<'a>,
    touched: Vec<String>,
    failure: Option<Failure>,
}

pub(crate) enum Statements<'a> {
    Sqlite(sqlite::Transaction<'a>),
    Postgres(postgres::Transaction<'a>),
}

/// Why a transaction cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another writer was in the way; running it again may help.
    Conflict,
    /// A statement failed.
    Statement,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(statements: Statements<'a>) -> Self {
        Self {
            statements,
            touched: Vec::new(),
            failure: None,
        }
    }

    /// Runs one statement and gives its rows: `SELECT`, or a change with `RETURNING`.
    pub fn rows(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.run(|statements| match statements {
            Statements::Sqlite(transaction) => transaction.rows(sql, values),
            Statements::Postgres(transaction) => transaction.rows(sql, values),
        })
    }

    /// Runs one statement and says how many rows it inserted, changed or removed.
    pub fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, Error> {
        self.run(|statements| match statements {
            Statements::Sqlite(transaction) => transaction.execute(sql, values),
            Statements::Postgres(transaction) => transaction.execute(sql, values),
        })
    }

    /// Records that this transaction changes what `topic` stands for; everybody is told when it is committed.
    pub fn touch(&mut self, topic: &str) {
        if !self.touched.iter().any(|known| known == topic) {
            self.touched.push(topic.to_owned());
        }
    }

    /// Runs several statements without values, `{name}` put in.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        self.run(|statements| match statements {
            Statements::Sqlite(transaction) => transaction.batch(sql),
            Statements::Postgres(transaction) => transaction.batch(sql),
        })
    }

    pub(crate) fn failure(&self) -> Option<Failure> {
        self.failure
    }

    pub(crate) fn into_touched(self) -> Vec<String> {
        self.touched
    }

    fn run<T>(
        &mut self,
        statement: impl FnOnce(&Statements<'a>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.failure.is_some() {
            return Err(Error::Aborted);
        }
        let result = statement(&self.statements);
        if let Err(error) = &result {
            self.failure = Some(match error {
                Error::Conflict { .. } => Failure::Conflict,
                _ => Failure::Statement,
            });
        }
        result
    }
}

impl fmt::Debug for Tx<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tx")
            .field("touched", &self.touched)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// A caller's closure with the place where its result goes, without their types.
pub(crate) trait Work: Send {
    /// Runs the closure; true when its changes are to be kept.
    fn attempt(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller: with the closure's own result when the transaction ended as the closure asked, else with why it did not.
    fn settle(self: Box<Self>, ended: Result<(), Error>);
}

struct Job<F, T, E> {
    work: F,
    outcome: Option<thread::Result<Result<T, E>>>,
    reply: oneshot::Sender<thread::Result<Result<T, E>>>,
}

impl<F, T, E> Work for Job<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn attempt(&mut self, tx: &mut Tx<'_>) -> bool {
        // A panic is the caller's: it is rolled back here and goes on there.
        let mut outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx)));
        if matches!(outcome, Ok(Ok(_))) && tx.failure().is_some() {
            outcome = Ok(Err(Error::Aborted.into()));
        }
        let keep = matches!(outcome, Ok(Ok(_)));
        self.outcome = Some(outcome);
        keep
    }

    fn settle(self: Box<Self>, ended: Result<(), Error>) {
        let outcome = match (ended, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Ok(Err(Error::Aborted.into())),
            (Err(error), _) => Ok(Err(error.into())),
        };
        // A caller that has gone away does not want to know.
        let _ = self.reply.send(outcome);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_the_password() {
        for (text, shown) in [
            (
                "sqlite:/var/lib/packhouse/packhouse.db",
                "sqlite:/var/lib/packhouse/packhouse.db",
            ),
            ("sqlite:house.db", "sqlite:house.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            (
                "postgres://house:secret@db:5432/house",
                "postgres://house:…@db:5432/house",
            ),
            (
                "postgresql://house@db/house?sslmode=require",
                "postgresql://house@db/house?sslmode=require",
            ),
            (
                "postgres://db/house?user=house&password=secret",
                "postgres://db/house",
            ),
        ] {
            let address: DatabaseAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(
                format!("{address:?}"),
                format!("DatabaseAddress({shown})"),
                "{text}"
            );
        }
        for text in [
            "",
            "sqlite:",
            "house.db",
            "mysql://db/house",
            "postgres://[/house",
        ] {
            assert!(text.parse::<DatabaseAddress>().is_err(), "{text}");
        }
    }
}
