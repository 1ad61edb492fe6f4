//! Users: the row, its verbs.

use aws::{AccountId, Timestamp};
use store::{Row, Value};

use crate::error::{InUse, Noun};
use crate::ids::{self, Kind};
use crate::lists::Part;
use crate::revocations::{self, Subject};
use crate::tags::{self, Tag};
use crate::{Error, Iam, attachments, count, inline_policies, managed_policies, quotas};

/// A row of `users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `AIDA…`.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// As created; looked up without case.
    pub name: String,
    /// `/` or `/…/`.
    pub path: String,
    /// ARN of the managed policy that limits what it may do.
    pub boundary: Option<String>,
    /// When it was made.
    pub created: Timestamp,
}

pub(crate) const BY_ID: &str = "
    SELECT id, account_id, name, path, boundary, created
      FROM users
     WHERE id = $1
       AND account_id = $2";

pub(crate) const BY_NAME: &str = "
    SELECT id, account_id, name, path, boundary, created
      FROM users
     WHERE account_id = $1
       AND name_key = $2";

pub(crate) const LIST: &str = "
    SELECT id, account_id, name, path, boundary, created
      FROM users
     WHERE account_id = $1
       AND name_key > $2
       AND path >= $3
       AND path < $4
     ORDER BY name_key
     LIMIT $5";

pub(crate) const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM users
     WHERE account_id = $1";

pub(crate) const INSERT: &str = "
    INSERT INTO users (id, account_id, name, name_key, path, boundary, created)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const RENAME: &str = "
    UPDATE users
       SET name = $2, name_key = $3, path = $4
     WHERE id = $1";

const SET_BOUNDARY: &str = "
    UPDATE users
       SET boundary = $2
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM users
     WHERE id = $1";

pub(crate) const KEYS: &str = "
    SELECT COUNT(*) AS n
      FROM access_keys
     WHERE user_id = $1";

pub(crate) const MEMBERSHIPS: &str = "
    SELECT COUNT(*) AS n
      FROM group_members
     WHERE user_id = $1";

impl User {
    pub(crate) fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.text("id")?,
            account: row.parse("account_id")?,
            name: row.text("name")?,
            path: row.text("path")?,
            boundary: row.opt_text("boundary")?,
            created: Timestamp::from_millis(row.int("created")?),
        })
    }

    /// A user that is not stored yet, under a new id.
    pub(crate) fn new(account: &AccountId, path: &str, name: &str, now: Timestamp) -> Self {
        Self {
            id: ids::unique_id(Kind::User),
            account: *account,
            name: name.to_owned(),
            path: path.to_owned(),
            boundary: None,
            created: now,
        }
    }

    /// `arn:aws:iam::A:user/PATH/name`.
    pub fn arn(&self) -> String {
        let Self {
            account,
            path,
            name,
            ..
        } = self;
        format!("arn:aws:iam::{account}:user{path}{name}")
    }

    /// The values of [`INSERT`].
    pub(crate) fn values(&self) -> Vec<Value> {
        vec![
            self.id.as_str().into(),
            self.account.as_str().into(),
            self.name.as_str().into(),
            name_key(&self.name).into(),
            self.path.as_str().into(),
            self.boundary.as_deref().into(),
            self.created.millis().into(),
        ]
    }
}

/// Names are unique, and looked up, without case.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

impl Iam {
    /// Makes a user without permissions and keys. Form of path and name were checked before.
    pub async fn create_user(
        &self,
        account: &AccountId,
        path: &str,
        name: &str,
    ) -> Result<User, Error> {
        let user = User::new(account, path, name, self.clock().now());
        self.insert_user(user, Vec::new()).await
    }

