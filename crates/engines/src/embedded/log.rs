//! Reading a namespace's log.

use std::ops::Bound;

use prominence_core::limits::MAX_CHANGES;
use prominence_core::{Change, Changes, Cursor, Extent, Namespace, Prefix, StoreError};

use super::database::{Snapshot, Table};
use super::format::{self, Kind};
use super::keys;
use super::options::MAX_CHANGES_PER_LOOK;

/// What one look into the log found.
pub(super) enum Look {
    /// Changes.
    Found(Changes),
    /// None up to this place, and there may be more behind it.
    GoOn(Cursor),
    /// None up to this place, which is the end.
    End(Cursor),
}

/// How far the log of a namespace reaches.
pub(super) fn extent(snapshot: &Snapshot<'_>, namespace: &Namespace) -> Result<Extent, StoreError> {
    let space = snapshot.namespace(namespace)?;
    Ok(Extent {
        oldest: space.log_floor,
        latest: space.usage.revision,
    })
}

/// How much of the log after its beginning a look saw.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LookedAt {
    Everything,
    Some,
}

/// Looks for changes after a place, among at most [`MAX_CHANGES_PER_LOOK`] of them.
pub(super) fn look(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    prefix: &Prefix,
    after: Cursor,
) -> Result<Look, StoreError> {
    // No change has revision 0, so every place within it is the beginning.
    let after = after.max(Cursor::START);
    let space = snapshot.namespace(namespace)?;
    if after < space.log_floor {
        return Err(StoreError::Compacted {
            oldest: space.log_floor.revision,
        });
    }
    let mut found = Vec::new();
    let mut next = after;
    let mut looked_at = 0;
    let mut look = LookedAt::Everything;
    'rows: for row in stored(snapshot, namespace, after) {
        let (_, changes) = row?;
        for change in changes? {
            // A row of many changes may have been read in part.
            if change.at <= after {
                continue;
            }
            next = change.at;
            looked_at += 1;
            if prefix.shows(&change.key) {
                found.push(change);
            }
            if found.len() == MAX_CHANGES.get() || looked_at == MAX_CHANGES_PER_LOOK {
                look = LookedAt::Some;
                break 'rows;
            }
        }
    }
    if look == LookedAt::Everything {
        // A snapshot has commits whole, so nothing of the last one is left to read.
        next = Cursor::after(next.revision);
    }
    let changes = found;
    Ok(match look {
        _ if !changes.is_empty() => Look::Found(Changes { changes, next }),
        LookedAt::Some => Look::GoOn(next),
        LookedAt::Everything => Look::End(next),
    })
}

/// The rows that hold the changes after a place, in order: where the last change of each stands,
/// and the changes as far as they can be read.
pub(super) fn stored<'a>(
    snapshot: &Snapshot<'a>,
    namespace: &Namespace,
    after: Cursor,
) -> impl Iterator<Item = Result<(Cursor, Result<Vec<Change>, StoreError>), StoreError>> + use<'a> {
    // A namespace's row ends in a zero byte, so there is always an end.
    let end = keys::after_prefix(&keys::namespace(namespace)).unwrap_or_default();
    let start = Bound::Excluded(keys::change(namespace, after));
    snapshot.rows(Table::Log, start, &end).map(|row| {
        let (key, row) = row?;
        let place = keys::read_change(&key)
            .ok_or_else(|| format::damaged(Kind::Change, &key, "has no legal key"))?;
        Ok((place, format::decode_changes(&key, &row)))
    })
}
