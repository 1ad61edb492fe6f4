//! Package groups.

use serde_json::{Value, json};

use crate::world::{World, repository, version, with};

const OF: &str = "arn:aws:codeartifact:eu-central-1:111122223333:package-group/my-domain";

fn group(pattern: &str) -> Value {
    json!({"domain": "my-domain", "packageGroup": pattern})
}

/// `my-domain` with these groups.
async fn with_groups(patterns: &[&str]) -> World {
    let world = World::begin().await.with_repository().await;
    for pattern in patterns {
        world.ok("CreatePackageGroup", group(pattern)).await;
    }
    world
}

/// A restriction that is inherited from the root group, which allows.
fn inherited() -> Value {
    json!({
        "mode": "INHERIT", "effectiveMode": "ALLOW",
        "inheritedFrom": {"arn": format!("{OF}/%2a"), "pattern": "/*"},
    })
}

fn all(restriction: &Value) -> Value {
    json!({"restrictions": {
        "EXTERNAL_UPSTREAM": restriction, "INTERNAL_UPSTREAM": restriction, "PUBLISH": restriction
    }})
}

async fn change(world: &World, pattern: &str, change: Value) -> Value {
    let members = with(&group(pattern), &change);
    world
        .ok("UpdatePackageGroupOriginConfiguration", members)
        .await
}

#[tokio::test]
async fn a_group_is_created_described_changed_and_deleted() {
    let world = World::begin().await.with_repository().await;
    let words = json!({"contactInfo": "team@example.com", "description": "Tools."});
    let created = world
        .ok(
            "CreatePackageGroup",
            with(&group("/generic/tools/hammer$"), &words),
        )
        .await;
    let expected = json!({"packageGroup": {
        "arn": format!("{OF}/generic/tools/hammer%24"),
        "pattern": "/generic/tools/hammer$",
        "domainName": "my-domain",
        "domainOwner": "111122223333",
        "createdTime": 1_773_500_966.0,
        "contactInfo": "team@example.com",
        "description": "Tools.",
        "originConfiguration": all(&inherited()),
        "parent": {"arn": format!("{OF}/%2a"), "pattern": "/*"},
    }});
    assert_eq!(created, expected);
    let described = world
        .ok("DescribePackageGroup", group("/generic/tools/hammer$"))
        .await;
    assert_eq!(described, expected);

    // What is not given stays; what is given empty is cleared.
    let clear = with(
        &group("/generic/tools/hammer$"),
        &json!({"contactInfo": ""}),
    );
    let mut expected = expected;
    let members = expected["packageGroup"].as_object_mut().unwrap();
    members.remove("contactInfo");
    assert_eq!(world.ok("UpdatePackageGroup", clear).await, expected);
    let again = with(
        &group("/generic/tools/hammer$"),
        &json!({"description": "Hammers.", "contactInfo": "x"}),
    );
    let updated = world.ok("UpdatePackageGroup", again).await;
    expected["packageGroup"]["description"] = json!("Hammers.");
    expected["packageGroup"]["contactInfo"] = json!("x");
    assert_eq!(updated, expected);

    let deleted = world
        .ok("DeletePackageGroup", group("/generic/tools/hammer$"))
        .await;
    assert_eq!(deleted, expected);
    for operation in [
        "DescribePackageGroup",
        "DeletePackageGroup",
        "UpdatePackageGroup",
        "UpdatePackageGroupOriginConfiguration",
        "ListSubPackageGroups",
        "ListAssociatedPackages",
    ] {
        let missing = world
            .call(operation, group("/generic/tools/hammer$"))
            .await
            .unwrap_err();
        assert_eq!(missing.code, "ResourceNotFoundException", "{operation}");
        // The API has no resource type of this name.
        assert_eq!(
            missing.members,
            [("resourceId", "/generic/tools/hammer$".to_owned())]
        );
    }
}

