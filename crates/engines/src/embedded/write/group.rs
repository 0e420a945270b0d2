//! A group of commits: planned one after another, written together.
//!
//! Each commit is planned over the stored state and what its predecessors in the group did. What
//! is written in the end is the difference, each row once.

use std::collections::HashMap;

use prominence_core::entry::Metadata;
use prominence_core::rules::{self, Circumstances};
use prominence_core::{Change, Commit, Committed, Key, Namespace, Quotas, StoreError, Timestamp};

use crate::Retention;
use crate::claim_index::ClaimIndex;
use crate::embedded::options::{MAX_GROUP_BYTES, MAX_SHARED_GROUP_BYTES, MAX_TRIMMED_AT_ONCE};
use crate::embedded::read::log;
use crate::embedded::storage::database::{Batch, Snapshot, Table};
use crate::embedded::storage::format;
use crate::embedded::storage::keys;
use crate::embedded::write::space::{Author, CHANGE_OVERHEAD, Space, load, put_entry};
use crate::embedded::write::view::SpaceView;
use crate::hub::{Hub, Woken};

/// Changes in one row of the log. Readers take in whole rows, and logs are trimmed by rows.
const MAX_CHANGES_IN_A_ROW: usize = 128;

/// Commits that will be written together.
pub(in crate::embedded) struct Group<'a> {
    snapshot: Snapshot<'a>,
    quotas: Quotas,
    retention: Retention,
    claim_index: ClaimIndex,
    spaces: HashMap<Namespace, Space>,
    /// Bytes to be written, about.
    weight: usize,
    /// The new expiry floor.
    expiry_floor: Option<Timestamp>,
    /// Rows of the expiry index that no entry agrees with.
    stale_expiry: Vec<Vec<u8>>,
}

/// The purpose for which room on the disk is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::embedded) enum Purpose {
    /// To store entries.
    Store,
    /// Only to remove some.
    Remove,
}

/// The outcome of a commit once the group is written.
pub(in crate::embedded) struct Planned {
    pub(in crate::embedded) committed: Committed,
    /// True if there is anything to write for it.
    pub(in crate::embedded) changes: bool,
}

impl<'a> Group<'a> {
    pub(in crate::embedded) fn new(
        snapshot: Snapshot<'a>,
        quotas: Quotas,
        retention: Retention,
        claim_index: ClaimIndex,
    ) -> Self {
        Self {
            snapshot,
            quotas,
            retention,
            claim_index,
            spaces: HashMap::new(),
            weight: 0,
            expiry_floor: None,
            stale_expiry: Vec::new(),
        }
    }

