//! Deleting a large prefix, a piece at a time.
//!
//! Removing a million entries takes seconds, and others' commits can't wait for that. So it is
//! done in pieces, between which other namespaces have their turn, and it is still seen, and
//! survives a crash, as a whole:
//!
//! - **Seen whole or not at all.** Before the first piece is written, readers of the namespace are
//!   given the state before it, until the last piece has been written.
//! - **Done whole or not at all.** Everything that is to be deleted is read once before anything
//!   is written, so that damage is met in time. Each piece writes down how far the deletion is;
//!   one that was interrupted is finished when the store is opened.
//! - **Isolated.** Commits to the same namespace wait.

use std::ops::Bound;
use std::sync::Arc;

use prominence_core::error::Fate;
use prominence_core::{
    Commit, Committed, Key, Namespace, Operation, Outcome, Prefix, Revision, StoreError, Timestamp,
};
use tokio::sync::oneshot;

use super::database::{Batch, Database, Table, WriteFailure, entry_of};
use super::error::{OpenError, Trouble};
use super::folder::Folder;
use super::format::{self, Progress};
use super::keys;
use super::options::Tuning;
use super::queue::CommitRequest;

/// Entries in one piece: a few milliseconds of work, for which the commits of others wait.
const PIECE: usize = 1_000;

/// A deletion under way.
pub(super) struct Deletion {
    phase: Phase,
    progress: Progress,
    /// Where the next piece begins.
    from: Bound<Vec<u8>>,
    end: Vec<u8>,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Deleting,
}

/// What is next.
pub(super) enum Piece {
    /// A piece was read; there is more to do.
    Read,
    /// A piece is to be written.
    Write(Written),
    /// All was read, and there is nothing to delete.
    Nothing,
}

/// A piece that is ready to be written.
pub(super) struct Written {
    progress: Progress,
    from: Bound<Vec<u8>>,
    rows: Rows,
    pub(super) is_last: bool,
}

/// What a piece removes and adds.
#[derive(Default)]
struct Rows {
    entries: Vec<Vec<u8>>,
    expiry: Vec<Vec<u8>>,
    keys: Vec<Key>,
}

/// The prefix of a commit that deletes one, which is then all that it does.
pub(super) fn prefix_of(commit: &Commit) -> Option<&Prefix> {
    match commit.operations() {
        [Operation::DeletePrefix { prefix }] => Some(prefix),
        _ => None,
    }
}

/// Whether so many entries begin with a prefix that they are deleted in pieces.
pub(super) fn is_large(
    database: &Database,
    namespace: &Namespace,
    prefix: &Prefix,
) -> Result<bool, StoreError> {
    let (start, end) = range(namespace, prefix);
    let rows = database.snapshot().entries(start, &end);
    let mut found = 0;
    for row in rows.take(PIECE + 1) {
        row?;
        found += 1;
    }
    Ok(found > PIECE)
}

impl Deletion {
    /// Begins to delete a prefix, as the commit with this revision. Its conditions have been
    /// checked.
    pub(super) fn begin(
        request: CommitRequest,
        prefix: Prefix,
        revision: Revision,
        now: Timestamp,
    ) -> Self {
        let (from, end) = range(&request.namespace, &prefix);
        Self {
            phase: Phase::Reading,
            progress: Progress {
                namespace: request.namespace,
                prefix,
                author: request.author,
                time: now,
                revision,
                keys: 0,
                bytes: 0,
            },
            from,
            end,
            answer: request.answer,
        }
    }

    /// The namespace whose commits have to wait.
    pub(super) fn namespace(&self) -> &Namespace {
        &self.progress.namespace
    }

    /// The next piece of work.
    pub(super) fn advance(&mut self, database: &Database) -> Result<Piece, StoreError> {
        let next = next(database, &self.progress, &self.from, &self.end)?;
        if self.phase == Phase::Deleting {
            return Ok(Piece::Write(next));
        }
        self.progress.keys = next.progress.keys;
        self.from = next.from;
        if next.is_last {
            if self.progress.keys == 0 {
                return Ok(Piece::Nothing);
            }
            self.phase = Phase::Deleting;
            self.progress.keys = 0;
            self.from = range(&self.progress.namespace, &self.progress.prefix).0;
        }
        Ok(Piece::Read)
    }

    /// Takes a piece that was written as done.
    pub(super) fn done(&mut self, written: Written) {
        self.progress = written.progress;
        self.from = written.from;
    }

    /// Shows readers that it is done.
    pub(super) fn reveal(&self, database: &Database) {
        let start = keys::entries(&self.progress.namespace, &self.progress.prefix);
        database.unpin_cleared(&self.progress.namespace, start, self.end.clone());
    }

