//! `packhouse key reset`: new keys for root and `admin`, when all are lost. Whoever may read the data directory may do this:
//! they have the database and the master key anyway.

use std::io::Write as _;

use anyhow::{Context as _, bail};
use audit::{Arrival, Draft, Ledger, Service};
use http::{HeaderValue, Method};
use iam::{Iam, KeyHolder, MasterKeyError};
use serde_json::{Map, json};
use store::Database;

use crate::cli::{Holder, ResetKeys};
use crate::client::block_on;
use crate::config::{Config, Origin, Sources};
use crate::files::{Files, replace_credentials};
use crate::master_key::KeySource;
use crate::setup::{self, Ground};
use crate::{logging, request_id};

pub(super) fn run(arguments: ResetKeys) -> anyhow::Result<()> {
    let ResetKeys {
        whose,
        i_lost_the_key,
        flags,
    } = arguments;
    let sources = Sources::read(flags, crate::environment());
    let config = sources.config()?;
    let is_named = sources.origin("account-id") != Origin::Default;
    let _logging = logging::start(config.log, &config.log_level)?;
    let done = block_on(async {
        if i_lost_the_key {
            forget(&config).await?;
        }
        let ground = setup::ground(&config).await?;
        reset(&config, ground, &whose, is_named).await
    });
    match done {
        Err(error) if matches!(error.downcast_ref(), Some(store::Error::Locked { .. })) => {
            Err(error.context(
                "the database belongs to the server while it runs\nhint: stop the server first",
            ))
        }
        done => done,
    }
}

/// Everything that the lost master key has sealed. What was removed once is not looked for again, so this may be repeated.
async fn forget(config: &Config) -> anyhow::Result<()> {
    let database = Database::open(&config.database)
        .await
        .with_context(|| format!("database `{}`", config.database))?;
    if !Iam::is_sealed(&database).await? {
        return Ok(());
    }
    match config.master_key.read() {
        Ok(key) if Iam::opens(&database, &key).await? => bail!(
            "the master key is not lost: it opens this database\nhint: without --i-lost-the-key, `packhouse key reset` makes \
             new keys for root and admin and leaves all others alone"
        ),
        Ok(_) => {}
        Err(MasterKeyError::Io { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound
                && matches!(config.master_key, KeySource::File(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Iam::forget_all_keys(&database).await?;
    tracing::warn!("all access keys, sessions and token keys were removed");
    Ok(())
}

async fn reset(
    config: &Config,
    ground: Ground,
    whose: &[Holder],
    is_named: bool,
) -> anyhow::Result<()> {
    let Ground {
        database,
        iam,
        clock,
    } = ground;
    let Some(first) = iam.first_account().await? else {
        bail!("no server has run with this database\nhint: `packhouse serve` makes the first keys");
    };
    let account = if is_named { config.account_id } else { first };
    let files = Files::new(&config.data);
    let further = (account != first).then_some(&account);
    let ledger = Ledger::open(database, clock.clone(), config.ledger(first)).await?;
    let mut out = std::io::stdout().lock();
    for holder in whose {
        let (kind, name) = match holder {
            Holder::Root => (KeyHolder::Root, "root"),
            Holder::Admin => (KeyHolder::Admin, "admin"),
        };
        let draft = Draft::new(Arrival {
            request_id: request_id::next(clock.now()),
            at: clock.now(),
            method: Method::POST,
            path: String::new(),
            source_ip: None,
            secure: true,
            tls_version: None,
            host: None,
            user_agent: Some(HeaderValue::from_static("packhouse key reset")),
        });
        draft.called_by_service("host.packhouse", Some(account));
        draft.asks(Service::Packhouse, "ResetKeys", false);
        draft.with(Map::from_iter([("whose".to_owned(), json!(name))]));
        let made = ledger
            .companion(&draft)
            .accompany(iam.reset_key(&account, kind))
            .await?;
        let Some(made) = made else {
            bail!("there is no account `{account}`; the first is `{first}`");
        };
        draft.ended(200, None);
        ledger.note(&draft);
        let path = files.credentials_of(further, *holder == Holder::Root);
        replace_credentials(&path, &setup::key(&made))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        writeln!(
            out,
            "`{}` holds the new key of {name} of account {account}; all others of {name} are dead",
            path.display()
        )?;
    }
    ledger.close().await;
    Ok(())
}
