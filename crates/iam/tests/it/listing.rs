//! Lists: their order, their pages, what restricts them.

use crate::calls::{Element, allow, trust};
use crate::house::House;

on_each_database! {
    pages_follow_each_other_without_gaps_or_repetition,
    markers_are_for_one_list_only,
    paths_and_filters_restrict,
    policies_are_counted_and_found_by_use,
    everything_is_in_the_account_s_details,
    a_policy_s_default_version_decides_the_next_request,
}

const DOCUMENT: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iam:List*","Resource":"*"}}"#;

/// All entries of a list, gathered in pages of this size.
async fn gather(
    house: &House,
    operation: &str,
    parameters: &[(&str, &str)],
    size: &str,
    read: impl Fn(&Element) -> Vec<String>,
) -> Vec<String> {
    let (mut gathered, mut marker) = (Vec::new(), None::<String>);
    for _ in 0..100 {
        let mut all = parameters.to_vec();
        all.push(("MaxItems", size));
        if let Some(marker) = &marker {
            assert!(marker.len() <= 320, "{operation}: {marker}");
            all.push(("Marker", marker));
        }
        let page = house.admin(operation, &all).await;
        let entries = read(&page);
        assert!(entries.len() <= size.parse().unwrap(), "{operation}");
        gathered.extend(entries);
        if page.text("IsTruncated") == "false" {
            assert!(page.find("Marker").is_none(), "{operation}");
            return gathered;
        }
        let next = page.text("Marker").to_owned();
        assert_ne!(Some(&next), marker.as_ref(), "{operation}");
        marker = Some(next);
    }
    panic!("{operation} has no end");
}

