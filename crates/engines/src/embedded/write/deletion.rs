//! Deleting a large prefix, a piece at a time.
//!
//! Removing a million entries takes seconds, and others' commits can't wait for that. So it is
//! done in pieces, which take turns with the commits of other namespaces, and it is still seen, and
//! survives a crash, as a whole:
//!
//! - **Seen whole or not at all.** Before the first piece is written, readers of the namespace are
//!   given the state before it, until the last piece has been written.
//! - **Done whole or not at all.** Everything that is to be deleted is read once before anything
//!   is written, so that damage is met in time. Each piece writes down how far the deletion is;
//!   one that was interrupted is finished when the store is opened.
//! - **Isolated.** Commits to the same namespace wait.
//!
//! Each piece costs a sync, and so does each group of others' commits between two pieces. So a
//! piece is as large as it can be without holding others up, and what the first reading found is
//! kept in memory, as far as there is room, rather than read again.

mod piece;

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;

use prominence_core::error::Fate;
use prominence_core::{
    Commit, Committed, Namespace, Operation, Outcome, Prefix, Revision, StoreError, Timestamp,
    rules,
};
use tokio::sync::oneshot;

use crate::embedded::error::{OpenError, Unavailable};
use crate::embedded::files::folder::Folder;
use crate::embedded::options::{DELETION_PIECE, Tuning};
use crate::embedded::storage::database::{Database, WriteFailure};
use crate::embedded::storage::format::Progress;
use crate::embedded::storage::keys;
use crate::embedded::write::queue::CommitRequest;
pub(in crate::embedded) use piece::Written;

/// Entries that a commit deletes together with others; more are deleted in pieces.
const FEW: usize = 1_000;

/// Bytes of what was read that are kept until it is deleted: some 200,000 keys. What comes after
/// them is read again. There is one such deletion at a time.
const MAX_KEPT_BYTES: usize = 16 << 20;

/// A deletion under way.
pub(in crate::embedded) struct Deletion {
    phase: Phase,
    /// The number of keys that has to be found.
    if_count: Option<u64>,
    progress: Progress,
    /// The place where the next piece begins.
    from: Bound<Vec<u8>>,
    end: Vec<u8>,
    kept: Kept,
    answer: oneshot::Sender<Result<Committed, StoreError>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Reading,
    Deleting,
}

/// The next step of a deletion.
pub(in crate::embedded) enum Piece {
    /// A piece was read; there is more to do.
    Read,
    /// A piece is to be written.
    Write(Written),
    /// All was read, and there is nothing to delete.
    Nothing,
}

/// The first pieces that were read, in order, none left out. Nothing else writes to the
/// namespace meanwhile, so they are what would be read again.
#[derive(Default)]
struct Kept {
    pieces: VecDeque<Written>,
    bytes: usize,
    is_full: bool,
}

/// The prefix of a commit that deletes one, which is then all that it does.
pub(in crate::embedded) fn prefix_of(commit: &Commit) -> Option<&Prefix> {
    match commit.operations() {
        [Operation::DeletePrefix { prefix, .. }] => Some(prefix),
        _ => None,
    }
}

/// The number of keys that such a commit demands.
fn if_count_of(commit: &Commit) -> Option<u64> {
    match commit.operations() {
        [Operation::DeletePrefix { if_count, .. }] => *if_count,
        _ => None,
    }
}

/// True if so many entries begin with a prefix that they are deleted in pieces.
pub(in crate::embedded) fn is_large(
    database: &Database,
    namespace: &Namespace,
    prefix: &Prefix,
) -> Result<bool, StoreError> {
    let (start, end) = range(namespace, prefix);
    let rows = database.snapshot().entries(start, &end);
    let mut found = 0;
    for row in rows.take(FEW + 1) {
        row?;
        found += 1;
    }
    Ok(found > FEW)
}

impl Deletion {
    /// Begins to delete a prefix, as the commit with this revision. Its conditions have been
    /// checked.
    pub(in crate::embedded) fn begin(
        request: CommitRequest,
        prefix: Prefix,
        revision: Revision,
        now: Timestamp,
    ) -> Self {
        let (from, end) = range(&request.namespace, &prefix);
        Self {
            phase: Phase::Reading,
            if_count: if_count_of(&request.commit),
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
            kept: Kept::default(),
            answer: request.answer,
        }
    }

