//! Records of the log: what was written in one transaction, and parts of what is too much for one.

use prominence_core::rules::Effect;
use prominence_core::{
    Change, ChangeKind, Cursor, Entry, Job, Key, Put, Revision, StoreError, Timestamp,
};

use crate::claim_index::ClaimState;
use crate::etcd::ticket::Ticket;
use crate::row::{Body, Kind, Row, read_state, readable, write_state};

/// The kind of a change.
const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;
/// A put with the state of the entry afterwards, which version 1 does not have.
const PUT_WITH_STATE: u8 = 3;

/// Flags of the optional fields that follow in a change without a state.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 2;

/// Whether a record has its changes inline or in parts.
const INLINE: u8 = 0;
const IN_PARTS: u8 = 1;

/// One key's change, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedChange {
    pub(crate) key: Key,
    pub(crate) kind: ChangeKind,
    /// The claim state of the key afterwards; `None` where it no longer exists.
    pub(crate) claim_state: Option<ClaimState>,
}

/// One commit, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedCommit {
    pub(crate) revision: Revision,
    pub(crate) time: Timestamp,
    pub(crate) author: Option<Job>,
    pub(crate) changes: Vec<LoggedChange>,
}

impl LoggedChange {
    pub(crate) fn deletion(key: Key) -> Self {
        Self {
            key,
            kind: ChangeKind::Delete,
            claim_state: None,
        }
    }
}

impl LoggedCommit {
    /// The commit with these effects.
    pub(crate) fn of(
        revision: Revision,
        time: Timestamp,
        author: Option<&Job>,
        effects: &[Effect],
    ) -> Self {
        let state = |entry: &Entry| ClaimState::of(&entry.metadata);
        let changes = effects.iter().map(|effect| LoggedChange {
            key: effect.key.clone(),
            kind: effect.kind.clone(),
            claim_state: effect.after.as_ref().map(state),
        });
        Self {
            revision,
            time,
            author: author.cloned(),
            changes: changes.collect(),
        }
    }

    /// The changes as readers of the log see them.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change> {
        (0..).zip(&self.changes).map(|(index, logged)| Change {
            at: Cursor {
                revision: self.revision,
                index,
            },
            key: logged.key.clone(),
            kind: logged.kind.clone(),
            job: self.author.clone(),
            time: self.time,
        })
    }
}

/// A record of the log: what was written in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) ticket: Ticket,
    pub(crate) content: Content,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Commits with their changes, in their order.
    Inline(Vec<LoggedCommit>),
    /// One commit whose deletions are in parts.
    InParts {
        /// The commit without its changes.
        commit: LoggedCommit,
        /// The number of deleted keys.
        deleted: u64,
        parts: u32,
    },
}

