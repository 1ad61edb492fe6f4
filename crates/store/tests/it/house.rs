//! A fresh database and a fresh blob store for one test.

use std::env;
use std::io::Write;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use futures_util::StreamExt;
use store::{BlobSettings, BlobStore, BlobsAddress, Database, DatabaseAddress};
use tempfile::TempDir;
use tokio_postgres::NoTls;

pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) blobs: BlobStore,
    pub(crate) address: DatabaseAddress,
    pub(crate) blobs_address: BlobsAddress,
    pub(crate) settings: BlobSettings,
    directory: TempDir,
    server: Option<Server>,
}

/// Where the other half of the tests runs.
pub(crate) struct Server {
    /// Of a database that is there, to make others from.
    pub(crate) postgres: url::Url,
    pub(crate) certificate: Option<String>,
    name: String,
}

impl House {
    /// SQLite and files.
    pub(crate) async fn here() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", directory.path().join("house.db").display());
        let blobs = format!("file:{}", directory.path().join("blobs").display());
        Self::open(directory, &address, &blobs, BlobSettings::default(), None).await
    }

    /// PostgreSQL and a bucket, or `None` when we were not told where they are.
    pub(crate) async fn there() -> Option<Self> {
        let variable = |name: &str| env::var(format!("PACKHOUSE_TEST_{name}")).ok();
        let (Some(postgres), Some(endpoint)) = (variable("POSTGRES"), variable("S3")) else {
            static SAID: Once = Once::new();
            // Past the test harness, which swallows what a test prints when it passes.
            SAID.call_once(|| {
                let _ = writeln!(
                    std::io::stderr(),
                    "SKIPPED: every test on PostgreSQL and a bucket, because PACKHOUSE_TEST_POSTGRES and PACKHOUSE_TEST_S3 are not set \
                     (scripts/test-services start DIR prints them)"
                );
            });
            return None;
        };
        let directory = tempfile::tempdir().unwrap();
        let name = directory.path().file_name().unwrap().to_str().unwrap();
        let name = name
            .replace(|other: char| !other.is_ascii_alphanumeric(), "_")
            .to_lowercase();
        let server = Server {
            postgres: postgres.parse().unwrap(),
            certificate: variable("POSTGRES_CERTIFICATE"),
            name: name.clone(),
        };
        server.run(&format!("CREATE DATABASE \"{name}\"")).await;
        let mut address = server.postgres.clone();
        address.set_path(&name);
        let bucket = variable("S3_BUCKET").unwrap_or_else(|| "packhouse-test".to_owned());
        let settings = BlobSettings {
            endpoint: Some(endpoint),
            region: Some("us-east-1".to_owned()),
            path_style: Some(true),
            access_key_id: variable("S3_ACCESS_KEY"),
            secret_access_key: variable("S3_SECRET"),
            ..BlobSettings::default()
        };
        let blobs = format!("s3://{bucket}/{name}");
        Some(Self::open(directory, address.as_str(), &blobs, settings, Some(server)).await)
    }

    async fn open(
        directory: TempDir,
        address: &str,
        blobs: &str,
        settings: BlobSettings,
        server: Option<Server>,
    ) -> Self {
        let address = address.parse().unwrap();
        let blobs_address = blobs.parse().unwrap();
        let database = Database::open(&address).await.unwrap();
        let spool = directory.path().join("spool");
        let blobs = BlobStore::open(&blobs_address, &settings, &spool)
            .await
            .unwrap();
        Self {
            database,
            blobs,
            address,
            blobs_address,
            settings,
            directory,
            server,
        }
    }

    /// Another handle to the same database, as a second process has it; SQLite allows none.
    pub(crate) async fn second_node(&self) -> Database {
        match self.server {
            Some(_) => Database::open(&self.address).await.unwrap(),
            None => self.database.clone(),
        }
    }

    /// Set on PostgreSQL.
    pub(crate) fn server(&self) -> Option<&Server> {
        self.server.as_ref()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The names of the files that are in the spool, locks aside.
    pub(crate) fn spooled(&self) -> Vec<String> {
        let spool = match self.server {
            Some(_) => self.path().join("spool"),
            None => self.path().join("blobs/.spool"),
        };
        let entries = |directory: &Path| -> Vec<_> {
            let entries = std::fs::read_dir(directory).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let processes = entries(&spool).into_iter().filter(|entry| entry.is_dir());
        let files = processes.flat_map(|process| entries(&process));
        let names = files.map(|file| file.file_name().unwrap().to_str().unwrap().to_owned());
        names.filter(|name| name != "lock").collect()
    }

    /// Leaves nothing behind.
    pub(crate) async fn tear_down(self) {
        let mut listed = self.blobs.list();
        while let Some(blob) = listed.next().await {
            self.blobs.remove(&blob.unwrap().location).await.unwrap();
        }
        drop(self.database);
        if let Some(server) = &self.server {
            server
                .run(&format!("DROP DATABASE \"{}\" WITH (FORCE)", server.name))
                .await;
        }
    }
}

impl Server {
    /// Runs a statement past the store.
    pub(crate) async fn run(&self, sql: &str) {
        let (client, connection) = tokio_postgres::connect(self.postgres.as_str(), NoTls)
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    }

    pub(crate) fn database(&self) -> &str {
        &self.name
    }
}

/// Waits until something is so; fails when it is not within ten seconds.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within ten seconds: {what}");
}
