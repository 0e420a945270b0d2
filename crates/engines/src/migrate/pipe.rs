//! A stream from one thread to another.

use std::io::{self, BufWriter, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::MigrateError;
use crate::backup::{BackupError, BackupReadError, BackupSummary, Records};

/// Bytes that are sent together, as records may be small.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that wait to be read: enough that neither side waits for each of them.
const MAX_CHUNKS: usize = 8;

/// The end for the writer.
pub(super) struct PipeWriter(SyncSender<Vec<u8>>);

/// The end for the reader.
pub(super) struct PipeReader {
    chunks: Receiver<Vec<u8>>,
    left: io::Cursor<Vec<u8>>,
}

/// Runs `write` on a thread, and `read` on what it writes.
pub(super) fn one<T, E: Into<MigrateError>>(
    write: impl FnOnce(BufWriter<PipeWriter>) -> Result<BackupSummary, BackupError> + Send,
    read: impl FnOnce(PipeReader) -> Result<T, E>,
) -> Result<T, MigrateError> {
    thread::scope(|scope| {
        let (to, from) = pipe();
        let writing = scope.spawn(move || write(to));
        let done = read(from);
        settle(writing.join(), done)
    })
}

/// The same of two streams at once.
pub(super) fn both<T>(
    write: impl FnOnce(BufWriter<PipeWriter>) -> Result<BackupSummary, BackupError> + Send,
    other: impl FnOnce(BufWriter<PipeWriter>) -> Result<BackupSummary, BackupError> + Send,
    read: impl FnOnce(Records<PipeReader>, Records<PipeReader>) -> Result<T, BackupReadError>,
) -> Result<T, MigrateError> {
    one(write, |first| {
        one(other, |second| {
            read(Records::open(first)?, Records::open(second)?)
        })
    })
}

fn pipe() -> (BufWriter<PipeWriter>, PipeReader) {
    let (sender, chunks) = sync_channel(MAX_CHUNKS);
    let reader = PipeReader {
        chunks,
        left: io::Cursor::default(),
    };
    let writer = BufWriter::with_capacity(CHUNK_BYTES, PipeWriter(sender));
    (writer, reader)
}

/// The result of both ends. Where both failed, one of them failed because of the other.
fn settle<T, E: Into<MigrateError>>(
    written: thread::Result<Result<BackupSummary, BackupError>>,
    read: Result<T, E>,
) -> Result<T, MigrateError> {
    match (written, read) {
        // The reader failed, so the writer could not go on.
        (Ok(Err(BackupError::Write(_))), Err(error)) => Err(error.into()),
        (Ok(Err(error)), _) => Err(MigrateError::Source(error)),
        (Err(_), _) => Err(MigrateError::Panicked),
        (Ok(Ok(_)), read) => read.map_err(Into::into),
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.send(bytes.to_vec());
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.left.read(to)?;
            if read > 0 || to.is_empty() {
                return Ok(read);
            }
            match self.chunks.recv() {
                Ok(chunk) => self.left = io::Cursor::new(chunk),
                // The writer is done, or has failed; the stream's end mark tells which.
                Err(_) => return Ok(0),
            }
        }
    }
}
