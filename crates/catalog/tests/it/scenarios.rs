//! What stays, and what is seen, behind a chain `my` → `middle` → `store` whose last repository is connected to a public
//! registry. Which test shows which scenario of the specification stands in `docs/origin.md`.

use catalog::{
    Action, Error, Kind, OriginType, RepositoryChange, Restriction, Restrictions, Selection,
    Status, Then,
};

use crate::toy::{CONNECTION, package};
use crate::world::{World, over_each};

/// The chain, and a package with two versions in the registry.
async fn chained(world: World) -> World {
    let world = world.with_domain().await;
    world.connected("store").await;
    world.repository("middle", &["store"]).await;
    world.repository("my", &["middle"]).await;
    world.registry.put("ball/versions", b"1\n2");
    for number in ["1", "2"] {
        world.registry.put(&format!("ball/{number}/f"), b"theirs");
    }
    world
}

async fn set_status(world: &World, repository: &str, of: &str, status: Status) {
    let action = Action::UpdatePackageVersionsStatus;
    let (at, id) = (world.repository_at(repository), package("ball"));
    let permit = world.catalog.package(&world.admin, action, &at, &id);
    let selection = Selection {
        versions: vec![of.parse().unwrap()],
        ..Selection::default()
    };
    let outcomes = permit.await.unwrap().set_status(selection, status).await;
    assert!(outcomes.unwrap().failed.is_empty());
}

async fn set_upstreams(world: &World, repository: &str, upstreams: &[&str]) {
    let at = world.repository_at(repository);
    let permit = world
        .catalog
        .repository(&world.admin, Action::UpdateRepository, &at);
    let names = upstreams.iter().map(|name| name.parse().unwrap());
    let change = RepositoryChange {
        description: None,
        upstreams: Some(names.collect()),
    };
    permit.await.unwrap().update(change).await.unwrap();
}

#[test]
fn an_install_is_kept_at_both_ends_of_a_chain_and_not_between() {
    over_each(|world| async move {
        let world = chained(world).await;
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"theirs");
        for repository in ["my", "store"] {
            assert_eq!(world.recorded(repository, "ball").await, ["1 Published"]);
            let at = world.repository_at(repository);
            let permit = world
                .catalog
                .package(&world.admin, Action::DescribePackage, &at, &package("ball"))
                .await;
            let (record, _) = permit
                .unwrap()
                .version(&"1".parse().unwrap())
                .await
                .unwrap();
            assert_eq!(record.origin.origin_type, OriginType::External);
            assert_eq!(record.origin.connection.unwrap().as_str(), CONNECTION);
        }
        // The API sees what a repository records itself, and not what it could have.
        let at = world.repository_at("middle");
        let permit = world
            .catalog
            .package(&world.admin, Action::DescribePackage, &at, &package("ball"))
            .await
            .unwrap();
        for refused in [
            permit.describe().await.map(drop),
            permit.version(&"1".parse().unwrap()).await.map(drop),
        ] {
            let is_package = matches!(
                &refused,
                Err(Error::NotFound {
                    kind: Kind::Package,
                    ..
                })
            );
            assert!(is_package, "{refused:?}");
        }
        assert_eq!(world.listed("middle", "ball").await.unwrap(), ["1", "2"]);
    });
}

#[test]
fn what_was_retained_outlives_state_link_connection_and_holder() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.read("my", "ball", "1", "f").await.unwrap();
        let serves = async |after: &str| {
            let read = world.read("my", "ball", "1", "f").await;
            assert_eq!(read.unwrap(), b"theirs", "{after}");
            assert_eq!(
                world.recorded("my", "ball").await,
                ["1 Published"],
                "{after}"
            );
        };
        set_status(&world, "store", "1", Status::Archived).await;
        serves("archived").await;
        let at = world.repository_at("store");
        let action = Action::DisassociateExternalConnection;
        let permit = world.catalog.repository(&world.admin, action, &at);
        let connection = CONNECTION.parse().unwrap();
        permit.await.unwrap().disconnect(&connection).await.unwrap();
        serves("disconnected").await;
        set_upstreams(&world, "middle", &[]).await;
        serves("unlinked").await;
        for name in ["store", "middle"] {
            let at = world.repository_at(name);
            let deleted = world.catalog.delete_repository(&world.admin, &at);
            deleted.await.unwrap();
        }
        serves("deleted").await;
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["1"]);
    });
}

#[test]
fn a_version_archived_upstream_is_out_of_reach_for_those_who_have_it_not() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.read("store", "ball", "1", "f").await.unwrap();
        set_status(&world, "store", "1", Status::Archived).await;
        let held = world.read("my", "ball", "1", "f").await;
        assert!(matches!(held, Err(Error::Held(_))), "{held:?}");
        // The registry still has it, and does not undo the decision.
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["2"]);
        assert!(world.recorded("my", "ball").await.is_empty());
        set_status(&world, "store", "1", Status::Published).await;
        world.read("my", "ball", "1", "f").await.unwrap();
    });
}

#[test]
fn a_version_archived_upstream_gives_no_further_file_to_those_who_have_it() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.registry.put("ball/1/g", b"more");
        world.registry.put("ball/1/h", b"most");
        world.read("my", "ball", "1", "f").await.unwrap();
        world.read("store", "ball", "1", "g").await.unwrap();
        set_status(&world, "store", "1", Status::Archived).await;
        // Neither what the store has of it nor what only the registry has.
        for file in ["g", "h"] {
            let read = world.read("my", "ball", "1", file).await;
            assert!(matches!(read, Err(Error::NotFound { .. })), "{read:?}");
        }
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"theirs");
        set_status(&world, "store", "1", Status::Published).await;
        for (file, body) in [("g", b"more"), ("h", b"most")] {
            assert_eq!(world.read("my", "ball", "1", file).await.unwrap(), body);
        }
    });
}

#[test]
fn a_version_unlisted_upstream_can_be_had_by_who_names_it() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.read("store", "ball", "1", "f").await.unwrap();
        set_status(&world, "store", "1", Status::Unlisted).await;
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["2"]);
        world.read("my", "ball", "1", "f").await.unwrap();
        assert_eq!(world.recorded("my", "ball").await, ["1 Unlisted"]);
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["2"]);
        // From here on the two are of no concern to each other.
        set_status(&world, "store", "1", Status::Published).await;
        assert_eq!(world.recorded("my", "ball").await, ["1 Unlisted"]);
    });
}

#[test]
fn a_repository_reached_by_two_ways_is_asked_at_the_first() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("both", &[]).await;
        world.repository("left", &["both"]).await;
        world.repository("right", &["both"]).await;
        world.repository("my", &["left", "right"]).await;
        for name in ["both", "right"] {
            world
                .publish(name, "ball", "1", "f", name.as_bytes(), Then::Publish)
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            // What `both` has is in the way of `right` only while the upstream is in reach.
            if name == "both" {
                let apart = Restrictions {
                    publish: Restriction::Allow,
                    upstream: Restriction::Block,
                };
                world.set_control("right", "ball", apart).await;
            }
        }
        assert_eq!(world.read("my", "ball", "1", "f").await.unwrap(), b"both");
        assert_eq!(world.recorded("my", "ball").await, ["1 Published"]);
    });
}
