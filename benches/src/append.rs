//! Appends to a growing file that are synced together: the least that any durable write has to do.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

/// Another file is begun after this much, so that a long run doesn't fill the disk. A file that is
/// written over would be faster by a third than one that grows.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A file that is appended to and synced.
pub struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
}

/// A value, and who waits until it is durable.
pub struct Record<V, W> {
    /// What to append.
    pub value: V,
    /// Given back once it is synced.
    pub waiter: W,
}

impl Appender {
    /// Makes the file, empty.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::create(path)?,
            length: 0,
        })
    }

    /// Appends, and syncs the data.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length > MAX_FILE_BYTES {
            std::fs::remove_file(&self.path)?;
            *self = Self::create(&self.path)?;
        }
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes whatever waits in one go and syncs once, as a store's committer does, and gives back
    /// the waiters of each group, until nobody can send any more.
    ///
    /// # Errors
    /// Where that can't be done.
    pub fn append_groups<V: AsRef<[u8]>, W>(
        &mut self,
        received: &Receiver<Record<V, W>>,
        mut written: impl FnMut(Vec<W>),
    ) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Ok(first) = received.recv() {
            buffer.clear();
            let group = std::iter::once(first).chain(received.try_iter());
            let waiters = group.map(|record| {
                buffer.extend_from_slice(record.value.as_ref());
                record.waiter
            });
            let waiters = waiters.collect();
            self.append(&buffer)?;
            written(waiters);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_group_is_in_the_file_before_its_waiters_are_given_back() {
        let path = std::env::temp_dir().join(format!("append-{}", std::process::id()));
        let mut file = Appender::create(&path).unwrap();
        let (records, received) = sync_channel(3);
        for (value, waiter) in [("one ", 1), ("two ", 2), ("three", 3)] {
            records.send(Record { value, waiter }).unwrap();
        }
        drop(records);
        let mut told = Vec::new();
        file.append_groups(&received, |waiters| {
            told.push((waiters, std::fs::read_to_string(&path).unwrap()));
        })
        .unwrap();
        assert_eq!(told, [(vec![1, 2, 3], "one two three".to_owned())]);
        std::fs::remove_file(&path).unwrap();
    }
}
