//! The open database: what readers are given, and batches that are written.

mod open;
mod snapshot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use prominence_core::error::Fate;
use prominence_core::{Entry, Namespace, StoreError};

use crate::embedded::error::unavailable;
use crate::embedded::files::folder::Folder;
use crate::embedded::options::RETRY_SOON;
use crate::embedded::storage::empty_ranges::EmptyRanges;
use crate::embedded::storage::log_store::{LogBatch, LogStore, State};
pub(in crate::embedded) use crate::embedded::storage::log_store::{StoredAt, WriteFailure};
pub(in crate::embedded) use crate::embedded::storage::table::Table;
pub(in crate::embedded) use snapshot::{KeptState, Rows, Snapshot, entry_of};

/// The time for which a batch waits for the background threads.
const BACKLOG_WAIT: Duration = Duration::from_secs(10);

/// The time that a reader of everything waits for a deletion under way: some million keys.
const DELETION_WAIT: Duration = Duration::from_secs(20);

/// The time between two looks at whether they are done.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// An open database.
pub(in crate::embedded) struct Database {
    store: LogStore,
    seen: RwLock<Seen>,
    /// Set when long reads are to end, so that the database can be closed.
    retiring: AtomicBool,
    /// Stays taken as long as anything of the database is open.
    folder: Arc<Folder>,
}

/// The state that readers are given. It changes when a batch is written whole, and nowhere else.
struct Seen {
    /// The state behind the latest batch. All readers share it: a state that is taken while a batch is
    /// written could have a part of that batch.
    published: Arc<State>,
    /// Namespaces whose readers are given an earlier state.
    pinned: HashMap<Namespace, Arc<State>>,
    /// Ranges of entries in which there are none.
    empty_ranges: Arc<EmptyRanges>,
}

/// Rows to write all together. No row may be in it twice.
pub(in crate::embedded) struct Batch<'a> {
    database: &'a Database,
    rows: LogBatch,
    sync: bool,
}

