//! A preview is what a run does, a run is written down, and what it did can be undone.

use std::collections::BTreeMap;
use std::time::Duration;

use aws::Timestamp;
use catalog::job::{Job, JobRun, JobState};
use catalog::lifecycle::{FetchTimes, Planned, Rules};
use catalog::{
    Action, BoxFuture, Error, PackageId, Permit, Repository, RepositoryAt, Result, Version,
};
use serde_json::json;

use crate::world::{World, over_each};

const DAY: Duration = Duration::from_hours(24);

/// Somebody who knows since forever that only these were fetched.
pub(crate) struct Fetched(pub(crate) BTreeMap<Version, Timestamp>);

impl FetchTimes for Fetched {
    fn known_since(&self) -> BoxFuture<'_, Result<Timestamp>> {
        Box::pin(async { Ok(Timestamp::from_millis(0)) })
    }

    fn of<'a>(
        &'a self,
        _repository: &'a RepositoryAt,
        _package: &'a PackageId,
    ) -> BoxFuture<'a, Result<BTreeMap<Version, Timestamp>>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

impl World {
    async fn repository_for(&self, action: Action) -> Permit<Repository> {
        let at = self.repository_at("r1");
        self.catalog
            .repository(&self.admin, action, &at)
            .await
            .unwrap()
    }

    async fn put_rules(&self, rules: serde_json::Value) {
        let rules: Rules = serde_json::from_value(rules).unwrap();
        let permit = self.repository_for(Action::UpdateRepository).await;
        permit.put_lifecycle_rules(rules, DAY * 90).await.unwrap();
    }

    /// `package version rule then` of everything that a run would do.
    async fn preview(&self, fetched: &Fetched) -> Vec<String> {
        let permit = self.repository_for(Action::DescribeRepository).await;
        let (mut shown, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = permit
                .preview_lifecycle(None, fetched, after.as_deref())
                .await
                .unwrap();
            let show = |one: &Planned| {
                format!("{} {} {} {}", one.id.name, one.version, one.rule, one.then)
            };
            shown.extend(page.items.iter().map(show));
            after = page.next;
            if after.is_none() {
                return shown;
            }
        }
    }

    /// Takes the next run out of the queue and does it.
    async fn work(&self, fetched: &Fetched) -> JobRun {
        let run = self
            .catalog
            .next_job()
            .await
            .unwrap()
            .expect("something is in the queue");
        assert_eq!(run.state, JobState::Running);
        let counts = match run.job {
            Job::Lifecycle => self.catalog.run_lifecycle(&run, fetched).await,
            Job::LifecycleUndo => self.catalog.undo_lifecycle(&run).await,
            other => panic!("{other}"),
        };
        self.catalog.count_job(&run, counts.unwrap()).await.unwrap();
        self.catalog.end_job(&run, None).await.unwrap();
        let permit = self.repository_for(Action::DescribeRepository).await;
        let ended = permit.lifecycle_run(&run.id).await.unwrap();
        assert_eq!(ended.state, JobState::Succeeded);
        ended
    }

    /// `package version rule then`, with a failure, of everything that a run did.
    async fn results(&self, run: &JobRun) -> Vec<String> {
        let permit = self.repository_for(Action::DescribeRepository).await;
        let (mut shown, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = permit
                .lifecycle_results(&run.id, after.as_deref(), 2)
                .await
                .unwrap();
            shown.extend(page.items.iter().map(|one| {
                let failure = one
                    .failure
                    .as_deref()
                    .map(|failure| format!(" ({failure})"));
                format!(
                    "{} {} {} {}{}",
                    one.id.name,
                    one.version,
                    one.rule,
                    one.then,
                    failure.unwrap_or_default()
                )
            }));
            after = page.next;
            if after.is_none() {
                return shown;
            }
        }
    }

    /// Two packages of four versions, each a day after the one before.
    async fn with_history(self) -> World {
        let world = self.with_domain().await;
        world.repository("r1", &[]).await;
        for version in ["1", "2", "3", "4"] {
            for name in ["ball", "bear"] {
                world.put("r1", name, version, version.as_bytes()).await;
            }
            world.clock.advance(DAY);
        }
        world
    }
}

