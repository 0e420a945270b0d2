//! Brings the store in a folder to the latest format.
//!
//! All rows are copied into files beside those of the store. The copy is checked and compared with
//! the original, and then one rename of `FORMAT` makes it the store. Before that the folder holds the
//! old store, unchanged, and afterwards the new one. A crash in between is no harm.

mod fjall_store;
mod journals;

use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prominence_core::StoreError;

use crate::embedded::admin::batch_writer::BatchWriter;
use crate::embedded::admin::check;
use crate::embedded::error::OpenError;
use crate::embedded::files::disk::free_space;
use crate::embedded::files::folder::{Folder, Format};
use crate::embedded::options::Tuning;
use crate::embedded::storage::database::{Database, Snapshot, Table};
use crate::embedded::storage::format;
use fjall_store::FjallStore;

/// Bytes of blocks kept in memory: everything is read from beginning to end.
const CACHE_BYTES: u64 = 16 << 20;

/// The result of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgraded {
    /// The store had the latest format.
    Before,
    /// It has the latest format now.
    Now(Copied),
}

/// The number of rows that were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// The format's number before.
    pub from_format: u32,
    /// Entries.
    pub entries: u64,
    /// Rows of the change log, the expiry index and the namespaces.
    pub other_rows: u64,
}

/// The reason why a store can't be upgraded. Each message says what to do. The old store is as it was.
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
    /// A deletion of a large prefix was interrupted.
    #[error("a deletion in {} was interrupted; start and stop the server once with the version that \
        wrote it, which finishes it, and try again", .folder.display())]
    Unfinished {
        /// Which folder.
        folder: PathBuf,
    },
    /// The old store can't be read, or the new one not written.
    #[error("the store in {} can't be copied: {cause}", .folder.display())]
    Copy {
        /// Which folder.
        folder: PathBuf,
        /// The error.
        #[source]
        cause: StoreError,
    },
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
pub fn upgrade(path: &Path, step: &mut dyn FnMut()) -> Result<Upgraded, UpgradeError> {
    let (folder, format) = Folder::take_to_upgrade(path)?;
    let Format::Earlier(from_format) = format else {
        return Ok(Upgraded::Before);
    };
    check_room(&folder)?;
    let failed = |cause| OpenError::from_io(path.to_owned(), cause);
    let draft = Arc::new(folder.upgrade_draft().map_err(failed)?);
    let old = FjallStore::open(&folder, draft.copy_of_old(), CACHE_BYTES)?;
    let new = Database::open(&draft, Tuning::once(CACHE_BYTES))?;
    let copy_failed = |cause| UpgradeError::Copy {
        folder: path.to_owned(),
        cause,
    };
    let mut copied = copy(&old, &new, step).map_err(copy_failed)?;
    copied.from_format = from_format;
    if new.snapshot().deletion().map_err(copy_failed)?.is_some() {
        let folder = path.to_owned();
        return Err(UpgradeError::Unfinished { folder });
    }
    // The comparison reads the files, and not what is in memory before they are closed.
    new.close();
    let new = Database::open(&draft, Tuning::once(CACHE_BYTES))?;
    let difference = find_difference(&old, &new.snapshot()).map_err(copy_failed)?;
    if let Some(how) = difference {
        let folder = path.to_owned();
        return Err(UpgradeError::Differs { folder, how });
    }
    new.close();
    drop(old);
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

/// Copies all rows, and makes them durable.
fn copy(old: &FjallStore, new: &Database, step: &mut dyn FnMut()) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let mut writer = BatchWriter::new(new);
    for table in Table::ALL {
        for row in old.rows(table) {
            let (key, row) = row?;
            if table == Table::Entries {
                writer.put_entry(key.to_vec(), &format::decode_entry(&key, &row)?)?;
                copied.entries += 1;
                step();
            } else {
                // These rows have the same form in every format; earlier versions of it are read.
                writer.put(table, key.to_vec(), row.to_vec())?;
                copied.other_rows += 1;
            }
        }
    }
    writer.write()?;
    new.settle()?;
    Ok(copied)
}

/// Checks the new store, and compares all of its rows with those of the old one; says what is wrong.
fn find_difference(old: &FjallStore, new: &Snapshot<'_>) -> Result<Option<String>, StoreError> {
    let report = check::of(new, &mut |_| {})?;
    if let Some(finding) = report.findings.first() {
        return Ok(Some(finding.to_string()));
    }
    for table in Table::ALL {
        let mut copies = new.rows(table, Bound::Unbounded, check::END);
        for row in old.rows(table) {
            let (key, row) = row?;
            let copy = copies.next().transpose()?;
            let is_same = match copy {
                Some((copied_key, copy)) if copied_key == key => match table {
                    Table::Entries => {
                        new.decode_entry(&key, &copy)? == format::decode_entry(&key, &row)?
                    }
                    _ => copy == row,
                },
                _ => false,
            };
            if !is_same {
                return Ok(Some(format!("the row \"{}\" differs", key.escape_ascii())));
            }
        }
        if let Some((key, _)) = copies.next().transpose()? {
            return Ok(Some(format!("the row \"{}\" is new", key.escape_ascii())));
        }
    }
    Ok(None)
}
