//! Machines: made by an operator, enrolled once with a code, disabled when they are not to be trusted any more.
//!
//! A machine is what EC2 calls an instance, and goes by that name in ARNs. It proves itself with a key that never leaves it;
//! what it may do is the role in its instance profile. How it gets credentials stands in `machine_sessions.rs`.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use aws::{AccountId, MachineId, SecretString, Timestamp};
use sha2::{Digest as _, Sha256};
use store::{Row, Tx, Value};

use crate::error::Noun;
use crate::instance_profiles::InstanceProfile;
use crate::machine_profiles::{self, Association};
use crate::revocations::{self, Subject};
use crate::{Error, Iam, count, ids, quotas, sessions};

/// How long an enrolment code is good.
const CODE_LIFE: Duration = Duration::from_hours(1);

/// Bytes of an Ed25519 public key.
pub(crate) const PUBLIC_KEY: usize = 32;

/// How far a machine has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineState {
    /// Made, and not enrolled yet.
    Waiting,
    /// Its agent has a key.
    Enrolled,
    /// Trusted no more; a new code enrols it again.
    Disabled,
}

impl MachineState {
    /// The word that the table and our own operations have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Enrolled => "enrolled",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for MachineState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "waiting" => Ok(Self::Waiting),
            "enrolled" => Ok(Self::Enrolled),
            "disabled" => Ok(Self::Disabled),
            other => Err(format!("`{other}` is no state of a machine")),
        }
    }
}

/// A row of `machines`, with its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) id: MachineId,
    pub(crate) account: AccountId,
    /// For people.
    pub(crate) name: String,
    pub(crate) state: MachineState,
    pub(crate) public_key: Option<[u8; PUBLIC_KEY]>,
    /// The server's address as the agent has it.
    pub(crate) server: Option<String>,
    /// Host name and machine id, as the agent said.
    pub(crate) host: (Option<String>, Option<String>),
    /// When it was enrolled, and from which address.
    pub(crate) enrolled: Option<(Timestamp, Option<String>)>,
    /// When it last had credentials, and from which address.
    pub(crate) seen: Option<(Timestamp, Option<String>)>,
    /// From which address before that one.
    pub(crate) seen_before: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) association: Option<Association>,
}

pub(crate) const BY_ID: &str = "
    SELECT m.id, m.account_id, m.name, m.state, m.public_key, m.server, m.host_name, m.host_id, m.enrolled, m.enrolled_from, m.seen,
           m.seen_from, m.seen_before, m.created, p.association_id, p.profile_id, p.profile_arn
      FROM machines m
      LEFT JOIN machine_profiles p ON p.machine_id = m.id
     WHERE m.id = $1";

pub(crate) const BY_ASSOCIATION: &str = "
    SELECT m.id, m.account_id, m.name, m.state, m.public_key, m.server, m.host_name, m.host_id, m.enrolled, m.enrolled_from, m.seen,
           m.seen_from, m.seen_before, m.created, p.association_id, p.profile_id, p.profile_arn
      FROM machine_profiles p
      JOIN machines m ON m.id = p.machine_id
     WHERE p.association_id = $1
       AND p.account_id = $2";

pub(crate) const LIST: &str = "
    SELECT m.id, m.account_id, m.name, m.state, m.public_key, m.server, m.host_name, m.host_id, m.enrolled, m.enrolled_from, m.seen,
           m.seen_from, m.seen_before, m.created, p.association_id, p.profile_id, p.profile_arn
      FROM machines m
      LEFT JOIN machine_profiles p ON p.machine_id = m.id
     WHERE m.account_id = $1
       AND m.id > $2
     ORDER BY m.id
     LIMIT $3";

pub(crate) const BY_CODE: &str = "
    SELECT id, account_id, code_expires
      FROM machines
     WHERE code_hash = $1";

pub(crate) const COUNT: &str = "
    SELECT COUNT(*) AS n
      FROM machines
     WHERE account_id = $1";

const INSERT: &str = "
    INSERT INTO machines (id, account_id, name, state, code_hash, code_expires, created)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";

const SET_CODE: &str = "
    UPDATE machines
       SET code_hash = $2, code_expires = $3
     WHERE id = $1";

