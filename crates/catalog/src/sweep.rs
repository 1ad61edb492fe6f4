//! Bytes that nothing refers to, and what need not be remembered any more: notes, and what registries did not have.
//!
//! A row of a blob goes first, in a transaction and only if nothing refers to it; its bytes after that. A publish that
//! finds no row keeps the bytes it brought. So the bytes of a live row are never touched, without a lock between the two.
//!
//! A row that nothing refers to is noted with the time when a sweep first saw it so, whichever way that came about (a
//! version, a package, a repository that was deleted), and goes when it has been so for as long as a version can be
//! brought back. Whatever refers to it again takes the note away. Bytes without a row (a crash, a lost race) are kept for a
//! day, because their transaction may still be coming.

use std::collections::HashSet;
use std::time::Duration;

use aws::Timestamp;
use futures_util::stream::TryChunksError;
use futures_util::{StreamExt as _, TryStreamExt as _};
use store::Location;

use crate::removed::{self, WINDOW};
use crate::{Catalog, Error, Result};

/// How long bytes without a row are left alone.
const UNCLAIMED: Duration = Duration::from_hours(24);

/// Blobs looked at in one transaction.
const LOOK: i64 = 20_000;

/// Rows removed in one transaction, so that writers are not held up.
const BATCH: i64 = 500;

/// Nothing refers to these, and nobody has noticed yet.
const RELEASE: &str = "
    INSERT INTO released_blobs (blob_id, since)
    SELECT blobs.id, $1
      FROM blobs
     WHERE blobs.id > $2
       AND blobs.id <= $3
       AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.blob_id = blobs.id)
    ON CONFLICT (blob_id) DO NOTHING";

/// The last of the next blobs.
const SLICE: &str = "
    SELECT MAX(id) AS last
      FROM (SELECT id
              FROM blobs
             WHERE id > $1
             ORDER BY id
             LIMIT $2) AS slice";

/// Something refers to these after all: for what no transaction has taken back by itself.
const CLAIM: &str = "
    DELETE FROM released_blobs
     WHERE EXISTS (SELECT 1 FROM assets WHERE assets.blob_id = released_blobs.blob_id)";

const FORGET_BLOBS: &str = "
    DELETE FROM blobs
     WHERE id IN (SELECT released_blobs.blob_id
                    FROM released_blobs
                   WHERE since <= $1
                     AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.blob_id = released_blobs.blob_id)
                   ORDER BY since
                   LIMIT $2)";

const FORGET_NOTES: &str = "
    DELETE FROM notes
     WHERE expires <= $1";

/// What a registry did not have. Documents themselves stay, however old: they answer when it is gone.
const FORGET_ABSENT: &str = "
    DELETE FROM remote_documents
     WHERE location IS NULL
       AND asked <= $1";

const CLAIMED: &str = "
    SELECT location
      FROM blobs
     WHERE location BETWEEN $1 AND $2
     UNION
    SELECT location
      FROM remote_documents
     WHERE location BETWEEN $1 AND $2";

/// Bytes whose rows are looked for at a time.
const PAGE: usize = 1_000;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Rows of blobs that nothing referred to.
    pub rows: u64,
    /// Blobs removed.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Notes that had run out.
    pub notes: u64,
}

impl Catalog {
    /// Removes what nothing refers to. One process at a time should do it; two do no harm.
    pub async fn sweep(&self) -> Result<Swept> {
        let now = self.now();
        let database = &self.0.database;
        let mut swept = Swept::default();
        self.release(now).await?;
        let before = now.minus(WINDOW).millis();
        loop {
            let gone = database
                .write(move |tx| {
                    Ok::<_, Error>(tx.execute(FORGET_BLOBS, &[before.into(), BATCH.into()])?)
                })
                .await?;
            swept.rows += gone;
            if gone == 0 {
                break;
            }
        }
        while database
            .write(move |tx| removed::forget(tx, now, BATCH))
            .await?
            > 0
        {}
        swept.notes = database
            .write(move |tx| Ok::<_, Error>(tx.execute(FORGET_NOTES, &[now.millis().into()])?))
            .await?;

        // Nobody believes for that long that there is none, and whoever asks for many names makes many rows.
        let asked_before = now.minus(UNCLAIMED).millis();
        database
            .write(move |tx| Ok::<_, Error>(tx.execute(FORGET_ABSENT, &[asked_before.into()])?))
            .await?;

        // What is there is listed before what is claimed: bytes that come in between are not in the list. Listed are they by
        // location, so of the rows no more are read than of the bytes.
        let unclaimed_before = now.minus(UNCLAIMED).millis();
        let mut pages = self.0.blobs.list().try_chunks(PAGE);
        while let Some(page) = pages.next().await {
            let mut page = page.map_err(|TryChunksError(_, error)| error)?;
            page.retain(|blob| blob.modified_at < unclaimed_before);
            let claimed = self.claimed(&page).await?;
            for blob in page {
                if !claimed.contains(&blob.location) {
                    self.0.blobs.remove(&blob.location).await?;
                    swept.blobs += 1;
                    swept.bytes += blob.size;
                }
            }
        }
        Ok(swept)
    }

    /// Notes which blobs nothing refers to any more.
    async fn release(&self, now: Timestamp) -> Result<()> {
        let database = &self.0.database;
        database
            .write(|tx| Ok::<_, Error>(tx.execute(CLAIM, &[])?))
            .await?;
        let mut from = String::new();
        loop {
            let rows = database
                .rows(SLICE, vec![from.as_str().into(), LOOK.into()])
                .await?;
            let Some(last) = rows
                .first()
                .map(|row| row.opt_text("last"))
                .transpose()?
                .flatten()
            else {
                return Ok(());
            };
            let values = [
                now.millis().into(),
                from.as_str().into(),
                last.as_str().into(),
            ];
            database
                .write(move |tx| Ok::<_, Error>(tx.execute(RELEASE, &values)?))
                .await?;
            from = last;
        }
    }

    /// Which of these something has a row for, and perhaps others in between.
    async fn claimed(&self, page: &[store::Listed]) -> Result<HashSet<Location>> {
        let locations = || page.iter().map(|blob| blob.location);
        let (Some(first), Some(last)) = (locations().min(), locations().max()) else {
            return Ok(HashSet::new());
        };
        let values = vec![first.into(), last.into()];
        let rows = self.0.database.rows(CLAIMED, values).await?;
        let locations = rows.iter().map(|row| row.parse("location"));
        Ok(locations.collect::<Result<_, _>>()?)
    }
}