    /// What is known of it where it can't go on.
    pub(super) fn fate(&self) -> Fate {
        match self.phase {
            Phase::Reading => Fate::NotApplied,
            Phase::Deleting => Fate::Unknown,
        }
    }

    /// Answers the caller after the last piece.
    pub(super) fn succeed(self) {
        let revision = match self.progress.keys {
            // Nothing changed, so its revision was not used.
            0 => Revision::new(self.progress.revision.get().saturating_sub(1)),
            _ => self.progress.revision,
        };
        let committed = Committed {
            revision,
            outcomes: vec![Outcome::Deleted(self.progress.keys)],
        };
        self.answer(Ok(committed));
    }

    /// Answers the caller that it can't go on.
    pub(super) fn fail(self, trouble: &Trouble) {
        let fate = self.fate();
        self.answer(Err(trouble.answer(fate)));
    }

    /// Answers the caller; it is gone where that fails.
    pub(super) fn answer(self, result: Result<Committed, StoreError>) {
        let _ = self.answer.send(result);
    }
}

impl Written {
    /// Adds everything to a batch.
    pub(super) fn fill(
        &self,
        database: &Database,
        batch: &mut Batch<'_>,
    ) -> Result<(), StoreError> {
        for row in &self.rows.entries {
            batch.remove(Table::Entries, row.clone());
        }
        for row in &self.rows.expiry {
            batch.remove(Table::Expiry, row.clone());
        }
        let progress = &self.progress;
        if let (Some(last), false) = (progress.last_place(), self.rows.keys.is_empty()) {
            let key = keys::change(&progress.namespace, last);
            let author = progress.author.as_ref();
            let row = format::encode_deletions(&key, author, progress.time, &self.rows.keys);
            batch.put(Table::Log, key, row);
        }
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
}

/// Opens the database, and finishes a deletion that was interrupted, before anybody reads.
pub(super) fn open(folder: &Arc<Folder>, tuning: Tuning) -> Result<Database, OpenError> {
    let database = Database::open(folder, tuning)?;
    let damaged = |cause: StoreError| OpenError::Damaged {
        folder: folder.path().to_owned(),
        cause: cause.into(),
    };
    let Some(mut progress) = database.snapshot().deletion().map_err(damaged)? else {
        return Ok(database);
    };
    tracing::info!(namespace = %progress.namespace, "finishing a deletion that was interrupted");
    let (mut from, end) = range(&progress.namespace, &progress.prefix);
    loop {
        let written = next(&database, &progress, &from, &end).map_err(damaged)?;
        let mut batch = database.batch();
        written.fill(&database, &mut batch).map_err(damaged)?;
        match batch.write() {
            Ok(()) if written.is_last => return Ok(database),
            Ok(()) => {
                progress = written.progress;
                from = written.from;
            }
            // It waited for the background threads, and does so again.
            Err(WriteFailure::Behind) => {}
            Err(WriteFailure::Failed(error)) => {
                return Err(OpenError::from_storage(folder.path().to_owned(), error));
            }
            Err(WriteFailure::Stopped) => {
                let cause = std::io::Error::other("the storage engine has stopped");
                return Err(OpenError::from_io(folder.path().to_owned(), cause));
            }
        }
    }
}

/// Reads the next piece of what is to be deleted.
fn next(
    database: &Database,
    before: &Progress,
    from: &Bound<Vec<u8>>,
    end: &[u8],
) -> Result<Written, StoreError> {
    let mut progress = before.clone();
    let mut rows = Rows::default();
    let mut from = from.clone();
    let mut seen = 0;
    let stored = database.snapshot().entries(from.clone(), end);
    for row in stored.take(PIECE) {
        seen += 1;
        let (key, row_key, row) = entry_of(&progress.namespace, row)?;
        let metadata = format::decode_entry(&row_key, &row)?.metadata;
        from = Bound::Excluded(row_key.to_vec());
        // What has expired is the sweeper's.
        if !metadata.is_live(progress.time) {
            continue;
        }
        progress.keys += 1;
        progress.bytes += (key.as_str().len() + metadata.size) as u64;
        if let Some(expires) = metadata.expires {
            let row = keys::expiry(expires, &progress.namespace, &key);
            rows.expiry.push(row);
        }
        rows.entries.push(row_key.to_vec());
        rows.keys.push(key);
    }
    Ok(Written {
        progress,
        from,
        rows,
        is_last: seen < PIECE,
    })
}

/// The rows of all entries under a prefix.
fn range(namespace: &Namespace, prefix: &Prefix) -> (Bound<Vec<u8>>, Vec<u8>) {
    let start = keys::entries(namespace, prefix);
    let end = keys::after_prefix(&start).unwrap_or_default();
    (Bound::Included(start), end)
}
