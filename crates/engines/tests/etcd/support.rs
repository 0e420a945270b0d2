//! A cluster of one node that all tests of this program share, each with a root of its own, and
//! helpers for tests of one user's keys.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prominence_cluster::etcd::{self, Cluster};
use prominence_core::clock::ManualClock;
use prominence_core::commit::Outcome;
use prominence_core::conformance::START;
use prominence_core::{
    Commit, Key, Lifetime, Namespace, Operation, Revision, Store as _, StoreError, Value,
};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::{Endpoints, Options, Root};

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static ROOTS: AtomicU64 = AtomicU64::new(0);

/// The shared cluster, started where no test uses it. It ends with the last test that does.
pub(crate) fn cluster() -> Arc<Cluster> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let options = etcd::Options {
        nodes: 1,
        ..etcd::Options::default()
    };
    let cluster = Arc::new(Cluster::start(&options).unwrap());
    *shared = Arc::downgrade(&cluster);
    cluster
}

/// Options for a store that does nothing by itself, under a root that no other test has.
pub(crate) fn options(cluster: &Cluster) -> Options {
    let number = ROOTS.fetch_add(1, Ordering::Relaxed);
    let endpoints = Endpoints::parse(&cluster.endpoints().join(",")).unwrap();
    Options {
        root: Root::parse(&format!("/test-{number}")).unwrap(),
        upkeep_every: Duration::from_hours(1),
        ..Options::new(endpoints)
    }
}

pub(crate) fn namespace() -> Namespace {
    Namespace::parse("alice").unwrap()
}

pub(crate) fn set(key: Key, value: Value) -> Operation {
    Operation::Set {
        key,
        value,
        lifetime: Lifetime::Permanent,
    }
}

pub(crate) async fn commit(
    store: &EtcdStore,
    commit: Commit,
) -> Result<(Outcome, Revision), StoreError> {
    let committed = store.commit(&namespace(), None, commit).await?;
    let outcome = committed.outcomes.into_iter().next().unwrap();
    Ok((outcome, committed.revision))
}

pub(crate) async fn one(store: &EtcdStore, operation: Operation) -> (Outcome, Revision) {
    commit(store, Commit::single(None, operation))
        .await
        .unwrap()
}

/// Two processes over one cluster.
pub(crate) fn two() -> ([EtcdStore; 2], Arc<Cluster>) {
    let cluster = cluster();
    let options = options(&cluster);
    let clock = Arc::new(ManualClock::new(START));
    let open = |_| EtcdStore::open(options.clone(), clock.clone()).unwrap();
    ([0, 1].map(open), cluster)
}
