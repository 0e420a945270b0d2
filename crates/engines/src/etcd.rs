//! The engine for more than one machine: any number of stateless processes over an etcd cluster.
//!
//! ```text
//! get, scan, count, usage ─ read ────────▶ cluster ─▶ one of the cluster's members
//! commit ─ the namespace's writer ───────▶    │
//!          (plan, one transaction, answer)    │
//! waiters ◀─ hub ◀─ log watch ◀─ watch ───────┘
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `options`, `error` | how to reach a cluster, and what can go wrong |
//! | `ticket`, `keys`, `records` | the stored rows and their keys |
//! | `members`, `query` | the cluster's members, of which one is asked until it fails, and queries |
//! | `cluster`, `counters` | the base: the cluster, and what all parts of an open store share |
//! | `read` | reading, on the base |
//! | `write` | writing, on the base |
//! | `log_watch` | wakes waiters, on the base |
//! | `upkeep` | has expired entries removed and logs trimmed, by the writers |
//! | `transfer` | reading and writing everything, for a migration |
//!
//! Each row of the table uses only rows above it.
//!
//! **Invariants.** Every change of a namespace replaces its head, in a transaction that compares
//! that the head is the one that the change was planned on ([`write`]'s `HeadTxn`). That makes the
//! commits of any number of processes one sequence, keeps usage exact, and makes it safe to repeat
//! a transaction whose answer was lost. Every read is linearizable. Every key that expires is named
//! by a hint that was written with it.

mod cluster;
mod counters;
mod error;
mod keys;
mod log_watch;
mod members;
mod options;
mod query;
mod read;
mod records;
mod ticket;
pub(crate) mod transfer;
mod upkeep;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use prominence_core::error::{Fate, Mismatch};
use prominence_core::listing::LogRead;
use prominence_core::{
    Changes, Clock, Commit, Committed, Count, CountScan, Cursor, Entry, Extent, Interest, Job, Key,
    Namespace, Page, Prefix, Scan, Signal, Store, StoreError, Usage,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use counters::Counters;
pub use error::OpenError;
pub use options::{
    BadEndpoints, BadRoot, Endpoint, Endpoints, Identity, Login, Options, Root, Tls,
};

use crate::fair_permits::{FairPermits, Most, Permit, Sharing};
use cluster::Cluster;
use error::{RETRY_LATER, busy, unavailable};
use query::RangeQuery;
use read::{ReadBatcher, Reader, Scanned};
use write::{Request, Writers};

/// Scans, counts and usages that run at once: each holds a page and the rows that it comes from.
const MAX_SCANS: usize = 32;

/// Those that wait.
const MAX_WAITING_SCANS: usize = 1_024;

/// Reads of logs that run at once. The hub limits how many wait.
const MAX_LOG_READS: usize = 64;

/// The time limit for a check of readiness. Monitors ask every few seconds, and wait for the answer
/// no longer than that.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// The time that an answer waits for the removal of the expired entries that it leaves out: many
/// times as long as that takes in a cluster that works. In one that doesn't, reads and long polls must not wait
/// for it.
const REMOVED_WITHIN: Duration = Duration::from_millis(250);

/// A store in an etcd cluster, which other processes may have open as well.
pub struct EtcdStore {
    cluster: Arc<Cluster>,
    batcher: Arc<ReadBatcher>,
    writers: Arc<Writers>,
    scans: FairPermits<Namespace>,
    log_reads: FairPermits<Namespace>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl EtcdStore {
    /// Opens a store in a cluster. It does not wait for the cluster, which may be away for now:
    /// calls report that, and [`Store::ready`] does. Call it within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let cluster = Arc::new(Cluster::new(options, clock)?);
        let writers = Writers::new(Arc::clone(&cluster));
        let tasks = vec![
            tokio::spawn(log_watch::run(Arc::clone(&cluster))),
            tokio::spawn(upkeep::run(Arc::clone(&cluster), Arc::clone(&writers))),
        ];
        Ok(Self {
            batcher: ReadBatcher::new(Arc::clone(&cluster)),
            cluster,
            writers,
            scans: permits(MAX_SCANS, MAX_WAITING_SCANS),
            log_reads: permits(MAX_LOG_READS, usize::MAX),
            tasks: Mutex::new(tasks),
        })
    }

    /// Removes everything that has expired now. Every process does it by itself as well; this is
    /// for callers that can't wait, such as tests that move a clock by hand.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the cluster takes no writes.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        upkeep::sweep(&self.cluster, &self.writers).await
    }

    /// The work of the store since it was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let counters = &self.cluster.counters;
        Counters {
            commits: counters.commits.get(),
            transactions: counters.transactions.get(),
            conflicts: counters.conflicts.get(),
            reads: counters.reads.get(),
            watches: counters.watches.get(),
            failovers: self.cluster.members.failovers.get(),
            log_reads: counters.log_reads.get(),
            signals: counters.signals.get(),
            clock_skews: counters.clock_skews.get(),
            claim_scans: self.writers.claim_index.scanned(),
            gets: counters.gets.get(),
            get_transactions: counters.get_transactions.get(),
        }
    }

    /// Takes no more writes, and waits until all that wait are answered, no longer than one of
    /// them may take. A second call does nothing.
    pub async fn close(&self) {
        self.stop();
        self.writers
            .close(self.cluster.options.request_timeout)
            .await;
        self.cluster.hub.wake_all().tell();
    }

    fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }

    /// Waits until a scan of a namespace may run.
    async fn scan_permit(&self, namespace: &Namespace) -> Result<Permit<Namespace>, StoreError> {
        let permit = self.scans.acquire(namespace, 1).await;
        permit.map_err(|_| busy("too many listings are waiting"))
    }

    /// Removes the expired entries of a namespace before a caller learns that one is gone.
    /// Without this a server whose clock is behind, or this one after a restart with its clock set
    /// back, would show it again. Where the cluster takes no writes now, the caller is answered
    /// all the same.
    async fn remove_expired(&self, namespace: &Namespace) {
        let removed = self.writers.upkeep(namespace, Request::Sweep);
        match tokio::time::timeout(REMOVED_WITHIN, removed).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "expired entries were not removed"),
            Err(_) => tracing::debug!("expired entries were not removed in time"),
        }
    }

    /// The result of a scan, once the expired entries that it leaves out are removed.
    async fn finish_scan<T>(&self, namespace: &Namespace, scanned: Scanned<T>) -> T {
        if scanned.met_expired {
            self.remove_expired(namespace).await;
        }
        scanned.result
    }
}

