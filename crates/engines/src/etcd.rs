//! The engine for more than one machine: any number of stateless processes over an etcd cluster.
//!
//! ```text
//! get, scan, count, usage ──────────────▶ members ─▶ one of the cluster's members
//! commit ─ writer of the namespace ─────▶    │
//!          (plan, one transaction, answer)   │
//! those who wait ◀─ hub ◀─ follow ◀─ watch ──┘
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `options`, `error` | how to reach a cluster, and what can go wrong |
//! | `keys`, `records` | what is stored, and under which keys |
//! | `members` | the cluster's members, of which one is asked until it fails |
//! | `writer`, `known`, `kept`, `plan`, `view`, `turns` | writing |
//! | `gets`, `scan`, `log` | reading |
//! | `follow`, `upkeep` | what every process does all the time |
//! | `transfer` | reading and writing everything, for a migration |
//!
//! **Invariants.** Whatever changes a namespace replaces its head, and does so only where the head
//! is the one that it was planned on: that makes commits of any number of processes one sequence,
//! keeps usage exact, and makes it safe to repeat a transaction whose answer was lost. Every read
//! is linearizable. Whatever expires is named by a hint that was written with it.

mod error;
mod follow;
mod gets;
mod kept;
mod keys;
mod known;
mod log;
mod members;
mod options;
mod plan;
mod records;
mod scan;
pub(crate) mod transfer;
mod turns;
mod upkeep;
mod view;
mod writer;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use prominence_core::error::{Fate, Mismatch};
use prominence_core::{
    Changes, Clock, Commit, Committed, Count, Cursor, Entry, Extent, Interest, Job, Key, Namespace,
    Page, Prefix, Scan, Signal, Store, StoreError, Usage, Visibility,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use error::OpenError;
pub use options::{
    BadEndpoints, BadRoot, Endpoint, Endpoints, Identity, Login, Options, Root, Tls,
};

use crate::claim_index::ClaimIndex;
use crate::hub::{Hub, Listener};
use error::{RETRY_LATER, busy, unavailable};
use gets::Gets;
use kept::Room;
use keys::Keys;
use log::Look;
use members::{Members, row};
use records::Ticket;
use writer::Writers;

/// Scans, counts and usages that run at once: each holds a page and what it is read from.
const MAX_SCANS: usize = 32;

/// Those that wait or run.
const MAX_WAITING_SCANS: usize = 1_024;

/// Looks into logs that run at once. How many wait is bounded by the hub.
const MAX_LOOKS: usize = 64;

/// Deletions of many keys that run at once: each holds the names of up to a million.
const MAX_REMOVALS: usize = 2;

/// How long it may take to find out whether the cluster answers: those who ask do so every few
/// seconds, and wait for the answer no longer than that.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How long an answer waits until what it takes for expired is removed: many times what that takes
/// in a cluster that works. In one that doesn't, reads and held requests must not wait behind it.
const REMOVED_WITHIN: Duration = Duration::from_millis(250);

/// The longest pause before a write that others came before is planned again, times how often
/// they did.
const JITTER: Duration = Duration::from_millis(5);

/// The longest such pause at all.
const MAX_JITTER: Duration = Duration::from_millis(100);

/// A store in an etcd cluster, which others may have open as well.
pub struct EtcdStore {
    shared: Arc<Shared>,
    scans: Semaphore,
    all_scans: Semaphore,
    looks: Semaphore,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What everything that asks the cluster shares.
struct Shared {
    options: Options,
    clock: Arc<dyn Clock>,
    keys: Keys,
    members: Members,
    gets: Gets,
    hub: Hub,
    claim_index: ClaimIndex,
    writers: Writers,
    /// Of what all writers keep.
    room: Arc<Room>,
    removals: Arc<Semaphore>,
    counters: Counting,
    /// See [`Ticket::process`].
    process: u64,
    next_ticket: AtomicU64,
}

/// What a store over a cluster has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Commits that were planned, refused ones included.
    pub commits: u64,
    /// Transactions that the cluster was asked for, the store's own upkeep included.
    pub transactions: u64,
    /// Transactions that were planned again: another process wrote first, or a key was there that
    /// had been taken for new.
    pub conflicts: u64,
    /// Reads that had to come before a transaction, for what was not known.
    pub reads: u64,
    /// How often the watch of the cluster was begun again.
    pub watches: u64,
    /// How often another member was turned to.
    pub switches: u64,
    /// Looks into the log, on behalf of those who wait for changes.
    pub looks: u64,
    /// Signals that came to those who listened.
    pub signals: u64,
    /// Commits that found the last one of another process far ahead of this process's clock.
    pub skewed: u64,
    /// Entries that were read to find work for claims.
    pub claim_looks: u64,
    /// Keys that were read for callers.
    pub gets: u64,
    /// Transactions in which they were.
    pub get_transactions: u64,
}

#[derive(Default)]
struct Counting {
    commits: AtomicU64,
    transactions: AtomicU64,
    conflicts: AtomicU64,
    reads: AtomicU64,
    watches: AtomicU64,
    looks: AtomicU64,
    signals: AtomicU64,
    skewed: AtomicU64,
    gets: AtomicU64,
    get_transactions: AtomicU64,
}

impl EtcdStore {
    /// Opens a store in a cluster. It does not wait for the cluster, which may be away for now:
    /// calls say so, and [`Store::ready`] does. Call it within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        // Each of these is seeded by the operating system.
        let process = RandomState::new().hash_one("process");
        let shared = Arc::new(Shared {
            keys: Keys::new(&options.root),
            members: Members::new(&options, process)?,
            gets: Gets::default(),
            writers: Writers::new(options.queue),
            room: Arc::default(),
            options,
            clock,
            hub: Hub::default(),
            claim_index: ClaimIndex::default(),
            removals: Arc::new(Semaphore::new(MAX_REMOVALS)),
            counters: Counting::default(),
            process,
            next_ticket: AtomicU64::new(0),
        });
        let tasks = vec![
            tokio::spawn(follow::run(Arc::clone(&shared))),
            tokio::spawn(upkeep::run(Arc::clone(&shared))),
        ];
        Ok(Self {
            shared,
            scans: Semaphore::new(MAX_SCANS),
            all_scans: Semaphore::new(MAX_WAITING_SCANS),
            looks: Semaphore::new(MAX_LOOKS),
            tasks: Mutex::new(tasks),
        })
    }

    /// Removes everything that has expired now. Every process does it by itself as well; this is
    /// for those who can't wait, such as tests that move a clock by hand.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the cluster takes no writes.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        upkeep::sweep(&self.shared).await
    }

    /// What the store has done since it was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            commits: read(&counters.commits),
            transactions: read(&counters.transactions),
            conflicts: read(&counters.conflicts),
            reads: read(&counters.reads),
            watches: read(&counters.watches),
            switches: self.shared.members.switches(),
            looks: read(&counters.looks),
            signals: read(&counters.signals),
            skewed: read(&counters.skewed),
            claim_looks: self.shared.claim_index.scanned(),
            gets: read(&counters.gets),
            get_transactions: read(&counters.get_transactions),
        }
    }

    /// Takes no more writes, and waits until those that were taken are answered, no longer than
    /// one of them may take. A second call does nothing.
    pub async fn close(&self) {
        self.stop();
        let limit = self.shared.options.request_timeout;
        self.shared.writers.close(limit).await;
        self.shared.hub.wake_all();
    }

    fn stop(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
    }

    fn hear(&self, namespace: &Namespace, interest: &Interest) -> Result<Listener, StoreError> {
        self.shared
            .hub
            .listen(namespace, interest)
            .map_err(|_| busy("too many requests wait for changes"))
    }

    /// Waits for a turn to scan.
    async fn turn(&self) -> Result<[tokio::sync::SemaphorePermit<'_>; 2], StoreError> {
        let place = self
            .all_scans
            .try_acquire()
            .map_err(|_| busy("too many listings are waiting"))?;
        let turn = self.scans.acquire().await.map_err(|_| closed())?;
        Ok([place, turn])
    }
}

