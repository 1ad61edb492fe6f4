//! Tags.

use serde_json::{Value, json};

use crate::world::{HOME, World, repository, with};

const DOMAIN: &str = "arn:aws:codeartifact:eu-central-1:111122223333:domain/my-domain";
const REPOSITORY: &str =
    "arn:aws:codeartifact:eu-central-1:111122223333:repository/my-domain/my-repository";

fn of(arn: &str, more: &Value) -> Value {
    with(&json!({"resourceArn": arn}), more)
}

#[tokio::test]
async fn tags_are_added_replaced_listed_and_removed() {
    let world = World::begin().await.with_repository().await;
    for arn in [DOMAIN, REPOSITORY] {
        let list = of(arn, &json!({}));
        assert_eq!(
            world.ok("ListTagsForResource", list.clone()).await,
            json!({"tags": []})
        );
        let tags = json!([{"key": "b", "value": "1"}, {"key": "a", "value": "2"}]);
        let added = world
            .ok("TagResource", of(arn, &json!({"tags": tags})))
            .await;
        assert_eq!(added, json!({}));
        let tags = json!([{"key": "b", "value": "3"}, {"key": "B", "value": ""}]);
        world
            .ok("TagResource", of(arn, &json!({"tags": tags})))
            .await;
        let expected = json!([
            {"key": "B", "value": ""}, {"key": "a", "value": "2"}, {"key": "b", "value": "3"}
        ]);
        assert_eq!(
            world.ok("ListTagsForResource", list.clone()).await,
            json!({"tags": expected})
        );
        let keys = json!({"tagKeys": ["a", "B", "gone"]});
        assert_eq!(world.ok("UntagResource", of(arn, &keys)).await, json!({}));
        let expected = json!([{"key": "b", "value": "3"}]);
        assert_eq!(
            world.ok("ListTagsForResource", list).await,
            json!({"tags": expected})
        );
    }
}

#[tokio::test]
async fn tags_given_at_the_beginning_are_listed() {
    let world = World::begin().await;
    let tags = json!({"tags": [{"key": "team", "value": "build"}]});
    world
        .ok("CreateDomain", with(&json!({"domain": "my-domain"}), &tags))
        .await;
    world
        .ok(
            "CreateRepository",
            with(&repository("my-repository"), &tags),
        )
        .await;
    for arn in [DOMAIN, REPOSITORY] {
        assert_eq!(
            world.ok("ListTagsForResource", of(arn, &json!({}))).await,
            tags
        );
    }
}

#[tokio::test]
async fn a_resource_has_at_most_fifty_tags() {
    let world = World::begin().await.with_repository().await;
    let tags = |numbers: std::ops::Range<u32>| {
        let tags: Vec<_> = numbers
            .map(|n| json!({"key": format!("k{n}"), "value": ""}))
            .collect();
        of(DOMAIN, &json!({"tags": tags}))
    };
    world.ok("TagResource", tags(0..50)).await;
    world.ok("TagResource", tags(10..20)).await;
    let fault = world.call("TagResource", tags(50..51)).await.unwrap_err();
    assert_eq!(
        (fault.code.as_ref(), fault.status.as_u16()),
        ("ServiceQuotaExceededException", 402)
    );
    let listed = world
        .ok("ListTagsForResource", of(DOMAIN, &json!({})))
        .await;
    assert_eq!(listed["tags"].as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn what_is_tagged_must_be_there() {
    let world = World::begin().await.with_repository().await;
    for (arn, code) in [
        (
            DOMAIN.replace("my-domain", "gone"),
            "ResourceNotFoundException",
        ),
        (
            REPOSITORY.replace("my-repository", "gone"),
            "ResourceNotFoundException",
        ),
        (
            DOMAIN.replace("eu-central-1", "us-east-1"),
            "ValidationException",
        ),
        (DOMAIN.replace("codeartifact", "s3"), "ValidationException"),
        (
            DOMAIN.replace(HOME, "999999999999"),
            "AccessDeniedException",
        ),
    ] {
        for (operation, more) in [
            ("ListTagsForResource", json!({})),
            ("TagResource", json!({"tags": []})),
            ("UntagResource", json!({"tagKeys": []})),
        ] {
            let refused = world.refused(operation, of(&arn, &more)).await;
            assert_eq!(refused.0, code, "{operation} {arn}");
        }
    }
}

#[tokio::test]
async fn tags_decide_who_may_what() {
    let world = World::begin().await.with_repository().await;
    let tagged = world
        .user(
            "tagged",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": ["codeartifact:DescribeRepository", "codeartifact:DescribeDomain"],
                 "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "build"}}},
                {"Effect": "Allow", "Action": ["codeartifact:TagResource", "codeartifact:UntagResource"],
                 "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}},
            ]}),
        )
        .await;
    let describes = [
        (DOMAIN, "DescribeDomain", json!({"domain": "my-domain"})),
        (
            REPOSITORY,
            "DescribeRepository",
            repository("my-repository"),
        ),
    ];
    for (arn, operation, members) in describes {
        let denied = world
            .call_as(&tagged, operation, members.clone())
            .await
            .unwrap_err();
        assert_eq!(denied.code, "AccessDeniedException");
        for (key, code) in [("other", Some("AccessDeniedException")), ("team", None)] {
            let tags = json!({"tags": [{"key": key, "value": "build"}]});
            let answer = world.call_as(&tagged, "TagResource", of(arn, &tags)).await;
            assert_eq!(
                answer.err().map(|fault| fault.code.into_owned()).as_deref(),
                code,
                "{key}"
            );
        }
        world
            .call_as(&tagged, operation, members.clone())
            .await
            .unwrap();
        let keys = json!({"tagKeys": ["other"]});
        let denied = world
            .call_as(&tagged, "UntagResource", of(arn, &keys))
            .await
            .unwrap_err();
        assert_eq!(denied.code, "AccessDeniedException");
        let keys = json!({"tagKeys": ["team"]});
        world
            .call_as(&tagged, "UntagResource", of(arn, &keys))
            .await
            .unwrap();
        let denied = world
            .call_as(&tagged, operation, members)
            .await
            .unwrap_err();
        assert_eq!(denied.code, "AccessDeniedException");
    }
}

/// Whoever may act only on what has a tag may also act only on a domain that has it, while tagging it.
#[tokio::test]
async fn the_tags_that_are_there_count_while_tagging() {
    let world = World::begin().await.with_repository().await;
    let careful = world
        .user(
            "careful",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "codeartifact:TagResource", "Resource": "*",
                 "Condition": {"StringEquals": {"aws:ResourceTag/team": "build"}}},
            ]}),
        )
        .await;
    for arn in [DOMAIN, REPOSITORY] {
        let more = of(arn, &json!({"tags": [{"key": "x", "value": "1"}]}));
        let denied = world
            .call_as(&careful, "TagResource", more.clone())
            .await
            .unwrap_err();
        assert_eq!(denied.code, "AccessDeniedException");
        let team = of(arn, &json!({"tags": [{"key": "team", "value": "build"}]}));
        world.ok("TagResource", team).await;
        world.call_as(&careful, "TagResource", more).await.unwrap();
    }
}
