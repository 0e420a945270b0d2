//! The row that the index has for an entry: the row itself, or its place in the log.
//!
//! The row of an entry whose value is large stands in the log alone. The index has in its place
//!
//! | bytes | field |
//! | --- | --- |
//! | 1 | [`LOCATED`], which no version of a row has |
//! | 4, 4, 4 | segment, offset and length of the row, big-endian |
//! | the rest | the entry's metadata, as in the row |
//!
//! It has no checksum of its own: blocks of the trees have one, and the row in the log has one that
//! covers its key.

use std::ops::Range;

use bytes::Bytes;
use prominence_core::StoreError;
use prominence_core::entry::{Entry, Metadata};

use crate::embedded::error::{ReadError, Wait, read_failed};
use crate::embedded::files::group_log::Segments;
use crate::embedded::files::group_log::segment::{Location, name};
use crate::row::{AROUND_ENTRY, Body, Kind, damaged, decode_entry, read_metadata, readable};

/// The first byte of a row that is elsewhere.
const LOCATED: u8 = u8::MAX;

/// Bytes of a value from which on its row stands in the log alone. Smaller ones cost less where they
/// are: a read of the log takes as long as several reads of memory.
pub(super) const MIN_LOCATED_VALUE: usize = 512;

/// Bytes before the metadata.
const HEAD: usize = 13;

/// The row for an entry with this metadata, of which the place is set later.
pub(super) fn located(metadata: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(HEAD + metadata.len());
    row.push(LOCATED);
    row.resize(HEAD, 0);
    row.extend_from_slice(metadata);
    row
}

/// The place where the metadata is in the row of an entry that this version wrote.
pub(super) fn metadata_range(entry_row: &[u8]) -> Option<Range<usize>> {
    let mut body = Body(entry_row.get(1..)?);
    read_metadata(&mut body)?;
    Some(1..entry_row.len() - body.0.len())
}

/// Bytes of the value in the row of an entry.
pub(super) fn value_bytes(entry_row: &[u8], metadata: &Range<usize>) -> Option<usize> {
    entry_row.len().checked_sub(metadata.len() + AROUND_ENTRY)
}

/// Sets where the row is.
pub(super) fn locate(row: &mut [u8], location: Location) {
    row[1..5].copy_from_slice(&location.segment.to_be_bytes());
    row[5..9].copy_from_slice(&location.offset.to_be_bytes());
    row[9..13].copy_from_slice(&location.length.to_be_bytes());
}

/// The place where the row is, if it is elsewhere.
pub(super) fn location(row: &[u8]) -> Option<Location> {
    let row = row.strip_prefix(&[LOCATED])?;
    let number = |at: usize| Some(u32::from_be_bytes(*row.get(at..)?.first_chunk()?));
    Some(Location {
        segment: number(0)?,
        offset: number(4)?,
        length: number(8)?,
    })
}

/// The metadata of the entry.
pub(super) fn metadata(key: &[u8], row: &Bytes) -> Result<Metadata, StoreError> {
    let Some(location) = location(row) else {
        return Ok(decode_entry(key, row)?.metadata);
    };
    let mut body = Body(row.get(HEAD..).unwrap_or_default());
    let beside_value = body.0.len() + AROUND_ENTRY;
    readable(Kind::Entry, key, || {
        let metadata = read_metadata(&mut body)?;
        let length = usize::try_from(location.length).ok()?;
        let size = length.checked_sub(beside_value)?;
        body.0.is_empty().then_some(Metadata { size, ..metadata })
    })
}

/// The entry, from the row or from the log.
pub(super) fn entry(segments: &Segments, key: &[u8], row: &Bytes) -> Result<Entry, StoreError> {
    match location(row) {
        None => decode_entry(key, row),
        Some(location) => match entry_in(segments, key, location, Wait::Allowed) {
            Ok(entry) => Ok(entry),
            Err(ReadError::Failed(error)) => Err(error),
            Err(ReadError::WouldWait) => Err(damaged(Kind::Entry, key, "was not read")),
        },
    }
}

/// The entry whose row is at a place.
pub(super) fn entry_in(
    segments: &Segments,
    key: &[u8],
    location: Location,
    wait: Wait,
) -> Result<Entry, ReadError> {
    let row = read(segments, key, location, wait)?;
    let entry = decode_entry(key, &row);
    Ok(entry.map_err(|error| in_segment(error, location))?)
}

/// The row that is at a place.
fn read(
    segments: &Segments,
    key: &[u8],
    location: Location,
    wait: Wait,
) -> Result<Bytes, ReadError> {
    let Some(segment) = segments.get(&location.segment) else {
        let error = damaged(Kind::Entry, key, "is in a segment that is not there");
        return Err(in_segment(error, location).into());
    };
    let length = usize::try_from(location.length).unwrap_or(usize::MAX);
    let read = match wait {
        Wait::Allowed => segment.read(location.offset.into(), length).map(Some),
        Wait::Refused => segment.read_at_once(location.offset.into(), length),
    };
    match read {
        Ok(Some(row)) => Ok(row.into()),
        Ok(None) => Err(ReadError::WouldWait),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            let error = damaged(Kind::Entry, key, "is behind the end of its segment");
            Err(in_segment(error, location).into())
        }
        Err(error) => Err(read_failed(error.into()).into()),
    }
}

/// Names the file that the row was read from.
fn in_segment(error: StoreError, location: Location) -> StoreError {
    match error {
        StoreError::Corrupt { what } => StoreError::Corrupt {
            what: format!(
                "{what}, in store/log/{} at byte {}",
                name(location.segment),
                location.offset
            ),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prominence_core::{Job, Revision, Timestamp, Value};

    use crate::row::append_entry;

    #[test]
    fn a_row_that_is_elsewhere_tells_where_and_all_metadata() {
        let instant = Timestamp::from_millis;
        let entry = Entry {
            value: Value::stored(vec![7; 600].into()),
            metadata: Metadata {
                revision: Revision::new(1),
                created: instant(2),
                modified: instant(3),
                expires: Some(instant(4)),
                job: Job::parse("a").ok(),
                claimed_until: Some(instant(5)),
                claims: 6,
                claimed_by: Job::parse("b").ok(),
                write_id: None,
                size: 600,
            },
        };
        let mut whole = Vec::new();
        let range = append_entry(&mut whole, b"key", &entry);
        let mut row = located(&whole[range]);
        let at = Location {
            segment: 1,
            offset: 2,
            length: u32::try_from(whole.len()).unwrap(),
        };
        locate(&mut row, at);
        assert_eq!(location(&row), Some(at));
        let row = Bytes::from(row);
        assert_eq!(metadata(b"key", &row).unwrap(), entry.metadata);
        let whole = Bytes::from(whole);
        assert_eq!(location(&whole), None);
        assert_eq!(metadata(b"key", &whole).unwrap(), entry.metadata);
        for end in 1..row.len() {
            assert!(metadata(b"key", &row.slice(..end)).is_err(), "{end}");
        }
    }
}