const ENROLL: &str = "
    UPDATE machines
       SET state = 'enrolled', public_key = $2, server = $3, host_name = $4, host_id = $5, enrolled = $6, enrolled_from = $7,
           code_hash = NULL, code_expires = NULL, seen = NULL, seen_from = NULL, seen_before = NULL
     WHERE id = $1";

const DISABLE: &str = "
    UPDATE machines
       SET state = 'disabled', code_hash = NULL, code_expires = NULL
     WHERE id = $1";

const DELETE_PROFILE: &str = "
    DELETE FROM machine_profiles
     WHERE machine_id = $1";

const DELETE_NONCES: &str = "
    DELETE FROM machine_nonces
     WHERE machine_id = $1";

const DELETE: &str = "
    DELETE FROM machines
     WHERE id = $1";

/// What an agent shows to become a machine.
#[derive(Clone, Debug)]
pub struct Enrollment {
    /// The one-time code.
    pub code: SecretString,
    /// Its Ed25519 public key.
    pub public_key: [u8; PUBLIC_KEY],
    /// The server's address as the agent has it; part of everything that it will sign.
    pub server: String,
    /// What the host is called, for the operator.
    pub host_name: Option<String>,
    /// The host's own id, likewise.
    pub host_id: Option<String>,
    /// Where it came from.
    pub from: Option<IpAddr>,
}

/// What an agent has become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Its id.
    pub machine: MachineId,
    /// Whose it is.
    pub account: AccountId,
}

/// An enrolment code, shown once.
#[derive(Clone, Debug)]
pub struct EnrollmentCode {
    /// `phe1_` and 32 hex digits.
    pub code: SecretString,
    /// The first moment in which it is no longer good.
    pub expires: Timestamp,
}

impl EnrollmentCode {
    fn new(now: Timestamp) -> Self {
        Self {
            code: SecretString::from(ids::enrollment_code().as_str()),
            expires: now.plus(CODE_LIFE),
        }
    }

    fn hash(code: &SecretString) -> String {
        hex::encode(Sha256::digest(code.expose()))
    }
}

impl Machine {
    pub(crate) fn read(row: &Row) -> Result<Self, store::Error> {
        let at = |time: &str, from: &str| {
            let time = row.opt_int(time)?.map(Timestamp::from_millis);
            Ok::<_, store::Error>(match time {
                Some(time) => Some((time, row.opt_text(from)?)),
                None => None,
            })
        };
        let public_key = match row.opt_text("public_key")? {
            Some(digits) => Some(key_of(&digits)?),
            None => None,
        };
        Ok(Self {
            id: row.parse("id")?,
            account: row.parse("account_id")?,
            name: row.text("name")?,
            state: row.parse("state")?,
            public_key,
            server: row.opt_text("server")?,
            host: (row.opt_text("host_name")?, row.opt_text("host_id")?),
            enrolled: at("enrolled", "enrolled_from")?,
            seen: at("seen", "seen_from")?,
            seen_before: row.opt_text("seen_before")?,
            created: Timestamp::from_millis(row.int("created")?),
            association: Association::read(row)?,
        })
    }
}

fn key_of(digits: &str) -> Result<[u8; PUBLIC_KEY], store::Error> {
    let mut key = [0; PUBLIC_KEY];
    let read = hex::decode_to_slice(digits, &mut key);
    read.map_err(|_| store::Error::Column {
        column: "public_key".to_owned(),
        problem: "is not 64 hex digits".to_owned(),
    })?;
    Ok(key)
}

impl Iam {
    /// `arn:aws:ec2:REGION:A:instance/i-…`.
    pub(crate) fn machine_arn(&self, account: &AccountId, id: &str) -> String {
        let region = self.region();
        format!("arn:aws:ec2:{region}:{account}:instance/{id}")
    }

