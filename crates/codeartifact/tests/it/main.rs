//! The operations, each against the published service model and over a real catalog.
#![allow(clippy::unwrap_used, reason = "tests")]

mod model;
mod table;
