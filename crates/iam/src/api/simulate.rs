//! Simulation: `SimulatePrincipalPolicy`, `SimulateCustomPolicy`, `GetContextKeysForPrincipalPolicy`,
//! `GetContextKeysForCustomPolicy`.
//!
//! Decided by the evaluator of real requests; only the circumstances come from the call.

use std::sync::Arc;

use aws::member::{check_length, check_pattern};
use aws::xml::Xml;
use aws::{AccountId, Arn, Fault, Violation};

use super::call::{Answered, Asked, Call, Target};
use super::fault::invalid_input;
use super::params::{self, Paging, Params};
use super::targets::iam_arn;
use crate::Error;
use crate::holders::HolderKind;
use crate::policy::{Context, Decision, MatchedStatement, Policy, PolicyType, Position, Reason};
use crate::simulate::{Actor, Simulation, Source, compile, mentioned};

/// How many policies, actions and resources one call may be about.
const MANY: usize = 1000;

/// Policies to be tried.
const POLICIES: &str = "PolicyInputList";

/// A condition key that the call gives.
struct Entry {
    name: String,
    values: Vec<String>,
    /// Several values even when it is one.
    is_list: bool,
}

/// What both simulations are asked with.
struct Input {
    policies: Vec<String>,
    boundaries: Vec<String>,
    actions: Vec<String>,
    resources: Vec<String>,
    resource_policy: Option<String>,
    resource_owner: Option<AccountId>,
    caller: Option<String>,
    context: Vec<Entry>,
    paging: Paging,
}

impl Input {
    /// `policies`: `PolicyInputList`, which only one of the two may leave out.
    fn read(read: &mut Params<'_>, policies: Option<Vec<String>>) -> Option<Self> {
        let boundaries = read.list("PermissionsBoundaryPolicyInputList", 1, params::document);
        let actions = read.required_list("ActionNames", MANY, action);
        let resources = read.list("ResourceArns", MANY, params::text::<2048>);
        let resource_policy = read.optional("ResourcePolicy", params::document);
        let resource_owner = read.optional("ResourceOwner", owner);
        let caller = read.optional("CallerArn", params::text::<2048>);
        let context = read
            .field("ContextEntries")
            .optional_list_of(MANY, |field| field.required_structure(entry));
        let paging = read.paging();
        Some(Self {
            policies: policies?,
            boundaries: boundaries?,
            actions: actions?,
            resources: resources?,
            resource_policy: resource_policy?,
            resource_owner: resource_owner?,
            caller: caller?,
            context: context?.unwrap_or_default(),
            paging: paging?,
        })
    }
}

fn action(text: &str) -> Result<String, Violation> {
    check_length(text, 3, 128)?;
    check_pattern(text.contains(':'), "[a-zA-Z0-9-]+:[a-zA-Z0-9]+")?;
    Ok(text.to_owned())
}

/// An account's number, or the ARN of its root.
fn owner(text: &str) -> Result<AccountId, Violation> {
    let account = match text.parse::<Arn>() {
        Ok(arn) => arn.account_id(),
        Err(_) => text.parse().ok(),
    };
    account.ok_or_else(|| Violation::Other("be the ARN of an account".to_owned()))
}

fn entry(read: &mut aws::reader::Reader<'_>) -> Option<Entry> {
    let name = read
        .form("ContextKeyName", "contextKeyName")
        .required_with(params::text::<256>);
    let values = read
        .form("ContextKeyValues", "contextKeyValues")
        .optional_list::<String>(MANY);
    let kind = read
        .form("ContextKeyType", "contextKeyType")
        .optional::<String>();
    Some(Entry {
        name: name?,
        values: values?.unwrap_or_default(),
        is_list: kind?.is_some_and(|kind| kind.ends_with("List")),
    })
}

/// A policy that was sent to be tried and does not read.
fn unreadable(malformed: &crate::policy::Malformed) -> Fault {
    invalid_input(malformed.message())
}

pub(super) async fn custom(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let policies = read.required_list(POLICIES, MANY, params::document);
    let input = Input::read(&mut read, policies);
    let input = read.finish(|| input)?;
    call.authorize_anywhere().await?;
    let source = Source {
        actor: None,
        policies: Vec::new(),
        boundary: None,
        context: Context::new(),
    };
    answer(call, source, &input, None)
}

pub(super) async fn principal(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicySourceArn", params::arn);
    let policies = read.list(POLICIES, MANY, params::document);
    let input = Input::read(&mut read, policies);
    let (arn, input) = read.finish(|| Some((arn?, input?)))?;
    let source = source(call, &arn).await?;
    answer(call, source, &input, Some(&arn))
}

/// What the user, group or role of this ARN brings along, if the caller may try it.
async fn source(call: Call<'_>, text: &str) -> Result<Source, Fault> {
    let kinds = [HolderKind::User, HolderKind::Group, HolderKind::Role];
    let read = |kind: HolderKind| {
        iam_arn(text, &format!("{kind}/"))
            .ok()
            .map(|arn| (kind, arn))
    };
    let (kind, arn) = kinds
        .into_iter()
        .find_map(read)
        .ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))?;
    let name = arn.resource().rsplit('/').next().unwrap_or_default();
    let owner = arn.account_id().unwrap_or(*call.account());
    let absent = || Error::not_found(kind.noun(), name);
    let target = if owner == *call.account() {
        let target = call.holder(kind, name).await?;
        // Looked up without case and path, but an ARN is compared whole.
        let same = target.asked.resource == text;
        Target {
            found: target.found.filter(|_| same),
            asked: if same {
                target.asked
            } else {
                Asked::about(text, &owner)
            },
            absent: absent(),
        }
    } else {
        Target {
            found: None,
            asked: Asked::about(text, &owner),
            absent: absent(),
        }
    };
    let holder = call.permit(target).await?;
    let source = call.iam.simulated(&owner, kind, &holder.id).await?;
    Ok(source.ok_or_else(absent)?)
}

