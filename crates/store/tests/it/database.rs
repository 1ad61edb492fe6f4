//! Rows and transactions.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, mpsc};

use futures_util::FutureExt;
use futures_util::future::join_all;
use store::{Companion, Database, Error, Migration, Touched, Value};

use crate::house::House;
use crate::on_both;

on_both! {
    a_failed_transaction_leaves_nothing
    a_panic_leaves_nothing_and_reaches_the_caller
    writers_that_meet_all_have_their_say
    a_broken_key_is_named_alike
    a_broken_reference_is_told_apart
    names_sort_by_bytes
    like_tells_cases_apart
    values_cross_unchanged
    results_of_arithmetic_are_integers
    values_go_where_their_number_says
    reading_cannot_write
    a_wrong_statement_is_an_error_and_nothing_more
    nothing_goes_on_after_a_failed_statement
    neighbours_in_a_commit_do_not_harm_each_other
    a_reader_does_not_wait_for_a_writer
    a_caller_that_goes_away_leaves_all_or_nothing
    what_was_touched_is_told_after_the_commit_and_only_then
    a_listener_that_panics_harms_nobody
    returning_gives_the_rows_that_changed
    a_companion_goes_along_with_whatever_its_task_writes
}

/// Enough tables for all tests here.
async fn tables(database: &Database) {
    const TABLES: Migration = Migration {
        number: 1,
        name: "tables",
        sql: "
            CREATE TABLE accounts (name {name} NOT NULL PRIMARY KEY, balance BIGINT NOT NULL);
            CREATE TABLE users (
                account {name} NOT NULL REFERENCES accounts (name) DEFERRABLE INITIALLY DEFERRED,
                name    {name} NOT NULL,
                note    TEXT,
                UNIQUE (account, name)
            );
            CREATE TABLE words (word {name} NOT NULL);
            CREATE UNIQUE INDEX words_folded ON words (lower(word));
            CREATE TABLE members (account {name} NOT NULL REFERENCES accounts (name));",
    };
    database.migrate("test", &[TABLES]).await.unwrap();
}

async fn add(database: &Database, name: &'static str, balance: i64) -> Result<(), Error> {
    database
        .write(move |tx| {
            let values = [name.into(), balance.into()];
            tx.execute(
                "INSERT INTO accounts (name, balance) VALUES ($1, $2)",
                &values,
            )
            .map(drop)
        })
        .await
}

async fn names(database: &Database) -> Vec<String> {
    let rows = database
        .rows("SELECT name FROM accounts ORDER BY name", vec![])
        .await
        .unwrap();
    rows.iter().map(|row| row.text("name").unwrap()).collect()
}

async fn a_failed_transaction_leaves_nothing(house: &House) {
    #[derive(Debug)]
    enum Failed {
        Mine,
        Store,
    }
    impl From<Error> for Failed {
        fn from(_: Error) -> Self {
            Self::Store
        }
    }
    tables(&house.database).await;
    let failed = house
        .database
        .write(|tx| {
            tx.execute("INSERT INTO accounts (name, balance) VALUES ('a', 1)", &[])?;
            tx.execute("INSERT INTO accounts (name, balance) VALUES ('b', 2)", &[])?;
            Err::<(), _>(Failed::Mine)
        })
        .await;
    assert!(matches!(failed, Err(Failed::Mine)), "{failed:?}");
    assert!(names(&house.database).await.is_empty());

    add(&house.database, "c", 3).await.unwrap();
    let failed = house
        .database
        .write(|tx| {
            tx.execute("DELETE FROM accounts", &[])?;
            tx.execute("INSERT INTO nowhere (name) VALUES ('a')", &[])?;
            Ok::<_, Failed>(())
        })
        .await;
    assert!(matches!(failed, Err(Failed::Store)), "{failed:?}");
    assert_eq!(names(&house.database).await, ["c"]);
}

