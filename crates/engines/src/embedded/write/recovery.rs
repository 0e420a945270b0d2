//! Opening a database again whose writes have failed.
//!
//! After a failed write the database takes no more until it is opened again, since it can't know what
//! reached the disk. Reads go on meanwhile. As soon as there is room, the database is closed and
//! opened in its place, which reads the last groups of its log again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::embedded::error::{DISK_FULL, Unavailable};
use crate::embedded::files::disk::free_space;
use crate::embedded::files::folder::Folder;
use crate::embedded::options::{MAX_REOPEN_PAUSE, REOPEN_ROOM, RETRY_LATER};
use crate::embedded::shared::Shared;
use crate::embedded::storage::database::Database;
use crate::embedded::write::deletion;

/// The first pause between attempts.
const FIRST_REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// The state of the storage engine after a failure, and the time of the next try.
#[derive(Default)]
pub(in crate::embedded) struct Recovery {
    failure: Option<Failure>,
    /// The time between attempts; none before the first one.
    pause: Duration,
}

struct Failure {
    why: Unavailable,
    retry_at: Instant,
}

impl Recovery {
    /// Notes that the storage engine has stopped. Where its own threads failed, it doesn't say
    /// why; a full disk is by far the likeliest reason, and it shows.
    pub(in crate::embedded) fn failed(
        &mut self,
        folder: &Folder,
        met: Option<Unavailable>,
    ) -> Unavailable {
        let why = met.unwrap_or_else(|| match free_space(folder.path()) {
            Ok(free) if free < REOPEN_ROOM => Unavailable::new(DISK_FULL, RETRY_LATER),
            Ok(_) => Unavailable::new("the storage engine has stopped", RETRY_LATER),
            Err(error) => Unavailable::from_io(error),
        });
        self.failure = Some(Failure {
            why: why.clone(),
            retry_at: Instant::now() + self.pause,
        });
        why
    }

    /// Notes that a write succeeded, so that the next failure is a new one.
    pub(in crate::embedded) fn succeeded(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// Opens a failed database again, if it is time and there is room. Does nothing where none
    /// has failed.
    pub(in crate::embedded) fn attempt(
        &mut self,
        shared: &Shared,
        folder: &Arc<Folder>,
    ) -> Result<(), Unavailable> {
        let Some(failure) = &mut self.failure else {
            return Ok(());
        };
        if Instant::now() < failure.retry_at || !has_room(shared, folder) {
            return Err(failure.why.clone());
        }
        self.pause = (self.pause * 2).clamp(FIRST_REOPEN_PAUSE, MAX_REOPEN_PAUSE);
        let opened = reopen(shared, folder, &failure.why);
        match opened {
            Ok(database) => {
                self.failure = None;
                // The failed group may be seen from now on. No reader is left that could still
                // keep an entry of the state before it.
                shared.entry_cache.clear();
                shared.slot.put(database);
                shared.health.writable();
                // What the failed group wrote may be there now, and nobody was told.
                shared.hub.wake_all().tell();
                Ok(())
            }
            Err(why) => {
                shared.health.unwritable(&why);
                failure.why = why.clone();
                failure.retry_at = Instant::now() + self.pause;
                Err(why)
            }
        }
    }
}

/// True if a database that is opened again would not fail at once.
fn has_room(shared: &Shared, folder: &Folder) -> bool {
    let needed = REOPEN_ROOM.max(shared.options.min_free_disk);
    free_space(folder.path()).is_ok_and(|free| free >= needed)
}

/// Closes the database and opens it again. Reads go on until the disk takes writes: nobody could read
/// while the database is closed, and it could not be opened.
fn reopen(
    shared: &Shared,
    folder: &Arc<Folder>,
    why: &Unavailable,
) -> Result<Database, Unavailable> {
    if let Some(database) = shared.slot.open() {
        database.probe().map_err(Unavailable::from_io)?;
    }
    if !shared.slot.vacate() {
        return Err(why.clone());
    }
    open(shared, folder).inspect_err(|_| shared.slot.give_up())
}

fn open(shared: &Shared, folder: &Arc<Folder>) -> Result<Database, Unavailable> {
    deletion::open_and_resume(folder, shared.options.tuning()).map_err(|error| Unavailable {
        reason: "the store could not be opened again".to_owned(),
        retry_after: RETRY_LATER,
        cause: Some(Arc::new(error)),
    })
}
