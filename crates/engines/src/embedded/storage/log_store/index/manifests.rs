//! One thread at a time replaces the manifests of the trees, and none does after a failure.
//!
//! lsm-tree writes a manifest to a file of its own, `v8` after `v7`, and then points `current` at it. Where the
//! last step fails, `current` may point at `v8` on the disk although the tree goes on with `v7`. The next thread
//! that replaces the manifest would write over `v8`; if it fails too, or the process ends, `current` points at a
//! file that is not what it says, and the tree can't be opened. So after a failure the manifests stay as they are
//! until the trees are opened again, which reads them from the disk.
//!
//! A compaction takes minutes, and memtables must not wait for it. It has its turn while lsm-tree chooses the
//! tables, gives it back when it begins to merge them, and takes it again when the merged tables are to be named
//! in the manifest: a compaction filter is told of both moments.

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lsm_tree::compaction::filter::{CompactionFilter, Context, Factory, ItemAccessor, Verdict};

/// Whose turn it is to replace a manifest.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    turn: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Turn {
    is_taken: bool,
    /// A replacement has failed. Nobody gets a turn any more.
    has_failed: bool,
}

impl Manifests {
    /// Runs what may replace a manifest, in its turn. An error or a panic ends all turns.
    pub(super) fn replace<T>(
        &self,
        replace: impl FnOnce() -> lsm_tree::Result<T>,
    ) -> lsm_tree::Result<T> {
        if !self.take() {
            return Err(std::io::Error::other(FAILED).into());
        }
        let failure = Failure(self);
        let replaced = replace()?;
        std::mem::forget(failure);
        self.give_back();
        Ok(replaced)
    }

    /// Waits for a turn; false where there are none any more.
    fn take(&self) -> bool {
        let waited = self
            .changed
            .wait_while(self.lock(), |turn| turn.is_taken && !turn.has_failed);
        let mut turn = waited.unwrap_or_else(PoisonError::into_inner);
        turn.is_taken = true;
        !turn.has_failed
    }

    fn give_back(&self) {
        self.lock().is_taken = false;
        self.changed.notify_all();
    }

    /// A turn is changed in one step, so a panic elsewhere leaves it whole.
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const FAILED: &str = "a manifest could not be replaced; the trees have to be opened again";

/// Ends all turns when it is dropped.
struct Failure<'a>(&'a Manifests);

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        self.0.lock().has_failed = true;
        self.0.changed.notify_all();
    }
}

/// Lets others have their turn while tables are merged.
pub(super) struct WhileMerging(pub(super) Arc<Manifests>);

impl WhileMerging {
    fn begin(&self) -> Box<Self> {
        self.0.give_back();
        Box::new(Self(Arc::clone(&self.0)))
    }
}

impl Factory for WhileMerging {
    fn name(&self) -> &'static str {
        "turns"
    }

    /// Called when lsm-tree has chosen the tables and is about to merge them.
    fn make_filter(&self, _: &Context) -> Box<dyn CompactionFilter> {
        self.begin()
    }
}

impl CompactionFilter for WhileMerging {
    fn filter_item(&mut self, _: ItemAccessor<'_>, _: &Context) -> lsm_tree::Result<Verdict> {
        Ok(Verdict::Keep)
    }

    /// Called when the tables are merged, before lsm-tree takes a lock for the new manifest. It has no other way
    /// to say "stop here" than to unwind, which leaves no lock poisoned at this point.
    fn finish(self: Box<Self>) {
        if !self.0.take() {
            resume_unwind(Box::new(FAILED));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::embedded::panics::no_panic;

    fn fail(manifests: &Manifests) {
        let failed = manifests.replace(|| Err::<(), _>(lsm_tree::Error::Unrecoverable));
        assert!(matches!(failed, Err(lsm_tree::Error::Unrecoverable)));
    }

    #[test]
    fn after_a_failure_no_manifest_is_replaced() {
        let manifests = Manifests::default();
        manifests.replace(|| Ok(())).unwrap();
        fail(&manifests);
        let refused = manifests.replace(|| -> lsm_tree::Result<()> { panic!("replaced") });
        assert!(refused.unwrap_err().to_string().contains(FAILED));
    }

    #[test]
    fn after_a_panic_no_manifest_is_replaced() {
        let manifests = Manifests::default();
        let panicked = no_panic(|| manifests.replace(|| -> lsm_tree::Result<()> { panic!("it") }));
        assert_eq!(panicked.unwrap_err(), "it");
        assert!(manifests.replace(|| Ok(())).is_err());
    }

    #[test]
    fn others_have_their_turn_while_tables_are_merged_and_a_failure_of_theirs_ends_the_merge() {
        let manifests = Arc::new(Manifests::default());
        let merging = WhileMerging(Arc::clone(&manifests));
        let merge = |meanwhile: &dyn Fn()| {
            let filter = merging.begin();
            meanwhile();
            filter.finish();
            Ok(())
        };
        let replace = || manifests.replace(|| Ok(())).unwrap();
        manifests.replace(|| merge(&replace)).unwrap();
        let ended = no_panic(|| manifests.replace(|| merge(&|| fail(&manifests))));
        assert_eq!(ended.unwrap_err(), FAILED);
    }

    #[test]
    fn a_merge_waits_at_its_end_for_the_turn_of_another() {
        let manifests = Arc::new(Manifests::default());
        let (begun, wait_for_begin) = mpsc::channel();
        let (end, wait_for_end) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let flusher = Arc::clone(&manifests);
            scope.spawn(move || {
                flusher.replace(|| {
                    begun.send(()).unwrap();
                    wait_for_end.recv().unwrap();
                    Ok(())
                })
            });
            wait_for_begin.recv().unwrap();
            let (merged, wait_for_merge) = mpsc::channel();
            let filter = Box::new(WhileMerging(Arc::clone(&manifests)));
            scope.spawn(move || {
                filter.finish();
                merged.send(()).unwrap();
            });
            let early = wait_for_merge.recv_timeout(Duration::from_millis(50));
            assert!(early.is_err(), "two turns at a time");
            end.send(()).unwrap();
            wait_for_merge.recv().unwrap();
        });
    }
}
