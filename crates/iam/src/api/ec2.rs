//! The EC2 corner: `AssociateIamInstanceProfile`, `ReplaceIamInstanceProfileAssociation`, `DisassociateIamInstanceProfile`,
//! `DescribeIamInstanceProfileAssociations`, `DescribeInstances` (`identity.md` 2.7).
//!
//! Machines are what EC2 calls instances, so that the last step of giving one a role is an `aws` command too. Lists are
//! flat, answers have no Result element, and error codes are EC2's.

use std::pin::Pin;

use aws::page::{Filters, MaxResults, PageToken};
use aws::query::{Form, ec2_response};
use aws::reader::{Field, Reader};
use aws::xml::Xml;
use aws::{Arn, Fault, MachineId};
use bytes::Bytes;
use http::{Response, StatusCode};

use super::filters::Filter;
use crate::instance_profiles::InstanceProfile;
use crate::machine_profiles::Association;
use crate::machines::{Machine, MachineState};
use crate::{Ask, AuthorizeError, Caller, Error, Iam};

/// Entries of a list in a request, as EC2 has it.
const AT_MOST: usize = 1000;
/// Machines looked at in one go while a page is filled.
const LOOK: u32 = 200;

/// One operation that is answered here.
#[derive(Clone, Copy, Debug)]
pub struct Ec2Operation {
    /// Its name, the parameter `Action`.
    pub name: &'static str,
    function: Function,
}

type Function = for<'a> fn(Ec2Call<'a>) -> Answer<'a>;
type Answer<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;
type Answered = Result<Response<Bytes>, Fault>;

/// All of them, version 2016-11-15.
pub const EC2_OPERATIONS: &[Ec2Operation] = &[
    Ec2Operation {
        name: "AssociateIamInstanceProfile",
        function: |call| Box::pin(associate(call)),
    },
    Ec2Operation {
        name: "DescribeIamInstanceProfileAssociations",
        function: |call| Box::pin(describe_associations(call)),
    },
    Ec2Operation {
        name: "DescribeInstances",
        function: |call| Box::pin(describe_instances(call)),
    },
    Ec2Operation {
        name: "DisassociateIamInstanceProfile",
        function: |call| Box::pin(disassociate(call)),
    },
    Ec2Operation {
        name: "ReplaceIamInstanceProfileAssociation",
        function: |call| Box::pin(replace(call)),
    },
];

/// One call.
#[derive(Clone, Copy)]
struct Ec2Call<'a> {
    iam: &'a Iam,
    caller: &'a Caller,
    form: &'a Form,
    operation: &'static str,
    request_id: &'a str,
}

impl Iam {
    /// Answers a call of EC2.
    ///
    /// Errors: `MissingAction`; `InvalidAction` for what AWS has and this does not; the operation's own.
    pub async fn call_ec2(
        &self,
        caller: &Caller,
        form: &Form,
        request_id: &str,
    ) -> Result<Response<Bytes>, Fault> {
        let name = form.action()?;
        let operation = EC2_OPERATIONS
            .iter()
            .find(|operation| operation.name == name)
            .ok_or_else(|| form.unknown_action())?;
        (operation.function)(Ec2Call {
            iam: self,
            caller,
            form,
            operation: operation.name,
            request_id,
        })
        .await
    }

    /// Whether the caller may give a machine the role in a profile: `iam:PassRole`, as for all that hand roles to machines.
    /// `Ok(None)` when there is no role in it.
    pub(super) async fn may_pass(
        &self,
        caller: &Caller,
        profile: &InstanceProfile,
        machine_arn: &str,
    ) -> Result<Option<()>, AuthorizeError> {
        let role = match &profile.role_id {
            Some(id) => self.role_by_id(&profile.account, id).await?,
            None => None,
        };
        let Some(role) = role else { return Ok(None) };
        let tags = self.principal_tags(&role.id).await?;
        let arn = role.arn();
        let mut context = vec![
            ("iam:PassedToService", "ec2.amazonaws.com".to_owned()),
            ("iam:AssociatedResourceArn", machine_arn.to_owned()),
        ];
        let of_role: Vec<(String, &String)> = tags
            .iter()
            .map(|(key, value)| (format!("iam:ResourceTag/{key}"), value))
            .collect();
        context.extend(
            of_role
                .iter()
                .map(|(key, value)| (key.as_str(), (*value).clone())),
        );
        let resources = [arn.as_str()];
        let ask = Ask {
            resource_tags: &tags,
            ..ask(caller, "iam:PassRole", &resources, &context)
        };
        self.authorize(&ask).await?;
        Ok(Some(()))
    }
}

