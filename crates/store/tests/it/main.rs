//! One suite over both databases and both kinds of blob store.
//!
//! Each test is a function over a [`House`]. It runs on SQLite and files always, and on PostgreSQL and a bucket when the environment says
//! where they are (`scripts/test-services` starts them and prints the variables).
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::doc_markdown,
    reason = "SQLite and PostgreSQL are names, not code"
)]

mod blobs;
mod database;
mod house;
mod lease;
mod migrate;
mod nodes;

/// Makes two tests of each function: `sqlite_and_files::…` and `postgres_and_bucket::…`.
macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite_and_files {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let house = $crate::house::House::here().await;
                super::$name(&house).await;
                house.tear_down().await;
            })*
        }
        mod postgres_and_bucket {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(house) = $crate::house::House::there().await {
                    super::$name(&house).await;
                    house.tear_down().await;
                }
            })*
        }
    };
}
pub(crate) use on_both;
