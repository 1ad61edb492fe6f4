//! Versions that were disposed of or deleted, and how they come back.
//!
//! What a version was is written beside its removal, in the same transaction. Its bytes stay for as long: the sweep
//! takes a blob only when nothing has referred to it for [`WINDOW`](crate::RESTORE_WINDOW). So within the window a
//! version comes back whole: state, revision, origin, times, description, files, labels.

use std::sync::Arc;
use std::time::Duration;

use aws::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Row, Tx};

use crate::change::{self, By, Novelty};
use crate::ids::new_id;
use crate::names::{AssetName, PackageId, Version};
use crate::package::{Origin, PackageAt, Restrictions, Status, VersionRecord};
use crate::page::Page;
use crate::permit::Permit;
use crate::record::{self, AssetRow, PackageRow, VersionRow};
use crate::repository::Repository;
use crate::versions::{Failure, FailureCode, Outcomes, skip_all};
use crate::{Error, Result, labels};

/// How long a version that was disposed of or deleted can be brought back, at the least.
pub const WINDOW: Duration = Duration::from_hours(30 * 24);

/// How a version was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Its files went, its record stayed.
    Dispose,
    /// All of it went.
    Delete,
}

/// A version that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedVersion {
    /// Which.
    pub version: Version,
    /// The state it was in.
    pub status: Status,
    /// Its revision.
    pub revision: String,
    /// When it was removed.
    pub removed: Timestamp,
    /// Until when it can be brought back.
    pub until: Timestamp,
    /// ARN of who removed it.
    pub principal: String,
    /// How.
    pub removal: Removal,
}

/// All of a version.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    id: String,
    status: Status,
    revision: String,
    origin: Origin,
    published: Timestamp,
    published_upstream: Option<Timestamp>,
    manifest: String,
    /// The format's own document of it.
    #[serde(default)]
    own: Option<String>,
    /// Name, blob, modified, and the format's own document of each.
    assets: Vec<(AssetName, String, Timestamp, Option<String>)>,
    labels: Vec<String>,
    restrictions: Restrictions,
}

impl Document {
    fn row(&self, version: &Version) -> VersionRow {
        VersionRow {
            id: self.id.clone(),
            record: VersionRecord {
                version: version.clone(),
                status: self.status,
                revision: self.revision.clone(),
                origin: self.origin.clone(),
                published: self.published,
                published_upstream: self.published_upstream,
            },
            manifest: self.manifest.clone(),
            document: self.own.clone(),
        }
    }
}

const PUT: &str = "
    INSERT INTO removed_versions (id, repository_id, format, namespace, name, version, removed, principal, act, run_id,
                                  document)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const NEWEST: &str = "
    SELECT id, version, removed, principal, act, document
      FROM removed_versions
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4
       AND version = $5
       AND removed > $6
       AND ($7 = '' OR run_id = $7)
     ORDER BY id DESC
     LIMIT 1";

const LIST: &str = "
    SELECT id, version, removed, principal, act, document
      FROM removed_versions
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4
       AND (version, id) > ($5, $6)
       AND removed > $7
     ORDER BY version, id
     LIMIT $8";

const TAKE: &str = "
    DELETE FROM removed_versions
     WHERE id = $1";

const FORGET: &str = "
    DELETE FROM removed_versions
     WHERE id IN (SELECT id
                    FROM removed_versions
                   WHERE removed <= $1
                   ORDER BY removed
                   LIMIT $2)";

/// Inserts nothing when the bytes are gone.
const INSERT_ASSET: &str = "
    INSERT INTO assets (version_id, name, blob_id, modified, document)
    SELECT $1, $2, id, $4, $5
      FROM blobs
     WHERE id = $3";

/// Remembers a version that is about to be removed. One that was disposed of before is remembered already.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    (repository, id, by): (&Repository, &PackageId, &By),
    package: &PackageRow,
    row: &VersionRow,
    removal: Removal,
    run: &str,
) -> Result<()> {
    let record = &row.record;
    if record.status == Status::Disposed {
        return Ok(());
    }
    let assets = record::assets(tx, row)?;
    let document = Document {
        id: row.id.clone(),
        status: record.status,
        revision: record.revision.clone(),
        origin: record.origin.clone(),
        published: record.published,
        published_upstream: record.published_upstream,
        manifest: row.manifest.clone(),
        own: row.document.clone(),
        assets: assets
            .into_iter()
            .map(
                |AssetRow {
                     record,
                     blob_id,
                     document,
                     ..
                 }| (record.name, blob_id, record.modified, document),
            )
            .collect(),
        labels: labels::of_version(tx, package, &record.version)?,
        restrictions: package.restrictions,
    };
    let mut values = vec![new_id(by.now)?.into()];
    values.extend(record::package_key(repository, id));
    values.extend([
        record.version.as_str().into(),
        by.now.millis().into(),
        by.principal.as_str().into(),
        removal.as_str().into(),
        run.into(),
        serde_json::to_string(&document)
            .map_err(Error::internal)?
            .into(),
    ]);
    tx.execute(PUT, &values)?;
    Ok(())
}

/// Forgets what can no longer be brought back, at most `limit`.
pub(crate) fn forget(tx: &mut Tx<'_>, now: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(FORGET, &[now.minus(WINDOW).millis().into(), limit.into()])?)
}

