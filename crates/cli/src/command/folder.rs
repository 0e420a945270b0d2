//! A folder on this machine that keys are copied into, or from.

mod at_folder;
mod letter_case;
mod staging;
mod walk;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prominence_core::limits::MAX_VALUE_BYTES;
use rustix::fs::renameat;

use super::file_name::{OWN_VALUE, STAGING};
use crate::failure::{Failure, next_step};

use at_folder::{FileKind, file_kind};
use letter_case::LetterCase;

pub(super) use walk::{Found, walk};

/// Tries to open what other exports remove as they end. Each try that fails means that one has ended meanwhile.
const TRIES: u32 = 100;

/// A folder that files are put into. Each file appears complete under its name: it is written in a staging folder
/// inside the folder and renamed. No link below the folder is followed: every name is opened in the
/// open folder before it.
pub(super) struct Destination {
    /// The path of the folder for messages.
    root: PathBuf,
    folder: OwnedFd,
    staging: OwnedFd,
    /// Locked until this is dropped.
    _lock: File,
    /// The next name in the staging folder.
    next: AtomicU64,
    /// Locked while folders are made and files get their names, so that no worker makes a folder of a path that another
    /// one has just found to be a file. Has the known names, for file systems that ignore the case of letters.
    structure: Mutex<LetterCase>,
}

/// The file of a value.
struct FileSlot {
    folder: OwnedFd,
    name: String,
    /// Its path for messages.
    path: PathBuf,
}

/// The result for one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PutOutcome {
    /// Its file was written.
    Written,
    /// Its file exists with the same bytes.
    Unchanged,
}

impl Destination {
    /// Opens the folder, makes it if it does not exist, and removes the files that an interrupted export left in its
    /// staging folder. The folder itself may be a link.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let make = |error| unusable(root, &error);
        fs::create_dir_all(root).map_err(make)?;
        let folder = OwnedFd::from(File::open(root).map_err(make)?);
        let path = root.join(STAGING);
        let (staging, lock) = staging::open(root, folder.as_fd(), &path)?;
        let unclear = |error| cannot("clear", &path, &error);
        for name in at_folder::names(&staging).map_err(unclear)? {
            if name.to_bytes() != staging::LOCK.as_bytes() {
                at_folder::remove(&staging, name.as_c_str()).map_err(unclear)?;
            }
        }
        let case = LetterCase::of(&staging).map_err(|error| cannot("use", &path, &error))?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            staging,
            _lock: lock,
            next: AtomicU64::new(0),
            structure: Mutex::new(case),
        })
    }

    /// Puts a value into its file, unless the file has the same bytes.
    pub(super) fn put(&self, names: &[String], value: &[u8]) -> Result<PutOutcome, Failure> {
        let structure = || {
            self.structure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let slot = {
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
            self.slot(names)?
        };
        if at_folder::holds(&slot.folder, &slot.name, value) {
            return Ok(PutOutcome::Unchanged);
        }
        let draft = self.draft();
        at_folder::write_new(&self.staging, &draft, value)
            .map_err(|error| cannot("write", &self.root.join(STAGING).join(&draft), &error))?;
        // Another worker may have made a folder of this path meanwhile.
        let _held = structure();
        let FileSlot { folder, name, path } = self.slot(names)?;
        renameat(&self.staging, &draft, &folder, &name)
            .map_err(|error| cannot("write", &path, &error.into()))?;
        Ok(PutOutcome::Written)
    }

    /// The file for these names; makes all folders on the way.
    fn slot(&self, names: &[String]) -> Result<FileSlot, Failure> {
        let mut path = self.root.clone();
        let again = self.folder.try_clone();
        let mut folder = again.map_err(|error| cannot("open", &self.root, &error))?;
        let (name, folders) = match names.split_last() {
            Some((name, folders)) => (name.as_str(), folders),
            None => (OWN_VALUE, names),
        };
        for name in folders {
            path.push(name);
            if look(folder.as_fd(), name, &path)? == FileKind::File {
                self.make_room(folder.as_fd(), name, &path)?;
            }
            folder = enter(folder.as_fd(), name, &path)?;
        }
        let mut name = name;
        path.push(name);
        if look(folder.as_fd(), name, &path)? == FileKind::Folder {
            folder = enter(folder.as_fd(), name, &path)?;
            name = OWN_VALUE;
            path.push(name);
        }
        match look(folder.as_fd(), name, &path)? {
            FileKind::Nothing | FileKind::File => Ok(FileSlot {
                folder,
                name: name.to_owned(),
                path,
            }),
            FileKind::Folder => Err(Failure::Usage(format!(
                "{} is a folder, but a value goes there; move it away",
                path.display()
            ))),
            other => Err(refuse(&path, other)),
        }
    }

    /// Makes a folder of a file, which becomes the folder's own value.
    fn make_room(&self, at: BorrowedFd<'_>, name: &str, path: &Path) -> Result<(), Failure> {
        let draft = self.draft();
        let make = || -> io::Result<()> {
            at_folder::make_folder(&self.staging, &draft)?;
            let folder = at_folder::open_folder(&self.staging, &draft)?;
            renameat(at, name, &folder, OWN_VALUE)?;
            Ok(renameat(&self.staging, &draft, at, name)?)
        };
        make().map_err(|error| cannot("make a folder of", path, &error))
    }

    /// A new name in the staging folder.
    fn draft(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // The next export removes the rest; no file there is taken for a value.
        let _ = at_folder::remove(&self.folder, STAGING);
    }
}

