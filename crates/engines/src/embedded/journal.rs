//! Makes the current journal trustworthy after a failed write.
//!
//! Once a sync has failed, Linux may count pages as clean that never reached the disk (Rebello
//! and others, "Can Applications Recover from fsync Failures?", USENIX ATC 2020). Going on to
//! write behind them could lose acknowledged commits in the next power cut. So the journal is
//! copied into a new file, and that one is synced and put in its place.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::folder::sync_folder;

/// How fjall's journals are called: a number and this.
const EXTENSION: &str = "jnl";

/// Bytes copied at once.
const CHUNK: usize = 64 << 10;

/// Bytes that the current journal takes on the disk.
pub(super) fn size(store: &Path) -> io::Result<u64> {
    match current(store)? {
        // A block is 512 bytes here, whatever the file system's own are (POSIX, sys/stat.h).
        Some(journal) => Ok(fs::metadata(journal)?.blocks().saturating_mul(512)),
        None => Ok(0),
    }
}

/// Puts a synced copy in the place of the current journal. The database has to be closed.
pub(super) fn renew(store: &Path) -> io::Result<()> {
    let Some(journal) = current(store)? else {
        return Ok(());
    };
    let draft = journal.with_extension("new");
    copy(&journal, &draft)?;
    fs::rename(&draft, &journal)?;
    sync_folder(store)
}

/// The journal with the greatest number.
fn current(store: &Path) -> io::Result<Option<PathBuf>> {
    let mut current: Option<(u64, PathBuf)> = None;
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        if path.extension().is_none_or(|found| found != EXTENSION) {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(number) = stem.and_then(|stem| stem.parse().ok()) else {
            continue;
        };
        if current.as_ref().is_none_or(|(most, _)| number > *most) {
            current = Some((number, path));
        }
    }
    Ok(current.map(|(_, path)| path))
}

/// Copies all but the zeros at the end, which fjall reserves ahead of what it writes. What it
/// writes ends in a marker that is not zero.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut from = File::open(from)?;
    let mut to = File::create(to)?;
    let mut chunk = vec![0; CHUNK];
    let (mut read, mut written) = (0_u64, 0_u64);
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        let used = chunk[..length].iter().rposition(|byte| *byte != 0);
        if let Some(last) = used {
            // Whole chunks of zeros in between stay a hole.
            to.seek(SeekFrom::Start(read))?;
            to.write_all(&chunk[..=last])?;
            written = read + last as u64 + 1;
        }
        read += length as u64;
    }
    to.set_len(written)?;
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_journal_is_replaced_by_a_copy_without_the_reserved_zeros() {
        let store = tempfile::tempdir().unwrap();
        let path = |name: &str| store.path().join(name);
        fs::write(path("9.jnl"), b"old").unwrap();
        fs::write(path("lock"), b"").unwrap();
        let mut written = vec![7; CHUNK + 3];
        written.extend(vec![0; 2 * CHUNK]);
        written.extend(b"\0\0end");
        let mut reserved = written.clone();
        reserved.extend(vec![0; 3 * CHUNK + 1]);
        fs::write(path("10.jnl"), &reserved).unwrap();
        let before = fs::metadata(path("10.jnl")).unwrap().ino();

        renew(store.path()).unwrap();
        assert_eq!(fs::read(path("10.jnl")).unwrap(), written);
        assert_ne!(fs::metadata(path("10.jnl")).unwrap().ino(), before);
        assert_eq!(fs::read(path("9.jnl")).unwrap(), b"old");
        assert!(!path("10.new").exists());
    }

    #[test]
    fn a_journal_of_nothing_but_reserved_zeros_becomes_empty() {
        let store = tempfile::tempdir().unwrap();
        let journal = store.path().join("0.jnl");
        fs::write(&journal, vec![0; CHUNK + 1]).unwrap();
        renew(store.path()).unwrap();
        assert_eq!(fs::read(&journal).unwrap(), b"");
    }

    #[test]
    fn a_store_without_a_journal_is_left_alone() {
        let store = tempfile::tempdir().unwrap();
        renew(store.path()).unwrap();
        assert_eq!(size(store.path()).unwrap(), 0);
    }
}
