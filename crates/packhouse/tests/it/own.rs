//! Operations of our own: search, who fetched, rules for old versions, jobs, and their description.

use std::fs;

use serde_json::{Value, json};

use crate::server::{Server, basic, packhouse, until};
use crate::wire::{Answer, get};

const AT: &str = "domain=team&repository=app";
const THING: &str = "domain=team&repository=app&format=generic&namespace=ns&package=thing";

impl Server {
    fn ours(&self, method: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let target = format!("/packhouse/v1/{target}");
        let answer = self.own(&self.key("admin-credentials"), method, &target, &body);
        assert_eq!(answer.status, 200, "{method} {target}: {}", answer.text());
        answer.json()
    }

    fn refused(&self, method: &str, target: &str, body: &str) -> Answer {
        let target = format!("/packhouse/v1/{target}");
        self.own(&self.key("admin-credentials"), method, &target, body)
    }

    /// Waits until a run of rules has ended.
    fn ended(&self, run: &Value) -> Value {
        let id = run["run"]["id"].as_str().unwrap().to_owned();
        until("the run has ended", || {
            let told = self.ours("GET", &format!("lifecycle/runs/{id}?{AT}"), &Value::Null);
            let state = told["run"]["state"].as_str().unwrap().to_owned();
            assert!(
                !["Failed", "Interrupted"].contains(&state.as_str()),
                "{told}"
            );
            (state == "Succeeded").then_some(told)
        })
    }
}

#[test]
fn what_was_published_is_found_and_fetched_and_both_can_be_asked_for() {
    let server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", b"a thing").status, 200);
    for query in [
        "text=thing",
        "name=th*",
        "namespace=NS",
        "format=generic",
        "text=ns&name=thing",
        "repository=app",
    ] {
        let found = server.ours("GET", &format!("search?domain=team&{query}"), &Value::Null);
        let packages = found["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 1, "{query}: {found}");
        let shown = ["repository", "format", "namespace", "package", "version"]
            .map(|name| packages[0][name].as_str().unwrap());
        assert_eq!(shown, ["app", "generic", "ns", "thing", "1.0"]);
        assert!(found.get("nextToken").is_none());
    }
    let nothing = server.ours("GET", "search?domain=team&text=nothing", &Value::Null);
    assert_eq!(nothing, json!({"packages": []}));
    let hash = aws::sigv4::body_hash(b"a thing");
    let found = server.ours(
        "GET",
        &format!("search?domain=team&hash={hash}"),
        &Value::Null,
    );
    assert_eq!(found["files"][0]["asset"], "thing.bin");
    for wrong in [
        "search?domain=team&hash=xyz",
        "search?domain=team&text=--",
        &format!("search?domain=team&hash={hash}&text=a"),
        "search?domain=team&nextToken=x",
        "search",
    ] {
        assert_eq!(server.refused("GET", wrong, "").status, 400, "{wrong}");
    }
    let nobody = server.user("nobody", Some(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"packhouse:SearchPackages","Resource":"*"}]}"#));
    let found = server.own(&nobody, "GET", "/packhouse/v1/search?domain=team", "");
    assert_eq!(
        found.json(),
        json!({"packages": []}),
        "who may read nothing finds nothing"
    );

    let path = "/d/team-111122223333/generic/app/ns/thing/1.0/thing.bin";
    let token = server.token();
    for _ in 0..2 {
        assert_eq!(get(&server.address, path, &basic(&token)).status, 200);
    }
    let asked = format!("fetches?{THING}&version=1.0");
    let told = until("the downloads are recorded", || {
        let told = server.ours("GET", &asked, &Value::Null);
        (told["fetches"][0]["count"] == 2).then_some(told)
    });
    assert_eq!(
        told["fetches"][0]["principal"],
        "arn:aws:iam::111122223333:user/admin"
    );
    assert_eq!(told["fetches"][0]["sourceIpAddress"], "127.0.0.1");
    let output = packhouse()
        .args([
            "fetched",
            "--domain",
            "team",
            "--repository",
            "app",
            "--format",
            "generic",
            "--namespace",
            "ns",
        ])
        .args(["--package", "thing", "--package-version", "1.0", "--data"])
        .arg(server.data())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("arn:aws:iam::111122223333:user/admin  127.0.0.1  2 times from "),
        "{said}"
    );
}

