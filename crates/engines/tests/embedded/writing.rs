//! The committer: its queue, its groups, and what readers see meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use prominence_core::error::{Fate, Mismatch};
use prominence_core::{
    Clock, Commit, Committed, Condition, Lifetime, Namespace, Operation, Precondition, Store,
    StoreError, Timestamp, Value,
};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::Options;

use crate::support::{Gate, START, alice, eventually, get, key, open, options, put, set};

type Pending<'a> = Pin<Box<dyn Future<Output = Result<Committed, StoreError>> + Send + 'a>>;

/// Puts a commit in the queue. The result is there once the future is awaited.
fn enqueue(store: &EmbeddedStore, commit: Commit) -> Result<Pending<'_>, StoreError> {
    enqueue_for(store, alice(), commit)
}

fn enqueue_for(
    store: &EmbeddedStore,
    namespace: Namespace,
    commit: Commit,
) -> Result<Pending<'_>, StoreError> {
    let mut pending: Pending<'_> =
        Box::pin(async move { store.commit(&namespace, None, commit).await });
    match poll(&mut pending) {
        Poll::Pending => Ok(pending),
        Poll::Ready(Err(refused)) => Err(refused),
        Poll::Ready(Ok(_)) => panic!("a commit was answered before it was written"),
    }
}

fn poll(pending: &mut Pending<'_>) -> Poll<Result<Committed, StoreError>> {
    pending
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
}

fn bob() -> Namespace {
    Namespace::parse("bob").unwrap()
}

/// A store whose committer stands still with one commit in its hands.
fn halted(options: Options, gate: &Arc<Gate>) -> EmbeddedStore {
    let store = EmbeddedStore::open(options, gate.clone()).unwrap();
    gate.shut();
    store
}

fn permanent(text: &str) -> Commit {
    set(text, "value", Lifetime::Permanent)
}

#[tokio::test]
async fn commits_that_wait_together_are_synced_together() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let store = halted(options(folder.path()), &gate);
    let pending: Vec<_> = (0..300)
        .map(|n| enqueue(&store, permanent(&n.to_string())).unwrap())
        .collect();
    gate.open();
    for (n, pending) in pending.into_iter().enumerate() {
        assert_eq!(pending.await.unwrap().revision.get(), n as u64 + 1);
    }
    let counters = store.counters();
    assert_eq!(counters.commits, 300);
    assert!(counters.syncs <= 2, "{} syncs", counters.syncs);
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 300);
}

#[tokio::test]
async fn a_full_queue_refuses_and_what_was_taken_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let options = Options {
        queue: 2,
        ..options(folder.path())
    };
    let store = halted(options, &gate);
    let first = enqueue(&store, permanent("/first")).unwrap();
    gate.wait_for_someone();
    let second = enqueue(&store, permanent("/second")).unwrap();
    let third = enqueue(&store, permanent("/third")).unwrap();
    let Err(refused) = enqueue(&store, permanent("/fourth")) else {
        panic!("the queue took more than it holds");
    };
    assert!(matches!(
        refused,
        StoreError::Unavailable {
            fate: Fate::NotApplied,
            ..
        }
    ));
    gate.open();
    for taken in [first, second, third] {
        taken.await.unwrap();
    }
    assert_eq!(get(&store, "/third").await, Some(b"value".to_vec()));
    assert_eq!(get(&store, "/fourth").await, None);
}

#[tokio::test]
async fn a_namespace_whose_commits_wait_in_masses_leaves_half_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let store = halted(options(folder.path()), &gate);
    let large = |n: usize| set(&format!("/{n}"), "v".repeat(16_000), Lifetime::Permanent);
    let masses: Vec<_> = (0..1_000)
        .map(|n| enqueue(&store, large(n)).unwrap())
        .collect();
    gate.wait_for_someone();
    let few: Vec<_> = (0..200)
        .map(|n| enqueue_for(&store, bob(), large(n)).unwrap())
        .collect();
    gate.open();
    for pending in few.into_iter().chain(masses) {
        pending.await.unwrap();
    }
    let written = async |namespace, n: usize| {
        let entry = store.get(&namespace, &key(&format!("/{n}"))).await;
        entry.unwrap().unwrap().metadata.modified
    };
    let last_of_few = written(bob(), 199).await;
    let mut before = 0;
    for n in 0..1_000 {
        before += usize::from(written(alice(), n).await < last_of_few);
    }
    // At least 40 % of the commits until then are those of the few.
    assert!(
        before < 300,
        "{before} of the masses were before the last of the few"
    );
}

#[tokio::test]
async fn a_namespace_that_fills_the_queue_gives_up_room_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let options = Options {
        queue: 20,
        ..options(folder.path())
    };
    let store = halted(options, &gate);
    let first = enqueue(&store, permanent("/first")).unwrap();
    gate.wait_for_someone();
    let mut masses: Vec<_> = (0..20)
        .map(|n| enqueue(&store, permanent(&format!("/{n}"))).unwrap())
        .collect();
    assert!(enqueue(&store, permanent("/more")).is_err());
    let few: Vec<_> = (0..5)
        .map(|n| enqueue_for(&store, bob(), permanent(&format!("/{n}"))).unwrap())
        .collect();
    // The newest are refused, and nothing of them is done.
    for pending in masses.split_off(15) {
        let refused = pending.await.unwrap_err();
        let is_busy = matches!(
            refused,
            StoreError::Unavailable {
                fate: Fate::NotApplied,
                ..
            }
        );
        assert!(is_busy, "{refused}");
    }
    gate.open();
    first.await.unwrap();
    for pending in masses.into_iter().chain(few) {
        pending.await.unwrap();
    }
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 16);
    assert_eq!(store.usage(&bob()).await.unwrap().keys, 5);
}

