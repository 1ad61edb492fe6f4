//! Lists in pages.

use serde_json::{Value, json};

use crate::world::{World, repository, version, with};

/// A domain with two of everything that is listed, and three of what fits.
async fn full() -> World {
    let world = World::begin().await.with_repository().await;
    for domain in ["a-domain", "z-domain"] {
        world.ok("CreateDomain", json!({"domain": domain})).await;
        let members = json!({"domain": domain, "repository": "my-repository"});
        world.ok("CreateRepository", members).await;
    }
    for name in ["Upper", "lower", "x.y_z"] {
        world.ok("CreateRepository", repository(name)).await;
    }
    for package in ["hammer", "saw", "nail"] {
        for number in ["1.0", "1.1", "0.9"] {
            for asset in ["b.bin", "a.bin", "ü.bin"] {
                let more = json!({"assetName": asset, "unfinished": true});
                let members = with(&version(package, number), &more);
                world.publish(members, asset).await.unwrap();
            }
        }
    }
    for pattern in ["/maven/*", "/generic/*", "/generic/other/*"] {
        world.ok("CreatePackageGroup", group(pattern)).await;
    }
    let listed = ["Upper", "lower", "my-repository"]
        .map(|name| json!({"repositoryName": name, "originRestrictionType": "PUBLISH"}));
    let list = json!({
        "restrictions": {"PUBLISH": "ALLOW_SPECIFIC_REPOSITORIES"}, "addAllowedRepositories": listed
    });
    world
        .ok(
            "UpdatePackageGroupOriginConfiguration",
            with(&group("/*"), &list),
        )
        .await;
    let dependencies: Vec<_> = (0..250)
        .map(|n| json!({"package": format!("p{n}"), "versionRequirement": "1"}))
        .collect();
    world
        .publish_described("a", "1.0", &json!({"dependencies": dependencies}))
        .await;
    world
}

/// Every list with a page size: its members, the name of its entries, how many there are.
fn lists() -> Vec<(&'static str, Value, &'static str, usize)> {
    let package = with(
        &repository("my-repository"),
        &json!({"format": "generic", "namespace": "tools", "package": "hammer"}),
    );
    vec![
        ("ListDomains", json!({}), "domains", 3),
        ("ListRepositories", json!({}), "repositories", 6),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain"}),
            "repositories",
            4,
        ),
        ("ListPackages", repository("my-repository"), "packages", 4),
        ("ListPackageVersions", package.clone(), "versions", 3),
        (
            "ListPackageVersions",
            with(&package, &json!({"sortBy": "PUBLISHED_TIME"})),
            "versions",
            3,
        ),
        (
            "ListPackageVersionAssets",
            version("hammer", "1.0"),
            "assets",
            3,
        ),
        (
            "ListPackageGroups",
            json!({"domain": "my-domain"}),
            "packageGroups",
            4,
        ),
        ("ListSubPackageGroups", group("/*"), "packageGroups", 2),
        ("ListAssociatedPackages", group("/generic/*"), "packages", 3),
        (
            "ListAllowedRepositoriesForGroup",
            with(&group("/*"), &json!({"originRestrictionType": "PUBLISH"})),
            "allowedRepositories",
            3,
        ),
    ]
}

fn group(pattern: &str) -> Value {
    json!({"domain": "my-domain", "packageGroup": pattern})
}

#[tokio::test]
async fn small_pages_together_are_the_whole_list() {
    let world = full().await;
    for (operation, members, entries, count) in lists() {
        let whole = world.pages(operation, &members, entries, None).await;
        assert_eq!(whole.len(), count, "{operation}");
        for size in [1, 2, 1000] {
            let pages = world.pages(operation, &members, entries, Some(size)).await;
            assert_eq!(pages, whole, "{operation} in pages of {size}");
        }
    }
}

