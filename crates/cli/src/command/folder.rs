//! A folder on this machine that keys are copied into, or from.

mod letter_case;
mod walk;

use std::fs::{self, File, FileType, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prominence_core::limits::MAX_VALUE_BYTES;

use super::file_name::{OWN_VALUE, WORKSHOP};
use crate::failure::Failure;

use letter_case::LetterCase;

pub(super) use walk::{Found, walk};

/// The file in the workshop that says that somebody is at work.
const LOCK: &str = "lock";

/// A folder that files are put into. Each appears whole, at once, under its name: it is written in
/// a workshop inside the folder and moved. Nothing is followed out of the folder.
pub(super) struct Destination {
    root: PathBuf,
    workshop: PathBuf,
    /// Held as long as this lives.
    _lock: File,
    /// Names in the workshop.
    next: AtomicU64,
    /// Held while folders are made and files get their names, so that nobody makes a folder of
    /// what another has just found to be a file; and what is known of their letters.
    structure: Mutex<LetterCase>,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Its file was written.
    Written,
    /// Its file was there, with the same bytes.
    Already,
}

/// What stands at a path.
enum Standing {
    Nothing,
    File,
    Folder,
    Other(FileType),
}

impl Destination {
    /// Opens the folder, makes it where there is none, and throws away what an interrupted export
    /// left in its workshop.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(|error| cannot("make the folder", root, &error))?;
        let workshop = root.join(WORKSHOP);
        make_folder(&workshop)?;
        let path = workshop.join(LOCK);
        let lock = File::create(&path).map_err(|error| cannot("write", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Usage(format!(
                    "another export into {} is under way; wait for its end",
                    root.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
        }
        let left = fs::read_dir(&workshop).map_err(|error| cannot("read", &workshop, &error))?;
        for entry in left {
            let entry = entry.map_err(|error| cannot("read", &workshop, &error))?;
            if entry.file_name() != LOCK {
                let path = entry.path();
                remove(&path).map_err(|error| cannot("remove", &path, &error))?;
            }
        }
        let case = LetterCase::of(&workshop).map_err(|error| cannot("use", &workshop, &error))?;
        Ok(Self {
            root: root.to_owned(),
            workshop,
            _lock: lock,
            next: AtomicU64::new(0),
            structure: Mutex::new(case),
        })
    }

    /// Puts a value into its file, unless it is there already.
    pub(super) fn put(&self, names: &[String], value: &[u8]) -> Result<Kept, Failure> {
        let structure = || {
            self.structure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let place = {
            let mut case = structure();
            case.admit(names).map_err(|clash| {
                Failure::Usage(format!(
                    "{} does not tell {} from {}; export to a file system on which upper and \
                     lower case differ",
                    self.root.display(),
                    clash.path,
                    clash.other
                ))
            })?;
            self.place(names)?
        };
        if holds(&place, value) {
            return Ok(Kept::Already);
        }
        let draft = self.draft();
        fs::write(&draft, value).map_err(|error| cannot("write", &draft, &error))?;
        // Another may have made a folder of the place meanwhile.
        let _held = structure();
        let place = self.place(names)?;
        fs::rename(&draft, &place).map_err(|error| cannot("write", &place, &error))?;
        Ok(Kept::Written)
    }

    /// Where the value of these names goes, with all folders on the way made.
    fn place(&self, names: &[String]) -> Result<PathBuf, Failure> {
        let mut path = self.root.clone();
        let (name, folders) = match names.split_last() {
            Some((name, folders)) => (name.as_str(), folders),
            None => (OWN_VALUE, names),
        };
        for folder in folders {
            path.push(folder);
            match standing(&path)? {
                Standing::Folder => {}
                Standing::Nothing => make_folder(&path)?,
                Standing::File => self.make_room(&path)?,
                Standing::Other(kind) => return Err(refuse(&path, kind)),
            }
        }
        path.push(name);
        if let Standing::Folder = standing(&path)? {
            path.push(OWN_VALUE);
        }
        match standing(&path)? {
            Standing::Nothing | Standing::File => Ok(path),
            Standing::Folder => Err(Failure::Usage(format!(
                "{} is a folder, but a value goes there",
                path.display()
            ))),
            Standing::Other(kind) => Err(refuse(&path, kind)),
        }
    }

    /// Makes a folder of a file, which becomes the folder's own value.
    fn make_room(&self, path: &Path) -> Result<(), Failure> {
        let folder = self.draft();
        let failed = |error: io::Error| cannot("make a folder of", path, &error);
        fs::create_dir(&folder).map_err(failed)?;
        fs::rename(path, folder.join(OWN_VALUE)).map_err(failed)?;
        fs::rename(&folder, path).map_err(failed)
    }

    /// A place in the workshop that nobody else uses.
    fn draft(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.workshop.join(number.to_string())
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // What is left is thrown away by the next export, and never taken for a value.
        let _ = fs::remove_dir_all(&self.workshop);
    }
}

/// Reads a file, but no more than any value can have.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(MAX_VALUE_BYTES as u64 + 1)
                .read_to_end(&mut value)
        })
        .map_err(|error| cannot("read", path, &error))?;
    Ok(value)
}

/// What can't be done with which file, and why.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!("cannot {what} {}: {error}", path.display()))
}

/// What a file is that is neither a file nor a folder.
pub(super) fn kind_of(kind: FileType) -> &'static str {
    if kind.is_symlink() {
        "a symbolic link"
    } else {
        "a special file"
    }
}

fn refuse(path: &Path, kind: FileType) -> Failure {
    Failure::Usage(format!(
        "{} is {}, which an export neither follows nor replaces; move it away",
        path.display(),
        kind_of(kind)
    ))
}

fn standing(path: &Path) -> Result<Standing, Failure> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Standing::File),
        Ok(metadata) if metadata.is_dir() => Ok(Standing::Folder),
        Ok(metadata) => Ok(Standing::Other(metadata.file_type())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Standing::Nothing),
        Err(error) => Err(cannot("look at", path, &error)),
    }
}

/// Makes a folder unless there is one; a link to one is none.
fn make_folder(path: &Path) -> Result<(), Failure> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match standing(path)? {
            Standing::Folder => Ok(()),
            _ => Err(cannot("make the folder", path, &error)),
        },
        Err(error) => Err(cannot("make the folder", path, &error)),
    }
}

/// Whether a file, if there is one, has exactly these bytes. One that can't be read is replaced.
fn holds(path: &Path, value: &[u8]) -> bool {
    let length = value.len() as u64;
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() == length)
        && fs::read(path).is_ok_and(|bytes| bytes == value)
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}
