//! npm as its clients speak it: publish, read, mark, search.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{Action, Digests, Status};
use formats::npm::{Npm, Rules};
use serde_json::json;

use crate::npm::{
    error, json_of, package, packed, packument, publication, publish, publish_as, put, set_status,
    tarball, versions,
};
use crate::world::World;

#[tokio::test]
async fn a_published_package_is_read_back_under_every_form_of_its_name() {
    let world = World::new().await;
    let package = json!({
        "name": "@acme/leaf", "version": "1.0.0", "description": "A leaf", "license": "MIT",
        "bin": "cli.js", "scripts": {"postinstall": "echo hi"}, "dependencies": {"a": "^1"},
        "devDependencies": {"@types/b": "2"}, "repository": "acme/leaf", "keywords": ["green"],
    });
    let tarball = packed(&package);
    let published = put(
        &world,
        "app",
        "@acme/leaf",
        &publication(&package, &tarball, "latest"),
    )
    .await;
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(json_of(&published)["ok"], true);

    let digests = Digests::of(&tarball);
    for form in [
        "@acme%2fleaf",
        "@acme%2Fleaf",
        "@acme/leaf",
        "%40acme%2fleaf",
    ] {
        let packument = json_of(&world.get(&format!("npm/app/{form}")).await);
        let own = &packument["versions"]["1.0.0"];
        assert_eq!(
            own["dist"]["tarball"],
            "http://packages.test/d/acme-111122223333/npm/app/@acme/leaf/-/leaf-1.0.0.tgz"
        );
        assert_eq!(own["dist"]["shasum"], digests.sha1);
        assert_eq!(own["dist"]["fileCount"], 2);
        assert_eq!(own["bin"], json!({"leaf": "cli.js"}));
        assert_eq!(own["hasInstallScript"], true);
        assert_eq!(own["_npmVersion"], "11.0.0");
        assert!(own.get("readme").is_none());
        assert_eq!(packument["readme"], "# Read me\n");
        assert_eq!(packument["keywords"], json!(["green"]));
        assert_eq!(packument["dist-tags"], json!({"latest": "1.0.0"}));
        assert_eq!(packument["time"]["1.0.0"], "2026-11-22T19:41:27.000Z");
        for file in [
            "-/leaf-1.0.0.tgz",
            "-/@acme/leaf-1.0.0.tgz",
            "-/@acme%2fleaf-1.0.0.tgz",
        ] {
            let got = world.get(&format!("npm/app/{form}/{file}")).await;
            assert_eq!(got.status, 200, "{form}/{file}");
            assert_eq!(got.body, tarball);
        }
        for wanted in ["1.0.0", "latest"] {
            let manifest = json_of(&world.get(&format!("npm/app/{form}/{wanted}")).await);
            assert_eq!(manifest["_id"], "@acme/leaf@1.0.0");
        }
        let missing = world.get(&format!("npm/app/{form}/2.0.0")).await;
        assert_eq!(
            (missing.status.as_u16(), error(&missing)),
            (404, "version not found: 2.0.0".to_owned())
        );
    }
    let permit = self::package(&world, "app", "@acme/leaf", Action::DescribePackageVersion).await;
    let (record, manifest) = permit.version(&"1.0.0".parse().unwrap()).await.unwrap();
    assert_eq!(record.status, Status::Published);
    assert_eq!(
        manifest.source_code_repository.as_deref(),
        Some("https://github.com/acme/leaf.git")
    );
    assert_eq!(manifest.readme.as_deref(), Some("# Read me\n"));
    assert_eq!(manifest.dependencies.len(), 2);
    let (_, assets) = permit
        .assets(&"1.0.0".parse().unwrap(), None, 10)
        .await
        .unwrap();
    assert_eq!(assets.items[0].name.as_str(), "package.tgz");
    assert_eq!(assets.items[0].digests, digests);
}

