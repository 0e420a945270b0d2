//! The bytes of a group in the log: a header, and the rows that the group puts and removes.
//!
//! All numbers are big-endian. A header has 48 bytes:
//!
//! | bytes | field |
//! | --- | --- |
//! | 4 | `PKVG` |
//! | 1 + 3 | the version of this format, 1, and zeros |
//! | 4 | the number of the segment that the group is in |
//! | 4 | bytes of the rows that follow |
//! | 8 | the number of the group; groups are numbered without gaps |
//! | 8 | the sequence number of its rows in the trees |
//! | 8 | XXH3 over all fields before and the rows |
//! | 8 | XXH3 over all fields before |
//!
//! A row is its kind (1 byte: the number of its table, and [`REMOVED`] where it is removed), the
//! bytes of its key (2), for a put the bytes of its content (4), the key, and the content.
//!
//! The header has a checksum of its own so that a reader knows where a group ends although its rows
//! are torn, and finds what stands behind it.

use std::ops::Range;

use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The first bytes of a group.
pub(in crate::embedded) const MAGIC: [u8; 4] = *b"PKVG";

/// The version of the format, in a header.
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// Bytes of a header.
pub(in crate::embedded) const HEADER: usize = 48;

/// The positions of the checksum over header and rows, and of that of the header.
const SUM: Range<usize> = 32..40;
const HEADER_SUM: Range<usize> = 40..48;

/// Set in the kind of a row that is removed.
const REMOVED: u8 = 1 << 7;

/// The fields of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::embedded) struct Header {
    /// The number of the segment.
    pub(in crate::embedded) segment: u32,
    /// Bytes of the rows.
    pub(in crate::embedded) length: u32,
    /// The number of the group.
    pub(in crate::embedded) group: u64,
    /// The sequence number of the rows.
    pub(in crate::embedded) sequence: u64,
    sum: u64,
}

/// A group on its way into the log.
#[derive(Debug)]
pub(in crate::embedded) struct GroupBuffer(Vec<u8>);

/// A row as a group has it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::embedded) struct LoggedRow<'a> {
    /// The number of its table.
    pub(in crate::embedded) table: u8,
    pub(in crate::embedded) key: &'a [u8],
    /// The content that is put; `None` if the row is removed.
    pub(in crate::embedded) content: Option<&'a [u8]>,
    /// The start of the content, from the beginning of the group on.
    pub(in crate::embedded) offset: usize,
}

impl Header {
    /// Reads a header; `None` where these bytes are none that was written.
    pub(in crate::embedded) fn read(bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        if header[..4] != MAGIC || header[4..8] != VERSION {
            return None;
        }
        let u32_at = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?));
        let u64_at = |at: usize| Some(u64::from_be_bytes(*header.get(at..)?.first_chunk()?));
        if u64_at(HEADER_SUM.start)? != xxh3_64(&header[..HEADER_SUM.start]) {
            return None;
        }
        Some(Self {
            segment: u32_at(8)?,
            length: u32_at(12)?,
            group: u64_at(16)?,
            sequence: u64_at(24)?,
            sum: u64_at(SUM.start)?,
        })
    }

    /// Bytes of the whole group.
    pub(in crate::embedded) fn whole(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    /// True if these are the header and the rows that were written.
    pub(in crate::embedded) fn is_of(&self, group: &[u8]) -> bool {
        group.len() as u64 == self.whole() && sum(group) == self.sum
    }
}

/// The checksum over everything but the checksums.
fn sum(group: &[u8]) -> u64 {
    let mut sum = Xxh3::new();
    sum.update(&group[..SUM.start]);
    sum.update(&group[HEADER..]);
    sum.digest()
}

impl GroupBuffer {
    /// An empty group with room for so many bytes.
    pub(in crate::embedded) fn with_capacity(bytes: usize) -> Self {
        let mut buffer = Vec::with_capacity(HEADER + bytes);
        buffer.resize(HEADER, 0);
        Self(buffer)
    }