impl Drop for EtcdStore {
    fn drop(&mut self) {
        self.stop();
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError> {
        let shared = &self.shared;
        let row_key = shared.keys.entry(namespace, key);
        let entry = shared.gets.get(shared, row_key).await?;
        let now = shared.clock.now();
        let found = entry.as_ref();
        if found.is_some_and(|entry| !entry.metadata.is_live(now)) {
            shared.remove_expired(namespace).await;
            return Ok(None);
        }
        Ok(entry)
    }

    fn get_at_once(&self, _: &Namespace, _: &Key) -> Option<Entry> {
        // Another process may have written since anything was seen here.
        None
    }

    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError> {
        let _turn = self.turn().await?;
        let deadline = self.shared.deadline();
        self.shared.page(namespace, scan, deadline).await
    }

    async fn count(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        visibility: Visibility,
    ) -> Result<Count, StoreError> {
        let _turn = self.turn().await?;
        let deadline = self.shared.deadline();
        self.shared
            .count_keys(namespace, prefix, visibility, deadline)
            .await
    }

    async fn commit(
        &self,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError> {
        let shared = &self.shared;
        let answered = shared.writers.commit(shared, namespace, author, commit)?;
        let answer = answered.await.map_err(|_| writer::gone())?;
        if let Err(StoreError::PreconditionFailed { reason, .. }) = &answer
            && *reason == Mismatch::Missing
        {
            shared.remove_expired(namespace).await;
        }
        answer
    }

    async fn changes(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        after: Cursor,
    ) -> Result<Changes, StoreError> {
        let mut after = after;
        let interest = Interest::Prefix(prefix.clone());
        loop {
            // Listening before looking, so that a change in between is not slept through.
            let listener = self.hear(namespace, &interest)?;
            let turn = self.looks.acquire().await.map_err(|_| closed())?;
            let deadline = self.shared.deadline();
            let look = self.shared.look(namespace, prefix, after, deadline).await?;
            drop(turn);
            match look {
                Look::Found(changes) => return Ok(changes),
                Look::GoOn(next) => after = next,
                Look::End(next) => after = listener.woken().await.go_on(next),
            }
        }
    }

    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError> {
        self.shared.extent(namespace, self.shared.deadline()).await
    }

    async fn listen(
        &self,
        namespace: &Namespace,
        interest: &Interest,
    ) -> Result<Signal, StoreError> {
        let listener = self.hear(namespace, interest)?;
        let shared = Arc::clone(&self.shared);
        Ok(Box::pin(async move {
            listener.woken().await;
            shared.counters.signal();
        }))
    }

    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError> {
        let _turn = self.turn().await?;
        self.shared.usage(namespace, self.shared.deadline()).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        let shared = &self.shared;
        // It reads, and finds nothing to write: what takes no writes is found out by those.
        let question = vec![row(shared.keys.mark(), 0)];
        let soon = shared.deadline().min(Instant::now() + READY_WITHIN);
        let read = shared.members.read(question, soon).await;
        let read = read.map_err(|trouble| trouble.read())?;
        if read.found.iter().any(|found| !found.rows.is_empty()) {
            return Err(unavailable(UNFINISHED, Fate::NotApplied, RETRY_LATER));
        }
        Ok(())
    }
}

impl Shared {
    /// Removes the expired entries of a namespace before a caller is told that one is gone. Without
    /// this a server whose clock is behind, or this one after a restart with its clock set back, would
    /// show it again. Where the cluster takes no writes now, the answer is given all the same.
    async fn remove_expired(self: &Arc<Self>, namespace: &Namespace) {
        let removed = self.writers.ask(self, namespace, writer::Request::Sweep);
        match tokio::time::timeout(REMOVED_WITHIN, removed).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "what has expired was not removed"),
            Err(_) => tracing::debug!("what has expired was not removed in time"),
        }
    }

