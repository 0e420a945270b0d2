//! Requests to a writer, and which commits share a transaction.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use prominence_core::{Commit, Committed, Job, Operation, Prefix, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::claim_index::MAX_PREFIXES_PER_NAMESPACE;
use crate::etcd::error::busy;
use crate::queued::{MAX_QUEUED_BYTES, weigh};

/// Operations and conditions in one transaction, with which come at most five operations of the
/// engine's own. etcd takes 128.
const MAX_GROUP_STEPS: usize = 120;

/// Bytes of the commits of a group, unless one alone has more. etcd takes requests of 1.5 MiB.
const MAX_GROUP_BYTES: usize = 768 << 10;

/// Prefixes that the claims of a group are for: the claim index has to hold all of them while the
/// group is planned.
const MAX_GROUP_PREFIXES: usize = MAX_PREFIXES_PER_NAMESPACE;

/// The channel for the result of the store's own upkeep.
pub(super) type Answer = oneshot::Sender<Result<(), StoreError>>;

/// A request to a writer.
pub(crate) enum Request {
    Commit(Box<PendingCommit>),
    /// Remove what has expired.
    Sweep(Answer),
    /// Trim the log by age and count.
    Trim(Answer),
}

/// A commit that waits.
pub(crate) struct PendingCommit {
    pub(super) author: Option<Job>,
    pub(super) commit: Commit,
    pub(super) asked: Instant,
    pub(super) answer: oneshot::Sender<Result<Committed, StoreError>>,
    /// Its shares of the queue.
    pub(super) _place: OwnedSemaphorePermit,
    pub(super) _bytes: OwnedSemaphorePermit,
}

impl PendingCommit {
    /// Sends the answer. The caller may be gone.
    pub(super) fn answer(self, answer: Result<Committed, StoreError>) {
        let _ = self.answer.send(answer);
    }

    /// Operations and conditions.
    fn steps(&self) -> usize {
        self.commit.operations().len() + self.commit.conditions().len()
    }

    /// The prefix that it claims a key under.
    fn claimed_prefix(&self) -> Option<&Prefix> {
        match self.commit.operations() {
            [Operation::Claim { prefix, .. }] => Some(prefix),
            _ => None,
        }
    }

    pub(super) fn deletes_prefix(&self) -> bool {
        let operations = self.commit.operations();
        matches!(operations, [Operation::DeletePrefix { .. }])
    }
}

/// Reserves the bytes of a commit; `None` where too many are reserved already. A commit that is
/// larger than the limit reserves all of them, so it waits alone.
pub(super) fn reserve_bytes(
    bytes: &Arc<Semaphore>,
    commit: &Commit,
) -> Option<OwnedSemaphorePermit> {
    let needed = weigh(commit).min(MAX_QUEUED_BYTES);
    let needed = u32::try_from(needed).unwrap_or(u32::MAX);
    Arc::clone(bytes).try_acquire_many_owned(needed).ok()
}

/// A commit and those after it that share a transaction. Commits that have waited for longer than
/// `limit` are refused.
pub(super) fn take_group(
    first: Box<PendingCommit>,
    waiting: &mut VecDeque<Request>,
    limit: Duration,
) -> Vec<PendingCommit> {
    let mut group: Vec<PendingCommit> = Vec::new();
    let (mut steps, mut bytes) = (0, 0);
    let mut prefixes = HashSet::new();
    let mut next = Some(first);
    while let Some(pending) = next.take() {
        if pending.asked.elapsed() > limit {
            pending.answer(Err(busy("too many writes are waiting")));
        } else {
            steps += pending.steps();
            bytes += weigh(&pending.commit);
            prefixes.extend(pending.claimed_prefix().cloned());
            group.push(*pending);
        }
        // The deletion of a prefix is read and written in its own way, so it goes alone.
        if group.last().is_some_and(PendingCommit::deletes_prefix) {
            break;
        }
        let fits = |next: &PendingCommit| {
            let prefix = next.claimed_prefix();
            let has_prefix = prefix.is_none_or(|prefix| prefixes.contains(prefix));
            group.is_empty()
                || !next.deletes_prefix()
                    && (has_prefix || prefixes.len() < MAX_GROUP_PREFIXES)
                    && steps + next.steps() <= MAX_GROUP_STEPS
                    && bytes + weigh(&next.commit) <= MAX_GROUP_BYTES
        };
        let is_next = |next: &mut Request| matches!(next, Request::Commit(next) if fits(next));
        if let Some(Request::Commit(commit)) = waiting.pop_front_if(is_next) {
            next = Some(commit);
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queued::COMMIT_OVERHEAD;
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
        let bytes = Arc::new(Semaphore::new(MAX_QUEUED_BYTES));
        let half = set(MAX_QUEUED_BYTES / 2 - COMMIT_OVERHEAD);
        let first = reserve_bytes(&bytes, &half).unwrap();
        let second = reserve_bytes(&bytes, &half).unwrap();
        assert!(reserve_bytes(&bytes, &set(1)).is_none());
        drop(first);
        assert!(reserve_bytes(&bytes, &half).is_some());
        drop(second);
        // A commit that is larger than the limit is taken when it is alone.
        let huge = set(2 * MAX_QUEUED_BYTES);
        drop(reserve_bytes(&bytes, &huge).unwrap());
        let _small = reserve_bytes(&bytes, &set(1)).unwrap();
        assert!(reserve_bytes(&bytes, &huge).is_none());
    }
}
