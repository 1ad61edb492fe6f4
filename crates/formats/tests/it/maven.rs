//! Releases: deploys, the checksum gate, reading back, refusals.

use catalog::Digests;
use formats::maven::{Maven, Rules};
use http::StatusCode;

use crate::world::World;

const BASE: &str = "maven/app/com/acme/lib-a";
pub(crate) const POM: &str = "<project><groupId>com.acme</groupId><artifactId>lib-a</artifactId><version>1.0</version></project>";

pub(crate) fn metadata(versions: &[&str]) -> String {
    let versions = versions.join("</version><version>");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata><groupId>com.acme</groupId><artifactId>lib-a</artifactId>\
         <versioning><versions><version>{versions}</version></versions><lastUpdated>20261122194030</lastUpdated></versioning></metadata>"
    )
}

pub(crate) async fn deploy(world: &World, version: &str, jar: &str) {
    let pom = POM.replace("1.0", version);
    assert_eq!(
        world
            .put(
                &format!("{BASE}/{version}/lib-a-{version}.jar"),
                jar.to_owned()
            )
            .await,
        201
    );
    assert_eq!(
        world
            .put(&format!("{BASE}/{version}/lib-a-{version}.pom"), pom)
            .await,
        201
    );
    let code = world
        .put(&format!("{BASE}/maven-metadata.xml"), metadata(&[version]))
        .await;
    assert!(code == 201 || code == 200, "{code}");
}

#[tokio::test]
async fn a_deploy_as_maven_sends_it_is_published_and_read_back() {
    let world = World::new().await;
    let jar = Digests::of(b"PK jar");
    let pom = Digests::of(POM.as_bytes());
    let document = metadata(&["1.0"]);
    let uploaded = Digests::of(document.as_bytes());
    for (path, body, expected) in [
        ("1.0/lib-a-1.0.jar", "PK jar", 201),
        ("1.0/lib-a-1.0.jar.sha1", &*jar.sha1, 201),
        ("1.0/lib-a-1.0.jar.md5", &*jar.md5, 201),
        ("1.0/lib-a-1.0.pom", POM, 201),
        ("1.0/lib-a-1.0.pom.sha1", &*pom.sha1, 201),
        ("maven-metadata.xml", &*document, 201),
        ("maven-metadata.xml.sha1", &*uploaded.sha1, 201),
        ("maven-metadata.xml.md5", &*uploaded.md5, 201),
        ("maven-metadata.xml.sha256", &*uploaded.sha1, 400),
    ] {
        if path == "maven-metadata.xml" {
            let early = world.get(&format!("{BASE}/{path}")).await;
            assert_eq!(early.status, 404, "metadata before the first release");
            let early = world.get(&format!("{BASE}/1.0/lib-a-1.0.jar")).await;
            assert_eq!(early.status, 404, "a file of an unfinished version");
        }
        let code = world.put(&format!("{BASE}/{path}"), body.to_owned()).await;
        assert_eq!(code, expected, "{path}");
    }
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Published"]
    );

    let get = world.get(&format!("{BASE}/1.0/lib-a-1.0.jar")).await;
    assert_eq!(
        (get.status, &get.body[..]),
        (StatusCode::OK, &b"PK jar"[..])
    );
    for (name, value) in [
        ("content-type", "application/java-archive"),
        ("content-length", "6"),
        ("etag", &format!("\"{}\"", jar.sha256)),
        ("last-modified", "Sun, 22 Nov 2026 19:41:27 GMT"),
        ("accept-ranges", "bytes"),
        ("x-checksum-sha1", &jar.sha1),
        ("x-checksum-md5", &jar.md5),
        ("x-checksum-sha256", &jar.sha256),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment"),
    ] {
        assert_eq!(get.header(name), value, "{name}");
    }
    let head = world
        .ask(&format!("HEAD {BASE}/1.0/lib-a-1.0.jar"), &[], "")
        .await;
    assert_eq!((head.headers, head.body.len()), (get.headers, 0));

    for (extension, expected) in [
        ("md5", &jar.md5),
        ("sha1", &jar.sha1),
        ("sha256", &jar.sha256),
        ("sha512", &jar.sha512),
        ("sha1.md5", &Digests::of(jar.sha1.as_bytes()).md5),
    ] {
        let checksum = world
            .get(&format!("{BASE}/1.0/lib-a-1.0.jar.{extension}"))
            .await;
        assert_eq!(
            (&checksum.text(), checksum.header("content-type")),
            (expected, "text/plain")
        );
    }
    let none = world.get(&format!("{BASE}/1.0/lib-a-1.0-x.jar.sha1")).await;
    assert_eq!(none.status, 404);

    let document = world.get(&format!("{BASE}/maven-metadata.xml")).await;
    assert_eq!(document.header("content-type"), "application/xml");
    assert!(
        document.text().contains("<release>1.0</release>"),
        "{}",
        document.text()
    );
    assert!(
        document
            .text()
            .contains("<lastUpdated>20261122194127</lastUpdated>")
    );
    let sha1 = world.get(&format!("{BASE}/maven-metadata.xml.sha1")).await;
    assert_eq!(sha1.text(), Digests::of(&document.body).sha1);
    assert_eq!(document.header("x-checksum-sha1"), sha1.text());
}

