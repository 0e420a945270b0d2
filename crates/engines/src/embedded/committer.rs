//! The one thread that writes.
//!
//! It takes all commits that wait, plans them one after another, writes and syncs them together,
//! and then answers each. A refusal is also answered only then, as it may rest on what a
//! predecessor in the group did.
//!
//! A large deletion is done in pieces in between (see `deletion`), while commits to its namespace
//! wait.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use prominence_core::error::Fate;
use prominence_core::{Committed, StoreError};
use tokio::sync::oneshot;

use super::Shared;
use super::database::{Batch, Database, WriteFailure};
use super::deletion::{self, Deletion, Piece, Written};
use super::error::{DISK_FULL, Trouble};
use super::folder::{Folder, free_space};
use super::group::{Author, Group};
use super::options::{MAX_GROUP_COMMITS, RETRY_LATER, RETRY_SOON};
use super::queue::{CommitRequest, Pass, Request, UpkeepRequest};
use super::recovery::Recovery;
use super::upkeep::{self, Left, Round};

/// The thread's state.
pub(super) struct Committer {
    shared: Arc<Shared>,
    folder: Arc<Folder>,
    requests: Receiver<Request>,
    round: Round,
    next_upkeep: Instant,
    recovery: Recovery,
    deletion: Option<Deletion>,
    turn: Turn,
    /// Commits to the namespace of the deletion, and other large deletions.
    deferred: VecDeque<CommitRequest>,
}

/// Whose turn it is while there is a deletion: others never stop, so it would get nowhere if it
/// waited for a moment in which nobody else does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Deletion,
    Others,
}

/// What a commit that was planned will be answered.
struct Answer {
    to: oneshot::Sender<Result<Committed, StoreError>>,
    result: Result<Committed, StoreError>,
    /// What is known of it where the group can't be written.
    fate: Fate,
}

impl Committer {
    pub(super) fn new(
        shared: Arc<Shared>,
        folder: Arc<Folder>,
        requests: Receiver<Request>,
    ) -> Self {
        Self {
            next_upkeep: Instant::now() + shared.options.upkeep_every,
            shared,
            folder,
            requests,
            round: Round::default(),
            recovery: Recovery::default(),
            deletion: None,
            turn: Turn::Others,
            deferred: VecDeque::new(),
        }
    }

    /// Works until it is told to close.
    pub(super) fn run(mut self) {
        let _farewell = Farewell(Arc::clone(&self.shared));
        while let Some(request) = self.next_request() {
            let mut next = Some(request);
            while let Some(request) = next.take() {
                match request {
                    Request::Commit(first) => next = self.serve(*first),
                    Request::Upkeep(request) => self.answer_upkeep(request),
                    Request::Close => return self.close(),
                }
            }
        }
        self.close();
    }

