//! The operations, each against the published service model and over a real catalog.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod domains;
mod formats;
mod inputs;
mod model;
mod nobody;
mod packages;
mod pages;
mod policies;
mod repositories;
mod table;
mod tags;
mod tokens;
mod versions;
mod world;
