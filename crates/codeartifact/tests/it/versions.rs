//! Changes to several versions at once, deletion of packages, and origin controls.

use serde_json::{Value, json};

use crate::world::{World, repository, version, with};

/// `hammer` 1.0 and 1.1, Published, in `my-repository`; `other-repository` beside it.
async fn hammers() -> World {
    let world = World::begin().await.with_repository().await;
    world
        .ok("CreateRepository", repository("other-repository"))
        .await;
    for number in ["1.0", "1.1"] {
        publish(&world, number, "a").await;
    }
    world
}

async fn publish(world: &World, number: &str, content: &str) -> Value {
    let members = with(&version("hammer", number), &json!({"assetName": "a.bin"}));
    world.publish(members, content).await.unwrap()
}

fn hammer(more: &Value) -> Value {
    let names = json!({"format": "generic", "namespace": "tools", "package": "hammer"});
    with(&with(&repository("my-repository"), &names), more)
}

fn copying(more: &Value) -> Value {
    let names = json!({
        "domain": "my-domain",
        "sourceRepository": "my-repository",
        "destinationRepository": "other-repository",
        "format": "generic",
        "namespace": "tools",
        "package": "hammer",
    });
    with(&names, more)
}

async fn revision(world: &World, number: &str) -> Value {
    let described = world
        .ok("DescribePackageVersion", version("hammer", number))
        .await;
    described["packageVersion"]["revision"].clone()
}

#[tokio::test]
async fn a_status_is_changed_and_the_revision_is_not() {
    let world = hammers().await;
    let before = revision(&world, "1.0").await;
    for (from, to) in [
        ("Published", "Archived"),
        ("Archived", "Unlisted"),
        ("Unlisted", "Published"),
    ] {
        let members = hammer(&json!({
            "versions": ["1.0", "v1.0"],
            "versionRevisions": {"1.0": before},
            "expectedStatus": from,
            "targetStatus": to,
        }));
        let answer = world.ok("UpdatePackageVersionsStatus", members).await;
        let expected = json!({
            "successfulVersions": {"1.0": {"revision": before, "status": to}},
            "failedVersions": {},
        });
        assert_eq!(answer, expected);
        let get = with(&version("hammer", "1.0"), &json!({"asset": "a.bin"}));
        let got = world.call("GetPackageVersionAsset", get).await;
        assert_eq!(got.is_ok(), to != "Archived", "{to}");
    }
    assert_eq!(revision(&world, "1.0").await, before);
}

#[tokio::test]
async fn when_one_version_fails_all_others_are_skipped() {
    let world = hammers().await;
    let before = revision(&world, "1.0").await;
    for (more, code, message) in [
        (
            json!({"versions": ["1.0", "2.0"]}),
            ("2.0", "NOT_FOUND"),
            "Could not find version 2.0".to_owned(),
        ),
        (
            json!({"versions": ["1.0", "1.1"], "versionRevisions": {"1.0": before, "1.1": "x"}}),
            ("1.1", "MISMATCHED_REVISION"),
            format!(
                "current revision: {}, expected revision: x",
                before.as_str().unwrap()
            ),
        ),
    ] {
        let members = hammer(&with(&more, &json!({"targetStatus": "Archived"})));
        let answer = world.ok("UpdatePackageVersionsStatus", members).await;
        assert_eq!(answer["successfulVersions"], json!({}));
        let failed = &answer["failedVersions"];
        let (number, code) = code;
        assert_eq!(failed[number]["errorCode"], code);
        // Revisions differ between versions: only the end of that text is known beforehand.
        if code != "MISMATCHED_REVISION" {
            assert_eq!(failed[number]["errorMessage"], message);
        }
        let skipped = json!({"errorCode": "SKIPPED", "errorMessage": "version 1.0 is skipped"});
        assert_eq!(failed["1.0"], skipped);
    }
    let expected =
        json!({"versions": ["1.0"], "targetStatus": "Archived", "expectedStatus": "Unlisted"});
    let answer = world
        .ok("UpdatePackageVersionsStatus", hammer(&expected))
        .await;
    let mismatch = json!({
        "errorCode": "MISMATCHED_STATUS",
        "errorMessage": "current status: Published, expected status: Unlisted",
    });
    assert_eq!(answer["failedVersions"], json!({"1.0": mismatch}));
}

