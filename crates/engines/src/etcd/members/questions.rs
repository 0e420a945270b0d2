//! What the cluster is asked, and what it answers.

use etcd_client::{GetOptions, KeyValue, TxnOp, TxnOpResponse, TxnResponse};

use crate::etcd::keys::Range;

/// What a read found.
pub(in crate::etcd) struct Read {
    /// The cluster's revision as of which it was found.
    pub(in crate::etcd) revision: i64,
    /// Which cluster answered.
    pub(in crate::etcd) cluster: u64,
    /// One for each range that was asked for, in their order.
    pub(in crate::etcd) found: Vec<Found>,
}

/// What stood in one range.
#[derive(Default)]
pub(in crate::etcd) struct Found {
    pub(in crate::etcd) rows: Vec<KeyValue>,
    /// How many there are, also where fewer were wanted.
    pub(in crate::etcd) count: u64,
    /// Whether there are more than were wanted.
    pub(in crate::etcd) is_cut: bool,
}

impl From<TxnResponse> for Read {
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
            found: found.collect(),
        }
    }
}

/// How a range is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::etcd) struct Wanted {
    /// The most rows; 0 for all.
    pub(in crate::etcd) limit: usize,
    /// As of which revision of the cluster; 0 for now.
    pub(in crate::etcd) revision: i64,
    /// Whether values are left out.
    pub(in crate::etcd) content: RowContent,
}

/// What of each row is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::etcd) enum RowContent {
    #[default]
    All,
    Keys,
    /// Not even these, only how many there are.
    Count,
}

/// Reads a range.
pub(in crate::etcd) fn range(range: &Range, wanted: Wanted) -> TxnOp {
    let limit = i64::try_from(wanted.limit).unwrap_or(i64::MAX);
    let mut options = GetOptions::new()
        .with_range(range.end.clone())
        .with_limit(limit)
        .with_revision(wanted.revision);
    match wanted.content {
        RowContent::All => {}
        RowContent::Keys => options = options.with_keys_only(),
        RowContent::Count => options = options.with_count_only(),
    }
    TxnOp::get(range.start.clone(), Some(options))
}

/// Reads one row.
pub(in crate::etcd) fn row(key: Vec<u8>, revision: i64) -> TxnOp {
    TxnOp::get(key, Some(GetOptions::new().with_revision(revision)))
}
