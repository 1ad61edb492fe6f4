//! Which groups there are, and which packages belong to them.

use catalog::{Action, PackageGroup, Page, Restriction, Restrictions};

use crate::groups::{can_read, chained, published};
use crate::toy::package;
use crate::world::{World, domain_at, over_each};

fn patterns(page: &Page<std::sync::Arc<PackageGroup>>) -> Vec<String> {
    let pattern = |group: &std::sync::Arc<PackageGroup>| group.pattern.to_string();
    page.items.iter().map(pattern).collect()
}

#[test]
fn groups_and_their_packages_are_listed_in_pages() {
    over_each(|world| async move {
        let world = chained(world).await;
        for pattern in [
            "/toy/*",
            "/toy//*",
            "/toy//ball~",
            "/toy//ball-a$",
            "/npm/*",
        ] {
            world.group(pattern).await;
        }
        let domain = world
            .catalog
            .domain(&world.admin, Action::ListPackageGroups, &domain_at())
            .await
            .unwrap();
        let all = domain.package_groups("", None, 100).await.unwrap();
        let expected = [
            "/*",
            "/npm/*",
            "/toy/*",
            "/toy//*",
            "/toy//ball-a$",
            "/toy//ball~",
        ];
        assert_eq!(patterns(&all), expected);
        let some = domain.package_groups("/toy//", None, 2).await.unwrap();
        assert_eq!(patterns(&some), ["/toy//*", "/toy//ball-a$"]);
        let rest = domain
            .package_groups("/toy//", some.next.as_deref(), 2)
            .await
            .unwrap();
        assert_eq!(
            (patterns(&rest), rest.next),
            (vec!["/toy//ball~".to_owned()], None)
        );
        for (pattern, children) in [
            ("/*", vec!["/npm/*", "/toy/*"]),
            ("/toy/*", vec!["/toy//*"]),
            ("/toy//ball~", vec!["/toy//ball-a$"]),
            ("/toy//ball-a$", vec![]),
        ] {
            let group = world
                .group_for(Action::ListSubPackageGroups, pattern)
                .await
                .unwrap();
            assert_eq!(
                patterns(&group.sub_groups(None, 100).await.unwrap()),
                children
            );
        }

        // In however many repositories a package is, it is one.
        for name in ["ball", "bat", "ball-a", "ball-b"] {
            published(&world, "team", name, "7").await.unwrap();
            assert!(can_read(&world, "my", name, "7").await);
        }
        let controlled = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Block,
        };
        world.set_control("middle", "BALL", controlled).await;
        for (pattern, is_group, expected) in [
            (
                "/toy//ball~",
                true,
                vec!["BALL WEAK", "ball STRONG", "ball-b STRONG"],
            ),
            ("/toy//ball-a$", true, vec!["ball-a STRONG"]),
            ("/toy//*", true, vec!["bat STRONG"]),
            ("/toy/*", true, vec![]),
            ("/*", true, vec![]),
            ("/npm/*", true, vec![]),
            ("/toy//ball.b$", false, vec!["ball-b WEAK"]),
            ("/toy//ba~", false, vec![]),
            ("/toy//b~", false, vec![]),
            ("/toy//bat$", false, vec!["bat STRONG"]),
            ("/pypi/*", false, vec![]),
        ] {
            for limit in [1, 2, 100] {
                let previewed = packages_of(&world, pattern, true, limit).await;
                assert_eq!(previewed, expected, "{pattern}");
                if is_group {
                    let found = packages_of(&world, pattern, false, limit).await;
                    assert_eq!(found, expected, "{pattern}");
                }
            }
        }
        // What is said of one package needs no package.
        for (name, pattern, how) in [
            ("ball", "/toy//ball~", "STRONG"),
            ("BALL", "/toy//ball~", "WEAK"),
            ("ball_a", "/toy//ball-a$", "WEAK"),
            ("nothing", "/toy//*", "STRONG"),
        ] {
            let found = world
                .catalog
                .associated_group(&world.admin, &domain_at(), &package(name))
                .await
                .unwrap();
            assert_eq!(
                (found.0.pattern.as_str(), found.1.as_str()),
                (pattern, how),
                "{name}"
            );
        }
    });
}

#[test]
fn packages_from_before_their_names_were_kept_are_listed_by_group_at_once() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("team", &[]).await;
        world.repository("my", &[]).await;
        for (repository, name) in [
            ("team", "ball"),
            ("my", "ball"),
            ("team", "BALL"),
            ("my", "ball-b"),
            ("my", "bat"),
        ] {
            published(&world, repository, name, "7").await.unwrap();
        }
        world.group("/toy//ball~").await;
        for sql in ["DELETE FROM package_names", "DELETE FROM catch_up"] {
            let forget = move |tx: &mut store::Tx<'_>| tx.execute(sql, &[]);
            world.database.write(forget).await.unwrap();
        }
        let expected = ["BALL WEAK", "ball STRONG", "ball-b STRONG"];
        for limit in [1, 2, 100] {
            let found = packages_of(&world, "/toy//ball~", false, limit).await;
            assert_eq!(found, expected);
        }
        assert_eq!(packages_of(&world, "/*", false, 100).await, ["bat STRONG"]);
        let group = world.group_for(Action::ListAssociatedPackages, "/toy//ball~");
        let group = group.await.unwrap();
        let begun = group.packages(None, 1).await.unwrap();

        assert_eq!(world.catalog.catch_up().await.unwrap(), 5);
        assert_eq!(world.catalog.catch_up().await.unwrap(), 0);
        let rest = group.packages(begun.next.as_deref(), 100).await.unwrap();
        let names = begun.items.iter().chain(&rest.items);
        let names: Vec<_> = names.map(|item| item.id.to_string()).collect();
        assert_eq!(
            names,
            ["BALL", "ball", "ball-b"],
            "begun before, ended after"
        );
        let found = packages_of(&world, "/toy//ball~", false, 1).await;
        assert_eq!(found, expected);
    });
}

#[test]
fn a_repository_of_many_packages_goes_whole_and_those_of_others_stay() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("many", &[]).await;
        world.repository("few", &[]).await;
        let open = Restrictions {
            publish: Restriction::Allow,
            upstream: Restriction::Allow,
        };
        for number in 0..230 {
            world
                .set_control("many", &format!("ball-{number}"), open)
                .await;
        }
        world.set_control("few", "ball-7", open).await;
        assert_eq!(packages_of(&world, "/toy/*", true, 100).await.len(), 230);
        let at = world.repository_at("many");
        let deleted = world.catalog.delete_repository(&world.admin, &at);
        assert!(deleted.await.unwrap().is_some());
        let left = packages_of(&world, "/toy/*", true, 100).await;
        assert_eq!(left, ["ball-7 STRONG"]);
        let again = world.catalog.delete_repository(&world.admin, &at);
        assert!(again.await.unwrap().is_none());
    });
}

/// `name association` of what a pattern has, read in pages of this size.
async fn packages_of(world: &World, pattern: &str, preview: bool, limit: u32) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None::<String>);
    loop {
        let after_text = after.as_deref();
        let page = if preview {
            let (at, pattern) = (domain_at(), pattern.parse().unwrap());
            let catalog = &world.catalog;
            catalog
                .preview_packages(&world.admin, &at, &pattern, after_text, limit)
                .await
        } else {
            let group = world.group_for(Action::ListAssociatedPackages, pattern);
            group.await.unwrap().packages(after_text, limit).await
        };
        let page = page.unwrap();
        assert!(page.items.len() <= limit as usize);
        let text = page.items.iter();
        found.extend(text.map(|item| format!("{} {}", item.id, item.association)));
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}
