//! The folder of a store: its owner and its format.
//!
//! | name | content |
//! | --- | --- |
//! | `FORMAT` | one line, the format's name and number; written whole before anything is stored |
//! | `LOCK` | held by the process that owns the folder; its text is that process's id |
//! | `CLOCK` | the latest time that the store has shown; see `time_floor` |
//! | `store/` | the storage engine's own |
//! | `store.new/` | a store that is being made |
//! | `restore.draft/` | there while a backup is restored |
//! | `store.upgraded/` | a store of the latest format that is being made of an earlier one, see `upgrade` |

mod draft;
mod format;
mod upgrade;

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{replace_file, sync_folder};
use crate::embedded::error::OpenError;
use crate::private_folder;
pub(in crate::embedded) use format::Format;

const FORMAT_FILE: &str = "FORMAT";
const FORMAT_DRAFT: &str = "FORMAT.new";
const LOCK_FILE: &str = "LOCK";
const STORE_FOLDER: &str = "store";

/// A file of fjall in the store of an earlier format.
pub(in crate::embedded) const FJALL_FILE: &str = "version";

/// Names that a folder may hold before it becomes a store: files of an interrupted first start, files
/// that the server puts beside its store (its signing secret and its address), and the folder that a
/// file system has at its root.
const ALLOWED_BEFORE_FORMAT: &[&str] = &[
    LOCK_FILE,
    FORMAT_DRAFT,
    "job-token.secret",
    "listening",
    "lost+found",
];

/// The longest `FORMAT` or `LOCK` that is read; ours are shorter.
const MAX_TEXT: u64 = 256;

/// The time to wait for a lock that this very process had, and the pause between attempts. A child that is
/// just being started holds a copy of every open file until it runs its own program, so the lock
/// can outlive the store that was closed by a moment.
const OWN_LOCK_WAIT: Duration = Duration::from_secs(2);
const OWN_LOCK_PAUSE: Duration = Duration::from_millis(5);

/// A folder that this process owns until the value is dropped.
#[derive(Debug)]
pub(in crate::embedded) struct Folder {
    path: PathBuf,
    /// The folder of the storage engine's files, below the folder.
    store: PathBuf,
    /// The lock goes when the file is closed.
    lock: Arc<File>,
}

impl Folder {
    /// Takes the folder, and makes it a store's where it is empty or missing.
    pub(in crate::embedded) fn take(path: &Path) -> Result<Self, OpenError> {
        match Self::take_any(path)? {
            (folder, Format::Latest) => Ok(folder),
            (_, Format::Earlier(found)) => Err(OpenError::EarlierFormat {
                folder: path.to_owned(),
                found,
            }),
        }
    }

    /// The same for a folder whose store may have an earlier format.
    fn take_any(path: &Path) -> Result<(Self, Format), OpenError> {
        let failed = |cause| OpenError::from_io(path.to_owned(), cause);
        make(path).map_err(failed)?;
        // Before the lock, so that nothing is left in a folder that is somebody else's.
        refuse_foreign(path)?;
        // After that, so that the mode of a folder that is somebody else's stays as it is.
        private_folder::restrict(path)?;
        let lock = lock(path)?;
        refuse_foreign(path)?;
        let format = match read_text(&path.join(FORMAT_FILE)) {
            Ok(found) => format::read(path, &found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                write_format(path).map_err(failed)?;
                // Somebody else may have made the folder and not cared.
                match sync_entry(path) {
                    Err(error) if error.kind() != io::ErrorKind::PermissionDenied => {
                        return Err(failed(error));
                    }
                    Ok(()) | Err(_) => Format::Latest,
                }
            }
            Err(error) => return Err(failed(error)),
        };
        if format == Format::Latest {
            upgrade::finish(path).map_err(failed)?;
        }
        format.demand(path)?;
        let folder = Self {
            path: path.to_owned(),
            store: STORE_FOLDER.into(),
            lock: Arc::new(lock),
        };
        Ok((folder, format))
    }

    /// Takes a folder in which there is a store, and makes nothing where there is none.
    pub(in crate::embedded) fn take_store(path: &Path) -> Result<Self, OpenError> {
        demand_store(path)?;
        Self::take(path)
    }

    /// The same where the store may have an earlier format.
    pub(in crate::embedded) fn take_to_upgrade(path: &Path) -> Result<(Self, Format), OpenError> {
        demand_store(path)?;
        Self::take_any(path)
    }

    /// The folder itself.
    pub(in crate::embedded) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the storage engine's files while they are being made.
    pub(in crate::embedded) fn draft(&self) -> PathBuf {
        self.store().with_extension("new")
    }

    /// The folder of the storage engine's files.
    pub(in crate::embedded) fn store(&self) -> PathBuf {
        self.path.join(&self.store)
    }
}

/// Makes a folder with its parents so that they survive a power cut.
fn make(path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    let missing: Vec<_> = path.ancestors().take_while(is_missing).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    missing.into_iter().rev().try_for_each(sync_entry)
}

/// Makes the entry of a folder in its parent survive a power cut.
fn sync_entry(folder: &Path) -> io::Result<()> {
    match folder.parent() {
        None => Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
    }
}

