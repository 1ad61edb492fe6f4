//! Against real sockets: registries that answer, and those that are slow, stall, truncate, lie or are gone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod asking;
mod copies;
mod stub;

use std::sync::Arc;
use std::time::Duration;

use aws::{Clock, Timestamp};
use futures_util::StreamExt as _;
use store::{BlobSettings, BlobStore, Database, Migration};
use tempfile::TempDir;

use self::stub::{Reply, Stub};
use super::*;

const START: Timestamp = Timestamp::from_seconds(1_773_500_966);
const HOUR: Duration = Duration::from_hours(1);

const ASKING: Asking = Asking {
    accept: "application/xml",
    limit_bytes: 1000,
    lifetime: HOUR,
    absence_lifetime: Duration::from_mins(10),
};

/// A server of ours with one registry.
struct Server {
    remote: Remote,
    remotes: Remotes,
    clock: Clock,
    settings: RemoteSettings,
    database: Database,
    blobs: BlobStore,
    /// Removed with the last server over it.
    directory: Arc<TempDir>,
}

fn name() -> ConnectionName {
    "public:maven-central".parse().unwrap()
}

/// Time-outs that a test can wait for, and a budget that is longer than any of them unless it says otherwise.
fn settings(address: &str) -> RemoteSettings {
    RemoteSettings {
        hosts: std::collections::BTreeSet::new(),
        addresses: BTreeMap::from([(name(), Url::parse(address).unwrap())]),
        connect_timeout: Duration::from_secs(5),
        first_byte_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        whole_timeout: Duration::from_secs(20),
        refresh_budget: Duration::from_secs(20),
        back_off: Duration::from_secs(30),
    }
}

impl Server {
    async fn of(stub: &Stub) -> Self {
        Self::with(settings(&stub.base())).await
    }

    async fn with(settings: RemoteSettings) -> Self {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let database = Database::open(&"sqlite::memory:".parse().unwrap())
            .await
            .unwrap();
        let tables = Migration {
            number: 1,
            name: "catalog",
            sql: include_str!("../../../migrations/0001_catalog.sql"),
        };
        database.migrate("catalog", &[tables]).await.unwrap();
        let place = format!("file:{}", directory.path().join("blobs").display());
        let (place, spool) = (place.parse().unwrap(), directory.path().join("spool"));
        let blobs = BlobStore::open(&place, &BlobSettings::default(), &spool)
            .await
            .unwrap();
        let clock = Clock::fixed(START);
        Self::over(database, blobs, clock, settings, directory)
    }

    fn over(
        database: Database,
        blobs: BlobStore,
        clock: Clock,
        settings: RemoteSettings,
        directory: Arc<TempDir>,
    ) -> Self {
        let remotes = Remotes::new(&database, &blobs, clock.clone(), settings.clone()).unwrap();
        let remote = remotes.remote(&name());
        Self {
            remote,
            remotes,
            clock,
            settings,
            database,
            blobs,
            directory,
        }
    }

    /// Another process over the same database and blobs, or this one started anew.
    fn another(&self) -> Self {
        Self::over(
            self.database.clone(),
            self.blobs.clone(),
            self.clock.clone(),
            self.settings.clone(),
            Arc::clone(&self.directory),
        )
    }

    async fn document(&self) -> Result<Option<Document>, RemoteError> {
        self.remote.document("a/maven-metadata.xml", &ASKING).await
    }

    async fn text(&self) -> String {
        text(&self.document().await.unwrap().unwrap())
    }

    async fn blobs(&self) -> usize {
        self.blobs.list().count().await
    }
}

fn text(document: &Document) -> String {
    String::from_utf8(document.body.to_vec()).unwrap()
}

/// The whole of a body, or how it ended.
async fn all(body: RemoteBody) -> io::Result<Vec<u8>> {
    let mut body = body.body;
    let mut whole = Vec::new();
    while let Some(piece) = body.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

/// The kind of an error: what a caller would tell apart.
fn kind(error: &RemoteError) -> &'static str {
    match error {
        RemoteError::NotConfigured { .. } => "not configured",
        RemoteError::Unreachable { .. } => "unreachable",
        RemoteError::TimedOut { .. } => "timed out",
        RemoteError::Wrong { .. } => "wrong",
    }
}

/// An address at which nobody listens.
async fn closed() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}
