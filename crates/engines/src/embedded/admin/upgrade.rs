//! Brings the store in a folder to format 3.
//!
//! Everything is copied, as a backup and a restore would, into files beside those of the store; the
//! copy is checked and compared; and then one rename of `FORMAT` makes it the store. Before that the
//! folder holds the old store, unchanged, and afterwards the new one. A crash in between is no harm.

use std::fs;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prominence_core::{StoreError, Timestamp};
use xxhash_rust::xxh3::Xxh3;

use crate::backup::{BackupError, BackupSummary, Records, RestoreError};
use crate::embedded::admin::backup::{self, fill};
use crate::embedded::admin::check;
use crate::embedded::error::OpenError;
use crate::embedded::files::folder::{Folder, Layout, free_space};
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::Database;
use crate::embedded::write::deletion;

/// Bytes of blocks kept in memory: everything is read once, from beginning to end.
const CACHE_BYTES: u64 = 16 << 20;

/// Bytes that are handed over together, as records may be small.
const CHUNK_BYTES: usize = 256 << 10;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// The store had the latest format.
    Before,
    /// It has the latest format now, and holds this.
    Now(BackupSummary),
}

/// Why a store can't be upgraded. Each message says what to do. The old store is as it was.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The folder or the store in it can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy needs room.
    #[error("the copy of the store in {} needs about {needed} bytes, and {free} are free; make room \
        and try again", .folder.display())]
    NoRoom {
        /// Which folder.
        folder: PathBuf,
        /// Bytes that the old store takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The old store can't be read.
    #[error(transparent)]
    Read(#[from] BackupError),
    /// The new store can't be written.
    #[error(transparent)]
    Write(#[from] RestoreError),
    /// The copy is not what was copied.
    #[error("the copy of the store in {} is not what was copied: {how}; look at the disk and the \
        memory of this machine, and try again", .folder.display())]
    Differs {
        /// Which folder.
        folder: PathBuf,
        /// The first difference that was found.
        how: String,
    },
}

/// Upgrades the store in a folder that no process has open. It blocks; `step` is called for each
/// entry that was copied.
///
/// # Errors
/// See [`UpgradeError`].
pub fn upgrade(
    path: &Path,
    now: Timestamp,
    step: &mut dyn FnMut(),
) -> Result<Upgraded, UpgradeError> {
    let folder = Arc::new(Folder::take_store(path)?);
    if folder.layout() == Layout::Log {
        return Ok(Upgraded::Before);
    }
    check_room(&folder)?;
    let failed = |cause| OpenError::from_io(path.to_owned(), cause);
    let draft = Arc::new(folder.upgrade_draft().map_err(failed)?);
    let old = deletion::open_and_resume(&folder, Tuning::once(CACHE_BYTES))?;
    let copied = copy(&old, &draft, now, step)?;
    compare(&old, &draft, now)?;
    old.close();
    folder.complete_upgrade(&draft).map_err(failed)?;
    Ok(Upgraded::Now(copied))
}

fn check_room(folder: &Folder) -> Result<(), UpgradeError> {
    let failed = |cause| OpenError::from_io(folder.path().to_owned(), cause);
    let needed = size_of(&folder.store()).map_err(failed)?;
    let free = free_space(folder.path()).map_err(failed)?;
    if free >= needed {
        return Ok(());
    }
    Err(UpgradeError::NoRoom {
        folder: folder.path().to_owned(),
        needed,
        free,
    })
}

/// Bytes of all files below a folder.
fn size_of(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size_of(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}

/// Copies everything into a new store, and closes that.
fn copy(
    old: &Database,
    draft: &Arc<Folder>,
    now: Timestamp,
    step: &mut dyn FnMut(),
) -> Result<BackupSummary, UpgradeError> {
    let failed = |cause| OpenError::from_io(draft.path().to_owned(), cause);
    let (from, to) = io::pipe().map_err(failed)?;
    let snapshot = old.snapshot();
    let (read, written) = std::thread::scope(|scope| {
        let to = BufWriter::with_capacity(CHUNK_BYTES, to);
        let writing = scope.spawn(|| backup::write(&snapshot, now, to));
        let read =
            Records::open(BufReader::with_capacity(CHUNK_BYTES, from)).and_then(|mut records| {
                fill(draft, &mut records, step)?;
                Ok(records.summary)
            });
        (read, writing.join())
    });
    match (written, read) {
        // The reader had ended, for the reason that it gives.
        (Ok(Err(BackupError::Write(_))), Err(error)) => Err(error.into()),
        (Ok(Err(error)), _) => Err(error.into()),
        (Ok(Ok(_)), read) => Ok(read?),
        (Err(_), _) => Err(BackupError::Store(StoreError::Corrupt {
            what: "the storage engine panicked while it read".to_owned(),
        })
        .into()),
    }
}

/// Demands that the new store is whole, and holds the same, byte for byte.
fn compare(old: &Database, draft: &Arc<Folder>, now: Timestamp) -> Result<(), UpgradeError> {
    let differs = |how: String| UpgradeError::Differs {
        folder: draft.path().to_owned(),
        how,
    };
    let new = Database::open(draft, Tuning::once(CACHE_BYTES))?;
    let report = check::of(&new.snapshot(), &mut |_| {}).map_err(BackupError::Store)?;
    if let Some(finding) = report.findings.first() {
        return Err(differs(finding.to_string()));
    }
    let sum = |database: &Database| {
        let mut sum = Sum(Xxh3::new());
        backup::write(&database.snapshot(), now, &mut sum)?;
        Ok::<_, BackupError>(sum.0.digest128())
    };
    if sum(old)? != sum(&new)? {
        return Err(differs("their backups differ".to_owned()));
    }
    new.close();
    Ok(())
}

/// The checksum of what is written.
struct Sum(Xxh3);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
