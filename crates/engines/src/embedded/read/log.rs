//! Reading a namespace's log.

use std::ops::Bound;

use prominence_core::limits::MAX_CHANGES;
use prominence_core::{Change, Changes, Cursor, Extent, Namespace, Prefix, StoreError};

use crate::embedded::options::MAX_CHANGES_PER_READ;
use crate::embedded::storage::database::{Snapshot, Table};
use crate::embedded::storage::format::{self, Kind};
use crate::embedded::storage::keys;

/// The result of one bounded read of the log.
pub(in crate::embedded) enum LogRead {
    /// Changes that the prefix shows.
    Changes(Changes),
    /// None up to this cursor, and there may be more after it.
    Continue(Cursor),
    /// None up to this cursor, which is the end of the log.
    CaughtUp(Cursor),
}

/// How far the log of a namespace reaches.
pub(in crate::embedded) fn extent(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
) -> Result<Extent, StoreError> {
    let space = snapshot.namespace(namespace)?;
    Ok(Extent {
        oldest: space.log_floor,
        latest: space.usage.revision,
    })
}

/// Reads the changes after a cursor that the prefix shows, among at most [`MAX_CHANGES_PER_READ`] of them.
pub(in crate::embedded) fn read(
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
    prefix: &Prefix,
    after: Cursor,
) -> Result<LogRead, StoreError> {
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
    let mut examined = 0;
    let mut reached_the_end = true;
    'rows: for row in stored(snapshot, namespace, after) {
        let (_, changes) = row?;
        for change in changes? {
            // A row of many changes may have been read in part.
            if change.at <= after {
                continue;
            }
            next = change.at;
            examined += 1;
            if prefix.shows(&change.key) {
                found.push(change);
            }
            if found.len() == MAX_CHANGES.get() || examined == MAX_CHANGES_PER_READ {
                reached_the_end = false;
                break 'rows;
            }
        }
    }
    if reached_the_end {
        // A snapshot has commits whole, so nothing of the last one is left to read.
        next = Cursor::after(next.revision);
    }
    let changes = found;
    Ok(match reached_the_end {
        _ if !changes.is_empty() => LogRead::Changes(Changes { changes, next }),
        true => LogRead::CaughtUp(next),
        false => LogRead::Continue(next),
    })
}

/// The rows that hold the changes after a place, in order: where the last change of each stands,
/// and the changes as far as they can be read.
pub(in crate::embedded) fn stored<'a>(
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
