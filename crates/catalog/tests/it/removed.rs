//! What was disposed of or deleted comes back whole within the window, and is gone after it.

use std::time::Duration;

use catalog::{
    Action, AssetRecord, FailureCode, PackageAt, Permit, RESTORE_WINDOW, Removal, Selection,
    Status, Then, VersionFilter, VersionRecord,
};

use crate::toy::package;
use crate::world::{World, over_each};

const DAY: Duration = Duration::from_hours(24);

impl World {
    pub(crate) async fn package_for(&self, action: Action, name: &str) -> Permit<PackageAt> {
        let at = self.repository_at("r1");
        let permit = self
            .catalog
            .package(&self.admin, action, &at, &package(name))
            .await;
        permit.unwrap()
    }

    /// All that is recorded of a package.
    pub(crate) async fn whole(&self, name: &str) -> Vec<(VersionRecord, Vec<AssetRecord>, String)> {
        let permit = self.package_for(Action::ListPackageVersions, name).await;
        let Ok(page) = permit.versions(VersionFilter::default(), None, 100).await else {
            return Vec::new();
        };
        let mut whole = Vec::new();
        for record in page.items {
            let (_, assets) = permit.assets(&record.version, None, 100).await.unwrap();
            let (_, manifest) = permit.version(&record.version).await.unwrap();
            whole.push((record, assets.items, format!("{manifest:?}")));
        }
        whole
    }

    async fn label(&self, name: &str, label: &'static str, version: &'static str) {
        let name = name.to_owned();
        let sql = "
            INSERT INTO labels (package_id, label, version)
            SELECT id, $2, $3
              FROM packages
             WHERE name = $1";
        let values = [name.as_str().into(), label.into(), version.into()];
        self.database
            .write(move |tx| tx.execute(sql, &values))
            .await
            .unwrap();
    }

    async fn labels(&self) -> Vec<String> {
        let sql = "SELECT label, version FROM labels ORDER BY label";
        let rows = self.database.rows(sql, Vec::new()).await.unwrap();
        let shown = rows.iter().map(|row| {
            format!(
                "{} {}",
                row.text("label").unwrap(),
                row.text("version").unwrap()
            )
        });
        shown.collect()
    }
}

fn of(versions: &[&str]) -> Selection {
    Selection {
        versions: versions.iter().map(|text| text.parse().unwrap()).collect(),
        ..Selection::default()
    }
}

async fn filled(world: World) -> World {
    let world = world.with_domain().await;
    world.repository("r1", &[]).await;
    for version in ["1", "2"] {
        for (file, body) in [("about.txt", version.as_bytes()), ("f", &[7; 5000][..])] {
            let then = Then::Publish;
            world
                .publish("r1", "ball", version, file, body, then)
                .await
                .unwrap();
        }
    }
    world.label("ball", "latest", "2").await;
    // Blobs are dated by the clock of the disk, which is later than that of this test.
    world.clock.set(aws::Clock::system().now().plus(400 * DAY));
    world
}

#[test]
fn what_was_removed_long_after_it_was_stored_comes_back_whole() {
    over_each(|world| async move {
        let world = filled(world).await;
        let before = world.whole("ball").await;
        for removal in [
            "dispose",
            "delete",
            "dispose and delete",
            "delete the package",
        ] {
            let deleting = world
                .package_for(Action::DeletePackageVersions, "ball")
                .await;
            if removal.starts_with("dispose") {
                let disposed = deleting.dispose(of(&["1", "2"])).await.unwrap();
                assert_eq!(disposed.successful.len(), 2);
            }
            if removal == "delete the package" {
                deleting.delete().await.unwrap();
            } else if removal.ends_with("delete") {
                deleting.delete_versions(of(&["1", "2"])).await.unwrap();
            }
            assert_ne!(world.whole("ball").await, before);
            assert!(world.read("r1", "ball", "1", "f").await.is_err());
            // As often as it may be, and nearly as late.
            for _ in 0..29 {
                world.clock.advance(DAY);
                assert_eq!(world.catalog.sweep().await.unwrap().blobs, 0, "{removal}");
            }
            let restoring = world
                .package_for(Action::PublishPackageVersion, "ball")
                .await;
            let listed = restoring.removed(None, 50).await.unwrap().items;
            let versions: Vec<_> = listed
                .iter()
                .map(|one| (one.version.as_str(), one.status))
                .collect();
            assert_eq!(
                versions,
                [("1", Status::Published), ("2", Status::Published)],
                "{removal}"
            );
            let expected = if removal.starts_with("dispose") {
                Removal::Dispose
            } else {
                Removal::Delete
            };
            assert_eq!(listed[0].removal, expected);
            let versions = vec!["1".parse().unwrap(), "2".parse().unwrap()];
            let restored = restoring.restore(versions).await.unwrap();
            assert_eq!(restored.successful.len(), 2, "{removal}: {restored:?}");
            assert_eq!(world.whole("ball").await, before, "{removal}");
            assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), [7; 5000]);
            assert_eq!(world.labels().await, ["latest 2"], "{removal}");
            assert!(restoring.removed(None, 50).await.unwrap().items.is_empty());
            // That nothing referred to them counts from anew.
            world.clock.advance(DAY * 2);
            assert_eq!(world.catalog.sweep().await.unwrap().blobs, 0);
        }
    });
}

#[test]
fn after_the_window_it_is_gone_with_its_bytes() {
    over_each(|world| async move {
        let world = filled(world).await;
        let deleting = world
            .package_for(Action::DeletePackageVersions, "ball")
            .await;
        deleting.delete_versions(of(&["1", "2"])).await.unwrap();
        assert_eq!(world.catalog.sweep().await.unwrap().blobs, 0);
        world.clock.advance(RESTORE_WINDOW);
        let restoring = world
            .package_for(Action::PublishPackageVersion, "ball")
            .await;
        let restored = restoring.restore(vec!["1".parse().unwrap()]).await.unwrap();
        let (code, _) = &restored.failed[&"1".parse().unwrap()];
        assert_eq!(*code, FailureCode::NotFound);
        let swept = world.catalog.sweep().await.unwrap();
        // Two descriptions, and one file that both versions had.
        assert_eq!((swept.rows, swept.blobs), (3, 3));
        let rows = world
            .database
            .rows("SELECT COUNT(*) AS n FROM removed_versions", Vec::new())
            .await;
        assert_eq!(rows.unwrap()[0].int("n").unwrap(), 0);
    });
}

#[test]
fn a_version_that_is_there_again_is_not_replaced() {
    over_each(|world| async move {
        let world = filled(world).await;
        let deleting = world
            .package_for(Action::DeletePackageVersions, "ball")
            .await;
        deleting.delete_versions(of(&["1", "2"])).await.unwrap();
        world.put("r1", "ball", "1", b"other").await;
        let restoring = world
            .package_for(Action::PublishPackageVersion, "ball")
            .await;
        let versions = vec!["1".parse().unwrap(), "2".parse().unwrap()];
        let restored = restoring.restore(versions).await.unwrap();
        let code = |version: &str| restored.failed[&version.parse().unwrap()].0;
        assert_eq!(
            (code("1"), code("2")),
            (FailureCode::AlreadyExists, FailureCode::Skipped)
        );
        assert_eq!(world.whole("ball").await.len(), 1);
        let restored = restoring.restore(vec!["2".parse().unwrap()]).await.unwrap();
        assert_eq!(restored.successful.len(), 1);
    });
}