#[tokio::test]
async fn an_interrupted_deploy_is_finished_by_the_next() {
    let world = World::new().await;
    world.put(&format!("{BASE}/1.0/lib-a-1.0.pom"), POM).await;
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Unfinished"]
    );
    assert_eq!(
        world.get(&format!("{BASE}/1.0/lib-a-1.0.pom")).await.status,
        404
    );
    assert_eq!(
        world
            .get(&format!("{BASE}/maven-metadata.xml"))
            .await
            .status,
        404
    );
    assert_eq!(
        world.put(&format!("{BASE}/1.0/lib-a-1.0.jar"), "PK").await,
        201
    );
    assert_eq!(
        world.put(&format!("{BASE}/1.0/lib-a-1.0.pom"), POM).await,
        200
    );
    assert_eq!(
        world
            .put(&format!("{BASE}/maven-metadata.xml"), metadata(&["1.0"]))
            .await,
        201
    );
    assert_eq!(
        world.get(&format!("{BASE}/1.0/lib-a-1.0.jar")).await.text(),
        "PK"
    );
}

#[tokio::test]
async fn other_bytes_are_a_conflict_and_the_same_are_not() {
    let world = World::new().await;
    deploy(&world, "1.0", "PK one").await;
    let path = format!("{BASE}/1.0/lib-a-1.0.jar");
    assert_eq!(world.put(&path, "PK one").await, 200);
    let refused = world.ask(&format!("PUT {path}"), &[], "PK two").await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.text().contains("\"code\":\"ConflictException\""),
        "{}",
        refused.text()
    );
    let problem = world
        .ask(
            &format!("PUT {path}"),
            &[("accept", "application/problem+json,*/*")],
            "PK two",
        )
        .await;
    assert_eq!(problem.header("content-type"), "application/problem+json");
    assert!(problem.text().contains("\"title\":\"Conflict\""));
    assert_eq!(world.get(&path).await.text(), "PK one");
    // A published version takes files it did not have.
    assert_eq!(
        world
            .put(&format!("{BASE}/1.0/lib-a-1.0-sources.jar"), "PK s")
            .await,
        201
    );
    assert_eq!(
        world
            .get(&format!("{BASE}/1.0/lib-a-1.0-sources.jar"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_wrong_checksum_holds_the_version_back_until_it_is_right() {
    let world = World::new().await;
    let jar = Digests::of(b"PK");
    let path = format!("{BASE}/1.0/lib-a-1.0.jar");
    let document = format!("{BASE}/maven-metadata.xml");
    world.put(&path, "PK").await;
    assert_eq!(
        world
            .put(&format!("{path}.sha1"), Digests::of(b"other").sha1)
            .await,
        400
    );
    let refused = world
        .ask(&format!("PUT {document}"), &[], metadata(&["1.0"]))
        .await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("lib-a-1.0.jar.sha1"),
        "{}",
        refused.text()
    );
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Unfinished"]
    );
    assert_eq!(
        world
            .put(&format!("{path}.sha1"), jar.sha1.to_uppercase())
            .await,
        400
    );
    assert_eq!(world.put(&document, metadata(&["1.0"])).await, 400);
    assert_eq!(
        world
            .put(
                &format!("{path}.sha1"),
                format!("{}  lib-a-1.0.jar\n", jar.sha1)
            )
            .await,
        201
    );
    assert_eq!(world.put(&document, metadata(&["1.0"])).await, 201);
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Published"]
    );
    // Afterwards a wrong one is wrong, and nothing more.
    assert_eq!(
        world.put(&format!("{path}.sha1"), "0".repeat(40)).await,
        400
    );
    assert_eq!(world.put(&document, metadata(&["1.0"])).await, 200);
    assert_eq!(world.get(&format!("{path}.sha1")).await.text(), jar.sha1);
    // Nothing to be the checksum of, or none.
    assert_eq!(
        world
            .put(&format!("{BASE}/1.0/lib-a-1.0-x.jar.sha1"), jar.sha1)
            .await,
        404
    );
    assert_eq!(
        world.put(&format!("{path}.sha1"), "a".repeat(1025)).await,
        400
    );
    assert_eq!(
        world
            .put(
                "maven/app/com/acme/other/maven-metadata.xml.sha1",
                "0".repeat(40)
            )
            .await,
        404
    );
}

