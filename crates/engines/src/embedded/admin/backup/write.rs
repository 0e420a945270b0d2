//! A snapshot becomes a stream.

use std::io::Write;
use std::iter::Peekable;
use std::ops::Bound;

use bytes::Bytes;
use prominence_core::{Key, StoreError, Timestamp};

use crate::backup::{BackupError, BackupSummary, Record, Space, Writer};
use crate::embedded::storage::database::{Rows, Snapshot, Table};
use crate::embedded::storage::format::{self, Kind};
use crate::embedded::storage::keys;

/// Writes everything that a snapshot holds, in constant memory.
pub(in crate::embedded) fn write(
    snapshot: &Snapshot<'_>,
    now: Timestamp,
    to: impl Write,
) -> Result<BackupSummary, BackupError> {
    let mut writer = Writer::new(to, now).map_err(BackupError::Write)?;
    let mut entries = Section::new(snapshot, Table::Entries, Kind::Entry);
    let mut changes = Section::new(snapshot, Table::Log, Kind::Change);
    let start = Bound::Included(keys::FIRST_NAMESPACE.to_vec());
    for row in snapshot.rows(Table::Namespaces, start, PAST_NAMES) {
        let (base, row) = row?;
        let namespace = keys::read_namespace(&base)
            .ok_or_else(|| format::damaged(Kind::Namespace, &base, "has no legal name"))?;
        let space = format::decode_namespace(&base, &row)?;
        writer.put(&Record::Namespace(Space {
            namespace,
            revision: space.usage.revision,
            log_floor: space.log_floor,
        }))?;
        while let Some((row_key, row)) = entries.next_of(&base)? {
            let key = Key::stored(&row_key[base.len()..])
                .ok_or_else(|| format::damaged(Kind::Entry, &row_key, "has no legal key"))?;
            let entry = snapshot.decode_entry(&row_key, &row)?;
            writer.put(&Record::Entry(key, entry))?;
        }
        while let Some((row_key, row)) = changes.next_of(&base)? {
            for change in format::decode_changes(&row_key, &row)? {
                writer.put(&Record::Change(change))?;
            }
        }
    }
    entries.demand_end()?;
    changes.demand_end()?;
    writer.finish().map_err(BackupError::Write)
}

/// Sorts after every row that begins with a namespace: names are UTF-8, in which this byte does
/// not occur.
const PAST_NAMES: &[u8] = &[u8::MAX];

/// The rows of a table, taken namespace by namespace. Each table is read in one go, as seeking
/// in it for each of very many small namespaces would take longer.
struct Section<'a> {
    rows: Peekable<Rows<'a>>,
    kind: Kind,
}

impl<'a> Section<'a> {
    fn new(snapshot: &Snapshot<'a>, table: Table, kind: Kind) -> Self {
        Self {
            rows: snapshot
                .rows(table, Bound::Unbounded, PAST_NAMES)
                .peekable(),
            kind,
        }
    }

    /// The next row that begins with `base`.
    fn next_of(&mut self, base: &[u8]) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        let is_here = match self.rows.peek() {
            Some(Ok((key, _))) if key.starts_with(base) => true,
            // The namespaces before this one have been passed over.
            Some(Ok((key, _))) if key.as_ref() < base => return Err(orphan(self.kind, key)),
            Some(Err(_)) => true,
            Some(Ok(_)) | None => false,
        };
        if is_here {
            return self.rows.next().transpose();
        }
        Ok(None)
    }

    /// Demands that every row has been taken.
    fn demand_end(mut self) -> Result<(), StoreError> {
        match self.rows.next() {
            None => Ok(()),
            Some(Ok((key, _))) => Err(orphan(self.kind, &key)),
            Some(Err(error)) => Err(error),
        }
    }
}

fn orphan(kind: Kind, key: &[u8]) -> StoreError {
    format::damaged(kind, key, "belongs to no namespace")
}
