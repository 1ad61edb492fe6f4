//! How a machine gets credentials: it signs a statement, and the role in its profile trusts machines.
//!
//! A statement is good for a minute, once, and for the server that the machine was enrolled at. What a machine is told
//! depends on what it has proven: somebody without the key learns nothing, not even whether there is such a machine.

use std::time::Duration;

use aws::machine::{Purpose, Statement};
use aws::{MachineId, Timestamp};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use store::{Tx, Value};

use crate::caller::Source;
use crate::identity::Whose;
use crate::instance_profiles::InstanceProfile;
use crate::machine_profiles::Association;
use crate::machines::{Machine, MachineState, PUBLIC_KEY, takes_turns};
use crate::policy::Principal;
use crate::roles::Role;
use crate::sessions::{Kind, Session, Temporary};
use crate::trust::Entrance;
use crate::{Error, Iam};

/// How far a machine's clock may be off.
const MAX_SKEW: Duration = Duration::from_mins(1);
/// How long a statement's number is remembered: on both sides of the clock.
const REMEMBER: Duration = Duration::from_mins(2);
/// How long a session may be asked for, in seconds: as any session at least, six hours at most.
const SECONDS: std::ops::RangeInclusive<u32> = 900..=21_600;

/// Whom trust policies name when they mean machines.
const MACHINES: &str = "ec2.amazonaws.com";

const REMEMBER_NONCE: &str = "
    INSERT INTO machine_nonces (machine_id, nonce, forget_after)
    VALUES ($1, $2, $3)
        ON CONFLICT (machine_id, nonce) DO NOTHING";

pub(crate) const FORGET_NONCES: &str = "
    DELETE FROM machine_nonces
     WHERE machine_id = $1
       AND forget_after < $2";

pub(crate) const STILL_BOUND: &str = "
    SELECT p.association_id
      FROM machine_profiles p
      JOIN machines m ON m.id = p.machine_id
     WHERE p.association_id = $1
       AND m.state = 'enrolled'
       AND m.public_key = $2";

const SEEN: &str = "
    UPDATE machines
       SET seen = $2, seen_from = $3, seen_before = $4
     WHERE id = $1";

/// Stands in for the key of a machine that does not exist, so that it takes as long to be refused. It is the y-coordinate
/// of the curve's base point, whose secret is of no use to anybody: signatures by it are refused as well.
const NOBODYS_KEY: [u8; PUBLIC_KEY] = {
    let mut key = [0x66; PUBLIC_KEY];
    key[0] = 0x58;
    key
};

/// Why an agent is told nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotMachine {
    /// It is no statement, or asks for what there is not.
    #[error("the statement does not have its form")]
    Malformed,
    /// Its time is too far from ours.
    #[error("the statement is of another minute; set the machine's clock right")]
    Clock,
    /// No such machine, another key, another server, shown before: one answer for all.
    #[error("the machine is not known, or its signature is not right")]
    Refused,
    /// The machine has proven itself and was disabled.
    #[error("the machine is disabled")]
    Disabled,
    /// Nobody can tell now.
    #[error(transparent)]
    Unavailable(#[from] Error),
}

impl From<store::Error> for NotMachine {
    fn from(error: store::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// The role that a machine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundRole {
    /// What binds it: another one when it was unbound and bound again.
    pub association_id: String,
    /// `AROA…`.
    pub role_id: String,
    /// As created.
    pub role_name: String,
    /// The profile that carries it.
    pub profile_arn: String,
    /// `AIPA…`.
    pub profile_id: String,
}

/// What a machine is told.
#[derive(Clone, Debug)]
pub enum MachineAnswer {
    /// It carries no profile, or one without a role.
    NoRole,
    /// Which role it has; that is what was asked.
    Bound(BoundRole),
    /// The role does not trust machines; SDKs know this as `AssumeRoleUnauthorizedAccess`.
    Untrusted(BoundRole),
    /// A session of the role.
    Session(BoundRole, Temporary),
}

impl Iam {
    /// Answers what an agent signed: `statement` as [`Statement`] prints it, `signature` over its bytes.
    pub async fn answer_machine(
        &self,
        statement: &str,
        signature: &[u8],
        source: &Source,
    ) -> Result<MachineAnswer, NotMachine> {
        let read: Statement = statement.parse().map_err(|_| NotMachine::Malformed)?;
        if let Purpose::Credentials { seconds } = read.purpose
            && !SECONDS.contains(&seconds)
        {
            return Err(NotMachine::Malformed);
        }
        let now = self.clock().now();
        if now.since(read.at) > MAX_SKEW || read.at.since(now) > MAX_SKEW {
            return Err(NotMachine::Clock);
        }
        let machine = self
            .signer_of(&read.machine, statement.as_bytes(), signature)
            .await?;
        if machine.server.as_deref() != Some(&read.server) {
            return Err(NotMachine::Refused);
        }
        match machine.state {
            MachineState::Enrolled => {}
            MachineState::Waiting | MachineState::Disabled => return Err(NotMachine::Disabled),
        }
        let Some((association, profile, role)) = self.role_of(&machine).await? else {
            return Ok(MachineAnswer::NoRole);
        };
        let bound = BoundRole {
            association_id: association.id,
            role_id: role.id.clone(),
            role_name: role.name.clone(),
            profile_arn: profile.arn(),
            profile_id: profile.id,
        };
        let seconds = match read.purpose {
            Purpose::Binding => return Ok(MachineAnswer::Bound(bound)),
            Purpose::Credentials { seconds } => seconds,
        };
        if !self.trusts_machines(&role, &machine, now, source).await? {
            return Ok(MachineAnswer::Untrusted(bound));
        }
        let duration = Duration::from_secs(seconds.into());
        let temporary = self
            .start_machine_session(&machine, &bound, duration, &read, source)
            .await?;
        Ok(MachineAnswer::Session(bound, temporary))
    }

