//! Snapshots: builds, the one that is current, those that were.

use crate::world::World;

const BASE: &str = "maven/app/com/acme/lib-a";
const SNAPSHOT: &str = "maven/app/com/acme/lib-a/1.1-SNAPSHOT";

/// The metadata of one build as Maven uploads it, with these files.
fn build_metadata(stamp: &str, files: &[(&str, &str)]) -> String {
    let (moment, number) = stamp.rsplit_once('-').unwrap();
    let files: Vec<_> = files
        .iter()
        .map(|(classifier, extension)| {
            format!(
                "<snapshotVersion><classifier>{classifier}</classifier><extension>{extension}</extension>\
                 <value>1.1-{stamp}</value><updated>{}</updated></snapshotVersion>",
                moment.replace('.', "")
            )
        })
        .collect();
    let files = files.concat();
    format!(
        "<metadata modelVersion=\"1.1.0\"><groupId>com.acme</groupId><artifactId>lib-a</artifactId><versioning>\
         <lastUpdated>{}</lastUpdated><snapshot><timestamp>{moment}</timestamp><buildNumber>{number}</buildNumber>\
         </snapshot><snapshotVersions>{files}</snapshotVersions></versioning><version>1.1-SNAPSHOT</version></metadata>",
        moment.replace('.', "")
    )
}

async fn upload(world: &World, stamp: &str, body: &str) {
    for (extension, body) in [
        ("jar", format!("PK {body}")),
        ("pom", crate::maven::POM.replace("1.0", "1.1-SNAPSHOT")),
    ] {
        let code = world
            .put(&format!("{SNAPSHOT}/lib-a-1.1-{stamp}.{extension}"), body)
            .await;
        assert_eq!(code, 201, "{stamp}.{extension}");
    }
}

async fn deploy(world: &World, stamp: &str, body: &str) {
    upload(world, stamp, body).await;
    let document = build_metadata(stamp, &[("", "jar"), ("", "pom")]);
    let code = world
        .put(&format!("{SNAPSHOT}/maven-metadata.xml"), document)
        .await;
    assert!(code == 200 || code == 201, "{code}");
    let code = world
        .put(
            &format!("{BASE}/maven-metadata.xml"),
            crate::maven::metadata(&["1.1-SNAPSHOT"]),
        )
        .await;
    assert!(code == 200 || code == 201, "{code}");
}

async fn recorded(world: &World) -> Vec<String> {
    world.recorded("app", "com.acme", "lib-a").await
}

const ONE: &str = "20261122.194127-1";
const TWO: &str = "20261122.200000-2";
const THREE: &str = "20261123.000000-3";

#[tokio::test]
async fn a_build_replaces_the_one_before_and_keeps_it() {
    let world = World::new().await;
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/maven-metadata.xml"))
            .await
            .status,
        404
    );
    upload(&world, ONE, "one").await;
    assert_eq!(recorded(&world).await, ["1.1-20261122.194127-1 Unfinished"]);
    let jar = |stamp: &str| format!("{SNAPSHOT}/lib-a-1.1-{stamp}.jar");
    assert_eq!(
        world.get(&jar(ONE)).await.status,
        404,
        "not yet named by metadata"
    );
    deploy(&world, TWO, "two").await;
    // The artifact's document finished the older build too.
    assert_eq!(
        recorded(&world).await,
        ["1.1-20261122.194127-1 Unlisted", "1.1-SNAPSHOT Published"]
    );
    deploy(&world, THREE, "three").await;
    assert_eq!(
        recorded(&world).await,
        [
            "1.1-20261122.194127-1 Unlisted",
            "1.1-20261122.200000-2 Unlisted",
            "1.1-SNAPSHOT Published"
        ]
    );
    let document = world
        .get(&format!("{BASE}/maven-metadata.xml"))
        .await
        .text();
    assert_eq!(
        document.matches("1.1-SNAPSHOT</version>").count(),
        1,
        "{document}"
    );
    assert!(document.contains("<latest>1.1-SNAPSHOT</latest>") && !document.contains("<release>"));
    assert!(!document.contains("<version>1.1-2026"), "{document}");

    let document = world
        .get(&format!("{SNAPSHOT}/maven-metadata.xml"))
        .await
        .text();
    assert!(
        document.contains("<buildNumber>3</buildNumber>"),
        "{document}"
    );
    assert!(document.contains("<value>1.1-20261123.000000-3</value>"));
    for (stamp, body) in [(ONE, "PK one"), (TWO, "PK two"), (THREE, "PK three")] {
        assert_eq!(world.get(&jar(stamp)).await.text(), body, "{stamp}");
        assert_eq!(
            world.get(&format!("{}.sha1", jar(stamp))).await.body.len(),
            40
        );
    }
    // The plain name is the current build's, a directory of a build is none.
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar"))
            .await
            .text(),
        "PK three"
    );
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT-x.jar"))
            .await
            .status,
        404
    );
    let directory = format!("{BASE}/1.1-{ONE}/lib-a-1.1-{ONE}.jar");
    assert_eq!(world.get(&directory).await.status, 404);
}

