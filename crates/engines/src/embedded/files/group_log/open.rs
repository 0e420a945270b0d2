//! Making a log, opening it after a crash or a clean end, and comparing all of it with its checksums.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::super::damage::{DamagedFile, Unsound};
use super::super::disk::sync_folder;
use super::manifest::{self, Manifest, Position, SegmentLine};
use super::replay::{self, Group};
use super::segment::{self, Segment};
use super::{Books, FOLDER, GroupLog, Segments, Writer};
use crate::embedded::error::StorageError;

/// An opened log.
pub(in crate::embedded) struct Opened {
    pub(in crate::embedded) log: GroupLog,
    /// The sequence number of the last group.
    pub(in crate::embedded) sequence: u64,
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
