//! The two ways in which the rows of a store are kept, behind one set of calls.
//!
//! A folder has one of them, by its format: [`FjallStore`] up to format 2, [`LogStore`] from format 3
//! on.

use std::ops::Bound;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use prominence_core::StoreError;
use prominence_core::entry::{Entry, Metadata};

use super::database::{Table, WriteFailure};
use super::fjall_store::FjallStore;
use super::format;
use super::log_store::{self, LogStore, MIN_LOCATED_VALUE, TreeRows};
use crate::embedded::error::{OpenError, ReadError, StorageError, Wait, read_failed};
use crate::embedded::files::folder::{Folder, Layout};
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::options::Tuning;
use crate::embedded::panics::answer;

/// The rows of an open store.
pub(super) enum Backend {
    Fjall(FjallStore),
    Log(LogStore),
}

/// Everything up to a batch.
#[derive(Clone)]
pub(super) enum State {
    Fjall(fjall::Snapshot),
    Log(Arc<log_store::State>),
}

/// Rows of a range.
pub(super) enum RowIter {
    Fjall(fjall::Iter),
    Log(TreeRows),
}

/// Where a stored entry is, for a batch that writes over it.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct StoredAt(pub(in crate::embedded) Option<Location>);

/// Rows to write.
pub(super) enum BatchRows {
    Fjall(fjall::OwnedWriteBatch),
    Log(log_store::LogBatch),
}

impl Backend {
    /// Opens what is in a folder, and makes it where there is nothing.
    pub(super) fn open(folder: &Folder, tuning: Tuning) -> Result<Self, OpenError> {
        match folder.layout() {
            Layout::Fjall => FjallStore::open(folder, tuning).map(Self::Fjall),
            Layout::Log => LogStore::open(folder, tuning).map(Self::Log),
        }
    }

    /// Closes it, and notes a clean end.
    pub(super) fn close(self, folder: &Folder) -> Result<(), StoreError> {
        let closed = match self {
            Self::Fjall(store) => store.close(folder),
            Self::Log(store) => store.close().map_err(StorageError::from),
        };
        closed.map_err(read_failed)
    }

    /// The state of now. Only the committer may ask for it, between two batches.
    pub(super) fn now(&self) -> State {
        match self {
            Self::Fjall(store) => State::Fjall(store.snapshot()),
            Self::Log(store) => State::Log(store.publish()),
        }
    }

    /// One row.
    pub(super) fn get(
        &self,
        state: &State,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        answer(|| match (self, state) {
            (Self::Fjall(store), State::Fjall(at)) => store.get(at, table, key),
            (Self::Log(_), State::Log(at)) => at.get(table, key),
            _ => Err(other_store()),
        })
    }

