//! What is kept of every package, made for packages that were recorded before it was kept: their names by what they look
//! like, and what they are found by.
//!
//! A million of them take minutes, so it is done aside, some packages in a transaction, and goes on where it was
//! interrupted. Whoever needs all of it asks [`Catalog::has_caught_up`], and looks elsewhere until then.

use std::sync::atomic::Ordering;

use store::Tx;

use crate::change::read_package_id;
use crate::{Catalog, Error, Result, group, record, search};

/// What is made. Whatever is to be made for all packages next gets a name of its own, and all of it is made again.
const WHAT: &str = "names and terms";

/// Packages of one transaction: few, so that writers are not held up.
const AT_A_TIME: u32 = 100;

const STATE: &str = "
    SELECT up_to, is_done
      FROM catch_up
     WHERE what = $1";

const SET: &str = "
    INSERT INTO catch_up (what, up_to, is_done)
    VALUES ($1, $2, $3)
    ON CONFLICT (what)
    DO UPDATE SET up_to = EXCLUDED.up_to, is_done = EXCLUDED.is_done";

const PACKAGES: &str = "
    SELECT packages.id, packages.repository_id, packages.format, packages.namespace, packages.name, packages.publish,
           packages.upstream, packages.edited, repositories.domain_id
      FROM packages
      JOIN repositories ON repositories.id = packages.repository_id
     WHERE packages.id > $1
     ORDER BY packages.id
     LIMIT $2";

impl Catalog {
    /// Says at once that nothing is missing where there are no packages.
    pub(crate) async fn begin_catching_up(&self) -> Result<()> {
        let begin = |tx: &mut Tx<'_>| {
            if tx.rows(PACKAGES, &["".into(), 1.into()])?.is_empty() {
                set(tx, "", true)?;
            }
            Ok::<_, Error>(())
        };
        if self.state().await?.is_none() {
            self.0.database.write(begin).await?;
        }
        Ok(())
    }

    /// Makes what is missing. Gives the number of packages that were looked at: none, once all have it.
    pub async fn catch_up(&self) -> Result<u64> {
        let mut packages = 0;
        while !self.has_caught_up().await? {
            packages += self.0.database.write(some).await?;
        }
        Ok(packages)
    }

    /// Whether all packages have what is kept of them.
    pub(crate) async fn has_caught_up(&self) -> Result<bool> {
        // Once it is so it stays so.
        if self.0.has_caught_up.load(Ordering::Acquire) {
            return Ok(true);
        }
        let is_done = self.state().await?.is_some_and(|(_, is_done)| is_done);
        self.0.has_caught_up.store(is_done, Ordering::Release);
        Ok(is_done)
    }

    async fn state(&self) -> Result<Option<(String, bool)>> {
        read(&self.0.database.rows(STATE, vec![WHAT.into()]).await?)
    }
}

/// The next packages, and how far it is then.
fn some(tx: &mut Tx<'_>) -> Result<u64> {
    let state = read(&tx.rows(STATE, &[WHAT.into()])?)?;
    let (mut up_to, is_done) = state.unwrap_or_default();
    if is_done {
        return Ok(0);
    }
    let rows = tx.rows(PACKAGES, &[up_to.as_str().into(), AT_A_TIME.into()])?;
    for row in &rows {
        let (id, package) = (read_package_id(row)?, record::read_package(row)?);
        group::note(tx, row.as_str("domain_id")?, &id)?;
        search::bring_up(tx, row.as_str("repository_id")?, &package, &id)?;
        up_to = package.id;
    }
    set(tx, &up_to, rows.len() < AT_A_TIME as usize)?;
    Ok(rows.len() as u64)
}

fn read(rows: &[store::Row]) -> Result<Option<(String, bool)>> {
    let read = |row: &store::Row| Ok((row.text("up_to")?, row.int("is_done")? == 1));
    rows.first().map(read).transpose()
}

fn set(tx: &mut Tx<'_>, up_to: &str, is_done: bool) -> Result<()> {
    let values = [WHAT.into(), up_to.into(), i64::from(is_done).into()];
    tx.execute(SET, &values)?;
    Ok(())
}
