//! Copies of the documents of registries: one for the whole installation, and one refresh at a time.
//!
//! A copy is looked for in memory, then in the database, whose row says when the registry was last asked; its bytes are
//! a blob. Whatever needs more than memory is done by a *flight*, a task of its own that all who ask for the same
//! document wait for, and that goes on when they have left or have been answered with the old copy.
//!
//! When the database or the blobs fail, the registry is asked as if there were no copy: a cache must not be the reason
//! for not answering.

mod kept;
mod records;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws::Timestamp;
use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use moka::sync::Cache;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use self::kept::{Content, Kept, Validators};
use self::records::Records;
use super::body::{CODINGS, Unread, broken, read_whole};
use super::breaker::Gravity;
use super::client::{Answer, Client, Registry, Request};
use super::{Asking, Document, RemoteError};
use crate::names::ConnectionName;

/// Bytes of copies held in memory.
const MEMORY_BYTES: u64 = 64 << 20;

/// Documents that are remembered as failed.
const FAILED: u64 = 10_000;

/// For the body of a document, from its head to its end: 20 MiB at a slow 200 KB/s.
const WHOLE_DOCUMENT: Duration = Duration::from_secs(100);

/// Bodies of this size are hashed on a thread where that holds up nobody.
const HASHED_ELSEWHERE_BYTES: usize = 256 << 10;

type Key = (ConnectionName, Arc<str>);
type Outcome = Result<Landed, RemoteError>;

/// The copies of all registries.
pub(super) struct Documents {
    client: Client,
    records: Records,
    memory: Cache<Key, Arc<Kept>>,
    /// Documents that could not be had, until when they are not asked for again.
    failed: Cache<Key, (Timestamp, RemoteError)>,
    flights: Mutex<HashMap<Key, Flight>>,
    tasks: Mutex<JoinSet<()>>,
}

/// A refresh under way.
#[derive(Clone)]
struct Flight {
    since: Instant,
    progress: watch::Receiver<Progress>,
}

/// What a flight brings.
#[derive(Clone)]
struct Landed {
    kept: Arc<Kept>,
    is_stale: bool,
}

#[derive(Clone, Default)]
struct Progress {
    /// An old copy that could answer, while the registry is being asked.
    old: Option<Arc<Kept>>,
    outcome: Option<Outcome>,
}

impl Documents {
    pub(super) fn new(
        client: Client,
        database: &store::Database,
        blobs: &store::BlobStore,
    ) -> Self {
        let memory = Cache::builder()
            .max_capacity(MEMORY_BYTES)
            .weigher(|(_, path): &Key, copy: &Arc<Kept>| copy.weight(path))
            .build();
        Self {
            client,
            records: Records::new(database, blobs),
            memory,
            failed: Cache::new(FAILED),
            flights: Mutex::default(),
            tasks: Mutex::default(),
        }
    }

    /// See [`super::Remote::document`].
    pub(super) async fn document(
        self: &Arc<Self>,
        registry: &Arc<Registry>,
        path: &str,
        asking: &Asking,
    ) -> Result<Option<Document>, RemoteError> {
        let key = (registry.connection.clone(), Arc::from(path));
        let now = self.client.clock.now();
        if let Some(copy) = self.memory.get(&key) {
            if copy.is_fresh(asking, now) {
                return Ok(copy.document(false));
            }
            if let Some(error) = self.resting(registry, &key, now) {
                return copy.document(true).map(Some).ok_or(error);
            }
        }
        let flight = self.flight(registry, key, asking);
        let mut progress = flight.progress;
        let broke_off = || registry.unreachable("the refresh broke off".to_owned(), Duration::ZERO);
        let first =
            progress.wait_for(|progress| progress.old.is_some() || progress.outcome.is_some());
        let first = first.await.map_err(|_| broke_off())?.clone();
        if let (Some(old), None) = (&first.old, &first.outcome) {
            let budget = flight.since + self.client.settings.refresh_budget;
            let landed = progress.wait_for(|progress| progress.outcome.is_some());
            return match timeout_at(budget, landed).await {
                Ok(Ok(progress)) => settled(&progress).unwrap_or_else(|| Err(broke_off())),
                Ok(Err(_)) | Err(_) => Ok(old.document(true)),
            };
        }
        settled(&first).unwrap_or_else(|| Err(broke_off()))
    }

