//! Records become a store.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use prominence_core::error::Fate;
use prominence_core::{Change, Entry, Key, StoreError, Timestamp, Usage};

use crate::backup::{BackupSummary, Record, Records, RestoreError, Space};
use crate::embedded::error::{Unavailable, unavailable};
use crate::embedded::files::folder::Folder;
use crate::embedded::options::{RETRY_LATER, Tuning};
use crate::embedded::storage::database::{Batch, Database, Table, WriteFailure};
use crate::embedded::storage::format::{self, NamespaceRow};
use crate::embedded::storage::keys;

/// Bytes of rows written together: enough to make each write cheap, little beside what the
/// storage engine itself keeps in memory.
const BATCH_BYTES: usize = 4 << 20;

/// How often the storage engine is given its usual time to catch up before a restore is given
/// up: ten minutes in all, as nobody else waits here.
const BACKLOG_ATTEMPTS: u32 = 60;

/// Bytes of blocks kept in memory; a restore reads next to none.
const CACHE_BYTES: u64 = 8 << 20;

/// Makes a folder that is empty or missing the store that a backup describes. It is a store only
/// once the whole backup was read and found to be right, and everything is synced.
///
/// # Errors
/// See [`RestoreError`]; there is no store in the folder then, and it can be tried again.
pub fn restore(path: &Path, from: impl Read) -> Result<BackupSummary, RestoreError> {
    restore_watched(path, from, &mut || {})
}

/// The same, where `step` is called for each entry.
pub(crate) fn restore_watched(
    path: &Path,
    from: impl Read,
    step: &mut dyn FnMut(),
) -> Result<BackupSummary, RestoreError> {
    // A file that is no backup at all doesn't get as far as making a folder.
    let mut records = Records::open(from)?;
    let folder = Arc::new(Folder::take_for_restore(path)?);
    match fill(&folder, &mut records, step) {
        Ok(()) => {
            folder.complete_restore()?;
            Ok(records.summary)
        }
        Err(error) => {
            // What can't be removed now is removed by the next attempt.
            let _ = folder.abandon_restore();
            Err(error)
        }
    }
}

/// Puts all records into a new database, and closes it.
pub(in crate::embedded) fn fill<R: Read>(
    folder: &Arc<Folder>,
    records: &mut Records<R>,
    step: &mut dyn FnMut(),
) -> Result<(), RestoreError> {
    let database = Database::open(folder, Tuning::once(CACHE_BYTES))?;
    let failed = |cause| RestoreError::Store {
        folder: folder.path().to_owned(),
        cause,
    };
    let mut load = Load::new(&database);
    while let Some(record) = records.next()? {
        let is_entry = matches!(record, Record::Entry(..));
        load.put(record).map_err(failed)?;
        if is_entry {
            step();
        }
    }
    load.finish().map_err(failed)?;
    database.settle().map_err(failed)
}

/// Rows on their way into a new database.
struct Load<'a> {
    database: &'a Database,
    batch: Batch<'a>,
    weight: usize,
    /// The namespace whose records are read.
    space: Option<(Space, NamespaceRow)>,
    earliest_expiry: Option<Timestamp>,
}

impl<'a> Load<'a> {
    fn new(database: &'a Database) -> Self {
        Self {
            database,
            batch: database.unsynced_batch(),
            weight: 0,
            space: None,
            earliest_expiry: None,
        }
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        match record {
            Record::Namespace(space) => {
                self.finish_namespace();
                let row = NamespaceRow {
                    usage: Usage {
                        revision: space.revision,
                        ..Usage::default()
                    },
                    log_rows: 0,
                    log_floor: space.log_floor,
                };
                self.space = Some((space, row));
            }
            Record::Entry(key, entry) => self.put_entry(&key, &entry),
            Record::Change(change) => self.put_change(&change),
            Record::End(_) => {}
        }
        if self.weight >= BATCH_BYTES {
            self.write()?;
        }
        Ok(())
    }

    fn put_entry(&mut self, key: &Key, entry: &Entry) {
        let Some((space, row)) = &mut self.space else {
            return;
        };
        let bytes = (key.as_str().len() + entry.value.len()) as u64;
        row.usage.keys += 1;
        row.usage.bytes += bytes;
        let row_key = keys::entry(&space.namespace, key);
        let index = entry.metadata.expires.map(|instant| {
            let index_key = keys::expiry(instant, &space.namespace, key);
            let index_row = format::encode_expiry(&index_key, bytes);
            self.earliest_expiry = self.earliest_expiry.into_iter().chain([instant]).min();
            (index_key, index_row)
        });
        self.weight += row_key.len() + entry.value.len();
        self.batch.put_entry(row_key, entry);
        if let Some((index_key, index_row)) = index {
            self.row(Table::Expiry, index_key, index_row);
        }
    }

    fn put_change(&mut self, change: &Change) {
        let Some((space, row)) = &mut self.space else {
            return;
        };
        row.log_rows += 1;
        let key = keys::change(&space.namespace, change.at);
        let row = format::encode_change(&key, change);
        self.row(Table::Log, key, row);
    }

    /// Writes the row of a namespace, now that all of it has been counted.
    fn finish_namespace(&mut self) {
        if let Some((space, row)) = self.space.take() {
            let key = keys::namespace(&space.namespace);
            let row = format::encode_namespace(&key, &row);
            self.row(Table::Namespaces, key, row);
        }
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.finish_namespace();
        if let Some(floor) = self.earliest_expiry {
            let row = format::encode_expiry_floor(floor);
            self.row(Table::Namespaces, keys::EXPIRY_FLOOR.to_vec(), row);
        }
        self.write()
    }

    fn row(&mut self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        self.weight += key.len() + row.len();
        self.batch.put(table, key, row);
    }

    fn write(&mut self) -> Result<(), StoreError> {
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
