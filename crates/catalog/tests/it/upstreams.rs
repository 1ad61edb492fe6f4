//! Upstream repositories: order, retention, origin controls.

use catalog::{Error, Then};

use crate::world::over_each;

#[test]
fn repositories_are_asked_depth_first_and_the_first_that_has_it_wins() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        for name in ["e1", "c1", "b1"] {
            world.repository(name, &[]).await;
        }
        world.repository("d1", &["e1"]).await;
        world.repository("a1", &["c1", "d1"]).await;
        world.repository("my", &["a1", "b1"]).await;
        for name in ["b1", "e1"] {
            world.put(name, "ball", "1", name.as_bytes()).await;
        }
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"e1");
        // Retained where it was asked for, and not in between.
        assert_eq!(world.recorded("my", "ball").await, ["1 Published"]);
        for name in ["a1", "d1", "c1"] {
            assert!(world.recorded(name, "ball").await.is_empty(), "{name}");
        }
        world
            .catalog
            .delete_repository(&world.admin, &world.repository_at("e1"))
            .await
            .unwrap();
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"e1");
    });
}

#[test]
fn a_circle_of_upstreams_ends() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("a1", &[]).await;
        world.repository("b1", &["a1"]).await;
        let at = world.repository_at("a1");
        let permit = world
            .catalog
            .repository(&world.admin, catalog::Action::UpdateRepository, &at)
            .await
            .unwrap();
        let upstreams = Some(vec!["b1".parse().unwrap()]);
        permit
            .update(catalog::RepositoryChange {
                description: None,
                upstreams,
            })
            .await
            .unwrap();
        assert!(matches!(
            world.read("a1", "ball", "1", "f").await,
            Err(Error::NotFound { .. })
        ));
        assert!(world.listed("a1", "ball").await.is_none());
    });
}

#[test]
fn lists_are_merged_until_an_own_publish_blocks_upstreams() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("up", &[]).await;
        world.repository("my", &["up"]).await;
        world.put("up", "ball", "1", b"1").await;
        world.put("up", "ball", "2", b"2").await;
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["1", "2"]);
        assert!(
            world.recorded("my", "ball").await.is_empty(),
            "lists retain nothing"
        );
        // A number that an upstream has is taken; another one is not, and shuts the upstreams off.
        let taken = world
            .publish("my", "ball", "2", "f", b"own", Then::Publish)
            .await;
        assert!(matches!(taken, Err(Error::Conflict { .. })));
        world.put("my", "ball", "3", b"own").await;
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["3"]);
        assert!(matches!(
            world.read("my", "ball", "1", "f").await,
            Err(Error::NotFound { .. })
        ));
        world.put("my", "ball", "2", b"own").await;
    });
}

#[test]
fn what_was_retained_first_cannot_be_published_to() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("up", &[]).await;
        world.repository("my", &["up"]).await;
        world.put("up", "ball", "1", b"1").await;
        world.read("my", "ball", "1", "f").await.unwrap();
        let refused = world
            .publish("my", "ball", "2", "f", b"own", Then::Publish)
            .await;
        assert!(matches!(refused, Err(Error::Blocked { .. })));
    });
}

#[test]
fn an_unfinished_version_stops_the_search_behind_it() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("far", &[]).await;
        world.repository("near", &["far"]).await;
        world.repository("my", &["near"]).await;
        world
            .publish("near", "ball", "1", "f", b"near", Then::Leave)
            .await
            .unwrap();
        world.put("far", "ball", "1", b"far").await;
        assert!(matches!(
            world.read("my", "ball", "1", "f").await,
            Err(Error::Held(_))
        ));
    });
}

#[test]
fn no_more_than_25_upstreams_are_asked() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("u27", &[]).await;
        for number in (1..27).rev() {
            let upstream = format!("u{}", number + 1);
            world.repository(&format!("u{number}"), &[&upstream]).await;
        }
        world.put("u27", "ball", "1", b"far").await;
        // From u1 the 26th upstream is u27; from u2 it is the 25th.
        assert!(matches!(
            world.read("u1", "ball", "1", "f").await,
            Err(Error::NotFound { .. })
        ));
        assert_eq!(world.read("u2", "ball", "1", "f").await.unwrap(), b"far");
    });
}

#[test]
fn a_file_that_cannot_be_kept_is_sent_all_the_same() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("team", &[]).await;
        world.repository("my", &["team"]).await;
        let publish = async |file: &str| {
            world
                .publish("team", "ball", "1", file, b"x", Then::Publish)
                .await
        };
        for file in ["a", "b", "c"] {
            publish(file).await.unwrap();
        }
        world.read("my", "ball", "1", "a").await.unwrap();
        // The same version of the same origin, with other files: together they are more than a version may have.
        let at = world.repository_at("team");
        let package = crate::toy::package("ball");
        let action = catalog::Action::DeletePackage;
        let permit = world.catalog.package(&world.admin, action, &at, &package);
        permit.await.unwrap().delete().await.unwrap();
        for file in ["d", "e"] {
            publish(file).await.unwrap();
        }
        assert_eq!(world.read("my", "ball", "1", "d").await.unwrap(), b"x");
        let id = crate::toy::version("ball", "1");
        let kept = world.open("my").await.assets(&id).await.unwrap();
        let kept: Vec<_> = kept.iter().map(|asset| asset.name.as_str()).collect();
        assert_eq!(kept, ["a", "b", "c"]);
    });
}
