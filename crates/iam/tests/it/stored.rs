//! Policies on their way through the operations that store them: every document of
//! `vectors/identity-validation-vectors.json` once more, and what comes back.

use aws::percent::decode;
use serde::Deserialize;

use crate::calls::{credentials, trust};
use crate::house::{ACCOUNT, House};

on_each_database! {
    every_document_is_stored_or_refused_by_the_operation_that_takes_it,
    documents_come_back_as_they_were_sent,
    trust_follows_a_user_and_not_its_name,
}

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    document: String,
    expect: Expected,
}

#[derive(Deserialize)]
struct Expected {
    result: String,
    code: Option<String>,
    http_status: Option<u16>,
    message: Option<String>,
    #[serde(default)]
    message_exact: bool,
}

async fn every_document_is_stored_or_refused_by_the_operation_that_takes_it(house: House) {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/identity-validation-vectors.json")).unwrap();
    house
        .admin(
            "CreateOpenIDConnectProvider",
            &[("Url", "https://token.actions.githubusercontent.com")],
        )
        .await;
    let arn = house
        .role_for("target", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "")
        .await;
    let admin = house.signed_in(&house.keys.admin).await;
    let mut count = 0;
    for Case {
        id,
        kind,
        document,
        expect,
    } in &vectors.cases
    {
        // The name in the expected texts is that of the vectors' role.
        let (operation, parameters): (&str, Vec<(&str, &str)>) = match kind.as_str() {
            "managed" => (
                "CreatePolicy",
                vec![("PolicyName", id), ("PolicyDocument", document)],
            ),
            "inline" => {
                let fresh = trust(&format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "");
                let role = [("RoleName", "r"), ("AssumeRolePolicyDocument", &fresh)];
                house.admin("CreateRole", &role).await;
                (
                    "PutRolePolicy",
                    vec![
                        ("RoleName", "r"),
                        ("PolicyName", "p"),
                        ("PolicyDocument", document),
                    ],
                )
            }
            "trust" => (
                "CreateRole",
                vec![("RoleName", id), ("AssumeRolePolicyDocument", document)],
            ),
            "session" => (
                "AssumeRole",
                vec![
                    ("RoleArn", &arn),
                    ("RoleSessionName", "s1"),
                    ("Policy", document),
                ],
            ),
            _ => continue,
        };
        count += 1;
        let found = house.call(&admin, operation, &parameters).await;
        match (&found, expect.result.as_str()) {
            (Ok(_), "ok") => {}
            (Err(fault), "error") => {
                let text = expect.message.as_deref().unwrap_or_default();
                // An empty document breaks the parameter's own rule first.
                if document.is_empty() {
                    assert_eq!(fault.status.as_u16(), 400, "{id}");
                    continue;
                }
                assert_eq!(
                    Some(fault.code.as_ref()),
                    expect.code.as_deref(),
                    "{id}: {fault}"
                );
                assert_eq!(Some(fault.status.as_u16()), expect.http_status, "{id}");
                let same = if expect.message_exact {
                    fault.message == text
                } else {
                    fault.message.starts_with(text)
                };
                assert!(same, "{id}: {} / {text}", fault.message);
            }
            _ => panic!("{id}: {found:?}, expected {}", expect.result),
        }
        if kind == "inline" {
            if found.is_ok() {
                let policy = [("RoleName", "r"), ("PolicyName", "p")];
                house.admin("DeleteRolePolicy", &policy).await;
            }
            house.admin("DeleteRole", &[("RoleName", "r")]).await;
        }
    }
    assert!(count > 80, "{count}");
}

