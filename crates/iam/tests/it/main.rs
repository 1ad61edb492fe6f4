//! The suite of the crate, in one binary: vectors, and behaviour over each database that is at hand.
//!
//! `SQLite` always; `PostgreSQL` when `PACKHOUSE_TEST_POSTGRES` holds the address of a database, in which each test makes a
//! schema of its own.
#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests, and their tables are long"
)]

#[macro_use]
mod house;

mod accounts;
mod assuming;
mod calls;
mod cases;
mod decisions;
mod ec2;
mod escalation;
mod issuer;
mod issuer_keys;
mod limits;
mod listing;
mod machine_operations;
mod machines;
mod policy;
mod policy_laws;
mod recovery;
mod refusals;
mod revoking;
mod secrets;
mod sessions;
mod signatures;
mod simulating;
mod stored;
mod temporary;
mod tokens;
mod validation;
mod vectors;
mod web_identity;
mod web_identity_roles;
mod wire;
