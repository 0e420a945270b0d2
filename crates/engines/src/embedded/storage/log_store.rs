//! The store that is a log: groups of rows in the log, and an index of trees over them.
//!
//! ```text
//! write ── batch ─▶ log (append, sync) ─▶ index (memtables) ─▶ state for readers
//!                    │                      │ flusher: memtables → files, then the manifest
//!                    │                      │ compactor: files → fewer files
//!                    ◀─── moves ── collector: what is left in the emptiest segment
//! ```
//!
//! | module | what it holds |
//! | --- | --- |
//! | `batch`, `row` | what is written, and the rows of the index |
//! | `index` | the trees |
//! | `state` | what readers are given |
//! | `open` | opening: the trees, and the groups that they lack |
//! | `background` | the threads that write memtables out, compact and collect |
//! | `collection` | moving what is left of a segment, so that it can be removed |
//!
//! **Invariants**
//! - Readers are given a state only when its last group is durable and indexed whole.
//! - The manifest names a group as indexed only when every tree has it in files.
//! - One thread writes: the committer.

mod background;
mod batch;
mod collection;
mod index;
mod open;
mod row;
mod state;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{StoreError, error::Fate};

use crate::embedded::error::{StorageError, read_failed, unavailable};
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::files::group_log::{Appended, GroupLog};
use crate::embedded::options::RETRY_LATER;
use crate::embedded::panics::answer;
use crate::embedded::storage::table::Table;
use background::{Background, Work};
use batch::IndexRow;
pub(in crate::embedded) use batch::LogBatch;
use collection::Collection;
use index::Index;
use row::MIN_LOCATED_VALUE;
pub(in crate::embedded) use state::{RowIter, State, StoredAt};

/// The reason why a batch was not written.
pub(in crate::embedded) enum WriteFailure {
    /// The storage engine had failed before, so nothing was written.
    Stopped,
    /// The background threads are behind; nothing was written.
    Behind,
    /// It failed now. The batch may or may not be there after the database is opened again.
    Failed(StorageError),
}

/// Every sequence number is lower.
const ALL: u64 = u64::MAX >> 1;

/// The open log and its index.
pub(in crate::embedded) struct LogStore {
    parts: Arc<Parts>,
    background: Background,
}

/// The parts that the committer and the background threads share.
struct Parts {
    /// The folder of the store.
    folder: PathBuf,
    index: Index,
    log: GroupLog,
    pace: Mutex<Pace>,
    limits: Limits,
    work: Work,
    collection: Collection,
    /// Set when the collector needs what is in memtables to be in files, before enough is in them.
    wants_flush: AtomicBool,
    failed: AtomicBool,
}

/// Limits on the bytes in memory, and on those in the log that are not in the trees' files.
#[derive(Clone, Copy, Debug)]
struct Limits {
    memtables: u64,
    log: u64,
}

/// The bytes since memtables were given up to be written out.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    memtables: [u64; 4],
    log: u64,
}

impl Limits {
    /// The limits from which on commits wait while memtables are being written out.
    fn twice(self) -> Self {
        Self {
            memtables: 2 * self.memtables,
            log: 2 * self.log,
        }
    }
}

impl Pace {
    fn reaches(&self, limits: Limits) -> bool {
        self.memtables.iter().sum::<u64>() >= limits.memtables || self.log >= limits.log
    }
}

impl LogStore {
    /// An empty batch.
    pub(in crate::embedded) fn batch(&self) -> LogBatch {
        LogBatch::new()
    }

    /// Notes that a batch writes over a stored entry with so many bytes of value, or removes it. Its
    /// place is looked up unless `at` gives it.
    pub(in crate::embedded) fn replace(
        &self,
        batch: &mut LogBatch,
        key: &[u8],
        value_bytes: usize,
        at: Option<StoredAt>,
    ) -> Result<(), StoreError> {
        let location = match at {
            Some(StoredAt(location)) => location,
            None if value_bytes >= MIN_LOCATED_VALUE => self.location_of(key)?,
            None => None,
        };
        batch.cease(location);
        Ok(())
    }

    /// The place of the stored entry under a key, if it is in the log alone.
    fn location_of(&self, key: &[u8]) -> Result<Option<Location>, StoreError> {
        let row = answer(|| Ok(self.parts.index.latest(Table::Entries, key)?));
        Ok(row?.and_then(|row| row::location(&row)))
    }

    /// Writes a batch: all of it is durable afterwards where a sync is wanted. Readers see it when the
    /// next state is published.
    pub(in crate::embedded) fn write(
        &self,
        mut batch: LogBatch,
        sync: bool,
    ) -> Result<(), WriteFailure> {
        let parts = &*self.parts;
        if parts.has_failed() {
            return Err(WriteFailure::Stopped);
        }
        parts.collection.appended(batch.group.len());
        // Rows that the collector moves go along with the group, so that they cost no sync of their own.
        let portions = parts.add_moves(&mut batch);
        let bytes = batch.group.len() as u64;
        let sequence = parts.index.next_sequence();
        // Before this succeeds, no row may get into a memtable: it could be written out, and a group
        // that is not in the log would be there in part.
        let appended = parts.log.append(&mut batch.group, sequence, sync);
        let appended = appended.map_err(|error| {
            parts.fail("append to the log", &error);
            WriteFailure::Failed(error.into())
        })?;
        let begun = parts.put_rows(batch.rows, appended, sequence);
        // By these accounts the collector chooses a segment, and removes one that nothing refers to.
        parts.log.account(&begun, &batch.ceased);
        // Only now: a segment must not go before the rows that were moved from it are durable elsewhere.
        parts.collection.moved(portions);
        // Without this the memtables, and the log that is read again after a crash, would grow without end.
        parts.hand_over(bytes, sequence);
        Ok(())
    }

