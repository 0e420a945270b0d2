//! The service's own records in the store: tokens that are revoked, tokens that were made here, accounts of names, and
//! quotas of single users.
//!
//! All of it is in the reserved namespace, so that servers that share a store know the same, and backups have it. What
//! is asked at every request, revocations and quotas, is also in memory: read whole before the server listens, and
//! followed by the log of that namespace from then on (`follow`).

mod follow;
mod pins;
mod quotas;
mod revocations;
mod target;
mod tokens;
mod turns;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use prominence_core::limits::MAX_VALUE_BYTES;
use prominence_core::{
    Clock, Commit, Condition, Entry, Key, Lifetime, Operation, Prefix, Quotas, Registry, Store,
    StoreError, Value,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use crate::failure::Failure;

pub(crate) use pins::{Former, Pin};
pub(crate) use quotas::{OwnLimit, OwnLimits, OwnQuota};
pub(crate) use revocations::{Revocations, Subject};
pub(crate) use target::Target;
pub(crate) use tokens::{Share, TokenRecord, Used};
use turns::Turns;

/// A revocation is remembered for so much longer than its tokens can last, because of clocks that disagree.
pub(crate) const REMEMBERED_LONGER: Duration = Duration::from_secs(300);

/// Is told what has changed, in words without secrets.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// The records of the service.
pub struct Records {
    registry: Registry,
    quotas: Quotas,
    own_limits: Arc<OwnLimits>,
    revocations: Revocations,
    /// The most records of revocations at once.
    max_revocations: usize,
    clock: Arc<dyn Clock>,
    /// Until when what is in memory counts, in milliseconds of the clock. The follower moves it on.
    known_until: AtomicU64,
    /// Leads to the follower, where there is one.
    uses: OnceLock<mpsc::Sender<Used>>,
    /// The audit log, where there is one.
    listener: OnceLock<Listener>,
    turns: Turns,
}

impl Records {
    /// The records in a store, of which nothing is read yet. Without a follower they are taken for complete, and their
    /// number has no bound.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, quotas: Quotas, clock: Arc<dyn Clock>) -> Self {
        Self {
            registry: Registry::new(store),
            quotas,
            own_limits: Arc::default(),
            revocations: Revocations::default(),
            max_revocations: usize::MAX,
            clock,
            known_until: AtomicU64::new(u64::MAX),
            uses: OnceLock::new(),
            listener: OnceLock::new(),
            turns: Turns::default(),
        }
    }

    /// The same with a bound on the records of revocations.
    #[must_use]
    pub fn with_max_revocations(self, max_revocations: usize) -> Self {
        Self {
            max_revocations,
            ..self
        }
    }

    /// Has changes of names and quotas told to this; the first listener counts.
    pub(crate) fn tell_changes(&self, listener: Listener) {
        let _ = self.listener.set(listener);
    }

    fn tell(&self, change: &str) {
        if let Some(listener) = self.listener.get() {
            listener(change);
        }
    }

    /// Which tokens are revoked.
    pub(crate) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    async fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let entry = self.registry.get(key).await?;
        entry.map(|entry| parse(key, &entry)).transpose()
    }

    /// Writes what is about to happen, durably.
    async fn write(&self, operations: Vec<Operation>) -> Result<(), Failure> {
        self.write_if(Vec::new(), operations).await
    }

    async fn write_if(
        &self,
        conditions: Vec<Condition>,
        operations: Vec<Operation>,
    ) -> Result<(), Failure> {
        let commit = Commit::new(conditions, operations).map_err(|_| Failure::surprised())?;
        self.registry.commit(commit).await?;
        Ok(())
    }
}

/// Parses a record. One that can't be read is damage: to leave a revocation out would let its token in again.
fn parse<T: DeserializeOwned>(key: &Key, entry: &Entry) -> Result<T, StoreError> {
    serde_json::from_slice(entry.value.as_bytes()).map_err(|error| StoreError::Corrupt {
        what: format!("the record {key} of the service: {error}"),
    })
}

/// The operation that writes a record.
fn set<T: Serialize>(key: Key, record: &T, lifetime: Lifetime) -> Result<Operation, Failure> {
    let text = serde_json::to_vec(record).map_err(|_| Failure::surprised())?;
    let value = Value::new(text, MAX_VALUE_BYTES).map_err(|_| Failure::surprised())?;
    Ok(Operation::Set {
        key,
        value,
        lifetime,
    })
}

/// The lifetime of a record.
fn lasting(duration: Duration) -> Lifetime {
    // A record of no duration would be no record.
    Lifetime::For(duration.max(Duration::from_secs(1)))
}

/// A key of these parts. Names in it are encoded, so that no name can be another part, and they are limited, so that
/// the key is not too long.
fn key(parts: &[&str]) -> Result<Key, Failure> {
    Key::parse(&parts.join("/")).map_err(|_| Failure::surprised())
}

/// Everything below a key of these parts.
fn below(parts: &[&str]) -> Result<Prefix, Failure> {
    Prefix::parse(&format!("{}/", parts.join("/"))).map_err(|_| Failure::surprised())
}

/// A name as a part of a key.
fn encode(name: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(name)
}

/// The name in a part of a key.
fn decode(part: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