    /// The rows of a range.
    pub(super) fn range(
        &self,
        state: &State,
        table: Table,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> Result<RowIter, StoreError> {
        answer(|| match (self, state) {
            (Self::Fjall(store), State::Fjall(at)) => {
                Ok(RowIter::Fjall(store.range(at, table, bounds)))
            }
            (Self::Log(_), State::Log(at)) => Ok(RowIter::Log(at.range(table, bounds))),
            _ => Err(other_store()),
        })
    }

    pub(super) fn batch(&self) -> BatchRows {
        match self {
            Self::Fjall(store) => BatchRows::Fjall(store.batch()),
            Self::Log(store) => BatchRows::Log(store.batch()),
        }
    }

    /// Puts a row of any table but that of the entries.
    pub(super) fn put(&self, batch: &mut BatchRows, table: Table, key: Vec<u8>, row: Vec<u8>) {
        match (self, batch) {
            (Self::Fjall(store), BatchRows::Fjall(rows)) => store.put(rows, table, key, row),
            (_, BatchRows::Log(rows)) => rows.put(table, key, row),
            (Self::Log(_), BatchRows::Fjall(_)) => {}
        }
    }

    /// Puts an entry.
    pub(super) fn put_entry(&self, batch: &mut BatchRows, key: Vec<u8>, entry: &Entry) {
        match (self, batch) {
            (Self::Fjall(store), BatchRows::Fjall(rows)) => {
                let row = format::encode_entry(&key, entry);
                store.put(rows, Table::Entries, key, row);
            }
            (_, BatchRows::Log(rows)) => rows.put_entry(key, entry),
            (Self::Log(_), BatchRows::Fjall(_)) => {}
        }
    }

    /// Removes a row.
    pub(super) fn remove(&self, batch: &mut BatchRows, table: Table, key: Vec<u8>) {
        match (self, batch) {
            (Self::Fjall(store), BatchRows::Fjall(rows)) => store.remove(rows, table, key),
            (_, BatchRows::Log(rows)) => rows.remove(table, key),
            (Self::Log(_), BatchRows::Fjall(_)) => {}
        }
    }

    /// Notes that a batch writes over a stored entry with so many bytes of value, or removes it.
    /// Its place is looked up unless `at` gives it.
    pub(super) fn replace(
        &self,
        batch: &mut BatchRows,
        key: &[u8],
        value_bytes: usize,
        at: Option<StoredAt>,
    ) -> Result<(), StoreError> {
        let (Self::Log(store), BatchRows::Log(rows)) = (self, batch) else {
            return Ok(());
        };
        let location = match at {
            Some(StoredAt(location)) => location,
            None if value_bytes >= MIN_LOCATED_VALUE => store.location_of(key)?,
            None => None,
        };
        rows.cease(location);
        Ok(())
    }

    /// Writes a batch, all of it or nothing.
    pub(super) fn write(&self, batch: BatchRows, sync: bool) -> Result<(), WriteFailure> {
        match (self, batch) {
            (_, BatchRows::Fjall(rows)) => FjallStore::write(rows, sync),
            (Self::Log(store), BatchRows::Log(rows)) => store.write(rows, sync),
            (Self::Fjall(_), BatchRows::Log(_)) => Err(WriteFailure::Stopped),
        }
    }

    /// Whether it failed in a way that only opening it again can mend.
    pub(super) fn has_failed(&self) -> bool {
        match self {
            Self::Fjall(store) => store.has_failed(),
            Self::Log(store) => store.has_failed(),
        }
    }

    /// Whether a batch should wait for the background threads.
    pub(super) fn is_behind(&self) -> bool {
        match self {
            Self::Fjall(store) => store.is_behind(),
            Self::Log(store) => store.is_behind(),
        }
    }

    /// Whether rows wait to be moved, which is done with the next batch.
    pub(super) fn has_moves(&self) -> bool {
        match self {
            Self::Fjall(_) => false,
            Self::Log(store) => store.has_moves(),
        }
    }

    /// Makes everything durable and writes out what is in memory.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        match self {
            Self::Fjall(store) => store.settle(),
            Self::Log(store) => store.settle(),
        }
    }

    /// The folder of a table's files.
    pub(super) fn folder_of(&self, table: Table) -> PathBuf {
        match self {
            Self::Fjall(store) => store.folder_of(table),
            Self::Log(store) => store.folder_of(table),
        }
    }
}

impl State {
    /// The entry of a row.
    pub(super) fn entry(&self, key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
        match self {
            Self::Fjall(_) => format::decode_entry(key, row),
            Self::Log(state) => state.entry(key, row),
        }
    }

    /// The entry that is at a place in the log.
    pub(super) fn entry_in(
        &self,
        key: &[u8],
        location: Location,
        wait: Wait,
    ) -> Result<Entry, ReadError> {
        match self {
            Self::Fjall(_) => Err(read_failed(other_store()).into()),
            Self::Log(state) => state.entry_in(key, location, wait),
        }
    }

    /// Where the entry of a row is.
    pub(super) fn stored_at(&self, row: &[u8]) -> StoredAt {
        StoredAt(match self {
            Self::Fjall(_) => None,
            Self::Log(_) => log_store::location(row),
        })
    }

    /// The metadata of the entry of a row.
    pub(super) fn metadata(&self, key: &[u8], row: &Bytes) -> Result<Metadata, StoreError> {
        match self {
            Self::Fjall(_) => Ok(format::decode_entry(key, row)?.metadata),
            Self::Log(state) => state.metadata(key, row),
        }
    }
}

impl RowIter {
    /// The next row.
    pub(super) fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        answer(|| {
            let row = match self {
                Self::Fjall(rows) => rows.next().map(fjall::Guard::into_inner).transpose()?,
                Self::Log(rows) => rows.next().transpose()?,
            };
            Ok(row.map(|(key, row)| (key.into(), row.into())))
        })
    }
}

/// A state and the store that it is read from belong together; nothing mixes them.
fn other_store() -> StorageError {
    StorageError::Io(std::io::Error::other("a state of another store"))
}
