//! Taking back what was issued, as `/packhouse/v1/sessions/revoke` calls it: on AWS it needs a policy that denies what is
//! older than now.
//!
//! `packhouse:RevokeSessions` on the ARN of the user, role or root whose it is. Nobody revokes anything of another account.

use std::fmt;

use aws::{AccessKeyId, AccountId, Fault, Reason};
use serde::{Deserialize, Serialize};

use super::machines::failed;
use crate::identity::{Names, Whose};
use crate::revocations::{Subject, token_name};
use crate::{Caller, Error, Iam};

const ACTION: &str = "packhouse:RevokeSessions";

/// What is taken back. `{"userName": "ci"}`, `{"roleName": "build"}`, or `{"id": "…"}` with the id of a session or of its
/// credentials (`ASIA…`), of a bearer token (`ABIA…`), or of a long-term key (`AKIA…`).
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub enum RevokeSessions {
    /// Everything that a user was issued, and that was obtained with it; the keys of the user stay good.
    UserName(String),
    /// All sessions of a role and what was obtained with them.
    RoleName(String),
    /// One session with what was obtained with it, one token, or all that a long-term key was issued.
    Id(String),
}

/// What was taken back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The ARN of whoever had it; for a token, its name.
    pub revoked: String,
    /// Nothing that was issued at this time or before is good any more: `2026-03-14T15:09:26Z`.
    pub issued_until: String,
}

impl fmt::Display for RevokeSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserName(name) => write!(f, "user `{name}`"),
            Self::RoleName(name) => write!(f, "role `{name}`"),
            Self::Id(id) => f.write_str(id),
        }
    }
}

/// Entries to make, and how their subject is called.
struct Found {
    arn: String,
    subjects: Vec<(Kind, String)>,
}

#[derive(Clone, Copy)]
enum Kind {
    Principal,
    AccessKey,
    Session,
    TokenName,
}

impl Iam {
    /// `RevokeSessions`: from the next request on; on other nodes within two seconds.
    pub async fn revoke_sessions_for(
        &self,
        caller: &Caller,
        asked: &RevokeSessions,
    ) -> Result<Revoked, Fault> {
        let account = caller.account();
        let found = match asked {
            RevokeSessions::UserName(name) => self.of_user(account, name).await,
            RevokeSessions::RoleName(name) => self.of_role(account, name).await,
            RevokeSessions::Id(id) if is_id(id, "ABIA") => Ok(Some(Found {
                arn: id.clone(),
                subjects: vec![(Kind::TokenName, token_name(account, id))],
            })),
            RevokeSessions::Id(id) if is_id(id, "ASIA") || is_id(id, "AKIA") => {
                self.of_key(account, id).await
            }
            RevokeSessions::Id(_) => {
                let message = "an id begins with `ASIA`, `ABIA` or `AKIA` and has 20 characters";
                return Err(Fault::validation(Reason::FieldValidationFailed, message));
            }
        };
        let found = found.map_err(failed)?;
        // A name that is not there is asked for as it would be, so that who may not learns nothing.
        let resource = match (&found, asked) {
            (Some(found), _) if found.arn.starts_with("arn:") => found.arn.clone(),
            (None, RevokeSessions::UserName(name)) => format!("arn:aws:iam::{account}:user/{name}"),
            (None, RevokeSessions::RoleName(name)) => format!("arn:aws:iam::{account}:role/{name}"),
            _ => "*".to_owned(),
        };
        self.permit(caller, ACTION, &resource, &[]).await?;
        let Some(Found { arn, subjects }) = found else {
            let message = format!("there is no {asked} in this account");
            return Err(Fault::not_found(None, asked.to_string(), message));
        };
        let mut read = Vec::new();
        for (kind, id) in &subjects {
            read.push(match kind {
                Kind::Principal => Subject::Principal(id),
                Kind::AccessKey => Subject::AccessKey(id),
                Kind::TokenName => Subject::TokenName(id),
                Kind::Session => {
                    let parsed = id.parse();
                    Subject::Session(parsed.map_err(|_| Fault::internal())?)
                }
            });
        }
        self.revoke_all(&read).await.map_err(failed)?;
        Ok(Revoked {
            revoked: arn,
            issued_until: self.clock().now().iso8601(),
        })
    }

    /// With what was obtained with the user's keys: sessions of roles, which are the roles' and not the user's.
    async fn of_user(&self, account: &AccountId, name: &str) -> Result<Option<Found>, Error> {
        let Some(user) = self.find_user(account, name).await? else {
            return Ok(None);
        };
        let keys = self.access_keys(&Whose::User(user.id.clone())).await?;
        let keys = keys.iter().map(|key| (Kind::AccessKey, key.id.to_string()));
        let mut subjects: Vec<_> = keys.collect();
        subjects.push((Kind::Principal, user.id.clone()));
        Ok(Some(Found {
            arn: user.arn(),
            subjects,
        }))
    }

    async fn of_role(&self, account: &AccountId, name: &str) -> Result<Option<Found>, Error> {
        let role = self.find_role(account, name).await?;
        Ok(role.map(|role| Found {
            arn: role.arn(),
            subjects: vec![(Kind::Principal, role.id)],
        }))
    }

    async fn of_key(&self, account: &AccountId, id: &str) -> Result<Option<Found>, Error> {
        let key: AccessKeyId = id
            .parse()
            .map_err(|error| Error::damaged("access key id", error))?;
        let (owner, whose, subject) = if key.is_temporary() {
            let Some(session) = self.session_of_temporary_key(&key).await? else {
                return Ok(None);
            };
            let subject = (Kind::Session, session.id.to_string());
            (session.account, session.whose, subject)
        } else {
            let Some(key) = self.access_key(&key).await? else {
                return Ok(None);
            };
            let subject = (Kind::AccessKey, key.id.to_string());
            (key.account, key.whose, subject)
        };
        if owner != *account {
            return Ok(None);
        }
        let holder = self.holder(&owner, &whose).await?;
        Ok(holder.map(|holder| Found {
            arn: Names::of(&holder, None).principal_arn,
            subjects: vec![subject],
        }))
    }
}

/// Twenty letters and digits that begin like this.
fn is_id(text: &str, start: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    text.len() == 20 && text.starts_with(start) && text.bytes().all(plain)
}
