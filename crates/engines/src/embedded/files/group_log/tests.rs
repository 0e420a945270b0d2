//! Opening a log as a crash, a power cut or damage left it.

mod damage;
mod torn;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::format::GroupBuffer;
use super::*;
use crate::embedded::files::damage::{DamagedFile, Unsound};

/// Bytes of the content of a row: a group takes several sectors.
const CONTENT: usize = 1_500;

/// Bytes of a segment in which a few groups find room.
const SMALL: u32 = 6_000;

/// Bytes of a segment in which all groups of a test find room.
const LARGE: u32 = 1 << 20;

/// A log of which nothing is open, and the groups in it.
struct Written {
    folder: tempfile::TempDir,
    groups: Vec<Place>,
}

/// The place where a group is.
#[derive(Clone, Debug)]
struct Place {
    segment: u32,
    bytes: Range<usize>,
}

impl Written {
    /// A log of so many groups, as a process that was killed leaves it.
    fn killed(groups: u64, segment_bytes: u32) -> Self {
        let folder = place();
        create(folder.path()).unwrap();
        let mut written = Self {
            folder,
            groups: Vec::new(),
        };
        let log = written.open(segment_bytes).unwrap().log;
        for number in 1..=groups {
            written.append(&log, number, &content(number));
        }
        written
    }

    /// Appends a group whose sequence number is ten times its own.
    fn append(&mut self, log: &GroupLog, number: u64, content: &[u8]) {
        let mut group = group(number, content);
        let appended = log.append(&mut group, 10 * number, true).unwrap();
        let start = appended.offset as usize;
        self.groups.push(Place {
            segment: appended.segment,
            bytes: start..start + group.len(),
        });
    }

    fn open(&self, segment_bytes: u32) -> Result<Opened, String> {
        open(self.folder.path(), segment_bytes, 0).map(|(opened, _)| opened)
    }

    /// The groups that opening it shows.
    fn shown(&self) -> Result<Vec<u64>, String> {
        open(self.folder.path(), LARGE, 0).map(|(_, shown)| shown)
    }

    /// Demands that exactly the groups up to a number are left, and that the log goes on behind them.
    fn assert_goes_on_after(&self, last: u64, what: &str) {
        let (opened, shown) = open(self.folder.path(), LARGE, 0).expect(what);
        assert_eq!(shown, (1..=last).collect::<Vec<_>>(), "{what}");
        assert_eq!(opened.sequence, 10 * last, "{what}");
        let mut next = group(last + 1, &content(99));
        opened.log.append(&mut next, 10 * (last + 1), true).unwrap();
        drop(opened);
        let shown = self.shown().expect(what);
        assert_eq!(shown, (1..=last + 1).collect::<Vec<_>>(), "{what}");
    }

    /// Demands that it is refused with the name of a file, and left as it is.
    fn assert_refused(&self, named: &str, what: &str) {
        let before = self.files();
        let refused = self.shown().expect_err(what);
        assert!(
            refused.starts_with(&format!("store/log/{named}: ")),
            "{what}: {refused}"
        );
        assert_eq!(self.files(), before, "{what}");
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join(FOLDER)
    }

    fn segment(&self, number: u32) -> PathBuf {
        segment::path(&self.log(), number)
    }

    fn manifest(&self) -> PathBuf {
        self.log().join(manifest::FILE)
    }

    fn last(&self) -> Place {
        self.groups.last().unwrap().clone()
    }

    /// Changes the bytes of a segment.
    fn change(&self, number: u32, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.segment(number);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    /// Everything in the folder of the log, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.log()).unwrap();
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        };
        entries.map(|entry| file(entry.unwrap())).collect()
    }

    /// Puts files back as they were.
    fn restore(&self, files: &BTreeMap<String, Vec<u8>>) {
        fs::remove_dir_all(self.log()).unwrap();
        fs::create_dir(self.log()).unwrap();
        for (name, bytes) in files {
            fs::write(self.log().join(name), bytes).unwrap();
        }
    }
}

/// A folder, in memory where there is such a place: nothing here depends on syncs.
fn place() -> tempfile::TempDir {
    match Path::new("/dev/shm") {
        memory if memory.exists() => tempfile::tempdir_in(memory).unwrap(),
        _ => tempfile::tempdir().unwrap(),
    }
}

/// Content without zeros, so that no sector of it looks as if it was never written.
fn content(number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    std::iter::repeat_with(|| random.u8(1..))
        .take(CONTENT)
        .collect()
}

fn group(number: u64, content: &[u8]) -> GroupBuffer {
    let mut group = GroupBuffer::with_capacity(content.len());
    group.put(0, &number.to_be_bytes(), |to| to.extend_from_slice(content));
    group
}

/// Opens a log; answers the groups that were shown, or which file is damaged and how.
fn open(store: &Path, segment_bytes: u32, in_files: u64) -> Result<(Opened, Vec<u64>), String> {
    let mut shown = Vec::new();
    let opened = GroupLog::open(store, segment_bytes, in_files, &mut |group| {
        shown.push(group.header.group);
        Ok(())
    });
    match opened {
        Ok(opened) => Ok((opened, shown)),
        Err(Unsound::Damaged(DamagedFile { file, how })) => Err(format!("{file}: {how}")),
        Err(Unsound::Io(error)) => Err(format!("the operating system: {error}")),
    }
}
