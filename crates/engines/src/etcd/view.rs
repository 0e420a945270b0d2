//! A namespace as a group of commits leaves it so far, for the rules to plan the next one on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use prominence_core::entry::Metadata;
use prominence_core::rules::{Effect, FirstFree, View};
use prominence_core::{Entry, Key, Namespace, Prefix, StoreError, Timestamp, Usage};

use super::kept;
use super::known::{Known, Need};
use crate::claim_index::{ClaimIndex, PrefixIndex, ScannedTo};

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

/// Why a commit could not be planned.
pub(super) enum Unplanned {
    /// Something has to be read first.
    Missing(Need),
    /// The rules refuse the commit.
    Refused(StoreError),
}

impl From<StoreError> for Unplanned {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// What is stored, as far as it was read, and what the group did on top of it.
pub(super) struct SpaceView<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) known: &'a Known,
    pub(super) touched: Touched,
    pub(super) usage: Usage,
    pub(super) claim_index: &'a ClaimIndex,
    /// Keys that are taken for absent where nothing is known of them, as new keys are common and
    /// asking would cost a round trip. The write checks it.
    pub(super) guessable: &'a HashSet<Key>,
    guessed: RefCell<HashSet<Key>>,
    /// Whether it was looked for work among what was read for that.
    has_looked: Cell<bool>,
}

impl<'a> SpaceView<'a> {
    pub(super) fn new(
        namespace: &'a Namespace,
        known: &'a Known,
        usage: Usage,
        claim_index: &'a ClaimIndex,
        guessable: &'a HashSet<Key>,
    ) -> Self {
        Self {
            namespace,
            known,
            touched: Touched::new(),
            usage,
            claim_index,
            guessable,
            guessed: RefCell::default(),
            has_looked: Cell::default(),
        }
    }

    /// Applies what a commit does.
    pub(super) fn apply(&mut self, effects: &[Effect], usage: Usage) {
        self.claim_index.note(self.namespace, effects);
        for effect in effects {
            self.touched
                .insert(effect.key.clone(), effect.after.clone());
        }
        self.usage = usage;
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

    /// Goes on looking for a key that nobody holds from where it was looked before, as far as was
    /// read; says what has to be read beyond.
    fn look_for_free(
        &self,
        prefix: &Prefix,
        now: Timestamp,
        work: &mut PrefixIndex,
    ) -> Result<Option<Key>, Need> {
        let from = match work.scanned_to().clone() {
            ScannedTo::Nothing => prefix.as_str().to_owned(),
            ScannedTo::Before(key) => key.as_str().to_owned(),
            ScannedTo::End => return Ok(None),
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
            self.claim_index.count_scanned();
            if !prefix.shows(key) {
                continue;
            }
            match metadata.live_claim(now) {
                Some(until) => work.add_claimed(key.clone(), until, metadata.expires),
                None => {
                    work.set_scanned_to(ScannedTo::Before(key.clone()));
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
                work.set_scanned_to(ScannedTo::End);
                Ok(None)
            }
            Some(cut) => {
                work.set_scanned_to(ScannedTo::Before(cut.clone()));
                Err(beyond(cut.as_str()))
            }
        }
    }
}

impl View for SpaceView<'_> {
    type Error = Unplanned;

    fn get(&self, key: &Key) -> Result<Option<Entry>, Unplanned> {
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
        Err(missing_key(key))
    }

    fn metadata(&self, key: &Key) -> Result<Option<Metadata>, Unplanned> {
        if let Some(entry) = self.touched.get(key) {
            return Ok(entry.as_ref().map(|entry| entry.metadata.clone()));
        }
        if let Some(metadata) = self.known.metadata(key) {
            return Ok(metadata.cloned());
        }
        if self.guess_absent(key) {
            return Ok(None);
        }
        Err(missing_key(key))
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, Unplanned> {
        let mut missing = None;
        // What was scanned is kept in the index, also where more has to be read.
        let found = self
            .claim_index
            .first_free(self.namespace, prefix, now, |index| {
                let found = self.look_for_free(prefix, now, index);
                Ok::<_, Unplanned>(found.unwrap_or_else(|beyond| {
                    missing = Some(beyond);
                    None
                }))
            })?;
        missing.map_or(Ok(found), |missing| Err(Unplanned::Missing(missing)))
    }

    fn usage(&self) -> Usage {
        self.usage
    }
}

fn missing_key(key: &Key) -> Unplanned {
    Unplanned::Missing(Need {
        keys: vec![key.clone()],
        work: None,
    })
}
