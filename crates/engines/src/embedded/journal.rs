//! Makes the journals trustworthy before the storage engine reads them.
//!
//! A power cut may leave the last batch torn, which the storage engine can't tell from damage
//! ([`batches`]); it is cut off, as nobody was told of it.
//!
//! Once a sync has failed, Linux may count pages as clean that never reached the disk (Rebello
//! and others, "Can Applications Recover from fsync Failures?", USENIX ATC 2020), and it shows
//! them to the next process as well. Going on to write behind them could lose acknowledged
//! commits in the next power cut. So after anything but a clean end the current journal is
//! copied into a new file, and that one is synced and put in its place.

mod batches;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folder::{LastEnd, sync_folder};
use batches::Rest;

/// How fjall's journals are called: a number and this.
const EXTENSION: &str = "jnl";

/// Why the journals can't be trusted.
#[derive(Debug, thiserror::Error)]
pub(super) enum JournalError {
    /// What was acknowledged is no longer all there.
    #[error("the journal {} is damaged {at} bytes from its start", .journal.display())]
    Damaged {
        /// The file.
        journal: PathBuf,
        /// Where its valid batches end.
        at: u64,
    },
    /// It can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bytes that the current journal takes on the disk.
pub(super) fn size(store: &Path) -> io::Result<u64> {
    match all(store)?.pop() {
        // A block is 512 bytes here, whatever the file system's own are (POSIX, sys/stat.h).
        Some(journal) => Ok(fs::metadata(journal)?.blocks().saturating_mul(512)),
        None => Ok(0),
    }
}

/// Checks all journals, cuts a torn batch off and, where they can't be trusted otherwise, puts
/// a synced copy in the place of the current one. The database has to be closed.
pub(super) fn mend(store: &Path, last_end: LastEnd) -> Result<(), JournalError> {
    // The newest first: only the last batch of all can be torn.
    let mut is_last = last_end == LastEnd::Unclean;
    for (age, journal) in all(store)?.into_iter().rev().enumerate() {
        let file = File::open(&journal)?;
        let extent = batches::extent(&file)?;
        let is_torn = extent.rest == Rest::Torn;
        if extent.rest == Rest::Damaged || (is_torn && !is_last) {
            let at = extent.valid;
            return Err(JournalError::Damaged { journal, at });
        }
        if is_torn {
            let at = extent.valid;
            tracing::warn!(at, "a batch that was not acknowledged is torn and left out");
        }
        if is_torn || (age == 0 && last_end == LastEnd::Unclean) {
            renew(store, &journal, extent.valid)?;
        }
        is_last &= extent.valid == 0;
    }
    Ok(())
}

/// Puts a synced copy of the first so many bytes in the place of a journal.
fn renew(store: &Path, journal: &Path, length: u64) -> io::Result<()> {
    let draft = journal.with_extension("new");
    let mut from = File::open(journal)?.take(length);
    let mut to = File::create(&draft)?;
    // Through memory: `io::copy` would have the system do it, which on some file systems lets
    // both files share what is on the disk, and that is just what can't be trusted.
    let mut chunk = vec![0; batches::CHUNK];
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        to.write_all(&chunk[..read])?;
    }
    to.sync_all()?;
    fs::rename(&draft, journal)?;
    sync_folder(store)
}

/// The journals, oldest first.
fn all(store: &Path) -> io::Result<Vec<PathBuf>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_none_or(|found| found != EXTENSION) {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(number) = stem.and_then(|stem| stem.parse::<u64>().ok()) {
            journals.push((number, path));
        }
    }
    journals.sort();
    Ok(journals.into_iter().map(|(_, path)| path).collect())
}
