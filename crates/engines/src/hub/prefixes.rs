//! Waiters by the prefix that they wait under.
//!
//! One walk along a key finds every prefix of it that somebody waits under: the bytes of the key are hashed
//! once, one after the other, and the hash up to here is looked up at those lengths alone that a prefix has. So a
//! key costs its own length, whatever the number and the length of the prefixes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Tickets;

/// The waiters of one namespace, by prefix.
#[derive(Default)]
pub(super) struct Prefixes {
    hashing: RandomState,
    prefixes: HashTable<Waiters>,
    /// The number of prefixes of each length.
    lengths: BTreeMap<usize, usize>,
}

/// The waiters under one prefix.
struct Waiters {
    prefix: Box<str>,
    hash: u64,
    tickets: Tickets,
}

impl Prefixes {
    /// The waiters under a prefix, to add one.
    pub(super) fn under(&mut self, prefix: &str) -> &mut Tickets {
        let hash = self.hash(prefix);
        let is_it = |waiters: &Waiters| *waiters.prefix == *prefix;
        match self.prefixes.entry(hash, is_it, |waiters| waiters.hash) {
            Entry::Occupied(found) => &mut found.into_mut().tickets,
            Entry::Vacant(place) => {
                *self.lengths.entry(prefix.len()).or_default() += 1;
                let waiters = Waiters {
                    prefix: prefix.into(),
                    hash,
                    tickets: Tickets::new(),
                };
                &mut place.insert(waiters).into_mut().tickets
            }
        }
    }

    /// Removes one waiter; says whether it was there.
    pub(super) fn remove(&mut self, prefix: &str, ticket: u64) -> bool {
        let hash = self.hash(prefix);
        let is_it = |waiters: &Waiters| *waiters.prefix == *prefix;
        let Ok(mut found) = self.prefixes.find_entry(hash, is_it) else {
            return false;
        };
        let was_there = found.get_mut().tickets.remove(&ticket).is_some();
        if found.get().tickets.is_empty() {
            found.remove();
            self.forget_length(prefix.len());
        }
        was_there
    }

    /// Takes out the waiters under every prefix that a key begins with.
    pub(super) fn take(&mut self, key: &str, mut found: impl FnMut(Tickets)) {
        let key = key.as_bytes();
        let mut hasher = self.hashing.build_hasher();
        let mut hashed = 0;
        for length in self.lengths_within(key.len()) {
            let begin = &key[..length];
            for byte in &begin[hashed..] {
                hasher.write_u8(*byte);
            }
            hashed = length;
            let is_it = |waiters: &Waiters| waiters.prefix.as_bytes() == begin;
            if let Ok(entry) = self.prefixes.find_entry(hasher.finish(), is_it) {
                found(entry.remove().0.tickets);
                self.forget_length(length);
            }
        }
    }

    /// Takes out all waiters.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Tickets> {
        self.lengths.clear();
        self.prefixes.drain().map(|waiters| waiters.tickets)
    }

    /// The lengths at which a key of so many bytes has to be looked up.
    pub(super) fn lengths_within(&self, bytes: usize) -> Vec<usize> {
        let lengths = self.lengths.range(..=bytes);
        lengths.map(|(length, _)| *length).collect()
    }

    fn forget_length(&mut self, length: usize) {
        if let Some(prefixes) = self.lengths.get_mut(&length) {
            *prefixes -= 1;
            if *prefixes == 0 {
                self.lengths.remove(&length);
            }
        }
    }

    /// The hash of a prefix, taken byte by byte as [`Prefixes::take`] takes it.
    fn hash(&self, prefix: &str) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        for byte in prefix.bytes() {
            hasher.write_u8(byte);
        }
        hasher.finish()
    }
}