    /// Adds a row that is put; `write` appends its content. Answers where the content is.
    pub(in crate::embedded) fn put(
        &mut self,
        table: u8,
        key: &[u8],
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Range<usize> {
        self.0.push(table);
        self.key_length(key);
        let length_at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        self.0.extend_from_slice(key);
        let start = self.0.len();
        write(&mut self.0);
        let end = self.0.len();
        self.0[length_at..length_at + 4].copy_from_slice(&count(end - start).to_be_bytes());
        start..end
    }

    /// Adds a row that is removed.
    pub(in crate::embedded) fn remove(&mut self, table: u8, key: &[u8]) {
        self.0.push(table | REMOVED);
        self.key_length(key);
        self.0.extend_from_slice(key);
    }

    /// Writes the header; nothing may be added afterwards.
    pub(in crate::embedded) fn seal(&mut self, segment: u32, group: u64, sequence: u64) {
        let length = count(self.0.len() - HEADER);
        let header = &mut self.0[..HEADER];
        header[..4].copy_from_slice(&MAGIC);
        header[4..8].copy_from_slice(&VERSION);
        header[8..12].copy_from_slice(&segment.to_be_bytes());
        header[12..16].copy_from_slice(&length.to_be_bytes());
        header[16..24].copy_from_slice(&group.to_be_bytes());
        header[24..32].copy_from_slice(&sequence.to_be_bytes());
        let whole = sum(&self.0);
        self.0[SUM].copy_from_slice(&whole.to_be_bytes());
        let own = xxh3_64(&self.0[..HEADER_SUM.start]);
        self.0[HEADER_SUM].copy_from_slice(&own.to_be_bytes());
    }

    /// Everything, with the header.
    pub(in crate::embedded) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Bytes of everything, with the header.
    pub(in crate::embedded) fn len(&self) -> usize {
        self.0.len()
    }

    fn key_length(&mut self, key: &[u8]) {
        // A row's key is a namespace, a key and a few numbers: less than 2 KiB.
        let length = u16::try_from(key.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
    }
}

/// A group is a few commits of bounded size, far smaller than that can tell.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Reads the rows of a whole group, in order. `None` where they make no sense.
pub(in crate::embedded) fn rows(group: &[u8]) -> impl Iterator<Item = Option<LoggedRow<'_>>> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        if at >= group.len() {
            return None;
        }
        let row = read_row(group, at);
        at = match &row {
            Some(row) => row.offset + row.content.map_or(0, <[u8]>::len),
            // Nothing behind it can be found.
            None => group.len(),
        };
        Some(row)
    })
}

fn read_row(group: &[u8], at: usize) -> Option<LoggedRow<'_>> {
    let (kind, rest) = group.get(at..)?.split_first()?;
    let (key_length, rest) = rest.split_first_chunk()?;
    let key_length = usize::from(u16::from_be_bytes(*key_length));
    let is_removed = kind & REMOVED != 0;
    let (length, rest) = if is_removed {
        (0, rest)
    } else {
        let (length, rest) = rest.split_first_chunk()?;
        (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
    };
    let (key, rest) = rest.split_at_checked(key_length)?;
    let content = rest.get(..length)?;
    Some(LoggedRow {
        table: kind & !REMOVED,
        key,
        content: (!is_removed).then_some(content),
        offset: group.len() - rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> GroupBuffer {
        let mut group = GroupBuffer::with_capacity(64);
        let put = group.put(1, b"key", |to| to.extend_from_slice(b"content"));
        assert_eq!(&group.bytes()[put], b"content");
        group.remove(3, b"another");
        group.put(0, b"", |_| {});
        group.seal(7, 8, 9);
        group
    }

    #[test]
    fn a_group_is_read_back() {
        let group = group();
        let header = Header::read(group.bytes()).unwrap();
        assert_eq!((header.segment, header.group, header.sequence), (7, 8, 9));
        assert_eq!(header.whole(), group.len() as u64);
        assert!(header.is_of(group.bytes()));
        let rows: Vec<_> = rows(group.bytes()).map(Option::unwrap).collect();
        let put = |row: &LoggedRow<'_>| (row.table, row.content.map(<[u8]>::to_vec));
        let found: Vec<_> = rows.iter().map(put).collect();
        let expected = [
            (1, Some(b"content".to_vec())),
            (3, None),
            (0, Some(Vec::new())),
        ];
        assert_eq!(found, expected);
        let keys: Vec<_> = rows.iter().map(|row| row.key).collect();
        assert_eq!(keys, [b"key".as_slice(), b"another", b""]);
        assert_eq!(&group.bytes()[rows[0].offset..][..7], b"content");
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let group = group();
        for at in 0..group.len() {
            for bit in 0..8 {
                let mut damaged = group.bytes().to_vec();
                damaged[at] ^= 1 << bit;
                let header = Header::read(&damaged);
                assert!(
                    header.is_none_or(|header| !header.is_of(&damaged)),
                    "{at} {bit}"
                );
            }
        }
    }

    #[test]
    fn rows_that_are_cut_short_make_no_sense() {
        let group = group();
        for end in HEADER..group.len() {
            let all: Option<Vec<_>> = rows(&group.bytes()[..end]).collect();
            let complete = all.is_some_and(|rows| rows.len() == 3);
            assert!(!complete, "{end}");
        }
    }
}
