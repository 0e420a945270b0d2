//! Work beside commits: the removal of expired entries and old changes, and, where nobody writes, the
//! move of the rows that are left in a segment that is collected.

use std::time::{Duration, Instant};

use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::Committer;
use crate::embedded::error::Unavailable;
use crate::embedded::storage::database::Database;
use crate::embedded::write::group::Purpose;
use crate::embedded::write::queue::{Pass, UpkeepRequest};
use crate::embedded::write::upkeep::{self, Left};

/// From one portion that is moved without a commit to the next. Commits that come meanwhile are not kept
/// waiting, and a sync for every portion leaves most of the disk to others.
const MOVE_PAUSE: Duration = Duration::from_millis(2);

impl Committer {
    /// Does the work that is due, and returns the time until more is due.
    pub(super) fn do_chores(&mut self) -> Duration {
        let now = Instant::now();
        if now >= self.next_upkeep {
            self.tick();
        } else if self.next_move.is_some_and(|next| now >= next) {
            self.move_portion();
        }
        let next = self.next_move.unwrap_or(self.next_upkeep);
        next.min(self.next_upkeep).saturating_duration_since(now)
    }

    /// Does the regular work.
    pub(super) fn tick(&mut self) {
        let every = self.shared.options.upkeep_every;
        // Within a second of each commit, so that times go on from there after a crash as well.
        self.shared.time_floor.note(self.latest);
        let pause = match self.remove_outdated() {
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
        self.plan_move();
    }

    /// Moves a portion by itself: nobody may write for a long time.
    fn move_portion(&mut self) {
        self.next_move = None;
        if let Ok(database) = self.writable()
            && self.move_from(&database).is_ok()
        {
            self.plan_move();
        }
    }

    /// Writes a group that moves a portion, and says whether there was one.
    fn move_from(&mut self, database: &Database) -> Result<bool, StoreError> {
        let has_moves = database.has_moves();
        if has_moves {
            let moved = self.write_batch(database.batch());
            moved.map_err(|error| error.answer())?;
        }
        Ok(has_moves)
    }

    fn plan_move(&mut self) {
        let database = self.shared.slot.open();
        let has_moves = database.is_some_and(|database| database.has_moves());
        self.next_move = has_moves.then(|| Instant::now() + MOVE_PAUSE);
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

    /// One pass for somebody who asked for it: what is outdated is removed, and a portion is moved.
    fn upkeep(&mut self) -> Result<Left, StoreError> {
        let left = self.remove_outdated()?;
        let database = self
            .writable()
            .map_err(|why| why.answer(Fate::NotApplied))?;
        Ok(match self.move_from(&database)? {
            true => Left::Backlog,
            false => left,
        })
    }

    /// One pass: expired entries, then logs. Also notices what happened without any write.
    fn remove_outdated(&mut self) -> Result<Left, StoreError> {
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
        Ok(expired.max(trimmed))
    }
}