#[tokio::test]
async fn one_mismatch_holds_back_every_version_of_the_document() {
    let world = World::new().await;
    world
        .put(&format!("{BASE}/1.0/lib-a-1.0.jar"), "PK 1")
        .await;
    world
        .put(&format!("{BASE}/2.0/lib-a-2.0.jar"), "PK 2")
        .await;
    world
        .put(&format!("{BASE}/2.0/lib-a-2.0.jar.md5"), "0".repeat(32))
        .await;
    let document = format!("{BASE}/maven-metadata.xml");
    assert_eq!(world.put(&document, metadata(&["1.0", "2.0"])).await, 400);
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Unfinished", "2.0 Unfinished"]
    );
    // One that lists only the other is fine, as are versions that nobody knows.
    assert_eq!(world.put(&document, metadata(&["0.1", "1.0"])).await, 201);
    assert_eq!(
        world.recorded("app", "com.acme", "lib-a").await,
        ["1.0 Published", "2.0 Unfinished"]
    );
}

#[tokio::test]
async fn many_deploys_end_up_in_one_document() {
    let world = World::new().await;
    let versions: Vec<_> = (0..20).map(|minor| format!("1.{minor}")).collect();
    futures_util::future::join_all(versions.iter().map(|version| deploy(&world, version, "PK")))
        .await;
    let document = world
        .get(&format!("{BASE}/maven-metadata.xml"))
        .await
        .text();
    let listed: Vec<_> = document
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("<version>")?
                .strip_suffix("</version>")
        })
        .collect();
    assert_eq!(listed, versions);
    assert!(document.contains("<latest>1.19</latest>"));
}

#[tokio::test]
async fn a_checksum_is_of_the_document_that_its_reader_got() {
    let world = World::new().await;
    deploy(&world, "1.0", "PK").await;
    let document = format!("{BASE}/maven-metadata.xml");
    let before = world.get(&document).await;
    deploy(&world, "2.0", "PK").await;
    let sha1 = world.get(&format!("{document}.sha1")).await.text();
    assert_eq!(sha1, Digests::of(&before.body).sha1);
    // Somebody else gets that of the document as it is, and so does who reads the document again.
    let line = format!("GET {document}.sha1");
    let theirs = world.ask_as(&world.root, &line, &[], "").await.text();
    let after = world.get(&document).await;
    assert_ne!(after.body, before.body);
    assert_eq!(theirs, Digests::of(&after.body).sha1);
    assert_eq!(world.get(&format!("{document}.sha1")).await.text(), theirs);
}

