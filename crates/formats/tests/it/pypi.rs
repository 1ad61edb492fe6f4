//! Uploads and what is served of them.

use catalog::Format as _;
use formats::pypi::Pypi;

use crate::wheels::{Form, metadata, sdist, wheel, zip};
use crate::world::{Answer, World};

pub(crate) const WHEEL: &str = "acme_tool-1.0-py3-none-any.whl";
pub(crate) const JSON: (&str, &str) = ("accept", "application/vnd.pypi.simple.v1+json");

pub(crate) async fn upload(world: &World, form: &Form) -> Answer {
    let headers = [("content-type", Form::CONTENT_TYPE)];
    world.ask("POST pypi/app/", &headers, form.body()).await
}

pub(crate) fn good() -> Vec<u8> {
    let more = "Requires-Python: >=3.8,<\"4\"\n".replace('"', "");
    wheel(
        "acme_tool",
        "1.0",
        &metadata("Acme.Tool", "1.0", &more),
        &[("acme.py", b"")],
    )
}

pub(crate) async fn page(world: &World, project: &str) -> serde_json::Value {
    let answer = world
        .ask(&format!("GET pypi/app/simple/{project}/"), &[JSON], "")
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn an_upload_is_on_the_page_and_can_be_had() {
    let world = World::new().await;
    let bytes = good();
    let answer = upload(&world, &Form::new("Acme.Tool", "1.0", WHEEL, &bytes)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.text().as_str()),
        (200, "OK")
    );
    let page = page(&world, "acme-tool").await;
    let file = &page["files"][0];
    assert_eq!(page["versions"][0], "1.0");
    assert_eq!(file["filename"], WHEEL);
    assert_eq!(file["requires-python"], ">=3.8,<4");
    assert_eq!(file["upload-time"], "2026-11-22T19:41:27.000000Z");
    assert_eq!(file["size"], bytes.len());
    let url = format!(
        "pypi/app/simple/acme-tool/{}",
        file["url"].as_str().unwrap()
    );
    let got = world.get(&url).await;
    assert_eq!(got.body, bytes);
    assert_eq!(got.header("content-type"), "application/octet-stream");
    assert_eq!(got.header("content-encoding"), "");
    let sidecar = world.get(&format!("{url}.metadata")).await;
    assert_eq!(sidecar.header("content-type"), "text/plain; charset=utf-8");
    assert!(
        sidecar
            .text()
            .starts_with("Metadata-Version: 2.1\nName: Acme.Tool\n")
    );
    assert_eq!(
        file["core-metadata"]["sha256"],
        catalog::Digests::of(&sidecar.body).sha256
    );
    assert_eq!(world.get(&format!("{url}.asc")).await.status, 404);
    let provenance = format!("pypi/app/integrity/acme-tool/1.0/{WHEEL}/provenance");
    assert_eq!(world.get(&provenance).await.status, 404);
}

#[tokio::test]
async fn of_an_old_archive_that_says_nothing_of_itself_the_form_does() {
    let world = World::new().await;
    for name in ["acme-tool-1.0.zip", "acme-tool-1.0.tar.bz2"] {
        let bytes = zip(&[("acme-tool-1.0/setup.py", b"")]);
        let form = Form::new("acme-tool", "1.0", name, &bytes)
            .and("metadata_version", "2.1")
            .and("requires_python", ">=2.7")
            .and("summary", "Tools of Acme");
        let bad = form.clone().with("requires_python", Some("two"));
        assert_eq!(upload(&world, &bad).await.status, 400);
        assert_eq!(upload(&world, &form).await.status, 200);
    }
    let page = page(&world, "acme-tool").await;
    for at in 0..2 {
        assert_eq!(page["files"][at]["requires-python"], ">=2.7");
    }
    let package = Pypi::default().package(None, "acme-tool", true).unwrap();
    let action = catalog::Action::DescribePackageVersion;
    let repository = world.repository_at("app");
    let permit = world
        .catalog
        .package(&world.admin, action, &repository, &package);
    let version = "1.0".parse().unwrap();
    let (_, manifest) = permit.await.unwrap().version(&version).await.unwrap();
    assert_eq!(manifest.summary.as_deref(), Some("Tools of Acme"));
}