#[tokio::test]
async fn files_in_a_directory_of_commands_are_commands() {
    let world = World::new().await;
    let commands = |version: &str, directories: &str, own: &str| {
        let text = format!(
            r#"{{"name":"leaf","version":"{version}","directories":{{"bin":"{directories}"}}{own}}}"#
        );
        let files = [
            ("package/cmds/grow.js", ""),
            ("package/cmds/more/fall", ""),
            ("package/cmds/.hidden", ""),
            ("package/cmdsx/not", ""),
            ("package/package.json", text.as_str()),
        ];
        let stated = json!({"name": "leaf", "version": version});
        publication(&stated, &tarball(&files), "latest")
    };
    for (version, directory, own, expected) in [
        (
            "1.0.0",
            "./cmds/",
            "",
            json!({"grow.js": "cmds/grow.js", "fall": "cmds/more/fall"}),
        ),
        ("1.0.1", "cmds", r#","bin":"a.js""#, json!({"leaf": "a.js"})),
        ("1.0.2", "../cmds", "", json!(null)),
        ("1.0.3", "none", "", json!(null)),
    ] {
        let body = commands(version, directory, own);
        let answer = put(&world, "app", "leaf", &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let packument = packument(&world, "app", "leaf").await;
        assert_eq!(packument["versions"][version]["bin"], expected, "{version}");
    }
}

#[tokio::test]
async fn packuments_come_in_two_sizes_and_are_recognised_again() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    let short = [(
        "accept",
        "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*",
    )];
    let abbreviated = world.ask("GET npm/app/leaf", &short, "").await;
    assert_eq!(
        abbreviated.header("content-type"),
        "application/vnd.npm.install-v1+json"
    );
    assert_eq!(abbreviated.header("vary"), "Accept, Accept-Encoding");
    let document = json_of(&abbreviated);
    assert_eq!(document["modified"], "2026-11-22T19:41:27.000Z");
    assert!(document["versions"]["1.0.0"].get("description").is_none());
    assert!(document.get("readme").is_none());
    let full = world.get("npm/app/leaf").await;
    assert_eq!(full.header("content-type"), "application/json");
    assert_eq!(
        full.header("cache-control"),
        "private, max-age=0, must-revalidate"
    );
    assert_ne!(full.header("etag"), abbreviated.header("etag"));
    let again = [
        ("if-none-match", full.header("etag")),
        ("if-modified-since", full.header("last-modified")),
    ];
    let again = world.ask("GET npm/app/leaf", &again, "").await;
    assert_eq!(again.status, 304);
    assert_eq!(again.header("etag"), full.header("etag"));
    publish(&world, "app", "leaf", "1.1.0").await;
    let changed = world
        .ask(
            "GET npm/app/leaf",
            &[("if-none-match", full.header("etag"))],
            "",
        )
        .await;
    assert_eq!(changed.status, 200);
    let zipped = world
        .ask(
            "GET npm/app/leaf",
            &[("accept-encoding", "gzip,deflate")],
            "",
        )
        .await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let head = world.ask("HEAD npm/app/leaf", &[], "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
}

#[tokio::test]
async fn tarballs_are_files_like_any_other() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    let path = "npm/app/leaf/-/leaf-1.0.0.tgz";
    let accept = [("accept", "application/vnd.npm.install-v1+json")];
    let got = world.ask(&format!("GET {path}"), &accept, "").await;
    assert_eq!(got.header("content-type"), "application/octet-stream");
    assert_eq!(got.header("accept-ranges"), "bytes");
    let head = world.ask(&format!("HEAD {path}"), &[], "").await;
    assert_eq!(head.header("content-length"), got.body.len().to_string());
    let part = world
        .ask(&format!("GET {path}"), &[("range", "bytes=0-1")], "")
        .await;
    assert_eq!(
        (part.status.as_u16(), &part.body[..]),
        (206, &b"\x1f\x8b"[..])
    );
    let again = world
        .ask(
            &format!("GET {path}"),
            &[("if-none-match", got.header("etag"))],
            "",
        )
        .await;
    assert_eq!(again.status, 304);
    for missing in ["leaf-2.0.0.tgz", "other-1.0.0.tgz", "leaf", "leaf-.tgz"] {
        let answer = world.get(&format!("npm/app/leaf/-/{missing}")).await;
        assert_eq!(answer.status, 404, "{missing}");
    }
}

#[tokio::test]
async fn a_version_is_published_once() {
    let world = World::new().await;
    let package = json!({"name": "leaf", "version": "1.0.0"});
    let body = publication(&package, &packed(&package), "latest");
    assert_eq!(put(&world, "app", "leaf", &body).await.status, 201);
    assert_eq!(put(&world, "app", "leaf", &body).await.status, 200);
    let other = tarball(&[("package/package.json", &package.to_string())]);
    let refused = put(
        &world,
        "app",
        "leaf",
        &publication(&package, &other, "latest"),
    )
    .await;
    assert_eq!(refused.status, 409);
    assert!(
        error(&refused).contains("You cannot publish over"),
        "{}",
        refused.text()
    );
    let built = publish(&world, "app", "leaf", "1.0.0+b").await;
    assert_eq!(
        (
            built.status.as_u16(),
            json_of(&built)["code"].as_str().unwrap()
        ),
        (409, "ConflictException")
    );
    set_status(&world, "app", "leaf", "1.0.0", Status::Archived).await;
    assert_eq!(put(&world, "app", "leaf", &body).await.status, 409);
    assert_eq!(publish(&world, "app", "leaf", "1.1.0").await.status, 201);
}

#[tokio::test]
async fn of_two_publications_at_once_one_wins_and_other_versions_do_not_mind() {
    let world = World::new().await;
    let one = json!({"name": "leaf", "version": "1.0.0", "description": "one"});
    let two = json!({"name": "leaf", "version": "1.0.0", "description": "two"});
    let (one, two) = (
        publication(&one, &packed(&one), "a"),
        publication(&two, &packed(&two), "b"),
    );
    let (first, second, other) = futures_util::join!(
        put(&world, "app", "leaf", &one),
        put(&world, "app", "leaf", &two),
        publish_as(&world, "app", "leaf", "2.0.0", "c"),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!((statuses, other.status.as_u16()), ([201, 409], 201));
    let packument = packument(&world, "app", "leaf").await;
    let winner = if first.status == 201 {
        ("a", "one")
    } else {
        ("b", "two")
    };
    assert_eq!(
        packument["dist-tags"],
        json!({winner.0: "1.0.0", "c": "2.0.0", "latest": "2.0.0"})
    );
    assert_eq!(packument["versions"]["1.0.0"]["description"], winner.1);
}

#[tokio::test]
async fn tags_are_set_listed_and_removed() {
    let world = World::new().await;
    publish(&world, "app", "@acme/leaf", "1.0.0").await;
    publish_as(&world, "app", "@acme/leaf", "1.1.0-rc.1", "next").await;
    let tags = "npm/app/-/package/@acme%2fleaf/dist-tags";
    let listed = json_of(&world.get(tags).await);
    assert_eq!(listed, json!({"latest": "1.0.0", "next": "1.1.0-rc.1"}));
    let permit = package(&world, "app", "@acme/leaf", Action::DescribePackage).await;
    let shown = permit.default_display_version().await.unwrap();
    assert_eq!(shown.unwrap().as_str(), "1.0.0");
    let set = world
        .ask(&format!("PUT {tags}/beta"), &[], "\"1.0.0\"")
        .await;
    assert_eq!(set.status, 201);
    let map = world
        .ask(
            &format!("POST {tags}"),
            &[],
            r#"{"old":"1.0.0","latest":"1.1.0-rc.1"}"#,
        )
        .await;
    assert_eq!(map.status, 201);
    assert_eq!(
        world
            .ask(&format!("DELETE {tags}/next"), &[], "")
            .await
            .status,
        200
    );
    let listed = json_of(&world.get(tags).await);
    assert_eq!(
        listed,
        json!({"beta": "1.0.0", "latest": "1.1.0-rc.1", "old": "1.0.0"})
    );
    for (line, body, status) in [
        (format!("PUT {tags}/beta"), "\"3.0.0\"", 404),
        (format!("PUT {tags}/beta"), "3", 400),
        (format!("PUT {tags}/1.0.0"), "\"1.0.0\"", 400),
        (format!("PUT {tags}/%5E1"), "\"1.0.0\"", 400),
        (format!("PUT {tags}/a%20b"), "\"1.0.0\"", 400),
        (format!("PUT {tags}/..%2fx"), "\"1.0.0\"", 400),
        (format!("DELETE {tags}/latest"), "", 400),
        (
            "PUT npm/app/-/package/none/dist-tags/a".to_owned(),
            "\"1.0.0\"",
            404,
        ),
    ] {
        let answer = world.ask(&line, &[], body).await;
        assert_eq!(answer.status, status, "{line} {body}: {}", answer.text());
    }
    set_status(&world, "app", "@acme/leaf", "1.1.0-rc.1", Status::Unlisted).await;
    let packument = packument(&world, "app", "@acme/leaf").await;
    assert_eq!(
        packument["dist-tags"],
        json!({"beta": "1.0.0", "latest": "1.0.0", "old": "1.0.0"})
    );
}

#[tokio::test]
async fn deprecation_changes_nothing_else() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    publish(&world, "app", "leaf", "2.0.0").await;
    let mut document = json_of(&world.get("npm/app/leaf?write=true").await);
    let before = document["versions"]["2.0.0"].clone();
    document["versions"]["1.0.0"]["deprecated"] = json!("use 2");
    document["versions"]["1.0.0"]["dist"]["tarball"] = json!("http://evil.test/x.tgz");
    document["versions"]["1.0.0"]["dependencies"] = json!({"evil": "1"});
    document["dist-tags"]["latest"] = json!("1.0.0");
    assert_eq!(put(&world, "app", "leaf", &document).await.status, 201);
    let packument = packument(&world, "app", "leaf").await;
    let own = &packument["versions"]["1.0.0"];
    assert_eq!(own["deprecated"], "use 2");
    assert!(
        own["dist"]["tarball"]
            .as_str()
            .unwrap()
            .starts_with("http://packages.test/")
    );
    assert!(own.get("dependencies").is_none());
    assert_eq!(packument["versions"]["2.0.0"], before);
    assert_eq!(packument["dist-tags"]["latest"], "2.0.0");
    let short = [("accept", "application/vnd.npm.install-v1+json")];
    let short = json_of(&world.ask("GET npm/app/leaf", &short, "").await);
    assert_eq!(short["versions"]["1.0.0"]["deprecated"], "use 2");
    document["versions"]["1.0.0"]["deprecated"] = json!("");
    assert_eq!(put(&world, "app", "leaf", &document).await.status, 201);
    let packument = self::packument(&world, "app", "leaf").await;
    assert!(packument["versions"]["1.0.0"].get("deprecated").is_none());
}

#[tokio::test]
async fn stars_and_owners_are_refused_and_not_taken_for_something_else() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    let mut starred = json_of(&world.get("npm/app/leaf?write=true").await);
    starred["users"] = json!({"me": true});
    for body in [
        starred,
        json!({"_id": "leaf", "_rev": "1-a", "users": {"me": true}}),
        json!({"_id": "leaf", "_rev": "1-a", "maintainers": [{"name": "me"}]}),
    ] {
        let answer = put(&world, "app", "leaf", &body).await;
        assert_eq!(
            (answer.status.as_u16(), error(&answer)),
            (403, "not supported: manage access with IAM".to_owned())
        );
    }
}

