//! What happens to versions waits to be told, once, in its order.

use std::time::Duration;

use catalog::outbox::{self, Happening};
use catalog::{Action, Selection, Status, Then};

use crate::toy::package;
use crate::world::{World, over_each};

async fn waiting(world: &World) -> Vec<Happening> {
    world.catalog.happenings(100).await.unwrap()
}

/// `sequence version: status assets -> status assets`; sequences begin with the time of the repository, which stands still
/// here.
fn told(happening: &Happening) -> String {
    let state = |state: &Option<catalog::change::VersionState>| match state {
        Some(state) => format!("{} {}", state.status, state.assets.len()),
        None => "none".to_owned(),
    };
    let Happening {
        sequence, version, ..
    } = happening;
    let (before, after) = (state(&happening.before), state(&happening.after));
    let sequence = *sequence - u64::try_from(happening.at.millis()).unwrap();
    format!("{sequence} {version}: {before} -> {after}")
}

async fn take(world: &World) {
    let happenings = waiting(world).await;
    world
        .database
        .write(move |tx| outbox::take(tx, &happenings))
        .await
        .unwrap();
}

#[test]
fn what_happens_to_versions_waits_to_be_told() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for (file, then) in [("a", Then::Leave), ("b", Then::Publish)] {
            world
                .publish("r1", "ball", "1", file, b"bytes", then)
                .await
                .unwrap();
        }
        let happenings = waiting(&world).await;
        let lines: Vec<_> = happenings.iter().map(told).collect();
        assert_eq!(
            lines,
            [
                "2 1: none -> Unfinished 1",
                "3 1: Unfinished 1 -> Published 2"
            ]
        );
        let first = &happenings[0];
        assert_eq!(
            first.arn,
            "arn:aws:codeartifact:us-east-1:111122223333:package/toys/r1/toy//ball"
        );
        assert_eq!(first.place, world.repository_at("r1"));
        assert_eq!(first.administrator.as_str(), "111122223333");
        take(&world).await;
        assert!(waiting(&world).await.is_empty());

        let at = world.repository_at("r1");
        let ball = package("ball");
        let may = async |action| {
            let permit = world.catalog.package(&world.admin, action, &at, &ball);
            permit.await.unwrap()
        };
        let selection = Selection {
            versions: vec!["1".parse().unwrap()],
            ..Selection::default()
        };
        let permit = may(Action::UpdatePackageVersionsStatus).await;
        permit
            .set_status(selection, Status::Archived)
            .await
            .unwrap();
        may(Action::DeletePackage).await.delete().await.unwrap();
        let lines: Vec<_> = waiting(&world).await.iter().map(told).collect();
        assert_eq!(
            lines,
            ["4 1: Published 2 -> Archived 2", "5 1: Archived 2 -> none"]
        );
    });
}

#[test]
fn what_did_not_happen_is_not_told() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world
            .publish("r1", "ball", "1", "a", b"bytes", Then::Publish)
            .await
            .unwrap();
        take(&world).await;
        let other = world.publish("r1", "ball", "1", "a", b"others", Then::Publish);
        assert!(other.await.is_err());
        let same = world.publish("r1", "ball", "1", "a", b"bytes", Then::Publish);
        assert!(!same.await.unwrap().is_new);
        assert!(waiting(&world).await.is_empty());
    });
}

#[test]
fn a_repository_that_goes_is_told_version_by_version_and_its_names_outlive_it() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for (name, version) in [("ball", "1"), ("ball", "2"), ("kite", "1")] {
            world
                .publish("r1", name, version, "a", b"bytes", Then::Publish)
                .await
                .unwrap();
        }
        let at = world.repository_at("r1");
        let deleted = world.catalog.delete_repository(&world.admin, &at).await;
        deleted.unwrap();
        let happenings = waiting(&world).await;
        let mut lines: Vec<_> = happenings
            .iter()
            .map(|happening| format!("{} {}", happening.package.name, told(happening)))
            .collect();
        lines.sort();
        assert_eq!(
            lines,
            [
                "ball 2 1: none -> Published 1",
                "ball 3 2: none -> Published 1",
                "ball 4 1: Published 1 -> none",
                "ball 5 2: Published 1 -> none",
                "kite 2 1: none -> Published 1",
                "kite 3 1: Published 1 -> none",
            ]
        );
        assert!(happenings.iter().all(|happening| happening.place == at));
    });
}

#[test]
fn sequences_go_on_growing_when_a_repository_is_made_again() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        let mut told = Vec::new();
        for _ in 0..2 {
            world.repository("r1", &[]).await;
            let ball = world.publish("r1", "ball", "1", "a", b"bytes", Then::Publish);
            ball.await.unwrap();
            let at = world.repository_at("r1");
            let deleted = world.catalog.delete_repository(&world.admin, &at).await;
            deleted.unwrap();
            let happenings = waiting(&world).await;
            told.extend(happenings.into_iter().map(|one| (one.arn, one.sequence)));
            take(&world).await;
            world.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(told.len(), 4);
        let grows = told.windows(2).all(|two| two[0] < two[1]);
        assert!(grows, "of one ARN they grow: {told:?}");
    });
}
