//! What npm sends and how it reads what it gets.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use catalog::{Action, Digests, PackageAt, Permit, Selection, Status};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// A tar archive of these files, compressed.
pub(crate) fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
    let mut all = Vec::new();
    for (name, text) in files {
        let mut header = [0_u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[156] = b'0';
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        all.extend_from_slice(&header);
        all.extend_from_slice(text.as_bytes());
        all.resize(all.len().next_multiple_of(512), 0);
    }
    all.resize(all.len() + 1024, 0);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&all).unwrap();
    encoder.finish().unwrap()
}

/// A version with this `package.json`, as its tarball.
pub(crate) fn packed(package: &Value) -> Vec<u8> {
    tarball(&[
        ("package/package.json", &package.to_string()),
        ("package/README.md", "# Read me\n"),
    ])
}

/// What npm puts to publish it.
pub(crate) fn publication(package: &Value, tarball: &[u8], tag: &str) -> Value {
    let (name, version) = (
        package["name"].as_str().unwrap(),
        package["version"].as_str().unwrap(),
    );
    let mut own = package.clone();
    own["_id"] = json!(format!("{name}@{version}"));
    own["_npmVersion"] = json!("11.0.0");
    let digests = Digests::of(tarball);
    own["dist"] = json!({
        "integrity": format!("sha512-{}", BASE64.encode(hex::decode(&digests.sha512).unwrap())),
        "shasum": digests.sha1,
        "tarball": format!("http://elsewhere.test/{name}/-/{name}-{version}.tgz"),
    });
    json!({
        "_id": name,
        "name": name,
        "dist-tags": {tag: version},
        "versions": {version: own},
        "access": null,
        "_attachments": {
            format!("{name}-{version}.tgz"): {
                "content_type": "application/octet-stream",
                "data": BASE64.encode(tarball),
                "length": tarball.len(),
            },
        },
    })
}

/// `@acme/leaf` as it stands in a path.
fn in_path(name: &str) -> String {
    name.replace('/', "%2f")
}

pub(crate) async fn put(world: &World, repository: &str, name: &str, body: &Value) -> Answer {
    let line = format!("PUT npm/{repository}/{}", in_path(name));
    world
        .ask(
            &line,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
}

/// Publishes a version of no more than its name.
pub(crate) async fn publish(world: &World, repository: &str, name: &str, version: &str) -> Answer {
    publish_as(world, repository, name, version, "latest").await
}

pub(crate) async fn publish_as(
    world: &World,
    repository: &str,
    name: &str,
    version: &str,
    tag: &str,
) -> Answer {
    let package = json!({"name": name, "version": version, "description": "A leaf"});
    let body = publication(&package, &packed(&package), tag);
    put(world, repository, name, &body).await
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

pub(crate) async fn packument(world: &World, repository: &str, name: &str) -> Value {
    let answer = world
        .get(&format!("npm/{repository}/{}", in_path(name)))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    json_of(&answer)
}

/// The versions that a packument lists.
pub(crate) async fn versions(world: &World, repository: &str, name: &str) -> Vec<String> {
    let packument = packument(world, repository, name).await;
    packument["versions"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// A package through the API.
pub(crate) async fn package(
    world: &World,
    repository: &str,
    name: &str,
    action: Action,
) -> Permit<PackageAt> {
    let (scope, name) = match name.strip_prefix('@') {
        Some(rest) => {
            let (scope, name) = rest.split_once('/').unwrap();
            (Some(scope), name)
        }
        None => (None, name),
    };
    let id = formats::Protocols::new(formats::Rules::default())
        .named("npm")
        .unwrap()
        .package(scope, name, false)
        .unwrap();
    let at = world.repository_at(repository);
    world
        .catalog
        .package(&world.admin, action, &at, &id)
        .await
        .unwrap()
}

pub(crate) async fn set_status(
    world: &World,
    repository: &str,
    name: &str,
    version: &str,
    to: Status,
) {
    let selection = Selection {
        versions: vec![version.parse().unwrap()],
        ..Selection::default()
    };
    let permit = package(world, repository, name, Action::UpdatePackageVersionsStatus).await;
    let outcomes = match to {
        Status::Disposed => permit.dispose(selection).await,
        _ => permit.set_status(selection, to).await,
    };
    assert!(outcomes.unwrap().failed.is_empty());
}

/// What is shown of a refusal.
pub(crate) fn error(answer: &Answer) -> String {
    json_of(answer)["error"].as_str().unwrap().to_owned()
}
