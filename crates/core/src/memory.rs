//! The reference engine: the rules over a map.
//!
//! It stores all data in memory only, and defines the behaviour of the other engines. Tests of the crates above the
//! engines use it as well.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::ops::{Bound, ControlFlow};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use event_listener::Event;

use crate::change::{Change, Changes, Cursor, Extent, Interest, Signal};
use crate::clock::Clock;
use crate::commit::{Commit, Committed};
use crate::entry::{Entry, Metadata};
use crate::error::StoreError;
use crate::key::{Key, Prefix};
use crate::limits::Quotas;
use crate::listing::{KeyCounter, LogRead, LogReader, PageBuilder, Step};
use crate::namespace::{Job, Namespace};
use crate::rules::{self, Circumstances, FirstFree, Plan, View, Visit};
use crate::scan::{Count, CountScan, Item, Order, Page, Scan};
use crate::store::{Store, Usage};
use crate::time::Timestamp;

/// The number of changes that each namespace keeps.
const KEPT_CHANGES: usize = 100_000;

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    quotas: Quotas,
    spaces: Mutex<HashMap<Namespace, Space>>,
    /// Wakes all waiters, which then read the state again.
    changed: Event,
}

/// One namespace.
#[derive(Default)]
struct Space {
    entries: BTreeMap<Key, Entry>,
    usage: Usage,
    log: Vec<Change>,
    /// The log has no change up to and including this cursor any more.
    forgotten: Option<Cursor>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, quotas: impl Into<Quotas>) -> Self {
        Self {
            clock,
            quotas: quotas.into(),
            spaces: Mutex::default(),
            changed: Event::new(),
        }
    }

    /// Removes the entries that have expired, and logs this.
    pub fn sweep(&self) {
        let now = self.clock.now();
        for space in self.lock().values_mut() {
            let due: Vec<_> = space
                .entries
                .iter()
                .filter(|(_, entry)| !entry.metadata.is_live(now))
                .map(|(key, entry)| (key.clone(), entry.metadata.clone()))
                .collect();
            let plan = rules::expire(space.usage, due, now);
            space.write(&plan, None, now);
        }
        self.changed.notify(usize::MAX);
    }

    /// The map is consistent even after a panic, since writing a plan does not panic.
    fn lock(&self) -> MutexGuard<'_, HashMap<Namespace, Space>> {
        self.spaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, namespace: &Namespace, read: impl FnOnce(&Space, Timestamp) -> T) -> T {
        let spaces = self.lock();
        let now = self.clock.now();
        match spaces.get(namespace) {
            Some(space) => read(space, now),
            None => read(&Space::default(), now),
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.get_at_once(namespace, key))
    }

    fn get_at_once(&self, namespace: &Namespace, key: &Key) -> Option<Entry> {
        self.read(namespace, |space, now| {
            let entry = space.entries.get(key);
            entry.filter(|entry| entry.metadata.is_live(now)).cloned()
        })
    }

    async fn scan(&self, namespace: &Namespace, scan: &Scan) -> Result<Page, StoreError> {
        Ok(self.read(namespace, |space, now| space.page(scan, now)))
    }

    async fn count(&self, namespace: &Namespace, scan: &CountScan) -> Result<Count, StoreError> {
        Ok(self.read(namespace, |space, now| {
            let mut counter = KeyCounter::new(scan.clone());
            space.visit_steps(&scan.prefix, None, |key, entry| {
                counter.add(key, || Ok(entry.metadata.is_live(now)))
            });
            counter.count(space.usage.revision)
        }))
    }

    async fn commit(
        &self,
        namespace: &Namespace,
        author: Option<&Job>,
        commit: Commit,
    ) -> Result<Committed, StoreError> {
        let committed = {
            let mut spaces = self.lock();
            let space = spaces.entry(namespace.clone()).or_default();
            let now = self.clock.now();
            let circumstances = Circumstances {
                now,
                author,
                quota: self.quotas.of(namespace),
            };
            let plan = rules::plan(space, &commit, circumstances)?;
            space.write(&plan, author, now);
            Committed {
                revision: plan.usage.revision,
                outcomes: plan.outcomes,
            }
        };
        self.changed.notify(usize::MAX);
        Ok(committed)
    }

    async fn changes(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        mut after: Cursor,
    ) -> Result<Changes, StoreError> {
        loop {
            // The listener comes before the read, so that no change in between is missed.
            let woken = self.changed.listen();
            match self.read(namespace, |space, _| space.changes(prefix, after))? {
                LogRead::Changes(changes) => return Ok(changes),
                LogRead::Continue(next) => after = next,
                LogRead::CaughtUp(_) => woken.await,
            }
        }
    }

    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError> {
        Ok(self.read(namespace, |space, _| Extent {
            oldest: space.forgotten.unwrap_or(Cursor::START),
            latest: space.usage.revision,
        }))
    }

    async fn listen(&self, _: &Namespace, _: &Interest) -> Result<Signal, StoreError> {
        // Every change wakes all listeners.
        Ok(Box::pin(self.changed.listen()))
    }

    async fn usage(&self, namespace: &Namespace) -> Result<Usage, StoreError> {
        Ok(self.read(namespace, |space, now| {
            let gone = space
                .entries
                .iter()
                .filter(|(_, entry)| !entry.metadata.is_live(now));
            gone.fold(space.usage, |usage, (key, entry)| Usage {
                keys: usage.keys - 1,
                bytes: usage.bytes - (key.as_str().len() + entry.value.len()) as u64,
                ..usage
            })
        }))
    }

    async fn ready(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Space {
    fn under(&self, prefix: &Prefix) -> impl Iterator<Item = (&Key, &Entry)> {
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        self.entries
            .range::<str, _>(from)
            .take_while(|(key, _)| prefix.matches(key))
    }

    /// Visits the entries under a prefix that sort after `after`, and continues at the step that `visit` returns.
    fn visit_steps<'s>(
        &'s self,
        prefix: &Prefix,
        after: Option<&Prefix>,
        mut visit: impl FnMut(&'s Key, &'s Entry) -> Result<Step, Infallible>,
    ) {
        let after = after.map_or("", Prefix::as_str);
        let mut from = String::new();
        for (key, entry) in self.under(prefix) {
            if key.as_str() <= after || key.as_str() < from.as_str() {
                continue;
            }
            let Ok(step) = visit(key, entry);
            match step {
                Step::Next => {}
                Step::Seek(to) => from = to,
                Step::Stop => break,
            }
        }
    }

    /// Visits the entries of a descending scan, and goes on where `visit` says.
    fn visit_steps_back<'s>(
        &'s self,
        scan: &Scan,
        mut visit: impl FnMut(&'s Key, &'s Entry) -> Result<Step, Infallible>,
    ) {
        let mut end = scan.end();
        let entries: Vec<_> = self.under(&scan.prefix).collect();
        for (key, entry) in entries.into_iter().rev() {
            if end.as_deref().is_some_and(|end| key.as_str() >= end) {
                continue;
            }
            let Ok(step) = visit(key, entry);
            match step {
                Step::Next => {}
                Step::Seek(to) => end = Some(to),
                Step::Stop => break,
            }
        }
    }

    fn page(&self, scan: &Scan, now: Timestamp) -> Page {
        let mut page = PageBuilder::new(scan);
        let visit = |key: &Key, entry: &Entry| {
            let live = || Ok(entry.metadata.is_live(now).then(|| entry.clone()));
            let item = |key, entry| Ok(Item::project(key, entry, scan.projection));
            page.add(key.clone(), live, item)
        };
        match scan.order {
            Order::Ascending => self.visit_steps(&scan.prefix, scan.after.as_ref(), visit),
            Order::Descending => self.visit_steps_back(scan, visit),
        }
        page.finish(self.usage.revision)
    }

    fn changes(&self, prefix: &Prefix, after: Cursor) -> Result<LogRead, StoreError> {
        if let Some(forgotten) = self.forgotten
            && after < forgotten
        {
            return Err(StoreError::Compacted {
                oldest: forgotten.revision,
            });
        }
        let start = self.log.partition_point(|change| change.at <= after);
        let mut reader = LogReader::new(prefix, after);
        let mut left = self.log[start..].iter();
        let is_end = left.all(|change| reader.add(change.clone()).is_continue());
        Ok(reader.finish(is_end))
    }

    fn write(&mut self, plan: &Plan, author: Option<&Job>, now: Timestamp) {
        for (index, effect) in (0..).zip(&plan.effects) {
            match &effect.after {
                Some(entry) => self.entries.insert(effect.key.clone(), entry.clone()),
                None => self.entries.remove(&effect.key),
            };
            self.log.push(Change {
                at: Cursor {
                    revision: plan.usage.revision,
                    index,
                },
                key: effect.key.clone(),
                kind: effect.kind.clone(),
                job: author.cloned(),
                time: now,
            });
        }
        self.usage = plan.usage;
        if self.log.len() > KEPT_CHANGES {
            let surplus = self.log.len() - KEPT_CHANGES;
            self.forgotten = self
                .log
                .drain(..surplus)
                .next_back()
                .map(|change| change.at);
        }
    }
}

impl View for Space {
    type Error = StoreError;

    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.entries.get(key).cloned())
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, StoreError> {
        rules::first_free(self, prefix, now)
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}

impl Visit for Space {
    fn visit(
        &self,
        prefix: &Prefix,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        for (key, entry) in self.under(prefix) {
            if visitor(key.clone(), entry.metadata.clone()).is_break() {
                break;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, feature = "conformance"))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::conformance::{START, Subject};
    use crate::limits::Quota;

    struct Reference {
        clock: Arc<ManualClock>,
        store: MemoryStore,
    }

    #[async_trait]
    impl Subject for Reference {
        fn store(&self) -> &dyn Store {
            &self.store
        }

        fn clock(&self) -> &ManualClock {
            &self.clock
        }

        async fn sweep(&self) {
            self.store.sweep();
        }
    }

    fn reference(quota: Quota) -> Reference {
        let clock = Arc::new(ManualClock::new(START));
        Reference {
            store: MemoryStore::new(clock.clone(), quota),
            clock,
        }
    }

    crate::conformance_suite!(reference);
}
