//! Bytes that nothing refers to, and notes that have run out.
//!
//! A row of a blob goes first, in a transaction and only if nothing refers to it; its bytes after that. A publish that
//! finds no row keeps the bytes it brought. So the bytes of a live row are never touched, without a lock between the two.
//! Rows are kept while history inside the window may refer to them; bytes without a row (a crash, a lost race) for a day,
//! because their transaction may still be coming.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::TryStreamExt as _;

use crate::{Catalog, Error, Result};

/// How long bytes without a row are left alone.
const UNCLAIMED: Duration = Duration::from_hours(24);

/// How far back history can be read with its bytes: a row that nothing refers to stays this long after it was stored.
const HISTORY: Duration = Duration::from_hours(30 * 24);

/// Rows removed in one transaction, so that writers are not held up.
const BATCH: i64 = 500;

const FORGET_BLOBS: &str = "
    DELETE FROM blobs
     WHERE id IN (SELECT blobs.id
                    FROM blobs
                   WHERE stored < $1
                     AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.blob_id = blobs.id)
                   ORDER BY blobs.id
                   LIMIT $2)";

const FORGET_NOTES: &str = "
    DELETE FROM notes
     WHERE expires <= $1";

const CLAIMED: &str = "
    SELECT location
      FROM blobs
     WHERE location > $1
     UNION
    SELECT location
      FROM remote_documents
     WHERE location > $1
     ORDER BY location
     LIMIT $2";

/// Locations read at a time.
const PAGE: i64 = 10_000;

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
        let before = now.minus(HISTORY).millis();
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
        swept.notes = database
            .write(move |tx| Ok::<_, Error>(tx.execute(FORGET_NOTES, &[now.millis().into()])?))
            .await?;

        // What is there is listed before what is claimed: bytes that come in between are not in the first list.
        let unclaimed_before = now.minus(UNCLAIMED).millis();
        let mut listed = self.0.blobs.list();
        let mut present = Vec::new();
        while let Some(blob) = listed.try_next().await? {
            if blob.modified_at < unclaimed_before {
                present.push(blob);
            }
        }
        let claimed = self.claimed().await?;
        for blob in present {
            if !claimed.contains(&blob.location.to_string()) {
                self.0.blobs.remove(&blob.location).await?;
                swept.blobs += 1;
                swept.bytes += blob.size;
            }
        }
        Ok(swept)
    }

    async fn claimed(&self) -> Result<HashSet<String>> {
        let mut claimed = HashSet::new();
        let mut after = String::new();
        loop {
            let rows = self
                .0
                .database
                .rows(CLAIMED, vec![after.as_str().into(), PAGE.into()])
                .await?;
            for row in &rows {
                after = row.text("location")?;
                claimed.insert(after.clone());
            }
            if rows.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(claimed);
            }
        }
    }
}