/// A question of the caller's own account.
pub(super) fn ask<'a>(
    caller: &'a Caller,
    action: &'a str,
    resources: &'a [&'a str],
    context: &'a [(&'a str, String)],
) -> Ask<'a> {
    Ask {
        caller,
        action,
        resources,
        owner: caller.account(),
        administrator: None,
        domain_policy: None,
        repository_policy: None,
        resource_tags: &[],
        request_tags: None,
        context,
    }
}

/// Ids of machines of which nothing is known: one that is not there must be refused like one that is.
const ANY: &str = "*";

impl<'a> Ec2Call<'a> {
    /// Whether the caller may do what the operation is called to a machine.
    async fn authorize(
        &self,
        machine: Option<&Machine>,
        id: &str,
        context: &[(&str, String)],
    ) -> Result<(), Fault> {
        let action = format!("ec2:{}", self.operation);
        let arn = self.iam.machine_arn(self.caller.account(), id);
        let tags: Vec<(String, String)> = machine
            .map(|machine| vec![("Name".to_owned(), machine.name.clone())])
            .unwrap_or_default();
        let mut context = context.to_vec();
        if let Some(machine) = machine {
            context.push(("ec2:InstanceID", machine.id.to_string()));
            context.push(("ec2:ResourceTag/Name", machine.name.clone()));
            if let Some(association) = &machine.association {
                context.push(("ec2:InstanceProfile", association.profile_arn.clone()));
            }
        }
        let resources = [arn.as_str()];
        let ask = Ask {
            resource_tags: &tags,
            ..ask(self.caller, &action, &resources, &context)
        };
        self.iam.authorize(&ask).await.map_err(refused)
    }

    /// For lists, which have no resource.
    async fn authorize_list(&self) -> Result<(), Fault> {
        let action = format!("ec2:{}", self.operation);
        let ask = ask(self.caller, &action, &["*"], &[]);
        self.iam.authorize(&ask).await.map_err(refused)
    }

    /// The text of a parameter that must be there.
    fn required(&self, name: &str) -> Result<&'a str, Fault> {
        let value = self.form.get(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| missing(name))
    }

    /// The account's machine of this id, if there is one. Errors: `InvalidInstanceID.Malformed`.
    async fn machine(&self, id: &str) -> Result<Option<Machine>, Fault> {
        let read: MachineId = id.parse().map_err(|_| {
            let message = format!("Invalid id: \"{id}\"");
            bad("InvalidInstanceID.Malformed", message)
        })?;
        let machine = self.iam.find_machine(&read).await?;
        Ok(machine.filter(|machine| machine.account == *self.caller.account()))
    }

    /// The machine that an association belongs to, and the association.
    async fn associated(&self, id: &str) -> Result<Option<(Machine, Association)>, Fault> {
        let account = self.caller.account();
        let machine = self.iam.machine_by_association(account, id).await?;
        Ok(machine.and_then(|machine| {
            let association = machine.association.clone()?;
            Some((machine, association))
        }))
    }

    /// The profile that the request names, by name or by ARN.
    fn profile_name(&self) -> Result<ProfileNamed<'a>, Fault> {
        let name = self.form.get("IamInstanceProfile.Name");
        let arn = self.form.get("IamInstanceProfile.Arn");
        match (name, arn) {
            (Some(_), Some(_)) => Err(bad(
                "InvalidParameterCombination",
                "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
            )),
            (Some(name), None) => Ok(ProfileNamed::Name(name)),
            (None, Some(arn)) => Ok(ProfileNamed::Arn(arn)),
            (None, None) => Err(missing("IamInstanceProfile")),
        }
    }

    async fn profile(&self, named: ProfileNamed<'_>) -> Result<Option<InstanceProfile>, Fault> {
        let account = self.caller.account();
        let (name, arn) = match named {
            ProfileNamed::Name(name) => (name.to_owned(), None),
            ProfileNamed::Arn(text) => {
                let arn: Arn = text.parse().map_err(|_| named.invalid())?;
                let name = arn.resource().rsplit('/').next().unwrap_or_default();
                (name.to_owned(), Some(text))
            }
        };
        let found = self.iam.find_instance_profile(account, &name).await?;
        Ok(found.filter(|profile| arn.is_none_or(|arn| arn == profile.arn())))
    }

    /// The profile, if the caller may give its role away to this machine.
    async fn passed(
        &self,
        named: ProfileNamed<'_>,
        profile: Option<InstanceProfile>,
        machine_arn: &str,
    ) -> Result<InstanceProfile, Fault> {
        let profile = profile.ok_or_else(|| named.invalid())?;
        let passed = self.iam.may_pass(self.caller, &profile, machine_arn).await;
        match passed.map_err(refused)? {
            Some(()) => Ok(profile),
            None => Err(bad(
                "InvalidParameterValue",
                format!(
                    "IAM Instance Profile \"{}\" has no associated IAM Roles",
                    profile.arn()
                ),
            )),
        }
    }

    fn answer(&self, members: impl FnOnce(&mut Xml)) -> Response<Bytes> {
        ec2_response(self.operation, self.request_id, members)
    }
}

