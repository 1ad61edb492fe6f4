//! Package groups: what they let in, and what is inherited.

use std::collections::BTreeMap;

use catalog::{
    Action, Error, GroupAt, GroupChange, GroupMode, GroupRestriction, Kind, ListChange,
    NewPackageGroup, Restriction, Restrictions, TaggedAt, Then,
};

use crate::toy::package;
use crate::world::{World, domain_at, over_each};

const EXTERNAL: GroupRestriction = GroupRestriction::ExternalUpstream;
const INTERNAL: GroupRestriction = GroupRestriction::InternalUpstream;
const PUBLISH: GroupRestriction = GroupRestriction::Publish;

/// A domain in which `my` has the upstreams `team` and `middle`, and `middle` the connected repository `store`.
pub(crate) async fn chained(world: World) -> World {
    let world = world.with_domain().await;
    world.repository("team", &[]).await;
    world.connected("store").await;
    world.repository("middle", &["store"]).await;
    world.repository("my", &["team", "middle"]).await;
    world.registry.put("ball/versions", b"1\n2");
    world.registry.put("ball/1/f", b"1");
    world.registry.put("ball/2/f", b"2");
    world
}

fn only(restriction: GroupRestriction, repositories: &[&str]) -> GroupChange {
    GroupChange {
        modes: BTreeMap::from([(restriction, GroupMode::AllowSpecificRepositories)]),
        add: on(restriction, repositories),
        remove: Vec::new(),
    }
}

fn on(
    restriction: GroupRestriction,
    repositories: &[&str],
) -> Vec<(GroupRestriction, catalog::RepositoryName)> {
    let named = |name: &&str| (restriction, name.parse().unwrap());
    repositories.iter().map(named).collect()
}

