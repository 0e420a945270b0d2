//! One namespace: its row, its entries, its log, and whether they agree.

use std::ops::Bound;

use bytes::Bytes;
use prominence_core::{Entry, Namespace, StoreError};

use super::history::{self, History, LogSeen};
use super::report::FindingKind;
use super::walk::{At, Reach, Walker, shown};
use crate::embedded::storage::database::Table;
use crate::embedded::storage::format::{self, NamespaceRow};
use crate::embedded::storage::keys;

/// A namespace under check.
pub(super) struct Space<'n> {
    pub(super) namespace: &'n Namespace,
    /// The start of all its rows.
    pub(super) base: Vec<u8>,
    /// The first key behind them.
    pub(super) end: Vec<u8>,
    pub(super) row: SpaceRow,
}

/// A namespace's own row.
#[derive(Clone, Copy)]
pub(super) enum SpaceRow {
    Found(NamespaceRow),
    Missing,
    /// That has been noted, and nothing can be held against it.
    Damaged,
}

/// The result of a recount of the entries.
#[derive(Default)]
struct Recount {
    keys: u64,
    bytes: u64,
    /// Rows whose content is not known, so that the sums are too small.
    unknown: u64,
}

impl Space<'_> {
    pub(super) fn at(&self, table: Table) -> At<'_> {
        At::new(table, Some(self.namespace))
    }

    /// The namespace's row, where there is something to hold against it.
    pub(super) fn known(&self) -> Option<NamespaceRow> {
        match self.row {
            SpaceRow::Found(row) => Some(row),
            SpaceRow::Missing | SpaceRow::Damaged => None,
        }
    }
}

/// Checks a namespace.
pub(super) fn check(walker: &mut Walker<'_, '_>, namespace: &Namespace) -> Result<(), StoreError> {
    walker.report.namespaces += 1;
    let base = keys::namespace(namespace);
    let mut space = Space {
        namespace,
        end: keys::after_prefix(&base).unwrap_or_default(),
        base,
        row: SpaceRow::Missing,
    };
    space.row = find_row(walker, &space)?;
    let log = history::verify(walker, &space)?;
    let mut recount = Recount::default();
    let mut reach = Reach::All;
    for part in log.parts() {
        let mut history = History::read(walker, &space, &log, part)?;
        if part.is_first() {
            reach = count_entries(walker, &space, &mut history, &mut recount)?;
        } else {
            compare_entries(walker, &space, &mut history)?;
        }
        if reach == Reach::All && recount.unknown == 0 {
            history.note_missing(walker, &space)?;
        }
    }
    compare(walker, &space, &log, &recount, reach);
    Ok(())
}

fn find_row(walker: &mut Walker<'_, '_>, space: &Space<'_>) -> Result<SpaceRow, StoreError> {
    let mut found = SpaceRow::Missing;
    let range = (Bound::Included(space.base.clone()), space.end.as_slice());
    let at = space.at(Table::Namespaces);
    let reach = walker.walk(
        Table::Namespaces,
        Some(space.namespace),
        range,
        &mut |walker, key, row| {
            if key != space.base {
                let explanation = "no row belongs behind the name of a namespace";
                walker.note(FindingKind::IllegalKey, &at, Some(shown(&key)), explanation);
                return Ok(());
            }
            let row = format::decode_namespace(&key, &row);
            found = match walker.readable(&at, &key, row)? {
                Some(row) => SpaceRow::Found(row),
                None => SpaceRow::Damaged,
            };
            Ok(())
        },
    )?;
    match (found, reach) {
        (SpaceRow::Missing, Reach::Part) => Ok(SpaceRow::Damaged),
        _ => Ok(found),
    }
}

