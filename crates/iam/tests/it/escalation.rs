//! Escalation through IAM: whoever holds exactly one of its dangerous permissions, on something of his own, must not end
//! up with more on anything else (`identity.md` 8, row 15). And what conditions on those permissions look at.

use crate::calls::{allow, trust};
use crate::house::{ACCOUNT, House};

on_each_database! {
    a_single_permission_reaches_nothing_but_its_own_target,
    each_question_carries_its_condition_keys,
    nobody_learns_of_what_he_may_not_see,
    tags_are_a_permission_of_their_own,
    renaming_needs_permission_for_both_names,
    passing_a_role_is_a_permission_of_its_own,
    boundaries_hold_for_whoever_is_within,
}

const ADMIN_POLICY: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The known escalations: the permission, the ARN on which it is held, what is tried on the own target (which goes well),
/// and on the one of others (which is refused).
fn table() -> Vec<(
    &'static str,
    &'static str,
    Parameters<'static>,
    Parameters<'static>,
)> {
    const OWN_POLICY: &str = "arn:aws:iam::111122223333:policy/own";
    const OTHER_POLICY: &str = "arn:aws:iam::111122223333:policy/strong";
    const OWN_USER: &str = "arn:aws:iam::111122223333:user/own";
    const OWN_GROUP: &str = "arn:aws:iam::111122223333:group/own";
    const OWN_ROLE: &str = "arn:aws:iam::111122223333:role/own";
    let document = ("PolicyDocument", EVERYTHING);
    let name = ("PolicyName", "x");
    let strong = ("PolicyArn", ADMIN_POLICY);
    let user = |name| ("UserName", name);
    let group = |name| ("GroupName", name);
    let role = |name| ("RoleName", name);
    vec![
        (
            "CreatePolicyVersion",
            OWN_POLICY,
            vec![("PolicyArn", OWN_POLICY), document],
            vec![("PolicyArn", OTHER_POLICY), document],
        ),
        (
            "SetDefaultPolicyVersion",
            OWN_POLICY,
            vec![("PolicyArn", OWN_POLICY), ("VersionId", "v1")],
            vec![("PolicyArn", OTHER_POLICY), ("VersionId", "v1")],
        ),
        (
            "CreateAccessKey",
            OWN_USER,
            vec![user("own")],
            vec![user("other")],
        ),
        (
            "UpdateAccessKey",
            OWN_USER,
            vec![user("own"), ("AccessKeyId", "OWN"), ("Status", "Active")],
            vec![
                user("other"),
                ("AccessKeyId", "OTHER"),
                ("Status", "Active"),
            ],
        ),
        (
            "AttachUserPolicy",
            OWN_USER,
            vec![user("own"), strong],
            vec![user("other"), strong],
        ),
        (
            "AttachGroupPolicy",
            OWN_GROUP,
            vec![group("own"), strong],
            vec![group("other"), strong],
        ),
        (
            "AttachRolePolicy",
            OWN_ROLE,
            vec![role("own"), strong],
            vec![role("other"), strong],
        ),
        (
            "PutUserPolicy",
            OWN_USER,
            vec![user("own"), name, document],
            vec![user("other"), name, document],
        ),
        (
            "PutGroupPolicy",
            OWN_GROUP,
            vec![group("own"), name, document],
            vec![group("other"), name, document],
        ),
        (
            "PutRolePolicy",
            OWN_ROLE,
            vec![role("own"), name, document],
            vec![role("other"), name, document],
        ),
        (
            "AddUserToGroup",
            OWN_GROUP,
            vec![group("own"), user("other")],
            vec![group("other"), user("own")],
        ),
        (
            "UpdateAssumeRolePolicy",
            OWN_ROLE,
            vec![role("own"), ("PolicyDocument", "TRUST")],
            vec![role("other"), ("PolicyDocument", "TRUST")],
        ),
        (
            "DeleteUserPermissionsBoundary",
            OWN_USER,
            vec![user("own")],
            vec![user("other")],
        ),
        (
            "PutUserPermissionsBoundary",
            OWN_USER,
            vec![user("own"), ("PermissionsBoundary", ADMIN_POLICY)],
            vec![user("other"), ("PermissionsBoundary", ADMIN_POLICY)],
        ),
        (
            "DeleteRolePermissionsBoundary",
            OWN_ROLE,
            vec![role("own")],
            vec![role("other")],
        ),
        (
            "DeleteUserPolicy",
            OWN_USER,
            vec![user("own"), ("PolicyName", "limit")],
            vec![user("other"), ("PolicyName", "limit")],
        ),
        (
            "DetachUserPolicy",
            OWN_USER,
            vec![user("own"), ("PolicyArn", OWN_POLICY)],
            vec![user("other"), ("PolicyArn", OWN_POLICY)],
        ),
        (
            "CreateOpenIDConnectProvider",
            "arn:aws:iam::111122223333:oidc-provider/own.example",
            vec![("Url", "https://own.example")],
            vec![("Url", "https://other.example")],
        ),
        (
            "TagUser",
            OWN_USER,
            vec![
                user("own"),
                ("Tags.member.1.Key", "a"),
                ("Tags.member.1.Value", "b"),
            ],
            vec![
                user("other"),
                ("Tags.member.1.Key", "a"),
                ("Tags.member.1.Value", "b"),
            ],
        ),
    ]
}

