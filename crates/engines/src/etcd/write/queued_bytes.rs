//! A bound on the bytes of the commits that wait to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prominence_core::Commit;

use crate::queued::{MAX_QUEUED_BYTES, weigh};

/// Bytes of the commits that wait.
#[derive(Clone, Default)]
pub(crate) struct QueuedBytes(Arc<AtomicUsize>);

/// Reserved bytes, released when it is dropped.
pub(crate) struct Reserved {
    queued: QueuedBytes,
    bytes: usize,
}

impl QueuedBytes {
    /// Reserves the bytes of a commit; `None` where too many are reserved already. A commit that is
    /// larger than the limit gets its bytes where no other commit waits.
    pub(crate) fn reserve(&self, commit: &Commit) -> Option<Reserved> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queued::COMMIT_OVERHEAD;
    use prominence_core::{Key, Lifetime, Operation, Value};

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
