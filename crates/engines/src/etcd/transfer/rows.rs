//! The rows of a range, however many, read in pieces as of one revision of the cluster.

use std::vec::IntoIter;

use etcd_client::KeyValue;
use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::BlockingCluster;
use crate::etcd::error::{RETRY_SOON, unavailable};
use crate::etcd::keys::{self, Range};
use crate::etcd::query::RangeQuery;

/// Bytes of rows that one query should bring.
const QUERY_BYTES: usize = 2 << 20;

/// Rows of the first query, when their size is not known.
const FIRST_ROWS: usize = 64;

/// The most rows of one query.
const MAX_ROWS: usize = 10_000;

/// A row, as it stands in the cluster.
pub(crate) type KeyAndValue = (Vec<u8>, Vec<u8>);

/// Rows in the order of their keys.
pub(crate) struct Rows<'a> {
    cluster: &'a BlockingCluster,
    left: Range,
    revision: i64,
    limit: usize,
    page: IntoIter<KeyValue>,
    is_cut: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(cluster: &'a BlockingCluster, left: Range, revision: i64) -> Self {
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
            self.read_page()?;
        }
    }

    fn read_page(&mut self) -> Result<(), StoreError> {
        let query = RangeQuery::range(&self.left).limit(self.limit);
        let read = self.cluster.read(vec![query.at(self.revision)]);
        let found = read.map_err(|error| {
            if error.is_compacted() {
                let reason = "etcd's history was compacted while it was read";
                return unavailable(reason, Fate::NotApplied, RETRY_SOON);
            }
            error.into()
        });
        let found = found?.next();
        self.is_cut = found.is_cut;
        if let Some(last) = found.rows.last() {
            self.left.start = keys::next(last.key().to_vec());
            self.limit = found.next_limit(self.limit, QUERY_BYTES, MAX_ROWS);
        }
        self.page = found.rows.into_iter();
        Ok(())
    }
}
