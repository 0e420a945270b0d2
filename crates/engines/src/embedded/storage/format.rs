//! The content of the rows of each table. Their common parts are in [`crate::row`].

mod group;

use prominence_core::{
    Change, ChangeKind, Cursor, Job, Key, Namespace, Prefix, Revision, StoreError, Timestamp, Usage,
};

use crate::embedded::storage::keys;
use crate::row::change::{read_change, read_cursor, write_change, write_cursor};
use crate::row::{Row, readable};
pub(in crate::embedded) use group::encode_group;
use group::{GROUP, read_group};

#[cfg(test)]
pub(in crate::embedded) use crate::row::encode_entry;
pub(in crate::embedded) use crate::row::{Body, Kind, damaged, decode_entry};

/// The numbers of the kinds of changes that only rows of this engine have, and of a put with a state:
/// see [`crate::row::change`].
const DELETE_MANY: u8 = 3;
const PUT_WITH_STATE: u8 = 4;

/// A namespace's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct NamespaceRow {
    /// The usage, entries that have expired and are not yet removed included.
    pub(in crate::embedded) usage: Usage,
    /// Changes in the log.
    pub(in crate::embedded) log_rows: u64,
    /// Nothing up to and including this place is in the log any more.
    pub(in crate::embedded) log_floor: Cursor,
}

impl Default for NamespaceRow {
    fn default() -> Self {
        Self {
            usage: Usage::default(),
            log_rows: 0,
            log_floor: Cursor::START,
        }
    }
}

pub(in crate::embedded) fn encode_change(key: &[u8], change: &Change) -> Vec<u8> {
    let mut row = Row::new(64 + change.key.as_str().len());
    write_change(&mut row.0, change, PUT_WITH_STATE);
    row.finish(Kind::Change, key)
}

/// Many deletions of one commit in one row, which stands at the place of the last of them.
pub(in crate::embedded) fn encode_deletions(
    key: &[u8],
    author: Option<&Job>,
    time: Timestamp,
    deleted: &[Key],
) -> Vec<u8> {
    let mut row = Row::new(
        64 + deleted
            .iter()
            .map(|key| key.as_str().len() + 2)
            .sum::<usize>(),
    );
    row.0.push(DELETE_MANY);
    row.u64(deleted.len() as u64);
    row.u64(time.as_millis());
    row.optional_job(author);
    for key in deleted {
        row.text(key.as_str());
    }
    row.finish(Kind::Change, key)
}

/// The changes in a row of the log.
pub(in crate::embedded) fn decode_changes(
    key: &[u8],
    row: &[u8],
) -> Result<Vec<Change>, StoreError> {
    let mut body = Body::open(Kind::Change, key, row)?;
    let read = || {
        let at = keys::read_change(key)?;
        match body.u8()? {
            GROUP => read_group(&mut body, at),
            DELETE_MANY => read_deletions(&mut body, at),
            number => Some(vec![read_change(&mut body, at, number, PUT_WITH_STATE)?]),
        }
    };
    readable(Kind::Change, key, read)
}

/// Reads what [`encode_deletions`] wrote after the number of the kind.
fn read_deletions(body: &mut Body<'_>, last: Cursor) -> Option<Vec<Change>> {
    let count = u32::try_from(body.u64()?).ok().filter(|count| *count > 0)?;
    let time = body.instant()?;
    let job = body.optional_job()?;
    let first = last.index.checked_sub(count - 1)?;
    let mut changes = Vec::new();
    for index in first..=last.index {
        changes.push(Change {
            at: Cursor {
                revision: last.revision,
                index,
            },
            key: Key::stored(body.text()?)?,
            kind: ChangeKind::Delete,
            job: job.clone(),
            time,
        });
    }
    body.0.is_empty().then_some(changes)
}

/// The progress of a deletion in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Progress {
    pub(in crate::embedded) namespace: Namespace,
    pub(in crate::embedded) prefix: Prefix,
    pub(in crate::embedded) author: Option<Job>,
    /// When it began; what is live then is deleted.
    pub(in crate::embedded) time: Timestamp,
    pub(in crate::embedded) revision: Revision,
    /// Keys deleted so far.
    pub(in crate::embedded) keys: u64,
    /// Bytes that they and their values counted for.
    pub(in crate::embedded) bytes: u64,
}

