//! Every operation of IAM and STS in `vectors/identity-wire.json`: the body that an SDK sends is accepted, and the answer
//! has the elements that the SDK's parser reads, nested as in the sample.

use aws::percent::encode;
use aws::sigv4::Credentials;
use iam::Caller;
use serde::Deserialize;
use serde_json::json;

use crate::calls::{Element, allow};
use crate::house::{ACCOUNT, House, NOW};
use crate::issuer::Key;

on_each_database! {
    every_sample_is_accepted_and_answered_in_its_shape,
    every_operation_of_the_specification_is_in_the_table,
}

#[derive(Deserialize)]
struct Vectors {
    operations: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    service: String,
    operation: String,
    request_body: String,
    response: String,
}

fn samples() -> Vec<Sample> {
    let vectors: Vectors =
        serde_json::from_str(include_str!("../vectors/identity-wire.json")).unwrap();
    assert_eq!(vectors.operations.len(), 100);
    // The others come with machines.
    let here = |sample: &Sample| sample.service != "ec2";
    let samples: Vec<Sample> = vectors.operations.into_iter().filter(here).collect();
    assert_eq!(samples.len(), 95);
    samples
}

const CONSUMER: &str = "arn:aws:iam::111122223333:policy/codeartifact-consumer";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess";
const MACHINE_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// The world that the samples were taken from: user `ci`, group `devs`, role `ec2-ca` and so on, each only if the sample
/// needs it.
struct World<'a> {
    house: &'a House,
    /// The key of `ci`.
    key: Option<Credentials>,
    /// For the role `gha`.
    token: Option<String>,
}

