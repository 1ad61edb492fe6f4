//! Who fetched a version, on both databases.

use std::time::Duration;

use audit::{Arrival, Draft, FetchedFrom, Keeping, Ledger, Settings};
use http::Method;
use serde_json::json;
use store::Database;

use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

/// Ledgers of their own, one on each database that is at hand.
async fn ledgers(world: &World, read_window: Duration) -> Vec<Ledger> {
    let mut databases = vec![
        Database::open(&"sqlite::memory:".parse().unwrap())
            .await
            .unwrap(),
    ];
    if let Ok(server) = std::env::var("PACKHOUSE_TEST_POSTGRES") {
        let chance = world.file().display().to_string();
        let chance = chance.bytes().fold(7_u64, |hash, byte| {
            hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
        });
        let name = format!("fetches_{chance:x}_{}", read_window.as_secs());
        let sql: &'static str = Box::leak(format!("CREATE SCHEMA \"{name}\"").into_boxed_str());
        let database = Database::open(&server.parse().unwrap()).await.unwrap();
        database
            .write(move |tx| tx.execute(sql, &[]))
            .await
            .unwrap();
        let joint = if server.contains('?') { '&' } else { '?' };
        let address = format!("{server}{joint}options=-csearch_path%3D{name}");
        databases.push(Database::open(&address.parse().unwrap()).await.unwrap());
    }
    let mut ledgers = Vec::new();
    for (number, database) in databases.into_iter().enumerate() {
        let settings = Settings {
            directory: world.file().with_file_name(format!("other-{number}")),
            files: Keeping {
                bytes: 1 << 20,
                age: DAY,
                keep: DAY,
            },
            to_stdout: false,
            keep_records: 90 * DAY,
            records: 3,
            keep_decisions: DAY,
            decisions: 10,
            read_window,
            region: "us-east-1".parse().unwrap(),
            account: world.account,
        };
        ledgers.push(
            Ledger::open(database, world.clock.clone(), settings)
                .await
                .unwrap(),
        );
    }
    ledgers
}

fn from() -> FetchedFrom {
    FetchedFrom {
        owner: "111122223333".parse().unwrap(),
        domain: "team".to_owned(),
        repository: "app".to_owned(),
        format: "npm".to_owned(),
        namespace: String::new(),
        name: "left-pad".to_owned(),
    }
}

/// The request of a package manager: for which version, from where, whether for the file, and the status of its answer.
type Get = (&'static str, &'static str, bool, u16);

const HERE: &str = "203.0.113.40";
const GOOD: Get = ("1.3.0", HERE, true, 200);

/// Somebody makes this request, at the time of the clock.
fn request(world: &World, ledger: &Ledger, (version, source, is_for_file, status): Get) {
    let draft = Draft::new(Arrival {
        request_id: "11111111-2222-4333-8444-555555555555".to_owned(),
        at: world.clock.now(),
        method: Method::GET,
        path: "/d/team-111122223333/npm/app/left-pad".to_owned(),
        source_ip: Some(source.parse().unwrap()),
        secure: true,
        tls_version: None,
        host: None,
        user_agent: None,
    });
    draft.called_by(&world.admin);
    draft.asks_for_packages();
    let mut parameters = json!({
        "domainName": "team", "domainOwner": "111122223333", "repositoryName": "app", "packageFormat": "npm",
        "packageName": "left-pad", "packageVersion": version
    });
    if is_for_file {
        parameters["assetName"] = json!("left-pad.tgz");
    }
    draft.with(parameters.as_object().unwrap().clone());
    draft.ended(status, Some(10));
    ledger.note(&draft);
}

#[tokio::test]
async fn every_caller_and_address_is_a_row_with_its_times_and_a_count() {
    let world = World::begin().await;
    for window in [Duration::ZERO, Duration::from_mins(1)] {
        for ledger in ledgers(&world, window).await {
            let start = world.clock.now();
            for _ in 0..5 {
                request(&world, &ledger, GOOD);
                world.clock.advance(Duration::from_secs(1));
            }
            ledger.flush().await;
            for get in [
                ("1.3.0", HERE, true, 206),
                ("1.3.0", "203.0.113.41", true, 200),
                // Not of this version, not a file, not there, nothing new.
                ("1.2.0", HERE, true, 200),
                ("1.3.0", HERE, false, 200),
                ("1.3.0", HERE, true, 404),
                ("1.3.0", HERE, true, 304),
            ] {
                request(&world, &ledger, get);
            }
            let last = start.plus(Duration::from_secs(5));
            let (fetchers, next) = ledger.fetchers(&from(), "1.3.0", None, 50).await.unwrap();
            assert_eq!(next, None);
            let shown: Vec<_> = fetchers
                .iter()
                .map(|one| {
                    (
                        one.source_ip_address.as_str(),
                        one.first.clone(),
                        one.last.clone(),
                        one.count,
                    )
                })
                .collect();
            assert_eq!(
                shown,
                [
                    ("203.0.113.40", start.iso8601(), last.iso8601(), 6),
                    ("203.0.113.41", last.iso8601(), last.iso8601(), 1),
                ]
            );
            assert_eq!(
                fetchers[0].principal,
                "arn:aws:iam::111122223333:user/admin"
            );
            let (first, next) = ledger.fetchers(&from(), "1.3.0", None, 1).await.unwrap();
            let (second, end) = ledger
                .fetchers(&from(), "1.3.0", next.as_deref(), 1)
                .await
                .unwrap();
            assert_eq!(([first, second].concat(), end), (fetchers, None));
            let latest = ledger.last_fetched(&from()).await.unwrap();
            assert_eq!(
                latest.into_iter().collect::<Vec<_>>(),
                [("1.2.0".to_owned(), last), ("1.3.0".to_owned(), last)]
            );
        }
    }
}

#[tokio::test]
async fn it_is_known_since_the_beginning_and_as_long_as_records_are_kept() {
    // Time goes by for all of a world: each ledger has one of its own.
    for number in 0.. {
        let world = World::begin().await;
        let Some(ledger) = ledgers(&world, Duration::ZERO)
            .await
            .into_iter()
            .nth(number)
        else {
            break;
        };
        let began = world.clock.now();
        request(&world, &ledger, GOOD);
        world.clock.advance(DAY * 60);
        assert_eq!(ledger.fetches_known_since().await.unwrap(), began);
        request(&world, &ledger, ("1.2.0", HERE, true, 200));
        world.clock.advance(DAY * 60);
        assert_eq!(
            ledger.fetches_known_since().await.unwrap(),
            began.plus(DAY * 30)
        );
        ledger.forget().await.unwrap();
        let latest = ledger.last_fetched(&from()).await.unwrap();
        assert_eq!(latest.into_keys().collect::<Vec<_>>(), ["1.2.0"]);
        assert_eq!(ledger.keeps_fetches(), DAY * 90);
    }
}