/// How a request names a profile.
#[derive(Clone, Copy)]
enum ProfileNamed<'a> {
    Name(&'a str),
    Arn(&'a str),
}

impl ProfileNamed<'_> {
    fn invalid(self) -> Fault {
        let (value, member, kind) = match self {
            Self::Name(name) => (name, "name", "name"),
            Self::Arn(arn) => (arn, "arn", "ARN"),
        };
        bad(
            "InvalidParameterValue",
            format!(
                "Value ({value}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {kind}"
            ),
        )
    }
}

fn bad(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(code, StatusCode::BAD_REQUEST, message)
}

fn missing(name: &str) -> Fault {
    bad(
        "MissingParameter",
        format!("The request must contain the parameter {name}"),
    )
}

fn no_instance(id: &str) -> Fault {
    bad(
        "InvalidInstanceID.NotFound",
        format!("The instance ID '{id}' does not exist"),
    )
}

fn no_association(id: &str) -> Fault {
    bad(
        "InvalidAssociationID.NotFound",
        format!("The association ID '{id}' does not exist"),
    )
}

fn refused(error: AuthorizeError) -> Fault {
    match error {
        AuthorizeError::Denied(denial) => Fault::access_denied(format!(
            "You are not authorized to perform this operation. {}",
            denial.message
        )),
        AuthorizeError::Unavailable(error) => error.into(),
    }
}

async fn associate(call: Ec2Call<'_>) -> Answered {
    let id = call.required("InstanceId")?;
    let named = call.profile_name()?;
    let machine = call.machine(id).await?;
    let profile = call.profile(named).await?;
    let new = new_profile(profile.as_ref());
    call.authorize(machine.as_ref(), id, &new).await?;
    let machine = machine.ok_or_else(|| no_instance(id))?;
    let arn = call.iam.machine_arn(&machine.account, id);
    let profile = call.passed(named, profile, &arn).await?;
    let bound = call.iam.associate_profile(&machine, &profile).await;
    let association = bound.map_err(|error| match error {
        Error::Exists { .. } => bad(
            "IncorrectState",
            format!("There is an existing association for instance {id}"),
        ),
        error => error.into(),
    })?;
    Ok(call.answer(|xml| {
        xml.element("iamInstanceProfileAssociation", |xml| {
            write_association(xml, &machine.id, &association, "associated");
        });
    }))
}

async fn replace(call: Ec2Call<'_>) -> Answered {
    let id = call.required("AssociationId")?;
    let named = call.profile_name()?;
    let found = call.associated(id).await?;
    let profile = call.profile(named).await?;
    let new = new_profile(profile.as_ref());
    let machine = found.as_ref().map(|(machine, _)| machine);
    let machine_id = machine.map_or(ANY, |machine| machine.id.as_str());
    call.authorize(machine, machine_id, &new).await?;
    let (machine, old) = found.ok_or_else(|| no_association(id))?;
    let arn = call.iam.machine_arn(&machine.account, machine.id.as_str());
    let profile = call.passed(named, profile, &arn).await?;
    let replaced = call.iam.replace_profile(&machine, &old, &profile).await;
    let association = replaced.map_err(|error| gone(error, id))?;
    Ok(call.answer(|xml| {
        xml.element("iamInstanceProfileAssociation", |xml| {
            write_association(xml, &machine.id, &association, "associating");
        });
    }))
}

