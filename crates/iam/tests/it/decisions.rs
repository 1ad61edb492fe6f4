//! Decisions: which policies have a say, and that no answer outlives its reasons.

use std::net::IpAddr;
use std::time::Duration;

use iam::{Ask, AuthorizeError, Caller, RequestTags, ResourcePolicy, Source};

use crate::house::{House, REPOSITORY, may};

const ROLE: &str = "AROAQEC2CAVECTOR0001A";
const READ_ONLY: &str = "arn:aws:iam::aws:policy/AWSCodeArtifactReadOnlyAccess";

on_each_database! {
    every_change_of_a_policy_is_seen_by_the_next_request,
    groups_grant_to_their_members,
    customer_managed_policies_are_read_at_their_default_version,
    a_boundary_limits_and_one_that_is_gone_allows_nothing,
    tags_of_a_user_are_conditions_of_now,
    what_a_policy_looks_at_is_part_of_the_question,
    time_is_never_remembered,
    resource_policies_have_a_say,
    a_deny_for_any_name_of_a_resource_wins,
    root_may_what_its_account_owns,
    a_denial_can_be_found_again,
}

async fn caller(house: &House, policy: &str) -> (String, Caller) {
    let (user, keys) = house.user("ci").await;
    if !policy.is_empty() {
        house
            .iam
            .put_inline_policy(&user.id, "own", policy)
            .await
            .unwrap();
    }
    (user.id, house.signed_in(&keys).await)
}

/// One statement about everything.
fn statement(effect: &str, condition: &str) -> String {
    let statement = format!(
        r#"{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{{{condition}}}}}"#
    );
    format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#)
}

async fn every_change_of_a_policy_is_seen_by_the_next_request(house: House) {
    let (user, caller) = caller(&house, "").await;
    let other_node = house.another_node().await;
    for (number, allowed) in [true, false, true, false, true].into_iter().enumerate() {
        let effect = if allowed { "Allow" } else { "Deny" };
        house
            .iam
            .put_inline_policy(&user, "own", &statement(effect, ""))
            .await
            .unwrap();
        assert_eq!(house.may_read(&caller).await, allowed, "{number}");
        assert_eq!(
            house.may_read(&caller).await,
            allowed,
            "{number}, from memory"
        );
        let elsewhere = other_node.authorize(&house.ask(&caller)).await.is_ok();
        assert_eq!(
            elsewhere, allowed,
            "{number}, on another node of the same process"
        );
    }
    house.iam.delete_inline_policy(&user, "own").await.unwrap();
    assert!(!house.may_read(&caller).await);
    assert!(house.iam.delete_inline_policy(&user, "own").await.is_err());
    assert!(house.iam.detach_policy(&user, READ_ONLY).await.is_err());
    assert!(
        house
            .iam
            .attach_policy(&user, "arn:aws:iam::aws:policy/NoSuchPolicy")
            .await
            .is_err()
    );
}

async fn groups_grant_to_their_members(house: House) {
    let (user, caller) = caller(&house, "").await;
    house
        .change("INSERT INTO groups (id, account_id, name, name_key, path, created) VALUES ('AGPA1', $1, 'devs', 'devs', '/', 0)", &[
            house.account.as_str(),
        ])
        .await;
    house.iam.attach_policy("AGPA1", READ_ONLY).await.unwrap();
    assert!(!house.may_read(&caller).await);
    house
        .change(
            "INSERT INTO group_members (user_id, group_id) VALUES ($1, 'AGPA1')",
            &[&user],
        )
        .await;
    assert!(house.may_read(&caller).await);
    house
        .iam
        .put_inline_policy("AGPA1", "no", &statement("Deny", ""))
        .await
        .unwrap();
    assert!(!house.may_read(&caller).await);
    house.iam.delete_inline_policy("AGPA1", "no").await.unwrap();
    assert!(house.may_read(&caller).await);
    house
        .change("DELETE FROM group_members WHERE user_id = $1", &[&user])
        .await;
    assert!(!house.may_read(&caller).await);
}

async fn managed(house: &House, name: &str, allow: &str, deny: &str) -> String {
    let arn = format!("arn:aws:iam::111122223333:policy/{name}");
    house
        .change(
            "INSERT INTO policies (id, account_id, arn, name, name_key, path, default_version, next_version, created, updated)
             VALUES ($1, '111122223333', $2, $1, $1, '/', 1, 3, 0, 0)",
            &[name, &arn],
        )
        .await;
    house.change("INSERT INTO policy_versions (policy_id, version, document, created) VALUES ($1, 1, $2, 0)", &[name, allow]).await;
    house.change("INSERT INTO policy_versions (policy_id, version, document, created) VALUES ($1, 2, $2, 0)", &[name, deny]).await;
    arn
}

