//! What there is before the port opens: directory, master key, database, blobs, identities; on the first start, keys.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use audit::{Dispatcher, Ledger, Webhooks};
use aws::page::Sealer;
use aws::sigv4::Credentials;
use aws::{AccountId, Clock, Secret};
use catalog::{Catalog, Courier, Enquirer, Parts, RemoteSettings};
use formats::{Protocols, TrustRoot};
use iam::{Iam, IssuerSettings, NewAccount, Settings};
use store::{BlobStore, Database};

use crate::attempts::Attempts;
use crate::config::{Config, Oidc};
use crate::files::{Files, Key, write_credentials};
use crate::house::House;
use crate::master_key::Keeper;
use crate::metrics::Metrics;
use crate::peer::Proxies;
use crate::rates::Meter;

/// Database and identities: what a command needs that has nothing to do with packages.
pub(crate) struct Ground {
    pub(crate) database: Database,
    pub(crate) iam: Iam,
    pub(crate) clock: Clock,
}

/// The data directory, made if it is not there.
pub(crate) fn data_directory(config: &Config) -> anyhow::Result<Files> {
    let files = Files::new(&config.data);
    files.make_directory().with_context(|| {
        let data = config.data.display();
        format!("cannot make the data directory `{data}`")
    })?;
    Ok(files)
}

/// Opens the database, then what is sealed in it.
pub(crate) async fn ground(config: &Config) -> anyhow::Result<Ground> {
    data_directory(config)?;
    // The database first: it tells two processes on one directory apart, and only one of them may make a key.
    let database = Database::open(&config.database)
        .await
        .with_context(|| format!("database `{}`", config.database))?;
    let master = config.master_key.at_start(&database).await?;
    let clock = Clock::system();
    let settings = Settings {
        issuers: issuers(&config.oidc)?,
        strict_root: config.auth.strict_root,
        cap_tokens_to_session: config.auth.cap_tokens_to_session,
        max_skew: config.auth.max_skew,
        trust_policy_quota: config.auth.trust_policy_characters,
        trust_unconfirmed: config.auth.trust_unconfirmed,
        ..Settings::new(config.region.clone(), clock.clone())
    };
    let iam = Iam::open(database.clone(), master, settings)
        .await
        .context("cannot open the identities")?;
    Ok(Ground {
        database,
        iam,
        clock,
    })
}

async fn trust_root(path: &Path) -> anyhow::Result<TrustRoot> {
    let text = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("cannot read the trust root `{}`", path.display()))?;
    text.parse()
        .with_context(|| format!("the trust root `{}` cannot be used", path.display()))
}

/// How the keys are found that web identity tokens are signed with.
fn issuers(oidc: &Oidc) -> anyhow::Result<IssuerSettings> {
    let authorities = match &oidc.ca_file {
        None => None,
        Some(path) => Some(std::fs::read(path).with_context(|| {
            let path = path.display();
            format!("cannot read the certificates that vouch for issuers, `{path}`")
        })?),
    };
    let enquirer = Enquirer::new(oidc.private_issuers, authorities.as_deref())
        .context("the certificates that vouch for issuers cannot be used")?;
    Ok(IssuerSettings {
        documents: Some(Arc::new(enquirer)),
        jwks_files: oidc.jwks_files.clone(),
    })
}

/// The first account, whose root runs the installation. Where there is none, that of the configuration is made, and its
/// keys are written into files.
pub(crate) async fn first_account(config: &Config, iam: &Iam) -> anyhow::Result<AccountId> {
    if let Some(account) = iam.first_account().await? {
        return Ok(account);
    }
    let files = Files::new(&config.data);
    let Some(NewAccount {
        account,
        root,
        admin,
    }) = iam.first_start(&config.account_id).await?
    else {
        // Another server on the same database was quicker.
        return Ok(config.account_id);
    };
    let (root_file, admin_file) = if files.root_credentials().exists() {
        // The directory was there before this database: the old files are somebody's, and are kept.
        (
            files.account_credentials(&format!("{account}-root")),
            files.account_credentials(account.as_str()),
        )
    } else {
        (files.root_credentials(), files.admin_credentials())
    };
    for (path, credentials) in [(&root_file, &root), (&admin_file, &admin)] {
        write_credentials(path, &key(credentials))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    tracing::info!(
        "made account {account}: the root key is in `{}`, that of its user admin in `{}`; `packhouse env` prints the latter",
        root_file.display(),
        admin_file.display()
    );
    Ok(account)
}

pub(crate) fn key(credentials: &Credentials) -> Key {
    Key {
        id: credentials.access_key_id.to_string(),
        secret: credentials.secret_access_key.clone(),
    }
}

/// Everything that answers requests.
pub(crate) async fn house(
    config: &Config,
    ground: Ground,
    account: AccountId,
) -> anyhow::Result<Arc<House>> {
    let Ground {
        database,
        iam,
        clock,
    } = ground;
    let spool = config.data.join("spool");
    let named = || format!("blobs `{}`", config.blobs);
    let blobs = BlobStore::open(&config.blobs, &config.blob_settings, &spool)
        .await
        .with_context(named)?;
    // A bucket that is not there, or a key that does not open it, is a mistake to be told now and not by each request.
    blobs.check().await.with_context(named)?;
    let mut rules = config.formats.clone();
    if let Some(path) = &config.trust_root {
        rules.trust_root = trust_root(path).await?;
    }
    let protocols = Protocols::new(rules);
    let parts = Parts {
        database: database.clone(),
        blobs,
        iam: iam.clone(),
        formats: protocols.formats(),
        remotes: RemoteSettings {
            addresses: config.upstreams.clone(),
            hosts: config.registry_hosts.clone(),
            ..RemoteSettings::default()
        },
        completes_versions: config.complete_versions,
        limits: config.limits.of_catalog(),
    };
    let catalog = Catalog::start(parts)
        .await
        .context("cannot open the catalog")?;
    let ledger = Ledger::open(database.clone(), clock.clone(), config.ledger(account))
        .await
        .context("cannot open the audit log")?;
    let protocols: Vec<_> = protocols
        .iter()
        .map(|protocol| (protocol.name(), protocol))
        .collect();
    Ok(Arc::new(House {
        sealer: Sealer::new(&Secret::new(*iam.sealer_key("page tokens"))),
        metrics: Metrics::new(protocols.iter().map(|(name, _)| name.as_str())),
        protocols,
        attempts: Attempts::new(),
        meter: Meter::new(config.limits.rates),
        ledger,
        webhooks: Webhooks::new(database.clone(), iam.clone()),
        database,
        iam,
        catalog,
        clock,
        account,
        region: config.region.clone(),
        public_url: config.public_url.clone(),
        master_key: Keeper::new(config.master_key.clone()),
        proxies: Proxies::new(config.trusted_proxies.clone()),
        is_ending: AtomicBool::new(false),
    }))
}

/// Whoever tells others of events.
pub(crate) fn dispatcher(config: &Config, house: &House) -> anyhow::Result<Dispatcher> {
    let courier = Courier::new(config.webhooks.private_addresses)
        .context("the certificates of this machine cannot be read")?;
    Ok(Dispatcher::new(
        house.database.clone(),
        house.iam.clone(),
        house.catalog.clone(),
        courier,
        config.webhooks.retry_for,
    ))
}