async fn disassociate(call: Ec2Call<'_>) -> Answered {
    let id = call.required("AssociationId")?;
    let found = call.associated(id).await?;
    let machine = found.as_ref().map(|(machine, _)| machine);
    let machine_id = machine.map_or(ANY, |machine| machine.id.as_str());
    call.authorize(machine, machine_id, &[]).await?;
    let (machine, association) = found.ok_or_else(|| no_association(id))?;
    call.iam
        .disassociate_profile(&machine, &association)
        .await
        .map_err(|error| gone(error, id))?;
    Ok(call.answer(|xml| {
        xml.element("iamInstanceProfileAssociation", |xml| {
            write_association(xml, &machine.id, &association, "disassociating");
        });
    }))
}

fn new_profile(profile: Option<&InstanceProfile>) -> Vec<(&'static str, String)> {
    profile
        .map(|profile| ("ec2:NewInstanceProfile", profile.arn()))
        .into_iter()
        .collect()
}

/// Somebody else has unbound it meanwhile.
fn gone(error: Error, association: &str) -> Fault {
    match error {
        Error::NotFound { .. } => no_association(association),
        error => error.into(),
    }
}

fn write_association(xml: &mut Xml, machine: &MachineId, association: &Association, state: &str) {
    xml.text("associationId", &association.id)
        .text("instanceId", machine);
    write_profile(xml, association);
    xml.text("state", state);
}

fn write_profile(xml: &mut Xml, association: &Association) {
    xml.element("iamInstanceProfile", |xml| {
        xml.text("arn", &association.profile_arn)
            .text("id", &association.profile_id);
    });
}

/// What a list is asked for.
struct Listing {
    ids: Vec<String>,
    filters: Vec<Filter>,
    max_results: u32,
    token: Option<PageToken>,
}

impl Listing {
    fn read(form: &Form, ids: &'static str) -> Result<Self, Fault> {
        let mut read = Reader::of_form(form);
        let text = |field: Field<'_, '_>| field.required_with(|text| Ok(text.to_owned()));
        let ids = read.form(ids, ids).optional_list_of(AT_MOST, text);
        let filters = read
            .form("Filter", "Filter")
            .optional_list_of(AT_MOST, |filter| {
                filter.required_structure(|filter| {
                    let name = filter
                        .form("Name", "Name")
                        .required_with(|text| Ok(text.to_owned()));
                    let values = filter.form("Value", "Value");
                    let values = values.optional_list_of(AT_MOST, |value| {
                        value.required_with(|text| Ok(text.to_owned()))
                    });
                    Some(Filter {
                        name: name?,
                        values: values?.unwrap_or_default(),
                    })
                })
            });
        let max_results: Option<Option<MaxResults>> =
            read.form("MaxResults", "maxResults").optional();
        let token: Option<Option<PageToken>> = read.form("NextToken", "nextToken").optional();
        read.finish(|| {
            Some(Self {
                ids: ids?.unwrap_or_default(),
                filters: filters?.unwrap_or_default(),
                max_results: max_results?.map_or(1000, MaxResults::get),
                token: token?,
            })
        })
    }

    /// Refuses filters that there are not, rather than list everything.
    fn check(&self, known: &[&str]) -> Result<(), Fault> {
        let unknown = self
            .filters
            .iter()
            .find(|filter| !known.contains(&filter.name.as_str()));
        unknown.map_or(Ok(()), |filter| {
            Err(bad(
                "InvalidParameterValue",
                format!("The filter '{}' is invalid", filter.name),
            ))
        })
    }
}

/// A page of machines, and the token of the next one.
struct Found {
    machines: Vec<Machine>,
    next: Option<String>,
}

/// Walks through the account's machines until a page is full. They are few, so filters need no index.
async fn find(
    call: Ec2Call<'_>,
    listing: &Listing,
    fits: impl Fn(&Machine) -> bool,
) -> Result<Found, Fault> {
    let account = call.caller.account();
    let texts = listing.filters.iter().flat_map(|filter| {
        std::iter::once(filter.name.as_str()).chain(filter.values.iter().map(String::as_str))
    });
    let texts = texts.chain(listing.ids.iter().map(String::as_str));
    let filters = Filters::of(std::iter::once(account.as_str()).chain(texts).map(Some));
    let mut after = match &listing.token {
        None => String::new(),
        Some(token) => {
            let opened = call
                .iam
                .pages()
                .open(call.operation, &filters, token.as_str());
            opened.map_err(|_| bad("InvalidParameterValue", "Unable to parse pagination token"))?
        }
    };
    let limit = usize::try_from(listing.max_results).unwrap_or(usize::MAX);
    let mut machines: Vec<Machine> = Vec::new();
    loop {
        let some = call.iam.machines(account, &after, LOOK).await?;
        let Some(last) = some.last() else {
            return Ok(Found {
                machines,
                next: None,
            });
        };
        after = last.id.to_string();
        for machine in some.into_iter().filter(&fits) {
            if machines.len() == limit {
                let shown = machines.last().map(|machine| machine.id.to_string());
                let cursor = shown.unwrap_or_default();
                let next = call.iam.pages().seal(call.operation, &filters, &cursor);
                return Ok(Found {
                    machines,
                    next: Some(next),
                });
            }
            machines.push(machine);
        }
    }
}

