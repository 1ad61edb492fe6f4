//! Packhouse: a self-hosted package repository, a drop-in for AWS `CodeArtifact`.
//!
//! This crate is the process: the command line, the configuration, the port with its doors, and the wiring of all the
//! others. It decides nothing about packages and permissions.

mod cli;
mod config;
mod env;
mod files;
mod logging;
mod show;
mod upstreams;

use clap::Parser as _;
use mimalloc::MiMalloc;

use cli::{Cli, Command, Upstreams};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Env(arguments) => env::run(&arguments),
        Command::Config(arguments) => show::run(arguments),
        Command::Account(_) | Command::Serve(_) | Command::Healthcheck(_) => Ok(()),
        Command::Upstreams(Upstreams::Detect(arguments)) => upstreams::run(&arguments),
    }
}

/// The variables of this process that are text; others cannot be settings.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
