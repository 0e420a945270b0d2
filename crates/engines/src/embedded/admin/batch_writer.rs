//! Writes many rows into a database that nobody else uses yet, in batches.

use prominence_core::error::Fate;
use prominence_core::{Entry, StoreError};

use crate::embedded::error::{Unavailable, unavailable};
use crate::embedded::options::RETRY_LATER;
use crate::embedded::storage::database::{Batch, Database, Table, WriteFailure};

/// Bytes of rows written together: enough to make each write cheap, little beside what the
/// storage engine itself keeps in memory.
const BATCH_BYTES: usize = 4 << 20;

/// The number of times that the storage engine gets its usual time to catch up before the work is given up:
/// ten minutes in all, as nobody else waits here.
const BACKLOG_ATTEMPTS: u32 = 60;

/// Rows on their way into a database. They are durable after [`Database::settle`].
pub(super) struct BatchWriter<'a> {
    database: &'a Database,
    batch: Batch<'a>,
    weight: usize,
}

impl<'a> BatchWriter<'a> {
    pub(super) fn new(database: &'a Database) -> Self {
        Self {
            database,
            batch: database.unsynced_batch(),
            weight: 0,
        }
    }

    /// Writes an entry. No row may be written twice.
    pub(super) fn put_entry(&mut self, key: Vec<u8>, entry: &Entry) -> Result<(), StoreError> {
        self.weight += key.len() + entry.value.len();
        self.batch.put_entry(key, entry);
        self.write_if_full()
    }

    /// Writes a row of another table.
    pub(super) fn put(
        &mut self,
        table: Table,
        key: Vec<u8>,
        row: Vec<u8>,
    ) -> Result<(), StoreError> {
        self.weight += key.len() + row.len();
        self.batch.put(table, key, row);
        self.write_if_full()
    }

    fn write_if_full(&mut self) -> Result<(), StoreError> {
        match self.weight < BATCH_BYTES {
            true => Ok(()),
            false => self.write(),
        }
    }

    /// Writes what is left.
    pub(super) fn write(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::replace(&mut self.batch, self.database.unsynced_batch());
        self.weight = 0;
        let mut attempts = 0;
        loop {
            match self.database.wait_for_background() {
                Ok(()) => break,
                Err(WriteFailure::Behind) if attempts < BACKLOG_ATTEMPTS => attempts += 1,
                Err(failure) => return Err(answer(failure)),
            }
        }
        batch.write().map_err(answer)
    }
}

fn answer(failure: WriteFailure) -> StoreError {
    match failure {
        WriteFailure::Behind => unavailable(
            "the disk can't keep up with the writes",
            Fate::NotApplied,
            RETRY_LATER,
        ),
        WriteFailure::Stopped => unavailable(
            "the storage engine has stopped, as it does on a full disk",
            Fate::NotApplied,
            RETRY_LATER,
        ),
        WriteFailure::Failed(error) => Unavailable::from_storage(error).answer(Fate::NotApplied),
    }
}
