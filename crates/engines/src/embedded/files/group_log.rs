//! The log of groups: it has all large values, and the last commits after a crash.
//!
//! It consists of segments, to the last of which groups are appended. Each group is written with one
//! call and made durable with one sync. The manifest names the segments and the group up to which the
//! trees hold all rows; opening the log shows the groups behind it.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `format` | the bytes of a group |
//! | `segment` | one file of the log |
//! | `manifest` | the list of segments, and how far the trees are |
//! | `open` | making, opening and comparing a log |
//! | `replay` | reading the groups that a crash left |
//!
//! **Invariants**
//! - A segment is named in the manifest before a group is written to it, and until after its last
//!   content was moved elsewhere, durably.
//! - A segment is removed only when the trees hold all of its groups.
//! - Groups are numbered without gaps, and a number is never used again.

pub(in crate::embedded) mod format;
pub(in crate::embedded) mod manifest;
mod open;
pub(in crate::embedded) mod replay;
pub(in crate::embedded) mod segment;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use format::GroupBuffer;
use manifest::{Manifest, Position, SegmentLine};
pub(in crate::embedded) use open::{Opened, compare_groups, create};
use segment::{Location, Segment};

/// The name of the log's folder, in that of the store.
pub(in crate::embedded) const FOLDER: &str = "log";

/// The name of the folder of the trees, and theirs in it, by the numbers of the tables.
const INDEX: &str = "index";
pub(in crate::embedded) const TREES: [&str; 4] = ["entries", "changes", "expiry", "namespaces"];

/// Bytes that [`GroupLog::probe`] writes once more at most.
const PROBE_BYTES: u32 = 512;

/// The segments that content can be read from, by number.
pub(in crate::embedded) type Segments = BTreeMap<u32, Arc<Segment>>;

/// The open log.
#[derive(Debug)]
pub(in crate::embedded) struct GroupLog {
    folder: PathBuf,
    /// Bytes after which the next group goes to the next segment.
    segment_bytes: u32,
    writer: Mutex<Writer>,
    books: Mutex<Books>,
    /// Held while the manifest is written, so that an earlier one never replaces a later one.
    manifest: Mutex<()>,
}

/// The place of the next group.
#[derive(Debug)]
struct Writer {
    segment: Arc<Segment>,
    position: Position,
}

/// The accounts of the segments. The lock is never held over a sync.
#[derive(Debug)]
struct Books {
    segments: Arc<Segments>,
    lines: BTreeMap<u32, SegmentLine>,
    /// Bytes of content that the trees refer to now; the lines have those as of `indexed`.
    live: BTreeMap<u32, u64>,
    indexed: Position,
    sequence: u64,
    /// The next segment, made in advance.
    next: Option<Arc<Segment>>,
}

/// The place of a group that was written.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Appended {
    pub(in crate::embedded) segment: u32,
    /// The start of the group in the segment.
    pub(in crate::embedded) offset: u32,
}

impl Appended {
    /// The place of bytes of the group.
    pub(in crate::embedded) fn location(&self, in_group: &Range<usize>) -> Location {
        // Segments end below 4 GiB.
        let number = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        Location {
            segment: self.segment,
            offset: self.offset.saturating_add(number(in_group.start)),
            length: number(in_group.len()),
        }
    }
}

/// An end of the log, and what was referred to by then.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Checkpoint {
    position: Position,
    /// The sequence number of the last group.
    sequence: u64,
    live: BTreeMap<u32, u64>,
}

/// The disk space of the log.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct LogUsage {
    /// Bytes of all groups.
    pub(in crate::embedded) bytes: u64,
    /// Bytes of the content that the trees refer to, about.
    pub(in crate::embedded) live: u64,
    /// The segments that take no more groups and whose groups the trees hold.
    pub(in crate::embedded) finished: Vec<SegmentUse>,
}

/// A segment with the bytes of its groups, and of the content in it that the trees refer to.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct SegmentUse {
    pub(in crate::embedded) segment: Arc<Segment>,
    pub(in crate::embedded) end: u32,
    pub(in crate::embedded) live: u64,
}

