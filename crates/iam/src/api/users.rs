//! Users: `CreateUser`, `GetUser`, `ListUsers`, `UpdateUser`, `DeleteUser`.

use aws::Fault;

use super::call::{Answered, Asked, Call};
use super::targets::BOUNDARY;
use super::{params, shapes};
use crate::users::User;

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let path = read.optional("Path", params::path);
    let name = read.required("UserName", params::name::<64>);
    let boundary = read.optional("PermissionsBoundary", params::arn);
    let tags = read.tags();
    let (path, name, boundary, tags) = read.finish(|| Some((path?, name?, boundary?, tags?)))?;
    params::check_tags(&tags)?;
    let path = path.as_deref().unwrap_or("/");
    let mut user = User::new(call.account(), path, &name, call.iam.clock().now());
    user.boundary = boundary;
    let asked = Asked::about(user.arn(), call.account())
        .with_optional(BOUNDARY, user.boundary.as_deref())
        .with_tags(&tags);
    call.authorize(&asked).await?;
    call.authorize_tags("iam:TagUser", &asked).await?;
    let user = call.iam.insert_user(user, tags.clone()).await?;
    call.answer(|xml| {
        xml.element("User", |xml| {
            shapes::user(xml, &user);
            shapes::boundary(xml, user.boundary.as_deref());
            shapes::some_tags(xml, &tags);
        });
    })
}

/// Without a name it means the caller; root, who is no user, gets an entry with its ARN.
pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.optional("UserName", params::name::<128>);
    let name = read.finish(|| name)?;
    let Some(name) = name_or_own(call, name.as_deref())? else {
        return root(call).await;
    };
    let target = call.user(name).await?;
    let tags = target.asked.resource_tags.clone();
    let user = call.permit(target).await?;
    call.answer(|xml| {
        xml.element("User", |xml| {
            shapes::user(xml, &user);
            shapes::boundary(xml, user.boundary.as_deref());
            shapes::some_tags(xml, &tags);
        });
    })
}

async fn root(call: Call<'_>) -> Answered {
    let asked = Asked::about(call.caller.arn(), call.account());
    call.authorize(&asked).await?;
    let created = call.iam.account_created(call.account()).await?;
    call.answer(|xml| {
        xml.element("User", |xml| {
            xml.text("UserId", call.account())
                .text("Arn", call.caller.arn())
                .time("CreateDate", created);
        });
    })
}

/// The name that was given, or the caller's own; `None` for root.
fn name_or_own<'a>(call: Call<'a>, name: Option<&'a str>) -> Result<Option<&'a str>, Fault> {
    match name {
        Some(name) => Ok(Some(name)),
        None => call.own_user_name(),
    }
}

/// The user that a call is about, named or the caller itself, if the caller may; `None` for root.
pub(super) async fn user_or_root(
    call: Call<'_>,
    name: Option<&str>,
) -> Result<Option<User>, Fault> {
    if let Some(name) = name_or_own(call, name)? {
        return call.permit(call.user(name).await?).await.map(Some);
    }
    call.authorize(&Asked::about(call.caller.arn(), call.account()))
        .await?;
    Ok(None)
}

pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let prefix = read.optional("PathPrefix", params::path_prefix);
    let paging = read.paging();
    let (prefix, paging) = read.finish(|| Some((prefix?, paging?)))?;
    let page = call.page(&paging, &[prefix.as_deref()])?;
    call.authorize(&every(call, "user", prefix.as_deref()))
        .await?;
    let part = page.part(prefix.as_deref());
    let users = call.iam.users(call.account(), part).await?;
    let shown = call.show(&page, users, |user| crate::users::name_key(&user.name));
    call.answer(|xml| {
        xml.list("Users", &shown.items, shapes::user);
        shown.end(xml);
    })
}

/// What lists of a kind are asked for: `arn:aws:iam::A:user/`, and the path after it.
pub(super) fn every(call: Call<'_>, kind: &str, prefix: Option<&str>) -> Asked {
    let (account, prefix) = (call.account(), prefix.unwrap_or("/"));
    Asked::about(format!("arn:aws:iam::{account}:{kind}{prefix}"), account)
}

/// Asked for under both names, as AWS does: whoever may only touch `/teams/a/` may move nobody out of it.
pub(super) async fn update(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("UserName", params::name::<128>);
    let new_path = read.optional("NewPath", params::path);
    let new_name = read.optional("NewUserName", params::name::<64>);
    let (name, new_path, new_name) = read.finish(|| Some((name?, new_path?, new_name?)))?;
    let target = call.user(&name).await?;
    let mut asked = target.asked.clone();
    let user = call.permit(target).await?;
    let moved = User {
        name: new_name.unwrap_or_else(|| user.name.clone()),
        path: new_path.unwrap_or_else(|| user.path.clone()),
        ..user.clone()
    };
    asked.resource = moved.arn();
    asked.shown = None;
    call.authorize(&asked).await?;
    call.iam
        .rename_user(&user, &moved.name, &moved.path)
        .await?;
    call.done()
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("UserName", params::name::<128>);
    let name = read.finish(|| name)?;
    let user = call.permit(call.user(&name).await?).await?;
    call.iam.delete_user(&user).await?;
    call.done()
}
