//! Copies in the database and among the blobs, shared by all processes of the installation.
//!
//! Bytes first, then the row; the bytes of a copy that was replaced are removed after the commit. Who read the old row
//! just before finds no bytes and reads the row again.

use std::sync::Arc;

use aws::Timestamp;
use bytes::Bytes;
use futures_util::stream;
use store::{BlobError, BlobStore, Database, Location, Row, Tx, Value};

use super::Key;
use super::kept::{Kept, Recorded, Validators};

const FIND: &str = "
    SELECT location, size_bytes, sha256, etag, last_modified, changed, asked
      FROM remote_documents
     WHERE connection = $1
       AND path = $2";

const LOCATION: &str = "
    SELECT location
      FROM remote_documents
     WHERE connection = $1
       AND path = $2";

const KEEP: &str = "
    INSERT INTO remote_documents
           (connection, path, location, size_bytes, sha256, etag, last_modified, changed, asked)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (connection, path) DO UPDATE
       SET location = excluded.location,
           size_bytes = excluded.size_bytes,
           sha256 = excluded.sha256,
           etag = excluded.etag,
           last_modified = excluded.last_modified,
           changed = excluded.changed,
           asked = excluded.asked";

const TOUCH: &str = "
    UPDATE remote_documents
       SET etag = $3,
           last_modified = $4,
           changed = $5,
           asked = $6
     WHERE connection = $1
       AND path = $2
       AND sha256 = $7
       AND asked < $6";

/// The shared copies.
pub(super) struct Records {
    database: Database,
    blobs: BlobStore,
}

/// Why a recorded copy cannot be had.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Row(#[from] store::Error),
    #[error(transparent)]
    Bytes(#[from] BlobError),
}

impl Records {
    pub(super) fn new(database: &Database, blobs: &BlobStore) -> Self {
        Self {
            database: database.clone(),
            blobs: blobs.clone(),
        }
    }

    /// The newest copy: that of the database, or `in_memory` when that is as new.
    pub(super) async fn find(&self, key: &Key, in_memory: Option<Arc<Kept>>) -> Option<Arc<Kept>> {
        match self.recorded(key, in_memory.as_ref()).await {
            Ok(found) => found.map(Arc::new).or(in_memory),
            Err(error) => {
                warn(
                    key,
                    "a copy of a public registry's document cannot be read",
                    &error,
                );
                in_memory
            }
        }
    }

    /// The copy of the database if it is newer than that in memory.
    async fn recorded(
        &self,
        key: &Key,
        in_memory: Option<&Arc<Kept>>,
    ) -> Result<Option<Kept>, Unread> {
        let mut again = true;
        loop {
            let rows = self.database.rows(FIND, id(key)).await?;
            let Some(recorded) = rows.first().map(read).transpose()? else {
                return Ok(None);
            };
            if in_memory.is_some_and(|copy| copy.asked >= recorded.asked) {
                return Ok(None);
            }
            match self.bytes(&recorded, in_memory).await {
                Ok(body) => return Ok(Some(recorded.with(body))),
                Err(BlobError::Missing { .. }) if again => again = false,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn bytes(
        &self,
        recorded: &Recorded,
        in_memory: Option<&Arc<Kept>>,
    ) -> Result<Option<Bytes>, BlobError> {
        let Some(location) = &recorded.location else {
            return Ok(None);
        };
        let content = in_memory.and_then(|copy| copy.content.as_ref());
        if let Some(same) = content.filter(|content| content.sha256 == recorded.sha256) {
            return Ok(Some(same.body.clone()));
        }
        self.blobs
            .read_all(location, recorded.size_bytes)
            .await
            .map(Some)
    }

    /// Records that the same bytes were seen again. Another process may have recorded others meanwhile: those stay.
    pub(super) async fn touch(&self, key: &Key, kept: &Kept) {
        let Some(content) = &kept.content else { return };
        let mut values = id(key);
        values.extend([
            kept.validators.etag.as_deref().into(),
            kept.validators.last_modified.as_deref().into(),
            kept.changed.millis().into(),
            kept.asked.millis().into(),
            content.sha256.as_ref().into(),
        ]);
        let done = self
            .database
            .write(move |tx: &mut Tx<'_>| tx.execute(TOUCH, &values))
            .await;
        if let Err::<u64, store::Error>(error) = done {
            warn(
                key,
                "a copy of a public registry's document is not recorded as fresh",
                &error,
            );
        }
    }

    /// Records a new copy, or that there is none, in place of what was recorded.
    pub(super) async fn keep(&self, key: &Key, kept: &Kept) {
        if let Err(error) = self.replace(key, kept).await {
            warn(
                key,
                "a copy of a public registry's document is not recorded",
                &error,
            );
        }
    }

    async fn replace(&self, key: &Key, kept: &Kept) -> Result<(), Unread> {
        let location = match &kept.content {
            Some(content) => Some(self.put(content.body.clone()).await?),
            None => None,
        };
        let content = kept.content.as_ref();
        let mut values = id(key);
        values.extend([
            location.map(|location| location.to_string()).into(),
            content
                .map_or(0, |content| content.body.len() as u64)
                .into(),
            content.map_or("", |content| &content.sha256).into(),
            kept.validators.etag.as_deref().into(),
            kept.validators.last_modified.as_deref().into(),
            kept.changed.millis().into(),
            kept.asked.millis().into(),
        ]);
        // When this fails the new bytes stay: a lost connection does not tell whether the row was kept. The sweep knows.
        let replaced = self.database.write(move |tx: &mut Tx<'_>| {
            let before = tx.rows(LOCATION, &values[..2])?;
            tx.execute(KEEP, &values)?;
            let before = before
                .first()
                .map(|row| row.opt_parse::<Location>("location"))
                .transpose()?;
            Ok::<_, store::Error>(before.flatten())
        });
        if let Some(replaced) = replaced.await? {
            self.blobs.remove(&replaced).await?;
        }
        Ok(())
    }

    async fn put(&self, body: Bytes) -> Result<Location, BlobError> {
        let size = body.len() as u64;
        let stored = self.blobs.put(stream::iter([Ok(body)]), size).await?;
        Ok(stored.location)
    }
}

fn id((connection, path): &Key) -> Vec<Value> {
    vec![connection.as_str().into(), path.as_ref().into()]
}

fn read(row: &Row) -> Result<Recorded, store::Error> {
    Ok(Recorded {
        location: row.opt_parse("location")?,
        size_bytes: row.size("size_bytes")?,
        sha256: row.as_str("sha256")?.into(),
        validators: Validators {
            etag: row.opt_text("etag")?,
            last_modified: row.opt_text("last_modified")?,
        },
        changed: Timestamp::from_millis(row.int("changed")?),
        asked: Timestamp::from_millis(row.int("asked")?),
    })
}

fn warn((connection, path): &Key, message: &'static str, error: &dyn std::error::Error) {
    let cause = error.source().map(ToString::to_string);
    tracing::warn!(%connection, %path, %error, cause, "{message}");
}