#[test]
fn a_preview_is_what_a_run_does_and_an_undo_brings_all_of_it_back() {
    over_each(|world| async move {
        let world = world.with_history().await;
        let before = (world.whole("ball").await, world.whole("bear").await);
        let fetched = Fetched(BTreeMap::from([("2".parse().unwrap(), world.clock.now())]));
        world
            .put_rules(json!({"rules": [
                {"name": "bears", "match": {"names": ["be*"]}, "keep": {"newest": 2, "fetchedWithinDays": 30}, "then": "Delete"},
                {"name": "balls", "match": {"statuses": ["Published"]}, "keep": {"newest": 1, "publishedWithinDays": 2}, "then": "Dispose"},
            ]}))
            .await;
        world.clock.advance(DAY * 60);
        let fetched = Fetched(
            fetched
                .0
                .into_keys()
                .map(|version| (version, world.clock.now().minus(DAY)))
                .collect(),
        );
        let preview = world.preview(&fetched).await;
        assert_eq!(
            preview,
            [
                "ball 1 balls Dispose",
                "ball 2 balls Dispose",
                "ball 3 balls Dispose",
                "bear 1 bears Delete"
            ]
        );
        assert_eq!(
            (world.whole("ball").await, world.whole("bear").await),
            before,
            "a preview does nothing"
        );

        let permit = world.repository_for(Action::UpdateRepository).await;
        let asked = permit.start_lifecycle().await.unwrap();
        assert_eq!(
            permit.start_lifecycle().await.unwrap().id,
            asked.id,
            "one that waits is enough"
        );
        let run = world.work(&fetched).await;
        assert_eq!(world.results(&run).await, preview);
        assert_eq!(run.counts["disposed"] + run.counts["deleted"], 4);
        assert_eq!(
            world.preview(&fetched).await,
            [""; 0],
            "nothing is left to do"
        );
        assert_eq!(
            world.recorded("r1", "ball").await,
            ["1 Disposed", "2 Disposed", "3 Disposed", "4 Published"]
        );
        assert_eq!(
            world.recorded("r1", "bear").await,
            ["2 Published", "3 Published", "4 Published"]
        );

        for _ in 0..20 {
            world.clock.advance(DAY);
            world.catalog.sweep().await.unwrap();
        }
        permit.undo_lifecycle(&run.id).await.unwrap();
        let undone = world.work(&fetched).await;
        assert_eq!((undone.counts["restored"], undone.counts["failed"]), (4, 0));
        assert_eq!(
            (world.whole("ball").await, world.whole("bear").await),
            before
        );
        assert_eq!(world.read("r1", "bear", "1", "f").await.unwrap(), b"1");
        let page = permit.lifecycle_results(&run.id, None, 50).await.unwrap();
        assert!(
            page.items
                .iter()
                .all(|one| one.restored == Some(world.clock.now()))
        );
        let runs = permit.lifecycle_runs(None, 50).await.unwrap().items;
        assert_eq!(
            runs.iter().map(|run| run.job).collect::<Vec<_>>(),
            [Job::LifecycleUndo, Job::Lifecycle]
        );
        // Once is enough.
        permit.undo_lifecycle(&run.id).await.unwrap();
        assert_eq!(world.work(&fetched).await.counts["restored"], 0);
    });
}

#[test]
fn what_was_archived_is_published_again_by_an_undo_unless_somebody_changed_it() {
    over_each(|world| async move {
        let world = world.with_history().await;
        let nothing = Fetched(BTreeMap::new());
        world
            .put_rules(
                json!({"rules": [{"name": "old", "keep": {"newest": 2}, "then": "Archive"}]}),
            )
            .await;
        let permit = world.repository_for(Action::UpdateRepository).await;
        permit.start_lifecycle().await.unwrap();
        let run = world.work(&nothing).await;
        assert_eq!(
            world.recorded("r1", "ball").await[..2],
            ["1 Archived", "2 Archived"]
        );
        let statuses = world
            .package_for(Action::UpdatePackageVersionsStatus, "ball")
            .await;
        let one = catalog::Selection {
            versions: vec!["1".parse().unwrap()],
            ..catalog::Selection::default()
        };
        statuses
            .set_status(one, catalog::Status::Unlisted)
            .await
            .unwrap();
        permit.undo_lifecycle(&run.id).await.unwrap();
        let undone = world.work(&nothing).await;
        assert_eq!((undone.counts["restored"], undone.counts["failed"]), (3, 1));
        assert_eq!(
            world.recorded("r1", "ball").await[..2],
            ["1 Unlisted", "2 Published"]
        );
    });
}

#[test]
fn rules_are_kept_shown_and_removed_and_due_each_day() {
    over_each(|world| async move {
        let world = world.with_history().await;
        let permit = world.repository_for(Action::UpdateRepository).await;
        assert!(matches!(
            permit.lifecycle_rules().await,
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            permit.start_lifecycle().await,
            Err(Error::NotFound { .. })
        ));
        world
            .put_rules(json!({"rules": [{"name": "old", "keep": {"newest": 2}, "then": "Delete"}]}))
            .await;
        let stored = permit.lifecycle_rules().await.unwrap();
        assert_eq!(stored.rules.rules[0].keep.newest, Some(2));
        assert_eq!(stored.principal, "arn:aws:iam::111122223333:user/admin");
        let due = || world.catalog.queue_due_jobs(DAY, DAY * 7, DAY);
        due().await.unwrap();
        due().await.unwrap();
        let mut taken = Vec::new();
        while let Some(run) = world.catalog.next_job().await.unwrap() {
            taken.push(run.job);
        }
        taken.sort_by_key(|job| job.as_str());
        assert_eq!(taken, [Job::Lifecycle, Job::Scrub, Job::Sweep]);
        // Whoever was at them is gone.
        world.catalog.tidy_jobs().await.unwrap();
        let runs = world.catalog.job_runs(None, None, 50).await.unwrap().items;
        assert!(runs.iter().all(|run| run.state == JobState::Interrupted) && runs.len() == 2);
        world.clock.advance(DAY);
        due().await.unwrap();
        let mut again = 0;
        while world.catalog.next_job().await.unwrap().is_some() {
            again += 1;
        }
        assert_eq!(again, 2, "a scrub is due once a week");
        permit.delete_lifecycle_rules().await.unwrap();
        assert!(matches!(
            permit.delete_lifecycle_rules().await,
            Err(Error::NotFound { .. })
        ));
        world.clock.advance(catalog::job::KEPT + DAY);
        world.catalog.tidy_jobs().await.unwrap();
        assert!(
            world
                .catalog
                .job_runs(None, None, 50)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    });
}
