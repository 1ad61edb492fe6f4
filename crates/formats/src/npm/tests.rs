//! What is asked, and what is told, as tables.

use catalog::{
    Document, ListedVersion, Listing, Origin, OriginType, PackageId, RemoteListing, Status,
    Timestamp,
};
use http::Method;
use serde_json::{Value, json};

use super::document::{self, Shape};
use super::remote;
use super::request::{Request, Search, full_name, parse_name, version_of_file};

fn name(text: &str) -> PackageId {
    parse_name(text).unwrap()
}

fn parsed(line: &str) -> Result<Request, u16> {
    let (method, path) = line.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    Request::parse(&method, path, query).map_err(|refused| refused.status)
}

#[test]
fn requests_are_read_from_method_and_path() {
    let leaf = || name("@acme/leaf");
    let text = |text: &str| text.to_owned();
    for (line, expected) in [
        ("GET /", Request::Root),
        ("HEAD /", Request::Root),
        ("GET /lodash", Request::Packument(name("lodash"))),
        ("GET /lodash/", Request::Packument(name("lodash"))),
        ("GET /-", Request::Packument(name("-"))),
        ("GET /@acme%2fleaf?write=true", Request::Packument(leaf())),
        ("GET /@acme%2Fleaf", Request::Packument(leaf())),
        ("GET /@acme/leaf", Request::Packument(leaf())),
        ("GET /%40acme%2fleaf", Request::Packument(leaf())),
        (
            "GET /@acme/leaf/1.0.0",
            Request::Manifest(leaf(), text("1.0.0")),
        ),
        (
            "GET /@acme%2fleaf/latest",
            Request::Manifest(leaf(), text("latest")),
        ),
        (
            "GET /@acme/leaf/-/leaf-1.0.0.tgz",
            Request::Tarball(leaf(), text("leaf-1.0.0.tgz")),
        ),
        (
            "GET /@acme%2fleaf/-/leaf-1.0.0.tgz",
            Request::Tarball(leaf(), text("leaf-1.0.0.tgz")),
        ),
        (
            "HEAD /@acme/leaf/-/@acme/leaf-1.0.0.tgz",
            Request::Tarball(leaf(), text("@acme/leaf-1.0.0.tgz")),
        ),
        ("PUT /@acme%2fleaf", Request::Put(leaf())),
        (
            "PUT /lodash/-rev/3-a",
            Request::PutRevision(name("lodash"), text("3-a")),
        ),
        (
            "DELETE /lodash/-rev/3-a",
            Request::Delete(name("lodash"), text("3-a")),
        ),
        (
            "DELETE /@acme/leaf/-/@acme/leaf-1.0.0.tgz/-rev/3-a",
            Request::DeleteTarball(leaf(), text("@acme/leaf-1.0.0.tgz")),
        ),
        (
            "GET /-/package/@acme%2fleaf/dist-tags",
            Request::Tags(leaf()),
        ),
        (
            "PUT /-/package/@acme%2fleaf/dist-tags/beta",
            Request::SetTag(leaf(), text("beta")),
        ),
        (
            "DELETE /-/package/@acme/leaf/dist-tags/beta",
            Request::RemoveTag(leaf(), text("beta")),
        ),
        (
            "POST /-/package/lodash/dist-tags",
            Request::SetTags(name("lodash")),
        ),
        ("GET /-/ping", Request::Ping),
        ("GET /-/whoami", Request::WhoAmI),
        (
            "GET /-/v1/search?text=a+b%20c&size=9999&from=7&quality=1",
            Request::Search(Search {
                text: text("a b c"),
                size: 250,
                from: 7,
            }),
        ),
        (
            "POST /-/npm/v1/security/advisories/bulk",
            Request::Advisories,
        ),
        ("POST /-/npm/v1/security/audits/quick", Request::Audit),
        ("POST /-/npm/v1/security/audits", Request::Audit),
        ("GET /-/npm/v1/keys", Request::Keys),
        (
            "GET /-/npm/v1/attestations/@acme%2fleaf@1.0.0",
            Request::Attestations(leaf(), "1.0.0".parse().unwrap()),
        ),
        (
            "GET /-/npm/v1/attestations/@acme/leaf@1.0.0",
            Request::Attestations(leaf(), "1.0.0".parse().unwrap()),
        ),
        ("DELETE /-/user/token/secret", Request::Logout),
    ] {
        assert_eq!(parsed(line), Ok(expected), "{line}");
    }
}

