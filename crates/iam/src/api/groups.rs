//! Groups: `CreateGroup`, `GetGroup`, `ListGroups`, `UpdateGroup`, `DeleteGroup`, and who is in them.

use super::call::{Answered, Asked, Call};
use super::users::every;
use super::{params, shapes};
use crate::groups::Group;
use crate::users::name_key;

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let path = read.optional("Path", params::path);
    let name = read.required("GroupName", params::name::<128>);
    let (path, name) = read.finish(|| Some((path?, name?)))?;
    let (path, account) = (path.as_deref().unwrap_or("/"), call.account());
    let arn = format!("arn:aws:iam::{account}:group{path}{name}");
    call.authorize(&Asked::about(arn, account)).await?;
    let group = call.iam.create_group(account, path, &name).await?;
    call.answer(|xml| {
        xml.element("Group", |xml| shapes::group(xml, &group));
    })
}

/// The group and a page of its users.
pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("GroupName", params::name::<128>);
    let paging = read.paging();
    let (name, paging) = read.finish(|| Some((name?, paging?)))?;
    let page = call.page(&paging, &[Some(&name)])?;
    let group = call.permit(call.group(&name).await?).await?;
    let users = call.iam.members(&group, page.part(None)).await?;
    let shown = call.show(&page, users, |user| name_key(&user.name));
    call.answer(|xml| {
        xml.element("Group", |xml| shapes::group(xml, &group));
        xml.list("Users", &shown.items, shapes::user);
        shown.end(xml);
    })
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let prefix = read.optional("PathPrefix", params::path_prefix);
    let paging = read.paging();
    let (prefix, paging) = read.finish(|| Some((prefix?, paging?)))?;
    let page = call.page(&paging, &[prefix.as_deref()])?;
    call.authorize(&every(call, "group", prefix.as_deref()))
        .await?;
    let part = page.part(prefix.as_deref());
    let groups = call.iam.groups(call.account(), part).await?;
    let shown = call.show(&page, groups, |group| name_key(&group.name));
    call.answer(|xml| {
        xml.list("Groups", &shown.items, shapes::group);
        shown.end(xml);
    })
}

/// Asked for under both names; see `UpdateUser`.
pub(super) async fn update(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("GroupName", params::name::<128>);
    let new_path = read.optional("NewPath", params::path);
    let new_name = read.optional("NewGroupName", params::name::<128>);
    let (name, new_path, new_name) = read.finish(|| Some((name?, new_path?, new_name?)))?;
    let group = call.permit(call.group(&name).await?).await?;
    let moved = Group {
        name: new_name.unwrap_or_else(|| group.name.clone()),
        path: new_path.unwrap_or_else(|| group.path.clone()),
        ..group.clone()
    };
    call.authorize(&Asked::about(moved.arn(), call.account()))
        .await?;
    call.iam
        .rename_group(&group, &moved.name, &moved.path)
        .await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("GroupName", params::name::<128>);
    let name = read.finish(|| name)?;
    let group = call.permit(call.group(&name).await?).await?;
    call.iam.delete_group(&group).await?;
    call.done()
}

pub(super) async fn add_user(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let group = read.required("GroupName", params::name::<128>);
    let user = read.required("UserName", params::name::<128>);
    let (group, user) = read.finish(|| Some((group?, user?)))?;
    let group = call.permit(call.group(&group).await?).await?;
    // Who may change the group may know who is there to be added.
    let user = call.iam.user(call.account(), &user).await?;
    call.iam.add_member(&group, &user).await?;
    call.done()
}

pub(super) async fn remove_user(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let group = read.required("GroupName", params::name::<128>);
    let user = read.required("UserName", params::name::<128>);
    let (group, user) = read.finish(|| Some((group?, user?)))?;
    let group = call.permit(call.group(&group).await?).await?;
    let user = call.iam.user(call.account(), &user).await?;
    call.iam.remove_member(&group, &user).await?;
    call.done()
}

pub(super) async fn list_for_user(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("UserName", params::name::<128>);
    let paging = read.paging();
    let (name, paging) = read.finish(|| Some((name?, paging?)))?;
    let page = call.page(&paging, &[Some(&name)])?;
    let user = call.permit(call.user(&name).await?).await?;
    let groups = call.iam.groups_of_user(&user, page.part(None)).await?;
    let shown = call.show(&page, groups, |group| name_key(&group.name));
    call.answer(|xml| {
        xml.list("Groups", &shown.items, shapes::group);
        shown.end(xml);
    })
}