#[tokio::test]
async fn the_root_group_is_described_and_changed_but_never_created_nor_deleted() {
    let world = World::begin().await.with_repository().await;
    let described = world.ok("DescribePackageGroup", group("/*")).await;
    let allow = json!({"mode": "ALLOW", "effectiveMode": "ALLOW"});
    let expected = json!({"packageGroup": {
        "arn": format!("{OF}/%2a"),
        "pattern": "/*",
        "domainName": "my-domain",
        "domainOwner": "111122223333",
        "createdTime": 1_773_500_966.0,
        "originConfiguration": all(&allow),
    }});
    assert_eq!(described, expected);
    let conflict = world
        .call("CreatePackageGroup", group("/*"))
        .await
        .unwrap_err();
    assert_eq!(
        (conflict.code.as_ref(), conflict.status.as_u16()),
        ("ConflictException", 409)
    );
    assert_eq!(
        world.refused("DeletePackageGroup", group("/*")).await.0,
        "ValidationException"
    );
    let inherit = with(
        &group("/*"),
        &json!({"restrictions": {"PUBLISH": "INHERIT"}}),
    );
    assert_eq!(
        world
            .refused("UpdatePackageGroupOriginConfiguration", inherit)
            .await
            .0,
        "ValidationException"
    );
    let blocked = change(&world, "/*", json!({"restrictions": {"PUBLISH": "BLOCK"}})).await;
    assert_eq!(blocked["allowedRepositoryUpdates"], json!({}));
    let restrictions = &blocked["packageGroup"]["originConfiguration"]["restrictions"];
    assert_eq!(
        restrictions["PUBLISH"],
        json!({"mode": "BLOCK", "effectiveMode": "BLOCK"})
    );
    assert_eq!(restrictions["EXTERNAL_UPSTREAM"], allow);
}

#[tokio::test]
async fn what_is_no_pattern_is_refused_where_a_group_is_made_of_it_and_not_found_elsewhere() {
    let world = with_groups(&["/npm/*"]).await;
    for (pattern, rule) in [
        ("npm/*", "begin with a slash"),
        ("/npm", "end with `$`, `~` or `*`"),
        (
            "/npm/a*",
            "have no letter, digit or mark before `*`; `~` ends a word",
        ),
        ("/npm/a$", "have a whole name before `$`"),
        (
            "/maven//x$",
            "have a namespace: packages of format maven have one",
        ),
        ("/pypi//X$", "be in lower case, as names of format pypi are"),
    ] {
        let expected = format!(
            "1 validation error detected: Value '{pattern}' at 'packageGroup' failed to satisfy constraint: Member must {rule}"
        );
        let preview = with(&group(pattern), &json!({"preview": true}));
        for (operation, members) in [
            ("CreatePackageGroup", group(pattern)),
            ("ListAssociatedPackages", preview),
        ] {
            let refused = world.refused(operation, members).await;
            assert_eq!(
                refused,
                ("ValidationException".to_owned(), expected.clone())
            );
        }
        for operation in ["DescribePackageGroup", "DeletePackageGroup"] {
            let missing = world.refused(operation, group(pattern)).await;
            assert_eq!(
                missing.0, "ResourceNotFoundException",
                "{operation} {pattern}"
            );
        }
    }
    for operation in [
        "CreatePackageGroup",
        "DescribePackageGroup",
        "ListSubPackageGroups",
    ] {
        let elsewhere = json!({"domain": "no-domain", "packageGroup": "/pypi/*"});
        let missing = world.call(operation, elsewhere).await.unwrap_err();
        assert!(
            missing
                .members
                .contains(&("resourceType", "domain".to_owned())),
            "{operation} {missing}"
        );
    }
    let conflict = world.refused("CreatePackageGroup", group("/npm/*")).await;
    assert_eq!(
        conflict,
        (
            "ConflictException".to_owned(),
            "Package group already exists. Package group '/npm/*' in domain 'my-domain' owned by account \
             '111122223333' already exists"
                .to_owned()
        )
    );
}