#[test]
fn what_is_not_here_is_told_from_what_cannot_be_meant() {
    for line in [
        "POST /-/v1/login",
        "PUT /-/user/org.couchdb.user:me",
        "GET /-/user/org.couchdb.user:me",
        "GET /-/npm/v1/tokens",
        "GET /-/org/acme/user",
        "GET /-/_view/starredByUser",
        "GET /-/all",
        "GET /-/package/lodash/access",
    ] {
        assert!(
            matches!(parsed(line), Ok(Request::Unsupported(_))),
            "{line}"
        );
    }
    for (line, status) in [
        ("POST /", 405),
        ("POST /lodash", 405),
        ("DELETE /lodash", 405),
        ("PATCH /lodash", 405),
        ("GET /lodash/-rev/1", 405),
        ("GET /lodash/a/b", 404),
        ("GET /lodash/-", 405),
        ("GET /lodash/-/a/b/c", 405),
        ("GET /@acme", 400),
        ("GET /%ff", 400),
        ("GET /-/npm/v1/attestations/@acme%2fleaf", 400),
        ("GET /-/npm/v1/attestations/leaf@..%3fa", 400),
    ] {
        assert_eq!(parsed(line), Err(status), "{line}");
    }
}

#[test]
fn names_are_printed_as_they_are_read() {
    for text in [
        "lodash",
        "@types/node",
        "JSONStream",
        "a.b~c'(d)*!",
        "-",
        "__proto__",
    ] {
        assert_eq!(full_name(&name(text)), text);
    }
}

#[test]
fn a_tarball_is_called_after_its_version() {
    for (package, file, expected) in [
        ("leaf", "leaf-1.0.0.tgz", Some("1.0.0")),
        ("@acme/leaf", "leaf-1.0.0-rc.1+b.tgz", Some("1.0.0-rc.1+b")),
        ("@acme/leaf", "@acme/leaf-1.0.0.tgz", Some("1.0.0")),
        ("leaf", "leaf-1.0.0.tar.gz", None),
        ("leaf", "leaf-.tgz", None),
        ("leaf", "leafs-1.0.0.tgz", None),
        ("leaf", "odd.tgz", None),
    ] {
        assert_eq!(version_of_file(&name(package), file), expected, "{file}");
    }
}

/// The fixture as a registry would list it.
fn registered() -> RemoteListing {
    let body = include_bytes!("fixtures/packument.json");
    let index = remote::Index::read(body, "twig", false).unwrap();
    let document = Document {
        body: body.as_slice().into(),
        identity: "x".into(),
        changed: Timestamp::from_millis(0),
        is_stale: false,
    };
    remote::listing(&document, &index)
}

fn listing() -> Listing {
    let registered = registered();
    let versions = registered.versions.into_iter().map(|seen| ListedVersion {
        version: seen.version,
        status: Status::Published,
        published: seen.published,
        origin: Origin {
            origin_type: OriginType::External,
            repository: None,
            connection: Some("public:npmjs".parse().unwrap()),
        },
        is_recorded: false,
        document: seen.document,
        assets: seen.assets,
    });
    Listing {
        package: name("twig"),
        versions: versions.collect(),
        labels: registered.labels,
        changed: registered.changed,
        is_partial: false,
    }
}

const BASE: &str = "http://packages.test/npm/app/";

fn told(shape: Shape) -> Value {
    serde_json::from_str(&document::packument(&listing(), BASE, shape)).unwrap()
}

