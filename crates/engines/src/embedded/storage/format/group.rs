//! Changes of several commits in one row of the log, as a store of format 3 has them.
//!
//! The row stands at the place of the last of them. After the kind of the row come the number of
//! changes (4 bytes) and the changes. Each begins with its kind and with flags for what is as in the
//! change before it, so that a set by the same job as before, or by none, takes 7 bytes and the key:
//!
//! | bytes | field |
//! | --- | --- |
//! | 1 | the kind, as in a row of one change, and flags |
//! | 12 | revision and index, unless [`NEXT_REVISION`] or [`NEXT_INDEX`] |
//! | 8 | the time, unless [`SAME_TIME`] |
//! | 2 and text | the job, unless [`SAME_JOB`] |
//! | 4 | for a put, the size of the value |
//! | | the state, for [`PUT_WITH_STATE`] |
//! | 2 and text | the key |

use prominence_core::{Change, ChangeKind, Cursor, Job, Key, Revision, Timestamp};

use super::{Body, Kind, PUT_WITH_STATE, Row};
use crate::row::change::{PUT, kind_of, parts, read_cursor, write_cursor};
use crate::row::{read_state, write_state};

/// The kind of such a row.
pub(super) const GROUP: u8 = 5;

/// The first index of the revision after that of the change before.
const NEXT_REVISION: u8 = 1 << 3;
/// The next index of the revision of the change before.
const NEXT_INDEX: u8 = 1 << 4;
const SAME_TIME: u8 = 1 << 5;
const SAME_JOB: u8 = 1 << 6;

/// The bits of the kind.
const KIND: u8 = 7;

/// The parts of a change that the next one may have in common with it.
struct Before<'a> {
    at: Cursor,
    time: Timestamp,
    job: Option<&'a Job>,
}

/// Nothing is like the first change but its missing job.
const NOTHING: Before<'_> = Before {
    at: Cursor {
        revision: Revision::new(u64::MAX),
        index: u32::MAX,
    },
    time: Timestamp::from_millis(u64::MAX),
    job: None,
};

/// The row of some changes, in their order; `key` is that of the last.
pub(in crate::embedded) fn encode_group(key: &[u8], changes: &[Change]) -> Vec<u8> {
    let keys = changes.iter().map(|change| change.key.as_str().len());
    let mut row = Row::new(16 + 16 * changes.len() + keys.sum::<usize>());
    row.0.push(GROUP);
    row.count(changes.len());
    let mut before = NOTHING;
    for change in changes {
        write(&mut row, &before, change);
        before = Before {
            at: change.at,
            time: change.time,
            job: change.job.as_ref(),
        };
    }
    row.finish(Kind::Change, key)
}

fn write(row: &mut Row, before: &Before<'_>, change: &Change) {
    let flags_at = row.0.len();
    let mut flags = 0;
    row.0.push(flags);
    if Some(change.at) == next_revision(before.at) {
        flags |= NEXT_REVISION;
    } else if Some(change.at) == next_index(before.at) {
        flags |= NEXT_INDEX;
    } else {
        write_cursor(&mut row.0, change.at);
    }
    if change.time == before.time {
        flags |= SAME_TIME;
    } else {
        row.u64(change.time.as_millis());
    }
    if change.job.as_ref() == before.job {
        flags |= SAME_JOB;
    } else {
        row.optional_job(change.job.as_ref());
    }
    let (number, size, state) = parts(&change.kind, PUT_WITH_STATE);
    flags |= number;
    if let ChangeKind::Put(_) = change.kind {
        row.count(size);
    }
    if let Some(state) = state {
        write_state(&mut row.0, state, change.time, change.job.as_ref());
    }
    row.0[flags_at] = flags;
    row.text(change.key.as_str());
}

fn next_revision(before: Cursor) -> Option<Cursor> {
    let revision = Revision::new(before.revision.get().checked_add(1)?);
    Some(Cursor { revision, index: 0 })
}

fn next_index(before: Cursor) -> Option<Cursor> {
    let index = before.index.checked_add(1)?;
    Some(Cursor { index, ..before })
}

