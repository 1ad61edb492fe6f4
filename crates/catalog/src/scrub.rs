//! Reading all bytes again: what is not what it was when it came is put into quarantine.
//!
//! A blob in quarantine is not sent to anybody (`screen.rs`) and its versions stay as they are. It leaves it when the same
//! bytes come again, by a client or from a registry, or when a later scrub finds that they are well.

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use store::{BlobError, Location, Tx, Value};

use aws::Timestamp;

use crate::job::{Counts, JobRun};
use crate::page::Page;
use crate::shelf::packages_topic;
use crate::{Catalog, Error, Result};

/// Blobs read from the database at a time; what was done so far is written down as often.
const AT_A_TIME: i64 = 200;

/// A transfer that broke off is no damage.
const TRIES: u32 = 2;

const NEXT: &str = "
    SELECT blobs.id, size_bytes, sha256, location, quarantined_blobs.blob_id AS quarantined
      FROM blobs
      LEFT JOIN quarantined_blobs ON quarantined_blobs.blob_id = blobs.id
     WHERE blobs.id > $1
     ORDER BY blobs.id
     LIMIT $2";

const QUARANTINE: &str = "
    INSERT INTO quarantined_blobs (blob_id, found, run_id, problem)
    SELECT id, $2, $3, $4
      FROM blobs
     WHERE id = $1
       AND location = $5
    ON CONFLICT (blob_id) DO NOTHING";

const RELEASE: &str = "
    DELETE FROM quarantined_blobs
     WHERE blob_id = $1";

const REPOSITORIES: &str = "
    SELECT DISTINCT packages.repository_id
      FROM assets
      JOIN versions ON versions.id = assets.version_id
      JOIN packages ON packages.id = versions.package_id
     WHERE assets.blob_id = $1";

/// With one of the places where each is used.
const LIST: &str = "
    SELECT blobs.id, blobs.size_bytes, blobs.sha256, quarantined_blobs.found, quarantined_blobs.problem,
           quarantined_blobs.run_id, domains.owner, domains.name AS domain,
           (SELECT COUNT(*) FROM assets WHERE assets.blob_id = blobs.id) AS uses
      FROM quarantined_blobs
      JOIN blobs ON blobs.id = quarantined_blobs.blob_id
      JOIN domains ON domains.id = blobs.domain_id
     WHERE blobs.id > $1
     ORDER BY blobs.id
     LIMIT $2";

/// A blob whose bytes are not what they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedBlob {
    /// Its id.
    pub id: String,
    /// The account that owns its domain.
    pub owner: String,
    /// Its domain.
    pub domain: String,
    /// The SHA-256 that it should have; files are found by it.
    pub sha256: String,
    /// The size in bytes that it should have.
    pub size_bytes: u64,
    /// What is wrong.
    pub problem: String,
    /// When that was found.
    pub found: Timestamp,
    /// By which run.
    pub run: String,
    /// How many files of versions have it.
    pub uses: u64,
}

impl Catalog {
    /// Reads every blob and compares it with what is recorded of it; puts into quarantine what differs, and takes out what
    /// is well again. Writes down as it goes what it has done: `blobs`, `bytes`, `damaged`, `healed`.
    pub async fn scrub(&self, run: &JobRun) -> Result<Counts> {
        let (mut after, mut counts) = (String::new(), Counts::new());
        let names = ["blobs", "bytes", "damaged", "healed"];
        counts.extend(names.map(|name| (name.to_owned(), 0)));
        loop {
            let values = vec![after.as_str().into(), AT_A_TIME.into()];
            let rows = self.0.database.rows(NEXT, values).await?;
            for row in &rows {
                after = row.text("id")?;
                let size = row.size("size_bytes")?;
                let location: Location = row.parse("location")?;
                let problem = self.problem(&location, size, row.as_str("sha256")?).await?;
                let was_damaged = row.opt_text("quarantined")?.is_some();
                let mut add =
                    |name: &str, more: u64| *counts.entry(name.to_owned()).or_default() += more;
                add("blobs", 1);
                add("bytes", size);
                match problem {
                    Some(problem) => {
                        add("damaged", 1);
                        if !was_damaged {
                            tracing::error!(blob.id = after, %problem, "bytes are not what they were");
                            self.quarantine(run, &after, &location, problem).await?;
                        }
                    }
                    None if was_damaged => {
                        add("healed", 1);
                        let id = after.clone();
                        self.0.database.write(move |tx| release(tx, &id)).await?;
                    }
                    None => {}
                }
            }
            self.count_job(run, counts.clone()).await?;
            if rows.is_empty() {
                return Ok(counts);
            }
        }
    }

