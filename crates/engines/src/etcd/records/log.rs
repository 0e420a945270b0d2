//! Records of the log: what was written in one transaction, and parts of what is too much for one.

use prominence_core::rules::Effect;
use prominence_core::{Change, ChangeKind, Cursor, Job, Key, Revision, StoreError, Timestamp};

use crate::etcd::ticket::Ticket;
use crate::row::change::{PUT_WITH_STATE, kind_of, parts};
use crate::row::{Body, Kind, Row, read_state, readable, write_state};

/// Flags of the instants that may follow in a change without a state: version 1 has the end of the
/// entry and that of its claim.
const HAS_EXPIRES: u8 = 1;
const HAS_CLAIM: u8 = 2;

/// The form of a record: its changes inline, or in parts.
const INLINE: u8 = 0;
const IN_PARTS: u8 = 1;

/// One key's change, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedChange {
    pub(crate) key: Key,
    pub(crate) kind: ChangeKind,
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
        let changes = effects.iter().map(|effect| LoggedChange {
            key: effect.key.clone(),
            kind: effect.kind.clone(),
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
    let (number, size, state) = parts(&change.kind, PUT_WITH_STATE);
    row.0.push(number);
    row.u64(size as u64);
    match state {
        Some(state) => write_state(&mut row.0, state, commit.time, commit.author.as_ref()),
        None => row.0.push(0),
    }
    row.text(change.key.as_str());
}

/// Reads a change of a commit, of which everything else has been read.
fn read_change(body: &mut Body<'_>, commit: &LoggedCommit) -> Option<LoggedChange> {
    let number = body.u8()?;
    let size = usize::try_from(body.u64()?).ok()?;
    if number != PUT_WITH_STATE {
        let flags = body.u8()?;
        if flags & !(HAS_EXPIRES | HAS_CLAIM) != 0 {
            return None;
        }
        // Nobody needs the instants: a writer that meets a put without a state clears its cache.
        for _ in 0..flags.count_ones() {
            body.instant()?;
        }
    }
    let state = || read_state(body, commit.time, commit.author.as_ref());
    let kind = kind_of(number, size, PUT_WITH_STATE, state)?;
    let key = Key::stored(body.text()?)?;
    Some(LoggedChange { key, kind })
}

#[cfg(test)]
mod tests {
    use prominence_core::{Put, PutState};

    use super::*;
    use crate::row::states;

    const AT: &[u8] = b"/where/it/stands";

    fn put(size: usize, state: Option<PutState>) -> ChangeKind {
        ChangeKind::Put(Put { size, state })
    }

    fn commit(kinds: Vec<ChangeKind>) -> LoggedCommit {
        let changes = kinds.into_iter().map(|kind| LoggedChange {
            key: Key::parse("/a/é").unwrap(),
            kind,
        });
        LoggedCommit {
            revision: Revision::new(9),
            time: Timestamp::from_secs(10),
            author: Job::parse("42").ok(),
            changes: changes.collect(),
        }
    }

    fn record(content: Content) -> Record {
        let ticket = Ticket {
            process: 7,
            number: u64::MAX,
        };
        Record { ticket, content }
    }

    #[test]
    fn a_record_is_read_back() {
        let mut kinds = vec![put(3, None), ChangeKind::Delete, ChangeKind::Expire];
        let states = states(&Job::parse("42").unwrap()).into_iter();
        kinds.extend(states.map(|state| put(3, Some(state))));
        let count = kinds.len() as u64;
        let bare = LoggedCommit {
            author: None,
            ..commit(Vec::new())
        };
        let here = record(Content::Inline(vec![commit(kinds), bare.clone()]));
        assert_eq!(Record::decode(AT, &here.encode(AT)).unwrap(), here);
        assert_eq!(here.changes(), count);
        let elsewhere = record(Content::InParts {
            commit: bare,
            deleted: 100_000,
            parts: 3,
        });
        let row = elsewhere.encode(AT);
        assert_eq!(Record::decode(AT, &row).unwrap(), elsewhere);
        assert!(Record::decode(AT, &row[1..]).is_err());
    }

    /// The row of a record with these changes, each of which is completed by its key.
    fn row_of_changes(changes: &[&[u8]]) -> Vec<u8> {
        let mut row = Row::new(64);
        row.u64(7);
        row.u64(u64::MAX);
        row.0.push(INLINE);
        row.u32(1);
        row.u64(9);
        row.u64(10_000);
        row.text("42");
        row.count(changes.len());
        for change in changes {
            row.0.extend_from_slice(change);
            row.text("/a/é");
        }
        row.finish(Kind::Commits, AT)
    }

    #[test]
    fn the_bytes_of_a_record_stay() {
        let mut state = states(&Job::parse("42").unwrap()).remove(0);
        state.created = Timestamp::from_secs(10);
        let kinds = vec![ChangeKind::Delete, put(5, Some(state)), put(5, None)];
        let record = record(Content::Inline(vec![commit(kinds)]));
        let deletion = b"\x01\0\0\0\0\0\0\0\0\0";
        let with_state = b"\x03\0\0\0\0\0\0\0\x05\0";
        let without = b"\0\0\0\0\0\0\0\0\x05\0";
        let row = row_of_changes(&[deletion, with_state, without]);
        assert_eq!(record.encode(AT), row);
        assert_eq!(Record::decode(AT, &row).unwrap(), record);
        // With the end of the entry and of its claim, as version 1 has them.
        let instants = b"\0\0\0\0\0\0\0\0\x05\x03\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0\x07";
        let row = row_of_changes(&[deletion, with_state, instants]);
        assert_eq!(Record::decode(AT, &row).unwrap(), record);
        let unknown = b"\0\0\0\0\0\0\0\0\x05\x04";
        assert!(Record::decode(AT, &row_of_changes(&[unknown])).is_err());
    }

    #[test]
    fn a_record_that_was_read_from_any_row_is_written_and_read_as_the_same() {
        prominence_fuzz::run("commits", |input| {
            let mut row = Row::new(input.len());
            row.0.extend_from_slice(input);
            if let Ok(record) = Record::decode(AT, &row.finish(Kind::Commits, AT)) {
                assert_eq!(Record::decode(AT, &record.encode(AT)).unwrap(), record);
            }
        });
    }
}
