//! What those who look after an open store may ask of it.

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::Arc;

use prominence_core::{StoreError, Timestamp};

use crate::embedded::admin::backup::{self, BackupError, BackupSummary};
use crate::embedded::admin::namespaces::{self, Namespaces, Ranking};
use crate::embedded::storage::database::Snapshot;
use crate::embedded::{EmbeddedStore, busy};

impl EmbeddedStore {
    /// Writes a backup of one consistent state, while commits go on. It holds everything that was
    /// acknowledged before the call and no part of a commit without the rest.
    ///
    /// `to` is written to by a thread of its own, which may wait there. As long as it does, what
    /// was deleted or overwritten meanwhile takes its room on the disk; so it should not wait
    /// without end.
    ///
    /// # Errors
    /// See [`BackupError`]. [`StoreError::Unavailable`] also where too many such things run.
    pub async fn backup(
        &self,
        to: impl Write + Send + 'static,
    ) -> Result<BackupSummary, BackupError> {
        self.audit(move |snapshot, now| Ok(backup::write(snapshot, now, to)))
            .await?
    }

    /// The first namespaces of a ranking, and totals.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], and [`StoreError::Unavailable`] also where too many such things
    /// run.
    pub async fn namespaces(
        &self,
        ranking: Ranking,
        limit: NonZeroUsize,
    ) -> Result<Namespaces, StoreError> {
        self.audit(move |snapshot, _| namespaces::list(snapshot, ranking, limit))
            .await
    }

    async fn audit<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Snapshot<'_>, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.audits)
            .try_acquire_owned()
            .map_err(|_| busy("other backups or checks are running"))?;
        let whole = self.reads.whole(permit, move |database, now| {
            read(&database.whole_snapshot()?, now)
        });
        whole.await
    }
}
