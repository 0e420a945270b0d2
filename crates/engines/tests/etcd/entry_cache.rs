//! A process caches the metadata of most keys that it wrote, without the value: it writes them again
//! without reads, and operations that need a value still get the stored one.

use std::sync::Arc;
use std::time::Duration;

use prominence_cluster::etcd::Cluster;
use prominence_core::commit::{Condition, Outcome, Precondition};
use prominence_core::error::Mismatch;
use prominence_core::{Commit, Key, Operation, Prefix, Store, StoreError, Value};
use prominence_engines::EtcdStore;

use crate::support::{commit, namespace, one, set, two};

/// More keys than are cached with their values.
const NUMBERS: usize = 300;

/// A value that is never cached.
const LARGE: usize = 2_000;

const HOLD: Duration = Duration::from_secs(60);

fn number(number: usize) -> Key {
    Key::parse(&format!("/number/{number}")).unwrap()
}

fn text() -> Key {
    Key::parse("/text").unwrap()
}

fn large(letter: u8) -> Value {
    Value::stored(vec![letter; LARGE].into())
}

/// Sets every number, and a text too large for the cache; returns the number of transactions.
async fn write_all(store: &EtcdStore, letter: u8) -> u64 {
    let before = store.counters().transactions;
    for from in (0..NUMBERS).step_by(100) {
        let sets = (from..from + 100)
            .map(|each| set(number(each), Value::stored(each.to_string().into())));
        let sets = Commit::new(vec![], sets.collect()).unwrap();
        commit(store, sets).await.unwrap();
    }
    one(store, set(text(), large(letter))).await;
    store.counters().transactions - before
}

/// A store whose cache has the metadata of every key and hardly a value.
async fn filled() -> (EtcdStore, Arc<Cluster>) {
    let ([store, _], cluster) = two();
    write_all(&store, b'a').await;
    (store, cluster)
}

#[tokio::test(flavor = "multi_thread")]
async fn written_keys_are_written_again_without_reads() {
    let (store, _cluster) = filled().await;
    // Three batches and a text.
    assert_eq!(write_all(&store, b'b').await, 4);
    assert_eq!(store.counters().conflicts, 0);
    let (outcome, _) = one(&store, Operation::Delete { key: text() }).await;
    assert_eq!(outcome, Outcome::Deleted(1));
    let (outcome, _) = one(&store, set(text(), large(b'c'))).await;
    assert_eq!(outcome, Outcome::Set { created: true });
    assert_eq!(store.counters().conflicts, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_keys_that_other_processes_wrote_leave_the_cache() {
    let ([store, other], _cluster) = two();
    write_all(&store, b'a').await;
    let gone = Operation::Delete { key: number(1) };
    assert_eq!(one(&other, gone).await.0, Outcome::Deleted(1));
    one(&other, set(text(), large(b'b'))).await;

    let letter = || Value::stored("x".into());
    let rewritten = Outcome::Set { created: false };
    assert_eq!(one(&store, set(number(0), letter())).await.0, rewritten);
    // The first one conflicts with the writes of others; the rest is still in the cache.
    let before = store.counters();
    for each in 2..NUMBERS {
        let (outcome, _) = one(&store, set(number(each), letter())).await;
        assert_eq!(outcome, rewritten);
    }
    let after = store.counters();
    assert_eq!(after.conflicts, before.conflicts);
    let written = u64::try_from(NUMBERS).unwrap() - 2;
    assert_eq!(after.transactions - before.transactions, written);
    // The stored values count for the others.
    let made = Outcome::Set { created: true };
    assert_eq!(one(&store, set(number(1), letter())).await.0, made);
    assert_eq!(one(&store, set(text(), letter())).await.0, rewritten);
    let used = store.usage(&namespace()).await.unwrap();
    assert_eq!(used, other.usage(&namespace()).await.unwrap());
    assert_eq!(used.keys, u64::try_from(NUMBERS).unwrap() + 1);
    let names = (0..NUMBERS).map(|each| number(each).as_str().len() + 1);
    let bytes = names.sum::<usize>() + text().as_str().len() + 1;
    assert_eq!(used.bytes, u64::try_from(bytes).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_on_a_value_that_is_not_cached_compares_the_stored_one() {
    let (store, _cluster) = filled().await;
    let if_it_is = |letter, then| {
        let condition = Condition {
            key: text(),
            expect: Precondition::Value(large(letter)),
        };
        commit(&store, Commit::single(Some(condition), then))
    };
    let (_, revision) = if_it_is(b'a', set(text(), large(b'b'))).await.unwrap();
    let refused = if_it_is(b'a', set(text(), large(b'c'))).await.unwrap_err();
    let StoreError::PreconditionFailed { reason, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(reason, Mismatch::Value(revision));
    let stored = store.get(&namespace(), &text()).await.unwrap().unwrap();
    assert_eq!(stored.value, large(b'b'));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_conditions_hold_for_cached_metadata() {
    let (store, _cluster) = filled().await;
    let revision = store.get(&namespace(), &text()).await.unwrap().unwrap();
    let revision = revision.metadata.revision;
    let mut letters = b'b'..;
    let mut if_it = |expect| {
        let condition = Condition {
            key: text(),
            expect,
        };
        let then = set(text(), large(letters.next().unwrap()));
        commit(&store, Commit::single(Some(condition), then))
    };
    if_it(Precondition::Absent).await.unwrap_err();
    if_it(Precondition::Revision(revision)).await.unwrap();
    if_it(Precondition::Revision(revision)).await.unwrap_err();
    if_it(Precondition::Present).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_to_numbers_that_are_not_cached_use_the_stored_ones() {
    let (store, _cluster) = filled().await;
    for each in 0..NUMBERS {
        let key = number(each);
        let (outcome, _) = one(&store, Operation::Add { key, by: 1 }).await;
        assert_eq!(outcome, Outcome::Added(i64::try_from(each).unwrap() + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_renewed_and_released_with_its_value_unchanged() {
    let (store, _cluster) = filled().await;
    let prefix = Prefix::parse("/text").unwrap();
    let hold = HOLD;
    let (claimed, mut revision) = one(&store, Operation::Claim { prefix, hold }).await;
    let Outcome::Claimed(key, entry) = claimed else {
        panic!("{claimed:?}");
    };
    assert_eq!((key, entry.value), (text(), large(b'a')));
    let holder = |revision| Condition {
        key: text(),
        expect: Precondition::Revision(revision),
    };
    for then in [
        Operation::Renew { key: text(), hold },
        Operation::Release { key: text() },
    ] {
        let done = commit(&store, Commit::single(Some(holder(revision)), then));
        (_, revision) = done.await.unwrap();
        let stored = store.get(&namespace(), &text()).await.unwrap().unwrap();
        assert_eq!(stored.value, large(b'a'));
        assert_eq!(stored.metadata.revision, revision);
    }
}
