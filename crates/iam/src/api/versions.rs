//! Versions of managed policies: `CreatePolicyVersion`, `GetPolicyVersion`, `ListPolicyVersions`,
//! `DeletePolicyVersion`, `SetDefaultPolicyVersion`.

use super::call::{Answered, Call};
use super::{params, shapes};

pub(super) async fn create(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let document = read.required("PolicyDocument", params::document);
    let set_as_default = read.flag("SetAsDefault");
    let (arn, document, set_as_default) =
        read.finish(|| Some((arn?, document?, set_as_default?)))?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    let version = call
        .iam
        .create_version(&policy, document, set_as_default)
        .await?;
    call.answer(|xml| {
        xml.element("PolicyVersion", |xml| {
            shapes::policy_version(xml, &version, false);
        });
    })
}

pub(super) async fn get(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let version = read.required("VersionId", params::version_id);
    let (arn, version) = read.finish(|| Some((arn?, version?)))?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    let version = call.iam.version(&policy, version).await?;
    call.answer(|xml| {
        xml.element("PolicyVersion", |xml| {
            shapes::policy_version(xml, &version, true);
        });
    })
}

/// Newest first.
pub(super) async fn list(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let paging = read.paging();
    let (arn, paging) = read.finish(|| Some((arn?, paging?)))?;
    let page = call.page(&paging, &[Some(&arn)])?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    let versions = call.iam.versions(&policy).await?;
    let shown = call.show_of(&page, versions);
    call.answer(|xml| {
        xml.list("Versions", &shown.items, |xml, version| {
            shapes::policy_version(xml, version, false);
        });
        shown.end(xml);
    })
}

pub(super) async fn delete(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let version = read.required("VersionId", params::version_id);
    let (arn, version) = read.finish(|| Some((arn?, version?)))?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    call.iam.delete_version(&policy, version).await?;
    call.done()
}

pub(super) async fn set_default(call: Call<'_>) -> Answered {
    let mut read = call.params();
    let arn = read.required("PolicyArn", params::arn);
    let version = read.required("VersionId", params::version_id);
    let (arn, version) = read.finish(|| Some((arn?, version?)))?;
    let policy = call.permit(call.policy(&arn).await?).await?;
    call.iam.set_default_version(&policy, version).await?;
    call.done()
}
