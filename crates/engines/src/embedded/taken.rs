//! What the committer knows of work that is taken.
//!
//! A claim takes the first key under a prefix that nobody holds. To look for it from the start of
//! the prefix each time would cost as much as there are claims, and as there are tombstones of
//! work that was done: those pile up just there. So the committer remembers, for the prefixes that
//! are claimed from, how far it has looked, and which keys up to there are held until when. As the
//! only writer it keeps that true: whatever it plans is noted here, and everything is forgotten
//! where a plan was not written.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::entry::Metadata;
use prominence_core::rules::{Effect, FirstFree};
use prominence_core::{Key, Namespace, Prefix, Timestamp};

/// Prefixes that are remembered. Beyond them all are forgotten, and looked through once more.
const MAX_PREFIXES: usize = 256;

/// Held keys that are remembered, of all prefixes together: some 10 MiB with usual keys, 100 MiB
/// with the longest.
const MAX_HELD: usize = 65_536;

/// Shared by the groups of the committer; never contended.
#[derive(Clone, Default)]
pub(super) struct Taken(Arc<Inner>);

#[derive(Default)]
struct Inner {
    memory: Mutex<Memory>,
    looks: AtomicU64,
}

#[derive(Default)]
struct Memory {
    /// The latest instant at which it was looked.
    looked: Timestamp,
    spaces: HashMap<Namespace, HashMap<Prefix, Known>>,
}

/// What is known of the keys under a prefix.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// All keys before its end are either here or not to be taken at all.
    held: BTreeMap<Key, Held>,
    reach: Reach,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Timestamp,
    expires: Option<Timestamp>,
}

/// How far it has been looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Reach {
    #[default]
    Nowhere,
    /// Up to this key, which has not been looked at.
    Before(Key),
    /// To the end.
    Everywhere,
}

impl Taken {
    /// Forgets everything, for when what was noted was not written.
    pub(super) fn forget_all(&self) {
        self.lock().spaces.clear();
    }

    /// Forgets a namespace, for when it is changed without being noted here.
    pub(super) fn forget(&self, namespace: &Namespace) {
        self.lock().spaces.remove(namespace);
    }

    /// Notes what a commit does.
    pub(super) fn note(&self, namespace: &Namespace, effects: &[Effect]) {
        let mut memory = self.lock();
        let Some(prefixes) = memory.spaces.get_mut(namespace) else {
            return;
        };
        for effect in effects {
            for (prefix, known) in &mut *prefixes {
                // What a prefix hides is never taken through it.
                if prefix.shows(&effect.key) {
                    let after = effect.after.as_ref();
                    known.note(&effect.key, after.map(|entry| &entry.metadata));
                }
            }
        }
    }

    /// Looks for the first key that nobody holds: at what is known, and then from there on by
    /// `look`, which is given where to begin and what to tell of each key.
    pub(super) fn first_free<E>(
        &self,
        namespace: &Namespace,
        prefix: &Prefix,
        now: Timestamp,
        look: impl FnOnce(&mut Known) -> Result<Option<Key>, E>,
    ) -> Result<FirstFree, E> {
        let mut memory = self.lock();
        memory.make_room(now);
        let prefixes = memory.spaces.entry(namespace.clone()).or_default();
        let known = prefixes.entry(prefix.clone()).or_default();
        let free = match known.ran_out(now) {
            Some(key) => Some(key),
            None => look(known)?,
        };
        Ok(match free {
            Some(key) => FirstFree::Key(key),
            None => FirstFree::None {
                until: known
                    .held
                    .values()
                    .filter(|held| held.is_live(now))
                    .map(|held| held.until)
                    .min(),
            },
        })
    }

    /// Says that an entry was read to find work.
    pub(super) fn count_look(&self) {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
    }

    /// How many entries were read to find work.
    pub(super) fn looks(&self) -> u64 {
        self.0.looks.load(Ordering::Relaxed)
    }

    /// Nothing that is done under the lock can fail halfway but a look, which leaves what it has
    /// seen.
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn make_room(&mut self, now: Timestamp) {
        let all = || self.spaces.values().flat_map(HashMap::values);
        let is_full = all().count() >= MAX_PREFIXES
            || all().map(|known| known.held.len()).sum::<usize>() > MAX_HELD;
        // What had expired when it was looked may be there again by a clock that was set back.
        if is_full || now < self.looked {
            self.spaces.clear();
        }
        self.looked = now;
    }
}

impl Known {
    /// Where to go on looking; `None` where everything has been seen.
    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Says that a key can't be taken, because somebody holds it until then.
    pub(super) fn is_held(&mut self, key: Key, until: Timestamp, expires: Option<Timestamp>) {
        self.held.insert(key, Held { until, expires });
    }

    /// Says how far it has been looked.
    pub(super) fn reached(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// The first key whose claim has run out.
    fn ran_out(&self, now: Timestamp) -> Option<Key> {
        let ran_out = |held: &Held| held.until <= now && held.is_live(now);
        let mut held = self.held.iter();
        held.find(|(_, held)| ran_out(held))
            .map(|(key, _)| key.clone())
    }

    fn note(&mut self, key: &Key, after: Option<&Metadata>) {
        let is_known = match &self.reach {
            Reach::Nowhere => false,
            Reach::Before(end) => key < end,
            Reach::Everywhere => true,
        };
        if !is_known {
            return;
        }
        match after {
            None => {
                self.held.remove(key);
            }
            Some(metadata) => match metadata.claimed_until {
                Some(until) => self.is_held(key.clone(), until, metadata.expires),
                None => {
                    self.held.split_off(key);
                    self.reach = Reach::Before(key.clone());
                }
            },
        }
    }
}

impl Held {
    fn is_live(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}
