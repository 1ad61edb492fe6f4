//! Managed policies attached to users, groups and roles.

use aws::AccountId;
use store::{Row, Tx, Value};

use crate::error::{InUse, Noun};
use crate::holders::HolderKind;
use crate::{Error, Iam, count, managed_policies};

pub(crate) const ATTACH: &str = "
    INSERT INTO attachments (holder_id, policy_arn, attached)
    VALUES ($1, $2, $3)
        ON CONFLICT (holder_id, policy_arn) DO NOTHING";

const DETACH: &str = "
    DELETE FROM attachments
     WHERE holder_id = $1
       AND policy_arn = $2";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM attachments
     WHERE holder_id = $1";

pub(crate) const COUNT_OTHERS: &str = "
    SELECT COUNT(*) AS n
      FROM attachments
     WHERE holder_id = $1
       AND policy_arn <> $2";

pub(crate) const OF_HOLDER: &str = "
    SELECT a.policy_arn AS arn, p.name AS name, p.path AS path
      FROM attachments a
      LEFT JOIN policies p ON p.arn = a.policy_arn
     WHERE a.holder_id = $1
     ORDER BY a.policy_arn";

/// `$1` policy, `$2` account, `$3` and `$4` where to go on, `$5` and `$6` paths, `$7` one kind or 0, `$8` 1 for attachments, 2
/// for boundaries, 0 for both, `$9` how many.
const ENTITIES: &str = "
    SELECT place, id, name, name_key
      FROM (
        SELECT 1 AS place, g.id, g.name, g.name_key, g.path
          FROM attachments a
          JOIN groups g ON g.id = a.holder_id
         WHERE a.policy_arn = $1 AND g.account_id = $2 AND $8 <> 2
         UNION
        SELECT 2 AS place, u.id, u.name, u.name_key, u.path
          FROM attachments a
          JOIN users u ON u.id = a.holder_id
         WHERE a.policy_arn = $1 AND u.account_id = $2 AND $8 <> 2
         UNION
        SELECT 3 AS place, r.id, r.name, r.name_key, r.path
          FROM attachments a
          JOIN roles r ON r.id = a.holder_id
         WHERE a.policy_arn = $1 AND r.account_id = $2 AND $8 <> 2
         UNION
        SELECT 2 AS place, u.id, u.name, u.name_key, u.path
          FROM users u
         WHERE u.boundary = $1 AND u.account_id = $2 AND $8 <> 1
         UNION
        SELECT 3 AS place, r.id, r.name, r.name_key, r.path
          FROM roles r
         WHERE r.boundary = $1 AND r.account_id = $2 AND $8 <> 1
      ) AS entities
     WHERE (place > $3 OR place = $3 AND name_key > $4)
       AND path >= $5
       AND path < $6
       AND ($7 = 0 OR place = $7)
     ORDER BY place, name_key
     LIMIT $9";

/// A managed policy as it is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attached {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) path: String,
}

/// How a policy is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Attached.
    Permissions,
    /// As a limit.
    Boundary,
}

impl Usage {
    /// The number that statements have for it.
    pub(crate) fn number(usage: Option<Self>) -> i64 {
        match usage {
            None => 0,
            Some(Self::Permissions) => 1,
            Some(Self::Boundary) => 2,
        }
    }
}

/// Somebody who is touched by a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entity {
    pub(crate) kind: HolderKind,
    pub(crate) id: String,
    pub(crate) name: String,
    /// Where a list goes on after it: `2 name`.
    pub(crate) cursor: String,
}

/// Which entities of a policy are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntityFilter<'a> {
    pub(crate) kind: Option<HolderKind>,
    pub(crate) usage: Option<Usage>,
    pub(crate) part: crate::lists::Part<'a>,
}

/// Their places in the list.
fn place(kind: HolderKind) -> i64 {
    match kind {
        HolderKind::Group => 1,
        HolderKind::User => 2,
        HolderKind::Role => 3,
    }
}

