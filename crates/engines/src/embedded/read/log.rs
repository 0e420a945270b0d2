//! Reading a namespace's log.

use std::ops::Bound;

use prominence_core::listing::{LogRead, LogReader};
use prominence_core::{Change, Cursor, Extent, Namespace, Prefix, StoreError};

use crate::embedded::storage::database::{Snapshot, Table};
use crate::embedded::storage::format::{self, Kind};
use crate::embedded::storage::keys;

/// The extent of the log of a namespace.
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

/// Reads the changes after a cursor that the prefix shows, a bounded number of them.
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
    let mut reader = LogReader::new(prefix, after);
    for row in stored(snapshot, namespace, after) {
        let (_, changes) = row?;
        for change in changes? {
            if reader.add(change).is_break() {
                return Ok(reader.finish(false));
            }
        }
    }
    // A snapshot has commits whole.
    Ok(reader.finish(true))
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
