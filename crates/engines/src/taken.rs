//! What writers know of work that is taken.
//!
//! A claim takes the first key under a prefix that nobody holds. To look for it from the start of
//! the prefix each time would cost as much as there are claims, and as there are tombstones of
//! work that was done: those pile up just there. So whoever writes remembers, for the prefixes
//! that are claimed from, how far it has looked and what is there. Whatever is planned is noted
//! here, and forgotten or taken back where a plan was not written.

mod known;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::rules::{Effect, FirstFree};
use prominence_core::{Key, Namespace, Prefix, Timestamp};

pub(crate) use known::{Known, Reach, Standing};

/// Prefixes that are remembered. Beyond them the one that was not used for longest is forgotten,
/// and looked through once more when it is.
const MAX_PREFIXES: usize = 1_024;

/// The same for one namespace: each is looked up with every write to it, and one user leaves room
/// for the others.
const MAX_PREFIXES_PER_NAMESPACE: usize = 32;

/// Keys that are remembered, of all prefixes together: some 10 MiB with usual keys, 100 MiB with
/// the longest. Beyond them the prefix that has most of them loses its last ones, and what comes
/// there is looked through each time.
const MAX_KEYS: usize = 65_536;

/// What is known of all namespaces.
#[derive(Clone, Default)]
pub(crate) struct Taken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: Mutex<Memory>,
    looks: AtomicU64,
}

#[derive(Default)]
struct Memory {
    spaces: HashMap<Namespace, HashMap<Prefix, Remembered>>,
    /// Keys in all of them.
    keys: usize,
    /// How often it was looked, by which the use of prefixes is ordered.
    uses: u64,
    /// The latest instant at which it was looked.
    looked: Timestamp,
}

#[derive(Default)]
struct Remembered {
    known: Known,
    last_used: u64,
}

impl Taken {
    /// Forgets everything, for when what was noted was not written.
    pub(crate) fn forget_all(&self) {
        self.lock().clear();
    }

    /// Forgets a namespace, for when it is changed without being noted here.
    pub(crate) fn forget(&self, namespace: &Namespace) {
        self.lock().forget(namespace);
    }

    /// Notes what a commit does.
    pub(crate) fn note(&self, namespace: &Namespace, effects: &[Effect]) {
        let after = effects.iter().map(|effect| {
            let after = effect.after.as_ref();
            (
                &effect.key,
                after.map(|entry| Standing::of(&entry.metadata)),
            )
        });
        self.note_each(namespace, after);
    }

    /// Takes back what was noted of a commit that was not written.
    pub(crate) fn take_back(&self, namespace: &Namespace, effects: &[Effect]) {
        let before = effects.iter().rev().map(|effect| {
            let before = effect.before.as_ref();
            (&effect.key, before.map(Standing::of))
        });
        self.note_each(namespace, before);
    }

    /// Notes how keys stand now; `None` for one that is gone.
    pub(crate) fn note_each<'a>(
        &self,
        namespace: &Namespace,
        keys_now: impl Iterator<Item = (&'a Key, Option<Standing>)>,
    ) {
        let mut memory = self.lock();
        let Memory { spaces, keys, .. } = &mut *memory;
        let Some(prefixes) = spaces.get_mut(namespace) else {
            return;
        };
        for (key, standing) in keys_now {
            for (prefix, Remembered { known, .. }) in &mut *prefixes {
                // What a prefix hides is never taken through it.
                if prefix.shows(key) {
                    *keys -= known.len();
                    known.note(key, standing);
                    *keys += known.len();
                }
            }
        }
        memory.cut();
    }

    /// Looks for the first key that nobody holds: at what is known, and then from there on by
    /// `look`.
    pub(crate) fn first_free<E>(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        now: Timestamp,
        look: impl FnOnce(&mut Known) -> Result<Option<Key>, E>,
    ) -> Result<FirstFree, E> {
        let mut memory = self.lock();
        memory.begin(now);
        let mut remembered = memory.take(namespace, prefix);
        let known = &mut remembered.known;
        let free = match known.first_free(now) {
            Some(key) => Some(key),
            // Half a look would leave what later writes are not noted to; so an error forgets all
            // that is known of the prefix.
            None => look(known)?,
        };
        let found = match free {
            Some(key) => FirstFree::Key(key),
            None => FirstFree::None {
                until: known.first_end(now),
            },
        };
        memory.put(namespace, prefix, remembered);
        memory.cut();
        Ok(found)
    }

