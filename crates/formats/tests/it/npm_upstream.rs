//! The public registry of npm: what is shown of it, what is taken, and what becomes of it when it fails or lies.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{Action, Digests, Restriction, Restrictions};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::npm::{
    error, json_of, package, packed, packument, publish, put, set_status, tarball, versions,
};
use crate::registry::Mood;
use crate::world::World;

const BOTH: Restrictions = Restrictions {
    publish: Restriction::Allow,
    upstream: Restriction::Allow,
};

/// A registry with this package in it, a repository connected to it and one above that.
async fn world() -> World {
    let world = World::new().await;
    world.connected_to("store", "public:npmjs").await;
    world.repository("team", &["store"]).await;
    world
}

/// Puts versions into the registry: their manifests and tarballs.
fn offer(world: &World, name: &str, latest: &str, manifests: &[Value]) -> Value {
    let mut versions = serde_json::Map::new();
    let mut time =
        json!({"created": "2020-01-01T00:00:00.000Z", "modified": "2020-06-01T00:00:00.000Z"});
    for manifest in manifests {
        let version = manifest["version"].as_str().unwrap();
        let tarball = packed(manifest);
        let base = name.rsplit('/').next().unwrap();
        let path = format!("{name}/-/{base}-{version}.tgz");
        let digests = Digests::of(&tarball);
        let mut own = manifest.clone();
        own["_id"] = json!(format!("{name}@{version}"));
        own["dist"] = json!({
            "integrity": format!("sha512-{}", BASE64.encode(hex::decode(&digests.sha512).unwrap())),
            "shasum": digests.sha1,
            "tarball": format!("{}{path}", world.registry.url()),
            "signatures": [{"keyid": "k", "sig": "s"}],
        });
        world.registry.put_alone(&path, &tarball);
        versions.insert(version.to_owned(), own);
        time[version] = json!("2020-02-03T04:05:06.789Z");
    }
    let document = json!({
        "_id": name, "_rev": "9-theirs", "name": name, "dist-tags": {"latest": latest}, "versions": versions,
        "time": time, "readme": "# Theirs", "users": {"x": true}, "maintainers": [{"name": "m"}],
    });
    tell(world, name, &document);
    document
}

/// Changes what the registry says of a package.
fn tell(world: &World, name: &str, document: &Value) {
    world
        .registry
        .put_alone(&name.replace('/', "%2f"), document.to_string().as_bytes());
}

fn twig(version: &str) -> Value {
    json!({"name": "@lib/twig", "version": version, "license": "MIT", "dependencies": {"a": "1"}})
}

const TARBALL: &str = "npm/team/@lib/twig/-/twig-1.0.0.tgz";

async fn recorded(world: &World, repository: &str, name: &str) -> Vec<String> {
    let open = world.open(&world.admin, repository, "npm").await;
    let permit = package(world, repository, name, Action::DescribePackage).await;
    let versions = open.versions(&permit.id).await.unwrap();
    versions
        .iter()
        .map(|row| format!("{} {}", row.version, row.status))
        .collect()
}

#[tokio::test]
async fn what_the_registry_has_is_shown_with_its_own_times_and_our_addresses() {
    let world = world().await;
    offer(
        &world,
        "@lib/twig",
        "1.1.0",
        &[twig("1.0.0"), twig("1.1.0")],
    );
    let packument = packument(&world, "team", "@lib/twig").await;
    let own = &packument["versions"]["1.0.0"];
    assert_eq!(
        own["dist"]["tarball"],
        "http://packages.test/d/acme-111122223333/npm/team/@lib/twig/-/twig-1.0.0.tgz"
    );
    assert_eq!(
        own["dist"]["signatures"],
        json!([{"keyid": "k", "sig": "s"}])
    );
    assert_eq!(packument["time"]["1.0.0"], "2020-02-03T04:05:06.789Z");
    assert_eq!(packument["time"]["modified"], "2020-06-01T00:00:00.000Z");
    assert_eq!(packument["readme"], "# Theirs");
    assert_eq!(packument["dist-tags"], json!({"latest": "1.1.0"}));
    assert!(packument.get("users").is_none());
    assert_ne!(packument["_rev"], "9-theirs");
    assert_eq!(
        recorded(&world, "team", "@lib/twig").await,
        Vec::<String>::new()
    );
    for _ in 0..3 {
        world.get("npm/team/@lib%2ftwig").await;
    }
    assert_eq!(world.registry.asked("@lib%2ftwig"), 1);
}