#[tokio::test]
async fn a_commit_sees_its_predecessors_in_the_same_group() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let store = halted(options(folder.path()), &gate);
    let absent = Condition {
        key: key("/lock"),
        expect: Precondition::Absent,
    };
    let take = |owner: &str| {
        let operation = Operation::Set {
            key: key("/lock"),
            value: Value::stored(owner.to_owned().into()),
            lifetime: Lifetime::Permanent,
        };
        Commit::single(Some(absent.clone()), operation)
    };
    let add = || {
        let key = key("/count");
        Commit::single(None, Operation::Add { key, by: 1 })
    };
    let first = enqueue(&store, take("one")).unwrap();
    let second = enqueue(&store, take("two")).unwrap();
    let counts: Vec<_> = (0..10).map(|_| enqueue(&store, add()).unwrap()).collect();
    let cleared = Operation::delete_prefix(prominence_core::Prefix::parse("/co").unwrap());
    let cleared = enqueue(&store, Commit::single(None, cleared)).unwrap();
    let again = enqueue(&store, add()).unwrap();
    gate.open();

    let first = first.await.unwrap();
    let refused = second.await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::PreconditionFailed { reason: Mismatch::Exists(by), .. } if by == first.revision
    ));
    for (n, count) in (1..).zip(counts) {
        let outcome = count.await.unwrap().outcomes;
        assert_eq!(outcome, [prominence_core::Outcome::Added(n)]);
    }
    let outcome = cleared.await.unwrap().outcomes;
    assert_eq!(outcome, [prominence_core::Outcome::Deleted(1)]);
    again.await.unwrap();
    assert_eq!(get(&store, "/lock").await, Some(b"one".to_vec()));
    assert_eq!(get(&store, "/count").await, Some(b"1".to_vec()));
    assert_eq!(store.counters().syncs, 1);
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 2);
}

#[tokio::test]
async fn queued_commits_are_finished_when_the_store_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let store = halted(options(folder.path()), &gate);
    let pending: Vec<_> = (0..50)
        .map(|n| enqueue(&store, permanent(&n.to_string())).unwrap())
        .collect();
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| store.close());
        gate.open();
        closing.join().unwrap();
    });
    for pending in pending {
        pending.await.unwrap();
    }
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 50);
}

#[tokio::test]
async fn a_commit_that_changes_nothing_is_not_synced() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let delete = Operation::Delete { key: key("/none") };
    let committed = store
        .commit(&alice(), None, Commit::single(None, delete))
        .await
        .unwrap();
    assert_eq!(committed.revision, prominence_core::Revision::ZERO);
    assert_eq!(store.counters().syncs, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_never_see_half_of_a_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let write_both = |n: u32| {
        let operations = ["/a", "/b"].map(|name| Operation::Set {
            key: key(name),
            value: Value::stored(n.to_string().into()),
            lifetime: Lifetime::Permanent,
        });
        Commit::new(vec![], operations.into()).unwrap()
    };
    store.commit(&alice(), None, write_both(0)).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 1..500 {
                store.commit(&alice(), None, write_both(n)).await.unwrap();
            }
        }
    });
    let number = |value: Option<Vec<u8>>| -> u32 {
        String::from_utf8(value.unwrap()).unwrap().parse().unwrap()
    };
    while !writer.is_finished() {
        // The second read began after the first, so it can't be behind it.
        let first = number(get(&store, "/a").await);
        let second = number(get(&store, "/b").await);
        assert!(second >= first, "{first} and then {second}");
    }
    writer.await.unwrap();
}

/// A clock that breaks for one question, once it is told to.
#[derive(Default)]
struct BreakableClock(AtomicBool);

impl Clock for BreakableClock {
    fn now(&self) -> Timestamp {
        let breaks = self.0.swap(false, Ordering::SeqCst);
        assert!(!breaks, "this panic is part of a test");
        START
    }

    fn not_before(&self, _: Timestamp) {}
}

#[tokio::test]
async fn a_committer_that_panicked_shows_in_readiness_and_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(BreakableClock::default());
    let store = EmbeddedStore::open(options(folder.path()), clock.clone()).unwrap();
    put(&store, "/a", "1").await.unwrap();
    store.ready().await.unwrap();
    clock.0.store(true, Ordering::SeqCst);
    let lost = put(&store, "/a", "2").await.unwrap_err();
    assert!(matches!(
        lost,
        StoreError::Unavailable {
            fate: Fate::Unknown,
            ..
        }
    ));
    // The thread ends a moment after it lost the commit.
    eventually(async || match store.ready().await {
        Ok(()) => Err("it is still ready"),
        Err(_) => Ok(()),
    })
    .await;
    let refused = put(&store, "/a", "3").await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Unavailable {
            fate: Fate::NotApplied,
            ..
        }
    ));
    assert_eq!(get(&store, "/a").await, Some(b"1".to_vec()));
    drop(store);
    assert_eq!(get(&open(folder.path()), "/a").await, Some(b"1".to_vec()));
}
