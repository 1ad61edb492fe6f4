//! Packages are found by what they are called and what they say, where the caller may read.

use std::time::Duration;

use catalog::{Action, DigestText, Error, Search, Selection, Status, Then};

use crate::toy::package;
use crate::world::{World, domain_at, over_each};

impl World {
    /// Publishes a version that says this of itself.
    async fn said(&self, repository: &str, name: &str, of: &str, about: &str) {
        let then = Then::Publish;
        let published = self.publish(repository, name, of, "about.txt", about.as_bytes(), then);
        published.await.unwrap();
        self.clock.advance(Duration::from_secs(1));
    }

    /// `repository/name version`, in the order in which they are found; page by page, each of `limit`.
    pub(crate) async fn finds(&self, search: &Search, limit: u32) -> Vec<String> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        for _ in 0..1000 {
            let page = self
                .catalog
                .search(&self.admin, &domain_at(), search, after.as_deref(), limit)
                .await
                .unwrap();
            assert!(page.items.len() <= limit as usize);
            found.extend(
                page.items
                    .iter()
                    .map(|item| format!("{}/{} {}", item.repository, item.id.name, item.version)),
            );
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
        panic!("it does not end");
    }

    /// `repository/name version file`, oldest version first.
    pub(crate) async fn finds_files(&self, hash: &DigestText, limit: u32) -> Vec<String> {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = self
                .catalog
                .search_files(
                    &self.admin,
                    &domain_at(),
                    hash,
                    None,
                    after.as_deref(),
                    limit,
                )
                .await
                .unwrap();
            assert!(page.items.len() <= limit as usize);
            found.extend(page.items.iter().map(|file| {
                let name = &file.id.name;
                format!("{}/{name} {} {}", file.repository, file.version, file.asset)
            }));
            after = page.next;
            if after.is_none() {
                return found;
            }
        }
    }
}

fn text(text: &str) -> Search {
    Search {
        text: Some(text.to_owned()),
        ..Search::default()
    }
}

fn name(name: &str) -> Search {
    Search {
        name: Some(name.to_owned()),
        ..Search::default()
    }
}

#[test]
fn the_exact_name_comes_first_then_beginnings_then_words() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.repository("r2", &[]).await;
        world
            .said("r1", "toy-box", "1", "keeps a ball and a bear")
            .await;
        world.said("r2", "ball", "1", "round").await;
        world.said("r1", "ball-pit", "1", "for many").await;
        world.said("r2", "red-ball", "1", "round and red").await;
        world.said("r1", "ball", "1", "round").await;
        world.said("r1", "ball", "2", "rounder").await;
        for limit in [1, 2, 50] {
            let found = world.finds(&text("ball"), limit).await;
            assert_eq!(
                found[..3]
                    .iter()
                    .map(String::as_str)
                    .collect::<std::collections::BTreeSet<_>>(),
                ["r1/ball 2", "r2/ball 1", "r1/ball-pit 1"].into()
            );
            assert_eq!(
                found[2..],
                ["r1/ball-pit 1", "r2/red-ball 1", "r1/toy-box 1"],
                "{limit}"
            );
            assert_eq!(
                world.finds(&text("Ball Pit"), limit).await,
                ["r1/ball-pit 1"]
            );
            assert_eq!(
                world.finds(&text("bear ball"), limit).await,
                ["r1/toy-box 1"]
            );
            assert_eq!(
                world.finds(&text("round red"), limit).await,
                ["r2/red-ball 1"]
            );
            assert_eq!(world.finds(&text("rounder"), limit).await, ["r1/ball 2"]);
            assert_eq!(world.finds(&text("nothing"), limit).await, [""; 0]);
            assert_eq!(world.finds(&name("BALL"), limit).await.len(), 2);
            assert_eq!(world.finds(&name("ba*"), limit).await.len(), 3);
            assert_eq!(world.finds(&Search::default(), limit).await.len(), 5);
            let only = Search {
                repository: Some("r2".parse().unwrap()),
                ..text("ball")
            };
            assert_eq!(
                world.finds(&only, limit).await,
                ["r2/ball 1", "r2/red-ball 1"]
            );
            let formats = |format: &str| Search {
                format: Some(format.parse().unwrap()),
                ..Search::default()
            };
            assert_eq!(world.finds(&formats("toy"), limit).await.len(), 5);
            assert_eq!(world.finds(&formats("maven"), limit).await, [""; 0]);
            let both = Search {
                name: Some("red*".to_owned()),
                ..text("ball")
            };
            assert_eq!(world.finds(&both, limit).await, ["r2/red-ball 1"]);
        }
    });
}

