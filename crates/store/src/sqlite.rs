//! One file, one writer, several readers.
//!
//! The writer is a thread that owns the one connection which writes. Transactions that wait for it share one `BEGIN IMMEDIATE … COMMIT`,
//! each inside a savepoint of its own: they are acknowledged after that commit, so acknowledged is durable, and the disk's flush is
//! shared. One that fails is rolled back alone. Readers are a pool of connections on the blocking threads; in WAL mode they wait for nobody.
#![expect(clippy::disallowed_types, reason = "here SQLite is spoken")]

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, ErrorCode, OpenFlags, ToSql, ffi};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::{Semaphore, mpsc};

use crate::database::{Statements, Work};
use crate::touch::Listeners;
use crate::{Error, Row, Touched, Tx, Value};

/// Transactions that may share one commit; those behind them wait for the next.
const GROUP: usize = 64;
/// Transactions that may wait for the writer; those beyond wait to be let in.
const QUEUE: usize = 1024;
/// Statements that stay prepared on each connection: more than the house has.
const PREPARED: usize = 512;
/// How long a connection waits for a lock. Only a checkpoint or a foreign tool can hold one.
const BUSY: Duration = Duration::from_secs(10);

pub(crate) struct Sqlite {
    queue: Option<mpsc::Sender<Box<dyn Work>>>,
    writer: Option<JoinHandle<()>>,
    readers: Option<Arc<Readers>>,
    /// Behind the connections, so that it goes after them.
    _place: Arc<Place>,
}

/// Where the file is; the lock on it or, for a temporary one, its directory, last as long as this.
struct Place {
    path: PathBuf,
    /// With less care for a database that ends with the process.
    synchronous: &'static str,
    temporary: Option<PathBuf>,
    _lock: File,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(directory) = &self.temporary
            && let Err(error) = fs::remove_dir_all(directory)
        {
            tracing::warn!(%error, directory = %directory.display(), "a temporary database was left");
        }
    }
}

impl Sqlite {
    pub(crate) async fn open(path: &Path, listeners: Arc<Listeners>) -> Result<Self, Error> {
        let path = path.to_owned();
        blocking(move || {
            let lock = lock(&path)?;
            let place = Place {
                path,
                synchronous: "FULL",
                temporary: None,
                _lock: lock,
            };
            Self::start(place, listeners)
        })
        .await
    }

    /// A database in a directory of its own that goes with the last handle.
    ///
    /// A file and not memory: SQLite's shared memory databases lock whole tables, so readers and the writer would meet errors there that no
    /// file gives.
    pub(crate) async fn temporary(listeners: Arc<Listeners>) -> Result<Self, Error> {
        blocking(move || {
            let directory = std::env::temp_dir().join(format!("packhouse-{}", crate::random_hex()));
            fs::DirBuilder::new()
                .mode(0o700)
                .create(&directory)
                .map_err(Error::unavailable)?;
            let path = directory.join("memory.db");
            let lock = lock(&path)?;
            let place = Place {
                path,
                synchronous: "OFF",
                temporary: Some(directory),
                _lock: lock,
            };
            Self::start(place, listeners)
        })
        .await
    }

    fn start(place: Place, listeners: Arc<Listeners>) -> Result<Self, Error> {
        let place = Arc::new(place);
        let connection = writer(&place)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let held = Arc::clone(&place);
        let writer = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || {
                Writer {
                    connection,
                    waiting,
                    listeners,
                }
                .run();
                drop(held);
            })
            .map_err(Error::unavailable)?;
        let count = thread::available_parallelism()
            .map_or(4, usize::from)
            .clamp(4, 16);
        let readers = Arc::new(Readers {
            place: Arc::clone(&place),
            idle: Mutex::new(Vec::with_capacity(count)),
            permits: Arc::new(Semaphore::new(count)),
        });
        // One now, so that a file that cannot be read stops the start and not the first request.
        readers.give_back(reader(&place)?);
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
            readers: Some(readers),
            _place: place,
        })
    }

    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        let Some(readers) = self.readers.clone() else {
            return Err(Error::unavailable("the database is closed"));
        };
        // Waited for here and not on a blocking thread, which others need.
        let permit = Arc::clone(&readers.permits)
            .acquire_owned()
            .await
            .map_err(Error::unavailable)?;
        blocking(move || {
            let _permit = permit;
            let connection = readers.take()?;
            let result = rows(&connection, sql, &values);
            readers.give_back(connection);
            result
        })
        .await
    }

    pub(crate) async fn submit(&self, work: Box<dyn Work>) -> Result<(), Error> {
        match &self.queue {
            Some(queue) => queue
                .send(work)
                .await
                .map_err(|_| Error::unavailable("the writer has stopped")),
            None => Err(Error::unavailable("the database is closed")),
        }
    }
}