    /// The state behind the latest batch. Only the committer may ask for it, between two batches.
    pub(in crate::embedded) fn publish(&self) -> Arc<State> {
        self.parts.publish()
    }

    /// True if something failed that only opening the store again can mend.
    pub(in crate::embedded) fn has_failed(&self) -> bool {
        self.parts.has_failed()
    }

    /// True if a batch should wait for the background threads.
    pub(in crate::embedded) fn is_behind(&self) -> bool {
        self.parts.is_behind()
    }

    /// True if there is something to move, which is done with the next batch.
    pub(in crate::embedded) fn has_moves(&self) -> bool {
        self.parts.collection.has_moves()
    }

    /// Succeeds if the disk takes writes of a store that has failed; see [`GroupLog::probe`].
    pub(in crate::embedded) fn probe(&self) -> std::io::Result<()> {
        self.parts.log.probe()
    }

    /// Makes everything durable that was written without a sync, and waits until it is in the files
    /// of the trees.
    pub(in crate::embedded) fn settle(&self) -> Result<(), StoreError> {
        let parts = &*self.parts;
        parts.log.sync().map_err(|error| {
            parts.fail("sync the log", &error);
            read_failed(error.into())
        })?;
        let is_written_out = || self.background.wait_until_written_out();
        if is_written_out() && parts.rotate() && is_written_out() {
            return Ok(());
        }
        let reason = "the storage engine has stopped, as it does on a full disk";
        Err(unavailable(reason, Fate::NotApplied, RETRY_LATER))
    }

    /// Closes the store, and notes that it ended cleanly if it did.
    pub(in crate::embedded) fn close(self) -> std::io::Result<()> {
        let Self { parts, background } = self;
        drop(background);
        if parts.has_failed() {
            return Ok(());
        }
        parts.log.sync()?;
        parts.log.note_closed()
    }

    /// The folder of a table's files.
    pub(in crate::embedded) fn folder_of(&self, table: Table) -> PathBuf {
        index::folder(&self.parts.folder, table)
    }
}

impl Parts {
    /// Puts the rows of a group into the memtables; answers which content is in the log alone.
    fn put_rows(&self, rows: Vec<IndexRow>, appended: Appended, sequence: u64) -> Vec<Location> {
        let mut begun = Vec::new();
        let index = self.index.state();
        let mut pace = self.pace();
        for row in rows {
            let (table, key) = (row.table, row.key.clone());
            let (row, location) = row.at(appended);
            begun.extend(location);
            pace.memtables[usize::from(table.number())] =
                index.put(table, key.into(), row, sequence);
        }
        begun
    }

    /// The state of now, for readers; and gives the memtables up to be written out where the collector
    /// has asked for that. The committer does this after each group, and now and then without any.
    fn publish(&self) -> Arc<State> {
        if self.wants_flush.load(Ordering::Acquire) && self.rotate() {
            self.wants_flush.store(false, Ordering::Release);
        }
        // No group is under way, so every row below the next number is there.
        Arc::new(State {
            visible: self.index.visible(),
            index: self.index.state(),
            segments: self.log.segments(),
        })
    }

    /// Gives the memtables up to be written out where enough is in them, or in the log.
    fn hand_over(&self, bytes: u64, sequence: u64) {
        let is_full = {
            let mut pace = self.pace();
            pace.log += bytes;
            pace.reaches(self.limits)
        };
        if is_full {
            // While earlier ones are being written out, these take more rows.
            self.rotate_at(sequence);
        }
        if self.log.wants_segment() {
            self.work.prepare_segment();
        }
    }

    /// Gives the memtables up to be written out; false where earlier ones are not written out yet.
    fn rotate(&self) -> bool {
        self.rotate_at(self.index.visible().saturating_sub(1))
    }

    fn rotate_at(&self, sequence: u64) -> bool {
        if !self.index.rotate() {
            return false;
        }
        *self.pace() = Pace::default();
        // No group is under way: the memtables that were given up have everything up to here.
        self.work.write_out(self.log.checkpoint(sequence));
        true
    }

    /// True if commits should wait until memtables are written out, or files compacted.
    fn is_behind(&self) -> bool {
        let has_too_much =
            || self.index.is_writing_out() && self.pace().reaches(self.limits.twice());
        self.index.is_behind() || has_too_much()
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Stops writing: what is on the disk is not known any more.
    fn fail(&self, what: &str, error: &dyn std::fmt::Display) {
        if !self.failed.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, "the store could not {what}");
        }
        self.work.stop();
        self.collection.stop();
    }
}