async fn a_panic_leaves_nothing_and_reaches_the_caller(house: &House) {
    tables(&house.database).await;
    let writing = house.database.write(|tx| {
        tx.execute("INSERT INTO accounts (name, balance) VALUES ('a', 1)", &[])?;
        assert!(
            tx.rows("SELECT name FROM accounts", &[])?.is_empty(),
            "on purpose"
        );
        Ok::<_, Error>(())
    });
    let panic = AssertUnwindSafe(writing).catch_unwind().await.unwrap_err();
    assert!(
        panic
            .downcast_ref::<&str>()
            .is_some_and(|said| said.contains("on purpose"))
    );
    assert!(names(&house.database).await.is_empty());
    add(&house.database, "b", 1).await.unwrap();
}

async fn writers_that_meet_all_have_their_say(house: &House) {
    tables(&house.database).await;
    add(&house.database, "shared", 0).await.unwrap();
    let other = house.second_node().await;
    let increments = (0..24).map(|turn| {
        let database = if turn % 2 == 0 {
            &house.database
        } else {
            &other
        };
        database.write(|tx| {
            let rows = tx.rows("SELECT balance FROM accounts WHERE name = 'shared'", &[])?;
            let balance = rows[0].int("balance")? + 1;
            let sql = "UPDATE accounts SET balance = $1 WHERE name = 'shared'";
            tx.execute(sql, &[balance.into()])
        })
    });
    for increment in join_all(increments).await {
        assert_eq!(increment.unwrap(), 1);
    }
    let rows = house
        .database
        .rows("SELECT balance FROM accounts", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].int("balance").unwrap(), 24);
}

