//! Dependency confusion: what a stranger who publishes a name of ours in a public registry gets to see of our builds
//! ("upstreams-and-origin" 8 of the specification, row by row).

use catalog::{Error, GroupMode, GroupRestriction, Restriction, Restrictions, Then};

use crate::world::{World, over_each};

/// What was done about a name before the stranger came.
#[derive(Debug, Clone, Copy)]
enum State {
    /// Published in the repository that developers use.
    PublishedHere,
    /// The same, and its control opened.
    PublishedHereAndOpened,
    /// Published in a repository that comes before the connected one.
    PublishedNextDoor,
    /// The same, and its control closed in the connected repository.
    ClosedInTheStore,
    /// The same, and its control closed in the repository that developers use.
    ClosedHere,
    /// Published next door, and a group keeps registries out.
    Grouped,
    /// Nothing.
    Unknown,
    /// The control of the name was set before there was a package.
    Reserved,
    /// Not published, and a group keeps registries out.
    GroupedInAdvance,
}

/// What developers get. `None`: nothing.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Of the stranger's higher version.
    higher: Option<&'static str>,
    /// Of the version that both have.
    same: Option<&'static str>,
    /// Of a name that looks the same.
    alike: Option<&'static str>,
    /// Whether the team may still publish.
    publishes: bool,
}

const OURS: Option<&str> = Some("ours");
const THEIRS: Option<&str> = Some("theirs");

/// Each state with a name of its own.
const MATRIX: &[(State, &str, Seen)] = &[
    (
        State::PublishedHere,
        "a-ball",
        seen(None, OURS, THEIRS, true),
    ),
    (
        State::PublishedHereAndOpened,
        "b-ball",
        seen(THEIRS, OURS, THEIRS, true),
    ),
    // Once something of theirs was taken, it is a package from outside.
    (
        State::PublishedNextDoor,
        "c-ball",
        seen(THEIRS, OURS, THEIRS, false),
    ),
    // What is retained from next door is not published here either: it is published next door.
    (
        State::ClosedInTheStore,
        "d-ball",
        seen(None, OURS, THEIRS, false),
    ),
    (State::ClosedHere, "e-ball", seen(None, None, THEIRS, true)),
    (State::Grouped, "f-ball", seen(None, OURS, None, true)),
    (
        State::Unknown,
        "g-ball",
        seen(THEIRS, THEIRS, THEIRS, false),
    ),
    (State::Reserved, "h-ball", seen(None, None, THEIRS, true)),
    (
        State::GroupedInAdvance,
        "i-ball",
        seen(None, None, None, true),
    ),
];

const fn seen(
    higher: Option<&'static str>,
    same: Option<&'static str>,
    alike: Option<&'static str>,
    publishes: bool,
) -> Seen {
    Seen {
        higher,
        same,
        alike,
        publishes,
    }
}

async fn prepare(world: &World, state: State, name: &str) {
    let closed = Restrictions {
        publish: Restriction::Allow,
        upstream: Restriction::Block,
    };
    let open = Restrictions {
        publish: Restriction::Allow,
        upstream: Restriction::Allow,
    };
    let publish = async |repository| {
        world.put(repository, name, "1", b"ours").await;
    };
    let keep_registries_out = async || {
        let pattern = format!("/toy//{name}~");
        world.group(&pattern).await;
        let block = [(GroupRestriction::ExternalUpstream, GroupMode::Block)];
        world.set_modes(&pattern, &block).await;
    };
    match state {
        State::PublishedHere => publish("my").await,
        State::PublishedHereAndOpened => {
            publish("my").await;
            world.set_control("my", name, open).await;
        }
        State::PublishedNextDoor => publish("team").await,
        State::ClosedInTheStore => {
            publish("team").await;
            world.set_control("store", name, closed).await;
        }
        State::ClosedHere => {
            publish("team").await;
            world.set_control("my", name, closed).await;
        }
        State::Grouped => {
            publish("team").await;
            keep_registries_out().await;
        }
        State::Unknown => {}
        State::Reserved => world.set_control("my", name, closed).await,
        State::GroupedInAdvance => keep_registries_out().await,
    }
}

/// What a developer gets of a file: whose it is.
async fn got(world: &World, name: &str, version: &str) -> Option<&'static str> {
    match world.read("my", name, version, "f").await {
        Ok(bytes) if bytes == b"ours" => OURS,
        Ok(bytes) if bytes == b"theirs" => THEIRS,
        Ok(bytes) => panic!("{name} {version}: {bytes:?}"),
        Err(Error::NotFound { .. }) => None,
        Err(error) => panic!("{name} {version}: {error}"),
    }
}

#[test]
fn what_was_taken_from_outside_is_never_mixed_with_what_is_ours() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.connected("my").await;
        world.registry.put("ball/versions", b"1\n9");
        world.registry.put("ball/1/f", b"theirs");
        assert_eq!(got(&world, "ball", "1").await, THEIRS);
        assert_eq!(world.control("my", "ball").await, "BLOCK ALLOW");
        let publish = async |number: &str, file: &str| {
            let published = world.publish("my", "ball", number, file, b"ours", Then::Publish);
            published.await
        };
        for number in ["1", "5"] {
            let refused = publish(number, "f").await;
            assert!(matches!(refused, Err(Error::Blocked { .. })), "{refused:?}");
        }
        // Where it is opened on purpose, a number that is taken is still taken, here and at the registry.
        let open = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Allow,
        };
        world.set_control("my", "ball", open).await;
        for number in ["1", "9"] {
            let refused = publish(number, "f").await;
            assert!(
                matches!(refused, Err(Error::Conflict { .. })),
                "{refused:?}"
            );
        }
        // A version is one or the other: it takes no further file of ours, and its description stays theirs.
        for file in ["g", "about.txt"] {
            let refused = publish("1", file).await;
            assert!(matches!(refused, Err(Error::Conflict { .. })), "{file}");
        }
        publish("5", "f").await.unwrap();
        assert_eq!(got(&world, "ball", "1").await, THEIRS);
    });
}

#[test]
fn a_stranger_gets_as_far_as_the_table_says() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("team", &[]).await;
        world.connected("store").await;
        world.repository("my", &["team", "store"]).await;
        for (state, name, _) in MATRIX {
            prepare(&world, *state, name).await;
        }
        for (_, name, _) in MATRIX {
            for name in [(*name).to_owned(), name.replace('-', "_")] {
                world.registry.put(&format!("{name}/versions"), b"1\n9");
                world.registry.put(&format!("{name}/1/f"), b"theirs");
                world.registry.put(&format!("{name}/9/f"), b"theirs");
            }
        }
        for (state, name, expected) in MATRIX {
            // What is listed can be had and the other way round, before anything is taken and after.
            let listed = world.listed("my", name).await.unwrap_or_default();
            let shows_higher = listed.iter().any(|version| version == "9");
            assert_eq!(
                shows_higher,
                expected.higher.is_some(),
                "{state:?} {listed:?}"
            );
            let shows_same = listed.iter().any(|version| version == "1");
            assert_eq!(shows_same, expected.same.is_some(), "{state:?} {listed:?}");
            let found = Seen {
                higher: got(&world, name, "9").await,
                same: got(&world, name, "1").await,
                alike: got(&world, &name.replace('-', "_"), "9").await,
                publishes: match world
                    .publish("my", name, "5", "f", b"ours", Then::Publish)
                    .await
                {
                    Ok(_) => true,
                    Err(Error::Blocked { .. }) => false,
                    Err(error) => panic!("{state:?}: {error}"),
                },
            };
            assert_eq!(found, *expected, "{state:?}");
        }
    });
}