fn demand_store(path: &Path) -> Result<(), OpenError> {
    match path.join(FORMAT_FILE).try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::NoStore {
            folder: path.to_owned(),
        }),
        Err(cause) => Err(OpenError::from_io(path.to_owned(), cause)),
    }
}

fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let failed = |cause| OpenError::from_io(path.to_owned(), cause);
    if path.join(FORMAT_FILE).try_exists().map_err(failed)? {
        return Ok(());
    }
    if path
        .join(draft::DRAFT_FOLDER)
        .try_exists()
        .map_err(failed)?
    {
        return Err(OpenError::UnfinishedRestore {
            folder: path.to_owned(),
        });
    }
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !ALLOWED_BEFORE_FORMAT.iter().any(|allowed| name == *allowed) {
            return Err(OpenError::NotAStore {
                folder: path.to_owned(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let failed = |cause| OpenError::from_io(folder.to_owned(), cause);
    let path = folder.join(LOCK_FILE);
    let opened = private_folder::own_file()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = opened.map_err(|cause| match private_folder::is_link(&cause) {
        true => OpenError::Link { path: path.clone() },
        false => failed(cause),
    })?;
    let deadline = Instant::now() + OWN_LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::WouldBlock) => {}
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The holder may not have written its id yet.
        let pid = read_text(&path).ok();
        let pid = pid.and_then(|text| text.trim().parse().ok());
        if pid != Some(std::process::id()) || Instant::now() >= deadline {
            let folder = folder.to_owned();
            return Err(OpenError::Locked { folder, pid });
        }
        std::thread::sleep(OWN_LOCK_PAUSE);
    }
    let mut note = || {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    note().map_err(failed)?;
    Ok(file)
}

fn write_format(folder: &Path) -> io::Result<()> {
    replace_file(folder, FORMAT_FILE, format::line().as_bytes())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_TEXT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_made_with_its_parents_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let folder = Folder::take(&path).unwrap();
        assert_eq!(folder.store(), path.join("store"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert_eq!(
            fs::read_to_string(path.join("FORMAT")).unwrap(),
            "prominence-kv 3\n"
        );
    }

    #[test]
    fn an_earlier_format_is_only_taken_to_be_upgraded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("FORMAT");
        fs::write(&path, "prominence-kv 1\n").unwrap();
        let refused = Folder::take(folder.path()).unwrap_err();
        assert!(matches!(refused, OpenError::EarlierFormat { found: 1, .. }));
        assert!(refused.to_string().contains("admin migrate"), "{refused}");
        let (_, format) = Folder::take_to_upgrade(folder.path()).unwrap();
        assert_eq!(format, Format::Earlier(1));
        assert_eq!(fs::read_to_string(&path).unwrap(), "prominence-kv 1\n");
    }

    #[test]
    fn the_servers_own_files_may_be_there_first_and_others_may_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("job-token.secret"), "s").unwrap();
        fs::write(folder.path().join("listening"), "127.0.0.1:1").unwrap();
        drop(Folder::take(folder.path()).unwrap());
        drop(Folder::take(folder.path()).unwrap());

        let foreign = tempfile::tempdir().unwrap();
        fs::write(foreign.path().join("thesis.tex"), "").unwrap();
        let refused = Folder::take(foreign.path()).unwrap_err();
        assert!(matches!(refused, OpenError::NotAStore { found, .. } if found == "thesis.tex"));
        assert_eq!(fs::read_dir(foreign.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_interrupted_first_start_is_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("FORMAT.new"), "promi").unwrap();
        drop(Folder::take(folder.path()).unwrap());
        assert!(!folder.path().join("FORMAT.new").exists());
    }

    #[test]
    fn links_in_the_place_of_files_that_are_written_are_refused_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = tempfile::NamedTempFile::new().unwrap();
        fs::write(target.path(), "kept").unwrap();
        let draft = folder.path().join("FORMAT.new");
        std::os::unix::fs::symlink(target.path(), &draft).unwrap();
        drop(Folder::take(folder.path()).unwrap());
        assert_eq!(fs::read_to_string(target.path()).unwrap(), "kept");

        let lock = folder.path().join("LOCK");
        fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink(target.path(), &lock).unwrap();
        let refused = Folder::take(folder.path()).unwrap_err();
        assert!(matches!(&refused, OpenError::Link { path } if *path == lock));
        assert_eq!(fs::read_to_string(target.path()).unwrap(), "kept");
    }

    #[test]
    fn the_mode_of_a_folder_that_is_no_store_stays() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Folder::take(folder.path()).unwrap_err();
        let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::take(folder.path()).unwrap();
        let refused = Folder::take(folder.path()).unwrap_err();
        let OpenError::Locked { pid, .. } = &refused else {
            panic!("{refused}");
        };
        assert_eq!(*pid, Some(std::process::id()));
        assert!(
            refused
                .to_string()
                .contains(&std::process::id().to_string())
        );
        drop(first);
        assert!(Folder::take(folder.path()).is_ok());
    }

    #[test]
    fn a_file_is_no_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        let refused = Folder::take(&path).unwrap_err();
        assert!(matches!(refused, OpenError::NotADirectory { .. }));
        let refused = Folder::take(&path.join("below")).unwrap_err();
        assert!(matches!(refused, OpenError::NotADirectory { .. }));
    }
}
