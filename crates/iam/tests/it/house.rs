//! A house to test in: a database, a clock that stands still, the account and its two keys.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws::sigv4::{Claim, Credentials, Rules, Signer, body_hash};
use aws::{AccountId, Clock, Region, Timestamp};
use http::request::Parts;
use iam::{
    Ask, AuthorizeError, Caller, Iam, IssuerSettings, MasterKey, NewAccount, NotSignedBy, Settings,
    Source, TokenDuration, User,
};
use store::{Database, DatabaseAddress, Value};
use tempfile::TempDir;

use crate::issuer::Issuers;

/// 2026-03-14T15:09:26Z.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_773_500_966);
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REPOSITORY: &str =
    "arn:aws:codeartifact:us-east-1:111122223333:repository/my-domain/my-repo";
pub(crate) const READ: &str = "codeartifact:ReadFromRepository";
/// The number of the one domain that tokens are issued for.
pub(crate) const DOMAIN: u64 = 42;

pub(crate) struct House {
    pub(crate) iam: Iam,
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) account: AccountId,
    pub(crate) keys: NewAccount,
    /// What is found where issuers are asked.
    pub(crate) issuers: Arc<Issuers>,
    directory: TempDir,
    address: DatabaseAddress,
}

impl House {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", directory.path().join("house.db").display());
        Self::open(&address.parse().unwrap(), directory).await
    }

    /// `None` when no `PostgreSQL` was given.
    pub(crate) async fn postgres() -> Option<Self> {
        static SCHEMAS: AtomicU32 = AtomicU32::new(0);
        let address = env::var("PACKHOUSE_TEST_POSTGRES").ok()?;
        let schema = format!(
            "iam_{}_{}",
            std::process::id(),
            SCHEMAS.fetch_add(1, Ordering::SeqCst)
        );
        // A statement is a text of the program, and this one is made for a single test.
        let create: &'static str = format!("CREATE SCHEMA {schema}").leak();
        let admin = Database::open(&address.parse().unwrap()).await.unwrap();
        let created: Result<u64, store::Error> =
            admin.write(move |tx| tx.execute(create, &[])).await;
        created.unwrap();
        let separator = if address.contains('?') { '&' } else { '?' };
        let address = format!("{address}{separator}options=-csearch_path%3D{schema}");
        Some(Self::open(&address.parse().unwrap(), tempfile::tempdir().unwrap()).await)
    }

    async fn open(address: &DatabaseAddress, directory: TempDir) -> Self {
        MasterKey::create(&master_key(directory.path())).unwrap();
        let database = Database::open(address).await.unwrap();
        let clock = Clock::fixed(NOW);
        let issuers = Arc::<Issuers>::default();
        let iam = open(&database, directory.path(), &clock, &issuers)
            .await
            .unwrap();
        let account = ACCOUNT.parse().unwrap();
        let keys = iam.first_start(&account).await.unwrap().unwrap();
        Self {
            iam,
            database,
            clock,
            account,
            keys,
            issuers,
            directory,
            address: address.clone(),
        }
    }

    /// Another node: what is in memory is not shared.
    pub(crate) async fn another_node(&self) -> Iam {
        open(&self.database, self.directory(), &self.clock, &self.issuers)
            .await
            .unwrap()
    }

    /// Another process on the same server, with connections of its own.
    pub(crate) async fn another_process(&self) -> Iam {
        let database = Database::open(&self.address).await.unwrap();
        open(&database, self.directory(), &self.clock, &self.issuers)
            .await
            .unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file that the keys of `https://kubernetes.default.svc` are looked for in.
    pub(crate) fn jwks_file(&self) -> PathBuf {
        jwks_file(self.directory())
    }

    pub(crate) fn master_key(&self) -> MasterKey {
        MasterKey::from_file(&master_key(self.directory())).unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> (User, Credentials) {
        let user = self
            .iam
            .create_user(&self.account, "/build/", name)
            .await
            .unwrap();
        let credentials = self
            .iam
            .create_access_key(&self.account, Some(&user.id))
            .await
            .unwrap();
        (user, credentials)
    }

    /// Changes rows as another part of the program would.
    pub(crate) async fn change(&self, sql: &'static str, values: &[&str]) {
        let values: Vec<Value> = values.iter().map(|value| Value::from(*value)).collect();
        let changed = self.database.write(move |tx| {
            tx.touch("iam");
            tx.execute(sql, &values)
        });
        let changed: Result<u64, store::Error> = changed.await;
        assert_ne!(changed.unwrap(), 0, "{sql}");
    }

    /// A role that trusts nobody in particular.
    pub(crate) async fn role(&self, id: &str, name: &str) {
        self.change(
            "INSERT INTO roles (id, account_id, name, name_key, path, trust_policy, max_session_seconds, created)
             VALUES ($1, $2, $3, $3, '/machines/', '{}', 3600, 0)",
            &[id, ACCOUNT, name],
        )
        .await;
    }

    pub(crate) async fn signed_in(&self, credentials: &Credentials) -> Caller {
        self.sign_in(credentials).await.unwrap()
    }

    pub(crate) async fn sign_in(&self, credentials: &Credentials) -> Result<Caller, NotSignedBy> {
        sign_in(&self.iam, credentials, self.clock.now()).await
    }

    pub(crate) async fn token(&self, caller: &Caller) -> String {
        let token = self
            .iam
            .issue_token(caller, DOMAIN, &self.account, TokenDuration::DEFAULT)
            .await
            .unwrap();
        token.token.expose().clone()
    }

    pub(crate) async fn may_read(&self, caller: &Caller) -> bool {
        may(&self.iam, &self.ask(caller)).await
    }

    pub(crate) fn ask<'a>(&'a self, caller: &'a Caller) -> Ask<'a> {
        Ask {
            caller,
            action: READ,
            resources: &[REPOSITORY],
            owner: &self.account,
            administrator: None,
            domain_policy: None,
            repository_policy: None,
            resource_tags: &[],
            request_tags: None,
            context: &[],
        }
    }

    pub(crate) fn turn(&self, duration: Duration) {
        self.clock.advance(duration);
    }
}

async fn open(
    database: &Database,
    directory: &Path,
    clock: &Clock,
    issuers: &Arc<Issuers>,
) -> Result<Iam, iam::Error> {
    let master = MasterKey::from_file(&master_key(directory)).unwrap();
    let offline = (
        "https://kubernetes.default.svc".to_owned(),
        jwks_file(directory),
    );
    let settings = Settings {
        issuers: IssuerSettings {
            documents: Some(Arc::clone(issuers) as _),
            jwks_files: [offline].into(),
        },
        ..Settings::new(region(), clock.clone())
    };
    Iam::open(database.clone(), master, settings).await
}

fn jwks_file(directory: &Path) -> PathBuf {
    directory.join("kubernetes.jwks")
}

fn master_key(directory: &Path) -> PathBuf {
    directory.join("master.key")
}

pub(crate) fn region() -> Region {
    "us-east-1".parse().unwrap()
}

pub(crate) async fn may(iam: &Iam, ask: &Ask<'_>) -> bool {
    match iam.authorize(ask).await {
        Ok(()) => true,
        Err(AuthorizeError::Denied(_)) => false,
        Err(error) => panic!("{error:?}"),
    }
}

/// `POST /` to STS, as the clients sign it.
pub(crate) fn signed(credentials: &Credentials, body: &[u8], now: Timestamp) -> Parts {
    let request = http::Request::post("http://localhost:7070/")
        .header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
        .body(())
        .unwrap();
    let (mut parts, ()) = request.into_parts();
    let signer = Signer {
        credentials,
        region: &region(),
        service: "sts",
    };
    signer.sign(&mut parts, &body_hash(body), now).unwrap();
    parts
}

pub(crate) const BODY: &[u8] = b"Action=GetCallerIdentity&Version=2011-06-15";

pub(crate) async fn sign_in(
    iam: &Iam,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Caller, NotSignedBy> {
    let parts = signed(credentials, BODY, now);
    let claim = Claim::read(&parts, &Rules::new("sts", None), now)?;
    iam.by_signature(&claim, &body_hash(BODY), Source::default())
        .await
}

/// Runs each test on every database that is at hand.
macro_rules! on_each_database {
    ($($name:ident,)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(crate::house::House::sqlite().await).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    if let Some(house) = crate::house::House::postgres().await {
                        super::$name(house).await;
                    }
                }
            )*
        }
    };
}