impl Drop for Sqlite {
    /// Readers first: the connection that is closed last, the writer's, folds the write-ahead log into the file.
    fn drop(&mut self) {
        self.readers = None;
        self.queue = None;
        if let Some(writer) = self.writer.take()
            // A listener that held the last handle drops it on the writer's own thread, which cannot wait for itself.
            && writer.thread().id() != thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the thread that writes to SQLite panicked");
        }
    }
}

struct Readers {
    place: Arc<Place>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    fn take(&self) -> Result<Connection, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        idle.map_or_else(|| reader(&self.place), Ok)
    }

    fn give_back(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }
}

struct Writer {
    connection: Connection,
    waiting: mpsc::Receiver<Box<dyn Work>>,
    listeners: Arc<Listeners>,
}

/// A transaction that has run inside its savepoint.
struct Ran {
    work: Box<dyn Work>,
    touched: Vec<String>,
}

impl Writer {
    fn run(mut self) {
        while let Some(first) = self.waiting.blocking_recv() {
            self.group(first, GROUP);
        }
    }

    /// Runs `first` and up to `limit` − 1 of those who wait behind it, commits them together, then answers each.
    fn group(&mut self, first: Box<dyn Work>, limit: usize) {
        if let Err(error) = batch(&self.connection, "BEGIN IMMEDIATE") {
            first.settle(Err(error));
            return;
        }
        let mut ran = Vec::new();
        let mut next = Some(first);
        let mut ended = Ok(());
        while let Some(work) = next {
            ended = self.attempt(work, &mut ran);
            let more = ended.is_ok() && ran.len() < limit;
            next = if more {
                self.waiting.try_recv().ok()
            } else {
                None
            };
        }
        let Err(error) = ended.and_then(|()| batch(&self.connection, "COMMIT")) else {
            self.answer(ran);
            return;
        };
        self.roll_back();
        if ran.len() > 1 {
            // One of them may be the cause (a constraint that is checked at the commit): each is judged alone.
            for ran in ran {
                self.group(ran.work, 1);
            }
        } else if let Some(only) = ran.pop() {
            only.work.settle(Err(error));
        }
    }

    /// Runs one in a savepoint; fails only when the transaction around it is lost.
    fn attempt(&self, mut work: Box<dyn Work>, ran: &mut Vec<Ran>) -> Result<(), Error> {
        if let Err(error) = batch(&self.connection, "SAVEPOINT work") {
            ran.push(Ran {
                work,
                touched: Vec::new(),
            });
            return Err(error);
        }
        let mut tx = Tx::new(Statements::Sqlite(Transaction(&self.connection)));
        let keep = work.attempt(&mut tx);
        let touched = if keep { tx.into_touched() } else { Vec::new() };
        ran.push(Ran { work, touched });
        // A full disk, among others, makes SQLite roll back everything by itself.
        if self.connection.is_autocommit() {
            return Err(Error::unavailable("SQLite gave up the transaction"));
        }
        let end = if keep {
            "RELEASE work"
        } else {
            "ROLLBACK TO work; RELEASE work"
        };
        batch(&self.connection, end)
    }

    fn answer(&self, ran: Vec<Ran>) {
        for Ran { work, touched } in ran {
            self.listeners.tell(&Touched::Topics(touched));
            work.settle(Ok(()));
        }
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = batch(&self.connection, "ROLLBACK")
        {
            tracing::error!(%error, "cannot roll back");
        }
    }
}

/// A transaction under way, on the writer's thread.
pub(crate) struct Transaction<'a>(&'a Connection);

impl Transaction<'_> {
    pub(crate) fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
        rows(self.0, sql, values)
    }

    pub(crate) fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, Error> {
        let changed = prepare(self.0, sql, values)?
            .raw_execute()
            .map_err(mapped)?;
        u64::try_from(changed).map_err(Error::other)
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<(), Error> {
        batch(self.0, &sql.replace("{name}", "TEXT"))
    }
}

fn rows(connection: &Connection, sql: &str, values: &[Value]) -> Result<Vec<Row>, Error> {
    let mut statement = prepare(connection, sql, values)?;
    let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
    let mut cursor = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = cursor.next().map_err(mapped)? {
        let values = (0..columns.len())
            .map(|at| read(row.get_ref(at).map_err(mapped)?, &columns[at]))
            .collect::<Result<_, Error>>()?;
        rows.push(Row::new(Arc::clone(&columns), values));
    }
    Ok(rows)
}

fn batch(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.execute_batch(sql).map_err(mapped)
}

