//! The state that readers get: everything up to a group, and the segments that its rows refer to.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use prominence_core::StoreError;
use prominence_core::entry::{Entry, Metadata};

use super::index::{IndexState, TreeRows};
use super::row;
use crate::embedded::error::{ReadError, Wait};
use crate::embedded::files::group_log::Segments;
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::panics::answer;
use crate::embedded::storage::table::Table;

/// Everything up to a group.
#[derive(Debug)]
pub(in crate::embedded) struct State {
    /// Rows with a lower sequence number are seen.
    pub(super) visible: u64,
    pub(super) index: Arc<IndexState>,
    /// They stay open as long as somebody has the state, also when they are removed meanwhile.
    pub(super) segments: Arc<Segments>,
}

/// The place where a stored entry is, for a batch that writes over it: `None` where it is in the index.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct StoredAt(pub(in crate::embedded) Option<Location>);

/// Rows of a range.
pub(in crate::embedded) struct RowIter(TreeRows);

impl State {
    /// One row.
    pub(in crate::embedded) fn get(
        &self,
        table: Table,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        answer(|| {
            let row = self.index.get(table, key, self.visible)?;
            Ok(row.map(Bytes::from))
        })
    }

    /// The rows of a range.
    pub(in crate::embedded) fn range(
        &self,
        table: Table,
        bounds: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> Result<RowIter, StoreError> {
        answer(|| Ok(RowIter(self.index.range(table, bounds, self.visible))))
    }

    /// The entry of a row.
    pub(in crate::embedded) fn entry(&self, key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
        row::entry(&self.segments, key, row)
    }

    /// The entry whose row is at a place in the log.
    pub(in crate::embedded) fn entry_in(
        &self,
        key: &[u8],
        location: Location,
        wait: Wait,
    ) -> Result<Entry, ReadError> {
        row::entry_in(&self.segments, key, location, wait)
    }

    /// The metadata of the entry of a row, without its value.
    pub(in crate::embedded) fn metadata(
        &self,
        key: &[u8],
        row: &Bytes,
    ) -> Result<Metadata, StoreError> {
        row::metadata(key, row)
    }
}

impl StoredAt {
    /// The place of the entry of a row.
    pub(in crate::embedded) fn of(row: &[u8]) -> Self {
        Self(row::location(row))
    }
}

impl RowIter {
    /// The next row.
    pub(in crate::embedded) fn next(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        answer(|| {
            let row = self.0.next().transpose()?;
            Ok(row.map(|(key, row)| (key.into(), row.into())))
        })
    }

    /// The last row that was not given yet.
    pub(in crate::embedded) fn next_back(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        answer(|| {
            let row = self.0.next_back().transpose()?;
            Ok(row.map(|(key, row)| (key.into(), row.into())))
        })
    }
}
