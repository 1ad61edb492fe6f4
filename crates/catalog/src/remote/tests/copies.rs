//! Copies of documents: how long they are used, how they are refreshed, and what happens when that fails.

use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;

use super::asking::until;
use super::*;

const LATER: Duration = Duration::from_mins(61);

#[tokio::test]
async fn a_document_is_asked_for_once_and_then_conditionally_when_its_time_is_over() {
    let stub = Stub::start(|asked, _| match asked.header("if-none-match") {
        Some("\"1\"") => Reply::raw("ETag: \"1\"\r\n", 304),
        _ => Reply::new(
            200,
            "ETag: \"1\"\r\nLast-Modified: Sat, 14 Mar 2026 12:00:00 GMT\r\n",
            "one",
        ),
    })
    .await;
    let server = Server::of(&stub).await;
    for round in 1..=3 {
        for _ in 0..5 {
            let document = server.document().await.unwrap().unwrap();
            assert_eq!(
                (text(&document).as_str(), document.is_stale),
                ("one", false)
            );
            assert_eq!(document.changed.iso8601(), "2026-03-14T12:00:00Z");
        }
        assert_eq!(stub.count(), round, "once in its lifetime");
        server.clock.advance(LATER);
    }
    let asked = stub.last();
    assert_eq!(asked.line, "GET /base/a/maven-metadata.xml HTTP/1.1");
    assert_eq!(asked.header("accept"), Some("application/xml"));
    assert_eq!(asked.header("accept-encoding"), Some("gzip, br"));
    assert_eq!(
        asked.header("if-modified-since"),
        Some("Sat, 14 Mar 2026 12:00:00 GMT")
    );
    assert_eq!(stub.asked()[0].header("if-none-match"), None);
}

#[tokio::test]
async fn a_copy_is_shared_by_all_processes_and_outlives_them() {
    let stub = Stub::in_turn(vec![Reply::ok("one"), Reply::ok("two")]).await;
    let first = Server::of(&stub).await;
    assert_eq!(first.text().await, "one");
    let second = first.another();
    assert_eq!(second.text().await, "one");
    assert_eq!(stub.count(), 1);

    first.clock.advance(LATER);
    assert_eq!(second.text().await, "two");
    assert_eq!(
        first.text().await,
        "two",
        "the first learns it from the database"
    );
    assert_eq!(stub.count(), 2);
    assert_eq!(first.blobs().await, 1, "the replaced bytes are gone");
    assert_eq!(first.another().text().await, "two");
}

#[tokio::test]
async fn fifty_who_want_a_document_at_once_ask_once() {
    let gate = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&gate);
    let stub = Stub::start(move |_, _| Reply::ok("one").behind(&behind)).await;
    let server = Server::of(&stub).await;
    let all = futures_util::future::join_all((0..50).map(|_| server.text()));
    let opened = async {
        until(|| stub.count() == 1).await;
        gate.add_permits(100);
    };
    let (texts, ()) = tokio::join!(all, opened);
    assert!(texts.iter().all(|text| text == "one"));
    assert_eq!(stub.count(), 1);

    server.clock.advance(LATER);
    futures_util::future::join_all((0..50).map(|_| server.text())).await;
    assert_eq!(stub.count(), 2, "and once to refresh it");
}

#[tokio::test]
async fn what_changed_is_when_these_bytes_were_first_seen_if_the_registry_does_not_say() {
    let stub = Stub::in_turn(vec![Reply::ok("one"), Reply::ok("one"), Reply::ok("two")]).await;
    let server = Server::of(&stub).await;
    let mut changes = Vec::new();
    for _ in 0..3 {
        let document = server.document().await.unwrap().unwrap();
        changes.push((text(&document), document.changed));
        server.clock.advance(LATER);
    }
    let expected = [
        ("one", START),
        ("one", START),
        ("two", START.plus(LATER).plus(LATER)),
    ];
    assert_eq!(
        changes,
        expected.map(|(text, changed)| (text.to_owned(), changed))
    );
    assert_eq!(stub.count(), 3);
}

