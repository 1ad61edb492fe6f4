//! Roles: the row, its verbs. Who may take one, and how, stands in `assume.rs`.

use aws::{AccountId, Timestamp};
use store::{Row, Value};

use crate::error::{InUse, Noun};
use crate::ids::{self, Kind};
use crate::lists::Part;
use crate::revocations::{self, Subject};
use crate::tags::{self, Tag};
use crate::users::name_key;
use crate::{Error, Iam, attachments, count, inline_policies, managed_policies, quotas};

/// A row of `roles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    /// `AROA…`.
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// As created; looked up without case.
    pub(crate) name: String,
    /// `/` or `/…/`.
    pub(crate) path: String,
    pub(crate) description: Option<String>,
    /// Users and roles in it are unique ids; see [`crate::principals`].
    pub(crate) trust_policy: String,
    /// How long its sessions may last.
    pub(crate) max_session_seconds: u64,
    /// ARN of the managed policy that limits what its sessions may do.
    pub(crate) boundary: Option<String>,
    pub(crate) created: Timestamp,
    /// When, and in which region, a session of it last signed a request.
    pub(crate) last_used: Option<(Timestamp, String)>,
}

/// What a new role is to be.
#[derive(Clone, Debug)]
pub(crate) struct NewRole {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) description: Option<String>,
    /// As it was sent.
    pub(crate) trust_policy: String,
    pub(crate) max_session_seconds: u64,
    pub(crate) boundary: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

pub(crate) const BY_ID: &str = "
    SELECT id, account_id, name, path, description, trust_policy, max_session_seconds, boundary, created, last_used, last_used_region
      FROM roles
     WHERE id = $1
       AND account_id = $2";

pub(crate) const BY_NAME: &str = "
    SELECT id, account_id, name, path, description, trust_policy, max_session_seconds, boundary, created, last_used, last_used_region
      FROM roles
     WHERE account_id = $1
       AND name_key = $2";

pub(crate) const LIST: &str = "
    SELECT id, account_id, name, path, description, trust_policy, max_session_seconds, boundary, created, last_used, last_used_region
      FROM roles
     WHERE account_id = $1
       AND name_key > $2
       AND path >= $3
       AND path < $4
     ORDER BY name_key
     LIMIT $5";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM roles
     WHERE account_id = $1";

const INSERT: &str = "
    INSERT INTO roles (id, account_id, name, name_key, path, description, trust_policy, max_session_seconds, boundary, created)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const UPDATE: &str = "
    UPDATE roles
       SET description = $2, max_session_seconds = $3
     WHERE id = $1";

const SET_TRUST_POLICY: &str = "
    UPDATE roles
       SET trust_policy = $2
     WHERE id = $1";

const SET_BOUNDARY: &str = "
    UPDATE roles
       SET boundary = $2
     WHERE id = $1";

const DELETE: &str = "
    DELETE FROM roles
     WHERE id = $1";

pub(crate) const PROFILES: &str = "
    SELECT COUNT(*) AS n
      FROM instance_profile_roles
     WHERE role_id = $1";

impl Role {
    pub(crate) fn read(row: &Row) -> Result<Self, store::Error> {
        let last_used = row.opt_int("last_used")?.map(Timestamp::from_millis);
        Ok(Self {
            id: row.text("id")?,
            account: row.parse("account_id")?,
            name: row.text("name")?,
            path: row.text("path")?,
            description: row.opt_text("description")?,
            trust_policy: row.text("trust_policy")?,
            max_session_seconds: row.size("max_session_seconds")?,
            boundary: row.opt_text("boundary")?,
            created: Timestamp::from_millis(row.int("created")?),
            last_used: last_used.zip(row.opt_text("last_used_region")?),
        })
    }

    /// `arn:aws:iam::A:role/PATH/name`.
    pub(crate) fn arn(&self) -> String {
        let Self {
            account,
            path,
            name,
            ..
        } = self;
        format!("arn:aws:iam::{account}:role{path}{name}")
    }

    /// Seconds fit: the longest session is twelve hours.
    fn seconds(seconds: u64) -> Value {
        i64::try_from(seconds).unwrap_or(i64::MAX).into()
    }
}