impl Progress {
    /// The place in the log of the deletion with this number, of which the first is 1.
    pub(in crate::embedded) fn place(&self, number: u64) -> Option<Cursor> {
        let index = u32::try_from(number.checked_sub(1)?).ok()?;
        Some(Cursor {
            revision: self.revision,
            index,
        })
    }
}

pub(in crate::embedded) fn encode_progress(progress: &Progress) -> Vec<u8> {
    let mut row = Row::new(128 + progress.prefix.as_str().len());
    row.text(progress.namespace.as_str());
    row.text(progress.prefix.as_str());
    row.optional_job(progress.author.as_ref());
    row.u64(progress.time.as_millis());
    row.u64(progress.revision.get());
    row.u64(progress.keys);
    row.u64(progress.bytes);
    row.finish(Kind::Deletion, keys::DELETION)
}

pub(in crate::embedded) fn decode_progress(row: &[u8]) -> Result<Progress, StoreError> {
    let mut body = Body::open(Kind::Deletion, keys::DELETION, row)?;
    readable(Kind::Deletion, keys::DELETION, || {
        let progress = Progress {
            namespace: Namespace::stored(std::str::from_utf8(body.text()?).ok()?).ok()?,
            prefix: Prefix::from_bytes(body.text()?).ok()?,
            author: body.optional_job()?,
            time: body.instant()?,
            revision: Revision::new(body.u64()?),
            keys: body.u64()?,
            bytes: body.u64()?,
        };
        body.0.is_empty().then_some(progress)
    })
}

/// An expiry row holds what the entry counts for, so that usage need not read the entry.
pub(in crate::embedded) fn encode_expiry(key: &[u8], bytes: u64) -> Vec<u8> {
    let mut row = Row::new(8);
    row.u64(bytes);
    row.finish(Kind::Expiry, key)
}

pub(in crate::embedded) fn decode_expiry(key: &[u8], row: &[u8]) -> Result<u64, StoreError> {
    let mut body = Body::open(Kind::Expiry, key, row)?;
    readable(Kind::Expiry, key, || body.last_u64())
}

pub(in crate::embedded) fn encode_expiry_floor(floor: Timestamp) -> Vec<u8> {
    let mut row = Row::new(8);
    row.u64(floor.as_millis());
    row.finish(Kind::ExpiryFloor, keys::EXPIRY_FLOOR)
}

pub(in crate::embedded) fn decode_expiry_floor(row: &[u8]) -> Result<Timestamp, StoreError> {
    let mut body = Body::open(Kind::ExpiryFloor, keys::EXPIRY_FLOOR, row)?;
    readable(Kind::ExpiryFloor, keys::EXPIRY_FLOOR, || {
        body.last_u64().map(Timestamp::from_millis)
    })
}

pub(in crate::embedded) fn encode_namespace(key: &[u8], space: &NamespaceRow) -> Vec<u8> {
    let mut row = Row::new(44);
    row.u64(space.usage.keys);
    row.u64(space.usage.bytes);
    row.u64(space.usage.revision.get());
    row.u64(space.log_rows);
    write_cursor(&mut row.0, space.log_floor);
    row.finish(Kind::Namespace, key)
}

pub(in crate::embedded) fn decode_namespace(
    key: &[u8],
    row: &[u8],
) -> Result<NamespaceRow, StoreError> {
    let mut body = Body::open(Kind::Namespace, key, row)?;
    readable(Kind::Namespace, key, || {
        let usage = Usage {
            keys: body.u64()?,
            bytes: body.u64()?,
            revision: Revision::new(body.u64()?),
        };
        let log_rows = body.u64()?;
        let log_floor = read_cursor(&mut body)?;
        body.0.is_empty().then_some(NamespaceRow {
            usage,
            log_rows,
            log_floor,
        })
    })
}

#[cfg(test)]
mod tests;
