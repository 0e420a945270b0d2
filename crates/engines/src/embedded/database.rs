//! The rows in fjall: opening, snapshots, and batches that are synced.
//!
//! This file and those below it, `creation.rs`, `error.rs` and `panics.rs` are the only ones that
//! name the storage engine's types.

mod bulk;
mod snapshot;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use fjall::{AbstractTree, KeyspaceCreateOptions, PersistMode};
use prominence_core::error::Fate;
use prominence_core::{Namespace, StoreError};

use super::cleared::Cleared;
use super::creation;
use super::error::{OpenError, read_failed, unavailable};
use super::folder::Folder;
use super::options::{RETRY_SOON, Tuning};
use super::panics::no_panic;
use super::soundness;
pub(super) use snapshot::{Rows, Snapshot, entry_of};

/// Bytes of all journals together. It bounds what is replayed after a crash, and with it how
/// long that takes: about a second.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;

/// Threads that write memtables out and compact. With more than one, fjall's first one passes
/// compactions on to the others and, while those are at work, does so again and again without a
/// pause: on two cores that took a tenth of all the time there was.
const BACKGROUND_THREADS: usize = 1;

/// The log's rows are small, and so is its part of the memory that entries have before they are
/// written out.
const LOG_SHARE: u64 = 2;

/// The same for the expiry index and the namespaces, which are smaller still.
const INDEX_SHARE: u64 = 4;

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
pub(super) struct Database {
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
    cleared: Arc<Cleared>,
}

/// One of the keyspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Entries,
    Log,
    Expiry,
    Namespaces,
}

/// Rows to write all together. No row may be in it twice.
pub(super) struct Batch<'a> {
    database: &'a Database,
    rows: fjall::OwnedWriteBatch,
}

/// Why a batch was not written.
pub(super) enum WriteFailure {
    /// The storage engine had failed before, so nothing was written.
    Stopped,
    /// The background threads are behind; nothing was written.
    Behind,
    /// It failed now. The batch may or may not be there after the database is opened again.
    Failed(fjall::Error),
}