#[tokio::test]
async fn parts_and_conditions_are_answered() {
    let world = World::new().await;
    deploy(&world, "1.0", "PK 0123456789").await;
    let line = format!("GET {BASE}/1.0/lib-a-1.0.jar");
    let etag = format!("\"{}\"", Digests::of(b"PK 0123456789").sha256);
    for (headers, status, body, range) in [
        (vec![("range", "bytes=3-5")], 206, "012", "bytes 3-5/13"),
        (vec![("range", "bytes=-2")], 206, "89", "bytes 11-12/13"),
        (vec![("range", "bytes=13-")], 416, "", "bytes */13"),
        (vec![("range", "bytes=0-1,3-4")], 200, "PK 0123456789", ""),
        (vec![("if-none-match", etag.as_str())], 304, "", ""),
        (
            vec![
                ("range", "bytes=3-"),
                ("if-unmodified-since", "Sun, 22 Nov 2026 19:41:26 GMT"),
            ],
            412,
            "",
            "",
        ),
        (
            vec![("range", "bytes=3-"), ("if-range", "\"other\"")],
            200,
            "PK 0123456789",
            "",
        ),
        (
            vec![(
                "accept",
                "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            )],
            200,
            "PK 0123456789",
            "",
        ),
    ] {
        let answer = world.ask(&line, &headers, "").await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        assert_eq!(answer.text(), body, "{headers:?}");
        assert_eq!(answer.header("content-range"), range, "{headers:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let world = World::new().await;
    let big = format!("<project>{}</project>", " ".repeat(4 << 20));
    let entities = format!(
        "<!DOCTYPE metadata [<!ENTITY x 'y'>]>{}",
        metadata(&["1.0"])
    );
    for (line, body, expected) in [
        (
            "PUT maven/app/com/acme/lib-a/1.0/lib-a-1.0.pom",
            "not XML",
            400,
        ),
        (
            "PUT maven/app/com/acme/lib-a/1.0/lib-a-1.0.pom",
            "<html/>",
            400,
        ),
        ("PUT maven/app/com/acme/lib-a/1.0/lib-a-1.0.pom", &*big, 413),
        (
            "PUT maven/app/com/acme/lib-a/maven-metadata.xml",
            &*entities,
            400,
        ),
        (
            "PUT maven/app/com/acme/lib-a/maven-metadata.xml",
            &*big,
            413,
        ),
        (
            "PUT maven/app/com/acme/lib-b/maven-metadata.xml",
            &*metadata(&["1.0"]),
            400,
        ),
        ("PUT maven/app/com/acme/lib-a/ivys/ivy.xml", "<x/>", 400),
        ("PUT maven/app/maven-metadata.xml", "<metadata/>", 400),
        ("GET maven/app/.meta/prefixes.txt", "", 404),
        ("GET maven/app/archetype-catalog.xml", "", 404),
        ("GET maven/app/com/acme/lib-a/1.0/%2e%2e/x", "", 404),
        ("GET maven/app/", "", 404),
        ("DELETE maven/app/com/acme/lib-a/1.0/lib-a-1.0.jar", "", 405),
        ("MKCOL maven/app/com", "", 405),
        ("OPTIONS maven/app/", "", 204),
    ] {
        let answer = world.ask(line, &[], body.to_owned()).await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{line}: {}",
            answer.text()
        );
        if expected == 405 || expected == 204 {
            assert_eq!(answer.header("allow"), "GET, HEAD, PUT, OPTIONS", "{line}");
            assert_eq!(answer.header("dav"), "");
        }
    }
    assert!(world.recorded("app", "com.acme", "lib-a").await.is_empty());
    let path = format!("PUT {BASE}/1.0/lib-a-1.0.jar");
    for (headers, expected) in [
        (("expect", "tea"), 417),
        (("content-length", "17179869184"), 413),
        (
            (
                "x-checksum-sha1",
                "0000000000000000000000000000000000000000",
            ),
            400,
        ),
        (("x-checksum-sha1", "zz"), 400),
        (("content-length", "3"), 400),
        (("expect", "100-continue"), 201),
    ] {
        let answer = world.ask(&path, &[headers], "PK").await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{headers:?}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn endless_bodies_end_at_the_limit() {
    let world = World::new().await;
    let path = format!("{BASE}/1.0/lib-a-1.0.jar");
    assert_eq!(world.put(&path, vec![7; 17 << 20]).await, 413);
    assert_eq!(world.put(&path, vec![7; 16 << 20]).await, 201);
}

#[tokio::test]
async fn a_pom_for_other_coordinates_is_kept() {
    let world = World::new().await;
    let pom = POM.replace("1.0", "9.9");
    assert_eq!(
        world
            .put(&format!("{BASE}/1.0/lib-a-1.0.pom"), pom.clone())
            .await,
        201
    );
    world
        .put(&format!("{BASE}/maven-metadata.xml"), metadata(&["1.0"]))
        .await;
    assert_eq!(
        world.get(&format!("{BASE}/1.0/lib-a-1.0.pom")).await.text(),
        pom
    );
}

#[tokio::test]
async fn a_server_may_ask_for_more() {
    let world = World::new().await;
    let strict = Maven::new(Rules {
        requires_pom: true,
        is_strict_about_poms: true,
        accepts_unverified: false,
    });
    let other = POM.replace("1.0", "9.9");
    let document = metadata(&["1.0"]);
    for (path, body, expected) in [
        ("1.0/lib-a-1.0.jar", "PK", 201),
        ("maven-metadata.xml", &*document, 400),
        ("1.0/lib-a-1.0.pom", &*other, 400),
        ("1.0/lib-a-1.0.pom", POM, 201),
        ("maven-metadata.xml", &*document, 201),
    ] {
        let line = format!("PUT app/com/acme/lib-a/{path}");
        let answer = world
            .send(&strict, &world.admin, &line, &[], body.to_owned())
            .await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{path}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn who_may_nothing_learns_nothing() {
    let world = World::new().await;
    deploy(&world, "1.0", "PK").await;
    for line in [
        format!("GET {BASE}/1.0/lib-a-1.0.jar"),
        format!("HEAD {BASE}/1.0/lib-a-1.0.jar"),
        format!("GET {BASE}/1.0/lib-a-1.0.jar.sha1"),
        format!("GET {BASE}/1.0/lib-a-1.0-none.jar"),
        format!("GET {BASE}/maven-metadata.xml"),
        format!("GET {BASE}/maven-metadata.xml.sha1"),
        format!("PUT {BASE}/1.0/lib-a-1.0-x.jar"),
        format!("PUT {BASE}/1.0/lib-a-1.0.jar.sha1"),
        format!("PUT {BASE}/1.1-SNAPSHOT/lib-a-1.1-SNAPSHOT.jar"),
        format!("PUT {BASE}/1.1-SNAPSHOT/lib-a-1.1-20261122.194127-1.jar"),
        format!("PUT {BASE}/maven-metadata.xml.sha1"),
    ] {
        let answer = world.ask_as(&world.nobody, &line, &[], "x").await;
        assert_eq!(answer.status, 403, "{line}");
        assert!(answer.text().contains("decisionId"), "{}", answer.text());
    }
    let line = format!("PUT {BASE}/maven-metadata.xml");
    let answer = world
        .ask_as(&world.nobody, &line, &[], metadata(&["1.0"]))
        .await;
    assert_eq!(answer.status, 403);
}
