//! The rows that only this engine has: heads, the log, and expiry hints. Rows of entries are the
//! same in every engine.

mod log;

use bytes::Bytes;
use etcd_client::KeyValue;
use prominence_core::rules::Effect;
use prominence_core::{Cursor, Entry, Key, Prefix, Revision, StoreError, Timestamp, Usage};

use super::keys::NamespaceKeys;
use super::ticket::Ticket;
use crate::row::{self, Body, Kind, Row, readable};

pub(super) use log::{Content, LoggedChange, LoggedCommit, Record};

/// Bytes of the keys in one part of a record: far below what etcd takes in a request.
const PART_BYTES: usize = 512 << 10;

/// The row that all writes to a namespace read and replace, so that of two at once only one is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The stored keys and bytes, expired entries that are not yet removed included.
    pub(super) usage: Usage,
    /// Stored keys with a segment `_internal_`. Where there are none, a listing shows all keys that
    /// begin with its prefix.
    pub(super) internal_keys: u64,
    /// Changes in the log.
    pub(super) logged: u64,
    /// The log no longer has this revision and all before it.
    pub(super) trimmed_to: Revision,
    /// The latest time of a commit, by the clock of the process that wrote it.
    pub(super) time: Timestamp,
    /// The attempt that wrote it.
    pub(super) ticket: Ticket,
    /// The process that has reserved the namespace, if one has.
    pub(super) reserved: Option<Reservation>,
}

/// Only this process writes to the namespace. It lapses where the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reservation {
    /// [`Ticket::process`].
    pub(super) process: u64,
    pub(super) until: Timestamp,
}

impl Head {
    /// The earliest place that a reader of the log can start from.
    pub(super) fn oldest(&self) -> Cursor {
        Cursor::after(self.trimmed_to)
    }

    /// The head after some effects, all but the usage.
    pub(super) fn after(self, effects: &[Effect], now: Timestamp, ticket: Ticket) -> Self {
        let internal = effects.iter().filter(|effect| is_internal(&effect.key));
        let before = internal.clone().filter(|effect| effect.before.is_some());
        let after = internal.filter(|effect| effect.after.is_some());
        let (before, after) = (before.count() as u64, after.count() as u64);
        Self {
            internal_keys: (self.internal_keys + after).saturating_sub(before),
            logged: self.logged + effects.len() as u64,
            time: self.time.max(now),
            ticket,
            ..self
        }
    }

    /// The head in a row; an empty one where the namespace was never written to.
    pub(super) fn of_row(key: &[u8], row: Option<KeyValue>) -> Result<Self, StoreError> {
        row.map_or(Ok(Self::default()), |row| Self::decode(key, row.value()))
    }

    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut row = Row::new(88);
        row.u64(self.usage.keys);
        row.u64(self.usage.bytes);
        row.u64(self.usage.revision.get());
        row.u64(self.internal_keys);
        row.u64(self.logged);
        row.u64(self.trimmed_to.get());
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
                trimmed_to: Revision::new(body.u64()?),
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

/// True if some listing hides the key.
pub(super) fn is_internal(key: &Key) -> bool {
    Prefix::everything().hidden_part(key).is_some()
}

/// The entry in a row. Its value shares its bytes with the row.
pub(super) fn decode_entry(key: &[u8], row: KeyValue) -> Result<Entry, StoreError> {
    let (_, value) = row.into_key_value();
    row::decode_entry(key, &Bytes::from(value))
}

/// The keys of a large deletion in the parts that they are stored in.
pub(super) fn split_into_parts(mut keys: &[Key]) -> impl Iterator<Item = &[Key]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = keys.iter().take_while(|key| {
            bytes += key.as_str().len() + 2;
            bytes <= PART_BYTES
        });
        let count = fits.count().max(1);
        keys.split_off(..count.min(keys.len()))
            .filter(|part| !part.is_empty())
    })
}

/// The row of one part of a large deletion.
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

/// The rows of the hint that these keys expire, where there are some, and of the namespace's place
/// in the order of all hints. Both are under the earliest instant. The revision keeps the hints of
/// different commits apart.
pub(super) fn hint(
    keys: NamespaceKeys<'_>,
    due: &[(Key, Timestamp)],
    revision: Revision,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let Some(earliest) = due.iter().map(|(_, instant)| *instant).min() else {
        return Vec::new();
    };
    let key = keys.due(earliest, revision);
    let row = encode_due(&key, due);
    vec![(key, row), (keys.wake(earliest), Vec::new())]
}

/// Keys and when each expires. The entries may have been written again since.
fn encode_due(key: &[u8], due: &[(Key, Timestamp)]) -> Vec<u8> {
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
            trimmed_to: Revision::new(6),
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
