//! The state that all workers of a run share: the results, and the keys that are not tried again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::{Key, Timestamp};

use super::claimed::{AttemptId, ClaimedKey};
use crate::failure::Failure;

/// The exit status that a lost claim counts as.
const LOST: u8 = 1;

/// Keys whose command has failed in this run, and the attempts that failed.
pub(super) type Tried = HashMap<Key, AttemptId>;

/// The shared state of the workers.
pub(super) struct RunState {
    limit: Option<u64>,
    results: Mutex<Results>,
}

/// The results of a run.
#[derive(Default)]
pub(super) struct Results {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Keys whose claim was lost before their command had ended.
    pub(super) lost: u64,
    /// Keys that were moved below the dead-letter prefix.
    pub(super) moved: u64,
    /// True if a listing of the queue has found a key.
    pub(super) queue_had_keys: bool,
    /// The exit status of the last command that failed; 1 for a claim that was lost.
    pub(super) last_status: u8,
    /// The first error that ends the run.
    pub(super) error: Option<Failure>,
    /// Keys whose command failed and that are still claimed.
    pub(super) kept: Vec<ClaimedKey>,
    /// The attempts that failed, whose keys this run does not try again. Readers share it; it is copied only if it
    /// changes meanwhile.
    tried: Arc<Tried>,
    /// The number of commands that run.
    running: u64,
    /// The milliseconds by which the server's clock is ahead of this machine's; below 0 if it is behind.
    ahead: i64,
    failures: Failures,
    queue: Queue,
}

/// The treatment of keys whose command failed and that this run does not try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Failures {
    /// They stay claimed, so that the next claim finds another key.
    #[default]
    Kept,
    /// They are released at once, since other workers wait for them.
    Released,
}

/// True if this run has seen the end of its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Queue {
    #[default]
    Open,
    Empty,
}

impl RunState {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            results: Mutex::default(),
        }
    }

    /// A command begins.
    pub(super) fn began(&self) {
        self.results().running += 1;
    }

    /// A command has ended, and its messages are printed.
    pub(super) fn ended(&self) {
        self.results().running -= 1;
    }

    pub(super) fn succeeded(&self) {
        self.results().succeeded += 1;
    }

    /// A command has failed.
    pub(super) fn failed(&self, status: u8) {
        let mut results = self.results();
        results.failed += 1;
        results.last_status = status;
    }

    /// A claim was lost before its command had ended.
    pub(super) fn lost(&self) {
        let mut results = self.results();
        results.lost += 1;
        results.last_status = LOST;
    }

    /// A listing of the queue has found a key.
    pub(super) fn queue_has_keys(&self) {
        self.results().queue_had_keys = true;
    }

    /// Records a key that this run does not try again. It stays claimed, or is returned to be released.
    pub(super) fn keep(&self, work: ClaimedKey) -> Option<ClaimedKey> {
        let mut results = self.results();
        Arc::make_mut(&mut results.tried).insert(work.key.clone(), work.identity());
        match results.failures {
            Failures::Kept => {
                results.kept.push(work);
                None
            }
            Failures::Released => Some(work),
        }
    }

    /// From now on keys that fail are released at once; returns those that are still claimed.
    pub(super) fn release_failures(&self) -> Vec<ClaimedKey> {
        let mut results = self.results();
        results.failures = Failures::Released;
        std::mem::take(&mut results.kept)
    }

    /// True if keys that failed are free for other workers, and so for this run's own claims.
    pub(super) fn releases_failures(&self) -> bool {
        self.results().failures == Failures::Released
    }

    /// The attempts that failed.
    pub(super) fn tried(&self) -> Arc<Tried> {
        Arc::clone(&self.results().tried)
    }

    pub(super) fn moved(&self) {
        self.results().moved += 1;
    }

    /// Ends the run with an error.
    pub(super) fn stop(&self, error: Failure) {
        self.results().error.get_or_insert(error);
    }

    /// Records that the queue is empty.
    pub(super) fn is_empty_now(&self) {
        self.results().queue = Queue::Empty;
    }

    /// Returns true if no further command may begin.
    pub(super) fn is_over(&self) -> bool {
        let results = self.results();
        results.error.is_some() || results.queue == Queue::Empty || self.has_failed_often(&results)
    }

    /// True if `--max-failures` has ended the run.
    pub(super) fn reached_limit(&self) -> bool {
        self.has_failed_often(&self.results())
    }

    /// The numbers of commands that succeeded and failed, if none runs now.
    pub(super) fn at_rest(&self) -> Option<(u64, u64)> {
        let results = self.results();
        (results.running == 0).then_some((results.succeeded, results.failed + results.lost))
    }

    /// Compares the clocks: a claim of this length that was made a moment ago lasts until then.
    pub(super) fn note_time(&self, until: Timestamp, hold: Duration, now: Timestamp) {
        let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        let server = until.as_millis().saturating_sub(hold);
        self.results().ahead = server
            .cast_signed()
            .saturating_sub(now.as_millis().cast_signed());
    }

    /// The server's time at this time of this machine's clock.
    pub(super) fn server_time(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add_signed(self.results().ahead))
    }

    /// The results, when all workers have ended.
    pub(super) fn finish(&self) -> Results {
        std::mem::take(&mut *self.results())
    }

    fn has_failed_often(&self, results: &Results) -> bool {
        self.limit
            .is_some_and(|limit| results.failed + results.lost >= limit)
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
