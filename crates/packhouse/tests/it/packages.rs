//! The door of the package managers: credentials and challenges, whatever is behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::server::{Server, basic};
use crate::wire::{Wire, ask, get};

const ANY: &str = "/d/team-111122223333/maven/app/com/example/a/1.0/a-1.0.jar";

#[test]
fn without_a_token_everything_is_challenged_alike_and_the_connection_lives() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let mut wire = Wire::open(&server.address);
    let offered = |realm: &str| {
        vec![
            format!("Basic realm=\"{realm}\""),
            format!("Bearer realm=\"{realm}\""),
        ]
    };
    for (path, expected) in [
        (ANY, offered("team/app")),
        ("/d/team-111122223333/maven/app", offered("team/app")),
        ("/d/team-111122223333/maven/absent/", offered("team/absent")),
        ("/d/absent-111122223333/maven/app/x", offered("absent/app")),
        ("/d/team-111122223333/nothing/app/x", offered("team/app")),
        (
            "/d/team-111122223333/swift/app/x",
            vec!["Bearer realm=\"team/app\"".to_owned()],
        ),
        ("/d/", offered("packhouse")),
        (
            "/d/%22%0d%0aevil-111122223333/maven/app/x",
            offered("packhouse"),
        ),
    ] {
        for method in ["GET", "HEAD"] {
            wire.send(format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\n\r\n",
                server.address
            ));
            let answer = wire.head().unwrap();
            assert_eq!(
                (answer.status, answer.all("www-authenticate")),
                (401, expected.iter().map(String::as_str).collect()),
                "{path}"
            );
            assert_eq!(answer.header("content-length"), Some("0"));
            assert_eq!(answer.header("connection"), None, "kept alive");
        }
    }
}

#[test]
fn the_challenge_to_npm_says_in_json_what_is_missing() {
    let server = Server::start(&[]);
    let answer = get(
        &server.address,
        "/d/team-111122223333/npm/app/leaf",
        "authorization: Bearer wrong\r\n",
    );
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = answer.text();
    assert!(
        text.contains(r#""error":"authorization token is missing, invalid or expired""#),
        "{text}"
    );
}

#[test]
fn a_token_is_taken_however_it_is_sent() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = server.token();
    let encoded = |text: String| STANDARD.encode(text);
    for header in [
        format!("Bearer {token}"),
        format!("bearer {token}"),
        token.clone(),
        format!("Basic {}", encoded(format!("aws:{token}"))),
        format!("BASIC {}", encoded(format!("whoever:{token}\r\n"))),
        format!("Basic {}", encoded(format!("{token}:"))),
    ] {
        let answer = get(
            &server.address,
            ANY,
            &format!("authorization: {header}\r\n"),
        );
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    for header in [
        "Bearer phk1_nonsense".to_owned(),
        format!("Bearer {token}x"),
        format!("Digest {token}"),
        format!("Bearer {token}\r\nauthorization: Bearer {token}"),
    ] {
        assert_eq!(
            get(
                &server.address,
                ANY,
                &format!("authorization: {header}\r\n")
            )
            .status,
            401,
            "{header}"
        );
    }
}

#[test]
fn a_token_is_good_for_its_own_domain_only_and_never_for_the_api() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = server.token();
    assert_eq!(
        server.call("POST", "/v1/domain?domain=other", b"{}").status,
        200
    );
    assert_eq!(
        server
            .call("POST", "/v1/repository?domain=other&repository=app", b"{}")
            .status,
        200
    );
    let answer = get(
        &server.address,
        &ANY.replace("team", "other"),
        &basic(&token),
    );
    assert_eq!(
        (answer.status, answer.all("www-authenticate").len()),
        (401, 2)
    );
    let answer = get(
        &server.address,
        "/v1/domain?domain=team",
        &format!("authorization: Bearer {token}\r\n"),
    );
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (403, Some("MissingAuthenticationTokenException"))
    );
}

#[test]
fn with_a_token_what_is_not_there_is_not_found() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = basic(&server.token());
    for path in [
        ANY,
        "/d/team-111122223333/maven/absent/x",
        "/d/team-111122223333/nothing/app/x",
        "/d/team/maven/app/x",
    ] {
        assert_eq!(get(&server.address, path, &token).status, 404, "{path}");
    }
}

#[test]
fn an_upload_that_is_refused_reads_its_answer_and_goes_on() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let token = basic(&server.token());
    let body = vec![b'a'; 8 << 20];
    let mut wire = Wire::open(&server.address);
    // No such repository: known before the first byte of the body.
    wire.send(format!(
        "PUT /d/team-111122223333/maven/absent/com/example/a/1.0/a-1.0.jar HTTP/1.1\r\nhost: {}\r\n{token}content-length: {}\r\n\r\n",
        server.address,
        body.len()
    ));
    wire.send(&body);
    assert_eq!(wire.answer().status, 404);
    wire.send(format!(
        "GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n",
        server.address
    ));
    assert_eq!(wire.answer().status, 200);
}

#[test]
fn a_client_that_waits_for_permission_is_not_asked_for_a_body_that_is_refused() {
    let server = Server::start(&[]);
    let mut wire = Wire::open(&server.address);
    wire.send(format!(
        "PUT {ANY} HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n",
        server.address
    ));
    assert_eq!(wire.answer().status, 401, "and not 100");
}

#[test]
fn the_endpoint_of_generic_packages_can_be_switched_off() {
    let server = Server::start(&["--generic-http", "false"]);
    server.make_repository("app");
    assert_eq!(server.publish("app", b"bytes").status, 200);
    let path = "/d/team-111122223333/generic/app/ns/thing/1.0/thing.bin";
    let answer = get(&server.address, path, &basic(&server.token()));
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("operations of the API"));
    let answer = ask(&server.address, server.asking_for_asset("app"));
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &b"bytes"[..])
    );
}
