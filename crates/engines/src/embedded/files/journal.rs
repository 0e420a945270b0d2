//! Makes the current journal trustworthy after anything but a clean end.
//!
//! Once a sync has failed, Linux may count pages as clean that never reached the disk (Rebello
//! and others, "Can Applications Recover from fsync Failures?", USENIX ATC 2020), and it shows
//! them to the next process as well. Going on to write behind them could lose acknowledged
//! commits in the next power cut. So the current journal is copied into a new file, and that one
//! is synced and put in its place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::embedded::files::folder::sync_folder;

/// How fjall's journals are called: a number and this.
const EXTENSION: &str = "jnl";

/// Bytes copied at once.
const CHUNK: usize = 64 << 10;

/// Bytes that the current journal takes on the disk.
pub(in crate::embedded) fn size(store: &Path) -> io::Result<u64> {
    match all(store)?.pop() {
        // A block is 512 bytes here, whatever the file system's own are (POSIX, sys/stat.h).
        Some(journal) => Ok(fs::metadata(journal)?.blocks().saturating_mul(512)),
        None => Ok(0),
    }
}

/// Puts a synced copy of the first so many bytes in the place of a journal.
pub(in crate::embedded) fn renew(store: &Path, journal: &Path, length: u64) -> io::Result<()> {
    let draft = journal.with_extension("new");
    let mut from = File::open(journal)?.take(length);
    let mut to = File::create(&draft)?;
    // Through memory: `io::copy` would have the system do it, which on some file systems lets
    // both files share what is on the disk, and that is just what can't be trusted.
    let mut chunk = vec![0; CHUNK];
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

/// Gives back what fjall reserves in the journals of a new database, in which nothing has been
/// written yet: whoever looks for the end of what was written would read all of it, 64 MiB.
pub(in crate::embedded) fn empty(store: &Path) -> io::Result<()> {
    for journal in all(store)? {
        let file = File::options().write(true).open(journal)?;
        file.set_len(0)?;
        file.sync_all()?;
    }
    Ok(())
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
