//! The round trips of one write: one where the cache has all that it takes, and one more where other
//! processes wrote first.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::commit::{Condition, Outcome, Precondition};
use prominence_core::{Commit, Key, Operation, Prefix, Value};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::Counters;
use tokio::task::JoinSet;

use crate::support::{commit, one, set, two};

fn key(name: &str) -> Key {
    Key::parse(name).unwrap()
}

async fn write(store: &EtcdStore, name: &str) {
    one(store, set(key(name), Value::stored("x".into()))).await;
}

/// Claims the next key.
async fn claim(store: &EtcdStore) -> Key {
    let prefix = Prefix::parse("/work/").unwrap();
    let hold = Duration::from_secs(60);
    match one(store, Operation::Claim { prefix, hold }).await {
        (Outcome::Claimed(key, _), _) => key,
        (other, _) => panic!("{other:?}"),
    }
}

/// The reads and transactions since then.
fn trips(store: &EtcdStore, before: Counters) -> (u64, u64) {
    let now = store.counters();
    (
        now.reads - before.reads,
        now.transactions - before.transactions,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_reads_all_that_the_next_attempt_needs() {
    let ([store, other], _cluster) = two();
    let if_flagged = || {
        let condition = Condition {
            key: key("/flag"),
            expect: Precondition::Present,
        };
        let write = set(key("/a"), Value::stored("x".into()));
        Commit::single(Some(condition), write)
    };
    write(&store, "/flag").await;
    commit(&store, if_flagged()).await.unwrap();
    write(&other, "/flag").await;
    write(&other, "/a").await;
    let before = store.counters();
    commit(&store, if_flagged()).await.unwrap();
    assert_eq!(trips(&store, before), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_served_from_keys_that_were_read_before() {
    let ([store, other], _cluster) = two();
    for number in 0..6 {
        write(&store, &format!("/work/{number}")).await;
    }
    write(&other, "/elsewhere").await;
    let first = store.counters();
    // It reads the keys, and learns of the other's write with them.
    assert_eq!(claim(&store).await, key("/work/0"));
    assert_eq!(trips(&store, first), (1, 1));
    let then = store.counters();
    assert_eq!(claim(&store).await, key("/work/1"));
    assert_eq!(trips(&store, then), (0, 1));
    // Writes of others to other keys change nothing about it.
    write(&other, "/elsewhere").await;
    let then = store.counters();
    assert_eq!(claim(&store).await, key("/work/2"));
    assert_eq!(trips(&store, then), (0, 2));
    // A claim that conflicts takes the next key.
    assert_eq!(claim(&other).await, key("/work/3"));
    let then = store.counters();
    assert_eq!(claim(&store).await, key("/work/4"));
    assert_eq!(trips(&store, then), (0, 2));
    // A new key before the others is found.
    write(&store, "/work/00").await;
    let then = store.counters();
    assert_eq!(claim(&store).await, key("/work/00"));
    assert_eq!(claim(&store).await, key("/work/5"));
    assert_eq!(trips(&store, then), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_from_several_prefixes_are_planned_together_and_each_gets_a_key() {
    const PREFIXES: usize = 40;
    let ([store, other], _cluster) = two();
    let store = Arc::new(store);
    for number in 0..PREFIXES {
        write(&other, &format!("/{number}/a")).await;
        write(&other, &format!("/{number}/b")).await;
    }
    let before = store.counters();
    let mut claims = JoinSet::new();
    // Two claims for the two keys of each prefix.
    for number in (0..PREFIXES).chain(0..PREFIXES) {
        let prefix = Prefix::parse(&format!("/{number}/")).unwrap();
        let hold = Duration::from_secs(60);
        let claim = Commit::single(None, Operation::Claim { prefix, hold });
        let store = Arc::clone(&store);
        claims.spawn(async move { commit(&store, claim).await });
    }
    for claimed in claims.join_all().await {
        assert!(matches!(claimed.unwrap().0, Outcome::Claimed(..)));
    }
    let (reads, _) = trips(&store, before);
    assert!(reads <= 2 * PREFIXES as u64, "{reads}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_read_once_to_be_deleted_and_other_keys_stay_in_the_cache() {
    let ([store, _], _cluster) = two();
    for name in ["/elsewhere", "/folder/1", "/folder/2"] {
        write(&store, name).await;
    }
    let before = store.counters();
    let prefix = Prefix::parse("/folder/").unwrap();
    let deleted = one(&store, Operation::delete_prefix(prefix)).await;
    assert_eq!(deleted.0, Outcome::Deleted(2));
    assert_eq!(trips(&store, before), (1, 1));
    let before = store.counters();
    write(&store, "/elsewhere").await;
    write(&store, "/folder/1").await;
    assert_eq!(trips(&store, before), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_keys_than_are_read_at_once_are_claimed_in_order() {
    const PIECES: u64 = 300;
    let ([store, _], _cluster) = two();
    let piece = |number| format!("/work/{number:03}");
    for number in 0..PIECES {
        write(&store, &piece(number)).await;
    }
    let before = store.counters();
    for number in 0..PIECES {
        assert_eq!(claim(&store).await, key(&piece(number)));
    }
    // Some hundred are read at once.
    let (reads, transactions) = trips(&store, before);
    assert!(reads <= 4 && transactions == PIECES, "{reads}");
}
