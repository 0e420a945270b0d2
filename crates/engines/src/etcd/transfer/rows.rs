//! The rows of a range, however many, read in pieces as of one revision of the cluster.

use std::vec::IntoIter;

use etcd_client::KeyValue;
use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::Cluster;
use crate::etcd::error::{RETRY_SOON, Trouble, unavailable};
use crate::etcd::keys::{self, Range};
use crate::etcd::members::{Wanted, range};

/// Bytes of rows that one question should bring.
const QUESTION_BYTES: usize = 2 << 20;

/// Rows of the first question, when it is not known how large they are.
const FIRST_ROWS: usize = 64;

/// Rows of any question.
const MAX_ROWS: usize = 10_000;

/// A row, as it stands in the cluster.
pub(crate) type KeyAndValue = (Vec<u8>, Vec<u8>);

/// Rows in the order of their keys.
pub(crate) struct Rows<'a> {
    cluster: &'a Cluster,
    left: Range,
    revision: i64,
    limit: usize,
    page: IntoIter<KeyValue>,
    is_cut: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(cluster: &'a Cluster, left: Range, revision: i64) -> Self {
        Self {
            cluster,
            left,
            revision,
            limit: FIRST_ROWS,
            page: Vec::new().into_iter(),
            is_cut: true,
        }
    }

    /// The next row.
    pub(crate) fn next(&mut self) -> Result<Option<KeyAndValue>, StoreError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row.into_key_value()));
            }
            if !self.is_cut {
                return Ok(None);
            }
            self.turn_page()?;
        }
    }

    fn turn_page(&mut self) -> Result<(), StoreError> {
        let wanted = Wanted {
            limit: self.limit,
            revision: self.revision,
            ..Wanted::default()
        };
        let read = self.cluster.read(vec![range(&self.left, wanted)]);
        let found = read.map_err(|trouble| describe(&trouble))?.found;
        let found = found.into_iter().next().unwrap_or_default();
        self.is_cut = found.is_cut;
        let bytes: usize = found
            .rows
            .iter()
            .map(|row| row.key().len() + row.value().len())
            .sum();
        if let Some(last) = found.rows.last() {
            self.left.start = keys::next(last.key().to_vec());
            let each = bytes / found.rows.len() + 1;
            let most = (QUESTION_BYTES / each).clamp(1, MAX_ROWS);
            self.limit = (self.limit * 4).clamp(1, most);
        }
        self.page = found.rows.into_iter();
        Ok(())
    }
}

/// What a failed read means to somebody who reads everything as of one revision.
fn describe(trouble: &Trouble) -> StoreError {
    if trouble.is_compacted() {
        let reason = "etcd's history was compacted while it was read";
        return unavailable(reason, Fate::NotApplied, RETRY_SOON);
    }
    trouble.read()
}
