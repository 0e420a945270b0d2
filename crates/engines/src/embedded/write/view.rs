//! A namespace as a group of commits leaves it so far, for the rules to plan the next one on.

use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};

use prominence_core::entry::Metadata;
use prominence_core::rules::{FirstFree, View, Visit};
use prominence_core::{Entry, Key, Namespace, Prefix, StoreError, Timestamp, Usage};

use crate::claim_index::{ClaimIndex, PrefixIndex, ScannedTo};
use crate::embedded::read::scan;
use crate::embedded::storage::database::Snapshot;
use crate::embedded::write::space::{Slot, Space};

/// The stored state, with the changes of the group on top.
pub(in crate::embedded) struct SpaceView<'v, 'a> {
    pub(in crate::embedded) snapshot: &'v Snapshot<'a>,
    pub(in crate::embedded) namespace: &'v Namespace,
    pub(in crate::embedded) space: &'v Space,
    pub(in crate::embedded) claim_index: &'v ClaimIndex,
}

impl View for SpaceView<'_, '_> {
    type Error = StoreError;

    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        match self.space.entries.get(key) {
            Some(slot) => Ok(slot.entry.clone()),
            None => {
                let found = self.snapshot.entry_at(self.namespace, key)?;
                Ok(found.map(|(entry, at)| {
                    self.space.note_read(key, at);
                    entry
                }))
            }
        }
    }

    fn metadata(&self, key: &Key) -> Result<Option<Metadata>, StoreError> {
        match self.space.entries.get(key) {
            Some(slot) => Ok(slot.entry.as_ref().map(|entry| entry.metadata.clone())),
            None => {
                let found = self.snapshot.metadata_at(self.namespace, key)?;
                Ok(found.map(|(metadata, at)| {
                    self.space.note_read(key, at);
                    metadata
                }))
            }
        }
    }

    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, StoreError> {
        self.claim_index
            .first_free(self.namespace, prefix, now, |index| {
                self.look_for_free(prefix, now, index)
            })
    }

    fn usage(&self) -> Usage {
        self.space.row.usage
    }
}

impl Visit for SpaceView<'_, '_> {
    fn visit(
        &self,
        prefix: &Prefix,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.visit_from(prefix, prefix.as_str(), visitor)
    }
}

impl SpaceView<'_, '_> {
    /// Goes on to look for a free key from the end of the scanned part on.
    fn look_for_free(
        &self,
        prefix: &Prefix,
        now: Timestamp,
        index: &mut PrefixIndex,
    ) -> Result<Option<Key>, StoreError> {
        let from = match index.scanned_to().clone() {
            ScannedTo::Nothing => prefix.as_str().to_owned(),
            ScannedTo::Before(key) => key.as_str().to_owned(),
            ScannedTo::End => return Ok(None),
        };
        let mut free = None;
        self.visit_from(prefix, &from, &mut |key, metadata| {
            self.claim_index.count_scanned();
            if !metadata.is_live(now) || !prefix.shows(&key) {
                return ControlFlow::Continue(());
            }
            match metadata.live_claim(now) {
                Some(until) => index.add_claimed(key, until, metadata.expires),
                None => {
                    free = Some(key);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        index.set_scanned_to(free.clone().map_or(ScannedTo::End, ScannedTo::Before));
        Ok(free)
    }

    /// Visits the keys that begin with the prefix from this one on, which may be the prefix.
    fn visit_from(
        &self,
        prefix: &Prefix,
        from: &str,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let range = (Bound::Included(from), Bound::Unbounded);
        let touched = self.space.entries.range::<str, _>(range);
        let mut touched = touched
            .take_while(|(key, _)| prefix.matches(key))
            .peekable();
        for stored in scan::stored(self.snapshot, self.namespace, prefix, from) {
            let (key, metadata) = stored?;
            if visit_touched(&mut touched, |touched| *touched < key, visitor).is_break() {
                return Ok(());
            }
            // The state that the group leaves replaces the stored one.
            let flow = if touched.peek().is_some_and(|(touched, _)| **touched == key) {
                visit_touched(&mut touched, |touched| *touched == key, visitor)
            } else {
                visitor(key, metadata)
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        // A visitor that stops at the last one makes no difference.
        let _ = visit_touched(&mut touched, |_| true, visitor);
        Ok(())
    }
}

/// Visits the next keys that the group touched, as long as they are wanted.
fn visit_touched<'s>(
    touched: &mut Peekable<impl Iterator<Item = (&'s Key, &'s Slot)>>,
    is_wanted: impl Fn(&Key) -> bool,
    visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
) -> ControlFlow<()> {
    while let Some((key, slot)) = touched.next_if(|(key, _)| is_wanted(key)) {
        if let Some(entry) = &slot.entry {
            visitor(key.clone(), entry.metadata.clone())?;
        }
    }
    ControlFlow::Continue(())
}
