//! Lists as their formats render them, kept until something that they were made from changes.
//!
//! A list is made from what repositories on the way record and from documents of registries. With it are kept the stamps
//! of the former and the identities of the latter, so a warm answer compares numbers and asks no database. Whoever asks is
//! authorised first, each time. Memory holds a rendering once, however many are being sent it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use moka::sync::Cache;

use crate::format::Format;
use crate::listing::Listing;
use crate::names::PackageId;
use crate::open::{OpenRepository, note_package};
use crate::remote::{Asking, Remote};
use crate::shelf::Stamp;
use crate::{Error, Result};

/// Bytes of renderings held in memory.
const RENDERED_BYTES: u64 = 128 << 20;

/// Something that is kept by its size.
pub trait Weighed: Any + Send + Sync {
    /// How many bytes of memory it takes, roughly.
    fn weight_bytes(&self) -> usize;

    /// Itself, as something whose type is found out.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

/// What a list was made from.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) stamps: Vec<(Arc<str>, Stamp)>,
    documents: Vec<Source>,
    /// Whether there is something in it that nobody can recognise again.
    is_unclear: bool,
}

/// The document of a registry.
struct Source {
    remote: Remote,
    path: String,
    asking: Asking,
    identity: Identity,
}

/// Which document it was.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Identity {
    These(Arc<str>),
    Absent,
    NotToBeHad,
}

impl Sources {
    /// Adds the document that a registry is looked up in.
    pub(crate) async fn add(&mut self, format: &dyn Format, remote: &Remote, id: &PackageId) {
        let Some((path, asking)) = format.index(id) else {
            self.is_unclear = true;
            return;
        };
        let identity = identity(remote, &path, &asking).await;
        self.documents.push(Source {
            remote: remote.clone(),
            path,
            asking,
            identity,
        });
    }
}

async fn identity(remote: &Remote, path: &str, asking: &Asking) -> Identity {
    match remote.document(path, asking).await {
        Ok(Some(document)) => Identity::These(document.identity),
        Ok(None) => Identity::Absent,
        Err(_) => Identity::NotToBeHad,
    }
}

type Key = (Arc<str>, PackageId, String);

struct Entry {
    sources: Sources,
    rendering: Arc<dyn Weighed>,
}

/// The renderings at hand.
pub(crate) struct Renderings {
    kept: Cache<Key, Arc<Entry>>,
    /// Those being made: who else wants one waits.
    making: Mutex<HashMap<Key, Weak<tokio::sync::Mutex<()>>>>,
}

impl Default for Renderings {
    fn default() -> Self {
        let kept = Cache::builder()
            .max_capacity(RENDERED_BYTES)
            .weigher(|_: &Key, entry: &Arc<Entry>| {
                u32::try_from(entry.rendering.weight_bytes()).unwrap_or(u32::MAX)
            })
            .build();
        Self {
            kept,
            making: Mutex::default(),
        }
    }
}

impl Renderings {
    fn making(&self, key: &Key) -> Arc<tokio::sync::Mutex<()>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = making.get(key).and_then(Weak::upgrade) {
            return lock;
        }
        making.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        making.insert(key.clone(), Arc::downgrade(&lock));
        lock
    }
}

impl OpenRepository {
    /// [`OpenRepository::package`], rendered by a format: from memory while nothing that it was made from has changed.
    ///
    /// `variant` says all that the rendering depends on besides the package: which document, for which base address.
    /// `render` runs on a thread that may block, once for all who ask at the same time.
    pub async fn rendered<T: Weighed>(
        &self,
        id: &PackageId,
        variant: &str,
        render: impl FnOnce(Listing) -> Result<T> + Send + 'static,
    ) -> Result<Option<Arc<T>>> {
        note_package(id);
        self.may_read().await?;
        let renderings = &self.catalog.0.renderings;
        let key = (
            Arc::clone(&self.repository.id),
            id.clone(),
            variant.to_owned(),
        );
        if let Some(rendering) = self.still_good(&key).await {
            return Ok(Some(rendering));
        }
        let lock = renderings.making(&key);
        let _turn = lock.lock().await;
        if let Some(rendering) = self.still_good(&key).await {
            return Ok(Some(rendering));
        }
        let (listing, sources) = self.list(id).await?;
        let Some(listing) = listing else {
            return Ok(None);
        };
        let rendering = tokio::task::spawn_blocking(move || render(listing)).await;
        let rendering = Arc::new(rendering.map_err(Error::internal)??);
        if !sources.is_unclear {
            let entry = Entry {
                sources,
                rendering: Arc::clone(&rendering) as Arc<dyn Weighed>,
            };
            renderings.kept.insert(key, Arc::new(entry));
        }
        Ok(Some(rendering))
    }

    async fn still_good<T: Weighed>(&self, key: &Key) -> Option<Arc<T>> {
        let entry = self.catalog.0.renderings.kept.get(key)?;
        if !self.catalog.0.shelf.stands(&entry.sources.stamps) {
            return None;
        }
        for source in &entry.sources.documents {
            let now = identity(&source.remote, &source.path, &source.asking).await;
            if now != source.identity {
                return None;
            }
        }
        Arc::clone(&entry.rendering).as_any().downcast().ok()
    }
}
