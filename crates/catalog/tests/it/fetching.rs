//! Taking files from a public registry.

use catalog::{Error, OriginType, Purpose, RemoteError};

use crate::toy::{asset, package};
use crate::world::{bytes_of, over_each};

#[test]
fn fifty_clients_cause_one_download_and_all_get_the_bytes() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.repository("my", &["store"]).await;
        let body: Vec<u8> = (0..3_000_000_u32)
            .map(|n| u8::try_from(n % 253).unwrap())
            .collect();
        world.registry.put("ball/1/f", &body);
        let gate = world.registry.stall();
        let world = std::sync::Arc::new(world);
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let world = std::sync::Arc::clone(&world);
                tokio::spawn(async move { world.read("my", "ball", "1", "f").await.unwrap() })
            })
            .collect();
        gate.add_permits(1_000);
        for client in clients {
            assert!(client.await.unwrap() == body);
        }
        assert_eq!(world.registry.asked("ball/1/f"), 1);
        for repository in ["store", "my"] {
            let versions = world
                .open(repository)
                .await
                .versions(&package("ball"))
                .await
                .unwrap();
            assert_eq!(versions.len(), 1, "{repository}");
            assert_eq!(versions[0].origin.origin_type, OriginType::External);
        }
        world.registry.go_down();
        assert!(world.read("my", "ball", "1", "f").await.unwrap() == body);
    });
}

#[test]
fn a_client_receives_bytes_before_the_registry_has_sent_them_all() {
    over_each(|world| async move {
        use futures_util::StreamExt as _;
        let world = world.with_domain().await;
        world.connected("store").await;
        world.registry.put("ball/1/f", &vec![7; 3_000_000]);
        let gate = world.registry.stall();
        let opened = world
            .open("store")
            .await
            .asset(&asset("ball", "1", "f"), Purpose::Take)
            .await
            .unwrap();
        assert!(opened.digests().is_none());
        let mut body = opened.bytes(None).await.unwrap();
        let first = body.next().await.unwrap().unwrap();
        assert!(!first.is_empty());
        gate.add_permits(10);
        let mut length = first.len();
        while let Some(piece) = body.next().await {
            length += piece.unwrap().len();
        }
        assert_eq!(length, 3_000_000);
        // Whoever has the last byte finds the version recorded.
        assert_eq!(world.recorded("store", "ball").await, ["1 Published"]);
        let settled = opened.settled().await.unwrap();
        assert_eq!(settled.size_bytes(), Some(3_000_000));
    });
}

#[test]
fn wrong_bytes_are_asked_for_once_more_and_never_kept() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        for (name, size) in [("small", 1_000), ("large", 3_000_000)] {
            world.registry.put(&format!("{name}/1/f"), &vec![1; size]);
            world
                .registry
                .put_alone(&format!("{name}/1/f"), &vec![2; size]);
            let outcome = world
                .open("store")
                .await
                .asset(&asset(name, "1", "f"), Purpose::Take)
                .await;
            match outcome {
                Err(error) => assert!(
                    matches!(error, Error::Remote(RemoteError::Wrong { .. })),
                    "{error}"
                ),
                // A large one is on its way already: then its body breaks.
                Ok(arriving) => assert!(bytes_of(&arriving).await.is_err()),
            }
            for _ in 0..100 {
                if world.registry.asked(&format!("{name}/1/f")) == 2 {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            assert_eq!(world.registry.asked(&format!("{name}/1/f")), 2);
            assert!(world.recorded("store", name).await.is_empty());
        }
        world.registry.put("small/1/f", &[1; 1_000]);
        assert_eq!(
            world.read("store", "small", "1", "f").await.unwrap(),
            [1; 1_000]
        );
    });
}

#[test]
fn a_registry_that_is_down_is_not_a_file_that_is_not_there() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.repository("my", &["store"]).await;
        assert!(matches!(
            world.read("my", "ball", "1", "f").await,
            Err(Error::NotFound { .. })
        ));
        world.registry.put("ball/versions", b"1\n2");
        world.registry.put("ball/1/f", b"one");
        world.read("my", "ball", "1", "f").await.unwrap();
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["1", "2"]);
        world.registry.go_down();
        assert!(matches!(
            world.read("my", "ball", "2", "f").await,
            Err(Error::Remote(_))
        ));
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"one");
        assert_eq!(
            world.listed("my", "ball").await.unwrap(),
            ["1", "2"],
            "the old list is used"
        );
        let unknown = world.open("my").await.package(&package("bear")).await;
        assert!(matches!(unknown, Err(Error::Remote(_))));
    });
}