#[tokio::test]
async fn a_status_decides_what_clients_see() {
    let world = World::new().await;
    for (status, listed, served) in [
        (Status::Published, true, true),
        (Status::Unlisted, false, true),
        (Status::Archived, false, false),
        (Status::Disposed, false, false),
    ] {
        let name = format!("leaf-{}", status.as_str().to_lowercase());
        publish(&world, "app", &name, "1.0.0").await;
        publish(&world, "app", &name, "1.1.0").await;
        if status != Status::Published {
            set_status(&world, "app", &name, "1.1.0", status).await;
        }
        assert_eq!(
            versions(&world, "app", &name)
                .await
                .contains(&"1.1.0".to_owned()),
            listed,
            "{status}"
        );
        let expected = if served { 200 } else { 404 };
        for path in [
            format!("{name}/-/{name}-1.1.0.tgz"),
            format!("{name}/1.1.0"),
        ] {
            assert_eq!(
                world.get(&format!("npm/app/{path}")).await.status,
                expected,
                "{path}"
            );
        }
        if status != Status::Published {
            set_status(&world, "app", &name, "1.0.0", Status::Unlisted).await;
            let none = world.get(&format!("npm/app/{name}")).await;
            assert_eq!(
                (none.status.as_u16(), error(&none)),
                (404, "not_found".to_owned()),
                "{status}"
            );
        }
    }
}