impl Record {
    pub(crate) fn encode(&self, key: &[u8]) -> Vec<u8> {
        let mut row = Row::new(256);
        row.u64(self.ticket.process);
        row.u64(self.ticket.number);
        match &self.content {
            Content::Inline(commits) => {
                row.0.push(INLINE);
                row.count(commits.len());
                for commit in commits {
                    write_commit(&mut row, commit);
                    row.count(commit.changes.len());
                    for change in &commit.changes {
                        write_change(&mut row, commit, change);
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

    pub(crate) fn decode(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let mut body = Body::open(Kind::Commits, key, row)?;
        readable(Kind::Commits, key, || {
            let ticket = Ticket::read(&mut body)?;
            let content = match body.u8()? {
                INLINE => {
                    let mut commits = Vec::new();
                    for _ in 0..body.u32()? {
                        let mut commit = read_commit(&mut body)?;
                        for _ in 0..body.u32()? {
                            let change = read_change(&mut body, &commit)?;
                            commit.changes.push(change);
                        }
                        commits.push(commit);
                    }
                    Content::Inline(commits)
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
    pub(crate) fn time(&self) -> Timestamp {
        match &self.content {
            Content::Inline(commits) => commits
                .last()
                .map_or(Timestamp::from_millis(0), |last| last.time),
            Content::InParts { commit, .. } => commit.time,
        }
    }

    /// The number of its changes.
    pub(crate) fn changes(&self) -> u64 {
        match &self.content {
            Content::Inline(commits) => commits
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

fn write_change(row: &mut Row, commit: &LoggedCommit, change: &LoggedChange) {
    match &change.kind {
        ChangeKind::Put(Put {
            size,
            state: Some(state),
        }) => {
            row.0.push(PUT_WITH_STATE);
            row.u64(*size as u64);
            write_state(&mut row.0, state, commit.time, commit.author.as_ref());
        }
        ChangeKind::Put(Put { size, state: None }) => {
            write_stateless(row, PUT, *size as u64, change.claim_state);
        }
        ChangeKind::Delete => write_stateless(row, DELETE, 0, None),
        ChangeKind::Expire => write_stateless(row, EXPIRE, 0, None),
    }
    row.text(change.key.as_str());
}

/// Writes a change as version 1 has it, without its key.
fn write_stateless(row: &mut Row, kind: u8, size: u64, claim_state: Option<ClaimState>) {
    row.0.push(kind);
    row.u64(size);
    let expires = claim_state.and_then(|claim_state| claim_state.expires);
    let claimed = claim_state.and_then(|claim_state| claim_state.claimed_until);
    let flag = |instant: Option<Timestamp>, flag| instant.map_or(0, |_| flag);
    row.0
        .push(flag(expires, HAS_EXPIRES) | flag(claimed, HAS_CLAIM));
    for instant in [expires, claimed].into_iter().flatten() {
        row.u64(instant.as_millis());
    }
}

/// Reads a change of a commit, of which everything else has been read.
fn read_change(body: &mut Body<'_>, commit: &LoggedCommit) -> Option<LoggedChange> {
    let kind = body.u8()?;
    let size = usize::try_from(body.u64()?).ok()?;
    let (kind, claim_state) = if kind == PUT_WITH_STATE {
        let state = read_state(body, commit.time, commit.author.as_ref())?;
        let claim_state = ClaimState::of_put(&state);
        let state = Some(state);
        (ChangeKind::Put(Put { size, state }), Some(claim_state))
    } else {
        let claim_state = read_claim_state(body)?;
        match kind {
            PUT => (
                ChangeKind::Put(Put { size, state: None }),
                Some(claim_state),
            ),
            DELETE => (ChangeKind::Delete, None),
            EXPIRE => (ChangeKind::Expire, None),
            _ => return None,
        }
    };
    let key = Key::stored(body.text()?)?;
    Some(LoggedChange {
        key,
        kind,
        claim_state,
    })
}

fn read_claim_state(body: &mut Body<'_>) -> Option<ClaimState> {
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
    Some(ClaimState {
        claimed_until,
        expires,
    })
}

#[cfg(test)]
mod tests {
    use prominence_core::PutState;

    use super::*;
    use crate::row::states;

    const AT: &[u8] = b"/where/it/stands";

    fn put(size: usize, state: Option<PutState>) -> ChangeKind {
        ChangeKind::Put(Put { size, state })
    }

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
        let claim_state = |claimed: Option<u64>, expires: Option<u64>| {
            Some(ClaimState {
                claimed_until: claimed.map(Timestamp::from_secs),
                expires: expires.map(Timestamp::from_secs),
            })
        };
        let changes = [
            (put(3, None), claim_state(None, None)),
            (put(0, None), claim_state(Some(5), None)),
            (put(1, None), claim_state(Some(5), Some(6))),
            (ChangeKind::Delete, None),
            (ChangeKind::Expire, None),
        ];
        let states = states(&Job::parse("42").unwrap()).into_iter();
        let with_states = states.map(|state| {
            let claim_state = ClaimState::of_put(&state);
            (put(3, Some(state)), Some(claim_state))
        });
        let changes = changes
            .into_iter()
            .chain(with_states)
            .map(|(kind, claim_state)| LoggedChange {
                key: key("/a/é"),
                kind,
                claim_state,
            });
        let changes: Vec<_> = changes.collect();
        let count = changes.len() as u64;
        let commit = LoggedCommit {
            revision: Revision::new(9),
            time: Timestamp::from_secs(10),
            author: Job::parse("42").ok(),
            changes,
        };
        let bare = LoggedCommit {
            revision: commit.revision.next(),
            time: commit.time,
            author: None,
            changes: Vec::new(),
        };
        let here = Record {
            ticket: ticket(),
            content: Content::Inline(vec![commit, bare.clone()]),
        };
        assert_eq!(Record::decode(AT, &here.encode(AT)).unwrap(), here);
        assert_eq!(here.changes(), count);
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