    /// Stores a new user with its tags. Errors: [`Error::Exists`], [`Error::Quota`], [`Error::NotFound`] for its boundary.
    pub(crate) async fn insert_user(&self, user: User, tags: Vec<Tag>) -> Result<User, Error> {
        let new = user.clone();
        self.change(move |tx| {
            quotas::USERS.room(count(tx, COUNT, &[new.account.as_str().into()])?)?;
            if let Some(boundary) = &new.boundary {
                managed_policies::require(tx, &new.account, boundary)?;
            }
            tx.execute(INSERT, &new.values())?;
            tags::put(tx, &new.id, &tags)
        })
        .await
        .map_err(|error| error.or_exists(Noun::User, &user.name))?;
        Ok(user)
    }

    /// The user of this name, in whatever case.
    pub async fn user(&self, account: &AccountId, name: &str) -> Result<User, Error> {
        self.find_user(account, name)
            .await?
            .ok_or_else(|| Error::not_found(Noun::User, name))
    }

    pub(crate) async fn find_user(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<User>, Error> {
        let values = vec![account.as_str().into(), name_key(name).into()];
        let rows = self.database().rows(BY_NAME, values).await?;
        Ok(rows.first().map(User::read).transpose()?)
    }

    pub(crate) async fn user_by_id(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<User>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.into(), account.as_str().into()])
            .await?;
        Ok(rows.first().map(User::read).transpose()?)
    }

    /// The account's users by name.
    pub(crate) async fn users(
        &self,
        account: &AccountId,
        part: Part<'_>,
    ) -> Result<Vec<User>, Error> {
        let rows = self
            .database()
            .rows(LIST, part.values(account.as_str()))
            .await?;
        Ok(rows.iter().map(User::read).collect::<Result<_, _>>()?)
    }

    /// Gives a user another name or path; it stays who it is. Errors: [`Error::Exists`], [`Error::NotFound`].
    pub(crate) async fn rename_user(
        &self,
        user: &User,
        name: &str,
        path: &str,
    ) -> Result<(), Error> {
        let values: [Value; 4] = [
            user.id.as_str().into(),
            name.into(),
            name_key(name).into(),
            path.into(),
        ];
        let changed = self.write(move |tx| tx.execute(RENAME, &values)).await;
        match changed.map_err(|error| error.or_exists(Noun::User, name))? {
            0 => Err(Error::not_found(Noun::User, &user.name)),
            _ => Ok(()),
        }
    }

    /// Limits a user to what a managed policy allows, or lifts the limit. Errors: [`Error::NotFound`].
    pub(crate) async fn set_user_boundary(
        &self,
        user: &User,
        boundary: Option<&str>,
    ) -> Result<(), Error> {
        let (user, boundary) = (user.clone(), boundary.map(str::to_owned));
        self.change(move |tx| {
            if let Some(boundary) = &boundary {
                managed_policies::require(tx, &user.account, boundary)?;
            }
            let values: [Value; 2] = [user.id.as_str().into(), boundary.as_deref().into()];
            match tx.execute(SET_BOUNDARY, &values)? {
                0 => Err(Error::not_found(Noun::User, &user.name)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Deletes a user who has nothing left, and kills its sessions. Errors: [`Error::InUse`], [`Error::NotFound`].
    pub(crate) async fn delete_user(&self, user: &User) -> Result<(), Error> {
        let (user, now) = (user.clone(), self.clock().now());
        self.change(move |tx| {
            let id: [Value; 1] = [user.id.as_str().into()];
            inline_policies::require_none(tx, &user.id)?;
            attachments::require_none(tx, &user.id)?;
            if count(tx, KEYS, &id)? > 0 {
                return Err(Error::InUse(InUse::AccessKeys));
            }
            if count(tx, MEMBERSHIPS, &id)? > 0 {
                return Err(Error::InUse(InUse::Membership));
            }
            tags::remove_all(tx, &user.id)?;
            revocations::insert(tx, Subject::Principal(&user.id), now)?;
            match tx.execute(DELETE, &id)? {
                0 => Err(Error::not_found(Noun::User, &user.name)),
                _ => Ok(()),
            }
        })
        .await
    }
}
