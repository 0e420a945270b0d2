//! The embedded engine: one process, one folder, LSM trees.
//!
//! ```text
//! get ──── entries read lately ────┐
//! scan, count, usage, changes ─────┤ snapshots
//!                                  ▼
//! commit ─ queue ─ committer ─▶ database ─▶ hub ─▶ those who wait for changes
//!                   one thread: plan, write, sync, publish, answer
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `options`, `error`, `panics` | how to open a store, every limit, every failure, and panics of the storage libraries as errors |
//! | `files` | the data folder: its format, the creation and the verification of its files |
//! | `storage` | the database: rows, batches, snapshots, and the slot where readers find it |
//! | `write` | the queue, the committer, deletions in pieces, upkeep, recovery from failed writes |
//! | `read` | the cache of entries, listings and counts, the change log |
//! | `admin` | backups, the check of a store, usage by namespace, stores that are not running, upgrades of old ones |
//! | `shared` | the parts that readers and the committer share |
//!
//! `admin` and `write` use `read` and `storage`; `read` uses `storage`; `storage` uses `files`. None uses a
//! module that comes before it in this sentence.
//!
//! **Invariant:** nobody is answered before what the answer rests on is synced, and only the
//! committer writes.

mod admin;
mod error;
mod files;
mod options;
mod panics;
mod read;
mod shared;
mod storage;
mod write;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use prominence_core::error::Fate;
use prominence_core::listing::LogRead;
use prominence_core::{
    Changes, Clock, Commit, Committed, Count, CountScan, Cursor, Entry, Extent, Interest, Job, Key,
    Namespace, Page, Prefix, Scan, Signal, Store, StoreError, Usage,
};
use tokio::sync::{Semaphore, oneshot};

#[cfg(feature = "etcd")]
pub(crate) use admin::backup::restore_watched;
pub use admin::backup::{BackupError, BackupReadError, BackupSummary, restore, verify};
pub use admin::check;
pub use admin::namespaces::{Namespaces, Ranking};
pub use admin::offline::OfflineStore;
pub use admin::upgrade::{Copied, UpgradeError, Upgraded, upgrade};
pub use error::{OpenError, RestoreError};
pub use options::Options;
pub use write::queue::Counters;

use crate::fair_queue::{FairQueue, Limits, Pushed};
use crate::hub::Listener;
use crate::queued::{MAX_QUEUED_BYTES, weigh};
use error::{ReadError, Wait, unavailable};
use files::folder::Folder;
use options::{MAX_AUDITS, RETRY_LATER};
use read::log;
use read::scan;
use read::turns::{Reads, busy};
use shared::Shared;
use storage::keys;
use write::committer::Committer;
use write::deletion;
use write::queue::{CommitQueue, CommitRequest, Pass, Request, UpkeepRequest};
use write::upkeep::Left;

/// A store in a folder of this machine.
///
/// Dropping it closes it, which waits for the commits that are queued.
pub struct EmbeddedStore {
    shared: Arc<Shared>,
    requests: Arc<CommitQueue>,
    committer: Mutex<Option<JoinHandle<()>>>,
    reads: Reads,
    audits: Arc<Semaphore>,
}

impl EmbeddedStore {
    /// Opens the store in a folder, and makes one where there is none. It blocks: a store that
    /// was not closed replays its journal first, which takes a second or so.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::take(&options.folder)?);
        let database = deletion::open_and_resume(&folder, options.tuning())?;
        let requests = Arc::new(FairQueue::new(Limits {
            items: options.queue.max(1),
            cost: MAX_QUEUED_BYTES,
        }));
        let shared = Arc::new(Shared::new(options, clock, &folder, database));
        let committer = Committer::new(Arc::clone(&shared), folder, Arc::clone(&requests));
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || committer.run())
            .map_err(|cause| OpenError::Io {
                folder: shared.options.folder.clone(),
                cause,
            })?;
        Ok(Self {
            reads: Reads::new(Arc::clone(&shared)),
            shared,
            requests,
            committer: Mutex::new(Some(thread)),
            audits: Arc::new(Semaphore::new(MAX_AUDITS)),
        })
    }

    /// Removes everything that has expired and trims all logs now. The store does it by itself
    /// as well; this is for those who can't wait, such as tests that move a clock by hand.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store takes no writes.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let mut pass = Pass::First;
        loop {
            let (answer, answered) = oneshot::channel();
            self.send(None, 0, Request::Upkeep(UpkeepRequest { pass, answer }))?;
            if answered.await.map_err(|_| gone())?? == Left::Nothing {
                return Ok(());
            }
            pass = Pass::Later;
        }
    }

    /// The counts of what the store has done since it was opened.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.shared.counters.read(&self.shared.claim_index)
    }

    /// Finishes the commits that are queued, closes the store and frees the folder. Everything
    /// is refused from then on. It blocks until that is done; a second call does nothing.
    pub fn close(&self) {
        let thread = self
            .committer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(thread) = thread else {
            return;
        };
        self.requests.close();
        // A panic of the committer's has been logged, and its store is closed all the same.
        let _ = thread.join();
        self.shared.slot.close();
    }

    /// Puts a request into a line of the queue.
    fn send(
        &self,
        line: Option<&Namespace>,
        cost: usize,
        request: Request,
    ) -> Result<(), StoreError> {
        let too_many = || busy("too many writes are waiting");
        match self.requests.push(&line.cloned(), cost, request) {
            Pushed::Taken => Ok(()),
            Pushed::InsteadOf(others) => {
                // Theirs hold most of the queue.
                others
                    .into_iter()
                    .for_each(|other| other.refuse(too_many()));
                Ok(())
            }
            Pushed::Full(_) => Err(too_many()),
            Pushed::Closed(_) => Err(match self.shared.health.check() {
                Err(stopped) => stopped,
                Ok(()) => unavailable(STOPPED, Fate::NotApplied, RETRY_LATER),
            }),
        }
    }

    fn hear(&self, namespace: &Namespace, interest: &Interest) -> Result<Listener, StoreError> {
        self.shared
            .hub
            .listen(namespace, interest)
            .map_err(|_| busy("too many requests wait for changes"))
    }
}

