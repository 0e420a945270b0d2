//! What waits for the committer, and what has been done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prominence_core::{Commit, Committed, Job, Namespace, Operation, Precondition, StoreError};
use tokio::sync::oneshot;

use super::options::MAX_QUEUED_BYTES;
use super::taken::Taken;
use super::upkeep::Left;

/// Bytes that a commit takes in the queue beside its values: keys and structure.
const COMMIT_OVERHEAD: usize = 512;

/// What the committer is asked to do.
pub(super) enum Request {
    /// A commit.
    Commit(Box<CommitRequest>),
    /// One pass of upkeep.
    Upkeep(UpkeepRequest),
    /// Finish, and close the store.
    Close,
}

/// A commit that waits.
pub(super) struct CommitRequest {
    pub(super) namespace: Namespace,
    pub(super) author: Option<Job>,
    pub(super) commit: Commit,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Its share of the queue.
    pub(super) _reserved: Reserved,
}

/// A pass of upkeep that somebody waits for.
pub(super) struct UpkeepRequest {
    /// Which pass of several this is.
    pub(super) pass: Pass,
    pub(super) answer: oneshot::Sender<Result<Left, StoreError>>,
}

/// Which pass of several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    Later,
}

/// Bytes of the commits that wait.
#[derive(Clone, Default)]
pub(super) struct QueuedBytes(Arc<AtomicUsize>);

/// A share of the bytes, given back when it is dropped.
pub(super) struct Reserved {
    queued: QueuedBytes,
    bytes: usize,
}

/// What has been done since the store was opened.
#[derive(Default)]
pub(super) struct Counting {
    commits: AtomicU64,
    syncs: AtomicU64,
    looks: AtomicU64,
    signals: AtomicU64,
}

/// What an embedded store has done since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Commits that were planned, refused ones included.
    pub commits: u64,
    /// Groups that were written and synced, the store's own upkeep included.
    pub syncs: u64,
    /// Looks into the log, on behalf of those who wait for changes.
    pub looks: u64,
    /// Signals that came to those who listened.
    pub signals: u64,
    /// Entries that were read to find work for claims.
    pub claim_looks: u64,
}

impl QueuedBytes {
    /// Takes a share for a commit, or `None` where too much waits already. A commit that is
    /// larger than all that may wait is taken where nothing else does.
    pub(super) fn reserve(&self, commit: &Commit) -> Option<Reserved> {
        let bytes = weigh(commit);
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved {
            queued: self.clone(),
            bytes,
        };
        let fits = before == 0 || before.saturating_add(bytes) <= MAX_QUEUED_BYTES;
        fits.then_some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.queued.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Counting {
    pub(super) fn add_commits(&self, commits: usize) {
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
    }

    pub(super) fn add_sync(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn add_signal(&self) {
        self.signals.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, taken: &Taken) -> Counters {
        Counters {
            commits: self.commits.load(Ordering::Relaxed),
            syncs: self.syncs.load(Ordering::Relaxed),
            looks: self.looks.load(Ordering::Relaxed),
            signals: self.signals.load(Ordering::Relaxed),
            claim_looks: taken.looks(),
        }
    }
}

/// Bytes that a waiting commit takes, about.
fn weigh(commit: &Commit) -> usize {
    let conditions = commit.conditions().iter();
    let expected = conditions.map(|condition| match &condition.expect {
        Precondition::Value(value) => value.len() + COMMIT_OVERHEAD,
        Precondition::Absent | Precondition::Present | Precondition::Revision(_) => COMMIT_OVERHEAD,
    });
    let operations = commit.operations().iter();
    let written = operations.map(|operation| match operation {
        Operation::Set { value, .. } => value.len() + COMMIT_OVERHEAD,
        _ => COMMIT_OVERHEAD,
    });
    expected.chain(written).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prominence_core::{Key, Lifetime, Value};

    fn set(bytes: usize) -> Commit {
        let operation = Operation::Set {
            key: Key::parse("/a").unwrap(),
            value: Value::stored(vec![0; bytes].into()),
            lifetime: Lifetime::Permanent,
        };
        Commit::single(None, operation)
    }

    #[test]
    fn waiting_commits_share_a_limit_on_their_bytes() {
        let queued = QueuedBytes::default();
        let half = set(MAX_QUEUED_BYTES / 2 - COMMIT_OVERHEAD);
        let first = queued.reserve(&half).unwrap();
        let second = queued.reserve(&half).unwrap();
        assert!(queued.reserve(&set(1)).is_none());
        drop(first);
        assert!(queued.reserve(&half).is_some());
        drop(second);
    }

    #[test]
    fn a_commit_larger_than_the_limit_is_taken_when_it_is_alone() {
        let queued = QueuedBytes::default();
        let huge = set(2 * MAX_QUEUED_BYTES);
        drop(queued.reserve(&huge).unwrap());
        let _small = queued.reserve(&set(1)).unwrap();
        assert!(queued.reserve(&huge).is_none());
    }
}
