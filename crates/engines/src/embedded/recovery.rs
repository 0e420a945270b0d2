//! Opening a database again whose writes have failed.
//!
//! After a failed write fjall takes no more until it is opened again, since it can't know what
//! reached the disk. Reads go on meanwhile. As soon as there is room, the database is closed and
//! opened in its place, which replays its journal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use super::database::Database;
use super::deletion;
use super::error::{DISK_FULL, Trouble};
use super::folder::{Folder, free_space};
use super::journal;
use super::options::{MAX_REOPEN_PAUSE, REOPEN_ROOM, RETRY_LATER};

/// The first pause between attempts.
const FIRST_REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// Whether the storage engine has failed, and when to try again.
#[derive(Default)]
pub(super) struct Recovery {
    failure: Option<Failure>,
    /// How long to wait between attempts; nothing before the first one.
    pause: Duration,
}

struct Failure {
    trouble: Trouble,
    retry_at: Instant,
}

impl Recovery {
    /// Notes that the storage engine has stopped. Where its own threads failed, it doesn't say
    /// why; a full disk is by far the likeliest reason, and it shows.
    pub(super) fn failed(&mut self, folder: &Folder, met: Option<Trouble>) -> Trouble {
        let trouble = met.unwrap_or_else(|| match free_space(folder.path()) {
            Ok(free) if free < REOPEN_ROOM => Trouble::new(DISK_FULL, RETRY_LATER),
            Ok(_) => Trouble::new("the storage engine has stopped", RETRY_LATER),
            Err(error) => Trouble::from_io(error),
        });
        self.failure = Some(Failure {
            trouble: trouble.clone(),
            retry_at: Instant::now() + self.pause,
        });
        trouble
    }

    /// Notes that a write succeeded, so that the next failure is a new one.
    pub(super) fn succeeded(&mut self) {
        self.pause = Duration::ZERO;
    }

    /// Opens a failed database again, if it is time and there is room. Does nothing where none
    /// has failed.
    pub(super) fn attempt(&mut self, shared: &Shared, folder: &Arc<Folder>) -> Result<(), Trouble> {
        let Some(failure) = &mut self.failure else {
            return Ok(());
        };
        if Instant::now() < failure.retry_at || !has_room(shared, folder) {
            return Err(failure.trouble.clone());
        }
        self.pause = (self.pause * 2).clamp(FIRST_REOPEN_PAUSE, MAX_REOPEN_PAUSE);
        let opened = if shared.shelf.vacate() {
            open(shared, folder).inspect_err(|_| shared.shelf.give_up())
        } else {
            Err(failure.trouble.clone())
        };
        match opened {
            Ok(database) => {
                self.failure = None;
                // The failed group may be seen from now on. No reader is left that could still
                // keep an entry of the state before it.
                shared.hot.clear();
                shared.shelf.put(database);
                shared.health.writable();
                // What the failed group wrote may be there now, and nobody was told.
                shared.hub.wake_all();
                Ok(())
            }
            Err(trouble) => {
                shared.health.unwritable(&trouble);
                failure.trouble = trouble.clone();
                failure.retry_at = Instant::now() + self.pause;
                Err(trouble)
            }
        }
    }
}

/// Whether a database that is opened again would not fail at once.
fn has_room(shared: &Shared, folder: &Folder) -> bool {
    let journal = journal::size(&folder.store()).unwrap_or_default();
    let needed = REOPEN_ROOM.max(shared.options.min_free_disk) + journal;
    free_space(folder.path()).is_ok_and(|free| free >= needed)
}

fn open(shared: &Shared, folder: &Arc<Folder>) -> Result<Database, Trouble> {
    // Its journal is renewed, as what a failed sync left in the operating system's cache is not
    // trusted.
    deletion::open(folder, shared.options.tuning()).map_err(|error| Trouble {
        reason: "the store could not be opened again".to_owned(),
        retry_after: RETRY_LATER,
        cause: Some(Arc::new(error)),
    })
}
