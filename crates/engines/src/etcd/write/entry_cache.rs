//! The entries that a writer caches from one write to the next, within bounds of memory.
//!
//! Replacing an entry takes its metadata and not its value, so the cache has the values of few keys
//! and the metadata of many.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prominence_core::entry::Metadata;
use prominence_core::{Entry, Key};

/// Larger values are not cached.
const MAX_VALUE: usize = 1_024;

/// Entries that are cached with their values.
const MAX_ENTRIES: usize = 256;

/// Bytes of keys and metadata in the cache of one writer: some 40,000 keys of usual length.
const MAX_BYTES: usize = 8 << 20;

/// The same of all writers, so that many users who write take no more memory than a few.
const MAX_BYTES_OF_ALL: usize = 32 << 20;

/// Returns true if the cache keeps values of this size.
pub(super) fn is_small(bytes: usize) -> bool {
    bytes <= MAX_VALUE
}

/// Bytes that the caches of all writers of a store use.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget(AtomicUsize);

/// The cached entries, and keys that are known to be absent.
pub(super) struct EntryCache {
    /// Newer than what `metadata` has of the same keys.
    entries: HashMap<Key, Option<Entry>>,
    metadata: HashMap<Key, Option<Metadata>>,
    /// Bytes of `metadata`, which are reserved in the budget.
    bytes: usize,
    budget: Arc<MemoryBudget>,
}

impl EntryCache {
    pub(super) fn new(budget: Arc<MemoryBudget>) -> Self {
        Self {
            entries: HashMap::new(),
            metadata: HashMap::new(),
            bytes: 0,
            budget,
        }
    }

    /// An entry, or that there is none; `None` where it has to be read.
    pub(super) fn entry(&self, key: &Key) -> Option<Option<&Entry>> {
        match self.entries.get(key) {
            Some(entry) => Some(entry.as_ref()),
            // An absent key has no value that could be missing.
            None => self.metadata.get(key)?.is_none().then_some(None),
        }
    }

    /// An entry's metadata, or that there is no entry; `None` where it has to be read.
    pub(super) fn metadata(&self, key: &Key) -> Option<Option<&Metadata>> {
        match self.entries.get(key) {
            Some(entry) => Some(entry.as_ref().map(|entry| &entry.metadata)),
            None => self.metadata.get(key).map(Option::as_ref),
        }
    }

    pub(super) fn insert(&mut self, key: Key, entry: Option<Entry>) {
        self.entries.insert(key, entry);
    }

    /// Removes one key, which another process has written.
    pub(super) fn remove(&mut self, key: &Key) {
        self.entries.remove(key);
        if let Some((key, metadata)) = self.metadata.remove_entry(key) {
            let freed = weigh(&key, metadata.as_ref());
            self.bytes -= freed;
            self.budget.release(freed);
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.clear_metadata();
    }

    /// Evicts large values, and all values where there are too many.
    pub(super) fn evict(&mut self) {
        let is_full = self.entries.len() > MAX_ENTRIES;
        let is_large = |entry: &Entry| !is_small(entry.value.len());
        self.evict_values(|entry| is_full || entry.is_some_and(is_large));
    }

    /// Evicts all values, and everything where other writers may need the memory.
    pub(super) fn shrink(&mut self) {
        self.evict_values(|_| true);
        if self.budget.is_tight() {
            self.clear_metadata();
        }
    }

    fn evict_values(&mut self, is_evicted: impl Fn(Option<&Entry>) -> bool) {
        let entries = &mut self.entries;
        let evicted = entries.extract_if(|_, entry| is_evicted(entry.as_ref()));
        for (key, entry) in evicted.collect::<Vec<_>>() {
            self.insert_metadata(key, entry.map(|entry| entry.metadata));
        }
    }

    fn insert_metadata(&mut self, key: Key, metadata: Option<Metadata>) {
        let added = weigh(&key, metadata.as_ref());
        let before = self.metadata.get(&key);
        let freed = before.map_or(0, |before| weigh(&key, before.as_ref()));
        if !self.budget.reserve(added) {
            self.clear_metadata();
            return;
        }
        self.budget.release(freed);
        self.bytes = self.bytes + added - freed;
        self.metadata.insert(key, metadata);
        if self.bytes > MAX_BYTES {
            self.clear_metadata();
        }
    }

    fn clear_metadata(&mut self) {
        // A cleared map would keep its memory.
        self.metadata = HashMap::new();
        self.budget.release(std::mem::take(&mut self.bytes));
    }
}

impl Drop for EntryCache {
    fn drop(&mut self) {
        self.budget.release(self.bytes);
    }
}

impl MemoryBudget {
    /// Reserves some bytes; returns whether there were as many.
    fn reserve(&self, bytes: usize) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= MAX_BYTES_OF_ALL;
        if !fits {
            self.release(bytes);
        }
        fits
    }

