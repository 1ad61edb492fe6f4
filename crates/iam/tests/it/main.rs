//! The suite of the crate, in one binary: vectors, and behaviour over each database that is at hand.
#![allow(clippy::unwrap_used, reason = "tests")]

mod tokens;
