//! The reference engine: the rules over a map.
//!
//! It keeps everything in memory and nothing durably, and says what the other engines have to
//! agree with. Tests of what stands above the engines use it as well.

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
use crate::limits::{MAX_CHANGES, Quota};
use crate::listing::{PageBuilder, Step};
use crate::namespace::{Job, Namespace};
use crate::rules::{self, Circumstances, FirstFree, Plan, View, Visit};
use crate::scan::{Count, Item, Page, Scan, Visibility};
use crate::store::{Store, Usage};
use crate::time::Timestamp;

/// Changes that each namespace keeps.
const KEPT_CHANGES: usize = 100_000;

/// A store in memory.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    quota: Quota,
    spaces: Mutex<HashMap<Namespace, Space>>,
    /// Wakes everyone who waits for changes; they look again for themselves.
    changed: Event,
}

/// One namespace.
#[derive(Default)]
struct Space {
    entries: BTreeMap<Key, Entry>,
    usage: Usage,
    log: Vec<Change>,
    /// Nothing up to and including this place is in the log any more.
    forgotten: Option<Cursor>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, quota: Quota) -> Self {
        Self {
            clock,
            quota,
            spaces: Mutex::default(),
            changed: Event::new(),
        }
    }

    /// Removes what has expired, and logs it.
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

    /// The map stays whole even where a thread panicked, since a plan is written in one go.
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

    async fn count(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        visibility: Visibility,
    ) -> Result<Count, StoreError> {
        Ok(self.read(namespace, |space, now| {
            let live = space
                .under(prefix)
                .filter(|(_, entry)| entry.metadata.is_live(now));
            let counted = live.filter(|(key, _)| match visibility {
                Visibility::Listed => prefix.shows(key),
                Visibility::All => true,
            });
            Count {
                keys: counted.count() as u64,
                revision: space.usage.revision,
            }
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
                quota: self.quota,
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
        after: Cursor,
    ) -> Result<Changes, StoreError> {
        loop {
            // Listening before looking, so that a change in between is not slept through.
            let woken = self.changed.listen();
            let found = self.read(namespace, |space, _| space.changes(prefix, after))?;
            if let Some(changes) = found {
                return Ok(changes);
            }
            woken.await;
        }
    }

    async fn extent(&self, namespace: &Namespace) -> Result<Extent, StoreError> {
        Ok(self.read(namespace, |space, _| Extent {
            oldest: space.forgotten.unwrap_or(Cursor::START),
            latest: space.usage.revision,
        }))
    }

    async fn listen(&self, _: &Namespace, _: &Interest) -> Result<Signal, StoreError> {
        // Whatever changes wakes everyone.
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

    fn page(&self, scan: &Scan, now: Timestamp) -> Page {
        let mut page = PageBuilder::new(scan);
        let after = scan.after.as_ref().map_or("", Prefix::as_str);
        let mut from = String::new();
        for (key, entry) in self.under(&scan.prefix) {
            if key.as_str() <= after || key.as_str() < from.as_str() {
                continue;
            }
            let is_live = || Ok::<_, Infallible>(entry.metadata.is_live(now));
            let item = |key| Ok(Item::project(key, entry.clone(), scan.projection));
            let Ok(step) = page.add(key.clone(), is_live, item);
            match step {
                Step::Next => {}
                Step::Seek(to) => from = to,
                Step::Stop => break,
            }
        }
        page.finish(self.usage.revision)
    }

    fn changes(&self, prefix: &Prefix, after: Cursor) -> Result<Option<Changes>, StoreError> {
        if let Some(forgotten) = self.forgotten
            && after < forgotten
        {
            return Err(StoreError::Compacted {
                oldest: forgotten.revision,
            });
        }
        let start = self.log.partition_point(|change| change.at <= after);
        let mut matching = self.log[start..]
            .iter()
            .filter(|change| prefix.shows(&change.key))
            .peekable();
        let changes: Vec<_> = matching.by_ref().take(MAX_CHANGES.get()).cloned().collect();
        let (Some(last), Some(end)) = (changes.last(), self.log.last()) else {
            return Ok(None);
        };
        let next = match matching.peek() {
            Some(_) => last.at,
            None => Cursor::after(end.at.revision),
        };
        Ok(Some(Changes { changes, next }))
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
