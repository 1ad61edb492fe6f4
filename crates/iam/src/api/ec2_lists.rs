//! The lists of the EC2 corner: `DescribeIamInstanceProfileAssociations`, `DescribeInstances`.

use aws::Fault;
use aws::page::{Filters, MaxResults, PageToken};
use aws::query::Form;
use aws::reader::{Field, Reader};
use aws::xml::Xml;
use http::StatusCode;

use super::ec2::{
    Answered, Ec2Call, bad, no_association, no_instance, write_association, write_profile,
};
use super::filters::Filter;
use crate::machines::{Machine, MachineState};

/// Entries of a list in a request, as EC2 has it.
const AT_MOST: usize = 1000;
/// Machines looked at in one go while a page is filled.
const LOOK: u32 = 200;

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

pub(super) async fn describe_associations(call: Ec2Call<'_>) -> Answered {
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

pub(super) async fn describe_instances(call: Ec2Call<'_>) -> Answered {
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
