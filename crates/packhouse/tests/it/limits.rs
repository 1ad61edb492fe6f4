//! Every limit that a setting names, set to next to nothing: one more is refused, and the refusal says what of.

use std::time::{Duration, Instant};

use crate::server::{Call, Server, until};
use crate::wire::{Answer, ask, get};

/// Answers that a limit is kept, for a resource of this kind.
fn refused(answer: &Answer, kind: Option<&str>) {
    let document = answer.json();
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (402, Some("ServiceQuotaExceededException")),
        "{}",
        answer.text()
    );
    assert_eq!(document["resourceType"].as_str(), kind, "{document}");
}

fn repository(server: &Server, name: &str, upstreams: &[&str]) -> Answer {
    let upstreams: Vec<_> = upstreams
        .iter()
        .map(|name| serde_json::json!({"repositoryName": name}))
        .collect();
    server.call(
        "POST",
        &format!("/v1/repository?domain=team&repository={name}"),
        serde_json::json!({"upstreams": upstreams})
            .to_string()
            .as_bytes(),
    )
}

fn publish(server: &Server, asset: &str, body: &[u8]) -> Answer {
    let digest = store::sha256_hex(body);
    let call = Call {
        method: "POST",
        target: &format!(
            "/v1/package/version/publish?domain=team&repository=app&format=generic&namespace=n&package=p&version=1\
             &asset={asset}&unfinished=true"
        ),
        headers: &[("x-amz-content-sha256", &digest)],
        body,
    };
    let key = server.key("admin-credentials");
    ask(&server.address, server.signed(&key, "codeartifact", call))
}

#[test]
fn each_count_and_size_is_limited_as_it_is_set() {
    let server = Server::start(&[
        "--limit-domains-per-account=2",
        "--limit-repositories-per-domain=4",
        "--limit-direct-upstreams=2",
        "--limit-tags-per-resource=1",
        "--limit-asset-size-bytes=100",
        "--limit-assets-per-version=2",
    ]);
    server.make_repository("app");
    let domain = |name: &str| server.call("POST", &format!("/v1/domain?domain={name}"), b"{}");
    assert_eq!(domain("second").status, 200);
    refused(&domain("third"), Some("domain"));

    for name in ["one", "two"] {
        assert_eq!(repository(&server, name, &[]).status, 200);
    }
    let three = ["one", "two", "app"];
    refused(&repository(&server, "all", &three), Some("repository"));
    assert_eq!(repository(&server, "all", &three[..2]).status, 200);
    refused(&repository(&server, "fifth", &[]), Some("repository"));

    let tags = br#"{"tags":[{"key":"a","value":""},{"key":"b","value":""}]}"#;
    let arn = "arn:aws:codeartifact:us-east-1:111122223333:repository/team/app";
    let tagged = server.call("POST", &format!("/v1/tag?resourceArn={arn}"), tags);
    refused(&tagged, Some("repository"));

    refused(&publish(&server, "a", &[1; 101]), Some("asset"));
    assert_eq!(publish(&server, "a", &[1; 100]).status, 200);
    assert_eq!(publish(&server, "b", b"b").status, 200);
    refused(&publish(&server, "c", b"c"), Some("package-version"));
}

#[test]
fn no_more_upstreams_are_searched_than_is_set() {
    let server = Server::start(&["--limit-upstreams-searched=1"]);
    server.make_repository("one");
    server.make_repository("two");
    assert_eq!(repository(&server, "all", &["one", "two"]).status, 200);
    let token = server.token();
    for name in ["one", "two"] {
        let path = format!("maven/{name}/com/example/{name}/1/{name}-1.pom");
        let pom = format!(
            "<project><modelVersion>4.0.0</modelVersion><groupId>com.example</groupId><artifactId>{name}</artifactId>\
             <version>1</version></project>"
        );
        let put = format!(
            "PUT /d/team-111122223333/{path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-length: {}\r\n\r\n{pom}",
            server.address,
            pom.len()
        );
        let answer = ask(&server.address, put);
        assert!(answer.status < 300, "{}", answer.text());
        let finished = server.call(
            "POST",
            &format!(
                "/v1/package/versions/update_status?domain=team&repository={name}&format=maven&namespace=com.example\
                 &package={name}"
            ),
            br#"{"versions":["1"],"targetStatus":"Published"}"#,
        );
        assert_eq!(finished.status, 200, "{}", finished.text());
    }
    let authorization = format!("authorization: Bearer {token}\r\n");
    for (name, status) in [("one", 200), ("two", 404)] {
        let path = format!("/d/team-111122223333/maven/all/com/example/{name}/1/{name}-1.pom");
        assert_eq!(
            get(&server.address, &path, &authorization).status,
            status,
            "{name}"
        );
    }
}

#[test]
fn requests_in_a_second_are_limited_as_it_is_set() {
    let server = Server::start(&[
        "--limit-reads-per-second=3",
        "--limit-writes-per-second=30",
        "--limit-token-requests-per-second=2",
        "--limit-address-requests-per-second=1",
        "--limit-copies-per-second=1",
    ]);
    server.make_repository("app");
    let token = server.token();
    let describe = || server.call("GET", "/v1/domain?domain=team", b"");
    let tag = || server.call("POST", "/v1/tag?resourceArn=x", b"{}");
    let copy = || server.call("POST", "/v1/package/versions/copy?domain=team", b"{}");
    let authorization = format!("authorization: Bearer {token}\r\n");
    let with_token = || {
        get(
            &server.address,
            "/d/team-111122223333/maven/app/a/b/1/b-1.jar",
            &authorization,
        )
    };
    let without = || get(&server.address, "/d/team-111122223333/maven/app/", "");
    for (what, request) in [
        ("reads", &describe as &dyn Fn() -> Answer),
        ("copies", &copy),
        ("writes", &tag),
        ("with a token", &with_token),
        ("without", &without),
    ] {
        // A second later all is counted anew.
        let began = Instant::now();
        until("a second is over", || {
            (began.elapsed() > Duration::from_millis(1_100)).then_some(())
        });
        // More than two seconds take, should they not all come in one.
        let answers: Vec<_> = (0..100).map(|_| request()).collect();
        let refused: Vec<_> = answers
            .iter()
            .filter(|answer| answer.status == 429)
            .collect();
        let let_through = answers.len() - refused.len();
        assert!(let_through > 0, "{what}: none was let through");
        assert!(!refused.is_empty(), "{what}: none was refused");
        for answer in refused {
            assert_eq!(answer.header("retry-after"), Some("1"), "{what}");
        }
    }
    // Where nothing is set, nothing is counted.
    let server = Server::start(&[]);
    server.make_repository("app");
    for _ in 0..50 {
        let answer = server.call("GET", "/v1/domain?domain=team", b"");
        assert_eq!(answer.status, 200);
    }
}
