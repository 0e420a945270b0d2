//! The log of a namespace: whether it is whole, and whether the entries are what it says.

use std::collections::HashMap;
use std::ops::Bound;

use prominence_core::{Change, ChangeKind, Cursor, Entry, Revision, StoreError};
use xxhash_rust::xxh3::xxh3_128;

use super::report::FindingKind;
use super::space::Space;
use super::walk::{Reach, Walker, shown};
use crate::embedded::storage::database::Table;
use crate::embedded::storage::format;
use crate::embedded::storage::keys;

/// Keys whose latest change is remembered at once, in some 100 MiB. A longer log is compared in
/// parts, each of which reads log and entries once more. Logs have 100,000 changes by default.
const MAX_REMEMBERED: u64 = 1 << 20;

/// The state of a log, as far as the check has read it.
pub(super) struct LogSeen {
    pub(super) changes: u64,
    pub(super) reach: Reach,
    /// Changes whose content is not known, so that nothing can be said about their keys.
    unknown: u64,
}

/// A share of the keys: those whose hash leaves `index` when divided by `of`.
#[derive(Clone, Copy)]
pub(super) struct Part {
    index: u64,
    of: u64,
}

/// The latest change of each key, as far as the log goes back.
pub(super) struct History {
    part: Part,
    /// By the hash of the key, which has enough bits that two keys don't share it.
    latest: HashMap<u128, Latest>,
    /// `None` where the log can't be relied on.
    complete_after: Option<Revision>,
}

struct Latest {
    at: Cursor,
    /// Bytes of the value that it stored; `None` where it removed the key.
    stored: Option<usize>,
    /// True if the entry was met.
    is_met: bool,
}

impl Part {
    pub(super) fn is_first(self) -> bool {
        self.index == 0
    }

    /// The key's hash where the key belongs to the part.
    fn hash(self, key: &[u8]) -> Option<u128> {
        let hash = xxh3_128(key);
        (hash % u128::from(self.of) == u128::from(self.index)).then_some(hash)
    }
}

impl LogSeen {
    /// The parts in which the log is compared; at least one.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part> + use<> {
        let of = self.changes.div_ceil(MAX_REMEMBERED).max(1);
        (0..of).map(move |index| Part { index, of })
    }
}

/// Checks each change by itself, and that none is missing between floor and latest revision.
pub(super) fn verify(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
) -> Result<LogSeen, StoreError> {
    let mut seen = LogSeen {
        changes: 0,
        reach: Reach::All,
        unknown: 0,
    };
    let at = space.at(Table::Log);
    let mut last = space.known().map(|row| row.log_floor);
    let range = (Bound::Included(space.base.clone()), space.end.as_slice());
    seen.reach = walker.walk(
        Table::Log,
        Some(space.namespace),
        range,
        &mut |walker, key, row| {
            // The namespace, a revision, and an index.
            let place = keys::read_change(&key).filter(|_| key.len() == space.base.len() + 12);
            let Some(place) = place else {
                let explanation = "this is no place in a log";
                walker.note(FindingKind::IllegalKey, &at, Some(shown(&key)), explanation);
                return Ok(());
            };
            let changes = format::decode_changes(&key, &row);
            let places = match walker.readable(&at, &key, changes)? {
                Some(changes) => changes.iter().map(|change| change.at).collect(),
                None => {
                    seen.unknown += 1;
                    vec![place]
                }
            };
            for place in places {
                seen.changes += 1;
                walker.report.changes += 1;
                if let Some(before) = last {
                    check_order(walker, space, before, place);
                }
                last = last.max(Some(place));
            }
            Ok(())
        },
    )?;
    if let (Some(row), Some(last), Reach::All) = (space.known(), last, seen.reach)
        && last.revision < row.usage.revision
    {
        let explanation = format!(
            "the log ends at revision {}, and the namespace's latest is {}",
            last.revision, row.usage.revision
        );
        walker.note(FindingKind::LogGap, &at, None, explanation);
    }
    Ok(seen)
}

