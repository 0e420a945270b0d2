//! Visiting the rows under a prefix as of one revision.

use std::collections::HashSet;

use etcd_client::KeyValue;
use prominence_core::entry::Metadata;
use prominence_core::listing::Step;
use prominence_core::{Entry, Key, Prefix, StoreError, Timestamp};

use super::reader::Reader;
use crate::etcd::error::Unavailable;
use crate::etcd::keys::{self, Range};
use crate::etcd::query::{Answers, RangeQuery};
use crate::etcd::records::{self, Head, decode_entry};

/// The most rows of one query.
pub(super) const MAX_ROWS: usize = 10_000;

/// Bytes of rows that one query should bring, so that a page takes few of them.
pub(super) const QUERY_BYTES: usize = 2 << 20;

/// Rows of the first query, when their size is not known.
pub(super) const FIRST_ROWS: usize = 64;

/// Hints that are read at once.
const MAX_HINTS: usize = 64;

/// Entries, or counts, that are read in one transaction. etcd takes 128 operations.
pub(super) const MAX_ENTRIES: usize = 120;

/// The reason why an attempt at a scan failed.
pub(super) enum ScanError {
    /// etcd has compacted the revision as of which it was read.
    Compacted,
    Store(StoreError),
}

impl From<StoreError> for ScanError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Unavailable> for ScanError {
    fn from(error: Unavailable) -> Self {
        if error.is_compacted() {
            Self::Compacted
        } else {
            Self::Store(error.into())
        }
    }
}

/// A row of a listing.
pub(super) struct Listed {
    pub(super) key: Key,
    /// `None` where only keys are read.
    pub(super) entry: Option<Entry>,
    pub(super) is_expired: bool,
}

