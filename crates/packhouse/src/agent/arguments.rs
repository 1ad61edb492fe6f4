//! What there is to type after `packhouse agent`.

use std::net::SocketAddr;
use std::path::PathBuf;

use aws::SecretString;
use clap::{Args, Subcommand, ValueEnum};

use super::server::{Pin, ServerUrl};

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Make this machine the one that a code was given out for
    Enroll(Enroll),
    /// Serve the machine's role to the AWS clients on it
    Run(Run),
    /// Print credentials of the machine's role, for `credential_process` in an AWS config file
    Credentials(Credentials),
}

/// Who this machine is.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// Directory with the machine's key
    #[arg(
        long,
        value_name = "DIR",
        env = "PACKHOUSE_AGENT_STATE",
        default_value = "/var/lib/packhouse-agent"
    )]
    pub(crate) state: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Enroll {
    /// The server, as it is reached from here
    #[arg(long, value_name = "URL")]
    pub(crate) server: ServerUrl,
    /// The code that `packhouse machine create` printed
    #[arg(
        long,
        value_name = "CODE",
        env = "PACKHOUSE_ENROLLMENT_CODE",
        hide_env_values = true,
        value_parser = code
    )]
    pub(crate) code: SecretString,
    /// Trust the server's certificate by its SHA-256, and by nothing else
    #[arg(long, value_name = "SHA256")]
    pub(crate) pin: Option<Pin>,
    /// Talk to a server on another machine without TLS: whoever listens in between has the role
    #[arg(long)]
    pub(crate) insecure_http: bool,
    #[command(flatten)]
    pub(crate) state: State,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) state: State,
    /// Where to listen, instead of port 1338 of `127.0.0.1` and `::1`; more than once for more
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Allow --listen on an address that other machines reach
    #[arg(long)]
    pub(crate) i_understand_everyone_there_gets_this_role: bool,
    /// How long the sessions of the role last, in hours
    #[arg(long, value_name = "HOURS", default_value = "1", value_parser = hours)]
    pub(crate) hours: Hours,
    /// File with the token of the container endpoint, instead of `container-token` in the state directory
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Serve only processes of this user id; more than once for more
    #[arg(long, value_name = "UID")]
    pub(crate) allow_uid: Vec<u32>,
    /// Answer version 1 of the machine endpoint too, which needs no token: any program that fetches URLs for others then
    /// gives the role away
    #[arg(long)]
    pub(crate) version_1: bool,
    /// Also listen at 169.254.169.254, where clients look without being told; needs root
    #[arg(long)]
    pub(crate) link_local: bool,
    /// What to log, as a filter like `info` or `packhouse=debug`
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub(crate) log_level: String,
}

#[derive(Debug, Args)]
pub(crate) struct Credentials {
    #[command(flatten)]
    pub(crate) state: State,
    /// For whom
    #[arg(long, value_enum, default_value = "process")]
    pub(crate) format: Format,
}

/// How credentials are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// As a `credential_process` must
    Process,
}

/// How long sessions last: one to six hours, so that at half life more than 20 minutes are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hours(u32);

impl Hours {
    pub(crate) fn seconds(self) -> u32 {
        self.0 * 3600
    }

    pub(crate) const ONE: Self = Self(1);
}

fn hours(text: &str) -> Result<Hours, &'static str> {
    match text.parse() {
        Ok(hours @ 1..=6) => Ok(Hours(hours)),
        _ => Err("1 to 6"),
    }
}

fn code(text: &str) -> Result<SecretString, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Err("there is no code in it");
    }
    Ok(text.into())
}