    /// The stored state that the group builds on.
    pub(in crate::embedded) fn snapshot(&self) -> &Snapshot<'a> {
        &self.snapshot
    }

    /// Plans one commit after the others.
    pub(in crate::embedded) fn commit(
        &mut self,
        namespace: &Namespace,
        commit: &Commit,
        author: Author<'_>,
    ) -> Result<Planned, StoreError> {
        let circumstances = Circumstances {
            now: author.now,
            author: author.job,
            quota: self.quotas.of(namespace),
        };
        let space = load(&mut self.spaces, &self.snapshot, namespace)?;
        space.forget_read();
        let view = SpaceView {
            snapshot: &self.snapshot,
            namespace,
            space,
            claim_index: &self.claim_index,
        };
        let plan = rules::plan(&view, commit, circumstances)?;
        self.claim_index.apply(namespace, &plan.effects);
        let weight = space.apply(plan.effects, plan.usage, author);
        self.weight += weight;
        Ok(Planned {
            committed: Committed {
                revision: plan.usage.revision,
                outcomes: plan.outcomes,
            },
            changes: weight > 0,
        })
    }

    /// Checks what a commit demands, without planning it.
    pub(in crate::embedded) fn check(
        &mut self,
        namespace: &Namespace,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let space = load(&mut self.spaces, &self.snapshot, namespace)?;
        let view = SpaceView {
            snapshot: &self.snapshot,
            namespace,
            space,
            claim_index: &self.claim_index,
        };
        rules::check(&view, commit, now)
    }

    /// Plans the removal of entries that have expired.
    pub(in crate::embedded) fn expire(
        &mut self,
        namespace: &Namespace,
        due: Vec<(Key, Metadata)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let space = load(&mut self.spaces, &self.snapshot, namespace)?;
        let plan = rules::expire(space.row.usage, due, now);
        self.claim_index.apply(namespace, &plan.effects);
        self.weight += space.apply(plan.effects, plan.usage, Author { job: None, now });
        Ok(())
    }

    /// Removes a row of the expiry index that no entry agrees with.
    pub(in crate::embedded) fn drop_expiry(&mut self, row: Vec<u8>) {
        self.weight += row.len() + CHANGE_OVERHEAD;
        self.stale_expiry.push(row);
    }

    /// Says that no row of the expiry index will have an earlier instant.
    pub(in crate::embedded) fn raise_expiry_floor(&mut self, floor: Timestamp) {
        self.expiry_floor = Some(floor);
    }

    /// Removes changes that need not be kept, at most so many; says how many.
    pub(in crate::embedded) fn trim(
        &mut self,
        namespace: &Namespace,
        most: u64,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let retention = self.retention;
        let space = load(&mut self.spaces, &self.snapshot, namespace)?;
        let slack = (retention.changes / 16).min(MAX_TRIMMED_AT_ONCE);
        let rows = space.row.log_rows;
        let surplus = if rows > retention.changes.saturating_add(slack) {
            rows - retention.changes
        } else {
            0
        };
        let mut count = 0;
        for row in log::stored(&self.snapshot, namespace, space.row.log_floor) {
            let (place, changes) = row?;
            // A row that can't be read counts as one, and is kept as long as any other.
            let changes = changes.unwrap_or_default();
            let is_old = changes
                .first()
                .is_some_and(|change| change.time.after(retention.age) <= now);
            let trimmed = changes.len().max(1) as u64;
            // A row goes as a whole, so it stays as long as one of its changes has to.
            if count >= most || (count + trimmed > surplus && !is_old) {
                break;
            }
            space.trimmed.push(place);
            space.row.log_floor = place;
            space.row.log_rows = space.row.log_rows.saturating_sub(trimmed);
            self.weight += CHANGE_OVERHEAD;
            count += trimmed;
        }
        Ok(count)
    }

    /// Trims the logs that this group made too long.
    pub(in crate::embedded) fn trim_touched(&mut self, now: Timestamp) {
        let touched: Vec<_> = self
            .spaces
            .iter()
            .filter(|(_, space)| !space.changes.is_empty())
            .filter(|(_, space)| space.row.log_rows > self.retention.changes)
            .map(|(namespace, space)| (namespace.clone(), space.changes.len() as u64))
            .collect();
        for (namespace, added) in touched {
            // As many as were added, and some, so that a long log gets shorter.
            if let Err(error) = self.trim(&namespace, added + MAX_TRIMMED_AT_ONCE, now) {
                // The commits are not to blame, and the log can be trimmed another time.
                tracing::warn!(%error, %namespace, "the log could not be trimmed");
            }
        }
    }

    /// Bytes to be written, about.
    pub(in crate::embedded) fn weight(&self) -> usize {
        self.weight
    }

    /// True if there is nothing to write.
    pub(in crate::embedded) fn is_empty(&self) -> bool {
        self.weight == 0
    }

    /// The purpose of the group.
    pub(in crate::embedded) fn purpose(&self) -> Purpose {
        let mut slots = self
            .spaces
            .values()
            .flat_map(|space| space.entries.values());
        if slots.any(|slot| slot.entry.is_some()) {
            Purpose::Store
        } else {
            Purpose::Remove
        }
    }

    /// True if the group should take no more commits; it takes fewer while other users wait.
    pub(in crate::embedded) fn is_full(&self, is_shared: bool) -> bool {
        let most = match is_shared {
            true => MAX_SHARED_GROUP_BYTES,
            false => MAX_GROUP_BYTES,
        };
        self.weight >= most
    }

    /// Adds everything to a batch.
    pub(in crate::embedded) fn fill(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let mut earliest: Option<Timestamp> = None;
        for (namespace, space) in &self.spaces {
            if space.changes.is_empty() && space.trimmed.is_empty() {
                continue;
            }
            for (key, slot) in &space.entries {
                let expires = put_entry(batch, namespace, key, slot)?;
                earliest = [earliest, expires].into_iter().flatten().min();
            }
            put_changes(batch, namespace, &space.changes);
            for place in &space.trimmed {
                batch.remove(Table::Log, keys::change(namespace, *place));
            }
            let key = keys::namespace(namespace);
            let row = format::encode_namespace(&key, &space.row);
            batch.put(Table::Namespaces, key, row);
        }
        for row in &self.stale_expiry {
            batch.remove(Table::Expiry, row.clone());
        }
        if let Some(floor) = self.new_expiry_floor(earliest) {
            let row = format::encode_expiry_floor(floor);
            batch.put(Table::Namespaces, keys::EXPIRY_FLOOR.to_vec(), row);
        }
        Ok(())
    }

    /// The rows of the entries that the group changes.
    pub(in crate::embedded) fn rows(&self) -> Vec<Vec<u8>> {
        let spaces = self.spaces.iter();
        let keys = spaces.flat_map(|(namespace, space)| {
            let keys = space.entries.keys();
            keys.map(move |key| keys::entry(namespace, key))
        });
        keys.collect()
    }

    /// Those who wait for what the group changed, to be told once it can be seen.
    pub(in crate::embedded) fn publish(&self, hub: &Hub) -> Woken {
        let mut woken = Woken::default();
        if !hub.has_waiters() {
            return woken;
        }
        for (namespace, space) in &self.spaces {
            for commit in space
                .changes
                .chunk_by(|one, next| one.at.revision == next.at.revision)
            {
                let keys = commit.iter().map(|change| &change.key);
                woken.append(hub.publish(namespace, commit[0].at.revision, keys));
            }
        }
        woken
    }

    /// The floor to write, given the earliest instant that is added to the index.
    fn new_expiry_floor(&self, earliest: Option<Timestamp>) -> Option<Timestamp> {
        // A floor that can't be read is only a longer way to the first row; 0 is always right.
        let stored = self.snapshot.expiry_floor();
        let known = *stored.as_ref().unwrap_or(&Timestamp::default());
        let raised = self.expiry_floor.unwrap_or(known);
        let floor = earliest.map_or(raised, |earliest| raised.min(earliest));
        (stored.is_err() || floor != known).then_some(floor)
    }
}

/// Writes changes into the log.
fn put_changes(batch: &mut Batch<'_>, namespace: &Namespace, changes: &[Change]) {
    for changes in changes.chunks(MAX_CHANGES_IN_A_ROW) {
        if let Some(last) = changes.last() {
            let key = keys::change(namespace, last.at);
            let row = format::encode_group(&key, changes);
            batch.put(Table::Log, key, row);
        }
    }
}
