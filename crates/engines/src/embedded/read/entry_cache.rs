//! Entries read lately, kept in memory.
//!
//! A read that finds its entry here needs neither a snapshot nor a block. The committer, the only
//! writer, keeps the cache coherent:
//!
//! 1. Before it writes, it marks the keys that it is about to change. Who reads a marked key goes
//!    to a snapshot, and nothing is kept of what it finds.
//! 2. It writes, syncs, and the new state becomes visible.
//! 3. It removes the keys from the cache and takes the marks away, and only then answers.
//!
//! So an entry that is found here is never older than what another reader may have seen before,
//! nor than what was acknowledged. A reader that took its snapshot before step 2 and wants to
//! keep its entry after step 3 finds its place in the cache gone.
//!
//! An entry is kept from its second read on: a walk over many keys, each read once, would only
//! push others out of the cache, and copying each would cost more than it could ever save.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prominence_core::{Entry, Value};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, GuardResult};
use xxhash_rust::xxh3::xxh3_64;

use super::places::Places;
use crate::embedded::files::group_log::segment::Location;

/// Marks; keys share them by their hash. With the largest group of commits under way a quarter of
/// all reads meets a mark of another key, which costs them a snapshot and nothing else.
const MARKS: usize = 4_096;

/// Keys of which it is remembered that they were read, by their hash. A key is forgotten when
/// another one with its place is read, so this is about how many keys may be read between two
/// reads of one that is to be kept.
const READ_LATELY: usize = 1 << 16;

/// Bytes that an entry takes beside its texts, its value and its key (twice, for the row and in the
/// cache).
const OVERHEAD: usize = 288;

/// An entry's usual weight, from which the cache guesses how many there will be.
const USUAL_BYTES: u64 = 1_024;

/// Entries by the key of their row.
pub(in crate::embedded) struct EntryCache {
    entries: Cache<Vec<u8>, Entry, ByBytes>,
    /// The number of groups that are about to change a key with this hash.
    marks: Box<[AtomicU32]>,
    /// The number of groups that are about to change more keys than are worth marking.
    all_marked: AtomicU32,
    /// A part of the hash of the key that was read last of those that share the place.
    read_lately: Box<[AtomicU8]>,
    /// The place where the entries are that were read before.
    places: Places,
}

/// An entry, if there is one, and where in the log it is.
pub(in crate::embedded) type Found = (Option<Entry>, Option<Location>);

/// Keys that are being written. Dropping it, whatever became of the write, removes them from the
/// cache.
pub(in crate::embedded) struct Writing<'a> {
    cache: &'a EntryCache,
    /// `None` stands for every key.
    rows: Option<Vec<Vec<u8>>>,
}

/// Weighs an entry by its memory.
#[derive(Clone)]
struct ByBytes;

impl Weighter<Vec<u8>, Entry> for ByBytes {
    fn weight(&self, row: &Vec<u8>, entry: &Entry) -> u64 {
        let texts = entry.metadata.text_bytes();
        (2 * row.len() + entry.value.len() + texts + OVERHEAD) as u64
    }
}

impl EntryCache {
    /// Keeps entries of about so many bytes altogether, and places of about so many.
    pub(in crate::embedded) fn new(bytes: u64, places_bytes: u64) -> Self {
        let usual = usize::try_from(bytes / USUAL_BYTES).unwrap_or(usize::MAX);
        Self {
            entries: Cache::with_weighter(usual, bytes, ByBytes),
            marks: (0..MARKS).map(|_| AtomicU32::new(0)).collect(),
            all_marked: AtomicU32::new(0),
            read_lately: (0..READ_LATELY).map(|_| AtomicU8::new(0)).collect(),
            places: Places::new(places_bytes),
        }
    }

    /// The entry, expired or not, if it is here and nobody is about to change it.
    pub(in crate::embedded) fn get(&self, row: &[u8]) -> Option<Entry> {
        if self.is_marked(xxh3_64(row)) {
            return None;
        }
        self.entries.get(row)
    }

