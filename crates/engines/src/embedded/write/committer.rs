//! The one thread that writes.
//!
//! It takes all commits that wait, plans them one after another, writes and syncs them together,
//! and then answers each. A refusal is also answered only then, as it may rest on what a
//! predecessor in the group did.
//!
//! A large deletion is done in pieces in between (see `deletion`), while commits to its namespace
//! wait.

mod chores;
mod large;
mod write;

use std::sync::Arc;
use std::time::Instant;

use prominence_core::error::Fate;
use prominence_core::{Committed, Operation, StoreError, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::embedded::error::{Unavailable, WriteError};
use crate::embedded::files::folder::Folder;
use crate::embedded::options::{MAX_GROUP_COMMITS, RETRY_LATER};
use crate::embedded::shared::Shared;
use crate::embedded::storage::database::Database;
use crate::embedded::write::deletion::Deletion;
use crate::embedded::write::group::{Group, Purpose};
use crate::embedded::write::queue::{CommitQueue, CommitRequest, Request};
use crate::embedded::write::recovery::Recovery;
use crate::embedded::write::space::Author;
use crate::embedded::write::upkeep::Round;
use crate::fair_queue::Taken;
use large::fits_in_a_group;

/// The thread's state.
pub(in crate::embedded) struct Committer {
    shared: Arc<Shared>,
    folder: Arc<Folder>,
    requests: Arc<CommitQueue>,
    round: Round,
    next_upkeep: Instant,
    /// When a portion is moved if nobody writes until then; `None` where there was none at the last look.
    next_move: Option<Instant>,
    recovery: Recovery,
    deletion: Option<Deletion>,
    turn: Turn,
    /// When the latest group was planned.
    latest: Timestamp,
    /// The runtime that the store was opened in, if it was opened in one.
    runtime: Option<Handle>,
    /// True if lines of the queue are held until the deletion is done: the line of its namespace, and
    /// those of namespaces in which another large deletion is to begin.
    holds_lines: bool,
}

/// Whose turn it is while there is a deletion: others never stop, so it would get nowhere if it
/// waited for a moment in which nobody else does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Deletion,
    Others,
}

/// The answer of a commit that was planned.
struct Answer {
    to: oneshot::Sender<Result<Committed, StoreError>>,
    result: Result<Committed, StoreError>,
    /// Its fate if the group can't be written.
    fate: Fate,
}

/// The answers of a group, and the result of its write.
struct Answers {
    answers: Vec<Answer>,
    written: Result<(), WriteError>,
}

impl Committer {
    pub(in crate::embedded) fn new(
        shared: Arc<Shared>,
        folder: Arc<Folder>,
        requests: Arc<CommitQueue>,
    ) -> Self {
        Self {
            next_upkeep: Instant::now() + shared.options.upkeep_every,
            next_move: None,
            shared,
            folder,
            requests,
            round: Round::default(),
            recovery: Recovery::default(),
            deletion: None,
            turn: Turn::Others,
            latest: Timestamp::default(),
            runtime: Handle::try_current().ok(),
            holds_lines: false,
        }
    }

    /// Works until the queue is closed, and everything in it is done.
    pub(in crate::embedded) fn run(mut self) {
        let _farewell = Farewell {
            shared: Arc::clone(&self.shared),
            requests: Arc::clone(&self.requests),
        };
        while let Some(request) = self.next_request() {
            let mut next = Some(request);
            while let Some(request) = next.take() {
                match request {
                    Request::Commit(first) => next = self.serve(*first),
                    Request::Upkeep(request) => self.answer_upkeep(request),
                }
            }
        }
        self.close();
    }

    /// Waits for a request, and does what is to be done meanwhile. `None` where there will be no
    /// more.
    fn next_request(&mut self) -> Option<Request> {
        loop {
            // While there is a large deletion, its pieces and the commits of others take turns.
            if self.deletion.is_some() {
                if self.turn == Turn::Deletion {
                    self.advance();
                }
                self.turn = Turn::Deletion;
                if let Some(request) = self.requests.try_take() {
                    return Some(request);
                }
                continue;
            }
            self.turn = Turn::Others;
            // The lines that the deletion held may be served again.
            if std::mem::take(&mut self.holds_lines) {
                self.requests.resume();
            }
            if let Some(request) = self.requests.try_take() {
                return Some(request);
            }
            let timeout = self.do_chores();
            match self.requests.take_within(timeout) {
                Taken::Item(request) => return Some(request),
                Taken::Nothing => {}
                Taken::Closed => return None,
            }
        }
    }

