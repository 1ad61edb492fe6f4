//! Accounts: made once, with a root key and an administrator.

use aws::sigv4::Credentials;
use aws::{AccountId, Timestamp};
use store::Value;

use crate::error::Noun;
use crate::users::User;
use crate::{Error, Iam, access_keys, attachments, users};

/// The name of the user that every account begins with: on AWS, too, daily work as root is refused here and there.
pub(crate) const ADMIN: &str = "admin";
/// What that user may do: everything.
pub(crate) const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// The keys of a new account; their secrets are shown once.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Which account.
    pub account: AccountId,
    /// The key of its root.
    pub root: Credentials,
    /// The key of its user `admin`, who has `AdministratorAccess`.
    pub admin: Credentials,
}

const INSERT: &str = "
    INSERT INTO accounts (id, created)
    VALUES ($1, $2)
        ON CONFLICT (id) DO NOTHING";

const EXISTS: &str = "
    SELECT id
      FROM accounts
     WHERE id = $1";

const CREATED: &str = "
    SELECT created
      FROM accounts
     WHERE id = $1";

const ALIAS: &str = "
    SELECT alias
      FROM accounts
     WHERE id = $1
       AND alias IS NOT NULL";

const SET_ALIAS: &str = "
    UPDATE accounts
       SET alias = $2
     WHERE id = $1";

const REMOVE_ALIAS: &str = "
    UPDATE accounts
       SET alias = NULL
     WHERE id = $1
       AND alias = $2";

impl Iam {
    /// Makes the installation's account on its first start; `None` when it is there already, and then nothing changed.
    pub async fn first_start(&self, account: &AccountId) -> Result<Option<NewAccount>, Error> {
        match self.create_account(account).await {
            Ok(new) => Ok(Some(new)),
            Err(Error::AccountExists(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an account, its root key and its user `admin`, all or nothing. Errors: [`Error::AccountExists`].
    pub async fn create_account(&self, account: &AccountId) -> Result<NewAccount, Error> {
        if self.account_exists(account).await? {
            return Err(Error::AccountExists(*account));
        }
        let now = self.clock().now();
        let admin = User::new(account, "/", ADMIN, now);
        let root_key = self.new_access_key(account, None, now).await?;
        let admin_key = self.new_access_key(account, Some(&admin.id), now).await?;
        let row: [Value; 2] = [account.as_str().into(), now.millis().into()];
        let attachment: [Value; 3] = [
            admin.id.as_str().into(),
            ADMINISTRATOR_ACCESS.into(),
            now.millis().into(),
        ];
        let (user, keys) = (admin.values(), [root_key.values, admin_key.values]);
        let made = self.write(move |tx| {
            if tx.execute(INSERT, &row)? == 0 {
                return Ok(false);
            }
            tx.execute(users::INSERT, &user)?;
            tx.execute(attachments::ATTACH, &attachment)?;
            for key in &keys {
                tx.execute(access_keys::INSERT, key)?;
            }
            Ok(true)
        });
        if made.await? {
            Ok(NewAccount {
                account: *account,
                root: root_key.credentials,
                admin: admin_key.credentials,
            })
        } else {
            Err(Error::AccountExists(*account))
        }
    }

    /// Whether there is such an account.
    pub async fn account_exists(&self, account: &AccountId) -> Result<bool, Error> {
        let rows = self
            .database()
            .rows(EXISTS, vec![account.as_str().into()])
            .await?;
        Ok(!rows.is_empty())
    }

    /// When the account was made.
    pub(crate) async fn account_created(&self, account: &AccountId) -> Result<Timestamp, Error> {
        let rows = self
            .database()
            .rows(CREATED, vec![account.as_str().into()])
            .await?;
        let created = rows.first().map(|row| row.int("created")).transpose()?;
        Ok(Timestamp::from_millis(created.unwrap_or_default()))
    }

    /// The account's other name, if it has one.
    pub(crate) async fn alias(&self, account: &AccountId) -> Result<Option<String>, Error> {
        let rows = self
            .database()
            .rows(ALIAS, vec![account.as_str().into()])
            .await?;
        Ok(rows.first().map(|row| row.text("alias")).transpose()?)
    }

    /// Gives the account another name, in place of the one that it has. Errors: [`Error::Exists`] when any account has it.
    pub(crate) async fn set_alias(&self, account: &AccountId, alias: &str) -> Result<(), Error> {
        let values: [Value; 2] = [account.as_str().into(), alias.into()];
        let taken = |error: Error| error.or_exists(Noun::Alias, alias);
        self.write(move |tx| tx.execute(SET_ALIAS, &values))
            .await
            .map_err(taken)?;
        Ok(())
    }

    /// Takes the account's other name away. Errors: [`Error::NotFound`] when it is not this one.
    pub(crate) async fn remove_alias(&self, account: &AccountId, alias: &str) -> Result<(), Error> {
        let values: [Value; 2] = [account.as_str().into(), alias.into()];
        match self
            .write(move |tx| tx.execute(REMOVE_ALIAS, &values))
            .await?
        {
            0 => Err(Error::not_found(Noun::Alias, alias)),
            _ => Ok(()),
        }
    }
}