#[tokio::test]
async fn modes_change_first_and_then_lists() {
    let world = with_groups(&["/generic/*", "/generic/tools/*"]).await;
    world.ok("CreateRepository", repository("other")).await;
    let listed = |restriction: &str, names: &[&str]| {
        let entry =
            |name: &&str| json!({"repositoryName": name, "originRestrictionType": restriction});
        json!(names.iter().map(entry).collect::<Vec<_>>())
    };
    let to_be_changed = json!({
        "restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES", "EXTERNAL_UPSTREAM": "BLOCK"},
        "addAllowedRepositories": listed("PUBLISH", &["my-repository", "other"]),
        "removeAllowedRepositories": listed("PUBLISH", &["other"]),
    });
    let changed = change(&world, "/generic/*", to_be_changed.clone()).await;
    assert_eq!(
        changed["allowedRepositoryUpdates"],
        json!({"PUBLISH": {"ADDED": ["my-repository", "other"], "REMOVED": ["other"]}})
    );
    let restrictions = &changed["packageGroup"]["originConfiguration"]["restrictions"];
    let listing = json!({
        "mode": "ALLOW_SPECIFIC_REPOSITORIES", "effectiveMode": "ALLOW_SPECIFIC_REPOSITORIES", "repositoriesCount": 1
    });
    assert_eq!(restrictions["PUBLISH"], listing);
    assert_eq!(restrictions["INTERNAL_UPSTREAM"], inherited());

    // Below it the mode is the same, and the list nobody's own.
    let below = world
        .ok("DescribePackageGroup", group("/generic/tools/*"))
        .await;
    let from = json!({"arn": format!("{OF}/generic/%2a"), "pattern": "/generic/*"});
    assert_eq!(
        below["packageGroup"]["originConfiguration"]["restrictions"]["PUBLISH"],
        json!({"mode": "INHERIT", "effectiveMode": "ALLOW_SPECIFIC_REPOSITORIES", "inheritedFrom": from})
    );
    for (pattern, restriction, expected) in [
        ("/generic/*", "PUBLISH", json!(["my-repository"])),
        ("/generic/*", "EXTERNAL_UPSTREAM", json!([])),
        ("/generic/tools/*", "PUBLISH", json!([])),
    ] {
        let members = with(
            &group(pattern),
            &json!({"originRestrictionType": restriction}),
        );
        let list = world.ok("ListAllowedRepositoriesForGroup", members).await;
        assert_eq!(list, json!({"allowedRepositories": expected}));
    }
    for (wrong, code) in [
        (
            json!({"addAllowedRepositories": listed("EXTERNAL_UPSTREAM", &["other"])}),
            "ValidationException",
        ),
        (
            json!({"addAllowedRepositories": listed("PUBLISH", &["gone"])}),
            "ResourceNotFoundException",
        ),
        (
            json!({"addAllowedRepositories": listed("PUBLISH", &["other"; 101])}),
            "ValidationException",
        ),
        (
            json!({"addAllowedRepositories": [{"repositoryName": "other"}]}),
            "ValidationException",
        ),
    ] {
        let members = with(&group("/generic/*"), &wrong);
        let refused = world
            .refused("UpdatePackageGroupOriginConfiguration", members)
            .await;
        assert_eq!(refused.0, code, "{wrong}");
    }
    // The list decides.
    let members = |repository: &str| {
        let more = json!({"assetName": "a.bin", "repository": repository});
        with(&version("hammer", "1.0"), &more)
    };
    world.publish(members("my-repository"), "a").await.unwrap();
    let refused = world.publish(members("other"), "a").await.unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    assert!(
        refused.message.contains("package group '/generic/tools/*' (PUBLISH: ALLOW_SPECIFIC_REPOSITORIES, inherited from '/generic/*'"),
        "{refused}"
    );
}

