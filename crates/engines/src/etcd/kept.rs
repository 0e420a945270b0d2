//! What a writer keeps of keys from one write to the next, within bounds of memory.
//!
//! To replace an entry its metadata has to be known and its value has not, so values are kept of
//! few keys and metadata of many.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prominence_core::entry::Metadata;
use prominence_core::{Entry, Key};

/// Values larger than this are not kept.
const MAX_VALUE: usize = 1_024;

/// Entries that are kept with their values.
const MAX_ENTRIES: usize = 256;

/// Bytes of keys and metadata that one writer keeps: some 40,000 keys of usual length.
const MAX_BYTES: usize = 8 << 20;

/// Bytes that all writers keep, so that many users who write take no more memory than a few.
const MAX_BYTES_OF_ALL: usize = 32 << 20;

/// Whether a value of so many bytes may be kept.
pub(super) fn is_small(bytes: usize) -> bool {
    bytes <= MAX_VALUE
}

/// Bytes that all writers of a store keep.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicUsize);

/// What is kept of keys, those included that are known to be absent.
pub(super) struct Kept {
    /// Newer than what `metadata` has of the same keys.
    entries: HashMap<Key, Option<Entry>>,
    metadata: HashMap<Key, Option<Metadata>>,
    /// Bytes of `metadata`, which are taken from the room.
    bytes: usize,
    room: Arc<Room>,
}

impl Kept {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            entries: HashMap::new(),
            metadata: HashMap::new(),
            bytes: 0,
            room,
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

    /// Lets go of one key, which others have written.
    pub(super) fn forget(&mut self, key: &Key) {
        self.entries.remove(key);
        if let Some((key, metadata)) = self.metadata.remove_entry(key) {
            let freed = weigh(&key, metadata.as_ref());
            self.bytes -= freed;
            self.room.give_back(freed);
        }
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.clear_metadata();
    }

    /// Lets go of what is too much.
    pub(super) fn settle(&mut self) {
        if self.entries.len() > MAX_ENTRIES {
            self.shrink();
            return;
        }
        let is_large = |entry: &Entry| !is_small(entry.value.len());
        let large: Vec<_> = self
            .entries
            .extract_if(|_, entry| entry.as_ref().is_some_and(is_large))
            .collect();
        for (key, entry) in large {
            self.keep_metadata(key, entry.map(|entry| entry.metadata));
        }
    }

    /// Lets go of all values.
    fn shrink(&mut self) {
        for (key, entry) in std::mem::take(&mut self.entries) {
            self.keep_metadata(key, entry.map(|entry| entry.metadata));
        }
    }

    /// Lets go of all values, and of everything where others may need the room.
    pub(super) fn rest(&mut self) {
        self.shrink();
        if self.room.is_tight() {
            self.clear_metadata();
        }
    }

    fn keep_metadata(&mut self, key: Key, metadata: Option<Metadata>) {
        let added = weigh(&key, metadata.as_ref());
        let before = self.metadata.get(&key);
        let freed = before.map_or(0, |before| weigh(&key, before.as_ref()));
        if !self.room.take(added) {
            self.clear_metadata();
            return;
        }
        self.room.give_back(freed);
        self.bytes = self.bytes + added - freed;
        self.metadata.insert(key, metadata);
        if self.bytes > MAX_BYTES {
            self.clear_metadata();
        }
    }

    fn clear_metadata(&mut self) {
        // Its memory goes with it.
        self.metadata = HashMap::new();
        self.room.give_back(std::mem::take(&mut self.bytes));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}

impl Room {
    /// Takes some of it; says whether there was that much.
    fn take(&self, bytes: usize) -> bool {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        let fits = before + bytes <= MAX_BYTES_OF_ALL;
        if !fits {
            self.give_back(bytes);
        }
        fits
    }

