//! Permissions policies: how they are kept, and what they decide.

use serde_json::{Value, json};

use crate::world::{AWAY, HOME, World, repository, version, with};

/// The three operations of one kind of policy, and the members that name its holder.
fn kinds() -> [(
    &'static str,
    &'static str,
    &'static str,
    Value,
    &'static str,
    &'static str,
); 2] {
    [
        (
            "PutDomainPermissionsPolicy",
            "GetDomainPermissionsPolicy",
            "DeleteDomainPermissionsPolicy",
            json!({"domain": "my-domain"}),
            "domain",
            "arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain",
        ),
        (
            "PutRepositoryPermissionsPolicy",
            "GetRepositoryPermissionsPolicy",
            "DeleteRepositoryPermissionsPolicy",
            repository("my-repository"),
            "repository",
            "arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/my-repository",
        ),
    ]
}

/// Allows these actions to the other account.
fn to_away(actions: &[&str]) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{AWAY}:root")},
        "Action": actions,
        "Resource": "*",
    }]})
    .to_string()
}

#[tokio::test]
async fn a_policy_is_put_had_replaced_and_deleted() {
    for (put, get, delete, at, kind, arn) in kinds() {
        let world = World::begin().await.with_repository().await;
        for operation in [get, delete] {
            let fault = world.call(operation, at.clone()).await.unwrap_err();
            assert_eq!(fault.code, "ResourceNotFoundException");
            assert!(
                fault.members.contains(&("resourceType", kind.to_owned())),
                "{fault:?}"
            );
        }
        let document = format!(" {}\n", to_away(&["codeartifact:ReadFromRepository"]));
        let first = world
            .ok(put, with(&at, &json!({"policyDocument": document})))
            .await;
        let revision = &first["policy"]["revision"];
        let expected = json!({"resourceArn": arn, "revision": revision, "document": document});
        assert_eq!(first, json!({"policy": expected}), "byte for byte");
        assert_eq!(world.ok(get, at.clone()).await, first);

        let again = json!({"policyDocument": document, "policyRevision": revision});
        let second = world.ok(put, with(&at, &again)).await;
        assert_ne!(
            second["policy"]["revision"], *revision,
            "the same text is another revision"
        );
        let stale = world.call(put, with(&at, &again)).await.unwrap_err();
        assert_eq!(stale.code, "ConflictException");
        assert!(stale.members.contains(&("resourceType", kind.to_owned())));
        let stale = with(&at, &json!({"policyRevision": revision}));
        assert_eq!(world.refused(delete, stale).await.0, "ConflictException");
        world
            .ok(put, with(&at, &json!({"policyDocument": document})))
            .await;

        let current = world.ok(get, at.clone()).await;
        let members = with(
            &at,
            &json!({"policyRevision": current["policy"]["revision"]}),
        );
        assert_eq!(world.ok(delete, members).await, current);
        assert_eq!(
            world.refused(get, at.clone()).await.0,
            "ResourceNotFoundException"
        );
        assert_eq!(
            world.refused(put, with(&at, &again)).await.0,
            "ConflictException"
        );
    }
}

#[tokio::test]
async fn what_is_no_policy_is_refused() {
    let world = World::begin().await.with_repository().await;
    for (put, _, _, at, _, _) in kinds() {
        for document in [
            "{".to_owned(),
            "{}".to_owned(),
            to_away(&["codeartifact:ReadFromRepository"]).replace("Principal", "Principle"),
            to_away(&["codeartifact:ReadFromRepository"]).replace("Allow", "allow"),
            to_away(&["codeartifact:ReadFromRepository"]).replace(AWAY, "not-an-account"),
        ] {
            let members = with(&at, &json!({"policyDocument": document}));
            let fault = world.call(put, members).await.unwrap_err();
            assert_eq!(fault.code, "ValidationException", "{document}");
        }
    }
}

#[tokio::test]
async fn the_holder_must_be_there() {
    let world = World::begin().await.with_repository().await;
    let document = to_away(&["codeartifact:ReadFromRepository"]);
    for (put, get, delete, at, _, _) in kinds() {
        let gone = with(&at, &json!({"domain": "no-domain"}));
        let new = with(&gone, &json!({"policyDocument": document}));
        for (operation, members) in [(put, new), (get, gone.clone()), (delete, gone)] {
            let fault = world.call(operation, members).await.unwrap_err();
            assert_eq!(fault.code, "ResourceNotFoundException", "{operation}");
            assert!(fault.message.starts_with("Domain not found. "), "{fault}");
        }
    }
}

#[tokio::test]
async fn either_policy_opens_a_repository_to_another_account() {
    for (put, _, delete, at, _, _) in kinds() {
        let world = World::begin().await.with_repository().await;
        let asset = with(&version("hammer", "1.0"), &json!({"assetName": "a.bin"}));
        world.publish(asset, "a").await.unwrap();
        let owner = json!({"domainOwner": HOME});
        let describe = with(&version("hammer", "1.0"), &owner);
        let denied = world
            .call_as(&world.stranger, "DescribePackageVersion", describe.clone())
            .await;
        assert_eq!(denied.unwrap_err().code, "AccessDeniedException");

        let document = to_away(&["codeartifact:DescribePackageVersion"]);
        world
            .ok(put, with(&at, &json!({"policyDocument": document})))
            .await;
        world
            .call_as(&world.stranger, "DescribePackageVersion", describe.clone())
            .await
            .unwrap();
        let list = with(&repository("my-repository"), &owner);
        let denied = world
            .call_as(&world.stranger, "ListPackages", list)
            .await
            .unwrap_err();
        assert_eq!(denied.code, "AccessDeniedException");

        world.ok(delete, at).await;
        let denied = world
            .call_as(&world.stranger, "DescribePackageVersion", describe)
            .await;
        assert_eq!(denied.unwrap_err().code, "AccessDeniedException");
    }
}

