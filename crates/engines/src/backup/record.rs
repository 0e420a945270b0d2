//! The content of the frames of a backup.
//!
//! Numbers are big-endian, instants milliseconds since 1970. A text is its length (2 bytes) and
//! its bytes, except at the end of a record, where it is what is left.

use bytes::Bytes;
use prominence_core::{
    Change, ChangeKind, Cursor, Entry, Job, Key, Metadata, Namespace, Put, Revision, Value,
};

use crate::row::{Body, put_text, read_metadata, read_state, write_metadata, write_state};

/// The kinds of records.
const NAMESPACE: u8 = b'n';
const ENTRY: u8 = b'e';
const CHANGE: u8 = b'c';
const END: u8 = b'z';

/// The kinds of changes.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;
/// A put with the state of the entry afterwards, which version 1 does not have.
const PUT_WITH_STATE: u8 = 3;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// A namespace; its entries follow, and then its changes.
    Namespace(Space),
    Entry(Key, Entry),
    Change(Change),
    /// The last record of every backup.
    End(End),
}

/// The state of a namespace beside its entries and changes. Its usage is not stored, as it
/// is the sum of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) namespace: Namespace,
    /// The latest revision.
    pub(crate) revision: Revision,
    /// Nothing up to and including this place is in the log any more.
    pub(crate) log_floor: Cursor,
}

/// The number of records, and the checksum of all bytes before this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) namespaces: u64,
    pub(crate) entries: u64,
    pub(crate) changes: u64,
    pub(crate) whole: u64,
}

impl Record {
    /// The kind and the body of its frame.
    pub(crate) fn encode(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Namespace(space) => (NAMESPACE, encode_space(space)),
            Self::Entry(key, entry) => (ENTRY, encode_entry(key, entry)),
            Self::Change(change) => (CHANGE, encode_change(change)),
            Self::End(end) => {
                let numbers = [end.namespaces, end.entries, end.changes, end.whole];
                (END, numbers.map(u64::to_be_bytes).concat())
            }
        }
    }

    /// The record in a frame; `None` where the bytes are not one.
    pub(super) fn decode(kind: u8, body: Vec<u8>) -> Option<Self> {
        let body = Bytes::from(body);
        match kind {
            NAMESPACE => decode_space(Body(&body)).map(Self::Namespace),
            ENTRY => decode_entry(&body).map(|(key, entry)| Self::Entry(key, entry)),
            CHANGE => decode_change(Body(&body)).map(Self::Change),
            END => decode_end(Body(&body)).map(Self::End),
            _ => None,
        }
    }
}

fn encode_space(space: &Space) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(&space.revision.get().to_be_bytes());
    put_cursor(&mut body, space.log_floor);
    body.extend_from_slice(space.namespace.as_str().as_bytes());
    body
}

fn decode_space(mut body: Body<'_>) -> Option<Space> {
    let revision = Revision::new(body.u64()?);
    let log_floor = take_cursor(&mut body)?;
    let name = std::str::from_utf8(body.0).ok()?;
    Some(Space {
        namespace: Namespace::parse(name).ok()?,
        revision,
        log_floor,
    })
}

fn encode_entry(key: &Key, entry: &Entry) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + key.as_str().len() + entry.value.len());
    put_text(&mut body, key.as_str());
    write_metadata(&mut body, &entry.metadata);
    body.extend_from_slice(entry.value.as_bytes());
    body
}

fn decode_entry(bytes: &Bytes) -> Option<(Key, Entry)> {
    let mut body = Body(bytes);
    let key = Key::stored(body.text()?)?;
    let metadata = read_metadata(&mut body)?;
    let value = Value::stored(bytes.slice_ref(body.0));
    let metadata = Metadata {
        size: value.len(),
        ..metadata
    };
    Some((key, Entry { value, metadata }))
}

fn encode_change(change: &Change) -> Vec<u8> {
    let (kind, size, state) = match &change.kind {
        ChangeKind::Put(Put { size, state: None }) => (PUT, *size as u64, None),
        ChangeKind::Put(Put { size, state }) => (PUT_WITH_STATE, *size as u64, state.as_ref()),
        ChangeKind::Delete => (DELETE, 0, None),
        ChangeKind::Expire => (EXPIRE, 0, None),
    };
    let mut body = Vec::with_capacity(64 + change.key.as_str().len());
    put_cursor(&mut body, change.at);
    body.push(kind);
    body.extend_from_slice(&size.to_be_bytes());
    body.extend_from_slice(&change.time.as_millis().to_be_bytes());
    // No job has an empty identifier.
    put_text(&mut body, change.job.as_ref().map_or("", Job::as_str));
    if let Some(state) = state {
        write_state(&mut body, state, change.time, change.job.as_ref());
    }
    body.extend_from_slice(change.key.as_str().as_bytes());
    body
}

fn decode_change(mut body: Body<'_>) -> Option<Change> {
    let at = take_cursor(&mut body)?;
    let kind = body.u8()?;
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
        _ => return None,
    };
    let key = Key::stored(body.0)?;
    Some(Change {
        at,
        key,
        kind,
        job,
        time,
    })
}

fn decode_end(mut body: Body<'_>) -> Option<End> {
    Some(End {
        namespaces: body.u64()?,
        entries: body.u64()?,
        changes: body.u64()?,
        whole: body.last_u64()?,
    })
}

fn put_cursor(body: &mut Vec<u8>, at: Cursor) {
    body.extend_from_slice(&at.revision.get().to_be_bytes());
    body.extend_from_slice(&at.index.to_be_bytes());
}

fn take_cursor(body: &mut Body<'_>) -> Option<Cursor> {
    Some(Cursor {
        revision: Revision::new(body.u64()?),
        index: u32::from_be_bytes(body.take()?),
    })
}