/// Checks each entry by itself and against the log, and adds all of them up.
fn count_entries(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
    history: &mut History,
    recount: &mut Recount,
) -> Result<Reach, StoreError> {
    let range = (Bound::Included(space.base.clone()), space.end.as_slice());
    walker.walk(
        Table::Entries,
        Some(space.namespace),
        range,
        &mut |walker, row_key, row| {
            walker.report.entries += 1;
            let Some(entry) = read_entry(walker, space, &row_key, &row)? else {
                recount.unknown += 1;
                return Ok(());
            };
            let bytes = (row_key.len() - space.base.len() + entry.value.len()) as u64;
            recount.keys += 1;
            recount.bytes += bytes;
            walker.report.bytes += bytes;
            check_indexed(walker, space, &row_key, &entry)?;
            let revision = entry.metadata.revision;
            if let Some(row) = space.known()
                && revision > row.usage.revision
            {
                let explanation = format!(
                    "the entry has revision {revision}, and the namespace's latest is {}",
                    row.usage.revision
                );
                let key = Some(shown(&row_key[space.base.len()..]));
                let at = space.at(Table::Entries);
                walker.note(FindingKind::FutureRevision, &at, key, explanation);
            }
            history.compare(walker, space, &row_key, &entry);
            Ok(())
        },
    )
}

/// Compares the entries with another part of the log, and does nothing else.
fn compare_entries(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
    history: &mut History,
) -> Result<(), StoreError> {
    let end = space.end.as_slice();
    for row in walker
        .snapshot
        .rows(Table::Entries, Bound::Included(space.base.clone()), end)
    {
        match row {
            Ok((row_key, row)) => {
                if let Ok(entry) = walker.snapshot.decode_entry(&row_key, &row) {
                    history.compare(walker, space, &row_key, &entry);
                }
            }
            // Rows that can't be read were noted when the entries were counted.
            Err(StoreError::Corrupt { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn read_entry(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
    row_key: &Bytes,
    row: &Bytes,
) -> Result<Option<Entry>, StoreError> {
    let at = space.at(Table::Entries);
    if keys::read_entry(space.namespace, row_key).is_none() {
        let explanation = "this is no legal key";
        walker.note(
            FindingKind::IllegalKey,
            &at,
            Some(shown(row_key)),
            explanation,
        );
        return Ok(None);
    }
    let entry = walker.snapshot.decode_entry(row_key, row);
    walker.readable(&at, row_key, entry)
}

/// Demands that an entry that expires has its row in the index.
fn check_indexed(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
    row_key: &[u8],
    entry: &Entry,
) -> Result<(), StoreError> {
    let Some(expires) = entry.metadata.expires else {
        return Ok(());
    };
    walker.report.expiring += 1;
    let key = &row_key[space.base.len()..];
    let index_key = [&keys::instant_start(expires), row_key].concat();
    let at = space.at(Table::Expiry);
    match walker.snapshot.get(Table::Expiry, &index_key) {
        // Its content is checked with the index.
        Ok(Some(_)) => {}
        Ok(None) => {
            let explanation = format!(
                "the entry expires at {} ms and is not in the index, so it would stay for ever",
                expires.as_millis()
            );
            walker.note(FindingKind::NotIndexed, &at, Some(shown(key)), explanation);
        }
        Err(error) => walker.unreadable(&at, error)?,
    }
    Ok(())
}

/// Compares the namespace's row with what was counted.
fn compare(
    walker: &mut Walker<'_, '_>,
    space: &Space<'_>,
    log: &LogSeen,
    recount: &Recount,
    reach: Reach,
) {
    let at = space.at(Table::Namespaces);
    if matches!(space.row, SpaceRow::Missing) {
        let explanation = "there are entries or changes, and the namespace has no row";
        walker.note(FindingKind::NoNamespace, &at, None, explanation);
    }
    let Some(row) = space.known() else { return };
    let usage = row.usage;
    let is_counted = reach == Reach::All && recount.unknown == 0;
    if is_counted && (usage.keys, usage.bytes) != (recount.keys, recount.bytes) {
        let explanation = format!(
            "it counts {} keys and {} bytes, and a recount gives {} keys and {} bytes",
            usage.keys, usage.bytes, recount.keys, recount.bytes
        );
        walker.note(FindingKind::WrongUsage, &at, None, explanation);
    }
    if log.reach == Reach::All && row.log_rows != log.changes {
        let explanation = format!(
            "it counts {} changes in the log, and a recount gives {}",
            row.log_rows, log.changes
        );
        walker.note(FindingKind::WrongLogLength, &at, None, explanation);
    }
}
