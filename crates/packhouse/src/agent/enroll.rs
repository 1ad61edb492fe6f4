//! `packhouse agent enroll`: makes a key and tells the server its public half, with the code that proves that it may.

use std::fs;
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::arguments::Enroll;
use super::server::Server;
use super::state::{self, Identity, PrivateKey};
use super::wire::{self, ENROLL};

pub(super) fn run(arguments: &Enroll) -> anyhow::Result<()> {
    let url = &arguments.server;
    ensure!(
        url.is_safe() || arguments.insecure_http,
        "`{url}` is another machine and not https: whoever listens in between would have the machine's role\nhint: put TLS \
         before the server, or --insecure-http if the network between is yours alone"
    );
    ensure!(
        arguments.pin.is_none() || url.to_string().starts_with("https:"),
        "--pin is of a certificate, and `{url}` has none"
    );
    let directory = &arguments.state.state;
    // First what can fail here, so that the code is not spent for nothing.
    state::make_directory(directory)?;
    let probe = directory.join(format!("probe-{}", std::process::id()));
    fs::write(&probe, "")
        .with_context(|| format!("cannot write into `{}`", directory.display()))?;
    fs::remove_file(&probe)?;
    let key = PrivateKey::generate()?;
    let asked = wire::Enroll {
        code: arguments.code.expose().clone(),
        public_key: URL_SAFE_NO_PAD.encode(key.public()),
        server: url.to_string(),
        host_name: line_of("/proc/sys/kernel/hostname").or_else(|| line_of("/etc/hostname")),
        host_id: line_of("/etc/machine-id"),
    };
    let server = Server::new(url.clone(), arguments.pin.as_ref())?;
    let enrolled: wire::Enrolled = super::runtime()?.block_on(server.post(ENROLL, &asked))?;
    let identity = Identity {
        machine: enrolled.machine_id.parse()?,
        account: enrolled.account_id,
        region: enrolled.region,
        server: url.clone(),
        pin: arguments.pin.clone(),
        key,
    };
    identity.write(directory)?;
    let mut out = std::io::stdout().lock();
    let (machine, account) = (&identity.machine, identity.account);
    writeln!(out, "this machine is {machine} of account {account}")?;
    writeln!(
        out,
        "hint: packhouse agent run --state {}",
        directory.display()
    )?;
    Ok(())
}

/// The first line of a file that says something about the host.
fn line_of(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    let line: String = line.chars().filter(|c| !c.is_control()).take(128).collect();
    (!line.is_empty()).then_some(line)
}
