//! The doors of the AWS operations.

use crate::server::{Call, Server};
use crate::wire::{Wire, ask, get};

#[test]
fn odd_paths_are_refused_before_anything_else() {
    let server = Server::start(&[]);
    for path in [
        "/v1/x/../domain",
        "/v1//domain",
        "/v1/./domain",
        "/v1/%64omain",
        "/v1/domain%3f",
        "/v1/domain/",
    ] {
        let answer = get(&server.address, path, "");
        assert_eq!(
            (answer.status, answer.header("x-amzn-errortype")),
            (400, Some("ValidationException")),
            "{path}"
        );
        assert!(answer.json()["message"].is_string());
    }
    for path in ["/", "//v1/domain", "/d.", "/v2/domain", "/console"] {
        assert_eq!(get(&server.address, path, "").status, 404, "{path}");
    }
}

#[test]
fn errors_are_written_in_the_dialect_of_the_path() {
    let server = Server::start(&[]);
    let answer = get(&server.address, "/v1/domain?domain=team", "");
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (403, Some("MissingAuthenticationTokenException"))
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(
        answer.header("x-amzn-requestid"),
        answer.header("x-request-id")
    );

    for (version, namespace) in [("2010-05-08", "iam"), ("2011-06-15", "sts")] {
        let body = format!("Action=GetUser&Version={version}");
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        );
        let answer = ask(&server.address, request);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (403, Some("text/xml"))
        );
        let text = answer.text();
        assert!(
            text.contains("<Code>MissingAuthenticationToken</Code>"),
            "{text}"
        );
        assert!(
            text.contains(&format!("https://{namespace}.amazonaws.com/doc/{version}/")),
            "{text}"
        );
        assert!(
            text.contains(answer.header("x-amzn-requestid").unwrap()),
            "{text}"
        );
    }
    let body = "Action=DescribeInstances&Version=2016-11-15";
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert!(
        ask(&server.address, request)
            .text()
            .contains("<Response><Errors><Error>")
    );
}

#[test]
fn operations_that_are_not_there_say_so() {
    let server = Server::start(&[]);
    let answer = server.call("GET", "/v1/nothing", b"");
    assert_eq!(
        (answer.status, answer.json()["reason"].as_str()),
        (400, Some("UNKNOWN_OPERATION"))
    );
    let key = server.key("admin-credentials");
    let answer = server.query(&key, "iam", "Action=Nothing&Version=2010-05-08");
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("<Code>InvalidAction</Code>"),
        "{}",
        answer.text()
    );
    let answer = server.query(&key, "iam", "Version=2010-05-08");
    assert!(
        answer.text().contains("<Code>MissingAction</Code>"),
        "{}",
        answer.text()
    );
}

#[test]
fn a_signature_for_another_service_or_body_is_refused() {
    let server = Server::start(&[]);
    let key = server.key("admin-credentials");
    let call = Call {
        method: "POST",
        target: "/v1/domains",
        headers: &[],
        body: b"{}",
    };
    let answer = ask(&server.address, server.signed(&key, "sts", call));
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (403, Some("InvalidSignatureException"))
    );
    let mut altered = server.signed(&key, "codeartifact", call);
    let end = altered.len();
    altered[end - 1] = b' ';
    assert_eq!(ask(&server.address, altered).status, 403);
    assert_eq!(
        ask(&server.address, server.signed(&key, "codeartifact", call)).status,
        200
    );
}

#[test]
fn bodies_that_are_too_large_are_refused_without_being_read() {
    let server = Server::start(&[]);
    let call = Call {
        method: "POST",
        target: "/v1/domains",
        headers: &[],
        body: b"",
    };
    // The length is not signed, so this is what anybody with a key can send.
    let signed = server.signed(&server.key("admin-credentials"), "codeartifact", call);
    let announced = String::from_utf8(signed).unwrap();
    let announced = announced.replace("content-length: 0", "content-length: 2147483648");
    let answer = ask(&server.address, announced);
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (413, Some("RequestEntityTooLargeException"))
    );

    let mut wire = Wire::open(&server.address);
    wire.send(format!(
        "POST / HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        server.address
    ));
    let piece = [b"10000\r\n".as_slice(), &vec![b'a'; 0x10000], b"\r\n"].concat();
    for _ in 0..20 {
        if !wire.try_send(&piece) {
            break;
        }
    }
    let answer = wire.answer();
    assert_eq!(answer.status, 413);
    assert!(
        answer.text().contains("<Code>RequestEntityTooLarge</Code>"),
        "{}",
        answer.text()
    );
}

#[test]
fn heads_that_are_too_large_or_malformed_end_the_connection_only() {
    let server = Server::start(&[]);
    let mut wire = Wire::open(&server.address);
    wire.send(format!(
        "GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n",
        "a".repeat(300 << 10)
    ));
    assert_eq!(wire.answer().status, 431);
    for malformed in [
        "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        "GET /heal thz HTTP/1.1\r\n\r\n",
        "\u{1}\u{2}\r\n\r\n",
    ] {
        let mut wire = Wire::open(&server.address);
        wire.send(malformed);
        assert_eq!(
            wire.head().map(|answer| answer.status),
            Some(400),
            "{malformed:?}"
        );
        assert!(wire.is_closed());
    }
    assert_eq!(get(&server.address, "/healthz", "").status, 200);
}

#[test]
fn endpoints_have_the_address_that_the_client_used() {
    let server = Server::start(&["--trusted-proxy", "127.0.0.1"]);
    server.make_repository("app");
    let target = "/v1/repository/endpoint?domain=team&repository=app&format=maven";
    let endpoint = |headers: &[(&str, &str)]| {
        let call = Call {
            method: "GET",
            target,
            headers,
            body: b"",
        };
        let answer = ask(
            &server.address,
            server.signed(&server.key("admin-credentials"), "codeartifact", call),
        );
        answer.json()["repositoryEndpoint"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        endpoint(&[]),
        format!("http://{}/d/team-111122223333/maven/app/", server.address)
    );
    let forwarded = [
        ("x-forwarded-host", "packages.example"),
        ("x-forwarded-proto", "https"),
    ];
    assert_eq!(
        endpoint(&forwarded),
        "https://packages.example/d/team-111122223333/maven/app/"
    );

    let other = Server::start(&["--public-url", "https://packages.example:8443"]);
    other.make_repository("app");
    let answer = other.call("GET", target, b"");
    assert_eq!(
        answer.json()["repositoryEndpoint"],
        "https://packages.example:8443/d/team-111122223333/maven/app/"
    );
}

#[test]
fn forwarding_headers_of_strangers_are_not_believed() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let call = Call {
        method: "GET",
        target: "/v1/repository/endpoint?domain=team&repository=app&format=maven",
        headers: &[
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
        ],
        body: b"",
    };
    let answer = ask(
        &server.address,
        server.signed(&server.key("admin-credentials"), "codeartifact", call),
    );
    let expected = format!("http://{}/d/team-111122223333/maven/app/", server.address);
    assert_eq!(
        answer.json()["repositoryEndpoint"].as_str(),
        Some(expected.as_str())
    );
}

#[test]
fn an_asset_is_published_as_a_stream_and_read_back() {
    let server = Server::start(&[]);
    server.make_repository("app");
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let published = server.publish("app", &body);
    assert_eq!(published.status, 200, "{}", published.text());
    let answer = ask(&server.address, server.asking_for_asset("app"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-assetname"), Some("thing.bin"));
    assert!(answer.body == body);
}
