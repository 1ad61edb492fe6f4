//! What packages are found by, kept true in the transaction that changes a version.

use store::{Tx, Value};

use super::terms::{Weight, fold, terms};
use crate::names::{PackageId, Version};
use crate::package::Status;
use crate::record::{self, PackageRow};
use crate::repository::Repository;
use crate::screen::{View, screen};
use crate::{Error, Result};

/// Versions of a package looked at at a time for the newest that is listed: mostly the first is.
const LOOK: i64 = 50;
/// Terms written by one statement.
const ROWS: usize = 8;
/// Characters of a summary that are shown.
const SUMMARY: usize = 400;

const NEWEST: &str = "
    SELECT version, status, published
      FROM versions
     WHERE package_id = $1
       AND (published < $2 OR (published = $2 AND version < $3))
     ORDER BY published DESC, version DESC
     LIMIT $4";

const KNOWN: &str = "
    SELECT version, revision
      FROM search_packages
     WHERE package_id = $1";

const PUT: &str = "
    INSERT INTO search_packages (package_id, repository_id, folded, version, revision, published, summary, licenses)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (package_id)
    DO UPDATE SET version = EXCLUDED.version, revision = EXCLUDED.revision, published = EXCLUDED.published,
                  summary = EXCLUDED.summary, licenses = EXCLUDED.licenses";

const TERMS: &str = "
    SELECT term, weight
      FROM search_terms
     WHERE package_id = $1";

const REMOVE: &str = "
    DELETE FROM search_terms
     WHERE package_id = $1
       AND term = $2";

const ADD: &str = "
    INSERT INTO search_terms (package_id, repository_id, term, weight)
    VALUES ($1, $2, $3, $4), ($1, $2, $5, $6), ($1, $2, $7, $8), ($1, $2, $9, $10), ($1, $2, $11, $12), ($1, $2, $13, $14),
           ($1, $2, $15, $16), ($1, $2, $17, $18)
    ON CONFLICT (package_id, term) DO NOTHING";

/// The newest version of a package that clients are shown, if there is one.
fn newest_listed(tx: &mut Tx<'_>, package: &PackageRow) -> Result<Option<Version>> {
    let (mut published, mut version) = (i64::MAX, String::new());
    loop {
        let values = [
            package.id.as_str().into(),
            published.into(),
            version.as_str().into(),
            LOOK.into(),
        ];
        let rows = tx.rows(NEWEST, &values)?;
        for row in &rows {
            let status: Status = row.parse("status")?;
            if screen(status, View::List, String::new).is_ok() {
                return Ok(Some(row.parse("version")?));
            }
            published = row.int("published")?;
            version = row.text("version")?;
        }
        if rows.len() < usize::try_from(LOOK).unwrap_or_default() {
            return Ok(None);
        }
    }
}

/// Brings what a package is found by up to date with its versions, if the package is there.
pub(crate) fn refresh(tx: &mut Tx<'_>, repository: &Repository, id: &PackageId) -> Result<()> {
    match record::package(tx, repository, id)? {
        Some(package) => bring_up(tx, &repository.id, &package, id),
        None => Ok(()),
    }
}

/// The same for a package whose row is at hand.
pub(crate) fn bring_up(
    tx: &mut Tx<'_>,
    repository_id: &str,
    package: &PackageRow,
    id: &PackageId,
) -> Result<()> {
    let newest = match newest_listed(tx, package)? {
        Some(version) => record::version(tx, package, &version)?,
        None => None,
    };
    let (version, revision) = newest.as_ref().map_or(("", ""), |row| {
        (row.record.version.as_str(), row.record.revision.as_str())
    });
    let known = tx.rows(KNOWN, &[package.id.as_str().into()])?;
    if let Some(known) = known.first()
        && known.as_str("version")? == version
        && known.as_str("revision")? == revision
    {
        return Ok(());
    }
    let manifest = match &newest {
        Some(row) => row.manifest()?.unwrap_or_default(),
        None => crate::format::Manifest::default(),
    };
    let licenses: Vec<_> = manifest
        .licenses
        .iter()
        .filter_map(|license| license.name.as_deref())
        .collect();
    let summary: String = manifest
        .summary
        .as_deref()
        .unwrap_or_default()
        .chars()
        .take(SUMMARY)
        .collect();
    let values = [
        package.id.as_str().into(),
        repository_id.into(),
        fold(id.name.as_str()).into(),
        version.into(),
        revision.into(),
        newest
            .as_ref()
            .map_or(0, |row| row.record.published.millis())
            .into(),
        summary.into(),
        serde_json::to_string(&licenses)
            .map_err(Error::internal)?
            .into(),
    ];
    tx.execute(PUT, &values)?;

    let mut wanted = match &newest {
        Some(_) => terms(id, &manifest),
        None => std::collections::BTreeMap::new(),
    };
    if !known.is_empty() {
        for row in tx.rows(TERMS, &[package.id.as_str().into()])? {
            let term = row.text("term")?;
            let weight = row.int("weight")?;
            if wanted
                .get(&term)
                .is_some_and(|wanted| *wanted as i64 == weight)
            {
                wanted.remove(&term);
            } else {
                tx.execute(REMOVE, &[package.id.as_str().into(), term.into()])?;
            }
        }
    }
    let wanted: Vec<(String, Weight)> = wanted.into_iter().collect();
    for rows in wanted.chunks(ROWS) {
        let mut values: Vec<Value> = vec![package.id.as_str().into(), repository_id.into()];
        // The statement has places for eight; those that are left over say the last again.
        for (term, weight) in rows
            .iter()
            .chain(rows.last().into_iter().cycle())
            .take(ROWS)
        {
            values.push(term.into());
            values.push((*weight as i64).into());
        }
        tx.execute(ADD, &values)?;
    }
    Ok(())
}
