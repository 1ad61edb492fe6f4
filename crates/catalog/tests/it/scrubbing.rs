//! Bytes that are not what they were are found, kept from everybody, and replaced by good ones.

use catalog::Error;
use catalog::job::{Job, JobRun};

use crate::world::{World, over_each};

impl World {
    async fn scrub(&self) -> (JobRun, [u64; 4]) {
        self.catalog
            .start_job(Job::Scrub, "arn:somebody")
            .await
            .unwrap();
        let run = self.catalog.next_job().await.unwrap().unwrap();
        let counts = self.catalog.scrub(&run).await.unwrap();
        self.catalog.end_job(&run, None).await.unwrap();
        let run = self.catalog.job_run(&run.id).await.unwrap();
        assert_eq!(run.counts, counts);
        let counts = ["blobs", "bytes", "damaged", "healed"].map(|name| counts[name]);
        (run, counts)
    }

    /// Lets a blob of this size point to the bytes of another one.
    async fn damage(&self, size: i64, other: i64) -> i64 {
        let sql = "SELECT location FROM blobs WHERE size_bytes = $1";
        let location = |size: i64| self.database.rows(sql, vec![size.into()]);
        let (mine, others) = (
            location(size).await.unwrap(),
            location(other).await.unwrap(),
        );
        let (mine, others) = (
            mine[0].text("location").unwrap(),
            others[0].text("location").unwrap(),
        );
        for (size, location) in [(size, "gone".to_owned()), (other, mine), (size, others)] {
            let sql = "UPDATE blobs SET location = $2 WHERE size_bytes = $1";
            let values = [size.into(), location.into()];
            self.database
                .write(move |tx| tx.execute(sql, &values))
                .await
                .unwrap();
        }
        size
    }
}

#[test]
fn damaged_bytes_are_kept_from_everybody_until_good_ones_come() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.put("r1", "ball", "1", &[1; 5000]).await;
        world.put("r1", "bear", "1", &vec![2; 600_000]).await;
        let (_, counts) = world.scrub().await;
        assert_eq!(counts, [2, 605_000, 0, 0]);
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), [1; 5000]);

        world.damage(5000, 600_000).await;
        let (run, counts) = world.scrub().await;
        assert_eq!(counts, [2, 605_000, 2, 0]);
        for name in ["ball", "bear"] {
            let Err(Error::Held(hold)) = world.read("r1", name, "1", "f").await else {
                panic!("what is damaged is not sent, not even from memory");
            };
            assert_eq!(
                hold.to_string(),
                format!(
                    "{}:1/f is damaged and in quarantine",
                    crate::toy::package(name)
                )
            );
        }
        let listed = world.catalog.quarantined(None, 50).await.unwrap().items;
        assert_eq!(listed.len(), 2);
        assert!(
            listed
                .iter()
                .all(|blob| blob.run == run.id && blob.uses == 1 && blob.domain == "toys")
        );

        // The same bytes come again, with another version.
        world.put("r1", "ball", "2", &[1; 5000]).await;
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), [1; 5000]);
        assert_eq!(
            world
                .catalog
                .quarantined(None, 50)
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        let (_, counts) = world.scrub().await;
        assert_eq!(counts, [2, 605_000, 1, 0]);
    });
}

#[test]
fn bytes_that_were_only_away_are_well_again() {
    over_each(|world| async move {
        let world = world.with_domain().await;
        world.repository("r1", &[]).await;
        world.put("r1", "ball", "1", &[1; 5000]).await;
        world.put("r1", "bear", "1", &[2; 6000]).await;
        world.damage(5000, 6000).await;
        assert_eq!(world.scrub().await.1, [2, 11_000, 2, 0]);
        world.damage(5000, 6000).await;
        assert_eq!(world.scrub().await.1, [2, 11_000, 0, 2]);
        assert_eq!(world.read("r1", "ball", "1", "f").await.unwrap(), [1; 5000]);
        assert!(
            world
                .catalog
                .quarantined(None, 50)
                .await
                .unwrap()
                .items
                .is_empty()
        );
    });
}
