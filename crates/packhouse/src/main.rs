//! Packhouse: a self-hosted package repository, a drop-in for AWS `CodeArtifact`.
//!
//! This crate is the process: the command line, the configuration, the port with its doors, and the wiring of all the
//! others. It decides nothing about packages and permissions.

mod account;
mod agent;
mod attempts;
mod body;
mod cli;
mod client;
mod config;
mod connection;
mod doors;
mod env;
mod fetch_times;
mod fetched;
mod files;
mod guests;
mod healthcheck;
mod house;
mod http;
mod job;
mod jobs;
mod key;
mod logging;
mod machine;
mod master_key;
mod metrics;
mod operations;
mod peer;
mod rates;
mod record;
mod request_id;
mod serve;
mod session;
mod setup;
mod show;
mod tls;
mod upstreams;
mod why;
mod written;

use std::io::Write as _;
use std::process::ExitCode;

use catalog::job::Job;
use clap::Parser as _;

use cli::{Account, Cli, Command, Session, Upstreams};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is there to be told when this cannot be written.
            _ = writeln!(std::io::stderr(), "packhouse: {}", told(&error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Account(Account::Create(flags)) => account::create(flags),
        Command::Account(Account::Organization(arguments)) => account::set_organization(arguments),
        Command::Agent(command) => agent::act(command),
        Command::Config(arguments) => show::run(arguments),
        Command::Env(arguments) => env::run(&arguments),
        Command::Fetched(arguments) => fetched::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Key(command) => key::run(command),
        Command::Machine(command) => machine::run(&command),
        Command::Operations => operations::run(),
        Command::Scrub(arguments) => job::run(Job::Scrub, &arguments),
        Command::Serve(flags) => serve::run(flags),
        Command::Session(Session::Revoke(arguments)) => session::revoke(&arguments),
        Command::Sweep(arguments) => job::run(Job::Sweep, &arguments),
        Command::Upstreams(Upstreams::Detect(arguments)) => upstreams::run(&arguments),
        Command::Why(arguments) => why::run(&arguments),
    }
}

/// An error and its causes, in the order in which they are of use.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Errors that only pass on another one would say it twice.
        if !text.ends_with(&cause) {
            text = format!("{text}\n  because {cause}");
        }
    }
    text
}

/// The variables of this process that are text; others cannot be settings.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