#[tokio::test]
async fn that_there_is_none_is_believed_for_its_own_time_and_not_when_the_registry_is_down() {
    let stub = Stub::in_turn(vec![
        Reply::status(404),
        Reply::status(404),
        Reply::status(500),
    ])
    .await;
    let server = Server::of(&stub).await;
    for _ in 0..3 {
        assert!(server.document().await.unwrap().is_none());
    }
    assert!(server.another().document().await.unwrap().is_none());
    assert_eq!(stub.count(), 1);
    server.clock.advance(Duration::from_mins(11));
    assert!(server.document().await.unwrap().is_none());
    assert_eq!(stub.count(), 2);
    server.clock.advance(Duration::from_mins(11));
    assert_eq!(kind(&server.document().await.unwrap_err()), "unreachable");
    assert_eq!(
        kind(&server.another().document().await.unwrap_err()),
        "unreachable"
    );
}

#[tokio::test]
async fn a_document_that_is_gone_is_gone_with_its_bytes_and_may_come_back() {
    let stub = Stub::in_turn(vec![Reply::ok("one"), Reply::status(410), Reply::ok("two")]).await;
    let server = Server::of(&stub).await;
    assert_eq!(server.text().await, "one");
    server.clock.advance(LATER);
    assert!(server.document().await.unwrap().is_none());
    assert_eq!(server.blobs().await, 0);
    server.clock.advance(LATER);
    assert_eq!(server.text().await, "two");
}

#[tokio::test]
async fn the_old_copy_answers_when_the_registry_is_down_and_the_registry_is_left_alone() {
    let failures = [
        (Reply::status(500), 1),
        (Reply::status(503), 3),
        (Reply::status(403), 1),
        (Reply::nothing(), 3),
        (Reply::ok(vec![b'x'; 1001]), 1),
        (Reply::raw("Content-Length: 10\r\n", 200).then("12345"), 1),
    ];
    for (failure, requests) in failures {
        let stub = Stub::in_turn(vec![Reply::ok("one"), failure]).await;
        let server = Server::of(&stub).await;
        assert_eq!(server.text().await, "one");
        server.clock.advance(Duration::from_hours(24 * 365));
        for _ in 0..5 {
            let document = server.document().await.unwrap().unwrap();
            assert_eq!((text(&document).as_str(), document.is_stale), ("one", true));
            assert_eq!(document.changed, START);
        }
        assert_eq!(stub.count(), 1 + requests);
        let document = server.another().document().await.unwrap().unwrap();
        assert!(
            document.is_stale,
            "a process that starts during the outage has it too"
        );
        server.clock.advance(Duration::from_secs(31));
        assert!(server.document().await.unwrap().unwrap().is_stale);
        assert_eq!(
            stub.count(),
            1 + 3 * requests,
            "and is asked again afterwards"
        );
    }
}

#[tokio::test]
async fn without_a_copy_a_registry_that_is_down_is_an_error() {
    let server = Server::with(settings(&closed().await)).await;
    for _ in 0..3 {
        assert_eq!(kind(&server.document().await.unwrap_err()), "unreachable");
    }
    let stub = Stub::start(|_, _| Reply::default().stall()).await;
    let brief = Duration::from_millis(500);
    let server = Server::with(RemoteSettings {
        first_byte_timeout: brief,
        ..settings(&stub.base())
    })
    .await;
    assert_eq!(kind(&server.document().await.unwrap_err()), "timed out");
    assert_eq!(
        kind(&server.document().await.unwrap_err()),
        "timed out",
        "and does not wait again"
    );
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn a_slow_refresh_holds_up_nobody_longer_than_its_budget_and_goes_on() {
    let gate = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&gate);
    let stub = Stub::start(move |_, before| match before {
        0 => Reply::ok("one"),
        _ => Reply::ok("two").behind(&behind),
    })
    .await;
    let refresh_budget = Duration::from_millis(100);
    let server = Server::with(RemoteSettings {
        refresh_budget,
        ..settings(&stub.base())
    })
    .await;
    assert_eq!(server.text().await, "one");
    server.clock.advance(LATER);
    for _ in 0..5 {
        let document = server.document().await.unwrap().unwrap();
        assert_eq!((text(&document).as_str(), document.is_stale), ("one", true));
    }
    gate.add_permits(1);
    server.remotes.finish().await;
    let document = server.document().await.unwrap().unwrap();
    assert_eq!(
        (text(&document).as_str(), document.is_stale),
        ("two", false)
    );
    assert_eq!(stub.count(), 2);
}