#[tokio::test]
async fn a_page_is_asked_about_again_and_changes_with_what_is_on_it() {
    let world = World::new().await;
    upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &good())).await;
    let path = "pypi/app/simple/acme-tool/";
    let first = world.get(path).await;
    assert_eq!(first.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(first.header("vary"), "accept, accept-encoding");
    assert_eq!(
        first.header("cache-control"),
        "private, max-age=0, must-revalidate"
    );
    let etag = first.header("etag").to_owned();
    let line = format!("GET {path}");
    let again = world.ask(&line, &[("if-none-match", &etag)], "").await;
    assert_eq!(again.status, 304);
    let json = world.ask(&line, &[JSON], "").await;
    assert_ne!(json.header("etag"), etag);
    let pkg_info = metadata("acme-tool", "1.0", "");
    let sdist = sdist("acme_tool-1.0", &pkg_info);
    upload(
        &world,
        &Form::new("acme-tool", "1.0", "acme_tool-1.0.tar.gz", &sdist),
    )
    .await;
    let changed = world.ask(&line, &[("if-none-match", &etag)], "").await;
    assert_eq!(changed.status, 200);
    let none = world
        .ask(&line, &[("accept", "application/json")], "")
        .await;
    assert_eq!(none.status, 406);
    let missing = world.get("pypi/app/simple/nothing/").await;
    assert_eq!(
        (missing.status.as_u16(), missing.header("content-type")),
        (404, "application/json")
    );
}

#[tokio::test]
async fn the_list_has_the_projects_of_the_repository() {
    let world = World::new().await;
    upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &good())).await;
    let list = world.ask("GET pypi/app/simple/", &[JSON], "").await;
    assert_eq!(
        list.text(),
        r#"{"meta":{"api-version":"1.1"},"projects":[{"name":"acme-tool"}]}"#
    );
    for (path, to) in [
        ("simple", "simple/"),
        ("simple/acme-tool", "acme-tool/"),
        ("simple/Acme_Tool/", "../acme-tool/"),
    ] {
        let moved = world.get(&format!("pypi/app/{path}")).await;
        assert_eq!((moved.status.as_u16(), moved.header("location")), (301, to));
    }
}