#[tokio::test]
async fn whoever_may_not_is_told_so_in_the_word_that_npm_shows() {
    let world = World::new().await;
    publish(&world, "app", "leaf", "1.0.0").await;
    let package = json!({"name": "leaf", "version": "2.0.0"});
    let body = publication(&package, &packed(&package), "latest").to_string();
    for (line, body) in [
        ("GET npm/app/leaf", ""),
        ("GET npm/app/leaf/-/leaf-1.0.0.tgz", ""),
        ("GET npm/app/none", ""),
        ("PUT npm/app/leaf", body.as_str()),
        ("PUT npm/app/-/package/leaf/dist-tags/x", "\"1.0.0\""),
        ("DELETE npm/app/-/package/leaf/dist-tags/x", ""),
        ("GET npm/app/-/ping", ""),
        ("GET npm/app/-/whoami", ""),
        ("GET npm/app/-/v1/search?text=a", ""),
        ("POST npm/app/-/npm/v1/security/advisories/bulk", "{}"),
        ("POST npm/app/-/npm/v1/security/audits/quick", "{}"),
        ("GET npm/app/-/npm/v1/keys", ""),
        ("GET npm/app/-/npm/v1/attestations/leaf@1.0.0", ""),
    ] {
        let answer = world
            .ask_as(&world.nobody, line, &[], body.to_owned())
            .await;
        assert_eq!(answer.status, 403, "{line}");
        assert!(
            error(&answer).contains("not authorized"),
            "{}",
            answer.text()
        );
        assert!(!json_of(&answer)["decisionId"].as_str().unwrap().is_empty());
    }
    assert_eq!(versions(&world, "app", "leaf").await, ["1.0.0"]);
}

