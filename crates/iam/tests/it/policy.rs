//! Every authorization case of the specification: decision, reason and text.

use std::fmt::Write as _;
use std::sync::Arc;

use iam::policy::{
    Ask, Context, Policies, Policy, PolicySource, Principal, ResourcePolicies, evaluate,
};

use crate::cases::Vectors;

#[test]
fn every_case_is_decided_for_the_reason_and_in_the_words_expected() {
    let vectors = Vectors::read();
    assert_eq!(vectors.cases.len(), 330);
    let mut wrong = String::new();
    for case in &vectors.cases {
        let (decision, message) = vectors.decide(case);
        let verdict = if decision.allowed { "Allow" } else { "Deny" };
        let expected = &case.expect;
        let same_text = expected.message.is_none() || expected.message == message;
        if verdict != expected.decision || decision.reason.as_str() != expected.reason || !same_text
        {
            let reason = decision.reason.as_str();
            writeln!(
                wrong,
                "{} {}: {verdict} {reason} {message:?}",
                case.id, case.name
            )
            .unwrap();
        }
        assert_eq!(message.is_none(), decision.allowed, "{}", case.id);
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

const ALICE: Principal<'_> = Principal::User {
    account: "111122223333",
    arn: "arn:aws:iam::111122223333:user/alice",
    unique_id: "AIDAALICE",
};

fn policy(statements: &str) -> Policy {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Policy::parse(&text, PolicySource::named("p")).unwrap()
}

fn create_repository(context: &Context) -> Ask<'_> {
    Ask {
        principal: ALICE,
        action: "codeartifact:CreateRepository",
        resource: "arn:aws:codeartifact:us-east-1:111122223333:repository/d/new",
        also: Some("arn:aws:codeartifact:us-east-1:111122223333:domain/d"),
        resource_owner: "111122223333",
        repository_administrator: None,
        context,
        strict_root: false,
    }
}

#[test]
fn of_two_names_of_a_resource_one_allow_is_enough_and_one_deny_wins() {
    let repository = "arn:aws:codeartifact:*:*:repository/d/*";
    let domain = "arn:aws:codeartifact:*:*:domain/d";
    let elsewhere = "arn:aws:codeartifact:*:*:domain/e";
    let context = Context::new();
    let ask = create_repository(&context);
    for (allowed, denied, expected) in [
        ("*", elsewhere, true),
        (repository, elsewhere, true),
        (domain, elsewhere, true),
        (elsewhere, elsewhere, false),
        (repository, domain, false),
        (domain, repository, false),
    ] {
        let identity = [Arc::new(policy(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"{allowed}"}},
               {{"Effect":"Deny","Action":"*","Resource":"{denied}"}}"#
        )))];
        let decision = evaluate(
            &ask,
            &Policies {
                identity: &identity,
                ..Policies::default()
            },
        );
        assert_eq!(decision.allowed, expected, "allow {allowed} deny {denied}");
    }
}

#[test]
fn a_repository_policy_has_no_say_in_the_creation_of_repositories() {
    let context = Context::new();
    let ask = create_repository(&context);
    let anyone = policy(r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#);
    for (resource, expected) in [
        (
            ResourcePolicies {
                domain: Some(&anyone),
                ..ResourcePolicies::default()
            },
            true,
        ),
        (
            ResourcePolicies {
                repository: Some(&anyone),
                ..ResourcePolicies::default()
            },
            false,
        ),
        (
            ResourcePolicies {
                role_trust: Some(&anyone),
                ..ResourcePolicies::default()
            },
            false,
        ),
    ] {
        let decision = evaluate(
            &ask,
            &Policies {
                resource,
                ..Policies::default()
            },
        );
        assert_eq!(decision.allowed, expected, "{resource:?}");
    }
}

#[test]
fn a_session_whose_policies_are_all_gone_may_do_nothing() {
    let context = Context::new();
    let ask = create_repository(&context);
    let identity = [Arc::new(policy(
        r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
    ))];
    let policies = Policies {
        identity: &identity,
        session: Some(&[]),
        ..Policies::default()
    };
    assert_eq!(
        evaluate(&ask, &policies).reason.as_str(),
        "implicit-session"
    );
}

#[test]
fn a_decision_names_the_statements_it_rests_on() {
    let text = "{\"Version\": \"2012-10-17\",\n \"Statement\": [\n  \
                {\"Sid\": \"All\", \"Effect\": \"Allow\", \"Action\": \"*\", \"Resource\": \"*\"},\n  \
                {\"Effect\": \"Deny\", \"Action\": \"iam:*\", \"Resource\": \"*\"}]}";
    let identity = [Arc::new(
        Policy::parse(text, PolicySource::named("mine")).unwrap(),
    )];
    let context = Context::new();
    let boundary = policy(r#"{"Effect":"Allow","Action":"codeartifact:*","Resource":"*"}"#);
    let policies = Policies {
        identity: &identity,
        boundary: Some(&boundary),
        ..Policies::default()
    };

    let allowed = evaluate(&create_repository(&context), &policies);
    assert_eq!(allowed.boundary_allows, Some(true));
    let first = &allowed.matched[0];
    assert_eq!(
        (
            first.policy.name.as_str(),
            first.sid.as_deref(),
            first.index
        ),
        ("mine", Some("All"), 0)
    );
    assert_eq!((first.span.start.line, first.span.start.column), (3, 3));

    let ask = Ask {
        action: "iam:CreateUser",
        resource: "*",
        also: None,
        ..create_repository(&context)
    };
    let denied = evaluate(&ask, &policies);
    assert_eq!(denied.boundary_allows, Some(false));
    let [only] = denied.matched.as_slice() else {
        panic!("{:?}", denied.matched)
    };
    assert_eq!(
        (only.sid.as_deref(), only.index, only.span.start.line),
        (None, 1, 4)
    );
}

#[test]
fn root_and_web_identities_are_refused_in_their_own_words() {
    let context = Context::new();
    let asked = create_repository(&context);
    let root = Principal::Root {
        account: "111122223333",
        arn: "arn:aws:iam::111122223333:root",
    };
    let github = Principal::WebIdentity {
        provider: "arn:aws:iam::111122223333:oidc-provider/idp.example",
    };
    for (principal, action, expected) in [
        (
            root,
            "sts:AssumeRole",
            "Roles may not be assumed by root accounts.",
        ),
        (
            github,
            "sts:AssumeRoleWithWebIdentity",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        (
            root,
            "codeartifact:GetAuthorizationToken",
            "User: arn:aws:iam::111122223333:root is not authorized to perform: codeartifact:GetAuthorizationToken \
             on resource: *",
        ),
    ] {
        let ask = Ask {
            principal,
            action,
            resource: "*",
            also: None,
            strict_root: true,
            ..asked
        };
        let decision = evaluate(&ask, &Policies::default());
        assert_eq!(decision.message(&ask).as_deref(), Some(expected));
    }
}

#[test]
fn policies_know_whether_time_matters_to_them() {
    for (statement, expected) in [
        (
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}"#,
            false,
        ),
        (
            r#"{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"AWS:CurrentTime":"2026-01-01"}}}"#,
            true,
        ),
        (
            r#"{"Effect":"Deny","Action":"*","Resource":"arn:aws:s3:::${aws:EpochTime}"}"#,
            true,
        ),
    ] {
        assert_eq!(policy(statement).mentions_time(), expected, "{statement}");
    }
}
