//! A group of rows that are written together: as the log gets them, and as the index gets them.

use std::ops::Range;

use bytes::Bytes;
use lsm_tree::Slice;
use prominence_core::Entry;

use super::row::{self, MIN_LOCATED_VALUE};
use crate::embedded::files::group_log::Appended;
use crate::embedded::files::group_log::format::{GroupBuffer, LoggedRow};
use crate::embedded::files::group_log::segment::Location;
use crate::embedded::storage::table::Table;
use crate::row::append_entry;

/// Bytes for which there is room in a new batch.
const USUAL_BYTES: usize = 4 << 10;

/// Rows to write. No row may be in it twice.
#[derive(Debug)]
pub(in crate::embedded) struct LogBatch {
    pub(super) group: GroupBuffer,
    pub(super) rows: Vec<IndexRow>,
    /// Content that the index will refer to no more.
    pub(super) ceased: Vec<Location>,
}

/// A row as the index gets it.
#[derive(Debug)]
pub(super) struct IndexRow {
    pub(super) table: Table,
    pub(super) key: Bytes,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Removed,
    /// The row is in the index.
    Whole(Vec<u8>),
    /// The row is in the log: that of the index, and where it is in the group.
    Located(Vec<u8>, Range<usize>),
}

impl LogBatch {
    pub(super) fn new() -> Self {
        Self {
            group: GroupBuffer::with_capacity(USUAL_BYTES),
            rows: Vec::new(),
            ceased: Vec::new(),
        }
    }

    /// Puts a row of any table but that of the entries.
    pub(in crate::embedded) fn put(&mut self, table: Table, key: Vec<u8>, row: Vec<u8>) {
        self.group
            .put(table.number(), &key, |to| to.extend_from_slice(&row));
        self.push(table, key, Content::Whole(row));
    }

    /// Puts an entry.
    pub(in crate::embedded) fn put_entry(&mut self, key: Vec<u8>, entry: &Entry) {
        let table = Table::Entries;
        let mut metadata = 0..0;
        let content = self.group.put(table.number(), &key, |to| {
            metadata = append_entry(to, &key, entry);
        });
        let content = if entry.value.len() < MIN_LOCATED_VALUE {
            Content::Whole(self.group.bytes()[content].to_vec())
        } else {
            Content::Located(row::located(&self.group.bytes()[metadata]), content)
        };
        self.push(table, key, content);
    }

    /// Notes that the index will not refer to this content any more.
    pub(in crate::embedded) fn cease(&mut self, location: Option<Location>) {
        self.ceased.extend(location);
    }

    /// Puts the row of an entry once more, unchanged, so that it is here from now on.
    pub(super) fn move_entry(&mut self, key: Vec<u8>, index_row: &[u8], entry_row: &[u8]) {
        let table = Table::Entries;
        let content = self
            .group
            .put(table.number(), &key, |to| to.extend_from_slice(entry_row));
        self.push(table, key, Content::Located(index_row.to_vec(), content));
    }

    /// Removes a row.
    pub(in crate::embedded) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.group.remove(table.number(), &key);
        self.push(table, key, Content::Removed);
    }

    fn push(&mut self, table: Table, key: Vec<u8>, content: Content) {
        self.rows.push(IndexRow {
            table,
            key: key.into(),
            content,
        });
    }
}

impl IndexRow {
    /// A row as the log has it; `None` where it makes no sense.
    pub(super) fn from_log(row: &LoggedRow<'_>) -> Option<Self> {
        let table = Table::from_number(row.table)?;
        let content = match row.content {
            None => Content::Removed,
            Some(content) if table == Table::Entries => {
                let metadata = row::metadata_range(content)?;
                if row::value_bytes(content, &metadata)? < MIN_LOCATED_VALUE {
                    Content::Whole(content.to_vec())
                } else {
                    let place = row.offset..row.offset + content.len();
                    Content::Located(row::located(&content[metadata]), place)
                }
            }
            Some(content) => Content::Whole(content.to_vec()),
        };
        Some(Self {
            table,
            key: Bytes::copy_from_slice(row.key),
            content,
        })
    }

    /// The row of the index, for a group that was appended there; and where its content is, if that
    /// is in the log alone.
    pub(super) fn at(self, appended: Appended) -> (Option<Slice>, Option<Location>) {
        match self.content {
            Content::Removed => (None, None),
            Content::Whole(row) => (Some(row.into()), None),
            Content::Located(mut row, place) => {
                let location = appended.location(&place);
                row::locate(&mut row, location);
                (Some(row.into()), Some(location))
            }
        }
    }
}