#[tokio::test]
async fn choices_that_cannot_be_meant_are_refused() {
    let world = hammers().await;
    for (operation, members) in [
        (
            "UpdatePackageVersionsStatus",
            hammer(&json!({"versions": [], "targetStatus": "Archived"})),
        ),
        (
            "UpdatePackageVersionsStatus",
            hammer(&json!({"versions": ["1.0"], "targetStatus": "Disposed"})),
        ),
        (
            "UpdatePackageVersionsStatus",
            hammer(&json!({"versions": ["1.0"], "targetStatus": "Unfinished"})),
        ),
        (
            "UpdatePackageVersionsStatus",
            hammer(&json!({"versions": ["1.0"], "targetStatus": "Deleted"})),
        ),
        (
            "UpdatePackageVersionsStatus",
            hammer(
                &json!({"versions": ["1.0"], "versionRevisions": {"1.1": "x"}, "targetStatus": "Archived"}),
            ),
        ),
        (
            "DisposePackageVersions",
            hammer(&json!({"versions": ["1.0"], "versionRevisions": {}})),
        ),
        ("DeletePackageVersions", hammer(&json!({"versions": []}))),
        (
            "DeletePackageVersions",
            hammer(&json!({"versions": ["1.0"], "expectedStatus": "Deleted"})),
        ),
        ("CopyPackageVersions", copying(&json!({}))),
        ("CopyPackageVersions", copying(&json!({"versions": []}))),
        (
            "CopyPackageVersions",
            copying(&json!({"versions": ["1.0"], "versionRevisions": {"1.0": "x"}})),
        ),
        (
            "CopyPackageVersions",
            copying(&json!({"versions": ["1.0"], "destinationRepository": "my-repository"})),
        ),
    ] {
        let refused = world.refused(operation, members.clone()).await;
        assert_eq!(
            refused.0, "ValidationException",
            "{operation} {members}: {}",
            refused.1
        );
    }
}

#[tokio::test]
async fn the_package_must_be_there() {
    let world = hammers().await;
    let saw = json!({"package": "saw", "versions": ["1.0"]});
    for (operation, members) in [
        (
            "UpdatePackageVersionsStatus",
            hammer(&with(&saw, &json!({"targetStatus": "Archived"}))),
        ),
        ("DisposePackageVersions", hammer(&saw)),
        ("DeletePackageVersions", hammer(&saw)),
        ("CopyPackageVersions", copying(&saw)),
        ("DeletePackage", hammer(&json!({"package": "saw"}))),
    ] {
        let refused = world.refused(operation, members).await;
        assert_eq!(refused.0, "ResourceNotFoundException", "{operation}");
    }
}

#[tokio::test]
async fn what_is_disposed_stays_described_and_what_is_deleted_does_not() {
    let world = hammers().await;
    let one = hammer(&json!({"versions": ["1.0"]}));
    let before = revision(&world, "1.0").await;
    let disposed = world.ok("DisposePackageVersions", one.clone()).await;
    let success = json!({"1.0": {"revision": before, "status": "Disposed"}});
    assert_eq!(disposed["successfulVersions"], success);
    assert_eq!(revision(&world, "1.0").await, before);
    let assets = world
        .ok("ListPackageVersionAssets", version("hammer", "1.0"))
        .await;
    assert_eq!(assets["assets"], json!([]));
    let get = with(&version("hammer", "1.0"), &json!({"asset": "a.bin"}));
    assert_eq!(
        world.refused("GetPackageVersionAsset", get).await.0,
        "ResourceNotFoundException"
    );

    let deleted = world.ok("DeletePackageVersions", one.clone()).await;
    let success = json!({"1.0": {"revision": before, "status": "Deleted"}});
    assert_eq!(deleted["successfulVersions"], success);
    let missing = world
        .call("DescribePackageVersion", version("hammer", "1.0"))
        .await
        .unwrap_err();
    assert!(
        missing
            .members
            .contains(&("resourceType", "package-version".to_owned()))
    );
    publish(&world, "1.0", "other bytes").await;
}

#[tokio::test]
async fn versions_are_copied_all_or_none() {
    let world = hammers().await;
    let before = revision(&world, "1.0").await;
    let some = copying(&json!({"versions": ["1.0", "9.9"]}));
    let answer = world.ok("CopyPackageVersions", some).await;
    let failed = json!({
        "1.0": {"errorCode": "SKIPPED", "errorMessage": "Version 1.0 was skipped"},
        "9.9": {"errorCode": "NOT_FOUND", "errorMessage": "Could not find version 9.9"},
    });
    assert_eq!(
        answer,
        json!({"successfulVersions": {}, "failedVersions": failed})
    );

    let by_revision = copying(&json!({"versionRevisions": {"1.0": before}}));
    let answer = world.ok("CopyPackageVersions", by_revision.clone()).await;
    let success = json!({"1.0": {"revision": before, "status": "Published"}});
    assert_eq!(
        answer,
        json!({"successfulVersions": success, "failedVersions": {}})
    );
    // What is the same there already is in neither map.
    let answer = world.ok("CopyPackageVersions", by_revision).await;
    assert_eq!(
        answer,
        json!({"successfulVersions": {}, "failedVersions": {}})
    );

    let delete = hammer(&json!({"versions": ["1.0"]}));
    world.ok("DeletePackageVersions", delete).await;
    publish(&world, "1.0", "other bytes").await;
    let again = copying(&json!({"versions": ["1.0"]}));
    let answer = world.ok("CopyPackageVersions", again.clone()).await;
    let failed = json!({
        "1.0": {"errorCode": "ALREADY_EXISTS", "errorMessage": "Version 1.0 already exists"}
    });
    assert_eq!(answer["failedVersions"], failed);
    let forced = with(&again, &json!({"allowOverwrite": true}));
    let answer = world.ok("CopyPackageVersions", forced).await;
    assert_eq!(answer["successfulVersions"]["1.0"]["status"], "Published");
}

