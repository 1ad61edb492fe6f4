//! Taking a role: whom it trusts, what is passed to the session, and how long it lasts.

use std::fmt::Write as _;

use aws::sigv4::NotSigned;
use aws::{Fault, SecretString};
use iam::{Caller, NotSignedBy};

use crate::calls::{Element, allow, credentials, trust};
use crate::house::House;

on_each_database! {
    a_role_is_taken_by_whom_it_trusts_and_who_may,
    absent_foreign_and_distrusting_roles_are_one_refusal,
    conditions_on_trust_see_what_was_passed,
    durations_end_at_the_roles_limit_and_at_an_hour_in_a_chain,
    tags_and_source_identity_go_down_the_chain,
    session_policies_limit_and_have_limited_room,
    accounts_trust_each_other_on_both_sides,
    whoever_takes_the_name_of_a_trusted_user_or_role_is_not_trusted,
}

pub(crate) const ANYBODY: &str = r#"{"AWS":"111122223333"}"#;

pub(crate) async fn take(
    house: &House,
    caller: &Caller,
    arn: &str,
    more: &[(&str, &str)],
) -> Result<Element, Fault> {
    let mut parameters = vec![("RoleArn", arn), ("RoleSessionName", "s1")];
    parameters.extend(more);
    house.call(caller, "AssumeRole", &parameters).await
}

pub(crate) fn may_assume() -> String {
    allow(
        r#"["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]"#,
        "\"*\"",
    )
}

async fn a_role_is_taken_by_whom_it_trusts_and_who_may(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    house
        .admin(
            "AttachRolePolicy",
            &[
                ("RoleName", "target"),
                ("PolicyArn", "arn:aws:iam::aws:policy/IAMReadOnlyAccess"),
            ],
        )
        .await;
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    let taken = take(&house, &alice, &arn, &[]).await.unwrap();
    assert_eq!(
        taken.text("AssumedRoleUser/Arn"),
        "arn:aws:sts::111122223333:assumed-role/target/s1"
    );
    assert!(taken.text("AssumedRoleUser/AssumedRoleId").ends_with(":s1"));
    assert_eq!(taken.text("Credentials/Expiration"), "2026-03-14T16:09:26Z");
    assert!(taken.find("PackedPolicySize").is_none());
    // The credentials sign, and do what the role may.
    let keys = credentials(&taken);
    let session = house.signed_in(&keys).await;
    house.call(&session, "ListUsers", &[]).await.unwrap();
    let fault = house
        .call(&session, "CreateGroup", &[("GroupName", "x")])
        .await
        .unwrap_err();
    assert!(
        fault.message.starts_with(
            "User: arn:aws:sts::111122223333:assumed-role/target/s1 is not authorized"
        )
    );
    let fault = house.call(&session, "GetUser", &[]).await.unwrap_err();
    assert_eq!(
        fault.message,
        "Must specify userName when calling with non-User credentials"
    );
    let without = aws::sigv4::Credentials {
        session_token: None,
        ..keys.clone()
    };
    assert!(matches!(
        house.sign_in(&without).await,
        Err(NotSignedBy::Refused(NotSigned::InvalidClientTokenId))
    ));
    let mut swapped = keys;
    swapped.session_token = Some(SecretString::from("phs1_x"));
    assert!(house.sign_in(&swapped).await.is_err());
    // Trust in the account only delegates; trust in the user is enough.
    let (bob, _) = house.user_with("bob", "").await;
    let fault = take(&house, &bob, &arn, &[]).await.unwrap_err();
    assert_eq!(
        fault.message,
        "User: arn:aws:iam::111122223333:user/build/bob is not authorized to perform: sts:AssumeRole on resource: \
         arn:aws:iam::111122223333:role/target because no identity-based policy allows the sts:AssumeRole action"
    );
    let direct = house
        .role_for(
            "direct",
            r#"{"AWS":"arn:aws:iam::111122223333:user/build/bob"}"#,
            "",
        )
        .await;
    take(&house, &bob, &direct, &[]).await.unwrap();
    let root = house.signed_in(&house.keys.root).await;
    let fault = take(&house, &root, &arn, &[]).await.unwrap_err();
    assert_eq!(
        (fault.code.as_ref(), fault.message.as_str()),
        (
            "AccessDeniedException",
            "Roles may not be assumed by root accounts."
        )
    );
}

