//! Publishing and reading back.

use catalog::{
    Action, Error, GroupChange, GroupMode, GroupRestriction, Kind, Promise, Purpose, Restriction,
    Restrictions, Settle, Then, VersionFilter,
};
use store::sha256_hex;

use crate::toy::{asset, package, version};
use crate::world::{bytes_of, over_each, stream};

#[test]
fn what_was_published_is_read_back_with_its_digests() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let body: Vec<u8> = (0..700_000_u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        let published = world
            .publish("r1", "ball", "1", "ball.bin", &body, Then::Publish)
            .await
            .unwrap();
        assert!(published.is_new);
        assert_eq!(published.version.revision.len(), 44);
        let opened = world
            .open("r1")
            .await
            .asset(&asset("ball", "1", "ball.bin"), Purpose::Take)
            .await
            .unwrap();
        assert_eq!(opened.digests().unwrap().sha256, sha256_hex(&body));
        assert_eq!(bytes_of(&opened).await.unwrap(), body);
        let piece = bytes_of_range(&opened, 299_999..300_001).await;
        assert_eq!(piece, body[299_999..300_001]);
    });
}

#[test]
fn equal_bytes_again_are_no_change_and_others_are_refused() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let first = world.put("r1", "ball", "1", b"one").await;
        let again = world.put("r1", "ball", "1", b"one").await;
        assert!(!again.is_new);
        assert_eq!(first.version.revision, again.version.revision);
        let other = world
            .publish("r1", "ball", "1", "f", b"two", Then::Publish)
            .await
            .unwrap_err();
        assert!(matches!(
            other,
            Error::Conflict {
                kind: Kind::Asset,
                ..
            }
        ));
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), b"one");
        let more = world
            .publish("r1", "ball", "1", "g", b"more", Then::Publish)
            .await
            .unwrap();
        assert_ne!(first.version.revision, more.version.revision);
    });
}

#[test]
fn a_broken_promise_keeps_nothing() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let promise = Promise {
            sha256: Some(sha256_hex(b"other")),
            ..Promise::default()
        };
        let mut publication = world
            .open("r1")
            .await
            .publish(&version("ball", "1"))
            .await
            .unwrap();
        let refused = publication
            .add("f".parse().unwrap(), stream(b"bytes"), &promise)
            .await;
        assert!(matches!(refused, Err(Error::Mismatch(_))));
        drop(publication);
        assert!(world.recorded("r1", "ball").await.is_empty());
        let permit = world
            .catalog
            .package(
                &world.admin,
                Action::DescribePackage,
                &world.repository_at("r1"),
                &package("ball"),
            )
            .await
            .unwrap();
        assert!(matches!(
            permit.describe().await,
            Err(Error::NotFound {
                kind: Kind::Package,
                ..
            })
        ));
    });
}

#[test]
fn an_unfinished_version_is_neither_listed_nor_served_until_it_is_finished() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world
            .publish("r1", "ball", "1", "f", b"one", Then::Leave)
            .await
            .unwrap();
        world
            .publish("r1", "ball", "1", "g", b"two", Then::Leave)
            .await
            .unwrap();
        assert_eq!(world.recorded("r1", "ball").await, ["1 Unfinished"]);
        assert_eq!(
            world.listed("r1", "ball").await.unwrap(),
            Vec::<String>::new()
        );
        assert!(matches!(
            world.read("r1", "ball", "1", "f").await,
            Err(Error::Held(_))
        ));
        let changed = world
            .open("r1")
            .await
            .settle(
                &package("ball"),
                vec![
                    Settle::Publish("1".parse().unwrap()),
                    Settle::Publish("9".parse().unwrap()),
                ],
            )
            .await
            .unwrap();
        assert_eq!(changed.len(), 1);
        assert_eq!(world.listed("r1", "ball").await.unwrap(), ["1"]);
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), b"one");
    });
}

