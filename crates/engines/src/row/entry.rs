//! The row of an entry: the same in every engine.

use std::ops::Range;

use bytes::Bytes;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::{Revision, StoreError, Value, WriteId};

use super::{Body, CHECKSUM, Kind, VERSION, checksum, put_text, readable};

/// Flags of the optional fields of an entry that follow. Version 1 has the first three.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 1 << 1;
const HAS_JOB: u8 = 1 << 2;
const HAS_CLAIMS: u8 = 1 << 3;
const HAS_CLAIMED_BY: u8 = 1 << 4;
const HAS_WRITE_ID: u8 = 1 << 5;
const ALL: u8 = (1 << 6) - 1;

#[cfg(any(test, feature = "etcd"))]
pub(crate) fn encode_entry(key: &[u8], entry: &Entry) -> Vec<u8> {
    let mut row = Vec::with_capacity(80 + entry.value.len());
    append_entry(&mut row, key, entry);
    row
}

/// Appends the row of an entry; answers where its metadata is in `to`.
pub(crate) fn append_entry(to: &mut Vec<u8>, key: &[u8], entry: &Entry) -> Range<usize> {
    let start = to.len();
    to.push(VERSION);
    let metadata = to.len();
    write_metadata(to, &entry.metadata);
    let value = to.len();
    to.extend_from_slice(entry.value.as_bytes());
    let sum = checksum(Kind::Entry, key, &to[start..]);
    to.extend_from_slice(&sum.to_be_bytes());
    metadata..value
}

/// Bytes of an entry's row beside its metadata and its value.
pub(crate) const AROUND_ENTRY: usize = 1 + CHECKSUM;

/// The value shares its bytes with the row.
pub(crate) fn decode_entry(key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
    let body = Body::open(Kind::Entry, key, row)?;
    readable(Kind::Entry, key, || read_entry(body, row))
}

/// Reads an entry up to the end of a body that is a part of `bytes`, which the value shares.
pub(crate) fn read_entry(mut body: Body<'_>, bytes: &Bytes) -> Option<Entry> {
    let metadata = read_metadata(&mut body)?;
    let value = Value::stored(bytes.slice_ref(body.0));
    Some(Entry {
        metadata: Metadata {
            size: value.len(),
            ..metadata
        },
        value,
    })
}

/// Writes the metadata of an entry, all but the size of the value.
pub(crate) fn write_metadata(to: &mut Vec<u8>, metadata: &Metadata) {
    for number in [
        metadata.revision.get(),
        metadata.created.as_millis(),
        metadata.modified.as_millis(),
    ] {
        to.extend_from_slice(&number.to_be_bytes());
    }
    let flags_at = to.len();
    let mut flags = 0;
    to.push(flags);
    for (instant, flag) in [
        (metadata.expires, HAS_EXPIRES),
        (metadata.claimed_until, HAS_CLAIM),
    ] {
        if let Some(instant) = instant {
            flags |= flag;
            to.extend_from_slice(&instant.as_millis().to_be_bytes());
        }
    }
    if let Some(job) = &metadata.job {
        flags |= HAS_JOB;
        put_text(to, job.as_str());
    }
    if metadata.claims > 0 {
        flags |= HAS_CLAIMS;
        to.extend_from_slice(&metadata.claims.to_be_bytes());
    }
    if let Some(job) = &metadata.claimed_by {
        flags |= HAS_CLAIMED_BY;
        put_text(to, job.as_str());
    }
    if let Some(id) = &metadata.write_id {
        flags |= HAS_WRITE_ID;
        put_text(to, id.as_str());
    }
    to[flags_at] = flags;
}

/// Reads what [`write_metadata`] wrote, in this version or an earlier one. The size is left 0.
pub(crate) fn read_metadata(body: &mut Body<'_>) -> Option<Metadata> {
    let revision = Revision::new(body.u64()?);
    let created = body.instant()?;
    let modified = body.instant()?;
    let flags = body.u8()?;
    if flags & !ALL != 0 {
        return None;
    }
    let has = |flag| flags & flag != 0;
    Some(Metadata {
        revision,
        created,
        modified,
        expires: optional(has(HAS_EXPIRES), || body.instant())?,
        claimed_until: optional(has(HAS_CLAIM), || body.instant())?,
        job: optional(has(HAS_JOB), || body.job())?,
        claims: optional(has(HAS_CLAIMS), || body.u32())?.unwrap_or_default(),
        claimed_by: optional(has(HAS_CLAIMED_BY), || body.job())?,
        write_id: optional(has(HAS_WRITE_ID), || WriteId::parse(body.text()?).ok())?,
        size: 0,
    })
}

/// An optional field. The outer `None` is damage.
fn optional<T>(is_there: bool, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if is_there {
        read().map(Some)
    } else {
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    #[test]
    fn an_entry_that_was_read_from_any_row_is_written_and_read_as_the_same() {
        let key = b"key";
        prominence_fuzz::run("entry", |input| {
            let mut row = Row::new(input.len());
            row.0.extend_from_slice(input);
            let row = Bytes::from(row.finish(Kind::Entry, key));
            if let Ok(entry) = decode_entry(key, &row) {
                let again = Bytes::from(encode_entry(key, &entry));
                assert_eq!(decode_entry(key, &again).unwrap(), entry);
            }
            // Without a right checksum it is refused, whatever it has.
            assert!(decode_entry(key, &Bytes::copy_from_slice(input)).is_err());
        });
    }
}