impl World<'_> {
    async fn make(&mut self, things: &[&str]) {
        for thing in things {
            self.make_one(thing).await;
        }
    }

    async fn make_one(&mut self, thing: &str) {
        let house = self.house;
        let document = &allow("\"codeartifact:ReadFromRepository\"", "\"*\"");
        match thing {
            "user" => drop(
                house
                    .admin("CreateUser", &[("UserName", "ci"), ("Path", "/build/")])
                    .await,
            ),
            "more users" => {
                for name in ["ci-b", "ci-c"] {
                    house
                        .admin("CreateUser", &[("UserName", name), ("Path", "/build/")])
                        .await;
                }
            }
            "key" => {
                let answer = house.admin("CreateAccessKey", &[("UserName", "ci")]).await;
                let key = Credentials {
                    access_key_id: answer.text("AccessKey/AccessKeyId").parse().unwrap(),
                    secret_access_key: answer.text("AccessKey/SecretAccessKey").into(),
                    session_token: None,
                };
                house.signed_in(&key).await;
                self.key = Some(key);
            }
            "group" => drop(house.admin("CreateGroup", &[("GroupName", "devs")]).await),
            "member" => drop(
                house
                    .admin(
                        "AddUserToGroup",
                        &[("GroupName", "devs"), ("UserName", "ci")],
                    )
                    .await,
            ),
            "policy" => drop(
                house
                    .admin(
                        "CreatePolicy",
                        &[
                            ("PolicyName", "codeartifact-consumer"),
                            ("Description", "read & get"),
                            ("PolicyDocument", document),
                        ],
                    )
                    .await,
            ),
            "version" => drop(
                house
                    .admin(
                        "CreatePolicyVersion",
                        &[("PolicyArn", CONSUMER), ("PolicyDocument", document)],
                    )
                    .await,
            ),
            "role" => drop(
                house
                    .admin(
                        "CreateRole",
                        &[
                            ("RoleName", "ec2-ca"),
                            ("Description", "EC2 build machine"),
                            ("AssumeRolePolicyDocument", MACHINE_TRUST),
                        ],
                    )
                    .await,
            ),
            "profile" => drop(
                house
                    .admin(
                        "CreateInstanceProfile",
                        &[("InstanceProfileName", "ec2-ca")],
                    )
                    .await,
            ),
            "profile role" => drop(
                house
                    .admin(
                        "AddRoleToInstanceProfile",
                        &[("InstanceProfileName", "ec2-ca"), ("RoleName", "ec2-ca")],
                    )
                    .await,
            ),
            "provider" => drop(
                house
                    .admin(
                        "CreateOpenIDConnectProvider",
                        &[
                            ("Url", "https://token.actions.githubusercontent.com"),
                            ("ClientIDList.member.1", "sts.amazonaws.com"),
                        ],
                    )
                    .await,
            ),
            "github" => self.make_github_role().await,
            "target" => drop(
                house
                    .role_for("target", &format!(r#"{{"AWS":"{ACCOUNT}"}}"#), "")
                    .await,
            ),
            "alias" => drop(
                house
                    .admin("CreateAccountAlias", &[("AccountAlias", "packhouse-lab")])
                    .await,
            ),
            thing => self.give(thing, document).await,
        }
    }

    /// A role for one repository of the issuer, which signs a token.
    async fn make_github_role(&mut self) {
        let (host, house) = ("token.actions.githubusercontent.com", self.house);
        let (subject, issuer) = (
            "repo:octo-org/octo-repo:ref:refs/heads/main",
            format!("https://{host}"),
        );
        let trust = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")},
            "Condition": {"StringEquals": {format!("{host}:sub"): subject}},
        }})
        .to_string();
        let role = [("RoleName", "gha"), ("AssumeRolePolicyDocument", &trust)];
        house.admin("CreateRole", &role).await;
        let (key, jwks) = (Key::ec("k", "ES256"), format!("{issuer}/keys"));
        let discovery = json!({"issuer": issuer, "jwks_uri": jwks});
        let address = format!("{issuer}/.well-known/openid-configuration");
        house.issuers.put_json(&address, &discovery);
        let keys = json!({"keys": [key.public()]});
        house.issuers.put_json(&jwks, &keys);
        self.token = Some(key.sign(&json!({
            "iss": issuer, "sub": subject, "aud": "sts.amazonaws.com", "exp": NOW.seconds() + 60,
        })));
    }

    /// What users, groups and roles can be given: `tags of user`, `attached to role`, ….
    async fn give(&self, thing: &str, document: &str) {
        let (what, whom) = thing.split_once(" of ").unwrap();
        let (noun, parameter, name) = match whom {
            "user" => ("User", "UserName", "ci"),
            "group" => ("Group", "GroupName", "devs"),
            "role" => ("Role", "RoleName", "ec2-ca"),
            "policy" => ("Policy", "PolicyArn", CONSUMER),
            other => panic!("{other}"),
        };
        let (operation, more): (String, Vec<(&str, &str)>) = match what {
            "tags" => (
                format!("Tag{noun}"),
                vec![
                    ("Tags.member.1.Key", "team"),
                    ("Tags.member.1.Value", "build"),
                ],
            ),
            "attached" => (format!("Attach{noun}Policy"), vec![("PolicyArn", CONSUMER)]),
            "aws" => (
                format!("Attach{noun}Policy"),
                vec![("PolicyArn", READ_ONLY)],
            ),
            "inline" => (
                format!("Put{noun}Policy"),
                vec![("PolicyName", "inline"), ("PolicyDocument", document)],
            ),
            other => panic!("{other}"),
        };
        let mut parameters = vec![(parameter, name)];
        parameters.extend(more);
        self.house.admin(&operation, &parameters).await;
    }
}