    /// Waits until the refreshes under way have ended.
    pub(super) async fn finish(&self) {
        let mut tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    /// Why a document is not asked for just now, if so.
    fn resting(&self, registry: &Registry, key: &Key, now: Timestamp) -> Option<RemoteError> {
        let failed = self.failed.get(key).filter(|(until, _)| now < *until);
        failed
            .map(|(_, error)| error)
            .or_else(|| registry.resting(now))
    }

    /// The flight for a document: the one that is under way, or a new one.
    fn flight(self: &Arc<Self>, registry: &Arc<Registry>, key: Key, asking: &Asking) -> Flight {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let (sender, progress) = watch::channel(Progress::default());
        let flight = Flight {
            since: Instant::now(),
            progress,
        };
        flights.insert(key.clone(), flight.clone());
        drop(flights);
        let landing = Landing {
            documents: Arc::clone(self),
            key,
        };
        let (registry, asking) = (Arc::clone(registry), asking.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            let outcome = landing
                .documents
                .fly(&registry, &landing.key, &asking, &sender)
                .await;
            // Who comes from now on finds the copy in memory, or begins anew.
            drop(landing);
            sender.send_modify(|progress| progress.outcome = Some(outcome));
        });
        flight
    }

    /// Finds the copy, and refreshes it when it is old.
    async fn fly(
        &self,
        registry: &Registry,
        key: &Key,
        asking: &Asking,
        progress: &watch::Sender<Progress>,
    ) -> Outcome {
        let known = self.records.find(key, self.memory.get(key)).await;
        let now = self.client.clock.now();
        if let Some(kept) = &known {
            self.memory.insert(key.clone(), Arc::clone(kept));
            if kept.is_fresh(asking, now) {
                return Ok(Landed {
                    kept: Arc::clone(kept),
                    is_stale: false,
                });
            }
        }
        // That there was none is no answer any more: a client would believe it for good.
        let old = known.filter(|kept| kept.is_present());
        let refreshed = if let Some(error) = self.resting(registry, key, now) {
            Err(error)
        } else {
            progress.send_modify(|progress| progress.old.clone_from(&old));
            self.refresh(registry, key, asking, old.as_deref()).await
        };
        match (refreshed, old) {
            (Ok(kept), _) => {
                let kept = Arc::new(kept);
                self.memory.insert(key.clone(), Arc::clone(&kept));
                Ok(Landed {
                    kept,
                    is_stale: false,
                })
            }
            (Err(_), Some(kept)) => Ok(Landed {
                kept,
                is_stale: true,
            }),
            (Err(error), None) => Err(error),
        }
    }

    /// Asks the registry, and remembers when that fails.
    async fn refresh(
        &self,
        registry: &Registry,
        key: &Key,
        asking: &Asking,
        old: Option<&Kept>,
    ) -> Result<Kept, RemoteError> {
        let refreshed = self.ask(registry, key, asking, old).await;
        if let Err(error) = &refreshed {
            tracing::warn!(
                connection = %registry.connection,
                path = %key.1,
                error = %error,
                has_old_copy = old.is_some(),
                "a document of a public registry was not refreshed"
            );
            let until = self.client.clock.now().plus(self.client.settings.back_off);
            self.failed.insert(key.clone(), (until, error.clone()));
        }
        refreshed
    }