    /// The entry from here or else from `read`, which must look at a state that it takes after
    /// it was called. It is given the place where the entry was lately, and answers where it is.
    pub(in crate::embedded) fn get_or_read<E>(
        &self,
        row: &[u8],
        read: impl FnOnce(Option<Location>) -> Result<Found, E>,
    ) -> Result<Option<Entry>, E> {
        let hash = xxh3_64(row);
        if self.is_marked(hash) {
            return Ok(read(None)?.0);
        }
        if !self.was_read_lately(hash) {
            return match self.entries.get(row) {
                Some(entry) => Ok(Some(entry)),
                None => self.read(hash, read),
            };
        }
        // Nobody waits for another's read: two that read the same are quicker than one that waits.
        match self.entries.get_value_or_guard(row, Some(Duration::ZERO)) {
            GuardResult::Value(entry) => Ok(Some(entry)),
            GuardResult::Timeout => self.read(hash, read),
            GuardResult::Guard(place) => {
                let entry = self.read(hash, read)?;
                if let Some(entry) = &entry {
                    // Refused where the committer has removed the key meanwhile.
                    let _ = place.insert(detached(entry));
                }
                Ok(entry)
            }
        }
    }

    /// Reads an entry, with the place that is known, and keeps the place.
    fn read<E>(
        &self,
        hash: u64,
        read: impl FnOnce(Option<Location>) -> Result<Found, E>,
    ) -> Result<Option<Entry>, E> {
        let (lately, seen) = self.places.find(hash);
        let (entry, location) = read(lately)?;
        if let Some(location) = location.filter(|_| location != lately) {
            self.places.keep(hash, location, seen);
        }
        Ok(entry)
    }