fn texts(list: &'static str, path: &'static str) -> impl Fn(&Element) -> Vec<String> {
    move |page| {
        page.texts(list, path)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

async fn pages_follow_each_other_without_gaps_or_repetition(house: House) {
    let trust = trust(r#"{"Service":"ec2.amazonaws.com"}"#, "");
    let long = "z".repeat(60);
    let names = ["Bravo", "alpha", "_x", "charlie", &long, "Delta"];
    house.admin("CreateGroup", &[("GroupName", "all")]).await;
    house.admin("CreateUser", &[("UserName", "holder")]).await;
    for name in names {
        let path = ("Path", "/p/");
        house.admin("CreateUser", &[("UserName", name), path]).await;
        house
            .admin(
                "AddUserToGroup",
                &[("GroupName", "all"), ("UserName", name)],
            )
            .await;
        house
            .admin("CreateGroup", &[("GroupName", name), path])
            .await;
        house
            .admin(
                "AddUserToGroup",
                &[("GroupName", name), ("UserName", "holder")],
            )
            .await;
        house
            .admin(
                "CreateRole",
                &[
                    ("RoleName", name),
                    path,
                    ("AssumeRolePolicyDocument", &trust),
                ],
            )
            .await;
        house
            .admin(
                "CreateInstanceProfile",
                &[("InstanceProfileName", name), path],
            )
            .await;
        house
            .admin(
                "CreatePolicy",
                &[("PolicyName", name), path, ("PolicyDocument", DOCUMENT)],
            )
            .await;
        let arn = format!("arn:aws:iam::111122223333:policy/p/{name}");
        house
            .admin(
                "AttachUserPolicy",
                &[("UserName", "holder"), ("PolicyArn", &arn)],
            )
            .await;
        let inline = DOCUMENT.replace("iam:List*", "iam:Get*");
        house
            .admin(
                "PutUserPolicy",
                &[
                    ("UserName", "holder"),
                    ("PolicyName", name),
                    ("PolicyDocument", &inline),
                ],
            )
            .await;
        house
            .admin(
                "TagUser",
                &[
                    ("UserName", "holder"),
                    ("Tags.member.1.Key", name),
                    ("Tags.member.1.Value", ""),
                ],
            )
            .await;
        let role = [("InstanceProfileName", name), ("RoleName", "alpha")];
        if name != "Bravo" {
            house.admin("AddRoleToInstanceProfile", &role).await;
        }
    }
    for version in 0..3 {
        let policy = ("PolicyArn", "arn:aws:iam::111122223333:policy/p/alpha");
        let latest = ("SetAsDefault", if version == 1 { "true" } else { "false" });
        house
            .admin(
                "CreatePolicyVersion",
                &[policy, latest, ("PolicyDocument", DOCUMENT)],
            )
            .await;
    }
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_by_key(|name| name.to_lowercase());
    let without_bravo: Vec<&str> = sorted
        .iter()
        .copied()
        .filter(|name| *name != "Bravo")
        .collect();
    let below = ("PathPrefix", "/p/");
    let holder = ("UserName", "holder");
    let alpha = ("PolicyArn", "arn:aws:iam::111122223333:policy/p/alpha");
    for (operation, parameters, list, path, expected) in [
        (
            "ListUsers",
            &[below][..],
            "Users",
            "UserName",
            sorted.clone(),
        ),
        (
            "ListGroups",
            &[below],
            "Groups",
            "GroupName",
            sorted.clone(),
        ),
        ("ListRoles", &[below], "Roles", "RoleName", sorted.clone()),
        (
            "ListInstanceProfiles",
            &[below],
            "InstanceProfiles",
            "InstanceProfileName",
            sorted.clone(),
        ),
        (
            "ListInstanceProfilesForRole",
            &[("RoleName", "ALPHA")],
            "InstanceProfiles",
            "InstanceProfileName",
            without_bravo,
        ),
        (
            "ListPolicies",
            &[("Scope", "Local")],
            "Policies",
            "PolicyName",
            sorted.clone(),
        ),
        (
            "GetGroup",
            &[("GroupName", "all")],
            "Users",
            "UserName",
            sorted.clone(),
        ),
        (
            "ListGroupsForUser",
            &[holder],
            "Groups",
            "GroupName",
            sorted.clone(),
        ),
        (
            "ListAttachedUserPolicies",
            &[holder],
            "AttachedPolicies",
            "PolicyName",
            sorted.clone(),
        ),
        ("ListUserTags", &[holder], "Tags", "Key", sorted.clone()),
        (
            "ListPolicyVersions",
            &[alpha],
            "Versions",
            "VersionId",
            vec!["v4", "v3", "v2", "v1"],
        ),
        (
            "ListAccessKeys",
            &[("UserName", "admin")],
            "AccessKeyMetadata",
            "Status",
            vec!["Active"],
        ),
        (
            "ListEntitiesForPolicy",
            &[alpha],
            "PolicyUsers",
            "UserName",
            vec!["holder"],
        ),
    ] {
        for size in ["1", "2", "6", "1000"] {
            let found = gather(&house, operation, parameters, size, texts(list, path)).await;
            assert_eq!(found, expected, "{operation}, {size} a page");
        }
    }
    let mut names = names.map(str::to_owned);
    names.sort();
    let found = gather(
        &house,
        "ListUserPolicies",
        &[holder],
        "4",
        texts("PolicyNames", ""),
    )
    .await;
    assert_eq!(found, names);
    // AWS's own come first, and the list goes on with the account's.
    let all = gather(
        &house,
        "ListPolicies",
        &[],
        "4",
        texts("Policies", "PolicyName"),
    )
    .await;
    let (aws, own) = all.split_at(all.len() - sorted.len());
    assert_eq!(own, sorted);
    assert!(aws.contains(&"AdministratorAccess".to_owned()));
    assert!(aws.is_sorted_by_key(|name| name.to_lowercase()));
}

async fn markers_are_for_one_list_only(house: House) {
    for name in ["a", "b", "c"] {
        house.admin("CreateUser", &[("UserName", name)]).await;
        house.admin("CreateGroup", &[("GroupName", name)]).await;
    }
    let one = ("MaxItems", "1");
    let page = house.admin("ListUsers", &[one]).await;
    let marker = ("Marker", page.text("Marker"));
    // The size of a page may change on the way.
    let rest = house
        .admin("ListUsers", &[("MaxItems", "10"), marker])
        .await;
    assert_eq!(rest.texts("Users", "UserName"), ["admin", "b", "c"]);
    let other = "444455556666".parse().unwrap();
    let theirs = house.iam.create_account(&other).await.unwrap();
    let them = house.signed_in(&theirs.admin).await;
    for (operation, parameters) in [
        ("ListGroups", &[one, marker][..]),
        ("ListUsers", &[one, marker, ("PathPrefix", "/x/")]),
    ] {
        assert_eq!(
            house.refused(operation, parameters).await,
            "400 ValidationError Invalid Marker."
        );
    }
    let fault = house
        .call(&them, "ListUsers", &[one, marker])
        .await
        .unwrap_err();
    assert_eq!(fault.message, "Invalid Marker.");
}

async fn paths_and_filters_restrict(house: House) {
    for (name, path) in [("a", "/"), ("b", "/x/"), ("c", "/x/y/"), ("d", "/xy/")] {
        house
            .admin("CreateUser", &[("UserName", name), ("Path", path)])
            .await;
    }
    for (prefix, expected) in [
        ("/", &["a", "admin", "b", "c", "d"][..]),
        ("/x", &["b", "c", "d"]),
        ("/x/", &["b", "c"]),
        ("/x/y/", &["c"]),
        ("/z", &[]),
    ] {
        let page = house.admin("ListUsers", &[("PathPrefix", prefix)]).await;
        assert_eq!(page.texts("Users", "UserName"), expected, "{prefix}");
    }
    // Who may list below a path may list nothing else.
    let policy = allow(
        "\"iam:ListUsers\"",
        "\"arn:aws:iam::111122223333:user/x/*\"",
    );
    let (caller, _) = house.user_with("caller", &policy).await;
    house
        .call(&caller, "ListUsers", &[("PathPrefix", "/x/")])
        .await
        .unwrap();
    assert!(house.call(&caller, "ListUsers", &[]).await.is_err());
}

async fn policies_are_counted_and_found_by_use(house: House) {
    let trust = trust(r#"{"Service":"ec2.amazonaws.com"}"#, "");
    for name in ["attached", "limits", "idle"] {
        house
            .admin(
                "CreatePolicy",
                &[
                    ("PolicyName", name),
                    ("Path", "/p/"),
                    ("PolicyDocument", DOCUMENT),
                ],
            )
            .await;
    }
    house
        .admin("CreateUser", &[("UserName", "u"), ("Path", "/x/")])
        .await;
    house.admin("CreateGroup", &[("GroupName", "g")]).await;
    house
        .admin(
            "CreateRole",
            &[("RoleName", "r"), ("AssumeRolePolicyDocument", &trust)],
        )
        .await;
    let attached = ("PolicyArn", "arn:aws:iam::111122223333:policy/p/attached");
    let limits = ("PolicyArn", "arn:aws:iam::111122223333:policy/p/limits");
    for (noun, parameter, name) in [
        ("User", "UserName", "u"),
        ("Group", "GroupName", "g"),
        ("Role", "RoleName", "r"),
    ] {
        house
            .admin(
                &format!("Attach{noun}Policy"),
                &[(parameter, name), attached],
            )
            .await;
    }
    let boundary = ("PermissionsBoundary", limits.1);
    house
        .admin("PutUserPermissionsBoundary", &[("UserName", "u"), boundary])
        .await;
    house
        .admin("PutRolePermissionsBoundary", &[("RoleName", "r"), boundary])
        .await;
    for (policy, attachments, boundaries) in [(attached, "3", "0"), (limits, "0", "2")] {
        let read = house.admin("GetPolicy", &[policy]).await;
        assert_eq!(read.text("Policy/AttachmentCount"), attachments);
        assert_eq!(
            read.text("Policy/PermissionsBoundaryUsageCount"),
            boundaries
        );
    }
    for (parameters, expected) in [
        (
            &[("Scope", "Local")][..],
            &["attached", "idle", "limits"][..],
        ),
        (
            &[("Scope", "Local"), ("OnlyAttached", "true")],
            &["attached"],
        ),
        (
            &[("OnlyAttached", "true")],
            &["AdministratorAccess", "attached"],
        ),
        (&[("PolicyUsageFilter", "PermissionsBoundary")], &["limits"]),
        (
            &[
                ("PathPrefix", "/p/"),
                ("PolicyUsageFilter", "PermissionsPolicy"),
            ],
            &["attached"],
        ),
        (&[("Scope", "AWS"), ("PathPrefix", "/p/")], &[]),
    ] {
        let page = house.admin("ListPolicies", parameters).await;
        assert_eq!(
            page.texts("Policies", "PolicyName"),
            expected,
            "{parameters:?}"
        );
    }
    for (parameters, groups, users, roles) in [
        (&[attached][..], &["g"][..], &["u"][..], &["r"][..]),
        (&[limits], &[], &["u"], &["r"]),
        (&[attached, ("EntityFilter", "Role")], &[], &[], &["r"]),
        (&[attached, ("PathPrefix", "/x/")], &[], &["u"], &[]),
        (
            &[limits, ("PolicyUsageFilter", "PermissionsPolicy")],
            &[],
            &[],
            &[],
        ),
        (
            &[attached, ("EntityFilter", "AWSManagedPolicy")],
            &[],
            &[],
            &[],
        ),
    ] {
        let page = house.admin("ListEntitiesForPolicy", parameters).await;
        assert_eq!(
            page.texts("PolicyGroups", "GroupName"),
            groups,
            "{parameters:?}"
        );
        assert_eq!(
            page.texts("PolicyUsers", "UserName"),
            users,
            "{parameters:?}"
        );
        assert_eq!(
            page.texts("PolicyRoles", "RoleName"),
            roles,
            "{parameters:?}"
        );
    }
}

async fn everything_is_in_the_account_s_details(house: House) {
    let trust = trust(r#"{"Service":"ec2.amazonaws.com"}"#, "");
    house
        .admin(
            "CreatePolicy",
            &[("PolicyName", "p"), ("PolicyDocument", DOCUMENT)],
        )
        .await;
    let policy = ("PolicyArn", "arn:aws:iam::111122223333:policy/p");
    let tag = [("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
    house
        .admin("CreateUser", &[("UserName", "u"), tag[0], tag[1]])
        .await;
    house.admin("CreateGroup", &[("GroupName", "g")]).await;
    house
        .admin("AddUserToGroup", &[("GroupName", "g"), ("UserName", "u")])
        .await;
    let role = [
        ("RoleName", "r"),
        ("AssumeRolePolicyDocument", &trust),
        ("PermissionsBoundary", policy.1),
    ];
    house.admin("CreateRole", &role).await;
    house
        .admin("CreateInstanceProfile", &[("InstanceProfileName", "i")])
        .await;
    house
        .admin(
            "AddRoleToInstanceProfile",
            &[("InstanceProfileName", "i"), ("RoleName", "r")],
        )
        .await;
    house
        .admin("AttachGroupPolicy", &[("GroupName", "g"), policy])
        .await;
    house
        .admin(
            "PutRolePolicy",
            &[
                ("RoleName", "r"),
                ("PolicyName", "x"),
                ("PolicyDocument", DOCUMENT),
            ],
        )
        .await;
    let details = house
        .admin("GetAccountAuthorizationDetails", &[("MaxItems", "1000")])
        .await;
    assert_eq!(details.texts("UserDetailList", "UserName"), ["admin", "u"]);
    let user = &details.find("UserDetailList").unwrap().children[1];
    assert_eq!(user.texts("GroupList", ""), ["g"]);
    assert_eq!(user.texts("Tags", "Key"), ["a"]);
    let group = &details.find("GroupDetailList").unwrap().children[0];
    assert_eq!(group.texts("AttachedManagedPolicies", "PolicyName"), ["p"]);
    let role = &details.find("RoleDetailList").unwrap().children[0];
    assert_eq!(role.texts("RolePolicyList", "PolicyName"), ["x"]);
    assert_eq!(
        role.texts("InstanceProfileList", "InstanceProfileName"),
        ["i"]
    );
    assert_eq!(
        role.text("PermissionsBoundary/PermissionsBoundaryArn"),
        policy.1
    );
    let local = &details.find("Policies").unwrap().children[0];
    assert_eq!(
        (
            local.text("PolicyName"),
            local.text("PermissionsBoundaryUsageCount")
        ),
        ("p", "1")
    );
    assert!(local.texts("PolicyVersionList", "Document")[0].starts_with("%7B"));
    let kinds = [
        "UserDetailList",
        "GroupDetailList",
        "RoleDetailList",
        "Policies",
    ];
    let every = |page: &Element| -> Vec<String> {
        let names = ["UserName", "GroupName", "RoleName", "PolicyName"];
        let all = kinds.iter().zip(names);
        all.flat_map(|(list, name)| {
            page.texts(list, name)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
    };
    let whole = every(&details);
    for size in ["1", "3"] {
        let pages = gather(&house, "GetAccountAuthorizationDetails", &[], size, every).await;
        assert_eq!(pages, whole, "{size} a page");
    }
    let filter = [
        ("Filter.member.1", "Role"),
        ("Filter.member.2", "LocalManagedPolicy"),
    ];
    let some = house.admin("GetAccountAuthorizationDetails", &filter).await;
    assert_eq!(every(&some), ["r", "p"]);
}

async fn a_policy_s_default_version_decides_the_next_request(house: House) {
    let none = DOCUMENT.replace("iam:List*", "s3:List*");
    let policy = ("PolicyArn", "arn:aws:iam::111122223333:policy/p");
    house
        .admin(
            "CreatePolicy",
            &[("PolicyName", "p"), ("PolicyDocument", &none)],
        )
        .await;
    let (caller, _) = house.user_with("caller", "").await;
    house
        .admin("AttachUserPolicy", &[("UserName", "caller"), policy])
        .await;
    let may = async || house.call(&caller, "ListUsers", &[]).await.is_ok();
    assert!(!may().await);
    house
        .admin(
            "CreatePolicyVersion",
            &[policy, ("PolicyDocument", DOCUMENT)],
        )
        .await;
    assert!(!may().await);
    house
        .admin("SetDefaultPolicyVersion", &[policy, ("VersionId", "v2")])
        .await;
    assert!(may().await);
    house
        .admin("SetDefaultPolicyVersion", &[policy, ("VersionId", "v1")])
        .await;
    assert!(!may().await);
    house
        .admin(
            "CreatePolicyVersion",
            &[
                policy,
                ("PolicyDocument", DOCUMENT),
                ("SetAsDefault", "true"),
            ],
        )
        .await;
    assert!(may().await);
    house
        .admin("DetachUserPolicy", &[("UserName", "caller"), policy])
        .await;
    assert!(!may().await);
    house.admin("CreateGroup", &[("GroupName", "g")]).await;
    house
        .admin("AttachGroupPolicy", &[("GroupName", "g"), policy])
        .await;
    house
        .admin(
            "AddUserToGroup",
            &[("GroupName", "g"), ("UserName", "caller")],
        )
        .await;
    assert!(may().await);
    house
        .admin(
            "RemoveUserFromGroup",
            &[("GroupName", "g"), ("UserName", "caller")],
        )
        .await;
    assert!(!may().await);
}