async fn a_broken_key_is_named_alike(house: &House) {
    tables(&house.database).await;
    add(&house.database, "a", 1).await.unwrap();
    let user = || {
        let sql = "INSERT INTO users (account, name) VALUES ('a', 'Ada')";
        house
            .database
            .write(move |tx| tx.execute(sql, &[]).map(drop))
    };
    let word = |word: &'static str| {
        let sql = "INSERT INTO words (word) VALUES ($1)";
        house
            .database
            .write(move |tx| tx.execute(sql, &[word.into()]).map(drop))
    };
    user().await.unwrap();
    word("left").await.unwrap();
    for (failed, expected) in [
        (add(&house.database, "a", 2).await, "accounts.name"),
        (user().await, "users.account, users.name"),
        (word("LEFT").await, "index words_folded"),
    ] {
        match failed {
            Err(Error::Unique { constraint }) => assert_eq!(constraint, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

async fn a_broken_reference_is_told_apart(house: &House) {
    tables(&house.database).await;
    let sql = "INSERT INTO members (account) VALUES ('nobody')";
    let failed = house.database.write(move |tx| tx.execute(sql, &[])).await;
    assert!(matches!(failed, Err(Error::Reference)), "{failed:?}");

    add(&house.database, "a", 1).await.unwrap();
    let sql = "INSERT INTO members (account) VALUES ('a')";
    house
        .database
        .write(move |tx| tx.execute(sql, &[]))
        .await
        .unwrap();
    let failed = house
        .database
        .write(|tx| tx.execute("DELETE FROM accounts", &[]))
        .await;
    assert!(matches!(failed, Err(Error::Reference)), "{failed:?}");

    // A deferred one breaks at the commit.
    let sql = "INSERT INTO users (account, name) VALUES ('nobody', 'x')";
    let failed = house.database.write(move |tx| tx.execute(sql, &[])).await;
    assert!(matches!(failed, Err(Error::Reference)), "{failed:?}");
}

async fn names_sort_by_bytes(house: &House) {
    tables(&house.database).await;
    let sorted = [
        "", "10", "2", "A", "Z", "_", "a", "a-b", "a.b", "aB", "ab", "é", "日本",
    ];
    for name in [
        "ab", "日本", "Z", "_", "a-b", "2", "é", "", "A", "aB", "10", "a", "a.b",
    ] {
        add(&house.database, name, 0).await.unwrap();
    }
    assert_eq!(names(&house.database).await, sorted);
    let after = house
        .database
        .rows(
            "SELECT name FROM accounts WHERE name > $1 ORDER BY name LIMIT $2",
            vec!["_".into(), 2_i64.into()],
        )
        .await
        .unwrap();
    let after: Vec<_> = after.iter().map(|row| row.text("name").unwrap()).collect();
    assert_eq!(after, ["a", "a-b"]);
    let ends = house.database.rows(
        "SELECT min(name) AS least, max(name) AS most FROM accounts",
        vec![],
    );
    let ends = ends.await.unwrap();
    assert_eq!(ends[0].text("least").unwrap(), "");
    assert_eq!(ends[0].text("most").unwrap(), "日本");
}

async fn like_tells_cases_apart(house: &House) {
    tables(&house.database).await;
    add(&house.database, "left-pad", 0).await.unwrap();
    add(&house.database, "left%pad", 0).await.unwrap();
    for (pattern, expected) in [("left%", 2), ("LEFT%", 0), (r"left\%%", 1)] {
        let sql = r"SELECT name FROM accounts WHERE name LIKE $1 ESCAPE '\'";
        let rows = house
            .database
            .rows(sql, vec![pattern.into()])
            .await
            .unwrap();
        assert_eq!(rows.len(), expected, "{pattern}");
    }
}

async fn values_cross_unchanged(house: &House) {
    tables(&house.database).await;
    add(&house.database, "a", 0).await.unwrap();
    for value in [
        Value::Null,
        "".into(),
        "it's $1 \\ \"quoted\"".into(),
        "日本 é \u{1F980}\n\t".into(),
        "x".repeat(1_000_000).into(),
    ] {
        let sent = value.clone();
        let rows = house
            .database
            .write(move |tx| {
                tx.execute("DELETE FROM users", &[])?;
                let sql = "INSERT INTO users (account, name, note) VALUES ('a', 'n', $1)";
                tx.execute(sql, std::slice::from_ref(&sent))?;
                tx.rows("SELECT note FROM users", &[])
            })
            .await
            .unwrap();
        assert_eq!(*rows[0].value("note").unwrap(), value);
        let rows = house
            .database
            .rows("SELECT note FROM users", vec![])
            .await
            .unwrap();
        assert_eq!(*rows[0].value("note").unwrap(), value);
    }
    for number in [0, -1, i64::MIN, i64::MAX, i64::from(i32::MAX) + 1] {
        let rows = house
            .database
            .write(move |tx| {
                tx.execute("UPDATE accounts SET balance = $1", &[number.into()])?;
                tx.rows(
                    "SELECT balance, balance = $1 AS same FROM accounts",
                    &[number.into()],
                )
            })
            .await
            .unwrap();
        assert_eq!(rows[0].int("balance").unwrap(), number);
        assert!(rows[0].flag("same").unwrap());
    }
    let failed = house.database.rows(
        "SELECT name FROM accounts WHERE name = $1",
        vec!["nul\0".into()],
    );
    assert!(matches!(failed.await, Err(Error::Other { .. })));
}

async fn results_of_arithmetic_are_integers(house: &House) {
    tables(&house.database).await;
    let big = i64::from(i32::MAX);
    for (name, balance) in [("a", big), ("b", big), ("c", -5)] {
        add(&house.database, name, balance).await.unwrap();
    }
    let rows = house
        .database
        .rows(
            "SELECT count(*) AS count, sum(balance) AS sum, max(balance) + $1 AS more,
                    EXISTS (SELECT 1 FROM users) AS any_user, CAST($1 AS BIGINT) AS given,
                    COALESCE(sum(balance), 0) AS total, 7 AS seven, 'text' AS word
               FROM accounts",
            vec![big.into()],
        )
        .await
        .unwrap();
    let row = &rows[0];
    assert_eq!(row.int("count").unwrap(), 3);
    assert_eq!(row.int("sum").unwrap(), 2 * big - 5);
    assert_eq!(row.int("total").unwrap(), 2 * big - 5);
    assert_eq!(row.int("more").unwrap(), 2 * big);
    assert_eq!(row.int("given").unwrap(), big);
    assert_eq!(row.int("seven").unwrap(), 7);
    assert_eq!(row.text("word").unwrap(), "text");
    assert!(!row.flag("any_user").unwrap());
    let none = house.database.rows(
        "SELECT sum(balance) AS sum FROM accounts WHERE name = 'x'",
        vec![],
    );
    assert_eq!(none.await.unwrap()[0].opt_int("sum").unwrap(), None);
}

async fn values_go_where_their_number_says(house: &House) {
    tables(&house.database).await;
    for (name, balance) in [("a", 1), ("b", 2), ("c", 3)] {
        add(&house.database, name, balance).await.unwrap();
    }
    let sql = "SELECT name FROM accounts
                WHERE balance > $2 AND name < $1 AND ($3 IS NULL OR name = $3) AND balance <> -$2
                ORDER BY name";
    for (third, expected) in [
        (Value::Null, vec!["b"]),
        ("b".into(), vec!["b"]),
        ("a".into(), vec![]),
    ] {
        let rows = house
            .database
            .rows(sql, vec!["c".into(), 1_i64.into(), third.clone()])
            .await;
        let rows = rows.unwrap();
        let found: Vec<_> = rows.iter().map(|row| row.text("name").unwrap()).collect();
        assert_eq!(found, expected, "{third:?}");
    }
    // Null among them, wherever a type could not be told from it.
    let rows = house
        .database
        .write(|tx| {
            tx.execute(
                "INSERT INTO users (account, name, note)
                 SELECT name, '$3', $3 FROM accounts WHERE ($2 IS NULL OR balance > $2) AND name = COALESCE($3, $1)",
                &["a".into(), Value::Null, Value::Null],
            )?;
            tx.rows("SELECT name, note FROM users", &[])
        })
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text("name").unwrap(), "$3");
    assert_eq!(rows[0].opt_text("note").unwrap(), None);
    let missing = house.database.rows(
        "SELECT name FROM accounts WHERE balance = $2",
        vec![1_i64.into()],
    );
    assert!(missing.await.is_err());
}

async fn reading_cannot_write(house: &House) {
    tables(&house.database).await;
    add(&house.database, "a", 1).await.unwrap();
    for sql in [
        "DELETE FROM accounts",
        "UPDATE accounts SET balance = 2 RETURNING name",
    ] {
        let failed = house.database.rows(sql, vec![]).await;
        assert!(
            matches!(failed, Err(Error::Other { .. })),
            "{sql}: {failed:?}"
        );
    }
    assert_eq!(names(&house.database).await, ["a"]);
}

async fn a_wrong_statement_is_an_error_and_nothing_more(house: &House) {
    tables(&house.database).await;
    for sql in [
        "SELECT FROM WHERE",
        "SELECT name FROM nowhere",
        "SELECT nothing FROM accounts",
    ] {
        let failed = house.database.rows(sql, vec![]).await;
        assert!(
            matches!(failed, Err(Error::Other { .. })),
            "{sql}: {failed:?}"
        );
    }
    let rows = house.database.rows("SELECT 1.5 AS half", vec![]).await;
    assert!(matches!(rows, Err(Error::Column { .. })), "{rows:?}");
    add(&house.database, "a", 1).await.unwrap();
}

async fn nothing_goes_on_after_a_failed_statement(house: &House) {
    tables(&house.database).await;
    add(&house.database, "a", 1).await.unwrap();
    let result = house
        .database
        .write(|tx| {
            let insert = "INSERT INTO accounts (name, balance) VALUES ('a', 1)";
            assert!(matches!(tx.execute(insert, &[]), Err(Error::Unique { .. })));
            assert!(matches!(
                tx.rows("SELECT name FROM accounts", &[]),
                Err(Error::Aborted)
            ));
            Ok::<_, Error>(())
        })
        .await;
    assert!(matches!(result, Err(Error::Aborted)), "{result:?}");
    // What to do instead.
    let inserted = house
        .database
        .write(|tx| {
            let insert = "INSERT INTO accounts (name, balance) VALUES ('a', 9) ON CONFLICT (name) DO NOTHING";
            tx.execute(insert, &[])
        })
        .await;
    assert_eq!(inserted.unwrap(), 0);
}

async fn neighbours_in_a_commit_do_not_harm_each_other(house: &House) {
    tables(&house.database).await;
    add(&house.database, "taken", 1).await.unwrap();
    let writes = (0..60_i64).map(|number| {
        house.database.write(move |tx| {
            let name = format!("{number:02}");
            let values = [name.as_str().into(), number.into()];
            tx.execute(
                "INSERT INTO accounts (name, balance) VALUES ($1, $2)",
                &values,
            )?;
            match number % 4 {
                // A statement fails, …
                1 => tx.execute(
                    "INSERT INTO accounts (name, balance) VALUES ('taken', 1)",
                    &[],
                ),
                // … the closure says no, …
                2 => Err(Error::Aborted),
                // … or the commit fails.
                3 => tx.execute(
                    "INSERT INTO users (account, name) VALUES ('nobody', $1)",
                    &values[..1],
                ),
                _ => Ok(1),
            }
        })
    });
    for (number, result) in join_all(writes).await.into_iter().enumerate() {
        match number % 4 {
            1 => assert!(
                matches!(result, Err(Error::Unique { .. })),
                "{number}: {result:?}"
            ),
            2 => assert!(
                matches!(result, Err(Error::Aborted)),
                "{number}: {result:?}"
            ),
            3 => assert!(
                matches!(result, Err(Error::Reference)),
                "{number}: {result:?}"
            ),
            _ => assert!(result.is_ok(), "{number}: {result:?}"),
        }
    }
    let mut expected: Vec<_> = (0..60)
        .step_by(4)
        .map(|number| format!("{number:02}"))
        .collect();
    expected.push("taken".to_owned());
    assert_eq!(names(&house.database).await, expected);
}

async fn a_reader_does_not_wait_for_a_writer(house: &House) {
    tables(&house.database).await;
    add(&house.database, "before", 1).await.unwrap();
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let may_go = Mutex::new(may_go);
    let database = house.database.clone();
    let writing = tokio::spawn(async move {
        database
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO accounts (name, balance) VALUES ('after', 1)",
                    &[],
                )?;
                begun.send(()).unwrap();
                may_go.lock().unwrap().recv().unwrap();
                Ok::<_, Error>(())
            })
            .await
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(names(&house.database).await, ["before"]);
    go.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(names(&house.database).await, ["after", "before"]);
}

async fn a_caller_that_goes_away_leaves_all_or_nothing(house: &House) {
    tables(&house.database).await;
    for turn in 0..20 {
        let write = house.database.write(move |tx| {
            for half in ["left", "right"] {
                let name = format!("{turn:02} {half}");
                tx.execute(
                    "INSERT INTO accounts (name, balance) VALUES ($1, 0)",
                    &[name.into()],
                )?;
            }
            Ok::<_, Error>(())
        });
        let patience = std::time::Duration::from_micros(turn * 100);
        let _ = tokio::time::timeout(patience, write).await;
    }
    // Behind all that were begun on SQLite's one writer; on PostgreSQL they may still be under way.
    add(&house.database, "zz", 0).await.unwrap();
    let names = names(&house.database).await;
    assert_eq!(names.len() % 2, 1, "{names:?}");
}

/// What a database told, in order.
fn told(database: &Database) -> Arc<Mutex<Vec<Touched>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&told);
    database.on_touch(move |touched| sink.lock().unwrap().push(touched.clone()));
    told
}

