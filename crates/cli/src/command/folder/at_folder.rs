//! Files below an open folder, reached name by name, so that no symbolic link is followed, not even one that
//! takes a folder's place meanwhile.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::path::Arg;

/// The permissions of new folders and files, before the umask.
const NEW_FOLDER: Mode = Mode::from_raw_mode(0o777);
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

/// The kind of file under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileKind {
    Nothing,
    File,
    Folder,
    Link,
    Special,
}

/// The kind of file under a name, without following a link.
pub(super) fn file_kind(at: impl AsFd, name: impl Arg) -> io::Result<FileKind> {
    match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => FileKind::File,
            FileType::Directory => FileKind::Folder,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Special,
        }),
        Err(Errno::NOENT) => Ok(FileKind::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Opens a folder; a link to one is an error.
pub(super) fn open_folder(at: impl AsFd, name: impl Arg) -> io::Result<OwnedFd> {
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, how, Mode::empty())?)
}

/// Makes a folder that does not exist.
pub(super) fn make_folder(at: impl AsFd, name: &str) -> io::Result<()> {
    Ok(mkdirat(at, name, NEW_FOLDER)?)
}

/// Opens a file for writing, and makes it if it does not exist.
pub(super) fn open_or_create(at: impl AsFd, name: &str) -> io::Result<File> {
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, how, NEW_FILE)?.into())
}

/// True if an open file still has a name.
pub(super) fn has_name(file: &File) -> io::Result<bool> {
    Ok(fstat(file)?.st_nlink > 0)
}

/// Writes a file that does not exist yet.
pub(super) fn write_new(at: impl AsFd, name: &str, content: &[u8]) -> io::Result<()> {
    let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(at, name, how, NEW_FILE)?);
    file.write_all(content)
}

/// True if a name is a file with exactly these bytes. One that can't be read has others.
pub(super) fn holds(at: impl AsFd, name: &str, content: &[u8]) -> bool {
    let same = || -> io::Result<bool> {
        // A named pipe that takes the file's place must not be waited for.
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(at, name, how, Mode::empty())?;
        let stat = fstat(&file)?;
        let length = u64::try_from(stat.st_size).unwrap_or_default();
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
            || length != content.len() as u64
        {
            return Ok(false);
        }
        let mut bytes = Vec::with_capacity(content.len());
        File::from(file).take(length + 1).read_to_end(&mut bytes)?;
        Ok(bytes == content)
    };
    same().unwrap_or(false)
}

/// The names in an open folder.
pub(super) fn names(folder: impl AsFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// Removes a file, a link, or a folder with all that is in it.
pub(super) fn remove(at: impl AsFd, name: impl Arg + Copy) -> io::Result<()> {
    let at = at.as_fd();
    if file_kind(at, name)? != FileKind::Folder {
        return Ok(unlinkat(at, name, AtFlags::empty())?);
    }
    let folder = open_folder(at, name)?;
    for inner in names(&folder)? {
        remove(folder.as_fd(), inner.as_c_str())?;
    }
    Ok(unlinkat(at, name, AtFlags::REMOVEDIR)?)
}