pub(crate) async fn can_read(world: &World, repository: &str, name: &str, version: &str) -> bool {
    match world.read(repository, name, version, "f").await {
        Ok(_) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Whether this very name may be published, and the refusal otherwise.
pub(crate) async fn published(
    world: &World,
    repository: &str,
    name: &str,
    version: &str,
) -> Result<(), String> {
    match world
        .publish(repository, name, version, "f", b"own", Then::Publish)
        .await
    {
        Ok(_) => Ok(()),
        Err(Error::Blocked { message, .. }) => Err(message),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_first_version_of_a_package_sets_its_control_by_where_it_comes_from_and_by_its_group() {
    over_each(|world| async move {
        let world = chained(world).await;
        published(&world, "my", "own", "1").await.unwrap();
        assert_eq!(world.control("my", "own").await, "ALLOW BLOCK");
        assert!(can_read(&world, "my", "ball", "1").await);
        for repository in ["store", "my"] {
            assert_eq!(world.control(repository, "ball").await, "BLOCK ALLOW");
        }
        // Whatever a group restricts, it then decides alone.
        for (number, (restriction, mode)) in [
            (PUBLISH, GroupMode::Block),
            (EXTERNAL, GroupMode::Block),
            (INTERNAL, GroupMode::Block),
            (INTERNAL, GroupMode::AllowSpecificRepositories),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("toy{number}x");
            world.registry.put(&format!("{name}/1/f"), b"theirs");
            let pattern = format!("/toy//{name}~");
            world.group(&pattern).await;
            world.set_modes(&pattern, &[(restriction, mode)]).await;
            if restriction != PUBLISH {
                published(&world, "team", &name, "3").await.unwrap();
                assert_eq!(world.control("team", &name).await, "ALLOW ALLOW");
            }
            if restriction != EXTERNAL {
                assert!(can_read(&world, "store", &name, "1").await);
                assert_eq!(world.control("store", &name).await, "ALLOW ALLOW");
            }
        }
        // Afterwards nothing changes by itself.
        world.set_modes("/*", &[(EXTERNAL, GroupMode::Block)]).await;
        assert_eq!(world.control("my", "own").await, "ALLOW BLOCK");
        published(&world, "my", "later", "1").await.unwrap();
        assert_eq!(world.control("my", "later").await, "ALLOW ALLOW");
    });
}

#[test]
fn a_name_that_was_reserved_is_not_taken_from_outside_and_can_be_published() {
    over_each(|world| async move {
        let world = chained(world).await;
        let reserved = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Block,
        };
        world.set_control("my", "ball", reserved).await;
        assert!(!can_read(&world, "my", "ball", "1").await);
        // What the registry has under this number is out of reach, and so is not in the way.
        published(&world, "my", "ball", "1").await.unwrap();
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["1"]);
        assert_eq!(world.control("my", "ball").await, "ALLOW BLOCK");
    });
}

#[test]
fn registries_are_a_matter_of_the_connected_repository_and_upstreams_of_the_requested_one() {
    over_each(|world| async move {
        let world = chained(world).await;
        let reachable = async |expected: bool| {
            let listed = world.listed("my", "ball").await;
            assert_eq!(listed.is_some(), expected, "{listed:?}");
            assert_eq!(can_read(&world, "my", "ball", "1").await, expected);
        };
        // The requested repository is not asked about registries, nor the one in between about anything.
        world.rule("/*", only(EXTERNAL, &["my", "middle"])).await;
        reachable(false).await;
        assert!(!can_read(&world, "store", "ball", "1").await);
        world.rule("/*", only(INTERNAL, &["store", "middle"])).await;
        let add = GroupChange {
            add: on(EXTERNAL, &["store"]),
            ..GroupChange::default()
        };
        world.rule("/*", add).await;
        reachable(false).await;
        // The connected repository has no upstreams: what it takes itself is not from one.
        assert!(can_read(&world, "store", "ball", "2").await);
        let remove = GroupChange {
            add: on(INTERNAL, &["my"]),
            remove: on(INTERNAL, &["middle", "store"]),
            ..GroupChange::default()
        };
        let changed = world.rule("/*", remove).await;
        let expected = ListChange {
            added: vec!["my".parse().unwrap()],
            removed: vec!["middle".parse().unwrap(), "store".parse().unwrap()],
        };
        assert_eq!(changed, BTreeMap::from([(INTERNAL, expected)]));
        reachable(true).await;
        assert_eq!(world.recorded("my", "ball").await, ["1 Published"]);
        assert!(world.recorded("middle", "ball").await.is_empty());

        // What is recorded stays and is served, whatever the group says from now on; the rest is out of sight.
        world
            .set_modes(
                "/*",
                &[(EXTERNAL, GroupMode::Block), (INTERNAL, GroupMode::Block)],
            )
            .await;
        assert!(can_read(&world, "my", "ball", "1").await);
        assert!(!can_read(&world, "my", "ball", "2").await);
        assert_eq!(world.listed("my", "ball").await.unwrap(), ["1"]);
    });
}

#[test]
fn publishing_is_a_matter_of_the_repository_published_to_and_says_why_not() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.group("/toy//ball~").await;
        world.rule("/*", only(PUBLISH, &["team"])).await;
        published(&world, "team", "ball-a", "1").await.unwrap();
        assert_eq!(
            published(&world, "my", "ball-b", "1").await.unwrap_err(),
            "publishing to package ball-b is blocked by package group '/toy//ball~' (PUBLISH: \
             ALLOW_SPECIFIC_REPOSITORIES, inherited from '/*', of which 'my' is none)"
        );
        world
            .set_modes("/toy//ball~", &[(PUBLISH, GroupMode::Block)])
            .await;
        assert_eq!(
            published(&world, "team", "ball-a", "2").await.unwrap_err(),
            "publishing to package ball-a is blocked by package group '/toy//ball~' (PUBLISH: BLOCK)"
        );
        published(&world, "team", "bear", "1").await.unwrap();
        // Of two controls the one that blocks wins.
        world
            .set_modes("/toy//ball~", &[(PUBLISH, GroupMode::Allow)])
            .await;
        let blocked = Restrictions {
            publish: Restriction::Block,
            upstream: Restriction::Allow,
        };
        world.set_control("team", "ball-a", blocked).await;
        assert_eq!(
            published(&world, "team", "ball-a", "2").await.unwrap_err(),
            "publishing to package ball-a is blocked by its package origin control in repository 'team' (publish: BLOCK)"
        );
    });
}

#[test]
fn a_name_that_only_looks_like_those_of_a_group_comes_in_by_no_way_until_it_has_a_group_of_its_own()
{
    over_each(|world| async move {
        let world = chained(world).await;
        world.registry.put("ba11/versions", b"1");
        world.registry.put("ba11/1/f", b"theirs");
        published(&world, "team", "Ball", "3").await.unwrap();
        world.group("/toy//ball~").await;
        // The registry's, an upstream's, and a publisher's; the group itself restricts nothing.
        for repository in ["my", "store"] {
            assert!(!can_read(&world, repository, "ba11", "1").await);
            assert_eq!(world.listed(repository, "ba11").await, None);
        }
        assert!(!can_read(&world, "my", "Ball", "3").await);
        assert!(
            can_read(&world, "team", "Ball", "3").await,
            "what is recorded is served"
        );
        let refusal = published(&world, "team", "Ball", "4").await.unwrap_err();
        assert!(refusal.contains("association: WEAK"), "{refusal}");
        assert!(can_read(&world, "my", "ball", "1").await);

        world.group("/toy//ba11$").await;
        world.group("/toy//Ball$").await;
        assert!(can_read(&world, "my", "ba11", "1").await);
        assert!(can_read(&world, "my", "Ball", "3").await);
        published(&world, "team", "Ball", "4").await.unwrap();
    });
}

