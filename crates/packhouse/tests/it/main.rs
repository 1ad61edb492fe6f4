//! Black box: the built binary on a free port in a temporary directory, over the wire.

#![allow(clippy::unwrap_used, reason = "tests")]

mod agent;
mod audit;
mod aws_command;
mod commands;
mod control;
mod described;
mod ending;
mod house;
mod issuer;
mod keys;
mod limits;
mod machine;
mod matrix;
mod nodes;
mod own;
mod packages;
mod secrets;
mod server;
mod start;
mod threats;
mod tls;
mod web_identity;
mod wire;
