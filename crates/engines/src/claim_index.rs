//! The claim index: which keys under a prefix are claimed or free.
//!
//! A claim takes the first free key under a prefix. Scanning from the start of the prefix each time
//! would cost as much as there are claims, and as there are tombstones of work that is done, which
//! pile up just there. So the index has, for each prefix that is claimed from, how far it was
//! scanned and the state of each key up to there. The etcd engine updates the index after a
//! write, and plans on the index and the planned changes together. The embedded engine updates it
//! when it plans, and clears it where the plan is not written.

mod prefix_index;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::rules::{Effect, FirstFree};
use prominence_core::{Key, Namespace, Prefix, Timestamp};

pub(crate) use prefix_index::{ClaimState, PrefixIndex, ScannedTo};

/// Prefixes in the index. Beyond them the least recently used one is evicted, and scanned again when
/// it is used again.
const MAX_PREFIXES: usize = 1_024;

/// The same for one namespace: each write updates each of them, and one user leaves room for the
/// others.
pub(crate) const MAX_PREFIXES_PER_NAMESPACE: usize = 32;

/// Keys in the index, of all prefixes together: some 10 MiB with usual keys, 100 MiB with the
/// longest. Beyond them the prefix that has most of them loses its last ones, and that part of it
/// is scanned each time.
const MAX_KEYS: usize = 65_536;

/// The claim index of all namespaces. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct ClaimIndex(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Entries that were scanned, for the counters.
    scanned: AtomicU64,
}

#[derive(Default)]
struct State {
    namespaces: HashMap<Namespace, HashMap<Prefix, TrackedPrefix>>,
    /// Keys in all of them.
    keys: usize,
    /// Searches so far, by which the use of prefixes is ordered.
    searches: u64,
    /// The instant of the last search.
    searched_at: Timestamp,
}

#[derive(Default)]
struct TrackedPrefix {
    index: PrefixIndex,
    last_used: u64,
}

impl ClaimIndex {
    /// Forgets everything, for when applied plans were not written.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Forgets a namespace, for when it is changed without being applied here.
    pub(crate) fn forget(&self, namespace: &Namespace) {
        self.lock().forget(namespace);
    }

    /// Applies the effects of a commit.
    pub(crate) fn apply(&self, namespace: &Namespace, effects: &[Effect]) {
        let after = effects.iter().map(|effect| {
            let after = effect.after.as_ref();
            (
                &effect.key,
                after.map(|entry| ClaimState::of(&entry.metadata)),
            )
        });
        self.update(namespace, after);
    }

    /// Sets the current state of keys; `None` for one that no longer exists.
    pub(crate) fn update<'a>(
        &self,
        namespace: &Namespace,
        states: impl Iterator<Item = (&'a Key, Option<ClaimState>)>,
    ) {
        let mut state = self.lock();
        let State {
            namespaces, keys, ..
        } = &mut *state;
        let Some(prefixes) = namespaces.get_mut(namespace) else {
            return;
        };
        for (key, claim_state) in states {
            for (prefix, TrackedPrefix { index, .. }) in &mut *prefixes {
                // A key that a prefix hides is never claimed through it.
                if prefix.shows(key) {
                    *keys -= index.len();
                    index.update(key, claim_state);
                    *keys += index.len();
                }
            }
        }
        state.enforce_key_limit();
    }

    /// Finds the first free key: in the index, and behind the part that was scanned by `scan`, which
    /// extends the index.
    pub(crate) fn first_free<E>(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        now: Timestamp,
        scan: impl FnOnce(&mut PrefixIndex) -> Result<Option<Key>, E>,
    ) -> Result<FirstFree, E> {
        self.first_free_with(namespace, prefix, now, std::iter::empty(), scan)
    }

