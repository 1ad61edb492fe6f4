//! Bytes in and out.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use store::{BlobError, BlobStore, ByteStream, Digests, Location, Stored};

use crate::house::House;
use crate::on_both;

on_both! {
    what_is_put_is_read_again
    a_body_that_breaks_off_leaves_nothing
    a_body_over_the_limit_is_refused_and_leaves_nothing
    a_body_that_is_dropped_leaves_nothing
    followers_get_the_body_as_it_arrives_and_its_end_when_it_is_kept
    followers_of_an_abandoned_body_get_an_error_and_never_its_end
    a_small_body_is_held_back_whole
    a_follower_may_read_after_all_is_over
    an_empty_body_is_a_body
    ranges_are_exact
    a_missing_or_damaged_blob_says_so
    small_blobs_are_kept_in_memory
    read_all_has_a_cap
    a_removed_blob_is_gone
    the_place_answers
    all_blobs_are_listed
    many_bodies_at_once_stay_apart
    a_write_that_was_cancelled_breaks_the_body
}

const PIECE: usize = 256 * 1024;
const MIB: usize = 1024 * 1024;

/// Bytes of which no two pieces are alike.
fn bytes(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ length as u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

fn in_pieces(whole: &Bytes, length: usize) -> Vec<io::Result<Bytes>> {
    let starts = (0..whole.len()).step_by(length);
    starts
        .map(|start| Ok(whole.slice(start..whole.len().min(start + length))))
        .collect()
}

async fn put(blobs: &BlobStore, whole: &Bytes) -> Stored {
    blobs
        .put(stream::iter(in_pieces(whole, 60_000)), u64::MAX)
        .await
        .unwrap()
}

async fn collect(body: ByteStream) -> io::Result<Bytes> {
    let pieces: Vec<Bytes> = body.try_collect().await?;
    assert!(
        pieces
            .iter()
            .all(|piece| (1..=PIECE).contains(&piece.len()))
    );
    Ok(pieces.concat().into())
}

async fn count(blobs: &BlobStore) -> usize {
    blobs.list().map(Result::unwrap).count().await
}

async fn what_is_put_is_read_again(house: &House) {
    for length in [
        1,
        12_345,
        PIECE,
        PIECE + 1,
        3 * PIECE,
        5 * MIB,
        5 * MIB + 1,
        12 * MIB + 7,
    ] {
        let whole = bytes(length);
        let stored = put(&house.blobs, &whole).await;
        assert_eq!(stored.size, length as u64);
        assert_eq!(stored.digests, Digests::of(&whole), "{length}");
        let read = house
            .blobs
            .read(&stored.location, stored.size, None)
            .await
            .unwrap();
        assert!(collect(read).await.unwrap() == whole, "{length}");
        // Another process, or this one after a restart, reads it by the text that was kept of it.
        let spool = house.path().join("spool");
        let again = BlobStore::open(&house.blobs_address, &house.settings, &spool)
            .await
            .unwrap();
        let location: Location = stored.location.to_string().parse().unwrap();
        let read = again.read(&location, stored.size, None).await.unwrap();
        assert!(collect(read).await.unwrap() == whole, "{length}");
    }
    assert!(house.spooled().is_empty());
}

async fn a_body_that_breaks_off_leaves_nothing(house: &House) {
    let mut pieces = in_pieces(&bytes(MIB), 60_000);
    pieces.push(Err(io::Error::other("gone")));
    let failed = house.blobs.put(stream::iter(pieces), u64::MAX).await;
    assert!(matches!(failed, Err(BlobError::Body(_))), "{failed:?}");
    nothing_is_left(house).await;
}

async fn nothing_is_left(house: &House) {
    assert_eq!(count(&house.blobs).await, 0);
    crate::house::eventually("the spool is empty", || house.spooled().is_empty()).await;
}

async fn a_body_over_the_limit_is_refused_and_leaves_nothing(house: &House) {
    let whole = bytes(100_000);
    let failed = house
        .blobs
        .put(stream::iter(in_pieces(&whole, 1_000)), 99_999)
        .await;
    assert!(
        matches!(failed, Err(BlobError::TooLarge { limit: 99_999 })),
        "{failed:?}"
    );
    let mut incoming = house.blobs.incoming(10);
    incoming.write(bytes(10)).await.unwrap();
    assert!(matches!(
        incoming.write(bytes(1)).await,
        Err(BlobError::TooLarge { limit: 10 })
    ));
    assert!(matches!(
        incoming.write(bytes(1)).await,
        Err(BlobError::TooLarge { .. } | BlobError::Broken)
    ));
    assert!(matches!(incoming.seal().await, Err(BlobError::Broken)));
    nothing_is_left(house).await;
    let kept = house
        .blobs
        .put(stream::iter(in_pieces(&whole, 1_000)), 100_000)
        .await;
    assert_eq!(kept.unwrap().size, 100_000);
}

async fn a_body_that_is_dropped_leaves_nothing(house: &House) {
    let mut incoming = house.blobs.incoming(u64::MAX);
    incoming.write(bytes(MIB)).await.unwrap();
    drop(incoming);
    let mut incoming = house.blobs.incoming(u64::MAX);
    incoming.write(bytes(MIB)).await.unwrap();
    let sealed = incoming.seal().await.unwrap();
    assert_eq!(sealed.size(), MIB as u64);
    assert_eq!(*sealed.digests(), Digests::of(&bytes(MIB)));
    drop(sealed);
    nothing_is_left(house).await;
}

async fn followers_get_the_body_as_it_arrives_and_its_end_when_it_is_kept(house: &House) {
    let whole = bytes(3 * PIECE + 100);
    let mut incoming = house.blobs.incoming(u64::MAX);
    let follow = incoming.follow();
    let early = tokio::spawn(collect(follow.stream()));
    let mut slow = follow.stream();
    for piece in in_pieces(&whole, 10_000) {
        incoming.write(piece.unwrap()).await.unwrap();
    }
    // As far as it is certain that more follows.
    for part in 0..3 {
        let piece = slow.next().await.unwrap().unwrap();
        assert!(piece == whole.slice(part * PIECE..(part + 1) * PIECE));
    }
    let sealed = incoming.seal().await.unwrap();
    assert!(futures_util::poll!(slow.next()).is_pending());
    let others: Vec<_> = (0..8)
        .map(|_| tokio::spawn(collect(follow.stream())))
        .collect();
    let stored = sealed.keep().await.unwrap();
    assert!(slow.next().await.unwrap().unwrap() == whole.slice(3 * PIECE..));
    assert!(slow.next().await.is_none());
    assert!(early.await.unwrap().unwrap() == whole);
    for other in join_all(others).await {
        assert!(other.unwrap().unwrap() == whole);
    }
    let read = house
        .blobs
        .read(&stored.location, stored.size, None)
        .await
        .unwrap();
    assert!(collect(read).await.unwrap() == whole);
}

async fn followers_of_an_abandoned_body_get_an_error_and_never_its_end(house: &House) {
    // A whole number of pieces, and not: the last is held back either way.
    for (length, certain) in [(2 * PIECE, 1), (2 * PIECE + 1, 2), (PIECE, 0), (1, 0)] {
        let whole = bytes(length);
        let mut incoming = house.blobs.incoming(u64::MAX);
        let follow = incoming.follow();
        incoming.write(whole.clone()).await.unwrap();
        let sealed = incoming.seal().await.unwrap();
        let mut body = follow.stream();
        for part in 0..certain {
            let piece = body.next().await.unwrap().unwrap();
            assert!(piece == whole.slice(part * PIECE..(part + 1) * PIECE));
        }
        assert!(futures_util::poll!(body.next()).is_pending(), "{length}");
        drop(sealed);
        assert!(body.next().await.unwrap().is_err(), "{length}");
        assert!(body.next().await.is_none());
        // Who comes late hears the same.
        assert!(collect(follow.stream()).await.is_err());
    }
    let incoming = house.blobs.incoming(u64::MAX);
    let mut body = incoming.follow().stream();
    drop(incoming);
    assert!(body.next().await.unwrap().is_err());
    nothing_is_left(house).await;
}

async fn a_small_body_is_held_back_whole(house: &House) {
    let mut incoming = house.blobs.incoming(u64::MAX);
    let mut body = incoming.follow().stream();
    for _ in 0..4 {
        incoming.write(bytes(1_000)).await.unwrap();
        assert!(futures_util::poll!(body.next()).is_pending());
    }
    incoming.seal().await.unwrap().keep().await.unwrap();
    assert_eq!(body.next().await.unwrap().unwrap().len(), 4_000);
    assert!(body.next().await.is_none());
}

async fn a_follower_may_read_after_all_is_over(house: &House) {
    let whole = bytes(PIECE * 2 + 5);
    let mut incoming = house.blobs.incoming(u64::MAX);
    let follow = incoming.follow();
    incoming.write(whole.clone()).await.unwrap();
    let stored = incoming.seal().await.unwrap().keep().await.unwrap();
    house.blobs.remove(&stored.location).await.unwrap();
    assert!(collect(follow.stream()).await.unwrap() == whole);
}

async fn an_empty_body_is_a_body(house: &House) {
    let incoming = house.blobs.incoming(0);
    let follow = incoming.follow();
    let stored = incoming.seal().await.unwrap().keep().await.unwrap();
    assert_eq!(stored.size, 0);
    assert_eq!(stored.digests, Digests::of(b""));
    assert!(collect(follow.stream()).await.unwrap().is_empty());
    let read = house.blobs.read(&stored.location, 0, None).await.unwrap();
    assert!(collect(read).await.unwrap().is_empty());
    assert_eq!(count(&house.blobs).await, 1);
}

async fn ranges_are_exact(house: &House) {
    for length in [1_000, 3 * PIECE + 10] {
        let whole = bytes(length);
        let stored = put(&house.blobs, &whole).await;
        let read = |range: Range<u64>| house.blobs.read(&stored.location, stored.size, Some(range));
        for (start, end) in [
            (0, length),
            (0, 1),
            (length - 1, length),
            (10, 990),
            (5, 5),
            (length, length),
            (length / 2 - 3, length / 2 + 3),
            (length / 3, length),
        ] {
            let part = collect(read(start as u64..end as u64).await.unwrap())
                .await
                .unwrap();
            assert!(
                part == whole.slice(start..end),
                "{start}..{end} of {length}"
            );
        }
        let size = length as u64;
        #[allow(clippy::reversed_empty_ranges, reason = "it is what is refused")]
        for range in [0..size + 1, size + 1..size + 2, 7..6] {
            let failed = read(range.clone()).await;
            assert!(
                matches!(failed, Err(BlobError::Range { .. })),
                "{range:?} of {length}"
            );
        }
    }
}

async fn a_missing_or_damaged_blob_says_so(house: &House) {
    for size in [1_000, 1_000_000] {
        let nowhere: Location = "00112233445566778899aabbccddeeff".parse().unwrap();
        let failed = house.blobs.read(&nowhere, size, None).await.err().unwrap();
        assert!(
            matches!(failed, BlobError::Missing { .. }),
            "{size}: {failed:?}"
        );
        let failed = house.blobs.read_all(&nowhere, size).await.err().unwrap();
        assert!(
            matches!(failed, BlobError::Missing { .. }),
            "{size}: {failed:?}"
        );

        let stored = put(&house.blobs, &bytes(size.try_into().unwrap())).await;
        for expected in [size - 1, size + 1] {
            match house
                .blobs
                .read(&stored.location, expected, None)
                .await
                .err()
                .unwrap()
            {
                BlobError::Damaged { found, .. } => assert_eq!(found, size),
                other => panic!("{size}: {other:?}"),
            }
        }
        // Also when it is in memory.
        drop(
            house
                .blobs
                .read(&stored.location, size, None)
                .await
                .unwrap(),
        );
        let failed = house
            .blobs
            .read(&stored.location, size + 1, None)
            .await
            .err()
            .unwrap();
        assert!(
            matches!(failed, BlobError::Damaged { .. }),
            "{size}: {failed:?}"
        );
    }
}

async fn small_blobs_are_kept_in_memory(house: &House) {
    let (small, large) = (bytes(PIECE), bytes(PIECE + 1));
    let (small_at, large_at) = (
        put(&house.blobs, &small).await,
        put(&house.blobs, &large).await,
    );
    assert!(house.blobs.cached(&small_at.location).is_none());
    let reads = (0..16).map(|_| {
        house
            .blobs
            .read(&small_at.location, small_at.size, Some(5..10))
    });
    for read in join_all(reads).await {
        assert!(collect(read.unwrap()).await.unwrap() == small.slice(5..10));
    }
    assert!(house.blobs.cached(&small_at.location).unwrap() == small);
    let read = house
        .blobs
        .read(&large_at.location, large_at.size, None)
        .await
        .unwrap();
    assert!(collect(read).await.unwrap() == large);
    assert!(house.blobs.cached(&large_at.location).is_none());
}

async fn read_all_has_a_cap(house: &House) {
    for length in [1_000, PIECE * 3] {
        let whole = bytes(length);
        let stored = put(&house.blobs, &whole).await;
        let cap = length as u64;
        // Before and after it came into memory.
        for _ in 0..2 {
            let failed = house.blobs.read_all(&stored.location, cap - 1).await;
            assert!(
                matches!(failed, Err(BlobError::TooLarge { .. })),
                "{failed:?}"
            );
            assert!(house.blobs.read_all(&stored.location, cap).await.unwrap() == whole);
        }
    }
}

async fn a_removed_blob_is_gone(house: &House) {
    let stored = put(&house.blobs, &bytes(1_000)).await;
    drop(
        house
            .blobs
            .read(&stored.location, stored.size, None)
            .await
            .unwrap(),
    );
    house.blobs.remove(&stored.location).await.unwrap();
    assert!(house.blobs.cached(&stored.location).is_none());
    let failed = house
        .blobs
        .read(&stored.location, stored.size, None)
        .await
        .err()
        .unwrap();
    assert!(matches!(failed, BlobError::Missing { .. }), "{failed:?}");
    house.blobs.remove(&stored.location).await.unwrap();
    assert_eq!(count(&house.blobs).await, 0);
}

async fn the_place_answers(house: &House) {
    house.blobs.check().await.unwrap();
    put(&house.blobs, &bytes(1)).await;
    house.blobs.check().await.unwrap();
    if house.server().is_some() {
        let elsewhere = "s3://no-such-bucket/x".parse().unwrap();
        let spool = house.path().join("spool");
        let blobs = BlobStore::open(&elsewhere, &house.settings, &spool)
            .await
            .unwrap();
        assert!(matches!(
            blobs.check().await,
            Err(BlobError::Unavailable(_))
        ));
    }
}

async fn all_blobs_are_listed(house: &House) {
    assert_eq!(count(&house.blobs).await, 0);
    let mut expected = Vec::new();
    for length in 1..=20 {
        let stored = put(&house.blobs, &bytes(length)).await;
        expected.push((stored.location, length as u64));
    }
    // On its way in is not there.
    let mut incoming = house.blobs.incoming(u64::MAX);
    incoming.write(bytes(10)).await.unwrap();
    expected.sort();
    let listed: Vec<_> = house.blobs.list().map(Result::unwrap).collect().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    for blob in &listed {
        let age = now.abs_diff(u128::try_from(blob.modified_at).unwrap());
        assert!(age < 60_000, "{blob:?}");
    }
    let listed: Vec<_> = listed
        .iter()
        .map(|blob| (blob.location, blob.size))
        .collect();
    assert_eq!(listed, expected);
}

async fn many_bodies_at_once_stay_apart(house: &House) {
    // Of several parts each, so that on a bucket they compete for the places in memory.
    let bodies: Vec<Bytes> = (0..6).map(|number| bytes(11 * MIB + number)).collect();
    let stored = join_all(bodies.iter().map(|whole| put(&house.blobs, whole))).await;
    let reads = stored.iter().map(async |stored| {
        collect(
            house
                .blobs
                .read(&stored.location, stored.size, None)
                .await
                .unwrap(),
        )
        .await
        .unwrap()
    });
    for (read, whole) in join_all(reads).await.iter().zip(&bodies) {
        assert!(read == whole);
    }
}

async fn a_write_that_was_cancelled_breaks_the_body(house: &House) {
    let mut incoming = house.blobs.incoming(u64::MAX);
    let mut pending = 0;
    for _ in 0..100 {
        // The second write waits for the first, unless that was very quick.
        incoming.write(bytes(4 * MIB)).await.unwrap();
        let mut second = Box::pin(incoming.write(bytes(1)));
        if futures_util::poll!(&mut second).is_pending() {
            pending += 1;
            drop(second);
            break;
        }
    }
    assert_eq!(pending, 1);
    assert!(matches!(
        incoming.write(bytes(1)).await,
        Err(BlobError::Broken)
    ));
    assert!(matches!(incoming.seal().await, Err(BlobError::Broken)));
    nothing_is_left(house).await;
}
