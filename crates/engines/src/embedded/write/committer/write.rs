//! Writing what was planned, and what is known where that fails.

use std::sync::Arc;
use std::time::Instant;

use super::Committer;
use crate::embedded::error::{DISK_FULL, Unavailable, WriteError};
use crate::embedded::files::disk::free_space;
use crate::embedded::options::{RETRY_LATER, RETRY_SOON};
use crate::embedded::storage::database::{Batch, Database, WriteFailure};
use crate::embedded::write::group::{Group, Purpose};
use crate::hub::Woken;

impl Committer {
    /// Writes a group of so many commits in a span of the log, which is made only where the log has it.
    pub(super) fn write_in_span(
        &mut self,
        database: &Database,
        group: &Group<'_>,
        commits: usize,
    ) -> Result<(), WriteError> {
        let bytes = group.weight();
        let _entered = tracing::debug_span!("commit_group", commits, bytes).entered();
        let started = Instant::now();
        let written = self.write_group(database, group);
        let took = started.elapsed();
        match &written {
            Ok(()) => tracing::debug!(?took, "the group is durable"),
            Err(error) => tracing::debug!(?took, error = %error.why.reason, "it is not written"),
        }
        written
    }

    /// Writes a group and makes it seen, or says why not and what is known of it.
    pub(super) fn write_group(
        &mut self,
        database: &Database,
        group: &Group<'_>,
    ) -> Result<(), WriteError> {
        let written = self.try_to_write(database, group);
        if written.is_err() {
            // It has the claims of the group already, and would pass over keys that are free.
            self.shared.claim_index.clear();
        }
        written
    }

    fn try_to_write(&mut self, database: &Database, group: &Group<'_>) -> Result<(), WriteError> {
        if group.is_empty() {
            return Ok(());
        }
        let purpose = group.purpose();
        // The group's own size counts as well. A write that meets the end of the disk would stop the storage engine.
        if let Err(why) = self.check_room(purpose, group.weight()) {
            return Err(WriteError::not_applied(why));
        }
        let mut batch = database.batch();
        group
            .fill(&mut batch)
            .map_err(|error| WriteError::not_applied(Unavailable::from_damage(error)))?;
        let shared = Arc::clone(&self.shared);
        let rows = group.rows();
        // Before the rows are there: a scan that still skipped the range would miss them.
        database.forget_empty_ranges(&rows);
        // From here on no reader keeps an entry of these keys, which may be the one that the group replaces.
        let writing = shared.entry_cache.writing(rows);
        let written = self.write_batch(batch);
        // Before anybody is answered, or a caller could read its key as it was. After a failure too, since the rows may
        // be there once the database is opened again.
        drop(writing);
        written?;
        if purpose == Purpose::Store {
            shared.health.writable();
        }
        // Once readers have the new state: a waiter that read before would find nothing and sleep on.
        self.wake(group.publish(&shared.hub));
        Ok(())
    }

    /// Tells those who wait. Several are told by a task rather than from here, as answers are.
    pub(super) fn wake(&self, woken: Woken) {
        match self.runtime.as_ref().filter(|_| woken.len() > 1) {
            // One that the runtime takes no more drops them, which wakes them as well.
            Some(runtime) => drop(runtime.spawn(async move { woken.tell() })),
            None => woken.tell(),
        }
    }

    /// Writes and syncs a batch.
    pub(super) fn write_batch(&mut self, batch: Batch<'_>) -> Result<(), WriteError> {
        match batch.write() {
            Ok(()) => {
                self.shared.counters.add_sync();
                self.recovery.succeeded();
                Ok(())
            }
            Err(WriteFailure::Behind) => {
                let why = Unavailable::new("the disk can't keep up with the writes", RETRY_SOON);
                Err(WriteError::not_applied(why))
            }
            Err(WriteFailure::Stopped) => Err(WriteError::not_applied(self.fail(None))),
            Err(WriteFailure::Failed(error)) => Err(WriteError::unknown(
                self.fail(Some(Unavailable::from_storage(error))),
            )),
        }
    }

    /// Refuses a write for which, beside the bytes that are kept free, the disk has no room.
    pub(super) fn check_room(&self, purpose: Purpose, weight: usize) -> Result<(), Unavailable> {
        let min_free = self.shared.options.min_free_disk;
        if min_free == 0 {
            return Ok(());
        }
        let kept_free = match purpose {
            Purpose::Store => min_free,
            // It is how room is made, so it may use part of what is kept for compactions.
            Purpose::Remove => min_free / 2,
        };
        let free = free_space(self.folder.path()).map_err(Unavailable::from_io);
        let checked = free.and_then(|free| {
            if free < kept_free.saturating_add(weight as u64) {
                return Err(Unavailable::new(DISK_FULL, RETRY_LATER));
            }
            Ok(())
        });
        checked.inspect_err(|why| self.shared.health.unwritable(why))
    }

    /// The database where it can be written to. Tries to open it again where it has failed.
    pub(super) fn writable(&mut self) -> Result<Arc<Database>, Unavailable> {
        self.recovery.attempt(&self.shared, &self.folder)?;
        match self.shared.slot.open() {
            Some(database) => Ok(database),
            None => Err(Unavailable::new("the store is not open", RETRY_SOON)),
        }
    }

    /// Notes that the storage engine has stopped.
    pub(super) fn fail(&mut self, met: Option<Unavailable>) -> Unavailable {
        let why = self.recovery.failed(&self.folder, met);
        self.shared.health.unwritable(&why);
        // What it has written is finished when the database is opened again.
        if let Some(deletion) = self.deletion.take() {
            deletion.fail(&why);
        }
        why
    }
}