/// What must be there before a sample is sent.
fn needs(operation: &str) -> &'static [&'static str] {
    match operation {
        "GetUser"
        | "UpdateUser"
        | "DeleteUser"
        | "TagUser"
        | "UntagUser"
        | "CreateAccessKey"
        | "PutUserPolicy"
        | "DeleteUserPermissionsBoundary" => &["user"],
        "ListUserTags" => &["user", "tags of user"],
        "ListUsers" => &["user", "more users"],
        "ListAccessKeys"
        | "UpdateAccessKey"
        | "DeleteAccessKey"
        | "GetAccessKeyLastUsed"
        | "GetAccessKeyInfo"
        | "GetSessionToken" => &["user", "key"],
        "ListGroups" | "UpdateGroup" | "DeleteGroup" | "PutGroupPolicy" => &["group"],
        "AddUserToGroup" => &["user", "group"],
        "GetGroup" | "RemoveUserFromGroup" | "ListGroupsForUser" => &["user", "group", "member"],
        "GetPolicy" | "ListPolicyTags" => &["policy", "tags of policy"],
        "DeletePolicy"
        | "CreatePolicyVersion"
        | "GetPolicyVersion"
        | "ListPolicyVersions"
        | "SetDefaultPolicyVersion"
        | "TagPolicy"
        | "UntagPolicy" => &["policy"],
        "DeletePolicyVersion" => &["policy", "version"],
        "ListPolicies"
        | "ListEntitiesForPolicy"
        | "DetachRolePolicy"
        | "ListAttachedRolePolicies"
        | "SimulatePrincipalPolicy" => &["policy", "role", "attached of role"],
        "AttachUserPolicy" | "PutUserPermissionsBoundary" => &["user", "policy"],
        "DetachUserPolicy" | "ListAttachedUserPolicies" => &["user", "policy", "attached of user"],
        "GetUserPolicy" | "DeleteUserPolicy" | "ListUserPolicies" => &["user", "inline of user"],
        "AttachGroupPolicy" => &["group", "policy"],
        "DetachGroupPolicy" | "ListAttachedGroupPolicies" => {
            &["group", "policy", "attached of group"]
        }
        "GetGroupPolicy" | "DeleteGroupPolicy" | "ListGroupPolicies" => {
            &["group", "inline of group"]
        }
        "AttachRolePolicy" | "PutRolePermissionsBoundary" => &["role", "policy"],
        "PutRolePolicy"
        | "GetRole"
        | "ListRoles"
        | "UpdateRole"
        | "UpdateAssumeRolePolicy"
        | "DeleteRole"
        | "TagRole"
        | "UntagRole"
        | "DeleteRolePermissionsBoundary" => &["role"],
        "GetRolePolicy" | "DeleteRolePolicy" | "ListRolePolicies" => &["role", "inline of role"],
        "ListRoleTags" => &["role", "tags of role"],
        "GetContextKeysForPrincipalPolicy" => &["role", "aws of role"],
        "DeleteInstanceProfile" => &["profile"],
        "AddRoleToInstanceProfile" => &["role", "profile"],
        "GetInstanceProfile"
        | "ListInstanceProfiles"
        | "ListInstanceProfilesForRole"
        | "RemoveRoleFromInstanceProfile" => &["role", "profile", "profile role"],
        "GetOpenIDConnectProvider"
        | "ListOpenIDConnectProviders"
        | "AddClientIDToOpenIDConnectProvider"
        | "RemoveClientIDFromOpenIDConnectProvider"
        | "UpdateOpenIDConnectProviderThumbprint"
        | "DeleteOpenIDConnectProvider" => &["provider"],
        "ListAccountAliases" | "DeleteAccountAlias" => &["alias"],
        "AssumeRole" => &["target"],
        "AssumeRoleWithWebIdentity" => &["provider", "github"],
        _ => &[],
    }
}

/// Who sends a sample: somebody who may, and who is what the sample's answer says.
async fn caller(world: &World<'_>, operation: &str) -> Caller {
    let house = world.house;
    match operation {
        // Without a name it means the caller.
        "GetUser" => {
            let user = house.iam.user(&house.account, "ci").await.unwrap();
            let keys = house
                .iam
                .create_access_key(&house.account, Some(&user.id))
                .await
                .unwrap();
            house
                .iam
                .attach_policy(&user.id, "arn:aws:iam::aws:policy/IAMFullAccess")
                .await
                .unwrap();
            house.signed_in(&keys).await
        }
        _ => house.signed_in(&house.keys.admin).await,
    }
}

/// What counts of an answer: names and nesting. Of lists, what one entry looks like; how many there are, and whether a list
/// of plain values is empty, is the sample's own.
pub(crate) fn shape(element: &Element) -> String {
    let mut parts: Vec<String> = Vec::new();
    for child in &element.children {
        let entry = ["member", "entry"].contains(&child.name.as_str());
        if entry && child.children.is_empty() {
            continue;
        }
        let part = shape(child);
        if !(entry && parts.contains(&part)) {
            parts.push(part);
        }
    }
    if parts.is_empty() {
        element.name.clone()
    } else {
        format!("{}({})", element.name, parts.join(" "))
    }
}

