//! Requests, redirects, retries, time-outs, bodies, and leaving a registry alone.

use tokio::sync::Semaphore;

use super::*;

const BRIEF: Duration = Duration::from_millis(500);

#[tokio::test]
async fn an_asset_is_streamed_as_it_is_with_what_the_registry_says_of_it() {
    let head = "Content-Type: application/java-archive\r\n\
                Content-Encoding: gzip\r\n\
                Last-Modified: Sat, 14 Mar 2026 15:09:26 GMT\r\n";
    let stub = Stub::start(move |_, _| Reply::new(200, head, b"PK\x03\x04")).await;
    let server = Server::of(&stub).await;

    let body = server
        .remote
        .open("g/a/1/a-1.jar", false)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(body.size_bytes, Some(4));
    assert_eq!(
        body.content_type.as_deref(),
        Some("application/java-archive")
    );
    assert_eq!(body.modified, Some(START));
    let mut body = body.body;
    assert_eq!(body.next().await.unwrap().unwrap(), "PK\x03\x04");
    assert!(body.next().await.is_none() && body.next().await.is_none());
    let asked = stub.last();
    assert_eq!(asked.line, "GET /base/g/a/1/a-1.jar HTTP/1.1");
    assert_eq!(asked.header("accept-encoding"), Some("identity"));
    assert_eq!(asked.header("cache-control"), None);
    let agent = concat!("packhouse/", env!("CARGO_PKG_VERSION"));
    assert_eq!(asked.header("user-agent"), Some(agent));

    server
        .remote
        .open("g/a/1/a-1.jar", true)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stub.last().header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn a_head_has_everything_but_the_bytes() {
    let stub = Stub::start(|_, _| Reply::raw("Content-Length: 123456\r\n", 200)).await;
    let server = Server::of(&stub).await;
    let head = server.remote.head("a.pom").await.unwrap().unwrap();
    assert_eq!(head.size_bytes, Some(123_456));
    assert_eq!(all(head).await.unwrap(), b"");
    assert_eq!(stub.last().line, "HEAD /base/a.pom HTTP/1.1");
}

#[tokio::test]
async fn what_is_not_there_is_none_and_no_failure() {
    for status in [404, 410] {
        let stub = Stub::start(move |_, _| Reply::status(status)).await;
        let server = Server::of(&stub).await;
        for _ in 0..4 {
            assert!(server.remote.open("a", false).await.unwrap().is_none());
            assert!(server.remote.head("a").await.unwrap().is_none());
            assert!(server.remote.read("a", 10).await.unwrap().is_none());
        }
        assert!(server.document().await.unwrap().is_none());
        assert_eq!(stub.count(), 13, "{status}");
    }
}

#[tokio::test]
async fn every_other_answer_is_an_error_and_never_none() {
    for (reply, expected, requests) in [
        (Reply::status(500), "unreachable", 1),
        (Reply::status(502), "unreachable", 3),
        (Reply::status(503), "unreachable", 3),
        (Reply::status(504), "unreachable", 3),
        (Reply::new(503, "Retry-After: 90\r\n", ""), "unreachable", 1),
        (Reply::status(401), "unreachable", 1),
        (Reply::status(403), "unreachable", 1),
        (Reply::status(429), "unreachable", 1),
        (Reply::status(400), "unreachable", 1),
        (Reply::status(204), "wrong", 1),
        (Reply::status(206), "wrong", 1),
        (Reply::status(300), "wrong", 1),
        (Reply::status(304), "wrong", 1),
        (Reply::raw("", 302), "wrong", 1),
        (Reply::nothing(), "unreachable", 3),
        (
            Reply::default().then("SSH-2.0-OpenSSH\r\n"),
            "unreachable",
            3,
        ),
    ] {
        let stub = Stub::in_turn(vec![reply]).await;
        let server = Server::of(&stub).await;
        let error = server.remote.open("a", false).await.err().unwrap();
        assert_eq!(
            (kind(&error), stub.count()),
            (expected, requests),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_passing_failure_is_tried_again() {
    for failure in [
        Reply::status(502),
        Reply::status(503),
        Reply::status(504),
        Reply::nothing(),
    ] {
        let stub = Stub::in_turn(vec![failure.clone(), failure, Reply::ok("here")]).await;
        let server = Server::of(&stub).await;
        let body = server.remote.read("a", 10).await.unwrap().unwrap();
        assert_eq!((body.as_ref(), stub.count()), (&b"here"[..], 3));
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_unreachable_and_its_address_is_not_told() {
    let address = closed().await;
    let server = Server::with(settings(&address)).await;
    let error = server.remote.read("a", 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "public:maven-central cannot be asked: no connection: connection refused"
    );
    let server = Server::with(settings("http://user:secret@no-such-registry.invalid/")).await;
    let error = server.remote.read("a", 10).await.unwrap_err();
    let expected = "public:maven-central cannot be asked: its name does not resolve";
    assert_eq!(error.to_string(), expected);
    assert!(!format!("{:?}", server.settings).contains("secret"));
}

#[tokio::test]
async fn an_answer_that_does_not_begin_in_time_is_told_apart() {
    let stub = Stub::start(|_, _| Reply::default().stall()).await;
    let server = Server::with(RemoteSettings {
        first_byte_timeout: BRIEF,
        ..settings(&stub.base())
    })
    .await;
    let error = server.remote.open("a", false).await.err().unwrap();
    assert_eq!((kind(&error), stub.count()), ("timed out", 1));
}

#[tokio::test]
async fn retries_have_the_time_of_the_first_byte_together() {
    let stub = Stub::start(|_, before| match before {
        0 => Reply::status(503),
        _ => Reply::default().stall(),
    })
    .await;
    let first_byte_timeout = Duration::from_millis(1500);
    let server = Server::with(RemoteSettings {
        first_byte_timeout,
        ..settings(&stub.base())
    })
    .await;
    let began = std::time::Instant::now();
    let error = server.remote.open("a", false).await.err().unwrap();
    assert_eq!((kind(&error), stub.count()), ("timed out", 2));
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn a_body_that_ends_early_or_stalls_never_ends_well() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (reply, expected, message) in [
        (
            Reply::raw("Content-Length: 10\r\n", 200).then("12345"),
            io::ErrorKind::UnexpectedEof,
            "unreachable",
        ),
        (
            Reply::raw("Content-Length: 10\r\n", 200),
            io::ErrorKind::UnexpectedEof,
            "unreachable",
        ),
        (
            Reply::raw(chunked, 200).then("5\r\n12345\r\n"),
            io::ErrorKind::UnexpectedEof,
            "unreachable",
        ),
        (
            Reply::raw(chunked, 200).then("5\r\n123"),
            io::ErrorKind::UnexpectedEof,
            "unreachable",
        ),
        (
            Reply::raw("Content-Length: 10\r\n", 200)
                .then("12345")
                .stall(),
            io::ErrorKind::TimedOut,
            "timed out",
        ),
    ] {
        let stub = Stub::in_turn(vec![reply]).await;
        let server = Server::with(RemoteSettings {
            idle_timeout: BRIEF,
            ..settings(&stub.base())
        })
        .await;
        let body = server.remote.open("a", false).await.unwrap().unwrap();
        let error = all(body).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert_eq!(kind(&server.remote.broken(&error)), message, "{error}");
        assert!(!error.to_string().contains("127.0.0.1"), "{error}");
        let error = server.remote.read("a", 10).await.unwrap_err();
        assert_eq!(kind(&error), message, "{error}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_has_a_bound_as_a_whole() {
    let mut reply = Reply::raw("Content-Length: 1000\r\n", 200);
    for _ in 0..1000 {
        reply = reply.then("x").pause(Duration::from_millis(20));
    }
    let stub = Stub::in_turn(vec![reply]).await;
    let whole_timeout = Duration::from_millis(400);
    let server = Server::with(RemoteSettings {
        whole_timeout,
        ..settings(&stub.base())
    })
    .await;
    let body = server.remote.open("a", false).await.unwrap().unwrap();
    assert_eq!(all(body).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_small_body_has_a_limit_whether_its_length_is_told_or_not() {
    for (reply, expected) in [
        (Reply::ok("1234567890"), Ok("1234567890")),
        (Reply::ok("12345678901"), Err("more than 10 bytes")),
        (
            Reply::raw("Content-Length: 99999999999\r\n", 200),
            Err("more than 10 bytes"),
        ),
        (Reply::raw("", 200).then("1234567890"), Ok("1234567890")),
        (
            Reply::raw("", 200).then("12345678901").stall(),
            Err("more than 10 bytes"),
        ),
        (
            Reply::new(200, "Content-Encoding: zstd\r\n", "x"),
            Err("a coding that was not asked for"),
        ),
        (
            Reply::new(200, "Content-Encoding: gzip\r\n", "xxxxxxxxxxxxxxxx"),
            Err("bytes that cannot be unpacked"),
        ),
    ] {
        let stub = Stub::in_turn(vec![reply]).await;
        let server = Server::of(&stub).await;
        match (server.remote.read("a", 10).await, expected) {
            (Ok(body), Ok(expected)) => assert_eq!(body.unwrap().as_ref(), expected.as_bytes()),
            (Err(RemoteError::Wrong { message, .. }), Err(expected)) => {
                assert_eq!(message, expected);
            }
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_five_times() {
    let stub = Stub::start(|asked, _| match asked.path().strip_prefix("/base/") {
        Some("found") => Reply::redirect("../elsewhere/0"),
        Some(_) => Reply::redirect("/elsewhere/-1"),
        None => match asked
            .path()
            .strip_prefix("/elsewhere/")
            .unwrap()
            .parse::<i32>()
            .unwrap()
        {
            4 => Reply::ok("here"),
            number @ 0.. => Reply::redirect(format!("{}?x", number + 1).trim_end_matches("?x")),
            number => Reply::redirect(format!("/elsewhere/{}", number - 1)),
        },
    })
    .await;
    let server = Server::of(&stub).await;
    let body = server.remote.read("found", 10).await.unwrap().unwrap();
    assert_eq!((body.as_ref(), stub.count()), (&b"here"[..], 6));
    let error = server.remote.read("loop", 10).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "public:maven-central sent something wrong: more than 5 redirects"
    );
    assert_eq!(stub.count(), 12);
}

#[tokio::test]
async fn redirects_do_not_lead_to_where_only_this_server_can_go() {
    let inside = Stub::start(|_, _| Reply::ok("secret")).await;
    let port = Url::parse(&inside.base()).unwrap().port().unwrap();
    for to in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://10.0.0.1/".to_owned(),
        "http://192.168.1.1/".to_owned(),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "file:///etc/passwd".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
        "data:,secret".to_owned(),
        "//".to_owned(),
    ] {
        let location = to.clone();
        let stub = Stub::start(move |_, _| Reply::redirect(&location)).await;
        let server = Server::of(&stub).await;
        let error = server.remote.read("a", 10).await.unwrap_err();
        assert_eq!(kind(&error), "wrong", "{to}: {error}");
        let error = server.remote.read(&to, 10).await;
        assert!(
            to.starts_with("//") || !matches!(error, Ok(Some(_))),
            "{to}"
        );
    }
    assert_eq!(inside.count(), 0);
}

#[tokio::test]
async fn user_and_password_are_sent_to_the_registry_and_not_to_where_it_redirects() {
    let files = Stub::start(|_, _| Reply::ok("here")).await;
    let to = files.base().replace("http://", "http://other:one@");
    let registry = Stub::start(move |_, _| Reply::redirect(&to)).await;
    let address = registry.base().replace("http://", "http://user:secret@");
    let server = Server::with(settings(&address)).await;
    assert!(server.remote.read("a", 10).await.unwrap().is_some());
    assert_eq!(
        registry.last().header("authorization"),
        Some("Basic dXNlcjpzZWNyZXQ=")
    );
    assert_eq!(files.last().header("authorization"), None);
}

#[tokio::test]
async fn a_registry_that_failed_is_left_alone_and_asked_again_by_one() {
    let gate = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&gate);
    let stub = Stub::start(move |_, before| match before {
        0 => Reply::status(429),
        _ => Reply::ok("here").behind(&behind),
    })
    .await;
    let server = Server::of(&stub).await;
    assert!(server.remote.read("a", 10).await.is_err());
    server.clock.advance(Duration::from_secs(10));
    match server.remote.read("b", 10).await {
        Err(RemoteError::Unreachable { retry_after, .. }) => {
            assert_eq!(retry_after, Duration::from_secs(20));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stub.count(), 1, "it was left alone");

    server.clock.advance(Duration::from_secs(20));
    let remote = server.remote.clone();
    let probe = tokio::spawn(async move { remote.read("c", 10).await });
    until(|| stub.count() == 2).await;
    for _ in 0..50 {
        assert_eq!(
            kind(&server.remote.read("d", 10).await.unwrap_err()),
            "unreachable"
        );
    }
    assert_eq!(stub.count(), 2, "one probe at a time");
    gate.add_permits(2);
    assert!(probe.await.unwrap().unwrap().is_some());
    assert!(
        server.remote.read("d", 10).await.unwrap().is_some(),
        "the probe closed the circuit"
    );
}

#[tokio::test]
async fn a_registry_is_left_alone_for_as_long_as_it_asks() {
    let stub = Stub::in_turn(vec![Reply::new(503, "Retry-After: 120\r\n", "")]).await;
    let server = Server::of(&stub).await;
    for _ in 0..3 {
        match server.remote.read("a", 10).await {
            Err(RemoteError::Unreachable { retry_after, .. }) => {
                assert_eq!(retry_after, Duration::from_mins(2));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn one_forbidden_path_does_not_shut_a_registry_off() {
    let stub = Stub::start(|asked, _| match asked.path() {
        "/base/forbidden" => Reply::status(403),
        _ => Reply::ok("here"),
    })
    .await;
    let server = Server::of(&stub).await;
    for _ in 0..10 {
        assert!(server.remote.read("forbidden", 10).await.is_err());
        assert!(server.remote.read("a", 10).await.unwrap().is_some());
    }
    for _ in 0..10 {
        assert!(server.remote.read("forbidden", 10).await.is_err());
    }
    assert_eq!(stub.count(), 23, "three failures in a row open the circuit");
}

#[tokio::test]
async fn many_requests_at_a_failing_registry_do_not_multiply() {
    let stub = Stub::start(|_, _| Reply::status(503)).await;
    let server = Server::of(&stub).await;
    for _ in 0..10 {
        let requests = (0..20).map(|_| server.remote.read("a", 10));
        let answers = futures_util::future::join_all(requests).await;
        assert!(answers.iter().all(Result::is_err));
    }
    assert!(stub.count() <= 60, "{} requests", stub.count());
}

#[tokio::test]
async fn a_connection_without_an_address_names_the_setting() {
    let server = Server::with(RemoteSettings::default()).await;
    let remote = &server.remote;
    let errors = [
        server.document().await.unwrap_err(),
        remote.read("a", 10).await.unwrap_err(),
        remote.open("a", false).await.err().unwrap(),
        remote.head("a").await.err().unwrap(),
    ];
    for error in errors {
        assert_eq!(
            error.to_string(),
            "no address is configured for public:maven-central: set PACKHOUSE_UPSTREAM_MAVEN_CENTRAL, or run \
             `packhouse upstreams detect --write`"
        );
    }
    for (connection, expected) in [
        ("public:npmjs", "PACKHOUSE_UPSTREAM_NPMJS"),
        ("public:nuget-org", "PACKHOUSE_UPSTREAM_NUGET_ORG"),
        ("my.own:registry", "PACKHOUSE_UPSTREAM_MY_OWN_REGISTRY"),
    ] {
        assert_eq!(setting(&connection.parse().unwrap()), expected);
    }
}

#[tokio::test]
async fn addresses_of_other_schemes_stop_the_start() {
    let server = Server::with(RemoteSettings::default()).await;
    let settings = settings("ftp://registry.test/");
    let refused = Remotes::new(
        &server.database,
        &server.blobs,
        server.clock.clone(),
        settings,
    );
    assert_eq!(
        refused.err().unwrap().to_string(),
        "the address of public:maven-central cannot be used: it does not begin with http:// or https:// and a host"
    );
}

/// Waits for a condition, ten seconds at most.
pub(super) async fn until(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come true in ten seconds");
}
