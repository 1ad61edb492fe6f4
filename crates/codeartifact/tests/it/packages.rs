//! Packages, versions and their files.

use aws::sigv4::body_hash;
use catalog::Limits;
use serde_json::{Value, json};

use crate::world::{HOME, World, repository, version, with};

fn asset(name: &str) -> Value {
    with(&version("hammer", "1.0"), &json!({"assetName": name}))
}

fn unfinished(name: &str) -> Value {
    with(&asset(name), &json!({"unfinished": true}))
}

#[tokio::test]
async fn an_asset_is_published_listed_and_had_again() {
    let world = World::begin().await.with_repository().await;
    let published = world
        .publish(asset("a (1) ünï.tar.gz"), "hello")
        .await
        .unwrap();
    let revision = published["versionRevision"].as_str().unwrap();
    assert_eq!(revision.len(), 44);
    let summary = json!({
        "name": "a (1) ünï.tar.gz",
        "size": 5,
        "hashes": {
            "MD5": "5d41402abc4b2a76b9719d911017c592",
            "SHA-1": "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
            "SHA-256": body_hash(b"hello"),
            "SHA-512": "9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7\
                        c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043",
        },
    });
    let expected = json!({
        "format": "generic",
        "namespace": "tools",
        "package": "hammer",
        "version": "1.0",
        "versionRevision": revision,
        "status": "Published",
        "asset": summary,
    });
    assert_eq!(published, expected);

    let listed = world
        .ok("ListPackageVersionAssets", version("hammer", "1.0"))
        .await;
    let mut expected = expected;
    let members = expected.as_object_mut().unwrap();
    members.remove("status");
    let asset = members.remove("asset").unwrap();
    members.insert("assets".to_owned(), json!([asset]));
    assert_eq!(listed, expected);

    for revision_member in [json!({}), json!({"packageVersionRevision": revision})] {
        let members = with(
            &version("hammer", "1.0"),
            &json!({"asset": "a (1) ünï.tar.gz"}),
        );
        let got = world
            .ok("GetPackageVersionAsset", with(&members, &revision_member))
            .await;
        let expected = json!({
            "bytes": "hello",
            "x-assetname": "a (1) ünï.tar.gz",
            "x-packageversion": "1.0",
            "x-packageversionrevision": revision,
        });
        assert_eq!(got, expected);
    }
    let domain = world
        .ok("DescribeDomain", json!({"domain": "my-domain"}))
        .await;
    assert_eq!(domain["domain"]["assetSizeBytes"], 5);
}

#[tokio::test]
async fn bytes_that_are_not_what_was_signed_are_not_kept() {
    let world = World::begin().await.with_repository().await;
    let members = with(
        &asset("a.bin"),
        &json!({"assetContent": "hello", "assetSHA256": body_hash(b"hell")}),
    );
    let (code, message) = world.refused("PublishPackageVersion", members).await;
    assert_eq!(code, "ValidationException");
    assert!(message.contains("does not match"), "{message}");
    let packages = world.ok("ListPackages", repository("my-repository")).await;
    assert_eq!(packages, json!({"packages": []}));
}

#[tokio::test]
async fn names_are_normalised_whether_or_not_their_format_is_served() {
    let world = World::begin().await.with_repository().await;
    let of = |format: &str, package: &str| {
        let package = json!({"format": format, "package": package});
        with(&repository("my-repository"), &package)
    };
    let controls = json!({"restrictions": {"publish": "BLOCK", "upstream": "ALLOW"}});
    for (format, given, spelled) in [
        ("nuget", "Newtonsoft.JSON", "newtonsoft.json"),
        ("pypi", "Flatten_.JSON", "flatten-json"),
    ] {
        world
            .ok(
                "PutPackageOriginConfiguration",
                with(&of(format, given), &controls),
            )
            .await;
        for name in [given, spelled] {
            let described = world.ok("DescribePackage", of(format, name)).await;
            assert_eq!(described["package"]["name"], spelled);
        }
        let prefix = json!({"format": format, "packagePrefix": &given[..6]});
        let members = with(&repository("my-repository"), &prefix);
        let listed = world.ok("ListPackages", members).await;
        assert_eq!(listed["packages"][0]["package"], spelled);
    }
    for (format, namespace) in [("swift", None), ("nuget", Some("x")), ("cargo", Some("x"))] {
        let mut members = of(format, "p");
        if let Some(namespace) = namespace {
            members["namespace"] = json!(namespace);
        }
        let (code, message) = world.refused("DescribePackage", members).await;
        assert_eq!(code, "ValidationException", "{format}: {message}");
    }
}

