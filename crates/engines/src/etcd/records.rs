//! What stands under the keys that are the engine's own: heads, the log, and hints of expiry.
//! Entries are as in every engine.

mod log;

use prominence_core::{Cursor, Key, Revision, StoreError, Timestamp, Usage};

use crate::row::{Body, Kind, Row, readable};

pub(super) use log::{Content, Logged, LoggedCommit, Record};

/// Bytes of the keys in one part of a record: far below what etcd takes in a request.
const PART_BYTES: usize = 512 << 10;

/// What tells one try to write from every other, so that it can be found out whether one whose
/// answer was lost was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Drawn by each process when it starts.
    pub(super) process: u64,
    pub(super) number: u64,
}

impl Ticket {
    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.process) << 64 | u128::from(self.number)).to_be_bytes()
    }

    fn read(body: &mut Body<'_>) -> Option<Self> {
        Some(Self {
            process: body.u64()?,
            number: body.u64()?,
        })
    }
}

/// What all writes to a namespace read and replace, so that of two at once only one is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What is stored, entries that have expired and are not yet removed included.
    pub(super) usage: Usage,
    /// Stored keys with a segment `_internal_`. Where there are none, what begins with a prefix
    /// is what a listing shows.
    pub(super) internal_keys: u64,
    /// Changes in the log.
    pub(super) logged: u64,
    /// Nothing up to and including this revision is in the log any more.
    pub(super) forgotten: Revision,
    /// The latest instant of a commit, by the clock of whoever wrote it.
    pub(super) time: Timestamp,
    /// Who wrote it.
    pub(super) ticket: Ticket,
    /// Whether somebody has the namespace to itself for a while.
    pub(super) reserved: Option<Reservation>,
}

/// A namespace that one process alone writes to for a while. It lapses where that process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reservation {
    /// [`Ticket::process`].
    pub(super) process: u64,
    pub(super) until: Timestamp,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            usage: Usage::default(),
            internal_keys: 0,
            logged: 0,
            forgotten: Revision::ZERO,
            time: Timestamp::from_millis(0),
            ticket: Ticket::default(),
            reserved: None,
        }
    }
}

impl Head {
    /// The earliest place that a reader of the log can start from.
    pub(super) fn oldest(&self) -> Cursor {
        Cursor::after(self.forgotten)
    }

    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut row = Row::new(88);
        row.u64(self.usage.keys);
        row.u64(self.usage.bytes);
        row.u64(self.usage.revision.get());
        row.u64(self.internal_keys);
        row.u64(self.logged);
        row.u64(self.forgotten.get());
        row.u64(self.time.as_millis());
        row.u64(self.ticket.process);
        row.u64(self.ticket.number);
        if let Some(reserved) = self.reserved {
            row.u64(reserved.process);
            row.u64(reserved.until.as_millis());
        }
        row.finish(Kind::Head, key)
    }

    pub(super) fn decode(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let mut body = Body::open(Kind::Head, key, row)?;
        readable(Kind::Head, key, || {
            let mut head = Self {
                usage: Usage {
                    keys: body.u64()?,
                    bytes: body.u64()?,
                    revision: Revision::new(body.u64()?),
                },
                internal_keys: body.u64()?,
                logged: body.u64()?,
                forgotten: Revision::new(body.u64()?),
                time: body.instant()?,
                ticket: Ticket::read(&mut body)?,
                reserved: None,
            };
            if !body.0.is_empty() {
                head.reserved = Some(Reservation {
                    process: body.u64()?,
                    until: body.instant()?,
                });
            }
            body.0.is_empty().then_some(head)
        })
    }
}

/// How many of these keys, of which there are some, go into one part.
pub(super) fn part_of(keys: &[Key]) -> usize {
    let mut bytes = 0;
    let fits = keys.iter().take_while(|key| {
        bytes += key.as_str().len() + 2;
        bytes <= PART_BYTES
    });
    fits.count().max(1)
}

/// The keys of one part of a large deletion.
pub(super) fn encode_part(key: &[u8], deleted: &[Key]) -> Vec<u8> {
    let bytes = deleted.iter().map(|key| key.as_str().len() + 2);
    let mut row = Row::new(bytes.sum());
    for key in deleted {
        row.text(key.as_str());
    }
    row.finish(Kind::Part, key)
}

pub(super) fn decode_part(key: &[u8], row: &[u8]) -> Result<Vec<Key>, StoreError> {
    let mut body = Body::open(Kind::Part, key, row)?;
    readable(Kind::Part, key, || {
        let mut deleted = Vec::new();
        while !body.0.is_empty() {
            deleted.push(Key::stored(body.text()?)?);
        }
        Some(deleted)
    })
}

/// Keys and when each expires: hints, as an entry may have been written again since.
pub(super) fn encode_due(key: &[u8], due: &[(Key, Timestamp)]) -> Vec<u8> {
    let mut row = Row::new(due.iter().map(|(key, _)| key.as_str().len() + 10).sum());
    for (key, instant) in due {
        row.u64(instant.as_millis());
        row.text(key.as_str());
    }
    row.finish(Kind::Due, key)
}

pub(super) fn decode_due(key: &[u8], row: &[u8]) -> Result<Vec<(Key, Timestamp)>, StoreError> {
    let mut body = Body::open(Kind::Due, key, row)?;
    readable(Kind::Due, key, || {
        let mut due = Vec::new();
        while !body.0.is_empty() {
            let instant = body.instant()?;
            due.push((Key::stored(body.text()?)?, instant));
        }
        Some(due)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &[u8] = b"/where/it/stands";

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    fn ticket() -> Ticket {
        Ticket {
            process: 7,
            number: u64::MAX,
        }
    }

    #[test]
    fn a_head_is_read_back() {
        let head = Head {
            usage: Usage {
                keys: 1,
                bytes: 2,
                revision: Revision::new(3),
            },
            internal_keys: 4,
            logged: 5,
            forgotten: Revision::new(6),
            time: Timestamp::from_secs(7),
            ticket: ticket(),
            reserved: None,
        };
        assert_eq!(Head::decode(AT, &head.encode(AT)).unwrap(), head);
        let reserved = Head {
            reserved: Some(Reservation {
                process: 8,
                until: Timestamp::from_secs(9),
            }),
            ..head
        };
        assert_eq!(Head::decode(AT, &reserved.encode(AT)).unwrap(), reserved);
        assert!(Head::decode(b"/elsewhere", &head.encode(AT)).is_err());
    }

    #[test]
    fn parts_and_hints_are_read_back() {
        let keys = vec![key("/a"), key("/b/ÿ")];
        assert_eq!(decode_part(AT, &encode_part(AT, &keys)).unwrap(), keys);
        let due = vec![(key("/a"), Timestamp::from_secs(1))];
        assert_eq!(decode_due(AT, &encode_due(AT, &due)).unwrap(), due);
        // One kind of row is not taken for another.
        assert!(decode_due(AT, &encode_part(AT, &[])).is_err());
    }
}