    /// The machine, if it has signed these bytes.
    async fn signer_of(
        &self,
        id: &MachineId,
        bytes: &[u8],
        signature: &[u8],
    ) -> Result<Machine, NotMachine> {
        let machine = self.find_machine(id).await?;
        let key = machine.as_ref().and_then(|machine| machine.public_key);
        let verified = UnparsedPublicKey::new(&ED25519, key.unwrap_or(NOBODYS_KEY))
            .verify(bytes, signature)
            .is_ok();
        match machine {
            Some(machine) if key.is_some() && verified => Ok(machine),
            _ => Err(NotMachine::Refused),
        }
    }

    async fn role_of(
        &self,
        machine: &Machine,
    ) -> Result<Option<(Association, InstanceProfile, Role)>, Error> {
        let Some(association) = &machine.association else {
            return Ok(None);
        };
        let account = &machine.account;
        let profile = self
            .instance_profile_by_id(account, &association.profile_id)
            .await?;
        let Some((profile, role_id)) =
            profile.and_then(|profile| Some((profile.clone(), profile.role_id?)))
        else {
            return Ok(None);
        };
        let role = self.role_by_id(account, &role_id).await?;
        Ok(role.map(|role| (association.clone(), profile, role)))
    }

    /// Whether the trust policy lets machines take the role.
    async fn trusts_machines(
        &self,
        role: &Role,
        machine: &Machine,
        now: Timestamp,
        source: &Source,
    ) -> Result<bool, Error> {
        let tags = self.principal_tags(&role.id).await?;
        let arn = self.machine_arn(&machine.account, machine.id.as_str());
        let mut context = self.trust_context(role, &tags, now, source);
        context.set("aws:SourceAccount", machine.account.as_str());
        context.set("aws:SourceArn", arn);
        context.set("aws:PrincipalIsAWSService", "true");
        context.set("aws:PrincipalServiceName", MACHINES);
        context.set("aws:PrincipalType", "Service");
        let entrance = Entrance {
            principal: Principal::Service { name: MACHINES },
            action: "sts:AssumeRole",
            context: &context,
            now,
        };
        Ok(self.admits(role, &entrance)?.is_ok())
    }

    /// A session named after the machine, as on EC2. What it rests on, and that the statement is shown for the first time,
    /// is looked at in the transaction that stores it: so nothing that is taken away meanwhile leaves one behind.
    async fn start_machine_session(
        &self,
        machine: &Machine,
        bound: &BoundRole,
        duration: Duration,
        statement: &Statement,
        source: &Source,
    ) -> Result<Temporary, NotMachine> {
        let now = self.clock().now();
        let from = source.ip.map(|ip| ip.to_canonical().to_string());
        if takes_turns(machine, from.as_deref()) {
            tracing::warn!(
                machine = %machine.id,
                from = from.as_deref(),
                before = machine.seen.as_ref().and_then(|(_, from)| from.as_deref()),
                "two addresses take turns with the key of one machine; if it did not move, somebody has copied it"
            );
        }
        let seen = seen(machine, from, now);
        let nonce: [Value; 3] = [
            machine.id.as_str().into(),
            statement.nonce.as_str().into(),
            now.plus(REMEMBER).millis().into(),
        ];
        let key = machine.public_key.map(hex::encode);
        let still: [Value; 2] = [bound.association_id.as_str().into(), key.into()];
        let old: [Value; 2] = [machine.id.as_str().into(), now.millis().into()];
        let holds = move |tx: &mut Tx<'_>| {
            tx.execute(FORGET_NONCES, &old)?;
            if tx.execute(REMEMBER_NONCE, &nonce)? == 0 || tx.rows(STILL_BOUND, &still)?.is_empty()
            {
                return Err(NotMachine::Refused);
            }
            tx.execute(SEEN, &seen)?;
            Ok(())
        };
        let session = Session {
            kind: Kind::Role,
            name: Some(machine.id.to_string()),
            source_instance: Some(self.machine_arn(&machine.account, machine.id.as_str())),
            ..Session::blank(
                machine.account,
                Whose::Role(bound.role_id.clone()),
                self.time_of_issue()?,
                duration,
            )
        };
        self.give_credentials_if(session, holds).await
    }
}

/// The values of [`SEEN`].
fn seen(machine: &Machine, from: Option<String>, now: Timestamp) -> [Value; 4] {
    let last = machine.seen.as_ref().and_then(|(_, from)| from.clone());
    let before = if last == from {
        machine.seen_before.clone()
    } else {
        last
    };
    [
        machine.id.as_str().into(),
        now.millis().into(),
        from.into(),
        before.into(),
    ]
}
