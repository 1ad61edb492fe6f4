//! Which instance profile a machine carries: at most one, bound and unbound as on EC2.
//!
//! Unbinding takes what was given away back: in the same transaction the machine's sessions are revoked.

use aws::Timestamp;
use store::{Row, Tx, Value};

use crate::error::Noun;
use crate::instance_profiles::InstanceProfile;
use crate::machines::{Machine, revoke_sessions};
use crate::{Error, Iam, ids};

/// A row of `machine_profiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Association {
    /// `iip-assoc-…`.
    pub(crate) id: String,
    /// `AIPA…`; it may be gone.
    pub(crate) profile_id: String,
    pub(crate) profile_arn: String,
}

const INSERT: &str = "
    INSERT INTO machine_profiles (association_id, machine_id, account_id, profile_id, profile_arn, created)
    VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (machine_id) DO NOTHING";

pub(crate) const DELETE: &str = "
    DELETE FROM machine_profiles
     WHERE association_id = $1";

impl Association {
    pub(crate) fn new(profile: &InstanceProfile) -> Self {
        Self {
            id: ids::ec2_id("iip-assoc-"),
            profile_id: profile.id.clone(),
            profile_arn: profile.arn(),
        }
    }

    /// From a row of machines; `None` when the machine carries nothing.
    pub(crate) fn read(row: &Row) -> Result<Option<Self>, store::Error> {
        Ok(match row.opt_text("association_id")? {
            Some(id) => Some(Self {
                id,
                profile_id: row.text("profile_id")?,
                profile_arn: row.text("profile_arn")?,
            }),
            None => None,
        })
    }
}

/// Binds a profile to a machine. Errors: [`Error::Exists`] when it carries one.
pub(crate) fn insert(
    tx: &mut Tx<'_>,
    machine: &Machine,
    association: &Association,
    now: Timestamp,
) -> Result<(), Error> {
    let values: [Value; 6] = [
        association.id.as_str().into(),
        machine.id.as_str().into(),
        machine.account.as_str().into(),
        association.profile_id.as_str().into(),
        association.profile_arn.as_str().into(),
        now.millis().into(),
    ];
    match tx.execute(INSERT, &values)? {
        0 => Err(Error::Exists {
            noun: Noun::Association,
            name: machine.id.to_string(),
        }),
        _ => Ok(()),
    }
}

impl Iam {
    /// Binds a profile to a machine that carries none. Errors: [`Error::Exists`].
    pub(crate) async fn associate_profile(
        &self,
        machine: &Machine,
        profile: &InstanceProfile,
    ) -> Result<Association, Error> {
        let (machine, association) = (machine.clone(), Association::new(profile));
        let (new, now) = (association.clone(), self.clock().now());
        let bound = self
            .database()
            .write(move |tx| insert(tx, &machine, &new, now));
        bound.await?;
        Ok(association)
    }

    /// Binds another profile in place of `old`. Errors: [`Error::NotFound`] when `old` was unbound meanwhile.
    pub(crate) async fn replace_profile(
        &self,
        machine: &Machine,
        old: &Association,
        profile: &InstanceProfile,
    ) -> Result<Association, Error> {
        let association = Association::new(profile);
        let new = association.clone();
        self.unbind(machine, old, Some(new)).await?;
        Ok(association)
    }

    /// Takes the profile away from a machine. Errors: [`Error::NotFound`] when it was gone already.
    pub(crate) async fn disassociate_profile(
        &self,
        machine: &Machine,
        association: &Association,
    ) -> Result<(), Error> {
        self.unbind(machine, association, None).await
    }

    async fn unbind(
        &self,
        machine: &Machine,
        old: &Association,
        new: Option<Association>,
    ) -> Result<(), Error> {
        let now = self.clock().now();
        let arn = self.machine_arn(&machine.account, machine.id.as_str());
        let (machine, old) = (machine.clone(), old.id.clone());
        self.change(move |tx| {
            if tx.execute(DELETE, &[old.as_str().into()])? == 0 {
                return Err(Error::not_found(Noun::Association, old.as_str()));
            }
            if let Some(new) = &new {
                insert(tx, &machine, new, now)?;
            }
            revoke_sessions(tx, &arn, now)?;
            Ok(())
        })
        .await
    }
}
