//! Counts the results of all workers of one run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::{Key, Timestamp};

use super::work::{Identity, Work};
use crate::failure::Failure;

/// The exit status that a lost claim counts as.
const LOST: u8 = 1;

/// Keys whose command has failed in this run, and the attempts that failed.
pub(super) type Tried = HashMap<Key, Identity>;

/// The common account of all workers.
pub(super) struct Tally {
    limit: Option<u64>,
    found: Mutex<Found>,
}

/// What has happened.
#[derive(Default)]
pub(super) struct Found {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    /// Keys whose claim was lost before their command had ended.
    pub(super) lost: u64,
    /// Keys that were moved below the dead-letter prefix.
    pub(super) moved: u64,
    /// Whether a look at the queue has found a key.
    pub(super) queue_had_keys: bool,
    /// The exit status of the last command that failed; 1 for a claim that was lost.
    pub(super) last_status: u8,
    /// The first error that keeps everybody from going on.
    pub(super) error: Option<Failure>,
    /// What failed and is still claimed.
    pub(super) kept: Vec<Work>,
    /// What this run tries no more. Shared with who looks at it, and copied only when it changes
    /// meanwhile.
    tried: Arc<Tried>,
    /// Commands that run.
    running: u64,
    /// By how many milliseconds the server's clock is ahead of this machine's, or behind it.
    ahead: i64,
    failures: Failures,
    queue: Queue,
}

/// What is done with keys whose command has failed and that are not tried again by this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Failures {
    /// They stay claimed, so that the next claim finds another key.
    #[default]
    Kept,
    /// Others may have them at once, since they wait for the same keys.
    Released,
}

/// Whether this run has seen the end of its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Queue {
    #[default]
    Open,
    Empty,
}

impl Tally {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            found: Mutex::default(),
        }
    }

    /// A command begins.
    pub(super) fn began(&self) {
        self.found().running += 1;
    }

    /// A command has ended, and all has been said about it.
    pub(super) fn ended(&self) {
        self.found().running -= 1;
    }

    pub(super) fn succeeded(&self) {
        self.found().succeeded += 1;
    }

    /// A command has failed.
    pub(super) fn failed(&self, status: u8) {
        let mut found = self.found();
        found.failed += 1;
        found.last_status = status;
    }

    /// A claim was lost before its command had ended.
    pub(super) fn lost(&self) {
        let mut found = self.found();
        found.lost += 1;
        found.last_status = LOST;
    }

    /// A look at the queue has found a key.
    pub(super) fn queue_has_keys(&self) {
        self.found().queue_had_keys = true;
    }

    /// A key is not tried again by this run. It stays claimed until the end, or comes back to be released.
    pub(super) fn keep(&self, work: Work) -> Option<Work> {
        let mut found = self.found();
        Arc::make_mut(&mut found.tried).insert(work.key.clone(), work.identity());
        match found.failures {
            Failures::Kept => {
                found.kept.push(work);
                None
            }
            Failures::Released => Some(work),
        }
    }

    /// From now on, what fails is released at once; and what has been kept so far.
    pub(super) fn release_failures(&self) -> Vec<Work> {
        let mut found = self.found();
        found.failures = Failures::Released;
        std::mem::take(&mut found.kept)
    }

    /// Whether keys that failed are free for others, and so for this run's own claims.
    pub(super) fn releases_failures(&self) -> bool {
        self.found().failures == Failures::Released
    }

    /// What this run tries no more.
    pub(super) fn tried(&self) -> Arc<Tried> {
        Arc::clone(&self.found().tried)
    }

    pub(super) fn moved(&self) {
        self.found().moved += 1;
    }

    /// Nobody can go on.
    pub(super) fn stop(&self, error: Failure) {
        self.found().error.get_or_insert(error);
    }

    /// Nothing is left to do.
    pub(super) fn is_empty_now(&self) {
        self.found().queue = Queue::Empty;
    }

    /// Whether to begin nothing more.
    pub(super) fn is_over(&self) -> bool {
        let found = self.found();
        found.error.is_some() || found.queue == Queue::Empty || self.has_failed_often(&found)
    }

    /// Whether `--max-failures` has ended the run.
    pub(super) fn reached_limit(&self) -> bool {
        self.has_failed_often(&self.found())
    }

    /// Commands that have succeeded and failed, where none runs now.
    pub(super) fn at_rest(&self) -> Option<(u64, u64)> {
        let found = self.found();
        (found.running == 0).then_some((found.succeeded, found.failed + found.lost))
    }

    /// Compares the clocks: a claim of this length that was made a moment ago lasts until then.
    pub(super) fn note_time(&self, until: Timestamp, hold: Duration, now: Timestamp) {
        let hold = u64::try_from(hold.as_millis()).unwrap_or(u64::MAX);
        let server = until.as_millis().saturating_sub(hold);
        self.found().ahead = server
            .cast_signed()
            .saturating_sub(now.as_millis().cast_signed());
    }

    /// The server's time at this time of this machine's clock.
    pub(super) fn server_time(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.as_millis().saturating_add_signed(self.found().ahead))
    }

    /// Everything, when all workers have ended.
    pub(super) fn finish(&self) -> Found {
        std::mem::take(&mut *self.found())
    }

    fn has_failed_often(&self, found: &Found) -> bool {
        self.limit
            .is_some_and(|limit| found.failed + found.lost >= limit)
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
