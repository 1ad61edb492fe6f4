#![allow(clippy::unwrap_used, reason = "tests")]

use http_body_util::BodyExt as _;

use super::super::held::NO_ROLE;
use super::super::wire::{Refusal, Role, Session, Told};
use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_773_500_966);
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
const EXTENDED: &str = "/latest/meta-data/iam/security-credentials-extended/";

fn role() -> Role {
    Role {
        association_id: "iip-assoc-0123456789abcdef0".to_owned(),
        id: "AROAEXAMPLE".to_owned(),
        name: "ec2-ca".to_owned(),
        instance_profile_arn: "arn:aws:iam::111122223333:instance-profile/ec2-ca".to_owned(),
        instance_profile_id: "AIPAEXAMPLE".to_owned(),
    }
}

fn session() -> Held {
    let told = Told {
        role: Some(role()),
        session: Some(Session {
            access_key_id: "ASIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "hush".to_owned(),
            token: "phs1_x".to_owned(),
            expiration: "2026-03-14T21:09:26Z".to_owned(),
        }),
        refusal: None,
    };
    Held::of(told, "111122223333".parse().unwrap(), NOW).unwrap()
}

fn refused() -> Held {
    Held::Refused {
        role: role(),
        refusal: Refusal {
            code: "AssumeRoleUnauthorizedAccess".to_owned(),
            message: "EC2 cannot assume the role ec2-ca".to_owned(),
        },
        since: NOW,
    }
}

fn answers(held: Held, version_1: bool) -> Answers {
    let holder = Holder::new();
    holder.set(held);
    let facts = Facts {
        machine: "i-0123456789abcdef0".parse().unwrap(),
        account: "111122223333".parse().unwrap(),
        region: "eu-west-1".parse().unwrap(),
        container_token: "the-token".into(),
        version_1,
    };
    Answers::new(facts, holder, Clock::fixed(NOW))
}

/// Status, headers and body.
async fn ask(
    answers: &Answers,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, http::HeaderMap, String) {
    let mut builder = http::Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        builder = builder.header("host", "127.0.0.1:1338");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    let (parts, ()) = builder.body(()).unwrap().into_parts();
    let answer = answers.answer(&parts, "127.0.0.1".parse().unwrap());
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(parts.headers["cache-control"], "no-store");
    // No page of another site may read anything here.
    assert!(
        !parts
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control"))
    );
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(!body.ends_with('\n'));
    (parts.status.as_u16(), parts.headers, body)
}

async fn token(answers: &Answers) -> String {
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
    let (status, headers, token) = ask(answers, "PUT", "/latest/api/token", &ttl).await;
    assert_eq!(status, 200);
    // The SDK for Rust refuses a token without it.
    assert_eq!(headers["x-aws-ec2-metadata-token-ttl-seconds"], "21600");
    token
}

async fn get(answers: &Answers, path: &str) -> (u16, String) {
    let token = token(answers).await;
    let shown = [("x-aws-ec2-metadata-token", token.as_str())];
    let (status, _, body) = ask(answers, "GET", path, &shown).await;
    (status, body)
}

#[tokio::test]
async fn sdks_read_the_role_and_a_session_of_it() {
    let answers = answers(session(), false);
    assert_eq!(get(&answers, ROLES).await, (200, "ec2-ca".to_owned()));
    assert_eq!(get(&answers, EXTENDED).await, (200, "ec2-ca".to_owned()));
    let members = |body: &str| -> serde_json::Value { serde_json::from_str(body).unwrap() };
    let (status, body) = get(&answers, &format!("{ROLES}ec2-ca")).await;
    let expected = serde_json::json!({
        "Code": "Success",
        "LastUpdated": "2026-03-14T15:09:26Z",
        "Type": "AWS-HMAC",
        "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "hush",
        "Token": "phs1_x",
        "Expiration": "2026-03-14T21:09:26Z",
    });
    assert_eq!((status, members(&body)), (200, expected));
    let (_, body) = get(&answers, &format!("{EXTENDED}ec2-ca")).await;
    assert_eq!(members(&body)["AccountId"], "111122223333");
    assert_eq!(get(&answers, &format!("{ROLES}other")).await.0, 404);
    let (status, body) = get(&answers, "/latest/meta-data/iam/info").await;
    assert_eq!(status, 200);
    assert_eq!(members(&body)["InstanceProfileId"], "AIPAEXAMPLE");
}