#[tokio::test]
async fn what_iam_is_for_is_not_here() {
    let world = World::new().await;
    for line in [
        "GET npm/app/",
        "GET npm/app/-/ping?write=true",
        "DELETE npm/app/-/user/token/secret",
    ] {
        assert_eq!(world.ask(line, &[], "").await.status, 200, "{line}");
    }
    for (line, status, said) in [
        ("POST npm/app/-/v1/login", 404, "aws codeartifact login"),
        (
            "PUT npm/app/-/user/org.couchdb.user:me",
            404,
            "aws codeartifact login",
        ),
        // What `npm owner add` asks first.
        ("GET npm/app/-/user/org.couchdb.user:me", 404, "IAM"),
        ("GET npm/app/-/user/me/package", 404, "IAM"),
        ("GET npm/app/-/npm/v1/tokens", 404, "IAM"),
        ("GET npm/app/-/npm/v1/user", 404, "IAM"),
        ("GET npm/app/-/org/acme/package", 404, "IAM"),
        ("PUT npm/app/-/team/acme/devs/package", 404, "IAM"),
        ("GET npm/app/-/all", 404, "IAM"),
        ("GET npm/app/-/package/leaf/collaborators", 404, "IAM"),
        ("PATCH npm/app/leaf", 405, "this endpoint knows"),
        (
            "DELETE npm/app/leaf/-rev/1-a",
            405,
            "use delete-package-versions",
        ),
        (
            "PUT npm/app/leaf/-rev/1-a",
            405,
            "use delete-package-versions",
        ),
    ] {
        let answer = world.ask(line, &[], "").await;
        assert_eq!(answer.status, status, "{line}");
        assert!(error(&answer).contains(said), "{line}: {}", answer.text());
    }
    let who = json_of(&world.get("npm/app/-/whoami").await);
    assert_eq!(who, json!({"username": "admin"}));
}