/// Brings versions back; all or none. `run`: only what this job removed.
pub(crate) fn restore(
    tx: &mut Tx<'_>,
    (repository, id, by): (&Repository, &PackageId, &By),
    versions: &[Version],
    run: &str,
) -> Result<Outcomes> {
    let mut outcomes = Outcomes::default();
    let mut found = Vec::new();
    for version in versions {
        match checked(tx, (repository, id, by), version, run)? {
            Ok(one) => found.push((version, one)),
            Err(failure) => drop(outcomes.failed.insert(version.clone(), failure)),
        }
    }
    if !outcomes.failed.is_empty() {
        skip_all(
            &mut outcomes,
            found.into_iter().map(|(version, _)| version.clone()),
        );
        return Ok(outcomes);
    }
    for (version, (removed, document)) in found {
        bring_back(tx, (repository, id, by), version, &document)?;
        tx.execute(TAKE, &[removed.into()])?;
        outcomes
            .successful
            .insert(version.clone(), (document.revision, Some(document.status)));
    }
    Ok(outcomes)
}

type Found = (String, Document);

fn checked(
    tx: &mut Tx<'_>,
    (repository, id, by): (&Repository, &PackageId, &By),
    version: &Version,
    run: &str,
) -> Result<Result<Found, Failure>> {
    let mut values = record::package_key(repository, id);
    values.extend([
        version.as_str().into(),
        by.now.minus(WINDOW).millis().into(),
        run.into(),
    ]);
    let rows = tx.rows(NEWEST, &values)?;
    let Some(row) = rows.first() else {
        let message = format!(
            "version {version} was not removed within the last {} days",
            days()
        );
        return Ok(Err((FailureCode::NotFound, message)));
    };
    let document = read(row)?;
    if let Some(package) = record::package(tx, repository, id)?
        && let Some(present) = record::version(tx, &package, version)?
        && (present.record.status != Status::Disposed || present.id != document.id)
    {
        let message = format!("version {version} is there again");
        return Ok(Err((FailureCode::AlreadyExists, message)));
    }
    Ok(Ok((row.text("id")?, document)))
}

fn bring_back(
    tx: &mut Tx<'_>,
    (repository, id, by): (&Repository, &PackageId, &By),
    version: &Version,
    document: &Document,
) -> Result<()> {
    let package = match record::package(tx, repository, id)? {
        Some(package) => package,
        None => record::insert_package(tx, repository, by, id, document.restrictions)?,
    };
    let is_there = record::version(tx, &package, version)?.is_some();
    let row = document.row(version);
    if is_there {
        record::update(tx, &row)?;
    } else {
        record::insert_version(tx, &package, &row)?;
    }
    for (name, blob, modified, of_asset) in &document.assets {
        let values = [
            document.id.as_str().into(),
            name.as_str().into(),
            blob.as_str().into(),
            modified.millis().into(),
            of_asset.clone().into(),
        ];
        if tx.execute(INSERT_ASSET, &values)? != 1 {
            return Err(Error::internal(
                "bytes within the window of restoring are gone",
            ));
        }
        record::claim_blob(tx, blob)?;
    }
    let named = labels::all(tx, &package)?;
    for label in &document.labels {
        // What it means by now is what somebody wanted later.
        if !named.contains_key(label) {
            labels::set(tx, repository, by, (id, &package), label, Some(version))?;
        }
    }
    let assets = record::assets(tx, &row)?;
    let novelty = Novelty {
        created: !is_there,
        described: false,
    };
    change::write_version(tx, repository, id, by, &row, &assets, novelty)
}

fn read(row: &Row) -> Result<Document> {
    serde_json::from_str(row.as_str("document")?).map_err(Error::internal)
}

fn days() -> u64 {
    WINDOW.as_secs() / 86_400
}

impl Permit<PackageAt> {
    /// Brings versions back that were disposed of or deleted, whole; all or none. The package need not be there any more.
    pub async fn restore(&self, mut versions: Vec<Version>) -> Result<Outcomes> {
        versions.sort();
        versions.dedup();
        let (repository, id, by) = (Arc::clone(&self.repository), self.id.clone(), self.by());
        self.catalog
            .0
            .database
            .write(move |tx| restore(tx, (&repository, &id, &by), &versions, ""))
            .await
    }

    /// Versions that can be brought back, by version text.
    pub async fn removed(&self, after: Option<&str>, limit: u32) -> Result<Page<RemovedVersion>> {
        let (id, version) = after
            .and_then(|after| after.split_once('/'))
            .unwrap_or_default();
        let mut values = record::package_key(&self.repository, &self.id);
        values.extend([
            version.into(),
            id.into(),
            self.catalog.now().minus(WINDOW).millis().into(),
            (i64::from(limit) + 1).into(),
        ]);
        let rows = self.catalog.0.database.rows(LIST, values).await?;
        let removed = rows.iter().map(|row| {
            let Document {
                status, revision, ..
            } = read(row)?;
            let removed = Timestamp::from_millis(row.int("removed")?);
            let shown = RemovedVersion {
                version: row.parse("version")?,
                status,
                revision,
                removed,
                until: removed.plus(WINDOW),
                principal: row.text("principal")?,
                removal: row.parse("act")?,
            };
            Ok((row.text("id")?, shown))
        });
        let removed = removed.collect::<Result<Vec<_>>>()?;
        // The id comes first in the cursor, for it has no slash.
        let page = Page::cut(removed, limit, |(id, shown)| {
            format!("{id}/{}", shown.version)
        });
        Ok(page.map(|(_, shown)| shown))
    }
}

crate::package::spelled!(Removal { Dispose = "Dispose", Delete = "Delete", });