async fn customer_managed_policies_are_read_at_their_default_version(house: House) {
    let (user, caller) = caller(&house, "").await;
    let arn = managed(
        &house,
        "own",
        &statement("Allow", ""),
        &statement("Deny", ""),
    )
    .await;
    house.iam.attach_policy(&user, &arn).await.unwrap();
    assert!(house.may_read(&caller).await);
    house
        .change(
            "UPDATE policies SET default_version = 2 WHERE arn = $1",
            &[&arn],
        )
        .await;
    assert!(!house.may_read(&caller).await);
}

async fn a_boundary_limits_and_one_that_is_gone_allows_nothing(house: House) {
    let (user, caller) = caller(&house, &statement("Allow", "")).await;
    let refused = async || match house.iam.authorize(&house.ask(&caller)).await {
        Ok(()) => String::new(),
        Err(AuthorizeError::Denied(denial)) => {
            denial.message.split_once(" because ").unwrap().1.to_owned()
        }
        Err(error) => panic!("{error:?}"),
    };
    assert_eq!(refused().await, "");
    house
        .change(
            "UPDATE users SET boundary = $2 WHERE id = $1",
            &[&user, READ_ONLY],
        )
        .await;
    assert_eq!(refused().await, "");
    house
        .change(
            "UPDATE users SET boundary = $2 WHERE id = $1",
            &[&user, "arn:aws:iam::aws:policy/IAMReadOnlyAccess"],
        )
        .await;
    let limited = "no permissions boundary allows the codeartifact:ReadFromRepository action";
    assert_eq!(refused().await, limited);
    house
        .change(
            "UPDATE users SET boundary = $2 WHERE id = $1",
            &[&user, "arn:aws:iam::111122223333:policy/gone"],
        )
        .await;
    assert_eq!(refused().await, limited);
}

async fn tags_of_a_user_are_conditions_of_now(house: House) {
    let allow = statement(
        "Allow",
        r#""StringEquals":{"aws:PrincipalTag/Team":"build"}"#,
    );
    let (user, caller) = caller(&house, &allow).await;
    assert!(!house.may_read(&caller).await);
    let insert = "INSERT INTO principal_tags (holder_id, tag_key, shown_key, value) VALUES ($1, 'team', 'team', 'build')";
    house.change(insert, &[&user]).await;
    assert!(house.may_read(&caller).await);
    house
        .change(
            "UPDATE principal_tags SET value = 'other' WHERE holder_id = $1",
            &[&user],
        )
        .await;
    assert!(!house.may_read(&caller).await);
}

/// The same token, used from somewhere else.
async fn from(house: &House, token: &str, ip: &str, secure_transport: bool) -> Caller {
    let source = Source {
        ip: Some(ip.parse::<IpAddr>().unwrap()),
        secure_transport,
    };
    house.iam.by_token(token, source).await.unwrap()
}