async fn documents_come_back_as_they_were_sent(house: House) {
    let odd = "{ \"Version\": \"2012-10-17\",\n\t\"Statement\": {\"Effect\":\"Allow\",\"Action\":\"s3:*\",\
               \"Resource\":\"arn:aws:s3:::a+b/ü %*\"} }";
    let shown = |encoded: &str| {
        assert!(!encoded.contains(['+', ' ', '*']), "{encoded}");
        decode(encoded, false).unwrap()
    };
    house.admin("CreateUser", &[("UserName", "alice")]).await;
    house
        .admin(
            "PutUserPolicy",
            &[
                ("UserName", "alice"),
                ("PolicyName", "odd"),
                ("PolicyDocument", odd),
            ],
        )
        .await;
    let policy = house
        .admin(
            "GetUserPolicy",
            &[("UserName", "alice"), ("PolicyName", "odd")],
        )
        .await;
    assert_eq!(shown(policy.text("PolicyDocument")), odd);
    house
        .admin(
            "CreatePolicy",
            &[("PolicyName", "odd"), ("PolicyDocument", odd)],
        )
        .await;
    let version = house
        .admin(
            "GetPolicyVersion",
            &[
                ("PolicyArn", "arn:aws:iam::111122223333:policy/odd"),
                ("VersionId", "v1"),
            ],
        )
        .await;
    assert_eq!(shown(version.text("PolicyVersion/Document")), odd);
    let text = trust(
        r#"{"AWS":["arn:aws:iam::111122223333:user/alice","111122223333"]}"#,
        "",
    );
    let role = house
        .role_for(
            "r",
            r#"{"AWS":["arn:aws:iam::111122223333:user/alice","111122223333"]}"#,
            "",
        )
        .await;
    let read = house.admin("GetRole", &[("RoleName", "r")]).await;
    assert_eq!(read.text("Role/Arn"), role);
    assert_eq!(shown(read.text("Role/AssumeRolePolicyDocument")), text);
    let details = house
        .admin(
            "GetAccountAuthorizationDetails",
            &[("Filter.member.1", "Role")],
        )
        .await;
    assert_eq!(
        shown(details.texts("RoleDetailList", "AssumeRolePolicyDocument")[0]),
        text
    );
}

async fn trust_follows_a_user_and_not_its_name(house: House) {
    let (alice, keys) = house.user_with("alice", "").await;
    let arn = house
        .role_for(
            "r",
            r#"{"AWS":"arn:aws:iam::111122223333:user/build/alice"}"#,
            "",
        )
        .await;
    let take = [("RoleArn", arn.as_str()), ("RoleSessionName", "s1")];
    let taken = house.call(&alice, "AssumeRole", &take).await.unwrap();
    let session = house.signed_in(&credentials(&taken)).await;
    // Renamed and moved, she is still trusted, under her new name.
    house
        .admin(
            "UpdateUser",
            &[
                ("UserName", "alice"),
                ("NewUserName", "bob"),
                ("NewPath", "/"),
            ],
        )
        .await;
    let bob = house.signed_in(&keys).await;
    house.call(&bob, "AssumeRole", &take).await.unwrap();
    let shown = |role: &crate::calls::Element| {
        decode(role.text("Role/AssumeRolePolicyDocument"), false).unwrap()
    };
    let role = house.admin("GetRole", &[("RoleName", "r")]).await;
    assert!(shown(&role).contains("user/bob"));
    // Another one of the old name is somebody else, and so is one of the new name.
    let (stranger, _) = house.user_with("alice", "").await;
    let fault = house
        .call(&stranger, "AssumeRole", &take)
        .await
        .unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
    let key = keys.access_key_id.as_str();
    house
        .admin(
            "DeleteAccessKey",
            &[("UserName", "bob"), ("AccessKeyId", key)],
        )
        .await;
    house.admin("DeleteUser", &[("UserName", "bob")]).await;
    let role = house.admin("GetRole", &[("RoleName", "r")]).await;
    assert!(shown(&role).contains("\"AIDA"), "{}", shown(&role));
    let again = house
        .iam
        .create_user(&house.account, "/", "bob")
        .await
        .unwrap();
    let again = house
        .iam
        .create_access_key(&house.account, Some(&again.id))
        .await
        .unwrap();
    let again = house.signed_in(&again).await;
    let fault = house.call(&again, "AssumeRole", &take).await.unwrap_err();
    assert_eq!(fault.code, "AccessDeniedException");
    // What she had taken before died with her key.
    assert!(house.call(&session, "ListUsers", &[]).await.is_err());
    // A trust policy that names somebody who is gone cannot be stored again.
    let gone = shown(&role);
    let refused = house
        .refused(
            "UpdateAssumeRolePolicy",
            &[("RoleName", "r"), ("PolicyDocument", &gone)],
        )
        .await;
    assert!(
        refused
            .starts_with("400 MalformedPolicyDocument Invalid principal in policy: \"AWS\":\"AIDA"),
        "{refused}"
    );
}
