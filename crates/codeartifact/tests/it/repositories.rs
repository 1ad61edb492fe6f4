//! Repositories, their connections and their endpoints.

use catalog::Limits;
use serde_json::{Value, json};

use crate::world::{HOME, World, repository, with};

#[tokio::test]
async fn a_repository_is_created_described_changed_listed_and_deleted() {
    let world = World::begin().await.with_repository().await;
    let members = with(
        &repository("downstream"),
        &json!({"description": "for the team", "upstreams": [{"repositoryName": "my-repository"}]}),
    );
    let created = world.ok("CreateRepository", members).await;
    let expected = json!({
        "name": "downstream",
        "administratorAccount": HOME,
        "domainName": "my-domain",
        "domainOwner": HOME,
        "arn": "arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/downstream",
        "description": "for the team",
        "createdTime": 1_773_500_966.0,
        "upstreams": [{"repositoryName": "my-repository"}],
        "externalConnections": [],
    });
    assert_eq!(created, json!({"repository": expected}));
    assert_eq!(
        world
            .ok("DescribeRepository", repository("downstream"))
            .await,
        created
    );

    let changed = world.ok("UpdateRepository", repository("downstream")).await;
    assert_eq!(changed, created, "what is absent stays");
    let cleared = with(
        &repository("downstream"),
        &json!({"description": "", "upstreams": []}),
    );
    let changed = world.ok("UpdateRepository", cleared).await;
    assert_eq!(changed["repository"].get("description"), None);
    let plain = with(&repository("plain"), &json!({"description": ""}));
    let made = world.ok("CreateRepository", plain).await;
    assert_eq!(made["repository"].get("description"), None);
    world.ok("DeleteRepository", repository("plain")).await;
    assert_eq!(changed["repository"]["upstreams"], json!([]));

    let described = world
        .ok("DescribeDomain", json!({"domain": "my-domain"}))
        .await;
    assert_eq!(described["domain"]["repositoryCount"], 2);
    for list in [
        world.ok("ListRepositories", json!({})).await,
        world
            .ok("ListRepositoriesInDomain", json!({"domain": "my-domain"}))
            .await,
    ] {
        let names: Vec<_> = names(&list["repositories"]);
        assert_eq!(names, ["downstream", "my-repository"]);
        assert_eq!(list["repositories"][0].get("upstreams"), None);
    }

    let deleted = world.ok("DeleteRepository", repository("downstream")).await;
    assert_eq!(deleted["repository"]["name"], "downstream");
    assert_eq!(
        world.ok("DeleteRepository", repository("downstream")).await,
        json!({})
    );
    let missing = json!({"domain": "no-domain", "repository": "downstream"});
    assert_eq!(
        world.refused("DeleteRepository", missing).await.0,
        "ResourceNotFoundException"
    );
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn lists_are_narrowed_by_prefix_and_administrator() {
    let world = World::begin().await.with_repository().await;
    for name in ["maven-store", "maven-team"] {
        world.ok("CreateRepository", repository(name)).await;
    }
    for (operation, members, expected) in [
        ("ListRepositories", json!({"repositoryPrefix": "maven-"}), 2),
        (
            "ListRepositories",
            json!({"repositoryPrefix": "maven-t"}),
            1,
        ),
        ("ListRepositories", json!({"repositoryPrefix": "Maven"}), 0),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain", "repositoryPrefix": "maven-"}),
            2,
        ),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain", "administratorAccount": HOME}),
            3,
        ),
        (
            "ListRepositoriesInDomain",
            json!({"domain": "my-domain", "administratorAccount": "999999999999"}),
            0,
        ),
    ] {
        let list = world.ok(operation, members.clone()).await;
        let found = list["repositories"].as_array().unwrap().len();
        assert_eq!(found, expected, "{operation} {members}");
    }
    let missing = world
        .refused("ListRepositoriesInDomain", json!({"domain": "no-domain"}))
        .await;
    assert_eq!(missing.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_missing_is_named_from_the_outside_in() {
    let world = World::begin().await.with_repository().await;
    for (members, id, kind, message) in [
        (
            json!({"domain": "no-domain", "repository": "no-repository"}),
            "no-domain",
            "domain",
            "Domain not found. Domain 'no-domain' owned by account '111122223333' does not exist",
        ),
        (
            repository("no-repository"),
            "no-repository",
            "repository",
            "Repository not found. Repository 'no-repository' in domain 'my-domain' owned by account \
             '111122223333' does not exist",
        ),
        (
            repository("My-repository"),
            "My-repository",
            "repository",
            "Repository not found. Repository 'My-repository' in domain 'my-domain' owned by account \
             '111122223333' does not exist",
        ),
    ] {
        for operation in ["DescribeRepository", "UpdateRepository", "ListPackages"] {
            let fault = world.call(operation, members.clone()).await.unwrap_err();
            assert_eq!(fault.code, "ResourceNotFoundException");
            assert_eq!(fault.message, message);
            let about = [
                ("resourceId", id.to_owned()),
                ("resourceType", kind.to_owned()),
            ];
            assert_eq!(fault.members, about);
        }
    }
}

#[tokio::test]
async fn upstreams_are_other_repositories_of_the_domain_each_once() {
    let world = World::begin_with(Limits {
        direct_upstreams: 2,
        ..Limits::default()
    })
    .await;
    let world = world.with_repository().await;
    for name in ["a1", "a2", "a3"] {
        world.ok("CreateRepository", repository(name)).await;
    }
    for (upstreams, expected) in [
        (vec!["my-repository"], "ValidationException"),
        (vec!["a1", "a1"], "ValidationException"),
        (vec!["a1", "gone"], "ResourceNotFoundException"),
        (vec!["a1", "a2", "a3"], "ServiceQuotaExceededException"),
    ] {
        let entries: Vec<_> = upstreams
            .iter()
            .map(|name| json!({"repositoryName": name}))
            .collect();
        let change = with(&repository("my-repository"), &json!({"upstreams": entries}));
        assert_eq!(
            world.refused("UpdateRepository", change).await.0,
            expected,
            "{upstreams:?}"
        );
        let new = with(&repository("new"), &json!({"upstreams": entries}));
        if upstreams != ["my-repository"] {
            assert_eq!(
                world.refused("CreateRepository", new).await.0,
                expected,
                "{upstreams:?}"
            );
        }
    }
    let order = json!({"upstreams": [{"repositoryName": "a2"}, {"repositoryName": "a1"}]});
    let changed = world
        .ok(
            "UpdateRepository",
            with(&repository("my-repository"), &order),
        )
        .await;
    assert_eq!(changed["repository"]["upstreams"], order["upstreams"]);
}

#[tokio::test]
async fn an_upstream_must_be_one_that_the_caller_may_use() {
    let world = World::begin().await.with_repository().await;
    let limited = world
        .user(
            "limited",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["codeartifact:CreateRepository", "codeartifact:UpdateRepository"], "Resource": "*"}
            ]}),
        )
        .await;
    let upstreams = json!({"upstreams": [{"repositoryName": "my-repository"}]});
    let members = with(&repository("downstream"), &upstreams);
    let expected = "codeartifact:AssociateWithDownstreamRepository on resource: \
        arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/my-repository ";
    let fault = world
        .call_as(&limited, "CreateRepository", members.clone())
        .await
        .unwrap_err();
    assert!(fault.message.contains(expected), "{fault}");
    world
        .call_as(&limited, "CreateRepository", repository("downstream"))
        .await
        .unwrap();
    let fault = world
        .call_as(&limited, "UpdateRepository", members.clone())
        .await
        .unwrap_err();
    assert!(fault.message.contains(expected), "{fault}");
    world.ok("UpdateRepository", members.clone()).await;
    // Those that are there already are not asked about again.
    world
        .call_as(&limited, "UpdateRepository", members)
        .await
        .unwrap();
}

