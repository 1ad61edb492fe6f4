//! Laws that hold whatever the policies say, tried on the cases of the specification and on random
//! policies.

use iam::policy::Reason;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cases::{Case, Vectors};

/// Decision and reason, for comparisons.
fn decide(vectors: &Vectors, case: &Case) -> (bool, Reason) {
    let (decision, _) = vectors.decide(case);
    (decision.allowed, decision.reason)
}

/// Reverses every list in a document: statements, actions, resources, principals, condition values.
fn reverse_lists(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.reverse();
            list.iter_mut().for_each(reverse_lists);
        }
        Value::Object(object) => object.values_mut().for_each(reverse_lists),
        _ => {}
    }
}

fn statements_mut(document: &mut Value) -> Option<&mut Vec<Value>> {
    document.get_mut("Statement")?.as_array_mut()
}

fn everything(effect: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "*", "Resource": "*"}]})
}

/// The case with random policies of every kind.
fn randomize(case: &mut Case, policies: Random) {
    let Random {
        identity,
        boundary,
        session,
        domain,
        repository,
        trust,
    } = policies;
    case.identity_policies = identity;
    case.permissions_boundary = boundary;
    case.session_policies = session;
    case.resource_policies = [
        ("domain".to_owned(), domain),
        ("repository".to_owned(), repository),
        ("role_trust".to_owned(), trust),
    ]
    .into();
}

#[derive(Debug, Clone)]
struct Random {
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Vec<Value>>,
    domain: Value,
    repository: Value,
    trust: Value,
}

