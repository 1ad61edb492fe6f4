//! Names of users and roles in policies that say whom they mean.
//!
//! They are stored as unique ids and shown as ARNs again, so a renamed user stays trusted, and a re-created namesake is not
//! (`identity.md` 3.3). The id of somebody who is gone is shown as it is.

use std::collections::{HashMap, HashSet};

use aws::{AccountId, Arn};

use crate::error::Noun;
use crate::policy::{
    Malformed, Policy, PolicyKind, PolicySource, map_principals, principals_in, validate,
};
use crate::{Error, Iam};

pub(crate) const USER_BY_ID: &str = "
    SELECT account_id, path, name
      FROM users
     WHERE id = $1";

pub(crate) const ROLE_BY_ID: &str = "
    SELECT account_id, path, name
      FROM roles
     WHERE id = $1";

/// Whom a policy names, looked up.
#[derive(Debug, Default)]
pub struct Named {
    /// ARN of a user or role -> its unique id.
    ids: HashMap<String, String>,
    /// Everything that is there: ARNs of users, roles and OIDC providers, unique ids.
    present: HashSet<String>,
}

impl Named {
    /// Whether this user, role or provider is there: what [`PolicyKind`] wants to know.
    pub fn exists(&self, name: &str) -> bool {
        self.present.contains(name)
    }

    /// The text as it is to be stored, with ids in place of ARNs. Errors: as [`map_principals`].
    pub fn stored(&self, text: &str) -> Result<String, Malformed> {
        map_principals(text, |name| self.ids.get(name).cloned())
    }
}

impl Iam {
    /// Looks up whom a policy names, in whatever account of this installation. A text that does not read names nobody; what
    /// is wrong with it is for [`validate`] to say.
    pub async fn named_in(&self, text: &str) -> Result<Named, Error> {
        let mut named = Named::default();
        for name in principals_in(text).unwrap_or_default() {
            match name.parse::<Arn>() {
                Ok(arn) if arn.service() == "iam" && arn.partition() == "aws" => {
                    self.look_up(&arn, &mut named).await?;
                }
                Ok(_) => {}
                Err(_) => {
                    if self.arn_of_id(&name).await?.is_some() {
                        named.present.insert(name);
                    }
                }
            }
        }
        Ok(named)
    }

    /// The text as it is shown, with the ARNs of those who are still there in place of their ids.
    pub async fn shown_policy(&self, stored: &str) -> Result<String, Error> {
        let mut arns = HashMap::new();
        // Written by this program, so it reads; if it does not, it is best shown as it is.
        for name in principals_in(stored).unwrap_or_default() {
            if let Some(arn) = self.arn_of_id(&name).await? {
                arns.insert(name, arn);
            }
        }
        if arns.is_empty() {
            return Ok(stored.to_owned());
        }
        let shown = map_principals(stored, |name| arns.get(name).cloned());
        Ok(shown.unwrap_or_else(|_| stored.to_owned()))
    }

    /// Checks a trust policy as it was sent, and gives the text to store. Errors: [`Error::Malformed`].
    pub(crate) async fn checked_trust(
        &self,
        account: &AccountId,
        text: &str,
    ) -> Result<String, Error> {
        let named = self.named_in(text).await?;
        let kind = PolicyKind::Trust {
            account: account.as_str(),
            quota: self.settings().trust_policy_quota,
            exists: &|name| named.exists(name),
        };
        validate(kind, text, trust_source())?;
        Ok(named.stored(text)?)
    }

    /// The compiled trust policy of a role.
    pub(crate) fn trust_policy(&self, stored: &str) -> Result<std::sync::Arc<Policy>, Error> {
        self.compile(None, TRUST, stored)
    }

    async fn look_up(&self, arn: &Arn, named: &mut Named) -> Result<(), Error> {
        let (Some(account), Some((kind, path))) =
            (arn.account_id(), arn.resource().split_once('/'))
        else {
            return Ok(());
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let found = match kind {
            "user" => self
                .find_user(&account, name)
                .await?
                .map(|user| (user.arn(), Some(user.id))),
            "role" => self
                .find_role(&account, name)
                .await?
                .map(|role| (role.arn(), Some(role.id))),
            "oidc-provider" => self
                .find_provider(&account, arn.as_str())
                .await?
                .map(|provider| (provider.arn, None)),
            _ => None,
        };
        // Looked up without case, but an ARN compares with it.
        let Some((found, id)) = found.filter(|(found, _)| found == arn.as_str()) else {
            return Ok(());
        };
        if let Some(id) = id {
            named.ids.insert(found.clone(), id);
        }
        named.present.insert(found);
        Ok(())
    }

    /// The ARN of the user or role with this unique id.
    async fn arn_of_id(&self, id: &str) -> Result<Option<String>, Error> {
        let (sql, kind) = match id.get(..4) {
            Some("AIDA") => (USER_BY_ID, Noun::User),
            Some("AROA") => (ROLE_BY_ID, Noun::Role),
            _ => return Ok(None),
        };
        let rows = self.database().rows(sql, vec![id.into()]).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let (account, path, name) = (
            row.as_str("account_id")?,
            row.as_str("path")?,
            row.as_str("name")?,
        );
        Ok(Some(format!("arn:aws:iam::{account}:{kind}{path}{name}")))
    }
}

const TRUST: &str = "role-trust";

fn trust_source() -> PolicySource {
    PolicySource::named(TRUST)
}
