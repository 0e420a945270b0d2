//! What stands in the rows: versioned, checksummed encodings.
//!
//! A row is its version (1 byte), a body, and the XXH3 checksum (64 bits, big-endian; seed 0) of
//! kind, version, key and body. The storage engine has checksums of its own; this one also
//! notices a row that turns up under another key, and whatever happens to it in memory.
//! Numbers in the bodies are big-endian.

use bytes::Bytes;
use prominence_core::entry::{Entry, Metadata};
use prominence_core::{
    Change, ChangeKind, Cursor, Job, Revision, StoreError, Timestamp, Usage, Value,
};
use xxhash_rust::xxh3::Xxh3;

use super::keys;

/// The version of every row that this program writes, and the only one that it reads.
const VERSION: u8 = 1;

/// Bytes of the checksum at the end.
const CHECKSUM: usize = 8;

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

/// What kind of row it is. One kind can't be taken for another, as it enters the checksum.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Entry,
    Change,
    Expiry,
    Namespace,
    ExpiryFloor,
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
        let key = keys::canonical(body.0)?;
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

/// The error for a row that can't be what was written.
pub(super) fn damaged(kind: Kind, key: &[u8], how: &str) -> StoreError {
    let name = match kind {
        Kind::Entry => "entry",
        Kind::Change => "change",
        Kind::Expiry => "expiry row",
        Kind::Namespace => "namespace row",
        Kind::ExpiryFloor => "expiry floor",
    };
    StoreError::Corrupt {
        what: format!("the {name} at \"{}\" {how}", key.escape_ascii()),
    }
}

fn readable<T>(kind: Kind, key: &[u8], read: impl FnOnce() -> Option<T>) -> Result<T, StoreError> {
    read().ok_or_else(|| damaged(kind, key, "has fields that make no sense"))
}

fn checksum(kind: Kind, key: &[u8], version_and_body: &[u8]) -> u64 {
    let kind = match kind {
        Kind::Entry => b'e',
        Kind::Change => b'c',
        Kind::Expiry => b'x',
        Kind::Namespace => b'n',
        Kind::ExpiryFloor => b'f',
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
struct Row(Vec<u8>);

impl Row {
    fn new(body: usize) -> Self {
        let mut row = Vec::with_capacity(1 + body + CHECKSUM);
        row.push(VERSION);
        Self(row)
    }

    fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn job(&mut self, job: &Job) {
        let id = job.as_str().as_bytes();
        // A job's identifier is a few hundred bytes at most.
        self.u16(u16::try_from(id.len()).unwrap_or(u16::MAX));
        self.0.extend_from_slice(id);
    }

    fn finish(mut self, kind: Kind, key: &[u8]) -> Vec<u8> {
        let sum = checksum(kind, key, &self.0);
        self.u64(sum);
        self.0
    }
}

/// What is left to read of a row's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn open(kind: Kind, key: &[u8], row: &'a [u8]) -> Result<Self, StoreError> {
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

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take().map(u8::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn last_u64(&mut self) -> Option<u64> {
        let number = self.u64()?;
        self.0.is_empty().then_some(number)
    }

    fn instant(&mut self) -> Option<Timestamp> {
        self.u64().map(Timestamp::from_millis)
    }

    fn job(&mut self) -> Option<Job> {
        self.optional_job()?
    }

    /// The outer `None` is damage, the inner one no job.
    fn optional_job(&mut self) -> Option<Option<Job>> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (id, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        if id.is_empty() {
            return Some(None);
        }
        let id = std::str::from_utf8(id).ok()?;
        Job::parse(id).ok().map(Some)
    }
}

#[cfg(test)]
mod tests;