#[tokio::test]
async fn what_proves_where_a_version_comes_from_is_kept_and_served() {
    let world = World::new().await;
    let package = json!({"name": "@acme/leaf", "version": "1.0.0"});
    let mut body = publication(&package, &packed(&package), "latest");
    let statement = json!({"predicateType": "https://slsa.dev/provenance/v1"}).to_string();
    let bundle = json!({"dsseEnvelope": {"payload": BASE64.encode(statement)}});
    body["_attachments"]["@acme/leaf-1.0.0.sigstore"] = json!({
        "content_type": "application/vnd.dev.sigstore.bundle+json;version=0.2",
        "data": bundle.to_string(),
        "length": 1,
    });
    assert_eq!(put(&world, "app", "@acme/leaf", &body).await.status, 201);
    let packument = packument(&world, "app", "@acme/leaf").await;
    let own = &packument["versions"]["1.0.0"];
    let url = own["dist"]["attestations"]["url"].as_str().unwrap();
    let path = url
        .strip_prefix("http://packages.test/d/acme-111122223333/npm/")
        .unwrap();
    assert_eq!(
        own["dist"]["attestations"]["provenance"]["predicateType"],
        "https://slsa.dev/provenance/v1"
    );
    assert!(own.get("_attestations").is_none());
    let served = json_of(&world.get(&format!("npm/{path}")).await);
    assert_eq!(served["attestations"][0]["bundle"], bundle);
    let none = world
        .get("npm/app/-/npm/v1/attestations/@acme/leaf@2.0.0")
        .await;
    assert_eq!(none.status, 404);
}

#[tokio::test]
async fn versions_are_unpublished_where_the_server_allows_it() {
    let world = World::new().await;
    let npm = Npm {
        rules: Rules {
            allows_unpublish: true,
            ..Rules::default()
        },
    };
    publish(&world, "app", "leaf", "1.0.0").await;
    publish(&world, "app", "leaf", "2.0.0").await;
    let send =
        async |line: String, body: String| world.send(&npm, &world.admin, &line, &[], body).await;
    let mut document = packument(&world, "app", "leaf").await;
    let rev = document["_rev"].as_str().unwrap().to_owned();
    document["versions"]
        .as_object_mut()
        .unwrap()
        .remove("1.0.0");
    let stale = send("PUT app/leaf/-rev/1-old".to_owned(), document.to_string()).await;
    assert_eq!(stale.status, 409);
    let refused = world
        .send(
            &npm,
            &world.nobody,
            &format!("DELETE app/leaf/-rev/{rev}"),
            &[],
            "",
        )
        .await;
    assert_eq!(refused.status, 403);
    let done = send(format!("PUT app/leaf/-rev/{rev}"), document.to_string()).await;
    assert_eq!(done.status, 200, "{}", done.text());
    let file = send(
        format!("DELETE app/leaf/-/leaf-1.0.0.tgz/-rev/{rev}"),
        String::new(),
    )
    .await;
    assert_eq!(file.status, 200);
    assert_eq!(versions(&world, "app", "leaf").await, ["2.0.0"]);
    assert_eq!(publish(&world, "app", "leaf", "1.0.0").await.status, 201);
    let rev = packument(&world, "app", "leaf").await["_rev"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        send(format!("DELETE app/leaf/-rev/{rev}"), String::new())
            .await
            .status,
        200
    );
    assert_eq!(world.get("npm/app/leaf").await.status, 404);
}
