//! What somebody may send to do harm: the table of the specification, row by row.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::npm::{error, json_of, packed, packument, publication, publish, put, tarball, versions};
use crate::world::World;

/// The publication of `leaf` 1.0.0, changed.
fn changed(change: impl Fn(&mut Value)) -> Value {
    let package = json!({"name": "leaf", "version": "1.0.0"});
    let mut body = publication(&package, &packed(&package), "latest");
    change(&mut body);
    body
}

/// The same with this tarball, whose digests are stated as they are.
fn carrying(bytes: &[u8]) -> Value {
    publication(
        &json!({"name": "leaf", "version": "1.0.0"}),
        bytes,
        "latest",
    )
}

fn attachment(body: &mut Value) -> &mut Value {
    &mut body["_attachments"]["leaf-1.0.0.tgz"]
}

/// Documents in which something is wrong.
fn documents() -> Vec<(&'static str, Value)> {
    vec![
        (
            "it says another name",
            changed(|body| body["name"] = json!("other")),
        ),
        (
            "its id is another",
            changed(|body| body["_id"] = json!("other")),
        ),
        (
            "it says no name",
            changed(|body| {
                body.as_object_mut().unwrap().remove("name");
                body.as_object_mut().unwrap().remove("_id");
            }),
        ),
        (
            "its version says another",
            changed(|body| body["versions"]["1.0.0"]["version"] = json!("2.0.0")),
        ),
        (
            "two versions",
            changed(|body| body["versions"]["2.0.0"] = json!({})),
        ),
        ("no version", changed(|body| body["versions"] = json!({}))),
        ("no tag", changed(|body| body["dist-tags"] = json!({}))),
        (
            "a tag for another version",
            changed(|body| body["dist-tags"]["x"] = json!("2.0.0")),
        ),
        (
            "a tag that is a version",
            changed(|body| body["dist-tags"]["1.0.0"] = json!("1.0.0")),
        ),
        (
            "a tag that is a range",
            changed(|body| body["dist-tags"]["^1"] = json!("1.0.0")),
        ),
        (
            "a tag that is a path",
            changed(|body| body["dist-tags"]["../x"] = json!("1.0.0")),
        ),
        (
            "an empty tag",
            changed(|body| body["dist-tags"][""] = json!("1.0.0")),
        ),
    ]
}

/// Documents in which something is wrong with what is attached.
fn attachments() -> Vec<(&'static str, Value)> {
    vec![
        (
            "a wrong length",
            changed(|body| attachment(body)["length"] = json!(7)),
        ),
        (
            "lines in the base64",
            changed(|body| {
                let data = attachment(body)["data"].as_str().unwrap().to_owned();
                attachment(body)["data"] = json!(format!("{}\n{}", &data[..76], &data[76..]));
            }),
        ),
        (
            "base64 cut short",
            changed(|body| {
                let data = attachment(body)["data"].as_str().unwrap().to_owned();
                attachment(body)["data"] = json!(data[..data.len() - 1]);
            }),
        ),
        (
            "two tarballs",
            changed(|body| {
                body["_attachments"]["leaf-1.0.1.tgz"] = json!({"data": BASE64.encode(b"x")});
            }),
        ),
        (
            "an attachment of something else",
            changed(|body| {
                body["_attachments"]["other.txt"] = json!({"data": ""});
            }),
        ),
        (
            "a tarball of another name",
            changed(|body| {
                let taken = body["_attachments"]
                    .as_object_mut()
                    .unwrap()
                    .remove("leaf-1.0.0.tgz");
                body["_attachments"]["other-1.0.0.tgz"] = taken.unwrap();
            }),
        ),
        (
            "another integrity",
            changed(|body| {
                body["versions"]["1.0.0"]["dist"]["integrity"] =
                    json!(format!("sha512-{}", BASE64.encode([0; 64])));
            }),
        ),
        (
            "another shasum",
            changed(|body| {
                body["versions"]["1.0.0"]["dist"]["shasum"] = json!("ab".repeat(20));
            }),
        ),
        (
            "a bundle that is too large",
            changed(|body| {
                body["_attachments"]["leaf-1.0.0.sigstore"] =
                    json!({"data": format!("\"{}\"", "x".repeat(1 << 20))});
            }),
        ),
        (
            "a bundle without text",
            changed(|body| {
                body["_attachments"]["leaf-1.0.0.sigstore"] = json!({"length": 2});
            }),
        ),
        (
            "a bundle that is none",
            changed(|body| {
                body["_attachments"]["leaf-1.0.0.sigstore"] = json!({"data": "{}"});
            }),
        ),
    ]
}