#[tokio::test]
async fn an_older_build_that_is_finished_late_is_superseded_at_once() {
    let world = World::new().await;
    deploy(&world, TWO, "two").await;
    deploy(&world, ONE, "one").await;
    assert_eq!(
        recorded(&world).await,
        ["1.1-20261122.194127-1 Unlisted", "1.1-SNAPSHOT Published"]
    );
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar"))
            .await
            .text(),
        "PK two"
    );
}

#[tokio::test]
async fn parallel_builds_all_end_up_somewhere() {
    let world = World::new().await;
    let stamps: Vec<_> = (1..9).map(|n| format!("20261122.19412{n}-{n}")).collect();
    futures_util::future::join_all(stamps.iter().map(|stamp| upload(&world, stamp, stamp))).await;
    futures_util::future::join_all(stamps.iter().map(async |stamp| {
        let document = build_metadata(stamp, &[("", "jar"), ("", "pom")]);
        let code = world
            .put(&format!("{SNAPSHOT}/maven-metadata.xml"), document)
            .await;
        assert!(code == 200 || code == 201, "{stamp}: {code}");
    }))
    .await;
    let recorded = recorded(&world).await;
    assert_eq!(recorded.len(), 8, "{recorded:?}");
    assert_eq!(recorded.last().unwrap(), "1.1-SNAPSHOT Published");
    assert!(
        recorded[..7].iter().all(|line| line.ends_with(" Unlisted")),
        "{recorded:?}"
    );
    let plain = format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar");
    assert_eq!(world.get(&plain).await.text(), format!("PK {}", stamps[7]));
    for stamp in &stamps {
        let path = format!("{SNAPSHOT}/lib-a-1.1-{stamp}.jar");
        assert_eq!(world.get(&path).await.text(), format!("PK {stamp}"));
    }
}

#[tokio::test]
async fn files_may_follow_a_build_that_is_current() {
    let world = World::new().await;
    deploy(&world, ONE, "one").await;
    let module = format!("{SNAPSHOT}/lib-a-1.1-{ONE}.module");
    assert_eq!(world.put(&module, "{}").await, 201);
    assert_eq!(world.get(&module).await.text(), "{}");
    let odd = format!("{SNAPSHOT}/lib-a-1.1-{ONE}-x.y.zip.gz");
    assert_eq!(world.put(&odd, "z").await, 201);
    let document = build_metadata(ONE, &[("x.y", "zip.gz"), ("", "jar")]);
    world
        .put(&format!("{SNAPSHOT}/maven-metadata.xml"), document)
        .await;
    assert_eq!(recorded(&world).await, ["1.1-SNAPSHOT Published"]);
    let document = world
        .get(&format!("{SNAPSHOT}/maven-metadata.xml"))
        .await
        .text();
    assert!(
        document.contains("<classifier>x.y</classifier>"),
        "{document}"
    );
    assert!(document.contains("<extension>zip.gz</extension>"));
    assert!(document.contains("<extension>module</extension>"));
}

#[tokio::test]
async fn a_wrong_checksum_holds_a_build_back() {
    let world = World::new().await;
    deploy(&world, ONE, "one").await;
    upload(&world, TWO, "two").await;
    let jar = format!("{SNAPSHOT}/lib-a-1.1-{TWO}.jar");
    assert_eq!(world.put(&format!("{jar}.sha1"), "0".repeat(40)).await, 400);
    let document = build_metadata(TWO, &[("", "jar")]);
    let path = format!("{SNAPSHOT}/maven-metadata.xml");
    assert_eq!(world.put(&path, document.clone()).await, 400);
    let listing = crate::maven::metadata(&["1.1-SNAPSHOT"]);
    assert_eq!(
        world
            .put(&format!("{BASE}/maven-metadata.xml"), listing)
            .await,
        400
    );
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar"))
            .await
            .text(),
        "PK one"
    );
    let sha1 = catalog::Digests::of(b"PK two").sha1;
    assert_eq!(world.put(&format!("{jar}.sha1"), sha1).await, 201);
    assert_eq!(world.put(&path, document).await, 200);
    assert_eq!(
        world
            .get(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar"))
            .await
            .text(),
        "PK two"
    );
}