    /// The namespace whose commits have to wait.
    pub(in crate::embedded) fn namespace(&self) -> &Namespace {
        &self.progress.namespace
    }

    /// The next piece of work, of at most so many entries.
    pub(in crate::embedded) fn advance(
        &mut self,
        database: &Database,
        most: usize,
    ) -> Result<Piece, StoreError> {
        if self.phase == Phase::Deleting
            && let Some(kept) = self.kept.pieces.pop_front()
        {
            return Ok(Piece::Write(kept));
        }
        let next = piece::read(database, &self.progress, &self.from, &self.end, most)?;
        // A piece that was not kept is read again. It is the same, as no other commit to the namespace is served meanwhile.
        if self.phase == Phase::Deleting {
            return Ok(Piece::Write(next));
        }
        // Everything is read before anything is deleted: damage that was met later would leave half of the keys.
        let is_last = next.is_last;
        self.done(&next);
        self.kept.keep(next);
        if is_last {
            rules::check_count(&self.progress.prefix, self.if_count, self.progress.keys)?;
            if self.progress.keys == 0 {
                return Ok(Piece::Nothing);
            }
            self.phase = Phase::Deleting;
            self.progress.keys = 0;
            self.progress.bytes = 0;
            self.from = range(&self.progress.namespace, &self.progress.prefix).0;
        }
        Ok(Piece::Read)
    }

    /// Takes a piece as done.
    pub(in crate::embedded) fn done(&mut self, written: &Written) {
        self.progress.clone_from(&written.progress);
        self.from.clone_from(&written.from);
    }

    /// Takes a piece that was not written as the next one.
    pub(in crate::embedded) fn put_back(&mut self, written: Written) {
        self.kept.pieces.push_front(written);
    }

    /// Shows readers that it is done.
    pub(in crate::embedded) fn reveal(&self, database: &Database) {
        let start = keys::entries(&self.progress.namespace, &self.progress.prefix);
        database.unpin_emptied(&self.progress.namespace, start, self.end.clone());
    }

    /// The fate of the deletion if it can't go on.
    pub(in crate::embedded) fn fate(&self) -> Fate {
        match self.phase {
            Phase::Reading => Fate::NotApplied,
            Phase::Deleting => Fate::Unknown,
        }
    }

    /// Answers the caller after the last piece.
    pub(in crate::embedded) fn succeed(self) {
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
    pub(in crate::embedded) fn fail(self, why: &Unavailable) {
        let fate = self.fate();
        self.answer(Err(why.answer(fate)));
    }

    /// Answers the caller; it is gone where that fails.
    pub(in crate::embedded) fn answer(self, result: Result<Committed, StoreError>) {
        let _ = self.answer.send(result);
    }
}

impl Kept {
    fn keep(&mut self, read: Written) {
        self.bytes = self.bytes.saturating_add(read.weight());
        // One behind a gap would be deleted before what is in the gap.
        self.is_full |= self.bytes > MAX_KEPT_BYTES;
        if !self.is_full {
            self.pieces.push_back(read);
        }
    }
}

/// Opens the database, and finishes a deletion that was interrupted, before anybody reads.
pub(in crate::embedded) fn open_and_resume(
    folder: &Arc<Folder>,
    tuning: Tuning,
) -> Result<Database, OpenError> {
    let _entered = tracing::info_span!("recovery").entered();
    let database = Database::open(folder, tuning)?;
    let damaged = |cause: StoreError| OpenError::Damaged {
        folder: folder.path().to_owned(),
        cause: cause.into(),
    };
    let Some(mut progress) = database.snapshot().deletion().map_err(damaged)? else {
        return Ok(database);
    };
    // Before anybody reads: to readers a deletion is done whole or not at all.
    tracing::info!(namespace = %progress.namespace, "finishing a deletion that was interrupted");
    let (mut from, end) = range(&progress.namespace, &progress.prefix);
    loop {
        let written =
            piece::read(&database, &progress, &from, &end, DELETION_PIECE).map_err(damaged)?;
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

/// The rows of all entries under a prefix.
fn range(namespace: &Namespace, prefix: &Prefix) -> (Bound<Vec<u8>>, Vec<u8>) {
    let start = keys::entries(namespace, prefix);
    let end = keys::after_prefix(&start).unwrap_or_default();
    (Bound::Included(start), end)
}
