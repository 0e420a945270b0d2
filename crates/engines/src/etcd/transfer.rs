//! Reading and writing a whole store in a cluster, while no server runs on it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `rows` | ranges of any length, in pages, as of one revision of the cluster |
//! | `export` | from the stored rows to the stream of a backup |
//! | `load` | from such a stream to the stored rows |
//! | `batch`, `progress` | rows that are written together, and how many batches are written |
//!
//! Unlike an open [`super::EtcdStore`] nothing here removes expired entries or trims a log, so a
//! store that is only read stays as it is.

mod batch;
mod export;
mod load;
mod progress;
mod rows;

use etcd_client::Txn;
use prominence_core::StoreError;
use prominence_core::error::Fate;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

pub(crate) use batch::{Import, LoadError};
pub(crate) use rows::Rows;

use super::error::{OpenError, RETRY_LATER, Unavailable, unavailable};
use super::keys::{Keys, Range, next};
use super::members::{Members, Response};
use super::options::Options;
use super::query::{Answers, RangeQuery};

/// A cluster that threads read and write, which block until the answer.
pub(crate) struct BlockingCluster {
    members: Members,
    keys: Keys,
    options: Options,
    /// Its one worker keeps the connections alive also while no thread blocks on it.
    runtime: Runtime,
    /// The cluster's own id.
    id: u64,
}

/// The reason why a cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The settings are wrong.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BlockingCluster {
    /// Connects, and waits for the first answer.
    pub(crate) fn connect(options: Options) -> Result<Self, ConnectError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("etcd")
            .enable_all()
            .build()
            .map_err(|error| {
                let reason = format!("the connection to etcd can't be kept: {error}");
                unavailable(&reason, Fate::NotApplied, RETRY_LATER)
            })?;
        let mut cluster = Self {
            members: Members::new(&options, 0)?,
            keys: Keys::new(&options.root),
            runtime,
            options,
            id: 0,
        };
        cluster.id = cluster.now()?.cluster;
        Ok(cluster)
    }

    /// True if both are the same cluster.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// True if both are the same place in the same cluster.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.is(other) && self.options.root == other.options.root
    }

    /// True if something is stored under the root.
    pub(crate) fn holds_any(&self) -> Result<bool, StoreError> {
        let queries = self.keys.tables().map(|table| {
            let rows = RangeQuery::range(&table);
            rows.limit(1).keys_only()
        });
        let mut answers = self.read(queries.to_vec())?;
        Ok(queries.iter().any(|_| answers.next_row().is_some()))
    }

    /// The number of entries under the root.
    pub(crate) fn entries(&self) -> Result<u64, StoreError> {
        let entries = RangeQuery::range(&self.keys.all_entries());
        Ok(self.read(vec![entries.count_only()])?.next().count)
    }

    /// True if a migration into it was begun and not completed.
    pub(crate) fn is_importing(&self) -> Result<bool, StoreError> {
        let progress = RangeQuery::row(self.keys.migration());
        Ok(self.read(vec![progress])?.next_row().is_some())
    }

    /// The ranges of all rows under the root.
    pub(crate) fn ranges(&self) -> Ranges {
        let mut ranges = self.keys.tables().to_vec();
        let progress = self.keys.migration();
        ranges.push(Range {
            end: next(progress.clone()),
            start: progress,
        });
        Ranges(ranges)
    }

    /// The revision that the cluster is at.
    pub(crate) fn revision(&self) -> Result<i64, StoreError> {
        Ok(self.now()?.revision)
    }

    /// The rows of a range as of a revision of the cluster.
    pub(crate) fn rows(&self, start: Vec<u8>, end: Vec<u8>, revision: i64) -> Rows<'_> {
        Rows::new(self, Range { start, end }, revision)
    }

    fn now(&self) -> Result<Answers, StoreError> {
        Ok(self.read(vec![RangeQuery::row(self.keys.probe())])?)
    }

    fn read(&self, queries: Vec<RangeQuery>) -> Result<Answers, Unavailable> {
        let deadline = Instant::now() + self.options.request_timeout;
        let read = self.members.read(queries, deadline);
        self.runtime.block_on(read)
    }

    /// Does a transaction, which has to be one that can't be done twice.
    fn transact(&self, txn: &Txn) -> Result<Response, Unavailable> {
        let deadline = Instant::now() + self.options.request_timeout;
        let done = self.members.transact(txn, deadline);
        self.runtime.block_on(done)
    }
}

/// Some of the keys of a cluster.
pub(crate) struct Ranges(Vec<Range>);

impl Ranges {
    /// True if a key is one of them.
    pub(crate) fn hold(&self, key: &[u8]) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|range| range.start.as_slice() <= key && key < range.end.as_slice())
    }
}
