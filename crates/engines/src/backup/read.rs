//! A stream becomes records, in the one order that they may have.

use std::io::Read;

use prominence_core::{Cursor, Key, Namespace};

use super::frame::{FrameReader, damaged};
use super::record::{End, Record, Space};
use super::{BackupReadError, BackupSummary};

/// Reads a backup from beginning to end, and returns its content where all of it is as it was
/// written. The bytes may come in any portions; they are read once.
///
/// # Errors
/// See [`BackupReadError`].
pub fn verify(from: impl Read) -> Result<BackupSummary, BackupReadError> {
    let mut records = Records::open(from)?;
    while records.next()?.is_some() {}
    Ok(records.summary)
}

/// The records of a backup.
pub(crate) struct Records<R> {
    frames: FrameReader<R>,
    /// The content that was read so far.
    pub(crate) summary: BackupSummary,
    place: Place,
}

/// The place of the last record. Names, keys and places have to ascend, and nothing in a namespace is
/// later than its revision.
#[derive(Default)]
struct Place {
    space: Option<Space>,
    key: Option<Key>,
    change: Option<Cursor>,
}

impl<R: Read> Records<R> {
    /// Reads the head.
    pub(crate) fn open(from: R) -> Result<Self, BackupReadError> {
        let frames = FrameReader::new(from)?;
        let summary = BackupSummary {
            made: frames.made(),
            namespaces: 0,
            entries: 0,
            bytes: 0,
            changes: 0,
        };
        Ok(Self {
            frames,
            summary,
            place: Place::default(),
        })
    }

    /// The next record; `None` after the end mark, which has been checked then.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, BackupReadError> {
        let frame = self.frames.next()?;
        let at = frame.at;
        let record = Record::decode(frame.kind, frame.body)
            .ok_or_else(|| damaged(at, "a record that makes no sense"))?;
        if let Record::End(end) = record {
            let found = End {
                namespaces: self.summary.namespaces,
                entries: self.summary.entries,
                changes: self.summary.changes,
                whole: frame.whole,
            };
            if end != found {
                return Err(damaged(
                    at,
                    "an end mark that does not fit what is before it",
                ));
            }
            self.frames.finish()?;
            return Ok(None);
        }
        if !self.place.admits(&record) {
            return Err(damaged(at, "a record where it can't be"));
        }
        self.summary.count(&record);
        Ok(Some(record))
    }
}

impl Place {
    /// True if a record may come next; it then has.
    fn admits(&mut self, record: &Record) -> bool {
        match record {
            Record::Namespace(space) => {
                let last: Option<&Namespace> = self.space.as_ref().map(|space| &space.namespace);
                let admitted = last.is_none_or(|last| *last < space.namespace);
                *self = Self {
                    space: Some(space.clone()),
                    ..Self::default()
                };
                admitted
            }
            Record::Entry(key, entry) => {
                let last = self.key.replace(key.clone());
                let in_time = |space: &Space| entry.metadata.revision <= space.revision;
                self.space.as_ref().is_some_and(in_time)
                    && self.change.is_none()
                    && last.is_none_or(|last| last < *key)
            }
            Record::Change(change) => {
                let last = self.change.replace(change.at);
                self.space.as_ref().is_some_and(|space| {
                    change.at > last.unwrap_or(space.log_floor)
                        && change.at.revision <= space.revision
                })
            }
            Record::End(_) => true,
        }
    }
}