/// Reads what [`encode_group`] wrote, of a row at the place `last`.
pub(super) fn read_group(body: &mut Body<'_>, last: Cursor) -> Option<Vec<Change>> {
    let count = body.u32()?;
    let mut changes: Vec<Change> = Vec::new();
    for _ in 0..count {
        let change = {
            let before = changes.last().map_or(NOTHING, |change| Before {
                at: change.at,
                time: change.time,
                job: change.job.as_ref(),
            });
            read(body, &before)?
        };
        changes.push(change);
    }
    let is_sorted = changes.is_sorted_by(|one, next| one.at < next.at);
    let ends = changes.last().is_some_and(|change| change.at == last);
    (is_sorted && ends && body.0.is_empty()).then_some(changes)
}

fn read(body: &mut Body<'_>, before: &Before<'_>) -> Option<Change> {
    let flags = body.u8()?;
    let has = |flag| flags & flag != 0;
    let at = match flags & (NEXT_REVISION | NEXT_INDEX) {
        0 => read_cursor(body)?,
        NEXT_REVISION => next_revision(before.at)?,
        NEXT_INDEX => next_index(before.at)?,
        _ => return None,
    };
    let time = match has(SAME_TIME) {
        true => before.time,
        false => body.instant()?,
    };
    let job = match has(SAME_JOB) {
        true => before.job.cloned(),
        false => body.optional_job()?,
    };
    let number = flags & KIND;
    let size = match number {
        PUT | PUT_WITH_STATE => usize::try_from(body.u32()?).ok()?,
        _ => 0,
    };
    let state = || read_state(body, time, job.as_ref());
    let kind = kind_of(number, size, PUT_WITH_STATE, state)?;
    Some(Change {
        at,
        key: Key::stored(body.text()?)?,
        kind,
        job,
        time,
    })
}

#[cfg(test)]
mod tests {
    use super::super::decode_changes;
    use super::*;
    use crate::embedded::storage::keys;
    use crate::row::states;
    use prominence_core::{Namespace, Put};

    /// Changes that have everything, something and nothing in common with the one before.
    fn changes() -> Vec<Change> {
        let job = |name| Job::parse(name).ok();
        let mut changes = Vec::new();
        let mut at = Cursor {
            revision: Revision::new(7),
            index: 0,
        };
        let jobs = [None, job("a"), job("a"), job("b"), None];
        for (number, state) in (0..).zip(states(&Job::parse("a").unwrap())) {
            let step = number % 3;
            at = match step {
                0 => next_revision(at).unwrap(),
                1 => next_index(at).unwrap(),
                _ => Cursor {
                    revision: Revision::new(at.revision.get() + 5),
                    index: 2,
                },
            };
            let kind = match number % 5 {
                0 => ChangeKind::Delete,
                1 => ChangeKind::Expire,
                2 => ChangeKind::Put(Put {
                    size: 70_000,
                    state: None,
                }),
                _ => ChangeKind::Put(Put {
                    size: 3,
                    state: Some(state),
                }),
            };
            changes.push(Change {
                at,
                key: Key::parse(&format!("/k{number}")).unwrap(),
                kind,
                job: jobs[usize::try_from(number % 5).unwrap()].clone(),
                time: Timestamp::from_secs(9 + number / 4 % 3),
            });
        }
        changes
    }

    #[test]
    fn changes_of_several_commits_are_read_back_from_one_row() {
        let all = changes();
        assert!(all.len() > 50);
        let space = Namespace::parse("alice").unwrap();
        for from in 0..all.len() {
            let some = &all[from..];
            let key = keys::change(&space, some.last().unwrap().at);
            let row = encode_group(&key, some);
            assert_eq!(decode_changes(&key, &row).unwrap(), some, "{from}");
        }
    }

    #[test]
    fn a_row_at_another_place_than_its_last_change_is_refused() {
        let all = changes();
        let space = Namespace::parse("alice").unwrap();
        let key = keys::change(&space, all[3].at);
        assert!(decode_changes(&key, &encode_group(&key, &all[..3])).is_err());
        let key = keys::change(&space, all[0].at);
        assert!(decode_changes(&key, &encode_group(&key, &[])).is_err());
    }

    #[test]
    fn a_set_without_a_job_takes_a_few_bytes_and_its_key() {
        let set = |revision| Change {
            at: Cursor {
                revision: Revision::new(revision),
                index: 0,
            },
            key: Key::parse("/key").unwrap(),
            kind: ChangeKind::Put(Put {
                size: 1_000,
                state: None,
            }),
            job: None,
            time: Timestamp::from_secs(1),
        };
        let one = encode_group(b"k", &[set(1)]).len();
        let two = encode_group(b"k", &[set(1), set(2)]).len();
        assert_eq!(two - one, 7 + "/key".len());
    }
}
