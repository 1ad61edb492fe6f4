//! Domains.

use catalog::Limits;
use serde_json::json;

use crate::world::{AWAY, HOME, World, repository};

#[tokio::test]
async fn a_domain_is_created_described_listed_and_deleted() {
    let world = World::begin().await;
    let created = world
        .ok("CreateDomain", json!({"domain": "my-domain"}))
        .await;
    let domain = &created["domain"];
    let key = domain["encryptionKey"].as_str().unwrap();
    assert!(
        key.starts_with("arn:aws:kms:eu-central-1:111122223333:key/"),
        "{key}"
    );
    let expected = json!({
        "name": "my-domain",
        "owner": HOME,
        "arn": "arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain",
        "status": "Active",
        "createdTime": 1_773_500_966.0,
        "encryptionKey": key,
        "repositoryCount": 0,
        "assetSizeBytes": 0,
        "s3BucketArn": "arn:aws:s3:::assets-111122223333-eu-central-1",
    });
    assert_eq!(*domain, expected);
    let described = world
        .ok("DescribeDomain", json!({"domain": "my-domain"}))
        .await;
    assert_eq!(described, created);
    let by_owner = json!({"domain": "my-domain", "domainOwner": HOME});
    assert_eq!(world.ok("DescribeDomain", by_owner).await, created);

    let mut summary = expected.clone();
    for member in ["repositoryCount", "assetSizeBytes", "s3BucketArn"] {
        summary.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(
        world.ok("ListDomains", json!({})).await,
        json!({"domains": [summary]})
    );

    let deleted = world
        .ok("DeleteDomain", json!({"domain": "my-domain"}))
        .await;
    assert_eq!(deleted["domain"]["status"], "Deleted");
    assert_eq!(deleted["domain"]["arn"], expected["arn"]);
    assert_eq!(
        world.ok("ListDomains", json!({})).await,
        json!({"domains": []})
    );
    world
        .ok("CreateDomain", json!({"domain": "my-domain"}))
        .await;
}

#[tokio::test]
async fn the_key_of_a_domain_is_the_one_that_was_named() {
    let world = World::begin().await;
    let key = "arn:aws:kms:us-east-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let members = json!({"domain": "my-domain", "encryptionKey": key});
    let created = world.ok("CreateDomain", members).await;
    assert_eq!(created["domain"]["encryptionKey"], key);
    let members = json!({"domain": "other", "encryptionKey": "arn:aws:s3:::bucket"});
    let fault = world.call("CreateDomain", members).await.unwrap_err();
    assert_eq!(
        fault.members,
        [("reason", "ENCRYPTION_KEY_ERROR".to_owned())]
    );
}

#[tokio::test]
async fn a_domain_that_is_not_there_is_told_in_the_words_tools_look_for() {
    let world = World::begin().await;
    let fault = world
        .call("DescribeDomain", json!({"domain": "gone"}))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ResourceNotFoundException");
    assert_eq!(
        fault.message,
        "Domain not found. Domain 'gone' owned by account '111122223333' does not exist"
    );
    assert_eq!(
        fault.members,
        [
            ("resourceId", "gone".to_owned()),
            ("resourceType", "domain".to_owned())
        ]
    );
    assert_eq!(
        world.ok("DeleteDomain", json!({"domain": "gone"})).await,
        json!({})
    );
}

#[tokio::test]
async fn a_name_is_taken_even_by_the_same_domain() {
    let world = World::begin().await;
    world
        .ok("CreateDomain", json!({"domain": "my-domain"}))
        .await;
    let fault = world
        .call("CreateDomain", json!({"domain": "my-domain"}))
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ConflictException");
    assert!(
        fault
            .message
            .starts_with("Domain already exists. Domain 'my-domain'")
    );
    assert_eq!(
        fault.members,
        [
            ("resourceId", "my-domain".to_owned()),
            ("resourceType", "domain".to_owned())
        ]
    );
    // Another account has names of its own.
    let created = world
        .call_as(
            &world.stranger,
            "CreateDomain",
            json!({"domain": "my-domain"}),
        )
        .await;
    assert_eq!(created.unwrap()["domain"]["owner"], AWAY);
    assert_eq!(
        world.ok("ListDomains", json!({})).await["domains"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn only_an_empty_domain_is_deleted() {
    let world = World::begin().await.with_repository().await;
    let refused = world
        .refused("DeleteDomain", json!({"domain": "my-domain"}))
        .await;
    let expected = "Domain must contain 0 repositories before deletion";
    assert_eq!(
        refused,
        ("ConflictException".to_owned(), expected.to_owned())
    );
    world
        .ok("DeleteRepository", repository("my-repository"))
        .await;
    world
        .ok("DeleteDomain", json!({"domain": "my-domain"}))
        .await;
}

#[tokio::test]
async fn an_account_has_so_many_domains() {
    let world = World::begin_with(Limits {
        domains_per_account: 1,
        ..Limits::default()
    })
    .await;
    world.ok("CreateDomain", json!({"domain": "first"})).await;
    let fault = world
        .call("CreateDomain", json!({"domain": "second"}))
        .await
        .unwrap_err();
    assert_eq!(
        (fault.code.as_ref(), fault.status.as_u16()),
        ("ServiceQuotaExceededException", 402)
    );
}

#[tokio::test]
async fn tags_need_a_permission_of_their_own() {
    let world = World::begin().await;
    let creator = world
        .user(
            "creator",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "codeartifact:CreateDomain", "Resource": "*"}
            ]}),
        )
        .await;
    let tags = json!([{"key": "team", "value": "build"}]);
    let members = json!({"domain": "my-domain", "tags": tags});
    let fault = world
        .call_as(&creator, "CreateDomain", members.clone())
        .await
        .unwrap_err();
    assert!(fault.message.contains("codeartifact:TagResource on resource: arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain "), "{fault}");
    world
        .call_as(&creator, "CreateDomain", json!({"domain": "my-domain"}))
        .await
        .unwrap();
    world
        .ok("DeleteDomain", json!({"domain": "my-domain"}))
        .await;
    world.ok("CreateDomain", members).await;
}

#[tokio::test]
async fn tags_are_each_given_once_and_none_is_reserved() {
    let world = World::begin().await;
    for tags in [
        json!([{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]),
        json!([{"key": "aws:a", "value": "1"}]),
    ] {
        let members = json!({"domain": "my-domain", "tags": tags});
        assert_eq!(
            world.refused("CreateDomain", members).await.0,
            "ValidationException",
            "{tags}"
        );
    }
    let tags = json!([{"key": "a"}, {"key": "A", "value": ""}]);
    world
        .ok("CreateDomain", json!({"domain": "my-domain", "tags": tags}))
        .await;
}

#[tokio::test]
async fn another_account_learns_nothing_of_a_domain() {
    let world = World::begin().await.with_repository().await;
    let mut answers = Vec::new();
    for domain in ["my-domain", "no-domain"] {
        let members = json!({"domain": domain, "domainOwner": HOME});
        let fault = world
            .call_as(&world.stranger, "DescribeDomain", members)
            .await
            .unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException");
        assert!(
            fault.message.ends_with(
                "because no resource-based policy allows the codeartifact:DescribeDomain action"
            ),
            "{fault}"
        );
        answers.push(fault.message.replace(domain, "X"));
    }
    assert_eq!(answers[0], answers[1]);
    // Without an owner it is a domain of the caller's own account that is meant.
    let members = json!({"domain": "my-domain"});
    let fault = world
        .call_as(&world.stranger, "DescribeDomain", members)
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ResourceNotFoundException");
}
