//! Managed policies: `CreatePolicy`, `GetPolicy`, `ListPolicies`, `DeletePolicy`, `ListEntitiesForPolicy`.

use aws::Violation;

use super::call::{Answered, Asked, Call, Shown};
use super::{params, shapes};
use crate::attachments::{Entity, EntityFilter, Usage};
use crate::holders::HolderKind;
use crate::lists::Part;
use crate::managed_policies::{ManagedPolicy, NewPolicy, PolicyFilter, policy_arn};
use crate::users::name_key;

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("PolicyName", params::name::<128>);
    let path = read.optional("Path", params::policy_path);
    let document = read.required("PolicyDocument", params::document);
    let description = read.optional("Description", params::policy_description);
    let tags = read.tags();
    let new = read.finish(|| {
        Some(NewPolicy {
            name: name?,
            path: path?.unwrap_or_else(|| "/".to_owned()),
            description: description?,
            document: document?,
            tags: tags?,
        })
    })?;
    params::check_tags(&new.tags)?;
    let arn = policy_arn(call.account(), &new.path, &new.name);
    let asked = Asked::about(arn, call.account()).with_tags(&new.tags);
    call.authorize(&asked).await?;
    call.authorize_tags("iam:TagPolicy", &asked).await?;
    let policy = call.iam.create_policy(call.account(), new).await?;
    call.answer(|xml| {
        xml.element("Policy", |xml| shapes::policy(xml, &policy, false));
    })
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let arn = read.finish(|| arn)?;
    let target = call.policy(&arn).await?;
    let tags = target.asked.resource_tags.clone();
    let policy = call.permit(target).await?;
    call.answer(|xml| {
        xml.element("Policy", |xml| {
            shapes::policy(xml, &policy, true);
            shapes::some_tags(xml, &tags);
        });
    })
}

/// Whose policies a list shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    All,
    Aws,
    Local,
}

fn scope(text: &str) -> Result<Scope, Violation> {
    let words = [
        ("All", Scope::All),
        ("AWS", Scope::Aws),
        ("Local", Scope::Local),
    ];
    params::one_of(text, &words, &["All", "AWS", "Local"])
}

fn usage(text: &str) -> Result<Usage, Violation> {
    let words = [
        ("PermissionsPolicy", Usage::Permissions),
        ("PermissionsBoundary", Usage::Boundary),
    ];
    params::one_of(text, &words, &["PermissionsPolicy", "PermissionsBoundary"])
}

/// AWS's own first, then the account's, each by name.
pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let scope = read.optional("Scope", scope);
    let only_attached = read.flag("OnlyAttached");
    let prefix = read.optional("PathPrefix", params::policy_path);
    let usage = read.optional("PolicyUsageFilter", usage);
    let paging = read.paging();
    let (scope, only_attached, prefix, usage, paging) =
        read.finish(|| Some((scope?, only_attached?, prefix?, usage?, paging?)))?;
    let scope = scope.unwrap_or(Scope::All);
    let usage = usage.or(only_attached.then_some(Usage::Permissions));
    let filters = [
        prefix.as_deref(),
        Some(match scope {
            Scope::All => "All",
            Scope::Aws => "AWS",
            Scope::Local => "Local",
        }),
        Some(match usage {
            None => "",
            Some(Usage::Permissions) => "PermissionsPolicy",
            Some(Usage::Boundary) => "PermissionsBoundary",
        }),
    ];
    let page = call.page(&paging, &filters)?;
    call.authorize_anywhere().await?;
    let part = page.part(prefix.as_deref());
    let policies = both(call, scope, usage, part).await?;
    let shown: Shown<ManagedPolicy> = call.show(&page, policies, cursor);
    call.answer(|xml| {
        xml.list("Policies", &shown.items, |xml, policy| {
            shapes::policy(xml, policy, false);
        });
        shown.end(xml);
    })
}

/// Where a list of both goes on after a policy: `1 name` for AWS's, `2 name` for the account's.
fn cursor(policy: &ManagedPolicy) -> String {
    let place = if policy.account.is_none() { 1 } else { 2 };
    format!("{place} {}", name_key(&policy.name))
}

async fn both(
    call: Call<'_>,
    scope: Scope,
    usage: Option<Usage>,
    part: Part<'_>,
) -> Result<Vec<ManagedPolicy>, crate::Error> {
    let (place, after) = part.after.split_once(' ').unwrap_or(("", ""));
    let mut policies = Vec::new();
    if scope != Scope::Local && place != "2" {
        let part = Part { after, ..part };
        let filter = PolicyFilter { usage, part };
        policies = call.iam.aws_policies(call.account(), filter).await?;
    }
    let found = u32::try_from(policies.len()).unwrap_or(u32::MAX);
    if scope != Scope::Aws && found < part.limit {
        let part = Part {
            after: if place == "2" { after } else { "" },
            limit: part.limit - found,
            ..part
        };
        let filter = PolicyFilter { usage, part };
        policies.extend(call.iam.customer_policies(call.account(), filter).await?);
    }
    Ok(policies)
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let arn = read.finish(|| arn)?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    call.iam.delete_policy(&policy).await?;
    call.done()
}

/// Which kinds of entities; the kinds of policies that the type lists, too, match nobody.
fn entity(text: &str) -> Result<Option<HolderKind>, Violation> {
    let words = [
        ("User", Some(HolderKind::User)),
        ("Role", Some(HolderKind::Role)),
        ("Group", Some(HolderKind::Group)),
        ("LocalManagedPolicy", None),
        ("AWSManagedPolicy", None),
    ];
    params::one_of(
        text,
        &words,
        &[
            "User",
            "Role",
            "Group",
            "LocalManagedPolicy",
            "AWSManagedPolicy",
        ],
    )
}

pub(super) async fn entities(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let entity_filter = read.optional("EntityFilter", entity);
    let prefix = read.optional("PathPrefix", params::path);
    let usage = read.optional("PolicyUsageFilter", usage);
    let paging = read.paging();
    let (arn, entity_filter, prefix, usage, paging) =
        read.finish(|| Some((arn?, entity_filter?, prefix?, usage?, paging?)))?;
    let kind_word = entity_filter.map(|kind| kind.map_or("none", HolderKind::word));
    let usage_word = usage.map(|usage| match usage {
        Usage::Permissions => "PermissionsPolicy",
        Usage::Boundary => "PermissionsBoundary",
    });
    let page = call.page(
        &paging,
        &[Some(&arn), kind_word, prefix.as_deref(), usage_word],
    )?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    let entities = match entity_filter {
        Some(None) => Vec::new(),
        kind => {
            let filter = EntityFilter {
                kind: kind.flatten(),
                usage,
                part: page.part(prefix.as_deref()),
            };
            call.iam
                .entities(call.account(), &policy.arn, filter)
                .await?
        }
    };
    let shown = call.show(&page, entities, |entity| entity.cursor.clone());
    let of = |kind| {
        shown
            .items
            .iter()
            .filter(move |entity: &&Entity| entity.kind == kind)
    };
    call.answer(|xml| {
        xml.list("PolicyGroups", of(HolderKind::Group), |xml, group| {
            xml.text("GroupName", &group.name)
                .text("GroupId", &group.id);
        })
        .list("PolicyUsers", of(HolderKind::User), |xml, user| {
            xml.text("UserName", &user.name).text("UserId", &user.id);
        })
        .list("PolicyRoles", of(HolderKind::Role), |xml, role| {
            xml.text("RoleName", &role.name).text("RoleId", &role.id);
        });
        shown.end(xml);
    })
}
