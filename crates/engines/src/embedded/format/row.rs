//! What all rows have in common: a version, a body, and a checksum.

use prominence_core::{Job, StoreError, Timestamp};
use xxhash_rust::xxh3::Xxh3;

/// The version of every row that this program writes, and the only one that it reads.
pub(super) const VERSION: u8 = 1;

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

/// What kind of row it is. One kind can't be taken for another, as it enters the checksum.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) enum Kind {
    Entry,
    Change,
    Expiry,
    Namespace,
    ExpiryFloor,
    Deletion,
}

/// The error for a row that can't be what was written.
pub(in crate::embedded) fn damaged(kind: Kind, key: &[u8], how: &str) -> StoreError {
    let name = match kind {
        Kind::Entry => "entry",
        Kind::Change => "change",
        Kind::Expiry => "expiry row",
        Kind::Namespace => "namespace row",
        Kind::ExpiryFloor => "expiry floor",
        Kind::Deletion => "state of a deletion",
    };
    StoreError::Corrupt {
        what: format!("the {name} at \"{}\" {how}", key.escape_ascii()),
    }
}

/// What was read, or the error for a body that does not hold it.
pub(super) fn readable<T>(
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
pub(super) struct Row(pub(super) Vec<u8>);

impl Row {
    pub(super) fn new(body: usize) -> Self {
        let mut row = Vec::with_capacity(1 + body + CHECKSUM);
        row.push(VERSION);
        Self(row)
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    pub(super) fn job(&mut self, job: &Job) {
        self.text(job.as_str());
    }

    pub(super) fn optional_job(&mut self, job: Option<&Job>) {
        match job {
            Some(job) => self.job(job),
            // No job has an empty identifier.
            None => self.u16(0),
        }
    }

    /// A text with its length before it; keys and names are far shorter than that can tell.
    pub(super) fn text(&mut self, text: &str) {
        self.u16(u16::try_from(text.len()).unwrap_or(u16::MAX));
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn finish(mut self, kind: Kind, key: &[u8]) -> Vec<u8> {
        let sum = checksum(kind, key, &self.0);
        self.u64(sum);
        self.0
    }
}

/// What is left to read of a row's body.
pub(in crate::embedded) struct Body<'a>(pub(in crate::embedded) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn open(kind: Kind, key: &[u8], row: &'a [u8]) -> Result<Self, StoreError> {
        let (covered, sum) = row
            .split_last_chunk::<CHECKSUM>()
            .ok_or_else(|| damaged(kind, key, "is cut short"))?;
        if checksum(kind, key, covered) != u64::from_be_bytes(*sum) {
            return Err(damaged(kind, key, "fails its checksum"));
        }
        match covered.split_first() {
            Some((&VERSION, body)) => Ok(Self(body)),
            _ => Err(damaged(kind, key, "has a version that is not known")),
        }
    }

    pub(in crate::embedded) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(in crate::embedded) fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    pub(in crate::embedded) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(in crate::embedded) fn last_u64(&mut self) -> Option<u64> {
        let number = self.u64()?;
        self.0.is_empty().then_some(number)
    }

    pub(in crate::embedded) fn instant(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_millis)
    }

    /// What [`Row::text`] wrote.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    pub(in crate::embedded) fn job(&mut self) -> Option<Job> {
        self.optional_job()?
    }

    /// The outer `None` is damage, the inner one no job.
    pub(in crate::embedded) fn optional_job(&mut self) -> Option<Option<Job>> {
        let id = self.text()?;
        if id.is_empty() {
            return Some(None);
        }
        let id = std::str::from_utf8(id).ok()?;
        Job::parse(id).ok().map(Some)
    }
}
