//! The conformance cases that every engine has to pass, on a cluster.

use std::sync::Arc;

use async_trait::async_trait;
use prominence_cluster::etcd::Cluster;
use prominence_core::clock::ManualClock;
use prominence_core::conformance::{START, Subject};
use prominence_core::{Quota, Store};
use prominence_engines::EtcdStore;
use prominence_engines::etcd::Options;

use crate::support::{cluster, options};

struct OverEtcd {
    store: EtcdStore,
    clock: Arc<ManualClock>,
    _cluster: Arc<Cluster>,
}

#[async_trait]
impl Subject for OverEtcd {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn sweep(&self) {
        self.store.sweep().await.unwrap();
    }
}

fn over_etcd(quota: Quota) -> OverEtcd {
    let cluster = cluster();
    let clock = Arc::new(ManualClock::new(START));
    let options = Options {
        quotas: quota.into(),
        ..options(&cluster)
    };
    OverEtcd {
        store: EtcdStore::open(options, clock.clone()).unwrap(),
        clock,
        _cluster: cluster,
    }
}

// Each takes the better part of a second: every step is a round trip, and most are synced.
prominence_core::conformance_suite!(over_etcd, sequences: 32);
