//! What stands under the keys that are the engine's own: heads, the log, and hints of expiry.
//! Entries are as in every engine.

use prominence_core::{
    Change, ChangeKind, Cursor, Job, Key, Revision, StoreError, Timestamp, Usage,
};

use crate::row::{Body, Kind, Row, readable};
use crate::taken::Standing;

/// How a change is told from the others.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;

/// Which of the optional fields of a change follow.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 2;

/// Whether a record holds its changes, or others hold them.
const HERE: u8 = 0;
const IN_PARTS: u8 = 1;

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

/// One key's change, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) key: Key,
    pub(super) kind: ChangeKind,
    /// How the key stands afterwards; `None` where it is gone.
    pub(super) standing: Option<Standing>,
}

/// One commit, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedCommit {
    pub(super) revision: Revision,
    pub(super) time: Timestamp,
    pub(super) author: Option<Job>,
    pub(super) changes: Vec<Logged>,
}

impl LoggedCommit {
    /// The change in this place.
    pub(super) fn change(&self, index: u32, logged: &Logged) -> Change {
        Change {
            at: Cursor {
                revision: self.revision,
                index,
            },
            key: logged.key.clone(),
            kind: logged.kind,
            job: self.author.clone(),
            time: self.time,
        }
    }
}

/// A record of the log: what was written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) ticket: Ticket,
    pub(super) content: Content,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Commits, in their order.
    Here(Vec<LoggedCommit>),
    /// One commit whose deletions are in so many parts.
    InParts {
        /// The commit without its changes.
        commit: LoggedCommit,
        /// How many keys it deleted.
        deleted: u64,
        parts: u32,
    },
}

impl Record {
    pub(super) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut row = Row::new(256);
        row.u64(self.ticket.process);
        row.u64(self.ticket.number);
        match &self.content {
            Content::Here(commits) => {
                row.0.push(HERE);
                row.count(commits.len());
                for commit in commits {
                    write_commit(&mut row, commit);
                    row.count(commit.changes.len());
                    for change in &commit.changes {
                        write_change(&mut row, change);
                    }
                }
            }
            Content::InParts {
                commit,
                deleted,
                parts,
            } => {
                row.0.push(IN_PARTS);
                write_commit(&mut row, commit);
                row.u64(*deleted);
                row.u32(*parts);
            }
        }
        row.finish(Kind::Commits, key)
    }

    pub(super) fn decode(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let mut body = Body::open(Kind::Commits, key, row)?;
        readable(Kind::Commits, key, || {
            let ticket = Ticket::read(&mut body)?;
            let content = match body.u8()? {
                HERE => {
                    let mut commits = Vec::new();
                    for _ in 0..body.u32()? {
                        let mut commit = read_commit(&mut body)?;
                        for _ in 0..body.u32()? {
                            commit.changes.push(read_change(&mut body)?);
                        }
                        commits.push(commit);
                    }
                    Content::Here(commits)
                }
                IN_PARTS => Content::InParts {
                    commit: read_commit(&mut body)?,
                    deleted: body.u64()?,
                    parts: body.u32()?,
                },
                _ => return None,
            };
            body.0.is_empty().then_some(Self { ticket, content })
        })
    }

    /// The time of its last commit.
    pub(super) fn time(&self) -> Timestamp {
        match &self.content {
            Content::Here(commits) => commits
                .last()
                .map_or(Timestamp::from_millis(0), |last| last.time),
            Content::InParts { commit, .. } => commit.time,
        }
    }

    /// How many changes it tells of.
    pub(super) fn changes(&self) -> u64 {
        match &self.content {
            Content::Here(commits) => commits
                .iter()
                .map(|commit| commit.changes.len() as u64)
                .sum(),
            Content::InParts { deleted, .. } => *deleted,
        }
    }
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

