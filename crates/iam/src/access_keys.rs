//! Long-term access keys: an id that everybody may see and a secret that is sealed.

use std::fmt;
use std::str::FromStr;

use aws::sigv4::Credentials;
use aws::{AccessKeyId, AccountId, SecretString, Timestamp};
use store::{Row, Tx, Value};

use crate::error::Noun;
use crate::identity::Whose;
use crate::ids;
use crate::revocations::{self, Subject};
use crate::vault::{Owner, Place};
use crate::{Error, Iam, count, quotas};

/// Whether a key may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It may.
    Active,
    /// It may not, and what was issued from it is dead.
    Inactive,
}

impl Status {
    /// The word that IAM has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "Active" => Ok(Self::Active),
            "Inactive" => Ok(Self::Inactive),
            other => Err(format!("`{other}` is no status of a key")),
        }
    }
}

/// A row of `access_keys`.
pub(crate) struct AccessKey {
    pub(crate) id: AccessKeyId,
    pub(crate) account: AccountId,
    pub(crate) whose: Whose,
    pub(crate) status: Status,
    /// Sealed.
    pub(crate) secret: String,
    pub(crate) created: Timestamp,
    pub(crate) last_used: Option<LastUsed>,
}

/// When, for which service and in which region a key last signed a request; a quarter of an hour may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastUsed {
    pub(crate) at: Timestamp,
    pub(crate) service: String,
    pub(crate) region: String,
}

pub(crate) const BY_ID: &str = "
    SELECT id, account_id, user_id, status, secret, created, last_used, last_used_service, last_used_region
      FROM access_keys
     WHERE id = $1";

pub(crate) const OF_USER: &str = "
    SELECT id, account_id, user_id, status, secret, created, last_used, last_used_service, last_used_region
      FROM access_keys
     WHERE user_id = $1
     ORDER BY id";

pub(crate) const OF_ROOT: &str = "
    SELECT id, account_id, user_id, status, secret, created, last_used, last_used_service, last_used_region
      FROM access_keys
     WHERE account_id = $1
       AND user_id IS NULL
     ORDER BY id";

const COUNT_OF_USER: &str = "
    SELECT COUNT(*) AS n
      FROM access_keys
     WHERE user_id = $1";

const COUNT_OF_ROOT: &str = "
    SELECT COUNT(*) AS n
      FROM access_keys
     WHERE account_id = $1
       AND user_id IS NULL";

pub(crate) const INSERT: &str = "
    INSERT INTO access_keys (id, account_id, user_id, status, secret, created)
    VALUES ($1, $2, $3, $4, $5, $6)";

const SET_STATUS: &str = "
    UPDATE access_keys
       SET status = $3
     WHERE id = $1
       AND account_id = $2";

pub(crate) const DELETE: &str = "
    DELETE FROM access_keys
     WHERE id = $1
       AND account_id = $2";

impl AccessKey {
    fn read(row: &Row) -> Result<Self, store::Error> {
        let account = row.parse("account_id")?;
        Ok(Self {
            id: row.parse("id")?,
            account,
            whose: row
                .opt_text("user_id")?
                .map_or(Whose::Root(account), Whose::User),
            status: row.parse("status")?,
            secret: row.text("secret")?,
            created: Timestamp::from_millis(row.int("created")?),
            last_used: LastUsed::read(row)?,
        })
    }

    /// Where its secret stands.
    pub(crate) fn place(id: &str) -> Place<'_> {
        Place {
            table: "access_keys",
            column: "secret",
            key: id,
        }
    }
}

impl LastUsed {
    fn read(row: &Row) -> Result<Option<Self>, store::Error> {
        let at = row.opt_int("last_used")?.map(Timestamp::from_millis);
        let service = row.opt_text("last_used_service")?;
        let region = row.opt_text("last_used_region")?;
        Ok(at
            .zip(service)
            .zip(region)
            .map(|((at, service), region)| Self {
                at,
                service,
                region,
            }))
    }
}

/// A key that is not stored yet: what is shown once, and the values of [`INSERT`].
pub(crate) struct NewKey {
    pub(crate) credentials: Credentials,
    pub(crate) values: Vec<Value>,
}

