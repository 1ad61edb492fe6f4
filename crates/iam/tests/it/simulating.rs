//! Simulation answers as the request itself would.

use crate::calls::{Element, allow, trust};
use crate::house::House;

on_each_database! {
    a_simulation_decides_as_the_request_does,
    statements_are_found_where_they_stand,
    boundaries_resources_and_what_is_missing_are_told,
    keys_of_policies_are_named_as_written,
    simulating_somebody_is_a_permission_on_him,
}

fn decisions(answer: &Element) -> Vec<(String, String, String)> {
    let results = answer.find("EvaluationResults").unwrap().children.iter();
    results
        .map(|result| {
            let text = |name| result.text(name).to_owned();
            (
                text("EvalActionName"),
                text("EvalResourceName"),
                text("EvalDecision"),
            )
        })
        .collect()
}

async fn a_simulation_decides_as_the_request_does(house: House) {
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iam:Get*","iam:List*"],"Resource":"arn:aws:iam::111122223333:user/${aws:username}"},
        {"Effect":"Allow","Action":"iam:ListRoles","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"x"}}},
        {"Effect":"Deny","Action":"iam:ListAccessKeys","Resource":"*"}]}"#;
    let (caller, _) = house.user_with("caller", policy).await;
    house
        .admin("UpdateUser", &[("UserName", "caller"), ("NewPath", "/")])
        .await;
    house
        .admin(
            "TagUser",
            &[
                ("UserName", "caller"),
                ("Tags.member.1.Key", "Team"),
                ("Tags.member.1.Value", "x"),
            ],
        )
        .await;
    let own = "arn:aws:iam::111122223333:user/caller";
    let admin = "arn:aws:iam::111122223333:user/admin";
    for (action, operation, name, resource, expected) in [
        ("iam:GetUser", "GetUser", Some("caller"), own, "allowed"),
        (
            "iam:GetUser",
            "GetUser",
            Some("admin"),
            admin,
            "implicitDeny",
        ),
        (
            "iam:ListUserTags",
            "ListUserTags",
            Some("caller"),
            own,
            "allowed",
        ),
        (
            "iam:ListAccessKeys",
            "ListAccessKeys",
            Some("caller"),
            own,
            "explicitDeny",
        ),
        (
            "iam:ListRoles",
            "ListRoles",
            None,
            "arn:aws:iam::111122223333:role/",
            "allowed",
        ),
        (
            "iam:ListGroups",
            "ListGroups",
            None,
            "arn:aws:iam::111122223333:group/",
            "implicitDeny",
        ),
    ] {
        let answer = house
            .admin(
                "SimulatePrincipalPolicy",
                &[
                    ("PolicySourceArn", own),
                    ("ActionNames.member.1", action),
                    ("ResourceArns.member.1", resource),
                ],
            )
            .await;
        assert_eq!(
            decisions(&answer),
            [(action.to_owned(), resource.to_owned(), expected.to_owned())]
        );
        let parameters: Vec<(&str, &str)> =
            name.map(|name| ("UserName", name)).into_iter().collect();
        let found = house.call(&caller, operation, &parameters).await;
        assert_eq!(found.is_ok(), expected == "allowed", "{action} {resource}");
    }
}

async fn statements_are_found_where_they_stand(house: House) {
    let text = "{\"Version\":\"2012-10-17\",\"Statement\":[\n  {\"Effect\":\"Allow\",\"Action\":\"a:B\",\"Resource\":\"*\"},\n  \
                {\"Effect\":\"Allow\",\"Action\":\"a:C\",\"Resource\":\"*\"}\n]}";
    house
        .admin(
            "CreatePolicy",
            &[("PolicyName", "two"), ("PolicyDocument", text)],
        )
        .await;
    house.admin("CreateGroup", &[("GroupName", "g")]).await;
    house
        .admin(
            "AttachGroupPolicy",
            &[
                ("GroupName", "g"),
                ("PolicyArn", "arn:aws:iam::111122223333:policy/two"),
            ],
        )
        .await;
    let answer = house
        .admin(
            "SimulatePrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::111122223333:group/g"),
                ("ActionNames.member.1", "a:C"),
            ],
        )
        .await;
    let result = &answer.find("EvaluationResults").unwrap().children[0];
    let matched = &result.find("MatchedStatements").unwrap().children;
    assert_eq!(matched.len(), 1);
    let at = |path: &str| matched[0].text(path).to_owned();
    assert_eq!(at("SourcePolicyId"), "two");
    assert_eq!(at("SourcePolicyType"), "IAM Policy");
    assert_eq!(
        (at("StartPosition/Line"), at("StartPosition/Column")),
        ("3".to_owned(), "3".to_owned())
    );
    assert_eq!(
        (at("EndPosition/Line"), at("EndPosition/Column")),
        ("3".to_owned(), "51".to_owned())
    );
    let sent = house
        .admin(
            "SimulateCustomPolicy",
            &[
                ("PolicyInputList.member.1", text),
                ("ActionNames.member.1", "a:C"),
                ("ActionNames.member.2", "a:D"),
            ],
        )
        .await;
    let results = &sent.find("EvaluationResults").unwrap().children;
    assert_eq!(
        results[0].texts("MatchedStatements", "SourcePolicyId"),
        ["PolicyInputList.1"]
    );
    assert!(
        results[1]
            .find("MatchedStatements")
            .unwrap()
            .children
            .is_empty()
    );
    assert_eq!(results[1].text("EvalDecision"), "implicitDeny");
}

