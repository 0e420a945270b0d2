//! Claims cost what they take, not what is taken already; and what is free is never overlooked.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::{Commit, Lifetime, Operation, Outcome, Prefix, Revision, Store};
use prominence_engines::EmbeddedStore;

use crate::support::{alice, clock, key, options, put, set};

const MINUTE: Duration = Duration::from_secs(60);

fn open(folder: &tempfile::TempDir) -> (EmbeddedStore, Arc<ManualClock>) {
    let clock = clock();
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    (store, clock)
}

async fn apply(store: &EmbeddedStore, operation: Operation) -> (Outcome, Revision) {
    let commit = Commit::single(None, operation);
    let done = store.commit(&alice(), None, commit).await.unwrap();
    (done.outcomes.into_iter().next().unwrap(), done.revision)
}

/// Takes the next key for so many minutes.
async fn take(store: &EmbeddedStore, minutes: u32) -> Option<String> {
    let prefix = Prefix::parse("/w/").unwrap();
    let hold = MINUTE * minutes;
    match apply(store, Operation::Claim { prefix, hold }).await.0 {
        Outcome::Claimed(key, _) => Some(key.to_string()),
        Outcome::NoneFree { .. } => None,
        other => panic!("a claim answered {other:?}"),
    }
}

async fn fill(store: &EmbeddedStore, keys: usize) {
    for first in (0..keys).step_by(100) {
        let sets = (first..first + 100).map(|n| Operation::Set {
            key: key(&format!("/w/{n:06}")),
            value: prominence_core::Value::new(vec![b'x'], 9).unwrap(),
            lifetime: Lifetime::Permanent,
        });
        let commit = Commit::new(vec![], sets.collect()).unwrap();
        store.commit(&alice(), None, commit).await.unwrap();
    }
}

#[tokio::test]
async fn taking_stays_cheap_behind_a_thousand_claims_and_what_was_done_before() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _clock) = open(&folder);
    fill(&store, 5_000).await;
    for _ in 0..1_000 {
        take(&store, 10).await.unwrap();
    }
    for n in 0..500 {
        apply(
            &store,
            Operation::Delete {
                key: key(&format!("/w/{n:06}")),
            },
        )
        .await;
    }
    let before = store.counters().claim_looks;
    for n in 1_000..1_100 {
        assert_eq!(take(&store, 10).await, Some(format!("/w/{n:06}")));
    }
    let looks = store.counters().claim_looks - before;
    assert!(looks <= 300, "{looks} entries were read for 100 claims");
}

#[tokio::test]
async fn what_becomes_free_before_the_others_is_found_without_looking_at_them_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _clock) = open(&folder);
    fill(&store, 2_000).await;
    for _ in 0..1_000 {
        take(&store, 10).await.unwrap();
    }
    let before = store.counters().claim_looks;
    for n in 0..100 {
        let given_back = key(&format!("/w/{:06}", n * 7));
        apply(
            &store,
            Operation::Release {
                key: given_back.clone(),
            },
        )
        .await;
        assert_eq!(take(&store, 10).await.as_deref(), Some(given_back.as_str()));
        let urgent = format!("/w/{:06}-", 999 - n);
        put(&store, &urgent, "").await.unwrap();
        assert_eq!(take(&store, 10).await, Some(urgent));
    }
    assert_eq!(take(&store, 10).await.as_deref(), Some("/w/001000"));
    let looks = store.counters().claim_looks - before;
    assert!(looks <= 10, "{looks} entries were read for 201 claims");
}

#[tokio::test]
async fn whatever_becomes_free_is_taken_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(&folder);
    for n in [1, 3, 5, 7] {
        put(&store, &format!("/w/{n}"), "").await.unwrap();
    }
    for wanted in ["/w/1", "/w/3"] {
        assert_eq!(take(&store, 1).await.as_deref(), Some(wanted));
    }
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/5"));
    // A new key before them, a new value, a number, a release, a claim that ran out.
    put(&store, "/w/2", "").await.unwrap();
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/2"));
    put(&store, "/w/1", "again").await.unwrap();
    apply(
        &store,
        Operation::Add {
            key: key("/w/4"),
            by: 1,
        },
    )
    .await;
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/1"));
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/4"));
    apply(&store, Operation::Release { key: key("/w/2") }).await;
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/2"));
    clock.advance(MINUTE);
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/3"));
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/7"));
    assert_eq!(take(&store, 9).await, None);
    // What was all there is not all there will be.
    put(&store, "/w/9", "").await.unwrap();
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/9"));
    let prefix = Prefix::parse("/w/").unwrap();
    apply(&store, Operation::delete_prefix(prefix)).await;
    put(&store, "/w/6", "").await.unwrap();
    assert_eq!(take(&store, 9).await.as_deref(), Some("/w/6"));
}

#[tokio::test]
async fn a_large_deletion_and_a_restart_are_not_overlooked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, clock) = open(&folder);
    fill(&store, 3_000).await;
    for _ in 0..10 {
        take(&store, 10).await.unwrap();
    }
    let prefix = Prefix::parse("/w/0").unwrap();
    let (deleted, _) = apply(&store, Operation::delete_prefix(prefix)).await;
    assert_eq!(deleted, Outcome::Deleted(3_000));
    clock.advance(MINUTE * 11);
    assert_eq!(take(&store, 1).await, None);
    fill(&store, 100).await;
    assert_eq!(take(&store, 1).await.as_deref(), Some("/w/000000"));
    drop(store);
    let (store, _clock) = open(&folder);
    store
        .commit(&alice(), None, set("/w/0", "", Lifetime::Permanent))
        .await
        .unwrap();
    assert_eq!(take(&store, 1).await.as_deref(), Some("/w/0"));
}