    /// Whether more than half of it is taken.
    fn is_tight(&self) -> bool {
        self.0.load(Ordering::Relaxed) > MAX_BYTES_OF_ALL / 2
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes that a key takes, about.
fn weigh(key: &Key, metadata: Option<&Metadata>) -> usize {
    let text = key.as_str().len() + metadata.map_or(0, Metadata::text_bytes);
    text + size_of::<(Key, Option<Metadata>)>()
}

#[cfg(test)]
mod tests {
    use prominence_core::{Revision, Timestamp, Value};

    use super::*;

    fn key(number: usize) -> Key {
        Key::parse(&format!("/k/{number}")).unwrap()
    }

    fn entry(size: usize) -> Entry {
        let value = Value::new(vec![b'v'; size], usize::MAX).unwrap();
        let metadata = Metadata {
            revision: Revision::new(1),
            created: Timestamp::from_secs(1),
            modified: Timestamp::from_secs(1),
            expires: None,
            job: None,
            claimed_until: None,
            claims: 0,
            claimed_by: None,
            write_id: None,
            size,
        };
        Entry { value, metadata }
    }

    #[test]
    fn of_large_values_only_metadata_is_kept() {
        let mut kept = Kept::new(Arc::default());
        let (small, large) = (entry(MAX_VALUE), entry(MAX_VALUE + 1));
        kept.insert(key(1), Some(small.clone()));
        kept.insert(key(2), Some(large.clone()));
        kept.insert(key(3), None);
        kept.settle();
        assert_eq!(kept.entry(&key(1)), Some(Some(&small)));
        assert_eq!(kept.entry(&key(2)), None);
        assert_eq!(kept.metadata(&key(2)), Some(Some(&large.metadata)));
        assert_eq!(kept.entry(&key(3)), Some(None));
        assert_eq!(kept.metadata(&key(4)), None);
    }

    #[test]
    fn of_many_entries_only_metadata_is_kept_and_the_newest() {
        let mut kept = Kept::new(Arc::default());
        for size in [1, 2] {
            for number in 0..=MAX_ENTRIES {
                kept.insert(key(number), (number > 0).then(|| entry(size)));
            }
            kept.settle();
        }
        assert_eq!(kept.entry(&key(0)), Some(None));
        assert_eq!(kept.metadata(&key(0)), Some(None));
        assert_eq!(kept.entry(&key(1)), None);
        let metadata = kept.metadata(&key(1)).unwrap().unwrap();
        assert_eq!(metadata.size, 2);
        // What is written afterwards stands for it.
        kept.insert(key(1), None);
        assert_eq!(kept.metadata(&key(1)), Some(None));
        kept.clear();
        assert_eq!(kept.metadata(&key(1)), None);
    }

    #[test]
    fn values_are_let_go_when_it_is_quiet() {
        let mut kept = Kept::new(Arc::default());
        kept.insert(key(1), Some(entry(1)));
        kept.insert(key(2), None);
        kept.settle();
        kept.rest();
        assert_eq!(kept.entry(&key(1)), None);
        assert_eq!(kept.metadata(&key(1)), Some(Some(&entry(1).metadata)));
        assert_eq!(kept.entry(&key(2)), Some(None));
        // The rest goes too where little room is left.
        let room = Arc::clone(&kept.room);
        assert!(room.take(MAX_BYTES_OF_ALL / 2));
        kept.rest();
        assert_eq!(kept.metadata(&key(1)), None);
    }

    #[test]
    fn writers_share_the_room_and_give_it_back() {
        let room = Arc::new(Room::default());
        let taken = || room.0.load(Ordering::Relaxed);
        let each = weigh(&key(10_000), None);
        let mut kept = Kept::new(Arc::clone(&room));
        for number in 10_000..20_000 {
            kept.keep_metadata(key(number), None);
            kept.keep_metadata(key(number), None);
        }
        assert_eq!(taken(), 10_000 * each);
        // No more than its part.
        let mut most = 0;
        for number in 20_000..99_999 {
            kept.keep_metadata(key(number), None);
            most = most.max(taken());
        }
        assert!(most > MAX_BYTES / 2 && most <= MAX_BYTES, "{most}");
        // One key gives back its own part.
        let before = taken();
        kept.keep_metadata(key(10_000), None);
        let one = taken() - before;
        kept.forget(&key(10_000));
        assert_eq!((one, taken()), (each, before));
        // With no room left nothing is kept.
        let others = MAX_BYTES_OF_ALL - taken();
        assert!(room.take(others));
        let mut other = Kept::new(Arc::clone(&room));
        other.keep_metadata(key(1), None);
        assert_eq!(other.metadata(&key(1)), None);
        drop((kept, other));
        assert_eq!(taken(), others);
    }
}