#[tokio::test]
async fn a_refresh_goes_on_when_everybody_has_left() {
    let gate = Arc::new(Semaphore::new(0));
    let behind = Arc::clone(&gate);
    let stub = Stub::start(move |_, _| Reply::ok("one").behind(&behind)).await;
    let server = Server::of(&stub).await;
    let impatient = tokio::time::timeout(Duration::from_millis(100), server.document()).await;
    assert!(impatient.is_err());
    until(|| stub.count() == 1).await;
    gate.add_permits(1);
    server.remotes.finish().await;
    assert_eq!(server.text().await, "one");
    assert_eq!(stub.count(), 1);
}

#[tokio::test]
async fn packed_documents_are_unpacked_within_their_limit() {
    async fn packed(coding: &str, plain: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        match coding {
            "gzip" => GzipEncoder::new(plain)
                .read_to_end(&mut bytes)
                .await
                .unwrap(),
            _ => BrotliEncoder::new(plain)
                .read_to_end(&mut bytes)
                .await
                .unwrap(),
        };
        bytes
    }
    let bomb = vec![0; 1 << 20];
    for coding in ["gzip", "br"] {
        let head = format!("Content-Encoding: {coding}\r\n");
        let (small, large) = (
            packed(coding, &[b'x'; 1000]).await,
            packed(coding, &bomb).await,
        );
        let cut = Reply::new(200, &head, &small[..small.len() - 3]);
        let stub = Stub::in_turn(vec![
            Reply::new(200, &head, small),
            Reply::new(200, &head, large),
            cut,
        ])
        .await;
        let server = Server::of(&stub).await;
        let document = server
            .remote
            .document("small", &ASKING)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(document.body, vec![b'x'; 1000]);
        let error = server.remote.document("large", &ASKING).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "public:maven-central sent something wrong: more than 1000 bytes"
        );
        assert!(server.remote.document("cut", &ASKING).await.is_err());
    }
}

#[tokio::test]
async fn a_copy_whose_bytes_are_lost_is_asked_for_anew() {
    let stub = Stub::start(|asked, _| match asked.header("if-none-match") {
        None => Reply::new(200, "ETag: \"1\"\r\n", "one"),
        Some(_) => Reply::raw("", 304),
    })
    .await;
    let server = Server::of(&stub).await;
    assert_eq!(server.text().await, "one");
    let listed = server.blobs.list().next().await.unwrap().unwrap();
    server.blobs.remove(&listed.location).await.unwrap();
    assert_eq!(server.another().text().await, "one");
    assert_eq!((stub.count(), server.blobs().await), (2, 1));
}

#[tokio::test]
async fn a_database_that_fails_does_not_stop_an_answer() {
    let stub = Stub::in_turn(vec![Reply::ok("one")]).await;
    let mut server = Server::of(&stub).await;
    server.database = Database::open(&"sqlite::memory:".parse().unwrap())
        .await
        .unwrap();
    let without_tables = server.another();
    for _ in 0..3 {
        assert_eq!(without_tables.text().await, "one");
    }
    assert_eq!(stub.count(), 1, "memory still keeps it");
}

#[tokio::test]
async fn a_document_may_be_at_an_absolute_address() {
    let files = Stub::start(|_, _| Reply::ok("there")).await;
    let stub = Stub::start(|_, _| Reply::ok("here")).await;
    let server = Server::of(&stub).await;
    let path = format!("{}index.json", files.base());
    let document = server
        .remote
        .document(&path, &ASKING)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((text(&document).as_str(), stub.count()), ("there", 0));
}
