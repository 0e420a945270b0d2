//! Records of the log: what was written in one transaction, and parts of what is too much for one.

use prominence_core::{Change, ChangeKind, Cursor, Job, Key, Revision, StoreError, Timestamp};

use super::Ticket;
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

/// One key's change, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct Logged {
    pub(in crate::etcd) key: Key,
    pub(in crate::etcd) kind: ChangeKind,
    /// How the key stands afterwards; `None` where it is gone.
    pub(in crate::etcd) standing: Option<Standing>,
}

/// One commit, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) struct LoggedCommit {
    pub(in crate::etcd) revision: Revision,
    pub(in crate::etcd) time: Timestamp,
    pub(in crate::etcd) author: Option<Job>,
    pub(in crate::etcd) changes: Vec<Logged>,
}

impl LoggedCommit {
    /// The change in this place.
    pub(in crate::etcd) fn change(&self, index: u32, logged: &Logged) -> Change {
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
pub(in crate::etcd) struct Record {
    pub(in crate::etcd) ticket: Ticket,
    pub(in crate::etcd) content: Content,
}

/// What a record tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::etcd) enum Content {
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
    pub(in crate::etcd) fn encode(&self, key: &[u8]) -> Vec<u8> {
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

    pub(in crate::etcd) fn decode(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
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
    pub(in crate::etcd) fn time(&self) -> Timestamp {
        match &self.content {
            Content::Here(commits) => commits
                .last()
                .map_or(Timestamp::from_millis(0), |last| last.time),
            Content::InParts { commit, .. } => commit.time,
        }
    }

    /// How many changes it tells of.
    pub(in crate::etcd) fn changes(&self) -> u64 {
        match &self.content {
            Content::Here(commits) => commits
                .iter()
                .map(|commit| commit.changes.len() as u64)
                .sum(),
            Content::InParts { deleted, .. } => *deleted,
        }
    }
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
}
