//! Our own operations on machines, as `/packhouse/v1/machines` calls them: what EC2 has no words for.
//!
//! Each is a permission of service `packhouse` on the machine's ARN: `packhouse:CreateMachine`, `packhouse:ListMachines`,
//! `packhouse:CreateEnrollmentCode`, `packhouse:DisableMachine`, `packhouse:DeleteMachine`. To give a new machine a role needs what
//! `AssociateIamInstanceProfile` needs besides.

use aws::member::{check_length, check_pattern};
use aws::page::Filters;
use aws::{Fault, MachineId, Reason, Timestamp, Violation};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ec2::ask;
use super::params;
use crate::instance_profiles::InstanceProfile;
use crate::machines::{EnrollmentCode, Machine};
use crate::{Ask, AuthorizeError, Caller, Error, Iam};

/// Machines on a page.
const PAGE: usize = 100;

/// What `CreateMachine` is asked: `{"name": "build-01", "instanceProfile": "ec2-ca"}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateMachine {
    /// For people: 1 to 128 of the characters of a tag's value.
    pub name: String,
    /// The name of an instance profile that it is to carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<String>,
}

/// A machine as our own operations show it. Times are `2026-03-14T15:09:26Z`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownMachine {
    /// `i-…`.
    pub machine_id: String,
    /// As created.
    pub name: String,
    /// `arn:aws:ec2:REGION:A:instance/i-…`.
    pub arn: String,
    /// `waiting`, `enrolled` or `disabled`.
    pub state: String,
    /// The ARN of the profile that it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_profile_arn: Option<String>,
    /// What binds the profile to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub association_id: Option<String>,
    /// What its host is called, as its agent said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The host's own id, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// When it was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<String>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_from: Option<String>,
    /// When it last had credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<String>,
    /// From which address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_from: Option<String>,
    /// When it was made.
    pub created_at: String,
}

/// A machine and the code that enrols it; the code is shown this once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineWithCode {
    /// The machine.
    pub machine: ShownMachine,
    /// The one-time code.
    pub enrollment_code: String,
    /// When it is no longer good.
    pub enrollment_code_expires_at: String,
}

/// A page of machines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machines {
    /// By id.
    pub machines: Vec<ShownMachine>,
    /// Where the next page begins, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

impl Iam {
    /// `CreateMachine`.
    pub async fn create_machine_for(
        &self,
        caller: &Caller,
        asked: &CreateMachine,
    ) -> Result<MachineWithCode, Fault> {
        check_name(&asked.name).map_err(|violation| {
            let message = format!("the name of the machine: {violation}");
            Fault::validation(Reason::FieldValidationFailed, message)
        })?;
        let account = caller.account();
        let arn = self.machine_arn(account, "*");
        self.permit(caller, "packhouse:CreateMachine", &arn, &[])
            .await?;
        let profile = match &asked.instance_profile {
            None => None,
            Some(name) => {
                let named = self.find_instance_profile(account, name).await?;
                let new = named.as_ref().map(InstanceProfile::arn);
                let new = new.map(|arn| ("ec2:NewInstanceProfile", arn));
                self.permit(
                    caller,
                    "ec2:AssociateIamInstanceProfile",
                    &arn,
                    new.as_slice(),
                )
                .await?;
                let absent = || {
                    Fault::not_found(None, name, format!("there is no instance profile `{name}`"))
                };
                let profile = named.ok_or_else(absent)?;
                let passed = self.may_pass(caller, &profile, &arn).await;
                if passed.map_err(refused)?.is_none() {
                    return Err(Fault::validation(
                        Reason::Other,
                        format!("the instance profile `{name}` has no role"),
                    ));
                }
                Some(profile)
            }
        };
        let made = self
            .create_machine(account, &asked.name, profile.as_ref())
            .await;
        let (machine, code) = made.map_err(failed)?;
        Ok(self.with_code(&machine, &code))
    }

    /// `ListMachines`: those of the caller's account.
    pub async fn list_machines_for(
        &self,
        caller: &Caller,
        token: Option<&str>,
    ) -> Result<Machines, Fault> {
        const OPERATION: &str = "ListMachines";
        self.permit(caller, "packhouse:ListMachines", "*", &[])
            .await?;
        let account = caller.account();
        let filters = Filters::of([Some(account.as_str())]);
        let after = match token {
            None => String::new(),
            Some(token) => {
                let opened = self.pages().open(OPERATION, &filters, token);
                opened.map_err(|_| Fault::validation(Reason::Other, "the token is not one"))?
            }
        };
        let limit = u32::try_from(PAGE + 1).unwrap_or(u32::MAX);
        let mut machines = self
            .machines(account, &after, limit)
            .await
            .map_err(failed)?;
        let more = machines.len() > PAGE;
        machines.truncate(PAGE);
        let last = machines.last().filter(|_| more);
        let next_token =
            last.map(|machine| self.pages().seal(OPERATION, &filters, machine.id.as_str()));
        Ok(Machines {
            machines: machines.iter().map(|machine| self.shown(machine)).collect(),
            next_token,
        })
    }