    /// What is wrong with the bytes, if anything is. Errors: they cannot be looked at just now.
    async fn problem(
        &self,
        location: &Location,
        size: u64,
        sha256: &str,
    ) -> Result<Option<String>> {
        let mut problem = None;
        for _ in 0..TRIES {
            problem = self.look(location, size, sha256).await?;
            if problem.is_none() {
                break;
            }
        }
        Ok(problem)
    }

    async fn look(&self, location: &Location, size: u64, sha256: &str) -> Result<Option<String>> {
        let (mut read, mut hash) = (0_u64, Sha256::new());
        if size > 0 {
            let mut body = match self.0.blobs.read_stored(location, size).await {
                Ok(body) => body,
                Err(BlobError::Unavailable(source)) => {
                    return Err(BlobError::Unavailable(source).into());
                }
                Err(error) => return Ok(Some(error.to_string())),
            };
            loop {
                match body.try_next().await {
                    Ok(Some(piece)) => {
                        read += piece.len() as u64;
                        hash.update(&piece);
                    }
                    Ok(None) => break,
                    Err(error) => return Ok(Some(format!("cannot be read: {error}"))),
                }
            }
        }
        let found = hex::encode(hash.finalize());
        Ok(if read != size {
            Some(format!("has {read} bytes instead of {size}"))
        } else if found != sha256 {
            Some(format!("has SHA-256 {found} instead of {sha256}"))
        } else {
            None
        })
    }

    async fn quarantine(
        &self,
        run: &JobRun,
        id: &str,
        location: &Location,
        problem: String,
    ) -> Result<()> {
        let values = [
            Value::from(id),
            self.now().millis().into(),
            run.id.as_str().into(),
            problem.into(),
            location.to_string().into(),
        ];
        let put = move |tx: &mut Tx<'_>| {
            tx.execute(QUARANTINE, &values)?;
            touch(tx, &values[0])
        };
        self.0.database.write(put).await
    }

    /// What is in quarantine.
    pub async fn quarantined(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<QuarantinedBlob>> {
        let values = vec![after.unwrap_or("").into(), (i64::from(limit) + 1).into()];
        let rows = self.0.database.rows(LIST, values).await?;
        let blobs = rows.iter().map(|row| {
            Ok(QuarantinedBlob {
                id: row.text("id")?,
                owner: row.text("owner")?,
                domain: row.text("domain")?,
                sha256: row.text("sha256")?,
                size_bytes: row.size("size_bytes")?,
                problem: row.text("problem")?,
                found: Timestamp::from_millis(row.int("found")?),
                run: row.text("run_id")?,
                uses: row.size("uses")?,
            })
        });
        let blobs = blobs.collect::<Result<Vec<_>>>()?;
        Ok(Page::cut(blobs, limit, |blob| blob.id.clone()))
    }
}

/// Takes a blob out of quarantine.
pub(crate) fn release(tx: &mut Tx<'_>, id: &str) -> Result<()> {
    let id = Value::from(id);
    tx.execute(RELEASE, std::slice::from_ref(&id))?;
    touch(tx, &id)
}

/// What is kept in memory of its files is true no longer.
fn touch(tx: &mut Tx<'_>, id: &Value) -> Result<()> {
    for row in tx.rows(REPOSITORIES, std::slice::from_ref(id))? {
        tx.touch(&packages_topic(row.as_str("repository_id")?));
    }
    Ok::<_, Error>(())
}
