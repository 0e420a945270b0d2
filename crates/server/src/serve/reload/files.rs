//! Notices that files have changed, by looking at them by name again and again.
//!
//! Files are replaced by renames, and in Kubernetes by another link to their folder, so that a watch of the files or of their
//! folder would miss changes.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::block_in_place;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Files as they were at a look.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::serve) struct FileStamps(Vec<(PathBuf, Option<Stamp>)>);

/// A file's identity and its times; another content comes with another stamp.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamps {
    /// The files as they are now, whether they are there or not.
    pub(in crate::serve) fn of(files: Vec<PathBuf>) -> Self {
        let stamped = files.into_iter().map(|file| {
            let stamp = Stamp::of(&file);
            (file, stamp)
        });
        Self(stamped.collect())
    }

    /// Other files: those that are among these as they were, and the others as they are now.
    pub(super) fn exchanged_for(&self, files: Vec<PathBuf>) -> Self {
        let Self(mut stamped) = Self::of(files);
        for (file, stamp) in &mut stamped {
            if let Some((_, known)) = self.0.iter().find(|(known, _)| known == file) {
                *stamp = *known;
            }
        }
        Self(stamped)
    }

    /// Comes when files have changed and were the same in two looks, so that nobody is writing them any more.
    pub(super) async fn changed(&self) {
        let mut seen = self.clone();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let now = block_in_place(|| self.again());
            if now != *self && now == seen {
                return;
            }
            seen = now;
        }
    }

    /// The same files as they are now.
    pub(super) fn again(&self) -> Self {
        Self::of(self.0.iter().map(|(file, _)| file.clone()).collect())
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let found = fs::metadata(file).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            bytes: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_replaced_or_protected_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        let absent = FileStamps::of(vec![file.clone()]);
        assert!(absent.again() == absent);
        fs::write(&file, "1").unwrap();
        let written = absent.again();
        assert!(written != absent && written.again() == written);
        let draft = folder.path().join("b");
        fs::write(&draft, "1").unwrap();
        fs::rename(&draft, &file).unwrap();
        let replaced = written.again();
        assert!(replaced != written);
        let more = replaced.exchanged_for(vec![file, draft]);
        assert_eq!(more.0.len(), 2);
        assert!(more.0.first() == replaced.0.first());
    }
}
