//! The common parts of the rows of all engines: a version, a body, and a checksum.
//!
//! A row is its version (1 byte), a body, and the XXH3 checksum (64 bits, big-endian; seed 0) of
//! kind, version, key and body. Storage engines have checksums of their own; this one also
//! notices a row that turns up under another key, and whatever happens to it in memory.
//! Numbers in the bodies are big-endian.

pub(crate) mod change;
mod entry;
mod put;

use prominence_core::{Job, StoreError, Timestamp};
use xxhash_rust::xxh3::Xxh3;

#[cfg(any(test, feature = "etcd"))]
pub(crate) use entry::encode_entry;
pub(crate) use entry::{
    AROUND_ENTRY, append_entry, decode_entry, read_entry, read_metadata, write_metadata,
};
#[cfg(test)]
pub(crate) use put::tests::states;
pub(crate) use put::{read_state, write_state};

/// The version of every row that this program writes. Version 2 added to entries how often they
/// were claimed, by whom, and a write id, and to changes in the log how the entry is afterwards.
pub(crate) const VERSION: u8 = 2;

/// The first version that this program reads. A row of an earlier version is one of the latest
/// without what was added since.
const OLDEST: u8 = 1;

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

/// The kind of a row. It enters the checksum, so a row of one kind is never read as another.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Entry,
    Change,
    Expiry,
    Namespace,
    ExpiryFloor,
    Deletion,
    Head,
    Commits,
    Part,
    Due,
    Mark,
}

/// The error for a row that can't be what was written.
pub(crate) fn damaged(kind: Kind, key: &[u8], how: &str) -> StoreError {
    let name = match kind {
        Kind::Entry => "entry",
        Kind::Change => "change",
        Kind::Expiry => "expiry row",
        Kind::Namespace => "namespace row",
        Kind::ExpiryFloor => "expiry floor",
        Kind::Deletion => "state of a deletion",
        Kind::Head => "head",
        Kind::Commits => "log record",
        Kind::Part => "part of a log record",
        Kind::Due => "expiry hint",
        Kind::Mark => "mark of a migration",
    };
    StoreError::Corrupt {
        what: format!("the {name} at \"{}\" {how}", key.escape_ascii()),
    }
}

/// The result of a read, or the error for a body that it does not fit.
pub(crate) fn readable<T>(
    kind: Kind,
    key: &[u8],
    read: impl FnOnce() -> Option<T>,
) -> Result<T, StoreError> {
    read().ok_or_else(|| damaged(kind, key, "has fields that make no sense"))
}

fn checksum(kind: Kind, key: &[u8], version_and_body: &[u8]) -> u64 {
    let kind = match kind {
        Kind::Entry => b'e',
        Kind::Change => b'c',
        Kind::Expiry => b'x',
        Kind::Namespace => b'n',
        Kind::ExpiryFloor => b'f',
        Kind::Deletion => b'd',
        Kind::Head => b'h',
        Kind::Commits => b'l',
        Kind::Part => b'p',
        Kind::Due => b'u',
        Kind::Mark => b'm',
    };
    let mut hash = Xxh3::new();
    hash.update(&[kind]);
    // The length keeps a byte from moving between key and body unnoticed.
    hash.update(&(key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(version_and_body);
    hash.digest()
}

/// A row being written.
pub(crate) struct Row(pub(crate) Vec<u8>);

impl Row {
    pub(crate) fn new(body: usize) -> Self {
        let mut row = Vec::with_capacity(1 + body + CHECKSUM);
        row.push(VERSION);
        Self(row)
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// A number of items that follow, of which a row never has more than 32 bits can count.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(crate) fn optional_job(&mut self, job: Option<&Job>) {
        match job {
            Some(job) => self.text(job.as_str()),
            // No job has an empty identifier.
            None => self.u16(0),
        }
    }

    /// A text after its length. Keys and names are shorter than 16 bits can count.
    pub(crate) fn text(&mut self, text: &str) {
        put_text(&mut self.0, text);
    }

    pub(crate) fn finish(mut self, kind: Kind, key: &[u8]) -> Vec<u8> {
        let sum = checksum(kind, key, &self.0);
        self.u64(sum);
        self.0
    }
}

/// Writes a text after its length.
pub(crate) fn put_text(to: &mut Vec<u8>, text: &str) {
    // Keys have at most 1,024 bytes and jobs fewer.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(text.as_bytes());
}

/// The rest of a row's body.
pub(crate) struct Body<'a>(pub(crate) &'a [u8]);

impl<'a> Body<'a> {
    pub(crate) fn open(kind: Kind, key: &[u8], row: &'a [u8]) -> Result<Self, StoreError> {
        let (covered, sum) = row
            .split_last_chunk::<CHECKSUM>()
            .ok_or_else(|| damaged(kind, key, "is cut short"))?;
        if checksum(kind, key, covered) != u64::from_be_bytes(*sum) {
            return Err(damaged(kind, key, "fails its checksum"));
        }
        match covered.split_first() {
            Some((OLDEST..=VERSION, body)) => Ok(Self(body)),
            _ => Err(damaged(kind, key, "has a version that is not known")),
        }
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn last_u64(&mut self) -> Option<u64> {
        let number = self.u64()?;
        self.0.is_empty().then_some(number)
    }

    pub(crate) fn instant(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_millis)
    }

    /// Reads a text that [`Row::text`] wrote.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    pub(crate) fn job(&mut self) -> Option<Job> {
        self.optional_job()?
    }

    /// The outer `None` is damage, the inner one no job.
    pub(crate) fn optional_job(&mut self) -> Option<Option<Job>> {
        let id = self.text()?;
        if id.is_empty() {
            return Some(None);
        }
        let id = std::str::from_utf8(id).ok()?;
        Job::parse(id).ok().map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use prominence_core::{Entry, Metadata, Revision, Value};

    use super::*;

    /// An entry with a value of so many bytes, without a claim, a job or an end.
    pub(crate) fn entry(size: usize) -> Entry {
        Entry {
            value: Value::stored(vec![b'v'; size].into()),
            metadata: Metadata {
                revision: Revision::new(1),
                created: Timestamp::from_secs(1),
                modified: Timestamp::from_secs(1),
                expires: None,
                job: None,
                claimed_until: None,
                claims: 0,
                claimed_by: None,
                write_id: None,
                size,
            },
        }
    }
}
