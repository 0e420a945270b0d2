//! A namespace never exceeds its quota, here [`SMALL`].

use super::shorthand::{add, delete, release, seconds, set, set_for};
use super::space::{alice, space};
use super::{SMALL, Subject};
use crate::commit::{Committed, Lifetime, Outcome};
use crate::error::StoreError;

/// Asserts that a commit was refused because it would have led to this usage.
#[track_caller]
fn assert_full(answer: Result<Committed, StoreError>, wanted: (u64, u64)) {
    match answer {
        Err(StoreError::QuotaExceeded { keys, bytes, quota }) => {
            assert_eq!((keys, bytes, quota), (wanted.0, wanted.1, SMALL));
        }
        other => panic!("{other:?} instead of an exceeded quota"),
    }
}

/// A value with which an entry with a key of two bytes has this size.
fn filler(entry: usize) -> Vec<u8> {
    vec![b'x'; entry - 2]
}

pub async fn the_number_of_keys_is_limited(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in ["/a", "/b", "/c", "/d"] {
        alice.set(name, "1").await;
    }
    let refused = alice.attempt(vec![], vec![set("/e", "1")]).await;
    assert_full(refused, (5, 15));
    assert_full(alice.attempt(vec![], vec![add("/e", 1)]).await, (5, 15));
    assert_eq!(alice.list("/").await, ["/a", "/b", "/c", "/d"]);
    assert_eq!(alice.usage().await.keys, 4);
    alice.set("/a", "a replaced key is not a new one").await;
    alice.delete("/b").await;
    alice.set("/e", "1").await;
}

pub async fn the_bytes_of_keys_and_values_are_limited(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", filler(60)).await;
    let refused = alice.attempt(vec![], vec![set("/b", filler(41))]).await;
    assert_full(refused, (2, 101));
    alice.set("/b", filler(40)).await;
    assert_eq!(
        alice.usage().await.bytes,
        100,
        "the whole quota can be used"
    );
    let refused = alice.attempt(vec![], vec![set("/a", filler(61))]).await;
    assert_full(refused, (2, 101));
    alice.set("/a", filler(60)).await;
    alice.set("/a", filler(59)).await;
    alice.set("/b", filler(41)).await;
}

pub async fn a_batch_counts_as_a_whole(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in ["/a", "/b", "/c", "/d"] {
        alice.set(name, "1").await;
    }
    let swap = vec![set("/e", "1"), delete("/a")];
    alice.commit(swap).await;
    let refused = alice
        .attempt(vec![], vec![delete("/b"), set("/f", "1"), set("/g", "1")])
        .await;
    assert_full(refused, (5, 15));
    assert_eq!(alice.list("/").await, ["/b", "/c", "/d", "/e"]);
    let shift = vec![set("/b", filler(80)), set("/c", filler(14))];
    alice.commit(shift).await;
    let shift = vec![set("/b", filler(14)), set("/c", filler(80))];
    alice.commit(shift).await;
}

pub async fn a_refused_commit_uses_no_revision_and_is_not_logged(subject: &dyn Subject) {
    let alice = alice(subject);
    alice.set("/a", filler(90)).await;
    let before = alice.usage().await;
    for _ in 0..3 {
        let batch = vec![set("/b", filler(11)), set("/c", "")];
        let refused = alice.attempt(vec![], batch).await;
        assert_full(refused, (3, 103));
    }
    assert_eq!(alice.usage().await, before);
    assert_eq!(alice.get("/b").await, None);
    let history = alice.history("/", crate::change::Cursor::START).await;
    assert_eq!(history.len(), 1);
}

pub async fn a_full_namespace_can_shrink_be_read_and_be_worked_on(subject: &dyn Subject) {
    let alice = alice(subject);
    for name in ["/a", "/b", "/c", "/d"] {
        alice.set(name, filler(25)).await;
    }
    assert!(alice.claim("/", seconds(1)).await.is_some());
    let released = alice.apply(release("/a")).await;
    assert_eq!(released, Outcome::Released);
    alice.set("/b", filler(24)).await;
    alice.set("/b", filler(25)).await;
    assert_eq!(alice.list("/").await.len(), 4);
    assert_eq!(alice.delete_prefix("/").await, 4);
    alice.set("/a", filler(100)).await;
}

pub async fn what_expired_frees_the_quota_once_it_is_swept(subject: &dyn Subject) {
    let alice = alice(subject);
    let brief = Lifetime::For(seconds(1));
    alice.apply(set_for("/a", filler(99), brief)).await;
    subject.clock().advance(seconds(1));
    alice.set("/a", filler(98)).await;
    alice.apply(set_for("/a", filler(99), brief)).await;
    subject.clock().advance(seconds(1));
    subject.sweep().await;
    alice.set("/b", filler(100)).await;
}

pub async fn one_namespace_does_not_use_up_anothers(subject: &dyn Subject) {
    for name in ["alice", "alice2", "alice/a"] {
        space(subject, name).set("/a", filler(100)).await;
    }
}
