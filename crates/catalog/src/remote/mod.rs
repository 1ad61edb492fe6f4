//! HTTP to a public registry: size caps, retries, time-outs, conditional requests, nothing of any format.
//!
//! - `client.rs` asks: addresses, redirects, retries, and what an answer means;
//! - `guard.rs` says which addresses may be connected to;
//! - `breaker.rs` leaves a registry alone that fails;
//! - `body.rs` reads what comes, within bounds;
//! - `documents.rs` keeps copies of documents, one for the whole installation;
//! - `stranger.rs` leads to whom a user names: `courier.rs` sends there, `enquirer.rs` asks.
//!
//! "It is not there" (404, 410) and "it cannot be asked" never look alike: `None` and [`RemoteError`]. A client that is
//! told "not there" during an outage may look elsewhere, or believe it for good.

mod body;
mod breaker;
mod client;
mod courier;
mod documents;
mod enquirer;
mod guard;
mod stranger;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws::{Clock, Timestamp};
use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use moka::sync::Cache;
use store::{BlobStore, ByteStream, Database};
use url::Url;

use self::client::{Answer, Client, Registry, Request};
use self::documents::{Documents, read_small};
use crate::listing::ListedAsset;
use crate::names::{ConnectionName, Version};
use crate::publish::Promise;
use crate::rendered::Weighed;

pub use self::courier::{Courier, NotSent};
pub use self::enquirer::Enquirer;

/// A public registry, reached through a connection. Cheap to clone.
#[derive(Clone)]
pub struct Remote {
    connection: ConnectionName,
    house: Arc<House>,
    /// `None`: no address is configured.
    registry: Option<Arc<Registry>>,
}

/// The registries of this server. Cheap to clone.
#[derive(Clone)]
pub struct Remotes {
    house: Arc<House>,
    registries: Arc<BTreeMap<ConnectionName, Arc<Registry>>>,
}

/// What all registries share.
struct House {
    client: Client,
    documents: Arc<Documents>,
    /// What was read in documents, with the identity of each.
    readings: Cache<Place, Reading>,
}

/// A document's: its connection and path.
type Place = (ConnectionName, Arc<str>);

/// The identity of a document, and what was read in it.
type Reading = (Arc<str>, Arc<dyn Weighed>);

/// Bytes of what was read in documents.
const READINGS_BYTES: u64 = 64 << 20;

/// Where registries are and how they are asked.
#[derive(Clone)]
pub struct RemoteSettings {
    /// Address of each connection's registry: a base to which paths are appended, ending in `/`. A user and password in it
    /// are sent to its scheme, host and port alone, as `Basic` authorization.
    pub addresses: BTreeMap<ConnectionName, Url>,
    /// Further hosts that registries may point to although their addresses are not public.
    pub hosts: BTreeSet<String>,
    /// Until a connection is made. Default 3 s.
    pub connect_timeout: Duration,
    /// Until the first byte of an answer, redirects and retries included. Default 10 s.
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

impl Default for RemoteSettings {
    /// No registry, and the defaults of the specification ("maven" 7.4).
    fn default() -> Self {
        Self {
            addresses: BTreeMap::new(),
            hosts: BTreeSet::new(),
            connect_timeout: Duration::from_secs(3),
            first_byte_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            whole_timeout: Duration::from_mins(10),
            refresh_budget: Duration::from_secs(3),
            back_off: Duration::from_secs(30),
        }
    }
}

/// Addresses are shown without user and password.
impl fmt::Debug for RemoteSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |url: &Url| format!("{}{}", url.origin().ascii_serialization(), url.path());
        let addresses: BTreeMap<_, _> = self
            .addresses
            .iter()
            .map(|(connection, url)| (connection, shown(url)))
            .collect();
        out.debug_struct("RemoteSettings")
            .field("addresses", &addresses)
            .field("hosts", &self.hosts)
            .field("connect_timeout", &self.connect_timeout)
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("whole_timeout", &self.whole_timeout)
            .field("refresh_budget", &self.refresh_budget)
            .field("back_off", &self.back_off)
            .finish()
    }
}

