//! One namespace in a group of commits: the entries that they change, and the rows to write for
//! them.

use std::cell::RefCell;
use std::collections::hash_map::Entry as MapEntry;
use std::collections::{BTreeMap, HashMap};

use prominence_core::rules::Effect;
use prominence_core::{Change, Cursor, Entry, Job, Key, Namespace, StoreError, Timestamp, Usage};

use crate::embedded::storage::database::{Batch, Snapshot, StoredAt, Table};
use crate::embedded::storage::format::{self, NamespaceRow};
use crate::embedded::storage::keys;

/// Bytes that one change takes beside its key and value: envelopes, keys of rows, journal.
pub(super) const CHANGE_OVERHEAD: usize = 256;

/// Copies of a key that are written for one change: in its entry, its change, and the index.
const KEY_COPIES: usize = 3;

/// A namespace that the group touches.
pub(in crate::embedded) struct Space {
    pub(in crate::embedded) row: NamespaceRow,
    pub(in crate::embedded) entries: BTreeMap<Key, Slot>,
    pub(super) changes: Vec<Change>,
    /// Places of changes to remove.
    pub(super) trimmed: Vec<Cursor>,
    /// The places of the entries that the planning of the present commit has read.
    read: RefCell<HashMap<Key, StoredAt>>,
}

/// A key that the group touches.
pub(in crate::embedded) struct Slot {
    /// The instant of the stored entry in the expiry index.
    indexed: Option<Timestamp>,
    /// The stored entry, where there is one.
    stored: Option<Stored>,
    /// The entry that will be stored.
    pub(in crate::embedded) entry: Option<Entry>,
}

/// A stored entry that is written over.
struct Stored {
    /// Bytes of its value.
    bytes: usize,
    /// Its place, if planning has read it by itself.
    at: Option<StoredAt>,
}

/// The author and the time of a commit.
#[derive(Clone, Copy)]
pub(in crate::embedded) struct Author<'a> {
    pub(in crate::embedded) job: Option<&'a Job>,
    pub(in crate::embedded) now: Timestamp,
}

impl Space {
    /// Takes in the effects of one commit; returns the bytes that they will take.
    pub(super) fn apply(
        &mut self,
        effects: Vec<Effect>,
        usage: Usage,
        author: Author<'_>,
    ) -> usize {
        let mut weight = 0;
        for (index, effect) in (0..).zip(effects) {
            let value = effect.after.as_ref().map_or(0, |entry| entry.value.len());
            weight += KEY_COPIES * effect.key.as_str().len() + value + CHANGE_OVERHEAD;
            self.changes.push(Change {
                at: Cursor {
                    revision: usage.revision,
                    index,
                },
                key: effect.key.clone(),
                kind: effect.kind,
                job: author.job.cloned(),
                time: author.now,
            });
            let before = effect.before.as_ref();
            let indexed = before.and_then(|metadata| metadata.expires);
            let at = self.read.get_mut().remove(&effect.key);
            let stored = before.map(|metadata| Stored {
                bytes: metadata.size,
                at,
            });
            let slot = self.entries.entry(effect.key).or_insert(Slot {
                indexed,
                stored,
                entry: None,
            });
            slot.entry = effect.after;
            self.row.log_rows += 1;
        }
        self.row.usage = usage;
        weight
    }

    /// Notes the place of an entry that was read to plan a commit, so that it isn't looked up again.
    pub(in crate::embedded) fn note_read(&self, key: &Key, at: StoredAt) {
        self.read.borrow_mut().insert(key.clone(), at);
    }

    /// Begins to plan the next commit.
    pub(super) fn forget_read(&mut self) {
        self.read.get_mut().clear();
    }
}

/// The namespace as the group leaves it so far.
pub(super) fn load<'s>(
    spaces: &'s mut HashMap<Namespace, Space>,
    snapshot: &Snapshot<'_>,
    namespace: &Namespace,
) -> Result<&'s mut Space, StoreError> {
    match spaces.entry(namespace.clone()) {
        MapEntry::Occupied(found) => Ok(found.into_mut()),
        MapEntry::Vacant(place) => Ok(place.insert(Space {
            row: snapshot.namespace(namespace)?,
            entries: BTreeMap::new(),
            changes: Vec::new(),
            trimmed: Vec::new(),
            read: RefCell::default(),
        })),
    }
}

/// Writes one entry and its row in the expiry index; returns the instant of that row.
pub(super) fn put_entry(
    batch: &mut Batch<'_>,
    namespace: &Namespace,
    key: &Key,
    slot: &Slot,
) -> Result<Option<Timestamp>, StoreError> {
    let row_key = keys::entry(namespace, key);
    if let Some(Stored { bytes, at }) = &slot.stored {
        batch.replace(&row_key, *bytes, *at)?;
    }
    let mut expires = None;
    match &slot.entry {
        Some(entry) => {
            expires = entry.metadata.expires;
            if let Some(instant) = expires {
                let index_key = keys::expiry(instant, namespace, key);
                let bytes = (key.as_str().len() + entry.value.len()) as u64;
                let index_row = format::encode_expiry(&index_key, bytes);
                batch.put(Table::Expiry, index_key, index_row);
            }
            batch.put_entry(row_key, entry);
        }
        None => batch.remove(Table::Entries, row_key),
    }
    if let Some(indexed) = slot.indexed
        && slot.indexed != expires
    {
        batch.remove(Table::Expiry, keys::expiry(indexed, namespace, key));
    }
    Ok(expires)
}
