//! A catalog over each pair of stores, with somebody who may do everything and somebody who may do nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use aws::sigv4::{Claim, Credentials, EMPTY_HASH, Rules, Signer};
use aws::{AccountId, Clock, Region, Timestamp};
use bytes::Bytes;
use catalog::{
    Action, Asset, Catalog, DomainAt, Formats, GroupAt, GroupChange, GroupMode, GroupRestriction,
    Limits, ListChange, Manifest, NewPackageGroup, NewRepository, OpenRepository, PackageGroup,
    Parts, Permit, Promise, Published, Purpose, RemoteSettings, RepositoryAt, Restrictions, Then,
    VersionRecord,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use iam::{Caller, Iam, MasterKey, Settings, Source};
use store::{BlobSettings, BlobStore, Database};

use crate::registry::Registry;
use crate::toy::{CONNECTION, FORMATS, asset, version};

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) blobs: BlobStore,
    pub(crate) catalog: Catalog,
    pub(crate) clock: Clock,
    pub(crate) admin: Caller,
    pub(crate) nobody: Caller,
    pub(crate) registry: Registry,
    _directory: tempfile::TempDir,
}

/// What became of the lists of a package group.
pub(crate) type ListChanges = BTreeMap<GroupRestriction, ListChange>;

/// Runs a test over every pair of stores that is at hand.
pub(crate) fn over_each<F: Future<Output = ()>>(test: impl Fn(World) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        test(World::on_sqlite_and_files().await).await;
        match World::on_postgres_and_bucket().await {
            Some(world) => test(world).await,
            None => eprintln!("skipped on PostgreSQL and a bucket: no address given"),
        }
    });
}

/// The pairs of stores that are at hand, by name.
pub(crate) fn each_pair() -> Vec<&'static str> {
    let mut pairs = vec![SQLITE_AND_FILES];
    if std::env::var_os("PACKHOUSE_TEST_POSTGRES").is_some()
        && std::env::var_os("PACKHOUSE_TEST_S3").is_some()
    {
        pairs.push(POSTGRES_AND_BUCKET);
    }
    pairs
}

const SQLITE_AND_FILES: &str = "SQLite and files";
const POSTGRES_AND_BUCKET: &str = "PostgreSQL and a bucket";

impl World {
    /// Over one of the [pairs](each_pair).
    pub(crate) async fn on(pair: &str) -> Self {
        if pair == POSTGRES_AND_BUCKET {
            Self::on_postgres_and_bucket().await.unwrap()
        } else {
            Self::on_sqlite_and_files().await
        }
    }