async fn describe_associations(call: Ec2Call<'_>) -> Answered {
    let listing = Listing::read(call.form, "AssociationId")?;
    call.authorize_list().await?;
    listing.check(&["instance-id", "state", "iam-instance-profile.arn"])?;
    for id in &listing.ids {
        if call.associated(id).await?.is_none() {
            return Err(no_association(id));
        }
    }
    let found = find(call, &listing, |machine| {
        let Some(association) = &machine.association else {
            return false;
        };
        let listed = listing.ids.is_empty() || listing.ids.contains(&association.id);
        listed
            && listing
                .filters
                .iter()
                .all(|filter| match filter.name.as_str() {
                    "instance-id" => filter.fits(machine.id.as_str()),
                    "state" => filter.fits("associated"),
                    _ => filter.fits(&association.profile_arn),
                })
    })
    .await?;
    Ok(call.answer(|xml| {
        xml.ec2_list(
            "iamInstanceProfileAssociationSet",
            &found.machines,
            |xml, machine| {
                if let Some(association) = &machine.association {
                    write_association(xml, &machine.id, association, "associated");
                }
            },
        )
        .optional("nextToken", found.next.as_deref());
    }))
}

async fn describe_instances(call: Ec2Call<'_>) -> Answered {
    let listing = Listing::read(call.form, "InstanceId")?;
    call.authorize_list().await?;
    listing.check(&[
        "instance-id",
        "state",
        "instance-state-name",
        "iam-instance-profile.arn",
        "tag:Name",
    ])?;
    if call.form.get("DryRun") == Some("true") {
        return Err(Fault::new(
            "DryRunOperation",
            StatusCode::PRECONDITION_FAILED,
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    for id in &listing.ids {
        if call.machine(id).await?.is_none() {
            return Err(no_instance(id));
        }
    }
    let found = find(call, &listing, |machine| {
        let listed =
            listing.ids.is_empty() || listing.ids.iter().any(|id| id == machine.id.as_str());
        let profile = machine.association.as_ref();
        let profile = profile.map(|association| association.profile_arn.as_str());
        listed
            && listing
                .filters
                .iter()
                .all(|filter| match filter.name.as_str() {
                    "instance-id" => filter.fits(machine.id.as_str()),
                    "state" | "instance-state-name" => filter.fits(state(machine).1),
                    "tag:Name" => filter.fits(&machine.name),
                    _ => profile.is_some_and(|arn| filter.fits(arn)),
                })
    })
    .await?;
    Ok(call.answer(|xml| {
        xml.ec2_list("reservationSet", &found.machines, write_reservation)
            .optional("nextToken", found.next.as_deref());
    }))
}

/// Each machine is a reservation of its own.
fn write_reservation(xml: &mut Xml, machine: &Machine) {
    let digits = machine.id.as_str().trim_start_matches("i-");
    xml.text("reservationId", format!("r-{digits}"))
        .text("ownerId", machine.account)
        .ec2_list("instancesSet", [machine], |xml, machine| {
            if let Some(association) = &machine.association {
                write_profile(xml, association);
            }
            xml.ec2_list("tagSet", [&machine.name], |xml, name| {
                xml.text("key", "Name").text("value", name);
            })
            .text("instanceId", &machine.id);
            let (code, name) = state(machine);
            xml.element("instanceState", |xml| {
                xml.text("code", code).text("name", name);
            });
        });
}

/// The state as EC2 numbers and names it.
fn state(machine: &Machine) -> (u8, &'static str) {
    match machine.state {
        MachineState::Waiting => (0, "pending"),
        MachineState::Enrolled => (16, "running"),
        MachineState::Disabled => (80, "stopped"),
    }
}
