//! A store that no server has open, for those who look after it.

use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use prominence_core::{StoreError, Timestamp};

use crate::embedded::admin::backup::{self, BackupError, BackupSummary};
use crate::embedded::admin::namespaces::{self, Namespaces, Ranking};
use crate::embedded::error::OpenError;
use crate::embedded::files::folder::Folder;
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::Database;
use crate::embedded::write::deletion;

/// Bytes of stored blocks kept in memory: everything is read once, from beginning to end.
const CACHE_BYTES: u64 = 16 << 20;

/// A store opened for reading as a whole. It keeps everybody else out while it is open, and
/// changes nothing but that a journal is replayed.
pub struct OfflineStore {
    database: Database,
}

impl OfflineStore {
    /// Opens the store in a folder. It blocks, as [`crate::embedded::EmbeddedStore::open`] does.
    ///
    /// # Errors
    /// See [`OpenError`]; there has to be a store in the folder.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let folder = Arc::new(Folder::take_store(path)?);
        let database = deletion::open_and_resume(&folder, Tuning::once(CACHE_BYTES))?;
        Ok(Self { database })
    }

    /// Writes a backup, which says that it was made at `now`.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn backup(&self, now: Timestamp, to: impl Write) -> Result<BackupSummary, BackupError> {
        guarded(|| backup::write(&self.database.snapshot(), now, to))
    }

    /// The first namespaces of a ranking, and totals.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Unavailable`].
    pub fn namespaces(
        &self,
        ranking: Ranking,
        limit: NonZeroUsize,
    ) -> Result<Namespaces, StoreError> {
        guarded(|| namespaces::list(&self.database.snapshot(), ranking, limit))
    }
}

/// The storage engine panics on some kinds of damage; to the caller that is one more way to say
/// so.
fn guarded<T, E: From<StoreError>>(read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(StoreError::Corrupt {
            what: "the storage engine panicked while it read".to_owned(),
        }
        .into())
    })
}
