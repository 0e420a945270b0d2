//! The row of an entry: the same in every engine.

use bytes::Bytes;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::{Revision, StoreError, Value};

use super::{Body, Kind, Row, readable};

/// Which of the optional fields of an entry follow.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 2;
const HAS_JOB: u8 = 4;

pub(crate) fn encode_entry(key: &[u8], entry: &Entry) -> Vec<u8> {
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
pub(crate) fn decode_entry(key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
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
