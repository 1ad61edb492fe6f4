//! Users: the row, its verbs.

use aws::{AccountId, Timestamp};
use store::Row;

use crate::ids::{self, Kind};
use crate::{Error, Iam};

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

pub(crate) const INSERT: &str = "
    INSERT INTO users (id, account_id, name, name_key, path, created)
    VALUES ($1, $2, $3, $4, $5, $6)";

impl User {
    fn read(row: &Row) -> Result<Self, store::Error> {
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

    /// The values of [`INSERT`].
    pub(crate) fn values(&self) -> Vec<store::Value> {
        vec![
            self.id.as_str().into(),
            self.account.as_str().into(),
            self.name.as_str().into(),
            name_key(&self.name).into(),
            self.path.as_str().into(),
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
        let values = user.values();
        self.write(move |tx| tx.execute(INSERT, &values))
            .await
            .map_err(|error| match error {
                Error::Store(store::Error::Unique { .. }) => Error::Exists {
                    kind: "user",
                    name: name.to_owned(),
                },
                error => error,
            })?;
        Ok(user)
    }

    /// The user of this name, in whatever case.
    pub async fn user(&self, account: &AccountId, name: &str) -> Result<User, Error> {
        let rows = self
            .database()
            .rows(
                BY_NAME,
                vec![account.as_str().into(), name_key(name).into()],
            )
            .await?;
        match rows.first() {
            Some(row) => Ok(User::read(row)?),
            None => Err(Error::NotFound {
                kind: "user",
                name: name.to_owned(),
            }),
        }
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
}
