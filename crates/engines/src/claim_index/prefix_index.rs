//! The claim index of one prefix.

use std::collections::{BTreeMap, BTreeSet};

use prominence_core::entry::Metadata;
use prominence_core::{Key, PutState, Timestamp};

use super::MAX_KEYS;

/// The keys under a prefix, as far as they were scanned.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    /// Every key before it that can be claimed, now or later, is in one of the maps.
    scanned_to: ScannedTo,
    claimed: BTreeMap<Key, Claim>,
    /// The same keys by the end of their claims.
    claim_ends: BTreeSet<(Timestamp, Key)>,
    /// Keys without a claim, and when they expire.
    free: BTreeMap<Key, Option<Timestamp>>,
    /// Claimed keys that a scan met beyond [`MAX_KEYS`]: the first one, and the earliest end of
    /// their claims.
    overflow: Option<(Key, Timestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    until: Timestamp,
    expires: Option<Timestamp>,
}

/// Changes that are planned and not written: each key with its new state, or without one.
pub(super) type Planned<'a> = BTreeMap<&'a Key, Option<ClaimState>>;

/// The part of an entry's state that decides whether it can be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClaimState {
    pub(crate) claimed_until: Option<Timestamp>,
    pub(crate) expires: Option<Timestamp>,
}

impl ClaimState {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            claimed_until: metadata.claimed_until,
            expires: metadata.expires,
        }
    }

    /// The end of a claim that is valid now.
    fn claim_end(self, now: Timestamp) -> Option<Timestamp> {
        let end = self.claimed_until.filter(|until| now < *until);
        end.filter(|_| is_live(self.expires, now))
    }

    fn is_free(self, now: Timestamp) -> bool {
        is_live(self.expires, now) && self.claim_end(now).is_none()
    }

    /// The state that the log keeps of a put.
    pub(crate) fn of_put(state: &PutState) -> Self {
        Self {
            claimed_until: state.claimed_until,
            expires: state.expires,
        }
    }
}

/// The end of the scanned part of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ScannedTo {
    #[default]
    Nothing,
    /// Up to this key, which was not scanned.
    Before(Key),
    /// To the end.
    End,
}

impl PrefixIndex {
    /// The place to continue the scan from.
    pub(crate) fn scanned_to(&self) -> &ScannedTo {
        &self.scanned_to
    }

    /// Adds a key that a scan found claimed until then.
    pub(crate) fn add_claimed(&mut self, key: Key, until: Timestamp, expires: Option<Timestamp>) {
        if let Some((_, end)) = &mut self.overflow {
            *end = until.min(*end);
        } else if self.len() < MAX_KEYS {
            self.insert_claimed(key, Claim { until, expires });
        } else {
            self.overflow = Some((key, until));
        }
    }

    /// Sets how far a scan came.
    pub(crate) fn set_scanned_to(&mut self, scanned_to: ScannedTo) {
        let overflow = self.overflow.as_ref().map(|(key, _)| key.clone());
        self.scanned_to = overflow.map_or(scanned_to, ScannedTo::Before);
    }

    /// Keys in the index.
    pub(super) fn len(&self) -> usize {
        self.claimed.len() + self.free.len()
    }

    /// Adds a page of stored keys from a place on, or from the start. A page behind a gap is ignored.
    pub(super) fn extend(
        &mut self,
        from: Option<&str>,
        page: Vec<(Key, ClaimState)>,
        scanned_to: ScannedTo,
    ) {
        let is_adjacent = match &self.scanned_to {
            ScannedTo::Nothing => from.is_none(),
            ScannedTo::Before(end) => from.is_none_or(|from| from <= end.as_str()),
            ScannedTo::End => false,
        };
        if !is_adjacent {
            return;
        }
        self.overflow = None;
        for (key, state) in page {
            self.remove(&key);
            match state.claimed_until {
                Some(until) => self.add_claimed(key, until, state.expires),
                None if self.overflow.is_none() => {
                    self.free.insert(key, state.expires);
                }
                None => {}
            }
        }
        // A page may have been read again for its values, and end before the scanned part.
        if scanned_to > self.scanned_to {
            self.set_scanned_to(scanned_to);
        }
    }

