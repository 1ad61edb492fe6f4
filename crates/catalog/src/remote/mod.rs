//! HTTP to a public registry: size caps, retries, time-outs, conditional requests, nothing of any format.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Timestamp;
use bytes::Bytes;
use store::ByteStream;
use url::Url;

use crate::names::{ConnectionName, Version};
use crate::publish::Promise;

/// A public registry, reached through a connection. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    _private: (),
}

/// The registries of this server.
#[derive(Clone)]
pub struct Remotes {
    _private: (),
}

/// Where registries are and how they are asked.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// Address of each connection's registry: a base to which paths are appended, ending in `/`.
    pub addresses: BTreeMap<ConnectionName, Url>,
    /// Until a connection is made. Default 3 s.
    pub connect_timeout: Duration,
    /// Until the first byte of an answer. Default 10 s.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body. Default 30 s.
    pub idle_timeout: Duration,
    /// For a whole asset. Default 10 min.
    pub whole_timeout: Duration,
    /// How long a refresh of a document may hold up a request that an old copy could answer. Default 3 s.
    pub refresh_budget: Duration,
    /// How long a registry that failed is left alone. Default 30 s.
    pub back_off: Duration,
}

/// How a document is asked for.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The `Accept` header.
    pub accept: &'static str,
    /// At most so many bytes, after decompression.
    pub limit_bytes: usize,
    /// How long a copy is used without asking again.
    pub lifetime: Duration,
    /// How long "not there" is believed.
    pub absence_lifetime: Duration,
}

/// A document of a registry.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its bytes.
    pub body: Bytes,
    /// When the registry says it was last changed, else when it was first seen with these bytes.
    pub changed: Timestamp,
    /// Whether this is an old copy, because the registry could not be asked.
    pub is_stale: bool,
}

/// An asset on its way from a registry.
pub struct RemoteBody {
    /// Its length in bytes, if the registry says.
    pub size_bytes: Option<u64>,
    /// Its content type, if the registry says.
    pub content_type: Option<String>,
    /// When it was last changed, if the registry says.
    pub modified: Option<Timestamp>,
    /// Its bytes. Fails when the connection breaks, stalls, or ends before the promised length.
    pub body: ByteStream,
}

/// The versions that a registry lists of a package.
#[derive(Debug, Clone)]
pub struct RemoteListing {
    /// In the registry's order.
    pub versions: Vec<RemoteVersion>,
    /// Names for versions.
    pub labels: BTreeMap<String, Version>,
    /// When the list was last changed.
    pub changed: Timestamp,
}

/// A version that a registry lists.
#[derive(Debug, Clone)]
pub struct RemoteVersion {
    /// Which version.
    pub version: Version,
    /// When it was published there, if the list says.
    pub published: Option<Timestamp>,
}

/// Where a registry has an asset.
#[derive(Debug, Clone)]
pub struct RemoteAsset {
    /// Its path below the registry's base, or an absolute address.
    pub path: String,
    /// What the registry promises about it.
    pub promise: Promise,
}

/// A registry could not be asked, or answered wrongly. Never the same as "it is not there".
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteError {
    /// No address is configured for the connection.
    #[error(
        "no address is configured for {connection}: set {setting}, or run `packhouse upstreams detect --write`"
    )]
    NotConfigured {
        /// The connection.
        connection: ConnectionName,
        /// The environment variable that would set it.
        setting: String,
    },
    /// It cannot be reached, or answers with an error.
    #[error("{connection} cannot be asked: {message}")]
    Unreachable {
        /// The connection.
        connection: ConnectionName,
        /// What happened, without addresses.
        message: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// It does not answer in time.
    #[error("{connection} did not answer in time")]
    TimedOut {
        /// The connection.
        connection: ConnectionName,
    },
    /// It sent what it should not: other bytes than promised, a page instead of an archive, too many bytes.
    #[error("{connection} sent something wrong: {message}")]
    Wrong {
        /// The connection.
        connection: ConnectionName,
        /// What is wrong with it.
        message: String,
    },
}

impl Remote {
    /// Which connection this is.
    pub fn connection(&self) -> &ConnectionName {
        todo!()
    }

    /// A document, kept for all repositories of this server: from the copy at hand while it is fresh, else asked for
    /// conditionally, once however many want it; the old copy when the registry is down or slow. `None`: it is not there.
    pub async fn document(
        &self,
        _path: &str,
        _asking: &Asking,
    ) -> Result<Option<Document>, RemoteError> {
        todo!()
    }

    /// A small body that is not kept: a checksum beside an asset. `None`: it is not there.
    pub async fn read(
        &self,
        _path: &str,
        _limit_bytes: usize,
    ) -> Result<Option<Bytes>, RemoteError> {
        todo!()
    }

    /// An asset, as a stream. `uncached` asks proxies on the way for a fresh copy. `None`: it is not there.
    pub async fn open(
        &self,
        _path: &str,
        _uncached: bool,
    ) -> Result<Option<RemoteBody>, RemoteError> {
        todo!()
    }

    /// The head of an asset: everything but the bytes. `None`: it is not there.
    pub async fn head(&self, _path: &str) -> Result<Option<RemoteBody>, RemoteError> {
        todo!()
    }
}

impl Remotes {
    /// Makes the client.
    pub fn new(
        _database: &store::Database,
        _blobs: &store::BlobStore,
        _clock: aws::Clock,
        _settings: RemoteSettings,
    ) -> Result<Self, std::io::Error> {
        todo!()
    }

    /// The registry behind a connection.
    pub fn remote(&self, _connection: &ConnectionName) -> Remote {
        todo!()
    }
}

impl Remote {
    /// The error of a body that broke.
    pub fn broken(&self, _error: &std::io::Error) -> RemoteError {
        todo!()
    }
}

impl Default for RemoteSettings {
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            whole_timeout: Duration::from_mins(10),
            refresh_budget: Duration::from_secs(3),
            back_off: Duration::from_secs(30),
        }
    }
}
