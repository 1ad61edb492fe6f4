//! Prefixes of the plugins of a group.

use catalog::Digests;

use crate::maven::deploy;
use crate::world::World;

#[tokio::test]
async fn plugins_of_a_group_have_prefixes() {
    let world = World::new().await;
    world.repository("team", &["app"]).await;
    let group = |prefix: &str, artifact: &str| {
        format!(
            "<metadata><plugins><plugin><name>n</name><prefix>{prefix}</prefix><artifactId>{artifact}</artifactId>\
             </plugin></plugins></metadata>"
        )
    };
    let path = "maven/app/com/acme/maven-metadata.xml";
    assert_eq!(world.get(path).await.status, 404);
    let document = group("acme", "acme-maven-plugin");
    assert_eq!(world.put(path, document.clone()).await, 201);
    let sha1 = Digests::of(document.as_bytes()).sha1;
    assert_eq!(world.put(&format!("{path}.sha1"), sha1).await, 201);
    assert_eq!(
        world.put(path, group("other", "other-maven-plugin")).await,
        200
    );
    let near = "maven/team/com/acme/maven-metadata.xml";
    world.put(near, group("acme", "near-maven-plugin")).await;
    let app = world.get(path).await.text();
    assert!(
        app.contains("<prefix>acme</prefix>") && app.contains("<prefix>other</prefix>"),
        "{app}"
    );
    let team = world.get(near).await.text();
    assert!(
        team.contains("near-maven-plugin") && !team.contains(">acme-maven-plugin"),
        "{team}"
    );
    assert!(team.contains("other-maven-plugin"));
    for bad in [
        group("", "x"),
        group("a b", "x"),
        group("a", "x.sha1"),
        group("a", "\u{430}"),
    ] {
        assert_eq!(world.put(path, bad.clone()).await, 400, "{bad}");
    }
    // A directory can be that of a group and of an artifact.
    deploy(&world, "1.0", "PK").await;
    let both = "maven/app/com/acme/lib-a/maven-metadata.xml";
    world.put(both, group("a", "a-maven-plugin")).await;
    let text = world.get(both).await.text();
    assert!(
        text.contains("<version>1.0</version>") && text.contains("<prefix>a</prefix>"),
        "{text}"
    );
}
