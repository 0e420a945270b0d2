//! What is known of the keys under one prefix.

use std::collections::{BTreeMap, BTreeSet};

use prominence_core::entry::Metadata;
use prominence_core::{Key, Timestamp};

use super::MAX_KEYS;

/// What is known of the keys under a prefix.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Everything before it that can be taken, now or later, is in one of the maps.
    reach: Reach,
    /// Keys that somebody holds.
    held: BTreeMap<Key, Held>,
    /// The same keys by the end of their claims.
    ends: BTreeSet<(Timestamp, Key)>,
    /// Keys that nobody holds, and when they expire.
    free: BTreeMap<Key, Option<Timestamp>>,
    /// What a look met and could not remember: from where on, and when the first claim there ends.
    beyond: Option<(Key, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    until: Timestamp,
    expires: Option<Timestamp>,
}

/// What matters of a stored key to those who look for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) claimed_until: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

impl Standing {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            claimed_until: metadata.claimed_until,
            expires: metadata.expires,
        }
    }
}

/// How far it has been looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    #[default]
    Nowhere,
    /// Up to this key, which has not been looked at.
    Before(Key),
    /// To the end.
    Everywhere,
}

impl Known {
    /// Where to go on looking.
    pub(crate) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Says, while it is looked, that a key can't be taken because somebody holds it until then.
    pub(crate) fn is_held(&mut self, key: Key, until: Timestamp, expires: Option<Timestamp>) {
        if let Some((_, end)) = &mut self.beyond {
            *end = until.min(*end);
        } else if self.len() < MAX_KEYS {
            self.hold(key, Held { until, expires });
        } else {
            self.beyond = Some((key, until));
        }
    }

    /// Says how far it has been looked.
    pub(crate) fn reached(&mut self, reach: Reach) {
        let forgotten = self.beyond.as_ref().map(|(key, _)| key.clone());
        self.reach = forgotten.map_or(reach, Reach::Before);
    }

    /// How many keys are remembered.
    pub(super) fn len(&self) -> usize {
        self.held.len() + self.free.len()
    }

    /// The first key of those that are known that nobody holds.
    pub(super) fn first_free(&mut self, now: Timestamp) -> Option<Key> {
        self.beyond = None;
        while let Some((until, _)) = self.ends.first()
            && *until <= now
            && let Some((_, key)) = self.ends.pop_first()
            && let Some(held) = self.held.remove(&key)
        {
            self.free.insert(key, held.expires);
        }
        while let Some(first) = self.free.first_entry() {
            if is_live(*first.get(), now) {
                return Some(first.key().clone());
            }
            // It is there again only when it is written.
            first.remove();
        }
        None
    }

    /// When the first claim ends, of all that were met.
    pub(super) fn first_end(&self, now: Timestamp) -> Option<Timestamp> {
        let live = |key| {
            let held = self.held.get(key);
            held.is_some_and(|held| is_live(held.expires, now))
        };
        let known = self.ends.iter().find(|(_, key)| live(key));
        let known = known.map(|(until, _)| *until);
        let beyond = self.beyond.as_ref().map(|(_, until)| *until);
        [known, beyond].into_iter().flatten().min()
    }

    /// Notes what becomes of a key.
    pub(super) fn note(&mut self, key: &Key, after: Option<Standing>) {
        let is_known = match &self.reach {
            Reach::Nowhere => false,
            Reach::Before(end) => key < end,
            Reach::Everywhere => true,
        };
        if !is_known {
            return;
        }
        self.remove(key);
        let Some(standing) = after else {
            return;
        };
        let expires = standing.expires;
        match standing.claimed_until {
            Some(until) => self.hold(key.clone(), Held { until, expires }),
            None => {
                self.free.insert(key.clone(), expires);
            }
        }
    }

    /// Forgets the last keys, so many of them if there are; says how many there were.
    pub(super) fn cut(&mut self, keys: usize) -> usize {
        for cut in 0..keys {
            let last = self.held.last_key_value().map(|(key, _)| key);
            let last = last.max(self.free.last_key_value().map(|(key, _)| key));
            let Some(key) = last.cloned() else {
                return cut;
            };
            self.remove(&key);
            self.reach = Reach::Before(key);
        }
        keys
    }

    fn hold(&mut self, key: Key, held: Held) {
        self.ends.insert((held.until, key.clone()));
        self.held.insert(key, held);
    }

    fn remove(&mut self, key: &Key) {
        self.free.remove(key);
        if let Some((key, held)) = self.held.remove_entry(key) {
            self.ends.remove(&(held.until, key));
        }
    }
}

fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use prominence_core::Revision;
    use proptest::prelude::*;

    use super::*;

    /// What may happen to work.
    #[derive(Clone, Debug)]
    enum Step {
        /// A key is set, held or not, expiring or not, by what is added to the time.
        Set(u8, Option<u64>, Option<u64>),
        Delete(u8),
        Take(u64),
        Pass(u64),
        Cut(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let key = 0..12_u8;
        let moment = 0..6_u64;
        let some = proptest::option::weighted(0.4, moment.clone());
        let step = prop_oneof![
            4 => (key.clone(), some.clone(), some).prop_map(|(key, until, expires)| {
                Step::Set(key, until, expires)
            }),
            2 => key.prop_map(Step::Delete),
            4 => moment.clone().prop_map(Step::Take),
            2 => moment.prop_map(Step::Pass),
            1 => (0..4_usize).prop_map(Step::Cut),
        ];
        proptest::collection::vec(step, 1..60)
    }

    fn key(number: u8) -> Key {
        Key::parse(&format!("/w/{number:02}")).unwrap()
    }

    fn metadata(until: Option<Timestamp>, expires: Option<Timestamp>) -> Metadata {
        Metadata {
            revision: Revision::new(1),
            created: Timestamp::default(),
            modified: Timestamp::default(),
            expires,
            job: None,
            claimed_until: until,
            claims: 0,
            claimed_by: None,
            write_id: None,
            size: 0,
        }
    }

    /// A store of work, and what is known of it.
    #[derive(Default)]
    struct Work {
        stored: BTreeMap<Key, Metadata>,
        known: Known,
        now: Timestamp,
    }

    impl Work {
        fn later(&self, seconds: u64) -> Timestamp {
            self.now.after(Duration::from_secs(seconds))
        }

        fn write(&mut self, key: Key, metadata: Option<Metadata>) {
            self.known.note(&key, metadata.as_ref().map(Standing::of));
            match metadata {
                Some(metadata) => self.stored.insert(key, metadata),
                None => self.stored.remove(&key),
            };
        }

        /// What is found by looking at everything.
        fn expected(&self) -> (Option<Key>, Option<Timestamp>) {
            let live: Vec<_> = self
                .stored
                .iter()
                .filter(|(_, metadata)| metadata.is_live(self.now))
                .collect();
            let held = |metadata: &Metadata| metadata.live_claim(self.now);
            let free = live.iter().find(|(_, metadata)| held(metadata).is_none());
            let ends = live.iter().filter_map(|(_, metadata)| held(metadata));
            (free.map(|(key, _)| (*key).clone()), ends.min())
        }

        /// What is found by what is known, and a look at the rest.
        fn found(&mut self) -> (Option<Key>, Option<Timestamp>) {
            if let Some(key) = self.known.first_free(self.now) {
                return (Some(key), None);
            }
            let from = match self.known.reach() {
                Reach::Nowhere => None,
                Reach::Before(key) => Some(key.clone()),
                Reach::Everywhere => return (None, self.known.first_end(self.now)),
            };
            for (key, metadata) in &self.stored {
                if from.as_ref().is_some_and(|from| key < from) || !metadata.is_live(self.now) {
                    continue;
                }
                match metadata.live_claim(self.now) {
                    Some(until) => self.known.is_held(key.clone(), until, metadata.expires),
                    None => {
                        self.known.reached(Reach::Before(key.clone()));
                        return (Some(key.clone()), None);
                    }
                }
            }
            self.known.reached(Reach::Everywhere);
            (None, self.known.first_end(self.now))
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_free_is_overlooked_and_nothing_held_is_taken(steps in steps()) {
            let mut work = Work::default();
            for step in steps {
                match step {
                    Step::Set(number, until, expires) => {
                        let until = until.map(|seconds| work.later(seconds));
                        let expires = expires.map(|seconds| work.later(seconds));
                        work.write(key(number), Some(metadata(until, expires)));
                    }
                    Step::Delete(number) => work.write(key(number), None),
                    Step::Pass(seconds) => work.now = work.later(seconds),
                    Step::Cut(keys) => {
                        let before = work.known.len();
                        let cut = work.known.cut(keys);
                        prop_assert_eq!(before - cut, work.known.len());
                    }
                    Step::Take(seconds) => {
                        let (free, until) = work.expected();
                        let found = work.found();
                        let expected = if free.is_some() { None } else { until };
                        prop_assert_eq!(&found, &(free.clone(), expected));
                        if let Some(key) = free {
                            let expires = work.stored[&key].expires;
                            let until = Some(work.later(seconds));
                            work.write(key, Some(metadata(until, expires)));
                        }
                    }
                }
            }
        }
    }
}