/// Permits that are handed out to namespaces in turn.
fn permits(total: usize, waiting: usize) -> FairPermits<Namespace> {
    FairPermits::new(Sharing {
        total,
        waiting,
        most: Most::All,
    })
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError> {
        let row_key = self.cluster.keys.of(namespace).entry(key);
        let entry = self.batcher.get(row_key).await?;
        let now = self.cluster.clock.now();
        let found = entry.as_ref();
        if found.is_some_and(|entry| !entry.metadata.is_live(now)) {
            self.remove_expired(namespace).await;
            return Ok(None);
        }
        Ok(entry)
    }

    fn get_at_once(&self, _: &Namespace, _: &Key) -> Option<Entry> {
        // Another process may have written since this one read anything.
        None
    }

    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError> {
        let _permit = self.scan_permit(namespace).await?;
        let page = Reader::new(&self.cluster, namespace).page(scan).await?;
        Ok(self.finish_scan(namespace, page).await)
    }

    async fn count(&self, namespace: &Namespace, scan: &CountScan) -> Result<Count, StoreError> {
        let _permit = self.scan_permit(namespace).await?;
        let reader = Reader::new(&self.cluster, namespace);
        let count = reader.count(scan).await?;
        Ok(self.finish_scan(namespace, count).await)
    }

    async fn commit(
        &self,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError> {
        let answer = self.writers.commit(namespace, author, commit).await;
        if let Err(StoreError::PreconditionFailed { reason, .. }) = &answer
            && *reason == Mismatch::Missing
        {
            self.remove_expired(namespace).await;
        }
        answer
    }

    async fn changes(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        mut after: Cursor,
    ) -> Result<Changes, StoreError> {
        let interest = Interest::Prefix(prefix.clone());
        loop {
            // The listener comes before the read, so that a change in between wakes it.
            let listener = self.cluster.listen(namespace, &interest)?;
            let permit = self.log_reads.acquire(namespace, 1).await;
            let permit = permit.map_err(|_| busy("too many watches are waiting"))?;
            let reader = Reader::new(&self.cluster, namespace);
            let read = reader.read_log(prefix, after).await?;
            drop(permit);
            match read {
                LogRead::Changes(changes) => return Ok(changes),
                LogRead::Continue(next) => after = next,
                LogRead::CaughtUp(next) => after = listener.woken().await.go_on(next),
            }
        }
    }

    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError> {
        Reader::new(&self.cluster, namespace).extent().await
    }

    async fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Signal, StoreError> {
        let listener = self.cluster.listen(namespace, interest)?;
        let cluster = Arc::clone(&self.cluster);
        Ok(Box::pin(async move {
            listener.woken().await;
            cluster.counters.signals.add(1);
        }))
    }

    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError> {
        let _permit = self.scan_permit(namespace).await?;
        let usage = Reader::new(&self.cluster, namespace).usage().await?;
        Ok(self.finish_scan(namespace, usage).await)
    }

    async fn ready(&self) -> Result<(), StoreError> {
        // A read is enough: a cluster that takes no writes answers writes with the reason.
        let migration = RangeQuery::row(self.cluster.keys.migration());
        let deadline = self.cluster.deadline().min(Instant::now() + READY_WITHIN);
        let read = self.cluster.members.read(vec![migration], deadline);
        if read.await?.next_row().is_some() {
            let reason = "a migration into this root was not finished; run it again";
            return Err(unavailable(reason, Fate::NotApplied, RETRY_LATER));
        }
        Ok(())
    }
}
