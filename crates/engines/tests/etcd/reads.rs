//! Reads of single keys in batches, which callers see nothing of.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prominence_core::clock::ManualClock;
use prominence_core::conformance::START;
use prominence_core::{Commit, Key, Lifetime, Namespace, Operation, Store, StoreError, Value};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::{Endpoints, Options};
use tokio::task::JoinSet;

use crate::support::{cluster, options};

fn key(number: usize) -> Key {
    Key::parse(&format!("/{number}")).unwrap()
}

fn namespace(number: usize) -> Namespace {
    Namespace::parse(&format!("user{number}")).unwrap()
}

fn open(options: Options) -> Arc<EtcdStore> {
    let clock = Arc::new(ManualClock::new(START));
    Arc::new(EtcdStore::open(options, clock).unwrap())
}

/// The text in a user's key, if it has one.
async fn held(store: &EtcdStore, user: usize, number: usize) -> Option<String> {
    let entry = store.get(&namespace(user), &key(number)).await.unwrap();
    entry.map(|entry| String::from_utf8(entry.value.as_bytes().to_vec()).unwrap())
}

/// Every third number is a key of each of two users.
async fn filled() -> (Arc<EtcdStore>, Arc<prominence_cluster::etcd::Cluster>) {
    let cluster = cluster();
    let store = open(options(&cluster));
    for user in 0..2 {
        let sets = (0..300).step_by(3).map(|number| Operation::Set {
            key: key(number),
            value: Value::stored(format!("{number} of {user}").into()),
            lifetime: Lifetime::Permanent,
        });
        let commit = Commit::new(vec![], sets.collect()).unwrap();
        store.commit(&namespace(user), None, commit).await.unwrap();
    }
    (store, cluster)
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_at_the_same_moment_share_transactions_and_each_gets_its_own_answer() {
    let (store, _cluster) = filled().await;
    let mut reads = JoinSet::new();
    for number in 0..3_000 {
        let store = Arc::clone(&store);
        let (user, number) = (number % 2, number % 300);
        reads.spawn(async move { (user, number, held(&store, user, number).await) });
    }
    for (user, number, found) in reads.join_all().await {
        let expected = (number % 3 == 0).then(|| format!("{number} of {user}"));
        assert_eq!(found, expected);
    }
    let counters = store.counters();
    assert_eq!(counters.gets, 3_000);
    assert!(
        counters.get_transactions <= 1_000,
        "{} transactions",
        counters.get_transactions
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_takes_no_answer_from_others() {
    let (store, _cluster) = filled().await;
    for _ in 0..20 {
        let mut gone = JoinSet::new();
        let mut patient = JoinSet::new();
        for number in 0..300 {
            let place = Arc::clone(&store);
            let ask = async move { (number, held(&place, 0, number).await) };
            if number % 2 == 0 {
                patient.spawn(ask);
            } else {
                gone.spawn(ask);
            }
        }
        gone.abort_all();
        for (number, found) in patient.join_all().await {
            let expected = (number % 3 == 0).then(|| format!("{number} of 0"));
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cluster_reads_fail_in_time_and_only_so_many_wait() {
    let limit = Duration::from_secs(2);
    let nobody = Endpoints::parse("http://127.0.0.1:1").unwrap();
    let store = open(Options {
        request_timeout: limit,
        ..Options::new(nobody)
    });
    let mut reads = JoinSet::new();
    let started = Instant::now();
    for _ in 0..20_000 {
        let store = Arc::clone(&store);
        reads.spawn(async move { store.get(&namespace(0), &key(0)).await });
    }
    let mut refused = 0;
    for answer in reads.join_all().await {
        let Err(StoreError::Unavailable { reason, .. }) = answer else {
            panic!("there is no cluster, and it answered {answer:?}");
        };
        refused += usize::from(reason == "too many reads are waiting");
    }
    assert!(refused > 3_000, "{refused} were refused");
    assert!(refused < 19_000, "{refused} were refused");
    // Far more than that, for busy machines; no read waits for all reads before it.
    assert!(started.elapsed() < limit * 10, "{:?}", started.elapsed());
}
