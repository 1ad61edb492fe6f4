//! The pages of a public index: what is listed, when it is asked for again, and what stands beside packages of ours.

use std::time::Duration;

use catalog::{Action, Digests, Format as _, Restriction, Restrictions};
use formats::pypi::{Pypi, Rules};

use crate::pypi_upstream::{
    CONNECTION, Listed, PAGE, WHEEL, core, file, names, page, put, recorded, world, world_with,
};
use crate::registry::Mood;
use crate::wheels::{Form, metadata, wheel};
use crate::world::World;

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
async fn what_was_yanked_stays_so_when_its_index_is_gone() {
    let world = world().await;
    world.get(&file("2.0", WHEEL)).await;
    let bytes = core("2.0", "first");
    let yanked = Listed {
        name: WHEEL,
        bytes: &bytes,
        more: r#","yanked":"leaks""#,
    };
    put(&world, "lib-core", &[yanked]);
    world.clock.advance(Duration::from_mins(6));
    let page = page(&world, "team", "lib-core").await;
    assert_eq!(page["files"][0]["yanked"], "leaks");
    world.disconnected_from("store", CONNECTION).await;
    for repository in ["team", "store"] {
        let page = self::page(&world, repository, "lib-core").await;
        let files = page["files"].as_array().unwrap();
        assert_eq!(
            (files.len(), &files[0]["yanked"]),
            (1, &"leaks".into()),
            "{repository}"
        );
    }
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
