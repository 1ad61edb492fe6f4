//! When keys are changed or lost.
//!
//! The master key is changed while everything runs: the new one wraps the data keys anew, one by one, and the one before is
//! read until that is over and longer. When it is lost, what it sealed is lost with it: all access keys, sessions and token
//! keys; everything else stays readable, and new keys are made from the host (`identity.md` 5.8).

use aws::AccountId;
use aws::sigv4::Credentials;
use store::{Database, Value};

use crate::master_key::MasterKey;
use crate::revocations::{self, Subject};
use crate::users::User;
use crate::{Error, Iam, access_keys, accounts, attachments, users, vault};

const SEALED: &str = "
    SELECT COUNT(*) AS n
      FROM data_keys";

const FIRST: &str = "
    SELECT id
      FROM accounts
     ORDER BY created, id
     LIMIT 1";

/// In an order that no reference forbids.
const LOST: [&str; 4] = [
    "DELETE FROM data_keys",
    "DELETE FROM access_keys",
    "DELETE FROM token_keys",
    "DELETE FROM sessions",
];

/// Whose keys are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHolder {
    /// The account's root.
    Root,
    /// Its user `admin`.
    Admin,
}

impl Iam {
    /// Whether anything in this database was sealed; then only its own master key will do. Brings the tables up to date.
    pub async fn is_sealed(database: &Database) -> Result<bool, Error> {
        Self::migrate(database).await?;
        let rows = database.rows(SEALED, Vec::new()).await?;
        let keys = rows.first().map(|row| row.size("n")).transpose()?;
        Ok(keys.unwrap_or_default() > 0)
    }

    /// Whether this key opens everything in the database. Brings the tables up to date.
    pub async fn opens(database: &Database, key: &MasterKey) -> Result<bool, Error> {
        Self::migrate(database).await?;
        let rows = database.rows(vault::WRAPPERS, Vec::new()).await?;
        for row in &rows {
            if key.cipher_named(row.as_str("master_key")?).is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The account that was made first: its root runs the installation.
    pub async fn first_account(&self) -> Result<Option<AccountId>, Error> {
        let rows = self.database().rows(FIRST, Vec::new()).await?;
        Ok(rows.first().map(|row| row.parse("id")).transpose()?)
    }

    /// Uses another master key from now on and wraps every data key with it; says how many. What was sealed stays readable
    /// all the time. When it is stopped half way, [`Vault::rewrap`](crate::vault::Vault::rewrap) goes on.
    ///
    /// Whoever calls this has stored the key, and the one before with it, where the next start finds them.
    pub async fn change_master_key(&self, key: &MasterKey) -> Result<usize, Error> {
        self.vault().adopt(key);
        self.vault().rewrap().await
    }

    /// The master key in use.
    pub fn master_key(&self) -> MasterKey {
        self.vault().master()
    }

    /// The master key is lost: removes everything that it has sealed, so that a new one can take its place. All accounts
    /// stay, without any access key; [`reset_key`](Self::reset_key) makes new ones.
    ///
    /// Nobody may use the database meanwhile. Whether the key is lost is for the caller to know.
    pub async fn forget_all_keys(database: &Database) -> Result<(), Error> {
        Self::migrate(database).await?;
        database
            .write(|tx| {
                tx.touch(crate::known::TOPIC);
                for sql in LOST {
                    tx.execute(sql, &[])?;
                }
                Ok::<_, store::Error>(())
            })
            .await?;
        Ok(())
    }

    /// Takes every key of the account's root or of its user `admin` away, with all that was issued from it, and makes a new
    /// one. An `admin` who is gone is made again, with `AdministratorAccess`; one who is there may do what he could.
    ///
    /// `None` when there is no such account.
    pub async fn reset_key(
        &self,
        account: &AccountId,
        whose: KeyHolder,
    ) -> Result<Option<Credentials>, Error> {
        if !self.account_exists(account).await? {
            return Ok(None);
        }
        let now = self.clock().now();
        let (user, made) = match whose {
            KeyHolder::Root => (None, None),
            KeyHolder::Admin => {
                let admin = self.find_user(account, accounts::ADMIN).await?;
                let new = || User::new(account, "/", accounts::ADMIN, now);
                let made = admin.is_none().then(new);
                (admin.or_else(|| made.clone()).map(|user| user.id), made)
            }
        };
        let key = self.new_access_key(account, user.as_deref(), now).await?;
        let (values, account) = (key.values, Value::from(account.as_str()));
        self.write(move |tx| {
            if let Some(made) = &made {
                tx.execute(users::INSERT, &made.values())?;
                let attached: [Value; 3] = [
                    made.id.as_str().into(),
                    accounts::ADMINISTRATOR_ACCESS.into(),
                    now.millis().into(),
                ];
                tx.execute(attachments::ATTACH, &attached)?;
            }
            let old = match &user {
                Some(user) => tx.rows(access_keys::OF_USER, &[user.as_str().into()])?,
                None => tx.rows(access_keys::OF_ROOT, std::slice::from_ref(&account))?,
            };
            for row in &old {
                let id = row.as_str("id")?;
                tx.execute(access_keys::DELETE, &[id.into(), account.clone()])?;
                revocations::insert(tx, Subject::AccessKey(id), now)?;
            }
            tx.execute(access_keys::INSERT, &values)?;
            Ok(())
        })
        .await?;
        Ok(Some(key.credentials))
    }
}
