//! Opening and closing the database: its files are verified, its journals are replayed, and a
//! clean end is noted.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};

use fjall::KeyspaceCreateOptions;

use super::{Database, Seen};
use crate::embedded::error::{OpenError, read_failed};
use crate::embedded::files::creation;
use crate::embedded::files::folder::Folder;
use crate::embedded::files::verification;
use crate::embedded::options::Tuning;
use crate::embedded::panics::no_panic;

/// Bytes of all journals together. It bounds what is replayed after a crash, and with it how
/// long that takes: about a second.
const MAX_JOURNAL_BYTES: u64 = 256 << 20;

/// Threads that write memtables out and compact. With more than one, fjall's first one passes
/// compactions on to the others and, while those are at work, does so again and again without a
/// pause: on two cores that took a tenth of all the time there was.
const BACKGROUND_THREADS: usize = 1;

/// The log's rows are small, and so is its part of the memory that entries have before they are
/// written out.
const LOG_SHARE: u64 = 2;

/// The same for the expiry index and the namespaces, which are smaller still.
const INDEX_SHARE: u64 = 4;

impl Database {
    /// Opens the database in a folder, and replays its journal; makes one where there is none.
    pub(in crate::embedded) fn open(
        folder: &Arc<Folder>,
        tuning: Tuning,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::from_storage(folder.path().to_owned(), error);
        let make = |draft: &Path| Self::open_files(folder, draft, tuning).map(drop);
        creation::ensure(folder, make).map_err(failed)?;
        verification::examine(folder)?;
        let opened = match no_panic(|| Self::open_files(folder, &folder.store(), tuning)) {
            Ok(Ok(database)) => return Ok(database),
            Ok(Err(error)) => failed(error),
            Err(panic) => OpenError::Damaged {
                folder: folder.path().to_owned(),
                cause: panic.into(),
            },
        };
        Err(match opened {
            // fjall doesn't say which file it is. It may also ask the system for what makes no
            // sense, such as an offset that a damaged file gave, and pass its answer on.
            OpenError::Damaged { .. } | OpenError::Io { .. } => {
                verification::blame(folder).unwrap_or(opened)
            }
            other => other,
        })
    }

    /// Closes the database, and notes what is in its journals if all of it is synced.
    pub(in crate::embedded) fn close(self) {
        let folder = Arc::clone(&self.folder);
        let synced = self.persist();
        drop(self);
        let noted = synced.and_then(|()| {
            verification::note_closed(&folder).map_err(|cause| read_failed(cause.into()))
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "the store could not be synced while it was closed");
        }
    }

    fn open_files(folder: &Arc<Folder>, store: &Path, tuning: Tuning) -> fjall::Result<Self> {
        let database = fjall::Database::builder(store)
            .cache_size(tuning.cache_bytes)
            // Batches say themselves when they are to be synced.
            .manual_journal_persist(true)
            // A journal is short-lived; compressing it would slow every write down.
            .journal_compression(fjall::CompressionType::None)
            .max_journaling_size(MAX_JOURNAL_BYTES)
            .worker_threads(BACKGROUND_THREADS)
            .open()?;
        let in_memory = tuning.memtable_bytes;
        let seen = Seen {
            published: database.snapshot(),
            pinned: HashMap::new(),
            empty_ranges: Arc::default(),
        };
        let keyspace = |name, in_memory| {
            database.keyspace(name, || {
                KeyspaceCreateOptions::default()
                    .manual_journal_persist(true)
                    .max_memtable_size(in_memory)
            })
        };
        Ok(Self {
            entries: keyspace("entries", in_memory)?,
            log: keyspace("log", in_memory / LOG_SHARE)?,
            expiry: keyspace("expiry", in_memory / INDEX_SHARE)?,
            namespaces: keyspace("namespaces", in_memory / INDEX_SHARE)?,
            database,
            seen: RwLock::new(seen),
            retiring: AtomicBool::new(false),
            folder: Arc::clone(folder),
        })
    }
}
