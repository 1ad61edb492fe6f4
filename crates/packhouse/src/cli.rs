//! The command line: what there is to type. Each command is a file.

use std::path::PathBuf;

use aws::{AccountId, MachineId};
use clap::{Args, Parser, Subcommand};

use crate::agent::Agent;
use crate::config::Flags;

/// A self-hosted package repository: a drop-in for AWS `CodeArtifact`.
#[derive(Debug, Parser)]
#[command(name = "packhouse", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Flags),
    /// Print the variables that point AWS clients at the server, for `eval "$(packhouse env)"`
    Env(Env),
    /// Show every setting and where its value comes from
    Config(Show),
    /// Addresses of public registries
    #[command(subcommand)]
    Upstreams(Upstreams),
    /// Accounts beside the first
    #[command(subcommand)]
    Account(Account),
    /// Machines that have a role
    #[command(subcommand)]
    Machine(Machine),
    /// The role of this machine, for the AWS clients on it
    #[command(subcommand)]
    Agent(Agent),
    /// Say why somebody was refused
    Why(Why),
    /// List every operation with its route and the actions that it asks for
    Operations,
    /// Ask a running server whether it is ready; ends with 0 if so
    Healthcheck(Data),
}

/// Which server, by its data directory.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// Data directory of the server
    #[arg(
        long,
        value_name = "DIR",
        env = "PACKHOUSE_DATA",
        default_value = "./packhouse-data"
    )]
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Env {
    #[command(flatten)]
    pub(crate) server: Data,
    /// The root key instead of that of the user `admin`
    #[arg(long, conflicts_with = "account_id")]
    pub(crate) root: bool,
    /// The key of another account's `admin`, made by `packhouse account create`
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<AccountId>,
    /// One endpoint variable for each service, so that other AWS services keep their own
    #[arg(long)]
    pub(crate) services: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Print the reference page of all settings instead
    #[arg(long)]
    pub(crate) reference: bool,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Upstreams {
    /// Ask the package managers of this machine where their public registries are
    Detect(Detect),
}

#[derive(Debug, Args)]
pub(crate) struct Detect {
    /// Write what was found into the data directory, where `packhouse serve` reads it
    #[arg(long)]
    pub(crate) write: bool,
    #[command(flatten)]
    pub(crate) server: Data,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Account {
    /// Make the account of `--account-id`, with a root key and a user `admin`
    Create(Flags),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Machine {
    /// Make a machine, and print the code that enrols it
    Create(CreateMachine),
    /// List the machines of the account
    List(ListMachines),
    /// Print a new code, for a machine that was reinstalled or disabled
    Code(OneMachine),
    /// Trust a machine no more; ends its sessions
    Disable(OneMachine),
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The id of the decision (`x-packhouse-decision`) or of the request (`x-amzn-requestid`); without one, the newest
    /// refusals
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// In whose name.
#[derive(Debug, Args)]
pub(crate) struct Admin {
    #[command(flatten)]
    pub(crate) server: Data,
    /// Another account than the first, made by `packhouse account create`
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: Option<AccountId>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CreateMachine {
    /// What people call it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// The instance profile that carries its role; may be attached later
    #[arg(long, value_name = "NAME")]
    pub(crate) instance_profile: Option<String>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Args)]
pub(crate) struct ListMachines {
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Args)]
pub(crate) struct OneMachine {
    /// The machine's id, `i-…`
    #[arg(value_name = "MACHINE")]
    pub(crate) id: MachineId,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_holds_together() {
        super::Cli::command().debug_assert();
    }
}
