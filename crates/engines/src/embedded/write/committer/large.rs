//! Deletions that are too large for a group: they are begun and done in pieces, while commits to
//! their namespace wait.

use std::sync::Arc;

use prominence_core::Namespace;
use prominence_core::error::Fate;

use super::Committer;
use crate::embedded::error::Unavailable;
use crate::embedded::storage::database::Database;
use crate::embedded::write::deletion::{self, Deletion, Piece, Written};
use crate::embedded::write::group::Purpose;
use crate::embedded::write::queue::{CommitRequest, Request};
use crate::queued::weigh;

impl Committer {
    /// Begins a large deletion, or puts it off. Gives back what can be planned now.
    pub(super) fn divert(
        &mut self,
        database: &Database,
        request: CommitRequest,
    ) -> Option<CommitRequest> {
        if fits_in_a_group(database, &request) {
            return Some(request);
        }
        let prefix = deletion::prefix_of(&request.commit).cloned()?;
        let mut group = self.group(database);
        let now = self.shared.clock.now();
        let mut look = || {
            deletion::is_large(database, &request.namespace, &prefix)?;
            let refuse = |why: Unavailable| why.answer(Fate::NotApplied);
            self.check_room(Purpose::Remove, 0).map_err(refuse)?;
            group.check(&request.namespace, &request.commit, now)?;
            let space = group.snapshot().namespace(&request.namespace)?;
            Ok(space.usage.revision.next())
        };
        match look() {
            Ok(_) if self.deletion.is_some() => self.defer(request),
            Ok(revision) => {
                // What it deletes is not noted there.
                self.shared.claim_index.forget(&request.namespace);
                database.pin(&request.namespace);
                self.hold(&request.namespace, None);
                self.deletion = Some(Deletion::begin(request, prefix, revision, now));
            }
            Err(error) => {
                let _ = request.answer.send(Err(error));
            }
        }
        None
    }

    /// Puts another large deletion back, until the one under way is done.
    fn defer(&mut self, request: CommitRequest) {
        let cost = weigh(&request.commit);
        let namespace = request.namespace.clone();
        self.hold(&namespace, Some((cost, Request::Commit(Box::new(request)))));
    }

    /// Serves a namespace's line of the queue no more until the deletion under way is done.
    fn hold(&mut self, namespace: &Namespace, put_back: Option<(usize, Request)>) {
        self.requests.hold(&Some(namespace.clone()), put_back);
        self.holds_lines = true;
    }

    /// Does the next piece of the deletion under way.
    pub(super) fn advance(&mut self) {
        let Some(mut deletion) = self.deletion.take() else {
            return;
        };
        let database = match self.writable() {
            Ok(database) => database,
            Err(why) => return deletion.fail(&why),
        };
        match deletion.advance(&database, self.shared.options.deletion_piece) {
            Ok(Piece::Read) => self.deletion = Some(deletion),
            Ok(Piece::Write(written)) => self.write_piece(&database, deletion, written),
            Ok(Piece::Nothing) => {
                database.unpin(deletion.namespace());
                deletion.succeed();
            }
            // Nothing has been written.
            Err(error) if deletion.fate() == Fate::NotApplied => {
                database.unpin(deletion.namespace());
                deletion.answer(Err(error));
            }
            Err(error) => {
                let why = self.fail(Some(Unavailable::from_damage(error)));
                deletion.fail(&why);
            }
        }
    }

    /// Writes a piece. It may use the room that is otherwise kept free, as it makes room.
    fn write_piece(&mut self, database: &Database, mut deletion: Deletion, written: Written) {
        let mut batch = database.batch();
        if let Err(error) = written.fill(database, &mut batch) {
            let why = self.fail(Some(Unavailable::from_damage(error)));
            return deletion.fail(&why);
        }
        let is_last = written.is_last;
        let shared = Arc::clone(&self.shared);
        let writing = is_last.then(|| shared.entry_cache.writing_many());
        match self.write_batch(batch) {
            Ok(()) => deletion.done(&written),
            // It is tried again.
            Err(error) if error.fate == Fate::NotApplied && !database.has_failed() => {
                deletion.put_back(written);
                self.deletion = Some(deletion);
                return;
            }
            // The namespace stays as it was for its readers until the database is opened again,
            // which finishes the deletion.
            Err(error) => return deletion.fail(&error.why),
        }
        if !is_last {
            self.deletion = Some(deletion);
            return;
        }
        deletion.reveal(database);
        drop(writing);
        self.wake(shared.hub.wake_namespace(deletion.namespace()));
        shared.counters.add_commits(1);
        deletion.succeed();
    }
}

/// True if a commit is small enough to be planned with others. A deletion of which that can't be
/// told is not.
pub(super) fn fits_in_a_group(database: &Database, request: &CommitRequest) -> bool {
    let prefix = deletion::prefix_of(&request.commit);
    prefix.is_none_or(|prefix| {
        let large = deletion::is_large(database, &request.namespace, prefix);
        large.is_ok_and(|large| !large)
    })
}