fn statement(with_principal: bool) -> impl Strategy<Value = Value> {
    let effects = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
    let actions = prop::sample::subsequence(
        vec![
            "*",
            "codeartifact:*",
            "codeartifact:Read*",
            "codeartifact:Get*",
            "sts:*",
            "sts:AssumeRole",
            "iam:*",
        ],
        1..4,
    );
    let resources = prop::sample::subsequence(
        vec![
            "*",
            "arn:aws:codeartifact:*",
            "arn:aws:codeartifact:*:111122223333:repository/my-domain/*",
            "arn:aws:codeartifact:us-east-1:*:*/my-domain/${aws:username}*",
            "arn:aws:codeartifact:*:*:package/*",
            "arn:aws:iam::111122223333:role/*",
        ],
        1..4,
    );
    let principals = prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": ["111122223333", "arn:aws:iam::111122223333:role/ec2-ca"]}),
        json!({"AWS": ["arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:user/alice"]}),
        json!({"AWS": "arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0"}),
        json!({"Service": "ec2.amazonaws.com"}),
    ]);
    let conditions = prop::sample::select(vec![
        json!({}),
        json!({}),
        json!({"StringEquals": {"aws:PrincipalType": ["User", "AssumedRole"]}}),
        json!({"StringNotLike": {"aws:username": ["a*", "b*"]}}),
        json!({"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}, "Null": {"aws:TokenIssueTime": "true"}}),
        json!({"ForAllValues:StringLike": {"aws:TagKeys": ["a", "k*"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}),
    ]);
    (
        effects,
        actions,
        resources,
        principals,
        conditions,
        any::<(bool, bool)>(),
    )
        .prop_map(
            move |(
                effect,
                actions,
                resources,
                principal,
                condition,
                (not_action, not_resource),
            )| {
                let mut statement = json!({"Effect": effect, "Condition": condition});
                // The negated forms are for the rare case only; both at once say little.
                let not_resource = not_action && not_resource;
                statement[if not_action && !not_resource {
                    "NotAction"
                } else {
                    "Action"
                }] = json!(actions);
                statement[if not_resource {
                    "NotResource"
                } else {
                    "Resource"
                }] = json!(resources);
                if with_principal {
                    let negated = effect == "Deny" && not_action;
                    statement[if negated { "NotPrincipal" } else { "Principal" }] = principal;
                }
                statement
            },
        )
}

fn document(with_principal: bool) -> impl Strategy<Value = Value> {
    prop::collection::vec(statement(with_principal), 0..4)
        .prop_map(|statements| json!({"Version": "2012-10-17", "Statement": statements}))
}

fn random() -> impl Strategy<Value = Random> {
    (
        prop::collection::vec(document(false), 0..3),
        prop::option::of(document(false)),
        prop::option::of(prop::collection::vec(document(false), 0..3)),
        document(true),
        document(true),
        document(true),
    )
        .prop_map(
            |(identity, boundary, session, domain, repository, trust)| Random {
                identity,
                boundary,
                session,
                domain,
                repository,
                trust,
            },
        )
}

/// A case of the file, by its place, whose policies are replaced by random ones.
fn random_case(vectors: &Vectors) -> impl Strategy<Value = Case> + use<> {
    let cases = vectors.cases.clone();
    (prop::sample::select(cases), random()).prop_map(|(mut case, policies)| {
        randomize(&mut case, policies);
        case
    })
}

/// Order never counts: not of statements, not of policies, not within lists.
fn order_does_not_count(vectors: &Vectors, case: &Case) {
    let expected = decide(vectors, case);
    let mut reversed = case.clone();
    reversed.identity_policies.reverse();
    reversed.documents_mut().for_each(reverse_lists);
    assert_eq!(decide(vectors, &reversed), expected, "{} reversed", case.id);

    let longest = |case: &mut Case| {
        case.documents_mut()
            .filter_map(|policy| Some(statements_mut(policy)?.len()))
            .max()
    };
    for turn in 1..longest(&mut case.clone()).unwrap_or_default() {
        let mut rotated = case.clone();
        for document in rotated.documents_mut() {
            if let Some(statements) = statements_mut(document) {
                let by = turn % statements.len().max(1);
                statements.rotate_left(by);
            }
        }
        assert_eq!(
            decide(vectors, &rotated),
            expected,
            "{} rotated by {turn}",
            case.id
        );
    }
}

/// Another Deny, wherever it stands, turns no denial into an allowance.
fn a_deny_only_denies(vectors: &Vectors, case: &Case, deny: &Value) {
    let (allowed, _) = decide(vectors, case);
    let mut in_every_place = Vec::new();
    let mut identity = case.clone();
    identity
        .identity_policies
        .push(json!({"Version": "2012-10-17", "Statement": [deny]}));
    in_every_place.push(identity);
    for place in 0..case.clone().documents_mut().count() {
        let mut changed = case.clone();
        if let Some(statements) = changed.documents_mut().nth(place).and_then(statements_mut) {
            statements.push(deny.clone());
        }
        in_every_place.push(changed);
    }
    for changed in in_every_place {
        let (still_allowed, _) = decide(vectors, &changed);
        assert!(allowed || !still_allowed, "{} {deny}", case.id);
    }
}

/// A boundary or a session policy takes away and never gives; what a resource policy gives to the
/// caller himself, only its Deny takes away.
fn limits_only_narrow(vectors: &Vectors, case: &Case, limit: &Value) {
    let (allowed, reason) = decide(vectors, case);
    let mut limited = Vec::new();
    if case.permissions_boundary.is_none() {
        let mut changed = case.clone();
        changed.permissions_boundary = Some(limit.clone());
        limited.push(changed);
    }
    if case.session_policies.is_none() {
        let mut changed = case.clone();
        changed.session_policies = Some(vec![limit.clone()]);
        limited.push(changed);
    }
    for changed in limited {
        let (still_allowed, new_reason) = decide(vectors, &changed);
        assert!(allowed || !still_allowed, "{} {limit}", case.id);
        if matches!(reason, Reason::ResourceDirect | Reason::TrustDirect) && !still_allowed {
            assert!(
                matches!(new_reason, Reason::Explicit(_)),
                "{} {limit}",
                case.id
            );
        }
    }
}

/// The keys policies report are all they go by: others may be absent or hold anything.
fn unreported_keys_do_not_count(vectors: &Vectors, case: &Case) {
    let (caller, compiled) = (vectors.caller(case), case.compile());
    let expected = case.decide(caller, &compiled, &vectors.context(case, |_| true));
    let mut context = vectors.context(case, |key| compiled.mention(key));
    assert_eq!(
        case.decide(caller, &compiled, &context),
        expected,
        "{} without other keys",
        case.id
    );
    for key in vectors.all_keys().filter(|key| !compiled.mention(key)) {
        context.set(key, "something else");
    }
    assert_eq!(
        case.decide(caller, &compiled, &context),
        expected,
        "{} with other keys",
        case.id
    );
}

#[test]
fn the_laws_hold_for_every_case_of_the_specification() {
    let vectors = Vectors::read();
    let denies = [
        json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}),
        json!({"Effect": "Deny", "NotAction": "codeartifact:Read*", "Resource": "*", "Principal": {"AWS": "111122223333"}}),
        json!({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:codeartifact:*", "NotPrincipal": {"AWS": "*"}}),
    ];
    let reads = json!({"Statement": [{"Effect": "Allow", "Action": "codeartifact:Read*", "Resource": "*"}]});
    for case in &vectors.cases {
        order_does_not_count(&vectors, case);
        unreported_keys_do_not_count(&vectors, case);
        for deny in &denies {
            a_deny_only_denies(&vectors, case, deny);
        }
        for limit in [
            everything("Allow"),
            everything("Deny"),
            reads.clone(),
            json!({"Statement": []}),
        ] {
            limits_only_narrow(&vectors, case, &limit);
        }
    }
}

#[test]
fn the_laws_hold_for_random_policies() {
    let vectors = Vectors::read();
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let inputs = (random_case(&vectors), statement(true), document(false));
    proptest!(config, |((case, mut deny, limit) in inputs)| {
        order_does_not_count(&vectors, &case);
        unreported_keys_do_not_count(&vectors, &case);
        deny["Effect"] = json!("Deny");
        a_deny_only_denies(&vectors, &case, &deny);
        limits_only_narrow(&vectors, &case, &limit);
    });
}
