//! What stands in the rows of each table. What they have in common is in [`crate::row`].

mod group;

use prominence_core::{
    Change, ChangeKind, Cursor, Job, Key, Namespace, Prefix, Put, Revision, StoreError, Timestamp,
    Usage,
};

use crate::embedded::storage::keys;
use crate::row::{Row, read_state, readable, write_state};
pub(in crate::embedded) use group::encode_group;
use group::{GROUP, read_group};

#[cfg(test)]
pub(in crate::embedded) use crate::row::encode_entry;
pub(in crate::embedded) use crate::row::{Body, Kind, damaged, decode_entry};

/// How a change is told from the others.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;
const DELETE_MANY: u8 = 3;
/// A put with the state of the entry afterwards, which version 1 does not have.
const PUT_WITH_STATE: u8 = 4;

/// A namespace's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct NamespaceRow {
    /// What is stored, entries that have expired and are not yet removed included.
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
    let (kind, size, state) = match &change.kind {
        ChangeKind::Put(Put { size, state: None }) => (PUT, *size as u64, None),
        ChangeKind::Put(Put { size, state }) => (PUT_WITH_STATE, *size as u64, state.as_ref()),
        ChangeKind::Delete => (DELETE, 0, None),
        ChangeKind::Expire => (EXPIRE, 0, None),
    };
    let mut row = Row::new(64 + change.key.as_str().len());
    row.0.push(kind);
    row.u64(size);
    row.u64(change.time.as_millis());
    row.optional_job(change.job.as_ref());
    if let Some(state) = state {
        write_state(&mut row.0, state, change.time, change.job.as_ref());
    }
    row.0.extend_from_slice(change.key.as_str().as_bytes());
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
        let kind = body.u8()?;
        if kind == GROUP {
            return read_group(&mut body, at);
        }
        let size = usize::try_from(body.u64()?).ok()?;
        let time = body.instant()?;
        let job = body.optional_job()?;
        let kind = match kind {
            PUT => ChangeKind::Put(Put { size, state: None }),
            PUT_WITH_STATE => {
                let state = Some(read_state(&mut body, time, job.as_ref())?);
                ChangeKind::Put(Put { size, state })
            }
            DELETE => ChangeKind::Delete,
            EXPIRE => ChangeKind::Expire,
            DELETE_MANY => return read_deletions(&mut body, at, size, &job, time),
            _ => return None,
        };
        let key = Key::stored(body.0)?;
        Some(vec![Change {
            at,
            key,
            kind,
            job,
            time,
        }])
    };
    readable(Kind::Change, key, read)
}

fn read_deletions(
    body: &mut Body<'_>,
    last: Cursor,
    count: usize,
    job: &Option<Job>,
    time: Timestamp,
) -> Option<Vec<Change>> {
    let count = u32::try_from(count).ok().filter(|count| *count > 0)?;
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

/// How far a deletion in pieces is.
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
            namespace: Namespace::parse(std::str::from_utf8(body.text()?).ok()?).ok()?,
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
    row.u64(space.log_floor.revision.get());
    row.0
        .extend_from_slice(&space.log_floor.index.to_be_bytes());
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
        let log_floor = Cursor {
            revision: Revision::new(body.u64()?),
            index: u32::from_be_bytes(body.take()?),
        };
        body.0.is_empty().then_some(NamespaceRow {
            usage,
            log_rows,
            log_floor,
        })
    })
}

#[cfg(test)]
mod tests;