    /// Marks the rows that are about to change.
    pub(in crate::embedded) fn writing(&self, rows: Vec<Vec<u8>>) -> Writing<'_> {
        for row in &rows {
            self.mark(xxh3_64(row)).fetch_add(1, Ordering::SeqCst);
        }
        Writing {
            cache: self,
            rows: Some(rows),
        }
    }

    /// Marks all rows, any of which may be about to change.
    pub(in crate::embedded) fn writing_many(&self) -> Writing<'_> {
        self.all_marked.fetch_add(1, Ordering::SeqCst);
        Writing {
            cache: self,
            rows: None,
        }
    }

    /// Removes everything.
    pub(in crate::embedded) fn clear(&self) {
        self.entries.clear();
        self.places.clear();
    }

    fn mark(&self, hash: u64) -> &AtomicU32 {
        &self.marks[place(hash, MARKS)]
    }

    /// True if this key was read some reads ago. Notes that it is read now.
    fn was_read_lately(&self, hash: u64) -> bool {
        // The highest bits, which the place does not depend on; 0 stands for no key.
        let [.., highest] = (hash | 1 << 56).to_le_bytes();
        let before = self.read_lately[place(hash, READ_LATELY)].swap(highest, Ordering::Relaxed);
        before == highest
    }

    fn is_marked(&self, hash: u64) -> bool {
        self.all_marked.load(Ordering::SeqCst) > 0 || self.mark(hash).load(Ordering::SeqCst) > 0
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let Some(rows) = &self.rows else {
            self.cache.clear();
            self.cache.all_marked.fetch_sub(1, Ordering::SeqCst);
            return;
        };
        for row in rows {
            let hash = xxh3_64(row);
            self.cache.entries.remove(row);
            self.cache.places.forget(hash);
            self.cache.mark(hash).fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// One of so many places.
fn place(hash: u64, places: usize) -> usize {
    // The remainder is far below the size of any pointer.
    usize::try_from(hash % places as u64).unwrap_or_default()
}

/// The entry with a value of its own: as it was read it shares the memory of a whole block.
fn detached(entry: &Entry) -> Entry {
    Entry {
        value: Value::stored(Bytes::copy_from_slice(entry.value.as_bytes())),
        metadata: entry.metadata.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prominence_core::entry::Metadata;
    use prominence_core::{Revision, StoreError, Timestamp};

    fn entry(revision: u64, bytes: usize) -> Entry {
        let instant = Timestamp::from_millis(1);
        Entry {
            value: Value::stored(vec![7; bytes].into()),
            metadata: Metadata {
                revision: Revision::new(revision),
                created: instant,
                modified: instant,
                expires: None,
                job: None,
                claimed_until: None,
                claims: 0,
                claimed_by: None,
                write_id: None,
                size: bytes,
            },
        }
    }

    fn found(entry: Option<Entry>) -> Result<Found, StoreError> {
        Ok((entry, None))
    }

    /// A cache that has seen the key before, so that it keeps the entry that is read next.
    fn knowing_a() -> EntryCache {
        let cache = EntryCache::new(1 << 20, 1 << 16);
        assert_eq!(read(&cache, b"a", 0), 0);
        cache
    }

    fn read(cache: &EntryCache, row: &[u8], revision: u64) -> u64 {
        let found = cache.get_or_read(row, |_| found(Some(entry(revision, 3))));
        found.unwrap().unwrap().metadata.revision.get()
    }

    #[test]
    fn what_is_read_once_is_not_kept() {
        let cache = EntryCache::new(1 << 20, 1 << 16);
        for number in 0..1_000_u32 {
            read(&cache, &number.to_be_bytes(), 1);
        }
        assert!(cache.entries.len() < 100, "{}", cache.entries.len());
        assert_eq!(read(&cache, b"a", 1), 1);
        assert_eq!(cache.get(b"a"), None);
        assert_eq!(read(&cache, b"a", 2), 2);
        assert_eq!(read(&cache, b"a", 3), 2, "the second read was kept");
    }

    #[test]
    fn an_entry_that_is_read_again_is_kept_until_it_is_written() {
        let cache = knowing_a();
        assert_eq!(cache.get(b"a"), None);
        assert_eq!(read(&cache, b"a", 1), 1);
        assert_eq!(read(&cache, b"a", 2), 1);
        drop(cache.writing(vec![b"a".to_vec()]));
        assert_eq!(cache.get(b"a"), None);
        assert_eq!(read(&cache, b"a", 3), 3);
    }

    #[test]
    fn while_a_key_is_written_it_is_neither_found_nor_kept() {
        let cache = knowing_a();
        assert_eq!(read(&cache, b"a", 1), 1);
        let writing = cache.writing(vec![b"a".to_vec()]);
        assert_eq!(cache.get(b"a"), None);
        assert_eq!(read(&cache, b"a", 2), 2);
        drop(writing);
        assert_eq!(
            read(&cache, b"a", 3),
            3,
            "what was read meanwhile is forgotten"
        );
    }

    #[test]
    fn a_read_that_began_before_a_write_is_not_kept_after_it() {
        let cache = knowing_a();
        let one = || drop(cache.writing(vec![b"a".to_vec()]));
        let many = || drop(cache.writing_many());
        for write in [&one as &dyn Fn(), &many] {
            let old = cache.get_or_read(b"a", |_| {
                write();
                found(Some(entry(1, 3)))
            });
            assert_eq!(old.unwrap().unwrap().metadata.revision.get(), 1);
            assert_eq!(cache.get(b"a"), None);
        }
    }

    #[test]
    fn while_many_keys_are_written_nothing_is_found_or_kept() {
        let cache = knowing_a();
        assert_eq!(read(&cache, b"a", 1), 1);
        let writing = cache.writing_many();
        assert_eq!(cache.get(b"a"), None);
        assert_eq!(read(&cache, b"a", 2), 2);
        drop(writing);
        assert_eq!(read(&cache, b"a", 3), 3);
    }

    #[test]
    fn absence_and_errors_are_not_kept() {
        let cache = knowing_a();
        assert_eq!(cache.get_or_read(b"a", |_| found(None)).unwrap(), None);
        let damaged = || StoreError::Corrupt {
            what: "it".to_owned(),
        };
        assert!(cache.get_or_read(b"a", |_| Err(damaged())).is_err());
        assert_eq!(read(&cache, b"a", 1), 1);
    }

    #[test]
    fn its_memory_is_bounded() {
        let bytes = 1 << 20;
        let cache = EntryCache::new(bytes, 1 << 16);
        for number in 0..10_000_u32 {
            let row = number.to_be_bytes();
            for _ in 0..2 {
                drop(cache.get_or_read(&row, |_| found(Some(entry(1, 1_000)))));
            }
        }
        assert!(
            cache.entries.weight() <= bytes,
            "{}",
            cache.entries.weight()
        );
        assert!(
            cache.entries.weight() > bytes / 2,
            "{}",
            cache.entries.weight()
        );
    }
}
