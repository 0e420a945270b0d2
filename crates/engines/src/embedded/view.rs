//! A namespace as a group of commits leaves it so far, for the rules to plan the next one on.

use std::iter::Peekable;
use std::ops::{Bound, ControlFlow};

use prominence_core::entry::Metadata;
use prominence_core::rules::View;
use prominence_core::{Entry, Key, Namespace, Prefix, StoreError, Usage};

use super::database::Snapshot;
use super::group::{Slot, Space};
use super::scan;

/// What is stored, and what the group did on top of it.
pub(super) struct SpaceView<'v, 'a> {
    pub(super) snapshot: &'v Snapshot<'a>,
    pub(super) namespace: &'v Namespace,
    pub(super) space: &'v Space,
}

impl View for SpaceView<'_, '_> {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        match self.space.entries.get(key) {
            Some(slot) => Ok(slot.entry.clone()),
            None => self.snapshot.entry(self.namespace, key),
        }
    }

    fn visit(
        &self,
        prefix: &Prefix,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let touched = self.space.entries.range::<str, _>(from);
        let mut touched = touched
            .take_while(|(key, _)| prefix.matches(key))
            .peekable();
        for stored in scan::stored(self.snapshot, self.namespace, prefix) {
            let (key, metadata) = stored?;
            if visit_touched(&mut touched, |touched| *touched < key, visitor).is_break() {
                return Ok(());
            }
            // What the group did to the key stands for what is stored.
            let flow = if touched.peek().is_some_and(|(touched, _)| **touched == key) {
                visit_touched(&mut touched, |touched| *touched == key, visitor)
            } else {
                visitor(key, metadata)
            };
            if flow.is_break() {
                return Ok(());
            }
        }
        // Whether the visitor stopped at the last one makes no difference.
        let _ = visit_touched(&mut touched, |_| true, visitor);
        Ok(())
    }

    fn usage(&self) -> Usage {
        self.space.row.usage
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
