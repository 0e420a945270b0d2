//! Where readers find the open database, and wait while it is opened again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prominence_core::StoreError;
use prominence_core::error::Fate;
use tokio::sync::watch;

use crate::embedded::error::unavailable;
use crate::embedded::options::{READERS_WAIT, REOPEN_WAIT, RETRY_LATER, RETRY_SOON};
use crate::embedded::storage::database::Database;

/// The pause between checks whether the last reader is done.
const READERS_PAUSE: Duration = Duration::from_millis(1);

/// Holds the open database.
pub(in crate::embedded) struct DatabaseSlot(watch::Sender<Held>);

enum Held {
    Open(Arc<Database>),
    /// It will be back in a moment.
    Reopening,
    /// It could not be opened again; that is tried now and then.
    Missing,
    /// For good.
    Closed,
}

impl DatabaseSlot {
    pub(in crate::embedded) fn new(database: Database) -> Self {
        Self(watch::Sender::new(Held::Open(Arc::new(database))))
    }

    /// The database, for a reader. Keep it no longer than one bounded read.
    pub(in crate::embedded) async fn get(&self) -> Result<Arc<Database>, StoreError> {
        if let Some(found) = find(&self.0.borrow()) {
            return found;
        }
        let mut changes = self.0.subscribe();
        let settled = changes.wait_for(|held| !matches!(held, Held::Reopening));
        match tokio::time::timeout(REOPEN_WAIT, settled).await {
            Ok(Ok(held)) => find(&held).unwrap_or_else(|| Err(reopening())),
            // It takes too long, or the store is gone.
            Ok(Err(_)) | Err(_) => Err(reopening()),
        }
    }

    /// The database, for its only writer.
    pub(in crate::embedded) fn open(&self) -> Option<Arc<Database>> {
        match &*self.0.borrow() {
            Held::Open(database) => Some(Arc::clone(database)),
            Held::Reopening | Held::Missing | Held::Closed => None,
        }
    }

    /// Puts a database in the empty place.
    pub(in crate::embedded) fn put(&self, database: Database) {
        self.0.send_replace(Held::Open(Arc::new(database)));
    }

    /// Says that there will be no database for some time.
    pub(in crate::embedded) fn give_up(&self) {
        self.0.send_replace(Held::Missing);
    }

    /// Takes the database away and closes it once nobody reads any more. False where readers
    /// did not finish in time; it is back then.
    pub(in crate::embedded) fn vacate(&self) -> bool {
        let held = self.0.send_replace(Held::Reopening);
        let Held::Open(database) = held else {
            return true;
        };
        match sole(database) {
            Ok(database) => {
                drop(database);
                true
            }
            Err(shared) => {
                shared.keep();
                self.0.send_replace(Held::Open(shared));
                false
            }
        }
    }

    /// Makes everything durable and closes the database for good. Where readers don't finish in
    /// time, the last of them closes it.
    pub(in crate::embedded) fn close(&self) {
        let Held::Open(database) = self.0.send_replace(Held::Closed) else {
            return;
        };
        if let Ok(database) = sole(database) {
            database.close();
        }
    }
}

/// The answer to a reader; `None` if it should wait.
fn find(held: &Held) -> Option<Result<Arc<Database>, StoreError>> {
    match held {
        Held::Open(database) => Some(Ok(Arc::clone(database))),
        Held::Reopening => None,
        Held::Missing => Some(Err(unavailable(
            "the store could not be opened again",
            Fate::NotApplied,
            RETRY_LATER,
        ))),
        Held::Closed => Some(Err(unavailable(
            "the store is closed",
            Fate::NotApplied,
            RETRY_LATER,
        ))),
    }
}

/// Waits until nobody else has the database.
fn sole(mut database: Arc<Database>) -> Result<Database, Arc<Database>> {
    database.retire();
    let deadline = Instant::now() + READERS_WAIT;
    loop {
        match Arc::try_unwrap(database) {
            Ok(database) => return Ok(database),
            Err(shared) if Instant::now() >= deadline => return Err(shared),
            Err(shared) => database = shared,
        }
        std::thread::sleep(READERS_PAUSE);
    }
}

fn reopening() -> StoreError {
    unavailable(
        "the store is being opened again",
        Fate::NotApplied,
        RETRY_SOON,
    )
}
