//! What stands in the rows: versioned, checksummed encodings.
//!
//! A row is its version (1 byte), a body, and the XXH3 checksum (64 bits, big-endian; seed 0) of
//! kind, version, key and body. The storage engine has checksums of its own; this one also
//! notices a row that turns up under another key, and whatever happens to it in memory.
//! Numbers in the bodies are big-endian.

mod row;

use bytes::Bytes;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::{
    Change, ChangeKind, Cursor, Key, Revision, StoreError, Timestamp, Usage, Value,
};

use super::keys;
use row::{Row, readable};

pub(super) use row::{Body, Kind, damaged};

/// Which of the optional fields of an entry follow.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 2;
const HAS_JOB: u8 = 4;

/// How a change is told from the others.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;

/// A namespace's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamespaceRow {
    /// What is stored, entries that have expired and are not yet removed included.
    pub(super) usage: Usage,
    /// Rows in the log.
    pub(super) log_rows: u64,
    /// Nothing up to and including this place is in the log any more.
    pub(super) log_floor: Cursor,
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

pub(super) fn encode_entry(key: &[u8], entry: &Entry) -> Vec<u8> {
    let metadata = &entry.metadata;
    let mut flags = 0;
    let mut row = Row::new(64 + entry.value.len());
    row.u64(metadata.revision.get());
    row.u64(metadata.created.as_millis());
    row.u64(metadata.modified.as_millis());
    let flags_at = row.0.len();
    row.0.push(flags);
    if let Some(expires) = metadata.expires {
        flags |= HAS_EXPIRES;
        row.u64(expires.as_millis());
    }
    if let Some(claimed) = metadata.claimed_until {
        flags |= HAS_CLAIM;
        row.u64(claimed.as_millis());
    }
    if let Some(job) = &metadata.job {
        flags |= HAS_JOB;
        row.job(job);
    }
    row.0[flags_at] = flags;
    row.0.extend_from_slice(entry.value.as_bytes());
    row.finish(Kind::Entry, key)
}

/// The value shares its bytes with the row.
pub(super) fn decode_entry(key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
    let mut body = Body::open(Kind::Entry, key, row)?;
    let read = || -> Option<Entry> {
        let revision = Revision::new(body.u64()?);
        let created = body.instant()?;
        let modified = body.instant()?;
        let flags = body.u8()?;
        if flags & !(HAS_EXPIRES | HAS_CLAIM | HAS_JOB) != 0 {
            return None;
        }
        let expires = if flags & HAS_EXPIRES == 0 {
            None
        } else {
            Some(body.instant()?)
        };
        let claimed_until = if flags & HAS_CLAIM == 0 {
            None
        } else {
            Some(body.instant()?)
        };
        let job = if flags & HAS_JOB == 0 {
            None
        } else {
            Some(body.job()?)
        };
        let value = Value::stored(row.slice_ref(body.0));
        let metadata = Metadata {
            revision,
            created,
            modified,
            expires,
            job,
            claimed_until,
            size: value.len(),
        };
        Some(Entry { value, metadata })
    };
    readable(Kind::Entry, key, read)
}

pub(super) fn encode_change(key: &[u8], change: &Change) -> Vec<u8> {
    let (kind, size) = match change.kind {
        ChangeKind::Put { size } => (PUT, size as u64),
        ChangeKind::Delete => (DELETE, 0),
        ChangeKind::Expire => (EXPIRE, 0),
    };
    let mut row = Row::new(64 + change.key.as_str().len());
    row.0.push(kind);
    row.u64(size);
    row.u64(change.time.as_millis());
    match &change.job {
        Some(job) => row.job(job),
        // No job has an empty identifier.
        None => row.u16(0),
    }
    row.0.extend_from_slice(change.key.as_str().as_bytes());
    row.finish(Kind::Change, key)
}

pub(super) fn decode_change(key: &[u8], row: &[u8]) -> Result<Change, StoreError> {
    let mut body = Body::open(Kind::Change, key, row)?;
    let read = || {
        let at = keys::read_change(key)?;
        let kind = body.u8()?;
        let size = usize::try_from(body.u64()?).ok()?;
        let time = body.instant()?;
        let kind = match kind {
            PUT => ChangeKind::Put { size },
            DELETE => ChangeKind::Delete,
            EXPIRE => ChangeKind::Expire,
            _ => return None,
        };
        let job = body.optional_job()?;
        let key = Key::stored(body.0)?;
        Some(Change {
            at,
            key,
            kind,
            job,
            time,
        })
    };
    readable(Kind::Change, key, read)
}

/// An expiry row holds what the entry counts for, so that usage need not read the entry.
pub(super) fn encode_expiry(key: &[u8], bytes: u64) -> Vec<u8> {
    let mut row = Row::new(8);
    row.u64(bytes);
    row.finish(Kind::Expiry, key)
}

pub(super) fn decode_expiry(key: &[u8], row: &[u8]) -> Result<u64, StoreError> {
    let mut body = Body::open(Kind::Expiry, key, row)?;
    readable(Kind::Expiry, key, || body.last_u64())
}

pub(super) fn encode_expiry_floor(floor: Timestamp) -> Vec<u8> {
    let mut row = Row::new(8);
    row.u64(floor.as_millis());
    row.finish(Kind::ExpiryFloor, keys::EXPIRY_FLOOR)
}

pub(super) fn decode_expiry_floor(row: &[u8]) -> Result<Timestamp, StoreError> {
    let mut body = Body::open(Kind::ExpiryFloor, keys::EXPIRY_FLOOR, row)?;
    readable(Kind::ExpiryFloor, keys::EXPIRY_FLOOR, || {
        body.last_u64().map(Timestamp::from_millis)
    })
}

pub(super) fn encode_namespace(key: &[u8], space: &NamespaceRow) -> Vec<u8> {
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

pub(super) fn decode_namespace(key: &[u8], row: &[u8]) -> Result<NamespaceRow, StoreError> {
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
