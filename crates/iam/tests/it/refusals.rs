//! What IAM says when it will not: codes, statuses and texts, which tools match on.

use crate::house::House;

on_each_database! {
    things_that_are_not_there_cannot_be_found,
    names_are_unique_without_case,
    what_is_still_used_is_not_deleted,
}

pub(crate) const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
pub(crate) const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
pub(crate) const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess";
pub(crate) const POLICY: &str = "arn:aws:iam::111122223333:policy/p";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/issuer.example";

/// The usual world, one of each.
pub(crate) async fn one_of_each(house: &House) {
    for (operation, parameters) in [
        ("CreateUser", &[("UserName", "Alice")][..]),
        ("CreateGroup", &[("GroupName", "Devs")]),
        (
            "CreateRole",
            &[("RoleName", "Build"), ("AssumeRolePolicyDocument", TRUST)],
        ),
        (
            "CreatePolicy",
            &[("PolicyName", "p"), ("PolicyDocument", DOCUMENT)],
        ),
        (
            "CreateInstanceProfile",
            &[("InstanceProfileName", "Machines")],
        ),
        (
            "CreateOpenIDConnectProvider",
            &[("Url", "https://issuer.example")],
        ),
        ("CreateAccountAlias", &[("AccountAlias", "lab")]),
    ] {
        house.admin(operation, parameters).await;
    }
}

pub(crate) type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

