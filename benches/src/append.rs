//! Appends to a growing file, synced in groups: the minimal cost of a durable write.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use tokio::sync::oneshot;

use crate::measure::{milliseconds, note, note_times};
use crate::{Load, names};

/// The size at which another file is begun, so that a long run doesn't fill the disk. Files grow, since overwriting a
/// file would be a third faster.
const MAX_FILE_BYTES: u64 = 4 << 30;

/// A file for appends, which is synced after each.
pub(crate) struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
}

/// A value, and the channel to its waiter, which is notified when the value is durable.
pub(crate) type Record<V> = (V, oneshot::Sender<()>);

impl Appender {
    /// Creates the file, empty.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::create(path)?,
            length: 0,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length > MAX_FILE_BYTES {
            std::fs::remove_file(&self.path)?;
            *self = Self::create(&self.path)?;
        }
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Writes all waiting values at once and syncs, as a store's committer does, and passes on the waiters of each
    /// group, until all senders are dropped. After an error the waiters' channels are closed.
    pub(crate) fn append_groups<V: AsRef<[u8]>>(
        &mut self,
        received: Receiver<Record<V>>,
        mut written: impl FnMut(Vec<oneshot::Sender<()>>),
    ) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Ok(first) = received.recv() {
            buffer.clear();
            let group = std::iter::once(first).chain(received.try_iter());
            let waiters = group.map(|(value, waiter)| {
                buffer.extend_from_slice(value.as_ref());
                waiter
            });
            let waiters = waiters.collect();
            self.append(&buffer)?;
            written(waiters);
        }
        Ok(())
    }
}

/// Appends as fast as the disk allows: each thread passes a fresh value to one appender and waits until it is durable.
pub(crate) fn measure(load: &Load) -> anyhow::Result<()> {
    let mut file = Appender::create(&load.scratch.join("append"))?;
    let (records, received) = sync_channel(usize::try_from(load.connections)?);
    let started = Instant::now();
    let until = started + Duration::from_secs(load.seconds);
    let mut times = Vec::new();
    std::thread::scope(|threads| {
        let writers = (0..load.connections).map(|number| {
            let records = records.clone();
            threads.spawn(move || write(u64::from(number), load.bytes, until, &records))
        });
        let writers: Vec<_> = writers.collect();
        drop(records);
        file.append_groups(received, |waiters| {
            for waiter in waiters {
                // The writer waits for this and can't have ended.
                let _ = waiter.send(());
            }
        })?;
        for writer in writers {
            let own = writer.join().map_err(|_| anyhow!("a writer panicked"))?;
            times.extend(own?);
        }
        anyhow::Ok(())
    })?;
    note("rate", times.len() as f64 / started.elapsed().as_secs_f64());
    note_times("", times)
}

/// Passes on fresh values, one after another, and returns the time of each.
fn write(
    seed: u64,
    bytes: usize,
    until: Instant,
    records: &SyncSender<Record<Vec<u8>>>,
) -> anyhow::Result<Vec<f64>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut times = Vec::new();
    while Instant::now() < until {
        let value = names::value(&mut random, bytes);
        let (waiter, is_written) = oneshot::channel();
        let started = Instant::now();
        records.send((value, waiter))?;
        is_written.blocking_recv()?;
        times.push(milliseconds(started.elapsed()));
    }
    Ok(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_in_the_file_before_its_waiters_are_given_back() {
        let path = std::env::temp_dir().join(format!("append-{}", std::process::id()));
        let mut file = Appender::create(&path).unwrap();
        let (records, received) = sync_channel(3);
        for value in ["one ", "two ", "three"] {
            records.send((value, oneshot::channel().0)).unwrap();
        }
        drop(records);
        let mut told = Vec::new();
        file.append_groups(received, |waiters| {
            told.push((waiters.len(), std::fs::read_to_string(&path).unwrap()));
        })
        .unwrap();
        assert_eq!(told, [(3, "one two three".to_owned())]);
        std::fs::remove_file(&path).unwrap();
    }
}
