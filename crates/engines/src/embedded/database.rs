//! The rows in fjall: opening, snapshots, and batches that are synced.
//!
//! This file, `creation.rs` and `error.rs` are the only ones that name the storage engine's types.

use std::any::Any;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fjall::{AbstractTree, KeyspaceCreateOptions, PersistMode, Readable};
use prominence_core::error::Fate;
use prominence_core::{Entry, Key, Namespace, StoreError, Timestamp};

use super::creation;
use super::error::{OpenError, read_failed, unavailable};
use super::folder::{Folder, LastEnd};
use super::format::{self, Kind, NamespaceRow};
use super::journal::{self, JournalError};
use super::keys;
use super::options::{Options, RETRY_SOON};

/// Bytes of all journals together. It bounds what is replayed after a crash, and with it how
/// long that takes: about a second.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;

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

/// How often it looks whether they are done.
const BACKLOG_PAUSE: Duration = Duration::from_millis(5);

/// Rows that a read takes before it looks whether the database is to be closed.
const ROWS_BETWEEN_CHECKS: u32 = 1_024;

/// An open database.
pub(super) struct Database {
    entries: fjall::Keyspace,
    log: fjall::Keyspace,
    expiry: fjall::Keyspace,
    namespaces: fjall::Keyspace,
    database: fjall::Database,
    /// Set when long reads are to end, so that the database can be closed.
    retiring: AtomicBool,
    /// Stays taken as long as anything of the database is open.
    folder: Arc<Folder>,
}

/// One of the keyspaces.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Entries,
    Log,
    Expiry,
    Namespaces,
}

/// One consistent state, with every batch seen whole or not at all.
pub(super) struct Snapshot<'a> {
    database: &'a Database,
    at: fjall::Snapshot,
}