async fn a_single_permission_reaches_nothing_but_its_own_target(house: House) {
    let trust = trust(&format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "");
    for name in ["own", "other"] {
        house.admin("CreateUser", &[("UserName", name)]).await;
        house.admin("CreateGroup", &[("GroupName", name)]).await;
        house
            .admin(
                "CreateRole",
                &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
            )
            .await;
    }
    for name in ["own", "strong"] {
        house
            .admin(
                "CreatePolicy",
                &[("PolicyName", name), ("PolicyDocument", EVERYTHING)],
            )
            .await;
    }
    let mut keys = Vec::new();
    for name in ["own", "other"] {
        let user = ("UserName", name);
        let key = house.admin("CreateAccessKey", &[user]).await;
        keys.push(key.text("AccessKey/AccessKeyId").to_owned());
        let limit = [("PolicyName", "limit"), ("PolicyDocument", EVERYTHING)];
        house
            .admin("PutUserPolicy", &[user, limit[0], limit[1]])
            .await;
        let policy = ("PolicyArn", "arn:aws:iam::111122223333:policy/own");
        house.admin("AttachUserPolicy", &[user, policy]).await;
    }
    let (attacker, _) = house.user_with("attacker", "").await;
    let id = house.iam.user(&house.account, "attacker").await.unwrap().id;
    let table = table();
    for (operation, arn, own, other) in &table {
        let policy = allow(&format!("\"iam:{operation}\""), &format!("\"{arn}\""));
        house
            .iam
            .put_inline_policy(&id, "own", &policy)
            .await
            .unwrap();
        let fill = |parameters: &[(&'static str, &'static str)]| -> Vec<(&str, String)> {
            let value = |value: &str| match value {
                "OWN" => keys[0].clone(),
                "OTHER" => keys[1].clone(),
                "TRUST" => trust.clone(),
                value => value.to_owned(),
            };
            parameters
                .iter()
                .map(|(name, text)| (*name, value(text)))
                .collect()
        };
        let (own, other) = (fill(own), fill(other));
        let borrow = |parameters: &'_ [(&'static str, String)]| -> Vec<(&'static str, String)> {
            parameters.to_vec()
        };
        for (parameters, may) in [(borrow(&other), false), (borrow(&own), true)] {
            let parameters: Vec<(&str, &str)> = parameters
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let found = house.call(&attacker, operation, &parameters).await;
            match found {
                Ok(_) => assert!(may, "{operation} {parameters:?}"),
                Err(fault) => {
                    assert!(!may, "{operation} {parameters:?}: {fault}");
                    assert_eq!(fault.code, "AccessDeniedException", "{operation}");
                    let start = format!(
                        "User: arn:aws:iam::111122223333:user/build/attacker is not authorized to perform: \
                         iam:{operation} on resource: "
                    );
                    assert!(fault.message.starts_with(&start), "{}", fault.message);
                    let end = format!(
                        "because no identity-based policy allows the iam:{operation} action"
                    );
                    assert!(fault.message.ends_with(&end), "{}", fault.message);
                }
            }
        }
        // What was held before gives nothing now, and nothing that was reached helps the attacker himself.
        for (others, _, _, parameters) in table.iter().filter(|(other, ..)| other != operation) {
            let parameters = fill(parameters);
            let parameters: Vec<(&str, &str)> = parameters
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let fault = house.call(&attacker, others, &parameters).await;
            assert_eq!(
                fault.unwrap_err().code,
                "AccessDeniedException",
                "{operation}, then {others}"
            );
        }
    }
}

