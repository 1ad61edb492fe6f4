//! A public index: imports, pages, metadata, and what becomes of an index that fails or lies.

use std::fmt::Write as _;
use std::time::Duration;

use catalog::{Action, Digests, Format as _, Restriction, Restrictions};
use formats::pypi::{Pypi, Rules};

use crate::registry::Mood;
use crate::wheels::{Form, metadata, sdist, wheel};
use crate::world::World;

const CONNECTION: &str = "public:pypi";
const JSON: (&str, &str) = ("accept", "application/vnd.pypi.simple.v1+json");
const WHEEL: &str = "lib_core-2.0-py3-none-any.whl";
const PAGE: &str = "simple/lib-core/";

/// A file of a page: what is said of it, and its bytes.
struct Listed<'a> {
    name: &'a str,
    bytes: &'a [u8],
    more: &'a str,
}

fn put(world: &World, project: &str, files: &[Listed<'_>]) {
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

fn core(version: &str, text: &str) -> Vec<u8> {
    let more = format!("Summary: {text}\nRequires-Python: >=3.8\n");
    wheel(
        "lib_core",
        version,
        &metadata("lib-core", version, &more),
        &[("core.py", text.as_bytes())],
    )
}

/// An index with two versions, a repository connected to it, one above that and one above both.
async fn world() -> World {
    world_with(Rules::default()).await
}

async fn world_with(pypi: Rules) -> World {
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

async fn page(world: &World, repository: &str, project: &str) -> serde_json::Value {
    let line = format!("GET pypi/{repository}/simple/{project}/");
    let answer = world.ask(&line, &[JSON], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

async fn names(world: &World, repository: &str, project: &str) -> Vec<String> {
    page(world, repository, project).await["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["filename"].as_str().unwrap().to_owned())
        .collect()
}

/// `version: file, file` of what a repository itself records.
async fn recorded(world: &World, repository: &str, project: &str) -> Vec<String> {
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

fn file(version: &str, name: &str) -> String {
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
async fn a_page_has_what_the_index_says_and_no_address_of_it() {
    let world = world().await;
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["versions"], serde_json::json!(["1.0", "2.0"]));
    let (sdist, wheel) = (&page["files"][0], &page["files"][1]);
    assert_eq!(sdist["yanked"], "broken");
    assert_eq!(sdist["core-metadata"], false);
    assert_eq!(wheel["url"], format!("2.0/{WHEEL}"));
    assert_eq!(wheel["upload-time"], "2026-01-02T03:04:05.678901Z");
    assert_eq!(wheel["requires-python"], ">=3.8");
    assert_eq!(wheel["core-metadata"], true);
    assert!(!page.to_string().contains("127.0.0.1"));
    assert!(recorded(&world, "team", "lib-core").await.is_empty());
    // Taking a file changes nothing of what the page says of it.
    world.get(&file("2.0", WHEEL)).await;
    let again = self::page(&world, "team", "lib-core").await;
    assert_eq!(again, page);
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
async fn yanks_and_later_files_appear_after_a_while() {
    let world = world().await;
    world.get(&file("2.0", WHEEL)).await;
    let later = wheel(
        "lib_core",
        "2.0",
        &metadata("lib-core", "2.0", ""),
        &[("x.py", b"")],
    );
    let later_name = "lib_core-2.0-cp312-cp312-linux_x86_64.whl";
    put(
        &world,
        "lib-core",
        &[
            Listed {
                name: WHEEL,
                bytes: &core("2.0", "first"),
                more: r#","yanked":true"#,
            },
            Listed {
                name: later_name,
                bytes: &later,
                more: "",
            },
        ],
    );
    assert_eq!(
        names(&world, "team", "lib-core").await,
        ["lib-core-1.0.tar.gz", WHEEL]
    );
    world.clock.advance(Duration::from_mins(6));
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["files"][0]["filename"], later_name);
    assert_eq!(page["files"][1]["yanked"], true);
    assert_eq!(world.get(&file("2.0", later_name)).await.body, later);
    assert_eq!(
        recorded(&world, "team", "lib-core").await,
        [format!("2.0 Published: {later_name}, {WHEEL}")]
    );
    // And back.
    put(
        &world,
        "lib-core",
        &[Listed {
            name: WHEEL,
            bytes: &core("2.0", "first"),
            more: "",
        }],
    );
    world.clock.advance(Duration::from_mins(6));
    let page = self::page(&world, "team", "lib-core").await;
    assert_eq!(page["files"][1]["yanked"], false);
    assert_eq!(
        page["files"].as_array().unwrap().len(),
        2,
        "what is kept stays"
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
async fn eggs_and_installers_are_shown_where_the_server_wants_them() {
    let egg = "lib_core-1.0-py2.7.egg";
    let installer = "lib-core-1.0.win32-py2.7.exe";
    for (shows_legacy_files, expected) in
        [(false, vec![WHEEL]), (true, vec![installer, egg, WHEEL])]
    {
        let rules = Rules {
            shows_legacy_files,
            ..Rules::default()
        };
        let world = world_with(rules).await;
        let bytes = core("2.0", "first");
        let listed = [(egg, &bytes[..]), (installer, b"MZ"), (WHEEL, &bytes)];
        let listed = listed.map(|(name, bytes)| Listed {
            name,
            bytes,
            more: "",
        });
        put(&world, "lib-core", &listed);
        assert_eq!(names(&world, "team", "lib-core").await, expected);
        let got = world.get(&file("1.0", installer)).await;
        assert_eq!(got.status == 200, shows_legacy_files, "{}", got.text());
    }
}

#[tokio::test]
async fn metadata_is_promised_only_where_the_index_has_it_if_the_server_wants_that() {
    let rules = Rules {
        synthesizes_metadata: false,
        ..Rules::default()
    };
    let world = world_with(rules).await;
    let text = metadata("lib-core", "3.0", "Summary: beside\n");
    let sha256 = Digests::of(text.as_bytes()).sha256;
    let name = "lib_core-3.0-py3-none-any.whl";
    let (with, without) = (core("3.0", "three"), core("2.0", "first"));
    let more = format!(r#","core-metadata":{{"sha256":"{sha256}"}}"#);
    let listed = [(name, &with, more.as_str()), (WHEEL, &without, "")];
    let listed = listed.map(|(name, bytes, more)| Listed { name, bytes, more });
    put(&world, "lib-core", &listed);
    world
        .registry
        .put_alone(&format!("files/{name}.metadata"), text.as_bytes());
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["files"][0]["core-metadata"], false);
    assert_eq!(page["files"][1]["core-metadata"]["sha256"], sha256);
    let beside = world.get(&format!("{}.metadata", file("3.0", name))).await;
    assert_eq!(beside.text(), text);
    let within = format!("{}.metadata", file("2.0", WHEEL));
    assert_eq!(world.get(&within).await.status, 404);
    assert_eq!(world.registry.asked(&format!("files/{WHEEL}")), 0);
}

#[tokio::test]
async fn html_is_read_where_there_is_no_json() {
    let world = world().await;
    let bytes = core("2.0", "first");
    let sha256 = Digests::of(&bytes).sha256;
    let page = format!(
        "<!DOCTYPE html><html><head><base href=\"../../files/\"></head><body>\
         <a href=\"{WHEEL}#sha256={sha256}\" data-requires-python=\"&gt;=3.8\" data-yanked=\"why\">x</a></body></html>"
    );
    world.registry.put_alone(PAGE, page.as_bytes());
    let page = self::page(&world, "team", "lib-core").await;
    assert_eq!(page["meta"]["api-version"], "1.0");
    assert_eq!(page["files"][0]["requires-python"], ">=3.8");
    assert_eq!(page["files"][0]["yanked"], "why");
    assert_eq!(world.get(&file("2.0", WHEEL)).await.body, bytes);
}

#[tokio::test]
async fn an_index_that_is_down_is_not_an_empty_one() {
    let world = world().await;
    assert_eq!(names(&world, "team", "lib-core").await.len(), 2);
    world.registry.set_mood(Mood::Down);
    // From the copy, however old.
    world.clock.advance(Duration::from_hours(50));
    assert_eq!(names(&world, "team", "lib-core").await.len(), 2);
    for path in ["simple/unknown/", "simple/unknown/1.0/unknown-1.0.tar.gz"] {
        let answer = world.get(&format!("pypi/team/{path}")).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(!answer.header("retry-after").is_empty(), "{path}");
    }
    assert_eq!(world.get(&file("2.0", WHEEL)).await.status, 503);
    world.registry.set_mood(Mood::Portal);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(world.get("pypi/team/simple/unknown/").await.status, 502);
    world.registry.set_mood(Mood::Good);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(world.get("pypi/team/simple/unknown/").await.status, 404);
}

#[tokio::test]
async fn that_there_is_none_is_believed_for_a_while() {
    let world = world().await;
    for _ in 0..3 {
        assert_eq!(world.get("pypi/team/simple/unknown/").await.status, 404);
    }
    assert_eq!(world.registry.asked("simple/unknown/"), 1);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(world.get("pypi/team/simple/unknown/").await.status, 404);
    assert_eq!(world.registry.asked("simple/unknown/"), 2);
}

#[tokio::test]
async fn pages_are_asked_for_once_in_five_minutes() {
    let world = world().await;
    for _ in 0..3 {
        page(&world, "team", "lib-core").await;
        page(&world, "store", "lib-core").await;
    }
    assert_eq!(world.registry.asked(PAGE), 1);
    world.clock.advance(Duration::from_mins(6));
    page(&world, "team", "lib-core").await;
    assert_eq!(world.registry.asked(PAGE), 2);
}

async fn upload(world: &World, repository: &str, form: &Form) -> u16 {
    let headers = [("content-type", Form::CONTENT_TYPE)];
    let line = format!("POST pypi/{repository}/");
    let answer = world.ask(&line, &headers, form.body()).await;
    answer.status.as_u16()
}

#[tokio::test]
async fn what_the_index_has_is_not_published_over() {
    let world = world().await;
    let ours = |version: &str| {
        let name = format!("lib_core-{version}-py3-none-any.whl");
        Form::new("lib-core", version, &name, &core(version, "ours"))
    };
    assert_eq!(upload(&world, "team", &ours("2.0")).await, 409);
    assert_eq!(upload(&world, "team", &ours("2.0.0")).await, 409);
    // A first version of ours closes the way to the index.
    assert_eq!(upload(&world, "team", &ours("5.0")).await, 200);
    assert_eq!(
        names(&world, "team", "lib-core").await,
        ["lib_core-5.0-py3-none-any.whl"]
    );
    let asked = world.registry.asked(PAGE);
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(
        world.get(&file("1.0", "lib-core-1.0.tar.gz")).await.status,
        404
    );
    assert_eq!(world.registry.asked(PAGE), asked);
    // What came first from the index is the index's.
    assert_eq!(
        world
            .get(&format!("pypi/between/simple/lib-core/2.0/{WHEEL}"))
            .await
            .status,
        200
    );
    assert_eq!(upload(&world, "between", &ours("7.0")).await, 403);
}

#[tokio::test]
async fn both_are_shown_where_both_are_let_in() {
    let world = world().await;
    let form = Form::new(
        "lib-core",
        "5.0",
        "lib_core-5.0-py3-none-any.whl",
        &core("5.0", "ours"),
    );
    assert_eq!(upload(&world, "team", &form).await, 200);
    let package = Pypi::default().package(None, "lib-core", true).unwrap();
    let permit = world
        .catalog
        .package(
            &world.admin,
            Action::PutPackageOriginConfiguration,
            &world.repository_at("team"),
            &package,
        )
        .await
        .unwrap();
    let open = Restrictions {
        publish: Restriction::Allow,
        upstream: Restriction::Allow,
    };
    permit.set_restrictions(open).await.unwrap();
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["versions"], serde_json::json!(["1.0", "2.0", "5.0"]));
    // In another spelling it is ours all the same, with ours alone.
    put(
        &world,
        "lib-core",
        &[Listed {
            name: "lib_core-5.0.0-py3-none-any.whl",
            bytes: &core("5.0.0", "evil"),
            more: "",
        }],
    );
    world.clock.advance(Duration::from_mins(6));
    assert_eq!(
        names(&world, "team", "lib-core").await,
        ["lib_core-5.0-py3-none-any.whl"]
    );
    assert_eq!(
        world
            .get(&file("5.0.0", "lib_core-5.0.0-py3-none-any.whl"))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_quarantined_project_says_so() {
    let world = world().await;
    let page = r#"{"meta":{"api-version":"1.4"},"project-status":{"status":"quarantined","reason":"malware"},"files":[]}"#;
    world.registry.put_alone(PAGE, page.as_bytes());
    assert_eq!(world.get("pypi/team/simple/lib-core/").await.status, 404);
    let bytes = core("2.0", "first");
    let page = format!(
        r#"{{"project-status":{{"status":"archived"}},"files":[{{"filename":"{WHEEL}","url":"x","size":1,"hashes":{{"sha256":"{}"}}}}]}}"#,
        Digests::of(&bytes).sha256
    );
    world.registry.put_alone(PAGE, page.as_bytes());
    world.clock.advance(Duration::from_mins(6));
    let page = self::page(&world, "team", "lib-core").await;
    assert_eq!(page["meta"]["api-version"], "1.4");
    assert_eq!(page["project-status"]["status"], "archived");
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