    /// Finds the first free key as [`ClaimIndex::first_free`] does, where some changes under the
    /// prefix are planned and not written: each key with its new state, or without one.
    pub(crate) fn first_free_with<'a, E>(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        now: Timestamp,
        planned: impl Iterator<Item = (&'a Key, Option<ClaimState>)>,
        scan: impl FnOnce(&mut PrefixIndex) -> Result<Option<Key>, E>,
    ) -> Result<FirstFree, E> {
        let planned = planned.filter(|(key, _)| prefix.shows(key)).collect();
        let mut state = self.lock();
        state.begin_search(now);
        let mut tracked = state.remove(namespace, prefix);
        let index = &mut tracked.index;
        let free = match index.first_free(now, &planned) {
            Some(key) => Some(key),
            // A scan that ends with an error may have added keys behind the part that counts as
            // scanned, which later writes would not update. So the prefix is removed.
            None => scan(index)?,
        };
        let found = match free {
            Some(key) => FirstFree::Key(key),
            None => FirstFree::None {
                until: index.earliest_claim_end(now, &planned),
            },
        };
        state.insert(namespace, prefix, tracked);
        state.enforce_key_limit();
        Ok(found)
    }

    /// Adds a page of stored keys that the prefix shows, from a place on, which was read to find a
    /// free one.
    pub(crate) fn extend(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        from: &str,
        page: Vec<(Key, ClaimState)>,
        scanned_to: ScannedTo,
    ) {
        self.0
            .scanned
            .fetch_add(page.len() as u64, Ordering::Relaxed);
        let mut state = self.lock();
        let mut tracked = state.remove(namespace, prefix);
        let after_start = (from != prefix.as_str()).then_some(from);
        tracked.index.extend(after_start, page, scanned_to);
        state.insert(namespace, prefix, tracked);
        state.enforce_key_limit();
    }

    /// Counts an entry that was read to find a free key.
    pub(crate) fn count_scanned(&self) {
        self.0.scanned.fetch_add(1, Ordering::Relaxed);
    }

    /// Entries that were read to find free keys.
    pub(crate) fn scanned(&self) -> u64 {
        self.0.scanned.load(Ordering::Relaxed)
    }

