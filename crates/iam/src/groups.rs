//! Groups: the row, its members, its verbs. A group is never a caller and carries no tags.

use aws::{AccountId, Timestamp};
use store::{Row, Value};

use crate::error::{InUse, Noun};
use crate::ids::{self, Kind};
use crate::lists::Part;
use crate::users::{User, name_key};
use crate::{Error, Iam, attachments, count, inline_policies, quotas};

/// A row of `groups`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// `AGPA…`.
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// As created; looked up without case.
    pub(crate) name: String,
    /// `/` or `/…/`.
    pub(crate) path: String,
    pub(crate) created: Timestamp,
}

pub(crate) const BY_NAME: &str = "
    SELECT id, account_id, name, path, created
      FROM groups
     WHERE account_id = $1
       AND name_key = $2";

pub(crate) const LIST: &str = "
    SELECT id, account_id, name, path, created
      FROM groups
     WHERE account_id = $1
       AND name_key > $2
       AND path >= $3
       AND path < $4
     ORDER BY name_key
     LIMIT $5";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM groups
     WHERE account_id = $1";

const INSERT: &str = "
    INSERT INTO groups (id, account_id, name, name_key, path, created)
    VALUES ($1, $2, $3, $4, $5, $6)";

const RENAME: &str = "
    UPDATE groups
       SET name = $2, name_key = $3, path = $4
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM groups
     WHERE id = $1";

pub(crate) const MEMBERS: &str = "
    SELECT u.id, u.account_id, u.name, u.path, u.boundary, u.created
      FROM group_members m
      JOIN users u ON u.id = m.user_id
     WHERE m.group_id = $1
       AND u.name_key > $2
     ORDER BY u.name_key
     LIMIT $3";

pub(crate) const OF_USER: &str = "
    SELECT g.id, g.account_id, g.name, g.path, g.created
      FROM group_members m
      JOIN groups g ON g.id = m.group_id
     WHERE m.user_id = $1
       AND g.name_key > $2
     ORDER BY g.name_key
     LIMIT $3";

pub(crate) const COUNT_MEMBERS: &str = "
    SELECT COUNT(*) AS n
      FROM group_members
     WHERE group_id = $1";

pub(crate) const COUNT_OTHERS_OF_USER: &str = "
    SELECT COUNT(*) AS n
      FROM group_members
     WHERE user_id = $1
       AND group_id <> $2";

const ADD: &str = "
    INSERT INTO group_members (user_id, group_id)
    VALUES ($1, $2)
        ON CONFLICT (user_id, group_id) DO NOTHING";

const REMOVE: &str = "
    DELETE FROM group_members
     WHERE user_id = $1
       AND group_id = $2";

impl Group {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.text("id")?,
            account: row.parse("account_id")?,
            name: row.text("name")?,
            path: row.text("path")?,
            created: Timestamp::from_millis(row.int("created")?),
        })
    }

    /// `arn:aws:iam::A:group/PATH/name`.
    pub(crate) fn arn(&self) -> String {
        let Self {
            account,
            path,
            name,
            ..
        } = self;
        format!("arn:aws:iam::{account}:group{path}{name}")
    }
}

impl Iam {
    /// Makes a group without members. Errors: [`Error::Exists`], [`Error::Quota`].
    pub(crate) async fn create_group(
        &self,
        account: &AccountId,
        path: &str,
        name: &str,
    ) -> Result<Group, Error> {
        let group = Group {
            id: ids::unique_id(Kind::Group),
            account: *account,
            name: name.to_owned(),
            path: path.to_owned(),
            created: self.clock().now(),
        };
        let new = group.clone();
        self.change(move |tx| {
            quotas::GROUPS.room(count(tx, COUNT, &[new.account.as_str().into()])?)?;
            let values: [Value; 6] = [
                new.id.as_str().into(),
                new.account.as_str().into(),
                new.name.as_str().into(),
                name_key(&new.name).into(),
                new.path.as_str().into(),
                new.created.millis().into(),
            ];
            tx.execute(INSERT, &values)?;
            Ok(())
        })
        .await
        .map_err(|error| error.or_exists(Noun::Group, name))?;
        Ok(group)
    }

