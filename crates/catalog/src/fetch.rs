//! Taking a file from a public registry: once, however many ask; verified; kept; and sent on meanwhile.
//!
//! The fetch is a task of its own, so a client that hangs up wastes nothing. Whoever asks for the file while it runs
//! follows its bytes. The last piece is held back until the bytes are verified, durable and recorded: a client that
//! received the whole file can ask the API about it at once, and one that would have received wrong bytes sees its
//! connection break instead.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use aws::Timestamp;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use futures_util::stream::Fuse;
use store::{ByteStream, Follow, Stored};
use tokio::sync::watch;

use crate::change::By;
use crate::complete::Completion;
use crate::format::{Described, Format, Manifest};
use crate::names::{AssetId, ConnectionName};
use crate::package::{Origin, OriginType, Status};
use crate::record::{self, NewAsset, NewBytes, Recorded, Recording, Way};
use crate::remote::{Remote, RemoteAsset, RemoteBody, RemoteError};
use crate::repository::Repository;
use crate::{Catalog, Error, Result};

/// Files up to this size are sent only when they are verified: then a wrong one can be answered with an error instead of
/// a broken body, and the digests can stand in the head.
const SENT_WHEN_VERIFIED_BYTES: u64 = 1 << 20;

/// How much of a file its format looks at to recognise it.
const HEAD_BYTES: usize = 512;

/// Who a fetch is recorded as: nobody's request alone.
const PRINCIPAL: &str = "packhouse";

/// Why a fetch did not succeed; shared by all who waited for it.
#[derive(Debug, Clone)]
enum Failure {
    Remote(RemoteError),
    /// Ours; the log has the cause.
    Ours,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Remote(error) => Error::Remote(error),
            Failure::Ours => {
                Error::internal("the fetch that this request waited for failed; the log says why")
            }
        }
    }
}

/// How far a fetch has come.
#[derive(Clone)]
enum Progress {
    /// The registry is being asked.
    Asking,
    /// Bytes are coming.
    Arriving(Head),
    /// Recorded; readable as any other file.
    Kept,
    /// The registry does not have it.
    Absent,
    Failed(Failure),
}

#[derive(Clone)]
struct Head {
    size_bytes: Option<u64>,
    modified: Timestamp,
    follow: Follow,
}

/// A fetch that runs.
struct Running {
    progress: watch::Receiver<Progress>,
    /// Repositories in which the file is recorded too; `None` once that is decided.
    wanting: Mutex<Option<Vec<Arc<Repository>>>>,
}

/// The fetches that run, by domain, connection and file.
#[derive(Default)]
pub(crate) struct Fetches(Mutex<HashMap<Key, Arc<Running>>>);

type Key = (Arc<str>, ConnectionName, AssetId);

/// What came of asking for a file.
pub(crate) enum Fetched {
    /// It is recorded, and opened like any other.
    Kept,
    /// It is on its way, and can be followed.
    Arriving(Arc<Arriving>),
}

/// A file on its way, for one who asked.
pub(crate) struct Arriving {
    head: Head,
    progress: watch::Receiver<Progress>,
}

impl Arriving {
    /// Its size, if the registry says.
    pub(crate) fn size_bytes(&self) -> Option<u64> {
        self.head.size_bytes
    }

    /// When it was last changed at the registry.
    pub(crate) fn modified(&self) -> Timestamp {
        self.head.modified
    }

    /// Waits until it is recorded.
    pub(crate) async fn kept(&self) -> Result<()> {
        match end(&mut self.progress.clone()).await {
            Progress::Kept => Ok(()),
            Progress::Failed(failure) => Err(failure.into()),
            Progress::Absent | Progress::Asking | Progress::Arriving(_) => {
                Err(Failure::Ours.into())
            }
        }
    }

    /// Its bytes as they come; the last piece only when it is recorded.
    pub(crate) fn bytes(&self) -> ByteStream {
        let state = (
            self.head.follow.stream().fuse(),
            self.progress.clone(),
            None::<Bytes>,
        );
        Box::pin(futures_util::stream::unfold(
            state,
            |(mut body, mut progress, mut held)| async move {
                loop {
                    match body.next().await {
                        Some(Ok(piece)) => {
                            if let Some(before) = held.replace(piece) {
                                return Some((Ok(before), (body, progress, held)));
                            }
                        }
                        Some(Err(error)) => return Some((Err(error), (body, progress, None))),
                        None => {
                            let last = held.take()?;
                            let verified = matches!(end(&mut progress).await, Progress::Kept);
                            let last = if verified {
                                Ok(last)
                            } else {
                                Err(io::Error::other("the fetched bytes were refused"))
                            };
                            return Some((last, (body, progress, None)));
                        }
                    }
                }
            },
        ))
    }
}

