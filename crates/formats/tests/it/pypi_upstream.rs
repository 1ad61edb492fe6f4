//! A public index and its files: what is imported, what is said of it, and what is not believed.

use std::fmt::Write as _;
use std::time::Duration;

use catalog::{Action, Digests, Format as _};
use formats::pypi::{Pypi, Rules};

use crate::registry::Mood;
use crate::wheels::{metadata, sdist, wheel};
use crate::world::World;

pub(crate) const CONNECTION: &str = "public:pypi";
pub(crate) const JSON: (&str, &str) = ("accept", "application/vnd.pypi.simple.v1+json");
pub(crate) const WHEEL: &str = "lib_core-2.0-py3-none-any.whl";
pub(crate) const PAGE: &str = "simple/lib-core/";

/// A file of a page: what is said of it, and its bytes.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) bytes: &'a [u8],
    pub(crate) more: &'a str,
}

pub(crate) fn put(world: &World, project: &str, files: &[Listed<'_>]) {
    let mut page = format!(r#"{{"meta":{{"api-version":"1.1"}},"name":"{project}","files":["#);
    for (at, file) in files.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let (name, size) = (file.name, file.bytes.len());
        let sha256 = Digests::of(file.bytes).sha256;
        write!(
            page,
            r#"{comma}{{"filename":"{name}","url":"../../files/{name}","hashes":{{"sha256":"{sha256}"}},"size":{size},"upload-time":"2026-01-02T03:04:05.678901Z"{}}}"#,
            file.more
        )
        .unwrap();
        world
            .registry
            .put_alone(&format!("files/{name}"), file.bytes);
    }
    page.push_str("]}");
    world
        .registry
        .put_alone(&format!("simple/{project}/"), page.as_bytes());
}

pub(crate) fn core(version: &str, text: &str) -> Vec<u8> {
    let more = format!("Summary: {text}\nRequires-Python: >=3.8\n");
    wheel(
        "lib_core",
        version,
        &metadata("lib-core", version, &more),
        &[("core.py", text.as_bytes())],
    )
}

/// An index with two versions, a repository connected to it, one above that and one above both.
pub(crate) async fn world() -> World {
    world_with(Rules::default()).await
}

pub(crate) async fn world_with(pypi: Rules) -> World {
    let world = World::with(formats::Rules {
        pypi,
        ..formats::Rules::default()
    })
    .await;
    world.connected_to("store", CONNECTION).await;
    world.repository("between", &["store"]).await;
    world.repository("team", &["between"]).await;
    let old = sdist("lib-core-1.0", &metadata("lib-core", "1.0", ""));
    put(
        &world,
        "lib-core",
        &[
            Listed {
                name: "lib-core-1.0.tar.gz",
                bytes: &old,
                more: r#","yanked":"broken""#,
            },
            Listed {
                name: WHEEL,
                bytes: &core("2.0", "first"),
                more: r#","requires-python":">=3.8""#,
            },
        ],
    );
    world
}

pub(crate) async fn page(world: &World, repository: &str, project: &str) -> serde_json::Value {
    let line = format!("GET pypi/{repository}/simple/{project}/");
    let answer = world.ask(&line, &[JSON], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) async fn names(world: &World, repository: &str, project: &str) -> Vec<String> {
    page(world, repository, project).await["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["filename"].as_str().unwrap().to_owned())
        .collect()
}

/// `version: file, file` of what a repository itself records.
pub(crate) async fn recorded(world: &World, repository: &str, project: &str) -> Vec<String> {
    let open = world.open(&world.admin, repository, "pypi").await;
    let package = Pypi::default().package(None, project, true).unwrap();
    let mut lines = Vec::new();
    for record in open.versions(&package).await.unwrap() {
        let files = open
            .assets(&package.version(record.version.clone()))
            .await
            .unwrap();
        let files: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
        lines.push(format!(
            "{} {}: {}",
            record.version,
            record.status,
            files.join(", ")
        ));
    }
    lines
}

pub(crate) fn file(version: &str, name: &str) -> String {
    format!("pypi/team/simple/lib-core/{version}/{name}")
}

#[tokio::test]
async fn a_file_is_taken_once_without_its_page_and_kept_at_both_ends() {
    let world = world().await;
    let path = file("2.0", WHEEL);
    assert_eq!(world.get(&path).await.body, core("2.0", "first"));
    assert_eq!(world.get(&path).await.body, core("2.0", "first"));
    assert_eq!(world.registry.asked(&format!("files/{WHEEL}")), 1);
    world.registry.set_mood(Mood::Down);
    assert_eq!(world.get(&path).await.status, 200);
    assert_eq!(world.get(&format!("{path}.metadata")).await.status, 200);
    let line = format!("2.0 Published: {WHEEL}");
    for end in ["team", "store"] {
        assert_eq!(
            recorded(&world, end, "lib-core").await,
            [line.as_str()],
            "{end}"
        );
    }
    assert!(recorded(&world, "between", "lib-core").await.is_empty());
}

#[tokio::test]
async fn looking_keeps_nothing() {
    let world = world().await;
    let path = file("2.0", WHEEL);
    let bytes = core("2.0", "first");
    let head = world.ask(&format!("HEAD {path}"), &[], "").await;
    assert_eq!(head.header("content-length"), bytes.len().to_string());
    assert_eq!(
        head.header("etag"),
        format!("\"{}\"", Digests::of(&bytes).sha256)
    );
    assert_eq!(head.header("accept-ranges"), "bytes");
    assert_eq!(world.registry.asked(&format!("files/{WHEEL}")), 0);
    assert!(recorded(&world, "team", "lib-core").await.is_empty());
    // This index sends no parts, so the file has to be taken for one.
    let part = world
        .ask(&format!("GET {path}"), &[("range", "bytes=0-1")], "")
        .await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, "PK"));
    assert_eq!(recorded(&world, "team", "lib-core").await.len(), 1);
}

#[tokio::test]
async fn metadata_comes_from_beside_a_file_or_from_within() {
    let world = world().await;
    let text = metadata("lib-core", "3.0", "Summary: beside\n");
    let sha256 = Digests::of(text.as_bytes()).sha256;
    let bytes = core("3.0", "three");
    let name = "lib_core-3.0-py3-none-any.whl";
    let more = format!(r#","core-metadata":{{"sha256":"{sha256}"}}"#);
    put(
        &world,
        "lib-core",
        &[
            Listed {
                name,
                bytes: &bytes,
                more: &more,
            },
            Listed {
                name: WHEEL,
                bytes: &core("2.0", "first"),
                more: "",
            },
        ],
    );
    world
        .registry
        .put_alone(&format!("files/{name}.metadata"), text.as_bytes());
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["files"][1]["core-metadata"]["sha256"], sha256);
    let path = format!("{}.metadata", file("3.0", name));
    assert_eq!(world.get(&path).await.text(), text);
    assert_eq!(world.get(&path).await.text(), text);
    assert_eq!(world.registry.asked(&format!("files/{name}.metadata")), 1);
    assert_eq!(world.registry.asked(&format!("files/{name}")), 0);
    // Where there is none beside it, it is read out of the file.
    let within = world.get(&format!("{}.metadata", file("2.0", WHEEL))).await;
    assert!(within.text().contains("Summary: first"));
    // Once the file is here, what is within it counts, and the page promises that.
    assert_eq!(world.get(&file("3.0", name)).await.status, 200);
    let within = world.get(&path).await;
    assert!(within.text().contains("Summary: three"));
    let page = self::page(&world, "team", "lib-core").await;
    let promised = &page["files"][1]["core-metadata"]["sha256"];
    assert_eq!(promised, &Digests::of(&within.body).sha256);
}

#[tokio::test]
async fn metadata_that_an_index_does_not_keep_its_word_about_is_read_from_the_file() {
    let world = world().await;
    let bytes = core("3.0", "three");
    let name = "lib_core-3.0-py3-none-any.whl";
    let more = format!(r#","core-metadata":{{"sha256":"{}"}}"#, "0".repeat(64));
    put(
        &world,
        "lib-core",
        &[Listed {
            name,
            bytes: &bytes,
            more: &more,
        }],
    );
    world.registry.put_alone(
        &format!("files/{name}.metadata"),
        b"Name: evil\nVersion: 3.0\n",
    );
    let answer = world.get(&format!("{}.metadata", file("3.0", name))).await;
    assert!(
        answer.text().contains("Summary: three"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn other_bytes_than_promised_are_not_kept() {
    let world = world().await;
    let path = file("2.0", WHEEL);
    world
        .registry
        .put_alone(&format!("files/{WHEEL}"), &core("2.0", "evil"));
    assert_eq!(world.get(&path).await.status, 502);
    world.registry.set_mood(Mood::Portal);
    assert_eq!(world.get(&path).await.status, 502);
    world.registry.set_mood(Mood::Good);
    assert!(recorded(&world, "team", "lib-core").await.is_empty());
    // Kept, and then other bytes under the same name at the index: ours stay, with our digest.
    world
        .registry
        .put_alone(&format!("files/{WHEEL}"), &core("2.0", "first"));
    assert_eq!(world.get(&path).await.status, 200);
    put(
        &world,
        "lib-core",
        &[Listed {
            name: WHEEL,
            bytes: &core("2.0", "changed"),
            more: "",
        }],
    );
    world.clock.advance(Duration::from_mins(6));
    let page = page(&world, "team", "lib-core").await;
    let sha256 = Digests::of(&core("2.0", "first")).sha256;
    assert_eq!(page["files"][0]["hashes"]["sha256"], sha256);
    assert_eq!(world.get(&path).await.body, core("2.0", "first"));
}

#[tokio::test]
async fn files_without_a_digest_are_not_taken() {
    let world = world().await;
    let page = format!(
        r#"{{"files":[{{"filename":"{WHEEL}","url":"../../files/{WHEEL}","hashes":{{}}}},
        {{"filename":"lib_core-2.1-py3-none-any.whl","url":"javascript:alert(1)","hashes":{{"sha256":"{0}"}}}},
        {{"filename":"lib_core-2.2-py3-none-any.whl","url":"file:///etc/passwd","hashes":{{"sha256":"{0}"}}}},
        {{"filename":"lib_core-2.3-py3-none-any.whl","url":"http://169.254.169.254/x","hashes":{{"sha256":"{0}"}}}}]}}"#,
        "0".repeat(64)
    );
    world.registry.put_alone(PAGE, page.as_bytes());
    for version in ["2.0", "2.1", "2.2", "2.3"] {
        let path = file(version, &format!("lib_core-{version}-py3-none-any.whl"));
        assert_eq!(world.get(&path).await.status, 502, "{version}");
    }
}

#[tokio::test]
async fn files_without_a_digest_are_taken_where_the_server_allows_it() {
    let rules = Rules {
        accepts_unverified: true,
        ..Rules::default()
    };
    let world = world_with(rules).await;
    let listed = format!(
        r#"{{"files":[{{"filename":"{WHEEL}","url":"../../files/{WHEEL}","hashes":{{}}}}]}}"#
    );
    world.registry.put_alone(PAGE, listed.as_bytes());
    let before = page(&world, "team", "lib-core").await;
    assert_eq!(before["files"][0]["hashes"], serde_json::json!({}));
    let got = world.get(&file("2.0", WHEEL)).await;
    assert_eq!(
        (got.status.as_u16(), got.body),
        (200, core("2.0", "first").into())
    );
    // From then on the digest is that of what was taken.
    let after = page(&world, "team", "lib-core").await;
    let sha256 = Digests::of(&core("2.0", "first")).sha256;
    assert_eq!(after["files"][0]["hashes"]["sha256"], sha256);
}

#[tokio::test]
async fn attestations_of_the_index_are_passed_on() {
    let world = world().await;
    let text = r#"{"version":1,"attestation_bundles":[]}"#;
    world
        .registry
        .put_alone("integrity/lib-core/2.0/x/provenance", text.as_bytes());
    let more = format!(
        r#","provenance":"{}integrity/lib-core/2.0/x/provenance""#,
        world.registry.url()
    );
    put(
        &world,
        "lib-core",
        &[Listed {
            name: WHEEL,
            bytes: &core("2.0", "first"),
            more: &more,
        }],
    );
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["meta"]["api-version"], "1.3");
    assert_eq!(
        page["files"][0]["provenance"],
        format!("../../integrity/lib-core/2.0/{WHEEL}/provenance")
    );
    let path = format!("pypi/team/integrity/lib-core/2.0/{WHEEL}/provenance");
    for _ in 0..2 {
        let answer = world.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text().as_str()),
            (200, text)
        );
        assert_eq!(
            answer.header("content-type"),
            "application/vnd.pypi.integrity.v1+json"
        );
        // Kept with the file, too.
        world.get(&file("2.0", WHEEL)).await;
    }
}