    /// The group of this name, in whatever case.
    pub(crate) async fn find_group(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Group>, Error> {
        let values = vec![account.as_str().into(), name_key(name).into()];
        let rows = self.database().rows(BY_NAME, values).await?;
        Ok(rows.first().map(Group::read).transpose()?)
    }

    /// The account's groups by name.
    pub(crate) async fn groups(
        &self,
        account: &AccountId,
        part: Part<'_>,
    ) -> Result<Vec<Group>, Error> {
        let values = part.values(account.as_str());
        let rows = self.database().rows(LIST, values).await?;
        Ok(rows.iter().map(Group::read).collect::<Result<_, _>>()?)
    }

    /// The groups that a user is in, by name.
    pub(crate) async fn groups_of_user(
        &self,
        user: &User,
        part: Part<'_>,
    ) -> Result<Vec<Group>, Error> {
        let values = part.values_without_path(&user.id);
        let rows = self.database().rows(OF_USER, values).await?;
        Ok(rows.iter().map(Group::read).collect::<Result<_, _>>()?)
    }

    /// The users in a group, by name.
    pub(crate) async fn members(&self, group: &Group, part: Part<'_>) -> Result<Vec<User>, Error> {
        let values = part.values_without_path(&group.id);
        let rows = self.database().rows(MEMBERS, values).await?;
        Ok(rows.iter().map(User::read).collect::<Result<_, _>>()?)
    }

    /// Gives a group another name or path. Errors: [`Error::Exists`], [`Error::NotFound`].
    pub(crate) async fn rename_group(
        &self,
        group: &Group,
        name: &str,
        path: &str,
    ) -> Result<(), Error> {
        let values: [Value; 4] = [
            group.id.as_str().into(),
            name.into(),
            name_key(name).into(),
            path.into(),
        ];
        let changed = self.write(move |tx| tx.execute(RENAME, &values)).await;
        match changed.map_err(|error| error.or_exists(Noun::Group, name))? {
            0 => Err(Error::not_found(Noun::Group, &group.name)),
            _ => Ok(()),
        }
    }

    /// Deletes a group that has nothing left. Errors: [`Error::InUse`], [`Error::NotFound`].
    pub(crate) async fn delete_group(&self, group: &Group) -> Result<(), Error> {
        let group = group.clone();
        self.change(move |tx| {
            let id: [Value; 1] = [group.id.as_str().into()];
            inline_policies::require_none(tx, &group.id)?;
            attachments::require_none(tx, &group.id)?;
            if count(tx, COUNT_MEMBERS, &id)? > 0 {
                return Err(Error::InUse(InUse::Membership));
            }
            match tx.execute(DELETE, &id)? {
                0 => Err(Error::not_found(Noun::Group, &group.name)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Puts a user into a group; a second time changes nothing. Errors: [`Error::Quota`] beyond ten groups.
    pub(crate) async fn add_member(&self, group: &Group, user: &User) -> Result<(), Error> {
        let values: [Value; 2] = [user.id.as_str().into(), group.id.as_str().into()];
        self.change(move |tx| {
            quotas::GROUPS_PER_USER.room(count(tx, COUNT_OTHERS_OF_USER, &values)?)?;
            tx.execute(ADD, &values)?;
            Ok(())
        })
        .await
    }

    /// Takes a user out of a group. Errors: [`Error::NotFound`] when it was not in it.
    pub(crate) async fn remove_member(&self, group: &Group, user: &User) -> Result<(), Error> {
        let values: [Value; 2] = [user.id.as_str().into(), group.id.as_str().into()];
        match self.write(move |tx| tx.execute(REMOVE, &values)).await? {
            0 => {
                let name = format!("{} in group {}", user.name, group.name);
                Err(Error::not_found(Noun::Member, name))
            }
            _ => Ok(()),
        }
    }
}