/// Waits until a fetch has ended.
async fn end(progress: &mut watch::Receiver<Progress>) -> Progress {
    let ended = progress
        .wait_for(|progress| !matches!(progress, Progress::Asking | Progress::Arriving(_)))
        .await;
    ended.map_or(Progress::Failed(Failure::Ours), |progress| progress.clone())
}

impl Catalog {
    /// Takes a file from the registry of `connected`, to be recorded there and in `wanting`: starts a fetch or joins the
    /// one that runs. `None`: the registry does not have it. Errors: `Remote`.
    pub(crate) async fn fetch(
        &self,
        connected: &Arc<Repository>,
        wanting: &Arc<Repository>,
        id: &AssetId,
    ) -> Result<Option<Fetched>> {
        let format = self.0.formats.named(id.version.package.format.as_str());
        let (Some(format), Some(connection)) = (format, &connected.connection) else {
            return Ok(None);
        };
        let Some(remote) = self.remote_for(connected, format, &id.version.package) else {
            return Ok(None);
        };
        let key = (
            Arc::clone(&connected.domain.id),
            connection.clone(),
            id.clone(),
        );
        let running = loop {
            match self.join(&key, connected, wanting) {
                Joined::Running(running) => break running,
                Joined::TooLate(running) => {
                    // It is being recorded without us. What it records is found where it is recorded.
                    end(&mut running.progress.clone()).await;
                    if self.retain(connected, wanting, &id.version).await? {
                        return Ok(Some(Fetched::Kept));
                    }
                }
                Joined::First(running, sender) => {
                    let (catalog, connected) = (self.clone(), Arc::clone(connected));
                    let (remote, id, task) = (remote.clone(), id.clone(), Arc::clone(&running));
                    let entry = Entry {
                        catalog: self.clone(),
                        key: key.clone(),
                    };
                    self.0.tasks.spawn(async move {
                        let fetch = Fetch {
                            catalog: &catalog,
                            connected,
                            format,
                            remote,
                            id,
                            running: task,
                        };
                        let outcome = fetch.run(&sender).await;
                        drop(entry);
                        sender.send_replace(outcome);
                    });
                    break running;
                }
            }
        };
        let mut progress = running.progress.clone();
        let now = progress
            .wait_for(|progress| !matches!(progress, Progress::Asking))
            .await;
        let now = now.map_or(Progress::Failed(Failure::Ours), |progress| progress.clone());
        match now {
            Progress::Absent => Ok(None),
            Progress::Failed(failure) => Err(failure.into()),
            Progress::Kept => Ok(Some(Fetched::Kept)),
            Progress::Arriving(head) => {
                let is_small = head
                    .size_bytes
                    .is_none_or(|size| size <= SENT_WHEN_VERIFIED_BYTES);
                let arriving = Arriving {
                    head,
                    progress: running.progress.clone(),
                };
                if is_small {
                    arriving.kept().await?;
                    return Ok(Some(Fetched::Kept));
                }
                Ok(Some(Fetched::Arriving(Arc::new(arriving))))
            }
            Progress::Asking => Err(Failure::Ours.into()),
        }
    }

    fn join(&self, key: &Key, connected: &Arc<Repository>, wanting: &Arc<Repository>) -> Joined {
        let mut map = self
            .0
            .fetches
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = map.get(key) {
            let mut list = running
                .wanting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            return match list.as_mut() {
                Some(list) => {
                    for repository in [connected, wanting] {
                        if !list.iter().any(|known| known.id == repository.id) {
                            list.push(Arc::clone(repository));
                        }
                    }
                    Joined::Running(Arc::clone(running))
                }
                None => Joined::TooLate(Arc::clone(running)),
            };
        }
        let (sender, progress) = watch::channel(Progress::Asking);
        let mut list = vec![Arc::clone(connected)];
        if wanting.id != connected.id {
            list.push(Arc::clone(wanting));
        }
        let running = Arc::new(Running {
            progress,
            wanting: Mutex::new(Some(list)),
        });
        map.insert(key.clone(), Arc::clone(&running));
        Joined::First(running, sender)
    }

    /// Copies the record of a version from one repository of the domain to another, the files that the other lacks
    /// included. False when `from` does not record it.
    pub(crate) async fn retain(
        &self,
        from: &Arc<Repository>,
        to: &Arc<Repository>,
        id: &crate::VersionId,
    ) -> Result<bool> {
        if from.id == to.id {
            return Ok(true);
        }
        let (from, to, id, by) = (
            Arc::clone(from),
            Arc::clone(to),
            id.clone(),
            self.as_packhouse(),
        );
        let assets_per_version = self.0.limits.assets_per_version;
        self.0
            .database
            .write(move |tx| record::retain(tx, &from, &to, &by, &id, assets_per_version))
            .await
    }