/// A statement from the cache with its values in place.
///
/// To SQLite `$2` is a *name*, and its place is that of its first appearance; so each place is asked for its name.
fn prepare<'a>(
    connection: &'a Connection,
    sql: &str,
    values: &[Value],
) -> Result<CachedStatement<'a>, Error> {
    let mut statement = connection.prepare_cached(sql).map_err(mapped)?;
    for place in 1..=statement.parameter_count() {
        let value = statement
            .parameter_name(place)
            .and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok())
            .and_then(|number| values.get(number.checked_sub(1)?))
            .ok_or_else(|| Error::other("a statement's $n has no value"))?;
        // PostgreSQL's text cannot hold it.
        if matches!(value, Value::Text(text) if text.contains('\0')) {
            return Err(Error::other("text with a NUL byte"));
        }
        statement
            .raw_bind_parameter(place, Bound(value))
            .map_err(mapped)?;
    }
    Ok(statement)
}

struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

fn read(cell: ValueRef<'_>, column: &str) -> Result<Value, Error> {
    let problem = match cell {
        ValueRef::Null => return Ok(Value::Null),
        ValueRef::Integer(number) => return Ok(Value::Int(number)),
        ValueRef::Text(bytes) => match str::from_utf8(bytes) {
            Ok(text) => return Ok(Value::Text(text.to_owned())),
            Err(_) => "is not UTF-8",
        },
        ValueRef::Real(_) => "is a fraction",
        ValueRef::Blob(_) => "is a blob",
    };
    Err(Error::Column {
        column: column.to_owned(),
        problem: problem.to_owned(),
    })
}

fn mapped(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(failure, message) = &error else {
        return Error::other(error);
    };
    match (failure.code, failure.extended_code) {
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => Error::Unique {
            constraint: constraint(message.as_deref().unwrap_or_default()),
        },
        (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Error::Reference,
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Conflict { attempts: 1 },
        (
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied,
            _,
        ) => Error::unavailable(error),
        _ => Error::other(error),
    }
}

/// From `UNIQUE constraint failed: users.account, users.name` or `…: index 'users_by_name'`.
fn constraint(message: &str) -> String {
    let (_, what) = message.split_once(": ").unwrap_or(("", message));
    match what
        .strip_prefix("index '")
        .and_then(|name| name.strip_suffix('\''))
    {
        Some(name) => format!("index {name}"),
        None => what.to_owned(),
    }
}

fn writer(place: &Place) -> Result<Connection, Error> {
    let connection = connect(&place.path, OpenFlags::SQLITE_OPEN_CREATE)?;
    // Truncated after a checkpoint to 64 MiB, or a single large transaction would leave a log of its size for good.
    batch(
        &connection,
        &format!(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = {};
             PRAGMA journal_size_limit = 67108864;",
            place.synchronous
        ),
    )?;
    Ok(connection)
}

fn reader(place: &Place) -> Result<Connection, Error> {
    let connection = connect(&place.path, OpenFlags::empty())?;
    batch(&connection, "PRAGMA query_only = ON;")?;
    Ok(connection)
}

fn connect(path: &Path, how: OpenFlags) -> Result<Connection, Error> {
    // Without SQLITE_OPEN_URI: a path is a path. No mutex: each connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | how;
    let connection = Connection::open_with_flags(path, flags).map_err(mapped)?;
    connection.busy_timeout(BUSY).map_err(mapped)?;
    connection.set_prepared_statement_cache_capacity(PREPARED);
    // LIKE tells cases apart, as PostgreSQL's does.
    batch(
        &connection,
        "PRAGMA foreign_keys = ON;
         PRAGMA case_sensitive_like = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;",
    )?;
    Ok(connection)
}

/// Makes the file if it is not there, readable by its owner alone, and locks it against a second process.
///
/// The lock is on a file beside it: SQLite's own locks on the database would be lost when any handle to it is closed.
fn lock(path: &Path) -> Result<File, Error> {
    let private = |path: &Path| {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
    };
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        fs::create_dir_all(parent).map_err(Error::unavailable)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let lock = private(Path::new(&beside)).map_err(Error::unavailable)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(Error::Locked {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(Error::unavailable(error)),
    }
    private(path).map_err(Error::unavailable)?;
    Ok(lock)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Error::other)?
}

#[cfg(test)]
mod tests {
    use super::constraint;

    #[test]
    fn a_broken_key_is_named_by_its_columns() {
        for (message, expected) in [
            ("UNIQUE constraint failed: users.name", "users.name"),
            (
                "UNIQUE constraint failed: users.account, users.name",
                "users.account, users.name",
            ),
            (
                "UNIQUE constraint failed: index 'users_by_name'",
                "index users_by_name",
            ),
        ] {
            assert_eq!(constraint(message), expected);
        }
    }
}
