//! What formats keep of versions, labels, and lists that are rendered once.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use catalog::{
    Copying, Described, Error, Listing, Promise, Purpose, Restriction, Restrictions, Status, Then,
    Weighed,
};

use crate::toy::{asset, package, version};
use crate::world::{World, over_each};

struct Page(String);

impl Weighed for Page {
    fn weight_bytes(&self) -> usize {
        self.0.len()
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// `version document; …` and `@label version; …`.
fn page(listing: &Listing) -> String {
    let versions = listing.versions.iter().map(|listed| {
        let document = listed.document.as_deref().unwrap_or("-");
        format!("{} {document}", listed.version)
    });
    let labels = listing.labels.iter();
    let labels = labels.map(|(label, version)| format!("@{label} {version}"));
    versions.chain(labels).collect::<Vec<_>>().join("; ")
}

async fn listed(world: &World, repository: &str) -> String {
    let listing = world.open(repository).await.package(&package("ball")).await;
    listing
        .unwrap()
        .map_or_else(String::new, |listing| page(&listing))
}

async fn publish(world: &World, repository: &str, of: &str, document: &str, label: &str) {
    let mut publication = world
        .open(repository)
        .await
        .publish(&version("ball", of))
        .await
        .unwrap();
    publication.describe(Described {
        document: Some(document.to_owned()),
        ..Described::default()
    });
    publication.label(label);
    publication.commit(Then::Publish).await.unwrap();
}

async fn label(world: &World, repository: &str, label: &str, of: Option<&str>) {
    let changes = vec![(label.to_owned(), of.map(|of| of.parse().unwrap()))];
    let open = world.open(repository).await;
    open.label(&package("ball"), changes).await.unwrap();
}

const BOTH: Restrictions = Restrictions {
    publish: Restriction::Allow,
    upstream: Restriction::Allow,
};

#[test]
fn a_version_is_labelled_in_the_moment_in_which_it_is_published() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        publish(&world, "r1", "1", "one", "latest").await;
        publish(&world, "r1", "2", "two", "latest").await;
        label(&world, "r1", "old", Some("1")).await;
        assert_eq!(
            listed(&world, "r1").await,
            "1 one; 2 two; @latest 2; @old 1"
        );
        label(&world, "r1", "old", None).await;
        let open = world.open("r1").await;
        let deleted = open
            .delete_versions(&package("ball"), vec!["2".parse().unwrap()])
            .await;
        assert_eq!(deleted.unwrap().successful.len(), 1);
        assert_eq!(listed(&world, "r1").await, "1 one");
        assert!(open.labels(&package("ball")).await.unwrap().is_empty());
    });
}

#[test]
fn labels_of_an_upstream_count_more_unless_it_is_out_of_reach() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("up", &[]).await;
        world.repository("r1", &["up"]).await;
        publish(&world, "up", "1", "one", "latest").await;
        publish(&world, "r1", "2", "two", "latest").await;
        assert_eq!(listed(&world, "r1").await, "2 two; @latest 2");
        world.set_control("r1", "ball", BOTH).await;
        assert_eq!(listed(&world, "r1").await, "1 one; 2 two; @latest 1");
        let open = world.open("r1").await;
        let ball = package("ball");
        let hidden = open.set_status(&ball, vec!["2".parse().unwrap()], Status::Unlisted);
        hidden.await.unwrap();
        assert_eq!(listed(&world, "r1").await, "1 one; @latest 1");
    });
}

#[test]
fn documents_are_edited_by_who_may_publish_and_by_nobody_else() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        publish(&world, "r1", "1", "one", "latest").await;
        let open = world.open("r1").await;
        let versions = vec!["1".parse().unwrap(), "9".parse().unwrap()];
        let edited = open
            .edit_documents(&package("ball"), versions.clone(), |_, text| {
                Some(format!("{}!", text.unwrap_or_default()))
            })
            .await
            .unwrap();
        assert_eq!(edited.len(), 1);
        assert_eq!(listed(&world, "r1").await, "1 one!; @latest 1");
        let stranger = world
            .catalog
            .open(
                &world.nobody,
                &world.repository_at("r1"),
                &"toy".parse().unwrap(),
            )
            .await
            .unwrap();
        let refused = stranger
            .edit_documents(&package("ball"), versions, |_, _| None)
            .await;
        assert!(matches!(refused, Err(Error::Denied(_))));
        let refused = stranger.label(&package("ball"), Vec::new()).await;
        assert!(matches!(refused, Err(Error::Denied(_))));
    });
}

#[test]
fn what_is_taken_is_looked_into_and_refreshed_in_lists_while_its_registry_says_more() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("up").await;
        world.repository("r1", &["up"]).await;
        world
            .registry
            .put_alone("ball/versions", b"1 good\n2\n@latest 2");
        world.registry.put("ball/1/box", b"inside");
        assert_eq!(listed(&world, "r1").await, "1 good; 2 -; @latest 2");
        let taken = world.read("r1", "ball", "1", "box").await.unwrap();
        assert_eq!(taken, b"inside");
        let (record, manifest) = world.version_of("r1", "ball", "1").await;
        assert_eq!(manifest.summary.as_deref(), Some("inside"));
        assert_eq!(record.status, Status::Published);
        world
            .registry
            .put_alone("ball/versions", b"1 yanked\n2\n3\n@latest 3");
        assert_eq!(listed(&world, "r1").await, "1 yanked; 2 -; 3 -; @latest 3");
        world.registry.go_down();
        let blocked = Restrictions {
            upstream: Restriction::Block,
            ..BOTH
        };
        world.set_control("r1", "ball", blocked).await;
        assert_eq!(listed(&world, "r1").await, "1 inside from ball/1/box");
    });
}

