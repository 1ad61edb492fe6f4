//! Policies written into users, groups and roles: `PutUserPolicy`, `GetUserPolicy`, `DeleteUserPolicy`, `ListUserPolicies`,
//! and the same for groups and roles.

use super::call::{Answered, Call};
use super::params::{self, Params};
use crate::holders::HolderKind;

/// The parameter that names the holder, also an element of the answer.
fn parameter(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::User => "UserName",
        HolderKind::Group => "GroupName",
        HolderKind::Role => "RoleName",
    }
}

/// The name of a user, group or role that is there already.
pub(super) fn holder_name(read: &mut Params<'_>, kind: HolderKind) -> Option<String> {
    let rule = match kind {
        HolderKind::User | HolderKind::Group => params::name::<128>,
        HolderKind::Role => params::name::<64>,
    };
    read.required(parameter(kind), rule)
}

pub(super) async fn put(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let holder = holder_name(&mut read, kind);
    let name = read.required("PolicyName", params::name::<128>);
    let document = read.required("PolicyDocument", params::document);
    let (holder, name, document) = read.finish(|| Some((holder?, name?, document?)))?;
    let holder = call.permit(call.holder(kind, &holder).await?).await?;
    call.iam
        .put_inline_policy(&holder.id, &name, &document)
        .await?;
    call.done()
}

pub(super) async fn get(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let holder = holder_name(&mut read, kind);
    let name = read.required("PolicyName", params::name::<128>);
    let (holder, name) = read.finish(|| Some((holder?, name?)))?;
    let holder = call.permit(call.holder(kind, &holder).await?).await?;
    let document = call.iam.inline_policy(&holder.id, &name).await?;
    call.answer(|xml| {
        xml.text(parameter(kind), &holder.name)
            .text("PolicyName", &name)
            .document("PolicyDocument", &document);
    })
}

pub(super) async fn delete(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let holder = holder_name(&mut read, kind);
    let name = read.required("PolicyName", params::name::<128>);
    let (holder, name) = read.finish(|| Some((holder?, name?)))?;
    let holder = call.permit(call.holder(kind, &holder).await?).await?;
    call.iam.delete_inline_policy(&holder.id, &name).await?;
    call.done()
}

pub(super) async fn list(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let holder = holder_name(&mut read, kind);
    let paging = read.paging();
    let (holder, paging) = read.finish(|| Some((holder?, paging?)))?;
    let page = call.page(&paging, &[Some(&holder)])?;
    let holder = call.permit(call.holder(kind, &holder).await?).await?;
    let policies = call.iam.inline_policies(&holder.id).await?;
    let shown = call.show_of(&page, policies);
    call.answer(|xml| {
        xml.text_list("PolicyNames", shown.items.iter().map(|policy| &policy.name));
        shown.end(xml);
    })
}
