//! The latest time that the store has shown to anybody, kept beside the store.
//!
//! A machine's clock can be set back while no server runs. Without this an entry that readers were
//! told had expired, and that was not removed yet, would be there again. So the time is noted before
//! such an answer is given, and no earlier time is shown after the store is opened again.
//!
//! The file is written without a sync: what a process has written outlives the process. After a power
//! cut an earlier time may stand there; then entries that had expired within the last second before
//! it, and were not removed, can be back if the clock was set back as well.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prominence_core::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::private_folder::own_file;

/// One line: milliseconds since the epoch in 15 decimal digits, and the XXH3 checksum of these digits
/// (64 bits, seed 0) in hexadecimal. A damaged time could make everything expire.
const NAME: &str = "CLOCK";

/// The longest text that is read; ours is shorter.
const MAX_TEXT: u64 = 64;

/// The note of the latest time.
#[derive(Debug)]
pub(in crate::embedded) struct TimeFloor {
    noted: AtomicU64,
    /// The time in the file, and the file, which is `None` if it can't be written.
    file: Mutex<(u64, Option<File>)>,
}

impl TimeFloor {
    /// Reads the note of a store's folder. A store works without one, so whatever is wrong with it is
    /// told in the log alone.
    pub(in crate::embedded) fn open(folder: &Path) -> Self {
        let path = folder.join(NAME);
        let (noted, file) = read(&path).unwrap_or_else(|error| {
            let path = path.display();
            tracing::warn!(%error, %path, "the latest time of this store can't be read or noted");
            (0, None)
        });
        Self {
            noted: AtomicU64::new(noted),
            file: Mutex::new((noted, file)),
        }
    }

    /// The latest time that was noted.
    pub(in crate::embedded) fn noted(&self) -> Timestamp {
        Timestamp::from_millis(self.noted.load(Ordering::Acquire))
    }

    /// Notes a time that is about to be shown.
    pub(in crate::embedded) fn note(&self, now: Timestamp) {
        let now = now.as_millis();
        if self.noted.load(Ordering::Acquire) >= now {
            return;
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (noted, file) = &mut *file;
        if *noted >= now {
            return;
        }
        *noted = now;
        let written = file
            .as_ref()
            .map(|file| file.write_all_at(text(now).as_bytes(), 0));
        if let Some(Err(error)) = written {
            tracing::debug!(%error, "the latest time of this store was not noted");
        }
        self.noted.store(now, Ordering::Release);
    }

    /// Makes the note survive a power cut.
    pub(in crate::embedded) fn sync(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = file.1.as_ref().map(File::sync_all) {
            tracing::debug!(%error, "the latest time of this store was not synced");
        }
    }
}

fn text(millis: u64) -> String {
    let digits = format!("{millis:015}");
    let sum = xxh3_64(digits.as_bytes());
    format!("{digits} {sum:016x}\n")
}

/// The time of a whole line; `None` for anything else.
fn parse(line: &str) -> Option<u64> {
    let digits = line.split(' ').next()?;
    let millis = digits.parse().ok()?;
    let millis = Timestamp::from_millis(millis).as_millis();
    (line == text(millis)).then_some(millis)
}

fn read(path: &Path) -> io::Result<(u64, Option<File>)> {
    let file = own_file()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        // Where nothing can be written, what was noted still counts.
        .or_else(|_| own_file().read(true).open(path))?;
    let mut bytes = Vec::new();
    (&file).take(MAX_TEXT).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    if text.is_empty() {
        return Ok((0, Some(file)));
    }
    // A power cut may leave anything in a file that was not synced.
    let noted = parse(&text).unwrap_or_else(|| {
        let path = path.display();
        tracing::warn!(%path, "the latest time of this store is damaged and not heeded");
        // The next text should be all that stands there.
        let _ = file.set_len(0);
        0
    });
    Ok((noted, Some(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_time_that_was_noted_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let floor = TimeFloor::open(folder.path());
        assert_eq!(floor.noted(), Timestamp::from_millis(0));
        for millis in [1_700_000_000_123, 5, 1_700_000_000_124] {
            floor.note(Timestamp::from_millis(millis));
        }
        let latest = Timestamp::from_millis(1_700_000_000_124);
        assert_eq!(floor.noted(), latest);
        assert_eq!(TimeFloor::open(folder.path()).noted(), latest);
    }

    #[test]
    fn a_note_that_is_damaged_is_not_heeded_and_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let line = text(1_700_000_000_123);
        let flipped = line.replacen('0', "9", 1);
        for damaged in ["\0\0\0", "9", &line[1..], &line[..line.len() - 1], &flipped] {
            std::fs::write(folder.path().join(NAME), damaged).unwrap();
            let floor = TimeFloor::open(folder.path());
            assert_eq!(floor.noted(), Timestamp::from_millis(0), "{damaged:?}");
            floor.note(Timestamp::from_millis(7));
            let noted = TimeFloor::open(folder.path()).noted();
            assert_eq!(noted, Timestamp::from_millis(7), "{damaged:?}");
        }
    }
}
