//! The content of the frames of a backup.
//!
//! Numbers are big-endian, instants milliseconds since 1970. A text is its length (2 bytes) and
//! its bytes, except at the end of a record, where it is what is left.

use bytes::Bytes;
use prominence_core::{Change, Cursor, Entry, Key, Namespace, Revision};

use crate::row::change::{PUT_WITH_STATE, read_change, read_cursor, write_change, write_cursor};
use crate::row::{Body, put_text, read_entry, write_metadata};

/// The kinds of records.
const NAMESPACE: u8 = b'n';
const ENTRY: u8 = b'e';
const CHANGE: u8 = b'c';
const END: u8 = b'z';

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
    write_cursor(&mut body, space.log_floor);
    body.extend_from_slice(space.namespace.as_str().as_bytes());
    body
}

fn decode_space(mut body: Body<'_>) -> Option<Space> {
    let revision = Revision::new(body.u64()?);
    let log_floor = read_cursor(&mut body)?;
    let name = std::str::from_utf8(body.0).ok()?;
    Some(Space {
        namespace: Namespace::stored(name).ok()?,
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
    Some((key, read_entry(body, bytes)?))
}

fn encode_change(change: &Change) -> Vec<u8> {
    let mut body = Vec::with_capacity(64 + change.key.as_str().len());
    write_cursor(&mut body, change.at);
    write_change(&mut body, change, PUT_WITH_STATE);
    body
}

fn decode_change(mut body: Body<'_>) -> Option<Change> {
    let at = read_cursor(&mut body)?;
    let number = body.u8()?;
    read_change(&mut body, at, number, PUT_WITH_STATE)
}

fn decode_end(mut body: Body<'_>) -> Option<End> {
    Some(End {
        namespaces: body.u64()?,
        entries: body.u64()?,
        changes: body.u64()?,
        whole: body.last_u64()?,
    })
}
