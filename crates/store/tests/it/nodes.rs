//! What is not the same on both: one process or several, a file or a server.

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use store::{Database, DatabaseAddress, Error, Touched, Tx};

use crate::house::{House, eventually};

fn told(database: &Database) -> Arc<Mutex<Vec<Touched>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    database.on_touch(move |touched| sink.lock().unwrap().push(touched.clone()));
    told
}

async fn touch(database: &Database, topics: &[&str]) {
    let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
    let touch = move |tx: &mut Tx<'_>| {
        for topic in &topics {
            tx.touch(topic);
        }
        Ok::<_, Error>(())
    };
    database.write(touch).await.unwrap();
}

fn topics(topics: &[&str]) -> Touched {
    Touched::Topics(topics.iter().map(|topic| (*topic).to_owned()).collect())
}

#[tokio::test]
async fn a_second_process_cannot_open_an_sqlite_file() {
    let house = House::here().await;
    assert!(house.database.confirmed());
    match Database::open(&house.address).await {
        Err(error @ Error::Locked { .. }) => {
            let said = error.to_string();
            assert!(
                said.contains("house.db` is in use by another process"),
                "{said}"
            );
            assert!(said.contains("hint: "), "{said}");
        }
        other => panic!("{other:?}"),
    }
    house.tear_down().await;
}

#[tokio::test]
async fn an_sqlite_file_is_there_again_after_the_last_handle_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/house.db");
    let address: DatabaseAddress = format!("sqlite:{}", path.display()).parse().unwrap();
    for turn in 0..5 {
        let database = Database::open(&address).await.unwrap();
        let rows = database
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO store_leases (name, holder, token, expires_at) VALUES ($1, '', '', 0)",
                    &[turn.to_string().into()],
                )?;
                tx.rows("SELECT name FROM store_leases", &[])
            })
            .await
            .unwrap();
        assert_eq!(rows.len(), turn + 1);
        drop(database);
        // The log was folded into the file.
        assert!(!path.with_extension("db-wal").exists());
    }
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_database_in_memory_is_its_own_and_leaves_nothing() {
    let address: DatabaseAddress = "sqlite::memory:".parse().unwrap();
    let first = Database::open(&address).await.unwrap();
    let second = Database::open(&address).await.unwrap();
    let sql = "INSERT INTO store_leases (name, holder, token, expires_at) VALUES ('a', '', '', 0)";
    first.write(move |tx| tx.execute(sql, &[])).await.unwrap();
    let count = "SELECT name FROM store_leases";
    assert_eq!(first.rows(count, vec![]).await.unwrap().len(), 1);
    assert_eq!(second.rows(count, vec![]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_available() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let address: DatabaseAddress = format!("postgres://house:secret@127.0.0.1:{port}/house")
        .parse()
        .unwrap();
    let failed = Database::open(&address).await;
    assert!(
        matches!(failed, Err(Error::Unavailable { .. })),
        "{failed:?}"
    );
    assert!(!format!("{failed:?}").contains("secret"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_tell_each_other_what_they_committed() {
    let Some(house) = House::there().await else {
        return;
    };
    let other = house.second_node().await;
    let (here, there) = (told(&house.database), told(&other));

    touch(&house.database, &["domain/1", "it's\n\\n"]).await;
    let expected = [topics(&["domain/1", "it's\n\\n"])];
    // At once on the node that wrote; and nothing comes back to it.
    assert_eq!(*here.lock().unwrap(), expected);
    eventually("the other node hears", || {
        *there.lock().unwrap() == expected
    })
    .await;

    let failed = house
        .database
        .write(|tx| {
            tx.touch("rolled back");
            Err::<(), _>(Error::Aborted)
        })
        .await;
    assert!(failed.is_err());
    let many: Vec<String> = (0..2000)
        .map(|number| format!("package/{number:08}"))
        .collect();
    touch(&other, &many.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let heard = || -> Vec<String> {
        let told = here.lock().unwrap();
        let topics = told.iter().skip(1).flat_map(|touched| match touched {
            Touched::Topics(topics) => topics.clone(),
            Touched::Everything => panic!("everything"),
        });
        topics.collect()
    };
    eventually("all of many topics arrive", || heard() == many).await;
    assert!(house.database.confirmed() && other.confirmed());
    drop(other);
    house.tear_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_could_not_listen_takes_everything_as_touched() {
    let Some(house) = House::there().await else {
        return;
    };
    let told = told(&house.database);
    let server = house.server().unwrap();
    server
        .run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            server.database()
        ))
        .await;
    eventually("everything is touched", || {
        *told.lock().unwrap() == [Touched::Everything]
    })
    .await;
    // The pool's connections were ended as well; new ones are made.
    touch(&house.database, &["x"]).await;
    assert_eq!(told.lock().unwrap().last(), Some(&topics(&["x"])));
    let other = house.second_node().await;
    touch(&other, &["y"]).await;
    eventually("it hears again", || {
        told.lock().unwrap().last() == Some(&topics(&["y"]))
    })
    .await;
    drop(other);
    house.tear_down().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_servers_certificate_is_verified_when_tls_is_asked_for() {
    let Some(house) = House::there().await else {
        return;
    };
    let server = house.server().unwrap();
    if let Some(certificate) = &server.certificate {
        let address = |query: &str| -> DatabaseAddress {
            let mut url = server.postgres.clone();
            url.set_path(server.database());
            url.set_query(Some(query));
            url.as_str().parse().unwrap()
        };
        let trusted = address(&format!("sslmode=verify-full&sslrootcert={certificate}"));
        let database = Database::open(&trusted).await.unwrap();
        let sql =
            "SELECT CAST(ssl AS INTEGER) AS flag FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        assert!(
            database.rows(sql, vec![]).await.unwrap()[0]
                .flag("flag")
                .unwrap()
        );
        touch(&database, &["x"]).await;
        drop(database);
        let failed = Database::open(&address("sslmode=require")).await;
        assert!(
            matches!(failed, Err(Error::Unavailable { .. } | Error::Other { .. })),
            "{failed:?}"
        );
    }
    house.tear_down().await;
}
