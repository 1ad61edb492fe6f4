//! Small blobs in memory: the most asked for, up to a number of bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use moka::sync::Cache;
use tokio::sync::OnceCell;

use super::{BlobError, Location};

/// What an entry takes beside its bytes: key, links and counters.
const OVERHEAD: u32 = 256;

pub(super) struct Memory {
    kept: Cache<Location, Bytes>,
    /// Those being read; whoever asks meanwhile waits for the same reading.
    loading: Mutex<HashMap<Location, Arc<OnceCell<Bytes>>>>,
}

impl Memory {
    pub(super) fn new(bytes: u64) -> Self {
        let kept = Cache::builder()
            .max_capacity(bytes)
            .weigher(|_, bytes: &Bytes| {
                u32::try_from(bytes.len())
                    .unwrap_or(u32::MAX)
                    .saturating_add(OVERHEAD)
            })
            .build();
        Self {
            kept,
            loading: Mutex::default(),
        }
    }

    pub(super) fn get(&self, location: &Location) -> Option<Bytes> {
        self.kept.get(location)
    }

    pub(super) fn forget(&self, location: &Location) {
        self.kept.invalidate(location);
    }

    /// The bytes in memory, or those that `load` reads; of several who ask at once one loads, and if it is cancelled, the next.
    pub(super) async fn get_or_load(
        &self,
        location: Location,
        load: impl AsyncFnOnce() -> Result<Bytes, BlobError>,
    ) -> Result<Bytes, BlobError> {
        if let Some(bytes) = self.get(&location) {
            return Ok(bytes);
        }
        let turn = Turn {
            memory: self,
            location,
            cell: self.turn(location),
        };
        turn.cell
            .get_or_try_init(async || {
                let bytes = load().await?;
                self.kept.insert(location, bytes.clone());
                Ok(bytes)
            })
            .await
            .cloned()
    }

    fn turn(&self, location: Location) -> Arc<OnceCell<Bytes>> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(loading.entry(location).or_default())
    }
}

/// One who waits for a reading; the last to go takes it off the list, however it goes.
struct Turn<'a> {
    memory: &'a Memory,
    location: Location,
    cell: Arc<OnceCell<Bytes>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut loading = self
            .memory
            .loading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Two: this one and the list's. Others cannot come in between, for they need the lock.
        if Arc::strong_count(&self.cell) == 2 {
            loading.remove(&self.location);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn of_many_who_ask_at_once_one_reads() {
        let memory = Memory::new(1 << 20);
        let location = Location::random();
        let reads = AtomicU32::new(0);
        let asked = (0..16).map(|_| {
            memory.get_or_load(location, async || {
                tokio::task::yield_now().await;
                reads.fetch_add(1, Ordering::Relaxed);
                Ok(Bytes::from_static(b"left-pad"))
            })
        });
        for answer in join_all(asked).await {
            assert_eq!(answer.unwrap(), "left-pad");
        }
        assert_eq!(reads.into_inner(), 1);
        assert!(memory.loading.lock().unwrap().is_empty());
        assert_eq!(memory.get(&location).unwrap(), "left-pad");
    }

    #[tokio::test]
    async fn a_failed_reading_is_tried_again_by_the_next() {
        let memory = Memory::new(1 << 20);
        let location = Location::random();
        let failed = memory
            .get_or_load(location, async || Err(BlobError::Broken))
            .await;
        assert!(matches!(failed, Err(BlobError::Broken)));
        let read = memory
            .get_or_load(location, async || Ok(Bytes::from_static(b"x")))
            .await;
        assert_eq!(read.unwrap(), "x");
        assert!(memory.loading.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn memory_is_bounded() {
        let memory = Memory::new(100_000);
        for _ in 0..100 {
            let load = async || Ok(Bytes::from(vec![0; 10_000]));
            memory.get_or_load(Location::random(), load).await.unwrap();
        }
        memory.kept.run_pending_tasks();
        assert!(memory.kept.weighted_size() <= 100_000);
    }
}
