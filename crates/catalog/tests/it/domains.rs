//! Domains and repositories.

use catalog::{Action, Error, Kind, NewRepository, PackageFilter, RepositoryChange};

use crate::world::{domain_at, over_each};

#[test]
fn a_domain_is_created_once_and_deleted_only_when_empty() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        let name = "toys".parse().unwrap();
        let again = world
            .catalog
            .create_domain(&world.admin, &name, String::new(), Vec::new())
            .await;
        assert!(matches!(
            again,
            Err(Error::Conflict {
                kind: Kind::Domain,
                ..
            })
        ));

        world.repository("r1", &[]).await;
        let full = world
            .catalog
            .delete_domain(&world.admin, &domain_at())
            .await
            .unwrap_err();
        assert_eq!(
            full.to_string(),
            "Domain must contain 0 repositories before deletion"
        );
        let domain = world
            .catalog
            .domain(&world.admin, Action::DescribeDomain, &domain_at())
            .await
            .unwrap();
        assert_eq!(domain.figures().await.unwrap().repository_count, 1);

        world
            .catalog
            .delete_repository(&world.admin, &world.repository_at("r1"))
            .await
            .unwrap()
            .unwrap();
        assert!(
            world
                .catalog
                .delete_repository(&world.admin, &world.repository_at("r1"))
                .await
                .unwrap()
                .is_none()
        );
        let (gone, _) = world
            .catalog
            .delete_domain(&world.admin, &domain_at())
            .await
            .unwrap()
            .unwrap();
        assert!(
            world
                .catalog
                .delete_domain(&world.admin, &domain_at())
                .await
                .unwrap()
                .is_none()
        );
        let missing = world
            .catalog
            .domain(&world.admin, Action::DescribeDomain, &domain_at())
            .await
            .err()
            .unwrap();
        assert_eq!(
            missing.to_string(),
            "Domain not found. Domain 'toys' owned by account '111122223333' does not exist"
        );
        let world = world.with_domain().await;
        let new = world
            .catalog
            .domain(&world.admin, Action::DescribeDomain, &domain_at())
            .await
            .unwrap();
        assert_ne!(
            new.number, gone.number,
            "a token of the old domain must not open the new one"
        );
    });
}

#[test]
fn lists_are_paged_without_gaps_or_repetition() {
    over_each(|world| async move {
        for name in ["aa", "bb", "cc", "dd", "toys"] {
            let name = name.parse().unwrap();
            world
                .catalog
                .create_domain(&world.admin, &name, String::new(), Vec::new())
                .await
                .unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = world
                .catalog
                .list_domains(&world.admin, after.as_deref(), 2)
                .await
                .unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items.iter().map(|domain| domain.name.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["aa", "bb", "cc", "dd", "toys"]);

        for name in ["r1", "r2", "r3", "x1"] {
            world.repository(name, &[]).await;
        }
        let prefix = "r1".parse().unwrap();
        let page = world
            .catalog
            .list_repositories(&world.admin, Some(&prefix), None, 10)
            .await
            .unwrap();
        assert_eq!(page.items.len(), 1);
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = world
                .catalog
                .list_repositories(&world.admin, None, after.as_deref(), 1)
                .await
                .unwrap();
            seen.extend(
                page.items
                    .iter()
                    .map(|repository| repository.name.to_string()),
            );
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["r1", "r2", "r3", "x1"]);
        let domain = world
            .catalog
            .domain(&world.admin, Action::ListRepositoriesInDomain, &domain_at())
            .await
            .unwrap();
        let page = domain
            .repositories(None, None, Some("r2"), 1)
            .await
            .unwrap();
        assert_eq!(
            (page.items[0].name.as_str(), page.next.as_deref()),
            ("r3", Some("r3"))
        );
    });
}