impl Entity {
    fn read(row: &Row) -> Result<Self, store::Error> {
        let place = row.int("place")?;
        Ok(Self {
            kind: match place {
                1 => HolderKind::Group,
                2 => HolderKind::User,
                _ => HolderKind::Role,
            },
            id: row.text("id")?,
            name: row.text("name")?,
            cursor: format!("{place} {}", row.as_str("name_key")?),
        })
    }
}

/// Refuses to go on while something is attached to a holder.
pub(crate) fn require_none(tx: &mut Tx<'_>, holder_id: &str) -> Result<(), Error> {
    match count(tx, COUNT, &[holder_id.into()])? {
        0 => Ok(()),
        _ => Err(Error::InUse(InUse::Attached)),
    }
}

impl Iam {
    /// Attaches a managed policy to a user, group or role; a second time changes nothing. Whose policy it is was checked
    /// before. Errors: [`Error::NotFound`], [`Error::Quota`] beyond ten.
    pub async fn attach_policy(&self, holder_id: &str, arn: &str) -> Result<(), Error> {
        let (holder_id, arn, now) = (holder_id.to_owned(), arn.to_owned(), self.clock().now());
        self.change(move |tx| {
            let kind = HolderKind::of(&holder_id);
            kind.require(tx, &holder_id)?;
            managed_policies::require_any(tx, &arn)?;
            let values: [Value; 3] = [
                holder_id.as_str().into(),
                arn.as_str().into(),
                now.millis().into(),
            ];
            kind.attachments()
                .room(count(tx, COUNT_OTHERS, &values[..2])?)?;
            tx.execute(ATTACH, &values)?;
            Ok(())
        })
        .await
    }

    /// Takes a managed policy away. Errors: [`Error::NotFound`] when it was not attached.
    pub async fn detach_policy(&self, holder_id: &str, arn: &str) -> Result<(), Error> {
        let values: [Value; 2] = [holder_id.into(), arn.into()];
        match self.write(move |tx| tx.execute(DETACH, &values)).await? {
            0 => Err(Error::not_found(Noun::Policy, arn)),
            _ => Ok(()),
        }
    }

    /// The managed policies of a holder: ten at most.
    pub(crate) async fn attached(&self, holder_id: &str) -> Result<Vec<Attached>, Error> {
        let rows = self
            .database()
            .rows(OF_HOLDER, vec![holder_id.into()])
            .await?;
        let mut attached = Vec::with_capacity(rows.len());
        for row in rows {
            let arn = row.text("arn")?;
            // AWS's own are no rows; their path is `/`.
            let name = match row.opt_text("name")? {
                Some(name) => name,
                None => arn.rsplit('/').next().unwrap_or(&arn).to_owned(),
            };
            let path = row.opt_text("path")?.unwrap_or_else(|| "/".to_owned());
            attached.push(Attached { arn, name, path });
        }
        Ok(attached)
    }

    /// Who in an account has a policy, groups first, then users, then roles.
    pub(crate) async fn entities(
        &self,
        account: &AccountId,
        arn: &str,
        filter: EntityFilter<'_>,
    ) -> Result<Vec<Entity>, Error> {
        let part = filter.part;
        let (after_place, after_name) = part.after.split_once(' ').unwrap_or(("0", ""));
        let after_place: i64 = after_place.parse().unwrap_or(0);
        let paths = part.values(account.as_str());
        let values = vec![
            arn.into(),
            account.as_str().into(),
            after_place.into(),
            after_name.into(),
            paths[2].clone(),
            paths[3].clone(),
            filter.kind.map_or(0, place).into(),
            Usage::number(filter.usage).into(),
            part.limit.into(),
        ];
        let rows = self.database().rows(ENTITIES, values).await?;
        Ok(rows.iter().map(Entity::read).collect::<Result<_, _>>()?)
    }
}
