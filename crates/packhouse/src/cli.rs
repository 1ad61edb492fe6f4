//! The command line: what there is to type. Each command is a file.

use std::path::PathBuf;

use aws::{AccountId, MachineId};
use clap::{Args, Parser, Subcommand, ValueEnum};
use iam::OrganizationId;

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
    /// Keys of the server and of its administrators: change them, replace lost ones
    #[command(subcommand)]
    Key(Key),
    /// What was issued: tokens and temporary credentials
    #[command(subcommand)]
    Session(Session),
    /// Machines that have a role
    #[command(subcommand)]
    Machine(Machine),
    /// The role of this machine, for the AWS clients on it
    #[command(subcommand)]
    Agent(Agent),
    /// Say why somebody was refused
    Why(Why),
    /// Say who fetched a version of a package
    Fetched(Fetched),
    /// Remove bytes that nothing refers to, now
    Sweep(StartJob),
    /// Read all bytes again and put into quarantine what is not what it was, now
    Scrub(StartJob),
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
    /// Say of which organization an account is, for policies that name it (`aws:PrincipalOrgID`)
    Organization(SetOrganization),
}

#[derive(Debug, Args)]
pub(crate) struct SetOrganization {
    /// The account; the first one too is in none until it is said
    #[arg(long, value_name = "ID")]
    pub(crate) account_id: AccountId,
    /// The organization, `o-` and 10 to 32 small letters and digits of your choice
    #[arg(long, value_name = "ID", required_unless_present = "none")]
    pub(crate) organization_id: Option<OrganizationId>,
    /// Take the account out of its organization
    #[arg(long, conflicts_with = "organization_id")]
    pub(crate) none: bool,
    #[command(flatten)]
    pub(crate) server: Data,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// List the keys that sign tokens
    List(ListKeys),
    /// Change keys while the server runs; what was issued stays good until it expires
    Rotate(RotateKeys),
    /// Emergency: drop a key that signs tokens; all that it signed is dead at once
    Drop(DropKey),
    /// Make new keys for root and admin, from the host; the old ones are dead
    Reset(ResetKeys),
}

#[derive(Debug, Args)]
pub(crate) struct ListKeys {
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// What can be changed under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rotated {
    /// The keys that sign tokens; they also change by themselves every day
    Tokens,
    /// The master key, which seals all stored secrets
    Master,
    /// The access key of the user `admin`
    Admin,
    /// The access key of root
    Root,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKeys {
    /// Which keys
    #[arg(value_name = "KEYS", value_enum, default_values = ["tokens", "master"])]
    pub(crate) keys: Vec<Rotated>,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Args)]
pub(crate) struct DropKey {
    /// Its number, as `packhouse key list` shows it
    #[arg(value_name = "NUMBER")]
    pub(crate) number: u16,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

/// Whose keys can be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Holder {
    /// The account's root
    Root,
    /// Its user `admin`, who is made again if he is gone
    Admin,
}

#[derive(Debug, Args)]
pub(crate) struct ResetKeys {
    /// Whose keys
    #[arg(value_name = "WHOSE", value_enum, default_values = ["root", "admin"])]
    pub(crate) whose: Vec<Holder>,
    /// The master key is lost: remove everything that it has sealed (all access keys of all accounts, sessions, token
    /// keys), and begin with a new one. No server may run meanwhile
    #[arg(long)]
    pub(crate) i_lost_the_key: bool,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Take back what was issued, from the next request on
    Revoke(RevokeSessions),
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct RevokeSessions {
    #[command(flatten)]
    pub(crate) which: Which,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// A session (`ASIA…`), a token (`ABIA…`, as the audit log names it), or all that an access key was issued (`AKIA…`)
    #[arg(value_name = "ID")]
    pub(crate) id: Option<String>,
    /// All that a user was issued; his access keys stay good
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// All sessions of a role, and of the roles that were taken with them
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// The token on standard input: one that was found where it should not be
    #[arg(long)]
    pub(crate) token: bool,
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
    /// Remove a machine that is gone for good; what it had is dead
    Delete(OneMachine),
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

#[derive(Debug, Args)]
pub(crate) struct Fetched {
    /// The domain, of the account in whose name it is asked
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: String,
    /// The repository that was asked
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: String,
    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: String,
    /// The namespace, where the format has them
    #[arg(long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// The package
    #[arg(long, value_name = "NAME")]
    pub(crate) package: String,
    /// The version
    #[arg(long = "package-version", value_name = "VERSION")]
    pub(crate) version: String,
    #[command(flatten)]
    pub(crate) admin: Admin,
}

#[derive(Debug, Args)]
pub(crate) struct StartJob {
    /// Do not wait until it is done
    #[arg(long)]
    pub(crate) no_wait: bool,
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