/// Reads under a prefix, all as of the revision of the first one.
#[derive(Clone)]
pub(super) struct Walk<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) prefix: &'a Prefix,
    pub(super) keys_only: bool,
    now: Timestamp,
    /// The cluster's revision; 0 before the first read.
    revision: i64,
    /// The namespace's head as of then.
    head: Option<Head>,
    /// Keys that have expired and are not removed yet, where only keys are read.
    pub(super) expired: HashSet<Key>,
    /// True if an entry has expired by now.
    pub(super) met_expired: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(reader: Reader<'a>, prefix: &'a Prefix, keys_only: bool) -> Self {
        Self {
            reader,
            prefix,
            keys_only,
            now: reader.cluster.clock.now(),
            revision: 0,
            head: None,
            expired: HashSet::new(),
            met_expired: false,
        }
    }

    /// Reads of keys inside a folder, as of the same revision. Expired keys have to be known.
    pub(super) fn keys_inside<'b>(&'b self, folder: &'b Prefix) -> Walk<'b> {
        Walk {
            prefix: folder,
            keys_only: true,
            ..self.clone()
        }
    }

    /// The range of the entries under the prefix.
    pub(super) fn entries(&self) -> Range {
        self.reader.keys.entries(self.prefix)
    }

    /// Visits the rows whose keys sort after `after`.
    pub(super) async fn visit(
        &mut self,
        after: Option<&Prefix>,
        expected: usize,
        visitor: &mut (dyn FnMut(Listed) -> Step + Send),
    ) -> Result<(), ScanError> {
        let keys = self.reader.keys;
        let mut left = self.entries();
        if let Some(after) = after.filter(|after| *after >= self.prefix) {
            left.start = keys::next(keys.entries_from(after.as_str().as_bytes()));
        }
        let mut limit = expected.clamp(1, FIRST_ROWS);
        'queries: loop {
            let mut query = RangeQuery::range(&left).limit(limit);
            if self.keys_only {
                query = query.keys_only();
            }
            let found = self.read(vec![query]).await?.next();
            let Some(last) = found.rows.last() else {
                return Ok(());
            };
            left.start = keys::next(last.key().to_vec());
            let next_limit = found.next_limit(limit, QUERY_BYTES, MAX_ROWS);
            for row in found.rows {
                let row_key = row.key().to_vec();
                match visitor(self.listed(row)?) {
                    Step::Next => {}
                    Step::Stop => return Ok(()),
                    Step::Seek(to) => {
                        let to = keys.entries_from(to.as_bytes());
                        // Rows that were read already need no other query.
                        if to > row_key {
                            left.start = to;
                            continue 'queries;
                        }
                    }
                }
            }
            if !found.is_cut {
                return Ok(());
            }
            limit = next_limit;
        }
    }

    pub(super) fn listed(&mut self, row: KeyValue) -> Result<Listed, ScanError> {
        let row_key = row.key().to_vec();
        let key = self.reader.keys.read_entry(&row_key)?;
        let entry = match self.keys_only {
            true => None,
            false => Some(decode_entry(&row_key, row)?),
        };
        let is_expired = match &entry {
            Some(entry) => !entry.metadata.is_live(self.now),
            None => self.expired.contains(&key),
        };
        self.met_expired |= is_expired;
        Ok(Listed {
            key,
            entry,
            is_expired,
        })
    }

    /// Reads which keys under the prefix have expired and are not removed yet.
    pub(super) async fn read_expired(&mut self) -> Result<(), ScanError> {
        let expired = self.expired_entries().await?;
        self.expired = expired.into_iter().map(|(key, _)| key).collect();
        Ok(())
    }

    /// The entries under the prefix that have expired and are not removed yet. The hints name all
    /// entries that may have expired.
    pub(super) async fn expired_entries(&mut self) -> Result<Vec<(Key, Metadata)>, ScanError> {
        let keys = self.reader.keys;
        let mut hints = keys.due_by(self.now);
        let mut candidates = HashSet::new();
        loop {
            let query = RangeQuery::range(&hints).limit(MAX_HINTS);
            let found = self.read(vec![query]).await?.next();
            for row in &found.rows {
                let due = records::decode_due(row.key(), row.value())?;
                let due = due.into_iter().filter(|(_, at)| *at <= self.now);
                let due = due.filter(|(key, _)| self.prefix.matches(key));
                candidates.extend(due.map(|(key, _)| key));
            }
            match found.rows.last() {
                Some(last) if found.is_cut => hints.start = keys::next(last.key().to_vec()),
                _ => break,
            }
        }
        let candidates: Vec<_> = candidates.into_iter().collect();
        let mut expired = Vec::new();
        for some in candidates.chunks(MAX_ENTRIES) {
            let row_keys: Vec<_> = some.iter().map(|key| keys.entry(key)).collect();
            let queries = row_keys.iter().cloned().map(RangeQuery::row);
            let mut answers = self.read(queries.collect()).await?;
            for (key, row_key) in some.iter().zip(&row_keys) {
                let row = answers.next_row();
                let entry = row.map(|row| decode_entry(row_key, row)).transpose()?;
                let metadata = entry.map(|entry| entry.metadata);
                let metadata = metadata.filter(|metadata| !metadata.is_live(self.now));
                expired.extend(metadata.map(|metadata| (key.clone(), metadata)));
            }
        }
        self.met_expired |= !expired.is_empty();
        Ok(expired)
    }

    /// The head as of the revision of the scan.
    pub(super) async fn head(&mut self) -> Result<Head, ScanError> {
        if self.head.is_none() {
            self.read(Vec::new()).await?;
        }
        Ok(self.head.unwrap_or_default())
    }

    /// Reads as of the revision of the scan. The first read brings the head, so that it costs no
    /// round trip.
    pub(super) async fn read(&mut self, queries: Vec<RangeQuery>) -> Result<Answers, ScanError> {
        let head_key = self.reader.keys.head();
        let head = self
            .head
            .is_none()
            .then(|| RangeQuery::row(head_key.clone()));
        let queries = head.into_iter().chain(queries);
        let queries = queries.map(|query| query.at(self.revision)).collect();
        let mut answers = self.reader.read(queries).await?;
        if self.head.is_none() {
            self.head = Some(Head::of_row(&head_key, answers.next_row())?);
            self.revision = answers.revision;
        }
        Ok(answers)
    }
}
