//! Status, disposal, deletion and copies.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{
    Action, Copying, Error, FailureCode, Outcomes, PackageAt, Permit, Restriction, Restrictions,
    Selection, Status, Then,
};

use crate::toy::package;
use crate::world::{World, over_each};

async fn permit(world: &World, repository: &str, action: Action) -> Permit<PackageAt> {
    let at = world.repository_at(repository);
    world
        .catalog
        .package(&world.admin, action, &at, &package("ball"))
        .await
        .unwrap()
}

fn select(versions: &[&str]) -> Selection {
    Selection {
        versions: versions.iter().map(|text| text.parse().unwrap()).collect(),
        ..Selection::default()
    }
}

fn failures(outcomes: &Outcomes) -> Vec<String> {
    outcomes
        .failed
        .iter()
        .map(|(version, (code, message))| format!("{version} {} {message}", code.as_str()))
        .collect()
}

#[test]
fn all_versions_change_or_none_does() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for of in ["1", "2"] {
            world.put("r1", "ball", of, of.as_bytes()).await;
        }
        let permit = permit(&world, "r1", Action::UpdatePackageVersionsStatus).await;
        let outcomes = permit
            .set_status(select(&["1", "2", "9"]), Status::Archived)
            .await
            .unwrap();
        assert_eq!(
            failures(&outcomes),
            [
                "1 SKIPPED version 1 is skipped",
                "2 SKIPPED version 2 is skipped",
                "9 NOT_FOUND Could not find version 9"
            ]
        );
        assert_eq!(
            world.recorded("r1", "ball").await,
            ["1 Published", "2 Published"]
        );

        let expected = Selection {
            expected: Some(Status::Unlisted),
            ..select(&["1"])
        };
        let outcomes = permit.set_status(expected, Status::Archived).await.unwrap();
        assert_eq!(
            failures(&outcomes),
            ["1 MISMATCHED_STATUS current status: Published, expected status: Unlisted"]
        );

        let outcomes = permit
            .set_status(select(&["1"]), Status::Unlisted)
            .await
            .unwrap();
        assert_eq!(outcomes.successful.len(), 1);
        assert_eq!(world.listed("r1", "ball").await.unwrap(), ["2"]);
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), b"1");
        permit
            .set_status(select(&["1"]), Status::Archived)
            .await
            .unwrap();
        assert!(matches!(
            world.read("r1", "ball", "1", "f").await,
            Err(Error::Held(_))
        ));
        let again = world
            .publish("r1", "ball", "1", "g", b"g", Then::Publish)
            .await;
        assert!(matches!(again, Err(Error::Conflict { .. })));
        assert!(matches!(
            permit.set_status(select(&["1"]), Status::Disposed).await,
            Err(Error::Invalid(_))
        ));
    });
}

#[test]
fn a_disposed_version_stays_known_and_a_deleted_one_can_come_again() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.put("r1", "ball", "1", b"1").await;
        let permit = permit(&world, "r1", Action::DisposePackageVersions).await;
        let outcomes = permit.dispose(select(&["1"])).await.unwrap();
        assert_eq!(
            outcomes.successful.values().next().unwrap().1,
            Some(Status::Disposed)
        );
        assert!(
            permit
                .dispose(select(&["1"]))
                .await
                .unwrap()
                .failed
                .is_empty()
        );
        let outcomes = permit
            .set_status(select(&["1"]), Status::Published)
            .await
            .unwrap();
        assert_eq!(
            outcomes.failed.values().next().unwrap().0,
            FailureCode::NotAllowed
        );
        assert!(
            world
                .publish("r1", "ball", "1", "f", b"1", Then::Publish)
                .await
                .is_err()
        );

        let outcomes = permit.delete_versions(select(&["1"])).await.unwrap();
        assert_eq!(outcomes.successful.values().next().unwrap().1, None);
        world.put("r1", "ball", "1", b"other").await;
        let before = world.clock.now();
        world.clock.advance(std::time::Duration::from_secs(1));
        permit.delete().await.unwrap();
        assert!(matches!(permit.delete().await, Err(Error::NotFound { .. })));
        assert!(permit.at(world.clock.now()).await.unwrap().is_none());
        assert_eq!(permit.at(before).await.unwrap().unwrap().versions.len(), 1);
    });
}

#[test]
fn origin_controls_set_before_the_first_version_stay() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("store").await;
        world.registry.put("ball/1/f", b"public");
        let permit = permit(&world, "store", Action::PutPackageOriginConfiguration).await;
        let closed = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Block,
        };
        permit.set_restrictions(closed).await.unwrap();
        assert!(matches!(
            world.read("store", "ball", "1", "f").await,
            Err(Error::NotFound { .. })
        ));
        world.put("store", "ball", "1", b"own").await;
        assert_eq!(permit.describe().await.unwrap().restrictions, closed);
    });
}

