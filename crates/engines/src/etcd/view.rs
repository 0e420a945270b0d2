//! A namespace as a group of commits leaves it so far, for the rules to plan the next one on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::{Bound, ControlFlow};

use prominence_core::entry::Metadata;
use prominence_core::error::Fate;
use prominence_core::rules::{Effect, FirstFree, View};
use prominence_core::{Entry, Key, Namespace, Prefix, StoreError, Timestamp, Usage};

use super::error::{RETRY_SOON, unavailable};
use super::kept;
use super::known::{Known, Need};
use crate::taken::{Known as KnownWork, Reach, Taken};

/// What the group did to keys.
pub(super) type Touched = BTreeMap<Key, Option<Entry>>;

/// What a plan rests on, and what comes of it.
pub(super) struct Seen {
    /// How keys stand after it.
    pub(super) touched: Touched,
    /// Keys that were taken for absent.
    pub(super) guessed: HashSet<Key>,
    /// Whether it was looked for work.
    pub(super) has_looked: bool,
}

/// What is stored, as far as it was read, and what the group did on top of it.
pub(super) struct SpaceView<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) known: &'a Known,
    pub(super) touched: Touched,
    pub(super) usage: Usage,
    pub(super) taken: &'a Taken,
    /// Keys that are taken for absent where nothing is known of them, as new keys are common and
    /// asking would cost a round trip. The write checks it.
    pub(super) guessable: &'a HashSet<Key>,
    guessed: RefCell<HashSet<Key>>,
    need: RefCell<Option<Need>>,
    /// Whether it was looked for work among what was read for that.
    has_looked: Cell<bool>,
}

impl<'a> SpaceView<'a> {
    pub(super) fn new(
        namespace: &'a Namespace,
        known: &'a Known,
        usage: Usage,
        taken: &'a Taken,
        guessable: &'a HashSet<Key>,
    ) -> Self {
        Self {
            namespace,
            known,
            touched: Touched::new(),
            usage,
            taken,
            guessable,
            guessed: RefCell::default(),
            need: RefCell::default(),
            has_looked: Cell::default(),
        }
    }

    /// Applies what a commit does.
    pub(super) fn apply(&mut self, effects: &[Effect], usage: Usage) {
        self.taken.note(self.namespace, effects);
        for effect in effects {
            self.touched
                .insert(effect.key.clone(), effect.after.clone());
        }
        self.usage = usage;
    }

    /// What has to be read before the rest can be planned, where the rules met it.
    pub(super) fn take_need(&self) -> Option<Need> {
        self.need.take()
    }

    /// What is left when everything is planned.
    pub(super) fn finish(self) -> Seen {
        Seen {
            touched: self.touched,
            guessed: self.guessed.into_inner(),
            has_looked: self.has_looked.get(),
        }
    }

    /// Takes a key for absent, where that may be done.
    fn guess_absent(&self, key: &Key) -> bool {
        let may_be = self.guessable.contains(key);
        if may_be {
            self.guessed.borrow_mut().insert(key.clone());
        }
        may_be
    }

    fn has_value(&self, key: &Key) -> bool {
        self.touched.contains_key(key) || self.known.entry(key).is_some()
    }

    /// Stops the planning until a key has been read.
    fn wait_for_key(&self, key: &Key) -> StoreError {
        self.wait_for(Need {
            keys: vec![key.clone()],
            work: None,
        })
    }

    /// Stops the planning until something has been read.
    fn wait_for(&self, need: Need) -> StoreError {
        *self.need.borrow_mut() = Some(need);
        unavailable(
            "something has to be read first",
            Fate::NotApplied,
            RETRY_SOON,
        )
    }