#[tokio::test]
async fn plain_names_make_builds_of_their_own() {
    let world = World::new().await;
    let path = |suffix: &str| format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT{suffix}");
    let finish = async || {
        let listing = crate::maven::metadata(&["1.1-SNAPSHOT"]);
        world
            .put(&format!("{BASE}/maven-metadata.xml"), listing)
            .await
    };
    assert_eq!(world.put(&path(".jar"), "PK one").await, 201);
    let sha1 = catalog::Digests::of(b"PK one").sha1;
    assert_eq!(world.put(&path(".jar.sha1"), sha1).await, 201);
    assert_eq!(world.put(&path("-sources.jar"), "PK s1").await, 201);
    // A client that tries again starts nothing.
    assert_eq!(world.put(&path(".jar"), "PK one").await, 200);
    assert_eq!(recorded(&world).await, ["1.1-20261122.194127-1 Unfinished"]);
    assert_eq!(world.get(&path(".jar")).await.status, 404);
    assert_eq!(finish().await, 201);
    assert_eq!(recorded(&world).await, ["1.1-SNAPSHOT Published"]);
    assert_eq!(world.get(&path(".jar")).await.text(), "PK one");
    assert_eq!(
        world
            .files("app", "com.acme", "lib-a", "1.1-SNAPSHOT")
            .await,
        ["lib-a-1.1-SNAPSHOT-sources.jar", "lib-a-1.1-SNAPSHOT.jar"]
    );

    world.clock.advance(std::time::Duration::from_mins(1));
    assert_eq!(world.put(&path(".jar"), "PK two").await, 201);
    assert_eq!(world.put(&path("-sources.jar"), "PK s1").await, 201);
    assert_eq!(world.get(&path(".jar")).await.text(), "PK one");
    assert_eq!(finish().await, 200);
    assert_eq!(
        recorded(&world).await,
        ["1.1-20261122.194127-1 Unlisted", "1.1-SNAPSHOT Published"]
    );
    assert_eq!(world.get(&path(".jar")).await.text(), "PK two");
    // The build before is there under the name that Maven would have given it.
    let before = format!("{SNAPSHOT}/lib-a-1.1-{ONE}.jar");
    assert_eq!(world.get(&before).await.text(), "PK one");
    let document = world
        .get(&format!("{SNAPSHOT}/maven-metadata.xml"))
        .await
        .text();
    assert!(
        document.contains("<value>1.1-SNAPSHOT</value>"),
        "{document}"
    );
    assert!(!document.contains("<buildNumber>"));
}

#[tokio::test]
async fn other_bytes_under_a_plain_name_start_another_build() {
    let world = World::new().await;
    let jar = format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar");
    assert_eq!(world.put(&jar, "PK one").await, 201);
    assert_eq!(world.put(&jar, "PK two").await, 201);
    assert_eq!(
        recorded(&world).await,
        [
            "1.1-20261122.194127-1 Unfinished",
            "1.1-20261122.194127-2 Unfinished"
        ]
    );
    let listing = crate::maven::metadata(&["1.1-SNAPSHOT"]);
    assert_eq!(
        world
            .put(&format!("{BASE}/maven-metadata.xml"), listing)
            .await,
        201
    );
    assert_eq!(world.get(&jar).await.text(), "PK two");
}

#[tokio::test]
async fn a_snapshot_of_an_upstream_is_followed_and_not_kept() {
    let world = World::new().await;
    world.repository("team", &["app"]).await;
    deploy(&world, ONE, "one").await;
    let there = |path: &str| path.replacen("maven/app", "maven/team", 1);
    let plain = there(&format!("{SNAPSHOT}/lib-a-1.1-SNAPSHOT.jar"));
    assert_eq!(world.get(&plain).await.text(), "PK one");
    let document = there(&format!("{SNAPSHOT}/maven-metadata.xml"));
    assert!(world.get(&document).await.text().contains(ONE));
    deploy(&world, TWO, "two").await;
    assert_eq!(world.get(&plain).await.text(), "PK two");
    assert!(world.get(&document).await.text().contains(TWO));
    let stamped = there(&format!("{SNAPSHOT}/lib-a-1.1-{ONE}.jar"));
    assert_eq!(world.get(&stamped).await.text(), "PK one");
    assert!(world.recorded("team", "com.acme", "lib-a").await.is_empty());
}
