//! How many, how long, in which form, and whose: what IAM keeps to.

use crate::calls::allow;
use crate::house::House;
use crate::refusals::{DOCUMENT, POLICY, READ_ONLY, TRUST, all_refused, one_of_each};

on_each_database! {
    quotas_are_kept,
    what_has_the_wrong_form_is_told_so,
    what_belongs_to_aws_stays_as_it_is,
    there_are_no_passwords_and_no_second_factors,
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
    let rows = [
        (
            "CreateUser",
            &[("UserName", "a/b")][..],
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
        assert_eq!(house.refused(operation, parameters).await, expected);
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
