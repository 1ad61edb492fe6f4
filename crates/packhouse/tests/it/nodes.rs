//! Two servers on one `PostgreSQL`, one of them over a link that can be cut. Without `PACKHOUSE_TEST_POSTGRES` there is
//! nothing to see.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use store::Database;
use url::Url;

use crate::server::{Server, basic};
use crate::wire::get;

const THING: &str = "/d/team-111122223333/generic/app/ns/thing/1.0/thing.bin";

/// A link to the database that loses everything once it is cut, as a network does: no connection is closed.
struct Link {
    port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Link {
    fn to(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let (host, cut) = (host.to_owned(), Arc::clone(&is_cut));
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&host) else {
                    return;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let cut = Arc::clone(&cut);
                    thread::spawn(move || pass(from, to, &cut));
                }
            }
        });
        Self { port, is_cut }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if cut.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&bytes[..read]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

/// A database of the test's own.
fn database() -> Option<Url> {
    let address = std::env::var("PACKHOUSE_TEST_POSTGRES").ok()?;
    let schema = format!("packhouse_{}", std::process::id());
    // A statement is a text of the program, and this one is made for a single test.
    let create: &'static str = format!("CREATE SCHEMA {schema}").leak();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let admin = Database::open(&address.parse().unwrap()).await.unwrap();
        let created: Result<u64, store::Error> =
            admin.write(move |tx| tx.execute(create, &[])).await;
        created.unwrap();
    });
    let mut url: Url = address.parse().unwrap();
    url.set_query(Some(&format!("options=-csearch_path%3D{schema}")));
    Some(url)
}

/// Threat 13.
#[test]
fn what_is_revoked_here_is_refused_there_within_two_seconds_and_nothing_is_trusted_after_thirty() {
    let Some(url) = database() else {
        return;
    };
    let blobs = tempfile::tempdir().unwrap();
    let blobs = format!("file:{}", blobs.path().display());
    let here = Server::start(&["--database", url.as_str(), "--blobs", &blobs]);
    let link = Link::to(&format!(
        "{}:{}",
        url.host_str().unwrap(),
        url.port().unwrap_or(5432)
    ));
    let mut over_link = url.clone();
    over_link.set_host(Some("127.0.0.1")).unwrap();
    over_link.set_port(Some(link.port)).unwrap();
    let master = here.data().join("master.key");
    let start = || {
        Server::start(&[
            "--database",
            over_link.as_str(),
            "--blobs",
            &blobs,
            "--master-key-file",
            master.to_str().unwrap(),
        ])
    };
    let (there, elsewhere) = (start(), start());
    here.make_repository("app");
    assert_eq!(here.publish("app", b"bytes").status, 200);
    let revoke = || {
        here.run_well(&["session", "revoke", "--user", "admin"]);
    };

    // A machine that does much else may be late once, but not each time.
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let token = here.token();
        becomes(200, &there, &token);
        revoke();
        quickest = quickest.min(becomes(401, &there, &token));
        // What is issued in the second of a revocation is revoked with it.
        thread::park_timeout(Duration::from_millis(1100));
    }
    assert!(quickest < Duration::from_secs(2), "{quickest:?}");

    let token = here.token();
    becomes(200, &there, &token);
    becomes(200, &elsewhere, &token);
    // Both hear of one more change. One has read what it is when the link is cut, the other waits for the answer.
    here.user("somebody", None);
    thread::park_timeout(Duration::from_millis(500));
    becomes(200, &there, &token);
    link.is_cut.store(true, Ordering::SeqCst);
    let cut = Instant::now();
    revoke();
    thread::scope(|scope| {
        let waits = scope.spawn(|| becomes(503, &elsewhere, &token));
        becomes(503, &there, &token);
        let took = cut.elapsed();
        assert!(
            took > Duration::from_secs(5),
            "it was trusted for a while: {took:?}"
        );
        waits.join().unwrap();
    });
    assert_eq!(get(&here.address, THING, &basic(&token)).status, 401);
}

/// How long it takes until a node answers so: three quarters of a minute at most, for a node may be out of touch for half
/// of one.
fn becomes(expected: u16, node: &Server, token: &str) -> Duration {
    let began = Instant::now();
    loop {
        let status = get(&node.address, THING, &basic(token)).status;
        if status == expected {
            return began.elapsed();
        }
        assert!(
            began.elapsed() < Duration::from_secs(45),
            "{status}, not {expected}, after {:?}",
            began.elapsed()
        );
        thread::park_timeout(Duration::from_millis(10));
    }
}