/// The folder of a tree.
pub(in crate::embedded) fn tree_folder(store: &Path, tree: &str) -> PathBuf {
    store.join(INDEX).join(tree)
}

/// The same within the folder of the store.
pub(in crate::embedded) fn tree_within(tree: &str) -> String {
    format!("store/{INDEX}/{tree}")
}

impl GroupLog {
    /// The segments that content can be read from now.
    pub(in crate::embedded) fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.books().segments)
    }

    /// The place of the next group, unless it does not fit there.
    pub(in crate::embedded) fn position(&self) -> Position {
        self.writer().position
    }

    /// Appends a group, whose header it writes, and makes it durable where that is wanted. After an
    /// error nothing more may be appended before the log was opened again.
    pub(in crate::embedded) fn append(
        &self,
        group: &mut GroupBuffer,
        sequence: u64,
        sync: bool,
    ) -> io::Result<Appended> {
        let mut writer = self.writer();
        let length = u32::try_from(group.len()).unwrap_or(u32::MAX);
        let offset = writer.position.offset;
        if offset > 0 && offset.saturating_add(length) > self.segment_bytes {
            self.change_segment(&mut writer)?;
        }
        let Writer { segment, position } = &mut *writer;
        let appended = Appended {
            segment: segment.number(),
            offset: position.offset,
        };
        group.seal(appended.segment, position.group + 1, sequence);
        segment.write(position.offset.into(), group.bytes())?;
        if sync {
            segment.sync()?;
        }
        position.group += 1;
        position.offset = position.offset.saturating_add(length);
        Ok(appended)
    }

    /// Makes the groups durable that were appended without a sync.
    pub(in crate::embedded) fn sync(&self) -> io::Result<()> {
        self.writer().segment.sync()
    }

    /// Goes on with the next segment, which was made in advance unless the writer was faster.
    fn change_segment(&self, writer: &mut Writer) -> io::Result<()> {
        // Groups without a sync may be in it; from here on nobody looks at it again.
        writer.segment.sync()?;
        if self.books().next.is_none() {
            self.prepare_segment()?;
        }
        let mut books = self.books();
        let Some(next) = books.next.take() else {
            return Err(io::Error::other("there is no next segment"));
        };
        let finished = writer.position;
        if let Some(line) = books.lines.get_mut(&finished.segment) {
            line.end = finished.offset;
        }
        writer.position.segment = next.number();
        writer.position.offset = 0;
        writer.segment = next;
        Ok(())
    }

    /// True if the current segment is so full that the next one should be made.
    pub(in crate::embedded) fn wants_segment(&self) -> bool {
        self.position().offset > self.segment_bytes / 2 && self.books().next.is_none()
    }

    /// Makes the next segment.
    pub(in crate::embedded) fn prepare_segment(&self) -> io::Result<()> {
        let _writing = self.manifest.lock();
        let number = {
            let books = self.books();
            if books.next.is_some() {
                return Ok(());
            }
            books.lines.keys().next_back().map_or(1, |last| last + 1)
        };
        let segment = Arc::new(Segment::create(&self.folder, number)?);
        let manifest = {
            let mut books = self.books();
            let line = SegmentLine {
                number,
                end: 0,
                live: 0,
            };
            books.lines.insert(number, line);
            Arc::make_mut(&mut books.segments).insert(number, Arc::clone(&segment));
            books.manifest(None)
        };
        manifest.write(&self.folder)?;
        self.books().next = Some(segment);
        Ok(())
    }

    /// The end of the log between two groups, for [`GroupLog::indexed`].
    pub(in crate::embedded) fn checkpoint(&self, sequence: u64) -> Checkpoint {
        let position = self.position();
        Checkpoint {
            position,
            sequence,
            live: self.books().live.clone(),
        }
    }

    /// Says that the trees hold all groups up to a checkpoint, durably.
    pub(in crate::embedded) fn indexed(&self, checkpoint: Checkpoint) -> io::Result<()> {
        {
            let mut books = self.books();
            books.indexed = checkpoint.position;
            books.sequence = checkpoint.sequence;
            for (number, live) in checkpoint.live {
                if let Some(line) = books.lines.get_mut(&number) {
                    line.live = live;
                }
            }
        }
        self.write_manifest(None)
    }

    /// Says that the log was closed, and is whole up to its end.
    pub(in crate::embedded) fn note_closed(&self) -> io::Result<()> {
        let position = self.position();
        self.write_manifest(Some(position))
    }

    /// Counts content that the trees began or ceased to refer to.
    pub(in crate::embedded) fn account(&self, begun: &[Location], ceased: &[Location]) {
        let mut books = self.books();
        for location in begun {
            *books.live.entry(location.segment).or_default() += u64::from(location.length);
        }
        for location in ceased {
            if let Some(live) = books.live.get_mut(&location.segment) {
                *live = live.saturating_sub(location.length.into());
            }
        }
    }

    /// The disk space of the log.
    pub(in crate::embedded) fn usage(&self) -> LogUsage {
        let current = self.position();
        let books = self.books();
        let mut usage = LogUsage {
            bytes: current.offset.into(),
            live: books.live.values().sum(),
            finished: Vec::new(),
        };
        for line in books.lines.values() {
            usage.bytes += u64::from(line.end);
            // The trees hold the groups of every segment before the one in which those begin that
            // they may lack.
            if line.number < current.segment
                && line.number < books.indexed.segment
                && let Some(segment) = books.segments.get(&line.number)
            {
                usage.finished.push(SegmentUse {
                    segment: Arc::clone(segment),
                    end: line.end,
                    live: books.live.get(&line.number).copied().unwrap_or_default(),
                });
            }
        }
        usage
    }

    /// Removes a finished segment in which nothing is that the trees refer to. Readers of it go on;
    /// its disk space is free when the last of them is done.
    pub(in crate::embedded) fn remove(&self, number: u32) -> io::Result<()> {
        let _writing = self.manifest.lock();
        let manifest = {
            let mut books = self.books();
            books.lines.remove(&number);
            books.live.remove(&number);
            Arc::make_mut(&mut books.segments).remove(&number);
            books.manifest(None)
        };
        manifest.write(&self.folder)?;
        fs::remove_file(segment::path(&self.folder, number))
    }

    /// Writes what opening the log would write first, so that a disk that refuses it is met before the
    /// log is closed: the manifest, and once more the end of what was appended.
    pub(in crate::embedded) fn probe(&self) -> io::Result<()> {
        self.write_manifest(None)?;
        let writer = self.writer();
        let from = writer.position.offset.saturating_sub(PROBE_BYTES);
        let length = usize::try_from(writer.position.offset - from).unwrap_or_default();
        let bytes = writer.segment.read(from.into(), length)?;
        writer.segment.write(from.into(), &bytes)?;
        writer.segment.sync()
    }

    fn write_manifest(&self, closed: Option<Position>) -> io::Result<()> {
        let _writing = self.manifest.lock();
        let manifest = self.books().manifest(closed);
        manifest.write(&self.folder)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn manifest(&self, closed: Option<Position>) -> Manifest {
        Manifest {
            indexed: self.indexed,
            sequence: self.sequence,
            segments: self.lines.values().copied().collect(),
            closed,
        }
    }

    /// Notes how long the segments before the current one are, where a crash came before that was
    /// written down.
    fn settle_ends(&mut self, current: u32) {
        // It may count as finished, where a crash came before the first group in the next one. It takes
        // groups again, so its end is not known any more.
        if let Some(line) = self.lines.get_mut(&current) {
            line.end = 0;
        }
        for (number, line) in &mut self.lines {
            if *number < current
                && line.end == 0
                && let Some(segment) = self.segments.get(number)
                && let Ok(length) = segment.length()
            {
                line.end = u32::try_from(length).unwrap_or(u32::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests;