    /// Makes a machine that waits for its agent, carrying a profile if one is given. Errors: [`Error::Quota`].
    pub(crate) async fn create_machine(
        &self,
        account: &AccountId,
        name: &str,
        profile: Option<&InstanceProfile>,
    ) -> Result<(Machine, EnrollmentCode), Error> {
        let now = self.clock().now();
        let id: MachineId = ids::ec2_id("i-")
            .parse()
            .map_err(|error| Error::damaged("machine id", error))?;
        let code = EnrollmentCode::new(now);
        let association = profile.map(Association::new);
        let machine = Machine {
            id,
            account: *account,
            name: name.to_owned(),
            state: MachineState::Waiting,
            public_key: None,
            server: None,
            host: (None, None),
            enrolled: None,
            seen: None,
            seen_before: None,
            created: now,
            association,
        };
        let row: [Value; 7] = [
            machine.id.as_str().into(),
            account.as_str().into(),
            name.into(),
            machine.state.as_str().into(),
            EnrollmentCode::hash(&code.code).into(),
            code.expires.millis().into(),
            now.millis().into(),
        ];
        let new = machine.clone();
        let made = self.database().write(move |tx| {
            let used = count(tx, COUNT, &[new.account.as_str().into()])?;
            quotas::MACHINES.room(used)?;
            tx.execute(INSERT, &row)?;
            match &new.association {
                Some(association) => machine_profiles::insert(tx, &new, association, now),
                None => Ok(()),
            }
        });
        made.await?;
        Ok((machine, code))
    }

    /// The machine with this id, whosever it is.
    pub(crate) async fn find_machine(&self, id: &MachineId) -> Result<Option<Machine>, Error> {
        let rows = self
            .database()
            .rows(BY_ID, vec![id.as_str().into()])
            .await?;
        Ok(rows.first().map(Machine::read).transpose()?)
    }

    /// The account's machine that has this association.
    pub(crate) async fn machine_by_association(
        &self,
        account: &AccountId,
        association: &str,
    ) -> Result<Option<Machine>, Error> {
        let values = vec![association.into(), account.as_str().into()];
        let rows = self.database().rows(BY_ASSOCIATION, values).await?;
        Ok(rows.first().map(Machine::read).transpose()?)
    }

    /// The account's machines after an id, by id.
    pub(crate) async fn machines(
        &self,
        account: &AccountId,
        after: &str,
        limit: u32,
    ) -> Result<Vec<Machine>, Error> {
        let values = vec![account.as_str().into(), after.into(), limit.into()];
        let rows = self.database().rows(LIST, values).await?;
        Ok(rows.iter().map(Machine::read).collect::<Result<_, _>>()?)
    }

    /// A new code for a machine, in place of one that was not used. Its key stays good until the code is spent.
    pub(crate) async fn new_enrollment_code(
        &self,
        machine: &Machine,
    ) -> Result<EnrollmentCode, Error> {
        let code = EnrollmentCode::new(self.clock().now());
        let values: [Value; 3] = [
            machine.id.as_str().into(),
            EnrollmentCode::hash(&code.code).into(),
            code.expires.millis().into(),
        ];
        let set = self
            .database()
            .write(move |tx| tx.execute(SET_CODE, &values));
        match set.await? {
            0 => Err(Error::not_found(Noun::Machine, machine.id.as_str())),
            _ => Ok(code),
        }
    }

    /// Spends a code: from now on the machine is whoever holds this key, and sessions that were made by an older key are
    /// dead. `None` when the code is not one, was spent, or is too old.
    pub async fn enroll_machine(&self, new: Enrollment) -> Result<Option<Enrolled>, Error> {
        let (hash, now) = (EnrollmentCode::hash(&new.code), self.clock().now());
        let region = self.region().clone();
        self.change(move |tx| {
            let rows = tx.rows(BY_CODE, &[hash.as_str().into()])?;
            let Some(row) = rows.first() else {
                return Ok(None);
            };
            if Timestamp::from_millis(row.int("code_expires")?) <= now {
                return Ok(None);
            }
            let enrolled = Enrolled {
                machine: row.parse("id")?,
                account: row.parse("account_id")?,
            };
            let values: [Value; 7] = [
                enrolled.machine.as_str().into(),
                hex::encode(new.public_key).into(),
                new.server.as_str().into(),
                new.host_name.as_deref().into(),
                new.host_id.as_deref().into(),
                now.millis().into(),
                new.from.map(|ip| ip.to_string()).into(),
            ];
            tx.execute(ENROLL, &values)?;
            let (account, id) = (&enrolled.account, &enrolled.machine);
            let arn = format!("arn:aws:ec2:{region}:{account}:instance/{id}");
            revoke_sessions(tx, &arn, now)?;
            Ok(Some(enrolled))
        })
        .await
    }

