//! Several processes over one cluster. To the cluster each store here is a process.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use prominence_cluster::etcd::Cluster;
use prominence_core::change::ChangeKind;
use prominence_core::clock::ManualClock;
use prominence_core::commit::{Condition, Outcome, Precondition};
use prominence_core::conformance::START;
use prominence_core::error::Mismatch;
use prominence_core::{
    Commit, CountScan, Cursor, Depth, Interest, Key, Lifetime, Namespace, Operation, Order,
    PageLimit, Prefix, Projection, Scan, Store, StoreError, Value, Visibility,
};
use prominence_engines::EtcdStore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{cluster, options};

/// The time limit for anything on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Some stores under one root.
struct Stores {
    stores: Vec<Arc<EtcdStore>>,
    _cluster: Arc<Cluster>,
}

fn stores(number: usize) -> Stores {
    let cluster = cluster();
    let options = options(&cluster);
    let clock = Arc::new(ManualClock::new(START));
    let open = |_| Arc::new(EtcdStore::open(options.clone(), clock.clone()).unwrap());
    Stores {
        stores: (0..number).map(open).collect(),
        _cluster: cluster,
    }
}

fn alice() -> Namespace {
    Namespace::parse("alice").unwrap()
}

fn key(text: &str) -> Key {
    Key::parse(text).unwrap()
}

fn prefix(text: &str) -> Prefix {
    Prefix::parse(text).unwrap()
}

fn set(name: &str, value: &str) -> Operation {
    Operation::Set {
        key: key(name),
        value: Value::stored(value.to_owned().into()),
        lifetime: Lifetime::Permanent,
    }
}

async fn commit(store: &EtcdStore, operation: Operation) -> Outcome {
    let commit = Commit::single(None, operation);
    let committed = store.commit(&alice(), None, commit).await.unwrap();
    committed.outcomes.into_iter().next().unwrap()
}