async fn what_a_policy_looks_at_is_part_of_the_question(house: House) {
    let (user, signer) = caller(&house, "").await;
    let token = house.token(&signer).await;
    let tag = |value: &str| vec![("team".to_owned(), value.to_owned())];
    let (build, other) = (tag("build"), tag("other"));
    let (team, cost) = (["team".to_owned()], ["cost".to_owned()]);
    let inside = from(&house, &token, "192.0.2.7", true).await;
    let mapped = from(&house, &token, "::ffff:192.0.2.7", true).await;
    let outside = from(&house, &token, "198.51.100.7", true).await;
    let plain = from(&house, &token, "192.0.2.7", false).await;
    let named = [(
        "sts:AWSServiceName",
        "codeartifact.amazonaws.com".to_owned(),
    )];
    let ask = |caller| house.ask(caller);
    for (condition, yes, no) in [
        (
            r#""IpAddress":{"aws:SourceIp":"192.0.2.0/24"}"#,
            ask(&inside),
            ask(&outside),
        ),
        (
            r#""IpAddress":{"aws:SourceIp":"192.0.2.0/24"}"#,
            ask(&mapped),
            ask(&outside),
        ),
        (
            r#""Bool":{"aws:SecureTransport":"true"}"#,
            ask(&inside),
            ask(&plain),
        ),
        (
            r#""StringEquals":{"aws:ResourceTag/team":"build"}"#,
            Ask {
                resource_tags: &build,
                ..ask(&inside)
            },
            Ask {
                resource_tags: &other,
                ..ask(&inside)
            },
        ),
        (
            r#""StringEquals":{"aws:RequestTag/team":"build"}"#,
            Ask {
                request_tags: Some(RequestTags::Put(&build)),
                ..ask(&inside)
            },
            Ask {
                request_tags: Some(RequestTags::Put(&other)),
                ..ask(&inside)
            },
        ),
        (
            r#""Null":{"aws:TagKeys":"false"}"#,
            Ask {
                request_tags: Some(RequestTags::Put(&build)),
                ..ask(&inside)
            },
            ask(&inside),
        ),
        // Of tags that are taken away only the keys are there to be looked at.
        (
            r#""StringLike":{"aws:RequestTag/team":"*"}"#,
            Ask {
                request_tags: Some(RequestTags::Put(&build)),
                ..ask(&inside)
            },
            Ask {
                request_tags: Some(RequestTags::Remove(&team)),
                ..ask(&inside)
            },
        ),
        (
            r#""ForAnyValue:StringEquals":{"aws:TagKeys":"team"}"#,
            Ask {
                request_tags: Some(RequestTags::Remove(&team)),
                ..ask(&inside)
            },
            Ask {
                request_tags: Some(RequestTags::Remove(&cost)),
                ..ask(&inside)
            },
        ),
        (
            r#""StringEquals":{"sts:AWSServiceName":"codeartifact.amazonaws.com"}"#,
            Ask {
                context: &named,
                ..ask(&inside)
            },
            ask(&inside),
        ),
        (
            r#""StringEquals":{"aws:username":"ci"}"#,
            ask(&inside),
            Ask {
                action: "sts:Other",
                ..ask(&inside)
            },
        ),
    ] {
        let policy = statement("Allow", condition)
            .replace(r#""Action":"*""#, r#""Action":"codeartifact:*""#);
        house
            .iam
            .put_inline_policy(&user, "own", &policy)
            .await
            .unwrap();
        for round in 0..2 {
            assert!(may(&house.iam, &yes).await, "{condition} {round}");
            assert!(!may(&house.iam, &no).await, "{condition} {round}");
        }
    }
    // What no policy looks at does not make another question, so the answer is at hand.
    house
        .iam
        .put_inline_policy(&user, "own", &statement("Allow", ""))
        .await
        .unwrap();
    assert!(
        house.may_read(&inside).await
            && house.may_read(&outside).await
            && house.may_read(&plain).await
    );
}

async fn time_is_never_remembered(house: House) {
    let until = statement(
        "Allow",
        r#""DateLessThan":{"aws:CurrentTime":"2026-03-14T15:10:00Z"}"#,
    );
    let (user, caller) = caller(&house, &until).await;
    assert!(house.may_read(&caller).await);
    house.turn(Duration::from_mins(1));
    assert!(!house.may_read(&caller).await);
    // What the AWS console writes to revoke sessions.
    house
        .iam
        .put_inline_policy(&user, "own", &statement("Allow", ""))
        .await
        .unwrap();
    let token = house.token(&caller).await;
    let bearer = house.iam.by_token(&token, Source::default()).await.unwrap();
    assert!(house.may_read(&bearer).await);
    let revoke = statement(
        "Deny",
        r#""DateLessThan":{"aws:TokenIssueTime":"2026-03-14T15:11:00Z"}"#,
    );
    house
        .iam
        .put_inline_policy(&user, "AWSRevokeOlderSessions", &revoke)
        .await
        .unwrap();
    assert!(!house.may_read(&bearer).await);
    assert!(
        house.may_read(&caller).await,
        "a long-term key was not issued as a token"
    );
    house.turn(Duration::from_mins(1));
    let later = house.token(&caller).await;
    let later = house.iam.by_token(&later, Source::default()).await.unwrap();
    assert!(house.may_read(&later).await);
}

async fn resource_policies_have_a_say(house: House) {
    let (_, own) = caller(&house, "").await;
    let other_account = "444455556666".parse().unwrap();
    let keys = house.iam.create_account(&other_account).await.unwrap();
    let foreign = house.signed_in(&keys.admin).await;
    let grant = |principal: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":"codeartifact:Read*","Resource":"*"}}}}"#
        );
        ResourcePolicy::parse(&text).unwrap()
    };
    let everybody = grant("*");
    let ours = grant("arn:aws:iam::111122223333:user/build/ci");
    let account = grant("arn:aws:iam::444455556666:root");
    let deny = ResourcePolicy::parse(&everybody.text().replace("Allow", "Deny")).unwrap();
    for (policy, domain, expected) in [
        (None, None, [false, false]),
        (Some(&ours), None, [true, false]),
        (Some(&account), None, [false, true]),
        (None, Some(&account), [false, true]),
        (Some(&everybody), None, [true, true]),
        (Some(&everybody), Some(&deny), [false, false]),
        (None, None, [false, false]),
    ] {
        for (caller, expected) in [&own, &foreign].into_iter().zip(expected) {
            let ask = Ask {
                repository_policy: policy,
                domain_policy: domain,
                ..house.ask(caller)
            };
            for _ in 0..2 {
                assert_eq!(
                    may(&house.iam, &ask).await,
                    expected,
                    "{policy:?} {domain:?} {caller:?}"
                );
            }
        }
    }
    // Who administers the repository needs no resource policy.
    let ask = Ask {
        administrator: Some(&other_account),
        ..house.ask(&foreign)
    };
    assert!(may(&house.iam, &ask).await);
    assert!(ResourcePolicy::parse("{").is_err());
}

