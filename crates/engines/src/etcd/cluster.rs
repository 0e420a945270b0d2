//! The base of readers, writers and the log watch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prominence_core::{Clock, Interest, Namespace, StoreError, Timestamp};
use tokio::time::Instant;

use super::counters::LiveCounters;
use super::error::{OpenError, Unavailable, busy};
use super::keys::Keys;
use super::members::Members;
use super::options::Options;
use super::query::{Answers, RangeQuery};
use super::ticket::Ticket;
use crate::hub::{Hub, Listener};

/// The unit of [`Cluster::jitter`].
const JITTER: Duration = Duration::from_millis(5);

/// The longest such pause.
const MAX_JITTER: Duration = Duration::from_millis(100);

/// The cluster, and what all parts of an open store share.
pub(super) struct Cluster {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: Keys,
    pub(super) members: Members,
    pub(super) hub: Hub,
    pub(super) counters: LiveCounters,
    /// See [`Ticket::process`].
    pub(super) process: u64,
    next_ticket: AtomicU64,
}

impl Cluster {
    pub(super) fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let process = getrandom::u64().map_err(|error| OpenError::NoRandomness(error.into()))?;
        Ok(Self {
            keys: Keys::new(&options.root),
            members: Members::new(&options, process)?,
            options,
            clock,
            hub: Hub::default(),
            counters: LiveCounters::default(),
            process,
            next_ticket: AtomicU64::new(0),
        })
    }

    /// The end of a call that begins now.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.options.request_timeout
    }

    /// Reads outside of a call that has a deadline of its own.
    pub(super) async fn read(&self, queries: Vec<RangeQuery>) -> Result<Answers, Unavailable> {
        self.members.read(queries, self.deadline()).await
    }

    /// A ticket that no other attempt has, in any process.
    pub(super) fn ticket(&self) -> Ticket {
        Ticket {
            process: self.process,
            number: self.next_ticket.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A random pause that grows with the number of attempts, so that processes which do the same
    /// don't do it at the same moment again and again.
    pub(super) fn jitter(&self, attempts: u32) -> Duration {
        let most = (JITTER * attempts).min(MAX_JITTER);
        // Without randomness a pause of any length does.
        let random = getrandom::u32().unwrap_or(u32::MAX);
        most.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }

    /// Changes before this instant are older than the log keeps them.
    pub(super) fn retained_since(&self, now: Timestamp) -> Timestamp {
        let age = u64::try_from(self.options.retention.age.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(now.as_millis().saturating_sub(age))
    }

    pub(super) fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Listener, StoreError> {
        let listener = self.hub.listen(namespace, interest);
        listener.map_err(|_| busy("too many requests wait for changes"))
    }
}
