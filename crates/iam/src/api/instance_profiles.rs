//! Instance profiles: `CreateInstanceProfile`, `GetInstanceProfile`, `ListInstanceProfiles`, `ListInstanceProfilesForRole`,
//! `AddRoleToInstanceProfile`, `RemoveRoleFromInstanceProfile`, `DeleteInstanceProfile`.

use super::call::{Answered, Asked, Call, Page};
use super::users::every;
use super::{params, roles, shapes};
use crate::instance_profiles::InstanceProfile;
use crate::users::name_key;

/// Whoever hands a role to machines must be allowed to give it away.
pub(super) const PASS_ROLE: &str = "iam:PassRole";

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("InstanceProfileName", params::name::<128>);
    let path = read.optional("Path", params::path);
    let tags = read.tags();
    let (name, path, tags) = read.finish(|| Some((name?, path?, tags?)))?;
    params::check_tags(&tags)?;
    let (path, account) = (path.as_deref().unwrap_or("/"), call.account());
    let arn = format!("arn:aws:iam::{account}:instance-profile{path}{name}");
    let asked = Asked::about(arn, account).with_tags(&tags);
    call.authorize(&asked).await?;
    call.authorize_tags("iam:TagInstanceProfile", &asked)
        .await?;
    let profile = call
        .iam
        .create_instance_profile(account, path, &name, tags.clone())
        .await?;
    call.answer(|xml| {
        xml.element("InstanceProfile", |xml| {
            shapes::instance_profile(xml, &profile, &shapes::ShownRoles::new());
            shapes::some_tags(xml, &tags);
        });
    })
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("InstanceProfileName", params::name::<128>);
    let name = read.finish(|| name)?;
    let target = call.profile(&name).await?;
    let tags = target.asked.resource_tags.clone();
    let profile = call.permit(target).await?;
    let roles = call.iam.roles_in(std::slice::from_ref(&profile)).await?;
    let roles = roles::shown(call, roles.into_values()).await?;
    call.answer(|xml| {
        xml.element("InstanceProfile", |xml| {
            shapes::instance_profile(xml, &profile, &roles);
            shapes::some_tags(xml, &tags);
        });
    })
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let prefix = read.optional("PathPrefix", params::path_prefix);
    let paging = read.paging();
    let (prefix, paging) = read.finish(|| Some((prefix?, paging?)))?;
    let page = call.page(&paging, &[prefix.as_deref()])?;
    call.authorize(&every(call, "instance-profile", prefix.as_deref()))
        .await?;
    let part = page.part(prefix.as_deref());
    let profiles = call.iam.instance_profiles(call.account(), part).await?;
    answer_list(call, &page, profiles).await
}

/// Asked for on the role, as on AWS.
pub(super) async fn list_for_role(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let paging = read.paging();
    let (name, paging) = read.finish(|| Some((name?, paging?)))?;
    let page = call.page(&paging, &[Some(&name)])?;
    let role = call.permit(call.role(&name).await?).await?;
    let part = page.part(None);
    let profiles = call.iam.instance_profiles_of_role(&role, part).await?;
    answer_list(call, &page, profiles).await
}

async fn answer_list(call: Call<'_>, page: &Page, profiles: Vec<InstanceProfile>) -> Answered {
    let shown = call.show(page, profiles, |profile| name_key(&profile.name));
    let roles = call.iam.roles_in(&shown.items).await?;
    let roles = roles::shown(call, roles.into_values()).await?;
    call.answer(|xml| {
        xml.list("InstanceProfiles", &shown.items, |xml, profile| {
            shapes::instance_profile(xml, profile, &roles);
        });
        shown.end(xml);
    })
}

pub(super) async fn add_role(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let profile = read.required("InstanceProfileName", params::name::<128>);
    let role = read.required("RoleName", params::name::<64>);
    let (profile, role) = read.finish(|| Some((profile?, role?)))?;
    let profile = call.profile(&profile).await?;
    call.authorize(&profile.asked).await?;
    let mut role = call.role(&role).await?;
    role.asked.shown = None;
    let asked = role
        .asked
        .clone()
        .with("iam:PassedToService", "ec2.amazonaws.com");
    call.authorize_to(PASS_ROLE, &asked).await?;
    let profile = profile.found.ok_or(profile.absent)?;
    let role = role.found.ok_or(role.absent)?;
    call.iam.add_role_to_profile(&profile, &role).await?;
    call.done()
}

pub(super) async fn remove_role(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let profile = read.required("InstanceProfileName", params::name::<128>);
    let role = read.required("RoleName", params::name::<64>);
    let (profile, role_name) = read.finish(|| Some((profile?, role?)))?;
    let profile = call.permit(call.profile(&profile).await?).await?;
    let role = call.role(&role_name).await?;
    let role = role.found.ok_or(role.absent)?;
    call.iam.remove_role_from_profile(&profile, &role).await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("InstanceProfileName", params::name::<128>);
    let name = read.finish(|| name)?;
    let profile = call.permit(call.profile(&name).await?).await?;
    call.iam.delete_instance_profile(&profile).await?;
    call.done()
}