#[tokio::test]
async fn a_version_takes_assets_until_it_is_finished() {
    let world = World::begin().await.with_repository().await;
    let first = world.publish(unfinished("a.bin"), "a").await.unwrap();
    assert_eq!(first["status"], "Unfinished");
    let again = world.publish(unfinished("a.bin"), "a").await.unwrap();
    assert_eq!(again["versionRevision"], first["versionRevision"]);
    let conflict = world.publish(unfinished("a.bin"), "b").await.unwrap_err();
    assert_eq!(conflict.code, "ConflictException");
    assert_eq!(
        conflict.members,
        [
            ("resourceId", "a.bin".to_owned()),
            ("resourceType", "asset".to_owned())
        ]
    );
    let get = with(&version("hammer", "1.0"), &json!({"asset": "a.bin"}));
    let held = world
        .call("GetPackageVersionAsset", get.clone())
        .await
        .unwrap_err();
    assert_eq!(held.code, "ResourceNotFoundException");
    assert_eq!(held.members, conflict.members);
    let listed = world
        .ok("ListPackageVersionAssets", version("hammer", "1.0"))
        .await;
    assert_eq!(listed["assets"].as_array().unwrap().len(), 1);

    let second = world.publish(asset("b.bin"), "b").await.unwrap();
    assert_eq!(second["status"], "Published");
    assert_ne!(second["versionRevision"], first["versionRevision"]);
    assert_eq!(world.ok("GetPackageVersionAsset", get).await["bytes"], "a");
    let same = world.publish(unfinished("b.bin"), "b").await.unwrap();
    assert_eq!(same["status"], "Published");
    let late = world.publish(asset("c.bin"), "c").await.unwrap_err();
    assert_eq!(late.code, "ConflictException");
    assert!(
        late.members
            .contains(&("resourceType", "package-version".to_owned())),
        "{late:?}"
    );
}

#[tokio::test]
async fn only_generic_packages_are_published_through_the_api() {
    let world = World::begin().await.with_repository().await;
    for format in ["npm", "pypi", "maven", "nuget", "ruby", "swift", "cargo"] {
        let members = with(&asset("a.bin"), &json!({"format": format}));
        let fault = world.publish(members, "a").await.unwrap_err();
        assert_eq!(fault.code, "ValidationException", "{format}");
    }
    let fault = world.publish(asset("a:b"), "a").await.unwrap_err();
    assert_eq!(fault.message, "asset names have no colon");
    assert_eq!(
        fault.members,
        [("reason", "FIELD_VALIDATION_FAILED".to_owned())]
    );
}

#[tokio::test]
async fn assets_are_limited_in_size_and_number() {
    let limits = Limits {
        asset_size_bytes: 4,
        assets_per_version: 1,
        ..Limits::default()
    };
    let world = World::begin_with(limits).await.with_repository().await;
    let large = world
        .publish(unfinished("a.bin"), "hello")
        .await
        .unwrap_err();
    assert_eq!(
        (large.code.as_ref(), large.status.as_u16()),
        ("ServiceQuotaExceededException", 402)
    );
    world.publish(unfinished("a.bin"), "hell").await.unwrap();
    let many = world
        .publish(unfinished("b.bin"), "hell")
        .await
        .unwrap_err();
    assert_eq!(many.code, "ServiceQuotaExceededException");
}