    /// Removes a machine with its key and its profile, and kills its sessions; its id is never used again. Errors:
    /// [`Error::NotFound`].
    pub(crate) async fn delete_machine(&self, machine: &Machine) -> Result<(), Error> {
        let now = self.clock().now();
        let arn = self.machine_arn(&machine.account, machine.id.as_str());
        let id = machine.id.clone();
        self.change(move |tx| {
            let value: [Value; 1] = [id.as_str().into()];
            tx.execute(DELETE_PROFILE, &value)?;
            tx.execute(DELETE_NONCES, &value)?;
            if tx.execute(DELETE, &value)? == 0 {
                return Err(Error::not_found(Noun::Machine, id.as_str()));
            }
            revoke_sessions(tx, &arn, now)?;
            Ok(())
        })
        .await
    }

    /// Trusts a machine's key no more, from its next request on, and kills its sessions. Errors: [`Error::NotFound`].
    pub(crate) async fn disable_machine(&self, machine: &Machine) -> Result<(), Error> {
        let now = self.clock().now();
        let arn = self.machine_arn(&machine.account, machine.id.as_str());
        let id = machine.id.clone();
        self.change(move |tx| {
            if tx.execute(DISABLE, &[id.as_str().into()])? == 0 {
                return Err(Error::not_found(Noun::Machine, id.as_str()));
            }
            revoke_sessions(tx, &arn, now)?;
            Ok(())
        })
        .await
    }
}

/// Kills the sessions that were made for a machine, and what was obtained with them.
pub(crate) fn revoke_sessions(
    tx: &mut Tx<'_>,
    machine_arn: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    let of_machine: [Value; 2] = [machine_arn.into(), now.millis().into()];
    for row in tx.rows(sessions::OF_MACHINE, &of_machine)? {
        revocations::insert(tx, Subject::Session(row.parse("id")?), now)?;
    }
    Ok(())
}

/// Whether an address is new, and the one before that is back: two hosts with one key look like this.
pub(crate) fn takes_turns(machine: &Machine, from: Option<&str>) -> bool {
    let last = machine.seen.as_ref().and_then(|(_, from)| from.as_deref());
    from.is_some() && last.is_some() && from != last && from == machine.seen_before.as_deref()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn codes_are_long_and_never_the_same() {
        let now = Timestamp::from_seconds(0);
        let (one, other) = (EnrollmentCode::new(now), EnrollmentCode::new(now));
        let digits = one.code.expose().strip_prefix("phe1_").unwrap();
        assert_eq!(digits.len(), 32);
        assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert!(one.code != other.code);
        assert_eq!(one.expires, now.plus(Duration::from_hours(1)));
        assert_eq!(format!("{:?}", one.code), "[secret]");
    }

    #[test]
    fn two_hosts_with_one_key_take_turns() {
        let mut machine = Machine {
            id: "i-0123456789abcdef0".parse().unwrap(),
            account: "111122223333".parse().unwrap(),
            name: String::new(),
            state: MachineState::Enrolled,
            public_key: None,
            server: None,
            host: (None, None),
            enrolled: None,
            seen: None,
            seen_before: None,
            created: Timestamp::from_seconds(0),
            association: None,
        };
        let mut seen = |from: &str| {
            let takes_turns = takes_turns(&machine, Some(from));
            let last = machine.seen.take().and_then(|(_, from)| from);
            if last.as_deref() != Some(from) {
                machine.seen_before = last;
            }
            machine.seen = Some((machine.created, Some(from.to_owned())));
            takes_turns
        };
        let found: Vec<bool> = ["a", "a", "b", "b", "a", "c"].map(&mut seen).to_vec();
        // Moving once is moving; being back where it came from is two.
        assert_eq!(found, [false, false, false, false, true, false]);
    }
}