    /// Goes on looking for a key that nobody holds from where it was looked before, as far as was
    /// read; says what has to be read beyond.
    fn look_for_free(
        &self,
        prefix: &Prefix,
        now: Timestamp,
        work: &mut KnownWork,
    ) -> Result<Option<Key>, Need> {
        let from = match work.reach().clone() {
            Reach::Nowhere => prefix.as_str().to_owned(),
            Reach::Before(key) => key.as_str().to_owned(),
            Reach::Everywhere => return Ok(None),
        };
        let beyond = |from: &str| Need {
            keys: Vec::new(),
            work: Some((prefix.clone(), from.to_owned())),
        };
        let chunk = self.known.chunk();
        let Some(chunk) = chunk.filter(|chunk| chunk.tells_from(prefix, &from)) else {
            return Err(beyond(&from));
        };
        self.has_looked.set(true);
        let cut = chunk.cut();
        let is_read = |key: &Key| cut.is_none_or(|cut| key < cut);
        let since = (Bound::Included(from.as_str()), Bound::Unbounded);
        let stored = chunk.entries.range::<str, _>(since);
        let mut all: BTreeMap<&Key, Option<&Metadata>> = stored
            .map(|(key, metadata)| (key, Some(metadata)))
            .collect();
        // What the group did to a key stands for what is stored.
        let touched = self.touched.range::<str, _>(since);
        for (key, entry) in touched.take_while(|(key, _)| prefix.matches(key)) {
            all.insert(key, entry.as_ref().map(|entry| &entry.metadata));
        }
        for (key, metadata) in all.into_iter().filter(|(key, _)| is_read(key)) {
            let Some(metadata) = metadata.filter(|metadata| metadata.is_live(now)) else {
                continue;
            };
            self.taken.count_look();
            if !prefix.shows(key) {
                continue;
            }
            match metadata.live_claim(now) {
                Some(until) => work.is_held(key.clone(), until, metadata.expires),
                None => {
                    work.reached(Reach::Before(key.clone()));
                    // A small value is read together with those of the keys that come next.
                    if kept::is_small(metadata.size) && !self.has_value(key) {
                        return Err(beyond(key.as_str()));
                    }
                    return Ok(Some(key.clone()));
                }
            }
        }
        match cut {
            None => {
                work.reached(Reach::Everywhere);
                Ok(None)
            }
            Some(cut) => {
                work.reached(Reach::Before(cut.clone()));
                Err(beyond(cut.as_str()))
            }
        }
    }
}

impl View for SpaceView<'_> {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        if let Some(entry) = self.touched.get(key) {
            return Ok(entry.clone());
        }
        if let Some(entry) = self.known.entry(key) {
            return Ok(entry.cloned());
        }
        // Of a key whose metadata is known only the value is missing.
        if self.known.metadata(key).is_none() && self.guess_absent(key) {
            return Ok(None);
        }
        Err(self.wait_for_key(key))
    }

    fn metadata(&self, key: &Key) -> Result<Option<Metadata>, StoreError> {
        if let Some(entry) = self.touched.get(key) {
            return Ok(entry.as_ref().map(|entry| entry.metadata.clone()));
        }
        if let Some(metadata) = self.known.metadata(key) {
            return Ok(metadata.cloned());
        }
        if self.guess_absent(key) {
            return Ok(None);
        }
        Err(self.wait_for_key(key))
    }

    /// Deletions of prefixes, which alone need this, are planned by themselves: they may be of
    /// more keys than should be held in memory with all that is known of them.
    fn visit(
        &self,
        _: &Prefix,
        _: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Err(unavailable(
            "a deletion of a prefix was planned together with other commits",
            Fate::NotApplied,
            RETRY_SOON,
        ))
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, StoreError> {
        let mut need = None;
        let found = self.taken.first_free(self.namespace, prefix, now, |work| {
            // What was found on the way is kept, also where more has to be read.
            Ok::<_, StoreError>(
                self.look_for_free(prefix, now, work)
                    .unwrap_or_else(|beyond| {
                        need = Some(beyond);
                        None
                    }),
            )
        })?;
        match need {
            Some(need) => Err(self.wait_for(need)),
            None => Ok(found),
        }
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}
