//! Permissions policies of domains and repositories: put, get, delete.

use aws::AccountId;
use aws::reader::{Field, Reader};
use catalog::{Action, DomainAt, RepositoryAt, StoredPolicy};
use iam::Caller;
use serde::Serialize;

use crate::members::{PolicyDocument, PolicyRevision, name};
use crate::{Answer, Failure, Request, at};

/// `ResourcePolicy`: a document of JSON, as text, in JSON.
#[derive(Serialize)]
struct ResourcePolicy {
    #[serde(rename = "resourceArn")]
    resource_arn: String,
    revision: String,
    document: String,
}

#[derive(Serialize)]
struct Output {
    policy: ResourcePolicy,
}

fn answer(policy: StoredPolicy) -> Result<Answer, Failure> {
    let StoredPolicy {
        resource_arn,
        revision,
        document,
    } = policy;
    Answer::json(&Output {
        policy: ResourcePolicy {
            resource_arn,
            revision,
            document,
        },
    })
}

/// What is to be stored, and over which revision.
struct New {
    document: PolicyDocument,
    expected: Option<PolicyRevision>,
}

fn new(read: &mut Reader<'_>) -> Option<New> {
    let expected = revision(read.body("policyRevision", "policyRevision"));
    let document = read.body("policyDocument", "policyDocument").required();
    Some(New {
        document: document?,
        expected: expected?,
    })
}

#[expect(
    clippy::option_option,
    reason = "outside: could it be read; inside: is it there"
)]
fn revision(field: Field<'_, '_>) -> Option<Option<PolicyRevision>> {
    field.optional()
}

fn text(revision: Option<&PolicyRevision>) -> Option<&str> {
    revision.map(|revision| revision.0.as_str())
}

/// The one input that has everything in its body, the domain too.
fn domain_in_body(read: &mut Reader<'_>, caller: &Caller) -> Option<DomainAt> {
    let name = read.body("domain", "domain").required_with(name);
    let owner = read
        .body("domainOwner", "domainOwner")
        .optional::<AccountId>();
    let owner = owner?.unwrap_or(*caller.account());
    Some(DomainAt { owner, name: name? })
}

pub(crate) async fn put_of_domain(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, new) = request.read(|read| {
        let at = domain_in_body(read, &cx.caller);
        let new = new(read);
        Some((at?, new?))
    })?;
    let action = Action::PutDomainPermissionsPolicy;
    let domain = cx.catalog.domain(&cx.caller, action, &at).await?;
    answer(
        domain
            .set_policy(&new.document.0, text(new.expected.as_ref()))
            .await?,
    )
}

pub(crate) async fn get_of_domain(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::domain(read, &cx.caller))?;
    let action = Action::GetDomainPermissionsPolicy;
    let domain = cx.catalog.domain(&cx.caller, action, &at).await?;
    answer(domain.policy().await?)
}

pub(crate) async fn delete_of_domain(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, expected) = request.read(|read| {
        let at = at::domain(read, &cx.caller);
        let expected = revision(read.query("policy-revision", "policyRevision"));
        Some((at?, expected?))
    })?;
    let action = Action::DeleteDomainPermissionsPolicy;
    let domain = cx.catalog.domain(&cx.caller, action, &at).await?;
    answer(domain.remove_policy(text(expected.as_ref())).await?)
}

pub(crate) async fn put_of_repository(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, new): (RepositoryAt, New) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let new = new(read);
        Some((at?, new?))
    })?;
    let action = Action::PutRepositoryPermissionsPolicy;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    answer(
        repository
            .set_policy(&new.document.0, text(new.expected.as_ref()))
            .await?,
    )
}

pub(crate) async fn get_of_repository(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let at = request.read(|read| at::repository(read, &cx.caller))?;
    let action = Action::GetRepositoryPermissionsPolicy;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    answer(repository.policy().await?)
}

pub(crate) async fn delete_of_repository(request: Request<'_>) -> Result<Answer, Failure> {
    let cx = request.cx;
    let (at, expected) = request.read(|read| {
        let at = at::repository(read, &cx.caller);
        let expected = revision(read.query("policy-revision", "policyRevision"));
        Some((at?, expected?))
    })?;
    let action = Action::DeleteRepositoryPermissionsPolicy;
    let repository = cx.catalog.repository(&cx.caller, action, &at).await?;
    answer(repository.remove_policy(text(expected.as_ref())).await?)
}