impl Iam {
    /// Makes a role. Errors: [`Error::Malformed`], [`Error::Exists`], [`Error::Quota`], [`Error::NotFound`] for its boundary.
    pub(crate) async fn create_role(
        &self,
        account: &AccountId,
        new: NewRole,
    ) -> Result<Role, Error> {
        let role = Role {
            id: ids::unique_id(Kind::Role),
            account: *account,
            trust_policy: self.checked_trust(account, &new.trust_policy).await?,
            name: new.name,
            path: new.path,
            description: new.description,
            max_session_seconds: new.max_session_seconds,
            boundary: new.boundary,
            created: self.clock().now(),
            last_used: None,
        };
        let (row, tags) = (role.clone(), new.tags);
        self.change(move |tx| {
            quotas::ROLES.room(count(tx, COUNT, &[row.account.as_str().into()])?)?;
            if let Some(boundary) = &row.boundary {
                managed_policies::require(tx, &row.account, boundary)?;
            }
            let values: [Value; 10] = [
                row.id.as_str().into(),
                row.account.as_str().into(),
                row.name.as_str().into(),
                name_key(&row.name).into(),
                row.path.as_str().into(),
                row.description.as_deref().into(),
                row.trust_policy.as_str().into(),
                Role::seconds(row.max_session_seconds),
                row.boundary.as_deref().into(),
                row.created.millis().into(),
            ];
            tx.execute(INSERT, &values)?;
            tags::put(tx, &row.id, &tags)
        })
        .await
        .map_err(|error| error.or_exists(Noun::Role, &role.name))?;
        Ok(role)
    }

    /// The role of this name, in whatever case.
    pub(crate) async fn find_role(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<Role>, Error> {
        let values = vec![account.as_str().into(), name_key(name).into()];
        let rows = self.database().rows(BY_NAME, values).await?;
        Ok(rows.first().map(Role::read).transpose()?)
    }

    pub(crate) async fn role_by_id(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Role>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.into(), account.as_str().into()])
            .await?;
        Ok(rows.first().map(Role::read).transpose()?)
    }

    /// The role of this ARN, in whatever account; ARNs compare with case.
    pub(crate) async fn role_by_arn(&self, arn: &aws::Arn) -> Result<Option<Role>, Error> {
        let name = arn.resource().rsplit('/').next().unwrap_or_default();
        let Some(account) = arn.account_id() else {
            return Ok(None);
        };
        let role = self.find_role(&account, name).await?;
        Ok(role.filter(|role| role.arn() == arn.as_str()))
    }

    /// The account's roles by name.
    pub(crate) async fn roles(
        &self,
        account: &AccountId,
        part: Part<'_>,
    ) -> Result<Vec<Role>, Error> {
        let values = part.values(account.as_str());
        let rows = self.database().rows(LIST, values).await?;
        Ok(rows.iter().map(Role::read).collect::<Result<_, _>>()?)
    }

    /// Changes what a role says about itself, and how long its sessions may last from now on.
    pub(crate) async fn update_role(
        &self,
        role: &Role,
        description: Option<&str>,
        max_session_seconds: u64,
    ) -> Result<(), Error> {
        let values = vec![
            role.id.as_str().into(),
            description.into(),
            Role::seconds(max_session_seconds),
        ];
        self.change_role(role, UPDATE, values).await
    }

    /// Says anew who may take a role. Errors: [`Error::Malformed`], [`Error::NotFound`].
    pub(crate) async fn set_trust_policy(&self, role: &Role, text: &str) -> Result<(), Error> {
        let text = self.checked_trust(&role.account, text).await?;
        let values = vec![role.id.as_str().into(), text.into()];
        self.change_role(role, SET_TRUST_POLICY, values).await
    }

    /// Limits a role to what a managed policy allows, or lifts the limit. Errors: [`Error::NotFound`].
    pub(crate) async fn set_role_boundary(
        &self,
        role: &Role,
        boundary: Option<&str>,
    ) -> Result<(), Error> {
        let (role, boundary) = (role.clone(), boundary.map(str::to_owned));
        self.change(move |tx| {
            if let Some(boundary) = &boundary {
                managed_policies::require(tx, &role.account, boundary)?;
            }
            let values: [Value; 2] = [role.id.as_str().into(), boundary.as_deref().into()];
            match tx.execute(SET_BOUNDARY, &values)? {
                0 => Err(Error::not_found(Noun::Role, &role.name)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Deletes a role that has nothing left, and kills its sessions. Errors: [`Error::InUse`], [`Error::NotFound`].
    pub(crate) async fn delete_role(&self, role: &Role) -> Result<(), Error> {
        let (role, now) = (role.clone(), self.clock().now());
        self.change(move |tx| {
            let id: [Value; 1] = [role.id.as_str().into()];
            inline_policies::require_none(tx, &role.id)?;
            attachments::require_none(tx, &role.id)?;
            if count(tx, PROFILES, &id)? > 0 {
                return Err(Error::InUse(InUse::ProfileRole));
            }
            tags::remove_all(tx, &role.id)?;
            revocations::insert(tx, Subject::Principal(&role.id), now)?;
            match tx.execute(DELETE, &id)? {
                0 => Err(Error::not_found(Noun::Role, &role.name)),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn change_role(
        &self,
        role: &Role,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<(), Error> {
        match self.write(move |tx| tx.execute(sql, &values)).await? {
            0 => Err(Error::not_found(Noun::Role, &role.name)),
            _ => Ok(()),
        }
    }
}
