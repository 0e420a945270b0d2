//! A cluster of one node that all tests of this program share, each with a root of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prominence_cluster::etcd::{self, Cluster};
use prominence_engines::etcd::{Endpoints, Options, Root};

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
static ROOTS: AtomicU64 = AtomicU64::new(0);

/// The cluster that is shared, started where nobody holds it. It ends with the last who does.
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
