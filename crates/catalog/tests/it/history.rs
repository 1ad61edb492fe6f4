//! The changes of a package, folded, are the package.

use std::time::Duration;

use catalog::{Action, PackageAt, Permit, Settle, Then, VersionFilter};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::toy::package;
use crate::world::{World, over_each};

#[derive(Debug, Clone)]
enum Step {
    Publish {
        version: u8,
        file: u8,
        finished: bool,
    },
    Finish {
        version: u8,
    },
    Replace {
        staged: u8,
        keep_as: u8,
    },
    Take {
        version: u8,
    },
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_u8, 0..3_u8, any::<bool>()).prop_map(|(version, file, finished)| Step::Publish { version, file, finished }),
        2 => (0..4_u8).prop_map(|version| Step::Finish { version }),
        2 => (0..4_u8, 4..8_u8).prop_map(|(staged, keep_as)| Step::Replace { staged, keep_as }),
        1 => (0..4_u8).prop_map(|version| Step::Take { version }),
        1 => Just(Step::Wait),
    ]
}

/// A package as the tables of the present have it.
async fn present(permit: &Permit<PackageAt>) -> Vec<(String, String, String, Vec<String>)> {
    let Ok(page) = permit.versions(VersionFilter::default(), None, 100).await else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for row in page.items {
        let (_, assets) = permit.assets(&row.version, None, 100).await.unwrap();
        let assets = assets
            .items
            .iter()
            .map(|asset| format!("{} {}", asset.name, asset.digests.sha256))
            .collect();
        rows.push((
            row.version.to_string(),
            row.status.to_string(),
            row.revision,
            assets,
        ));
    }
    rows
}

/// The same from its changes up to a time.
async fn past(
    world: &World,
    permit: &Permit<PackageAt>,
    at: aws::Timestamp,
) -> Vec<(String, String, String, Vec<String>)> {
    let _ = world;
    let Some(state) = permit.at(at).await.unwrap() else {
        return Vec::new();
    };
    state
        .versions
        .iter()
        .map(|(version, state)| {
            let assets = state
                .assets
                .iter()
                .map(|(name, _, sha256)| format!("{name} {sha256}"))
                .collect();
            (
                version.to_string(),
                state.status.to_string(),
                state.revision.clone(),
                assets,
            )
        })
        .collect()
}

#[test]
fn folding_the_changes_up_to_any_time_gives_what_was_there_then() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("up", &[]).await;
        let mut runner = TestRunner::deterministic();
        for walk in 0..12 {
            let repository = format!("my{walk}");
            world.repository(&repository, &["up"]).await;
            let steps = prop::collection::vec(step(), 1..25)
                .new_tree(&mut runner)
                .unwrap()
                .current();
            let at = world.repository_at(&repository);
            let permit = world
                .catalog
                .package(&world.admin, Action::DescribePackage, &at, &package("ball"))
                .await
                .unwrap();
            let mut seen = Vec::new();
            for step in &steps {
                apply(&world, &repository, step).await;
                seen.push((world.clock.now(), present(&permit).await));
                world.clock.advance(Duration::from_millis(1));
            }
            for (time, expected) in seen {
                assert_eq!(past(&world, &permit, time).await, expected, "{steps:?}");
            }
        }
    });
}

/// Does a step. Some are refused; then nothing must have changed either.
async fn apply(world: &World, repository: &str, step: &Step) {
    match step {
        Step::Publish {
            version,
            file,
            finished,
        } => {
            let then = if *finished {
                Then::Publish
            } else {
                Then::Leave
            };
            let body = [*version, *file];
            let _ = world
                .publish(
                    repository,
                    "ball",
                    &version.to_string(),
                    &file.to_string(),
                    &body,
                    then,
                )
                .await;
        }
        Step::Finish { version } => {
            let steps = vec![Settle::Publish(version.to_string().parse().unwrap())];
            world
                .open(repository)
                .await
                .settle(&package("ball"), steps)
                .await
                .unwrap();
        }
        Step::Replace { staged, keep_as } => {
            let steps = vec![Settle::Replace {
                current: "current".parse().unwrap(),
                staged: staged.to_string().parse().unwrap(),
                keep_as: Some(keep_as.to_string().parse().unwrap()),
            }];
            let _ = world
                .open(repository)
                .await
                .settle(&package("ball"), steps)
                .await;
        }
        Step::Take { version } => {
            let _ = world
                .publish(
                    "up",
                    "ball",
                    &version.to_string(),
                    "u",
                    &[*version],
                    Then::Publish,
                )
                .await;
            let _ = world
                .read(repository, "ball", &version.to_string(), "u")
                .await;
        }
        Step::Wait => {}
    }
}
