//! Managed policies of users, groups and roles: `AttachUserPolicy`, `DetachUserPolicy`, `ListAttachedUserPolicies`, and the
//! same for groups and roles.

use super::call::{Answered, Call};
use super::inline::holder_name;
use super::targets::iam_arn;
use super::{params, shapes};
use crate::Error;
use crate::error::Noun;
use crate::holders::HolderKind;
use crate::managed_policies::{OWNED_BY_AWS, policy_arn};

const POLICY: &str = "iam:PolicyARN";

pub(super) async fn attach(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let name = holder_name(&mut read, kind);
    let arn = read.required("PolicyArn", params::arn);
    let (name, arn) = read.finish(|| Some((name?, arn?)))?;
    iam_arn(&arn, "policy/")?;
    let target = call.holder(kind, &name).await?;
    let holder = call
        .permit(target.with_optional(POLICY, Some(&arn)))
        .await?;
    // Nobody is given the policies of another account.
    let own = policy_arn(call.account(), "/", "");
    if !arn.starts_with(OWNED_BY_AWS) && !arn.starts_with(&own) {
        return Err(Error::not_found(Noun::Attachable, arn).into());
    }
    call.iam.attach_policy(&holder.id, &arn).await?;
    call.done()
}

pub(super) async fn detach(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let name = holder_name(&mut read, kind);
    let arn = read.required("PolicyArn", params::arn);
    let (name, arn) = read.finish(|| Some((name?, arn?)))?;
    iam_arn(&arn, "policy/")?;
    let target = call.holder(kind, &name).await?;
    let holder = call
        .permit(target.with_optional(POLICY, Some(&arn)))
        .await?;
    call.iam.detach_policy(&holder.id, &arn).await?;
    call.done()
}

pub(super) async fn list(call: Call<'_>, kind: HolderKind) -> Answered {
    let mut read = call.params();
    let name = holder_name(&mut read, kind);
    let prefix = read.optional("PathPrefix", params::policy_path);
    let paging = read.paging();
    let (name, prefix, paging) = read.finish(|| Some((name?, prefix?, paging?)))?;
    let page = call.page(&paging, &[Some(&name), prefix.as_deref()])?;
    let holder = call.permit(call.holder(kind, &name).await?).await?;
    let mut attached = call.iam.attached(&holder.id).await?;
    if let Some(prefix) = &prefix {
        attached.retain(|policy| policy.path.starts_with(prefix));
    }
    attached.sort_by_key(|policy| policy.name.to_lowercase());
    let shown = call.show_of(&page, attached);
    call.answer(|xml| {
        shapes::attached(xml, "AttachedPolicies", &shown.items);
        shown.end(xml);
    })
}
