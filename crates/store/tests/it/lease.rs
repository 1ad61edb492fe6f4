//! Leases.

use std::time::Duration;

use futures_util::future::join_all;
use store::Lease;

use crate::house::House;
use crate::on_both;

on_both! {
    a_lease_has_one_holder_until_it_ends
    a_lease_is_renewed_by_its_holder_only
    a_released_lease_can_be_taken_at_once
    of_many_who_want_a_lease_one_gets_it
}

const TTL: Duration = Duration::from_mins(1);

async fn a_lease_has_one_holder_until_it_ends(house: &House) {
    let take = |holder, now| Lease::take(&house.database, "sweep", holder, TTL, now);
    let lease = take("a", 1_000).await.unwrap().unwrap();
    assert_eq!(lease.expires_at(), 61_000);
    for (holder, now) in [("b", 1_000), ("a", 1_000), ("b", 60_999)] {
        assert!(take(holder, now).await.unwrap().is_none(), "{holder} {now}");
    }
    assert!(take("b", 61_000).await.unwrap().is_some());
    let other = Lease::take(&house.database, "other", "b", TTL, 0).await;
    assert!(other.unwrap().is_some());
}

async fn a_lease_is_renewed_by_its_holder_only(house: &House) {
    let take = |holder, now| Lease::take(&house.database, "sweep", holder, TTL, now);
    let mut first = take("a", 0).await.unwrap().unwrap();
    assert!(first.renew(30_000).await.unwrap());
    assert_eq!(first.expires_at(), 90_000);
    assert!(take("b", 60_000).await.unwrap().is_none());
    let mut second = take("b", 90_000).await.unwrap().unwrap();
    assert!(!first.renew(90_001).await.unwrap());
    first.release().await.unwrap();
    assert!(take("c", 90_002).await.unwrap().is_none());
    assert!(second.renew(90_003).await.unwrap());
}

async fn a_released_lease_can_be_taken_at_once(house: &House) {
    let take = || Lease::take(&house.database, "sweep", "a", TTL, 0);
    take().await.unwrap().unwrap().release().await.unwrap();
    assert!(take().await.unwrap().is_some());
}

async fn of_many_who_want_a_lease_one_gets_it(house: &House) {
    let other = house.second_node().await;
    let takes = (0..8).map(|turn| {
        let database = if turn % 2 == 0 {
            &house.database
        } else {
            &other
        };
        Lease::take(database, "sweep", "a", TTL, 0)
    });
    let count = join_all(takes)
        .await
        .into_iter()
        .filter_map(Result::unwrap)
        .count();
    assert_eq!(count, 1);
}