/// Tarballs in which something is wrong; the documents around them say what is true.
fn tarballs(good: &[u8]) -> Vec<(&'static str, Value)> {
    let named = |name: &str, version: &str| packed(&json!({"name": name, "version": version}));
    let large = format!(
        "{{\"name\":\"leaf\",\"version\":\"1.0.0\",\"x\":\"{}\"}}",
        "x".repeat(5 << 20)
    );
    vec![
        (
            "the name inside is another",
            carrying(&named("other", "1.0.0")),
        ),
        (
            "the version inside is another",
            carrying(&named("leaf", "1.0.1")),
        ),
        ("no tarball at all", carrying(b"not a tarball")),
        (
            "no package.json",
            carrying(&tarball(&[("package/index.js", "")])),
        ),
        (
            "two package.json",
            carrying(&tarball(&[
                (
                    "package/package.json",
                    r#"{"name":"leaf","version":"1.0.0"}"#,
                ),
                (
                    "x/package.json",
                    r#"{"name":"leaf","version":"1.0.0","scripts":{}}"#,
                ),
            ])),
        ),
        (
            "a second member with another",
            carrying(&[good, good].concat()),
        ),
        (
            "a package.json too large",
            carrying(&tarball(&[("package/package.json", &large)])),
        ),
        (
            "a package.json that says its name twice",
            carrying(&tarball(&[(
                "package/package.json",
                r#"{"name":"leaf","version":"1.0.0","name":"leaf"}"#,
            )])),
        ),
    ]
}

