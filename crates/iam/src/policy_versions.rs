//! Versions of managed policies: five at most, numbers are never used twice, one is the default.

use aws::Timestamp;
use store::{Row, Tx, Value};

use crate::error::{InUse, Noun};
use crate::managed_policies::{ManagedPolicy, shipped};
use crate::policy::{PolicyKind, PolicySource, validate};
use crate::{Error, Iam, count, quotas};

/// A version with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PolicyVersion {
    /// The number in `v1`.
    pub(crate) number: i64,
    pub(crate) document: String,
    pub(crate) is_default: bool,
    pub(crate) created: Timestamp,
}

pub(crate) const OF_POLICY: &str = "
    SELECT v.version, v.document, v.created, v.version = p.default_version AS is_default
      FROM policy_versions v
      JOIN policies p ON p.id = v.policy_id
     WHERE v.policy_id = $1
     ORDER BY v.version DESC";

pub(crate) const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM policy_versions
     WHERE policy_id = $1";

const INSERT: &str = "
    INSERT INTO policy_versions (policy_id, version, document, created)
    VALUES ($1, $2, $3, $4)";

const TAKE_NUMBER: &str = "
    UPDATE policies
       SET next_version = next_version + 1
     WHERE id = $1
    RETURNING next_version - 1 AS number";

const SET_DEFAULT: &str = "
    UPDATE policies
       SET default_version = $2, updated = $3
     WHERE id = $1
       AND EXISTS (SELECT version FROM policy_versions WHERE policy_id = $1 AND version = $2)";

const DELETE: &str = "
    DELETE FROM policy_versions
     WHERE policy_id = $1
       AND version = $2";

const DELETE_ALL: &str = "
    DELETE FROM policy_versions
     WHERE policy_id = $1";

const DEFAULT: &str = "
    SELECT default_version
      FROM policies
     WHERE id = $1";

impl PolicyVersion {
    fn read(row: &Row) -> Result<Self, store::Error> {
        Ok(Self {
            number: row.int("version")?,
            document: row.text("document")?,
            is_default: row.flag("is_default")?,
            created: Timestamp::from_millis(row.int("created")?),
        })
    }
}

/// Stores a version; part of the transaction that makes it.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    policy_id: &str,
    number: i64,
    document: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    let values: [Value; 4] = [
        policy_id.into(),
        number.into(),
        document.into(),
        now.millis().into(),
    ];
    tx.execute(INSERT, &values)?;
    Ok(())
}

/// Removes the version of a policy that has but one. Errors: [`Error::InUse`].
pub(crate) fn remove_only(tx: &mut Tx<'_>, policy_id: &str) -> Result<(), Error> {
    if count(tx, COUNT, &[policy_id.into()])? > 1 {
        return Err(Error::InUse(InUse::PolicyVersions));
    }
    tx.execute(DELETE_ALL, &[policy_id.into()])?;
    Ok(())
}

impl Iam {
    /// Adds a version, as the default one if so wanted. Errors: [`Error::Unmodifiable`], [`Error::Malformed`],
    /// [`Error::Quota`], [`Error::NotFound`].
    pub(crate) async fn create_version(
        &self,
        policy: &ManagedPolicy,
        document: String,
        is_default: bool,
    ) -> Result<PolicyVersion, Error> {
        policy.require_own()?;
        let source = PolicySource {
            name: policy.name.clone(),
            arn: Some(policy.arn.clone()),
        };
        validate(PolicyKind::Managed, &document, source)?;
        let (id, arn, now) = (policy.id.clone(), policy.arn.clone(), self.clock().now());
        let text = document.clone();
        let number = self
            .change(move |tx| {
                let policy_id: [Value; 1] = [id.as_str().into()];
                let taken = tx.rows(TAKE_NUMBER, &policy_id)?;
                let Some(row) = taken.first() else {
                    return Err(Error::not_found(Noun::Policy, arn.as_str()));
                };
                let number = row.int("number")?;
                if count(tx, COUNT, &policy_id)? >= quotas::POLICY_VERSIONS {
                    return Err(Error::Quota(
                        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an \
                         existing version."
                            .to_owned(),
                    ));
                }
                insert(tx, &id, number, &text, now)?;
                if is_default {
                    set_default(tx, &id, number, now)?;
                }
                Ok(number)
            })
            .await?;
        Ok(PolicyVersion {
            number,
            document,
            is_default,
            created: now,
        })
    }

    /// A policy's versions, newest first.
    pub(crate) async fn versions(
        &self,
        policy: &ManagedPolicy,
    ) -> Result<Vec<PolicyVersion>, Error> {
        if let Some(shipped) = shipped(&policy.arn) {
            return Ok(vec![PolicyVersion {
                number: policy.default_version,
                document: shipped.document.to_owned(),
                is_default: true,
                created: policy.created,
            }]);
        }
        let rows = self
            .database()
            .rows(OF_POLICY, vec![policy.id.as_str().into()])
            .await?;
        let versions = rows.iter().map(PolicyVersion::read);
        Ok(versions.collect::<Result<_, _>>()?)
    }

    /// One version. Errors: [`Error::NotFound`].
    pub(crate) async fn version(
        &self,
        policy: &ManagedPolicy,
        number: i64,
    ) -> Result<PolicyVersion, Error> {
        let mut versions = self.versions(policy).await?.into_iter();
        versions
            .find(|version| version.number == number)
            .ok_or_else(|| no_such(policy, number))
    }

    /// Makes a version the one that counts. Errors: [`Error::Unmodifiable`], [`Error::NotFound`].
    pub(crate) async fn set_default_version(
        &self,
        policy: &ManagedPolicy,
        number: i64,
    ) -> Result<(), Error> {
        policy.require_own()?;
        let (id, now) = (policy.id.clone(), self.clock().now());
        let changed = self.write(move |tx| set_default(tx, &id, number, now));
        match changed.await? {
            0 => Err(no_such(policy, number)),
            _ => Ok(()),
        }
    }

    /// Deletes a version that is not the default one. Errors: [`Error::Unmodifiable`], [`Error::InUse`],
    /// [`Error::NotFound`].
    pub(crate) async fn delete_version(
        &self,
        policy: &ManagedPolicy,
        number: i64,
    ) -> Result<(), Error> {
        policy.require_own()?;
        let id = policy.id.clone();
        let deleted = self.change(move |tx| {
            let values: [Value; 2] = [id.as_str().into(), number.into()];
            let default = tx.rows(DEFAULT, &values[..1])?;
            let default = default.first().map(|row| row.int("default_version"));
            if default.transpose()? == Some(number) {
                return Err(Error::InUse(InUse::DefaultVersion));
            }
            Ok(tx.execute(DELETE, &values)?)
        });
        match deleted.await? {
            0 => Err(no_such(policy, number)),
            _ => Ok(()),
        }
    }
}

fn set_default(
    tx: &mut Tx<'_>,
    policy_id: &str,
    number: i64,
    now: Timestamp,
) -> Result<u64, store::Error> {
    let values: [Value; 3] = [policy_id.into(), number.into(), now.millis().into()];
    tx.execute(SET_DEFAULT, &values)
}

fn no_such(policy: &ManagedPolicy, number: i64) -> Error {
    let name = format!("{} version v{number}", policy.arn);
    Error::not_found(Noun::PolicyVersion, name)
}
