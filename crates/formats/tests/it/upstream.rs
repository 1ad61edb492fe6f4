//! Public registries: imports, lists, and what becomes of a registry that fails or lies.

use std::time::Duration;

use crate::registry::Mood;
use crate::world::World;

const FILE: &str = "org/lib/core/2.0/core-2.0.jar";
const POM: &str = "<project><groupId>org.lib</groupId><artifactId>core</artifactId><version>2.0</version></project>";

fn list(versions: &[&str]) -> String {
    let versions = versions.join("</version><version>");
    format!(
        "<metadata><groupId>org.lib</groupId><artifactId>core</artifactId><versioning><versions><version>{versions}</version></versions>\
         <lastUpdated>20260101000000</lastUpdated></versioning></metadata>"
    )
}

/// A registry with two versions, a repository connected to it and one above that.
async fn world() -> World {
    let world = World::new().await;
    world.connected("central").await;
    world.repository("team", &["central"]).await;
    let list = list(&[
        "1.0",
        "1.5-SNAPSHOT",
        "2.0",
        "2.0-rc1",
        "bad version",
        "1.1-20260101.000000-1",
    ]);
    world
        .registry
        .put("org/lib/core/maven-metadata.xml", list.as_bytes());
    world.registry.put(FILE, b"PK the archive");
    world
        .registry
        .put("org/lib/core/2.0/core-2.0.pom", POM.as_bytes());
    world
}

#[tokio::test]
async fn a_file_is_taken_once_and_kept() {
    let world = world().await;
    let path = format!("maven/team/{FILE}");
    let get = world.get(&path).await;
    assert_eq!(get.text(), "PK the archive");
    assert_eq!(get.header("last-modified"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(world.get(&path).await.text(), "PK the archive");
    assert_eq!(world.registry.asked(FILE), 1);
    assert_eq!(world.registry.asked(&format!("{FILE}.sha512")), 1);
    assert_eq!(world.registry.asked(&format!("{FILE}.md5")), 0);
    world.registry.set_mood(Mood::Down);
    assert_eq!(world.get(&path).await.status, 200);
    let sha1 = world.get(&format!("{path}.sha1")).await.text();
    assert_eq!(sha1, catalog::Digests::of(b"PK the archive").sha1);
    for repository in ["central", "team"] {
        assert_eq!(
            world.recorded(repository, "org.lib", "core").await,
            ["2.0 Published"],
            "{repository}"
        );
    }
}

#[tokio::test]
async fn looking_keeps_nothing() {
    let world = world().await;
    let head = world.ask(&format!("HEAD maven/team/{FILE}"), &[], "").await;
    assert_eq!(
        (head.status.as_u16(), head.header("content-length")),
        (200, "14")
    );
    assert_eq!(
        world
            .get("maven/team/org/lib/core/maven-metadata.xml")
            .await
            .status,
        200
    );
    assert!(world.recorded("team", "org.lib", "core").await.is_empty());
}

#[tokio::test]
async fn lists_are_merged_in_the_order_of_versions() {
    let world = world().await;
    let path = "maven/team/org/lib/core/maven-metadata.xml";
    let document = world.get(path).await.text();
    let listed: Vec<_> = document
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("<version>")?
                .strip_suffix("</version>")
        })
        .collect();
    assert_eq!(listed, ["1.0", "2.0-rc1", "2.0"]);
    assert!(
        document.contains("<lastUpdated>20260101000000</lastUpdated>"),
        "{document}"
    );
    assert_eq!(world.get(path).await.text(), document);
    assert_eq!(world.registry.asked("org/lib/core/maven-metadata.xml"), 1);
    // Old, and the registry gone: the old list.
    world.clock.advance(Duration::from_hours(1));
    world.registry.set_mood(Mood::Down);
    assert_eq!(world.get(path).await.text(), document);
}

#[tokio::test]
async fn a_registry_that_fails_is_not_a_missing_file() {
    let world = world().await;
    assert_eq!(
        world
            .get("maven/team/org/lib/core/3.0/core-3.0.jar")
            .await
            .status,
        404
    );
    world.registry.set_mood(Mood::Down);
    for path in [
        FILE,
        "org/lib/core/3.0/core-3.0.pom",
        "org/lib/other/maven-metadata.xml",
        "org/lib/maven-metadata.xml",
    ] {
        let answer = world.get(&format!("maven/team/{path}")).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.text());
        assert_ne!(answer.header("retry-after"), "", "{path}");
    }
    world.registry.set_mood(Mood::Good);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.get(&format!("maven/team/{FILE}")).await.status, 200);
}