#[tokio::test]
async fn packages_are_listed_with_the_group_they_belong_to() {
    let world = with_groups(&["/generic/tools/*", "/generic/tools/saw~"]).await;
    for package in ["hammer", "saw", "saw-blade", "sawdust"] {
        let members = with(&version(package, "1.0"), &json!({"assetName": "a.bin"}));
        world.publish(members, "a").await.unwrap();
    }
    let controlled = json!({
        "format": "cargo", "package": "lo0k", "restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}
    });
    world
        .ok(
            "PutPackageOriginConfiguration",
            with(&repository("my-repository"), &controlled),
        )
        .await;
    let package = |name: &str, how: &str| json!({"format": "generic", "namespace": "tools", "package": name, "associationType": how});
    let look = json!({"format": "cargo", "package": "lo0k", "associationType": "WEAK"});
    for (pattern, preview, expected) in [
        (
            "/generic/tools/saw~",
            false,
            json!([package("saw", "STRONG"), package("saw-blade", "STRONG")]),
        ),
        (
            "/generic/tools/*",
            false,
            json!([package("hammer", "STRONG"), package("sawdust", "STRONG")]),
        ),
        (
            "/generic/tools/saw$",
            true,
            json!([package("saw", "STRONG")]),
        ),
        (
            "/generic/tools/SAW.Blade$",
            true,
            json!([package("saw-blade", "WEAK")]),
        ),
        ("/generic/*", true, json!([])),
        ("/cargo//look$", true, json!([look])),
    ] {
        let members = with(&group(pattern), &json!({"preview": preview}));
        let listed = world.ok("ListAssociatedPackages", members).await;
        assert_eq!(listed, json!({"packages": expected}), "{pattern}");
    }
    for (format, namespace, name, pattern, how) in [
        (
            "generic",
            Some("tools"),
            "saw",
            "/generic/tools/saw~",
            "STRONG",
        ),
        (
            "generic",
            Some("T00LS"),
            "nothing",
            "/generic/tools/*",
            "WEAK",
        ),
        ("npm", None, "react", "/*", "STRONG"),
    ] {
        let mut members = json!({"domain": "my-domain", "format": format, "package": name});
        if let Some(namespace) = namespace {
            members["namespace"] = json!(namespace);
        }
        let found = world.ok("GetAssociatedPackageGroup", members).await;
        assert_eq!(found["associationType"], how, "{name}");
        let described = world.ok("DescribePackageGroup", group(pattern)).await;
        assert_eq!(found["packageGroup"], described["packageGroup"], "{name}");
    }
}

#[tokio::test]
async fn a_policy_may_be_about_one_group_or_those_below() {
    let world = with_groups(&["/npm/a/*", "/npm/b/*"]).await;
    let some = world
        .user(
            "some",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "codeartifact:*PackageGroup*", "Resource": format!("{OF}/npm/a/*")},
            ]}),
        )
        .await;
    let may = async |operation: &str, members: Value| match world
        .call_as(&some, operation, members)
        .await
    {
        Ok(_) => true,
        Err(fault) if fault.code == "AccessDeniedException" => false,
        Err(fault) => panic!("{fault}"),
    };
    assert!(may("DescribePackageGroup", group("/npm/a/*")).await);
    assert!(!may("DescribePackageGroup", group("/npm/b/*")).await);
    assert!(!may("DescribePackageGroup", group("/*")).await);
    assert!(may("CreatePackageGroup", group("/npm/a/x$")).await);
    assert!(!may("CreatePackageGroup", group("/npm/b/x$")).await);
    let tagged = with(
        &group("/npm/a/y$"),
        &json!({"tags": [{"key": "k", "value": "v"}]}),
    );
    assert!(
        !may("CreatePackageGroup", tagged).await,
        "tags take a permission of their own"
    );
    // Which group is asked about a package is the one that it belongs to.
    for (scope, expected) in [("a", true), ("A", true), ("b", false)] {
        let members =
            json!({"domain": "my-domain", "format": "npm", "namespace": scope, "package": "z"});
        assert_eq!(
            may("GetAssociatedPackageGroup", members).await,
            expected,
            "{scope}"
        );
    }
    // A domain's own policy counts for its groups.
    let document = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Resource": "*",
        "Action": ["codeartifact:DescribePackageGroup", "codeartifact:CreatePackageGroup"],
    }]});
    let policy = json!({"domain": "my-domain", "policyDocument": document.to_string()});
    world.ok("PutDomainPermissionsPolicy", policy).await;
    let away = with(&group("/npm/b/*"), &json!({"domainOwner": "111122223333"}));
    world
        .call_as(&world.stranger, "DescribePackageGroup", away.clone())
        .await
        .unwrap();
    let denied = world
        .call_as(&world.stranger, "DeletePackageGroup", away)
        .await
        .unwrap_err();
    assert_eq!(denied.code, "AccessDeniedException");
}