#[tokio::test]
async fn names_are_taken_and_counted_within_the_domain() {
    let world = World::begin_with(Limits {
        repositories_per_domain: 2,
        ..Limits::default()
    })
    .await;
    let world = world.with_repository().await;
    let fault = world
        .call("CreateRepository", repository("my-repository"))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ConflictException");
    assert!(fault.message.starts_with("Repository already exists. "));
    world.ok("CreateRepository", repository("second")).await;
    let fault = world
        .call("CreateRepository", repository("third"))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ServiceQuotaExceededException");
    let missing = json!({"domain": "no-domain", "repository": "third"});
    assert_eq!(
        world.refused("CreateRepository", missing).await.0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn a_repository_has_one_connection_and_then_no_upstreams() {
    let world = World::begin().await.with_repository().await;
    let connect = |name: &str| {
        with(
            &repository("my-repository"),
            &json!({"externalConnection": name}),
        )
    };
    let connected = world
        .ok(
            "AssociateExternalConnection",
            connect("public:maven-central"),
        )
        .await;
    assert_eq!(
        connected["repository"]["externalConnections"],
        json!([{
            "externalConnectionName": "public:maven-central",
            "packageFormat": "maven",
            "status": "AVAILABLE",
        }])
    );
    assert_eq!(
        world
            .ok("DescribeRepository", repository("my-repository"))
            .await,
        connected
    );
    for (name, code) in [
        ("public:maven-central", "ConflictException"),
        ("public:maven-clojars", "ValidationException"),
        ("public:nothing", "ValidationException"),
    ] {
        let refused = world
            .refused("AssociateExternalConnection", connect(name))
            .await;
        assert_eq!(refused.0, code, "{name}");
        if name == "public:maven-clojars" {
            let text = "ExternalConnections for repositories are currently limited to 1";
            assert_eq!(refused.1, text);
        }
    }
    let none = with(&repository("my-repository"), &json!({"upstreams": []}));
    assert_eq!(
        world.refused("UpdateRepository", none).await.0,
        "ValidationException"
    );

    let other = world.refused(
        "DisassociateExternalConnection",
        connect("public:maven-clojars"),
    );
    assert_eq!(other.await.0, "ResourceNotFoundException");
    let ended = world
        .ok(
            "DisassociateExternalConnection",
            connect("public:maven-central"),
        )
        .await;
    assert_eq!(ended["repository"]["externalConnections"], json!([]));

    world.ok("CreateRepository", repository("upstream")).await;
    let upstreams = json!({"upstreams": [{"repositoryName": "upstream"}]});
    world
        .ok(
            "UpdateRepository",
            with(&repository("my-repository"), &upstreams),
        )
        .await;
    let refused = world.refused(
        "AssociateExternalConnection",
        connect("public:maven-central"),
    );
    assert_eq!(refused.await.0, "ValidationException");
}

#[tokio::test]
async fn endpoints_are_given_for_every_format_of_the_api() {
    let world = World::begin().await.with_repository().await;
    for format in [
        "npm", "pypi", "maven", "nuget", "generic", "ruby", "swift", "cargo",
    ] {
        for kind in [
            json!({}),
            json!({"endpointType": "ipv4"}),
            json!({"endpointType": "dualstack"}),
        ] {
            let members = with(&repository("my-repository"), &json!({"format": format}));
            let found = world
                .ok("GetRepositoryEndpoint", with(&members, &kind))
                .await;
            let expected = format!(
                "https://packages.example.com/d/my-domain-111122223333/{format}/my-repository/"
            );
            assert_eq!(found, json!({"repositoryEndpoint": expected}));
        }
    }
    let missing = with(&repository("gone"), &json!({"format": "maven"}));
    assert_eq!(
        world.refused("GetRepositoryEndpoint", missing).await.0,
        "ResourceNotFoundException"
    );
}