#[tokio::test]
async fn a_copy_may_come_from_behind_its_source() {
    let world = hammers().await;
    let upstreams = json!({"upstreams": [{"repositoryName": "my-repository"}]});
    world
        .ok("CreateRepository", with(&repository("front"), &upstreams))
        .await;
    world.publish_described("a", "1.0", &json!({})).await;
    let names = json!({"format": "maven", "namespace": "com.acme", "package": "a"});
    let members = with(
        &copying(&names),
        &json!({"sourceRepository": "front", "versions": ["1.0"]}),
    );
    let refused = world.refused("CopyPackageVersions", members.clone()).await;
    assert_eq!(refused.0, "ResourceNotFoundException");
    let members = with(&members, &json!({"includeFromUpstream": true}));
    let answer = world.ok("CopyPackageVersions", members).await;
    assert_eq!(answer["successfulVersions"]["1.0"]["status"], "Published");
}

#[tokio::test]
async fn a_package_may_be_controlled_before_it_comes_and_is_deleted_with_its_controls() {
    let world = World::begin().await.with_repository().await;
    let controls = json!({"restrictions": {"publish": "BLOCK", "upstream": "ALLOW"}});
    let answer = world
        .ok("PutPackageOriginConfiguration", hammer(&controls))
        .await;
    assert_eq!(answer, json!({"originConfiguration": controls}));
    let described = world.ok("DescribePackage", hammer(&json!({}))).await;
    assert_eq!(described["package"]["originConfiguration"], controls);
    let listed = world.ok("ListPackages", repository("my-repository")).await;
    assert_eq!(listed["packages"].as_array().unwrap().len(), 1);
    let versions = world.ok("ListPackageVersions", hammer(&json!({}))).await;
    assert_eq!(versions["versions"], json!([]));
    assert_eq!(versions.get("defaultDisplayVersion"), None);

    let members = with(&version("hammer", "1.0"), &json!({"assetName": "a.bin"}));
    let fault = world.publish(members, "a").await.unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
    assert!(fault.message.contains("origin control"), "{fault}");

    let open = json!({"restrictions": {"publish": "ALLOW", "upstream": "ALLOW"}});
    world
        .ok("PutPackageOriginConfiguration", hammer(&open))
        .await;
    publish(&world, "1.0", "a").await;
    let deleted = world.ok("DeletePackage", hammer(&json!({}))).await;
    let expected = json!({"deletedPackage": {
        "format": "generic", "namespace": "tools", "package": "hammer", "originConfiguration": open
    }});
    assert_eq!(deleted, expected);
    assert_eq!(
        world.refused("DescribePackage", hammer(&json!({}))).await.0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn copying_needs_reading_the_source_and_copying_into_the_destination() {
    let world = hammers().await;
    let only = |action: &str, resource: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "codeartifact:ReadFromRepository", "Resource": "*"},
            {"Effect": "Allow", "Action": action, "Resource": resource},
        ]})
    };
    let package = "arn:aws:codeartifact:*:*:package/*";
    for (name, resource, missing) in [
        (
            "neither",
            "arn:aws:codeartifact:*:*:domain/*",
            "package/my-domain/other-repository/generic/tools/hammer",
        ),
        ("half", package, "repository/my-domain/other-repository"),
    ] {
        let user = world
            .user(name, &only("codeartifact:CopyPackageVersions", resource))
            .await;
        let members = copying(&json!({"versions": ["1.0"]}));
        let fault = world
            .call_as(&user, "CopyPackageVersions", members)
            .await
            .unwrap_err();
        let expected = format!(
            "codeartifact:CopyPackageVersions on resource: arn:aws:codeartifact:eu-central-1:111122223333:{missing} "
        );
        assert!(fault.message.contains(&expected), "{fault}");
    }
}