    /// Waits for a request, and does what is to be done meanwhile. `None` where there will be no
    /// more.
    fn next_request(&mut self) -> Option<Request> {
        loop {
            if self.deletion.is_some() {
                if self.turn == Turn::Deletion {
                    self.advance();
                }
                self.turn = Turn::Deletion;
                match self.requests.try_recv() {
                    Ok(request) => return Some(request),
                    Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => return None,
                }
                continue;
            }
            self.turn = Turn::Others;
            if let Some(request) = self.waiting() {
                return Some(request);
            }
            let now = Instant::now();
            if now >= self.next_upkeep {
                self.tick();
            }
            let timeout = self.next_upkeep.saturating_duration_since(now);
            match self.requests.recv_timeout(timeout) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// A request that waits, if there is one.
    fn waiting(&mut self) -> Option<Request> {
        if self.deletion.is_none()
            && let Some(request) = self.deferred.pop_front()
        {
            return Some(Request::Commit(Box::new(request)));
        }
        self.requests.try_recv().ok()
    }

    /// Commits this one and those that wait behind it. Returns another request that was met.
    fn serve(&mut self, first: CommitRequest) -> Option<Request> {
        let database = match self.writable() {
            Ok(database) => database,
            Err(trouble) => {
                // The caller is gone where this fails, here and below.
                let _ = first.answer.send(Err(trouble.answer(Fate::NotApplied)));
                return None;
            }
        };
        let first = self.divert(&database, first)?;
        let mut group = self.group(&database);
        let mut answers = vec![self.plan(&mut group, first)];
        let mut next = None;
        while answers.len() < MAX_GROUP_COMMITS && !group.is_full() {
            match self.waiting() {
                // It is begun, or found to be unreadable, after this group.
                Some(Request::Commit(request)) if !fits_in_a_group(&database, &request) => {
                    next = Some(Request::Commit(request));
                    break;
                }
                Some(Request::Commit(request)) if self.has_to_wait(&request) => {
                    self.defer(*request);
                }
                Some(Request::Commit(request)) => answers.push(self.plan(&mut group, *request)),
                Some(other) => {
                    next = Some(other);
                    break;
                }
                None => break,
            }
        }
        group.trim_touched(self.shared.clock.now());
        let written = self.write_group(&database, &group);
        self.shared.counters.add_commits(answers.len());
        for answer in answers {
            let result = match &written {
                Ok(()) => answer.result,
                Err((trouble, Fate::NotApplied)) => Err(trouble.answer(Fate::NotApplied)),
                Err((trouble, Fate::Unknown)) => Err(trouble.answer(answer.fate)),
            };
            let _ = answer.to.send(result);
        }
        next
    }

    /// Puts a commit off that has to wait, and begins a large deletion. Gives back what can be
    /// planned now.
    fn divert(&mut self, database: &Database, request: CommitRequest) -> Option<CommitRequest> {
        if self.has_to_wait(&request) {
            self.defer(request);
            return None;
        }
        if fits_in_a_group(database, &request) {
            return Some(request);
        }
        let prefix = deletion::prefix_of(&request.commit).cloned()?;
        let mut group = self.group(database);
        let now = self.shared.clock.now();
        let mut look = || {
            deletion::is_large(database, &request.namespace, &prefix)?;
            let refuse = |trouble: Trouble| trouble.answer(Fate::NotApplied);
            self.check_room(0).map_err(refuse)?;
            group.check(&request.namespace, &request.commit, now)?;
            let space = group.snapshot().namespace(&request.namespace)?;
            Ok(space.usage.revision.next())
        };
        match look() {
            Ok(_) if self.deletion.is_some() => self.defer(request),
            Ok(revision) => {
                // What it deletes is not noted there.
                self.shared.taken.forget(&request.namespace);
                database.pin(&request.namespace);
                self.deletion = Some(Deletion::begin(request, prefix, revision, now));
            }
            Err(error) => {
                let _ = request.answer.send(Err(error));
            }
        }
        None
    }

    /// Whether a commit has to wait for the deletion under way.
    fn has_to_wait(&self, request: &CommitRequest) -> bool {
        let deletion = self.deletion.as_ref();
        deletion.is_some_and(|deletion| *deletion.namespace() == request.namespace)
    }

    fn defer(&mut self, request: CommitRequest) {
        if self.deferred.len() < self.shared.options.queue {
            self.deferred.push_back(request);
            return;
        }
        let busy = Trouble::new("too many writes are waiting for a deletion", RETRY_SOON);
        let _ = request.answer.send(Err(busy.answer(Fate::NotApplied)));
    }

    /// Does the next piece of the deletion under way.
    fn advance(&mut self) {
        let Some(mut deletion) = self.deletion.take() else {
            return;
        };
        let database = match self.writable() {
            Ok(database) => database,
            Err(trouble) => return deletion.fail(&trouble),
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
                let trouble = self.fail(Some(Trouble::from_damage(error)));
                deletion.fail(&trouble);
            }
        }
    }

    /// Writes a piece. It may use the room that is otherwise kept free, as it makes room.
    fn write_piece(&mut self, database: &Database, mut deletion: Deletion, written: Written) {
        let mut batch = database.batch();
        if let Err(error) = written.fill(database, &mut batch) {
            let trouble = self.fail(Some(Trouble::from_damage(error)));
            return deletion.fail(&trouble);
        }
        let is_last = written.is_last;
        let shared = Arc::clone(&self.shared);
        let writing = is_last.then(|| shared.hot.writing_many());
        match self.write_batch(batch) {
            Ok(()) => deletion.done(&written),
            // It is tried again.
            Err((_, Fate::NotApplied)) if !database.has_failed() => {
                deletion.put_back(written);
                self.deletion = Some(deletion);
                return;
            }
            // The namespace stays as it was for its readers until the database is opened again,
            // which finishes the deletion.
            Err((trouble, _)) => return deletion.fail(&trouble),
        }
        if !is_last {
            self.deletion = Some(deletion);
            return;
        }
        deletion.reveal(database);
        drop(writing);
        shared.hub.wake_namespace(deletion.namespace());
        shared.counters.add_commits(1);
        deletion.succeed();
    }

    fn plan(&self, group: &mut Group<'_>, request: CommitRequest) -> Answer {
        let author = Author {
            job: request.author.as_ref(),
            now: self.shared.clock.now(),
        };
        let planned = group.commit(&request.namespace, &request.commit, author);
        let changes = planned.as_ref().is_ok_and(|planned| planned.changes);
        Answer {
            to: request.answer,
            result: planned.map(|planned| planned.committed),
            fate: if changes {
                Fate::Unknown
            } else {
                Fate::NotApplied
            },
        }
    }

    fn group<'a>(&self, database: &'a Database) -> Group<'a> {
        let options = &self.shared.options;
        let taken = self.shared.taken.clone();
        Group::new(database.snapshot(), options.quota, options.retention, taken)
    }

    /// Writes a group and makes it seen, or says why not and what is known of it.
    fn write_group(
        &mut self,
        database: &Database,
        group: &Group<'_>,
    ) -> Result<(), (Trouble, Fate)> {
        let written = self.try_to_write(database, group);
        if written.is_err() {
            self.shared.taken.forget_all();
        }
        written
    }

    fn try_to_write(
        &mut self,
        database: &Database,
        group: &Group<'_>,
    ) -> Result<(), (Trouble, Fate)> {
        if group.is_empty() {
            return Ok(());
        }
        if let Err(trouble) = self.check_room(group.weight()) {
            return Err((trouble, Fate::NotApplied));
        }
        let mut batch = database.batch();
        group.fill(&mut batch);
        let shared = Arc::clone(&self.shared);
        let rows = group.rows();
        database.forget_cleared(&rows);
        let writing = shared.hot.writing(rows);
        let written = self.write_batch(batch);
        drop(writing);
        written?;
        shared.health.writable();
        group.publish(&shared.hub);
        Ok(())
    }

    /// Writes and syncs a batch.
    fn write_batch(&mut self, batch: Batch<'_>) -> Result<(), (Trouble, Fate)> {
        match batch.write() {
            Ok(()) => {
                self.shared.counters.add_sync();
                self.recovery.succeeded();
                Ok(())
            }
            Err(WriteFailure::Behind) => {
                let trouble = Trouble::new("the disk can't keep up with the writes", RETRY_SOON);
                Err((trouble, Fate::NotApplied))
            }
            Err(WriteFailure::Stopped) => Err((self.fail(None), Fate::NotApplied)),
            Err(WriteFailure::Failed(error)) => {
                Err((self.fail(Some(Trouble::from_storage(error))), Fate::Unknown))
            }
        }
    }

    /// Whether the disk has room for a group and for what is to be kept free.
    fn check_room(&self, weight: usize) -> Result<(), Trouble> {
        let kept_free = self.shared.options.min_free_disk;
        if kept_free == 0 {
            return Ok(());
        }
        let free = free_space(self.folder.path()).map_err(Trouble::from_io);
        let checked = free.and_then(|free| {
            if free < kept_free.saturating_add(weight as u64) {
                return Err(Trouble::new(DISK_FULL, RETRY_LATER));
            }
            Ok(())
        });
        checked.inspect_err(|trouble| self.shared.health.unwritable(trouble))
    }

    /// The database where it can be written to. Tries to open it again where it has failed.
    fn writable(&mut self) -> Result<Arc<Database>, Trouble> {
        self.recovery.attempt(&self.shared, &self.folder)?;
        match self.shared.shelf.open() {
            Some(database) => Ok(database),
            None => Err(Trouble::new("the store is not open", RETRY_SOON)),
        }
    }

    /// Notes that the storage engine has stopped.
    fn fail(&mut self, met: Option<Trouble>) -> Trouble {
        let trouble = self.recovery.failed(&self.folder, met);
        self.shared.health.unwritable(&trouble);
        // What it has written is finished when the database is opened again.
        if let Some(deletion) = self.deletion.take() {
            deletion.fail(&trouble);
        }
        trouble
    }

    /// What is done every now and then.
    fn tick(&mut self) {
        let every = self.shared.options.upkeep_every;
        let pause = match self.upkeep() {
            // Waiting commits have their turn in between.
            Ok(Left::Backlog) => Duration::ZERO,
            Ok(Left::Round | Left::Nothing) => every,
            Err(error) => {
                // A store that takes no writes has been logged, and this is only a consequence.
                if self.shared.health.check().is_ok() {
                    tracing::warn!(%error, "expired entries could not be removed");
                }
                every
            }
        };
        self.next_upkeep = Instant::now() + pause;
    }

    fn answer_upkeep(&mut self, request: UpkeepRequest) {
        if request.pass == Pass::First {
            self.round.restart();
        }
        if self.deletion.is_some() {
            // Removing expired entries of its namespace would spoil what its readers see.
            let _ = request.answer.send(Ok(Left::Backlog));
            return;
        }
        let _ = request.answer.send(self.upkeep());
    }

    /// One pass: expired entries, then logs. Also notices what happened without any write.
    fn upkeep(&mut self) -> Result<Left, StoreError> {
        let refuse = |trouble: Trouble| trouble.answer(Fate::NotApplied);
        let database = self.writable().map_err(refuse)?;
        if database.has_failed() {
            return Err(refuse(self.fail(None)));
        }
        self.check_room(0).map_err(refuse)?;
        self.shared.health.writable();
        let now = self.shared.clock.now();
        let mut group = self.group(&database);
        let expired = upkeep::expire(&mut group, now)?;
        let trimmed = upkeep::trim(&mut group, &mut self.round, now)?;
        let written = self.write_group(&database, &group);
        written.map_err(|(trouble, fate)| trouble.answer(fate))?;
        Ok(expired.max(trimmed))
    }

    /// Finishes what was taken up, answers those that came too late, and closes the store.
    fn close(mut self) {
        loop {
            while self.deletion.is_some() {
                self.advance();
            }
            let Some(request) = self.deferred.pop_front() else {
                break;
            };
            match self.serve(request) {
                Some(Request::Commit(request)) => self.deferred.push_back(*request),
                Some(Request::Upkeep(request)) => self.answer_upkeep(request),
                Some(Request::Close) | None => {}
            }
        }
        let closed = Trouble::new("the store is closed", RETRY_LATER);
        self.shared.health.stopped(closed.clone());
        for request in self.requests.try_iter() {
            let late = closed.answer(Fate::NotApplied);
            match request {
                Request::Commit(request) => {
                    let _ = request.answer.send(Err(late));
                }
                Request::Upkeep(request) => {
                    let _ = request.answer.send(Err(late));
                }
                Request::Close => {}
            }
        }
        self.shared.shelf.close();
        self.shared.hub.wake_all();
    }
}

/// Whether a commit is small enough to be planned with others. A deletion of which that can't be
/// told is not.
fn fits_in_a_group(database: &Database, request: &CommitRequest) -> bool {
    let prefix = deletion::prefix_of(&request.commit);
    prefix.is_none_or(|prefix| {
        let large = deletion::is_large(database, &request.namespace, prefix);
        large.is_ok_and(|large| !large)
    })
}

/// Says so where the thread ends by a panic: reads go on, and readiness turns bad.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the committer stopped; the store takes no writes until a restart");
            let trouble = Trouble::new("the committer has stopped", RETRY_LATER);
            self.0.health.stopped(trouble);
        }
    }
}
