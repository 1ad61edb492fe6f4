//! The crate from outside: whole requests and answers, and the specification's vector files.
#![allow(clippy::unwrap_used, reason = "tests")]

mod forms;
mod inputs;
mod pages;
mod sigv4_roundtrip;
mod sigv4_vectors;
mod wire_vectors;
