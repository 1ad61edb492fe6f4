//! A ledger over identities and a catalog, with somebody who may do everything and somebody who may do nothing.

use std::path::PathBuf;
use std::time::Duration;

use audit::{Keeping, Ledger, Settings};
use aws::sigv4::{Claim, Credentials, EMPTY_HASH, Rules, Signer};
use aws::{AccountId, Clock, Region, Timestamp};
use bytes::Bytes;
use catalog::{
    Catalog, DomainAt, Limits, NewRepository, PackageId, Parts, Promise, RemoteSettings,
    RepositoryAt, Then, VersionId,
};
use iam::{Caller, Iam, MasterKey, Source};
use serde_json::Value;
use store::{BlobSettings, BlobStore, Database};

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) iam: Iam,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) account: AccountId,
    pub(crate) admin: Caller,
    pub(crate) nobody: Caller,
    directory: tempfile::TempDir,
}

impl World {
    pub(crate) async fn begin() -> Self {
        Self::begin_with(Duration::ZERO).await
    }

    /// `read_window`: within which reads that are alike become one record.
    pub(crate) async fn begin_with(read_window: Duration) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        let clock = Clock::fixed(Timestamp::from_seconds(1_773_500_966));
        let address = format!("sqlite:{}", path("db.sqlite"));
        let database = Database::open(&address.parse().unwrap()).await.unwrap();
        let blobs = BlobStore::open(
            &format!("file:{}", path("blobs")).parse().unwrap(),
            &BlobSettings::default(),
            &directory.path().join("spool"),
        )
        .await
        .unwrap();
        let region: Region = "us-east-1".parse().unwrap();
        let settings = iam::Settings::new(region.clone(), clock.clone());
        let master = MasterKey::from_bytes([7; 32]);
        let iam = Iam::open(database.clone(), master, settings).await.unwrap();
        let account: AccountId = "111122223333".parse().unwrap();
        let keys = iam.first_start(&account).await.unwrap().unwrap();
        let user = iam.create_user(&account, "/", "nobody").await.unwrap();
        let nobody = iam.create_access_key(&account, Some(&user.id));
        let nobody = nobody.await.unwrap();
        let parts = Parts {
            database: database.clone(),
            blobs,
            iam: iam.clone(),
            formats: formats::Protocols::new(formats::Rules::default()).formats(),
            remotes: RemoteSettings::default(),
            completes_versions: false,
            limits: Limits::default(),
        };
        let catalog = Catalog::start(parts).await.unwrap();
        let day = Duration::from_hours(24);
        let settings = Settings {
            directory: directory.path().join("audit"),
            files: Keeping {
                bytes: 1 << 20,
                age: day,
                keep: day,
            },
            to_stdout: false,
            keep_records: 90 * day,
            records: 1000,
            keep_decisions: 30 * day,
            decisions: 1000,
            read_window,
            region,
            account,
        };
        let ledger = Ledger::open(database.clone(), clock.clone(), settings)
            .await
            .unwrap();
        Self {
            admin: caller(&iam, &keys.admin).await,
            nobody: caller(&iam, &nobody).await,
            database,
            iam,
            catalog,
            clock,
            ledger,
            account,
            directory,
        }
    }

    /// The file of records.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("audit/audit.jsonl")
    }

    pub(crate) fn domain(&self) -> DomainAt {
        DomainAt {
            owner: self.account,
            name: "team".parse().unwrap(),
        }
    }

    pub(crate) fn repository(&self) -> RepositoryAt {
        RepositoryAt {
            domain: self.domain(),
            name: "app".parse().unwrap(),
        }
    }

    /// The domain `team` with the repository `app`.
    pub(crate) async fn with_repository(self) -> Self {
        self.make_domain().await;
        let new = NewRepository {
            name: "app".parse().unwrap(),
            description: None,
            upstreams: Vec::new(),
            tags: Vec::new(),
        };
        self.catalog
            .create_repository(&self.admin, &self.domain(), new)
            .await
            .unwrap();
        self
    }

    pub(crate) async fn make_domain(&self) {
        let name = "team".parse().unwrap();
        let made = self
            .catalog
            .create_domain(&self.admin, &name, "arn:k".to_owned(), Vec::new());
        made.await.unwrap();
    }

    /// Publishes a version of a generic package with one file.
    pub(crate) async fn publish(&self, name: &str, version: &str) {
        let (format, at) = ("generic".parse().unwrap(), self.repository());
        let open = self.catalog.open(&self.admin, &at, &format).await.unwrap();
        let id = VersionId {
            package: PackageId {
                format,
                namespace: Some("tools".parse().unwrap()),
                name: name.parse().unwrap(),
            },
            version: version.parse().unwrap(),
        };
        let mut publication = open.publish(&id).await.unwrap();
        let bytes = Bytes::from(format!("{name} {version}"));
        let body = futures_util::stream::iter([Ok(bytes)]);
        let file = "a.bin".parse().unwrap();
        publication
            .add(file, body, &Promise::default())
            .await
            .unwrap();
        publication.commit(Then::Publish).await.unwrap();
    }

    /// The lines of the file.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Who signs with these keys.
async fn caller(iam: &Iam, keys: &Credentials) -> Caller {
    let request = http::Request::get("/v1/domains").header("host", "localhost");
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    let now = iam.clock().now();
    let signer = Signer {
        credentials: keys,
        region: iam.region(),
        service: "codeartifact",
    };
    signer.sign(&mut parts, EMPTY_HASH, now).unwrap();
    let claim = Claim::read(&parts, &Rules::new("codeartifact", None), now).unwrap();
    iam.by_signature(&claim, EMPTY_HASH, Source::default())
        .await
        .unwrap()
}
