//! The rows of blobs: equal bytes of a domain stand in one, whoever brought them.

use store::{Location, Stored, Tx};

use super::NewBytes;
use crate::change::By;
use crate::ids::new_id;
use crate::repository::Repository;
use crate::{Error, Result, scrub};

const INSERT_BLOB: &str = "
    INSERT INTO blobs (id, domain_id, size_bytes, md5, sha1, sha256, sha512, location, stored)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (domain_id, sha256) DO NOTHING";

const BLOB: &str = "
    SELECT id, location
      FROM blobs
     WHERE domain_id = $1
       AND sha256 = $2";

const QUARANTINED: &str = "
    SELECT blob_id
      FROM quarantined_blobs
     WHERE blob_id = $1";

const SET_LOCATION: &str = "
    UPDATE blobs
       SET location = $2
     WHERE id = $1";

const CLAIM: &str = "
    DELETE FROM released_blobs
     WHERE blob_id = $1";

/// Says that something refers to a blob again: how long nothing did counts from the next time.
pub(crate) fn claim_blob(tx: &mut Tx<'_>, blob_id: &str) -> Result<()> {
    tx.execute(CLAIM, &[blob_id.into()])?;
    Ok(())
}

/// Gives a blob in quarantine the bytes that were brought along; false when it is well. The sweep takes the damaged ones.
pub(super) fn heal(tx: &mut Tx<'_>, blob_id: &str, stored: &Stored) -> Result<bool> {
    if tx.rows(QUARANTINED, &[blob_id.into()])?.is_empty() {
        return Ok(false);
    }
    tx.execute(
        SET_LOCATION,
        &[blob_id.into(), stored.location.to_string().into()],
    )?;
    scrub::release(tx, blob_id)?;
    Ok(true)
}

/// The domain's row for these bytes. If it has them already, the ones brought along are spare.
pub(super) fn ensure_blob(
    tx: &mut Tx<'_>,
    repository: &Repository,
    by: &By,
    bytes: &NewBytes,
) -> Result<(String, Location, Option<Location>)> {
    let stored = match bytes {
        NewBytes::Shared(row) => {
            claim_blob(tx, &row.blob_id)?;
            return Ok((row.blob_id.clone(), row.location, None));
        }
        NewBytes::Stored(stored) => stored,
    };
    let digests = &stored.digests;
    let id = new_id(by.now)?;
    let inserted = tx.execute(
        INSERT_BLOB,
        &[
            id.as_str().into(),
            (&*repository.domain.id).into(),
            stored.size.into(),
            digests.md5.as_str().into(),
            digests.sha1.as_str().into(),
            digests.sha256.as_str().into(),
            digests.sha512.as_str().into(),
            stored.location.to_string().into(),
            by.now.millis().into(),
        ],
    )?;
    if inserted == 1 {
        return Ok((id, stored.location, None));
    }
    let rows = tx.rows(
        BLOB,
        &[
            (&*repository.domain.id).into(),
            digests.sha256.as_str().into(),
        ],
    )?;
    let row = rows
        .first()
        .ok_or_else(|| Error::internal("a blob that is in the way is not there"))?;
    claim_blob(tx, row.as_str("id")?)?;
    if heal(tx, row.as_str("id")?, stored)? {
        return Ok((row.text("id")?, stored.location, None));
    }
    Ok((
        row.text("id")?,
        row.parse("location")?,
        Some(stored.location),
    ))
}
