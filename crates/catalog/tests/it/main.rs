//! The catalog's suite: behaviour over each pair of database and blob store that is at hand.
//!
//! SQLite and local files always; PostgreSQL and a bucket when `PACKHOUSE_TEST_POSTGRES` and `PACKHOUSE_TEST_S3` say
//! where they are (`make test` starts both).

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "tests say what they skip")]

mod confusion;
mod domains;
mod fetching;
mod group_lists;
mod groups;
mod history;
mod lifecycle;
mod listing;
mod outbox;
mod publishing;
mod registry;
mod removed;
mod scenarios;
mod scrubbing;
mod search;
mod toy;
mod upstreams;
mod versions;
mod walk;
mod world;