async fn a_deny_for_any_name_of_a_resource_wins(house: House) {
    let domain = "arn:aws:codeartifact:us-east-1:111122223333:domain/my-domain";
    let third = "arn:aws:codeartifact:us-east-1:111122223333:repository/my-domain/third";
    let (user, caller) = caller(&house, "").await;
    let on = |effect: &str, resource: &str| {
        statement(effect, "").replace(r#""Resource":"*""#, &format!(r#""Resource":"{resource}""#))
    };
    let names = [REPOSITORY, domain, third];
    let ask = Ask {
        action: "codeartifact:CreateRepository",
        ..house.ask(&caller)
    };
    for allowed in names {
        house
            .iam
            .put_inline_policy(&user, "own", &on("Allow", allowed))
            .await
            .unwrap();
        for asked in [&names[..1], &names[..2], &names[..]] {
            let expected = asked.contains(&allowed);
            assert_eq!(
                may(
                    &house.iam,
                    &Ask {
                        resources: asked,
                        ..ask
                    }
                )
                .await,
                expected,
                "{allowed} {asked:?}"
            );
        }
    }
    house
        .iam
        .put_inline_policy(&user, "own", &statement("Allow", ""))
        .await
        .unwrap();
    for denied in names {
        house
            .iam
            .put_inline_policy(&user, "no", &on("Deny", denied))
            .await
            .unwrap();
        assert!(
            !may(
                &house.iam,
                &Ask {
                    resources: &names,
                    ..ask
                }
            )
            .await,
            "{denied}"
        );
    }
}

async fn root_may_what_its_account_owns(house: House) {
    let root = house.signed_in(&house.keys.root).await;
    assert!(house.may_read(&root).await);
    let other_account = "444455556666".parse().unwrap();
    let keys = house.iam.create_account(&other_account).await.unwrap();
    let foreign = house.signed_in(&keys.root).await;
    assert!(!house.may_read(&foreign).await);
    let token = Ask {
        action: "codeartifact:GetAuthorizationToken",
        ..house.ask(&root)
    };
    assert!(
        may(&house.iam, &token).await,
        "root is the first key that anybody has"
    );
    let mut strict = iam::Settings::new(crate::house::region(), house.clock.clone());
    strict.strict_root = true;
    let strict = iam::Iam::open(house.database.clone(), house.master_key(), strict)
        .await
        .unwrap();
    assert!(!may(&strict, &token).await);
}

async fn a_denial_can_be_found_again(house: House) {
    house.role(ROLE, "ec2-ca").await;
    let new = iam::NewSession::new(ROLE, "i-0123456789abcdef0", Duration::from_hours(1));
    let temporary = house
        .iam
        .start_session(&house.account, None, new)
        .await
        .unwrap();
    let caller = house.signed_in(&temporary.credentials).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let Err(AuthorizeError::Denied(denial)) = house.iam.authorize(&house.ask(&caller)).await
        else {
            panic!("denied")
        };
        assert_eq!(
            denial.message,
            format!(
                "User: arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0 is not authorized to perform: \
                 codeartifact:ReadFromRepository on resource: {REPOSITORY} because no identity-based policy allows the \
                 codeartifact:ReadFromRepository action"
            )
        );
        assert_eq!(denial.id.len(), 36);
        ids.push(denial.id);
        house.turn(Duration::from_millis(5));
    }
    assert!(
        ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]),
        "{ids:?}"
    );
    house
        .iam
        .put_inline_policy(ROLE, "no", &statement("Deny", ""))
        .await
        .unwrap();
    let Err(AuthorizeError::Denied(denial)) = house.iam.authorize(&house.ask(&caller)).await else {
        panic!("denied")
    };
    assert!(
        denial
            .message
            .ends_with(" with an explicit deny in an identity-based policy"),
        "{}",
        denial.message
    );
    assert_eq!(denial.reason.as_str(), "explicit-identity");
}
