//! Instance profiles: each carries at most one role to machines.

use std::collections::HashMap;

use aws::{AccountId, Timestamp};
use store::{Row, Value};

use crate::error::{InUse, Noun};
use crate::ids::{self, Kind};
use crate::lists::Part;
use crate::roles::Role;
use crate::tags::{self, Tag};
use crate::users::name_key;
use crate::{Error, Iam, count, quotas};

/// A row of `instance_profiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstanceProfile {
    /// `AIPA…`.
    pub(crate) id: String,
    pub(crate) account: AccountId,
    /// As created; looked up without case.
    pub(crate) name: String,
    /// `/` or `/…/`.
    pub(crate) path: String,
    pub(crate) created: Timestamp,
    /// `AROA…`, if there is a role in it.
    pub(crate) role_id: Option<String>,
}

pub(crate) const BY_NAME: &str = "
    SELECT p.id, p.account_id, p.name, p.path, p.created, r.role_id
      FROM instance_profiles p
      LEFT JOIN instance_profile_roles r ON r.profile_id = p.id
     WHERE p.account_id = $1
       AND p.name_key = $2";

pub(crate) const BY_ID: &str = "
    SELECT p.id, p.account_id, p.name, p.path, p.created, r.role_id
      FROM instance_profiles p
      LEFT JOIN instance_profile_roles r ON r.profile_id = p.id
     WHERE p.id = $1
       AND p.account_id = $2";

pub(crate) const LIST: &str = "
    SELECT p.id, p.account_id, p.name, p.path, p.created, r.role_id
      FROM instance_profiles p
      LEFT JOIN instance_profile_roles r ON r.profile_id = p.id
     WHERE p.account_id = $1
       AND p.name_key > $2
       AND p.path >= $3
       AND p.path < $4
     ORDER BY p.name_key
     LIMIT $5";

pub(crate) const OF_ROLE: &str = "
    SELECT p.id, p.account_id, p.name, p.path, p.created, r.role_id
      FROM instance_profile_roles r
      JOIN instance_profiles p ON p.id = r.profile_id
     WHERE r.role_id = $1
       AND p.name_key > $2
     ORDER BY p.name_key
     LIMIT $3";

const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM instance_profiles
     WHERE account_id = $1";

const COUNT_ROLES: &str = "
    SELECT COUNT(*) AS n
      FROM instance_profile_roles
     WHERE profile_id = $1";

const INSERT: &str = "
    INSERT INTO instance_profiles (id, account_id, name, name_key, path, created)
    VALUES ($1, $2, $3, $4, $5, $6)";

const DELETE: &str = "
    DELETE FROM instance_profiles
     WHERE id = $1";

const ADD_ROLE: &str = "
    INSERT INTO instance_profile_roles (profile_id, role_id)
    VALUES ($1, $2)";

const REMOVE_ROLE: &str = "
    DELETE FROM instance_profile_roles
     WHERE profile_id = $1
       AND role_id = $2";

impl InstanceProfile {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            id: row.text("id")?,
            account: row.parse("account_id")?,
            name: row.text("name")?,
            path: row.text("path")?,
            created: Timestamp::from_millis(row.int("created")?),
            role_id: row.opt_text("role_id")?,
        })
    }

    /// `arn:aws:iam::A:instance-profile/PATH/name`.
    pub(crate) fn arn(&self) -> String {
        let Self {
            account,
            path,
            name,
            ..
        } = self;
        format!("arn:aws:iam::{account}:instance-profile{path}{name}")
    }
}

impl Iam {
    /// Makes a profile without a role. Errors: [`Error::Exists`], [`Error::Quota`].
    pub(crate) async fn create_instance_profile(
        &self,
        account: &AccountId,
        path: &str,
        name: &str,
        tags: Vec<Tag>,
    ) -> Result<InstanceProfile, Error> {
        let profile = InstanceProfile {
            id: ids::unique_id(Kind::InstanceProfile),
            account: *account,
            name: name.to_owned(),
            path: path.to_owned(),
            created: self.clock().now(),
            role_id: None,
        };
        let new = profile.clone();
        self.change(move |tx| {
            let used = count(tx, COUNT, &[new.account.as_str().into()])?;
            quotas::INSTANCE_PROFILES.room(used)?;
            let values: [Value; 6] = [
                new.id.as_str().into(),
                new.account.as_str().into(),
                new.name.as_str().into(),
                name_key(&new.name).into(),
                new.path.as_str().into(),
                new.created.millis().into(),
            ];
            tx.execute(INSERT, &values)?;
            tags::put(tx, &new.id, &tags)
        })
        .await
        .map_err(|error| error.or_exists(Noun::InstanceProfile, name))?;
        Ok(profile)
    }

