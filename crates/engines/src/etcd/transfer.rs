//! All of a store in a cluster, read or written in one go while no server is at it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `rows` | ranges of any length, in pieces, as of one revision of the cluster |
//! | `export` | what is stored becomes the stream of a backup |
//! | `load` | such a stream becomes what is stored |
//! | `batch`, `mark` | what is written together, and how far that has come |
//!
//! Unlike an open [`super::EtcdStore`] nothing here removes what has expired or trims a log, so
//! what is only read stays as it is.

mod batch;
mod export;
mod load;
mod mark;
mod rows;

use std::sync::Arc;
use std::thread::JoinHandle;

use etcd_client::Txn;
use prominence_core::StoreError;
use prominence_core::error::Fate;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::time::Instant;

pub(crate) use batch::Filling;
pub(crate) use load::LoadError;
pub(crate) use rows::Rows;

use super::error::{OpenError, RETRY_LATER, Unavailable, unavailable};
use super::keys::{Keys, Range, next};
use super::members::{Members, Response};
use super::options::Options;
use super::query::{Answers, RangeQuery};

/// A cluster that is asked by threads, which wait for the answers.
pub(crate) struct Cluster {
    members: Arc<Members>,
    keys: Keys,
    options: Options,
    driver: Driver,
    /// Which cluster it is, by its own account.
    id: u64,
}

/// Why a cluster can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// It can't be talked to as the options say.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Cluster {
    /// Connects, and waits for the first answer.
    pub(crate) fn connect(options: Options) -> Result<Self, ConnectError> {
        let members = Arc::new(Members::new(&options, 0)?);
        let mut cluster = Self {
            members,
            keys: Keys::new(&options.root),
            driver: Driver::start()?,
            options,
            id: 0,
        };
        cluster.id = cluster.now()?.cluster;
        Ok(cluster)
    }

    /// Whether both are the same cluster.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Whether both are the same place in the same cluster.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.is(other) && self.options.root == other.options.root
    }

    /// Whether something is stored under the root.
    pub(crate) fn holds_any(&self) -> Result<bool, StoreError> {
        let queries = self.keys.tables().map(|table| {
            let rows = RangeQuery::range(&table);
            rows.limit(1).keys_only()
        });
        let mut answers = self.read(queries.to_vec())?;
        Ok(queries.iter().any(|_| answers.next_row().is_some()))
    }

    /// How many entries are stored under the root.
    pub(crate) fn entries(&self) -> Result<u64, StoreError> {
        let entries = RangeQuery::range(&self.keys.all_entries());
        Ok(self.read(vec![entries.count_only()])?.next().count)
    }

    /// Whether a migration into it was begun and not completed.
    pub(crate) fn is_filling(&self) -> Result<bool, StoreError> {
        let progress = RangeQuery::row(self.keys.migration());
        Ok(self.read(vec![progress])?.next_row().is_some())
    }

    /// Where everything is that is stored under the root.
    pub(crate) fn ranges(&self) -> Ranges {
        let mut ranges = self.keys.tables().to_vec();
        let mark = self.keys.migration();
        ranges.push(Range {
            end: next(mark.clone()),
            start: mark,
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
        self.driver.handle.block_on(read)
    }

    /// Does a transaction, which has to be one that can't be done twice.
    fn transact(&self, txn: &Txn) -> Result<Response, Unavailable> {
        let deadline = Instant::now() + self.options.request_timeout;
        let done = self.members.transact(txn, deadline);
        self.driver.handle.block_on(done)
    }
}

/// Some of the keys of a cluster.
pub(crate) struct Ranges(Vec<Range>);

impl Ranges {
    /// Whether a key is one of them.
    pub(crate) fn hold(&self, key: &[u8]) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|range| range.start.as_slice() <= key && key < range.end.as_slice())
    }
}

/// A thread that keeps connections alive also while nobody asks anything.
struct Driver {
    handle: Handle,
    /// Dropped, it ends the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    fn start() -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| {
            let reason = format!("the connection to etcd can't be kept: {error}");
            unavailable(&reason, Fate::NotApplied, RETRY_LATER)
        };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("etcd".to_owned())
            .spawn(move || {
                // What is awaited is never sent; that its sender is gone is what ends it.
                let _ = runtime.block_on(stopped);
            })
            .map_err(failed)?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread's has been told where it mattered: at whoever asked.
            let _ = thread.join();
        }
    }
}