    async fn on_sqlite_and_files() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", directory.path().join("db.sqlite").display());
        let blobs = format!("file:{}", directory.path().join("blobs").display());
        Self::make(directory, &database, &blobs, BlobSettings::default()).await
    }

    async fn on_postgres_and_bucket() -> Option<Self> {
        let server = std::env::var("PACKHOUSE_TEST_POSTGRES").ok()?;
        let endpoint = std::env::var("PACKHOUSE_TEST_S3").ok()?;
        let bucket = std::env::var("PACKHOUSE_TEST_S3_BUCKET").ok()?;
        let directory = tempfile::tempdir().unwrap();
        let name = format!(
            "catalog_{:x}",
            directory
                .path()
                .display()
                .to_string()
                .bytes()
                .fold(7_u64, |hash, byte| {
                    hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
                })
        );
        let database = with_schema(&server, &name).await;
        let settings = BlobSettings {
            endpoint: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            path_style: Some(true),
            access_key_id: std::env::var("PACKHOUSE_TEST_S3_ACCESS_KEY").ok(),
            secret_access_key: std::env::var("PACKHOUSE_TEST_S3_SECRET").ok(),
            ..BlobSettings::default()
        };
        Some(
            Self::make(
                directory,
                &database,
                &format!("s3://{bucket}/{name}"),
                settings,
            )
            .await,
        )
    }

    async fn make(
        directory: tempfile::TempDir,
        database: &str,
        blobs: &str,
        settings: BlobSettings,
    ) -> Self {
        let clock = Clock::fixed(Timestamp::parse_iso8601("2026-11-22T12:00:00Z").unwrap());
        let database = Database::open(&database.parse().unwrap()).await.unwrap();
        let blobs = BlobStore::open(
            &blobs.parse().unwrap(),
            &settings,
            &directory.path().join("spool"),
        )
        .await
        .unwrap();
        let region: Region = "us-east-1".parse().unwrap();
        let iam_settings = Settings::new(region, clock.clone());
        let iam = Iam::open(
            database.clone(),
            MasterKey::from_bytes([7; 32]),
            iam_settings,
        )
        .await
        .unwrap();
        let account: AccountId = "111122223333".parse().unwrap();
        let keys = iam.first_start(&account).await.unwrap().unwrap();
        let user = iam.create_user(&account, "/", "nobody").await.unwrap();
        let nobody = iam
            .create_access_key(&account, Some(&user.id))
            .await
            .unwrap();
        let registry = Registry::start().await;
        let remotes = RemoteSettings {
            addresses: BTreeMap::from([(
                CONNECTION.parse().unwrap(),
                registry.url().parse().unwrap(),
            )]),
            first_byte_timeout: Duration::from_secs(2),
            ..RemoteSettings::default()
        };
        let parts = Parts {
            database: database.clone(),
            blobs: blobs.clone(),
            iam: iam.clone(),
            formats: Formats::new(&FORMATS),
            remotes,
            completes_versions: true,
            limits: Limits {
                asset_size_bytes: 8 << 20,
                assets_per_version: 4,
                ..Limits::default()
            },
        };
        let catalog = Catalog::start(parts).await.unwrap();
        let admin = caller(&iam, &keys.admin).await;
        let nobody = caller(&iam, &nobody).await;
        Self {
            database,
            blobs,
            catalog,
            clock,
            admin,
            nobody,
            registry,
            _directory: directory,
        }
    }

    #[allow(
        clippy::unused_self,
        reason = "reads as the other things of this world"
    )]
    pub(crate) fn repository_at(&self, name: &str) -> RepositoryAt {
        RepositoryAt {
            domain: domain_at(),
            name: name.parse().unwrap(),
        }
    }

    /// The domain `toys`.
    pub(crate) async fn with_domain(self) -> Self {
        self.catalog
            .create_domain(
                &self.admin,
                &"toys".parse().unwrap(),
                "arn:aws:kms:k".to_owned(),
                Vec::new(),
            )
            .await
            .unwrap();
        self
    }

    /// A repository with these upstreams.
    pub(crate) async fn repository(&self, name: &str, upstreams: &[&str]) {
        let new = NewRepository {
            name: name.parse().unwrap(),
            description: None,
            upstreams: upstreams.iter().map(|name| name.parse().unwrap()).collect(),
            tags: Vec::new(),
        };
        self.catalog
            .create_repository(&self.admin, &domain_at(), new)
            .await
            .unwrap();
    }

    /// A repository connected to the public registry.
    pub(crate) async fn connected(&self, name: &str) {
        self.repository(name, &[]).await;
        let permit = self
            .catalog
            .repository(
                &self.admin,
                Action::AssociateExternalConnection,
                &self.repository_at(name),
            )
            .await
            .unwrap();
        permit.connect(&CONNECTION.parse().unwrap()).await.unwrap();
    }

    /// A package group that inherits everything.
    pub(crate) async fn group(&self, pattern: &str) {
        let new = NewPackageGroup {
            pattern: pattern.parse().unwrap(),
            contact_info: None,
            description: None,
            tags: Vec::new(),
        };
        self.catalog
            .create_package_group(&self.admin, &domain_at(), new)
            .await
            .unwrap();
    }

    /// A package group, to do this to it.
    pub(crate) async fn group_for(
        &self,
        action: Action,
        pattern: &str,
    ) -> catalog::Result<Permit<PackageGroup>> {
        let at = GroupAt {
            domain: domain_at(),
            pattern: pattern.to_owned(),
        };
        self.catalog.package_group(&self.admin, action, &at).await
    }

    /// Changes the origin configuration of a package group.
    pub(crate) async fn rule(&self, pattern: &str, change: GroupChange) -> ListChanges {
        let action = Action::UpdatePackageGroupOriginConfiguration;
        let group = self.group_for(action, pattern).await.unwrap();
        group.set_origin(change).await.unwrap().1
    }

    /// Gives restrictions of a package group these modes.
    pub(crate) async fn set_modes(&self, pattern: &str, modes: &[(GroupRestriction, GroupMode)]) {
        let change = GroupChange {
            modes: modes.iter().copied().collect(),
            ..GroupChange::default()
        };
        self.rule(pattern, change).await;
    }

    /// The package's own control in a repository: publish, upstream.
    pub(crate) async fn control(&self, repository: &str, name: &str) -> String {
        let at = self.repository_at(repository);
        let id = crate::toy::package(name);
        let package = self
            .catalog
            .package(&self.admin, Action::DescribePackage, &at, &id)
            .await
            .unwrap();
        let Restrictions { publish, upstream } = package.describe().await.unwrap().restrictions;
        format!("{publish} {upstream}")
    }

    /// Sets it; the package need not be there.
    pub(crate) async fn set_control(&self, repository: &str, name: &str, control: Restrictions) {
        let (at, id) = (self.repository_at(repository), crate::toy::package(name));
        let action = Action::PutPackageOriginConfiguration;
        let package = self.catalog.package(&self.admin, action, &at, &id);
        package
            .await
            .unwrap()
            .set_restrictions(control)
            .await
            .unwrap();
    }

    pub(crate) async fn open(&self, repository: &str) -> OpenRepository {
        let format = "toy".parse().unwrap();
        self.catalog
            .open(&self.admin, &self.repository_at(repository), &format)
            .await
            .unwrap()
    }

    pub(crate) async fn publish(
        &self,
        repository: &str,
        name: &str,
        of: &str,
        file: &str,
        body: &[u8],
        then: Then,
    ) -> catalog::Result<Published> {
        let mut publication = self
            .open(repository)
            .await
            .publish(&version(name, of))
            .await?;
        publication
            .add(file.parse().unwrap(), stream(body), &Promise::default())
            .await?;
        publication.commit(then).await
    }

    /// Publishes a version that has one file, `f`.
    pub(crate) async fn put(
        &self,
        repository: &str,
        name: &str,
        of: &str,
        body: &[u8],
    ) -> Published {
        let published = self.publish(repository, name, of, "f", body, Then::Publish);
        published.await.unwrap()
    }

    pub(crate) async fn read(
        &self,
        repository: &str,
        name: &str,
        of: &str,
        file: &str,
    ) -> catalog::Result<Vec<u8>> {
        let asset = self
            .open(repository)
            .await
            .asset(&asset(name, of, file), Purpose::Take)
            .await?;
        Ok(bytes_of(&asset).await.unwrap())
    }

    /// What the very repository records of a version.
    pub(crate) async fn version_of(
        &self,
        repository: &str,
        name: &str,
        of: &str,
    ) -> (VersionRecord, Manifest) {
        let (at, id) = (self.repository_at(repository), crate::toy::package(name));
        let action = Action::DescribePackageVersion;
        let package = self.catalog.package(&self.admin, action, &at, &id);
        let version = package.await.unwrap();
        version.version(&of.parse().unwrap()).await.unwrap()
    }

    /// `version status`, of what the very repository records.
    pub(crate) async fn recorded(&self, repository: &str, name: &str) -> Vec<String> {
        let versions = self
            .open(repository)
            .await
            .versions(&crate::toy::package(name))
            .await
            .unwrap();
        versions
            .iter()
            .map(|row| format!("{} {}", row.version, row.status))
            .collect()
    }

    /// The versions that a client is shown.
    pub(crate) async fn listed(&self, repository: &str, name: &str) -> Option<Vec<String>> {
        let listing = self
            .open(repository)
            .await
            .package(&crate::toy::package(name))
            .await
            .unwrap();
        listing.map(|listing| {
            listing
                .versions
                .iter()
                .map(|listed| listed.version.to_string())
                .collect()
        })
    }
}

