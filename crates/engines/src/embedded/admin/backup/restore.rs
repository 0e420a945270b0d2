//! Records become a store.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use prominence_core::{Change, Entry, Key, StoreError, Timestamp, Usage};

use crate::backup::{BackupSummary, Record, Records, Space};
use crate::embedded::admin::batch_writer::BatchWriter;
use crate::embedded::error::RestoreError;
use crate::embedded::files::folder::Folder;
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::{Database, Table};
use crate::embedded::storage::format::{self, NamespaceRow};
use crate::embedded::storage::keys;

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
            // The next attempt removes the files that can't be removed now.
            let _ = folder.abandon_restore();
            Err(error)
        }
    }
}

/// Puts all records into a new database, and closes it.
fn fill<R: Read>(
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

/// Records on their way into a new database.
struct Load<'a> {
    writer: BatchWriter<'a>,
    /// The namespace whose records are read.
    space: Option<(Space, NamespaceRow)>,
    earliest_expiry: Option<Timestamp>,
}

impl<'a> Load<'a> {
    fn new(database: &'a Database) -> Self {
        Self {
            writer: BatchWriter::new(database),
            space: None,
            earliest_expiry: None,
        }
    }

    fn put(&mut self, record: Record) -> Result<(), StoreError> {
        match record {
            Record::Namespace(space) => {
                self.finish_namespace()?;
                let row = NamespaceRow {
                    usage: Usage {
                        revision: space.revision,
                        ..Usage::default()
                    },
                    log_rows: 0,
                    log_floor: space.log_floor,
                };
                self.space = Some((space, row));
                Ok(())
            }
            Record::Entry(key, entry) => self.put_entry(&key, &entry),
            Record::Change(change) => self.put_change(&change),
            Record::End(_) => Ok(()),
        }
    }

    fn put_entry(&mut self, key: &Key, entry: &Entry) -> Result<(), StoreError> {
        let Some((space, row)) = &mut self.space else {
            return Ok(());
        };
        let bytes = (key.as_str().len() + entry.value.len()) as u64;
        row.usage.keys += 1;
        row.usage.bytes += bytes;
        self.writer
            .put_entry(keys::entry(&space.namespace, key), entry)?;
        let Some(instant) = entry.metadata.expires else {
            return Ok(());
        };
        self.earliest_expiry = self.earliest_expiry.into_iter().chain([instant]).min();
        let index_key = keys::expiry(instant, &space.namespace, key);
        let index_row = format::encode_expiry(&index_key, bytes);
        self.writer.put(Table::Expiry, index_key, index_row)
    }

    fn put_change(&mut self, change: &Change) -> Result<(), StoreError> {
        let Some((space, row)) = &mut self.space else {
            return Ok(());
        };
        row.log_rows += 1;
        let key = keys::change(&space.namespace, change.at);
        let row = format::encode_change(&key, change);
        self.writer.put(Table::Log, key, row)
    }

    /// Writes the row of a namespace, now that all of it has been counted.
    fn finish_namespace(&mut self) -> Result<(), StoreError> {
        let Some((space, row)) = self.space.take() else {
            return Ok(());
        };
        let key = keys::namespace(&space.namespace);
        let row = format::encode_namespace(&key, &row);
        self.writer.put(Table::Namespaces, key, row)
    }

    fn finish(mut self) -> Result<(), StoreError> {
        self.finish_namespace()?;
        if let Some(floor) = self.earliest_expiry {
            let row = format::encode_expiry_floor(floor);
            let key = keys::EXPIRY_FLOOR.to_vec();
            self.writer.put(Table::Namespaces, key, row)?;
        }
        self.writer.write()
    }
}