impl Database {
    /// Opens the database in a folder, and replays its journal; makes one where there is none.
    pub(super) fn open(folder: &Arc<Folder>, tuning: Tuning) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_storage(folder.path().to_owned(), error);
        let make = |draft: &Path| Self::open_files(folder, draft, tuning).map(drop);
        creation::ensure(folder, make).map_err(failed)?;
        soundness::examine(folder)?;
        let opened = match no_panic(|| Self::open_files(folder, &folder.store(), tuning)) {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(error)) => failed(error),
            Err(panic) => OpenError::Damaged {
                folder: folder.path().to_owned(),
                cause: panic.into(),
            },
        };
        Err(match opened {
            // fjall doesn't say which file it is. It may also ask the system for what makes no
            // sense, such as an offset that a damaged file gave, and pass its answer on.
            OpenError::Damaged { .. } | OpenError::Io { .. } => {
                soundness::blame(folder).unwrap_or(opened)
            }
            other => other,
        })
    }

    /// Closes the database, and notes what is in its journals if all of it is synced.
    pub(super) fn close(self) {
        let folder = Arc::clone(&self.folder);
        let synced = self.persist();
        drop(self);
        let noted = synced.and_then(|()| {
            soundness::note_closed(&folder).map_err(|cause| read_failed(cause.into()))
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "the store could not be synced while it was closed");
        }
    }

    fn open_files(folder: &Arc<Folder>, store: &Path, tuning: Tuning) -> fjall::Result<Self> {
        let database = fjall::Database::builder(store)
            .cache_size(tuning.cache_bytes)
            // Batches say themselves when they are to be synced.
            .manual_journal_persist(true)
            // A journal is short-lived; compressing it would slow every write down.
            .journal_compression(fjall::CompressionType::None)
            .max_journaling_size(MAX_JOURNAL_BYTES)
            .worker_threads(BACKGROUND_THREADS)
            .open()?;
        let in_memory = tuning.memtable_bytes;
        let seen = Seen {
            published: database.snapshot(),
            pinned: HashMap::new(),
            cleared: Arc::default(),
        };
        let keyspace = |name, in_memory| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    .max_memtable_size(in_memory)
            })
        };
        Ok(Self {
            entries: keyspace("entries", in_memory)?,
            log: keyspace("log", in_memory / LOG_SHARE)?,
            expiry: keyspace("expiry", in_memory / INDEX_SHARE)?,
            namespaces: keyspace("namespaces", in_memory / INDEX_SHARE)?,
            database,
            seen: RwLock::new(seen),
            retiring: AtomicBool::new(false),
            folder: Arc::clone(folder),
        })
    }

    /// The state behind the latest batch, that of a deletion under way included. It is for the
    /// committer; readers ask for [`Database::snapshot_of`].
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        self.snapshot_when(&self.seen())
    }

    /// What readers of a namespace see.
    pub(super) fn snapshot_of(&self, namespace: &Namespace) -> Snapshot<'_> {
        let seen = self.seen();
        match seen.pinned.get(namespace) {
            None => self.snapshot_when(&seen),
            // What is empty now may not have been then.
            Some(earlier) => Snapshot {
                database: self,
                at: earlier.clone(),
                cleared: Arc::default(),
            },
        }
    }

    /// Made while the lock is held, so that the rows and what is known of them are of one moment.
    fn snapshot_when(&self, seen: &Seen) -> Snapshot<'_> {
        Snapshot {
            database: self,
            at: seen.published.clone(),
            cleared: Arc::clone(&seen.cleared),
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
    pub(super) fn publish(&self) {
        let latest = self.database.snapshot();
        // The one before is dropped when the lock is free again: fjall may then look through all
        // open snapshots.
        let _before = std::mem::replace(&mut self.change_seen().published, latest);
    }

    /// The latest state with no deletion half done; waits for one that is under way.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where that takes too long.
    pub(super) fn whole_snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
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
    pub(super) fn pin(&self, namespace: &Namespace) {
        let mut seen = self.change_seen();
        let earlier = seen.published.clone();
        seen.pinned.insert(namespace.clone(), earlier);
    }

    /// Shows readers of a namespace the latest state again.
    pub(super) fn unpin(&self, namespace: &Namespace) {
        self.change_seen().pinned.remove(namespace);
    }

    /// The same after all entries of a range were deleted. What has expired may still be there.
    pub(super) fn unpin_cleared(&self, namespace: &Namespace, start: Vec<u8>, end: Vec<u8>) {
        let mut seen = self.change_seen();
        Arc::make_mut(&mut seen.cleared).add(start, end);
        seen.pinned.remove(namespace);
    }

    /// Notes that these rows of entries are about to be written.
    pub(super) fn forget_cleared(&self, rows: &[Vec<u8>]) {
        if !self.seen().cleared.is_empty() {
            Arc::make_mut(&mut self.change_seen().cleared).forget(rows);
        }
    }

    /// Something to write.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch {
            database: self,
            rows: self
                .database
                .batch()
                .durability(Some(PersistMode::SyncData)),
        }
    }

    /// Whether the storage engine has stopped for good, as it does after any failed write.
    pub(super) fn has_failed(&self) -> bool {
        // With nothing buffered this writes nothing; it is the way to ask.
        self.database.persist(PersistMode::Buffer).is_err()
    }

    /// Asks long reads to end.
    pub(super) fn retire(&self) {
        self.retiring.store(true, Ordering::Relaxed);
    }

    /// Takes [`Database::retire`] back.
    pub(super) fn keep(&self) {
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
    pub(super) fn wait_for_background(&self) -> Result<(), WriteFailure> {
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
    pub(super) fn put(&mut self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        self.rows.insert(self.database.table(table), key, row);
    }

    /// Removes a row.
    pub(super) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.rows.remove(self.database.table(table), key);
    }

    /// Writes and syncs everything, or nothing, and gives readers the state behind it.
    pub(super) fn write(self) -> Result<(), WriteFailure> {
        self.database.wait_for_background()?;
        self.rows.commit().map_err(|error| match error {
            fjall::Error::Poisoned => WriteFailure::Stopped,
            error => WriteFailure::Failed(error),
        })?;
        self.database.publish();
        Ok(())
    }
}
