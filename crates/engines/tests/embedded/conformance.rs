//! The conformance cases that every engine has to pass, on the embedded one.

use std::sync::Arc;

use async_trait::async_trait;
use prominence_core::clock::ManualClock;
use prominence_core::conformance::{START, Subject};
use prominence_core::{Quota, Store};
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::Options;

use crate::layout;

struct Embedded {
    store: EmbeddedStore,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

#[async_trait]
impl Subject for Embedded {
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

fn embedded(quota: Quota) -> Embedded {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START));
    let options = Options {
        quotas: quota.into(),
        ..layout::small(folder.path())
    };
    Embedded {
        store: EmbeddedStore::open(options, clock.clone()).unwrap(),
        clock,
        _folder: folder,
    }
}

prominence_core::conformance_suite!(embedded);