    async fn ask(
        &self,
        registry: &Registry,
        key: &Key,
        asking: &Asking,
        old: Option<&Kept>,
    ) -> Result<Kept, RemoteError> {
        let request = Request {
            method: Method::GET,
            path: key.1.as_ref().to_owned(),
            headers: headers(asking, old),
            body: None,
        };
        // A copy is as old as the question, not as the answer.
        let asked = self.client.clock.now();
        match (self.client.ask(registry, &request).await?, old) {
            (Answer::Found(response), _) => {
                let validators = Validators::of(response.headers());
                let body = read_small(&self.client, registry, response, asking.limit_bytes).await?;
                let sha256 = sha256(body.clone()).await;
                if let Some(old) = old.filter(|old| old.has(&sha256)) {
                    return Ok(self.seen_again(key, old, validators, asked).await);
                }
                let content = Content {
                    body,
                    sha256: sha256.into(),
                };
                Ok(self
                    .keep(key, Kept::new(Some(content), validators, asked))
                    .await)
            }
            (Answer::Unchanged(headers), Some(old)) => {
                let validators = Validators::of(&headers).or(&old.validators);
                Ok(self.seen_again(key, old, validators, asked).await)
            }
            (Answer::Unchanged(_), None) => {
                Err(registry.wrong("`unchanged`, though nothing was at hand"))
            }
            (Answer::Absent, _) => Ok(self
                .keep(key, Kept::new(None, Validators::default(), asked))
                .await),
        }
    }

    async fn seen_again(
        &self,
        key: &Key,
        old: &Kept,
        validators: Validators,
        asked: Timestamp,
    ) -> Kept {
        let kept = old.seen_again(validators, asked);
        self.records.touch(key, &kept).await;
        kept
    }

    async fn keep(&self, key: &Key, kept: Kept) -> Kept {
        self.records.keep(key, &kept).await;
        kept
    }
}

/// The head of a request for a document; `old` is what we have of it.
fn headers(asking: &Asking, old: Option<&Kept>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (header::ACCEPT, HeaderValue::from_static(asking.accept)),
        (header::ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)),
    ];
    if let Some(old) = old {
        headers.extend(old.validators.headers());
    }
    headers
}

/// A small body, whole. That the connection breaks or stalls under it is a failure of the registry.
pub(super) async fn read_small(
    client: &Client,
    registry: &Registry,
    response: reqwest::Response,
    limit_bytes: usize,
) -> Result<bytes::Bytes, RemoteError> {
    let settings = &client.settings;
    let whole = settings.whole_timeout.min(WHOLE_DOCUMENT);
    let unread = match read_whole(response, limit_bytes, settings.idle_timeout, whole).await {
        Ok(body) => return Ok(body),
        Err(unread) => unread,
    };
    Err(match unread {
        Unread::Broken(error) => {
            let error = broken(&registry.connection, &error, settings.back_off);
            let opened = registry.breaker.failed(Gravity::Path, client.clock.now());
            registry.note_opened(opened, &error);
            error
        }
        Unread::TooLarge => registry.wrong(format!("more than {limit_bytes} bytes")),
        Unread::Coding => registry.wrong("a coding that was not asked for"),
        Unread::Garbled => registry.wrong("bytes that cannot be unpacked"),
    })
}

fn settled(progress: &Progress) -> Option<Result<Option<Document>, RemoteError>> {
    let landed = progress.outcome.clone()?;
    Some(landed.map(|Landed { kept, is_stale }| kept.document(is_stale)))
}

async fn sha256(body: bytes::Bytes) -> String {
    if body.len() < HASHED_ELSEWHERE_BYTES {
        return store::sha256_hex(&body);
    }
    let copy = body.clone();
    let hashed = tokio::task::spawn_blocking(move || store::sha256_hex(&copy)).await;
    hashed.unwrap_or_else(|_| store::sha256_hex(&body))
}

/// Ends a flight, even when its task does not end well.
struct Landing {
    documents: Arc<Documents>,
    key: Key,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut flights = self
            .documents
            .flights
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        flights.remove(&self.key);
    }
}
