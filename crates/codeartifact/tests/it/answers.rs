//! Every member that the model gives an answer is in some answer: none is forgotten, and none is called otherwise.

use std::collections::BTreeSet;

use codeartifact::OPERATIONS;
use serde_json::json;

use crate::world::{World, repository, version, with};

/// Members that need a public registry before they are there.
const NEED_A_REGISTRY: &[&str] = &["DomainEntryPoint.externalConnectionName"];

#[tokio::test]
async fn every_member_of_every_answer_is_sent() {
    let world = World::begin().await.with_repository().await;
    domains_and_repositories(&world).await;
    policies_and_tags(&world).await;
    packages(&world).await;

    let here = OPERATIONS
        .iter()
        .filter(|operation| operation.is_implemented());
    let expected: BTreeSet<String> = here
        .flat_map(|operation| world.model.answer_members(operation.name))
        .collect();
    let mut seen = world.seen.lock().unwrap().clone();
    seen.extend(NEED_A_REGISTRY.iter().map(|member| (*member).to_owned()));
    let missing: Vec<_> = expected.difference(&seen).collect();
    assert!(missing.is_empty(), "never sent: {missing:?}");
}

async fn domains_and_repositories(world: &World) {
    world
        .ok("CreateDomain", json!({"domain": "other-domain"}))
        .await;
    world
        .ok("DescribeDomain", json!({"domain": "my-domain"}))
        .await;
    world.ok("ListDomains", json!({"maxResults": 1})).await;
    world
        .ok("DeleteDomain", json!({"domain": "other-domain"}))
        .await;
    let downstream = with(
        &repository("downstream"),
        &json!({"description": "d", "upstreams": [{"repositoryName": "my-repository"}]}),
    );
    world.ok("CreateRepository", downstream.clone()).await;
    world
        .ok("DescribeRepository", repository("downstream"))
        .await;
    world.ok("UpdateRepository", downstream).await;
    let connection = with(
        &repository("my-repository"),
        &json!({"externalConnection": "public:maven-central"}),
    );
    world
        .ok("AssociateExternalConnection", connection.clone())
        .await;
    world.ok("DisassociateExternalConnection", connection).await;
    world.ok("ListRepositories", json!({"maxResults": 1})).await;
    let list = json!({"domain": "my-domain", "maxResults": 1});
    world.ok("ListRepositoriesInDomain", list).await;
    let endpoint = with(&repository("my-repository"), &json!({"format": "npm"}));
    world.ok("GetRepositoryEndpoint", endpoint).await;
    world
        .ok("GetAuthorizationToken", json!({"domain": "my-domain"}))
        .await;
}

async fn policies_and_tags(world: &World) {
    let document = json!({"policyDocument": json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "codeartifact:Read*", "Resource": "*"
    }]}).to_string()});
    let domain = json!({"domain": "my-domain"});
    world
        .ok("PutDomainPermissionsPolicy", with(&domain, &document))
        .await;
    world.ok("GetDomainPermissionsPolicy", domain.clone()).await;
    world.ok("DeleteDomainPermissionsPolicy", domain).await;
    let repository = repository("my-repository");
    world
        .ok(
            "PutRepositoryPermissionsPolicy",
            with(&repository, &document),
        )
        .await;
    world
        .ok("GetRepositoryPermissionsPolicy", repository.clone())
        .await;
    world
        .ok("DeleteRepositoryPermissionsPolicy", repository)
        .await;
    let arn = "arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain";
    let tagging = json!({"resourceArn": arn, "tags": [{"key": "a", "value": "b"}]});
    world.ok("TagResource", tagging).await;
    world
        .ok("ListTagsForResource", json!({"resourceArn": arn}))
        .await;
    world
        .ok(
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["a"]}),
        )
        .await;
}

async fn packages(world: &World) {
    for number in ["1.0", "1.1"] {
        for asset in ["a.bin", "b.bin"] {
            let more = json!({"assetName": asset, "unfinished": asset == "a.bin"});
            world
                .publish(with(&version("hammer", number), &more), "a")
                .await
                .unwrap();
        }
    }
    let dependency = json!({
        "namespace": "n", "package": "p", "dependencyType": "compile", "versionRequirement": "1"
    });
    let manifest = json!({
        "displayName": "D", "summary": "S", "homePage": "H", "sourceCodeRepository": "R",
        "licenses": [{"name": "MIT", "url": "U"}],
        "dependencies": vec![dependency; 101],
        "readme": "R",
    });
    world.publish_described("a", "1.0", &manifest).await;
    let named = |format: &str, namespace: &str, package: &str| {
        let names = json!({"format": format, "namespace": namespace, "package": package});
        with(&repository("my-repository"), &names)
    };
    let one = json!({"maxResults": 1});
    let described = with(
        &named("maven", "com.acme", "a"),
        &json!({"packageVersion": "1.0"}),
    );
    world
        .ok("ListPackages", with(&repository("my-repository"), &one))
        .await;
    world
        .ok("DescribePackage", named("generic", "tools", "hammer"))
        .await;
    world
        .ok(
            "ListPackageVersions",
            with(&named("generic", "tools", "hammer"), &one),
        )
        .await;
    world.ok("DescribePackageVersion", described.clone()).await;
    world.ok("GetPackageVersionReadme", described.clone()).await;
    world.ok("ListPackageVersionDependencies", described).await;
    world
        .ok(
            "ListPackageVersionAssets",
            with(&version("hammer", "1.0"), &one),
        )
        .await;
    let get = with(&version("hammer", "1.0"), &json!({"asset": "a.bin"}));
    world.ok("GetPackageVersionAsset", get).await;
    let hammer = named("generic", "tools", "hammer");
    let some = |numbers: &[&str]| with(&hammer, &json!({"versions": numbers}));
    let archive = with(&some(&["1.0", "2.0"]), &json!({"targetStatus": "Archived"}));
    world.ok("UpdatePackageVersionsStatus", archive).await;
    world.ok("DisposePackageVersions", some(&["1.0"])).await;
    world.ok("DeletePackageVersions", some(&["1.0"])).await;
    let copying = json!({
        "domain": "my-domain", "sourceRepository": "my-repository", "destinationRepository": "downstream",
        "format": "generic", "namespace": "tools", "package": "hammer", "versions": ["1.1"]
    });
    world.ok("CopyPackageVersions", copying).await;
    let open = json!({"restrictions": {"publish": "ALLOW", "upstream": "ALLOW"}});
    world
        .ok("PutPackageOriginConfiguration", with(&hammer, &open))
        .await;
    world.ok("DeletePackage", hammer.clone()).await;
    world.ok("DeleteRepository", repository("downstream")).await;
}
