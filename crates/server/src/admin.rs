//! Requests of administrators about a store: backups, checks, and the usage of each user.
//!
//! ```text
//! prominence admin … ─ ask ─┬─ remote ═ admin.sock ═ socket ─ routes ─ Admin ─ engine
//!                           └─ the folder itself, where no server runs
//! ```
//!
//! A running server is reached through a Unix socket in its data folder. Every process that may open that file may
//! use these routes; there are no tokens. Nothing else is served there, and these routes are served nowhere else.
//!
//! **Invariant:** the routes hold an [`Admin`], which has these functions and no others; the
//! store stays within.

mod ask;
mod error;
#[cfg(feature = "etcd")]
pub mod migrate;
mod records;
mod remote;
mod report;
mod routes;
mod socket;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use prominence_core::StoreError;
use prominence_core::error::Fate;
use prominence_engines::EmbeddedStore;
use prominence_engines::embedded::{BackupError, BackupSummary};
use tokio::sync::{Semaphore, mpsc};

pub use ask::{backup, check, usage};
pub use error::AdminError;
pub use prominence_engines::embedded::{
    BackupError as BackupFailure, BackupReadError, BackupSummary as Backup, OpenError,
    RestoreError, UpgradeError, Upgraded, restore, upgrade, verify,
};
pub(crate) use records::routes as record_routes;
pub use records::{RecordRequest, SubjectReport, UserReport, records};
pub use report::{CheckReport, Finding, NamespaceUsage, Ranking, UsageReport};
pub(crate) use routes::router;
#[cfg(feature = "etcd")]
pub(crate) use routes::router_over_cluster;
pub(crate) use socket::AdminSocket;

/// The most namespaces that one answer lists: some 10 MiB of it.
pub const MAX_NAMESPACES: usize = 100_000;

/// Checks that run at once. One reads everything that is stored; a second would only tell the
/// same.
const MAX_CHECKS: usize = 1;

/// `Retry-After` while another check runs.
const RETRY_AFTER: Duration = Duration::from_secs(60);

/// The functions of a store that are for administrators.
#[derive(Clone)]
pub(crate) struct Admin {
    store: Arc<EmbeddedStore>,
    checks: Arc<Semaphore>,
}

impl Admin {
    pub(crate) fn new(store: Arc<EmbeddedStore>) -> Self {
        Self {
            store,
            checks: Arc::new(Semaphore::new(MAX_CHECKS)),
        }
    }

    /// The first namespaces of a ranking, and totals.
    async fn usage(
        &self,
        ranking: Ranking,
        limit: NonZeroUsize,
    ) -> Result<UsageReport, StoreError> {
        let namespaces = self.store.namespaces(ranking.into(), limit).await?;
        Ok(namespaces.into())
    }

    /// The damage.
    async fn check(&self) -> Result<CheckReport, StoreError> {
        let permit = Arc::clone(&self.checks)
            .try_acquire_owned()
            .map_err(|_| unavailable("another check is running"))?;
        let store = Arc::clone(&self.store);
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            store.check(&mut |_| {})
        });
        match checked.await {
            Ok(report) => report.map(CheckReport::from),
            Err(_) => Err(StoreError::Corrupt {
                what: "the storage engine panicked while it read".to_owned(),
            }),
        }
    }

    /// Sends a backup to `chunks`. It is complete only if this succeeds.
    async fn backup(&self, chunks: mpsc::Sender<Bytes>) -> Result<BackupSummary, BackupError> {
        let to = routes::Chunks::new(chunks, tokio::runtime::Handle::current());
        self.store.backup(to).await
    }
}

fn unavailable(reason: &str) -> StoreError {
    StoreError::Unavailable {
        reason: reason.to_owned(),
        fate: Fate::NotApplied,
        retry_after: RETRY_AFTER,
        cause: None,
    }
}