#[test]
fn what_a_group_inherits_changes_with_the_groups_around_it() {
    over_each(|world| async move {
        let world = chained(world).await;
        for pattern in ["/toy/*", "/toy//ball~"] {
            world.group(pattern).await;
        }
        let look = async || {
            let action = Action::DescribePackageGroup;
            let group = world.group_for(action, "/toy//ball~").await.unwrap();
            let rule = group.rule(EXTERNAL);
            let from = rule.inherited_from.as_ref().unwrap().pattern.to_string();
            let parent = group.parent.as_ref().unwrap().pattern.to_string();
            (parent, rule.effective_mode, from)
        };
        let expected = ("/toy/*".to_owned(), GroupMode::Allow, "/*".to_owned());
        assert_eq!(look().await, expected);
        world.group("/toy//*").await;
        world.rule("/toy//*", only(EXTERNAL, &["store"])).await;
        let expected = (
            "/toy//*".to_owned(),
            GroupMode::AllowSpecificRepositories,
            "/toy//*".to_owned(),
        );
        assert_eq!(look().await, expected);
        assert!(can_read(&world, "my", "ball", "1").await);
        let remove = GroupChange {
            remove: on(EXTERNAL, &["store"]),
            ..GroupChange::default()
        };
        world.rule("/toy//*", remove).await;
        assert!(!can_read(&world, "my", "ball", "2").await);
        let middle = world.group_for(Action::DeletePackageGroup, "/toy//*");
        middle.await.unwrap().delete().await.unwrap();
        let expected = ("/toy/*".to_owned(), GroupMode::Allow, "/*".to_owned());
        assert_eq!(look().await, expected);
        assert!(can_read(&world, "my", "ball", "2").await);
    });
}

#[test]
fn the_root_group_is_there_from_the_beginning_and_can_be_changed_but_not_deleted() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        let action = Action::DescribePackageGroup;
        let root = world.group_for(action, "/*").await.unwrap();
        assert_eq!(root.created, root.domain.created);
        assert_eq!(root.parent, None);
        for restriction in GroupRestriction::ALL {
            assert_eq!(root.rule(restriction).mode, GroupMode::Allow);
        }
        assert!(matches!(root.delete().await, Err(Error::Invalid(_))));
        let inherits = GroupChange {
            modes: BTreeMap::from([(PUBLISH, GroupMode::Inherit)]),
            ..GroupChange::default()
        };
        assert!(matches!(
            root.set_origin(inherits).await,
            Err(Error::Invalid(_))
        ));
        let new = |pattern: &str| NewPackageGroup {
            pattern: pattern.parse().unwrap(),
            contact_info: Some("the team".to_owned()),
            description: Some(String::new()),
            tags: vec![("team".to_owned(), "build".to_owned())],
        };
        for pattern in ["/*", "/toy/*"] {
            let create = async || {
                let catalog = &world.catalog;
                catalog
                    .create_package_group(&world.admin, &domain_at(), new(pattern))
                    .await
            };
            if pattern != "/*" {
                let created = create().await.unwrap();
                assert_eq!(created.contact_info.as_deref(), Some("the team"));
                assert_eq!(created.description, None);
            }
            let again = create().await.unwrap_err();
            assert!(matches!(
                again,
                Error::Conflict {
                    kind: Kind::PackageGroup,
                    ..
                }
            ));
        }
        let changed = root.update(None, Some("all".to_owned())).await.unwrap();
        assert_eq!(changed.description.as_deref(), Some("all"));
        let cleared = root.update(Some("us".to_owned()), Some(String::new()));
        let cleared = cleared.await.unwrap();
        assert_eq!(
            (
                cleared.contact_info.as_deref(),
                cleared.description.as_deref()
            ),
            (Some("us"), None)
        );
        assert_eq!(cleared.created, root.created);

        let missing = world.group_for(action, "/toy//x$").await.err().unwrap();
        assert_eq!(
            missing.to_string(),
            "Package group not found. Package group '/toy//x$' in domain 'toys' owned by account '111122223333' does not exist"
        );
        // With its domain everything goes.
        world
            .catalog
            .delete_domain(&world.admin, &domain_at())
            .await
            .unwrap()
            .unwrap();
        let world = world.with_domain().await;
        assert!(world.group_for(action, "/toy/*").await.is_err());
    });
}

