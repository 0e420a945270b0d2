//! The file `CLOSED`: what the journals were when the store was closed.
//!
//! A flipped bit in the last batch of a journal looks as if a crash had torn it. Where the store
//! was closed there was no crash, and this file says so: a line for each journal with its length
//! and checksum, and a last line with the checksum of those. It goes as soon as the store is
//! opened, and without it nothing is lost but this.

use std::fs;
use std::io;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::Unsound;
use crate::embedded::files::folder::{replace_file, sync_folder};

const CLOSED_FILE: &str = "CLOSED";

/// What a journal was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JournalSum {
    /// By its path within the folder of the store.
    pub(super) file: String,
    pub(super) end: u64,
    pub(super) sum: u128,
}

/// What all journals were.
pub(super) struct Closed(Vec<JournalSum>);

impl Closed {
    /// Length and checksum of a journal.
    pub(super) fn sum(&self, file: &str) -> Option<(u64, u128)> {
        let found = self.0.iter().find(|sum| sum.file == file)?;
        Some((found.end, found.sum))
    }

    /// A journal that is not among these.
    pub(super) fn missing(&self, files: &[String]) -> Option<&str> {
        let missing = self.0.iter().find(|sum| !files.contains(&sum.file));
        missing.map(|sum| sum.file.as_str())
    }

    fn parse(text: &str) -> Option<Self> {
        let (lines, last) = text.trim_end().rsplit_once('\n')?;
        if u128::from_str_radix(last, 16).ok()? != xxh3_128(lines.as_bytes()) {
            return None;
        }
        let parse = |line: &str| {
            let mut words = line.split(' ');
            Some(JournalSum {
                file: words.next()?.to_owned(),
                end: words.next()?.parse().ok()?,
                sum: u128::from_str_radix(words.next()?, 16).ok()?,
            })
        };
        lines.lines().map(parse).collect::<Option<_>>().map(Self)
    }
}

/// What the journals were, if the store was closed.
pub(super) fn read(folder: &Path) -> Result<Option<Closed>, Unsound> {
    let bytes = match fs::read(folder.join(CLOSED_FILE)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let closed = std::str::from_utf8(&bytes).ok().and_then(Closed::parse);
    if closed.is_none() {
        // It says nothing about the data, and the journals have checksums of their own.
        tracing::warn!("the file {CLOSED_FILE} is damaged and is not taken into account");
    }
    Ok(closed)
}

/// Writes the file, whole or not at all.
pub(super) fn write(folder: &Path, sums: &[JournalSum]) -> io::Result<()> {
    let lines: Vec<_> = sums
        .iter()
        .map(|JournalSum { file, end, sum }| format!("{file} {end} {sum:032x}"))
        .collect();
    let lines = lines.join("\n");
    let sum = xxh3_128(lines.as_bytes());
    let content = format!("{lines}\n{sum:032x}\n");
    replace_file(folder, CLOSED_FILE, content.as_bytes())
}

/// Removes the file for good: were it back after a power cut, it would speak of other journals.
pub(super) fn remove(folder: &Path) -> Result<(), Unsound> {
    match fs::remove_file(folder.join(CLOSED_FILE)) {
        Ok(()) => Ok(sync_folder(folder)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}
