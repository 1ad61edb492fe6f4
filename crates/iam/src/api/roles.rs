//! Roles: `CreateRole`, `GetRole`, `ListRoles`, `UpdateRole`, `UpdateRoleDescription`, `UpdateAssumeRolePolicy`,
//! `DeleteRole`.

use aws::Fault;
use aws::xml::Xml;

use super::call::{Answered, Asked, Call};
use super::fault::invalid_input;
use super::targets::BOUNDARY;
use super::users::every;
use super::{params, shapes};
use crate::roles::{NewRole, Role};
use crate::users::name_key;

/// Seconds of a session unless the role says otherwise.
const DEFAULT_SESSION: u64 = 3600;

/// Paths of roles that only AWS makes.
const RESERVED: [&str; 2] = ["/aws-service-role/", "/aws-reserved/"];

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let path = read.optional("Path", params::path);
    let name = read.required("RoleName", params::name::<64>);
    let trust_policy = read.required("AssumeRolePolicyDocument", params::document);
    let description = read.optional("Description", params::role_description);
    let duration = read.optional("MaxSessionDuration", params::seconds::<3600, 43_200>);
    let boundary = read.optional("PermissionsBoundary", params::arn);
    let tags = read.tags();
    let new = read.finish(|| {
        Some(NewRole {
            name: name?,
            path: path?.unwrap_or_else(|| "/".to_owned()),
            description: description?,
            trust_policy: trust_policy?,
            max_session_seconds: duration?.unwrap_or(DEFAULT_SESSION),
            boundary: boundary?,
            tags: tags?,
        })
    })?;
    params::check_tags(&new.tags)?;
    let (account, path) = (call.account(), &new.path);
    let arn = format!("arn:aws:iam::{account}:role{path}{}", new.name);
    let asked = Asked::about(arn, account)
        .with_optional(BOUNDARY, new.boundary.as_deref())
        .with_tags(&new.tags);
    call.authorize(&asked).await?;
    call.authorize_tags("iam:TagRole", &asked).await?;
    if RESERVED.iter().any(|reserved| path.starts_with(reserved)) {
        return Err(invalid_input(format!(
            "The path {path} is reserved for roles of AWS services."
        )));
    }
    let (trust, tags) = (new.trust_policy.clone(), new.tags.clone());
    let role = call.iam.create_role(account, new).await?;
    call.answer(|xml| {
        xml.element("Role", |xml| {
            shapes::role(xml, &role, &trust);
            shapes::boundary(xml, role.boundary.as_deref());
            shapes::some_tags(xml, &tags);
        });
    })
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let name = read.finish(|| name)?;
    let target = call.role(&name).await?;
    let tags = target.asked.resource_tags.clone();
    let role = call.permit(target).await?;
    let trust = call.iam.shown_policy(&role.trust_policy).await?;
    call.answer(|xml| {
        xml.element("Role", |xml| {
            listed(xml, &role, &trust);
            shapes::boundary(xml, role.boundary.as_deref());
            shapes::some_tags(xml, &tags);
            shapes::role_last_used(xml, &role);
        });
    })
}

/// What a list shows of a role, and other answers too.
fn listed(xml: &mut Xml, role: &Role, trust: &str) {
    shapes::role(xml, role, trust);
    xml.optional("Description", role.description.as_deref())
        .text("MaxSessionDuration", role.max_session_seconds);
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let prefix = read.optional("PathPrefix", params::path_prefix);
    let paging = read.paging();
    let (prefix, paging) = read.finish(|| Some((prefix?, paging?)))?;
    let page = call.page(&paging, &[prefix.as_deref()])?;
    call.authorize(&every(call, "role", prefix.as_deref()))
        .await?;
    let part = page.part(prefix.as_deref());
    let roles = call.iam.roles(call.account(), part).await?;
    let shown = call.show(&page, roles, |role| name_key(&role.name));
    let mut trusts = Vec::with_capacity(shown.items.len());
    for role in &shown.items {
        trusts.push(call.iam.shown_policy(&role.trust_policy).await?);
    }
    call.answer(|xml| {
        xml.list(
            "Roles",
            shown.items.iter().zip(&trusts),
            |xml, (role, trust)| {
                listed(xml, role, trust);
                // A list has the element and leaves out what would be in it.
                xml.element("RoleLastUsed", |_| ());
            },
        );
        shown.end(xml);
    })
}

/// What is not given stays as it is.
pub(super) async fn update(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let description = read.optional("Description", params::role_description);
    let duration = read.optional("MaxSessionDuration", params::seconds::<3600, 43_200>);
    let (name, description, duration) = read.finish(|| Some((name?, description?, duration?)))?;
    let role = call.permit(call.role(&name).await?).await?;
    let description = description.as_deref().or(role.description.as_deref());
    let duration = duration.unwrap_or(role.max_session_seconds);
    call.iam.update_role(&role, description, duration).await?;
    call.answer(|_| ())
}

pub(super) async fn update_description(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let description = read.required("Description", params::role_description);
    let (name, description) = read.finish(|| Some((name?, description?)))?;
    let mut role = call.permit(call.role(&name).await?).await?;
    let duration = role.max_session_seconds;
    call.iam
        .update_role(&role, Some(&description), duration)
        .await?;
    role.description = Some(description);
    let trust = call.iam.shown_policy(&role.trust_policy).await?;
    call.answer(|xml| {
        xml.element("Role", |xml| listed(xml, &role, &trust));
    })
}

pub(super) async fn update_trust_policy(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let document = read.required("PolicyDocument", params::document);
    let (name, document) = read.finish(|| Some((name?, document?)))?;
    let role = call.permit(call.role(&name).await?).await?;
    call.iam.set_trust_policy(&role, &document).await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let name = read.finish(|| name)?;
    let role = call.permit(call.role(&name).await?).await?;
    call.iam.delete_role(&role).await?;
    call.done()
}

/// Roles with their trust policies as they are shown.
pub(super) async fn shown(
    call: Call<'_>,
    roles: impl IntoIterator<Item = Role>,
) -> Result<shapes::ShownRoles, Fault> {
    let mut shown = shapes::ShownRoles::new();
    for role in roles {
        let trust = call.iam.shown_policy(&role.trust_policy).await?;
        shown.insert(role.id.clone(), (role, trust));
    }
    Ok(shown)
}
