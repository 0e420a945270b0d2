//! Requests that wait for the committer, and counters of its work.

use std::sync::atomic::{AtomicU64, Ordering};

use prominence_core::{Commit, Committed, Job, Namespace, StoreError};
use tokio::sync::oneshot;

use crate::claim_index::ClaimIndex;
use crate::embedded::write::upkeep::Left;
use crate::fair_queue::FairQueue;

/// The requests that wait for the committer: a line for each namespace, and one for the store's own upkeep.
pub(in crate::embedded) type CommitQueue = FairQueue<Option<Namespace>, Request>;

/// A request to the committer.
pub(in crate::embedded) enum Request {
    /// A commit.
    Commit(Box<CommitRequest>),
    /// One pass of upkeep.
    Upkeep(UpkeepRequest),
}

/// A commit that waits.
pub(in crate::embedded) struct CommitRequest {
    pub(in crate::embedded) namespace: Namespace,
    pub(in crate::embedded) author: Option<Job>,
    pub(in crate::embedded) commit: Commit,
    pub(in crate::embedded) answer: oneshot::Sender<Result<Committed, StoreError>>,
}

impl Request {
    /// Answers that the request was not done.
    pub(in crate::embedded) fn refuse(self, why: StoreError) {
        // The caller is gone where this fails.
        match self {
            Self::Commit(request) => _ = request.answer.send(Err(why)),
            Self::Upkeep(request) => _ = request.answer.send(Err(why)),
        }
    }
}

/// A pass of upkeep that somebody waits for.
pub(in crate::embedded) struct UpkeepRequest {
    /// The pass, of several.
    pub(in crate::embedded) pass: Pass,
    pub(in crate::embedded) answer: oneshot::Sender<Result<Left, StoreError>>,
}

/// A pass of several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Pass {
    First,
    Later,
}

/// Counts the work since the store was opened.
#[derive(Default)]
pub(in crate::embedded) struct Counting {
    commits: AtomicU64,
    syncs: AtomicU64,
    counts: AtomicU64,
    looks: AtomicU64,
    signals: AtomicU64,
}

/// The work of an embedded store since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Commits that were planned, refused ones included.
    pub commits: u64,
    /// Groups that were written and synced, the store's own upkeep included.
    pub syncs: u64,
    /// Counts of the keys under a prefix.
    pub counts: u64,
    /// Reads of the log for callers who wait for changes.
    pub looks: u64,
    /// Signals to callers who listened.
    pub signals: u64,
    /// Entries that were read to find work for claims.
    pub claim_looks: u64,
}

impl Counting {
    pub(in crate::embedded) fn add_commits(&self, commits: usize) {
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
    }

    pub(in crate::embedded) fn add_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::embedded) fn add_count(&self) {
        self.counts.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::embedded) fn add_look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::embedded) fn add_signal(&self) {
        self.signals.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::embedded) fn read(&self, claim_index: &ClaimIndex) -> Counters {
        Counters {
            commits: self.commits.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            counts: self.counts.load(Ordering::Relaxed),
            looks: self.looks.load(Ordering::Relaxed),
            signals: self.signals.load(Ordering::Relaxed),
            claim_looks: claim_index.scanned(),
        }
    }
}
