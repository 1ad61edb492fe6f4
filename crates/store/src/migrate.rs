//! Applies each crate's numbered SQL, once, in order, and remembers what it was.
//!
//! Forward only: there is no way back, so every migration must leave a schema on which the previous release still runs (expand, move,
//! contract). Each one is a transaction of its own. A migration that was applied and has another text today, or that this program does
//! not know, stops the start: guessing would be worse.

use crate::database::{Database, Isolation};
use crate::{Error, Tx, sha256_hex};

/// One numbered step of a crate's schema.
///
/// `sql` is one text for both databases, several statements, with `{name}` for the type of a column whose values sort by bytes: `TEXT` on
/// SQLite, `TEXT COLLATE "C"` on PostgreSQL. Numbers are `BIGINT` (on PostgreSQL `INTEGER` would hold 32 bits).
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// From 1, without gaps.
    pub number: u32,
    /// What it does, in a few words: `domains`.
    pub name: &'static str,
    /// The statements.
    pub sql: &'static str,
}

/// Why the schema and this program do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The list in the program is not 1, 2, 3, ….
    #[error("migrations of `{area}` are not numbered 1, 2, 3: found {found} in place {expected}")]
    Numbering {
        /// Whose migrations.
        area: &'static str,
        /// The number that should stand there.
        expected: u32,
        /// The number that stands there.
        found: u32,
    },
    /// A migration was applied with another text.
    #[error(
        "migration {number} `{name}` of `{area}` was applied to this database with another text\n\
         hint: an applied migration must never be edited; add a new one"
    )]
    Changed {
        /// Whose migrations.
        area: &'static str,
        /// Which one.
        number: u32,
        /// Its name today.
        name: &'static str,
    },
    /// The database has been used by a newer program.
    #[error(
        "migration {number} `{name}` of `{area}` was applied to this database and is unknown to this program\n\
         hint: run the newer version, or restore a copy of the database from before the upgrade"
    )]
    Newer {
        /// Whose migrations.
        area: &'static str,
        /// The first unknown one.
        number: i64,
        /// Its name as it was applied.
        name: String,
    },
}

const CREATE_APPLIED: &str = "
    CREATE TABLE IF NOT EXISTS store_migrations (
        area     {name} NOT NULL,
        number   BIGINT NOT NULL,
        name     {name} NOT NULL,
        checksum {name} NOT NULL,
        PRIMARY KEY (area, number)
    );";

const APPLIED: &str = "
    SELECT number, name, checksum
      FROM store_migrations
     WHERE area = $1
     ORDER BY number";

const REMEMBER: &str = "
    INSERT INTO store_migrations (area, number, name, checksum)
    VALUES ($1, $2, $3, $4)";

impl Database {
    /// Brings one crate's part of the schema up to date; `area` is the crate's name.
    ///
    /// Does nothing when it is. Two processes may do this at once: one waits for the other. Errors: [`Error::Migration`] when the
    /// database and the list disagree, and then nothing was changed.
    pub async fn migrate(&self, area: &'static str, migrations: &[Migration]) -> Result<(), Error> {
        for (expected, migration) in (1..).zip(migrations) {
            if migration.number != expected {
                let found = migration.number;
                return Err(MigrationError::Numbering {
                    area,
                    expected,
                    found,
                }
                .into());
            }
        }
        let migrations = migrations.to_vec();
        while self.step(area, migrations.clone()).await? {}
        Ok(())
    }

    /// Checks what was applied and applies the next one; false when there is none left.
    async fn step(&self, area: &'static str, migrations: Vec<Migration>) -> Result<bool, Error> {
        self.write_at(Isolation::Schema, move |tx| {
            tx.batch(CREATE_APPLIED)?;
            let applied = check(tx, area, &migrations)?;
            let Some(next) = migrations.get(applied) else {
                return Ok(false);
            };
            tracing::info!(
                area,
                number = next.number,
                name = next.name,
                "applying a migration"
            );
            tx.batch(next.sql)?;
            tx.execute(
                REMEMBER,
                &[
                    area.into(),
                    next.number.into(),
                    next.name.into(),
                    checksum(next).into(),
                ],
            )?;
            Ok(true)
        })
        .await
    }
}

/// How many are applied, having made sure that each is the one we know.
fn check(tx: &mut Tx<'_>, area: &'static str, migrations: &[Migration]) -> Result<usize, Error> {
    let rows = tx.rows(APPLIED, &[area.into()])?;
    for (at, row) in rows.iter().enumerate() {
        let Some(known) = migrations.get(at) else {
            let (number, name) = (row.int("number")?, row.text("name")?);
            return Err(MigrationError::Newer { area, number, name }.into());
        };
        if row.as_str("checksum")? != checksum(known) {
            let Migration { number, name, .. } = *known;
            return Err(MigrationError::Changed { area, number, name }.into());
        }
    }
    Ok(rows.len())
}

/// Of the text as it is written, so that it is the same on both databases.
fn checksum(migration: &Migration) -> String {
    sha256_hex(migration.sql.as_bytes())
}
