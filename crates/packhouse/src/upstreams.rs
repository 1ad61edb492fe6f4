//! `packhouse upstreams detect`: where this machine's own package managers have their public registries.
//!
//! No address of a public registry is part of this program. Whoever installed a package manager has the address already:
//! in its settings, or built into it. So the clients are asked, each within [`PATIENCE`]; nothing is fetched.

mod cargo;
mod dotnet;
mod gem;
mod machine;
mod maven;
mod npm;
mod pip;

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use url::Url;

use crate::cli;
use crate::config::{DETECTED, without_password};
use crate::files::Files;
use machine::Machine;

/// How long one command of a client may take. The slowest one starts a virtual machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// An address, and where it stands.
    Found { address: String, place: String },
    /// No address, and why.
    Nothing(String),
}

impl Answer {
    fn found(address: impl Into<String>, place: impl Into<String>) -> Self {
        Answer::Found {
            address: address.into(),
            place: place.into(),
        }
    }

    fn nothing(why: impl Into<String>) -> Self {
        Answer::Nothing(why.into())
    }
}

/// A client that was asked.
#[derive(Debug)]
struct Asked {
    client: &'static str,
    connection: &'static str,
    answer: Answer,
}

pub(crate) fn run(arguments: &cli::Detect) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let asked = runtime.block_on(ask(&Machine::this()));
    let mut out = io::stdout().lock();
    for one in &asked {
        writeln!(out, "{}", line(one))?;
    }
    if arguments.write {
        let files = Files::new(&arguments.server.data);
        files
            .make_directory()
            .with_context(|| format!("cannot make `{}`", arguments.server.data.display()))?;
        let path = arguments.server.data.join(DETECTED);
        write(&path, &document(&asked))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        writeln!(out, "written to {}", path.display())?;
    }
    Ok(())
}

async fn ask(machine: &Machine) -> Vec<Asked> {
    let (maven, npm, pip, cargo, gem, dotnet) = tokio::join!(
        maven::ask(machine),
        npm::ask(machine),
        pip::ask(machine),
        cargo::ask(machine),
        gem::ask(machine),
        dotnet::ask(machine),
    );
    [
        ("Maven", "public:maven-central", maven),
        ("npm", "public:npmjs", npm),
        ("pip", "public:pypi", pip),
        ("cargo", "public:crates-io", cargo),
        ("gem", "public:ruby-gems-org", gem),
        ("dotnet", "public:nuget-org", dotnet),
    ]
    .map(|(client, connection, answer)| Asked {
        client,
        connection,
        answer: checked(answer),
    })
    .into()
}

/// An address that could be a registry's: on the web, and not one of ours. A client that is set up to use this server
/// must not make the server ask itself.
fn checked(answer: Answer) -> Answer {
    let Answer::Found { address, place } = answer else {
        return answer;
    };
    match address.parse::<Url>() {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            Answer::Nothing(format!("{place} has an address that is not of the web"))
        }
        Ok(url) if is_ours(&url) => Answer::Nothing(format!(
            "{place} points at a Packhouse or CodeArtifact repository"
        )),
        Ok(url) => Answer::Found {
            address: url.into(),
            place,
        },
        Err(error) => Answer::Nothing(format!(
            "{place} has an address that does not read: {error}"
        )),
    }
}

/// `/d/{domain}-{twelve digits}/…` here, `{domain}-{twelve digits}.d.…` at AWS.
fn is_ours(url: &Url) -> bool {
    let owned = |text: &str| {
        let owner = text.rsplit_once('-').map(|(_, owner)| owner);
        owner.is_some_and(|owner| owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut segments = url.path_segments().into_iter().flatten();
    let here = segments.next() == Some("d") && segments.next().is_some_and(owned);
    let host = url.host_str().unwrap_or_default();
    here || host
        .split_once(".d.")
        .is_some_and(|(first, _)| owned(first))
}

fn line(asked: &Asked) -> String {
    match &asked.answer {
        Answer::Found { address, place } => {
            let address = without_password(address);
            format!(
                "{}: found {} = {address} ({place})",
                asked.client, asked.connection
            )
        }
        Answer::Nothing(why) => format!("{}: not found ({why})", asked.client),
    }
}

/// The file, in the form that [`crate::config`] reads.
fn document(asked: &[Asked]) -> String {
    let mut text =
        String::from("# Written by `packhouse upstreams detect --write`.\n\n[upstreams]\n");
    for one in asked {
        if let Answer::Found { address, place } = &one.answer {
            let address = toml::Value::from(address.as_str());
            // A comment ends with its line, whatever stands in a path. Writing to a string cannot fail.
            let place = place.replace(['\n', '\r'], " ");
            _ = write!(
                text,
                "# {}: {place}\n\"{}\" = {address}\n",
                one.client, one.connection
            );
        }
    }
    text
}

/// For its owner alone: an address may carry a password.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("toml.new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
