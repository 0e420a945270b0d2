//! One piece of a deletion: reading what is to be deleted, and what is written for it.

use std::ops::Bound;
use std::time::{Duration, Instant};

use prominence_core::{Key, StoreError};

use crate::embedded::storage::database::{Batch, Database, Table, entry_of};
use crate::embedded::storage::format::{self, Progress};
use crate::embedded::storage::keys;

/// The time limit for reading a piece, as the commits of others wait: entries may be
/// large, or on a slow disk.
const MAX_READING: Duration = Duration::from_millis(10);

/// Entries that are read before it looks how long that took.
const ENTRIES_BETWEEN_LOOKS: usize = 64;

/// Deletions in one row of the log. Readers of the log take in whole rows.
const MAX_LOGGED_TOGETHER: usize = 1_000;

/// Bytes that a key which is kept in memory takes beside its text.
const KEY_OVERHEAD: usize = 48;

/// A piece that is ready to be written.
pub(in crate::embedded) struct Written {
    /// The progress of the deletion with it.
    pub(super) progress: Progress,
    /// The place where the next one begins.
    pub(super) from: Bound<Vec<u8>>,
    pub(in crate::embedded) is_last: bool,
    /// The rows that are deleted.
    keys: Vec<Key>,
    /// The rows of these keys in the expiry index.
    expiry: Vec<Vec<u8>>,
}

/// Reads the next piece of what is to be deleted, of at most so many entries.
pub(super) fn read(
    database: &Database,
    before: &Progress,
    from: &Bound<Vec<u8>>,
    end: &[u8],
    most: usize,
) -> Result<Written, StoreError> {
    let began = Instant::now();
    let mut piece = Written {
        progress: before.clone(),
        from: from.clone(),
        is_last: true,
        keys: Vec::new(),
        expiry: Vec::new(),
    };
    let mut last = None;
    let snapshot = database.snapshot();
    for (seen, row) in (1..).zip(snapshot.entries(from.clone(), end)) {
        let (key, row_key, row) = entry_of(&before.namespace, row)?;
        let metadata = snapshot.decode_metadata(&row_key, &row)?;
        last = Some(row_key);
        // The sweeper removes expired entries.
        if metadata.is_live(before.time) {
            piece.progress.keys += 1;
            piece.progress.bytes += (key.as_str().len() + metadata.size) as u64;
            if let Some(expires) = metadata.expires {
                let row = keys::expiry(expires, &before.namespace, &key);
                piece.expiry.push(row);
            }
            piece.keys.push(key);
        }
        let is_late = || seen % ENTRIES_BETWEEN_LOOKS == 0 && began.elapsed() >= MAX_READING;
        if seen >= most || is_late() {
            piece.is_last = false;
            break;
        }
    }
    if let Some(last) = last {
        piece.from = Bound::Excluded(last.to_vec());
    }
    Ok(piece)
}

impl Written {
    /// Bytes of memory that it takes, about.
    pub(super) fn weight(&self) -> usize {
        let keys = self
            .keys
            .iter()
            .map(|key| key.as_str().len() + KEY_OVERHEAD);
        let expiry = self.expiry.iter().map(|row| row.len() + KEY_OVERHEAD);
        keys.chain(expiry).sum()
    }

    /// Adds everything to a batch.
    pub(in crate::embedded) fn fill(
        &self,
        database: &Database,
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        let progress = &self.progress;
        for key in &self.keys {
            let row_key = keys::entry(&progress.namespace, key);
            batch.replace(&row_key, usize::MAX, None)?;
            batch.remove(Table::Entries, row_key);
        }
        for row in &self.expiry {
            batch.remove(Table::Expiry, row.clone());
        }
        self.log(batch);
        if !self.is_last {
            let row = format::encode_progress(progress);
            batch.put(Table::Namespaces, keys::DELETION.to_vec(), row);
            return Ok(());
        }
        let mut space = database.snapshot().namespace(&progress.namespace)?;
        space.usage.keys = space.usage.keys.saturating_sub(progress.keys);
        space.usage.bytes = space.usage.bytes.saturating_sub(progress.bytes);
        space.usage.revision = progress.revision;
        space.log_rows += progress.keys;
        let key = keys::namespace(&progress.namespace);
        let row = format::encode_namespace(&key, &space);
        batch.put(Table::Namespaces, key, row);
        batch.remove(Table::Namespaces, keys::DELETION.to_vec());
        Ok(())
    }

    /// Adds the deletions to the log.
    fn log(&self, batch: &mut Batch<'_>) {
        let progress = &self.progress;
        let author = progress.author.as_ref();
        let mut number = progress.keys.saturating_sub(self.keys.len() as u64);
        for deleted in self.keys.chunks(MAX_LOGGED_TOGETHER) {
            number += deleted.len() as u64;
            if let Some(last) = progress.place(number) {
                let key = keys::change(&progress.namespace, last);
                let row = format::encode_deletions(&key, author, progress.time, deleted);
                batch.put(Table::Log, key, row);
            }
        }
    }
}