/// The domain of each test.
pub(crate) fn domain_at() -> DomainAt {
    DomainAt {
        owner: "111122223333".parse().unwrap(),
        name: "toys".parse().unwrap(),
    }
}

/// The address of a schema of its own on the test server.
async fn with_schema(server: &str, name: &str) -> String {
    let sql: &'static str = Box::leak(format!("CREATE SCHEMA \"{name}\"").into_boxed_str());
    let database = Database::open(&server.parse().unwrap()).await.unwrap();
    database
        .write(move |tx| tx.execute(sql, &[]))
        .await
        .unwrap();
    let joint = if server.contains('?') { '&' } else { '?' };
    format!("{server}{joint}options=-csearch_path%3D{name}")
}

pub(crate) fn stream(
    body: &[u8],
) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + use<> {
    let pieces: Vec<_> = body
        .chunks(1000)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    futures_util::stream::iter(pieces)
}

pub(crate) async fn bytes_of(asset: &Asset) -> std::io::Result<Vec<u8>> {
    let body = asset.bytes(None).await.map_err(std::io::Error::other)?;
    body.map(|piece| piece.map(|piece| piece.to_vec()))
        .try_concat()
        .await
}

/// Who signs with these keys.
pub(crate) async fn caller(iam: &Iam, keys: &Credentials) -> Caller {
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
    iam.by_signature(
        &claim,
        EMPTY_HASH,
        Source {
            ip: None,
            secure_transport: false,
        },
    )
    .await
    .unwrap()
}
