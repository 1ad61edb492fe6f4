//! Generic packages over HTTP.

use catalog::Digests;

use crate::world::World;

#[tokio::test]
async fn a_file_is_put_and_got() {
    let world = World::new().await;
    let path = "generic/app/ns/p/1.0/a%20%281%29%20%C3%BCn%C3%AF.tar.gz";
    assert_eq!(world.put(path, "hello").await, 201);
    assert_eq!(world.put(path, "hello").await, 200);
    assert_eq!(world.put(path, "other").await, 409);
    let get = world.get(path).await;
    assert_eq!(get.text(), "hello");
    let digests = Digests::of(b"hello");
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("etag", &*format!("\"{}\"", digests.sha256)),
        ("x-checksum-sha256", &digests.sha256),
        (
            "content-disposition",
            "attachment; filename*=UTF-8''a%20%281%29%20%C3%BCn%C3%AF%2Etar%2Egz",
        ),
        ("content-security-policy", "sandbox"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    let part = world
        .ask(&format!("GET {path}"), &[("range", "bytes=1-2")], "")
        .await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "el".to_owned()));
    let etag = get.header("etag");
    let again = world
        .ask(&format!("GET {path}"), &[("if-none-match", etag)], "")
        .await;
    assert_eq!(again.status, 304);
    assert_eq!(
        world.get(&format!("{path}.sha256")).await.text(),
        digests.sha256
    );
    assert_eq!(
        world.get("generic/app/ns/p/1.0/none.sha256").await.status,
        404
    );
    // A real file of such a name comes first.
    world.put("generic/app/ns/p/1.0/b.sha256", "real").await;
    world.put("generic/app/ns/p/1.0/b", "b").await;
    assert_eq!(
        world.get("generic/app/ns/p/1.0/b.sha256").await.text(),
        "real"
    );
}

#[tokio::test]
async fn an_unfinished_version_is_served_when_it_is_finished() {
    let world = World::new().await;
    assert_eq!(
        world
            .put("generic/app/ns/p/1.0/a?unfinished=true", "a")
            .await,
        201
    );
    assert_eq!(world.get("generic/app/ns/p/1.0/a").await.status, 404);
    assert_eq!(world.get("generic/app/ns/p/1.0/").await.status, 404);
    assert_eq!(world.get("generic/app/ns/p/").await.status, 404);
    assert_eq!(world.put("generic/app/ns/p/1.0/b", "bb").await, 201);
    assert_eq!(world.get("generic/app/ns/p/1.0/a").await.text(), "a");
    // Published stays published.
    assert_eq!(
        world
            .put("generic/app/ns/p/1.0/c?unfinished=true", "c")
            .await,
        201
    );
    assert_eq!(world.get("generic/app/ns/p/1.0/c").await.text(), "c");
    let files = world.get("generic/app/ns/p/1.0/").await;
    assert_eq!(files.header("content-type"), "application/json");
    let read: serde_json::Value = serde_json::from_slice(&files.body).unwrap();
    assert_eq!(read[1]["name"], "b");
    assert_eq!(read[1]["size"], 2);
    assert_eq!(read[1]["sha256"], Digests::of(b"bb").sha256.as_str());
    assert_eq!(world.get("generic/app/ns/p/").await.text(), "[\"1.0\"]");
}

#[tokio::test]
async fn promised_digests_are_kept_or_nothing_is() {
    let world = World::new().await;
    let sha256 = Digests::of(b"hello").sha256;
    let wrong = Digests::of(b"other").sha256;
    let line = "PUT generic/app/ns/p/1.0/a";
    for header in ["x-amz-content-sha256", "x-checksum-sha256"] {
        let answer = world.ask(line, &[(header, &wrong)], "hello").await;
        assert_eq!(answer.status, 400, "{header}");
        assert!(answer.text().contains("message"));
    }
    let digest = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";
    assert_eq!(
        world
            .ask(line, &[("content-digest", digest)], "hello")
            .await
            .status,
        400
    );
    assert_eq!(world.get("generic/app/ns/p/").await.status, 404);
    let answer = world
        .ask(line, &[("x-amz-content-sha256", &sha256)], "hello")
        .await;
    assert_eq!(answer.status, 201);
}

#[tokio::test]
async fn upstreams_are_not_asked() {
    let world = World::new().await;
    world.repository("team", &["app"]).await;
    world.put("generic/app/ns/p/1.0/a", "a").await;
    assert_eq!(world.get("generic/team/ns/p/1.0/a").await.status, 404);
    assert_eq!(world.get("generic/team/ns/p/").await.status, 404);
    // And so stand in nobody's way.
    assert_eq!(world.put("generic/team/ns/p/1.0/a", "other").await, 201);
}

#[tokio::test]
async fn limits_and_refusals_have_their_status() {
    let world = World::new().await;
    for number in 0..8 {
        assert_eq!(
            world
                .put(&format!("generic/app/ns/p/1.0/f{number}"), "x")
                .await,
            201
        );
    }
    let over = world.ask("PUT generic/app/ns/p/1.0/f8", &[], "x").await;
    assert_eq!(over.status, 402, "{}", over.text());
    assert!(over.text().contains("ServiceQuotaExceededException"));
    let huge = [("content-length", "17179869184")];
    assert_eq!(
        world
            .ask("PUT generic/app/ns/p/2.0/a", &huge, "x")
            .await
            .status,
        413
    );
    for (line, expected) in [
        ("DELETE generic/app/ns/p/1.0/f0", 405),
        ("POST generic/app/ns/p/1.0/f0", 405),
        ("OPTIONS generic/app/", 204),
        ("GET generic/app/", 404),
        ("GET generic/app/ns/p/1.0/..%2f..%2fetc%2fpasswd", 400),
        ("PUT generic/app/ns/p/1.0/a%25b", 400),
        ("PUT generic/app/ns/p/..%2e/a", 201),
        ("GET generic/app/ns/p/9/f0", 404),
    ] {
        assert_eq!(
            world.ask(line, &[], "x").await.status.as_u16(),
            expected,
            "{line}"
        );
    }
    for line in [
        "GET generic/app/ns/p/1.0/f0",
        "PUT generic/app/ns/p/1.0/z",
        "GET generic/app/ns/p/",
    ] {
        assert_eq!(
            world.ask_as(&world.nobody, line, &[], "x").await.status,
            403,
            "{line}"
        );
    }
}

#[tokio::test]
async fn of_two_parallel_files_of_one_name_one_wins() {
    let world = World::new().await;
    let path = "generic/app/ns/p/1.0/a";
    let (one, two) = futures_util::join!(world.put(path, "one"), world.put(path, "two"));
    let mut codes = [one, two];
    codes.sort_unstable();
    assert_eq!(codes, [201, 409]);
    let winner = if one == 201 { "one" } else { "two" };
    assert_eq!(world.get(path).await.text(), winner);
}
