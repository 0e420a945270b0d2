//! Counts, in slices: a count may read millions of keys, and others have their turn in between.

use prominence_core::listing::{KeyCounter, Step};
use prominence_core::{Count, CountScan, Namespace, Prefix, StoreError, Timestamp};

use super::scan::{Seen, walk};
use crate::embedded::storage::database::{Database, KeptState, Snapshot};

/// Keys in a slice: a few milliseconds of work.
const KEYS_IN_A_SLICE: usize = 10_000;

/// A count that may not be at its end yet. All of it is of one state.
pub(in crate::embedded) struct Counting {
    namespace: Namespace,
    prefix: Prefix,
    counter: KeyCounter,
    state: KeptState,
    seen: Seen,
    /// The last key that was counted.
    after: Option<Prefix>,
}

impl Counting {
    /// A count of the state of now, in which nothing is counted yet.
    pub(in crate::embedded) fn begin(
        database: &Database,
        namespace: Namespace,
        scan: CountScan,
        now: Timestamp,
    ) -> Self {
        Self {
            state: database.snapshot_of(&namespace).keep(),
            namespace,
            prefix: scan.prefix.clone(),
            counter: KeyCounter::new(scan),
            seen: Seen::at(now),
            after: None,
        }
    }

    /// The time of the count, and whether it has left out what expired by then.
    pub(in crate::embedded) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Counts on; `None` if others are to have their turn first. It asks for that after each slice.
    pub(in crate::embedded) fn go_on(
        &mut self,
        database: &Database,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Option<Count>, StoreError> {
        let snapshot = database.snapshot_at(&self.state);
        loop {
            self.after = self.slice(&snapshot)?;
            if self.after.is_none() {
                let revision = snapshot.namespace(&self.namespace)?.usage.revision;
                return Ok(Some(self.counter.count(revision)));
            }
            if is_wanted() {
                return Ok(None);
            }
        }
    }

    /// Counts the keys of one slice; says with which it ended, or `None` at the end of all.
    fn slice(&mut self, snapshot: &Snapshot<'_>) -> Result<Option<Prefix>, StoreError> {
        let Self {
            namespace,
            prefix,
            counter,
            seen,
            after,
            ..
        } = self;
        let mut left = KEYS_IN_A_SLICE;
        let mut last = None;
        walk(
            snapshot,
            namespace,
            prefix,
            after.as_ref(),
            &mut |key, row| {
                if left == 0 {
                    return Ok(Step::Stop);
                }
                left -= 1;
                if left == 0 {
                    last = Some(Prefix::from(&key));
                }
                counter.add(&key, || Ok(seen.is_live(&row.metadata()?)))
            },
        )?;
        Ok(last)
    }
}
