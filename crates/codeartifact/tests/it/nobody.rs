//! Every operation as somebody without a policy: refused, with the exact action and resource, whether or not the thing
//! exists.

use aws::sigv4::body_hash;
use codeartifact::{Kind, OPERATIONS, Operation};
use serde_json::{Map, Value, json};

use crate::model::Model;
use crate::world::World;

const DOMAIN: &str = "arn:aws:codeartifact:eu-central-1:111122223333:domain/{d}";
const REPOSITORY: &str =
    "arn:aws:codeartifact:eu-central-1:111122223333:repository/{d}/my-repository";
const PACKAGE: &str =
    "arn:aws:codeartifact:eu-central-1:111122223333:package/{d}/my-repository/generic/tools/abc";

/// What an operation asks for first, and of which resource of domain `{d}`.
fn asked(operation: &'static Operation) -> (&'static str, &'static str) {
    let resource = match operation.name {
        // Its source comes first: what may not be read cannot be copied.
        "CopyPackageVersions" => return ("codeartifact:ReadFromRepository", REPOSITORY),
        "ListDomains" | "ListRepositories" => "*",
        "CreateDomain"
        | "DescribeDomain"
        | "DeleteDomain"
        | "ListRepositoriesInDomain"
        | "GetAuthorizationToken"
        | "PutDomainPermissionsPolicy"
        | "GetDomainPermissionsPolicy"
        | "DeleteDomainPermissionsPolicy"
        | "TagResource"
        | "UntagResource"
        | "ListTagsForResource" => DOMAIN,
        "CreateRepository"
        | "DescribeRepository"
        | "UpdateRepository"
        | "DeleteRepository"
        | "AssociateExternalConnection"
        | "DisassociateExternalConnection"
        | "GetRepositoryEndpoint"
        | "PutRepositoryPermissionsPolicy"
        | "GetRepositoryPermissionsPolicy"
        | "DeleteRepositoryPermissionsPolicy"
        | "ListPackages" => REPOSITORY,
        "DeletePackage"
        | "DeletePackageVersions"
        | "DescribePackage"
        | "DescribePackageVersion"
        | "DisposePackageVersions"
        | "GetPackageVersionAsset"
        | "GetPackageVersionReadme"
        | "ListPackageVersionAssets"
        | "ListPackageVersionDependencies"
        | "ListPackageVersions"
        | "PublishPackageVersion"
        | "PutPackageOriginConfiguration"
        | "UpdatePackageVersionsStatus" => PACKAGE,
        other => panic!("{other} is implemented: say which resource it is asked for"),
    };
    (operation.actions[0].as_str(), resource)
}

/// The required members, with the names that `asked` has.
fn required(model: &Model, operation: &str, domain: &str) -> Value {
    let mut members = Map::new();
    for member in model.inputs(operation) {
        let value = match member.name.as_str() {
            "domain" => json!(domain),
            "namespace" if operation != "ListPackages" => json!("tools"),
            "assetSHA256" => json!(body_hash(b"bytes")),
            "assetContent" => json!("bytes"),
            "destinationRepository" => json!("other-repository"),
            "versions" => json!(["1.0"]),
            "resourceArn" => json!(DOMAIN.replace("{d}", domain)),
            _ if member.required => model.sample(&member.shape),
            _ => continue,
        };
        members.insert(member.name, value);
    }
    Value::Object(members)
}

#[tokio::test]
async fn nobody_may_do_anything_and_is_told_so() {
    let world = World::begin().await.with_repository().await;
    for operation in OPERATIONS
        .iter()
        .filter(|operation| operation.is_implemented())
    {
        for domain in ["my-domain", "no-domain"] {
            let members = required(&world.model, operation.name, domain);
            let answer = world.call_as(&world.nobody, operation.name, members).await;
            let fault = answer.expect_err(operation.name);
            let (action, resource) = asked(operation);
            let resource = resource.replace("{d}", domain);
            let expected = format!(
                "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: {action} on \
                 resource: {resource} because no identity-based policy allows the {action} action"
            );
            assert_eq!(
                fault.code, "AccessDeniedException",
                "{} {fault}",
                operation.name
            );
            assert_eq!(fault.message, expected);
        }
    }
}

/// What is sent is read first: a mistake in it is told to everybody, and nothing else.
#[tokio::test]
async fn mistakes_come_before_permissions() {
    let world = World::begin().await;
    for operation in OPERATIONS
        .iter()
        .filter(|operation| operation.is_implemented())
    {
        let mut members = required(&world.model, operation.name, "my-domain");
        let (member, mistake) = match operation.name {
            "ListDomains" => ("maxResults", json!(0)),
            "ListRepositories" => ("repositoryPrefix", json!("x")),
            "TagResource" | "UntagResource" | "ListTagsForResource" => {
                ("resourceArn", json!("no ARN"))
            }
            _ => ("domain", json!("X")),
        };
        members[member] = mistake;
        let answer = world.call_as(&world.nobody, operation.name, members).await;
        assert_eq!(
            answer.unwrap_err().code,
            "ValidationException",
            "{}",
            operation.name
        );
    }
}

/// An operation whose bytes come after it has been allowed does not read them before.
#[tokio::test]
async fn the_bytes_of_nobody_are_not_read() {
    let world = World::begin().await.with_repository().await;
    let operation = OPERATIONS
        .iter()
        .find(|operation| operation.kind == Kind::AssetIn)
        .unwrap();
    let members = required(&world.model, operation.name, "my-domain");
    let mut input = world.input(operation.name, &members);
    let body = futures_util::stream::poll_fn(|_| panic!("the body was read"));
    input.body = codeartifact::Body::Stream(Box::pin(body));
    let cx = world.context(&world.nobody);
    let answer = codeartifact::call(&cx, operation, input).await;
    assert!(matches!(answer, codeartifact::Answer::Fault(fault) if fault.status == 403));
}