#[tokio::test]
async fn what_an_import_says_of_itself_is_told_by_its_first_wheel() {
    let world = world().await;
    let text = metadata("lib-core", "2.0", "Summary: the sdist\n");
    let sdist = sdist("lib_core-2.0", &text);
    let odd = wheel(
        "lib_core",
        "2.0",
        &metadata("lib-core", "2.0", "Summary: the wheel\n"),
        &[("../x", b"")],
    );
    put(
        &world,
        "lib-core",
        &[
            Listed {
                name: "lib_core-2.0.tar.gz",
                bytes: &sdist,
                more: "",
            },
            Listed {
                name: WHEEL,
                bytes: &odd,
                more: "",
            },
        ],
    );
    let described = async || {
        let package = Pypi::default().package(None, "lib-core", true).unwrap();
        let at = world.repository_at("team");
        let permit = world
            .catalog
            .package(&world.admin, Action::DescribePackageVersion, &at, &package)
            .await
            .unwrap();
        permit.version(&"2.0".parse().unwrap()).await.unwrap()
    };
    world.get(&file("2.0", "lib_core-2.0.tar.gz")).await;
    let (record, manifest) = described().await;
    assert_eq!(manifest.summary.as_deref(), Some("the sdist"));
    assert_eq!(
        record.published_upstream.unwrap().iso8601(),
        "2026-01-02T03:04:05Z"
    );
    // Taken although it is odd: everybody gets it so from the index. What is odd about it is said.
    assert_eq!(world.get(&file("2.0", WHEEL)).await.status, 200);
    let (_, manifest) = described().await;
    assert_eq!(manifest.summary.as_deref(), Some("the wheel"));
    assert!(
        manifest.warnings[0].contains("forbidden name"),
        "{:?}",
        manifest.warnings
    );
    world.get(&file("2.0", "lib_core-2.0.tar.gz")).await;
    assert_eq!(described().await.1.summary.as_deref(), Some("the wheel"));
}