#[tokio::test]
async fn a_registry_that_lies_is_not_believed() {
    let world = world().await;
    let path = format!("maven/team/{FILE}");
    world.registry.set_mood(Mood::Portal);
    assert_eq!(world.get(&path).await.status, 502);
    world.registry.set_mood(Mood::Truncating);
    let long = "org/lib/core/2.0/core-2.0-long.jar";
    world.registry.put(long, &[&b"PK"[..], &[7; 5000]].concat());
    let cut = world.get(&format!("maven/team/{long}")).await;
    assert!(cut.status.is_server_error(), "{}", cut.status);
    world.registry.set_mood(Mood::Good);
    world
        .registry
        .put_alone(&format!("{FILE}.sha1"), "0".repeat(40).as_bytes());
    let wrong = world.get(&path).await;
    assert_eq!(wrong.status, 502, "{}", wrong.text());
    assert!(
        world
            .recorded("central", "org.lib", "core")
            .await
            .is_empty()
    );
    world.registry.put(FILE, b"PK the archive");
    assert_eq!(world.get(&path).await.text(), "PK the archive");
}

#[tokio::test]
async fn the_strongest_checksum_decides() {
    let world = world().await;
    let digests = catalog::Digests::of(b"PK x");
    for (name, checksum, value, expected) in [
        ("a", "sha512", digests.sha512.to_uppercase(), 200),
        ("b", "sha256", format!("{}  b.jar", digests.sha256), 200),
        ("c", "md5", digests.md5.clone(), 200),
        ("d", "sha512", "0".repeat(128), 502),
        ("e", "md5", "0".repeat(32), 502),
        ("f", "sha1", "<html>log in</html>".to_owned(), 502),
        ("g", "none", String::new(), 200),
    ] {
        let path = format!("org/lib/core/2.0/core-2.0-{name}.jar");
        world.registry.put_alone(&path, b"PK x");
        world
            .registry
            .put_alone(&format!("{path}.{checksum}"), value.as_bytes());
        if checksum == "sha512" {
            // A weaker one that is right does not help.
            world
                .registry
                .put_alone(&format!("{path}.sha1"), digests.sha1.as_bytes());
        }
        let answer = world.get(&format!("maven/team/{path}")).await;
        assert_eq!(
            answer.status.as_u16(),
            expected,
            "{name}: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn a_private_package_hides_the_public_one_of_its_name() {
    let world = world().await;
    let base = "maven/team/org/lib/core";
    let taken = world
        .ask(&format!("PUT {base}/2.0/core-2.0.jar"), &[], "PK mine")
        .await;
    assert_eq!(taken.status, 409, "{}", taken.text());
    assert_eq!(
        world
            .put(&format!("{base}/9.0/core-9.0.jar"), "PK mine")
            .await,
        201
    );
    let document = list(&["9.0"]);
    assert_eq!(
        world
            .put(&format!("{base}/maven-metadata.xml"), document)
            .await,
        201
    );
    let text = world
        .get(&format!("{base}/maven-metadata.xml"))
        .await
        .text();
    assert!(
        text.contains("<version>9.0</version>") && !text.contains("<version>2.0</version>"),
        "{text}"
    );
    assert_eq!(
        world.get(&format!("{base}/2.0/core-2.0.jar")).await.status,
        404
    );
    assert_eq!(
        world.get(&format!("{base}/9.0/core-9.0.jar")).await.status,
        200
    );
}

#[tokio::test]
async fn a_registry_is_not_asked_for_what_is_not_its() {
    let world = world().await;
    for path in [
        ".meta/prefixes.txt",
        "org/lib/core/1.5-SNAPSHOT/core-1.5-SNAPSHOT.jar",
        "org/lib/core/1.5-SNAPSHOT/core-1.5-20260101.000000-1.jar",
        "org/lib/core/1.5-SNAPSHOT/maven-metadata.xml",
        "org/lib/core/2.0/other-2.0.jar",
    ] {
        assert_eq!(
            world.get(&format!("maven/team/{path}")).await.status,
            404,
            "{path}"
        );
        assert_eq!(world.registry.asked(path), 0, "{path}");
    }
}

#[tokio::test]
async fn prefixes_of_a_registry_are_merged_behind_ours() {
    let world = world().await;
    let remote = "<metadata><plugins><plugin><name>r</name><prefix>acme</prefix><artifactId>theirs</artifactId></plugin>\
        <plugin><name>r</name><prefix>more</prefix><artifactId>more-plugin</artifactId></plugin></plugins></metadata>";
    world
        .registry
        .put("org/lib/maven-metadata.xml", remote.as_bytes());
    let path = "maven/team/org/lib/maven-metadata.xml";
    assert!(
        world
            .get(path)
            .await
            .text()
            .contains("<artifactId>theirs</artifactId>")
    );
    let ours = remote.replace("theirs", "ours").replace("more", "own");
    world.put(path, ours).await;
    let text = world.get(path).await.text();
    assert!(
        text.contains(">ours<") && !text.contains(">theirs<") && text.contains(">more-plugin<"),
        "{text}"
    );
}