    /// The first free key in the index, with planned changes.
    pub(super) fn first_free(&mut self, now: Timestamp, planned: &Planned<'_>) -> Option<Key> {
        self.overflow = None;
        while let Some((until, _)) = self.claim_ends.first()
            && *until <= now
            && let Some((_, key)) = self.claim_ends.pop_first()
            && let Some(claim) = self.claimed.remove(&key)
        {
            self.free.insert(key, claim.expires);
        }
        while let Some(first) = self.free.first_entry()
            && !is_live(*first.get(), now)
        {
            // An expired key exists again only after a write, which adds it.
            first.remove();
        }
        let mut indexed = self.free.iter();
        let indexed =
            indexed.find(|(key, expires)| is_live(**expires, now) && !planned.contains_key(key));
        let mut planned = planned.iter();
        let planned = planned.find(|(key, state)| {
            state.is_some_and(|state| state.is_free(now)) && self.is_scanned(key)
        });
        let first = indexed.map(|(key, _)| key).into_iter();
        first.chain(planned.map(|(key, _)| *key)).min().cloned()
    }

    /// The earliest end of a claim, of all that were scanned or planned.
    pub(super) fn earliest_claim_end(
        &self,
        now: Timestamp,
        planned: &Planned<'_>,
    ) -> Option<Timestamp> {
        let is_stored = |key: &Key| {
            let claim = self.claimed.get(key);
            claim.is_some_and(|claim| is_live(claim.expires, now)) && !planned.contains_key(key)
        };
        let indexed = self.claim_ends.iter().find(|(_, key)| is_stored(key));
        let indexed = indexed.map(|(until, _)| *until);
        let overflow = self.overflow.as_ref().map(|(_, until)| *until);
        let planned = planned.values();
        let planned = planned
            .filter_map(|state| state.as_ref()?.claim_end(now))
            .min();
        [indexed, overflow, planned].into_iter().flatten().min()
    }

    fn is_scanned(&self, key: &Key) -> bool {
        match &self.scanned_to {
            ScannedTo::Nothing => false,
            ScannedTo::Before(end) => key < end,
            ScannedTo::End => true,
        }
    }

    /// Sets the current state of a key; `None` where it no longer exists.
    pub(super) fn update(&mut self, key: &Key, state: Option<ClaimState>) {
        if !self.is_scanned(key) {
            return;
        }
        self.remove(key);
        let Some(state) = state else {
            return;
        };
        let expires = state.expires;
        match state.claimed_until {
            Some(until) => self.insert_claimed(key.clone(), Claim { until, expires }),
            None => {
                self.free.insert(key.clone(), expires);
            }
        }
    }

    /// Drops up to `keys` of the last keys; returns how many it dropped.
    pub(super) fn drop_last(&mut self, keys: usize) -> usize {
        for dropped in 0..keys {
            let last = self.claimed.last_key_value().map(|(key, _)| key);
            let last = last.max(self.free.last_key_value().map(|(key, _)| key));
            let Some(key) = last.cloned() else {
                return dropped;
            };
            self.remove(&key);
            self.scanned_to = ScannedTo::Before(key);
        }
        keys
    }

    fn insert_claimed(&mut self, key: Key, claim: Claim) {
        self.claim_ends.insert((claim.until, key.clone()));
        self.claimed.insert(key, claim);
    }

    fn remove(&mut self, key: &Key) {
        self.free.remove(key);
        if let Some((key, claim)) = self.claimed.remove_entry(key) {
            self.claim_ends.remove(&(claim.until, key));
        }
    }
}