/// Demands that a change follows the one before it: the next of the same commit, or the first
/// of the next commit.
fn check_order(walker: &mut Walker<'_, '_>, space: &Space<'_>, before: Cursor, place: Cursor) {
    let at = space.at(Table::Log);
    if place <= before {
        let explanation = format!(
            "change {} of revision {} is there, and the log is said to begin after change {} of \
             revision {}",
            place.index, place.revision, before.index, before.revision
        );
        return walker.note(FindingKind::BelowLogFloor, &at, None, explanation);
    }
    let continues =
        place.revision == before.revision && Some(place.index) == before.index.checked_add(1);
    let begins = place.revision == before.revision.next() && place.index == 0;
    if !continues && !begins {
        let explanation = format!(
            "change {} of revision {} is followed by change {} of revision {}",
            before.index, before.revision, place.index, place.revision
        );
        walker.note(FindingKind::LogGap, &at, None, explanation);
    }
    if let Some(row) = space.known()
        && place.revision > row.usage.revision
        && begins
    {
        let explanation = format!(
            "a change has revision {}, and the namespace's latest is {}",
            place.revision, row.usage.revision
        );
        walker.note(FindingKind::FutureRevision, &at, None, explanation);
    }
}

impl History {
    /// Reads the latest changes of the keys of a part.
    pub(super) fn read(
        walker: &Walker<'_, '_>,
        space: &Space<'_>,
        log: &LogSeen,
        part: Part,
    ) -> Result<Self, StoreError> {
        let mut history = Self {
            part,
            latest: HashMap::new(),
            complete_after: None,
        };
        // Where a change can't be read, any key may have changed once more.
        let Some(row) = space.known() else {
            return Ok(history);
        };
        if log.reach == Reach::Part || log.unknown > 0 {
            return Ok(history);
        }
        history.complete_after = Some(row.log_floor.revision);
        let start = Bound::Excluded(keys::change(space.namespace, row.log_floor));
        for row in walker.snapshot.rows(Table::Log, start, &space.end) {
            let (key, row) = row?;
            // A row that makes no sense was noted before.
            for change in format::decode_changes(&key, &row).unwrap_or_default() {
                history.remember(&change);
            }
        }
        Ok(history)
    }

    fn remember(&mut self, change: &Change) {
        if let Some(hash) = self.part.hash(change.key.as_str().as_bytes()) {
            let latest = Latest {
                at: change.at,
                stored: match &change.kind {
                    ChangeKind::Put(put) => Some(put.size),
                    ChangeKind::Delete | ChangeKind::Expire => None,
                },
                is_met: false,
            };
            self.latest.insert(hash, latest);
        }
    }

    /// Demands that an entry is what its key's latest change says.
    pub(super) fn compare(
        &mut self,
        walker: &mut Walker<'_, '_>,
        space: &Space<'_>,
        row_key: &[u8],
        entry: &Entry,
    ) {
        let Some(complete_after) = self.complete_after else {
            return;
        };
        let key = &row_key[space.base.len()..];
        let Some(hash) = self.part.hash(key) else {
            return;
        };
        let revision = entry.metadata.revision;
        let size = entry.value.len();
        let explanation = match self.latest.get_mut(&hash) {
            None if revision <= complete_after => return,
            None => format!("the entry has revision {revision}, which the log does not know"),
            Some(latest) => {
                latest.is_met = true;
                match latest.stored {
                    Some(logged) if latest.at.revision == revision && logged == size => {
                        return;
                    }
                    Some(logged) => format!(
                        "the entry has revision {revision} and {size} bytes, and the log says \
                         revision {} and {logged} bytes",
                        latest.at.revision
                    ),
                    None => format!(
                        "the entry is there with revision {revision}, and the log says that it \
                         was removed by revision {}",
                        latest.at.revision
                    ),
                }
            }
        };
        let at = space.at(Table::Entries);
        walker.note(
            FindingKind::LogDisagrees,
            &at,
            Some(shown(key)),
            explanation,
        );
    }

    /// Notes the entries that the log says are there, and that were not met.
    pub(super) fn note_missing(
        &self,
        walker: &mut Walker<'_, '_>,
        space: &Space<'_>,
    ) -> Result<(), StoreError> {
        let mut missing: Vec<Cursor> = self
            .latest
            .values()
            .filter(|latest| !latest.is_met && latest.stored.is_some())
            .map(|latest| latest.at)
            .collect();
        missing.sort_unstable();
        for place in missing {
            // The key is not remembered, as few are needed.
            let row_key = keys::change(space.namespace, place);
            let row = walker.snapshot.get(Table::Log, &row_key)?;
            let changes = row.map(|row| format::decode_changes(&row_key, &row));
            // A value that was set has a row of its own.
            let Some(Ok([change])) = changes.as_ref().map(|found| found.as_deref()) else {
                continue;
            };
            let explanation = format!(
                "the entry is not there, and the log says that revision {} set it",
                place.revision
            );
            let at = space.at(Table::Entries);
            let key = Some(shown(change.key.as_str().as_bytes()));
            walker.note(FindingKind::LogDisagrees, &at, key, explanation);
        }
        Ok(())
    }
}
