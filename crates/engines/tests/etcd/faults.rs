//! The promises of the store while a part of the cluster fails.

use std::sync::Arc;
use std::time::Duration;

use prominence_cluster::etcd::{self, Cluster, Place};
use prominence_core::clock::ManualClock;
use prominence_core::conformance::START;
use prominence_core::{
    Commit, Cursor, Key, Lifetime, Namespace, Operation, Prefix, Store, StoreError, Value,
};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::{Endpoints, Options, Root};

use crate::support::options;

/// The time limit for an agreement of a cluster, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time limit for a read that can't be answered: well within the time after which a member
/// notices that it has no leader.
const SOON: Duration = Duration::from_millis(500);

fn over(cluster: &Cluster, members: &[usize]) -> EtcdStore {
    let all = cluster.endpoints();
    let some: Vec<_> = members.iter().map(|member| all[*member].as_str()).collect();
    let options = Options {
        endpoints: Endpoints::parse(&some.join(",")).unwrap(),
        root: Root::parse("/test").unwrap(),
        ..options(cluster)
    };
    EtcdStore::open(options, Arc::new(ManualClock::new(START))).unwrap()
}

fn alice() -> Namespace {
    Namespace::parse("alice").unwrap()
}

fn key() -> Key {
    Key::parse("/key").unwrap()
}

async fn set(store: &EtcdStore, value: &'static str) -> Result<(), StoreError> {
    let set = Operation::Set {
        key: key(),
        value: Value::stored(value.into()),
        lifetime: Lifetime::Permanent,
    };
    let commit = Commit::single(None, set);
    store.commit(&alice(), None, commit).await.map(|_| ())
}

async fn read(store: &EtcdStore) -> Result<String, StoreError> {
    let entry = store.get(&alice(), &key()).await?.unwrap();
    Ok(String::from_utf8(entry.value.as_bytes().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_cut_off_serves_no_stale_reads() {
    let in_networks = etcd::Options {
        place: Place::Network,
        ..etcd::Options::default()
    };
    let cluster = Cluster::start(&in_networks).unwrap();
    let leader = cluster.wait_for_leader(PATIENCE).unwrap();
    let (apart, others) = ((leader + 1) % 3, [leader, (leader + 2) % 3]);
    let parted = over(&cluster, &[apart]);
    let whole = over(&cluster, &others);
    set(&whole, "old").await.unwrap();
    assert_eq!(read(&parted).await.unwrap(), "old");
    let network = cluster.network().unwrap();
    let number = |member: usize| u8::try_from(member).unwrap();
    for other in others {
        network.part(number(apart), number(other)).unwrap();
    }
    set(&whole, "new").await.unwrap();
    // It may not answer at all. If it does, then with the acknowledged value.
    if let Ok(Ok(value)) = tokio::time::timeout(SOON, read(&parted)).await {
        assert_eq!(value, "new");
    }
    for other in others {
        network.reunite(number(apart), number(other)).unwrap();
    }
    let healed = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Ok(value) = read(&parted).await {
                return value;
            }
        }
    });
    assert_eq!(healed.await.unwrap(), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_is_named_in_errors_and_read_and_later_written_again() {
    let small = etcd::Options {
        nodes: 1,
        quota_bytes: Some(2 << 20),
        ..etcd::Options::default()
    };
    let cluster = Cluster::start(&small).unwrap();
    let store = over(&cluster, &[0]);
    set(&store, "kept").await.unwrap();
    let refused = loop {
        let fill = Operation::Set {
            key: Key::parse("/fill").unwrap(),
            value: Value::stored(vec![0; 100 << 10].into()),
            lifetime: Lifetime::Permanent,
        };
        let commit = Commit::single(None, fill);
        if let Err(refused) = store.commit(&alice(), None, commit).await {
            break refused;
        }
    };
    assert!(refused.to_string().contains("NOSPACE"), "{refused}");
    assert_eq!(read(&store).await.unwrap(), "kept");
    let revision = cluster.status(0).unwrap().revision;
    cluster.compact(revision).unwrap();
    cluster.defragment().unwrap();
    cluster.disarm().unwrap();
    set(&store, "again").await.unwrap();
    assert_eq!(read(&store).await.unwrap(), "again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiter_is_woken_after_a_restart_and_a_compaction_of_the_cluster() {
    let one = etcd::Options {
        nodes: 1,
        ..etcd::Options::default()
    };
    let mut cluster = Cluster::start(&one).unwrap();
    let (waiting, writing) = (over(&cluster, &[0]), over(&cluster, &[0]));
    for value in ["first", "second", "third"] {
        set(&writing, value).await.unwrap();
    }
    let from = waiting.extent(&alice()).await.unwrap().latest;
    let waiter = tokio::spawn(async move {
        let (alice, everything) = (alice(), Prefix::everything());
        let changes = waiting.changes(&alice, &everything, Cursor::after(from));
        (changes.await.unwrap(), waiting)
    });
    cluster.node(0).unwrap().kill().unwrap();
    cluster.node(0).unwrap().start().unwrap();
    cluster.wait_for_leader(PATIENCE).unwrap();
    // The watch's revision is compacted.
    let revision = cluster.status(0).unwrap().revision;
    cluster.compact(revision).unwrap();
    set(&writing, "fourth").await.unwrap();
    let heard = tokio::time::timeout(PATIENCE, waiter);
    let (changes, waiting) = heard.await.unwrap().unwrap();
    assert_eq!(changes.changes.len(), 1);
    assert_eq!(changes.changes[0].key, key());
    // The store's own log reaches back further than the cluster's history.
    let (alice, everything) = (alice(), Prefix::everything());
    let all = waiting.changes(&alice, &everything, Cursor::START).await;
    assert_eq!(all.unwrap().changes.len(), 4);
}
