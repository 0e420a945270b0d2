//! The parts of a store that readers and the committer share.

use std::sync::Arc;

use prominence_core::{Clock, Entry, Namespace, Timestamp};

use super::error::{ReadError, Wait};
use super::files::folder::Folder;
use super::options::Options;
use super::read::entry_cache::EntryCache;
use super::read::scan;
use super::storage::database::Database;
use super::storage::slot::DatabaseSlot;
use super::write::health::Health;
use super::write::queue::Counting;
use super::write::time_floor::TimeFloor;
use crate::claim_index::ClaimIndex;
use crate::hub::Hub;

/// The parts that readers and the committer share.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) time_floor: TimeFloor,
    pub(super) slot: DatabaseSlot,
    pub(super) entry_cache: EntryCache,
    pub(super) hub: Hub,
    pub(super) health: Health,
    pub(super) counters: Counting,
    pub(super) claim_index: ClaimIndex,
}

impl Shared {
    /// Starts with an open database. The clock goes on from the latest time that was noted in
    /// the folder.
    pub(super) fn new(
        options: Options,
        clock: Arc<dyn Clock>,
        folder: &Folder,
        database: Database,
    ) -> Self {
        let time_floor = TimeFloor::open(folder.path());
        clock.not_before(time_floor.noted());
        Self {
            entry_cache: EntryCache::new(options.entry_cache_bytes(), options.places_bytes()),
            options,
            clock,
            time_floor,
            slot: DatabaseSlot::new(database),
            hub: Hub::default(),
            health: Health::default(),
            counters: Counting::default(),
            claim_index: ClaimIndex::default(),
        }
    }

    /// Notes the time of a read that leaves out expired entries, before it is answered.
    pub(super) fn note_expiry(&self, seen: &scan::Seen) {
        if seen.is_without_expired() {
            self.time_floor.note(seen.now());
        }
    }

    /// A live entry. It is read on the caller's thread: most come from memory in a few microseconds,
    /// and handing each over to another thread would cost more than that. Blocks of the index may be
    /// read from the disk; where a value would have to be and that is refused, the answer says so.
    pub(super) fn entry(
        &self,
        database: &Database,
        namespace: &Namespace,
        row: &[u8],
        now: Timestamp,
        wait: Wait,
    ) -> Result<Option<Entry>, ReadError> {
        let read = |lately| {
            database
                .snapshot_of(namespace)
                .find_entry(row, lately, wait)
        };
        let entry = self.entry_cache.get_or_read(row, read)?;
        if entry
            .as_ref()
            .is_some_and(|entry| !entry.metadata.is_live(now))
        {
            self.time_floor.note(now);
            return Ok(None);
        }
        Ok(entry)
    }
}