async fn fill(store: &Arc<EtcdStore>, under: &str, number: usize) {
    for from in (0..number).step_by(100) {
        let sets = (from..number.min(from + 100)).map(|n| set(&format!("{under}{n:06}"), "x"));
        let commit = Commit::new(vec![], sets.collect()).unwrap();
        store.commit(&alice(), None, commit).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_process_saw_expire_is_gone_for_those_whose_clocks_are_behind() {
    let cluster = cluster();
    let options = options(&cluster);
    let open = |now| EtcdStore::open(options.clone(), Arc::new(ManualClock::new(now))).unwrap();
    // Each call that reports a missing key, with a key of its own.
    for look in 0..4 {
        let (behind, ahead) = (open(START), open(START.after(Duration::from_secs(60))));
        let name = format!("/{look}");
        let lent = Operation::Set {
            key: key(&name),
            value: Value::stored("1".into()),
            lifetime: Lifetime::For(Duration::from_secs(30)),
        };
        commit(&behind, lent).await;
        let is_there = behind.get(&alice(), &key(&name)).await.unwrap().is_some();
        assert!(is_there, "{name}");
        match look {
            0 => assert_eq!(ahead.get(&alice(), &key(&name)).await.unwrap(), None),
            1 => {
                let counted = ahead
                    .count(&alice(), &CountScan::whole(prefix(&name), Visibility::All))
                    .await;
                assert_eq!(counted.unwrap().keys, 0);
            }
            2 => {
                let scan = Scan {
                    prefix: prefix(&name),
                    after: None,
                    limit: PageLimit::MAX,
                    order: Order::Ascending,
                    depth: Depth::All,
                    projection: Projection::Details,
                };
                assert!(ahead.scan(&alice(), &scan).await.unwrap().items.is_empty());
            }
            _ => {
                let condition = Condition {
                    key: key(&name),
                    expect: Precondition::Present,
                };
                let delete = Operation::Delete { key: key(&name) };
                let commit = Commit::single(Some(condition), delete);
                let refused = ahead.commit(&alice(), None, commit).await;
                let is_missing = matches!(
                    refused,
                    Err(StoreError::PreconditionFailed {
                        reason: Mismatch::Missing,
                        ..
                    })
                );
                assert!(is_missing, "{refused:?}");
            }
        }
        let found = behind.get(&alice(), &key(&name)).await.unwrap();
        assert_eq!(found, None, "{name} is back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_one_commit_are_removed_each_at_its_own_time() {
    let cluster = cluster();
    let clock = Arc::new(ManualClock::new(START));
    let store = EtcdStore::open(options(&cluster), clock.clone()).unwrap();
    let expiring = |seconds: u64| Operation::Set {
        key: key(&format!("/{seconds}")),
        value: Value::stored("x".into()),
        lifetime: Lifetime::For(Duration::from_secs(seconds)),
    };
    let commit = Commit::new(vec![], [10, 20, 30].map(expiring).to_vec()).unwrap();
    store.commit(&alice(), None, commit).await.unwrap();
    for left in [2, 1, 0] {
        clock.advance(Duration::from_secs(10));
        store.sweep().await.unwrap();
        // What is stored, whatever reads leave out.
        let all = store
            .count(&alice(), &CountScan::whole(prefix("/"), Visibility::All))
            .await;
        assert_eq!(all.unwrap().keys, left);
        let changes = store.changes(&alice(), &prefix("/"), Cursor::START).await;
        let changes = changes.unwrap().changes.into_iter();
        let expired = changes.filter(|change| change.kind == ChangeKind::Expire);
        assert_eq!(expired.count() as u64, 3 - left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn additions_through_several_processes_make_their_sum() {
    let stores = stores(3);
    let tasks: Vec<_> = (0..600)
        .map(|number| {
            let store = Arc::clone(&stores.stores[number % 3]);
            tokio::spawn(async move {
                let add = Operation::Add {
                    key: key("/counter"),
                    by: 1,
                };
                commit(&store, add).await
            })
        })
        .collect();
    let mut sums = HashSet::new();
    for task in tasks {
        let Outcome::Added(sum) = task.await.unwrap() else {
            panic!("an addition has another outcome");
        };
        assert!(sums.insert(sum), "{sum} was answered twice");
    }
    assert_eq!(sums, (1..=600).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_claimed_once_by_whichever_process() {
    let stores = stores(3);
    fill(&stores.stores[0], "/todo/", 300).await;
    let tasks: Vec<_> = (0..30)
        .map(|number| {
            let store = Arc::clone(&stores.stores[number % 3]);
            tokio::spawn(async move {
                let mut taken = Vec::new();
                loop {
                    let claim = Operation::Claim {
                        prefix: prefix("/todo/"),
                        hold: Duration::from_secs(600),
                    };
                    match commit(&store, claim).await {
                        Outcome::Claimed(key, _) => taken.push(key),
                        _ => return taken,
                    }
                }
            })
        })
        .collect();
    let mut taken = HashSet::new();
    for task in tasks {
        for key in task.await.unwrap() {
            assert!(taken.insert(key.clone()), "{key} was handed out twice");
        }
    }
    assert_eq!(taken.len(), 300);
    let looks: u64 = stores
        .stores
        .iter()
        .map(|store| store.counters().claim_scans)
        .sum();
    assert!(
        looks < 30_000,
        "{looks} entries were looked at for 300 claims"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_at_one_process_is_woken_by_writes_of_another() {
    let stores = stores(2);
    let [one, other] = [&stores.stores[0], &stores.stores[1]];
    // Both watches have begun once this has come through.
    commit(one, set("/first", "1")).await;
    let from = other.extent(&alice()).await.unwrap().latest;
    let waiting = {
        let other = Arc::clone(other);
        tokio::spawn(async move {
            let (alice, flag) = (alice(), prefix("/flag"));
            let changes = other.changes(&alice, &flag, Cursor::after(from));
            changes.await.unwrap()
        })
    };
    let signal = other.listen(&alice(), &Interest::Key(key("/flag"))).await;
    commit(one, set("/flag", "up")).await;
    timeout(PATIENCE, signal.unwrap()).await.unwrap();
    let entry = other.get(&alice(), &key("/flag")).await.unwrap().unwrap();
    assert_eq!(entry.value.as_bytes().as_ref(), b"up");
    let first = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(first.changes[0].key, key("/flag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_deleted_whole_while_another_process_writes_all_the_time() {
    // Reading them takes longer than other processes are held up by a contention mark.
    const KEYS: usize = 10_000;
    let stores = stores(2);
    let [one, other] = [&stores.stores[0], &stores.stores[1]];
    fill(one, "/old/", KEYS).await;
    let is_deleted = Arc::new(AtomicBool::new(false));
    let busy = {
        let (other, is_deleted) = (Arc::clone(other), Arc::clone(&is_deleted));
        tokio::spawn(async move {
            let mut written = 0;
            while !is_deleted.load(Relaxed) {
                commit(&other, set(&format!("/new/{written}"), "y")).await;
                written += 1;
            }
            written
        })
    };
    let everything = Operation::delete_prefix(prefix("/old/"));
    let before = one.extent(&alice()).await.unwrap().latest;
    let deleted = timeout(PATIENCE, commit(one, everything)).await.unwrap();
    assert_eq!(deleted, Outcome::Deleted(KEYS as u64));
    is_deleted.store(true, Relaxed);
    let written = busy.await.unwrap();
    for store in [one, other] {
        let left = store
            .count(&alice(), &CountScan::whole(prefix("/"), Visibility::All))
            .await;
        assert_eq!(left.unwrap().keys, written);
        assert_eq!(store.usage(&alice()).await.unwrap().keys, written);
    }
    // The log has every key of it once, all with one revision.
    let mut at = Cursor::after(before);
    let mut deleted = HashSet::new();
    while deleted.len() < KEYS {
        let changes = other.changes(&alice(), &prefix("/old/"), at).await.unwrap();
        for change in changes.changes {
            assert_eq!(change.kind, ChangeKind::Delete);
            assert!(deleted.insert((change.at.revision, change.key)));
        }
        at = changes.next;
    }
    let revisions: HashSet<_> = deleted.iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_sees_the_latest_write_of_another_process() {
    let stores = stores(2);
    for number in 0..50 {
        let [one, other] = [&stores.stores[number % 2], &stores.stores[(number + 1) % 2]];
        let name = format!("/key/{number}");
        commit(one, set(&name, "first")).await;
        let absent = Condition {
            key: key(&name),
            expect: Precondition::Absent,
        };
        let again = Commit::single(Some(absent), set(&name, "second"));
        let refused = other.commit(&alice(), None, again).await;
        assert!(matches!(
            refused,
            Err(StoreError::PreconditionFailed { .. })
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_batch_fits_into_a_transaction() {
    let stores = stores(1);
    let store = &stores.stores[0];
    let long = "k".repeat(1_000);
    let batch = |value: usize, expires| {
        let sets = (0..100).map(|number| Operation::Set {
            key: key(&format!("/{long}/{number:03}")),
            value: Value::stored(vec![b'v'; value].into()),
            lifetime: expires,
        });
        let absent = (0..100).map(|number| Condition {
            key: key(&format!("/other/{number}")),
            expect: Precondition::Absent,
        });
        Commit::new(absent.collect(), sets.collect()).unwrap()
    };
    for lifetime in [Lifetime::Permanent, Lifetime::For(Duration::from_secs(60))] {
        // 1 MiB of values, the largest that a server takes.
        let commit = batch(1_048_576 / 100, lifetime);
        store.commit(&alice(), None, commit).await.unwrap();
    }
    assert_eq!(store.usage(&alice()).await.unwrap().keys, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_trimmed_and_late_readers_get_an_error() {
    let cluster = cluster();
    let mut options = options(&cluster);
    options.retention.changes = 32;
    let clock = Arc::new(ManualClock::new(START));
    let store = EtcdStore::open(options, clock).unwrap();
    for number in 0..100 {
        commit(&store, set("/key", &number.to_string())).await;
    }
    let extent = store.extent(&alice()).await.unwrap();
    let kept = extent.latest.get() - extent.oldest.revision.get();
    assert!((32..=36).contains(&kept), "{kept} changes are kept");
    let late = store.changes(&alice(), &prefix("/"), Cursor::START).await;
    assert!(
        matches!(late, Err(StoreError::Compacted { oldest }) if oldest == extent.oldest.revision)
    );
    let rest = store.changes(&alice(), &prefix("/"), extent.oldest).await;
    assert_eq!(rest.unwrap().changes.len() as u64, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_to_the_same_keys_all_the_time_take_turns() {
    const WRITERS: usize = 8;
    const ENOUGH: usize = 600;
    let stores = stores(3);
    let done: Arc<[AtomicUsize; 3]> = Arc::default();
    let mut tasks = JoinSet::new();
    for number in 0..3 * WRITERS {
        let (store, done) = (Arc::clone(&stores.stores[number % 3]), Arc::clone(&done));
        tasks.spawn(async move {
            let name = format!("/{number}");
            while done.iter().all(|one| one.load(Relaxed) < ENOUGH) {
                commit(&store, set(&name, "x")).await;
                done[number % 3].fetch_add(1, Relaxed);
            }
        });
    }
    timeout(PATIENCE, tasks.join_all()).await.unwrap();
    let done = done.each_ref().map(|one| one.load(Relaxed));
    // Three that take turns have a third each. One that never yields has nearly all.
    assert!(done.iter().all(|one| *one > ENOUGH / 4), "{done:?}");
}
