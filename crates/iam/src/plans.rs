//! Every statement that a request may wait for finds its rows by an index, whatever the size of the tables.

#![allow(clippy::unwrap_used, reason = "tests")]

use aws::Clock;
use store::{Database, Value};

use crate::{Iam, MasterKey, Settings};
use crate::{access_keys, policies, roles, sessions, tags, users, vault};

const STATEMENTS: &[(&str, &str)] = &[
    ("access_keys::BY_ID", access_keys::BY_ID),
    ("policies::OF_HOLDER", policies::OF_HOLDER),
    ("policies::MANAGED", policies::MANAGED),
    ("tags::TAGS", tags::TAGS),
    ("roles::BY_ID", roles::BY_ID),
    ("sessions::BY_ID", sessions::BY_ID),
    ("sessions::KEEP_UNTIL", sessions::KEEP_UNTIL),
    ("sessions::FORGET_SESSIONS", sessions::FORGET_SESSIONS),
    ("sessions::FORGET_REVOCATIONS", sessions::FORGET_REVOCATIONS),
    ("users::BY_ID", users::BY_ID),
    ("users::BY_NAME", users::BY_NAME),
    ("vault::NEWEST", vault::NEWEST),
    ("vault::VERSION", vault::VERSION),
];

#[tokio::test]
async fn no_statement_walks_a_whole_table() {
    let database = Database::open(&"sqlite::memory:".parse().unwrap())
        .await
        .unwrap();
    let settings = Settings::new("us-east-1".parse().unwrap(), Clock::system());
    Iam::open(database.clone(), MasterKey::from_bytes([7; 32]), settings)
        .await
        .unwrap();
    for (name, sql) in STATEMENTS {
        // A statement is a text of the program; this one lives as long as the test.
        let explain: &'static str = format!("EXPLAIN QUERY PLAN {sql}").leak();
        let values = (1..=9)
            .filter(|number| sql.contains(&format!("${number}")))
            .map(|_| Value::from(""));
        let rows = database.rows(explain, values.collect()).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        assert!(
            !plan.is_empty() && !plan.iter().any(|step| step.starts_with("SCAN ")),
            "{name}: {plan:#?}"
        );
    }
}