/// A policy with one condition.
fn allow_if(action: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{action},"Resource":"*",
        "Condition":{{{condition}}}}}]}}"#
    )
}

async fn each_question_carries_its_condition_keys(house: House) {
    const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let trust = trust(&format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "");
    for (name, team) in [("red", "Red"), ("blue", "Blue")] {
        let tags = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", team)];
        house
            .admin("CreateUser", &[("UserName", name), tags[0], tags[1]])
            .await;
        let role = [("RoleName", name), ("AssumeRolePolicyDocument", &trust)];
        house
            .admin("CreateRole", &[role[0], role[1], tags[0], tags[1]])
            .await;
    }
    house
        .admin(
            "PutUserPermissionsBoundary",
            &[("UserName", "red"), ("PermissionsBoundary", READ_ONLY)],
        )
        .await;
    let (caller, _) = house.user_with("caller", "").await;
    let id = house.iam.user(&house.account, "caller").await.unwrap().id;
    let red = ("UserName", "red");
    let blue = ("UserName", "blue");
    let policy = |arn| ("PolicyArn", arn);
    let tag = |key, value| [("Tags.member.1.Key", key), ("Tags.member.1.Value", value)];
    let bounded = format!(r#""StringEquals":{{"iam:PermissionsBoundary":"{READ_ONLY}"}}"#);
    let only = format!(r#""ArnEquals":{{"iam:PolicyARN":"{READ_ONLY}"}}"#);
    let tags = |of: &[(&'static str, &'static str)], more: [(&'static str, &'static str); 2]| {
        of.iter().copied().chain(more).collect::<Vec<_>>()
    };
    let document = [("PolicyName", "x"), ("PolicyDocument", EVERYTHING)];
    let rows: Vec<(&str, &str, Parameters<'_>, Parameters<'_>)> = vec![
        (
            "AttachUserPolicy",
            &only,
            vec![blue, policy(READ_ONLY)],
            vec![blue, policy(ADMIN_POLICY)],
        ),
        (
            "DetachUserPolicy",
            &only,
            vec![blue, policy(READ_ONLY)],
            vec![blue, policy(ADMIN_POLICY)],
        ),
        (
            "AttachRolePolicy",
            &only,
            vec![("RoleName", "red"), policy(READ_ONLY)],
            vec![("RoleName", "red"), policy(ADMIN_POLICY)],
        ),
        // Of an entity that has a boundary, it is a key of what is done to its policies.
        (
            "PutUserPolicy",
            &bounded,
            vec![red, document[0], document[1]],
            vec![blue, document[0], document[1]],
        ),
        (
            "DeleteUserPolicy",
            &bounded,
            vec![red, document[0]],
            vec![blue, document[0]],
        ),
        (
            "AttachUserPolicy",
            &bounded,
            vec![red, policy(ADMIN_POLICY)],
            vec![blue, policy(ADMIN_POLICY)],
        ),
        (
            "DetachUserPolicy",
            &bounded,
            vec![red, policy(ADMIN_POLICY)],
            vec![blue, policy(ADMIN_POLICY)],
        ),
        // And it is one of making and bounding.
        (
            "CreateUser",
            &bounded,
            vec![("UserName", "new"), ("PermissionsBoundary", READ_ONLY)],
            vec![("UserName", "new2")],
        ),
        (
            "CreateUser",
            &bounded,
            vec![("UserName", "new3"), ("PermissionsBoundary", READ_ONLY)],
            vec![("UserName", "new2"), ("PermissionsBoundary", ADMIN_POLICY)],
        ),
        (
            "CreateRole",
            &bounded,
            vec![
                ("RoleName", "new"),
                ("AssumeRolePolicyDocument", &trust),
                ("PermissionsBoundary", READ_ONLY),
            ],
            vec![("RoleName", "new2"), ("AssumeRolePolicyDocument", &trust)],
        ),
        (
            "PutUserPermissionsBoundary",
            &bounded,
            vec![blue, ("PermissionsBoundary", READ_ONLY)],
            vec![red, ("PermissionsBoundary", ADMIN_POLICY)],
        ),
        (
            "DeleteUserPermissionsBoundary",
            &bounded,
            vec![blue],
            vec![blue],
        ),
        // Tags of the target, by either name.
        (
            "GetUser",
            r#""StringEquals":{"aws:ResourceTag/team":"Red"}"#,
            vec![red],
            vec![blue],
        ),
        (
            "GetUser",
            r#""StringEquals":{"iam:ResourceTag/Team":"Red"}"#,
            vec![red],
            vec![blue],
        ),
        (
            "GetRole",
            r#""StringEquals":{"iam:ResourceTag/team":"Blue"}"#,
            vec![("RoleName", "blue")],
            vec![("RoleName", "red")],
        ),
        (
            "CreateAccessKey",
            r#""StringEquals":{"aws:ResourceTag/Team":"Red"}"#,
            vec![red],
            vec![blue],
        ),
        // Tags that are passed.
        (
            "TagUser",
            r#""StringEquals":{"aws:RequestTag/Cost":"1"}"#,
            tags(&[red], tag("Cost", "1")),
            tags(&[red], tag("Cost", "2")),
        ),
        (
            "TagRole",
            r#""ForAllValues:StringEquals":{"aws:TagKeys":["Cost"]}"#,
            tags(&[("RoleName", "red")], tag("Cost", "1")),
            tags(&[("RoleName", "red")], tag("Team", "1")),
        ),
        (
            "UntagUser",
            r#""ForAllValues:StringEquals":{"aws:TagKeys":["Cost"]}"#,
            vec![red, ("TagKeys.member.1", "Cost")],
            vec![red, ("TagKeys.member.1", "Team")],
        ),
    ];
    for (at, (operation, condition, good, bad)) in rows.iter().enumerate() {
        let text = allow_if(&format!("\"iam:{operation}\""), condition);
        house
            .iam
            .put_inline_policy(&id, "own", &text)
            .await
            .unwrap();
        let fault = house.call(&caller, operation, bad).await;
        if *operation == "DeleteUserPermissionsBoundary" {
            // Once it was taken away there is none, and the same call is refused.
            fault.unwrap();
            let again = house.call(&caller, operation, good).await;
            assert_eq!(
                again.unwrap_err().code,
                "AccessDeniedException",
                "{at} {operation}"
            );
            continue;
        }
        assert_eq!(
            fault.unwrap_err().code,
            "AccessDeniedException",
            "{at} {operation}"
        );
        if let Err(fault) = house.call(&caller, operation, good).await {
            assert_ne!(fault.code, "AccessDeniedException", "{at} {operation}");
        }
    }
}

async fn nobody_learns_of_what_he_may_not_see(house: House) {
    house
        .admin("CreateUser", &[("UserName", "there"), ("Path", "/x/")])
        .await;
    let (nobody, _) = house.user_with("nobody", "").await;
    for (operation, parameter) in [
        ("GetUser", "UserName"),
        ("DeleteUser", "UserName"),
        ("ListAccessKeys", "UserName"),
        ("ListAttachedUserPolicies", "UserName"),
        ("GetRole", "RoleName"),
        ("GetGroup", "GroupName"),
        ("GetInstanceProfile", "InstanceProfileName"),
    ] {
        let mut texts = Vec::new();
        for name in ["there", "gone", "THERE"] {
            let fault = house
                .call(&nobody, operation, &[(parameter, name)])
                .await
                .unwrap_err();
            assert_eq!(fault.code, "AccessDeniedException", "{operation}");
            texts.push(fault.message.replace(name, "NAME"));
        }
        assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
        assert!(texts[0].contains(" NAME because "), "{}", texts[0]);
    }
    let id = house.keys.admin.access_key_id.as_str();
    for (key, resource) in [(id, "user/admin"), ("AKIAVECTORUSER000001", "*")] {
        let fault = house
            .call(&nobody, "GetAccessKeyLastUsed", &[("AccessKeyId", key)])
            .await
            .unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException", "{resource}");
    }
}

async fn tags_are_a_permission_of_their_own(house: House) {
    let (caller, _) = house
        .user_with("caller", &allow("\"iam:CreateUser\"", "\"*\""))
        .await;
    house
        .call(&caller, "CreateUser", &[("UserName", "plain")])
        .await
        .unwrap();
    let tagged = [
        ("UserName", "tagged"),
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "b"),
    ];
    let fault = house
        .call(&caller, "CreateUser", &tagged)
        .await
        .unwrap_err();
    assert!(
        fault.message.starts_with(
            "User: arn:aws:iam::111122223333:user/build/caller is not authorized to perform: iam:TagUser on resource: \
             arn:aws:iam::111122223333:user/tagged "
        ),
        "{}",
        fault.message
    );
    assert!(house.iam.user(&house.account, "tagged").await.is_err());
}

async fn renaming_needs_permission_for_both_names(house: House) {
    let own = allow(
        "\"iam:Update*\"",
        r#"["arn:aws:iam::111122223333:user/a/*","arn:aws:iam::111122223333:group/a/*"]"#,
    );
    let (caller, _) = house.user_with("caller", &own).await;
    house
        .admin("CreateUser", &[("UserName", "x"), ("Path", "/a/")])
        .await;
    house
        .admin("CreateGroup", &[("GroupName", "x"), ("Path", "/a/")])
        .await;
    for (operation, name, new_name) in [
        ("UpdateUser", "UserName", "NewUserName"),
        ("UpdateGroup", "GroupName", "NewGroupName"),
    ] {
        let x = (name, "x");
        house
            .call(&caller, operation, &[x, (new_name, "X")])
            .await
            .unwrap();
        house
            .call(&caller, operation, &[x, ("NewPath", "/a/b/")])
            .await
            .unwrap();
        let fault = house
            .call(&caller, operation, &[x, ("NewPath", "/b/")])
            .await
            .unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException");
    }
}

async fn passing_a_role_is_a_permission_of_its_own(house: House) {
    let trust = trust(r#"{"Service":"ec2.amazonaws.com"}"#, "");
    for role in ["weak", "strong"] {
        house
            .admin(
                "CreateRole",
                &[("RoleName", role), ("AssumeRolePolicyDocument", &trust)],
            )
            .await;
    }
    house
        .admin("CreateInstanceProfile", &[("InstanceProfileName", "p")])
        .await;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"*"},
        {"Effect":"Allow","Action":"iam:PassRole","Resource":"arn:aws:iam::111122223333:role/weak",
         "Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}]}"#;
    let (caller, _) = house.user_with("caller", policy).await;
    let add = |role| [("InstanceProfileName", "p"), ("RoleName", role)];
    for role in ["strong", "gone"] {
        let fault = house
            .call(&caller, "AddRoleToInstanceProfile", &add(role))
            .await
            .unwrap_err();
        assert_eq!(
            fault.message,
            format!(
                "User: arn:aws:iam::111122223333:user/build/caller is not authorized to perform: iam:PassRole on resource: \
                 arn:aws:iam::111122223333:role/{role} because no identity-based policy allows the iam:PassRole action"
            )
        );
    }
    house
        .call(&caller, "AddRoleToInstanceProfile", &add("weak"))
        .await
        .unwrap();
}

async fn boundaries_hold_for_whoever_is_within(house: House) {
    let (caller, _) = house.user_with("caller", EVERYTHING).await;
    house
        .call(&caller, "CreateGroup", &[("GroupName", "a")])
        .await
        .unwrap();
    house
        .admin(
            "PutUserPermissionsBoundary",
            &[
                ("UserName", "caller"),
                (
                    "PermissionsBoundary",
                    "arn:aws:iam::aws:policy/IAMReadOnlyAccess",
                ),
            ],
        )
        .await;
    house.call(&caller, "ListGroups", &[]).await.unwrap();
    let fault = house
        .call(&caller, "CreateGroup", &[("GroupName", "b")])
        .await
        .unwrap_err();
    assert!(
        fault
            .message
            .ends_with("because no permissions boundary allows the iam:CreateGroup action"),
        "{}",
        fault.message
    );
    // Not even his own boundary can he lift.
    let own = [("UserName", "caller")];
    assert!(
        house
            .call(&caller, "DeleteUserPermissionsBoundary", &own)
            .await
            .is_err()
    );
}
