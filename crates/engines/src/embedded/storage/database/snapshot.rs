//! Reading: one consistent state, and the rows in it.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use prominence_core::entry::Metadata;
use prominence_core::error::Fate;
use prominence_core::{Entry, Key, Namespace, StoreError, Timestamp};

use super::{Database, StoredAt, Table};
use crate::embedded::error::{ReadError, Wait, unavailable};
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::options::RETRY_SOON;
use crate::embedded::storage::empty_ranges::EmptyRanges;
use crate::embedded::storage::format::{self, Kind, NamespaceRow, Progress};
use crate::embedded::storage::keys;
use crate::embedded::storage::log_store::{RowIter, State};

/// Rows that a read takes before it looks whether the database is to be closed.
const ROWS_BETWEEN_CHECKS: u32 = 1_024;

/// One consistent state, with every batch seen whole or not at all.
#[derive(Clone)]
pub(in crate::embedded) struct Snapshot<'a> {
    pub(super) database: &'a Database,
    pub(super) at: Arc<State>,
    pub(super) empty_ranges: Arc<EmptyRanges>,
}

/// A state that is kept between the parts of a long read.
pub(in crate::embedded) struct KeptState {
    pub(super) at: Arc<State>,
    pub(super) empty_ranges: Arc<EmptyRanges>,
}

/// Rows of a table in the order of their keys.
pub(in crate::embedded) struct Rows<'a> {
    database: &'a Database,
    table: Table,
    /// The place where they begin.
    from: Box<[u8]>,
    /// `None` where the range is empty by its bounds, or after an error.
    rows: Option<RowIter>,
    /// The reason why there are none.
    failed: Option<StoreError>,
    taken: u32,
}

impl<'a> Snapshot<'a> {
    /// Its state, to go on with later.
    pub(in crate::embedded) fn keep(&self) -> KeptState {
        KeptState {
            at: Arc::clone(&self.at),
            empty_ranges: Arc::clone(&self.empty_ranges),
        }
    }

    /// One stored entry by the key of its row, and where it is in the log; first it is looked for where
    /// it was lately, if that is known.
    pub(in crate::embedded) fn find_entry(
        &self,
        row_key: &[u8],
        lately: Option<Location>,
        wait: Wait,
    ) -> Result<(Option<Entry>, Option<Location>), ReadError> {
        if let Some(location) = lately {
            match self.at.entry_in(row_key, location, wait) {
                Ok(entry) => return Ok((Some(entry), lately)),
                Err(ReadError::WouldWait) => return Err(ReadError::WouldWait),
                // It is another key's, or its segment is gone: the index knows.
                Err(ReadError::Failed(_)) => {}
            }
        }
        let Some(row) = self.get(Table::Entries, row_key)? else {
            return Ok((None, None));
        };
        let StoredAt(location) = StoredAt::of(&row);
        let entry = match location {
            Some(location) => self.at.entry_in(row_key, location, wait)?,
            None => self.decode_entry(row_key, &row)?,
        };
        Ok((Some(entry), location))
    }