async fn what_was_touched_is_told_after_the_commit_and_only_then(house: &House) {
    tables(&house.database).await;
    let told = told(&house.database);
    let at_that_time = Arc::clone(&told);
    house
        .database
        .write(move |tx| {
            for topic in ["domain/b", "domain/a", "domain/b"] {
                tx.touch(topic);
            }
            assert!(at_that_time.lock().unwrap().is_empty());
            tx.execute("INSERT INTO accounts (name, balance) VALUES ('a', 1)", &[])
        })
        .await
        .unwrap();
    let topics = ["domain/b", "domain/a"].map(str::to_owned).to_vec();
    assert_eq!(*told.lock().unwrap(), [Touched::Topics(topics)]);
    told.lock().unwrap().clear();

    let failed = house
        .database
        .write(|tx| {
            tx.touch("domain/c");
            Err::<(), _>(Error::Aborted)
        })
        .await;
    assert!(failed.is_err());
    add(&house.database, "b", 1).await.unwrap();
    assert!(told.lock().unwrap().is_empty(), "{told:?}");
}

async fn a_listener_that_panics_harms_nobody(house: &House) {
    tables(&house.database).await;
    house.database.on_touch(|_| panic!("on purpose"));
    let told = told(&house.database);
    let touch = |tx: &mut store::Tx<'_>| {
        tx.touch("x");
        Ok::<_, Error>(())
    };
    house.database.write(touch).await.unwrap();
    house.database.write(touch).await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 2);
}