#[tokio::test]
async fn a_page_that_ends_the_list_has_no_token() {
    let world = full().await;
    for (operation, members, entries, count) in lists() {
        let members = with(&members, &json!({"maxResults": count}));
        let answer = world.ok(operation, members).await;
        assert_eq!(answer[entries].as_array().unwrap().len(), count);
        assert_eq!(answer.get("nextToken"), None, "{operation}");
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_list_only() {
    let world = full().await;
    let mut tokens = Vec::new();
    for (operation, members, _, _) in lists() {
        let answer = world
            .ok(operation, with(&members, &json!({"maxResults": 1})))
            .await;
        tokens.push(answer["nextToken"].clone());
    }
    for (mine, (operation, members, _, _)) in lists().into_iter().enumerate() {
        for (other, token) in tokens.iter().enumerate() {
            let members = with(&members, &json!({"nextToken": token}));
            let answer = world.call(operation, members).await;
            assert_eq!(
                answer.is_ok(),
                mine == other,
                "{operation} with token {other}"
            );
            if let Err(fault) = answer {
                assert_eq!(fault.code, "ValidationException");
            }
        }
        let members = with(&members, &json!({"nextToken": "made-up"}));
        assert_eq!(
            world.refused(operation, members).await.0,
            "ValidationException"
        );
    }
}

#[tokio::test]
async fn a_token_is_bound_to_every_filter() {
    let world = full().await;
    let package = json!({"format": "generic", "namespace": "tools", "package": "hammer"});
    for (operation, members, filters) in [
        (
            "ListRepositories",
            json!({}),
            vec![json!({"repositoryPrefix": "my"})],
        ),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain"}),
            vec![
                json!({"repositoryPrefix": "my"}),
                json!({"administratorAccount": "111122223333"}),
                json!({"domain": "a-domain"}),
            ],
        ),
        (
            "ListPackages",
            repository("my-repository"),
            vec![
                json!({"format": "generic"}),
                json!({"packagePrefix": "ham"}),
                json!({"publish": "ALLOW"}),
                json!({"upstream": "BLOCK"}),
                json!({"repository": "Upper"}),
                json!({"domain": "a-domain"}),
            ],
        ),
        (
            "ListPackageVersions",
            with(&repository("my-repository"), &package),
            vec![
                json!({"status": "Unfinished"}),
                json!({"originType": "INTERNAL"}),
                json!({"sortBy": "PUBLISHED_TIME"}),
                json!({"package": "saw"}),
            ],
        ),
        (
            "ListPackageVersionAssets",
            version("hammer", "1.0"),
            vec![json!({"packageVersion": "1.1"}), json!({"package": "saw"})],
        ),
        (
            "ListPackageGroups",
            json!({"domain": "my-domain"}),
            vec![json!({"prefix": "/"}), json!({"domain": "a-domain"})],
        ),
        (
            "ListSubPackageGroups",
            group("/*"),
            vec![
                json!({"packageGroup": "/generic/*"}),
                json!({"domain": "a-domain"}),
            ],
        ),
        (
            "ListAssociatedPackages",
            group("/generic/*"),
            vec![json!({"preview": true}), json!({"packageGroup": "/*"})],
        ),
        (
            "ListAllowedRepositoriesForGroup",
            with(&group("/*"), &json!({"originRestrictionType": "PUBLISH"})),
            vec![json!({"originRestrictionType": "INTERNAL_UPSTREAM"})],
        ),
    ] {
        let answer = world
            .ok(operation, with(&members, &json!({"maxResults": 1})))
            .await;
        let token = json!({"nextToken": answer["nextToken"]});
        // How many there are on a page is no filter.
        let wider = with(&members, &json!({"maxResults": 7}));
        world.ok(operation, with(&wider, &token)).await;
        for filter in filters {
            let members = with(&with(&members, &filter), &token);
            let refused = world.refused(operation, members).await;
            assert_eq!(refused.0, "ValidationException", "{operation} {filter}");
        }
    }
}

#[tokio::test]
async fn a_token_of_one_account_is_no_token_of_another() {
    let world = full().await;
    for operation in ["ListDomains", "ListRepositories"] {
        let answer = world.ok(operation, json!({"maxResults": 1})).await;
        let members = json!({"nextToken": answer["nextToken"]});
        let fault = world
            .call_as(&world.stranger, operation, members)
            .await
            .unwrap_err();
        assert_eq!(fault.code, "ValidationException");
    }
}

#[tokio::test]
async fn dependencies_come_a_hundred_at_a_time_in_their_order() {
    let world = full().await;
    let names = json!({"format": "maven", "namespace": "com.acme", "package": "a", "packageVersion": "1.0"});
    let members = with(&repository("my-repository"), &names);
    let first = world
        .ok("ListPackageVersionDependencies", members.clone())
        .await;
    assert_eq!(first["dependencies"].as_array().unwrap().len(), 100);
    let all = world
        .pages(
            "ListPackageVersionDependencies",
            &members,
            "dependencies",
            None,
        )
        .await;
    let names: Vec<_> = all
        .iter()
        .map(|entry| entry["package"].as_str().unwrap())
        .collect();
    let expected: Vec<_> = (0..250).map(|n| format!("p{n}")).collect();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn lists_are_in_the_order_of_bytes() {
    let world = full().await;
    let answer = world
        .ok("ListRepositoriesInDomain", json!({"domain": "my-domain"}))
        .await;
    let names: Vec<_> = answer["repositories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|repository| repository["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["Upper", "lower", "my-repository", "x.y_z"]);
    let answer = world
        .ok("ListPackageVersionAssets", version("hammer", "1.0"))
        .await;
    let names: Vec<_> = answer["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| asset["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a.bin", "b.bin", "ü.bin"]);
}

/// Without a size pages have the documented one.
#[tokio::test]
async fn default_pages_have_fifty_or_a_hundred_entries() {
    let world = World::begin().await.with_repository().await;
    for n in 0..51 {
        world
            .ok("CreateRepository", repository(&format!("r{n:03}")))
            .await;
    }
    for n in 0..101 {
        let members = with(
            &version(&format!("p{n:03}"), "1.0"),
            &json!({"assetName": "a.bin"}),
        );
        world.publish(members, "a").await.unwrap();
    }
    for n in 0..51 {
        let number = format!("1.{n:03}");
        let members = with(&version("hammer", &number), &json!({"assetName": "a.bin"}));
        world.publish(members, "a").await.unwrap();
    }
    for n in 0..101 {
        let more = json!({"assetName": format!("a{n:03}.bin"), "unfinished": true});
        let members = with(&version("saw", "1.0"), &more);
        world.publish(members, "a").await.unwrap();
    }
    let package = json!({"format": "generic", "namespace": "tools", "package": "hammer"});
    for (operation, members, entries, size) in [
        ("ListRepositories", json!({}), "repositories", 50),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain"}),
            "repositories",
            50,
        ),
        ("ListPackages", repository("my-repository"), "packages", 100),
        (
            "ListPackageVersions",
            with(&repository("my-repository"), &package),
            "versions",
            50,
        ),
        (
            "ListPackageVersionAssets",
            version("saw", "1.0"),
            "assets",
            100,
        ),
    ] {
        let answer = world.ok(operation, members).await;
        assert_eq!(
            answer[entries].as_array().unwrap().len(),
            size,
            "{operation}"
        );
        assert!(answer["nextToken"].is_string(), "{operation}");
    }
}
