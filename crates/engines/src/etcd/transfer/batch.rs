//! What is written together, and noted to be written in the same transaction.
//!
//! Which rows are in which batch follows from the stream alone. So a run that goes on where
//! another was broken off makes the same batches, and leaves out as many as are written already.

use std::collections::HashSet;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use prominence_core::{StoreError, Timestamp};
use xxhash_rust::xxh3::Xxh3;

use super::Cluster;
use super::load::LoadError;
use super::mark::Mark;
use crate::etcd::query::RangeQuery;

/// Rows of a batch. etcd takes 128 operations, and one is for the mark.
const MAX_ROWS: usize = 120;

/// Bytes of a batch, unless one row alone has more. etcd takes requests of 1.5 MiB.
const MAX_BYTES: usize = 768 << 10;

/// A migration into a cluster: nothing but its mark may have changed since the last batch.
pub(crate) struct Filling<'a> {
    cluster: &'a Cluster,
    mark: Mark,
    /// The cluster's revision that wrote the mark.
    written: i64,
}

impl<'a> Filling<'a> {
    /// Begins a migration, or goes on with one that was broken off. `None` where something else
    /// is stored there.
    pub(crate) fn begin(cluster: &'a Cluster, now: Timestamp) -> Result<Option<Self>, LoadError> {
        let key = cluster.keys.migration();
        if let Some((mark, written)) = read(cluster)? {
            return Ok(Some(Self {
                cluster,
                mark,
                written,
            }));
        }
        if cluster.holds_any()? {
            return Ok(None);
        }
        let mut filling = Self {
            cluster,
            mark: Mark {
                begun: now,
                batches: 0,
                digest: 0,
            },
            written: 0,
        };
        let put = TxnOp::put(key.clone(), filling.mark.encode(&key), None);
        filling.transact(Vec::new(), vec![put], filling.mark)?;
        Ok(Some(filling))
    }

    /// Whether nothing is written yet.
    pub(crate) fn is_new(&self) -> bool {
        self.mark.batches == 0
    }

    /// When it was begun.
    pub(crate) fn begun(&self) -> Timestamp {
        self.mark.begun
    }

    /// Takes the mark away: from now on this is a store like any other.
    pub(crate) fn complete(self) -> Result<(), LoadError> {
        let key = self.cluster.keys.migration();
        let unchanged = Compare::mod_revision(key.clone(), CompareOp::Equal, self.written);
        let txn = Txn::new()
            .when(vec![unchanged])
            .and_then(vec![TxnOp::delete(key, None)]);
        let done = self.cluster.transact(&txn).map_err(StoreError::from)?;
        let is_done = done.succeeded()
            // Then an earlier try of the same was done.
            || (done.was_unclear && read(self.cluster)?.is_none());
        if is_done {
            Ok(())
        } else {
            Err(LoadError::Disturbed)
        }
    }

    /// Writes where the mark is still the one that is known, and notes another.
    fn transact(
        &mut self,
        mut compares: Vec<Compare>,
        writes: Vec<TxnOp>,
        mark: Mark,
    ) -> Result<(), LoadError> {
        let key = self.cluster.keys.migration();
        compares.push(Compare::mod_revision(key, CompareOp::Equal, self.written));
        let txn = Txn::new().when(compares).and_then(writes);
        let done = self.cluster.transact(&txn).map_err(StoreError::from)?;
        let mut written = done.revision();
        if !done.succeeded() {
            match read(self.cluster)? {
                // An earlier try of the same was done.
                Some((found, at)) if done.was_unclear && found == mark => written = at,
                _ => return Err(LoadError::Disturbed),
            }
        }
        self.mark = mark;
        self.written = written;
        Ok(())
    }
}

/// Rows on their way into batches.
pub(super) struct Batches<'f, 'a> {
    filling: &'f mut Filling<'a>,
    writes: Vec<TxnOp>,
    compares: Vec<Compare>,
    /// What is written no more than once in a batch; etcd refuses a key that is there twice.
    once: HashSet<Vec<u8>>,
    bytes: usize,
    /// Batches that are complete, those that were left out included.
    number: u64,
    digest: Xxh3,
}

impl<'f, 'a> Batches<'f, 'a> {
    pub(super) fn new(filling: &'f mut Filling<'a>) -> Self {
        Self {
            filling,
            writes: Vec::new(),
            compares: Vec::new(),
            once: HashSet::new(),
            bytes: 0,
            number: 0,
            digest: Xxh3::new(),
        }
    }

    pub(super) fn cluster(&self) -> &'a Cluster {
        self.filling.cluster
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

    /// Writes a row that a server would have written if one were at work there.
    pub(super) fn put_new(&mut self, key: Vec<u8>, row: Vec<u8>) -> Result<(), LoadError> {
        self.put(key.clone(), row)?;
        let absent = Compare::create_revision(key, CompareOp::Equal, 0);
        self.compares.push(absent);
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<(), LoadError> {
        if !self.writes.is_empty() {
            self.write()?;
        }
        if self.number < self.filling.mark.batches {
            return Err(LoadError::Changed);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), LoadError> {
        let mut writes = std::mem::take(&mut self.writes);
        let compares = std::mem::take(&mut self.compares);
        self.once.clear();
        self.bytes = 0;
        self.number += 1;
        let mark = Mark {
            begun: self.filling.mark.begun,
            batches: self.number,
            digest: self.digest.digest(),
        };
        let known = self.filling.mark;
        if mark.batches < known.batches {
            return Ok(());
        }
        if mark.batches == known.batches {
            return if mark == known {
                Ok(())
            } else {
                Err(LoadError::Changed)
            };
        }
        let key = self.cluster().keys.migration();
        let row = mark.encode(&key);
        writes.push(TxnOp::put(key, row, None));
        self.filling.transact(compares, writes, mark)
    }
}

/// The mark, and the cluster's revision that wrote it.
fn read(cluster: &Cluster) -> Result<Option<(Mark, i64)>, StoreError> {
    let key = cluster.keys.migration();
    let mut answers = cluster.read(vec![RangeQuery::row(key.clone())])?;
    let Some(row) = answers.next_row() else {
        return Ok(None);
    };
    let mark = Mark::decode(&key, row.value())?;
    Ok(Some((mark, row.mod_revision())))
}