pub(crate) async fn all_refused(house: &House, rows: &[Row<'_>]) {
    for (operation, parameters, expected) in rows {
        let found = house.refused(operation, parameters).await;
        assert_eq!(found, *expected, "{operation} {parameters:?}");
    }
}

async fn things_that_are_not_there_cannot_be_found(house: House) {
    one_of_each(&house).await;
    let no_user = "404 NoSuchEntity The user with name nope cannot be found.";
    let no_role = "404 NoSuchEntity The role with name nope cannot be found.";
    let no_policy = "404 NoSuchEntity Policy arn:aws:iam::111122223333:policy/nope was not found.";
    let no_arn = "arn:aws:iam::111122223333:policy/nope";
    all_refused(
        &house,
        &[
            ("GetUser", &[("UserName", "nope")], no_user),
            ("DeleteUser", &[("UserName", "nope")], no_user),
            ("ListUserTags", &[("UserName", "nope")], no_user),
            ("CreateAccessKey", &[("UserName", "nope")], no_user),
            ("AddUserToGroup", &[("GroupName", "devs"), ("UserName", "nope")], no_user),
            ("GetRole", &[("RoleName", "nope")], no_role),
            (
                "AddRoleToInstanceProfile",
                &[("InstanceProfileName", "machines"), ("RoleName", "nope")],
                no_role,
            ),
            (
                "GetGroup",
                &[("GroupName", "nope")],
                "404 NoSuchEntity The group with name nope cannot be found.",
            ),
            (
                "GetInstanceProfile",
                &[("InstanceProfileName", "nope")],
                "404 NoSuchEntity Instance Profile nope cannot be found.",
            ),
            ("GetPolicy", &[("PolicyArn", no_arn)], no_policy),
            (
                "GetPolicy",
                &[("PolicyArn", "arn:aws:iam::aws:policy/nope")],
                "404 NoSuchEntity Policy arn:aws:iam::aws:policy/nope was not found.",
            ),
            (
                "AttachUserPolicy",
                &[("UserName", "alice"), ("PolicyArn", no_arn)],
                "404 NoSuchEntity Policy arn:aws:iam::111122223333:policy/nope does not exist or is not attachable.",
            ),
            (
                "AttachUserPolicy",
                &[("UserName", "alice"), ("PolicyArn", "arn:aws:iam::444455556666:policy/theirs")],
                "404 NoSuchEntity Policy arn:aws:iam::444455556666:policy/theirs does not exist or is not attachable.",
            ),
            (
                "PutUserPermissionsBoundary",
                &[("UserName", "alice"), ("PermissionsBoundary", no_arn)],
                "404 NoSuchEntity Policy arn:aws:iam::111122223333:policy/nope does not exist or is not attachable.",
            ),
            (
                "DetachUserPolicy",
                &[("UserName", "alice"), ("PolicyArn", READ_ONLY)],
                "404 NoSuchEntity Policy arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess was not found.",
            ),
            (
                "GetPolicyVersion",
                &[("PolicyArn", POLICY), ("VersionId", "v2")],
                "404 NoSuchEntity Policy arn:aws:iam::111122223333:policy/p version v2 does not exist or is not attachable.",
            ),
            (
                "SetDefaultPolicyVersion",
                &[("PolicyArn", POLICY), ("VersionId", "v9")],
                "404 NoSuchEntity Policy arn:aws:iam::111122223333:policy/p version v9 does not exist or is not attachable.",
            ),
            (
                "GetRolePolicy",
                &[("RoleName", "build"), ("PolicyName", "nope")],
                "404 NoSuchEntity The role policy with name nope cannot be found.",
            ),
            (
                "DeleteUserPolicy",
                &[("UserName", "alice"), ("PolicyName", "nope")],
                "404 NoSuchEntity The user policy with name nope cannot be found.",
            ),
            (
                "GetGroupPolicy",
                &[("GroupName", "devs"), ("PolicyName", "nope")],
                "404 NoSuchEntity The group policy with name nope cannot be found.",
            ),
            (
                "DeleteAccessKey",
                &[("UserName", "alice"), ("AccessKeyId", "AKIAVECTORUSER000001")],
                "404 NoSuchEntity The Access Key with id AKIAVECTORUSER000001 cannot be found.",
            ),
            (
                "GetAccessKeyLastUsed",
                &[("AccessKeyId", "AKIAVECTORUSER000001")],
                "404 NoSuchEntity The Access Key with id AKIAVECTORUSER000001 cannot be found.",
            ),
            (
                "DeleteOpenIDConnectProvider",
                &[("OpenIDConnectProviderArn", "arn:aws:iam::111122223333:oidc-provider/nope")],
                "404 NoSuchEntity OpenIDConnect Provider not found for arn arn:aws:iam::111122223333:oidc-provider/nope",
            ),
            (
                "DeleteAccountAlias",
                &[("AccountAlias", "nope")],
                "404 NoSuchEntity The account alias nope cannot be found.",
            ),
        ],
    )
    .await;
    // Another user's key is as absent as none.
    let key = house.keys.admin.access_key_id.as_str();
    let found = house
        .refused(
            "DeleteAccessKey",
            &[("UserName", "alice"), ("AccessKeyId", key)],
        )
        .await;
    assert_eq!(
        found,
        format!("404 NoSuchEntity The Access Key with id {key} cannot be found.")
    );
}

async fn names_are_unique_without_case(house: House) {
    one_of_each(&house).await;
    house.admin("CreateUser", &[("UserName", "bob")]).await;
    house.admin("CreateGroup", &[("GroupName", "ops")]).await;
    all_refused(
        &house,
        &[
            (
                "CreateUser",
                &[("UserName", "ALICE"), ("Path", "/elsewhere/")],
                "409 EntityAlreadyExists User with name ALICE already exists.",
            ),
            (
                "UpdateUser",
                &[("UserName", "bob"), ("NewUserName", "alice")],
                "409 EntityAlreadyExists User with name alice already exists.",
            ),
            (
                "CreateGroup",
                &[("GroupName", "devs")],
                "409 EntityAlreadyExists Group with name devs already exists.",
            ),
            (
                "UpdateGroup",
                &[("GroupName", "ops"), ("NewGroupName", "DEVS")],
                "409 EntityAlreadyExists Group with name DEVS already exists.",
            ),
            (
                "CreateRole",
                &[("RoleName", "build"), ("AssumeRolePolicyDocument", TRUST)],
                "409 EntityAlreadyExists Role with name build already exists.",
            ),
            (
                "CreatePolicy",
                &[("PolicyName", "P"), ("Path", "/x/"), ("PolicyDocument", DOCUMENT)],
                "409 EntityAlreadyExists A policy called P already exists. Duplicate names are not allowed.",
            ),
            (
                "CreateInstanceProfile",
                &[("InstanceProfileName", "machines")],
                "409 EntityAlreadyExists Instance Profile machines already exists.",
            ),
            (
                "CreateOpenIDConnectProvider",
                &[("Url", "https://issuer.example")],
                "409 EntityAlreadyExists Provider with url https://issuer.example already exists.",
            ),
        ],
    )
    .await;
    // Looked up without case, returned as created; a new spelling of its own name is no other name.
    let user = house.admin("GetUser", &[("UserName", "aLiCe")]).await;
    assert_eq!(
        user.text("User/Arn"),
        "arn:aws:iam::111122223333:user/Alice"
    );
    let id = user.text("User/UserId").to_owned();
    house
        .admin(
            "UpdateUser",
            &[
                ("UserName", "alice"),
                ("NewUserName", "ALICE"),
                ("NewPath", "/x/"),
            ],
        )
        .await;
    let user = house.admin("GetUser", &[("UserName", "alice")]).await;
    assert_eq!(
        user.text("User/Arn"),
        "arn:aws:iam::111122223333:user/x/ALICE"
    );
    assert_eq!(user.text("User/UserId"), id);
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    house
        .call(&them, "CreateUser", &[("UserName", "alice")])
        .await
        .unwrap();
    let fault = house
        .call(&them, "CreateAccountAlias", &[("AccountAlias", "lab")])
        .await
        .unwrap_err();
    assert_eq!(fault.message, "The account alias lab already exists.");
}

async fn what_is_still_used_is_not_deleted(house: House) {
    one_of_each(&house).await;
    let must = |what: &str| format!("409 DeleteConflict Cannot delete entity, must {what} first.");
    let user = [("UserName", "alice")];
    let (attached, inline) = (
        ("PolicyArn", POLICY),
        [("PolicyName", "x"), ("PolicyDocument", DOCUMENT)],
    );
    for (noun, parameter, name) in [
        ("User", "UserName", "alice"),
        ("Group", "GroupName", "devs"),
        ("Role", "RoleName", "build"),
    ] {
        let delete = format!("Delete{noun}");
        let holder = (parameter, name);
        house
            .admin(&format!("Attach{noun}Policy"), &[holder, attached])
            .await;
        assert_eq!(
            house.refused(&delete, &[holder]).await,
            must("detach all policies")
        );
        assert_eq!(
            house.refused("DeletePolicy", &[attached]).await,
            "409 DeleteConflict Cannot delete a policy attached to entities."
        );
        house
            .admin(&format!("Detach{noun}Policy"), &[holder, attached])
            .await;
        house
            .admin(&format!("Put{noun}Policy"), &[holder, inline[0], inline[1]])
            .await;
        assert_eq!(
            house.refused(&delete, &[holder]).await,
            must("delete policies")
        );
        house
            .admin(&format!("Delete{noun}Policy"), &[holder, inline[0]])
            .await;
    }
    let key = house.admin("CreateAccessKey", &user).await;
    assert_eq!(
        house.refused("DeleteUser", &user).await,
        must("delete access keys")
    );
    let key = key.text("AccessKey/AccessKeyId").to_owned();
    house
        .admin("DeleteAccessKey", &[user[0], ("AccessKeyId", &key)])
        .await;
    let member = [("GroupName", "devs"), ("UserName", "alice")];
    house.admin("AddUserToGroup", &member).await;
    house.admin("AddUserToGroup", &member).await;
    assert_eq!(
        house.refused("DeleteUser", &user).await,
        must("remove users from group")
    );
    assert_eq!(
        house.refused("DeleteGroup", &[member[0]]).await,
        must("remove users from group")
    );
    house.admin("RemoveUserFromGroup", &member).await;
    let profile = [("InstanceProfileName", "machines"), ("RoleName", "build")];
    house.admin("AddRoleToInstanceProfile", &profile).await;
    for (operation, parameter) in [
        ("DeleteRole", profile[1]),
        ("DeleteInstanceProfile", profile[0]),
    ] {
        assert_eq!(
            house.refused(operation, &[parameter]).await,
            must("remove roles from instance profile")
        );
    }
    house.admin("RemoveRoleFromInstanceProfile", &profile).await;
    house
        .admin(
            "PutRolePermissionsBoundary",
            &[("RoleName", "build"), ("PermissionsBoundary", POLICY)],
        )
        .await;
    assert_eq!(
        house.refused("DeletePolicy", &[attached]).await,
        "409 DeleteConflict Cannot delete a policy attached to entities."
    );
    house
        .admin("DeleteRolePermissionsBoundary", &[("RoleName", "build")])
        .await;
    house
        .admin(
            "CreatePolicyVersion",
            &[
                attached,
                ("PolicyDocument", DOCUMENT),
                ("SetAsDefault", "true"),
            ],
        )
        .await;
    assert_eq!(
        house
            .refused("DeletePolicyVersion", &[attached, ("VersionId", "v2")])
            .await,
        "409 DeleteConflict Cannot delete the default version of a policy."
    );
    assert_eq!(
        house.refused("DeletePolicy", &[attached]).await,
        "409 DeleteConflict This policy has more than one version. Before you delete a policy, you must delete the \
         policy's versions. The default version is deleted with the policy."
    );
    house
        .admin("DeletePolicyVersion", &[attached, ("VersionId", "v1")])
        .await;
    // With nothing left, all of it goes.
    for (operation, parameter) in [
        ("DeleteUser", user[0]),
        ("DeleteGroup", member[0]),
        ("DeleteInstanceProfile", profile[0]),
        ("DeleteRole", profile[1]),
        ("DeletePolicy", attached),
        (
            "DeleteOpenIDConnectProvider",
            ("OpenIDConnectProviderArn", PROVIDER),
        ),
        ("DeleteAccountAlias", ("AccountAlias", "lab")),
    ] {
        house.admin(operation, &[parameter]).await;
    }
    let summary = house.admin("GetAccountSummary", &[]).await;
    let entries = summary.find("SummaryMap").unwrap().children.iter();
    let counts: Vec<(&str, &str)> = entries
        .map(|entry| (entry.text("key"), entry.text("value")))
        .filter(|(key, _)| {
            [
                "Users",
                "Groups",
                "Roles",
                "Policies",
                "InstanceProfiles",
                "Providers",
                "PolicyVersionsInUse",
            ]
            .contains(key)
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("Users", "1"),
            ("Groups", "0"),
            ("Roles", "0"),
            ("Policies", "0"),
            ("PolicyVersionsInUse", "0"),
            ("InstanceProfiles", "0"),
            ("Providers", "0"),
        ]
    );
}
