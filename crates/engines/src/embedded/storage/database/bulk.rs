//! Filling a new database, where nobody waits for a single write.

use std::time::Duration;

use prominence_core::StoreError;
use prominence_core::error::Fate;

use super::{Batch, Database, read_failed, unavailable};
use crate::embedded::options::RETRY_LATER;

/// How often it looks whether everything is written out.
const FLUSH_PAUSE: Duration = Duration::from_millis(5);

impl Database {
    /// Something to write that need not survive a crash before [`Database::settle`].
    pub(in crate::embedded) fn unsynced_batch(&self) -> Batch<'_> {
        Batch {
            database: self,
            rows: self.database.batch(),
        }
    }

    /// Writes out what is in memory and makes everything durable, so that whoever opens the
    /// database next has no journal to replay.
    pub(in crate::embedded) fn settle(&self) -> Result<(), StoreError> {
        let keyspaces = [&self.entries, &self.log, &self.expiry, &self.namespaces];
        for keyspace in keyspaces {
            keyspace.rotate_memtable().map_err(read_failed)?;
        }
        while keyspaces
            .iter()
            .any(|keyspace| keyspace.sealed_memtable_count() > 0)
        {
            if self.has_failed() {
                let reason = "the storage engine has stopped, as it does on a full disk";
                return Err(unavailable(reason, Fate::NotApplied, RETRY_LATER));
            }
            std::thread::sleep(FLUSH_PAUSE);
        }
        self.persist()
    }
}
