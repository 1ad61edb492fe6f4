use std::path::PathBuf;

/// What a driver said, kept for the log's chain of causes.
pub(crate) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why the database did not do it; one variant for each thing that a caller would do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A row with the same unique key is there already.
    ///
    /// `constraint` names the key's columns as `table.column, table.column`, or `index name` when the key is an expression; the same
    /// text on both databases.
    #[error("a row with the same `{constraint}` exists")]
    Unique {
        /// `table.column, table.column`, or `index name`.
        constraint: String,
    },
    /// A foreign key: the row that is referred to does not exist, or the one to be removed is still referred to.
    #[error("a row refers to one that does not exist, or is still referred to")]
    Reference,
    /// Other writers were in the way every time; the same request may succeed later.
    #[error("other writers were in the way {attempts} times")]
    Conflict {
        /// How often the transaction was run.
        attempts: u32,
    },
    /// The database cannot be reached, is shutting down, or has no room.
    ///
    /// When a connection was lost during `COMMIT` nobody can tell whether the change was kept; then this is the answer too.
    #[error("the database is not available")]
    Unavailable {
        /// What the driver said.
        #[source]
        source: Cause,
    },
    /// Another process has this SQLite file open.
    #[error(
        "`{}` is in use by another process\nhint: one server at a time may use an SQLite file; stop the other one, or use PostgreSQL",
        path.display()
    )]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// A row was read as something that it is not.
    #[error("column `{column}` {problem}")]
    Column {
        /// The name that was asked for.
        column: String,
        /// What is wrong with it: `is not in the row`, `is null`, …
        problem: String,
    },
    /// A statement of this transaction failed before, and its closure carried on.
    ///
    /// PostgreSQL cannot continue after a failed statement, so neither database does: use `ON CONFLICT` and read what happened.
    #[error("an earlier statement of this transaction failed")]
    Aborted,
    /// The schema is not what this program expects.
    #[error(transparent)]
    Migration(#[from] crate::migrate::MigrationError),
    /// Anything else: a wrong statement, a broken rule of the schema, a damaged file.
    #[error("the database refused a statement")]
    Other {
        /// What the driver said.
        #[source]
        source: Cause,
    },
}

impl Error {
    pub(crate) fn unavailable(source: impl Into<Cause>) -> Self {
        Self::Unavailable {
            source: source.into(),
        }
    }

    pub(crate) fn other(source: impl Into<Cause>) -> Self {
        Self::Other {
            source: source.into(),
        }
    }
}