fn is_live(expires: Option<Timestamp>, now: Timestamp) -> bool {
    expires.is_none_or(|expires| now < expires)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::row::tests::entry;

    /// A step of a test.
    #[derive(Clone, Debug)]
    enum Step {
        /// Sets a key, claimed or not, expiring or not, each so many seconds from now.
        Set(u8, Option<u64>, Option<u64>),
        Delete(u8),
        Claim(u64),
        /// Writes the changes since the last write, or abandons them.
        Write,
        Abandon,
        Pass(u64),
        DropLast(usize),
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
            4 => moment.clone().prop_map(Step::Claim),
            3 => Just(Step::Write),
            1 => Just(Step::Abandon),
            2 => moment.prop_map(Step::Pass),
            1 => (0..4_usize).prop_map(Step::DropLast),
        ];
        proptest::collection::vec(step, 1..60)
    }

    fn key(number: u8) -> Key {
        Key::parse(&format!("/w/{number:02}")).unwrap()
    }

    fn metadata(claimed_until: Option<Timestamp>, expires: Option<Timestamp>) -> Metadata {
        Metadata {
            claimed_until,
            expires,
            ..entry(0).metadata
        }
    }

    /// Stored entries, the index of them, and changes that are planned and not written.
    #[derive(Default)]
    struct Work {
        stored: BTreeMap<Key, Metadata>,
        planned: BTreeMap<Key, Option<Metadata>>,
        index: PrefixIndex,
        now: Timestamp,
    }

    impl Work {
        fn later(&self, seconds: u64) -> Timestamp {
            self.now.after(Duration::from_secs(seconds))
        }

        fn write(&mut self) {
            for (key, metadata) in std::mem::take(&mut self.planned) {
                let state = metadata.as_ref().map(ClaimState::of);
                self.index.update(&key, state);
                match metadata {
                    Some(metadata) => self.stored.insert(key, metadata),
                    None => self.stored.remove(&key),
                };
            }
        }

        /// The entries with the planned changes.
        fn current(&self) -> BTreeMap<&Key, &Metadata> {
            let mut current: BTreeMap<_, _> = self.stored.iter().collect();
            for (key, metadata) in &self.planned {
                match metadata {
                    Some(metadata) => current.insert(key, metadata),
                    None => current.remove(key),
                };
            }
            current
        }

        /// The result of a scan of all entries.
        fn expected(&self) -> (Option<Key>, Option<Timestamp>) {
            let mut live = self.current();
            live.retain(|_, metadata| metadata.is_live(self.now));
            let claim = |metadata: &Metadata| metadata.live_claim(self.now);
            let free = live.iter().find(|(_, metadata)| claim(metadata).is_none());
            let ends = live.values().filter_map(|metadata| claim(metadata));
            (free.map(|(key, _)| (*key).clone()), ends.min())
        }

        /// The result of the index and a scan of the rest.
        fn found(&mut self) -> (Option<Key>, Option<Timestamp>) {
            let state = |metadata: &Option<Metadata>| metadata.as_ref().map(ClaimState::of);
            let planned = self.planned.iter();
            let planned = planned
                .map(|(key, metadata)| (key, state(metadata)))
                .collect();
            if let Some(key) = self.index.first_free(self.now, &planned) {
                return (Some(key), None);
            }
            let from = match self.index.scanned_to() {
                ScannedTo::Nothing => None,
                ScannedTo::Before(key) => Some(key.clone()),
                ScannedTo::End => {
                    let end = self.index.earliest_claim_end(self.now, &planned);
                    return (None, end);
                }
            };
            // A page of three keys, of which the last one begins the next page.
            let stored = self
                .stored
                .iter()
                .filter(|(key, _)| Some(*key) >= from.as_ref());
            let mut page: Vec<_> = stored
                .take(3)
                .map(|(key, metadata)| (key.clone(), ClaimState::of(metadata)))
                .collect();
            let is_cut = page.len() == 3;
            let last = page.pop_if(|_| is_cut);
            let end = last.map_or(ScannedTo::End, |(key, _)| ScannedTo::Before(key));
            self.index.extend(from.as_ref().map(Key::as_str), page, end);
            self.found()
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_the_same_free_key_as_a_full_scan(steps in steps()) {
            let mut work = Work::default();
            for step in steps {
                match step {
                    Step::Set(number, until, expires) => {
                        let until = until.map(|seconds| work.later(seconds));
                        let expires = expires.map(|seconds| work.later(seconds));
                        let metadata = metadata(until, expires);
                        work.planned.insert(key(number), Some(metadata));
                    }
                    Step::Delete(number) => {
                        work.planned.insert(key(number), None);
                    }
                    Step::Write => work.write(),
                    Step::Abandon => work.planned.clear(),
                    Step::Pass(seconds) => work.now = work.later(seconds),
                    Step::DropLast(keys) => {
                        let before = work.index.len();
                        let dropped = work.index.drop_last(keys);
                        prop_assert_eq!(before - dropped, work.index.len());
                    }
                    Step::Claim(seconds) => {
                        let (free, until) = work.expected();
                        let found = work.found();
                        let expected = if free.is_some() { None } else { until };
                        prop_assert_eq!(&found, &(free.clone(), expected));
                        if let Some(key) = free {
                            let expires = work.current()[&key].expires;
                            let until = Some(work.later(seconds));
                            work.planned.insert(key, Some(metadata(until, expires)));
                        }
                    }
                }
            }
        }
    }
}
