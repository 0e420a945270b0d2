//! The committer's own work: removing expired entries, and trimming logs.
//!
//! Each pass is bounded, so that waiting commits are not stalled by it; what is left is for the
//! next one.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use prominence_core::entry::Metadata;
use prominence_core::{Key, Namespace, StoreError, Timestamp};

use crate::embedded::options::{MAX_EXPIRED_AT_ONCE, MAX_NAMESPACES_AT_ONCE, MAX_TRIMMED_AT_ONCE};
use crate::embedded::storage::database::Table;
use crate::embedded::storage::keys;
use crate::embedded::write::group::Group;

/// The progress of trimming logs: everything up to this row of the namespaces.
#[derive(Default)]
pub(in crate::embedded) struct Round {
    done: Option<Vec<u8>>,
}

/// The work that a pass left for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::embedded) enum Left {
    /// It is done.
    Nothing,
    /// The round is not finished, and there is no hurry.
    Round,
    /// There is more than one pass may do.
    Backlog,
}

/// The earliest entries that are due, by namespace.
type Due = BTreeMap<Namespace, Vec<(Key, Metadata)>>;

/// Plans the removal of entries that have expired, at most [`MAX_EXPIRED_AT_ONCE`] of them.
pub(in crate::embedded) fn expire(
    group: &mut Group<'_>,
    now: Timestamp,
) -> Result<Left, StoreError> {
    let floor = group.snapshot().expiry_floor().unwrap_or_default();
    let past = now.after(Duration::from_millis(1));
    let start = Bound::Included(keys::instant_start(floor).to_vec());
    let rows = group
        .snapshot()
        .rows(Table::Expiry, start, &keys::instant_start(past));
    let mut due = Due::new();
    let mut taken = 0;
    let mut last = floor;
    for row in rows.take(MAX_EXPIRED_AT_ONCE) {
        let (row, _) = row?;
        taken += 1;
        match keys::read_expiry(&row) {
            Some((instant, namespace, key)) => {
                last = instant;
                match indexed(group, &namespace, &key, instant)? {
                    Some(metadata) => due.entry(namespace).or_default().push((key, metadata)),
                    None => group.drop_expiry(row.to_vec()),
                }
            }
            None => group.drop_expiry(row.to_vec()),
        }
    }
    if taken == 0 {
        return Ok(Left::Nothing);
    }
    for (namespace, mut due) in due {
        due.sort_by(|(one, _), (other, _)| one.cmp(other));
        group.expire(&namespace, due, now)?;
    }
    if taken == MAX_EXPIRED_AT_ONCE {
        // Others of the same instant may be left.
        group.raise_expiry_floor(last);
        return Ok(Left::Backlog);
    }
    group.raise_expiry_floor(past);
    Ok(Left::Nothing)
}

/// The metadata of an entry that stands in the index, or `None` where it does not agree.
///
/// A damaged entry, or one in a damaged namespace, is left as it is: reading it tells of the
/// damage. Only its place in the index goes, or it would stand in the way of the others.
fn indexed(
    group: &Group<'_>,
    namespace: &Namespace,
    key: &Key,
    instant: Timestamp,
) -> Result<Option<Metadata>, StoreError> {
    let snapshot = group.snapshot();
    let entry = snapshot
        .namespace(namespace)
        .and_then(|_| snapshot.metadata(namespace, key));
    match entry {
        Ok(metadata) => Ok(metadata.filter(|metadata| metadata.expires == Some(instant))),
        Err(StoreError::Corrupt { what }) => {
            tracing::error!(what, "an entry that has expired can't be removed");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Plans the removal of changes that need not be kept any longer, in the next few namespaces.
pub(in crate::embedded) fn trim(
    group: &mut Group<'_>,
    round: &mut Round,
    now: Timestamp,
) -> Result<Left, StoreError> {
    let start = match &round.done {
        Some(done) => Bound::Excluded(done.clone()),
        None => Bound::Included(keys::FIRST_NAMESPACE.to_vec()),
    };
    // Names are UTF-8, in which this byte does not occur.
    let rows = group.snapshot().rows(Table::Namespaces, start, &[u8::MAX]);
    let mut budget = MAX_TRIMMED_AT_ONCE;
    for (seen, row) in rows.enumerate() {
        if seen == MAX_NAMESPACES_AT_ONCE {
            return Ok(Left::Round);
        }
        let (row, _) = row?;
        if let Some(namespace) = keys::read_namespace(&row) {
            match group.trim(&namespace, budget, now) {
                // The last row of many changes may go beyond it.
                Ok(trimmed) => budget = budget.saturating_sub(trimmed),
                Err(StoreError::Corrupt { what }) => {
                    tracing::error!(what, "a log can't be trimmed");
                }
                Err(error) => return Err(error),
            }
        }
        if budget == 0 {
            // This namespace may have more.
            return Ok(Left::Backlog);
        }
        round.done = Some(row.to_vec());
    }
    round.done = None;
    Ok(Left::Nothing)
}

impl Round {
    /// Begins again with the first namespace.
    pub(in crate::embedded) fn restart(&mut self) {
        self.done = None;
    }
}