#[tokio::test]
async fn nobody_locks_the_owner_out() {
    let world = World::begin().await.with_repository().await;
    let deny = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "codeartifact:*", "Resource": "*"}
    ]});
    let document = json!({"policyDocument": deny.to_string()});
    world
        .ok(
            "PutRepositoryPermissionsPolicy",
            with(&repository("my-repository"), &document),
        )
        .await;
    let refused = world
        .call("DescribeRepository", repository("my-repository"))
        .await
        .unwrap_err();
    assert!(
        refused
            .message
            .ends_with("with an explicit deny in a resource-based policy"),
        "{refused}"
    );
    // Its own policy has no say in its replacement, and that of the domain none in the domain's.
    world
        .ok(
            "PutRepositoryPermissionsPolicy",
            with(&repository("my-repository"), &document),
        )
        .await;
    let domain = json!({"domain": "my-domain"});
    world
        .ok("PutDomainPermissionsPolicy", with(&domain, &document))
        .await;
    assert_eq!(
        world.refused("DescribeDomain", domain.clone()).await.0,
        "AccessDeniedException"
    );
    let repository = with(&repository("my-repository"), &document);
    let refused = world
        .refused("PutRepositoryPermissionsPolicy", repository)
        .await;
    assert_eq!(refused.0, "AccessDeniedException");
    world
        .ok("PutDomainPermissionsPolicy", with(&domain, &document))
        .await;
}

#[tokio::test]
async fn a_policy_dies_with_what_it_is_of() {
    let world = World::begin().await.with_repository().await;
    let document = json!({"policyDocument": to_away(&["codeartifact:ReadFromRepository"])});
    world
        .ok(
            "PutRepositoryPermissionsPolicy",
            with(&repository("my-repository"), &document),
        )
        .await;
    world
        .ok("DeleteRepository", repository("my-repository"))
        .await;
    world
        .ok("CreateRepository", repository("my-repository"))
        .await;
    let refused = world
        .refused(
            "GetRepositoryPermissionsPolicy",
            repository("my-repository"),
        )
        .await;
    assert_eq!(refused.0, "ResourceNotFoundException");
}

/// Threat 16: what was granted to somebody who is gone is not granted to whoever takes the name.
#[tokio::test]
async fn a_user_of_the_same_name_does_not_inherit_what_a_policy_grants() {
    for (put, get, delete, at, _, _) in kinds() {
        let world = World::begin().await.with_repository().await;
        let elsewhere = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        ]});
        let before = world.user("bob", &elsewhere).await;
        let arn = format!("arn:aws:iam::{HOME}:user/bob");
        let document = format!(
            r#"{{ "Version":"2012-10-17",  "Statement":[{{"Effect":"Allow","Principal":{{"AWS":["{arn}"]}},
                "Action":"codeartifact:DescribeRepository","Resource":"*"}}]}}"#
        );
        let put_it = with(&at, &json!({"policyDocument": document}));
        assert_eq!(
            world.ok(put, put_it.clone()).await["policy"]["document"],
            document
        );
        assert_eq!(
            world.ok(get, at.clone()).await["policy"]["document"],
            document,
            "shown as it was sent"
        );
        let ask = repository("my-repository");
        world
            .call_as(&before, "DescribeRepository", ask.clone())
            .await
            .unwrap();

        let id = before.user_id().to_owned();
        world.delete_user(&before, "bob").await;
        let gone = world.call_as(&before, "DescribeRepository", ask.clone());
        assert_eq!(gone.await.unwrap_err().code, "AccessDeniedException");
        let after = world.user("bob", &elsewhere).await;
        assert_ne!(after.user_id(), id);
        let denied = world.call_as(&after, "DescribeRepository", ask.clone());
        assert_eq!(denied.await.unwrap_err().code, "AccessDeniedException");
        let with_id = document.replace(&arn, &id);
        assert_eq!(
            world.ok(get, at.clone()).await["policy"]["document"],
            with_id
        );
        // Somebody who is not there cannot be named, be it by an id or by a name.
        for nobody in [with_id.clone(), document.replace("user/bob", "user/eve")] {
            let members = with(&at, &json!({"policyDocument": nobody}));
            let refused = world.refused(put, members).await;
            assert_eq!(refused.0, "ValidationException");
            assert!(refused.1.contains("Invalid principal"), "{refused:?}");
        }
        assert_eq!(
            world.ok(delete, at.clone()).await["policy"]["document"],
            with_id
        );
        world.ok(put, put_it).await;
        world
            .call_as(&after, "DescribeRepository", ask)
            .await
            .unwrap();
    }
}