impl Iam {
    /// Makes a key of a user, or of the account's root. The secret is in the answer and never again to be had.
    ///
    /// Errors: [`Error::Quota`] beyond two, inactive ones included.
    pub async fn create_access_key(
        &self,
        account: &AccountId,
        user_id: Option<&str>,
    ) -> Result<Credentials, Error> {
        let key = self
            .new_access_key(account, user_id, self.clock().now())
            .await?;
        let (values, user_id) = (key.values, user_id.map(str::to_owned));
        let account: Value = account.as_str().into();
        self.change(move |tx| {
            let used = match &user_id {
                Some(user_id) => count(tx, COUNT_OF_USER, &[user_id.into()])?,
                None => count(tx, COUNT_OF_ROOT, std::slice::from_ref(&account))?,
            };
            quotas::ACCESS_KEYS.room(used)?;
            tx.execute(INSERT, &values)?;
            Ok(())
        })
        .await?;
        Ok(key.credentials)
    }

    /// Lets a key sign or not. Taking the right away revokes what was issued from the key, for good.
    pub async fn set_access_key_status(
        &self,
        account: &AccountId,
        id: &AccessKeyId,
        status: Status,
    ) -> Result<(), Error> {
        let now = self.clock().now();
        let values: [Value; 3] = [
            id.as_str().into(),
            account.as_str().into(),
            status.as_str().into(),
        ];
        self.change_key(id, move |tx, id| {
            let changed = tx.execute(SET_STATUS, &values)?;
            if changed > 0 && status == Status::Inactive {
                revocations::insert(tx, Subject::AccessKey(id), now)?;
            }
            Ok(changed)
        })
        .await
    }

    /// Deletes a key and revokes what was issued from it.
    pub async fn delete_access_key(
        &self,
        account: &AccountId,
        id: &AccessKeyId,
    ) -> Result<(), Error> {
        let now = self.clock().now();
        let values: [Value; 2] = [id.as_str().into(), account.as_str().into()];
        self.change_key(id, move |tx, id| {
            let deleted = tx.execute(DELETE, &values)?;
            if deleted > 0 {
                revocations::insert(tx, Subject::AccessKey(id), now)?;
            }
            Ok(deleted)
        })
        .await
    }

    pub(crate) async fn new_access_key(
        &self,
        account: &AccountId,
        user_id: Option<&str>,
        now: Timestamp,
    ) -> Result<NewKey, Error> {
        let (id, secret) = (ids::access_key_id(), ids::secret());
        let sealed = self
            .vault()
            .seal(
                Owner::Account(account),
                AccessKey::place(&id),
                secret.as_bytes(),
            )
            .await?;
        let values = vec![
            id.as_str().into(),
            account.as_str().into(),
            user_id.into(),
            Status::Active.as_str().into(),
            sealed.into(),
            now.millis().into(),
        ];
        let credentials = Credentials {
            access_key_id: id
                .parse()
                .map_err(|error| Error::damaged("access key id", error))?,
            secret_access_key: SecretString::from(secret.as_str()),
            session_token: None,
        };
        Ok(NewKey {
            credentials,
            values,
        })
    }

    pub(crate) async fn access_key(&self, id: &AccessKeyId) -> Result<Option<AccessKey>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.as_str().into()])
            .await?;
        Ok(rows.first().map(AccessKey::read).transpose()?)
    }

    /// The keys of a user or of an account's root, by id: two at most.
    pub(crate) async fn access_keys(&self, whose: &Whose) -> Result<Vec<AccessKey>, Error> {
        let (sql, owner) = match whose {
            Whose::Root(account) => (OF_ROOT, account.as_str()),
            Whose::User(id) => (OF_USER, id.as_str()),
            Whose::Role(_) => return Ok(Vec::new()),
        };
        let rows = self.database().rows(sql, vec![owner.into()]).await?;
        Ok(rows.iter().map(AccessKey::read).collect::<Result<_, _>>()?)
    }

    async fn change_key(
        &self,
        id: &AccessKeyId,
        change: impl Fn(&mut Tx<'_>, &str) -> Result<u64, store::Error> + Send + 'static,
    ) -> Result<(), Error> {
        let key = id.clone();
        match self.write(move |tx| change(tx, key.as_str())).await? {
            0 => Err(Error::NotFound {
                noun: Noun::AccessKey,
                name: id.to_string(),
            }),
            _ => Ok(()),
        }
    }
}
