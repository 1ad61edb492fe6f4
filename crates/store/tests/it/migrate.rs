//! Numbered migrations.

use futures_util::future::join_all;
use store::{Error, Migration, MigrationError};

use crate::house::House;
use crate::on_both;

on_both! {
    migrations_are_applied_once_and_in_order
    a_changed_migration_is_refused
    a_database_of_a_newer_program_is_refused
    numbers_have_no_gaps
    a_migration_that_fails_leaves_nothing_of_itself
    nodes_that_start_at_once_apply_each_once
}

const FIRST: Migration = Migration {
    number: 1,
    name: "domains",
    sql: "CREATE TABLE domains (name {name} NOT NULL PRIMARY KEY);
          INSERT INTO domains (name) VALUES ('first');",
};
const SECOND: Migration = Migration {
    number: 2,
    name: "descriptions",
    sql: "ALTER TABLE domains ADD COLUMN description TEXT;
          INSERT INTO domains (name, description) VALUES ('second', 'x');",
};

async fn domains(house: &House) -> usize {
    house
        .database
        .rows("SELECT name FROM domains", vec![])
        .await
        .map_or(0, |rows| rows.len())
}

async fn migrations_are_applied_once_and_in_order(house: &House) {
    house.database.migrate("test", &[FIRST]).await.unwrap();
    house
        .database
        .migrate("test", &[FIRST, SECOND])
        .await
        .unwrap();
    house
        .database
        .migrate("test", &[FIRST, SECOND])
        .await
        .unwrap();
    assert_eq!(domains(house).await, 2);
    // Another area counts for itself.
    let other = Migration {
        sql: "CREATE TABLE others (name {name});",
        ..FIRST
    };
    house.database.migrate("other", &[other]).await.unwrap();
    house.database.migrate("none", &[]).await.unwrap();
}

async fn a_changed_migration_is_refused(house: &House) {
    house.database.migrate("test", &[FIRST]).await.unwrap();
    let changed = Migration {
        sql: "CREATE TABLE domains (name TEXT);",
        ..FIRST
    };
    let failed = house.database.migrate("test", &[changed, SECOND]).await;
    match failed {
        Err(Error::Migration(error @ MigrationError::Changed { number: 1, .. })) => {
            let said = error.to_string();
            assert!(
                said.starts_with("migration 1 `domains` of `test` was applied"),
                "{said}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(domains(house).await, 1);
}

async fn a_database_of_a_newer_program_is_refused(house: &House) {
    house
        .database
        .migrate("test", &[FIRST, SECOND])
        .await
        .unwrap();
    match house.database.migrate("test", &[FIRST]).await {
        Err(Error::Migration(MigrationError::Newer {
            number: 2, name, ..
        })) => {
            assert_eq!(name, "descriptions");
        }
        other => panic!("{other:?}"),
    }
}

async fn numbers_have_no_gaps(house: &House) {
    for (list, place) in [(vec![SECOND], 1), (vec![FIRST, FIRST], 2)] {
        match house.database.migrate("test", &list).await {
            Err(Error::Migration(MigrationError::Numbering { expected, .. })) => {
                assert_eq!(expected, place);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(domains(house).await, 0);
}

async fn a_migration_that_fails_leaves_nothing_of_itself(house: &House) {
    let broken = Migration {
        sql: "INSERT INTO domains (name) VALUES ('half'); INSERT INTO nowhere (name) VALUES ('x');",
        ..SECOND
    };
    assert!(
        house
            .database
            .migrate("test", &[FIRST, broken])
            .await
            .is_err()
    );
    assert_eq!(domains(house).await, 1);
    // It was not applied, so it may be corrected.
    house
        .database
        .migrate("test", &[FIRST, SECOND])
        .await
        .unwrap();
    assert_eq!(domains(house).await, 2);
}

async fn nodes_that_start_at_once_apply_each_once(house: &House) {
    let mut nodes = Vec::new();
    for _ in 0..4 {
        nodes.push(house.second_node().await);
    }
    let migrations = [FIRST, SECOND];
    for result in join_all(nodes.iter().map(|node| node.migrate("test", &migrations))).await {
        result.unwrap();
    }
    assert_eq!(domains(house).await, 2);
}