#[tokio::test]
async fn publications_that_cannot_be_meant_are_refused_and_leave_nothing() {
    let world = World::new().await;
    let good = packed(&json!({"name": "leaf", "version": "1.0.0"}));
    let cases = documents()
        .into_iter()
        .chain(attachments())
        .chain(tarballs(&good));
    for (what, body) in cases {
        let answer = put(&world, "app", "leaf", &body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(!error(&answer).is_empty(), "{what}");
        assert_eq!(world.get("npm/app/leaf").await.status, 404, "{what}");
    }
    let garbage = [good, b"garbage".to_vec()].concat();
    assert_eq!(
        put(&world, "app", "leaf", &carrying(&garbage)).await.status,
        201
    );
}

#[tokio::test]
async fn a_publication_without_its_tarball_is_not_taken_for_something_else() {
    let world = World::new().await;
    let package = json!({"name": "@acme/leaf", "version": "1.0.0"});
    let mut twice = publication(&package, &packed(&package), "latest");
    twice["_attachments"]["leaf-1.0.0.tgz"] = json!({"length": 3});
    let answer = put(&world, "app", "@acme/leaf", &twice).await;
    assert_eq!(answer.status, 400, "{}", answer.text());

    publish(&world, "app", "leaf", "1.0.0").await;
    let package = json!({"name": "leaf", "version": "2.0.0"});
    let good = publication(&package, &packed(&package), "latest");
    let mut empty = good.clone();
    empty["_attachments"]["leaf-2.0.0.tgz"] = json!({"data": null, "length": 3});
    let mut none = good;
    none.as_object_mut().unwrap().remove("_attachments");
    for body in [empty, none] {
        let answer = put(&world, "app", "leaf", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(error(&answer).contains("tarball"), "{}", answer.text());
    }
    assert_eq!(versions(&world, "app", "leaf").await, ["1.0.0"]);
}

#[tokio::test]
async fn json_that_could_be_read_in_two_ways_is_refused() {
    let world = World::new().await;
    let good = changed(|_| {}).to_string();
    let inner = r#"{"name":"leaf","version":"1.0.0"}"#;
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    for (what, body) in [
        ("two names", good.replacen('{', r#"{"name":"leaf","#, 1)),
        (
            "two maps of tags",
            good.replacen('{', r#"{"dist-tags":{"latest":"1.0.0"},"#, 1),
        ),
        (
            "two lists of versions",
            good.replacen('{', &format!(r#"{{"versions":{{"1.0.0":{inner}}},"#), 1),
        ),
        (
            "two maps of attachments",
            good.replacen('{', r#"{"_attachments":{},"#, 1),
        ),
        (
            "one version twice",
            good.replace(
                r#""versions":{"#,
                &format!(r#""versions":{{"1.0.0":{inner},"#),
            ),
        ),
        (
            "too deep",
            good.replacen('{', &format!(r#"{{"x":{deep},"#), 1),
        ),
        ("no object", "[]".to_owned()),
        ("no JSON", good[..good.len() - 1].to_owned()),
        (
            "a name that is a number",
            good.replacen(r#""name":"leaf""#, r#""name":7"#, 1),
        ),
    ] {
        let answer = world.ask("PUT npm/app/leaf", &[], body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    let mut bytes = good.clone().into_bytes();
    let at = good.find("latest").unwrap();
    bytes[at] = 0xff;
    assert_eq!(world.ask("PUT npm/app/leaf", &[], bytes).await.status, 400);
    let number = good.replacen('{', r#"{"__proto__":{"x":1},"big":1e999999,"#, 1);
    let answer = world.ask("PUT npm/app/leaf", &[], number).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test]
async fn names_and_versions_are_what_they_look_like() {
    let world = World::new().await;
    for path in [
        "..",
        "%2e%2e",
        "@a/..",
        "@a%2f..%2fb",
        "@a%2fb%2fc",
        "@/b",
        "@a%252fb",
        "a%00b",
        "l%C3%A9af",
        "a%2fb",
        "@%2f",
        "a%20b",
        "a%5cb",
    ] {
        let answer = world.get(&format!("npm/app/{path}")).await;
        assert_eq!(answer.status, 400, "{path}");
    }
    for name in [
        "JSONStream",
        "constructor",
        "__proto__",
        "hasOwnProperty",
        "-",
    ] {
        let answer = world.get(&format!("npm/app/{name}")).await;
        assert_eq!(
            (answer.status.as_u16(), error(&answer)),
            (404, "not_found".to_owned()),
            "{name}"
        );
    }
    for (name, version, status) in [
        ("Leaf", "1.0.0", 400),
        ("_leaf", "1.0.0", 400),
        (".leaf", "1.0.0", 400),
        ("node_modules", "1.0.0", 400),
        ("favicon.ico", "1.0.0", 400),
        ("@Acme/leaf", "1.0.0", 400),
        ("__proto__", "1.0.0", 400),
        ("hasownproperty", "1.0.0", 201),
        ("constructor", "1.0.0", 201),
        ("@a-b~c/l.e_a-f", "1.0.0", 201),
        ("leaf", "v1.0.0", 400),
        ("leaf", "1.0", 400),
        ("leaf", "01.0.0", 400),
        ("leaf", "1.0.0\n", 400),
        ("leaf", " 1.0.0", 400),
        ("leaf", "1.0.0-01", 400),
        ("leaf", "1.0.0-beta.1+build", 201),
    ] {
        let answer = publish(&world, "app", name, version).await;
        assert_eq!(
            answer.status,
            status,
            "{name} {version:?}: {}",
            answer.text()
        );
    }
    let long = format!("1.0.0-{}", "a".repeat(294));
    assert_eq!(publish(&world, "app", "leaf", &long).await.status, 400);
    let long = "a".repeat(215);
    let refused = publish(&world, "app", &long, "1.0.0").await;
    assert_eq!(
        (refused.status.as_u16(), error(&refused)),
        (
            400,
            "a name has at most 214 characters, its scope included".to_owned()
        )
    );
}

#[tokio::test]
async fn what_is_installed_is_what_the_tarball_says() {
    let world = World::new().await;
    let inside = json!({"name": "leaf", "version": "1.0.0", "dependencies": {"good": "1"}, "bin": {"leaf": "a.js"}});
    let stated = json!({"name": "leaf", "version": "1.0.0", "dependencies": {"evil": "1"}, "scripts": {"postinstall": "evil"}});
    let body = publication(&stated, &packed(&inside), "latest");
    assert_eq!(put(&world, "app", "leaf", &body).await.status, 201);
    let packument = packument(&world, "app", "leaf").await;
    let own = &packument["versions"]["1.0.0"];
    assert_eq!(own["dependencies"], json!({"good": "1"}));
    assert!(own.get("scripts").is_none() && own.get("hasInstallScript").is_none());
}

#[tokio::test]
async fn an_unwanted_document_is_not_read_to_its_end() {
    let world = World::new().await;
    let mut large = String::from(r#"{"_attachments":{"leaf-1.0.0.tgz":{"data":""}},"x":""#);
    large.push_str(&"x".repeat(17 << 20));
    let answer = world.ask("PUT npm/app/leaf", &[], large).await;
    assert_eq!(answer.status, 413);
    // As much as CodeArtifact takes, two of its gigabytes, and one byte.
    let announced = [("content-length", "2147483649")];
    let answer = world.ask("PUT npm/app/leaf", &announced, "{}").await;
    assert_eq!(answer.status, 413);
    assert!(error(&answer).contains("2147483648"), "{}", answer.text());
    let mut questions = String::from("{");
    for n in 0..30_000 {
        let _ = write!(questions, "\"p{n}\":[\"1.0.0\"],");
    }
    questions.push_str("\"x\":[]}");
    let answer = world
        .ask(
            "POST npm/app/-/npm/v1/security/advisories/bulk",
            &[],
            questions,
        )
        .await;
    assert_eq!(answer.status, 400);
    let line = "POST npm/app/-/npm/v1/security/advisories/bulk";
    let odd = world.ask(line, &[("content-encoding", "br")], "{}").await;
    assert_eq!(odd.status, 400);
    assert!(json_of(&odd)["message"].as_str().unwrap().contains("br"));
}

#[tokio::test]
async fn documents_are_of_the_address_by_which_they_were_asked_for() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    world.repository("other", &["app"]).await;
    for repository in ["app", "other", "app"] {
        let packument = packument(&world, repository, "leaf").await;
        let url = packument["versions"]["1.0.0"]["dist"]["tarball"]
            .as_str()
            .unwrap();
        assert_eq!(
            url,
            format!(
                "http://packages.test/d/acme-111122223333/npm/{repository}/leaf/-/leaf-1.0.0.tgz"
            )
        );
    }
    assert_eq!(versions(&world, "other", "leaf").await, ["1.0.0"]);
}