#[test]
fn upstreams_keep_their_order_and_exclude_a_connection() {
    over_each(|world| async move {
        let world = world.with_domain().await;

        world.repository("a1", &[]).await;
        world.connected("store").await;
        world.repository("top", &["store", "a1"]).await;
        let top = world.repository_at("top");
        let permit = world
            .catalog
            .repository(&world.admin, Action::UpdateRepository, &top)
            .await
            .unwrap();
        assert_eq!(names(&permit.upstreams), ["store", "a1"]);

        let change = |upstreams: &[&str]| RepositoryChange {
            description: Some("for all".to_owned()),
            upstreams: Some(upstreams.iter().map(|name| name.parse().unwrap()).collect()),
        };
        let updated = permit.update(change(&["a1", "store"])).await.unwrap();
        assert_eq!(names(&updated.upstreams), ["a1", "store"]);
        assert_eq!(updated.description.as_deref(), Some("for all"));
        assert!(matches!(
            permit.update(change(&["a1", "a1"])).await,
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            permit.update(change(&["top"])).await,
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            permit.update(change(&["nowhere"])).await,
            Err(Error::NotFound {
                kind: Kind::Repository,
                ..
            })
        ));
        let connection = "public:toys".parse().unwrap();
        assert!(matches!(
            permit.connect(&connection).await,
            Err(Error::Invalid(_))
        ));

        let store = world.repository_at("store");
        let store = world
            .catalog
            .repository(&world.admin, Action::UpdateRepository, &store)
            .await
            .unwrap();
        assert!(matches!(
            store.update(change(&[])).await,
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            store.connect(&connection).await,
            Err(Error::Conflict { .. })
        ));
        let other = "public:others".parse().unwrap();
        assert_eq!(
            store.connect(&other).await.unwrap_err().to_string(),
            "ExternalConnections for repositories are currently limited to 1"
        );
        assert!(matches!(
            store.disconnect(&other).await,
            Err(Error::NotFound { .. })
        ));
        assert!(
            store
                .disconnect(&connection)
                .await
                .unwrap()
                .connection
                .is_none()
        );
    });
}

#[test]
fn who_may_not_is_told_so_whether_or_not_it_exists() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for name in ["r1", "r2"] {
            let at = world.repository_at(name);
            let refused = world
                .catalog
                .repository(&world.nobody, Action::DescribeRepository, &at)
                .await
                .err()
                .unwrap();
            assert_eq!(
                refused.to_string(),
                format!(
                    "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: \
                     codeartifact:DescribeRepository on resource: \
                     arn:aws:codeartifact:us-east-1:111122223333:repository/toys/{name} because no identity-based policy \
                     allows the codeartifact:DescribeRepository action"
                )
            );
        }
        let name = "mine".parse().unwrap();
        let refused = world
            .catalog
            .create_domain(&world.nobody, &name, String::new(), Vec::new())
            .await;
        assert!(matches!(refused, Err(Error::Denied(_))));
        let new = NewRepository {
            name: "r3".parse().unwrap(),
            description: None,
            upstreams: vec![],
            tags: vec![],
        };
        let refused = world
            .catalog
            .create_repository(&world.nobody, &domain_at(), new)
            .await;
        assert!(matches!(refused, Err(Error::Denied(_))));
        let at = world.repository_at("r1");
        let refused = world
            .catalog
            .open(&world.nobody, &at, &"toy".parse().unwrap())
            .await
            .unwrap();
        assert!(matches!(
            refused.package(&crate::toy::package("x")).await,
            Err(Error::Denied(_))
        ));
        assert!(matches!(
            refused.publish(&crate::toy::version("x", "1")).await,
            Err(Error::Denied(_))
        ));
    });
}

#[test]
fn packages_are_listed_by_filter_and_page() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for name in ["ball", "bear", "car"] {
            world
                .publish("r1", name, "1", "f", b"x", catalog::Then::Publish)
                .await
                .unwrap();
        }
        let at = world.repository_at("r1");
        let permit = world
            .catalog
            .repository(&world.admin, Action::ListPackages, &at)
            .await
            .unwrap();
        let filter = PackageFilter {
            name_prefix: Some("b".to_owned()),
            ..PackageFilter::default()
        };
        let page = permit.packages(&filter, None, 1).await.unwrap();
        assert_eq!(page.items[0].id.name.as_str(), "ball");
        let page = permit
            .packages(&filter, page.next.as_deref(), 1)
            .await
            .unwrap();
        assert_eq!(page.items[0].id.name.as_str(), "bear");
        assert!(page.next.is_none());
        let filter = PackageFilter {
            format: Some("maven".parse().unwrap()),
            ..PackageFilter::default()
        };
        assert!(
            permit
                .packages(&filter, None, 10)
                .await
                .unwrap()
                .items
                .is_empty()
        );
        let filter = PackageFilter {
            publish: Some(catalog::Restriction::Allow),
            ..PackageFilter::default()
        };
        assert_eq!(
            permit
                .packages(&filter, None, 10)
                .await
                .unwrap()
                .items
                .len(),
            3
        );
    });
}

fn names(upstreams: &[catalog::RepositoryName]) -> Vec<&str> {
    upstreams
        .iter()
        .map(catalog::RepositoryName::as_str)
        .collect()
}
