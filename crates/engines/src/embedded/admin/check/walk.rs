//! The common part of all checks: walking over rows, and noting findings.

use std::io;
use std::ops::Bound;

use bytes::Bytes;
use prominence_core::{Namespace, StoreError};

use super::report::{CheckReport, Finding, FindingKind, Place};
use crate::embedded::storage::database::{Snapshot, Table};

/// Rows after which whoever waits is told how far the check is.
const ROWS_PER_REPORT: u64 = 10_000;

/// A check under way.
pub(super) struct Walker<'c, 'a> {
    pub(super) snapshot: &'c Snapshot<'a>,
    pub(super) report: CheckReport,
    rows: u64,
    on_progress: &'c mut dyn FnMut(u64),
}

/// The end of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It did.
    All,
    /// Something could not be read, so sums over the rows mean nothing.
    Part,
}

/// The place that a walk has reached, for its findings.
pub(super) struct At<'n> {
    pub(super) place: Place,
    pub(super) namespace: Option<&'n Namespace>,
}

impl<'n> At<'n> {
    pub(super) fn new(table: Table, namespace: Option<&'n Namespace>) -> Self {
        let place = match table {
            Table::Entries => Place::Entries,
            Table::Log => Place::Log,
            Table::Expiry => Place::Expiry,
            Table::Namespaces => Place::Namespaces,
        };
        Self { place, namespace }
    }
}

impl<'c, 'a> Walker<'c, 'a> {
    pub(super) fn new(
        snapshot: &'c Snapshot<'a>,
        report: CheckReport,
        on_progress: &'c mut dyn FnMut(u64),
    ) -> Self {
        Self {
            snapshot,
            report,
            rows: 0,
            on_progress,
        }
    }

    /// Shows the rows of a range to `visit`, up to one that can't be read.
    pub(super) fn walk(
        &mut self,
        table: Table,
        namespace: Option<&Namespace>,
        range: (Bound<Vec<u8>>, &[u8]),
        visit: &mut dyn FnMut(&mut Self, Bytes, Bytes) -> Result<(), StoreError>,
    ) -> Result<Reach, StoreError> {
        let (start, end) = range;
        for row in self.snapshot.rows(table, start, end) {
            self.rows += 1;
            if self.rows.is_multiple_of(ROWS_PER_REPORT) {
                (self.on_progress)(self.rows);
            }
            match row {
                Ok((key, row)) => visit(self, key, row)?,
                Err(error) => {
                    self.unreadable(&At::new(table, namespace), error)?;
                    return Ok(Reach::Part);
                }
            }
        }
        Ok(Reach::All)
    }

    /// Notes something that is wrong.
    pub(super) fn note(
        &mut self,
        kind: FindingKind,
        at: &At<'_>,
        key: Option<String>,
        explanation: impl Into<String>,
    ) {
        self.report.add(Finding {
            kind,
            place: at.place.clone(),
            namespace: at.namespace.cloned(),
            key,
            explanation: explanation.into(),
        });
    }

    /// The content of a row. If it makes no sense, that is noted.
    pub(super) fn readable<T>(
        &mut self,
        at: &At<'_>,
        row_key: &[u8],
        read: Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(StoreError::Corrupt { what }) => {
                let key = Some(shown(row_key));
                self.note(FindingKind::DamagedRow, at, key, what);
                Ok(None)
            }
            Err(error) => {
                self.unreadable(at, error)?;
                Ok(None)
            }
        }
    }

    /// Notes that something can't be read, and passes on what is no damage.
    pub(super) fn unreadable(&mut self, at: &At<'_>, error: StoreError) -> Result<(), StoreError> {
        let explanation = match &error {
            StoreError::Corrupt { what } => what.clone(),
            // A bad sector is damage as well, and the operating system's way to say so.
            StoreError::Unavailable {
                reason,
                cause: Some(cause),
                ..
            } if cause.is::<io::Error>() => reason.clone(),
            _ => return Err(error),
        };
        let explanation =
            format!("rows can't be read, and those behind them are not checked: {explanation}");
        self.note(FindingKind::Unreadable, at, None, explanation);
        Ok(())
    }
}

/// A row's key for people.
pub(super) fn shown(row_key: &[u8]) -> String {
    row_key.escape_ascii().to_string()
}
