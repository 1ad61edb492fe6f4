//! The handle on everything here, and what it is opened with.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use aws::page::Sealer;
use aws::{Clock, Region, Secret, Timestamp};
use store::{Database, Migration, Tx, Value};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::Error;
use crate::known::{Caches, Generation, Known, TOPIC};
use crate::last_used::{self, Noted};
use crate::master_key::MasterKey;
use crate::policies::{self, Compiled};
use crate::quotas;
use crate::vault::Vault;
use crate::web_identity::{IssuerSettings, Issuers};

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "principals",
        sql: include_str!("../migrations/0001_principals.sql"),
    },
    Migration {
        number: 2,
        name: "iam-operations",
        sql: include_str!("../migrations/0002_iam_operations.sql"),
    },
    Migration {
        number: 3,
        name: "ancestors",
        sql: include_str!("../migrations/0003_ancestors.sql"),
    },
];

/// An area of their own, with numbers of its own, on top of the others.
const MACHINE_MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "machines",
    sql: include_str!("../migrations/machines/0001_machines.sql"),
}];

/// What the key is for that seals the markers of lists.
const PAGES: &str = "iam pages";

/// How far the clock may go back between two things that are issued: more than nodes and time servers differ.
const BACK: Duration = Duration::from_mins(5);

/// How this installation wants it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `aws:RequestedRegion`.
    pub region: Region,
    /// Where the time comes from.
    pub clock: Clock,
    /// How far a client's clock may be off; five minutes by default, fifteen at most.
    pub max_skew: Duration,
    /// Refuse tokens to root, as AWS does.
    pub strict_root: bool,
    /// Let no token outlive the session that it was fetched with; on AWS one with an explicit duration does.
    pub cap_tokens_to_session: bool,
    /// How many characters a trust policy may have, white space not counted; 2048 by default, 4096 at most.
    pub trust_policy_quota: usize,
    /// Go on with what is remembered when the other nodes have not been heard of for 30 seconds.
    pub trust_unconfirmed: bool,
    /// How the keys of those are found who sign web identity tokens.
    pub issuers: IssuerSettings,
}

impl Settings {
    /// The defaults.
    pub fn new(region: Region, clock: Clock) -> Self {
        Self {
            region,
            clock,
            max_skew: Duration::from_mins(5),
            strict_root: false,
            cap_tokens_to_session: false,
            trust_policy_quota: quotas::TRUST_POLICY,
            trust_unconfirmed: false,
            issuers: IssuerSettings::default(),
        }
    }
}

/// Who is asking, and may they: accounts, users, keys, sessions, tokens and the policies that decide. Cheap to clone.
#[derive(Clone)]
pub struct Iam(Arc<Inner>);

struct Inner {
    database: Database,
    vault: Vault,
    settings: Settings,
    generation: Generation,
    known: ArcSwapOption<Known>,
    reading: Mutex<()>,
    /// When something was issued last, in milliseconds.
    issued_last: AtomicI64,
    caches: Caches,
    compiled: Compiled,
    pages: Sealer,
    noted: Noted,
    issuers: Issuers,
}

impl Iam {
    /// Brings the tables up to date and makes sure that tokens can be signed.
    ///
    /// Errors: [`Error::Vault`] when the master key is not the one that this database was sealed with.
    pub async fn open(
        database: Database,
        master: MasterKey,
        settings: Settings,
    ) -> Result<Self, Error> {
        Self::migrate(&database).await?;
        // Before anything is read, so that no change goes by unheard.
        let generation = Generation::follow(&database);
        let pages = Sealer::new(&Secret::new(*master.derive(PAGES)));
        let iam = Self(Arc::new(Inner {
            vault: Vault::new(database.clone(), master, settings.clock.clone()),
            database,
            issuers: Issuers::new(settings.issuers.clone()),
            settings,
            generation,
            known: ArcSwapOption::empty(),
            reading: Mutex::new(()),
            issued_last: AtomicI64::new(0),
            caches: Caches::new(),
            compiled: policies::compiled(),
            pages,
            noted: last_used::noted(),
        }));
        iam.rotate(iam.clock().now()).await?;
        let known = iam.known().await?;
        if known.bearer.signing.is_none() || known.sts.signing.is_none() {
            return Err(Error::NoTokenKey);
        }
        Ok(iam)
    }

    pub(crate) async fn migrate(database: &Database) -> Result<(), Error> {
        database.migrate("iam", MIGRATIONS).await?;
        database.migrate("machines", MACHINE_MIGRATIONS).await?;
        Ok(())
    }

    /// The clock that everything here goes by.
    pub fn clock(&self) -> &Clock {
        &self.0.settings.clock
    }

    /// The installation's region.
    pub fn region(&self) -> &Region {
        &self.0.settings.region
    }

    /// As it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Seals what else must not lie open in the database, such as the credentials of upstream registries.
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// A key of its own for a purpose, the same on every node and after every start until the master key is changed,
    /// such as sealing page tokens.
    ///
    /// `purpose` is a fixed text of the program, never a user's.
    pub fn sealer_key(&self, purpose: &'static str) -> Zeroizing<[u8; 32]> {
        self.0.vault.master().derive(purpose)
    }

    /// Seals the markers of lists.
    pub(crate) fn pages(&self) -> &Sealer {
        &self.0.pages
    }

    pub(crate) fn issuers(&self) -> &Issuers {
        &self.0.issuers
    }

    pub(crate) fn noted(&self) -> &Noted {
        &self.0.noted
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.0.generation
    }

    pub(crate) fn known_slot(&self) -> &ArcSwapOption<Known> {
        &self.0.known
    }

    pub(crate) fn reading(&self) -> &Mutex<()> {
        &self.0.reading
    }

    pub(crate) fn caches(&self) -> &Caches {
        &self.0.caches
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0.compiled
    }

    /// Whether what is in memory may be trusted.
    pub(crate) fn confirm(&self) -> Result<(), Error> {
        if self.0.settings.trust_unconfirmed || self.0.database.confirmed() {
            Ok(())
        } else {
            Err(Error::Unconfirmed)
        }
    }

    /// The time to write into a new token or session. Errors: [`Error::ClockWentBack`].
    pub(crate) fn time_of_issue(&self) -> Result<Timestamp, Error> {
        let now = self.clock().now();
        let last = self.0.issued_last.fetch_max(now.millis(), Ordering::SeqCst);
        if Timestamp::from_millis(last).since(now) > BACK {
            return Err(Error::ClockWentBack);
        }
        // Whole seconds: a token carries no finer time, and its session must not be younger than it.
        Ok(Timestamp::from_seconds(now.seconds()))
    }

    /// One transaction that changes something about identities: whoever asks after it has returned sees the change.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let written = self.0.database.write(move |tx| {
            tx.touch(TOPIC);
            work(tx)
        });
        Ok(written.await?)
    }

    /// The same for changes that may be refused on what they find: within the transaction, so that nothing changes
    /// between the looking and the doing.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let changed = self.0.database.write(move |tx| {
            tx.touch(TOPIC);
            work(tx)
        });
        changed.await
    }
}

/// The one number of a `SELECT COUNT(*) AS n`.
pub(crate) fn count(
    tx: &mut Tx<'_>,
    sql: &'static str,
    values: &[Value],
) -> Result<u64, store::Error> {
    match tx.rows(sql, values)?.first() {
        Some(row) => row.size("n"),
        None => Ok(0),
    }
}
