//! `packhouse session revoke`: asks the running server, in the name of the account's `admin`.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};
use aws::SecretString;
use http::Method;
use iam::api::{RevokeSessions, Revoked};
use iam::tokens::Bearer;

use crate::cli;
use crate::client::call_as;
use crate::doors::own::REVOKE;

/// Of what is read from standard input: a token has 128 characters.
const INPUT: u64 = 4096;

pub(crate) fn revoke(arguments: &cli::RevokeSessions) -> anyhow::Result<()> {
    let which = &arguments.which;
    let asked = match (&which.id, &which.user, &which.role) {
        (Some(id), ..) => RevokeSessions::Id(id.clone()),
        (_, Some(user), _) => RevokeSessions::UserName(user.clone()),
        (.., Some(role)) => RevokeSessions::RoleName(role.clone()),
        // Only its name is sent: it may be good elsewhere, and has been read by too many already.
        _ => RevokeSessions::Id(name_of_token()?),
    };
    let asked = serde_json::to_vec(&asked)?;
    let answer = call_as(&arguments.admin, (Method::POST, REVOKE), asked)?;
    let Revoked {
        revoked,
        issued_until,
    } = serde_json::from_slice(&answer).context("the answer of the server does not read")?;
    let mut out = std::io::stdout().lock();
    if arguments.admin.json {
        out.write_all(&answer)?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "{revoked}: what was issued until {issued_until} is good no more"
        )?;
    }
    Ok(())
}

fn name_of_token() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(INPUT).read_to_string(&mut text)?;
    let text = SecretString::new(text);
    match Bearer::name(text.expose().trim()) {
        Some(name) => Ok(name),
        None => bail!(
            "what is on standard input is no token: one has 128 characters and begins with `phk1_`"
        ),
    }
}
