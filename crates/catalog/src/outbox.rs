//! What happened to versions and was not yet told to anybody.
//!
//! A row is written in the transaction of its change, so that nothing that happened goes untold and nothing is told that
//! did not happen. Whoever tells it takes the rows away in the transaction in which it takes them over.

use aws::{AccountId, Timestamp};
use store::{Row, Tx, Value};

use crate::change::{Change, VersionState, read_package_id};
use crate::names::{DomainName, PackageId, RepositoryName, Version};
use crate::repository::{Repository, RepositoryAt};
use crate::{Catalog, DomainAt, Error, Result};

/// What transactions touch that leave something to be told.
pub const TOPIC: &str = "outbox";

/// Changes of one package that are read at once when the state before one is looked for.
const LOOK_BACK: i64 = 200;

/// Something that happened to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// The id of the change.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// Grows with each change of the package; steps may be larger than 1.
    pub sequence: u64,
    /// Domain and repository, as they were called then.
    pub place: RepositoryAt,
    /// The account that administered the repository.
    pub administrator: AccountId,
    /// The package.
    pub package: PackageId,
    /// Its ARN.
    pub arn: String,
    /// The version.
    pub version: Version,
    /// The version before; `None` when it was not there.
    pub before: Option<VersionState>,
    /// The version afterwards; `None` when it is gone.
    pub after: Option<VersionState>,
    /// Whether what it says of itself is another.
    pub described: bool,
}

const PUT: &str = "
    INSERT INTO outbox (sequence, change_id, domain_owner, domain_name, repository_name, administrator)
    VALUES ($1, $2, $3, $4, $5, $6)";

const WAITING: &str = "
    SELECT outbox.sequence, outbox.change_id, outbox.domain_owner, outbox.domain_name, outbox.repository_name,
           outbox.administrator, changes.repository_id, changes.format, changes.namespace, changes.name, changes.at,
           changes.document
      FROM outbox
      JOIN changes ON changes.id = outbox.change_id
     ORDER BY outbox.sequence, outbox.change_id
     LIMIT $1";

const TAKE: &str = "
    DELETE FROM outbox
     WHERE sequence = $1
       AND change_id = $2";

const BEFORE: &str = "
    SELECT sequence, document
      FROM changes
     WHERE repository_id = $1
       AND format = $2
       AND namespace = $3
       AND name = $4
       AND sequence < $5
     ORDER BY sequence DESC
     LIMIT $6";

/// Leaves a change of a version to be told; the others are nobody's events.
pub(crate) fn put(
    tx: &mut Tx<'_>,
    repository: &Repository,
    id: &str,
    sequence: i64,
    change: &Change,
) -> Result<()> {
    if matches!(
        change,
        Change::Package { .. } | Change::Label { .. } | Change::PackageGone
    ) {
        return Ok(());
    }
    tx.execute(
        PUT,
        &[
            sequence.into(),
            id.into(),
            repository.domain.owner.as_str().into(),
            repository.domain.name.as_str().into(),
            repository.name.as_str().into(),
            repository.administrator.as_str().into(),
        ],
    )?;
    tx.touch(TOPIC);
    Ok(())
}

/// Takes these away, for somebody who has written down in the same transaction that they are to be told.
pub fn take(tx: &mut Tx<'_>, happenings: &[Happening]) -> Result<(), store::Error> {
    for happening in happenings {
        let key: [Value; 2] = [happening.sequence.into(), happening.id.as_str().into()];
        tx.execute(TAKE, &key)?;
    }
    Ok(())
}

impl Catalog {
    /// What waits to be told, at most `limit`; those of one package in the order in which they happened.
    pub async fn happenings(&self, limit: u32) -> Result<Vec<Happening>> {
        let rows = self.0.database.rows(WAITING, vec![limit.into()]).await?;
        let mut happenings = Vec::with_capacity(rows.len());
        for row in &rows {
            happenings.extend(self.happening(row).await?);
        }
        Ok(happenings)
    }

    async fn happening(&self, row: &Row) -> Result<Option<Happening>> {
        let change: Change =
            serde_json::from_str(row.as_str("document")?).map_err(Error::internal)?;
        let (version, known, described, after) = match change {
            Change::Version {
                version,
                created,
                described,
                state,
            } => (version, created.then_some(None), described, Some(state)),
            Change::VersionGone { version, state, .. } => (version, state.map(Some), false, None),
            Change::Package { .. } | Change::Label { .. } | Change::PackageGone => return Ok(None),
        };
        let place = RepositoryAt {
            domain: DomainAt {
                owner: row.parse::<AccountId>("domain_owner")?,
                name: row.parse::<DomainName>("domain_name")?,
            },
            name: row.parse::<RepositoryName>("repository_name")?,
        };
        let package = read_package_id(row)?;
        Ok(Some(Happening {
            id: row.text("change_id")?,
            at: Timestamp::from_millis(row.int("at")?),
            sequence: row.size("sequence")?,
            arn: self.package_arn(&place, &package),
            administrator: row.parse("administrator")?,
            before: match known {
                Some(before) => before,
                None => self.state_before(row, &version).await?,
            },
            place,
            package,
            version,
            after,
            described,
        }))
    }

    /// What a version was before the change of this row.
    async fn state_before(&self, row: &Row, version: &Version) -> Result<Option<VersionState>> {
        let mut sequence = row.int("sequence")?;
        loop {
            let values = vec![
                row.as_str("repository_id")?.into(),
                row.as_str("format")?.into(),
                row.as_str("namespace")?.into(),
                row.as_str("name")?.into(),
                sequence.into(),
                LOOK_BACK.into(),
            ];
            let rows = self.0.database.rows(BEFORE, values).await?;
            for row in &rows {
                sequence = row.int("sequence")?;
                let change: Change =
                    serde_json::from_str(row.as_str("document")?).map_err(Error::internal)?;
                match change {
                    Change::Version {
                        version: found,
                        state,
                        ..
                    } if found == *version => return Ok(Some(state)),
                    Change::VersionGone { version: found, .. } if found == *version => {
                        return Ok(None);
                    }
                    Change::PackageGone => return Ok(None),
                    _ => {}
                }
            }
            if rows.is_empty() {
                return Ok(None);
            }
        }
    }
}
