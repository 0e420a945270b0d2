//! Rows that are written together, with the progress of the migration in the same transaction.
//!
//! The stream alone decides which rows are in which batch. So a run that continues a broken one
//! makes the same batches, and skips as many as are written already.

use std::collections::HashSet;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::{StoreError, Timestamp};
use xxhash_rust::xxh3::Xxh3;

use super::BlockingCluster;
use super::progress::Progress;
use crate::backup::BackupReadError;
use crate::etcd::query::RangeQuery;

/// Rows of a batch. etcd takes 128 operations, and one is for the progress.
const MAX_ROWS: usize = 120;

/// Bytes of a batch, unless one row alone has more. etcd takes requests of 1.5 MiB.
const MAX_BYTES: usize = 768 << 10;

/// The reason why a stream can't be loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The stream can't be read to its end.
    #[error(transparent)]
    Stream(#[from] BackupReadError),
    /// The cluster can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An earlier run wrote other rows than this one would.
    #[error("the source is not what it was when the migration was begun")]
    Changed,
    /// Another process writes there.
    #[error("another process writes to the destination")]
    Disturbed,
}

/// A migration into a cluster. Each transaction compares that the row of its progress is the one
/// that the last one wrote, so no other process writes there unseen.
pub(crate) struct Import<'a> {
    cluster: &'a BlockingCluster,
    progress: Progress,
    /// The cluster's revision that wrote the progress; 0 where there is no such row.
    written: i64,
}

impl<'a> Import<'a> {
    /// Begins a migration, or continues one that was broken off. `None` where something else is
    /// stored there.
    pub(crate) fn begin(
        cluster: &'a BlockingCluster,
        now: Timestamp,
    ) -> Result<Option<Self>, LoadError> {
        let found = read_progress(cluster)?;
        let (progress, written) = found.unwrap_or_else(|| {
            let new = Progress {
                begun: now,
                batches: 0,
                digest: 0,
            };
            (new, 0)
        });
        let mut import = Self {
            cluster,
            progress,
            written,
        };
        if found.is_none() {
            if cluster.holds_any()? {
                return Ok(None);
            }
            import.transact(Vec::new(), Vec::new(), Some(progress))?;
        }
        Ok(Some(import))
    }

    /// True if no batch is written yet.
    pub(crate) fn is_new(&self) -> bool {
        self.progress.batches == 0
    }

    /// The time of the first run.
    pub(crate) fn begun(&self) -> Timestamp {
        self.progress.begun
    }

    /// Deletes the progress. Without it this is a store like any other.
    pub(crate) fn complete(mut self) -> Result<(), LoadError> {
        self.transact(Vec::new(), Vec::new(), None)
    }

    /// Writes rows and the progress after them, where the progress is still the one that is known.
    fn transact(
        &mut self,
        mut compares: Vec<Compare>,
        mut writes: Vec<TxnOp>,
        after: Option<Progress>,
    ) -> Result<(), LoadError> {
        let key = self.cluster.keys.migration();
        let unchanged = Compare::mod_revision(key.clone(), CompareOp::Equal, self.written);
        compares.push(unchanged);
        writes.push(match after {
            Some(after) => TxnOp::put(key.clone(), after.encode(&key), None),
            None => TxnOp::delete(key, None),
        });
        let txn = Txn::new().when(compares).and_then(writes);
        let done = self.cluster.transact(&txn).map_err(StoreError::from)?;
        self.written = done.revision();
        if !done.succeeded() {
            let found = read_progress(self.cluster)?;
            // An earlier attempt whose answer was lost may have been done.
            if !done.was_unclear || found.map(|(progress, _)| progress) != after {
                return Err(LoadError::Disturbed);
            }
            self.written = found.map_or(0, |(_, written)| written);
        }
        self.progress = after.unwrap_or(self.progress);
        Ok(())
    }
}

/// Rows on their way into batches.
pub(super) struct Batches<'f, 'a> {
    import: &'f mut Import<'a>,
    writes: Vec<TxnOp>,
    compares: Vec<Compare>,
    /// Keys that several rows of a batch may have. etcd refuses a transaction that writes one twice.
    once: HashSet<Vec<u8>>,
    bytes: usize,
    /// Complete batches, skipped ones included.
    number: u64,
    digest: Xxh3,
}

impl<'f, 'a> Batches<'f, 'a> {
    pub(super) fn new(import: &'f mut Import<'a>) -> Self {
        Self {
            import,
            writes: Vec::new(),
            compares: Vec::new(),
            once: HashSet::new(),
            bytes: 0,
            number: 0,
            digest: Xxh3::new(),
        }
    }

    pub(super) fn cluster(&self) -> &'a BlockingCluster {
        self.import.cluster
    }

    /// Writes a row.
    pub(super) fn put(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), LoadError> {
        let bytes = key.len() + row.len();
        if self.writes.len() >= MAX_ROWS || self.bytes + bytes > MAX_BYTES {
            self.write()?;
        }
        self.bytes += bytes;
        for part in [&key, &row] {
            // The length keeps a byte from moving between key and row unnoticed.
            self.digest.update(&(part.len() as u64).to_be_bytes());
            self.digest.update(part);
        }
        self.writes.push(TxnOp::put(key, row, None));
        Ok(())
    }

    /// Writes a row that may have been written before, with the same content.
    pub(super) fn put_once(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), LoadError> {
        if !self.once.contains(&key) {
            self.put(key.clone(), row)?;
            self.once.insert(key);
        }
        Ok(())
    }

    /// Writes a row that does not exist unless a server has written there.
    pub(super) fn put_new(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), LoadError> {
        self.put(key.clone(), row)?;
        let absent = Compare::create_revision(key, CompareOp::Equal, 0);
        self.compares.push(absent);
        Ok(())
    }

    /// Writes the last batch.
    pub(super) fn finish(mut self) -> Result<(), LoadError> {
        if !self.writes.is_empty() {
            self.write()?;
        }
        if self.number < self.import.progress.batches {
            return Err(LoadError::Changed);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LoadError> {
        let writes = std::mem::take(&mut self.writes);
        let compares = std::mem::take(&mut self.compares);
        self.once.clear();
        self.bytes = 0;
        self.number += 1;
        let known = self.import.progress;
        let progress = Progress {
            begun: known.begun,
            batches: self.number,
            digest: self.digest.digest(),
        };
        if progress.batches > known.batches {
            return self.import.transact(compares, writes, Some(progress));
        }
        // The batch is written already. Where the digests of the last one agree, all do.
        if progress.batches == known.batches && progress != known {
            return Err(LoadError::Changed);
        }
        Ok(())
    }
}

/// The progress, and the cluster's revision that wrote it.
fn read_progress(cluster: &BlockingCluster) -> Result<Option<(Progress, i64)>, StoreError> {
    let key = cluster.keys.migration();
    let mut answers = cluster.read(vec![RangeQuery::row(key.clone())])?;
    let read = |row: etcd_client::KeyValue| {
        let progress = Progress::decode(&key, row.value())?;
        Ok((progress, row.mod_revision()))
    };
    answers.next_row().map(read).transpose()
}
