//! Attestations that come with uploads: verified, shown, kept.

use std::collections::BTreeMap;

use catalog::Copying;
use serde_json::{Value, json};

use crate::pypi::{JSON, WHEEL, good, page, upload};
use crate::wheels::{Form, metadata, wheel};
use crate::world::World;

const SDIST: &[u8] =
    include_bytes!("../../src/pypi/fixtures/pypi_attestation_models-0.0.4a2.tar.gz");
const ATTESTATION: &str =
    include_str!("../../src/pypi/fixtures/pypi_attestation_models-0.0.4a2.tar.gz.attestation");
const PROJECT: &str = "pypi-attestation-models";
const FILE: &str = "pypi_attestation_models-0.0.4a2.tar.gz";

fn provenance(repository: &str) -> String {
    format!("pypi/{repository}/integrity/{PROJECT}/0.0.4a2/{FILE}/provenance")
}

#[tokio::test]
async fn attestations_of_up_to_a_mebibyte_are_kept_and_not_shown() {
    let world = World::new().await;
    let bytes = good();
    let form = |length: usize| {
        let around = r#"[{"bundle":""}]"#.len();
        let text = format!(r#"[{{"bundle":"{}"}}]"#, "x".repeat(length - around));
        let form = Form::new("Acme.Tool", "1.0", WHEEL, &bytes).and("attestations", &text);
        (form, text)
    };
    let (too_much, _) = form((1 << 20) + 1);
    assert_eq!(upload(&world, &too_much).await.status, 400);
    let (most, text) = form(1 << 20);
    assert_eq!(upload(&world, &most).await.status, 200);
    let open = world.open(&world.admin, "app", "pypi").await;
    let sha256 = catalog::Digests::of(&bytes).sha256;
    let key = format!("attestations/acme-tool/{sha256}");
    assert_eq!(open.note(&key).await.unwrap().unwrap().text, text);
    // Nobody has verified them.
    let provenance = format!("pypi/app/integrity/acme-tool/1.0/{WHEEL}/provenance");
    assert_eq!(world.get(&provenance).await.status, 404);
    let page = page(&world, "acme-tool").await;
    assert_eq!(page["files"][0].get("provenance"), None);
}

#[tokio::test]
async fn attestations_that_verify_are_shown_wherever_the_file_is() {
    let world = World::new().await;
    let form = Form::new(PROJECT, "0.0.4a2", FILE, SDIST);
    let attested = form.and("attestations", &format!("[{ATTESTATION}]"));
    assert_eq!(upload(&world, &attested).await.status, 200);
    // Once more, as twine does after an answer that got lost.
    assert_eq!(upload(&world, &attested).await.status, 200);

    let page = page(&world, PROJECT).await;
    assert_eq!(page["meta"]["api-version"], "1.3");
    let address = &page["files"][0]["provenance"];
    assert_eq!(
        address,
        &format!("../../integrity/{PROJECT}/0.0.4a2/{FILE}/provenance")
    );
    world.repository("team", &["app"]).await;
    world.repository("copies", &[]).await;
    world
        .get(&format!("pypi/team/simple/{PROJECT}/0.0.4a2/{FILE}"))
        .await;
    copy(&world, "copies").await;
    let expected = json!({"version": 1, "attestation_bundles": [{
        "publisher": {
            "kind": "GitHub",
            "repository": "trailofbits/pypi-attestation-models",
            "workflow": "release.yml",
            "environment": null,
        },
        "attestations": [serde_json::from_str::<Value>(ATTESTATION).unwrap()],
    }]});
    for repository in ["app", "team", "copies"] {
        let answer = world.get(&provenance(repository)).await;
        assert_eq!(
            answer.header("content-type"),
            "application/vnd.pypi.integrity.v1+json"
        );
        let shown: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(shown, expected, "{repository}");
    }
    let html = world
        .get(&format!("pypi/team/simple/{PROJECT}/"))
        .await
        .text();
    assert!(
        html.contains(" data-provenance=\"../../integrity/"),
        "{html}"
    );
}

async fn copy(world: &World, to: &str) {
    let package = world.open(&world.admin, "app", "pypi").await;
    let package = package.packages(None, 10).await.unwrap().remove(0);
    let copying = Copying {
        source: world.repository_at("app"),
        destination: world.repository_at(to),
        package,
        versions: vec!["0.0.4a2".parse().unwrap()],
        revisions: BTreeMap::new(),
        allow_overwrite: false,
        include_from_upstream: false,
    };
    world
        .catalog
        .copy_versions(&world.admin, copying)
        .await
        .unwrap();
}

#[tokio::test]
async fn attestations_of_another_file_refuse_the_upload() {
    let world = World::new().await;
    let bytes = wheel("acme_tool", "1.0", &metadata("acme-tool", "1.0", ""), &[]);
    let form = Form::new("acme-tool", "1.0", WHEEL, &bytes);
    let answer = upload(
        &world,
        &form.and("attestations", &format!("[{ATTESTATION}]")),
    )
    .await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.reason,
        format!("an attestation is not about {WHEEL}")
    );
    let missing = world
        .ask("GET pypi/app/simple/acme-tool/", &[JSON], "")
        .await;
    assert_eq!(missing.status, 404);
}
