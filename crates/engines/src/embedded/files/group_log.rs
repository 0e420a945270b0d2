//! The log of groups: the only home of large values, and what a crash leaves of the last commits.
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
//! | `replay` | reading the log after a crash |
//!
//! **Invariants**
//! - A segment is named in the manifest before a group is written to it, and until after its last
//!   content was moved elsewhere, durably.
//! - A segment is removed only when the trees hold all of its groups.
//! - Groups are numbered without gaps, and a number is never used again.

pub(in crate::embedded) mod format;
pub(in crate::embedded) mod manifest;
pub(in crate::embedded) mod replay;
pub(in crate::embedded) mod segment;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::ops::Range;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::sync_folder;
use super::verification::{DamagedFile, Unsound};
use crate::embedded::error::StorageError;
use format::GroupBuffer;
use manifest::{Manifest, Position, SegmentLine};
use replay::Group;
use segment::{Location, Segment};

/// The name of the log's folder, in that of the store.
pub(in crate::embedded) const FOLDER: &str = "log";

/// The name of the folder of the trees, and theirs in it, by the numbers of the tables.
const INDEX: &str = "index";
pub(in crate::embedded) const TREES: [&str; 4] = ["entries", "changes", "expiry", "namespaces"];

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

/// Where the next group goes.
#[derive(Debug)]
struct Writer {
    segment: Arc<Segment>,
    position: Position,
}

/// What is known of the segments. The lock is held for moments only, never over a sync.
#[derive(Debug)]
struct Books {
    segments: Arc<Segments>,
    lines: BTreeMap<u32, SegmentLine>,
    /// What the lines say of content that is referred to holds for `indexed`; this for now.
    live: BTreeMap<u32, u64>,
    indexed: Position,
    sequence: u64,
    /// The next segment, made in advance.
    next: Option<Arc<Segment>>,
}

/// Where a group was written.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded) struct Appended {
    pub(in crate::embedded) segment: u32,
    /// Where the group begins in the segment.
    pub(in crate::embedded) offset: u32,
}