    /// Commits this one and those that wait behind it. Returns another request that was met.
    fn serve(&mut self, first: CommitRequest) -> Option<Request> {
        let database = match self.writable() {
            Ok(database) => database,
            Err(why) => {
                // The caller is gone where this fails, here and below.
                let _ = first.answer.send(Err(why.answer(Fate::NotApplied)));
                return None;
            }
        };
        // Checked once for the group: asking the file system for each commit would cost more than planning it.
        let room = self.check_room(Purpose::Store, 0);
        // A large deletion goes alone, in pieces. In a group it would hold up all commits behind it for seconds.
        let first = self.divert(&database, admit(first, &room)?)?;
        // All of the group is planned on one state. It changes only when this thread writes.
        let mut group = self.group(&database);
        let mut answers = vec![self.plan(&mut group, first)];
        let mut next = None;
        while answers.len() < MAX_GROUP_COMMITS && !group.is_full(self.requests.is_shared()) {
            match self.requests.try_take() {
                // It is begun, or found to be unreadable, after this group.
                Some(Request::Commit(request)) if !fits_in_a_group(&database, &request) => {
                    next = Some(Request::Commit(request));
                    break;
                }
                Some(Request::Commit(request)) => {
                    if let Some(request) = admit(*request, &room) {
                        answers.push(self.plan(&mut group, request));
                    }
                }
                Some(other) => {
                    next = Some(other);
                    break;
                }
                None => break,
            }
        }
        let now = self.shared.clock.now();
        // With the group, so that trimming costs no sync of its own and a busy log does not grow on.
        group.trim_touched(now);
        self.latest = now;
        // One sync for all of them. Before it nobody is answered, refusals included: they may rest on a commit of this
        // group, which a crash could still undo.
        let written = self.write_in_span(&database, &group, answers.len());
        self.shared.counters.add_commits(answers.len());
        self.tell(answers, written);
        next
    }

    /// Answers a group. Several callers are woken by a task rather than from here: a runtime wakes
    /// its own tasks without a lock and a system call for each.
    fn tell(&self, answers: Vec<Answer>, written: Result<(), WriteError>) {
        let several = answers.len() > 1;
        let answers = Answers { answers, written };
        match self.runtime.as_ref().filter(|_| several) {
            // A runtime that shuts down drops the task. Callers that are left learn that the fate of
            // their commits is not known.
            Some(runtime) => drop(runtime.spawn(async move { answers.send() })),
            None => answers.send(),
        }
    }

    fn plan(&self, group: &mut Group<'_>, request: CommitRequest) -> Answer {
        let now = self.shared.clock.now();
        let author = Author {
            job: request.author.as_ref(),
            now,
        };
        let planned = group.commit(&request.namespace, &request.commit, author);
        let changes = planned.as_ref().is_ok_and(|planned| planned.changes);
        // Its answer may rest on an entry that has expired and is not written over.
        if !changes || !request.commit.conditions().is_empty() {
            self.shared.time_floor.note(now);
        }
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
        let claims = self.shared.claim_index.clone();
        Group::new(
            database.snapshot(),
            options.quotas.clone(),
            options.retention,
            claims,
        )
    }

    /// Closes the store.
    fn close(self) {
        self.shared
            .health
            .stopped(Unavailable::new("the store is closed", RETRY_LATER));
        self.shared.slot.close();
        self.shared.time_floor.note(self.shared.clock.now());
        self.shared.time_floor.sync();
        self.shared.hub.wake_all().tell();
    }
}

impl Answers {
    fn send(self) {
        for answer in self.answers {
            let result = match &self.written {
                Ok(()) => answer.result,
                // A commit that changes nothing was not applied in any case.
                Err(WriteError { why, fate }) => Err(why.answer(match fate {
                    Fate::NotApplied => Fate::NotApplied,
                    Fate::Unknown => answer.fate,
                })),
            };
            // The caller is gone where this fails.
            let _ = answer.to.send(result);
        }
    }
}

/// Refuses what stores something where there is no room for it, alone: what it would be written
/// together with may make room.
fn admit(request: CommitRequest, room: &Result<(), Unavailable>) -> Option<CommitRequest> {
    let operations = request.commit.operations();
    match room {
        Err(why) if !operations.iter().all(Operation::only_removes) => {
            let _ = request.answer.send(Err(why.answer(Fate::NotApplied)));
            None
        }
        _ => Some(request),
    }
}

/// Says so where the thread ends by a panic: reads go on, and readiness turns bad.
struct Farewell {
    shared: Arc<Shared>,
    requests: Arc<CommitQueue>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the committer stopped; the store takes no writes until a restart");
            let why = Unavailable::new("the committer has stopped", RETRY_LATER);
            self.shared.health.stopped(why);
            self.requests.abandon();
        }
    }
}
