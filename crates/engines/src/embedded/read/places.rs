//! Where in the log the entries are that were read lately, within a bound of memory.
//!
//! A read that finds its place here needs no lookup in the index: it reads the row, whose checksum
//! covers its key, so that a row which is not that of the key is noticed. A place takes far less
//! memory than an entry, so there are many more of them than of entries in memory.
//!
//! Places are kept in slots by the hash of the row's key, one in each. A slot has a version, which the
//! committer raises when a key of the slot was written: a reader keeps the place that it found only if
//! the version is still the one that it saw before it looked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::embedded::files::group_log::segment::Location;

/// Locks; each has a part of the slots.
const PARTS: usize = 256;

/// Bytes of a slot.
const SLOT_BYTES: u64 = 32;

/// Hash, segment and offset, length and version, and when places were last forgotten. It is plain
/// numbers so that memory for slots is not taken before they are used.
type Slot = [u64; 4];

/// The places.
pub(super) struct Places {
    parts: Box<[Mutex<Vec<Slot>>]>,
    slots: u64,
    /// The number of times that everything was removed.
    epoch: AtomicU64,
}

/// The state that a reader saw before it read elsewhere.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    version: u32,
    epoch: u64,
}

impl Places {
    /// Keeps places of about so many bytes altogether.
    pub(super) fn new(bytes: u64) -> Self {
        let slots = (bytes / SLOT_BYTES / PARTS as u64).max(1);
        let in_part = usize::try_from(slots).unwrap_or(usize::MAX);
        Self {
            parts: (0..PARTS)
                .map(|_| Mutex::new(vec![[0; 4]; in_part]))
                .collect(),
            slots,
            epoch: AtomicU64::new(1),
        }
    }

    /// The place of a key, and what is needed to keep another one.
    pub(super) fn find(&self, hash: u64) -> (Option<Location>, Seen) {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let [found, at, rest, kept] = *self.slot(&mut self.part(hash), hash);
        let (length, version) = halves(rest);
        let seen = Seen { version, epoch };
        if found != hash || kept != epoch {
            return (None, seen);
        }
        let (segment, offset) = halves(at);
        let location = Location {
            segment,
            offset,
            length,
        };
        (Some(location), seen)
    }

    /// Keeps a place, unless the key may have been written since.
    pub(super) fn keep(&self, hash: u64, location: Location, seen: Seen) {
        let mut part = self.part(hash);
        let slot = self.slot(&mut part, hash);
        if halves(slot[2]).1 == seen.version && self.epoch.load(Ordering::SeqCst) == seen.epoch {
            *slot = [
                hash,
                whole(location.segment, location.offset),
                whole(location.length, seen.version),
                seen.epoch,
            ];
        }
    }

    /// Forgets the place of a key that was written.
    pub(super) fn forget(&self, hash: u64) {
        let mut part = self.part(hash);
        let slot = self.slot(&mut part, hash);
        let (_, version) = halves(slot[2]);
        *slot = [0, 0, whole(0, version.wrapping_add(1)), 0];
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    fn part(&self, hash: u64) -> MutexGuard<'_, Vec<Slot>> {
        // The highest bits, which the slot does not depend on.
        let [.., highest] = hash.to_le_bytes();
        let part = &self.parts[usize::from(highest) % PARTS];
        part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slot<'a>(&self, part: &'a mut MutexGuard<'_, Vec<Slot>>, hash: u64) -> &'a mut Slot {
        // The remainder is below the number of slots.
        let at = usize::try_from(hash % self.slots).unwrap_or_default();
        &mut part[at]
    }
}

fn whole(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn halves(whole: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = whole.to_be_bytes();
    (
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Location = Location {
        segment: u32::MAX,
        offset: 2,
        length: u32::MAX - 1,
    };

    fn kept(places: &Places, hash: u64) -> Option<Location> {
        places.find(hash).0
    }

    #[test]
    fn a_place_is_kept_until_its_key_is_written() {
        let places = Places::new(1 << 20);
        let (nothing, seen) = places.find(7);
        assert_eq!(nothing, None);
        places.keep(7, PLACE, seen);
        assert_eq!(kept(&places, 7), Some(PLACE));
        places.forget(7);
        assert_eq!(kept(&places, 7), None);
        assert_eq!(kept(&places, 0), None);
    }

    #[test]
    fn what_was_looked_for_before_a_write_is_not_kept_after_it() {
        let places = Places::new(1 << 20);
        let (_, before) = places.find(7);
        places.forget(7);
        places.keep(7, PLACE, before);
        assert_eq!(kept(&places, 7), None);
        let (_, before) = places.find(7);
        places.clear();
        places.keep(7, PLACE, before);
        assert_eq!(kept(&places, 7), None);
    }

    #[test]
    fn everything_is_forgotten_at_once() {
        let places = Places::new(1 << 20);
        for hash in 1..1_000 {
            let (_, seen) = places.find(hash);
            places.keep(hash, PLACE, seen);
        }
        places.clear();
        assert!((1..1_000).all(|hash| kept(&places, hash).is_none()));
    }

    #[test]
    fn keys_that_share_a_slot_are_told_apart() {
        let places = Places::new(0);
        let (_, seen) = places.find(7);
        places.keep(7, PLACE, seen);
        assert_eq!(kept(&places, 8), None);
        let (_, seen) = places.find(8);
        places.keep(8, PLACE, seen);
        assert_eq!(kept(&places, 7), None);
        assert_eq!(kept(&places, 8), Some(PLACE));
    }
}