async fn every_sample_is_accepted_and_answered_in_its_shape(house: House) {
    let mut wrong = Vec::new();
    for sample in samples() {
        let operation = sample.operation.as_str();
        let mut world = World {
            house: &house,
            key: None,
            token: None,
        };
        world.make(needs(operation)).await;
        let caller = caller(&world, operation).await;
        let body = match &world.key {
            Some(key) => sample
                .request_body
                .replace("AKIAVECTORUSER000001", key.access_key_id.as_str()),
            None => sample.request_body.clone(),
        };
        let body = match &world.token {
            Some(token) => body.replace("eyJhbGciOiJSUzI1NiJ9.e30.c2ln", token),
            None => body,
        };
        let form = aws::query::Form::parse(body.as_bytes()).unwrap();
        match house.iam.call(&caller, &form, "id").await {
            Ok(answer) => {
                let text = std::str::from_utf8(answer.body()).unwrap();
                let (found, expected) = (
                    shape(&Element::parse(text)),
                    shape(&Element::parse(&sample.response)),
                );
                if found != expected {
                    wrong.push(format!("{operation}:\n  {found}\n  {expected}"));
                }
                let root = |xml: &str| xml[..=xml.find('>').unwrap()].to_owned();
                assert_eq!(root(text), root(&sample.response));
            }
            Err(fault) => wrong.push(format!("{operation}: {fault}")),
        }
        empty(&house).await;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Takes the whole world away again, so that the next sample finds nothing but what it needs.
async fn empty(house: &House) {
    for table in [
        "DELETE FROM principal_tags",
        "DELETE FROM inline_policies",
        "DELETE FROM attachments WHERE policy_arn <> 'arn:aws:iam::aws:policy/AdministratorAccess'",
        "DELETE FROM policy_versions",
        "DELETE FROM policies",
        "DELETE FROM instance_profile_roles",
        "DELETE FROM instance_profiles",
        "DELETE FROM oidc_providers",
        "DELETE FROM roles",
        "DELETE FROM group_members",
        "DELETE FROM groups",
        "DELETE FROM access_keys WHERE user_id IN (SELECT id FROM users WHERE name_key <> 'admin')",
        "DELETE FROM users WHERE name_key <> 'admin'",
        "UPDATE accounts SET alias = NULL",
    ] {
        let deleted = house.database.write(move |tx| {
            tx.touch("iam");
            tx.execute(table, &[])
        });
        let deleted: Result<u64, store::Error> = deleted.await;
        deleted.unwrap();
    }
}

/// The operations of `identity.md` 2.4 and 3.2, each by a call that names nothing: it is refused for what it lacks, never
/// as unknown.
async fn every_operation_of_the_specification_is_in_the_table(house: House) {
    let admin = house.signed_in(&house.keys.admin).await;
    let mut names: Vec<String> = samples()
        .into_iter()
        .map(|sample| format!("{} {}", sample.service, sample.operation))
        .collect();
    for more in [
        "UpdateRoleDescription",
        "GetAccountAuthorizationDetails",
        "TagInstanceProfile",
        "UntagInstanceProfile",
        "ListInstanceProfileTags",
        "TagOpenIDConnectProvider",
        "UntagOpenIDConnectProvider",
        "ListOpenIDConnectProviderTags",
        "ListMFADevices",
        "ListVirtualMFADevices",
        "ListSSHPublicKeys",
        "ListSigningCertificates",
        "ListServiceSpecificCredentials",
        "ListServerCertificates",
        "ListSAMLProviders",
        "GetLoginProfile",
        "DeleteLoginProfile",
        "GetAccountPasswordPolicy",
    ] {
        names.push(format!("iam {more}"));
    }
    assert_eq!(iam::api::OPERATIONS.len(), names.len());
    for name in &names {
        let (service, operation) = name.split_once(' ').unwrap();
        let version = if service == "iam" {
            "2010-05-08"
        } else {
            "2011-06-15"
        };
        let body = format!("Action={operation}&Version={version}");
        if let Err(fault) = house.send(&admin, &body).await {
            assert_ne!(fault.code, "InvalidAction", "{name}");
            assert!(fault.status.is_client_error(), "{name}: {fault}");
        }
    }
    for absent in [
        "DecodeAuthorizationMessage",
        "GetFederationToken",
        "AssumeRoleWithSAML",
        "AssumeRoot",
        "GetWebIdentityToken",
    ] {
        let body = format!("Action={absent}&Version=2011-06-15");
        let fault = house.send(&admin, &body).await.unwrap_err();
        assert_eq!(fault.code, "InvalidAction", "{absent}");
    }
    let body = format!(
        "Action=CreateLoginProfile&Version=2010-05-08&UserName={}",
        encode("ci")
    );
    assert_eq!(
        house.send(&admin, &body).await.unwrap_err().message,
        "Could not find operation CreateLoginProfile for version 2010-05-08"
    );
}