/// How a document is asked for. One path is always asked for with the same `accept`: there is one copy of it.
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
    /// Equal identities: equal bytes.
    pub identity: Arc<str>,
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
    /// The format's own document of it, JSON text, if the list has it.
    pub document: Option<Arc<str>>,
    /// Its files, if the list has them.
    pub assets: Vec<ListedAsset>,
}

impl RemoteVersion {
    /// A version of which the list says nothing else.
    pub fn named(version: Version) -> Self {
        Self {
            version,
            published: None,
            document: None,
            assets: Vec::new(),
        }
    }
}

/// Where a registry has an asset.
#[derive(Debug, Clone, Default)]
pub struct RemoteAsset {
    /// Its path below the registry's base, or an absolute address.
    pub path: String,
    /// What the registry promises about it.
    pub promise: Promise,
    /// When its version was published there, if that is known better than from the head of the file.
    pub published: Option<Timestamp>,
    /// The format's own document of the version, for [`crate::Format::inspect`].
    pub version_document: Option<Arc<str>>,
    /// The format's own document of the file, kept with it.
    pub document: Option<String>,
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

impl Remotes {
    /// The registries at the addresses of `settings`; copies of documents are kept in `database` and `blobs`.
    ///
    /// Errors: `InvalidInput` when an address is not one of HTTP; `Other` when the machine's certificates cannot be read.
    pub fn new(
        database: &Database,
        blobs: &BlobStore,
        clock: Clock,
        settings: RemoteSettings,
    ) -> io::Result<Self> {
        let mut registries = BTreeMap::new();
        for (connection, address) in &settings.addresses {
            let registry = Registry::new(connection.clone(), address, settings.back_off);
            let registry = registry.map_err(|problem| {
                let text = format!("the address of {connection} cannot be used: {problem}");
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
            registries.insert(connection.clone(), Arc::new(registry));
        }
        let client = Client::new(settings, clock).map_err(io::Error::other)?;
        let documents = Arc::new(Documents::new(client.clone(), database, blobs));
        let readings = Cache::builder()
            .max_capacity(READINGS_BYTES)
            .weigher(|(_, path): &Place, (_, reading): &Reading| {
                u32::try_from(path.len() + reading.weight_bytes()).unwrap_or(u32::MAX)
            })
            .build();
        let house = Arc::new(House {
            client,
            documents,
            readings,
        });
        Ok(Self {
            house,
            registries: Arc::new(registries),
        })
    }

    /// The registry of a connection. One without an address answers every question with
    /// [`RemoteError::NotConfigured`].
    pub fn remote(&self, connection: &ConnectionName) -> Remote {
        Remote {
            connection: connection.clone(),
            house: Arc::clone(&self.house),
            registry: self.registries.get(connection).cloned(),
        }
    }

    /// Waits until the refreshes of documents that are under way have ended: at most a few minutes, for each has its
    /// time-outs. For shutting down; dropping everything instead leaves nothing but bytes that the sweep removes.
    pub async fn finish(&self) {
        self.house.documents.finish().await;
    }
}

impl Remote {
    /// Which connection this is.
    pub fn connection(&self) -> &ConnectionName {
        &self.connection
    }

    /// Whether an address is on the registry's own host, or on one that belongs to the same owner as far as names tell,
    /// and no less protected.
    pub fn is_of_same_site(&self, address: &str) -> bool {
        let registry = self.registry.as_ref();
        registry.is_some_and(|registry| registry.is_of_same_site(address))
    }

    /// A document, kept for all repositories of this server: from the copy at hand while it is fresh, else asked for
    /// conditionally, once however many want it; the old copy when the registry is down or slow. `None`: it is not there.
    pub async fn document(
        &self,
        path: &str,
        asking: &Asking,
    ) -> Result<Option<Document>, RemoteError> {
        self.house
            .documents
            .document(self.registry()?, path, asking)
            .await
    }

    /// The same, and what was read in it: once for all who ask while the document stays as it is, on a thread that may
    /// block. A document that cannot be read is [`RemoteError::Wrong`].
    pub async fn reading<T: Weighed>(
        &self,
        path: &str,
        asking: &Asking,
        read: impl FnOnce(&Document) -> Result<T, String> + Send + 'static,
    ) -> Result<Option<(Document, Arc<T>)>, RemoteError> {
        let Some(document) = self.document(path, asking).await? else {
            return Ok(None);
        };
        let readings = &self.house.readings;
        let key = (self.connection.clone(), Arc::from(path));
        if let Some((identity, reading)) = readings.get(&key)
            && identity == document.identity
            && let Ok(reading) = reading.as_any().downcast()
        {
            return Ok(Some((document, reading)));
        }
        let copy = document.clone();
        let reading = tokio::task::spawn_blocking(move || read(&copy)).await;
        let reading = reading.unwrap_or_else(|error| Err(error.to_string()));
        let reading = Arc::new(reading.map_err(|problem| RemoteError::Wrong {
            connection: self.connection.clone(),
            message: format!("its document `{path}` cannot be read: {problem}"),
        })?);
        let entry = (
            Arc::clone(&document.identity),
            Arc::clone(&reading) as Arc<dyn Weighed>,
        );
        readings.insert(key, entry);
        Ok(Some((document, reading)))
    }

    /// Sends a document to the registry and reads the answer, which is not kept (a query that is too long for an
    /// address). `None`: the registry does not answer such.
    pub async fn send(
        &self,
        path: &str,
        content_type: &'static str,
        body: Bytes,
        limit_bytes: usize,
    ) -> Result<Option<Bytes>, RemoteError> {
        let registry = self.registry()?;
        let request = Request {
            method: Method::POST,
            path: path.to_owned(),
            headers: vec![
                (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
                (header::ACCEPT, HeaderValue::from_static(content_type)),
            ],
            body: Some(body),
        };
        match self.house.client.ask(registry, &request).await? {
            Answer::Found(response) => {
                read_small(&self.house.client, registry, response, limit_bytes)
                    .await
                    .map(Some)
            }
            Answer::Absent => Ok(None),
            Answer::Unchanged(_) => Err(registry.wrong("`unchanged`, though nothing was at hand")),
        }
    }

    /// A small body that is not kept: a checksum beside an asset. `None`: it is not there.
    pub async fn read(&self, path: &str, limit_bytes: usize) -> Result<Option<Bytes>, RemoteError> {
        let registry = self.registry()?;
        let Some(response) = self.ask(Method::GET, path, false).await? else {
            return Ok(None);
        };
        read_small(&self.house.client, registry, response, limit_bytes)
            .await
            .map(Some)
    }

    /// An asset, as a stream. `uncached` asks proxies on the way for a fresh copy. `None`: it is not there.
    pub async fn open(
        &self,
        path: &str,
        uncached: bool,
    ) -> Result<Option<RemoteBody>, RemoteError> {
        let Some(response) = self.ask(Method::GET, path, uncached).await? else {
            return Ok(None);
        };
        let head = response.headers().clone();
        let settings = &self.house.client.settings;
        let body = body::pieces(response, settings.idle_timeout, settings.whole_timeout);
        Ok(Some(remote_body(&head, body)))
    }

    /// A part of an asset, as a stream. `None`: it is not there, or the registry sends no parts.
    pub async fn open_part(
        &self,
        path: &str,
        range: Range<u64>,
    ) -> Result<Option<ByteStream>, RemoteError> {
        let registry = self.registry()?;
        let last = range.end.saturating_sub(1);
        let asked = HeaderValue::try_from(format!("bytes={}-{last}", range.start))
            .map_err(|_| registry.wrong("a part that cannot be asked for"))?;
        let mut headers = as_they_are();
        headers.push((header::RANGE, asked));
        let request = Request {
            method: Method::GET,
            path: path.to_owned(),
            headers,
            body: None,
        };
        let Answer::Found(response) = self.house.client.ask(registry, &request).await? else {
            return Ok(None);
        };
        if response.status() != StatusCode::PARTIAL_CONTENT {
            return Ok(None);
        }
        let came = response.headers().get(header::CONTENT_RANGE);
        let came = came.and_then(|value| value.to_str().ok());
        let expected = format!("bytes {}-{last}/", range.start);
        if !came.is_some_and(|came| came.starts_with(&expected)) {
            return Err(registry.wrong("another part than the one that was asked for"));
        }
        let settings = &self.house.client.settings;
        Ok(Some(body::pieces(
            response,
            settings.idle_timeout,
            settings.whole_timeout,
        )))
    }

    /// The address that `reference` means in the document at `path`; `None` when that is none of the web.
    pub fn resolve(&self, path: &str, reference: &str) -> Option<String> {
        let document = self.registry.as_ref()?.address(path)?;
        let found = document.join(reference).ok()?;
        matches!(found.scheme(), "http" | "https").then(|| found.into())
    }

    /// The head of an asset: everything but the bytes. `None`: it is not there.
    pub async fn head(&self, path: &str) -> Result<Option<RemoteBody>, RemoteError> {
        let response = self.ask(Method::HEAD, path, false).await?;
        Ok(response.map(|response| remote_body(response.headers(), Box::pin(stream::empty()))))
    }

    /// What it means that a body of this registry ended with `error`.
    pub fn broken(&self, error: &io::Error) -> RemoteError {
        let back_off = self.house.client.settings.back_off;
        body::broken(&self.connection, error, back_off)
    }

    fn registry(&self) -> Result<&Arc<Registry>, RemoteError> {
        self.registry
            .as_ref()
            .ok_or_else(|| RemoteError::NotConfigured {
                connection: self.connection.clone(),
                setting: setting(&self.connection),
            })
    }

    /// Asks for an asset's bytes as they are: a coding would change the length and what the digests are of.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        uncached: bool,
    ) -> Result<Option<reqwest::Response>, RemoteError> {
        let registry = self.registry()?;
        let mut headers = as_they_are();
        if uncached {
            headers.push((header::CACHE_CONTROL, HeaderValue::from_static("no-cache")));
        }
        let request = Request {
            method,
            path: path.to_owned(),
            headers,
            body: None,
        };
        match self.house.client.ask(registry, &request).await? {
            Answer::Found(response) => Ok(Some(response)),
            Answer::Absent => Ok(None),
            Answer::Unchanged(_) => Err(registry.wrong("`unchanged`, though nothing was at hand")),
        }
    }
}

/// The head of a request for bytes that are to come as they are.
fn as_they_are() -> Vec<(header::HeaderName, HeaderValue)> {
    vec![
        (header::ACCEPT, HeaderValue::from_static("*/*")),
        (
            header::ACCEPT_ENCODING,
            HeaderValue::from_static("identity"),
        ),
    ]
}

fn remote_body(head: &HeaderMap, body: ByteStream) -> RemoteBody {
    let text = |name| {
        head.get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    RemoteBody {
        size_bytes: body::size_bytes(head),
        content_type: text(header::CONTENT_TYPE).map(ToOwned::to_owned),
        modified: text(header::LAST_MODIFIED).and_then(Timestamp::parse_http_date),
        body,
    }
}

/// The environment variable for the address of a connection: `PACKHOUSE_UPSTREAM_MAVEN_CENTRAL` for
/// `public:maven-central`.
fn setting(connection: &ConnectionName) -> String {
    let name = connection.as_str();
    let name = name.strip_prefix("public:").unwrap_or(name);
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("PACKHOUSE_UPSTREAM_{}", name.to_ascii_uppercase())
}
