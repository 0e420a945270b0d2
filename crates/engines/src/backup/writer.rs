//! Records become a stream.

use std::io::{self, Write};

use prominence_core::Timestamp;

use super::frame::FrameWriter;
use super::record::{End, Record};
use super::{BackupError, BackupSummary};

/// Writes records and counts them.
pub(crate) struct Writer<W> {
    frames: FrameWriter<W>,
    summary: BackupSummary,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    pub(crate) fn new(to: W, made: Timestamp) -> io::Result<Self> {
        Ok(Self {
            frames: FrameWriter::new(to, made)?,
            summary: BackupSummary {
                made,
                namespaces: 0,
                entries: 0,
                bytes: 0,
                changes: 0,
            },
        })
    }

    /// Writes one record. They have to come in the order that the format asks for.
    pub(crate) fn put(&mut self, record: &Record) -> Result<(), BackupError> {
        self.summary.count(record);
        let (kind, body) = record.encode();
        self.frames.frame(kind, &body).map_err(BackupError::Write)
    }

    /// Writes the end mark.
    pub(crate) fn finish(mut self) -> io::Result<BackupSummary> {
        let end = Record::End(End {
            namespaces: self.summary.namespaces,
            entries: self.summary.entries,
            changes: self.summary.changes,
            whole: self.frames.whole(),
        });
        let (kind, body) = end.encode();
        self.frames.frame(kind, &body)?;
        self.frames.flush()?;
        Ok(self.summary)
    }
}

impl BackupSummary {
    /// Counts one record more.
    pub(super) fn count(&mut self, record: &Record) {
        match record {
            Record::Namespace(_) => self.namespaces += 1,
            Record::Entry(key, entry) => {
                self.entries += 1;
                self.bytes += (key.as_str().len() + entry.value.len()) as u64;
            }
            Record::Change(_) => self.changes += 1,
            Record::End(_) => {}
        }
    }
}
