//! Appends to a file that are synced together: what any durable write has to do at least.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::Path;
use std::sync::mpsc::Receiver;

/// The file starts over after this much, so that a long run doesn't fill the disk.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// A file that is appended to and synced.
pub struct Appender {
    file: File,
    length: u64,
}

/// A value, and how to tell that it is durable.
pub struct Record<V, W> {
    /// What to append.
    pub value: V,
    /// Called once it is synced.
    pub written: W,
}

impl Appender {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(Self { file, length: 0 })
    }

    /// Appends, and syncs the data.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length > MAX_FILE_BYTES {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.length = 0;
        }
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes whatever waits in one go and syncs once, as a store's committer does, until nobody
    /// can send any more.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn append_whatever_waits<V: AsRef<[u8]>, W: FnOnce()>(
        &mut self,
        received: &Receiver<Record<V, W>>,
    ) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Ok(first) = received.recv() {
            let group: Vec<_> = std::iter::once(first).chain(received.try_iter()).collect();
            buffer.clear();
            for record in &group {
                buffer.extend_from_slice(record.value.as_ref());
            }
            self.append(&buffer)?;
            for record in group {
                (record.written)();
            }
        }
        Ok(())
    }
}
