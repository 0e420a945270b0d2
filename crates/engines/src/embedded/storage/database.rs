//! The rows in fjall: opening, snapshots, and batches that are synced.
//!
//! This file and those below it, `creation.rs`, `error.rs` and `panics.rs` are the only ones that
//! name the storage engine's types.

mod bulk;
mod open;
mod snapshot;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use fjall::{AbstractTree, PersistMode};
use prominence_core::error::Fate;
use prominence_core::{Namespace, StoreError};

use crate::embedded::error::{read_failed, unavailable};
use crate::embedded::files::folder::Folder;
use crate::embedded::options::RETRY_SOON;
use crate::embedded::storage::empty_ranges::EmptyRanges;
pub(in crate::embedded) use snapshot::{Rows, Snapshot, entry_of};

/// Full memtables of a keyspace, and runs of its level 0, from which on a batch waits for the
/// background threads. Just below where fjall itself waits: it would do so inside the commit and
/// without end if those threads have failed, and here that is noticed.
const MAX_FULL_MEMTABLES: usize = 3;
const MAX_LEVEL_0_RUNS: usize = 28;

/// How long a batch waits for the background threads.
const BACKLOG_WAIT: Duration = Duration::from_secs(10);

/// How long who wants to see everything waits for a deletion under way: some million keys.
const DELETION_WAIT: Duration = Duration::from_secs(20);

/// How often it looks whether they are done.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// An open database.
pub(in crate::embedded) struct Database {
    entries: fjall::Keyspace,
    log: fjall::Keyspace,
    expiry: fjall::Keyspace,
    namespaces: fjall::Keyspace,
    database: fjall::Database,
    seen: RwLock<Seen>,
    /// Set when long reads are to end, so that the database can be closed.
    retiring: AtomicBool,
    /// Stays taken as long as anything of the database is open.
    folder: Arc<Folder>,
}

/// The state that readers are given. It changes when a batch is written whole, and nowhere else.
struct Seen {
    /// The state behind the latest batch. All readers share it: fjall raises the number that a new
    /// snapshot reads up to when it flushes or compacts, also between the first and the last row
    /// of a batch, so a snapshot that is taken meanwhile can have a part of that batch.
    published: fjall::Snapshot,
    /// Namespaces whose readers are given an earlier state.
    pinned: HashMap<Namespace, fjall::Snapshot>,
    /// Ranges of entries in which there are none.
    empty_ranges: Arc<EmptyRanges>,
}

/// One of the keyspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) enum Table {
    Entries,
    Log,
    Expiry,
    Namespaces,
}

/// Rows to write all together. No row may be in it twice.
pub(in crate::embedded) struct Batch<'a> {
    database: &'a Database,
    rows: fjall::OwnedWriteBatch,
}

/// Why a batch was not written.
pub(in crate::embedded) enum WriteFailure {
    /// The storage engine had failed before, so nothing was written.
    Stopped,
    /// The background threads are behind; nothing was written.
    Behind,
    /// It failed now. The batch may or may not be there after the database is opened again.
    Failed(fjall::Error),
}

impl Database {
    /// The state behind the latest batch, that of a deletion under way included. It is for the
    /// committer; readers ask for [`Database::snapshot_of`].
    pub(in crate::embedded) fn snapshot(&self) -> Snapshot<'_> {
        self.snapshot_when(&self.seen())
    }

    /// What readers of a namespace see.
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
    /// two of them: no batch is then written in part. The next batch draws a higher number than
    /// this snapshot reads up to, because both come from one counter.
    pub(in crate::embedded) fn publish(&self) {
        let latest = self.database.snapshot();
        // The one before is dropped when the lock is free again: fjall may then look through all
        // open snapshots.
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
            rows: self
                .database
                .batch()
                .durability(Some(PersistMode::SyncData)),
        }
    }

    /// Whether the storage engine has stopped for good, as it does after any failed write.
    pub(in crate::embedded) fn has_failed(&self) -> bool {
        // With nothing buffered this writes nothing; it is the way to ask.
        self.database.persist(PersistMode::Buffer).is_err()
    }

    /// Asks long reads to end.
    pub(in crate::embedded) fn retire(&self) {
        self.retiring.store(true, Ordering::Relaxed);
    }

    /// Takes [`Database::retire`] back.
    pub(in crate::embedded) fn keep(&self) {
        self.retiring.store(false, Ordering::Relaxed);
    }

    /// Makes everything durable.
    fn persist(&self) -> Result<(), StoreError> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(read_failed)
    }

    fn table(&self, table: Table) -> &fjall::Keyspace {
        match table {
            Table::Entries => &self.entries,
            Table::Log => &self.log,
            Table::Expiry => &self.expiry,
            Table::Namespaces => &self.namespaces,
        }
    }

    /// Says where damage was met: in which files, and in whose rows.
    fn located(&self, table: Table, key: &[u8], error: StoreError) -> StoreError {
        let StoreError::Corrupt { what } = error else {
            return error;
        };
        let files = self.table(table).path();
        let files = files.strip_prefix(self.folder.path()).unwrap_or(files);
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
        let deadline = Instant::now() + BACKLOG_WAIT;
        loop {
            if self.has_failed() {
                return Err(WriteFailure::Stopped);
            }
            let keyspaces = [&self.entries, &self.log, &self.expiry, &self.namespaces];
            let behind = keyspaces.iter().any(|keyspace| {
                keyspace.sealed_memtable_count() >= MAX_FULL_MEMTABLES
                    || keyspace.tree.l0_run_count() >= MAX_LEVEL_0_RUNS
            });
            if !behind {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(WriteFailure::Behind);
            }
            std::thread::sleep(BACKLOG_PAUSE);
        }
    }
}

impl Batch<'_> {
    /// Writes a row.
    pub(in crate::embedded) fn put(&mut self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        self.rows.insert(self.database.table(table), key, row);
    }

    /// Removes a row.
    pub(in crate::embedded) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.rows.remove(self.database.table(table), key);
    }

    /// Writes and syncs everything, or nothing, and gives readers the state behind it.
    pub(in crate::embedded) fn write(self) -> Result<(), WriteFailure> {
        self.database.wait_for_background()?;
        self.rows.commit().map_err(|error| match error {
            fjall::Error::Poisoned => WriteFailure::Stopped,
            error => WriteFailure::Failed(error),
        })?;
        self.database.publish();
        Ok(())
    }
}
