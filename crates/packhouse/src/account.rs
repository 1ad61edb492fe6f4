//! `packhouse account`: accounts beside the first, and the organization that accounts are in.
//!
//! To make one, with `PostgreSQL` the database is written to directly. An `SQLite` file belongs to the server that runs; then the
//! server is asked, in the name of its root.

use std::io::Write as _;

use anyhow::{Context as _, bail, ensure};
use aws::{AccountId, SecretString};
use http::Method;
use iam::NewAccount;

use crate::cli::SetOrganization;
use crate::client::{block_on, call};
use crate::config::{Config, Flags, Origin, Sources};
use crate::doors::own::{ACCOUNTS, InOrganization, Made, MakeAccount};
use crate::files::{Files, Key, read_credentials, write_credentials};
use crate::{logging, setup};

pub(crate) fn create(flags: Flags) -> anyhow::Result<()> {
    let sources = Sources::read(flags, crate::environment());
    let config = sources.config()?;
    ensure!(
        sources.origin("account-id") == Origin::Flag("account-id"),
        "say which account to make: --account-id ID"
    );
    let _logging = logging::start(config.log, &config.log_level)?;
    let files = Files::new(&config.data);
    let account = config.account_id;
    let admin_file = files.account_credentials(account.as_str());
    let root_file = files.account_credentials(&format!("{account}-root"));
    for path in [&admin_file, &root_file] {
        ensure!(!path.exists(), "`{}` is there already", path.display());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let made = runtime.block_on(make(&config))?;
    for (path, key) in [(&root_file, &made.root), (&admin_file, &made.admin)] {
        write_credentials(path, key)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "made account {account}")?;
    writeln!(
        out,
        "the key of its user admin is in {}",
        admin_file.display()
    )?;
    writeln!(out, "the key of its root is in {}", root_file.display())?;
    writeln!(
        out,
        "hint: eval \"$(packhouse env --data {} --account-id {account})\"",
        config.data.display()
    )?;
    Ok(())
}

/// Asks the server that runs, in the name of its root.
pub(crate) fn set_organization(arguments: SetOrganization) -> anyhow::Result<()> {
    let SetOrganization {
        account_id,
        organization_id,
        none: _,
        server,
    } = arguments;
    let files = Files::new(&server.data);
    let region = files.endpoint()?.region.parse()?;
    let root = read_credentials(&files.root_credentials())?;
    let asked = InOrganization { organization_id };
    let body = serde_json::to_vec(&asked)?;
    let path = format!("{ACCOUNTS}/{account_id}/organization");
    block_on(call(&files, &region, &root, (Method::PUT, &path), body))?;
    let mut out = std::io::stdout();
    match asked.organization_id {
        Some(organization) => writeln!(out, "account {account_id} is in {organization}")?,
        None => writeln!(out, "account {account_id} is in no organization")?,
    }
    Ok(())
}

struct Keys {
    root: Key,
    admin: Key,
}

async fn make(config: &Config) -> anyhow::Result<Keys> {
    let account = config.account_id;
    match setup::ground(config).await {
        Ok(ground) => {
            ensure!(
                ground.iam.first_account().await?.is_some(),
                "no server has run with this database\nhint: `packhouse serve` makes the first account"
            );
            let NewAccount { root, admin, .. } = ground.iam.create_account(&account).await?;
            Ok(Keys {
                root: setup::key(&root),
                admin: setup::key(&admin),
            })
        }
        Err(error) if matches!(error.downcast_ref(), Some(store::Error::Locked { .. })) => {
            ask_server(config, account).await
        }
        Err(error) => Err(error),
    }
}

async fn ask_server(config: &Config, account: AccountId) -> anyhow::Result<Keys> {
    let files = Files::new(&config.data);
    let root = read_credentials(&files.root_credentials())?;
    let body = serde_json::to_vec(&MakeAccount {
        account_id: account,
    })?;
    let asked = (Method::POST, ACCOUNTS);
    let answer = call(&files, &config.region, &root, asked, body).await?;
    // Not shown, should it fail: there are secrets in it.
    let Ok(made) = serde_json::from_slice::<Made>(&answer) else {
        bail!("the answer of the server does not read");
    };
    let key = |key: crate::doors::own::MadeKey| Key {
        id: key.access_key_id,
        secret: SecretString::new(key.secret_access_key),
    };
    Ok(Keys {
        root: key(made.root),
        admin: key(made.admin),
    })
}