async fn absent_foreign_and_distrusting_roles_are_one_refusal(house: House) {
    let distrusting = house
        .role_for("closed", r#"{"Service":"ec2.amazonaws.com"}"#, "")
        .await;
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    let text = trust(r#"{"AWS":"444455556666"}"#, "");
    house
        .call(
            &them,
            "CreateRole",
            &[("RoleName", "theirs"), ("AssumeRolePolicyDocument", &text)],
        )
        .await
        .unwrap();
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    for arn in [
        distrusting.as_str(),
        "arn:aws:iam::111122223333:role/gone",
        "arn:aws:iam::111122223333:role/CLOSED",
        "arn:aws:iam::111122223333:role/path/closed",
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::444455556666:role/theirs",
        "arn:aws:iam::444455556666:role/gone",
        "arn:aws:iam::777788889999:role/gone",
    ] {
        let fault = take(&house, &alice, arn, &[]).await.unwrap_err();
        assert_eq!(
            (fault.code.as_ref(), fault.message),
            (
                "AccessDeniedException",
                format!(
                    "User: arn:aws:iam::111122223333:user/build/alice is not authorized to perform: sts:AssumeRole on \
                     resource: {arn}"
                )
            )
        );
    }
    for (parameters, expected) in [
        (
            &[][..],
            "MissingParameter: The request must contain the parameter RoleArn",
        ),
        (
            &[("RoleArn", distrusting.as_str())],
            "MissingParameter: The request must contain the parameter RoleSessionName",
        ),
        (
            &[("RoleArn", "x"), ("RoleSessionName", "a b")],
            "ValidationException: 2 validation errors detected: Value 'x' at 'roleArn' failed to satisfy constraint: Member \
             must have length greater than or equal to 20; Value 'a b' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]*",
        ),
        (
            &[
                ("RoleArn", "no arn, but long enough"),
                ("RoleSessionName", "s1"),
            ],
            "ValidationError: no arn, but long enough is invalid",
        ),
        (
            &[
                ("RoleArn", distrusting.as_str()),
                ("RoleSessionName", "s1"),
                ("DurationSeconds", "899"),
            ],
            "ValidationException: 1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value greater than or equal to 900",
        ),
    ] {
        let fault = house
            .call(&alice, "AssumeRole", parameters)
            .await
            .unwrap_err();
        assert_eq!(fault.to_string(), expected);
    }
}

async fn conditions_on_trust_see_what_was_passed(house: House) {
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    for (at, (condition, good, bad)) in [
        (
            r#""StringEquals":{"sts:ExternalId":"secret-1"}"#,
            &[("ExternalId", "secret-1")][..],
            &[("ExternalId", "secret-2")][..],
        ),
        (
            r#""Null":{"sts:ExternalId":"true"}"#,
            &[],
            &[("ExternalId", "secret-2")],
        ),
        (
            r#""StringEquals":{"sts:RoleSessionName":"s1"}"#,
            &[],
            &[("RoleSessionName", "s2")],
        ),
        (
            r#""StringEquals":{"sts:SourceIdentity":"alice"}"#,
            &[("SourceIdentity", "alice")],
            &[("SourceIdentity", "bob")],
        ),
        (
            r#""StringEquals":{"aws:RequestTag/team":"build"}"#,
            &[
                ("Tags.member.1.Key", "Team"),
                ("Tags.member.1.Value", "build"),
            ],
            &[
                ("Tags.member.1.Key", "Team"),
                ("Tags.member.1.Value", "ops"),
            ],
        ),
        (
            r#""ForAnyValue:StringEquals":{"sts:TransitiveTagKeys":"team"}"#,
            &[
                ("Tags.member.1.Key", "team"),
                ("Tags.member.1.Value", "x"),
                ("TransitiveTagKeys.member.1", "team"),
            ],
            &[("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "x")],
        ),
        (
            r#""StringEquals":{"aws:username":"alice"}"#,
            &[],
            &[("SourceIdentity", "aws:x")],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let arn = house.role_for(&format!("r{at}"), ANYBODY, condition).await;
        let with = |more: &[(&'static str, &'static str)]| {
            let mut parameters = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "s1")];
            parameters.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
            parameters.extend(more);
            parameters
        };
        house.call(&alice, "AssumeRole", &with(good)).await.unwrap();
        house
            .call(&alice, "AssumeRole", &with(bad))
            .await
            .unwrap_err();
    }
    // Tags and a source identity are permissions of their own in the trust policy, too.
    let plain = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#;
    house
        .admin(
            "CreateRole",
            &[("RoleName", "plain"), ("AssumeRolePolicyDocument", plain)],
        )
        .await;
    let arn = "arn:aws:iam::111122223333:role/plain";
    for (more, action) in [
        (
            &[("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")][..],
            "sts:TagSession",
        ),
        (&[("SourceIdentity", "alice")], "sts:SetSourceIdentity"),
    ] {
        let fault = take(&house, &alice, arn, more).await.unwrap_err();
        assert_eq!(
            fault.message,
            format!(
                "User: arn:aws:iam::111122223333:user/build/alice is not authorized to perform: {action} on resource: {arn}"
            )
        );
    }
    take(&house, &alice, arn, &[]).await.unwrap();
}

async fn durations_end_at_the_roles_limit_and_at_an_hour_in_a_chain(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    house
        .admin(
            "UpdateRole",
            &[("RoleName", "target"), ("MaxSessionDuration", "7200")],
        )
        .await;
    house
        .admin(
            "PutRolePolicy",
            &[
                ("RoleName", "target"),
                ("PolicyName", "chain"),
                ("PolicyDocument", &may_assume()),
            ],
        )
        .await;
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    let taken = take(&house, &alice, &arn, &[("DurationSeconds", "7200")])
        .await
        .unwrap();
    assert_eq!(taken.text("Credentials/Expiration"), "2026-03-14T17:09:26Z");
    let fault = take(&house, &alice, &arn, &[("DurationSeconds", "7201")])
        .await
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let session = house.signed_in(&credentials(&taken)).await;
    let fault = take(&house, &session, &arn, &[("DurationSeconds", "3601")])
        .await
        .unwrap_err();
    assert_eq!(
        fault.to_string(),
        "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    );
    take(&house, &session, &arn, &[("DurationSeconds", "3600")])
        .await
        .unwrap();
}

async fn tags_and_source_identity_go_down_the_chain(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    house
        .admin(
            "TagRole",
            &[
                ("RoleName", "target"),
                ("Tags.member.1.Key", "Team"),
                ("Tags.member.1.Value", "role"),
            ],
        )
        .await;
    let teams = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"*"},
        {"Effect":"Allow","Action":"iam:GetGroup","Resource":"arn:aws:iam::111122223333:group/${aws:PrincipalTag/team}"},
        {"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::111122223333:role/${aws:SourceIdentity}"}]}"#;
    house
        .admin(
            "PutRolePolicy",
            &[
                ("RoleName", "target"),
                ("PolicyName", "teams"),
                ("PolicyDocument", teams),
            ],
        )
        .await;
    for group in ["role", "build", "ops"] {
        house.admin("CreateGroup", &[("GroupName", group)]).await;
    }
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    let plain = house
        .signed_in(&credentials(
            &take(&house, &alice, &arn, &[]).await.unwrap(),
        ))
        .await;
    house
        .call(&plain, "GetGroup", &[("GroupName", "role")])
        .await
        .unwrap();
    let tag = |value| {
        [
            ("Tags.member.1.Key", "TEAM"),
            ("Tags.member.1.Value", value),
        ]
    };
    let transitive = ("TransitiveTagKeys.member.1", "team");
    let build = tag("build");
    let passed = [build[0], build[1], transitive, ("SourceIdentity", "alice")];
    let taken = take(&house, &alice, &arn, &passed).await.unwrap();
    assert_eq!(taken.text("SourceIdentity"), "alice");
    assert_eq!(taken.text("PackedPolicySize"), "1");
    let session = house.signed_in(&credentials(&taken)).await;
    house
        .call(&session, "GetGroup", &[("GroupName", "build")])
        .await
        .unwrap();
    assert!(
        house
            .call(&session, "GetGroup", &[("GroupName", "role")])
            .await
            .is_err()
    );
    // The child inherits both, and changes neither.
    let taken = take(&house, &session, &arn, &[]).await.unwrap();
    assert_eq!(taken.text("SourceIdentity"), "alice");
    let child = house.signed_in(&credentials(&taken)).await;
    house
        .call(&child, "GetGroup", &[("GroupName", "build")])
        .await
        .unwrap();
    let fault = take(&house, &child, &arn, &tag("ops")).await.unwrap_err();
    assert_eq!(
        fault.to_string(),
        "InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a \
         transitive tag key from the calling session."
    );
    let fault = take(&house, &child, &arn, &[("SourceIdentity", "mallory")])
        .await
        .unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
    take(&house, &child, &arn, &[("SourceIdentity", "alice")])
        .await
        .unwrap();
    // Tags that are not transitive end with their session.
    let ops = tag("ops");
    let taken = take(&house, &alice, &arn, &ops).await.unwrap();
    let session = house.signed_in(&credentials(&taken)).await;
    house
        .call(&session, "GetGroup", &[("GroupName", "ops")])
        .await
        .unwrap();
    let taken = take(&house, &session, &arn, &[]).await.unwrap();
    let child = house.signed_in(&credentials(&taken)).await;
    house
        .call(&child, "GetGroup", &[("GroupName", "role")])
        .await
        .unwrap();
    let fault = take(&house, &alice, &arn, &[transitive]).await.unwrap_err();
    assert_eq!(fault.code, "InvalidParameterValue");
}

async fn session_policies_limit_and_have_limited_room(house: House) {
    let arn = house.role_for("target", ANYBODY, "").await;
    house
        .admin(
            "AttachRolePolicy",
            &[
                ("RoleName", "target"),
                ("PolicyArn", "arn:aws:iam::aws:policy/IAMFullAccess"),
            ],
        )
        .await;
    let (alice, _) = house.user_with("alice", &may_assume()).await;
    let policy = allow("\"iam:ListUsers\"", "\"*\"");
    let groups = allow("\"iam:ListGroups\"", "\"*\"");
    house
        .admin(
            "CreatePolicy",
            &[("PolicyName", "groups"), ("PolicyDocument", &groups)],
        )
        .await;
    let managed = (
        "PolicyArns.member.1.arn",
        "arn:aws:iam::111122223333:policy/groups",
    );
    let taken = take(&house, &alice, &arn, &[("Policy", &policy), managed])
        .await
        .unwrap();
    assert_ne!(taken.text("PackedPolicySize"), "0");
    let session = house.signed_in(&credentials(&taken)).await;
    house.call(&session, "ListUsers", &[]).await.unwrap();
    house.call(&session, "ListGroups", &[]).await.unwrap();
    let fault = house.call(&session, "ListRoles", &[]).await.unwrap_err();
    assert!(
        fault
            .message
            .ends_with("because no session policy allows the iam:ListRoles action"),
        "{}",
        fault.message
    );
    // One that is deleted allows nothing any more.
    house
        .admin("DeletePolicy", &[("PolicyArn", managed.1)])
        .await;
    assert!(house.call(&session, "ListGroups", &[]).await.is_err());
    house.call(&session, "ListUsers", &[]).await.unwrap();
    let fault = take(&house, &alice, &arn, &[managed]).await.unwrap_err();
    assert_eq!(fault.code, "NoSuchEntity");
    let foreign = (
        "PolicyArns.member.1.arn",
        "arn:aws:iam::444455556666:policy/groups",
    );
    assert!(take(&house, &alice, &arn, &[foreign]).await.is_err());
    let long = allow(&format!("\"s3:{}\"", "x".repeat(2100)), "\"*\"");
    let fault = take(&house, &alice, &arn, &[("Policy", &long)])
        .await
        .unwrap_err();
    assert_eq!(fault.code, "ValidationError");
    let fault = take(&house, &alice, &arn, &[("Policy", "{")])
        .await
        .unwrap_err();
    assert_eq!(fault.code, "MalformedPolicyDocument");
    let names: Vec<(String, String, String)> = (1..=50_u64)
        .map(|n| {
            let mut noise = String::new();
            for m in 0..16 {
                let mixed = (n * 37 + m + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                write!(noise, "{mixed:016x}").unwrap();
            }
            (
                format!("Tags.member.{n}.Key"),
                format!("Tags.member.{n}.Value"),
                noise,
            )
        })
        .collect();
    let keys: Vec<String> = (1..=50).map(|n| format!("k{n}")).collect();
    let mut tags = Vec::new();
    for ((key, value, noise), name) in names.iter().zip(&keys) {
        tags.push((key.as_str(), name.as_str()));
        tags.push((value.as_str(), noise.as_str()));
    }
    let fault = take(&house, &alice, &arn, &tags).await.unwrap_err();
    assert_eq!(fault.code, "PackedPolicyTooLarge", "{fault}");
}

async fn accounts_trust_each_other_on_both_sides(house: House) {
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    let (alice, _) = house.user_with("alice", "").await;
    let id = house.iam.user(&house.account, "alice").await.unwrap().id;
    let principal = r#"{"AWS":"arn:aws:iam::111122223333:user/build/alice"}"#;
    let text = trust(principal, "");
    let role = house
        .call(
            &them,
            "CreateRole",
            &[("RoleName", "shared"), ("AssumeRolePolicyDocument", &text)],
        )
        .await
        .unwrap();
    let arn = role.text("Role/Arn").to_owned();
    // Named directly, and still her own account must let her.
    assert!(take(&house, &alice, &arn, &[]).await.is_err());
    house
        .iam
        .put_inline_policy(&id, "own", &may_assume())
        .await
        .unwrap();
    let taken = take(&house, &alice, &arn, &[]).await.unwrap();
    assert_eq!(
        taken.text("AssumedRoleUser/Arn"),
        "arn:aws:sts::444455556666:assumed-role/shared/s1"
    );
    let session = house.signed_in(&credentials(&taken)).await;
    assert_eq!(session.account(), &other);
    // A role of one account sees nothing of the other's.
    let fault = house
        .call(
            &alice,
            "GetPolicy",
            &[("PolicyArn", "arn:aws:iam::444455556666:policy/x")],
        )
        .await
        .unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
    let root = house.signed_in(&house.keys.root).await;
    let fault = house
        .call(
            &root,
            "DeletePolicy",
            &[("PolicyArn", "arn:aws:iam::444455556666:policy/x")],
        )
        .await
        .unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
}

/// Threat 16.
async fn whoever_takes_the_name_of_a_trusted_user_or_role_is_not_trusted(house: House) {
    let user = [("UserName", "bob")];
    let own = [("UserName", "bob"), ("PolicyName", "own")];
    let (before, _) = house.user_with("bob", &may_assume()).await;
    let door = house.role_for("door", ANYBODY, "").await;
    let both = format!(r#"{{"AWS":["{}","{door}"]}}"#, before.arn());
    let target = house.role_for("target", &both, "").await;
    let session = credentials(&take(&house, &before, &door, &[]).await.unwrap());
    let session = house.signed_in(&session).await;
    let through = [
        ("RoleName", "door"),
        ("PolicyName", "own"),
        ("PolicyDocument", &may_assume()),
    ];
    house.admin("PutRolePolicy", &through).await;
    for trusted in [&before, &session] {
        take(&house, trusted, &target, &[]).await.unwrap();
    }
    let named = async || {
        let role = house.admin("GetRole", &[("RoleName", "target")]).await;
        role.text("Role/AssumeRolePolicyDocument").to_owned()
    };
    assert!(named().await.contains("%2Fbob"), "{}", named().await);

    let key = before.access_key_id();
    let key = [("UserName", "bob"), ("AccessKeyId", key.as_str())];
    house.admin("DeleteAccessKey", &key).await;
    house.admin("DeleteUserPolicy", &own).await;
    house.admin("DeleteUser", &user).await;
    house.admin("DeleteRolePolicy", &through[..2]).await;
    house.admin("DeleteRole", &through[..1]).await;
    let shown = named().await;
    assert!(shown.contains(before.user_id()), "{shown}");
    assert!(
        shown.contains("AROA") && !shown.contains("%2Fbob"),
        "{shown}"
    );

    let (after, _) = house.user_with("bob", &may_assume()).await;
    let door = house.role_for("door", ANYBODY, "").await;
    house.admin("PutRolePolicy", &through).await;
    let session = credentials(&take(&house, &after, &door, &[]).await.unwrap());
    let session = house.signed_in(&session).await;
    for namesake in [&after, &session] {
        let fault = take(&house, namesake, &target, &[]).await.unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException");
    }
}