#[test]
fn rules_are_tried_applied_and_undone() {
    let server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", b"a thing").status, 200);
    let rules = json!({"rules": [{"name": "all", "keep": {"newest": 0}, "then": "Delete"}]});
    assert_eq!(
        server
            .refused("GET", &format!("lifecycle/rules?{AT}"), "")
            .status,
        404
    );
    let tried = server.ours("POST", &format!("lifecycle/preview?{AT}"), &rules);
    let expected = json!({"versions": [{
        "format": "generic", "namespace": "ns", "package": "thing", "version": "1.0", "status": "Published", "rule": "all",
        "then": "Delete"
    }]});
    assert_eq!(tried, expected);
    let wrong = r#"{"rules":[{"name":"x","keep":{},"then":"Delete"}]}"#;
    let refused = server.refused("PUT", &format!("lifecycle/rules?{AT}"), wrong);
    assert!(
        refused.status == 400 && refused.text().contains("keeps nothing"),
        "{}",
        refused.text()
    );
    server.ours("PUT", &format!("lifecycle/rules?{AT}"), &rules);
    let stored = server.ours("GET", &format!("lifecycle/rules?{AT}"), &Value::Null);
    assert_eq!(
        stored["rules"],
        rules["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| {
                let mut rule = rule.clone();
                rule["match"] = json!({});
                rule
            })
            .collect::<Value>()
    );
    let run = server.ours("POST", &format!("lifecycle/runs?{AT}"), &Value::Null);
    let told = server.ended(&run);
    assert_eq!(told["run"]["counts"]["deleted"], 1);
    assert_eq!(told["results"][0]["package"], "thing");
    let gone = format!("/v1/package/version?{THING}&version=1.0");
    assert_eq!(server.call("GET", &gone, b"").status, 404);
    let removed = server.ours("GET", &format!("removed-versions?{THING}"), &Value::Null);
    assert_eq!(
        (
            &removed["versions"][0]["version"],
            &removed["versions"][0]["how"]
        ),
        (&json!("1.0"), &json!("Delete"))
    );

    let id = run["run"]["id"].as_str().unwrap();
    let undo = server.ours(
        "POST",
        &format!("lifecycle/runs/{id}/undo?{AT}"),
        &Value::Null,
    );
    assert_eq!(undo["run"]["ofRun"], id);
    assert_eq!(
        server.ended(&undo)["run"]["counts"],
        json!({"restored": 1, "failed": 0})
    );
    assert_eq!(server.call("GET", &gone, b"").status, 200);
    let runs = server.ours(
        "GET",
        &format!("lifecycle/runs?{AT}&maxResults=1"),
        &Value::Null,
    );
    let next = runs["nextToken"].as_str().unwrap();
    let rest = server.ours(
        "GET",
        &format!("lifecycle/runs?{AT}&maxResults=1&nextToken={next}"),
        &Value::Null,
    );
    assert_eq!(rest["runs"][0]["id"], id);
    server.ours("DELETE", &format!("lifecycle/rules?{AT}"), &Value::Null);
}

#[test]
fn what_was_deleted_by_hand_comes_back_too() {
    let server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", b"a thing").status, 200);
    let deleting = format!("/v1/package/versions/delete?{THING}");
    assert_eq!(
        server
            .call("POST", &deleting, br#"{"versions":["1.0"]}"#)
            .status,
        200
    );
    let restored = server.ours(
        "POST",
        &format!("removed-versions/restore?{THING}"),
        &json!({"versions": ["1.0"]}),
    );
    assert_eq!(restored["successfulVersions"]["1.0"]["status"], "Published");
    let again = server.ours(
        "POST",
        &format!("removed-versions/restore?{THING}"),
        &json!({"versions": ["1.0"]}),
    );
    assert_eq!(again["failedVersions"]["1.0"]["errorCode"], "NOT_FOUND");
}

#[test]
fn damage_is_found_by_a_scrub_and_named() {
    let server = Server::start(&[]);
    server.make_repository("app");
    assert_eq!(server.publish("app", &vec![7; 300_000]).status, 200);
    let run = |command: &str| {
        packhouse()
            .args([command, "--data"])
            .arg(server.data())
            .output()
            .unwrap()
    };
    let swept = run("sweep");
    assert!(
        swept.status.success(),
        "{}",
        String::from_utf8_lossy(&swept.stderr)
    );
    let said = String::from_utf8(swept.stdout).unwrap();
    assert!(
        said.starts_with("Sweep ")
            && said.ends_with("Succeeded: blobs 0, bytes 0, notes 0, rows 0\n"),
        "{said}"
    );
    let scrubbed = run("scrub");
    let said = String::from_utf8(scrubbed.stdout).unwrap();
    assert!(
        said.ends_with("Succeeded: blobs 1, bytes 300000, damaged 0, healed 0\n"),
        "{said}"
    );
    assert!(scrubbed.status.success());

    let mut folders = vec![server.data().join("blobs")];
    let mut spoilt = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::metadata(&path).unwrap().len() == 300_000 {
                fs::remove_file(&path).unwrap();
                fs::write(&path, vec![8; 300_000]).unwrap();
                spoilt += 1;
            }
        }
    }
    assert_eq!(spoilt, 1);
    let scrubbed = run("scrub");
    assert!(!scrubbed.status.success());
    assert!(
        String::from_utf8(scrubbed.stderr)
            .unwrap()
            .contains("damaged")
    );
    let named = server.ours("GET", "quarantine", &Value::Null);
    assert_eq!(
        named["blobs"][0]["sha256"],
        aws::sigv4::body_hash(&vec![7; 300_000])
    );
    let path = "/d/team-111122223333/generic/app/ns/thing/1.0/thing.bin";
    assert_eq!(
        get(&server.address, path, &basic(&server.token())).status,
        404
    );
    let runs = server.ours("GET", "jobs?job=Scrub", &Value::Null);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2);
    assert_eq!(runs["runs"][0]["counts"]["damaged"], 1);
    assert_eq!(
        server
            .refused("POST", "jobs", r#"{"job":"Lifecycle"}"#)
            .status,
        400
    );
}

#[test]
fn the_description_is_read_without_a_signature() {
    let server = Server::start(&[]);
    let answer = get(&server.address, "/packhouse/v1/openapi.json", "");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["openapi"], "3.1.0");
}