    pub(crate) fn as_packhouse(&self) -> By {
        By {
            principal: PRINCIPAL.to_owned(),
            now: self.now(),
        }
    }
}

/// The place of a fetch in the list; given up when it ends, however it ends.
struct Entry {
    catalog: Catalog,
    key: Key,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.catalog
            .0
            .fetches
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

enum Joined {
    First(Arc<Running>, watch::Sender<Progress>),
    Running(Arc<Running>),
    TooLate(Arc<Running>),
}

/// One fetch.
struct Fetch<'a> {
    catalog: &'a Catalog,
    connected: Arc<Repository>,
    format: &'static dyn Format,
    remote: Remote,
    id: AssetId,
    running: Arc<Running>,
}

/// How one attempt ended.
enum Attempt {
    Stored(Stored, Timestamp, Box<Described>),
    Absent,
    /// Other bytes than promised: worth one attempt past the caches on the way.
    Wrong(String),
}

impl Fetch<'_> {
    async fn run(&self, progress: &watch::Sender<Progress>) -> Progress {
        match self.take(progress).await {
            Ok(true) => Progress::Kept,
            Ok(false) => Progress::Absent,
            Err(Error::Remote(error)) => {
                tracing::warn!(asset = %self.id, connection = %self.remote.connection(), error = %error, "not fetched");
                Progress::Failed(Failure::Remote(error))
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(asset = %self.id, error = %error, cause, "a fetch failed");
                Progress::Failed(Failure::Ours)
            }
        }
    }

    async fn take(&self, progress: &watch::Sender<Progress>) -> Result<bool> {
        if self.is_kept().await? {
            return Ok(true);
        }
        let Some(place) = self.format.locate(&self.remote, &self.id).await? else {
            return Ok(false);
        };
        let (stored, modified, described) = match self.attempt(&place, false, progress).await? {
            Attempt::Stored(stored, modified, described) => (stored, modified, described),
            Attempt::Absent => return Ok(false),
            Attempt::Wrong(problem) => {
                tracing::warn!(asset = %self.id, problem, "a registry sent something wrong; asking once more");
                match self.attempt(&place, true, progress).await? {
                    Attempt::Stored(stored, modified, described) => (stored, modified, described),
                    Attempt::Absent => return Ok(false),
                    Attempt::Wrong(message) => return Err(self.wrong(message).into()),
                }
            }
        };
        self.record(place, stored, modified, *described).await?;
        Ok(true)
    }

    /// Whether an earlier fetch has kept it: whoever looked before that ended, and came here after it, begins another one.
    async fn is_kept(&self) -> Result<bool> {
        let (catalog, connected) = (self.catalog, &self.connected);
        if catalog.open_recorded(connected, &self.id).await?.is_none() {
            return Ok(false);
        }
        let wanting = self
            .running
            .wanting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default();
        for other in &wanting {
            catalog.retain(connected, other, &self.id.version).await?;
        }
        Ok(true)
    }

    async fn attempt(
        &self,
        place: &RemoteAsset,
        uncached: bool,
        progress: &watch::Sender<Progress>,
    ) -> Result<Attempt> {
        let Some(body) = self.remote.open(&place.path, uncached).await? else {
            return Ok(Attempt::Absent);
        };
        let RemoteBody {
            size_bytes,
            content_type,
            modified,
            body,
        } = body;
        let mut body = body.fuse();
        let limit_bytes = self.catalog.0.limits.asset_size_bytes;
        if size_bytes.is_some_and(|size| size > limit_bytes) {
            return Err(self.wrong(format!("more than {limit_bytes} bytes")).into());
        }
        let mut incoming = self.catalog.0.blobs.incoming(limit_bytes);
        let head = self.read_head(&mut body).await?;
        let looked_at = &head[..head.len().min(HEAD_BYTES)];
        let recognised = self
            .format
            .recognise(&self.id.name, content_type.as_deref(), looked_at);
        if let Err(problem) = recognised {
            return Ok(Attempt::Wrong(problem));
        }
        let modified = modified.unwrap_or_else(|| self.catalog.now());
        // Those who wait begin to read. Whoever read of an attempt that failed has a broken body already.
        let follow = incoming.follow();
        progress.send_replace(Progress::Arriving(Head {
            size_bytes,
            modified,
            follow,
        }));
        incoming
            .write(head)
            .await
            .map_err(|error| self.too_large(error))?;
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(|error| self.broken(&error))?;
            incoming
                .write(piece)
                .await
                .map_err(|error| self.too_large(error))?;
        }
        let sealed = incoming.seal().await?;
        if let Err(problem) = place.promise.check(sealed.size(), sealed.digests()) {
            return Ok(Attempt::Wrong(problem));
        }
        let described = self.inspect(&sealed, place).await?;
        Ok(Attempt::Stored(
            sealed.keep().await?,
            modified,
            Box::new(described),
        ))
    }

    /// Reads the first bytes; all of them, if there are few.
    async fn read_head(&self, body: &mut Fuse<ByteStream>) -> Result<Bytes> {
        let mut head = BytesMut::new();
        while head.len() < HEAD_BYTES
            && let Some(piece) = body.next().await
        {
            head.extend_from_slice(&piece.map_err(|error| self.broken(&error))?);
        }
        Ok(head.freeze())
    }

    /// Records it where it was fetched and where it was wanted, in one transaction.
    async fn record(
        &self,
        place: RemoteAsset,
        stored: Stored,
        modified: Timestamp,
        described: Described,
    ) -> Result<()> {
        let cap = self.format.describes(&self.id);
        let manifest = match cap {
            Some(cap) if stored.size <= cap => self.describe(&stored, cap).await?,
            _ => described.manifest,
        };
        let by = self.catalog.as_packhouse();
        let location = stored.location;
        let recording = Recording {
            id: self.id.version.clone(),
            way: Way::Taken,
            origin: Origin {
                origin_type: OriginType::External,
                repository: None,
                connection: Some(self.remote.connection().clone()),
            },
            published_upstream: Some(place.published.unwrap_or(modified)),
            assets: vec![NewAsset {
                name: self.id.name.clone(),
                bytes: NewBytes::Stored(stored),
                modified,
                document: described.asset_document.or(place.document),
            }],
            manifest,
            yields: !self.format.outweighs(&self.id),
            document: described.document,
            labels: Vec::new(),
            status: Status::Published,
            open_ended: true,
            assets_per_version: self.catalog.0.limits.assets_per_version,
        };
        let wanting = self
            .running
            .wanting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .unwrap_or_default();
        let first = wanting
            .iter()
            .find(|other| other.id != self.connected.id)
            .unwrap_or(&self.connected);
        let first = Arc::clone(first);
        let connected = Arc::clone(&self.connected);
        let id = self.id.version.clone();
        let recorded: Result<Recorded> = self
            .catalog
            .0
            .database
            .write(move |tx| {
                let recorded = record::record(tx, &connected, &by, &recording)?;
                for other in wanting.iter().filter(|other| other.id != connected.id) {
                    record::retain(
                        tx,
                        &connected,
                        other,
                        &by,
                        &id,
                        recording.assets_per_version,
                    )?;
                }
                Ok(recorded)
            })
            .await;
        match recorded {
            Ok(recorded) => {
                self.catalog.remove_spare(recorded.spare).await;
                if recorded.created && self.catalog.0.completes_versions {
                    let (connected, id) = (Arc::clone(&self.connected), self.id.version.clone());
                    // A full queue is no harm: what is not completed is fetched when it is asked for.
                    let _ = self.catalog.0.completions.try_send(Completion {
                        connected,
                        wanting: first,
                        id,
                    });
                }
                Ok(())
            }
            Err(Error::Conflict { message, .. }) => {
                // Somebody recorded other bytes under the name meanwhile: theirs stay.
                tracing::warn!(asset = %self.id, message, "a registry changed the bytes of a file");
                self.catalog.remove_spare(vec![location]).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// What the bytes say of their version, for a format that looks into them.
    async fn inspect(&self, sealed: &store::Sealed, place: &RemoteAsset) -> Result<Described> {
        let (format, id, place) = (self.format, self.id.clone(), place.clone());
        if !format.inspects(&id) {
            return Ok(Described::default());
        }
        let mut file = sealed.reader();
        let described =
            tokio::task::spawn_blocking(move || format.inspect(&id, &mut file, &place)).await;
        described.map_err(Error::internal)
    }

    async fn describe(&self, stored: &Stored, cap: u64) -> Result<Option<Manifest>> {
        let bytes = self.catalog.0.blobs.read_all(&stored.location, cap).await?;
        match self.format.describe(&self.id, &bytes) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(problem) => {
                tracing::warn!(asset = %self.id, %problem, "kept without its description");
                Ok(None)
            }
        }
    }

    fn wrong(&self, message: String) -> RemoteError {
        RemoteError::Wrong {
            connection: self.remote.connection().clone(),
            message,
        }
    }

    fn broken(&self, error: &io::Error) -> Error {
        Error::Remote(self.remote.broken(error))
    }

    fn too_large(&self, error: store::BlobError) -> Error {
        match Error::from(error) {
            Error::TooLarge { limit_bytes } => {
                self.wrong(format!("more than {limit_bytes} bytes")).into()
            }
            other => other,
        }
    }
}
