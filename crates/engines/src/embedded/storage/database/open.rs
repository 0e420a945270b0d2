//! Opening and closing the database.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use super::{Database, Seen};
use crate::embedded::error::OpenError;
use crate::embedded::files::folder::Folder;
use crate::embedded::options::Tuning;
use crate::embedded::storage::log_store::LogStore;

impl Database {
    /// Opens the database in a folder, and reads again what a crash left; makes one where there is
    /// none.
    pub(in crate::embedded) fn open(
        folder: &Arc<Folder>,
        tuning: Tuning,
    ) -> Result<Self, OpenError> {
        let store = LogStore::open(folder, tuning)?;
        let seen = Seen {
            published: store.publish(),
            pinned: HashMap::new(),
            empty_ranges: Arc::default(),
        };
        Ok(Self {
            store,
            seen: RwLock::new(seen),
            retiring: AtomicBool::new(false),
            folder: Arc::clone(folder),
        })
    }

    /// Closes the database, and notes that it ended cleanly if all of it is durable.
    pub(in crate::embedded) fn close(self) {
        let Self { store, seen, .. } = self;
        // The states of readers hold files open.
        drop(seen);
        if let Err(error) = store.close() {
            tracing::warn!(%error, "the store could not be synced while it was closed");
        }
    }
}