/// Says why the folder of an export can't be made or opened.
fn unusable(root: &Path, error: &io::Error) -> Failure {
    // The cause may be a folder on the way.
    for path in root.ancestors() {
        let shown = path.display();
        if let (Ok(target), Err(_)) = (fs::read_link(path), path.metadata()) {
            return Failure::Usage(format!(
                "{shown} is a symbolic link to {}, which cannot be opened; make that folder, or name another place",
                target.display()
            ));
        }
        if path.metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            return Failure::Usage(format!(
                "{shown} is a file, and an export needs a folder; name another place"
            ));
        }
    }
    cannot("make the folder", root, error)
}

/// Opens a folder in a folder, and makes it if it does not exist.
fn enter(at: BorrowedFd<'_>, name: &str, path: &Path) -> Result<OwnedFd, Failure> {
    let failed = |error| cannot("make the folder", path, &error);
    let mut opened = make_and_open(at, name, path)?;
    for _ in 1..TRIES {
        match &opened {
            // Another process has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
        opened = make_and_open(at, name, path)?;
    }
    opened.map_err(|error| match file_kind(at, name) {
        Ok(other @ (FileKind::Link | FileKind::Special)) => refuse(path, other),
        // It was not a folder when it was opened, and has been replaced by one since.
        Ok(FileKind::Folder) if error.kind() == io::ErrorKind::NotADirectory => {
            refuse(path, FileKind::Link)
        }
        _ => failed(error),
    })
}

/// One try of [`enter`]; the inner error is that of opening the folder.
fn make_and_open(
    at: BorrowedFd<'_>,
    name: &str,
    path: &Path,
) -> Result<io::Result<OwnedFd>, Failure> {
    if look(at, name, path)? == FileKind::Nothing {
        match at_folder::make_folder(at, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(cannot("make the folder", path, &error));
            }
            _ => {}
        }
    }
    Ok(at_folder::open_folder(at, name))
}

fn look(at: BorrowedFd<'_>, name: &str, path: &Path) -> Result<FileKind, Failure> {
    file_kind(at, name).map_err(|error| cannot("look at", path, &error))
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

/// The failure of an operation on a file, with the reason.
pub(super) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    let next = next_step(error, "name another place");
    Failure::Usage(format!("cannot {what} {}: {error}; {next}", path.display()))
}

fn refuse(path: &Path, file_kind: FileKind) -> Failure {
    let kind = match file_kind {
        FileKind::Link => "a symbolic link",
        _ => "a special file",
    };
    Failure::Usage(format!(
        "{} is {kind}, which an export neither follows nor replaces; move it away",
        path.display(),
    ))
}