#[test]
fn a_package_is_found_by_its_newest_listed_version_only() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.said("r1", "ball", "1", "wooden").await;
        world.said("r1", "ball", "2", "plastic").await;
        assert_eq!(world.finds(&text("wooden"), 50).await, [""; 0]);
        assert_eq!(world.finds(&text("plastic"), 50).await, ["r1/ball 2"]);
        let permit = |action| {
            let world = &world;
            async move {
                let at = world.repository_at("r1");
                world
                    .catalog
                    .package(&world.admin, action, &at, &package("ball"))
                    .await
                    .unwrap()
            }
        };
        let only = |version: &str| Selection {
            versions: vec![version.parse().unwrap()],
            ..Selection::default()
        };
        let statuses = permit(Action::UpdatePackageVersionsStatus).await;
        statuses
            .set_status(only("2"), Status::Archived)
            .await
            .unwrap();
        assert_eq!(world.finds(&text("plastic"), 50).await, [""; 0]);
        assert_eq!(world.finds(&text("wooden"), 50).await, ["r1/ball 1"]);
        let deleting = permit(Action::DeletePackageVersions).await;
        deleting.delete_versions(only("1")).await.unwrap();
        assert_eq!(world.finds(&Search::default(), 50).await, [""; 0]);
        statuses
            .set_status(only("2"), Status::Published)
            .await
            .unwrap();
        assert_eq!(world.finds(&name("ball"), 50).await, ["r1/ball 2"]);
        permit(Action::DeletePackage).await.delete().await.unwrap();
        assert_eq!(world.finds(&Search::default(), 50).await, [""; 0]);
    });
}

#[test]
fn who_may_read_nothing_finds_nothing_and_cannot_tell_it_from_an_empty_domain() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.said("r1", "ball", "1", "round").await;
        let digest = store::Digests::of(b"round");
        for search in [text("ball"), Search::default(), name("ball")] {
            let page = world
                .catalog
                .search(&world.nobody, &domain_at(), &search, None, 50)
                .await
                .unwrap();
            assert!(page.items.is_empty() && page.next.is_none());
        }
        for hash in [&digest.md5, &digest.sha1, &digest.sha256, &digest.sha512] {
            let hash = hash.parse().unwrap();
            let at = domain_at();
            let files = |caller| {
                let (world, hash, at) = (&world, &hash, &at);
                async move {
                    world
                        .catalog
                        .search_files(caller, at, hash, None, None, 50)
                        .await
                        .unwrap()
                }
            };
            assert!(files(&world.nobody).await.items.is_empty());
            let found = files(&world.admin).await.items;
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].asset.as_str(), "about.txt");
            assert_eq!(found[0].sha256, digest.sha256);
        }
        let mut elsewhere = domain_at();
        elsewhere.name = "nowhere".parse().unwrap();
        let nowhere = world
            .catalog
            .search(&world.admin, &elsewhere, &text("ball"), None, 50)
            .await;
        assert!(matches!(nowhere, Err(Error::NotFound { .. })));
        elsewhere.owner = "444455556666".parse().unwrap();
        let nowhere = world
            .catalog
            .search(&world.admin, &elsewhere, &text("ball"), None, 50)
            .await;
        assert!(nowhere.unwrap().items.is_empty());
    });
}

#[test]
fn files_with_the_same_bytes_are_found_page_by_page() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for number in 0..5 {
            world
                .said("r1", &format!("toy{number}"), "1", "the same")
                .await;
        }
        let hash = store::Digests::of(b"the same")
            .sha1
            .to_uppercase()
            .parse()
            .unwrap();
        let found = world.finds_files(&hash, 2).await;
        assert_eq!(
            found,
            [0, 1, 2, 3, 4].map(|number| format!("r1/toy{number} 1 about.txt"))
        );
    });
}

#[test]
fn what_was_recorded_before_there_was_an_index_is_brought_into_it() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        for number in 0..3 {
            world.said("r1", &format!("toy{number}"), "1", "old").await;
        }
        for sql in [
            "DELETE FROM search_terms",
            "DELETE FROM search_packages",
            "DELETE FROM catch_up",
        ] {
            world
                .database
                .write(move |tx| tx.execute(sql, &[]))
                .await
                .unwrap();
        }
        assert_eq!(world.finds(&text("old"), 50).await, [""; 0]);
        assert_eq!(world.catalog.catch_up().await.unwrap(), 3);
        assert_eq!(world.catalog.catch_up().await.unwrap(), 0);
        assert_eq!(world.finds(&text("old"), 50).await.len(), 3);
    });
}

#[test]
fn a_repository_that_is_open_finds_its_own_packages_and_tells_of_the_version_that_stands_for_each()
{
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.repository("r2", &["r1"]).await;
        for number in 0..23 {
            world
                .said("r1", &format!("ball-{number:02}"), "1", "round")
                .await;
        }
        world.said("r2", "ball", "1", "round").await;
        let open = world.open("r1").await;
        let page = open.search(&text("ball"), None, 50).await.unwrap();
        assert_eq!((page.items.len(), page.next), (23, None));
        let summaries = open.summaries(&page.items).await.unwrap();
        let names: Vec<_> = summaries
            .iter()
            .map(|one| one.id.name.to_string())
            .collect();
        let found: Vec<_> = page
            .items
            .iter()
            .map(|one| one.id.name.to_string())
            .collect();
        assert_eq!(names, found);
        assert_eq!(summaries[0].version.as_str(), "1");
        assert_eq!(summaries[0].manifest.summary.as_deref(), Some("round"));
    });
}
