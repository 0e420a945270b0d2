//! A namespace as the commits of a group leave it so far, for the rules to plan the next one on.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use prominence_core::entry::Metadata;
use prominence_core::rules::{Effect, FirstFree, View};
use prominence_core::{Entry, Key, Prefix, StoreError, Timestamp, Usage};

use super::entry_cache;
use super::namespace_cache::{MissingReads, NamespaceCache};
use crate::claim_index::{ClaimState, ScannedTo};

/// The reason why a commit could not be planned.
#[derive(Debug)]
pub(super) enum Unplanned {
    /// Something has to be read first.
    Missing(MissingReads),
    /// The rules refuse the commit.
    Refused(StoreError),
}

impl From<StoreError> for Unplanned {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// The stored state, as far as the cache knows it, with the planned changes of the group on top.
pub(super) struct PlannedView<'a> {
    cache: &'a NamespaceCache,
    /// The planned changes: each key with its new entry, or without one.
    pub(super) planned: BTreeMap<Key, Option<Entry>>,
    pub(super) usage: Usage,
    /// Keys that are expected to be absent where nothing is known of them, as new keys are common
    /// and a read would cost a round trip. The transaction compares it.
    guessable: &'a HashSet<Key>,
    /// Those of them that a plan rests on.
    pub(super) guessed: RefCell<HashSet<Key>>,
}

impl<'a> PlannedView<'a> {
    pub(super) fn new(
        cache: &'a NamespaceCache,
        usage: Usage,
        guessable: &'a HashSet<Key>,
    ) -> Self {
        Self {
            cache,
            planned: BTreeMap::new(),
            usage,
            guessable,
            guessed: RefCell::default(),
        }
    }

    /// Adds the changes of a commit.
    pub(super) fn apply(&mut self, effects: &[Effect], usage: Usage) {
        let changes = effects.iter();
        let changes = changes.map(|effect| (effect.key.clone(), effect.after.clone()));
        self.planned.extend(changes);
        self.usage = usage;
    }

    /// Expects a key to be absent, where that is allowed.
    fn guess_absent(&self, key: &Key) -> bool {
        let is_guessable = self.guessable.contains(key);
        if is_guessable {
            self.guessed.borrow_mut().insert(key.clone());
        }
        is_guessable
    }
}

impl View for PlannedView<'_> {
    type Error = Unplanned;

    fn get(&self, key: &Key) -> Result<Option<Entry>, Unplanned> {
        if let Some(entry) = self.planned.get(key) {
            return Ok(entry.clone());
        }
        if let Some(entry) = self.cache.entry(key) {
            return Ok(entry.cloned());
        }
        // A key whose metadata is known exists, and only its value is missing.
        if self.cache.metadata(key).is_none() && self.guess_absent(key) {
            return Ok(None);
        }
        Err(missing(key))
    }

    fn metadata(&self, key: &Key) -> Result<Option<Metadata>, Unplanned> {
        if let Some(entry) = self.planned.get(key) {
            return Ok(entry.as_ref().map(|entry| entry.metadata.clone()));
        }
        if let Some(metadata) = self.cache.metadata(key) {
            return Ok(metadata.cloned());
        }
        if self.guess_absent(key) {
            return Ok(None);
        }
        Err(missing(key))
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, Unplanned> {
        let since = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let planned = self.planned.range::<str, _>(since);
        let planned = planned.take_while(|(key, _)| prefix.matches(key));
        let state = |entry: &Entry| ClaimState::of(&entry.metadata);
        let planned = planned.map(|(key, entry)| (key, entry.as_ref().map(state)));
        let namespace = &self.cache.namespace;
        let index = &self.cache.claim_index;
        let mut unscanned = None;
        let found = index.first_free_with(namespace, prefix, now, planned, |index| {
            unscanned = match index.scanned_to() {
                ScannedTo::Nothing => Some(prefix.as_str().to_owned()),
                ScannedTo::Before(key) => Some(key.as_str().to_owned()),
                ScannedTo::End => None,
            };
            Ok::<_, Unplanned>(None)
        })?;
        if let FirstFree::Key(key) = &found {
            let is_planned = self.planned.contains_key(key);
            let metadata = self.cache.metadata(key).flatten();
            let is_large = metadata.is_some_and(|stored| !entry_cache::is_small(stored.size));
            // A small value is read together with those of the next keys, not by itself.
            if !is_planned && !is_large && self.cache.entry(key).is_none() {
                unscanned = Some(key.as_str().to_owned());
            }
        }
        match unscanned {
            None => Ok(found),
            Some(from) => Err(Unplanned::Missing(MissingReads {
                keys: Vec::new(),
                candidates: Some((prefix.clone(), from)),
            })),
        }
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}

fn missing(key: &Key) -> Unplanned {
    Unplanned::Missing(MissingReads::of_keys(vec![key.clone()]))
}