#[tokio::test]
async fn no_registry_is_asked_about_a_private_scope() {
    let world = World::with(formats::Rules {
        npm: formats::npm::Rules {
            private_scopes: ["@lib".parse().unwrap()].into(),
            ..formats::npm::Rules::default()
        },
        ..formats::Rules::default()
    })
    .await;
    world.connected_to("store", "public:npmjs").await;
    world.repository("team", &["store"]).await;
    offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    for path in [
        "npm/team/@lib%2ftwig",
        "npm/store/@lib%2ftwig",
        "npm/team/@LIB%2ftwig",
        "npm/team/-/npm/v1/attestations/@lib%2ftwig@1.0.0",
        TARBALL,
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    let asked = json!({"@lib/twig": ["1.0.0"]}).to_string();
    let line = "POST npm/team/-/npm/v1/security/advisories/bulk";
    assert_eq!(world.ask(line, &[], asked).await.status, 200);
    publish(&world, "store", "@lib/twig", "1.0.0").await;
    // Those behind it are asked as ever.
    assert_eq!(world.get(TARBALL).await.status, 200);
    assert_eq!(world.registry.sent(), Vec::<String>::new());
    for path in ["@lib%2ftwig", "@LIB%2ftwig", "@lib/twig/-/twig-1.0.0.tgz"] {
        assert_eq!(world.registry.asked(path), 0, "{path}");
    }
    world.get("npm/team/@other%2ftwig").await;
    assert_eq!(world.registry.asked("@other%2ftwig"), 1);
}

#[tokio::test]
async fn a_lock_file_is_enough_to_take_a_tarball() {
    let world = world().await;
    let document = offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    let got = world.get(TARBALL).await;
    assert_eq!(got.status, 200, "{}", got.text());
    let integrity = document["versions"]["1.0.0"]["dist"]["integrity"]
        .as_str()
        .unwrap();
    let digests = Digests::of(&got.body);
    assert_eq!(
        integrity,
        format!(
            "sha512-{}",
            BASE64.encode(hex::decode(digests.sha512).unwrap())
        )
    );
    for repository in ["team", "store"] {
        assert_eq!(
            recorded(&world, repository, "@lib/twig").await,
            ["1.0.0 Published"]
        );
    }
    let permit = package(&world, "team", "@lib/twig", Action::DescribePackageVersion).await;
    let (record, manifest) = permit.version(&"1.0.0".parse().unwrap()).await.unwrap();
    assert_eq!(
        record.published_upstream.unwrap().iso8601(),
        "2020-02-03T04:05:06Z"
    );
    assert_eq!(manifest.licenses[0].name.as_deref(), Some("MIT"));
    assert_eq!(manifest.readme.as_deref(), Some("# Read me\n"));
    assert_eq!(manifest.warnings, Vec::<String>::new());
    // Taking it changes nothing of what is shown.
    let before = packument(&world, "store", "@lib/twig").await["versions"]["1.0.0"].clone();
    world.registry.set_mood(Mood::Down);
    let after = packument(&world, "store", "@lib/twig").await["versions"]["1.0.0"].clone();
    assert_eq!(before, after);
    assert_eq!(after["dist"]["integrity"], integrity);
}

#[tokio::test]
async fn a_registry_that_lies_is_not_believed() {
    let world = world().await;
    offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    let path = "@lib/twig/-/twig-1.0.0.tgz";
    let other = tarball(&[("package/package.json", "{}")]);
    world.registry.put_alone(path, &other);
    let refused = world.get(TARBALL).await;
    assert_eq!(refused.status, 502, "{}", refused.text());
    assert_eq!(world.registry.asked(path), 2);
    assert_eq!(
        recorded(&world, "team", "@lib/twig").await,
        Vec::<String>::new()
    );
    world.registry.set_mood(Mood::Portal);
    assert_eq!(world.get(TARBALL).await.status, 502);
    world.registry.set_mood(Mood::Good);
    offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    world.clock.advance(Duration::from_mins(10));
    assert_eq!(world.get(TARBALL).await.status, 200);
}

#[tokio::test]
async fn a_registry_that_is_gone_takes_nothing_with_it() {
    let world = world().await;
    offer(
        &world,
        "@lib/twig",
        "1.1.0",
        &[twig("1.0.0"), twig("1.1.0")],
    );
    world.get(TARBALL).await;
    world.registry.set_mood(Mood::Down);
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(world.get(TARBALL).await.status, 200);
    assert_eq!(
        versions(&world, "team", "@lib/twig").await,
        ["1.0.0", "1.1.0"]
    );
    let new = world.get("npm/team/@lib/twig/-/twig-1.1.0.tgz").await;
    assert_eq!(new.status, 503, "{}", new.text());
    assert!(!new.header("retry-after").is_empty());
    let unknown = world.get("npm/team/unknown").await;
    assert_eq!(unknown.status, 503);
    // Unpublished there: what was taken stays.
    world.registry.set_mood(Mood::Good);
    tell(
        &world,
        "@lib/twig",
        &json!({"name": "@lib/twig", "versions": {}, "dist-tags": {}}),
    );
    world.clock.advance(Duration::from_hours(1));
    let packument = packument(&world, "team", "@lib/twig").await;
    assert_eq!(packument["dist-tags"], json!({"latest": "1.0.0"}));
    assert_eq!(world.get(TARBALL).await.status, 200);
}

#[tokio::test]
async fn a_version_that_was_taken_stays_as_it_is_but_for_its_deprecation() {
    let world = world().await;
    let mut document = offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    world.get(TARBALL).await;
    document["versions"]["1.0.0"]["deprecated"] = json!("theirs");
    document["versions"]["1.0.0"]["dependencies"] = json!({"evil": "1"});
    document["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AAAA");
    tell(&world, "@lib/twig", &document);
    world.clock.advance(Duration::from_mins(6));
    let before = packument(&world, "team", "@lib/twig").await;
    let own = &before["versions"]["1.0.0"];
    assert_eq!(own["deprecated"], "theirs");
    assert_eq!(own["dependencies"], json!({"a": "1"}));
    assert_ne!(own["dist"]["integrity"], "sha512-AAAA");
    // What is said here counts more.
    let mut document = before.clone();
    document["versions"]["1.0.0"]["deprecated"] = json!("ours");
    assert_eq!(
        put(&world, "team", "@lib/twig", &document).await.status,
        201
    );
    let said = packument(&world, "team", "@lib/twig").await;
    assert_eq!(said["versions"]["1.0.0"]["deprecated"], "ours");
}

#[tokio::test]
async fn a_version_is_taken_to_be_deprecated() {
    let world = world().await;
    offer(
        &world,
        "@lib/twig",
        "1.1.0",
        &[twig("1.0.0"), twig("1.1.0")],
    );
    let mut document = packument(&world, "team", "@lib/twig").await;
    document["versions"]["1.0.0"]["deprecated"] = json!("ours");
    assert_eq!(
        put(&world, "team", "@lib/twig", &document).await.status,
        201
    );
    assert_eq!(
        recorded(&world, "team", "@lib/twig").await,
        ["1.0.0 Published"]
    );
    let said = packument(&world, "team", "@lib/twig").await;
    assert_eq!(said["versions"]["1.0.0"]["deprecated"], "ours");
    assert!(said["versions"]["1.1.0"].get("deprecated").is_none());
}

#[tokio::test]
async fn tarballs_of_odd_names_and_places_are_found() {
    let world = world().await;
    let mut document = offer(
        &world,
        "twig",
        "1.0.0",
        &[json!({"name": "twig", "version": "1.0.0"})],
    );
    let bytes = packed(&json!({"name": "twig", "version": "1.0.0"}));
    world.registry.put_alone("twig/-/odd.tgz", &bytes);
    document["versions"]["1.0.0"]["dist"]["tarball"] =
        json!("http://169.254.169.254/twig/-/odd.tgz");
    tell(&world, "twig", &document);
    let got = world.get("npm/team/twig/-/odd.tgz").await;
    assert_eq!(got.status, 200, "{}", got.text());
    assert_eq!(got.body, bytes);
    let text = packument(&world, "team", "twig").await.to_string();
    assert!(!text.contains("169.254"), "{text}");
    assert_eq!(world.get("npm/team/twig/-/none.tgz").await.status, 404);
}

#[tokio::test]
async fn a_tarball_with_something_wrong_in_it_is_taken_with_a_warning() {
    let world = world().await;
    let mut document = offer(
        &world,
        "twig",
        "1.0.0",
        &[json!({"name": "twig", "version": "1.0.0"})],
    );
    document["versions"]["1.0.0"]["scripts"] = json!({"postinstall": "x"});
    tell(&world, "twig", &document);
    assert_eq!(
        world.get("npm/team/twig/-/twig-1.0.0.tgz").await.status,
        200
    );
    let permit = package(&world, "team", "twig", Action::DescribePackageVersion).await;
    let (_, manifest) = permit.version(&"1.0.0".parse().unwrap()).await.unwrap();
    assert!(
        manifest.warnings[0].starts_with("manifestMismatch: scripts"),
        "{:?}",
        manifest.warnings
    );
}

#[tokio::test]
async fn a_private_name_is_nobody_elses_business() {
    let world = world().await;
    publish(&world, "team", "acme-util", "1.0.0").await;
    offer(
        &world,
        "acme-util",
        "99.0.0",
        &[json!({"name": "acme-util", "version": "99.0.0"})],
    );
    let before = world.registry.asked("acme-util");
    assert_eq!(versions(&world, "team", "acme-util").await, ["1.0.0"]);
    assert_eq!(
        world
            .get("npm/team/acme-util/-/acme-util-99.0.0.tgz")
            .await
            .status,
        404
    );
    assert_eq!(world.get("npm/team/acme-util/99.0.0").await.status, 404);
    assert_eq!(world.registry.asked("acme-util"), before);

    world.registry.put_alone(
        "-/npm/v1/security/advisories/bulk",
        br#"{"lodash":[{"id":1,"severity":"high"}],"planted":[]}"#,
    );
    let question =
        json!({"acme-util": ["1.0.0"], "lodash": ["4.17.20"], "@bad": ["1"]}).to_string();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(question.as_bytes()).unwrap();
    let line = "POST npm/team/-/npm/v1/security/advisories/bulk";
    let answer = world
        .ask(
            line,
            &[("content-encoding", "gzip")],
            encoder.finish().unwrap(),
        )
        .await;
    assert_eq!(
        json_of(&answer),
        json!({"lodash": [{"id": 1, "severity": "high"}]})
    );
    assert_eq!(world.registry.sent(), [r#"{"lodash":["4.17.20"]}"#]);
    let old = json!({"name": "x", "dependencies": {"lodash": {"version": "4.17.20"}, "acme-util": {"version": "1.0.0"}}});
    let answer = world
        .ask(
            "POST npm/team/-/npm/v1/security/audits/quick",
            &[],
            old.to_string(),
        )
        .await;
    let report = json_of(&answer);
    assert_eq!(report["metadata"]["vulnerabilities"]["high"], 1);
    assert_eq!(
        report["advisories"]["1"]["findings"][0]["paths"],
        json!(["lodash"])
    );
    assert!(
        world
            .registry
            .sent()
            .iter()
            .all(|sent| !sent.contains("acme-util"))
    );
    world.registry.set_mood(Mood::Down);
    let answer = world.ask(line, &[], question).await;
    assert_eq!((answer.status.as_u16(), json_of(&answer)), (200, json!({})));
}

#[tokio::test]
async fn keys_and_attestations_of_the_registry_are_passed_on() {
    let world = world().await;
    let mut document = offer(&world, "@lib/twig", "1.0.0", &[twig("1.0.0")]);
    document["versions"]["1.0.0"]["dist"]["attestations"] = json!({"url": format!("{}-/npm/v1/attestations/@lib%2ftwig@1.0.0", world.registry.url()), "provenance": {"predicateType": "p"}});
    tell(&world, "@lib/twig", &document);
    world
        .registry
        .put_alone("-/npm/v1/keys", br#"{"keys":[1]}"#);
    world.registry.put_alone(
        "-/npm/v1/attestations/@lib%2ftwig@1.0.0",
        br#"{"attestations":[2]}"#,
    );
    assert_eq!(
        json_of(&world.get("npm/team/-/npm/v1/keys").await),
        json!({"keys": [1]})
    );
    assert_eq!(world.get("npm/app/-/npm/v1/keys").await.status, 404);
    let packument = packument(&world, "team", "@lib/twig").await;
    let url = packument["versions"]["1.0.0"]["dist"]["attestations"]["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = url
        .strip_prefix("http://packages.test/d/acme-111122223333/")
        .unwrap();
    assert_eq!(
        json_of(&world.get(path).await),
        json!({"attestations": [2]})
    );
}

#[tokio::test]
async fn origin_controls_decide_what_clients_see_and_publish() {
    let world = world().await;
    let manifests = ["1.0.0", "1.0.1"].map(|version| json!({"name": "twig", "version": version}));
    offer(&world, "twig", "1.0.1", &manifests);
    world.get("npm/team/twig/-/twig-1.0.0.tgz").await;
    let refused = publish(&world, "team", "twig", "2.0.0").await;
    assert_eq!(refused.status, 403);
    assert!(
        error(&refused).contains("origin control"),
        "{}",
        refused.text()
    );
    let tag = world
        .ask(
            "PUT npm/team/-/package/twig/dist-tags/ours",
            &[],
            "\"1.0.1\"",
        )
        .await;
    assert_eq!(tag.status, 201);
    let permit = package(
        &world,
        "team",
        "twig",
        Action::PutPackageOriginConfiguration,
    )
    .await;
    permit.set_restrictions(BOTH).await.unwrap();
    assert_eq!(publish(&world, "team", "twig", "1.0.1").await.status, 409);
    assert_eq!(publish(&world, "team", "twig", "1.0.2").await.status, 201);
    let merged = packument(&world, "team", "twig").await;
    assert_eq!(
        merged["dist-tags"],
        json!({"latest": "1.0.1", "ours": "1.0.1"})
    );
    assert_eq!(
        versions(&world, "team", "twig").await,
        ["1.0.0", "1.0.1", "1.0.2"]
    );
    let blocked = Restrictions {
        upstream: Restriction::Block,
        ..BOTH
    };
    permit.set_restrictions(blocked).await.unwrap();
    let own = packument(&world, "team", "twig").await;
    assert_eq!(own["dist-tags"], json!({"latest": "1.0.2"}));
    assert_eq!(versions(&world, "team", "twig").await, ["1.0.0", "1.0.2"]);
    assert_eq!(
        world.get("npm/team/twig/-/twig-1.0.1.tgz").await.status,
        404
    );
    set_status(&world, "team", "twig", "1.0.0", catalog::Status::Unlisted).await;
    assert_eq!(
        world.get("npm/team/twig/-/twig-1.0.0.tgz").await.status,
        200
    );
}