    /// The profile of this name, in whatever case.
    pub(crate) async fn find_instance_profile(
        &self,
        account: &AccountId,
        name: &str,
    ) -> Result<Option<InstanceProfile>, Error> {
        let values = vec![account.as_str().into(), name_key(name).into()];
        let rows = self.database().rows(BY_NAME, values).await?;
        Ok(rows.first().map(InstanceProfile::read).transpose()?)
    }

    /// The profile with this unique id.
    pub(crate) async fn instance_profile_by_id(
        &self,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<InstanceProfile>, Error> {
        let values = vec![id.into(), account.as_str().into()];
        let rows = self.database().rows(BY_ID, values).await?;
        Ok(rows.first().map(InstanceProfile::read).transpose()?)
    }

    /// The account's profiles by name.
    pub(crate) async fn instance_profiles(
        &self,
        account: &AccountId,
        part: Part<'_>,
    ) -> Result<Vec<InstanceProfile>, Error> {
        let values = part.values(account.as_str());
        let rows = self.database().rows(LIST, values).await?;
        let profiles = rows.iter().map(InstanceProfile::read);
        Ok(profiles.collect::<Result<_, _>>()?)
    }

    /// The profiles that carry a role, by name.
    pub(crate) async fn instance_profiles_of_role(
        &self,
        role: &Role,
        part: Part<'_>,
    ) -> Result<Vec<InstanceProfile>, Error> {
        let values = part.values_without_path(&role.id);
        let rows = self.database().rows(OF_ROLE, values).await?;
        let profiles = rows.iter().map(InstanceProfile::read);
        Ok(profiles.collect::<Result<_, _>>()?)
    }

    /// The roles in these profiles, by their ids.
    pub(crate) async fn roles_in(
        &self,
        profiles: &[InstanceProfile],
    ) -> Result<HashMap<String, Role>, Error> {
        let mut roles = HashMap::new();
        for profile in profiles {
            if let Some(id) = &profile.role_id
                && !roles.contains_key(id)
                && let Some(role) = self.role_by_id(&profile.account, id).await?
            {
                roles.insert(id.clone(), role);
            }
        }
        Ok(roles)
    }

    /// Puts a role into a profile that has none. Errors: [`Error::Quota`], [`Error::NotFound`].
    pub(crate) async fn add_role_to_profile(
        &self,
        profile: &InstanceProfile,
        role: &Role,
    ) -> Result<(), Error> {
        let values: [Value; 2] = [profile.id.as_str().into(), role.id.as_str().into()];
        self.change(move |tx| {
            quotas::ROLES_PER_PROFILE.room(count(tx, COUNT_ROLES, &values[..1])?)?;
            tx.execute(ADD_ROLE, &values)?;
            Ok(())
        })
        .await
    }

    /// Takes a role out of a profile. Errors: [`Error::NotFound`] when it was not in it.
    pub(crate) async fn remove_role_from_profile(
        &self,
        profile: &InstanceProfile,
        role: &Role,
    ) -> Result<(), Error> {
        let values: [Value; 2] = [profile.id.as_str().into(), role.id.as_str().into()];
        match self
            .write(move |tx| tx.execute(REMOVE_ROLE, &values))
            .await?
        {
            0 => {
                let name = format!("{} in instance profile {}", role.name, profile.name);
                Err(Error::not_found(Noun::ProfileRole, name))
            }
            _ => Ok(()),
        }
    }

    /// Deletes a profile without a role. Errors: [`Error::InUse`], [`Error::NotFound`].
    pub(crate) async fn delete_instance_profile(
        &self,
        profile: &InstanceProfile,
    ) -> Result<(), Error> {
        let profile = profile.clone();
        self.change(move |tx| {
            let id: [Value; 1] = [profile.id.as_str().into()];
            if count(tx, COUNT_ROLES, &id)? > 0 {
                return Err(Error::InUse(InUse::ProfileRole));
            }
            tags::remove_all(tx, &profile.id)?;
            match tx.execute(DELETE, &id)? {
                0 => Err(Error::not_found(
                    Noun::InstanceProfile,
                    profile.name.as_str(),
                )),
                _ => Ok(()),
            }
        })
        .await
    }
}