#[test]
fn lists_are_kept_only_where_the_mode_has_one() {
    over_each(|world| async move {
        let world = chained(world).await;
        world.group("/toy/*").await;
        let action = Action::UpdatePackageGroupOriginConfiguration;
        let group = world.group_for(action, "/toy/*").await.unwrap();
        let add = |restriction, names: &[&str]| GroupChange {
            add: on(restriction, names),
            ..GroupChange::default()
        };
        // Not without the mode, not with a repository that is not there, not too many at once; then nothing is changed.
        let refused = group.set_origin(add(PUBLISH, &["my"])).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        let refused = group.set_origin(only(PUBLISH, &["my", "gone"])).await;
        assert!(matches!(
            refused,
            Err(Error::NotFound {
                kind: Kind::Repository,
                ..
            })
        ));
        let many = vec!["my"; 101];
        let refused = group.set_origin(only(PUBLISH, &many)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        let list = async |restriction| {
            let action = Action::ListAllowedRepositoriesForGroup;
            let group = world.group_for(action, "/toy/*").await.unwrap();
            let mut names = Vec::new();
            let mut after = None;
            loop {
                let page = group.allowed_repositories(restriction, after.as_deref(), 1);
                names.extend(page.items.iter().map(ToString::to_string));
                after = page.next;
                if after.is_none() {
                    return names;
                }
            }
        };
        assert_eq!(list(PUBLISH).await, Vec::<String>::new());

        let changed = world
            .rule("/toy/*", only(PUBLISH, &["my", "team", "my"]))
            .await;
        assert_eq!(changed[&PUBLISH].added.len(), 2);
        assert_eq!(list(PUBLISH).await, ["my", "team"]);
        let again = world.rule("/toy/*", only(PUBLISH, &["my", "store"])).await;
        assert_eq!(again[&PUBLISH].added, ["store".parse().unwrap()]);
        // Added and removed in one change; what was not on the list is not removed from it.
        let both = GroupChange {
            remove: on(PUBLISH, &["middle", "gone", "team"]),
            ..add(PUBLISH, &["middle"])
        };
        let changed = world.rule("/toy/*", both).await;
        assert_eq!(changed[&PUBLISH].added, ["middle".parse().unwrap()]);
        let removed = &changed[&PUBLISH].removed;
        assert_eq!(
            *removed,
            ["middle".parse().unwrap(), "team".parse().unwrap()]
        );
        assert_eq!(list(PUBLISH).await, ["my", "store"]);
        world.rule("/toy/*", only(INTERNAL, &["team"])).await;
        assert_eq!(list(INTERNAL).await, ["team"]);

        world
            .catalog
            .delete_repository(&world.admin, &world.repository_at("my"))
            .await
            .unwrap();
        assert_eq!(list(PUBLISH).await, ["store"]);
        world
            .set_modes("/toy/*", &[(PUBLISH, GroupMode::Block)])
            .await;
        assert_eq!(list(PUBLISH).await, Vec::<String>::new());
        world.rule("/toy/*", only(PUBLISH, &[])).await;
        assert_eq!(list(PUBLISH).await, Vec::<String>::new());
        assert_eq!(list(INTERNAL).await, ["team"]);
    });
}

#[test]
fn groups_have_tags_the_root_group_too() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.group("/toy//100%*").await;
        for pattern in ["/*", "/toy//100%*"] {
            let at = TaggedAt::PackageGroup(GroupAt {
                domain: domain_at(),
                pattern: pattern.to_owned(),
            });
            let tags = vec![("team".to_owned(), "build".to_owned())];
            world
                .catalog
                .tag(&world.admin, &at, tags.clone())
                .await
                .unwrap();
            assert_eq!(world.catalog.tags(&world.admin, &at).await.unwrap(), tags);
            let keys = vec!["team".to_owned()];
            world.catalog.untag(&world.admin, &at, keys).await.unwrap();
            assert!(
                world
                    .catalog
                    .tags(&world.admin, &at)
                    .await
                    .unwrap()
                    .is_empty()
            );
        }
        let at = TaggedAt::PackageGroup(GroupAt {
            domain: domain_at(),
            pattern: "/toy//x$".to_owned(),
        });
        let missing = world.catalog.tags(&world.admin, &at).await;
        assert!(matches!(
            missing,
            Err(Error::NotFound {
                kind: Kind::PackageGroup,
                ..
            })
        ));
    });
}

#[test]
fn nobody_may_do_anything_with_groups() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        let at = GroupAt {
            domain: domain_at(),
            pattern: "/toy//100%$".to_owned(),
        };
        let denied = world
            .catalog
            .package_group(&world.nobody, Action::DescribePackageGroup, &at)
            .await
            .err()
            .unwrap();
        assert!(
            denied
                .to_string()
                .contains("on resource: arn:aws:codeartifact:us-east-1:111122223333:package-group/toys/toy//100%25%24 "),
            "{denied}"
        );
        let denied = world
            .catalog
            .associated_group(&world.nobody, &domain_at(), &package("ball"))
            .await
            .err()
            .unwrap();
        assert!(
            denied.to_string().contains("package-group/toys/%2a "),
            "{denied}"
        );
    });
}