/// Rows of a table in the order of their keys.
pub(super) struct Rows<'a> {
    database: &'a Database,
    /// `None` where the range is empty by its bounds.
    rows: Option<fjall::Iter>,
    taken: u32,
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
    pub(super) fn open(
        folder: &Arc<Folder>,
        last_end: LastEnd,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let make_and_open = || {
            creation::ensure(folder, |draft| {
                Self::open_files(folder, draft, options).map(drop)
            })?;
            match journal::mend(&folder.store(), last_end) {
                Ok(()) => {}
                Err(JournalError::Io(error)) => return Err(error.into()),
                Err(damage) => return Ok(Err(damage)),
            }
            Self::open_files(folder, &folder.store(), options).map(Ok)
        };
        // fjall panics on some kinds of damage; to its caller that is one more way to say so.
        match catch_unwind(AssertUnwindSafe(make_and_open)) {
            Ok(Ok(Ok(database))) => Ok(database),
            Ok(Ok(Err(damage))) => Err(OpenError::Damaged {
                folder: folder.path().to_owned(),
                cause: Box::new(damage),
            }),
            Ok(Err(error)) => Err(OpenError::from_storage(folder.path().to_owned(), error)),
            Err(panic) => Err(OpenError::Damaged {
                folder: folder.path().to_owned(),
                cause: panic_text(panic.as_ref()).into(),
            }),
        }
    }

    fn open_files(folder: &Arc<Folder>, store: &Path, options: &Options) -> fjall::Result<Self> {
        let database = fjall::Database::builder(store)
            .cache_size(options.block_cache_bytes())
            // Batches say themselves when they are to be synced.
            .manual_journal_persist(true)
            // A journal is short-lived; compressing it would slow every write down.
            .journal_compression(fjall::CompressionType::None)
            .max_journaling_size(MAX_JOURNAL_BYTES)
            .open()?;
        let in_memory = options.memtable_bytes;
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
            retiring: AtomicBool::new(false),
            folder: Arc::clone(folder),
        })
    }

    /// The latest state.
    pub(super) fn snapshot(&self) -> Snapshot<'_> {
        Snapshot {
            database: self,
            at: self.database.snapshot(),
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

    /// Makes everything durable before the database is closed for good.
    pub(super) fn finish(&self) -> Result<(), StoreError> {
        let synced = self.database.persist(PersistMode::SyncAll);
        let noted = synced.and_then(|()| Ok(self.folder.end_cleanly()?));
        noted.map_err(read_failed)
    }

    fn table(&self, table: Table) -> &fjall::Keyspace {
        match table {
            Table::Entries => &self.entries,
            Table::Log => &self.log,
            Table::Expiry => &self.expiry,
            Table::Namespaces => &self.namespaces,
        }
    }

    /// Waits until a batch would not be held up inside the storage engine.
    fn wait_for_background(&self) -> Result<(), WriteFailure> {
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

impl<'a> Snapshot<'a> {
    /// One stored entry, whether live or expired.
    pub(super) fn entry(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Entry>, StoreError> {
        self.entry_row(&keys::entry(namespace, key))
    }

    /// The same by the key of its row.
    pub(super) fn entry_row(&self, row_key: &[u8]) -> Result<Option<Entry>, StoreError> {
        match self.get(Table::Entries, row_key)? {
            Some(row) => format::decode_entry(row_key, &row).map(Some),
            None => Ok(None),
        }
    }

    /// A namespace's row.
    pub(super) fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRow, StoreError> {
        let row_key = keys::namespace(namespace);
        match self.get(Table::Namespaces, &row_key)? {
            Some(row) => format::decode_namespace(&row_key, &row),
            None => Ok(NamespaceRow::default()),
        }
    }

    /// No row of the expiry index has an earlier instant.
    pub(super) fn expiry_floor(&self) -> Result<Timestamp, StoreError> {
        match self.get(Table::Namespaces, keys::EXPIRY_FLOOR)? {
            Some(row) => format::decode_expiry_floor(&row),
            None => Ok(Timestamp::default()),
        }
    }

    /// The rows from `start` on, up to but without `end`.
    pub(super) fn rows(&self, table: Table, start: Bound<Vec<u8>>, end: &[u8]) -> Rows<'a> {
        let is_empty = match &start {
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice() >= end,
            Bound::Unbounded => end.is_empty(),
        };
        let bounds = (start, Bound::Excluded(end.to_vec()));
        Rows {
            database: self.database,
            rows: (!is_empty).then(|| self.at.range(self.database.table(table), bounds)),
            taken: 0,
        }
    }

    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let row = self.at.get(self.database.table(table), key);
        Ok(row.map_err(read_failed)?.map(Bytes::from))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(ROWS_BETWEEN_CHECKS)
            && self.database.retiring.load(Ordering::Relaxed)
        {
            let reason = "the store is being opened again";
            return Some(Err(unavailable(reason, Fate::NotApplied, RETRY_SOON)));
        }
        let row = self.rows.as_mut()?.next()?.into_inner();
        Some(
            row.map(|(key, row)| (key.into(), row.into()))
                .map_err(read_failed),
        )
    }
}

/// The key and the entry of a row of the table of entries.
pub(super) fn entry_of(
    namespace: &Namespace,
    row: Result<(Bytes, Bytes), StoreError>,
) -> Result<(Key, Bytes, Bytes), StoreError> {
    let (row_key, row) = row?;
    match keys::read_entry(namespace, &row_key) {
        Some(key) => Ok((key, row_key, row)),
        None => Err(format::damaged(Kind::Entry, &row_key, "has no legal key")),
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

    /// Writes and syncs everything, or nothing.
    pub(super) fn write(self) -> Result<(), WriteFailure> {
        self.database.wait_for_background()?;
        self.rows.commit().map_err(|error| match error {
            fjall::Error::Poisoned => WriteFailure::Stopped,
            error => WriteFailure::Failed(error),
        })
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "the storage engine panicked".to_owned())
}
