//! Queries of ranges, and the rows that they find.

use std::vec::IntoIter;

use etcd_client::{GetOptions, KeyValue, TxnOp, TxnOpResponse, TxnResponse};

use super::keys::Range;

/// The rows of a range, or the row of one key, and how to read them.
#[derive(Clone, Debug)]
pub(super) struct RangeQuery {
    start: Vec<u8>,
    options: GetOptions,
}

impl RangeQuery {
    /// All rows of a range, as of now.
    pub(super) fn range(range: &Range) -> Self {
        Self {
            start: range.start.clone(),
            options: GetOptions::new().with_range(range.end.clone()),
        }
    }

    /// The row of one key, as of now.
    pub(super) fn row(key: Vec<u8>) -> Self {
        Self {
            start: key,
            options: GetOptions::new(),
        }
    }

    /// No more rows than this.
    pub(super) fn limit(mut self, rows: usize) -> Self {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        self.options = self.options.with_limit(rows);
        self
    }

    /// As of a revision of the cluster; 0 for now.
    pub(super) fn at(mut self, revision: i64) -> Self {
        self.options = self.options.with_revision(revision);
        self
    }

    /// Without values.
    pub(super) fn keys_only(mut self) -> Self {
        self.options = self.options.with_keys_only();
        self
    }

    /// Without rows, only their number.
    pub(super) fn count_only(mut self) -> Self {
        self.options = self.options.with_count_only();
        self
    }
}

impl From<RangeQuery> for TxnOp {
    fn from(query: RangeQuery) -> Self {
        Self::get(query.start, Some(query.options))
    }
}

/// The answers to the queries of one transaction, in their order.
pub(super) struct Answers {
    /// The cluster's revision as of which they were read.
    pub(super) revision: i64,
    /// The id of the cluster that answered.
    pub(super) cluster: u64,
    found: IntoIter<Found>,
}

/// The rows that one query found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) rows: Vec<KeyValue>,
    /// The number of rows in the range, also beyond the limit.
    pub(super) count: u64,
    /// True if there are more than the limit.
    pub(super) is_cut: bool,
}

impl Answers {
    /// The answer to the next query.
    pub(super) fn next(&mut self) -> Found {
        self.found.next().unwrap_or_default()
    }

    /// The row that the next query found.
    pub(super) fn next_row(&mut self) -> Option<KeyValue> {
        self.next().rows.into_iter().next()
    }
}

impl Found {
    /// The limit for the next query, so that it brings about `bytes`: no more than four times as
    /// many rows as now, and no more than `most`.
    pub(super) fn next_limit(&self, limit: usize, bytes: usize, most: usize) -> usize {
        let rows = self.rows.iter();
        let sum: usize = rows.map(|row| row.key().len() + row.value().len()).sum();
        let average = sum / self.rows.len().max(1) + 1;
        (limit * 4).clamp(1, (bytes / average).clamp(1, most))
    }
}

impl From<TxnResponse> for Answers {
    fn from(response: TxnResponse) -> Self {
        let header = response.header();
        let revision = header.map_or(0, |header| header.revision());
        let cluster = header.map_or(0, |header| header.cluster_id());
        let found = response.op_responses().into_iter().map(|each| match each {
            TxnOpResponse::Get(mut found) => Found {
                count: u64::try_from(found.count()).unwrap_or(0),
                is_cut: found.more(),
                rows: found.take_kvs(),
            },
            _ => Found::default(),
        });
        Self {
            revision,
            cluster,
            found: found.collect::<Vec<_>>().into_iter(),
        }
    }
}