    /// Says that an entry was read to find work.
    pub(crate) fn count_look(&self) {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// How many entries were read to find work.
    pub(crate) fn looks(&self) -> u64 {
        self.0.looks.load(Ordering::Relaxed)
    }

    /// Nothing that is done under the lock can fail halfway but a look, while which what is known
    /// of its prefix is not there.
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn begin(&mut self, now: Timestamp) {
        // What had ended when it was looked may not have, by a clock that was set back.
        if now < self.looked {
            self.clear();
        }
        self.looked = now;
        self.uses += 1;
    }

    fn clear(&mut self) {
        self.spaces.clear();
        self.keys = 0;
    }

    fn forget(&mut self, namespace: &Namespace) {
        let prefixes = self.spaces.remove(namespace).unwrap_or_default();
        let keys: usize = prefixes.values().map(|known| known.known.len()).sum();
        self.keys -= keys;
    }

    /// Takes out what is known of a prefix.
    fn take(&mut self, namespace: &Namespace, prefix: &Prefix) -> Remembered {
        let Some(prefixes) = self.spaces.get_mut(namespace) else {
            return Remembered::default();
        };
        let taken = prefixes.remove(prefix).unwrap_or_default();
        if prefixes.is_empty() {
            self.spaces.remove(namespace);
        }
        self.keys -= taken.known.len();
        taken
    }

    /// Puts it back, and makes room for it.
    fn put(&mut self, namespace: &Namespace, prefix: &Prefix, mut remembered: Remembered) {
        remembered.last_used = self.uses;
        let here = self.spaces.get(namespace).map_or(0, HashMap::len);
        if here >= MAX_PREFIXES_PER_NAMESPACE {
            self.drop_oldest(Some(namespace));
        } else if self.spaces.values().map(HashMap::len).sum::<usize>() >= MAX_PREFIXES {
            self.drop_oldest(None);
        }
        self.keys += remembered.known.len();
        let prefixes = self.spaces.entry(namespace.clone()).or_default();
        prefixes.insert(prefix.clone(), remembered);
    }

    /// Forgets the prefix that was not used for longest, of one namespace or of all.
    fn drop_oldest(&mut self, of: Option<&Namespace>) {
        let spaces = self.spaces.iter();
        let wanted = spaces.filter(|(namespace, _)| of.is_none_or(|of| of == *namespace));
        let all = wanted
            .flat_map(|(namespace, prefixes)| prefixes.iter().map(move |each| (namespace, each)));
        let oldest = all.min_by_key(|(_, (_, remembered))| remembered.last_used);
        if let Some((namespace, (prefix, _))) = oldest {
            let (namespace, prefix) = (namespace.clone(), prefix.clone());
            self.take(&namespace, &prefix);
        }
    }

    /// Keeps within the bound of keys.
    fn cut(&mut self) {
        while self.keys > MAX_KEYS {
            let all = self.spaces.values_mut().flat_map(HashMap::values_mut);
            let Some(largest) = all.max_by_key(|remembered| remembered.known.len()) else {
                return;
            };
            let cut = largest.known.cut(self.keys - MAX_KEYS);
            if cut == 0 {
                return;
            }
            self.keys -= cut;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(taken: &Taken, namespace: &str, prefix: &str, held: usize) -> FirstFree {
        let namespace = Namespace::parse(namespace).unwrap();
        let prefix = Prefix::parse(prefix).unwrap();
        let until = Timestamp::from_secs(9);
        let look = |known: &mut Known| {
            if *known.reach() == Reach::Everywhere {
                return Ok::<_, ()>(None);
            }
            for number in 0..held {
                known.is_held(Key::parse(&format!("{number:06}")).unwrap(), until, None);
            }
            known.reached(Reach::Everywhere);
            Ok(None)
        };
        let now = Timestamp::from_secs(1);
        taken.first_free(&namespace, &prefix, now, look).unwrap()
    }

    /// What is remembered of each prefix: its name and how many keys.
    fn remembered(taken: &Taken, namespace: &str) -> Vec<(String, usize)> {
        let memory = taken.lock();
        let prefixes = memory.spaces.get(&Namespace::parse(namespace).unwrap());
        let each = prefixes.into_iter().flatten();
        let mut all: Vec<_> = each
            .map(|(prefix, each)| (prefix.as_str().to_owned(), each.known.len()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn the_prefix_that_was_not_used_for_longest_is_forgotten_first() {
        let taken = Taken::default();
        look(&taken, "bob", "/", 1);
        for number in 0..MAX_PREFIXES_PER_NAMESPACE {
            look(&taken, "alice", &format!("/{number}/"), 1);
        }
        look(&taken, "alice", "/0/", 1);
        look(&taken, "alice", "/more/", 1);
        let names: Vec<_> = remembered(&taken, "alice");
        assert_eq!(names.len(), MAX_PREFIXES_PER_NAMESPACE);
        assert!(names.iter().any(|(name, _)| name == "/0/"));
        assert!(names.iter().all(|(name, _)| name != "/1/"));
        assert_eq!(remembered(&taken, "bob").len(), 1, "the others keep theirs");
        for number in 0..2 * MAX_PREFIXES {
            look(&taken, &format!("user{number}"), "/", 1);
        }
        let memory = taken.lock();
        assert_eq!(memory.spaces.len(), MAX_PREFIXES);
        assert_eq!(memory.keys, MAX_PREFIXES);
    }

    #[test]
    fn who_has_most_keys_makes_room_for_the_others() {
        let taken = Taken::default();
        look(&taken, "alice", "/w/", MAX_KEYS - 5);
        look(&taken, "bob", "/", 20);
        assert_eq!(remembered(&taken, "bob"), [("/".to_owned(), 20)]);
        let left = ("/w/".to_owned(), MAX_KEYS - 20);
        assert_eq!(remembered(&taken, "alice"), [left]);
        taken.forget(&Namespace::parse("alice").unwrap());
        assert_eq!(taken.lock().keys, 20);
        taken.forget_all();
        assert_eq!(taken.lock().keys, 0);
    }
}
