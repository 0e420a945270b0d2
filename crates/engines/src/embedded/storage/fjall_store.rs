//! The store of formats 1 and 2: the rows in keyspaces of fjall, with its journal.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use fjall::{AbstractTree as _, KeyspaceCreateOptions, PersistMode, Readable as _};
use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::database::{Table, WriteFailure};
use crate::embedded::error::{OpenError, StorageError, read_failed, unavailable};
use crate::embedded::files::folder::Folder;
use crate::embedded::files::{creation, journal, verification};
use crate::embedded::options::{RETRY_LATER, Tuning};
use crate::embedded::panics::no_panic;

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

/// How often [`FjallStore::settle`] looks whether everything is written out.
const FLUSH_PAUSE: Duration = Duration::from_millis(5);

/// The open keyspaces.
pub(in crate::embedded) struct FjallStore {
    entries: fjall::Keyspace,
    log: fjall::Keyspace,
    expiry: fjall::Keyspace,
    namespaces: fjall::Keyspace,
    database: fjall::Database,
}

impl FjallStore {
    /// Opens the database in a folder, and replays its journal; makes one where there is none.
    pub(in crate::embedded) fn open(folder: &Folder, tuning: Tuning) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_storage(folder.path().to_owned(), error);
        let make = |draft: &Path| {
            drop(Self::open_files(draft, tuning)?);
            Ok(journal::empty(draft)?)
        };
        creation::ensure(folder, make).map_err(failed)?;
        verification::examine(folder)?;
        let opened = match no_panic(|| Self::open_files(&folder.store(), tuning)) {
            Ok(Ok(store)) => return Ok(store),
            Ok(Err(error)) => failed(error.into()),
            Err(panic) => OpenError::Damaged {
                folder: folder.path().to_owned(),
                cause: panic.into(),
            },
        };
        Err(match opened {
            // fjall doesn't say which file it is. It may also ask the system for what makes no
            // sense, such as an offset that a damaged file gave, and pass its answer on.
            OpenError::Damaged { .. } | OpenError::Io { .. } => {
                verification::blame(folder).unwrap_or(opened)
            }
            other => other,
        })
    }

    fn open_files(store: &Path, tuning: Tuning) -> fjall::Result<Self> {
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
        })
    }

    /// Closes the database, and notes what is in its journals if all of it is synced.
    pub(in crate::embedded) fn close(self, folder: &Folder) -> Result<(), StorageError> {
        self.database.persist(PersistMode::SyncAll)?;
        drop(self);
        Ok(verification::note_closed(folder)?)
    }

    fn table(&self, table: Table) -> &fjall::Keyspace {
        match table {
            Table::Entries => &self.entries,
            Table::Log => &self.log,
            Table::Expiry => &self.expiry,
            Table::Namespaces => &self.namespaces,
        }
    }

    fn tables(&self) -> [&fjall::Keyspace; 4] {
        Table::ALL.map(|table| self.table(table))
    }

    /// The state of now. Between two batches it has every batch whole; during one it may have a part
    /// of it, since fjall raises the number that a snapshot reads up to when it flushes or compacts.
    pub(in crate::embedded) fn snapshot(&self) -> fjall::Snapshot {
        self.database.snapshot()
    }

    /// One row.
    pub(in crate::embedded) fn get(
        &self,
        at: &fjall::Snapshot,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Bytes>, StorageError> {
        Ok(at.get(self.table(table), key)?.map(Bytes::from))
    }

    /// The rows of a range.
    pub(in crate::embedded) fn range(
        &self,
        at: &fjall::Snapshot,
        table: Table,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> fjall::Iter {
        at.range(self.table(table), bounds)
    }

    /// Something to write.
    pub(in crate::embedded) fn batch(&self) -> fjall::OwnedWriteBatch {
        self.database.batch()
    }

    /// Adds a row to a batch.
    pub(in crate::embedded) fn put(
        &self,
        batch: &mut fjall::OwnedWriteBatch,
        table: Table,
        key: Vec<u8>,
        row: Vec<u8>,
    ) {
        batch.insert(self.table(table), key, row);
    }

    /// Adds the removal of a row to a batch.
    pub(in crate::embedded) fn remove(
        &self,
        batch: &mut fjall::OwnedWriteBatch,
        table: Table,
        key: Vec<u8>,
    ) {
        batch.remove(self.table(table), key);
    }

    /// Writes a batch, all of it or nothing.
    pub(in crate::embedded) fn write(
        batch: fjall::OwnedWriteBatch,
        sync: bool,
    ) -> Result<(), WriteFailure> {
        let durability = sync.then_some(PersistMode::SyncData);
        batch
            .durability(durability)
            .commit()
            .map_err(|error| match error {
                fjall::Error::Poisoned => WriteFailure::Stopped,
                error => WriteFailure::Failed(error.into()),
            })
    }

    /// Whether fjall has stopped for good, as it does after any failed write.
    pub(in crate::embedded) fn has_failed(&self) -> bool {
        // With nothing buffered this writes nothing; it is the way to ask.
        self.database.persist(PersistMode::Buffer).is_err()
    }

    /// Whether a batch would be held up inside fjall.
    pub(in crate::embedded) fn is_behind(&self) -> bool {
        self.tables().into_iter().any(|keyspace| {
            keyspace.sealed_memtable_count() >= MAX_FULL_MEMTABLES
                || keyspace.tree.l0_run_count() >= MAX_LEVEL_0_RUNS
        })
    }

    /// Writes out what is in memory and makes everything durable, so that whoever opens the
    /// database next has no journal to replay.
    pub(in crate::embedded) fn settle(&self) -> Result<(), StoreError> {
        let failed = |error: fjall::Error| read_failed(error.into());
        let keyspaces = self.tables();
        for keyspace in keyspaces {
            keyspace.rotate_memtable().map_err(failed)?;
        }
        while keyspaces
            .iter()
            .any(|keyspace| keyspace.sealed_memtable_count() > 0)
        {
            if self.has_failed() {
                let reason = "the storage engine has stopped, as it does on a full disk";
                return Err(unavailable(reason, Fate::NotApplied, RETRY_LATER));
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
        self.database.persist(PersistMode::SyncAll).map_err(failed)
    }

    /// The folder of a table's files.
    pub(in crate::embedded) fn folder_of(&self, table: Table) -> PathBuf {
        self.table(table).path().to_owned()
    }
}
