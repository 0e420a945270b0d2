//! What several workers have done, together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::work::Work;
use crate::failure::Failure;

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
    /// The exit status of the last command that failed.
    pub(super) last_status: u8,
    /// The first error that keeps everybody from going on.
    pub(super) error: Option<Failure>,
    /// What failed and is still claimed.
    pub(super) kept: Vec<Work>,
}

impl Tally {
    pub(super) fn new(limit: Option<u64>) -> Self {
        Self {
            limit,
            found: Mutex::default(),
        }
    }

    pub(super) fn succeeded(&self) {
        self.found().succeeded += 1;
    }

    /// A command has failed. What it worked on stays claimed until the end where it is given here.
    pub(super) fn failed(&self, status: u8, kept: Option<Work>) {
        let mut found = self.found();
        found.failed += 1;
        found.last_status = status;
        found.kept.extend(kept);
    }

    /// Nobody can go on.
    pub(super) fn stop(&self, error: Failure) {
        self.found().error.get_or_insert(error);
    }

    /// Whether to begin nothing more.
    pub(super) fn is_over(&self) -> bool {
        let found = self.found();
        found.error.is_some() || self.limit.is_some_and(|limit| found.failed >= limit)
    }

    /// Everything, when all workers have ended.
    pub(super) fn finish(&self) -> Found {
        std::mem::take(&mut *self.found())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
