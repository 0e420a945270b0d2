//! Changes and cursors, as rows, backups and the log over etcd have them.

use prominence_core::{Change, ChangeKind, Cursor, Job, Key, Put, PutState, Revision};

use super::{Body, put_text, read_state, write_state};

/// The numbers of the kinds of changes.
pub(crate) const PUT: u8 = 0;
const DELETE: u8 = 1;
const EXPIRE: u8 = 2;

/// The number of a put with the state of the entry afterwards, which version 1 does not have, in a
/// backup and in the log over etcd. In rows of the embedded engine this number was in use already.
pub(crate) const PUT_WITH_STATE: u8 = 3;

/// The number of the kind of a change, the size of the value, and the state of the entry
/// afterwards; `with_state` is the number of a put with a state.
pub(crate) fn parts(kind: &ChangeKind, with_state: u8) -> (u8, usize, Option<&PutState>) {
    match kind {
        ChangeKind::Put(Put { size, state: None }) => (PUT, *size, None),
        ChangeKind::Put(Put { size, state }) => (with_state, *size, state.as_ref()),
        ChangeKind::Delete => (DELETE, 0, None),
        ChangeKind::Expire => (EXPIRE, 0, None),
    }
}

/// The kind of a change from its [`parts`]; the state is read where the kind has one.
pub(crate) fn kind_of(
    number: u8,
    size: usize,
    with_state: u8,
    read_state: impl FnOnce() -> Option<PutState>,
) -> Option<ChangeKind> {
    Some(match number {
        PUT => ChangeKind::Put(Put { size, state: None }),
        DELETE => ChangeKind::Delete,
        EXPIRE => ChangeKind::Expire,
        _ if number == with_state => {
            let state = Some(read_state()?);
            ChangeKind::Put(Put { size, state })
        }
        _ => return None,
    })
}

/// Writes a change, all but its cursor. Its key is at the end, without its length.
pub(crate) fn write_change(to: &mut Vec<u8>, change: &Change, with_state: u8) {
    let (number, size, state) = parts(&change.kind, with_state);
    to.push(number);
    to.extend_from_slice(&(size as u64).to_be_bytes());
    to.extend_from_slice(&change.time.as_millis().to_be_bytes());
    // No job has an empty identifier.
    put_text(to, change.job.as_ref().map_or("", Job::as_str));
    if let Some(state) = state {
        write_state(to, state, change.time, change.job.as_ref());
    }
    to.extend_from_slice(change.key.as_str().as_bytes());
}

/// Reads what [`write_change`] wrote after the number of the kind.
pub(crate) fn read_change(
    body: &mut Body<'_>,
    at: Cursor,
    number: u8,
    with_state: u8,
) -> Option<Change> {
    let size = usize::try_from(body.u64()?).ok()?;
    let time = body.instant()?;
    let job = body.optional_job()?;
    let state = || read_state(body, time, job.as_ref());
    let kind = kind_of(number, size, with_state, state)?;
    let key = Key::stored(body.0)?;
    Some(Change {
        at,
        key,
        kind,
        job,
        time,
    })
}

pub(crate) fn write_cursor(to: &mut Vec<u8>, at: Cursor) {
    to.extend_from_slice(&at.revision.get().to_be_bytes());
    to.extend_from_slice(&at.index.to_be_bytes());
}

pub(crate) fn read_cursor(body: &mut Body<'_>) -> Option<Cursor> {
    Some(Cursor {
        revision: Revision::new(body.u64()?),
        index: body.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use prominence_core::Timestamp;

    use super::*;
    use crate::row::states;

    /// Released programs have written these bytes.
    #[test]
    fn the_bytes_of_a_change_stay() {
        let author = Job::parse("j").unwrap();
        let mut change = Change {
            at: Cursor::START,
            key: Key::parse("/k").unwrap(),
            kind: ChangeKind::Delete,
            job: Some(author.clone()),
            time: Timestamp::from_millis(258),
        };
        let write = |change: &Change, with_state| {
            let mut bytes = Vec::new();
            write_change(&mut bytes, change, with_state);
            bytes
        };
        let deletion = b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02\0\x01j/k";
        assert_eq!(write(&change, PUT_WITH_STATE), deletion);
        let mut state = states(&author).remove(0);
        state.created = change.time;
        let state = Some(state);
        change.kind = ChangeKind::Put(Put { size: 5, state });
        for with_state in [3, 4] {
            let put = [
                &[with_state][..],
                b"\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\x01\x02\0\x01j\0/k",
            ];
            let bytes = write(&change, with_state);
            assert_eq!(bytes, put.concat());
            let mut body = Body(&bytes[1..]);
            let read = read_change(&mut body, change.at, with_state, with_state);
            assert_eq!(read, Some(change.clone()));
            assert_eq!(kind_of(7 - with_state, 5, with_state, || None), None);
        }
    }

    #[test]
    fn a_cursor_takes_twelve_bytes() {
        let at = Cursor {
            revision: Revision::new(258),
            index: 3,
        };
        let mut bytes = Vec::new();
        write_cursor(&mut bytes, at);
        assert_eq!(bytes, b"\0\0\0\0\0\0\x01\x02\0\0\0\x03");
        assert_eq!(read_cursor(&mut Body(&bytes)), Some(at));
    }
}
