//! What users and roles may do at most: `PutUserPermissionsBoundary`, `DeleteUserPermissionsBoundary`, and the same for
//! roles.

use super::call::{Answered, Call};
use super::params;
use super::targets::{BOUNDARY, iam_arn};

pub(super) async fn put_user(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("UserName", params::name::<64>);
    let boundary = read.required("PermissionsBoundary", params::arn);
    let (name, boundary) = read.finish(|| Some((name?, boundary?)))?;
    iam_arn(&boundary, "policy/")?;
    let target = call.user(&name).await?;
    let user = call
        .permit(target.with_optional(BOUNDARY, Some(&boundary)))
        .await?;
    call.iam.set_user_boundary(&user, Some(&boundary)).await?;
    call.done()
}

pub(super) async fn delete_user(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("UserName", params::name::<64>);
    let name = read.finish(|| name)?;
    let target = call.user(&name).await?;
    let boundary = target.found.as_ref().and_then(|user| user.boundary.clone());
    let user = call
        .permit(target.with_optional(BOUNDARY, boundary.as_deref()))
        .await?;
    call.iam.set_user_boundary(&user, None).await?;
    call.done()
}

pub(super) async fn put_role(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let boundary = read.required("PermissionsBoundary", params::arn);
    let (name, boundary) = read.finish(|| Some((name?, boundary?)))?;
    iam_arn(&boundary, "policy/")?;
    let target = call.role(&name).await?;
    let role = call
        .permit(target.with_optional(BOUNDARY, Some(&boundary)))
        .await?;
    call.iam.set_role_boundary(&role, Some(&boundary)).await?;
    call.done()
}

pub(super) async fn delete_role(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let name = read.required("RoleName", params::name::<64>);
    let name = read.finish(|| name)?;
    let target = call.role(&name).await?;
    let boundary = target.found.as_ref().and_then(|role| role.boundary.clone());
    let role = call
        .permit(target.with_optional(BOUNDARY, boundary.as_deref()))
        .await?;
    call.iam.set_role_boundary(&role, None).await?;
    call.done()
}