impl Drop for EmbeddedStore {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError> {
        let database = self.shared.slot.get().await?;
        let row = keys::entry(namespace, key);
        let now = self.shared.clock.now();
        let shared = &self.shared;
        match shared.entry(&database, namespace, &row, now, Wait::Refused) {
            Ok(entry) => Ok(entry),
            Err(ReadError::Failed(error)) => Err(error),
            Err(ReadError::WouldWait) => self.reads.entry(namespace, row).await,
        }
    }

    fn get_at_once(&self, namespace: &Namespace, key: &Key) -> Option<Entry> {
        let row = keys::entry(namespace, key);
        let now = self.shared.clock.now();
        // The commonest first: an entry in memory needs no database.
        if let Some(entry) = self.shared.entry_cache.get(&row) {
            return entry.metadata.is_live(now).then_some(entry);
        }
        let database = self.shared.slot.open()?;
        let shared = &self.shared;
        let entry = shared.entry(&database, namespace, &row, now, Wait::Refused);
        entry.ok()?
    }

    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError> {
        let scan = scan.clone();
        let shared = Arc::clone(&self.shared);
        let page = self.reads.scan(namespace, move |snapshot, namespace, now| {
            let seen = scan::Seen::at(now);
            let page = scan::page(snapshot, namespace, &scan, &seen);
            shared.note_expiry(&seen);
            page
        });
        page.await
    }

    async fn count(&self, namespace: &Namespace, scan: &CountScan) -> Result<Count, StoreError> {
        self.shared.counters.add_count();
        self.reads.count(namespace, scan).await
    }

    async fn commit(
        &self,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError> {
        let (answer, answered) = oneshot::channel();
        let cost = weigh(&commit);
        let request = CommitRequest {
            namespace: namespace.clone(),
            author: author.cloned(),
            commit,
            answer,
        };
        self.send(Some(namespace), cost, Request::Commit(Box::new(request)))?;
        answered.await.map_err(|_| gone())?
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
            let under = prefix.clone();
            let shared = Arc::clone(&self.shared);
            let look = self.reads.look(namespace, move |snapshot, namespace, _| {
                shared.counters.add_look();
                log::read(snapshot, namespace, &under, after)
            });
            match look.await? {
                LogRead::Changes(changes) => return Ok(changes),
                LogRead::Continue(next) => after = next,
                LogRead::CaughtUp(next) => after = listener.woken().await.go_on(next),
            }
        }
    }

    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError> {
        let extent = self.reads.look(namespace, |snapshot, namespace, _| {
            log::extent(snapshot, namespace)
        });
        extent.await
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
            shared.counters.add_signal();
        }))
    }

    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError> {
        let shared = Arc::clone(&self.shared);
        let usage = self.reads.scan(namespace, move |snapshot, namespace, now| {
            let seen = scan::Seen::at(now);
            let usage = scan::usage(snapshot, namespace, &seen);
            shared.note_expiry(&seen);
            usage
        });
        usage.await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.shared.health.check()?;
        let database = self.shared.slot.get().await?;
        database.snapshot().expiry_floor().map(|_| ())
    }
}

/// The reason why nothing comes back from a committer that is gone.
const STOPPED: &str = "the committer has stopped";

/// The answer for a commit that the committer took and did not answer.
fn gone() -> StoreError {
    unavailable(STOPPED, Fate::Unknown, RETRY_LATER)
}
