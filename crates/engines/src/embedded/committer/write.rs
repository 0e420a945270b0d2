//! Writing what was planned, and what is known where that fails.

use std::sync::Arc;

use prominence_core::error::Fate;

use super::Committer;
use crate::embedded::database::{Batch, Database, WriteFailure};
use crate::embedded::error::{DISK_FULL, Trouble};
use crate::embedded::folder::free_space;
use crate::embedded::group::{Group, Purpose};
use crate::embedded::options::{RETRY_LATER, RETRY_SOON};

impl Committer {
    /// Writes a group and makes it seen, or says why not and what is known of it.
    pub(super) fn write_group(
        &mut self,
        database: &Database,
        group: &Group<'_>,
    ) -> Result<(), (Trouble, Fate)> {
        let written = self.try_to_write(database, group);
        if written.is_err() {
            self.shared.taken.forget_all();
        }
        written
    }

    fn try_to_write(
        &mut self,
        database: &Database,
        group: &Group<'_>,
    ) -> Result<(), (Trouble, Fate)> {
        if group.is_empty() {
            return Ok(());
        }
        let purpose = group.purpose();
        if let Err(trouble) = self.check_room(purpose, group.weight()) {
            return Err((trouble, Fate::NotApplied));
        }
        let mut batch = database.batch();
        group.fill(&mut batch);
        let shared = Arc::clone(&self.shared);
        let rows = group.rows();
        database.forget_cleared(&rows);
        let writing = shared.hot.writing(rows);
        let written = self.write_batch(batch);
        drop(writing);
        written?;
        if purpose == Purpose::Store {
            shared.health.writable();
        }
        group.publish(&shared.hub);
        Ok(())
    }

    /// Writes and syncs a batch.
    pub(super) fn write_batch(&mut self, batch: Batch<'_>) -> Result<(), (Trouble, Fate)> {
        match batch.write() {
            Ok(()) => {
                self.shared.counters.add_sync();
                self.recovery.succeeded();
                Ok(())
            }
            Err(WriteFailure::Behind) => {
                let trouble = Trouble::new("the disk can't keep up with the writes", RETRY_SOON);
                Err((trouble, Fate::NotApplied))
            }
            Err(WriteFailure::Stopped) => Err((self.fail(None), Fate::NotApplied)),
            Err(WriteFailure::Failed(error)) => {
                Err((self.fail(Some(Trouble::from_storage(error))), Fate::Unknown))
            }
        }
    }

    /// Whether the disk has room for so many bytes and for what is to be kept free of them.
    pub(super) fn check_room(&self, purpose: Purpose, weight: usize) -> Result<(), Trouble> {
        let min_free = self.shared.options.min_free_disk;
        if min_free == 0 {
            return Ok(());
        }
        let kept_free = match purpose {
            Purpose::Store => min_free,
            // It is how room is made, so it may use part of what is kept for compactions.
            Purpose::Remove => min_free / 2,
        };
        let free = free_space(self.folder.path()).map_err(Trouble::from_io);
        let checked = free.and_then(|free| {
            if free < kept_free.saturating_add(weight as u64) {
                return Err(Trouble::new(DISK_FULL, RETRY_LATER));
            }
            Ok(())
        });
        checked.inspect_err(|trouble| self.shared.health.unwritable(trouble))
    }

    /// The database where it can be written to. Tries to open it again where it has failed.
    pub(super) fn writable(&mut self) -> Result<Arc<Database>, Trouble> {
        self.recovery.attempt(&self.shared, &self.folder)?;
        match self.shared.shelf.open() {
            Some(database) => Ok(database),
            None => Err(Trouble::new("the store is not open", RETRY_SOON)),
        }
    }

    /// Notes that the storage engine has stopped.
    pub(super) fn fail(&mut self, met: Option<Trouble>) -> Trouble {
        let trouble = self.recovery.failed(&self.folder, met);
        self.shared.health.unwritable(&trouble);
        // What it has written is finished when the database is opened again.
        if let Some(deletion) = self.deletion.take() {
            deletion.fail(&trouble);
        }
        trouble
    }
}