fn write_commit(row: &mut Row, commit: &LoggedCommit) {
    row.u64(commit.revision.get());
    row.u64(commit.time.as_millis());
    row.optional_job(commit.author.as_ref());
}

fn read_commit(body: &mut Body<'_>) -> Option<LoggedCommit> {
    Some(LoggedCommit {
        revision: Revision::new(body.u64()?),
        time: body.instant()?,
        author: body.optional_job()?,
        changes: Vec::new(),
    })
}

fn write_change(row: &mut Row, change: &Logged) {
    let (kind, size) = match change.kind {
        ChangeKind::Put { size } => (PUT, size as u64),
        ChangeKind::Delete => (DELETE, 0),
        ChangeKind::Expire => (EXPIRE, 0),
    };
    row.0.push(kind);
    row.u64(size);
    let expires = change.standing.and_then(|standing| standing.expires);
    let claimed = change.standing.and_then(|standing| standing.claimed_until);
    let flag = |instant: Option<Timestamp>, flag| instant.map_or(0, |_| flag);
    row.0
        .push(flag(expires, HAS_EXPIRES) | flag(claimed, HAS_CLAIM));
    for instant in [expires, claimed].into_iter().flatten() {
        row.u64(instant.as_millis());
    }
    row.text(change.key.as_str());
}

fn read_change(body: &mut Body<'_>) -> Option<Logged> {
    let kind = body.u8()?;
    let size = usize::try_from(body.u64()?).ok()?;
    let flags = body.u8()?;
    if flags & !(HAS_EXPIRES | HAS_CLAIM) != 0 {
        return None;
    }
    let mut instant = |flag| match flags & flag {
        0 => Some(None),
        _ => body.instant().map(Some),
    };
    let expires = instant(HAS_EXPIRES)?;
    let claimed_until = instant(HAS_CLAIM)?;
    let (kind, standing) = match kind {
        PUT => {
            let standing = Standing {
                claimed_until,
                expires,
            };
            (ChangeKind::Put { size }, Some(standing))
        }
        DELETE => (ChangeKind::Delete, None),
        EXPIRE => (ChangeKind::Expire, None),
        _ => return None,
    };
    let key = Key::stored(body.text()?)?;
    Some(Logged {
        key,
        kind,
        standing,
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
    fn a_record_is_read_back() {
        let standing = |claimed: Option<u64>, expires: Option<u64>| {
            Some(Standing {
                claimed_until: claimed.map(Timestamp::from_secs),
                expires: expires.map(Timestamp::from_secs),
            })
        };
        let changes = [
            (ChangeKind::Put { size: 3 }, standing(None, None)),
            (ChangeKind::Put { size: 0 }, standing(Some(5), None)),
            (ChangeKind::Put { size: 1 }, standing(Some(5), Some(6))),
            (ChangeKind::Delete, None),
            (ChangeKind::Expire, None),
        ];
        let changes = changes.map(|(kind, standing)| Logged {
            key: key("/a/é"),
            kind,
            standing,
        });
        let commit = LoggedCommit {
            revision: Revision::new(9),
            time: Timestamp::from_secs(10),
            author: Job::parse("42").ok(),
            changes: changes.to_vec(),
        };
        let bare = LoggedCommit {
            revision: commit.revision.next(),
            time: commit.time,
            author: None,
            changes: Vec::new(),
        };
        let here = Record {
            ticket: ticket(),
            content: Content::Here(vec![commit, bare.clone()]),
        };
        assert_eq!(Record::decode(AT, &here.encode(AT)).unwrap(), here);
        assert_eq!(here.changes(), 5);
        let elsewhere = Record {
            ticket: ticket(),
            content: Content::InParts {
                commit: bare,
                deleted: 100_000,
                parts: 3,
            },
        };
        let row = elsewhere.encode(AT);
        assert_eq!(Record::decode(AT, &row).unwrap(), elsewhere);
        assert!(Record::decode(AT, &row[1..]).is_err());
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
