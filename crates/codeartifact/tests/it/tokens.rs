//! `GetAuthorizationToken`.

use std::time::Duration;

use iam::Source;
use serde_json::json;

use crate::world::{BEGINNING, World, with};

#[tokio::test]
async fn a_token_is_good_for_twelve_hours_or_as_long_as_asked() {
    let world = World::begin().await.with_repository().await;
    for (duration, seconds) in [
        (json!({}), 43_200),
        (json!({"durationSeconds": 900}), 900),
        (json!({"durationSeconds": 43_200}), 43_200),
    ] {
        let members = with(&json!({"domain": "my-domain"}), &duration);
        let answer = world.ok("GetAuthorizationToken", members).await;
        let expires = BEGINNING.plus(Duration::from_secs(seconds));
        assert_eq!(answer["expiration"], json!(expires.epoch_seconds()));
        let token = answer["authorizationToken"].as_str().unwrap();
        let holder = world.iam.by_token(token, Source::default()).await.unwrap();
        assert_eq!(holder.arn(), world.admin.arn());
        assert!(holder.domain_number().is_some());
    }
}

#[tokio::test]
async fn a_token_cannot_end_with_credentials_that_do_not() {
    let world = World::begin().await.with_repository().await;
    let members = json!({"domain": "my-domain", "durationSeconds": 0});
    let (code, message) = world.refused("GetAuthorizationToken", members).await;
    assert_eq!(code, "ValidationException");
    assert!(message.contains("temporary credentials"), "{message}");
}

#[tokio::test]
async fn durations_between_none_and_a_quarter_of_an_hour_are_refused() {
    let world = World::begin().await.with_repository().await;
    for seconds in [1, 899, 43_201, -1] {
        let members = json!({"domain": "my-domain", "durationSeconds": seconds});
        let refused = world.refused("GetAuthorizationToken", members).await;
        assert_eq!(refused.0, "ValidationException", "{seconds}");
    }
}

#[tokio::test]
async fn root_may_have_a_token() {
    let world = World::begin().await.with_repository().await;
    let members = json!({"domain": "my-domain"});
    world
        .call_as(&world.root, "GetAuthorizationToken", members)
        .await
        .unwrap();
}

#[tokio::test]
async fn two_permissions_are_needed_whether_or_not_the_domain_exists() {
    let world = World::begin().await.with_repository().await;
    let only = |action: &str| {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "*"}
        ]})
    };
    let first = world
        .user("first", &only("codeartifact:GetAuthorizationToken"))
        .await;
    let second = world
        .user("second", &only("sts:GetServiceBearerToken"))
        .await;
    for domain in ["my-domain", "no-domain"] {
        let members = json!({"domain": domain});
        let fault = world
            .call_as(&first, "GetAuthorizationToken", members.clone())
            .await
            .unwrap_err();
        assert_eq!(
            fault.message,
            "User: arn:aws:iam::111122223333:user/first is not authorized to perform: \
             sts:GetServiceBearerToken on resource: * because no identity-based policy allows the \
             sts:GetServiceBearerToken action"
        );
        let fault = world
            .call_as(&second, "GetAuthorizationToken", members)
            .await
            .unwrap_err();
        let expected = format!(
            "User: arn:aws:iam::111122223333:user/second is not authorized to perform: \
             codeartifact:GetAuthorizationToken on resource: \
             arn:aws:codeartifact:eu-central-1:111122223333:domain/{domain} because no identity-based \
             policy allows the codeartifact:GetAuthorizationToken action"
        );
        assert_eq!(fault.message, expected);
    }
    let missing = world
        .refused("GetAuthorizationToken", json!({"domain": "no-domain"}))
        .await;
    assert_eq!(missing.0, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_policy_may_limit_how_long_tokens_are_good() {
    let world = World::begin().await.with_repository().await;
    let hour = world
        .user(
            "hour",
            &json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "codeartifact:*", "Resource": "*"},
                {"Effect": "Allow", "Action": "sts:GetServiceBearerToken", "Resource": "*", "Condition": {
                    "NumericLessThanEquals": {"sts:DurationSeconds": 3600},
                    "StringEquals": {"sts:AWSServiceName": "codeartifact.amazonaws.com"}
                }}
            ]}),
        )
        .await;
    for (duration, allowed) in [
        (json!({"durationSeconds": 3600}), true),
        (json!({"durationSeconds": 3601}), false),
        (json!({}), false),
    ] {
        let members = with(&json!({"domain": "my-domain"}), &duration);
        let answer = world.call_as(&hour, "GetAuthorizationToken", members).await;
        let code = answer.err().map(|fault| fault.code.into_owned());
        let expected = (!allowed).then(|| "AccessDeniedException".to_owned());
        assert_eq!(code, expected, "{duration}");
    }
}