/// Puts together what is known, decides what the page shows, and answers.
fn answer(call: Call<'_>, source: Source, input: &Input, of: Option<&str>) -> Answered {
    let resources: &[String] = &input.resources;
    let everything = ["*".to_owned()];
    let resources = if resources.is_empty() {
        &everything
    } else {
        resources
    };
    let pairs: Vec<(&String, &String)> = input
        .actions
        .iter()
        .flat_map(|action| resources.iter().map(move |resource| (action, resource)))
        .collect();
    let count = pairs.len().to_string();
    let page = call.page(&input.paging, &[of, Some(&count)])?;
    let simulation = simulation(call, source, input)?;
    let missing = simulation.missing();
    let shown = call.show_of(&page, pairs);
    call.answer(|xml| {
        xml.list(
            "EvaluationResults",
            &shown.items,
            |xml, (action, resource)| {
                let decision = simulation.decide(action, resource);
                xml.text("EvalActionName", action)
                    .text("EvalResourceName", resource)
                    .text("EvalDecision", word(&decision));
                details(xml, &decision, &missing);
                if resources.len() > 1 {
                    xml.list("ResourceSpecificResults", [resource], |xml, resource| {
                        xml.text("EvalResourceName", resource)
                            .text("EvalResourceDecision", word(&decision));
                        details(xml, &decision, &missing);
                    });
                }
            },
        );
        shown.end(xml);
    })
}

fn simulation(call: Call<'_>, source: Source, input: &Input) -> Result<Simulation, Fault> {
    let compile = |list: &str, texts: &[String]| -> Result<Vec<Arc<Policy>>, Fault> {
        compile(list, texts).map_err(|malformed| unreadable(&malformed))
    };
    let mut policies = source.policies;
    policies.extend(compile(POLICIES, &input.policies)?);
    let boundary = compile("PermissionsBoundaryPolicyInputList", &input.boundaries)?.pop();
    let resource_policy = compile("ResourcePolicy", input.resource_policy.as_slice())?.pop();
    let mut context = source.context;
    for entry in &input.context {
        match entry.values.as_slice() {
            [value] if !entry.is_list => context.set(&entry.name, value.as_str()),
            values => context.set_list(&entry.name, values.iter().map(String::as_str)),
        }
    }
    let actor = match (&input.caller, source.actor) {
        (Some(arn), _) => actor(arn)?,
        (None, Some(actor)) => actor,
        (None, None) => nobody(call.account()),
    };
    Ok(Simulation {
        actor,
        policies,
        boundary: boundary.or(source.boundary),
        resource_policy,
        resource_owner: input.resource_owner,
        context,
    })
}

/// The principal of `CallerArn`.
fn actor(text: &str) -> Result<Actor, Fault> {
    let arn = iam_arn(text, "user/").or_else(|_| iam_arn(text, "role/"))?;
    let account = arn.account_id();
    Ok(Actor {
        account: account.ok_or_else(|| invalid_input(format!("ARN {text} is not valid.")))?,
        is_role: arn.resource().starts_with("role/"),
        arn: text.to_owned(),
        unique_id: String::new(),
    })
}

/// Somebody of the account whom no policy names.
fn nobody(account: &AccountId) -> Actor {
    Actor {
        account: *account,
        arn: format!("arn:aws:iam::{account}:user/"),
        unique_id: String::new(),
        is_role: false,
    }
}

fn word(decision: &Decision) -> &'static str {
    match decision.reason {
        _ if decision.allowed => "allowed",
        Reason::Explicit(_) => "explicitDeny",
        _ => "implicitDeny",
    }
}

fn details(xml: &mut Xml, decision: &Decision, missing: &[String]) {
    xml.list("MatchedStatements", &decision.matched, statement)
        .text_list("MissingContextValues", missing);
    if let Some(allows) = decision.boundary_allows {
        xml.element("PermissionsBoundaryDecisionDetail", |xml| {
            xml.text("AllowedByPermissionsBoundary", allows);
        });
    }
}

fn statement(xml: &mut Xml, matched: &MatchedStatement) {
    let kind = match matched.kind {
        PolicyType::Resource | PolicyType::Trust => "Resource Policy",
        PolicyType::Identity | PolicyType::Boundary | PolicyType::Session => "IAM Policy",
    };
    let position = |xml: &mut Xml, name: &str, at: Position| {
        xml.element(name, |xml| {
            xml.text("Line", at.line).text("Column", at.column);
        });
    };
    xml.text("SourcePolicyId", &matched.policy.name)
        .text("SourcePolicyType", kind);
    position(xml, "StartPosition", matched.span.start);
    position(xml, "EndPosition", matched.span.end);
}

pub(super) async fn custom_keys(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let policies = read.required_list(POLICIES, MANY, params::document);
    let policies = read.finish(|| policies)?;
    call.authorize_anywhere().await?;
    answer_keys(call, Vec::new(), &policies)
}

pub(super) async fn principal_keys(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicySourceArn", params::arn);
    let policies = read.list(POLICIES, MANY, params::document);
    let (arn, policies) = read.finish(|| Some((arn?, policies?)))?;
    let source = source(call, &arn).await?;
    answer_keys(call, source.policies, &policies)
}

fn answer_keys(call: Call<'_>, mut policies: Vec<Arc<Policy>>, texts: &[String]) -> Answered {
    let sent = compile(POLICIES, texts).map_err(|malformed| unreadable(&malformed))?;
    policies.extend(sent);
    call.answer(|xml| {
        xml.text_list("ContextKeyNames", mentioned(&policies));
    })
}
