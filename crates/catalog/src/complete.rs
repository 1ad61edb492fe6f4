//! The further files of a version that a registry was asked for: fetched in the background, so that a later build that
//! wants sources, or another variant, finds them when the registry is gone.
//!
//! A queue with an end: what does not fit is fetched when somebody asks for it.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

use crate::fetch::Fetched;
use crate::names::{AssetName, VersionId};
use crate::repository::Repository;
use crate::{Catalog, Inner, Result};

/// Versions that may wait.
const WAITING: usize = 1_000;

/// Versions completed at a time: few, because clients come first.
const AT_A_TIME: usize = 2;

/// A version to be completed.
pub(crate) struct Completion {
    pub(crate) connected: Arc<Repository>,
    pub(crate) wanting: Arc<Repository>,
    pub(crate) id: VersionId,
}

/// The queue, and what works it off once a catalog is given to it.
pub(crate) fn queue() -> (mpsc::Sender<Completion>, mpsc::Receiver<Completion>) {
    mpsc::channel(WAITING)
}

/// Works the queue off for as long as the catalog lives.
pub(crate) async fn work(catalog: Weak<Inner>, mut queue: mpsc::Receiver<Completion>) {
    let slots = Arc::new(tokio::sync::Semaphore::new(AT_A_TIME));
    while let Some(completion) = queue.recv().await {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
            return;
        };
        let Some(inner) = catalog.upgrade() else {
            return;
        };
        let catalog = Catalog(inner);
        if catalog.0.tasks.is_closed() {
            return;
        }
        tokio::spawn(async move {
            if let Err(error) = catalog.complete(&completion).await {
                tracing::debug!(version = %completion.id, error = %error, "not completed");
            }
            drop(slot);
        });
    }
}

impl Catalog {
    async fn complete(&self, completion: &Completion) -> Result<()> {
        let Completion { connected, id, .. } = completion;
        let Some(format) = self.0.formats.named(id.package.format.as_str()) else {
            return Ok(());
        };
        let Some(row) = self.recorded(connected, id).await? else {
            return Ok(());
        };
        let mut present = self.names(&row.id).await?;
        for name in format.companions(id, &present, None) {
            self.fetch_companion(completion, name).await?;
        }
        // What describes the version may say that there is more.
        present = self.names(&row.id).await?;
        let describing = present.iter().find_map(|name| {
            let asset = id.asset(name.clone());
            format.describes(&asset).map(|cap| (asset, cap))
        });
        let Some((asset, cap)) = describing else {
            return Ok(());
        };
        let Some(asset) = self.open_recorded(connected, &asset).await? else {
            return Ok(());
        };
        let Some(location) = asset.location() else {
            return Ok(());
        };
        let bytes = self.0.blobs.read_all(location, cap).await?;
        for name in format.companions(id, &present, Some(&bytes)) {
            self.fetch_companion(completion, name).await?;
        }
        Ok(())
    }

    async fn names(&self, version_id: &str) -> Result<Vec<AssetName>> {
        Ok(self
            .recorded_assets(version_id)
            .await?
            .into_iter()
            .map(|asset| asset.name)
            .collect())
    }

    async fn fetch_companion(&self, completion: &Completion, name: AssetName) -> Result<()> {
        let Completion {
            connected,
            wanting,
            id,
        } = completion;
        let asset = id.asset(name);
        if self.open_recorded(connected, &asset).await?.is_some() {
            return Ok(());
        }
        if let Some(Fetched::Arriving(arriving)) = self.fetch(connected, wanting, &asset).await? {
            arriving.kept().await?;
        }
        Ok(())
    }
}