async fn boundaries_resources_and_what_is_missing_are_told(house: House) {
    let repository = "arn:aws:codeartifact:us-east-1:111122223333:repository/d/a";
    let other = "arn:aws:codeartifact:us-east-1:111122223333:repository/d/b";
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codeartifact:*",
        "Resource":"arn:aws:codeartifact:*:*:repository/d/a",
        "Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"StringEquals":{"sts:AWSServiceName":"x"}}}}"#;
    let boundary = allow("\"codeartifact:ReadFromRepository\"", "\"*\"");
    let base = [
        ("PolicyInputList.member.1", policy),
        ("PermissionsBoundaryPolicyInputList.member.1", &boundary),
        ("ActionNames.member.1", "codeartifact:ReadFromRepository"),
        ("ActionNames.member.2", "codeartifact:DeleteRepository"),
        ("ResourceArns.member.1", repository),
        ("ResourceArns.member.2", other),
        ("ContextEntries.member.1.ContextKeyName", "aws:SourceIp"),
        (
            "ContextEntries.member.1.ContextKeyValues.member.1",
            "192.0.2.7",
        ),
        ("ContextEntries.member.1.ContextKeyType", "ip"),
    ];
    let answer = house.admin("SimulateCustomPolicy", &base).await;
    let results = &answer.find("EvaluationResults").unwrap().children;
    assert!(
        results
            .iter()
            .all(|result| result.text("EvalDecision") == "implicitDeny")
    );
    assert_eq!(
        results[0].texts("MissingContextValues", ""),
        ["sts:AWSServiceName"]
    );
    let mut whole = base.to_vec();
    whole.extend([
        (
            "ContextEntries.member.2.ContextKeyName",
            "sts:awsservicename",
        ),
        ("ContextEntries.member.2.ContextKeyValues.member.1", "x"),
        ("ContextEntries.member.2.ContextKeyType", "string"),
    ]);
    let answer = house.admin("SimulateCustomPolicy", &whole).await;
    let found: Vec<String> = decisions(&answer)
        .into_iter()
        .map(|(_, _, decision)| decision)
        .collect();
    assert_eq!(
        found,
        ["allowed", "implicitDeny", "implicitDeny", "implicitDeny"]
    );
    let results = &answer.find("EvaluationResults").unwrap().children;
    for (result, allowed) in results.iter().zip(["true", "true", "false", "false"]) {
        assert_eq!(
            result.text("PermissionsBoundaryDecisionDetail/AllowedByPermissionsBoundary"),
            allowed
        );
        assert_eq!(
            result.texts("ResourceSpecificResults", "EvalResourceName"),
            [result.text("EvalResourceName")]
        );
        assert!(
            result
                .find("MissingContextValues")
                .unwrap()
                .children
                .is_empty()
        );
    }
    // In pages, too.
    whole.push(("MaxItems", "3"));
    let first = house.admin("SimulateCustomPolicy", &whole).await;
    assert_eq!(decisions(&first).len(), 3);
    whole.push(("Marker", first.text("Marker")));
    let second = house.admin("SimulateCustomPolicy", &whole).await;
    assert_eq!(decisions(&second)[0].0, "codeartifact:DeleteRepository");
    assert_eq!(second.text("IsTruncated"), "false");
    // The policy of a resource has its say, also across accounts.
    let resource_policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"codeartifact:ReadFromRepository",
        "Resource":"*","Principal":{"AWS":"arn:aws:iam::444455556666:user/carol"}}}"#;
    for (own, expected) in [(true, "allowed"), (false, "implicitDeny")] {
        let identity = if own {
            allow("\"codeartifact:*\"", "\"*\"")
        } else {
            allow("\"s3:*\"", "\"*\"")
        };
        let answer = house
            .admin(
                "SimulateCustomPolicy",
                &[
                    ("PolicyInputList.member.1", &identity),
                    ("ActionNames.member.1", "codeartifact:ReadFromRepository"),
                    ("ResourceArns.member.1", repository),
                    ("ResourcePolicy", resource_policy),
                    ("CallerArn", "arn:aws:iam::444455556666:user/carol"),
                ],
            )
            .await;
        assert_eq!(decisions(&answer)[0].2, expected);
    }
    for (parameters, expected) in [
        (
            &[
                ("PolicyInputList.member.1", "{"),
                ("ActionNames.member.1", "a:B"),
            ][..],
            "400 InvalidInput Syntax errors in policy.",
        ),
        (
            &[
                ("PolicyInputList.member.1", policy),
                ("ActionNames.member.1", "nope"),
            ],
            "400 ValidationException 1 validation error detected: Value 'nope' at 'actionNames.1.member' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9-]+:[a-zA-Z0-9]+",
        ),
        (
            &[("ActionNames.member.1", "a:B")],
            "400 ValidationException 1 validation error detected: Value null at 'policyInputList' failed to satisfy \
             constraint: Member must not be null",
        ),
    ] {
        assert_eq!(
            house.refused("SimulateCustomPolicy", parameters).await,
            expected
        );
    }
}