#[test]
fn a_copy_brings_documents_and_labels_along() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.repository("r2", &[]).await;
        publish(&world, "r1", "1", "one", "latest").await;
        label(&world, "r1", "old", Some("1")).await;
        publish(&world, "r1", "2", "two", "latest").await;
        publish(&world, "r2", "3", "three", "old").await;
        let copying = Copying {
            source: world.repository_at("r1"),
            destination: world.repository_at("r2"),
            package: package("ball"),
            versions: vec!["1".parse().unwrap()],
            revisions: std::collections::BTreeMap::new(),
            allow_overwrite: false,
            include_from_upstream: false,
        };
        let copied = world.catalog.copy_versions(&world.admin, copying).await;
        assert_eq!(copied.unwrap().successful.len(), 1);
        assert_eq!(listed(&world, "r2").await, "1 one; 3 three; @old 1");
    });
}

#[test]
fn a_list_is_rendered_once_until_something_in_it_changes() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("up").await;
        world.repository("r1", &["up"]).await;
        world.registry.put_alone("ball/versions", b"1\n");
        let renderings = Arc::new(AtomicUsize::new(0));
        let ball = package("ball");
        let rendered = async || {
            let count = Arc::clone(&renderings);
            let open = world.open("r1").await;
            let page = open.rendered(&ball, "page", move |listing| {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(Page(page(&listing)))
            });
            let page = page.await.unwrap().unwrap();
            (page.0.clone(), renderings.load(Ordering::Relaxed))
        };
        // On PostgreSQL a node hears of its own writes once more, a moment later.
        let kept = async || {
            for _ in 0..100 {
                let (before, after) = (rendered().await, rendered().await);
                if before == after {
                    return after;
                }
            }
            panic!("it is rendered anew each time");
        };
        let (text, count) = kept().await;
        assert_eq!(text, "1 -");
        assert!(count >= 1);
        // What was written before may still be heard of, a few times; each of these would be once more.
        for number in 0..20 {
            let version = (number % 2 == 0).then(|| "1".parse().unwrap());
            let other = vec![("mine".to_owned(), version)];
            let open = world.open("r1").await;
            open.label(&package("bat"), other).await.unwrap();
            kept().await;
        }
        let rendered_since = kept().await.1 - count;
        assert!(rendered_since < 20, "another package changed");
        world.registry.put_alone("ball/versions", b"1\n2\n");
        assert_eq!(kept().await.0, "1 -; 2 -");
        label(&world, "r1", "mine", Some("1")).await;
        assert_eq!(kept().await.0, "1 -; 2 -; @mine 1");
        label(&world, "up", "mine", Some("2")).await;
        let (text, count) = kept().await;
        assert_eq!(text, "1 -; 2 -; @mine 2");
        world.group("/toy/*").await;
        assert!(rendered().await.1 > count);
        let stranger = world
            .catalog
            .open(
                &world.nobody,
                &world.repository_at("r1"),
                &"toy".parse().unwrap(),
            )
            .await
            .unwrap();
        let refused = stranger.rendered(&ball, "page", |_| Ok(Page(String::new())));
        assert!(matches!(refused.await, Err(Error::Denied(_))));
    });
}

#[test]
fn bytes_may_come_before_their_version_is_known() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let open = world.open("r1").await;
        let mut receiving = open.receive(&package("ball")).await.unwrap();
        receiving.write(Bytes::from_static(b"in")).await.unwrap();
        receiving.write(Bytes::from_static(b"side")).await.unwrap();
        let received = receiving.seal().await.unwrap();
        assert_eq!(received.size_bytes(), 6);
        let mut reader = received.reader();
        let text = std::io::read_to_string(&mut reader).unwrap();
        assert_eq!(text, "inside");
        let mut publication = open.publish(&version("ball", "1")).await.unwrap();
        let wrong = Promise {
            size_bytes: Some(7),
            ..Promise::default()
        };
        let name = "box".parse().unwrap();
        let refused = publication.add_received(name, received, &wrong, None).await;
        assert!(matches!(refused, Err(Error::Mismatch(_))));
        let mut receiving = open.receive(&package("ball")).await.unwrap();
        receiving
            .write(Bytes::from_static(b"inside"))
            .await
            .unwrap();
        let received = receiving.seal().await.unwrap();
        let name = "box".parse().unwrap();
        let promise = Promise::default();
        publication
            .add_received(name, received, &promise, Some("{}".to_owned()))
            .await
            .unwrap();
        publication.commit(Then::Publish).await.unwrap();
        assert_eq!(
            world.read("r1", "ball", "1", "box").await.unwrap(),
            b"inside"
        );
        let listing = open.package(&package("ball")).await.unwrap().unwrap();
        let file = &listing.versions[0].assets[0];
        assert_eq!(file.document.as_deref(), Some("{}"));
        assert_eq!(file.bytes.size_bytes, Some(6));
        let names = open.packages(None, 10).await.unwrap();
        assert_eq!(names, [package("ball")]);
        world
            .set_control(
                "r1",
                "ball",
                Restrictions {
                    publish: Restriction::Block,
                    ..BOTH
                },
            )
            .await;
        assert!(matches!(
            open.receive(&package("ball")).await,
            Err(Error::Blocked { .. })
        ));
        let id = asset("ball", "1", "box");
        assert!(open.asset(&id, Purpose::Take).await.is_ok());
    });
}