    /// A ticket that no other try has, in any process.
    fn ticket(&self) -> Ticket {
        Ticket {
            process: self.process,
            number: self.next_ticket.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A pause that differs from one to the next, and from one process to another.
    fn jitter(&self, tries: u32) -> Duration {
        let most = (JITTER * tries).min(MAX_JITTER).as_micros();
        let drawn = RandomState::new().hash_one(tries);
        let micros = u128::from(drawn) % most.max(1);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl Counting {
    fn commits(&self, commits: usize) {
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
    }

    fn transaction(&self) {
        self.transactions.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn conflict(&self) {
        self.conflicts.fetch_add(1, Ordering::Relaxed);
    }

    fn rewatched(&self) {
        self.watches.fetch_add(1, Ordering::Relaxed);
    }

    fn look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    fn signal(&self) {
        self.signals.fetch_add(1, Ordering::Relaxed);
    }

    fn gets(&self, answered: usize) {
        self.gets.fetch_add(answered as u64, Ordering::Relaxed);
        self.get_transactions.fetch_add(1, Ordering::Relaxed);
    }

    fn skewed(&self) {
        self.skewed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why nobody should be served yet.
const UNFINISHED: &str = "a migration into this root was not finished; run it again";

/// What calls hear after the end.
fn closed() -> StoreError {
    unavailable("the store is closed", Fate::NotApplied, RETRY_LATER)
}