#[test]
fn a_staged_version_takes_the_place_of_the_current_one() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let replace = |staged: &str, keep_as: Option<&str>| Settle::Replace {
            current: "1-S".parse().unwrap(),
            staged: staged.parse().unwrap(),
            keep_as: keep_as.map(|name| name.parse().unwrap()),
        };
        world
            .publish("r1", "ball", "1-a", "fa", b"a", Then::Leave)
            .await
            .unwrap();
        world
            .open("r1")
            .await
            .settle(&package("ball"), vec![replace("1-a", None)])
            .await
            .unwrap();
        world
            .publish("r1", "ball", "1-b", "fb", b"b", Then::Leave)
            .await
            .unwrap();
        world
            .open("r1")
            .await
            .settle(&package("ball"), vec![replace("1-b", Some("1-a"))])
            .await
            .unwrap();
        assert_eq!(
            world.recorded("r1", "ball").await,
            ["1-S Published", "1-a Unlisted"]
        );
        assert_eq!(world.listed("r1", "ball").await.unwrap(), ["1-S"]);
        assert_eq!(world.read("r1", "ball", "1-S", "fb").await.unwrap(), b"b");
        assert_eq!(world.read("r1", "ball", "1-a", "fa").await.unwrap(), b"a");
    });
}

#[test]
fn of_two_publishers_of_one_file_one_wins_and_the_bytes_are_whole() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let bodies: Vec<Vec<u8>> = (0..8_u8).map(|n| vec![n; 50_000]).collect();
        let racing = bodies
            .iter()
            .map(|body| world.publish("r1", "ball", "1", "f", body, Then::Publish));
        let outcomes = futures_util::future::join_all(racing).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(
            outcomes
                .iter()
                .filter_map(|outcome| outcome.as_ref().err())
                .all(|error| matches!(error, Error::Conflict { .. }))
        );
        let winner = outcomes.iter().position(Result::is_ok).unwrap();
        assert_eq!(
            world.read("r1", "ball", "1", "f").await.unwrap(),
            bodies[winner]
        );
    });
}

#[test]
fn a_block_that_is_set_while_bytes_come_keeps_them_out() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.repository("r2", &[]).await;
        world.group("/toy//*").await;
        let begun = async |repository: &str, name: &str| {
            let open = world.open(repository).await;
            let mut publication = open.publish(&version(name, "1")).await.unwrap();
            let body = stream(&[7; 3000]);
            let promise = Promise::default();
            let added = publication.add("f".parse().unwrap(), body, &promise);
            added.await.unwrap();
            publication
        };
        let modes = |mode| world_modes(&world, mode);

        let publication = begun("r1", "ball").await;
        modes(GroupMode::Block).await;
        let refused = publication.commit(Then::Publish).await;
        assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");
        assert!(world.recorded("r1", "ball").await.is_empty());

        // A list counts as it is then, too.
        modes(GroupMode::Allow).await;
        let (listed, other) = (begun("r1", "ball").await, begun("r2", "ball").await);
        let only = GroupChange {
            modes: [(
                GroupRestriction::Publish,
                GroupMode::AllowSpecificRepositories,
            )]
            .into(),
            add: vec![(GroupRestriction::Publish, "r1".parse().unwrap())],
            ..GroupChange::default()
        };
        world.rule("/toy//*", only).await;
        listed.commit(Then::Publish).await.unwrap();
        let refused = other.commit(Then::Publish).await;
        assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");

        // So does the package's own control.
        modes(GroupMode::Allow).await;
        let publication = begun("r2", "bear").await;
        let blocked = Restrictions {
            publish: Restriction::Block,
            upstream: Restriction::Allow,
        };
        world.set_control("r2", "bear", blocked).await;
        let refused = publication.commit(Then::Publish).await;
        assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");

        // And that the repository is there.
        let publication = begun("r2", "car").await;
        let at = world.repository_at("r2");
        let deleted = world.catalog.delete_repository(&world.admin, &at);
        deleted.await.unwrap();
        let refused = publication.commit(Then::Publish).await;
        assert!(
            matches!(refused, Err(Error::NotFound { .. })),
            "{refused:?}"
        );
    });
}

async fn world_modes(world: &crate::world::World, mode: GroupMode) {
    let modes = [(GroupRestriction::Publish, mode)];
    world.set_modes("/toy//*", &modes).await;
}