async fn returning_gives_the_rows_that_changed(house: &House) {
    tables(&house.database).await;
    add(&house.database, "a", 1).await.unwrap();
    let rows = house
        .database
        .write(|tx| {
            tx.rows(
                "INSERT INTO accounts (name, balance) VALUES ($1, $2)
                     ON CONFLICT (name) DO UPDATE SET balance = accounts.balance + excluded.balance
                 RETURNING name, balance",
                &["a".into(), 5_i64.into()],
            )
        })
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].int("balance").unwrap(), 6);
    let rows = house
        .database
        .write(|tx| tx.rows("DELETE FROM accounts RETURNING name", &[]))
        .await;
    assert_eq!(rows.unwrap().len(), 1);
    assert!(names(&house.database).await.is_empty());
}

async fn a_companion_goes_along_with_whatever_its_task_writes(house: &House) {
    tables(&house.database).await;
    let companion = Companion::new(|tx| {
        tx.execute(
            "INSERT INTO words (word) VALUES ('also') ON CONFLICT DO NOTHING",
            &[],
        )
        .map(drop)
    });
    let words = || async {
        let words = house.database.rows("SELECT word FROM words", vec![]).await;
        words.unwrap().len()
    };
    let database = &house.database;
    let failing = companion.clone().accompany(database.write(|tx| {
        tx.execute("INSERT INTO accounts (name, balance) VALUES ('a', 1)", &[])?;
        Err::<(), _>(Error::Aborted)
    }));
    assert!(failing.await.is_err());
    assert_eq!((names(database).await.len(), words().await), (0, 0));

    let reading = database.rows("SELECT name FROM accounts", vec![]);
    companion.clone().accompany(reading).await.unwrap();
    assert_eq!(words().await, 0, "nothing was written");

    companion
        .clone()
        .accompany(add(database, "b", 1))
        .await
        .unwrap();
    companion.accompany(add(database, "c", 1)).await.unwrap();
    add(database, "d", 1).await.unwrap();
    assert_eq!((names(database).await.len(), words().await), (3, 1));

    let refusing = Companion::new(|tx| {
        tx.execute("INSERT INTO nowhere (a) VALUES (1)", &[])
            .map(drop)
    });
    assert!(refusing.accompany(add(database, "e", 1)).await.is_err());
    assert_eq!(names(database).await, ["b", "c", "d"]);
}