impl Appended {
    /// Where bytes of the group are.
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

/// What opening the log found.
pub(in crate::embedded) struct Opened {
    pub(in crate::embedded) log: GroupLog,
    /// The sequence number of the last group.
    pub(in crate::embedded) sequence: u64,
}

/// An end of the log, and what was referred to by then.
#[derive(Clone, Debug)]
pub(in crate::embedded) struct Checkpoint {
    position: Position,
    /// The sequence number of the last group.
    sequence: u64,
    live: BTreeMap<u32, u64>,
}

/// How much room the log takes.
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

/// Makes an empty log in the folder of a store.
pub(in crate::embedded) fn create(store: &Path) -> io::Result<()> {
    let folder = store.join(FOLDER);
    DirBuilder::new().mode(0o700).create(&folder)?;
    Segment::create(&folder, 1)?;
    let line = SegmentLine {
        number: 1,
        end: 0,
        live: 0,
    };
    let manifest = Manifest {
        indexed: Position {
            segment: 1,
            ..Position::default()
        },
        segments: vec![line],
        ..Manifest::default()
    };
    manifest.write(&folder)?;
    sync_folder(store)
}

impl GroupLog {
    /// Opens the log in the folder of a store, and shows the groups that the trees may lack. What a
    /// crash tore is cut off. `in_files` is the highest sequence number that the trees have in files.
    pub(in crate::embedded) fn open(
        store: &Path,
        segment_bytes: u32,
        in_files: u64,
        visit: &mut dyn FnMut(&Group<'_>) -> Result<(), Unsound>,
    ) -> Result<Opened, Unsound> {
        let folder = store.join(FOLDER);
        let manifest = read_manifest(&folder)?;
        let segments = open_segments(&folder, &manifest)?;
        let mut sequence = manifest.sequence;
        let end = replay::replay(&segments, manifest.indexed, &mut |group| {
            if group.header.sequence <= sequence {
                let how = "the sequence numbers of two groups are out of order";
                return Err(Unsound::damaged(replay::file(group.header.segment), how));
            }
            sequence = group.header.sequence;
            visit(group)
        })?;
        if let Some(closed) = manifest.closed
            && (end.is_torn || closed.group != end.position.group)
        {
            let how = format!(
                "its last group is {}, and was {} when the store was closed",
                end.position.group, closed.group
            );
            return Err(Unsound::damaged(replay::file(closed.segment), how));
        }
        // Rows get into the trees only when their group is durable, so this is no torn group. It is
        // noticed before anything is cut off.
        if in_files > sequence {
            let how = format!(
                "its last group has the sequence number {sequence}, and the index holds rows of \
                 group {in_files}: the end of the log is missing"
            );
            return Err(Unsound::damaged(replay::file(end.position.segment), how));
        }
        let segment = writable(&folder, &segments, &end)?;
        if manifest.closed.is_none() {
            renew_last(&segment, &end)?;
        }
        let log = Self::with(folder, segment_bytes, manifest, segments, segment, &end);
        // From here on the log may grow, and the mark of a clean end is out of date.
        log.write_manifest(None)?;
        Ok(Opened { log, sequence })
    }

    fn with(
        folder: PathBuf,
        segment_bytes: u32,
        manifest: Manifest,
        segments: Segments,
        segment: Arc<Segment>,
        end: &replay::End,
    ) -> Self {
        let lines = manifest.segments.iter().map(|line| (line.number, *line));
        let live = manifest
            .segments
            .iter()
            .map(|line| (line.number, line.live));
        let mut books = Books {
            segments: Arc::new(segments),
            live: live.collect(),
            lines: lines.collect(),
            indexed: manifest.indexed,
            sequence: manifest.sequence,
            next: None,
        };
        let mut position = end.position;
        if position.segment != segment.number() {
            position.segment = segment.number();
            position.offset = 0;
        }
        books.settle_ends(position.segment);
        // One may have been made in advance.
        let later = books.segments.range(position.segment + 1..).next();
        books.next = later.map(|(_, next)| Arc::clone(next));
        Self {
            folder,
            segment_bytes,
            writer: Mutex::new(Writer { segment, position }),
            books: Mutex::new(books),
            manifest: Mutex::new(()),
        }
    }

    /// The segments that content can be read from now.
    pub(in crate::embedded) fn segments(&self) -> Arc<Segments> {
        Arc::clone(&self.books().segments)
    }

    /// Where the next group goes, unless it does not fit there.
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

    /// Whether the current segment is so full that the next one should be made.
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

    /// How much room the log takes.
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

    /// Removes a finished segment in which nothing is that the trees refer to. Who reads in it goes
    /// on; the disk has its room again when the last of them is done.
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

/// Compares every group with its checksum, up to those that are read when the log is opened.
pub(in crate::embedded) fn compare_groups(
    store: &Path,
    found: &mut dyn FnMut(DamagedFile),
) -> Result<(), Unsound> {
    let folder = store.join(FOLDER);
    let manifest = read_manifest(&folder)?;
    let segments = open_segments(&folder, &manifest)?;
    for line in &manifest.segments {
        let Some(segment) = segments.get(&line.number) else {
            continue;
        };
        let end = match line.end {
            0 if line.number == manifest.indexed.segment => manifest.indexed.offset,
            end => end,
        };
        match replay::visit(segment, end, &mut |_, _| Ok(true)) {
            Ok(()) => {}
            Err(StorageError::Damaged { file, how }) => found(DamagedFile { file, how }),
            Err(StorageError::Io(error)) => return Err(error.into()),
            Err(error) => return Err(io::Error::other(error).into()),
        }
    }
    Ok(())
}

fn read_manifest(folder: &Path) -> Result<Manifest, Unsound> {
    let file = format!("store/{FOLDER}/{}", manifest::FILE);
    match Manifest::read(folder) {
        Ok(Some(manifest)) => Ok(manifest),
        Ok(None) => Err(Unsound::damaged(file, "it is not what was written")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Unsound::damaged(file, "it is missing"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens the segments that the manifest names, and removes those that a crash left behind.
fn open_segments(folder: &Path, manifest: &Manifest) -> Result<Segments, Unsound> {
    let mut segments = Segments::new();
    for line in &manifest.segments {
        let segment = match Segment::open(folder, line.number) {
            Ok(segment) => segment,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unsound::damaged(replay::file(line.number), "it is missing"));
            }
            Err(error) => return Err(error.into()),
        };
        let length = segment.length()?;
        if line.end > 0 && length != u64::from(line.end) {
            let how = format!("it has {length} bytes, and {} were written", line.end);
            return Err(Unsound::damaged(replay::file(line.number), how));
        }
        segments.insert(line.number, Arc::new(segment));
    }
    let newest = segments.keys().next_back().copied();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(segment::number_of) else {
            continue;
        };
        if segments.contains_key(&number) {
            continue;
        }
        let unnamed = Segment::open(folder, number)?;
        // A segment is named before it is written to. So the manifest is of an earlier time.
        if Some(number) > newest && unnamed.length()? > 0 {
            let how = format!(
                "it is older than the segment {}, which it does not name",
                segment::name(number)
            );
            let file = format!("store/{FOLDER}/{}", manifest::FILE);
            return Err(Unsound::damaged(file, how));
        }
        fs::remove_file(segment::path(folder, number))?;
    }
    Ok(segments)
}

/// The segment that groups are appended to, cut off where a crash tore the last group.
fn writable(
    folder: &Path,
    segments: &Segments,
    end: &replay::End,
) -> Result<Arc<Segment>, Unsound> {
    // The last segment may have been removed, or hold nothing yet.
    let current = segments.range(end.position.segment..).next();
    let Some((_, segment)) = current else {
        let file = format!("store/{FOLDER}/{}", manifest::FILE);
        let how = format!(
            "it names no segment for groups behind {}",
            end.position.group
        );
        return Err(Unsound::damaged(file, how));
    };
    if end.is_torn {
        tracing::info!(
            segment = segment.number(),
            end = end.position.offset,
            folder = %folder.display(),
            "the last group was torn by a crash and nobody was told that it was written; it is \
             left out"
        );
        segment.cut(end.position.offset.into())?;
    }
    Ok(Arc::clone(segment))
}

/// Writes the last group once more in its place, and syncs it.
///
/// It may be in the cache of the operating system alone: a sync that failed leaves pages there that
/// count as written (Rebello and others, "Can Applications Recover from fsync Failures?", USENIX ATC
/// 2020). Every group before it was synced with success.
fn renew_last(segment: &Segment, end: &replay::End) -> io::Result<()> {
    if let Some(offset) = end.last
        && end.position.segment == segment.number()
    {
        let length = usize::try_from(end.position.offset - offset).unwrap_or_default();
        let group = segment.read(offset.into(), length)?;
        segment.write(offset.into(), &group)?;
    }
    segment.sync()
}

#[cfg(test)]
mod tests;