async fn keys_of_policies_are_named_as_written(house: House) {
    house
        .admin(
            "CreateRole",
            &[
                ("RoleName", "r"),
                (
                    "AssumeRolePolicyDocument",
                    &trust(r#"{"Service":"ec2.amazonaws.com"}"#, ""),
                ),
            ],
        )
        .await;
    house
        .admin(
            "AttachRolePolicy",
            &[
                ("RoleName", "r"),
                (
                    "PolicyArn",
                    "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess",
                ),
            ],
        )
        .await;
    let more = allow("\"s3:*\"", "\"arn:aws:s3:::${aws:username}/*\"");
    let answer = house
        .admin(
            "GetContextKeysForPrincipalPolicy",
            &[
                ("PolicySourceArn", "arn:aws:iam::111122223333:role/r"),
                ("PolicyInputList.member.1", &more),
            ],
        )
        .await;
    assert_eq!(
        answer.texts("ContextKeyNames", ""),
        ["sts:AWSServiceName", "aws:username"]
    );
    let answer = house
        .admin(
            "GetContextKeysForCustomPolicy",
            &[("PolicyInputList.member.1", &more)],
        )
        .await;
    assert_eq!(answer.texts("ContextKeyNames", ""), ["aws:username"]);
}

async fn simulating_somebody_is_a_permission_on_him(house: House) {
    let policy = allow(
        "\"iam:SimulatePrincipalPolicy\"",
        "\"arn:aws:iam::111122223333:user/a/*\"",
    );
    let (caller, _) = house.user_with("caller", &policy).await;
    house
        .admin("CreateUser", &[("UserName", "x"), ("Path", "/a/")])
        .await;
    for (arn, expected) in [
        ("arn:aws:iam::111122223333:user/a/x", None),
        (
            "arn:aws:iam::111122223333:user/a/gone",
            Some("NoSuchEntity"),
        ),
        (
            "arn:aws:iam::111122223333:user/x",
            Some("AccessDeniedException"),
        ),
        (
            "arn:aws:iam::111122223333:user/admin",
            Some("AccessDeniedException"),
        ),
        (
            "arn:aws:iam::444455556666:user/a/x",
            Some("AccessDeniedException"),
        ),
        ("arn:aws:iam::111122223333:policy/a/x", Some("InvalidInput")),
    ] {
        let parameters = [("PolicySourceArn", arn), ("ActionNames.member.1", "a:B")];
        let found = house
            .call(&caller, "SimulatePrincipalPolicy", &parameters)
            .await;
        assert_eq!(
            found.err().map(|fault| fault.code.into_owned()).as_deref(),
            expected,
            "{arn}"
        );
    }
    let found = house
        .call(
            &caller,
            "SimulateCustomPolicy",
            &[
                ("ActionNames.member.1", "a:B"),
                ("PolicyInputList.member.1", "{}"),
            ],
        )
        .await;
    assert_eq!(found.unwrap_err().code, "AccessDeniedException");
}
