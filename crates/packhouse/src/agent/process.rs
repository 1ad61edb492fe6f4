//! `packhouse agent credentials`: one session on standard output, for clients that run a program to get theirs.
//!
//! ```text
//! [profile machine]
//! credential_process = packhouse agent credentials --format process
//! ```

use std::io::Write as _;

use anyhow::{bail, ensure};
use aws::Clock;

use super::arguments::{Credentials, Format, Hours};
use super::held::Held;
use super::server::Enrolled;
use super::state::Identity;

pub(super) fn run(arguments: &Credentials) -> anyhow::Result<()> {
    let identity = Identity::read(&arguments.state.state)?;
    let (account, clock) = (identity.account, Clock::system());
    let server = Enrolled::new(identity, clock.clone())?;
    let told = super::runtime()?.block_on(server.credentials(Hours::ONE.seconds()))?;
    let answer = match Held::of(told, account, clock.now()) {
        Some(Held::Session { answer, .. }) => answer,
        Some(Held::Refused { refusal, .. }) => bail!("{}", refusal.message),
        Some(Held::Nothing { why }) => bail!("{why}"),
        None => bail!("the server's answer makes no sense"),
    };
    ensure!(
        answer.expiration > clock.now(),
        "the session has ended before it began: this machine's clock is wrong"
    );
    let printed = match arguments.format {
        Format::Process => answer.process(),
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", printed.expose())?;
    Ok(())
}