#[test]
fn limits_are_kept() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        let large = vec![0; (8 << 20) + 1];
        let refused = world
            .publish("r1", "ball", "1", "f", &large, Then::Publish)
            .await;
        assert!(matches!(
            refused,
            Err(Error::TooLarge {
                limit_bytes: 8_388_608
            })
        ));
        for file in ["a", "b", "c", "d"] {
            world
                .publish("r1", "ball", "1", file, b"x", Then::Publish)
                .await
                .unwrap();
        }
        let refused = world
            .publish("r1", "ball", "1", "e", b"x", Then::Publish)
            .await;
        assert!(matches!(refused, Err(Error::Quota { .. })));
        let described = world
            .publish("r1", "bear", "1", "about.txt", &[0xff], Then::Publish)
            .await;
        assert!(matches!(described, Err(Error::Invalid(_))));
    });
}

#[test]
fn the_api_reads_descriptions_assets_and_pages_of_versions() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for (of, file) in [("1", "b"), ("1", "a"), ("2", "a"), ("3", "a")] {
            world
                .publish("r1", "ball", of, file, of.as_bytes(), Then::Publish)
                .await
                .unwrap();
            world.clock.advance(std::time::Duration::from_secs(1));
        }
        world
            .publish("r1", "ball", "2", "about.txt", b"round", Then::Publish)
            .await
            .unwrap();
        let permit = world
            .catalog
            .package(
                &world.admin,
                Action::ListPackageVersions,
                &world.repository_at("r1"),
                &package("ball"),
            )
            .await
            .unwrap();
        let filter = VersionFilter {
            newest_first: true,
            ..VersionFilter::default()
        };
        let page = permit.versions(filter, None, 2).await.unwrap();
        let text = |page: &catalog::Page<catalog::VersionRecord>| {
            page.items
                .iter()
                .map(|row| row.version.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(text(&page), ["3", "2"]);
        assert_eq!(
            text(
                &permit
                    .versions(filter, page.next.as_deref(), 2)
                    .await
                    .unwrap()
            ),
            ["1"]
        );
        assert_eq!(
            permit
                .default_display_version()
                .await
                .unwrap()
                .unwrap()
                .as_str(),
            "3"
        );
        let two = "2".parse().unwrap();
        assert_eq!(
            permit.version(&two).await.unwrap().1.summary.as_deref(),
            Some("round")
        );
        let (record, assets) = permit.assets(&two, None, 1).await.unwrap();
        assert_eq!(
            (assets.items[0].name.as_str(), assets.next.as_deref()),
            ("a", Some("a"))
        );
        let file = "a".parse().unwrap();
        assert!(
            permit
                .asset(&two, &file, Some(&record.revision))
                .await
                .is_ok()
        );
        assert!(matches!(
            permit.asset(&two, &file, Some("other")).await,
            Err(Error::Conflict { .. })
        ));
        let missing = permit
            .asset(&two, &"zz".parse().unwrap(), None)
            .await
            .err()
            .unwrap();
        assert!(matches!(
            missing,
            Error::NotFound {
                kind: Kind::Asset,
                ..
            }
        ));
        let missing = permit.version(&"9".parse().unwrap()).await.err().unwrap();
        assert!(matches!(
            missing,
            Error::NotFound {
                kind: Kind::PackageVersion,
                ..
            }
        ));
    });
}

#[test]
fn the_sweep_takes_what_nobody_refers_to_and_nothing_else() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.put("r1", "ball", "1", &[1; 5000]).await;
        world.put("r1", "bear", "1", &[2; 5000]).await;
        let mut lost = world
            .open("r1")
            .await
            .publish(&version("car", "1"))
            .await
            .unwrap();
        lost.add(
            "f".parse().unwrap(),
            stream(&[3; 5000]),
            &Promise::default(),
        )
        .await
        .unwrap();
        drop(lost);
        assert_eq!(
            world.catalog.sweep().await.unwrap().blobs,
            0,
            "bytes are left alone for a day"
        );
        // Blobs are dated by the clock of the disk, which is later than that of this test.
        world.clock.set(
            aws::Clock::system()
                .now()
                .plus(std::time::Duration::from_hours(48)),
        );
        assert_eq!(world.catalog.sweep().await.unwrap().blobs, 1);
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), [1; 5000]);
        assert_eq!(world.read("r1", "bear", "1", "f").await.unwrap(), [2; 5000]);
    });
}

async fn bytes_of_range(asset: &catalog::Asset, range: std::ops::Range<u64>) -> Vec<u8> {
    use futures_util::TryStreamExt as _;
    let body = asset.bytes(Some(range)).await.unwrap();
    body.map_ok(|piece| piece.to_vec())
        .try_concat()
        .await
        .unwrap()
}