    /// Only a scan can fail halfway under the lock, and the index of its prefix is taken out
    /// meanwhile. So a poisoned lock guards a valid state.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin_search(&mut self, now: Timestamp) {
        // Claims that count as ended here may be valid again by a clock that was set back.
        if now < self.searched_at {
            self.clear();
        }
        self.searched_at = now;
        self.searches += 1;
    }

    fn clear(&mut self) {
        self.namespaces.clear();
        self.keys = 0;
    }

    fn forget(&mut self, namespace: &Namespace) {
        let prefixes = self.namespaces.remove(namespace).unwrap_or_default();
        let keys: usize = prefixes.values().map(|tracked| tracked.index.len()).sum();
        self.keys -= keys;
    }

    /// Removes the index of a prefix, and returns it.
    fn remove(&mut self, namespace: &Namespace, prefix: &Prefix) -> TrackedPrefix {
        let Some(prefixes) = self.namespaces.get_mut(namespace) else {
            return TrackedPrefix::default();
        };
        let tracked = prefixes.remove(prefix).unwrap_or_default();
        if prefixes.is_empty() {
            self.namespaces.remove(namespace);
        }
        self.keys -= tracked.index.len();
        tracked
    }

    /// Inserts the index of a prefix, and evicts another one where there are too many.
    fn insert(&mut self, namespace: &Namespace, prefix: &Prefix, mut tracked: TrackedPrefix) {
        tracked.last_used = self.searches;
        let here = self.namespaces.get(namespace).map_or(0, HashMap::len);
        if here >= MAX_PREFIXES_PER_NAMESPACE {
            self.evict_oldest(Some(namespace));
        } else if self.namespaces.values().map(HashMap::len).sum::<usize>() >= MAX_PREFIXES {
            self.evict_oldest(None);
        }
        self.keys += tracked.index.len();
        let prefixes = self.namespaces.entry(namespace.clone()).or_default();
        prefixes.insert(prefix.clone(), tracked);
    }

    /// Evicts the least recently used prefix, of one namespace or of all.
    fn evict_oldest(&mut self, of: Option<&Namespace>) {
        let namespaces = self.namespaces.iter();
        let wanted = namespaces.filter(|(namespace, _)| of.is_none_or(|of| of == *namespace));
        let all = wanted
            .flat_map(|(namespace, prefixes)| prefixes.iter().map(move |each| (namespace, each)));
        let oldest = all.min_by_key(|(_, (_, tracked))| tracked.last_used);
        if let Some((namespace, (prefix, _))) = oldest {
            let (namespace, prefix) = (namespace.clone(), prefix.clone());
            self.remove(&namespace, &prefix);
        }
    }

    /// Drops the last keys of the largest prefixes until all are within [`MAX_KEYS`].
    fn enforce_key_limit(&mut self) {
        while self.keys > MAX_KEYS {
            let all = self.namespaces.values_mut().flat_map(HashMap::values_mut);
            let Some(largest) = all.max_by_key(|tracked| tracked.index.len()) else {
                return;
            };
            let dropped = largest.index.drop_last(self.keys - MAX_KEYS);
            if dropped == 0 {
                return;
            }
            self.keys -= dropped;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(index: &ClaimIndex, namespace: &str, prefix: &str, claimed: usize) -> FirstFree {
        let namespace = Namespace::parse(namespace).unwrap();
        let prefix = Prefix::parse(prefix).unwrap();
        let until = Timestamp::from_secs(9);
        let scan = |index: &mut PrefixIndex| {
            if *index.scanned_to() == ScannedTo::End {
                return Ok::<_, ()>(None);
            }
            for number in 0..claimed {
                index.add_claimed(Key::parse(&format!("{number:06}")).unwrap(), until, None);
            }
            index.set_scanned_to(ScannedTo::End);
            Ok(None)
        };
        let now = Timestamp::from_secs(1);
        index.first_free(&namespace, &prefix, now, scan).unwrap()
    }

    /// The prefixes of a namespace in the index, each with the number of its keys.
    fn tracked(index: &ClaimIndex, namespace: &str) -> Vec<(String, usize)> {
        let state = index.lock();
        let prefixes = state.namespaces.get(&Namespace::parse(namespace).unwrap());
        let each = prefixes.into_iter().flatten();
        let mut all: Vec<_> = each
            .map(|(prefix, each)| (prefix.as_str().to_owned(), each.index.len()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_least_recently_used_prefix_is_evicted_first() {
        let index = ClaimIndex::default();
        search(&index, "bob", "/", 1);
        for number in 0..MAX_PREFIXES_PER_NAMESPACE {
            search(&index, "alice", &format!("/{number}/"), 1);
        }
        search(&index, "alice", "/0/", 1);
        search(&index, "alice", "/more/", 1);
        let names: Vec<_> = tracked(&index, "alice");
        assert_eq!(names.len(), MAX_PREFIXES_PER_NAMESPACE);
        assert!(names.iter().any(|(name, _)| name == "/0/"));
        assert!(names.iter().all(|(name, _)| name != "/1/"));
        assert_eq!(tracked(&index, "bob").len(), 1, "the others keep theirs");
        for number in 0..2 * MAX_PREFIXES {
            search(&index, &format!("user{number}"), "/", 1);
        }
        let state = index.lock();
        assert_eq!(state.namespaces.len(), MAX_PREFIXES);
        assert_eq!(state.keys, MAX_PREFIXES);
    }

    #[test]
    fn the_prefix_with_most_keys_makes_room_for_the_others() {
        let index = ClaimIndex::default();
        search(&index, "alice", "/w/", MAX_KEYS - 5);
        search(&index, "bob", "/", 20);
        assert_eq!(tracked(&index, "bob"), [("/".to_owned(), 20)]);
        let left = ("/w/".to_owned(), MAX_KEYS - 20);
        assert_eq!(tracked(&index, "alice"), [left]);
        index.forget(&Namespace::parse("alice").unwrap());
        assert_eq!(index.lock().keys, 20);
        index.clear();
        assert_eq!(index.lock().keys, 0);
    }
}
