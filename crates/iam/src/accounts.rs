//! Accounts: made once, with a root key and an administrator; perhaps in an organization.

use std::fmt;
use std::str::FromStr;

use aws::sigv4::Credentials;
use aws::{AccountId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
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

/// The id of an organization of accounts, as AWS writes it: `o-` and 10 to 32 lower-case letters and digits. Here it is
/// nothing but a name that accounts share; policies see it as `aws:PrincipalOrgID`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationId(String);

/// A text is not the id of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of an organization is `o-` and 10 to 32 lower-case letters and digits")]
pub struct InvalidOrganizationId;

impl FromStr for OrganizationId {
    type Err = InvalidOrganizationId;

    fn from_str(text: &str) -> Result<Self, InvalidOrganizationId> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = text
            .strip_prefix("o-")
            .is_some_and(|rest| (10..=32).contains(&rest.len()) && rest.bytes().all(plain));
        fits.then(|| Self(text.to_owned()))
            .ok_or(InvalidOrganizationId)
    }
}

impl fmt::Display for OrganizationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for OrganizationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OrganizationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
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

const SET_ORGANIZATION: &str = "
    UPDATE accounts
       SET organization_id = $2
     WHERE id = $1";

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

    /// Says of which organization an account is, from the next request on; `false` when there is no such account.
    pub async fn set_organization(
        &self,
        account: &AccountId,
        organization: Option<&OrganizationId>,
    ) -> Result<bool, Error> {
        let values: [Value; 2] = [
            account.as_str().into(),
            organization.map(|id| id.0.as_str()).into(),
        ];
        let set = self.write(move |tx| tx.execute(SET_ORGANIZATION, &values));
        Ok(set.await? > 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_are_called_as_on_aws() {
        for (text, good) in [
            ("o-a1b2c3d4e5", true),
            ("o-12345678901234567890123456789012", true),
            ("o-123456789012345678901234567890123", false),
            ("o-a1b2c3d4e", false),
            ("o-A1B2C3D4E5", false),
            ("a1b2c3d4e5", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<OrganizationId>().is_ok(), good, "{text}");
        }
    }
}