    /// One stored entry, and where it is.
    pub(in crate::embedded) fn entry_at(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<(Entry, StoredAt)>, StoreError> {
        let row_key = keys::entry(namespace, key);
        let row = self.get(Table::Entries, &row_key)?;
        let decode = |row| Ok((self.decode_entry(&row_key, &row)?, StoredAt::of(&row)));
        row.map(decode).transpose()
    }

    /// The metadata of one stored entry, and where it is.
    pub(in crate::embedded) fn metadata_at(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<(Metadata, StoredAt)>, StoreError> {
        let row_key = keys::entry(namespace, key);
        let row = self.get(Table::Entries, &row_key)?;
        let decode = |row| Ok((self.decode_metadata(&row_key, &row)?, StoredAt::of(&row)));
        row.map(decode).transpose()
    }

    /// The metadata of one stored entry, whether live or expired.
    pub(in crate::embedded) fn metadata(
        &self,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Metadata>, StoreError> {
        let found = self.metadata_at(namespace, key)?;
        Ok(found.map(|(metadata, _)| metadata))
    }

    /// The entry of a row of the table of entries. Its value may be elsewhere.
    pub(in crate::embedded) fn decode_entry(
        &self,
        row_key: &[u8],
        row: &Bytes,
    ) -> Result<Entry, StoreError> {
        self.at.entry(row_key, row)
    }

    /// The metadata of the entry of a row of the table of entries.
    pub(in crate::embedded) fn decode_metadata(
        &self,
        row_key: &[u8],
        row: &Bytes,
    ) -> Result<Metadata, StoreError> {
        self.at.metadata(row_key, row)
    }

    /// A namespace's row.
    pub(in crate::embedded) fn namespace(
        &self,
        namespace: &Namespace,
    ) -> Result<NamespaceRow, StoreError> {
        let row_key = keys::namespace(namespace);
        match self.get(Table::Namespaces, &row_key)? {
            Some(row) => format::decode_namespace(&row_key, &row),
            None => Ok(NamespaceRow::default()),
        }
    }

    /// No row of the expiry index has an earlier instant.
    pub(in crate::embedded) fn expiry_floor(&self) -> Result<Timestamp, StoreError> {
        match self.get(Table::Namespaces, keys::EXPIRY_FLOOR)? {
            Some(row) => format::decode_expiry_floor(&row),
            None => Ok(Timestamp::default()),
        }
    }

    /// The progress of a deletion in pieces, if one is under way.
    pub(in crate::embedded) fn deletion(&self) -> Result<Option<Progress>, StoreError> {
        match self.get(Table::Namespaces, keys::DELETION)? {
            Some(row) => format::decode_progress(&row).map(Some),
            None => Ok(None),
        }
    }

    /// The rows of entries from `start` on, up to but without `end`. Where it is known that
    /// nothing is left, it is not looked; what has expired may be missing among them.
    pub(in crate::embedded) fn entries(
        &self,
        start: Bound<Vec<u8>>,
        end: &[u8],
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> + use<'a> {
        let snapshot = self.clone();
        let parts = self.empty_ranges.rest(start, end).into_iter();
        parts.flat_map(move |(start, end)| snapshot.rows(Table::Entries, start, &end))
    }

    /// The same rows, the last one first.
    pub(in crate::embedded) fn entries_back(
        &self,
        start: Bound<Vec<u8>>,
        end: &[u8],
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> + use<'a> {
        let snapshot = self.clone();
        let parts = self.empty_ranges.rest(start, end).into_iter().rev();
        parts.flat_map(move |(start, end)| snapshot.rows(Table::Entries, start, &end).rev())
    }

    /// The rows from `start` on, up to but without `end`.
    pub(in crate::embedded) fn rows(
        &self,
        table: Table,
        start: Bound<Vec<u8>>,
        end: &[u8],
    ) -> Rows<'a> {
        let is_empty = match &start {
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice() >= end,
            Bound::Unbounded => end.is_empty(),
        };
        let from = match &start {
            Bound::Included(from) | Bound::Excluded(from) => from.as_slice().into(),
            Bound::Unbounded => Box::default(),
        };
        let bounds = (start, Bound::Excluded(end.to_vec()));
        let rows = (!is_empty).then(|| self.at.range(table, bounds));
        let (rows, failed) = match rows.transpose() {
            Ok(rows) => (rows, None),
            Err(error) => (None, Some(error)),
        };
        Rows {
            database: self.database,
            table,
            from,
            rows,
            failed,
            taken: 0,
        }
    }

    /// One row.
    pub(in crate::embedded) fn get(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        let found = self.at.get(table, key);
        found.map_err(|error| self.database.located(table, key, error))
    }
}

impl Rows<'_> {
    /// Takes the next row, from the side that `take` says.
    fn take_row(
        &mut self,
        take: impl FnOnce(&mut RowIter) -> Result<Option<(Bytes, Bytes)>, StoreError>,
    ) -> Option<Result<(Bytes, Bytes), StoreError>> {
        self.taken = self.taken.wrapping_add(1);
        if self.taken.is_multiple_of(ROWS_BETWEEN_CHECKS)
            && self.database.retiring.load(Ordering::Relaxed)
        {
            let reason = "the store is being opened again";
            return Some(Err(unavailable(reason, Fate::NotApplied, RETRY_SOON)));
        }
        if let Some(error) = self.failed.take() {
            return Some(Err(self.database.located(self.table, &self.from, error)));
        }
        let rows = self.rows.as_mut()?;
        match take(rows) {
            Ok(row) => row.map(Ok),
            Err(error) => {
                // What comes behind a block that can't be read is not the next row.
                self.rows = None;
                Some(Err(self.database.located(self.table, &self.from, error)))
            }
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take_row(RowIter::next)
    }
}

impl DoubleEndedIterator for Rows<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take_row(RowIter::next_back)
    }
}

/// The key and the entry of a row of the table of entries.
pub(in crate::embedded) fn entry_of(
    namespace: &Namespace,
    row: Result<(Bytes, Bytes), StoreError>,
) -> Result<(Key, Bytes, Bytes), StoreError> {
    let (row_key, row) = row?;
    match keys::read_entry(namespace, &row_key) {
        Some(key) => Ok((key, row_key, row)),
        None => Err(format::damaged(Kind::Entry, &row_key, "has no legal key")),
    }
}
