//! Reads that have their turn: they may take a while, so they run on blocking threads, so many at once. Each kind is
//! shared out by namespace, in turn.

use std::sync::Arc;
use std::time::Duration;

use prominence_core::error::Fate;
use prominence_core::{Count, CountScan, Entry, Namespace, StoreError, Timestamp};
use tokio::task::JoinError;

use super::count::Counting;
use crate::embedded::error::{ReadError, Wait, unavailable};
use crate::embedded::options::{
    MAX_DISK_READS, MAX_LOOKS, MAX_SCANS, MAX_WAITING_SCANS, RETRY_SOON,
};
use crate::embedded::shared::Shared;
use crate::embedded::storage::database::{Database, Snapshot};
use crate::fair_permits::{Crowded, FairPermits, Most, Permit, Sharing};

/// The time after which a count that waits for its turn looks again whether the database is to be closed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The reads of a store.
pub(in crate::embedded) struct Reads {
    shared: Arc<Shared>,
    scans: FairPermits<Namespace>,
    looks: FairPermits<Namespace>,
    disk_reads: FairPermits<Namespace>,
}

impl Reads {
    pub(in crate::embedded) fn new(shared: Arc<Shared>) -> Self {
        let permits = |total, waiting| {
            FairPermits::new(Sharing {
                total,
                waiting,
                most: Most::All,
            })
        };
        Self {
            shared,
            scans: permits(MAX_SCANS, MAX_WAITING_SCANS),
            // Those that wait are limited by the hub and by the connections.
            looks: permits(MAX_LOOKS, usize::MAX),
            disk_reads: permits(MAX_DISK_READS, usize::MAX),
        }
    }

    /// A page or a usage.
    pub(in crate::embedded) async fn scan<T: Send + 'static>(
        &self,
        namespace: &Namespace,
        read: impl FnOnce(&Snapshot<'_>, &Namespace, Timestamp) -> Result<T, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.scans.acquire(namespace, 1).await;
        self.read(permit.map_err(too_many)?, namespace, read).await
    }

    /// A look into the log.
    pub(in crate::embedded) async fn look<T: Send + 'static>(
        &self,
        namespace: &Namespace,
        read: impl FnOnce(&Snapshot<'_>, &Namespace, Timestamp) -> Result<T, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.looks.acquire(namespace, 1).await;
        self.read(permit.map_err(too_many)?, namespace, read).await
    }

    /// The number of keys under a prefix. Others have their turn while it goes on.
    pub(in crate::embedded) async fn count(
        &self,
        namespace: &Namespace,
        scan: &CountScan,
    ) -> Result<Count, StoreError> {
        let permit = self.scans.acquire(namespace, 1).await;
        let mut permit = permit.map_err(too_many)?;
        let database = self.shared.slot.get().await?;
        let mut begun = None;
        loop {
            let (shared, open) = (Arc::clone(&self.shared), Arc::clone(&database));
            let (namespace, scan) = (namespace.clone(), scan.clone());
            let slices = tokio::task::spawn_blocking(move || {
                let mut counting = begun.unwrap_or_else(|| {
                    let now = shared.clock.now();
                    Counting::begin(&open, namespace, scan, now)
                });
                let counted = counting.go_on(&open, || permit.is_wanted());
                shared.note_expiry(counting.seen());
                (counting, permit, counted)
            });
            let (counting, held, counted) = slices.await.map_err(failed)?;
            if let Some(count) = counted? {
                return Ok(count);
            }
            begun = Some(counting);
            permit = next_turn(held, &database).await?;
        }
    }

    /// An entry whose value is not in memory.
    pub(in crate::embedded) async fn entry(
        &self,
        namespace: &Namespace,
        row: Vec<u8>,
    ) -> Result<Option<Entry>, StoreError> {
        let permit = self.disk_reads.acquire(namespace, 1).await;
        let permit = permit.map_err(too_many)?;
        let namespace = namespace.clone();
        let shared = Arc::clone(&self.shared);
        self.whole(permit, move |database, now| {
            match shared.entry(database, &namespace, &row, now, Wait::Allowed) {
                Ok(entry) => Ok(entry),
                Err(ReadError::Failed(error)) => Err(error),
                // It waits for whatever it has to.
                Err(ReadError::WouldWait) => Err(busy("the disk is slow")),
            }
        })
        .await
    }

    /// A read of the whole database, with a permit of any kind.
    pub(in crate::embedded) async fn whole<T: Send + 'static>(
        &self,
        permit: impl Send + 'static,
        read: impl FnOnce(&Database, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let database = self.shared.slot.get().await?;
        let clock = Arc::clone(&self.shared.clock);
        let task = tokio::task::spawn_blocking(move || {
            // It is held as long as the read runs, also when nobody waits for that any more.
            let _permit = permit;
            read(&database, clock.now())
        });
        task.await.map_err(failed)?
    }

    async fn read<T: Send + 'static>(
        &self,
        permit: Permit<Namespace>,
        namespace: &Namespace,
        read: impl FnOnce(&Snapshot<'_>, &Namespace, Timestamp) -> Result<T, StoreError>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        let namespace = namespace.clone();
        self.whole(permit, move |database, now| {
            read(&database.snapshot_of(&namespace), &namespace, now)
        })
        .await
    }
}

/// Lets others have their turn, and waits for the next one. The database can't be closed meanwhile, so this ends
/// when that is wanted.
async fn next_turn(
    permit: Permit<Namespace>,
    database: &Database,
) -> Result<Permit<Namespace>, StoreError> {
    let mut turn = std::pin::pin!(permit.take_turns());
    loop {
        match tokio::time::timeout(LOOK_EVERY, &mut turn).await {
            Ok(permit) => return permit.map_err(too_many),
            Err(_) if database.is_retiring() => {
                return Err(busy("the store is being opened again"));
            }
            Err(_) => {}
        }
    }
}

/// The answer where too many reads wait.
fn too_many(_: Crowded) -> StoreError {
    busy("too many listings are waiting")
}

/// The answer where a read did not end.
fn failed(error: JoinError) -> StoreError {
    match error.is_panic() {
        // Nothing of ours should; the caller is told what it may rest on.
        true => StoreError::Corrupt {
            what: "the storage engine panicked while it read".to_owned(),
        },
        false => busy("the process is stopping"),
    }
}

/// The answer where too much waits, or something can't go on now.
pub(in crate::embedded) fn busy(reason: &str) -> StoreError {
    unavailable(reason, Fate::NotApplied, RETRY_SOON)
}