#[tokio::test]
async fn names_are_found_in_their_formats_normal_form() {
    let world = World::begin().await.with_repository().await;
    world.publish(asset("a.bin"), "a").await.unwrap();
    let described = world
        .ok("DescribePackageVersion", version("Hammer", "v1.0"))
        .await;
    assert_eq!(described["packageVersion"]["packageName"], "hammer");
    assert_eq!(described["packageVersion"]["version"], "1.0");
    // A format that is not served has no packages, which is no mistake of the caller's.
    let members = json!({"format": "cargo", "package": "hammer"});
    let members = with(&repository("my-repository"), &members);
    let missing = world.refused("DescribePackage", members).await;
    assert_eq!(missing.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_missing_is_the_package_the_version_or_the_asset() {
    let world = World::begin().await.with_repository().await;
    world.publish(asset("a.bin"), "a").await.unwrap();
    for operation in [
        "DescribePackageVersion",
        "ListPackageVersionAssets",
        "ListPackageVersionDependencies",
        "GetPackageVersionReadme",
    ] {
        for (members, id, kind, message) in [
            (
                version("saw", "1.0"),
                "tools:saw",
                "package",
                "Package not found in repository. RepoId: ",
            ),
            (
                version("hammer", "2.0"),
                "2.0",
                "package-version",
                "Package version not found. Package version 2.0 of tools:hammer does not exist in \
                 repository 'my-repository'",
            ),
        ] {
            let fault = world.call(operation, members).await.unwrap_err();
            assert_eq!(fault.code, "ResourceNotFoundException", "{operation}");
            assert!(fault.message.starts_with(message), "{operation}: {fault}");
            let about = [
                ("resourceId", id.to_owned()),
                ("resourceType", kind.to_owned()),
            ];
            assert_eq!(fault.members, about, "{operation}");
        }
    }
    for (format, namespace, name, id) in [
        ("npm", Some("scope"), "Left-Pad", "@scope/Left-Pad"),
        ("npm", None, "left-pad", "left-pad"),
        ("maven", Some("com.example"), "app", "com.example:app"),
        ("pypi", None, "Some_Project", "Some_Project"),
    ] {
        let mut package = json!({"format": format, "package": name});
        if let Some(namespace) = namespace {
            package["namespace"] = json!(namespace);
        }
        let package = with(&repository("my-repository"), &package);
        let fault = world.call("DescribePackage", package).await.unwrap_err();
        assert_eq!(fault.members[0], ("resourceId", id.to_owned()), "{fault}");
    }
    let package = with(
        &repository("my-repository"),
        &json!({"format": "generic", "namespace": "tools", "package": "saw"}),
    );
    for operation in ["DescribePackage", "ListPackageVersions"] {
        let fault = world.call(operation, package.clone()).await.unwrap_err();
        assert!(
            fault.message.ends_with(
                ", Package = PackageCoordinate{packageType=generic, namespace=tools, packageName=saw},"
            ),
            "{fault}"
        );
    }
    let get = with(&version("hammer", "1.0"), &json!({"asset": "b.bin"}));
    let fault = world.call("GetPackageVersionAsset", get).await.unwrap_err();
    assert_eq!(
        fault.message,
        "Asset not found. Asset 'b.bin' does not exist in package version 1.0"
    );
    let get = json!({"asset": "a.bin", "packageVersionRevision": "another"});
    let get = with(&version("hammer", "1.0"), &get);
    assert_eq!(
        world.refused("GetPackageVersionAsset", get).await.0,
        "ConflictException"
    );
}

#[tokio::test]
async fn packages_are_described_and_listed_with_their_origin_controls() {
    let world = World::begin().await.with_repository().await;
    world.publish(asset("a.bin"), "a").await.unwrap();
    let package = json!({"format": "generic", "namespace": "tools", "package": "hammer"});
    let controls = json!({"restrictions": {"publish": "ALLOW", "upstream": "BLOCK"}});
    let described = world
        .ok(
            "DescribePackage",
            with(&repository("my-repository"), &package),
        )
        .await;
    let expected = json!({"package": {
        "format": "generic", "namespace": "tools", "name": "hammer", "originConfiguration": controls
    }});
    assert_eq!(described, expected);
    let summary = with(&package, &json!({"originConfiguration": controls}));
    for (filter, found) in [
        (json!({}), true),
        (json!({"format": "generic"}), true),
        (json!({"format": "maven"}), false),
        (json!({"format": "npm"}), false),
        (json!({"format": "generic", "namespace": "too"}), true),
        (json!({"format": "generic", "namespace": "tools."}), false),
        (json!({"packagePrefix": "ham"}), true),
        (json!({"packagePrefix": "amm"}), false),
        (json!({"publish": "ALLOW"}), true),
        (json!({"publish": "BLOCK"}), false),
        (json!({"upstream": "BLOCK", "publish": "ALLOW"}), true),
        (json!({"upstream": "ALLOW"}), false),
    ] {
        let listed = world
            .ok("ListPackages", with(&repository("my-repository"), &filter))
            .await;
        let expected = if found {
            vec![summary.clone()]
        } else {
            Vec::new()
        };
        assert_eq!(listed, json!({"packages": expected}), "{filter}");
    }
    let alone = with(&repository("my-repository"), &json!({"namespace": "tools"}));
    assert_eq!(
        world.refused("ListPackages", alone).await.0,
        "ValidationException"
    );
}

#[tokio::test]
async fn versions_are_listed_by_name_or_newest_first() {
    let world = World::begin().await.with_repository().await;
    for (number, state) in [("1.0", false), ("0.9", true), ("0.5", false)] {
        let members = with(
            &version("hammer", number),
            &json!({"assetName": "a.bin", "unfinished": state}),
        );
        world.publish(members, "a").await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    let package = with(
        &repository("my-repository"),
        &json!({"format": "generic", "namespace": "tools", "package": "hammer"}),
    );
    for (filter, expected) in [
        (json!({}), vec!["0.5", "0.9", "1.0"]),
        (
            json!({"sortBy": "PUBLISHED_TIME"}),
            vec!["0.5", "0.9", "1.0"],
        ),
        (
            json!({"status": "Published", "sortBy": "PUBLISHED_TIME"}),
            vec!["0.5", "1.0"],
        ),
        (json!({"status": "Unfinished"}), vec!["0.9"]),
        (json!({"status": "Deleted"}), vec![]),
        (json!({"originType": "INTERNAL"}), vec!["0.5", "0.9", "1.0"]),
        (json!({"originType": "EXTERNAL"}), vec![]),
    ] {
        let listed = world
            .ok("ListPackageVersions", with(&package, &filter))
            .await;
        let versions = listed["versions"].as_array().unwrap();
        let numbers: Vec<_> = versions
            .iter()
            .map(|entry| entry["version"].as_str().unwrap())
            .collect();
        assert_eq!(numbers, expected, "{filter}");
        assert_eq!(listed["defaultDisplayVersion"], "0.5");
        assert_eq!(listed["package"], "hammer");
        assert_eq!(listed["format"], "generic");
        assert_eq!(listed["namespace"], "tools");
        for entry in versions {
            let origin = json!({
                "originType": "INTERNAL", "domainEntryPoint": {"repositoryName": "my-repository"}
            });
            assert_eq!(entry["origin"], origin);
        }
    }
}

#[tokio::test]
async fn a_version_says_what_its_own_description_says() {
    let world = World::begin().await.with_repository().await;
    let manifest = json!({
        "displayName": "Library A",
        "summary": "A library.",
        "homePage": "https://example.com/a",
        "sourceCodeRepository": "https://example.com/a.git",
        "licenses": [{"name": "MIT", "url": "https://example.com/mit"}],
        "dependencies": [
            {"namespace": "com.acme", "package": "b", "dependencyType": "compile", "versionRequirement": "1.0"},
            {"package": "c"}
        ],
        "readme": "# A\n",
    });
    world.publish_described("a", "1.0", &manifest).await;
    let names = json!({"format": "maven", "namespace": "com.acme", "package": "a", "packageVersion": "1.0"});
    let members = with(&repository("my-repository"), &names);
    let described = world.ok("DescribePackageVersion", members.clone()).await;
    let found = &described["packageVersion"];
    assert_eq!(
        *found,
        json!({
            "format": "maven",
            "namespace": "com.acme",
            "packageName": "a",
            "displayName": "Library A",
            "version": "1.0",
            "summary": "A library.",
            "homePage": "https://example.com/a",
            "sourceCodeRepository": "https://example.com/a.git",
            "publishedTime": 1_773_500_966.0,
            "licenses": manifest["licenses"],
            "revision": found["revision"],
            "status": "Published",
            "origin": {
                "originType": "INTERNAL", "domainEntryPoint": {"repositoryName": "my-repository"}
            },
        })
    );
    let coordinates = json!({
        "format": "maven",
        "namespace": "com.acme",
        "package": "a",
        "version": "1.0",
        "versionRevision": found["revision"],
    });
    let readme = world.ok("GetPackageVersionReadme", members.clone()).await;
    assert_eq!(readme, with(&coordinates, &json!({"readme": "# A\n"})));
    let dependencies = world.ok("ListPackageVersionDependencies", members).await;
    let expected = json!({"dependencies": manifest["dependencies"]});
    assert_eq!(dependencies, with(&coordinates, &expected));

    world.publish(asset("a.bin"), "a").await.unwrap();
    let described = world
        .ok("DescribePackageVersion", version("hammer", "1.0"))
        .await;
    assert_eq!(described["packageVersion"]["displayName"], "hammer");
    assert_eq!(described["packageVersion"]["licenses"], json!([]));
    assert_eq!(described["packageVersion"].get("summary"), None);
    let dependencies = world
        .ok("ListPackageVersionDependencies", version("hammer", "1.0"))
        .await;
    assert_eq!(dependencies["dependencies"], json!([]));
    let fault = world
        .call("GetPackageVersionReadme", version("hammer", "1.0"))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ResourceNotFoundException");
}

#[tokio::test]
async fn another_account_reads_what_a_policy_of_its_own_cannot_give() {
    let world = World::begin().await.with_repository().await;
    world.publish(asset("a.bin"), "a").await.unwrap();
    let members = with(
        &version("hammer", "1.0"),
        &json!({"asset": "a.bin", "domainOwner": HOME}),
    );
    let fault = world
        .call_as(&world.stranger, "GetPackageVersionAsset", members)
        .await
        .unwrap_err();
    let expected = format!(
        "User: {} is not authorized to perform: codeartifact:GetPackageVersionAsset on resource: \
         arn:aws:codeartifact:eu-central-1:111122223333:package/my-domain/my-repository/generic/tools/hammer \
         because no resource-based policy allows the codeartifact:GetPackageVersionAsset action",
        world.stranger.arn()
    );
    assert_eq!(fault.message, expected);
}
