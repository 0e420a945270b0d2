//! A folder on this machine that keys are copied into, or from.

mod beneath;
mod letter_case;
mod walk;
mod workshop;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prominence_core::limits::MAX_VALUE_BYTES;
use rustix::fs::renameat;

use super::file_name::{OWN_VALUE, WORKSHOP};
use crate::failure::{Failure, next_step};

use beneath::{Standing, standing};
use letter_case::LetterCase;

pub(super) use walk::{Found, walk};

/// Tries to open what other exports remove as they end. Each try that fails means that one has ended meanwhile.
const TRIES: u32 = 100;

/// A folder that files are put into. Each appears whole, at once, under its name: it is written in
/// a workshop inside the folder and moved. No link below the folder is followed: every name is opened in the
/// open folder before it.
pub(super) struct Destination {
    /// What to call the folder.
    root: PathBuf,
    folder: OwnedFd,
    workshop: OwnedFd,
    /// Held as long as this lives.
    _lock: File,
    /// Names in the workshop.
    next: AtomicU64,
    /// Held while folders are made and files get their names, so that nobody makes a folder of
    /// what another has just found to be a file; and what is known of their letters.
    structure: Mutex<LetterCase>,
}

/// Where a value goes.
struct Place {
    folder: OwnedFd,
    name: String,
    /// What to call it.
    path: PathBuf,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Its file was written.
    Written,
    /// Its file was there, with the same bytes.
    Already,
}

impl Destination {
    /// Opens the folder, makes it where there is none, and throws away what an interrupted export
    /// left in its workshop. The folder itself may be a link.
    pub(super) fn open(root: &Path) -> Result<Self, Failure> {
        let make = |error| unusable(root, &error);
        fs::create_dir_all(root).map_err(make)?;
        let folder = OwnedFd::from(File::open(root).map_err(make)?);
        let path = root.join(WORKSHOP);
        let (workshop, lock) = workshop::open(root, folder.as_fd(), &path)?;
        let unclear = |error| cannot("clear", &path, &error);
        for name in beneath::names(&workshop).map_err(unclear)? {
            if name.to_bytes() != workshop::LOCK.as_bytes() {
                beneath::remove(&workshop, name.as_c_str()).map_err(unclear)?;
            }
        }
        let case = LetterCase::of(&workshop).map_err(|error| cannot("use", &path, &error))?;
        Ok(Self {
            root: root.to_owned(),
            folder,
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
        if beneath::holds(&place.folder, &place.name, value) {
            return Ok(Kept::Already);
        }
        let draft = self.draft();
        beneath::write_new(&self.workshop, &draft, value)
            .map_err(|error| cannot("write", &self.root.join(WORKSHOP).join(&draft), &error))?;
        // Another may have made a folder of the place meanwhile.
        let _held = structure();
        let Place { folder, name, path } = self.place(names)?;
        renameat(&self.workshop, &draft, &folder, &name)
            .map_err(|error| cannot("write", &path, &error.into()))?;
        Ok(Kept::Written)
    }

    /// Where the value of these names goes, with all folders on the way made.
    fn place(&self, names: &[String]) -> Result<Place, Failure> {
        let mut path = self.root.clone();
        let again = self.folder.try_clone();
        let mut folder = again.map_err(|error| cannot("open", &self.root, &error))?;
        let (name, folders) = match names.split_last() {
            Some((name, folders)) => (name.as_str(), folders),
            None => (OWN_VALUE, names),
        };
        for name in folders {
            path.push(name);
            if look(folder.as_fd(), name, &path)? == Standing::File {
                self.make_room(folder.as_fd(), name, &path)?;
            }
            folder = enter(folder.as_fd(), name, &path)?;
        }
        let mut name = name;
        path.push(name);
        if look(folder.as_fd(), name, &path)? == Standing::Folder {
            folder = enter(folder.as_fd(), name, &path)?;
            name = OWN_VALUE;
            path.push(name);
        }
        match look(folder.as_fd(), name, &path)? {
            Standing::Nothing | Standing::File => Ok(Place {
                folder,
                name: name.to_owned(),
                path,
            }),
            Standing::Folder => Err(Failure::Usage(format!(
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
            beneath::make_folder(&self.workshop, &draft)?;
            let folder = beneath::open_folder(&self.workshop, &draft)?;
            renameat(at, name, &folder, OWN_VALUE)?;
            Ok(renameat(&self.workshop, &draft, at, name)?)
        };
        make().map_err(|error| cannot("make a folder of", path, &error))
    }

    /// A name in the workshop that nobody else uses.
    fn draft(&self) -> String {
        self.next.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        // What is left is thrown away by the next export, and never taken for a value.
        let _ = beneath::remove(&self.folder, WORKSHOP);
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

/// Opens a folder in a folder, and makes it where nothing stands.
fn enter(at: BorrowedFd<'_>, name: &str, path: &Path) -> Result<OwnedFd, Failure> {
    let failed = |error| cannot("make the folder", path, &error);
    let mut opened = make_and_open(at, name, path)?;
    for _ in 1..TRIES {
        match &opened {
            // Somebody has removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            _ => break,
        }
        opened = make_and_open(at, name, path)?;
    }
    opened.map_err(|error| match standing(at, name) {
        Ok(other @ (Standing::Link | Standing::Special)) => refuse(path, other),
        // What was opened was no folder, and one has taken its place again since.
        Ok(Standing::Folder) if error.kind() == io::ErrorKind::NotADirectory => {
            refuse(path, Standing::Link)
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
    if look(at, name, path)? == Standing::Nothing {
        match beneath::make_folder(at, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(cannot("make the folder", path, &error));
            }
            _ => {}
        }
    }
    Ok(beneath::open_folder(at, name))
}

fn look(at: BorrowedFd<'_>, name: &str, path: &Path) -> Result<Standing, Failure> {
    standing(at, name).map_err(|error| cannot("look at", path, &error))
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
    let next = next_step(error, "name another place");
    Failure::Usage(format!("cannot {what} {}: {error}; {next}", path.display()))
}

fn refuse(path: &Path, standing: Standing) -> Failure {
    let kind = match standing {
        Standing::Link => "a symbolic link",
        _ => "a special file",
    };
    Failure::Usage(format!(
        "{} is {kind}, which an export neither follows nor replaces; move it away",
        path.display(),
    ))
}