#[tokio::test]
async fn the_same_again_is_well_and_other_bytes_are_not() {
    let world = World::new().await;
    let form = Form::new("acme-tool", "1.0", WHEEL, &good());
    assert_eq!(upload(&world, &form).await.status, 200);
    assert_eq!(upload(&world, &form).await.status, 200);
    let other = wheel(
        "acme_tool",
        "1.0",
        &metadata("acme-tool", "1.0", ""),
        &[("b.py", b"")],
    );
    let answer = upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &other)).await;
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.text(),
        format!("File {WHEEL} already exists with different content")
    );
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.reason.contains("already exists"));
    assert_eq!(
        page(&world, "acme-tool").await["files"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn equal_versions_are_one_version() {
    let world = World::new().await;
    upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &good())).await;
    let bytes = sdist("acme_tool-1.0.0", &metadata("acme-tool", "1.0.0", ""));
    let form = Form::new("acme-tool", "1.0.0", "acme_tool-1.0.0.tar.gz", &bytes);
    assert_eq!(upload(&world, &form).await.status, 200);
    let local = wheel(
        "acme_tool",
        "1.0+Local",
        &metadata("acme-tool", "1.0+local", ""),
        &[],
    );
    let form = Form::new(
        "acme-tool",
        "1.0+local",
        "acme_tool-1.0+Local-py3-none-any.whl",
        &local,
    );
    assert_eq!(upload(&world, &form).await.status, 200);
    let page = page(&world, "acme-tool").await;
    assert_eq!(page["versions"], serde_json::json!(["1.0", "1.0+local"]));
    let urls: Vec<_> = page["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["url"].as_str().unwrap())
        .collect();
    assert_eq!(
        urls,
        [
            "1.0/acme_tool-1.0-py3-none-any.whl",
            "1.0/acme_tool-1.0.0.tar.gz",
            "1.0%2Blocal/acme_tool-1.0%2BLocal-py3-none-any.whl",
        ]
    );
    for (version, file, status) in [
        ("1.0", "acme_tool-1.0.0.tar.gz", 200),
        ("1.0.0", "acme_tool-1.0.0.tar.gz", 200),
        ("v1", WHEEL, 200),
        ("1.1", WHEEL, 404),
        ("1.0+local", WHEEL, 404),
        ("1.0%2BLOCAL", "acme_tool-1.0%2BLocal-py3-none-any.whl", 200),
    ] {
        let answer = world
            .get(&format!("pypi/app/simple/acme-tool/{version}/{file}"))
            .await;
        assert_eq!(answer.status, status, "{version} {file}");
    }
}

#[tokio::test]
async fn the_order_of_a_form_does_not_matter() {
    let world = World::new().await;
    let form = Form::new("acme-tool", "1.0", WHEEL, &good());
    let md5 = catalog::Digests::of(&good()).md5.to_uppercase();
    let form = form
        .file_first()
        .with("sha256_digest", None)
        .and("md5_digest", &md5);
    let answer = upload(&world, &form).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for path in ["", "legacy", "legacy/"] {
        let headers = [("content-type", Form::CONTENT_TYPE)];
        let answer = world
            .ask(&format!("POST pypi/app/{path}"), &headers, form.body())
            .await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test]
async fn who_may_not_publish_is_refused_before_and_after_the_file() {
    let world = World::new().await;
    let form = Form::new("acme-tool", "1.0", WHEEL, &good());
    for form in [form.clone(), form.file_first()] {
        let headers = [("content-type", Form::CONTENT_TYPE)];
        let answer = world
            .ask_as(&world.nobody, "POST pypi/app/", &headers, form.body())
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.reason.contains("codeartifact:"), "{}", answer.reason);
    }
    assert_eq!(world.get("pypi/app/simple/acme-tool/").await.status, 404);
}

/// Every row: what is wrong, and a word of what is said of it. Nothing of it is kept.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn what_is_not_as_it_should_be_is_refused() {
    let world = World::new().await;
    let bytes = good();
    let form = || Form::new("acme-tool", "1.0", WHEEL, &bytes);
    let of = |filename: &str| Form::new("acme-tool", "1.0", filename, &bytes);
    let made = |metadata: &str, more: &[(&str, &[u8])]| {
        let bytes = wheel("acme_tool", "1.0", metadata, more);
        Form::new("acme-tool", "1.0", WHEEL, &bytes)
    };
    let plain = metadata("acme-tool", "1.0", "");
    let zero = "0".repeat(64);
    let long = "a".repeat(129);
    let many = format!("{}{}", &plain[..50], "X: y\n".repeat(30_000));
    let large = "x".repeat(1 << 20);
    let two_directories = wheel(
        "acme_tool",
        "1.0",
        &plain,
        &[("other-1.0.dist-info/METADATA", b"")],
    );
    let unlisted = {
        let info = "acme_tool-1.0.dist-info";
        zip(&[
            ("acme.py", b""),
            (&format!("{info}/METADATA"), plain.as_bytes()),
            (&format!("{info}/WHEEL"), b""),
            (&format!("{info}/RECORD"), b""),
        ])
    };
    let sdist_of = |inner: &str| {
        let bytes = sdist("acme_tool-1.0", inner);
        Form::new("acme-tool", "1.0", "acme_tool-1.0.tar.gz", &bytes)
    };
    for (what, form, said) in [
        ("no action", form().with(":action", None), ":action"),
        (
            "another action",
            form().with(":action", Some("submit")),
            ":action",
        ),
        (
            "another protocol",
            form().with("protocol_version", Some("2")),
            "protocol_version",
        ),
        ("no file", form().without_file(), "no file"),
        ("a field twice", form().and("name", "acme-tool"), "twice"),
        (
            "another field twice",
            form().and("description", "x"),
            "twice",
        ),
        (
            "a field of a megabyte",
            form().and("unheard_of", &format!("{large}x")),
            "more than",
        ),
        ("no name", form().with("name", None), "no `name`"),
        (
            "a name that is none",
            form().with("name", Some("-a")),
            "not the name",
        ),
        (
            "a name in other letters",
            form().with("name", Some("acm\u{435}-tool")),
            "not the name",
        ),
        (
            "a long name",
            form().with("name", Some(&long)),
            "not the name",
        ),
        ("no version", form().with("version", None), "no `version`"),
        (
            "a version that is none",
            form().with("version", Some("latest")),
            "PEP 440",
        ),
        (
            "another version",
            form().with("version", Some("1.1")),
            "is not the name of a file of",
        ),
        (
            "another project",
            form().with("name", Some("other")),
            "is not the name of a file of",
        ),
        ("a directory in the name", of("../x.whl"), "name"),
        ("a directory", of("a/b.whl"), "name"),
        ("a drive", of("C:\\\\x.whl"), "name"),
        ("a NUL", of("acme_tool-1.0\0-py3-none-any.whl"), "name"),
        ("an encoded name", of("%2e%2e.whl"), "name"),
        (
            "a name from right to left",
            of("acme_tool-1.0\u{202e}-py3-none-any.whl"),
            "name",
        ),
        ("a hidden file", of(".whl"), "name"),
        (
            "an unknown kind",
            of("acme_tool-1.0.exe"),
            "neither a wheel",
        ),
        (
            "a wheel without tags",
            of("acme_tool-1.0.whl"),
            "is not the name of a file of",
        ),
        (
            "another kind of file",
            form().with("filetype", Some("sdist")),
            "filetype",
        ),
        (
            "another digest",
            form().with("sha256_digest", Some(&zero)),
            "SHA-256",
        ),
        (
            "another digest, BLAKE2",
            form().and("blake2_256_digest", &zero),
            "BLAKE2",
        ),
        (
            "a digest that is none",
            form().with("sha256_digest", Some("xyz")),
            "hex digits",
        ),
        (
            "attestations that are none",
            form().and("attestations", "{}"),
            "attestations",
        ),
        (
            "no archive",
            Form::new("acme-tool", "1.0", WHEEL, b"hello"),
            "no zip archive",
        ),
        (
            "no archive either",
            Form::new("acme-tool", "1.0", "acme_tool-1.0.tar.gz", b"hello"),
            "broken",
        ),
        (
            "metadata of another project",
            made(&metadata("other", "1.0", ""), &[]),
            "says of itself",
        ),
        (
            "metadata of another version",
            made(&metadata("acme-tool", "2.0", ""), &[]),
            "says of itself",
        ),
        (
            "the same in an sdist",
            sdist_of(&metadata("other", "1.0", "")),
            "says of itself",
        ),
        (
            "another version in an sdist",
            sdist_of(&metadata("acme-tool", "2.0", "")),
            "says of itself",
        ),
        ("metadata that is none", made("hello", &[]), "has not one"),
        (
            "two names",
            made(&format!("Name: acme-tool\n{plain}"), &[]),
            "has not one",
        ),
        ("a million headers", made(&many, &[]), "more than 20000"),
        (
            "a script for a version",
            made(
                &metadata("acme-tool", "1.0", "Requires-Python: ><script>\n"),
                &[],
            ),
            "Requires-Python",
        ),
        (
            "a dependency that is none",
            made(&metadata("acme-tool", "1.0", "Requires-Dist: a b\n"), &[]),
            "Requires-Dist",
        ),
        (
            "two entries of one name",
            made(&plain, &[("a.py", b"1"), ("a.py", b"2")]),
            "two entries",
        ),
        (
            "an entry outside",
            made(&plain, &[("../a.py", b"")]),
            "forbidden name",
        ),
        (
            "an absolute entry",
            made(&plain, &[("/a.py", b"")]),
            "forbidden name",
        ),
        (
            "two directories",
            Form::new("acme-tool", "1.0", WHEEL, &two_directories),
            "two .dist-info",
        ),
        (
            "a record of nothing",
            Form::new("acme-tool", "1.0", WHEEL, &unlisted),
            "RECORD does not list",
        ),
    ] {
        let answer = upload(&world, &form).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        assert!(answer.text().contains(said), "{what}: {}", answer.text());
        assert!(
            answer.reason.is_ascii() && !answer.reason.is_empty(),
            "{what}"
        );
    }
    assert!(
        world
            .get("pypi/app/simple/")
            .await
            .text()
            .matches("<a ")
            .next()
            .is_none()
    );
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let world = World::new().await;
    let body = Form::new("acme-tool", "1.0", WHEEL, &good()).body();
    let cut = body[..body.len() - 20].to_vec();
    let part = b"--a-boundary\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n".to_vec();
    let twice = {
        let file = b"--a-boundary\r\nContent-Disposition: form-data; name=\"content\"; filename=\"a\"\r\n\r\n\r\n";
        [&file[..], &body].concat()
    };
    for (what, content_type, body) in [
        ("no boundary", "multipart/form-data", body.clone()),
        (
            "another type",
            "application/x-www-form-urlencoded",
            body.clone(),
        ),
        ("no end", Form::CONTENT_TYPE, cut),
        ("many parts", Form::CONTENT_TYPE, part.repeat(10_001)),
        ("two files", Form::CONTENT_TYPE, twice),
        ("nothing", Form::CONTENT_TYPE, Vec::new()),
    ] {
        let headers = [("content-type", content_type)];
        let answer = world.ask("POST pypi/app/", &headers, body).await;
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    }
    let headers = [("content-type", "text/xml")];
    let search = world.ask("POST pypi/app/", &headers, "<methodCall/>").await;
    assert_eq!(search.status, 404);
    let put = world.ask("PUT pypi/app/", &[], "x").await;
    assert_eq!(
        (put.status.as_u16(), put.header("allow")),
        (405, "GET, HEAD, POST, OPTIONS")
    );
    let large = vec![0; 17 << 20];
    let answer = upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &large)).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn the_first_wheel_describes_a_version() {
    let world = World::new().await;
    let described = |summary: &str| metadata("Acme.Tool", "1.0", &format!("Summary: {summary}\n"));
    let summary = async || {
        let permit = world
            .catalog
            .package(
                &world.admin,
                catalog::Action::DescribePackageVersion,
                &world.repository_at("app"),
                &Pypi::default().package(None, "acme-tool", true).unwrap(),
            )
            .await
            .unwrap();
        let (_, manifest) = permit.version(&"1.0".parse().unwrap()).await.unwrap();
        manifest.summary.unwrap()
    };
    let bytes = sdist("acme_tool-1.0", &described("sdist"));
    upload(
        &world,
        &Form::new("acme-tool", "1.0", "acme_tool-1.0.tar.gz", &bytes),
    )
    .await;
    assert_eq!(summary().await, "sdist");
    let bytes = wheel("acme_tool", "1.0", &described("wheel"), &[]);
    upload(&world, &Form::new("acme-tool", "1.0", WHEEL, &bytes)).await;
    assert_eq!(summary().await, "wheel");
    let bytes = wheel("acme_tool", "1.0", &described("later"), &[]);
    upload(
        &world,
        &Form::new("acme-tool", "1.0", "acme_tool-1.0-py2-none-any.whl", &bytes),
    )
    .await;
    assert_eq!(summary().await, "wheel");
}
