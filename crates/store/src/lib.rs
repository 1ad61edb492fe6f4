//! The shelf: rows in a database, bytes in blobs. It knows no package and no AWS.
//!
//! There are two of each underneath, and above nobody can tell which: [`Database`] is SQLite or PostgreSQL, [`BlobStore`] is a file tree
//! or a bucket. Every SQL statement of the house is written once, as text with `$1`, and only text, 64-bit integers and null cross
//! ([`Value`]). What both databases have is used, what one has is left:
//!
//! - `ON CONFLICT`, `RETURNING`, recursive `WITH` and partial indexes are good on both. JSON operators, `ILIKE`, database clocks and
//!   `SKIP LOCKED` are not.
//! - Booleans are `flag = 1`, never a bare `flag`. `LIKE` tells cases apart and needs its `ESCAPE` spelled out.
//! - A `$n` is text or a 64-bit number, never anything else: `CAST` where an expression needs another.
//! - A statement contains no comments and no `$n` inside quotes.
//! - Columns are `{name}`, `TEXT` or `BIGINT` ([`Migration`]); only `{name}` sorts alike everywhere, by bytes.
//!
//! Bytes come first, then one short transaction refers to them: a crash leaves bytes that nobody refers to, never the opposite.

#![allow(
    clippy::doc_markdown,
    reason = "SQLite and PostgreSQL are names, not code"
)]

mod accompany;
mod blobs;
mod database;
mod digest;
mod error;
mod lease;
mod migrate;
mod postgres;
mod sqlite;
mod touch;
mod value;

pub use accompany::Companion;
pub use blobs::{
    BlobError, BlobSettings, BlobStore, BlobsAddress, ByteStream, Follow, Incoming,
    InvalidBlobsAddress, InvalidLocation, Listed, Location, Sealed, SealedReader, Stored,
};
pub use database::{Database, DatabaseAddress, InvalidDatabaseAddress, Tx};
pub use digest::{Digester, Digests, sha256_hex};
pub use error::Error;
pub use lease::Lease;
pub use migrate::{Migration, MigrationError};
pub use touch::Touched;
pub use value::{Row, Value};

/// 128 random bits: a name that nothing else has.
pub(crate) fn random_bytes() -> [u8; 16] {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .expect("the operating system gives random bytes, or nothing is safe");
    bytes
}

/// The same as 32 lower-case hex digits.
pub(crate) fn random_hex() -> String {
    hex::encode(random_bytes())
}
