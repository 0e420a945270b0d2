//! What is done every now and then: expired entries and old changes are removed.

use std::time::{Duration, Instant};

use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::Committer;
use crate::embedded::error::Unavailable;
use crate::embedded::write::group::Purpose;
use crate::embedded::write::queue::{Pass, UpkeepRequest};
use crate::embedded::write::upkeep::{self, Left};

impl Committer {
    /// What is done every now and then.
    pub(super) fn tick(&mut self) {
        let every = self.shared.options.upkeep_every;
        // Within a second of each commit, so that times go on from there after a crash as well.
        self.shared.time_floor.note(self.latest);
        let pause = match self.upkeep() {
            // Waiting commits have their turn in between.
            Ok(Left::Backlog) => Duration::ZERO,
            Ok(Left::Round | Left::Nothing) => every,
            Err(error) => {
                // A store that takes no writes has been logged, and this is only a consequence.
                if self.shared.health.check().is_ok() {
                    tracing::warn!(%error, "expired entries could not be removed");
                }
                every
            }
        };
        self.next_upkeep = Instant::now() + pause;
    }

    pub(super) fn answer_upkeep(&mut self, request: UpkeepRequest) {
        if request.pass == Pass::First {
            self.round.restart();
        }
        if self.deletion.is_some() {
            // Removing expired entries of its namespace would spoil what its readers see.
            let _ = request.answer.send(Ok(Left::Backlog));
            return;
        }
        let _ = request.answer.send(self.upkeep());
    }

    /// One pass: expired entries, then logs. Also notices what happened without any write.
    pub(super) fn upkeep(&mut self) -> Result<Left, StoreError> {
        let refuse = |why: Unavailable| why.answer(Fate::NotApplied);
        let database = self.writable().map_err(refuse)?;
        if database.has_failed() {
            return Err(refuse(self.fail(None)));
        }
        // A snapshot holds the files and memtables that it reads. In a store without writes they
        // would be kept although they have been flushed or compacted since.
        database.publish();
        self.check_room(Purpose::Remove, 0).map_err(refuse)?;
        if self.check_room(Purpose::Store, 0).is_ok() {
            self.shared.health.writable();
        }
        let now = self.shared.clock.now();
        let mut group = self.group(&database);
        let expired = upkeep::expire(&mut group, now)?;
        let trimmed = upkeep::trim(&mut group, &mut self.round, now)?;
        let written = self.write_group(&database, &group);
        written.map_err(|error| error.answer())?;
        if database.has_moves() {
            // Nobody may write for a long time, and what is moved goes along with a group.
            let moved = self.write_batch(database.batch());
            moved.map_err(|error| error.answer())?;
            return Ok(Left::Backlog);
        }
        Ok(expired.max(trimmed))
    }
}