#[test]
fn what_is_recorded_behind_a_registry_that_is_down_is_served_and_not_kept() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.connected("other").await;
        world.repository("team", &[]).await;
        world.repository("my", &["store", "team", "other"]).await;
        world.registry.put("bear/1/f", b"bear");
        world.read("other", "bear", "1", "f").await.unwrap();
        for version in ["1", "2"] {
            world.put("team", "ball", version, b"own").await;
        }
        let at = world.repository_at("team");
        let action = catalog::Action::UpdatePackageVersionsStatus;
        let (catalog, id) = (&world.catalog, package("ball"));
        let ball = catalog.package(&world.admin, action, &at, &id).await;
        let selection = catalog::Selection {
            versions: vec!["2".parse().unwrap()],
            ..catalog::Selection::default()
        };
        let archived = catalog::Status::Archived;
        let ball = ball.unwrap();
        ball.set_status(selection, archived).await.unwrap();
        world.registry.go_down();
        for (name, body) in [("ball", "own"), ("bear", "bear")] {
            let read = world.read("my", name, "1", "f").await.unwrap();
            assert_eq!(read, body.as_bytes());
            assert!(world.recorded("my", name).await.is_empty(), "{name}");
        }
        // What is held back there may be at the registry: nobody can say that it is not to be had.
        for version in ["2", "3"] {
            let read = world.read("my", "ball", version, "f").await;
            assert!(matches!(read, Err(Error::Remote(_))), "{version}");
        }
    });
}

#[test]
fn what_a_registry_does_not_have_is_forgotten_after_a_day_and_what_it_has_is_not() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.registry.put("ball/versions", b"1");
        assert_eq!(world.listed("store", "ball").await.unwrap(), ["1"]);
        assert!(world.listed("store", "bear").await.is_none());
        let documents = async || {
            let sql = "SELECT path FROM remote_documents ORDER BY path";
            let rows = world.database.rows(sql, Vec::new()).await.unwrap();
            let paths = rows.iter().map(|row| row.text("path").unwrap());
            paths.collect::<Vec<_>>()
        };
        world.catalog.sweep().await.unwrap();
        assert_eq!(documents().await, ["ball/versions", "bear/versions"]);
        world
            .clock
            .advance(std::time::Duration::from_hours(400 * 24));
        world.catalog.sweep().await.unwrap();
        assert_eq!(documents().await, ["ball/versions"]);
        world.registry.go_down();
        assert_eq!(world.listed("store", "ball").await.unwrap(), ["1"]);
    });
}

#[test]
fn a_further_file_of_a_fetched_version_is_added_and_of_a_published_one_is_not() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.repository("my", &["store"]).await;
        world.registry.put("ball/1/f", b"f");
        world.registry.put("ball/1/g", b"g");
        world.registry.put("bear/1/g", b"g");
        world.read("my", "ball", "1", "f").await.unwrap();
        assert_eq!(world.read("my", "ball", "1", "g").await.unwrap(), b"g");
        let names = world
            .open("my")
            .await
            .assets(&crate::toy::version("ball", "1"))
            .await
            .unwrap();
        assert_eq!(names.len(), 2);
        world.put("my", "bear", "2", b"own").await;
        assert!(matches!(
            world.read("my", "bear", "2", "g").await,
            Err(Error::NotFound { .. })
        ));
    });
}

#[test]
fn looking_keeps_nothing_and_a_client_that_hangs_up_wastes_nothing() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.registry.put("ball/1/f", &vec![1; 2_000_000]);
        let seen = world
            .open("store")
            .await
            .asset(&asset("ball", "1", "f"), Purpose::Look)
            .await
            .unwrap();
        assert_eq!(seen.size_bytes(), Some(2_000_000));
        assert!(world.recorded("store", "ball").await.is_empty());
        let gate = world.registry.stall();
        let opened = world
            .open("store")
            .await
            .asset(&asset("ball", "1", "f"), Purpose::Take)
            .await
            .unwrap();
        drop(opened);
        gate.add_permits(10);
        world.catalog.drain().await;
        assert_eq!(world.recorded("store", "ball").await, ["1 Published"]);
    });
}