    /// `CreateEnrollmentCode`: for a machine that was reinstalled, or was disabled, or whose code ran out.
    pub async fn create_enrollment_code_for(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<MachineWithCode, Fault> {
        let machine = self
            .permitted_machine(caller, "packhouse:CreateEnrollmentCode", id)
            .await?;
        let code = self.new_enrollment_code(&machine).await.map_err(failed)?;
        Ok(self.with_code(&machine, &code))
    }

    /// `DisableMachine`.
    pub async fn disable_machine_for(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<ShownMachine, Fault> {
        let machine = self
            .permitted_machine(caller, "packhouse:DisableMachine", id)
            .await?;
        self.disable_machine(&machine).await.map_err(failed)?;
        let now = self.find_machine(&machine.id).await.map_err(failed)?;
        Ok(self.shown(now.as_ref().unwrap_or(&machine)))
    }

    /// `DeleteMachine`: gives what was there.
    pub async fn delete_machine_for(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<ShownMachine, Fault> {
        let machine = self
            .permitted_machine(caller, "packhouse:DeleteMachine", id)
            .await?;
        self.delete_machine(&machine).await.map_err(failed)?;
        Ok(self.shown(&machine))
    }

    /// The account's machine of this id, if the caller may; who may not learns nothing of it.
    async fn permitted_machine(
        &self,
        caller: &Caller,
        action: &str,
        id: &str,
    ) -> Result<Machine, Fault> {
        let read: MachineId = id.parse().map_err(|_| {
            let message = "a machine's id is i- and 17 hex digits";
            Fault::validation(Reason::FieldValidationFailed, message)
        })?;
        let found = self.find_machine(&read).await.map_err(failed)?;
        let found = found.filter(|machine| machine.account == *caller.account());
        let arn = self.machine_arn(caller.account(), id);
        let name = found.as_ref().map(|machine| machine.name.clone());
        let name = name.map(|name| ("ec2:ResourceTag/Name", name));
        self.permit(caller, action, &arn, name.as_slice()).await?;
        found.ok_or_else(|| Fault::not_found(None, id, format!("there is no machine `{id}`")))
    }

    pub(super) async fn permit(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &[(&str, String)],
    ) -> Result<(), Fault> {
        let resources = [resource];
        let ask: Ask<'_> = ask(caller, action, &resources, context);
        self.authorize(&ask).await.map_err(refused)
    }

    fn with_code(&self, machine: &Machine, code: &EnrollmentCode) -> MachineWithCode {
        MachineWithCode {
            machine: self.shown(machine),
            enrollment_code: code.code.expose().clone(),
            enrollment_code_expires_at: code.expires.iso8601(),
        }
    }

    fn shown(&self, machine: &Machine) -> ShownMachine {
        let association = machine.association.as_ref();
        let at = |seen: &Option<(Timestamp, Option<String>)>| match seen {
            Some((time, from)) => (Some(time.iso8601()), from.clone()),
            None => (None, None),
        };
        let (enrolled_at, enrolled_from) = at(&machine.enrolled);
        let (seen_at, seen_from) = at(&machine.seen);
        let (host_name, host_id) = machine.host.clone();
        ShownMachine {
            machine_id: machine.id.to_string(),
            name: machine.name.clone(),
            arn: self.machine_arn(&machine.account, machine.id.as_str()),
            state: machine.state.as_str().to_owned(),
            instance_profile_arn: association.map(|it| it.profile_arn.clone()),
            association_id: association.map(|it| it.id.clone()),
            host_name,
            host_id,
            enrolled_at,
            enrolled_from,
            seen_at,
            seen_from,
            created_at: machine.created.iso8601(),
        }
    }
}

fn check_name(text: &str) -> Result<(), Violation> {
    check_length(text, 1, 128)?;
    check_pattern(params::is_tag_text(text), r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")
}

fn refused(error: AuthorizeError) -> Fault {
    match error {
        AuthorizeError::Denied(denial) => Fault::access_denied(denial.message),
        AuthorizeError::Unavailable(error) => failed(error),
    }
}

pub(super) fn failed(error: Error) -> Fault {
    match error {
        Error::Quota(message) => Fault::quota_exceeded(None, "machines", message),
        Error::NotFound { noun, name } => {
            let message = format!("there is no {noun} `{name}`");
            Fault::not_found(None, name, message)
        }
        Error::Store(store::Error::Conflict { .. }) => Fault::new(
            "ConflictException",
            StatusCode::CONFLICT,
            "others changed the same thing at the same time; try again",
        ),
        error => error.into(),
    }
}