    /// True if more than half of it is used.
    fn is_tight(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MAX_BYTES_OF_ALL / 2
    }

    fn release(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// The bytes that a key takes, about.
fn weigh(key: &Key, metadata: Option<&Metadata>) -> usize {
    let text = key.as_str().len() + metadata.map_or(0, Metadata::text_bytes);
    text + size_of::<(Key, Option<Metadata>)>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::tests::entry;

    fn key(number: usize) -> Key {
        Key::parse(&format!("/k/{number}")).unwrap()
    }

    #[test]
    fn only_the_metadata_of_large_values_is_cached() {
        let mut cache = EntryCache::new(Arc::default());
        let (small, large) = (entry(MAX_VALUE), entry(MAX_VALUE + 1));
        cache.insert(key(1), Some(small.clone()));
        cache.insert(key(2), Some(large.clone()));
        cache.insert(key(3), None);
        cache.evict();
        assert_eq!(cache.entry(&key(1)), Some(Some(&small)));
        assert_eq!(cache.entry(&key(2)), None);
        assert_eq!(cache.metadata(&key(2)), Some(Some(&large.metadata)));
        assert_eq!(cache.entry(&key(3)), Some(None));
        assert_eq!(cache.metadata(&key(4)), None);
    }

    #[test]
    fn only_the_newest_metadata_of_many_entries_is_cached() {
        let mut cache = EntryCache::new(Arc::default());
        for size in [1, 2] {
            for number in 0..=MAX_ENTRIES {
                cache.insert(key(number), (number > 0).then(|| entry(size)));
            }
            cache.evict();
        }
        assert_eq!(cache.entry(&key(0)), Some(None));
        assert_eq!(cache.metadata(&key(0)), Some(None));
        assert_eq!(cache.entry(&key(1)), None);
        let metadata = cache.metadata(&key(1)).unwrap().unwrap();
        assert_eq!(metadata.size, 2);
        // A later write replaces it.
        cache.insert(key(1), None);
        assert_eq!(cache.metadata(&key(1)), Some(None));
        cache.clear();
        assert_eq!(cache.metadata(&key(1)), None);
    }

    #[test]
    fn shrinking_evicts_values_and_everything_where_memory_is_short() {
        let mut cache = EntryCache::new(Arc::default());
        cache.insert(key(1), Some(entry(1)));
        cache.insert(key(2), None);
        cache.evict();
        cache.shrink();
        assert_eq!(cache.entry(&key(1)), None);
        assert_eq!(cache.metadata(&key(1)), Some(Some(&entry(1).metadata)));
        assert_eq!(cache.entry(&key(2)), Some(None));
        // Metadata goes too where little of the budget is left.
        let budget = Arc::clone(&cache.budget);
        assert!(budget.reserve(MAX_BYTES_OF_ALL / 2));
        cache.shrink();
        assert_eq!(cache.metadata(&key(1)), None);
    }

    #[test]
    fn writers_share_the_budget_and_release_it() {
        let budget = Arc::new(MemoryBudget::default());
        let used = || budget.0.load(Ordering::Relaxed);
        let each = weigh(&key(10_000), None);
        let mut cache = EntryCache::new(Arc::clone(&budget));
        for number in 10_000..20_000 {
            cache.insert_metadata(key(number), None);
            cache.insert_metadata(key(number), None);
        }
        assert_eq!(used(), 10_000 * each);
        // No more than one writer may have.
        let mut most = 0;
        for number in 20_000..99_999 {
            cache.insert_metadata(key(number), None);
            most = most.max(used());
        }
        assert!(most > MAX_BYTES / 2 && most <= MAX_BYTES, "{most}");
        // One key releases its own bytes.
        let before = used();
        cache.insert_metadata(key(10_000), None);
        let one = used() - before;
        cache.remove(&key(10_000));
        assert_eq!((one, used()), (each, before));
        // Without any budget left nothing is cached.
        let others = MAX_BYTES_OF_ALL - used();
        assert!(budget.reserve(others));
        let mut other = EntryCache::new(Arc::clone(&budget));
        other.insert_metadata(key(1), None);
        assert_eq!(other.metadata(&key(1)), None);
        drop((cache, other));
        assert_eq!(used(), others);
    }
}