#[test]
fn copies_share_bytes_and_ignore_origin_controls() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("far", &[]).await;
        world.repository("from", &["far"]).await;
        world.repository("to", &[]).await;
        world.put("from", "ball", "1", b"one").await;
        world.put("far", "ball", "2", b"two").await;
        let copying = |versions: &[&str], overwrite, upstream| Copying {
            source: world.repository_at("from"),
            destination: world.repository_at("to"),
            package: package("ball"),
            versions: versions.iter().map(|text| text.parse().unwrap()).collect(),
            revisions: BTreeMap::new(),
            allow_overwrite: overwrite,
            include_from_upstream: upstream,
        };
        let copy = async |copying| {
            world
                .catalog
                .copy_versions(&world.admin, copying)
                .await
                .unwrap()
        };
        let outcomes = copy(copying(&["1", "2"], false, false)).await;
        assert_eq!(
            failures(&outcomes),
            [
                "1 SKIPPED Version 1 was skipped",
                "2 NOT_FOUND Could not find version 2"
            ]
        );
        assert_eq!(
            copy(copying(&["1", "2"], false, true))
                .await
                .successful
                .len(),
            2
        );
        assert_eq!(world.read("to", "ball", "2", "f").await.unwrap(), b"two");
        let same = copy(copying(&["1"], false, false)).await;
        assert_eq!(same, Outcomes::default());

        let to = permit(&world, "to", Action::DeletePackageVersions).await;
        to.delete_versions(select(&["1"])).await.unwrap();
        let closed = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Block,
        };
        to.set_restrictions(closed).await.unwrap();
        world.put("to", "ball", "1", b"different").await;
        let outcomes = copy(copying(&["1"], false, false)).await;
        assert_eq!(
            failures(&outcomes),
            ["1 ALREADY_EXISTS Version 1 already exists"]
        );
        assert_eq!(copy(copying(&["1"], true, false)).await.successful.len(), 1);
        assert_eq!(world.read("to", "ball", "1", "f").await.unwrap(), b"one");
    });
}

#[test]
fn a_copy_over_another_version_is_one_change_of_it() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("from", &[]).await;
        world.repository("to", &[]).await;
        for (repository, file, body) in [
            ("from", "f", "one"),
            ("from", "g", "both"),
            ("to", "f", "other"),
            ("to", "h", "gone"),
        ] {
            world
                .publish(
                    repository,
                    "ball",
                    "1",
                    file,
                    body.as_bytes(),
                    Then::Publish,
                )
                .await
                .unwrap();
        }
        let from = permit(&world, "from", Action::UpdatePackageVersionsStatus).await;
        from.set_status(select(&["1"]), Status::Unlisted)
            .await
            .unwrap();
        let told = world.catalog.happenings(100).await.unwrap().len();
        let copying = Copying {
            source: world.repository_at("from"),
            destination: world.repository_at("to"),
            package: package("ball"),
            versions: vec!["1".parse().unwrap()],
            revisions: BTreeMap::new(),
            allow_overwrite: true,
            include_from_upstream: false,
        };
        let copied = world.catalog.copy_versions(&world.admin, copying);
        let copied = copied.await.unwrap().successful;
        let original = permit(&world, "from", Action::DescribePackageVersion).await;
        let (original, _) = original.version(&"1".parse().unwrap()).await.unwrap();
        let expected = (original.revision, Some(Status::Unlisted));
        assert_eq!(copied[&"1".parse().unwrap()], expected);

        let happenings = world.catalog.happenings(100).await.unwrap();
        let new: Vec<_> = happenings
            .iter()
            .filter(|one| one.place.name.as_str() == "to")
            .collect();
        assert_eq!(happenings.len(), told + 1);
        let last = new.last().unwrap();
        let files = |state: &Option<catalog::change::VersionState>| -> Vec<String> {
            let assets = &state.as_ref().unwrap().assets;
            assets.iter().map(|(name, ..)| name.to_string()).collect()
        };
        assert_eq!(files(&last.before), ["f", "h"]);
        assert_eq!(files(&last.after), ["f", "g"]);
    });
}

#[test]
fn what_is_so_already_changes_nothing() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world
            .publish("r1", "ball", "1", "f", b"f", Then::Publish)
            .await
            .unwrap();
        let changed = async || {
            let listing = world.open("r1").await.package(&package("ball")).await;
            listing.unwrap().unwrap().changed
        };
        let permit = permit(&world, "r1", Action::UpdatePackageVersionsStatus).await;
        let before = (changed().await, world.catalog.happenings(100).await);
        world.clock.advance(Duration::from_secs(10));
        let set = permit.set_status(select(&["1"]), Status::Published).await;
        assert_eq!(set.unwrap().successful.len(), 1);
        let after = (changed().await, world.catalog.happenings(100).await);
        assert_eq!(after.0, before.0);
        assert_eq!(after.1.unwrap(), before.1.unwrap());
        permit
            .set_status(select(&["1"]), Status::Unlisted)
            .await
            .unwrap();
        assert!(changed().await > before.0);
    });
}
