//! For the tests of single parts: the state that handlers share, without a port.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::clock::ManualClock;
use prominence_core::memory::MemoryStore;
use prominence_core::permit::Scopes;
use prominence_core::{
    Commit, Entry, Key, Lifetime, Namespace, Operation, Principal, Quota, Store, Timestamp, Value,
};

use crate::app::{App, Bounds};
use crate::identity::token::{TokenLimits, Verifier};
use crate::wait::long_poll::LongPollLimits;

/// A server's state over a store in memory that holds one key.
pub(crate) struct OneKey {
    store: Arc<MemoryStore>,
    pub(crate) app: App,
    pub(crate) who: Principal,
    pub(crate) key: Key,
}

impl OneKey {
    /// Stores it, for a user who may do anything.
    pub(crate) async fn stored() -> OneKey {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1)));
        let store = Arc::new(MemoryStore::new(clock.clone(), Quota::UNLIMITED));
        let within = Duration::from_secs(60);
        let bounds = Bounds {
            value_bytes: 1,
            quota: Quota::UNLIMITED,
            body_within: within,
            answer_within: within,
            request_memory: 64 << 20,
            requests_per_second: 0,
            long_polls: LongPollLimits {
                in_all: 1,
                per_user: 1,
            },
        };
        let verifier = Verifier::new(&[], TokenLimits::default());
        let app = App::new(store.clone(), verifier, clock, bounds);
        let who = Principal {
            user: Namespace::parse("alice").unwrap(),
            job: None,
            scopes: Scopes::parse("").unwrap(),
            expires: Timestamp::MAX,
            issued: None,
            since: None,
            job_since: None,
            issuer: "test".to_owned(),
            id: [0; 32],
            made_from: Vec::new(),
        };
        let key = Key::parse("/w/a").unwrap();
        let set = Operation::Set {
            key: key.clone(),
            value: Value::from_integer(1),
            lifetime: Lifetime::Permanent,
        };
        let commit = Commit::single(None, set);
        store.commit(&who.user, None, commit).await.unwrap();
        OneKey {
            store,
            app,
            who,
            key,
        }
    }

    /// The entry in the store, without the server.
    pub(crate) async fn entry(&self) -> Entry {
        let stored = self.store.get(&self.who.user, &self.key).await;
        stored.unwrap().unwrap()
    }

    /// Waits until the entry is as it should be; other tasks have their turn meanwhile.
    pub(crate) async fn becomes(&self, is_right: impl Fn(&Entry) -> bool) {
        for _ in 0..1_000 {
            if is_right(&self.entry().await) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("never: {:?}", self.entry().await);
    }
}
