//! How long a decision takes, in nanoseconds. The budget for ten policies of twenty statements is
//! 50 000.

#![allow(clippy::print_stdout, reason = "the numbers are the purpose")]
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iam::policy::{
    Ask, Context, Policies, Policy, PolicySource, Principal, ResourcePolicies, evaluate,
};

const POLICIES: usize = 10;
const STATEMENTS: usize = 20;

/// Ten policies of twenty statements, each made from its number.
fn policies(statement: impl Fn(usize) -> String) -> Vec<Arc<Policy>> {
    let policy = |policy: usize| {
        let statements: Vec<String> = (0..STATEMENTS)
            .map(|index| statement(policy * STATEMENTS + index))
            .collect();
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        );
        Arc::new(Policy::parse(&text, PolicySource::named(format!("p{policy}"))).unwrap())
    };
    (0..POLICIES).map(policy).collect()
}

fn context() -> Context {
    let mut principal = Context::new()
        .with(
            "aws:PrincipalArn",
            "arn:aws:iam::111122223333:user/build/alice",
        )
        .with("aws:PrincipalAccount", "111122223333")
        .with("aws:PrincipalType", "User")
        .with("aws:userid", "AIDAALICE")
        .with("aws:username", "alice");
    for tag in 0..10 {
        principal.set(&format!("aws:PrincipalTag/tag{tag}"), format!("value{tag}"));
    }
    Context::over(Arc::new(principal))
        .with("aws:CurrentTime", "2026-03-14T15:09:26Z")
        .with("aws:EpochTime", "1773500966")
        .with("aws:SourceIp", "203.0.113.40")
        .with("aws:SecureTransport", "true")
        .with("aws:RequestedRegion", "us-east-1")
        .with("aws:ResourceTag/team", "yellow")
}

fn measure(name: &str, ask: &Ask<'_>, policies: &Policies<'_>) {
    let round = || {
        let rounds = 2_000;
        let start = Instant::now();
        for _ in 0..rounds {
            black_box(evaluate(black_box(ask), black_box(policies)));
        }
        start.elapsed() / rounds
    };
    let best = (0..20).map(|_| round()).min().unwrap_or(Duration::ZERO);
    println!("{name:<60} {:>7} ns", best.as_nanos());
}

fn main() {
    let context = context();
    let ask = Ask {
        principal: Principal::User {
            account: "111122223333",
            arn: "arn:aws:iam::111122223333:user/build/alice",
            unique_id: "AIDAALICE",
        },
        action: "codeartifact:ReadFromRepository",
        resource: "arn:aws:codeartifact:us-east-1:111122223333:repository/my-domain/releases",
        also: None,
        resource_owner: "111122223333",
        repository_administrator: None,
        context: &context,
        strict_root: false,
    };
    let none = policies(|n| {
        format!(
            r#"{{"Effect":"Allow","Action":["s3:Get*","s3:List*","ec2:Describe{n}","iam:*"],"Resource":"arn:aws:s3:::bucket-{n}/*"}}"#
        )
    });
    let by_resource = policies(|n| {
        format!(
            r#"{{"Effect":"Allow","Action":["codeartifact:Get*","codeartifact:Read*"],
                "Resource":["arn:aws:codeartifact:*:*:repository/*/team-{n}-*","arn:aws:codeartifact:us-east-1:111122223333:package/*/{n}"]}}"#
        )
    });
    let by_condition = policies(|n| {
        format!(
            r#"{{"Sid":"S{n}","Effect":"Allow","Action":"codeartifact:*","Resource":"arn:aws:codeartifact:*:*:repository/my-domain/*",
                "Condition":{{"StringLike":{{"aws:PrincipalTag/tag9":"v*9","aws:ResourceTag/team":["y*","r*"]}},
                "IpAddress":{{"aws:SourceIp":["198.51.100.0/24","203.0.113.0/24"]}},
                "DateGreaterThan":{{"aws:CurrentTime":"2026-01-01T00:00:00Z"}},
                "ArnLike":{{"aws:PrincipalArn":"arn:aws:iam::*:user/*/${{aws:username}}"}}}}}}"#
        )
    });
    let resource = Policy::parse(
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"codeartifact:*","Resource":"*"}]}"#,
        PolicySource::named("domain"),
    )
    .unwrap();
    let with_resource = ResourcePolicies {
        domain: Some(&resource),
        repository: Some(&resource),
        role_trust: None,
    };
    for (name, identity, resource) in [
        ("one statement", &by_condition[..0], with_resource),
        (
            "200 statements, none about the service",
            &none[..],
            ResourcePolicies::default(),
        ),
        (
            "200 statements, none about the resource",
            &by_resource[..],
            with_resource,
        ),
        (
            "200 statements, all match, five conditions each",
            &by_condition[..],
            with_resource,
        ),
    ] {
        measure(
            name,
            &ask,
            &Policies {
                identity,
                resource,
                ..Policies::default()
            },
        );
    }
}