#[tokio::test]
async fn a_machine_says_what_it_is_with_or_without_a_role() {
    let answers = answers(Held::Nothing { why: NO_ROLE }, false);
    for (path, expected) in [
        ("/latest/meta-data/instance-id", "i-0123456789abcdef0"),
        ("/latest/meta-data/placement/region", "eu-west-1"),
        (
            "/latest/meta-data/placement/availability-zone",
            "eu-west-1a",
        ),
    ] {
        assert_eq!(get(&answers, path).await, (200, expected.to_owned()));
    }
    let (_, document) = get(&answers, "/latest/dynamic/instance-identity/document").await;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["accountId"], "111122223333");
    assert_eq!(document["region"], "eu-west-1");
    for path in [
        ROLES,
        EXTENDED,
        "/latest/meta-data/iam/info",
        "/latest/user-data",
    ] {
        assert_eq!(get(&answers, path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_role_that_does_not_trust_machines_is_told_in_the_code_that_sdks_explain() {
    let answers = answers(refused(), false);
    assert_eq!(get(&answers, ROLES).await, (200, "ec2-ca".to_owned()));
    let (status, body) = get(&answers, &format!("{ROLES}ec2-ca")).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status, 200);
    assert_eq!(body["Code"], "AssumeRoleUnauthorizedAccess");
    assert!(body["Message"].as_str().unwrap().contains("ec2-ca"));
    assert!(body.get("SecretAccessKey").is_none());
}

#[tokio::test]
async fn version_1_is_refused_unless_it_was_asked_for() {
    let strict = answers(session(), false);
    for path in [ROLES, "/latest/meta-data/instance-id", "/latest/nothing"] {
        let (status, _, body) = ask(&strict, "GET", path, &[]).await;
        assert_eq!(status, 401, "{path}");
        assert!(!body.contains("ec2-ca"));
        let wrong = [("x-aws-ec2-metadata-token", "wrong")];
        assert_eq!(ask(&strict, "GET", path, &wrong).await.0, 401, "{path}");
    }
    let lenient = answers(session(), true);
    assert_eq!(ask(&lenient, "GET", ROLES, &[]).await.0, 200);
    // A token that is shown must be right all the same.
    let wrong = [("x-aws-ec2-metadata-token", "wrong")];
    assert_eq!(ask(&lenient, "GET", ROLES, &wrong).await.0, 401);
}

#[tokio::test]
async fn a_token_needs_its_life_and_no_other_agent_knows_it() {
    let answers = answers(session(), false);
    for ttl in [None, Some("0"), Some("21601"), Some("soon")] {
        let header = ttl.map(|ttl| ("x-aws-ec2-metadata-token-ttl-seconds", ttl));
        let (status, _, _) = ask(&answers, "PUT", "/latest/api/token", header.as_slice()).await;
        // On any other status botocore would fall back to version 1.
        assert_eq!(status, 400, "{ttl:?}");
    }
    let token = token(&self::answers(session(), false)).await;
    let of_another = [("x-aws-ec2-metadata-token", token.as_str())];
    assert_eq!(ask(&answers, "GET", ROLES, &of_another).await.0, 401);
}

#[tokio::test]
async fn what_a_browser_or_a_proxy_sends_is_refused_everywhere() {
    let answers = answers(session(), true);
    let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    for foreign in [
        ("host", "evil.example"),
        ("host", "evil.example:1338"),
        ("origin", "http://127.0.0.1:1338"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "for=127.0.0.1"),
        ("via", "1.1 proxy"),
    ] {
        for (method, path) in [
            ("PUT", "/latest/api/token"),
            ("GET", ROLES),
            ("GET", "/v1/credentials"),
        ] {
            let shown = [foreign, ttl, ("authorization", "the-token")];
            let (status, _, body) = ask(&answers, method, path, &shown).await;
            assert_eq!(status, 403, "{foreign:?} {path}");
            assert!(!body.contains("hush") && !body.contains("ec2-ca"));
        }
        let (status, _, _) = ask(&answers, "OPTIONS", "/latest/api/token", &[foreign]).await;
        assert_eq!(status, 405, "{foreign:?}");
    }
    for (method, path) in [
        ("POST", ROLES),
        ("GET", "/"),
        ("DELETE", "/latest/api/token"),
    ] {
        assert_eq!(
            ask(&answers, method, path, &[]).await.0,
            404,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn the_container_endpoint_wants_its_token_verbatim() {
    let answers = answers(session(), true);
    for (shown, expected) in [
        (None, 401),
        (Some("wrong"), 401),
        (Some("Bearer the-token"), 401),
        (Some("the-toke"), 401),
        (Some("the-token"), 200),
    ] {
        let header = shown.map(|shown| ("authorization", shown));
        let (status, _, body) = ask(&answers, "GET", "/v1/credentials", header.as_slice()).await;
        assert_eq!(status, expected, "{shown:?}");
        assert_eq!(body.contains("hush"), expected == 200);
    }
    let right = [("authorization", "the-token")];
    let (_, _, body) = ask(&answers, "GET", "/v1/credentials", &right).await;
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    // A client crashes when one of the first four is missing.
    for member in [
        "AccessKeyId",
        "SecretAccessKey",
        "Token",
        "Expiration",
        "AccountId",
    ] {
        assert!(body[member].is_string(), "{member}");
    }
}

#[tokio::test]
async fn without_a_session_the_container_endpoint_says_why_in_a_sentence() {
    let right = [("authorization", "the-token")];
    for (held, sentence) in [
        (Held::Nothing { why: NO_ROLE }, NO_ROLE),
        (refused(), "EC2 cannot assume the role ec2-ca"),
    ] {
        let answers = answers(held, false);
        let (status, _, body) = ask(&answers, "GET", "/v1/credentials", &right).await;
        assert_eq!((status, body.as_str()), (503, sentence));
    }
}