impl Database {
    /// The state behind the latest batch, that of a deletion under way included. It is for the
    /// committer; readers ask for [`Database::snapshot_of`].
    pub(in crate::embedded) fn snapshot(&self) -> Snapshot<'_> {
        self.snapshot_when(&self.seen())
    }

    /// The rows that readers of a namespace see.
    pub(in crate::embedded) fn snapshot_of(&self, namespace: &Namespace) -> Snapshot<'_> {
        let seen = self.seen();
        match seen.pinned.get(namespace) {
            None => self.snapshot_when(&seen),
            // What is empty now may not have been then.
            Some(earlier) => Snapshot {
                database: self,
                at: earlier.clone(),
                empty_ranges: Arc::default(),
            },
        }
    }

    /// The state that a long read has kept.
    pub(in crate::embedded) fn snapshot_at(&self, kept: &KeptState) -> Snapshot<'_> {
        Snapshot {
            database: self,
            at: Arc::clone(&kept.at),
            empty_ranges: Arc::clone(&kept.empty_ranges),
        }
    }

    /// Made while the lock is held, so that the rows and what is known of them are of one moment.
    fn snapshot_when(&self, seen: &Seen) -> Snapshot<'_> {
        Snapshot {
            database: self,
            at: seen.published.clone(),
            empty_ranges: Arc::clone(&seen.empty_ranges),
        }
    }

    fn seen(&self) -> RwLockReadGuard<'_, Seen> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_seen(&self) -> RwLockWriteGuard<'_, Seen> {
        self.seen.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives readers the state of now. Only the thread that writes batches may call it, between
    /// two of them: no batch is then written in part.
    pub(in crate::embedded) fn publish(&self) {
        let latest = self.store.publish();
        // The one before is dropped when the lock is free again, as that may take a while.
        let _before = std::mem::replace(&mut self.change_seen().published, latest);
    }

    /// The latest state with no deletion half done; waits for one that is under way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where that takes too long.
    pub(in crate::embedded) fn whole_snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let deadline = Instant::now() + DELETION_WAIT;
        loop {
            let seen = self.seen();
            if seen.pinned.is_empty() {
                return Ok(self.snapshot_when(&seen));
            }
            drop(seen);
            if Instant::now() >= deadline || self.retiring.load(Ordering::Relaxed) {
                let reason = "a large deletion is under way";
                return Err(unavailable(reason, Fate::NotApplied, RETRY_SOON));
            }
            std::thread::sleep(BACKLOG_PAUSE);
        }
    }

    /// Shows readers of a namespace the state of now, until [`Database::unpin`].
    pub(in crate::embedded) fn pin(&self, namespace: &Namespace) {
        let mut seen = self.change_seen();
        let earlier = seen.published.clone();
        seen.pinned.insert(namespace.clone(), earlier);
    }

    /// Shows readers of a namespace the latest state again.
    pub(in crate::embedded) fn unpin(&self, namespace: &Namespace) {
        self.change_seen().pinned.remove(namespace);
    }

    /// The same after all entries of a range were deleted. What has expired may still be there.
    pub(in crate::embedded) fn unpin_emptied(
        &self,
        namespace: &Namespace,
        start: Vec<u8>,
        end: Vec<u8>,
    ) {
        let mut seen = self.change_seen();
        Arc::make_mut(&mut seen.empty_ranges).add(start, end);
        seen.pinned.remove(namespace);
    }

    /// Notes that these rows of entries are about to be written.
    pub(in crate::embedded) fn forget_empty_ranges(&self, rows: &[Vec<u8>]) {
        if !self.seen().empty_ranges.is_empty() {
            Arc::make_mut(&mut self.change_seen().empty_ranges).forget(rows);
        }
    }

    /// Something to write.
    pub(in crate::embedded) fn batch(&self) -> Batch<'_> {
        Batch {
            database: self,
            rows: self.store.batch(),
            sync: true,
        }
    }

    /// Something to write that need not survive a crash before [`Database::settle`].
    pub(in crate::embedded) fn unsynced_batch(&self) -> Batch<'_> {
        Batch {
            sync: false,
            ..self.batch()
        }
    }

    /// Writes out what is in memory and makes everything durable, so that whoever opens the
    /// database next has nothing to read again.
    pub(in crate::embedded) fn settle(&self) -> Result<(), StoreError> {
        self.store.settle()
    }

    /// True if the storage engine has stopped for good, as it does after any failed write.
    pub(in crate::embedded) fn has_failed(&self) -> bool {
        self.store.has_failed()
    }

    /// Tries a write where writes have failed.
    pub(in crate::embedded) fn probe(&self) -> std::io::Result<()> {
        self.store.probe()
    }

    /// True if rows wait to be moved within the files, which is done with the next batch.
    pub(in crate::embedded) fn has_moves(&self) -> bool {
        self.store.has_moves()
    }

    /// Asks long reads to end.
    pub(in crate::embedded) fn retire(&self) {
        self.retiring.store(true, Ordering::Relaxed);
    }

    /// True if long reads have to end.
    pub(in crate::embedded) fn is_retiring(&self) -> bool {
        self.retiring.load(Ordering::Relaxed)
    }

    /// Takes [`Database::retire`] back.
    pub(in crate::embedded) fn keep(&self) {
        self.retiring.store(false, Ordering::Relaxed);
    }

    /// Says where damage was met: in which files, and in whose rows.
    fn located(&self, table: Table, key: &[u8], error: StoreError) -> StoreError {
        let StoreError::Corrupt { what } = error else {
            return error;
        };
        let files = self.store.folder_of(table);
        let files = files.strip_prefix(self.folder.path()).unwrap_or(&files);
        StoreError::Corrupt {
            what: format!(
                "{what}, in the files of {}, reading from \"{}\" on",
                files.display(),
                key.escape_ascii()
            ),
        }
    }

    /// Waits until a batch would not be held up inside the storage engine.
    pub(in crate::embedded) fn wait_for_background(&self) -> Result<(), WriteFailure> {
        if self.has_failed() {
            return Err(WriteFailure::Stopped);
        }
        if !self.store.is_behind() {
            return Ok(());
        }
        let _entered = tracing::info_span!("compaction_stall").entered();
        tracing::debug!("commits wait until memtables are written out, or files compacted");
        let started = Instant::now();
        while !self.has_failed() && self.store.is_behind() {
            if started.elapsed() >= BACKLOG_WAIT {
                tracing::debug!(waited = ?BACKLOG_WAIT, "the wait was given up");
                return Err(WriteFailure::Behind);
            }
            std::thread::sleep(BACKLOG_PAUSE);
        }
        tracing::debug!(waited = ?started.elapsed(), "commits go on");
        match self.has_failed() {
            true => Err(WriteFailure::Stopped),
            false => Ok(()),
        }
    }
}

impl Batch<'_> {
    /// Writes a row of any table but that of the entries.
    pub(in crate::embedded) fn put(&mut self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        self.rows.put(table, key, row);
    }

    /// Writes an entry.
    pub(in crate::embedded) fn put_entry(&mut self, key: Vec<u8>, entry: &Entry) {
        self.rows.put_entry(key, entry);
    }

    /// Removes a row.
    pub(in crate::embedded) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.rows.remove(table, key);
    }

    /// Notes that a stored entry with so many bytes of value is written over or removed. Its place is
    /// looked up unless `at` gives it.
    pub(in crate::embedded) fn replace(
        &mut self,
        key: &[u8],
        value_bytes: usize,
        at: Option<StoredAt>,
    ) -> Result<(), StoreError> {
        let store = &self.database.store;
        store.replace(&mut self.rows, key, value_bytes, at)
    }

    /// Writes everything, or nothing, and gives readers the state behind it. What is not to be
    /// settled later is synced.
    pub(in crate::embedded) fn write(self) -> Result<(), WriteFailure> {
        self.database.wait_for_background()?;
        self.database.store.write(self.rows, self.sync)?;
        self.database.publish();
        Ok(())
    }
}
