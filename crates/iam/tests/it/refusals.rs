//! What IAM says when it will not: codes, statuses and texts, which tools match on.

use crate::calls::allow;
use crate::house::House;

on_each_database! {
    things_that_are_not_there_cannot_be_found,
    names_are_unique_without_case,
    what_is_still_used_is_not_deleted,
    quotas_are_kept,
    what_has_the_wrong_form_is_told_so,
    what_belongs_to_aws_stays_as_it_is,
    there_are_no_passwords_and_no_second_factors,
}

const DOCUMENT: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}"#;
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess";
const POLICY: &str = "arn:aws:iam::111122223333:policy/p";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/issuer.example";

/// The usual world, one of each.
async fn one_of_each(house: &House) {
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

type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

async fn all_refused(house: &House, rows: &[Row<'_>]) {
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
                &[("Url", "https://issuer.example/")],
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

async fn quotas_are_kept(house: House) {
    one_of_each(&house).await;
    let user = ("UserName", "alice");
    house.admin("CreateAccessKey", &[user]).await;
    let key = house.admin("CreateAccessKey", &[user]).await;
    let key = key.text("AccessKey/AccessKeyId").to_owned();
    house
        .admin(
            "UpdateAccessKey",
            &[user, ("AccessKeyId", &key), ("Status", "Inactive")],
        )
        .await;
    assert_eq!(
        house.refused("CreateAccessKey", &[user]).await,
        "409 LimitExceeded Cannot exceed quota for AccessKeysPerUser: 2"
    );
    for number in 0..11 {
        let name = format!("g{number}");
        house.admin("CreateGroup", &[("GroupName", &name)]).await;
        let policy = format!("q{number}");
        house
            .admin(
                "CreatePolicy",
                &[("PolicyName", &policy), ("PolicyDocument", DOCUMENT)],
            )
            .await;
    }
    for number in 0..10 {
        let (group, policy) = (
            format!("g{number}"),
            format!("arn:aws:iam::111122223333:policy/q{number}"),
        );
        house
            .admin("AddUserToGroup", &[user, ("GroupName", &group)])
            .await;
        house
            .admin("AttachUserPolicy", &[user, ("PolicyArn", &policy)])
            .await;
        house
            .admin(
                "AttachRolePolicy",
                &[("RoleName", "build"), ("PolicyArn", &policy)],
            )
            .await;
        house
            .admin(
                "AttachGroupPolicy",
                &[("GroupName", "devs"), ("PolicyArn", &policy)],
            )
            .await;
    }
    let eleventh = ("PolicyArn", "arn:aws:iam::111122223333:policy/q10");
    let again = ("PolicyArn", "arn:aws:iam::111122223333:policy/q3");
    house.admin("AttachUserPolicy", &[user, again]).await;
    house
        .admin("AddUserToGroup", &[user, ("GroupName", "g3")])
        .await;
    let profile = ("InstanceProfileName", "machines");
    house
        .admin(
            "AddRoleToInstanceProfile",
            &[profile, ("RoleName", "build")],
        )
        .await;
    house
        .admin(
            "CreateRole",
            &[("RoleName", "other"), ("AssumeRolePolicyDocument", TRUST)],
        )
        .await;
    for _ in 0..4 {
        house
            .admin(
                "CreatePolicyVersion",
                &[("PolicyArn", POLICY), ("PolicyDocument", DOCUMENT)],
            )
            .await;
    }
    let large = allow(&format!("\"s3:{}\"", "x".repeat(6200)), "\"*\"");
    let long = allow(&format!("\"s3:{}\"", "x".repeat(2100)), "\"*\"");
    all_refused(
        &house,
        &[
            (
                "AddUserToGroup",
                &[user, ("GroupName", "g10")],
                "409 LimitExceeded Cannot exceed quota for GroupsPerUser: 10",
            ),
            (
                "AttachUserPolicy",
                &[user, eleventh],
                "409 LimitExceeded Cannot exceed quota for PoliciesPerUser: 10",
            ),
            (
                "AttachRolePolicy",
                &[("RoleName", "build"), eleventh],
                "409 LimitExceeded Cannot exceed quota for PoliciesPerRole: 10",
            ),
            (
                "AttachGroupPolicy",
                &[("GroupName", "devs"), eleventh],
                "409 LimitExceeded Cannot exceed quota for PoliciesPerGroup: 10",
            ),
            (
                "AddRoleToInstanceProfile",
                &[profile, ("RoleName", "other")],
                "409 LimitExceeded Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
            ),
            (
                "CreatePolicyVersion",
                &[("PolicyArn", POLICY), ("PolicyDocument", DOCUMENT)],
                "409 LimitExceeded A managed policy can have up to 5 versions. Before you create a new version, you must \
                 delete an existing version.",
            ),
            (
                "CreatePolicy",
                &[("PolicyName", "large"), ("PolicyDocument", &large)],
                "409 LimitExceeded Cannot exceed quota for PolicySize: 6144",
            ),
            (
                "PutUserPolicy",
                &[user, ("PolicyName", "x"), ("PolicyDocument", &long)],
                "409 LimitExceeded Maximum policy size of 2048 bytes exceeded for user Alice",
            ),
        ],
    )
    .await;
    // A number that was refused, and one that was deleted, are not used again.
    house
        .admin(
            "DeletePolicyVersion",
            &[("PolicyArn", POLICY), ("VersionId", "v5")],
        )
        .await;
    let version = house
        .admin(
            "CreatePolicyVersion",
            &[("PolicyArn", POLICY), ("PolicyDocument", DOCUMENT)],
        )
        .await;
    assert_eq!(version.text("PolicyVersion/VersionId"), "v6");
    let keys: Vec<(String, String)> = (0..60)
        .map(|n| (format!("Tags.member.{}.Key", n % 30 + 1), format!("k{n}")))
        .collect();
    for half in keys.chunks(30) {
        let values: Vec<String> = (1..=30).map(|n| format!("Tags.member.{n}.Value")).collect();
        let mut parameters = vec![user];
        parameters.extend(half.iter().map(|(name, key)| (name.as_str(), key.as_str())));
        parameters.extend(values.iter().map(|name| (name.as_str(), "")));
        let admin = house.signed_in(&house.keys.admin).await;
        let tagged = house.call(&admin, "TagUser", &parameters).await;
        match half[0].1.as_str() {
            "k0" => drop(tagged.unwrap()),
            _ => assert_eq!(
                tagged.unwrap_err().to_string(),
                "LimitExceeded: The number of tags has reached the maximum limit."
            ),
        }
    }
    let tags = house.admin("ListUserTags", &[user]).await;
    assert_eq!(tags.texts("Tags", "Key").len(), 30);
}

async fn what_has_the_wrong_form_is_told_so(house: House) {
    one_of_each(&house).await;
    let one = |what: &str| format!("400 ValidationException 1 validation error detected: {what}");
    let long = "x".repeat(65);
    let rows: &[(&str, &[(&str, &str)], String)] = &[
        (
            "CreateUser",
            &[("UserName", "a/b")],
            one("Value 'a/b' at 'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
                 [\\w+=,.@-]+"),
        ),
        (
            "CreateUser",
            &[],
            one("Value null at 'userName' failed to satisfy constraint: Member must not be null"),
        ),
        (
            "CreateUser",
            &[("UserName", &long)],
            one(&format!(
                "Value '{long}' at 'userName' failed to satisfy constraint: Member must have length less than or equal to 64"
            )),
        ),
        (
            "UpdateAccessKey",
            &[("AccessKeyId", "AKIAVECTORUSER000001"), ("Status", "Expired")],
            one("Value 'Expired' at 'status' failed to satisfy constraint: Member must satisfy enum value set: [Active, \
                 Inactive]"),
        ),
        (
            "ListUsers",
            &[("MaxItems", "0")],
            one("Value '0' at 'maxItems' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ),
        (
            "CreateRole",
            &[("RoleName", "r"), ("AssumeRolePolicyDocument", TRUST), ("MaxSessionDuration", "899")],
            one("Value '899' at 'maxSessionDuration' failed to satisfy constraint: Member must have value greater than or \
                 equal to 3600"),
        ),
        (
            "TagUser",
            &[("UserName", "alice"), ("Tags.member.1.Key", "a*"), ("Tags.member.1.Value", "")],
            one("Value 'a*' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+"),
        ),
        (
            "CreateUser",
            &[("UserName", "a/b"), ("Path", "x")],
            "400 ValidationException 2 validation errors detected: Value 'x' at 'path' failed to satisfy constraint: Member \
             must satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F); Value 'a/b' at \
             'userName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"
                .to_owned(),
        ),
    ];
    for (operation, parameters, expected) in rows {
        assert_eq!(house.refused(operation, parameters).await, *expected);
    }
    all_refused(
        &house,
        &[
            (
                "TagUser",
                &[
                    ("UserName", "alice"),
                    ("Tags.member.1.Key", "team"),
                    ("Tags.member.1.Value", "a"),
                    ("Tags.member.2.Key", "TEAM"),
                    ("Tags.member.2.Value", "b"),
                ],
                "400 InvalidInput Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ),
            (
                "CreateUser",
                &[("UserName", "x"), ("Tags.member.1.Key", "AWS:x"), ("Tags.member.1.Value", "a")],
                "400 InvalidInput aws: prefixed tag key names are not allowed for external use.",
            ),
            (
                "AttachUserPolicy",
                &[("UserName", "alice"), ("PolicyArn", "arn:aws:iam::111122223333:role/build")],
                "400 InvalidInput ARN arn:aws:iam::111122223333:role/build is not valid.",
            ),
            (
                "PutUserPermissionsBoundary",
                &[("UserName", "alice"), ("PermissionsBoundary", "arn:aws:iam::111122223333:user/alice")],
                "400 InvalidInput ARN arn:aws:iam::111122223333:user/alice is not valid.",
            ),
            (
                "ListUsers",
                &[("Marker", "made-up")],
                "400 ValidationError Invalid Marker.",
            ),
            (
                "CreateRole",
                &[("RoleName", "x"), ("Path", "/aws-service-role/x/"), ("AssumeRolePolicyDocument", TRUST)],
                "400 InvalidInput The path /aws-service-role/x/ is reserved for roles of AWS services.",
            ),
        ],
    )
    .await;
    // An empty list is how an SDK says that there are none.
    house
        .admin("CreateUser", &[("UserName", "untagged"), ("Tags", "")])
        .await;
}

async fn what_belongs_to_aws_stays_as_it_is(house: House) {
    let policy = ("PolicyArn", READ_ONLY);
    for (operation, more) in [
        ("CreatePolicyVersion", Some(("PolicyDocument", DOCUMENT))),
        ("SetDefaultPolicyVersion", Some(("VersionId", "v1"))),
        ("DeletePolicyVersion", Some(("VersionId", "v1"))),
        ("DeletePolicy", None),
        ("UntagPolicy", Some(("TagKeys.member.1", "a"))),
    ] {
        let parameters: Vec<(&str, &str)> = std::iter::once(policy).chain(more).collect();
        let found = house.refused(operation, &parameters).await;
        assert!(
            found.starts_with("400 UnmodifiableEntity "),
            "{operation}: {found}"
        );
    }
    house.admin("CreateUser", &[("UserName", "alice")]).await;
    house
        .admin("AttachUserPolicy", &[("UserName", "alice"), policy])
        .await;
    let read = house.admin("GetPolicy", &[policy]).await;
    assert_eq!(read.text("Policy/AttachmentCount"), "1");
    let version = house
        .admin(
            "GetPolicyVersion",
            &[policy, ("VersionId", read.text("Policy/DefaultVersionId"))],
        )
        .await;
    assert!(
        version
            .text("PolicyVersion/Document")
            .contains("codeartifact%3AReadFromRepository")
    );
    // What one account does with it is no other's business.
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    let read = house.call(&them, "GetPolicy", &[policy]).await.unwrap();
    assert_eq!(read.text("Policy/AttachmentCount"), "0");
}

async fn there_are_no_passwords_and_no_second_factors(house: House) {
    house.admin("CreateUser", &[("UserName", "alice")]).await;
    let user = [("UserName", "alice")];
    for operation in ["GetLoginProfile", "DeleteLoginProfile"] {
        assert_eq!(
            house.refused(operation, &user).await,
            "404 NoSuchEntity Login Profile for User alice cannot be found."
        );
    }
    assert!(
        house
            .refused("GetAccountPasswordPolicy", &[])
            .await
            .starts_with("404 NoSuchEntity ")
    );
    for (operation, parameters, list) in [
        ("ListMFADevices", &user[..], "MFADevices"),
        ("ListSSHPublicKeys", &user, "SSHPublicKeys"),
        ("ListSigningCertificates", &user, "Certificates"),
        (
            "ListServiceSpecificCredentials",
            &user,
            "ServiceSpecificCredentials",
        ),
        ("ListVirtualMFADevices", &[], "VirtualMFADevices"),
        (
            "ListServerCertificates",
            &[],
            "ServerCertificateMetadataList",
        ),
        ("ListSAMLProviders", &[], "SAMLProviderList"),
    ] {
        let answer = house.admin(operation, parameters).await;
        assert!(
            answer.find(list).unwrap().children.is_empty(),
            "{operation}"
        );
    }
}
