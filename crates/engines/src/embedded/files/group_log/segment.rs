//! A segment: one file of the log, which grows until it is full and is read at any place.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::io::{Errno, ReadWriteFlags, preadv2};

use super::super::disk::sync_folder;

/// The ending of the names of segments.
const EXTENSION: &str = "log";

/// An open segment. It can be read as long as somebody has it, even after its file is removed.
#[derive(Debug)]
pub(in crate::embedded) struct Segment {
    number: u32,
    file: File,
}

/// The place where the content of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::embedded) struct Location {
    /// The number of the segment.
    pub(in crate::embedded) segment: u32,
    /// Bytes before it in the segment.
    pub(in crate::embedded) offset: u32,
    /// Bytes of it.
    pub(in crate::embedded) length: u32,
}

impl Segment {
    /// Makes an empty segment so that it survives a power cut. One of that number which was begun
    /// before and never used is taken over.
    pub(in crate::embedded) fn create(folder: &Path, number: u32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path(folder, number))?;
        file.sync_all()?;
        sync_folder(folder)?;
        Ok(Self { number, file })
    }

    /// Opens a segment that is there.
    pub(in crate::embedded) fn open(folder: &Path, number: u32) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path(folder, number))?;
        Ok(Self { number, file })
    }

    pub(in crate::embedded) fn number(&self) -> u32 {
        self.number
    }

    /// Bytes of the file.
    pub(in crate::embedded) fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads so many bytes.
    pub(in crate::embedded) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// The same if the bytes are in memory. `None` where the disk would have to be waited for.
    pub(in crate::embedded) fn read_at_once(
        &self,
        offset: u64,
        length: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; length];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        match preadv2(&self.file, &mut parts, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) if read == length => Ok(Some(bytes)),
            Ok(_) | Err(Errno::AGAIN) => Ok(None),
            // The file system can't tell, as one in memory, where nothing is waited for.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => self.read(offset, length).map(Some),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes without a sync.
    pub(in crate::embedded) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Makes everything that was written, and the length of the file, survive a power cut.
    pub(in crate::embedded) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts off what stands behind so many bytes.
    pub(in crate::embedded) fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()
    }
}

/// The path of a segment.
pub(in crate::embedded) fn path(folder: &Path, number: u32) -> PathBuf {
    folder.join(name(number))
}

/// The name of a segment's file.
pub(in crate::embedded) fn name(number: u32) -> String {
    format!("{number:08}.{EXTENSION}")
}

/// The number of a segment by its file's name.
pub(in crate::embedded) fn number_of(file: &str) -> Option<u32> {
    let number = file.strip_suffix(EXTENSION)?.strip_suffix('.')?;
    let number = number.parse().ok()?;
    (name(number) == file).then_some(number)
}
