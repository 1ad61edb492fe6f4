//! `AssumeRoleWithWebIdentity` with a token that is believed: whom a role lets in, and for what.

use aws::query::Form;
use serde_json::json;

use crate::calls::{allow, credentials};
use crate::house::House;
use crate::issuer::{HOST, ISSUER, Key};
use crate::web_identity::{DENIED, SUBJECT, claims, line, with};

on_each_database! {
    conditions_see_the_claims_and_absent_roles_answer_alike,
    tags_and_source_identity_come_from_the_token,
    durations_policies_and_parameters_have_their_limits,
}

async fn conditions_see_the_claims_and_absent_roles_answer_alike(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let token = key.sign(&with(&[
        ("amr", json!(["authenticated", "mfa"])),
        ("repository_owner_id", json!("1234")),
        ("run_attempt", json!(1)),
        ("aud", json!(["sts.amazonaws.com"])),
    ]));
    let web = r#""sts:AssumeRoleWithWebIdentity""#;
    for (actions, condition, expected) in [
        (
            web,
            format!(
                r#""StringEquals":{{"{HOST}:sub":"{SUBJECT}","{HOST}:aud":"sts.amazonaws.com"}}"#
            ),
            "good",
        ),
        (
            web,
            format!(r#""StringLike":{{"{HOST}:sub":"repo:acme/*"}}"#),
            "good",
        ),
        (
            web,
            format!(r#""StringLike":{{"{HOST}:sub":"repo:acme/app2:*"}}"#),
            DENIED,
        ),
        (
            web,
            format!(r#""StringEquals":{{"{HOST}:aud":"other"}}"#),
            DENIED,
        ),
        (
            web,
            format!(r#""ForAnyValue:StringEquals":{{"{HOST}:amr":"mfa"}}"#),
            "good",
        ),
        (
            web,
            format!(r#""ForAnyValue:StringEquals":{{"{HOST}:amr":"sms"}}"#),
            DENIED,
        ),
        (
            web,
            format!(r#""StringEquals":{{"{HOST}:repository_owner_id":"1234"}}"#),
            "good",
        ),
        (
            web,
            format!(r#""StringEquals":{{"{ISSUER}:sub":"{SUBJECT}"}}"#),
            DENIED,
        ),
        (
            web,
            format!(r#""Null":{{"{HOST}:run_attempt":"true"}}"#),
            "good",
        ),
        (
            web,
            r#""StringEquals":{"sts:RoleSessionName":"job-7"}"#.to_owned(),
            "good",
        ),
        (
            web,
            r#""StringEquals":{"sts:RoleSessionName":"job-8"}"#.to_owned(),
            DENIED,
        ),
        (r#""sts:AssumeRole""#, String::new(), DENIED),
        (r#""sts:*""#, String::new(), "good"),
    ] {
        house.trusts(actions, &condition).await;
        assert_eq!(house.told(&token).await, expected, "{condition}");
    }
    house.trusts(web, "").await;
    for arn in [
        "arn:aws:iam::111122223333:role/gone",
        "arn:aws:iam::111122223333:role/CI",
        "arn:aws:iam::111122223333:role/path/ci",
        "arn:aws:iam::111122223333:user/ci",
    ] {
        let (vouched, answer) = house.show(&token, &[("RoleArn", arn)]).await;
        let fault = answer.unwrap_err();
        assert_eq!(line(&fault), DENIED, "{arn}");
        assert!(vouched.is_some() && fault.decision.is_some());
    }
    // A role that trusts another provider.
    house
        .role_for("machine", r#"{"Service":"ec2.amazonaws.com"}"#, "")
        .await;
    let other = [("RoleArn", "arn:aws:iam::111122223333:role/machine")];
    let fault = house.show(&token, &other).await.1.unwrap_err();
    assert_eq!(line(&fault), DENIED);
}

async fn tags_and_source_identity_come_from_the_token(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let tags = json!({"principal_tags": {"team": ["build"], "cost": ["7"]}, "transitive_tag_keys": ["team"]});
    let token = key.sign(&with(&[
        ("https://aws.amazon.com/tags", tags),
        ("https://aws.amazon.com/source_identity", json!("alice")),
    ]));
    let web = r#""sts:AssumeRoleWithWebIdentity""#;
    let denied =
        |action: &str| format!("403 AccessDeniedException Not authorized to perform {action}");
    assert_eq!(house.told(&token).await, denied("sts:TagSession"));
    let tagging = format!(r#"[{web},"sts:TagSession"]"#);
    house.trusts(&tagging, "").await;
    assert_eq!(house.told(&token).await, denied("sts:SetSourceIdentity"));
    let all = format!(r#"[{web},"sts:TagSession","sts:SetSourceIdentity"]"#);
    house
        .trusts(
            &all,
            r#""StringEquals":{"aws:RequestTag/team":"build","sts:SourceIdentity":"alice"},
               "ForAllValues:StringEquals":{"aws:TagKeys":["team","cost"],"sts:TransitiveTagKeys":"team"}"#,
        )
        .await;
    let own = allow(r#""iam:ListUsers""#, r#""*""#).replace(
        r#""Resource":"*""#,
        r#""Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"build"}}"#,
    );
    let policy = [
        ("RoleName", "ci"),
        ("PolicyName", "own"),
        ("PolicyDocument", &own),
    ];
    house.admin("PutRolePolicy", &policy).await;
    let answer = house.show(&token, &[]).await.1.unwrap();
    assert_eq!(answer.text("SourceIdentity"), "alice");
    assert_eq!(answer.text("PackedPolicySize"), "1");
    let session = house.signed_in(&credentials(&answer)).await;
    assert_eq!(session.source_identity(), Some("alice"));
    house.call(&session, "ListUsers", &[]).await.unwrap();
    let plain = house.show(&key.sign(&claims()), &[]).await.1;
    assert_eq!(
        line(&plain.unwrap_err()),
        DENIED,
        "the condition wants a tag"
    );
    for (claim, value, expected) in [
        (
            "tags",
            json!("team"),
            "400 InvalidIdentityToken The claim https://aws.amazon.com/tags is not valid",
        ),
        (
            "tags",
            json!({"principal_tags": {"aws:x": ["1"]}}),
            "400 InvalidInput aws: prefixed tag key names are not allowed for external use.",
        ),
        (
            "tags",
            json!({"transitive_tag_keys": ["team"]}),
            "400 InvalidParameterValue One of the specified transitive tag keys is not among the session tags.",
        ),
        (
            "source_identity",
            json!("aws:x"),
            "400 InvalidIdentityToken The claim https://aws.amazon.com/source_identity is not valid",
        ),
    ] {
        let name = format!("https://aws.amazon.com/{claim}");
        let token = key.sign(&with(&[(name.as_str(), value)]));
        assert_eq!(house.told(&token).await, expected);
    }
}

async fn durations_policies_and_parameters_have_their_limits(house: House) {
    house.federated().await;
    let key = Key::rsa(0, "k1", "RS256");
    house.issuers.publish(&[&key]);
    let token = key.sign(&claims());
    let limited = allow(r#""iam:GetUser""#, r#""*""#);
    let read_only = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let policy = [("RoleName", "ci"), ("PolicyArn", read_only)];
    house.admin("AttachRolePolicy", &policy).await;
    let more = [("DurationSeconds", "900"), ("Policy", limited.as_str())];
    let answer = house.show(&token, &more).await.1.unwrap();
    assert_eq!(
        answer.text("Credentials/Expiration"),
        "2026-03-14T15:24:26Z"
    );
    assert!(answer.find("PackedPolicySize").is_some());
    let session = house.signed_in(&credentials(&answer)).await;
    let fault = house.call(&session, "ListUsers", &[]).await.unwrap_err();
    assert!(
        fault.message.contains("no session policy allows"),
        "{fault}"
    );
    for (parameter, value, expected) in [
        (
            "DurationSeconds",
            "3601",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ),
        ("DurationSeconds", "899", "greater than or equal to 900"),
        ("RoleSessionName", "a b", "roleSessionName"),
        ("RoleArn", "arn:aws:iam::111122223333", "is invalid"),
        ("ProviderId", "www.example.com", "ProviderId"),
        ("Policy", "{}", "Syntax errors in policy."),
    ] {
        let fault = house.show(&token, &[(parameter, value)]).await.1;
        let said = line(&fault.unwrap_err());
        assert!(
            said.starts_with("400 ") && said.contains(expected),
            "{said}"
        );
    }
    let long = "a".repeat(20_001);
    for (token, expected) in [("abc", "greater than or equal to 4"), (&long, "20000")] {
        let said = house.told(token).await;
        assert!(said.contains(expected), "{said}");
    }
    let body = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=x&RoleSessionName=y";
    let (answer, vouched) = house.unsigned(&Form::parse(body).unwrap()).await;
    assert_eq!(vouched, None);
    assert_eq!(
        line(&answer.unwrap_err()),
        "400 MissingParameter The request must contain the parameter WebIdentityToken"
    );
}