#[test]
fn a_registrys_packument_is_told_as_ours() {
    let full = told(Shape::Full);
    let own = &full["versions"]["1.0.0"];
    assert_eq!(
        own["dist"]["tarball"],
        "http://packages.test/npm/app/twig/-/twig-1.0.0.tgz"
    );
    assert_eq!(
        own["dist"]["attestations"]["url"],
        "http://packages.test/npm/app/-/npm/v1/attestations/twig@1.0.0"
    );
    assert_eq!(
        own["dist"]["attestations"]["provenance"],
        json!({"predicateType": "p"})
    );
    assert_eq!(own["dist"]["signatures"][0]["sig"], "y");
    assert_eq!(own["gitHead"], "abc");
    assert_eq!(
        full["versions"]["2.0.0-rc.1"]["dist"]["tarball"],
        "http://packages.test/npm/app/twig/-/twig-2.0.0-rc.1.tgz"
    );
    assert_eq!(
        full["time"],
        json!({
            "created": "2011-01-01T00:00:00.000Z",
            "modified": "2020-01-01T00:00:00.000Z",
            "0.1.0": "2011-01-01T00:00:00.000Z",
            "1.0.0": "2012-02-02T02:00:00.125Z",
        // Of which the registry says no time.
        "2.0.0-rc.1": "2020-01-01T00:00:00.000Z",
        })
    );
    assert_eq!(full["readme"], "# Twig");
    assert_eq!(full["description"], "A twig");
    assert_eq!(
        full["dist-tags"],
        json!({"latest": "1.0.0", "next": "2.0.0-rc.1"})
    );
    assert!(full.get("users").is_none());
    assert!(!full.to_string().contains("registry.test"));
}

#[test]
fn of_a_long_readme_the_beginning_is_told() {
    let mut listing = listing();
    let latest = listing
        .versions
        .iter_mut()
        .find(|listed| listed.version.as_str() == "1.0.0");
    let readme = "ä".repeat(64 << 10);
    latest.unwrap().document = Some(json!({"readme": readme}).to_string().into());
    let told = document::packument(&listing, BASE, Shape::Full);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["readme"].as_str().unwrap().len(), 64 << 10);
}

#[test]
fn an_abbreviated_packument_says_what_installing_needs() {
    let short = told(Shape::Abbreviated);
    let members: Vec<_> = short.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["dist-tags", "modified", "name", "time", "versions"]
    );
    let versions = &short["versions"];
    assert_eq!(versions["1.0.0"]["hasInstallScript"], true);
    assert_eq!(versions["1.0.0"]["dependencies"], json!({"leaf": "^1.0.0"}));
    assert_eq!(versions["0.1.0"]["deprecated"], "too old");
    assert_eq!(versions["0.1.0"]["engines"], json!(["node >=0.4"]));
    assert!(versions["2.0.0-rc.1"].get("hasInstallScript").is_none());
    for member in ["description", "scripts", "license", "readme", "gitHead"] {
        assert!(versions["1.0.0"].get(member).is_none(), "{member}");
    }
}

#[test]
fn a_package_without_latest_is_shown_by_its_newest_release() {
    let mut listing = listing();
    listing.labels.remove("latest");
    let labels = document::labels(&listing);
    let labels: Vec<_> = labels
        .iter()
        .map(|(label, version)| format!("{label} {version}"))
        .collect();
    assert_eq!(labels, ["latest 1.0.0", "next 2.0.0-rc.1"]);
    listing
        .versions
        .retain(|listed| listed.version.as_str().starts_with('2'));
    let labels = document::labels(&listing);
    assert_eq!(labels[0].1.as_str(), "2.0.0-rc.1");
}

#[test]
fn a_revision_changes_with_whatever_is_told() {
    let before = document::revision(&listing());
    assert_eq!(before, document::revision(&listing()));
    let mut other = listing();
    other.labels.remove("next");
    assert_ne!(before, document::revision(&other));
    let mut other = listing();
    other.versions[0].document = Some("{}".into());
    assert_ne!(before, document::revision(&other));
}
