//! Keeps a data folder for its owner alone.
//!
//! It holds every user's values and the secret that tokens are signed with. So no other user of the machine may
//! look into it, and nothing in it may have been put there by one: a planted file could be a secret that somebody
//! else knows, or a link to a file that would be written over.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The mode bits of the owner's group and of all others.
const OTHERS: u32 = 0o077;

/// The bit of a folder in which every user may create files, as in `/tmp`.
const STICKY: u32 = 0o1000;

/// The user `root`, who can change everything in any case.
const ROOT: u32 = 0;

/// The reason why a folder can't be kept for its owner.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFolderError {
    /// A file or the folder belongs to another user.
    #[error("{} belongs to the user {owner} and not to this process's user {own}; run as its owner, \
        or choose another folder", .path.display())]
    OtherOwner {
        /// The folder or file that belongs to somebody else.
        path: PathBuf,
        /// That user's id.
        owner: u32,
        /// The effective user id of this process.
        own: u32,
    },
    /// Everybody may create files in it.
    #[error("{} is a folder that all users share; choose a folder below it", .folder.display())]
    Shared {
        /// The folder.
        folder: PathBuf,
    },
    /// Its mode can't be changed.
    #[error("other users may look into {} (mode {mode:04o}), and that can't be changed; choose a folder on \
        another file system", .folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The operating system refused to tell or to change something.
    #[error("cannot look into {}: {cause}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's message.
        #[source]
        cause: io::Error,
    },
}

/// Takes a folder from other users' reach (mode 0700), and demands that it and everything directly in it belong
/// to this process's user or to root.
///
/// # Errors
/// See [`PrivateFolderError`].
pub fn restrict(folder: &Path) -> Result<(), PrivateFolderError> {
    let own = rustix::process::geteuid().as_raw();
    let about = inspect(folder, fs::metadata(folder))?;
    demand_owner(folder, about.uid(), &[own])?;
    close(folder, about.mode())?;
    // After nobody else can add anything.
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in inspect(folder, entries)? {
        let path = entry.path();
        // Of a link itself, not of what it leads to.
        match entry.metadata() {
            // A server that has the folder open renames files in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            about => demand_owner(&path, inspect(&path, about)?.uid(), &[own, ROOT])?,
        }
    }
    Ok(())
}

/// Options that open a file only if it is no symbolic link, and create it for its owner alone.
#[must_use]
pub fn own_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.mode(0o600).custom_flags(no_link);
    options
}

/// A new file of this name for its owner alone. Anything that has the name is removed first: what an interrupted
/// attempt left may be a link as well.
///
/// # Errors
/// The operating system's.
pub fn new_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    own_file().write(true).create_new(true).open(path)
}

/// True if opening failed because the file is a symbolic link.
#[must_use]
pub fn is_link(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// Takes away what other users may do with a folder of this mode.
fn close(folder: &Path, mode: u32) -> Result<(), PrivateFolderError> {
    if mode & STICKY != 0 {
        let folder = folder.to_owned();
        return Err(PrivateFolderError::Shared { folder });
    }
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let closed = Permissions::from_mode(mode & !OTHERS & 0o7777);
    let changed = fs::set_permissions(folder, closed);
    // Some file systems take the change and keep the mode.
    let now = inspect(folder, fs::metadata(folder))?.mode();
    if changed.is_err() || now & OTHERS != 0 {
        return Err(PrivateFolderError::Open {
            folder: folder.to_owned(),
            mode: now & 0o7777,
        });
    }
    tracing::warn!(
        folder = %folder.display(),
        "other users could look into the data folder (mode {:04o}); its mode is now {:04o}",
        mode & 0o7777,
        now & 0o7777
    );
    Ok(())
}

fn demand_owner(path: &Path, owner: u32, allowed: &[u32]) -> Result<(), PrivateFolderError> {
    if allowed.contains(&owner) {
        return Ok(());
    }
    Err(PrivateFolderError::OtherOwner {
        path: path.to_owned(),
        owner,
        own: allowed[0],
    })
}

fn inspect<T>(path: &Path, result: io::Result<T>) -> Result<T, PrivateFolderError> {
    result.map_err(|cause| PrivateFolderError::Io {
        path: path.to_owned(),
        cause,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn a_folder_that_others_may_look_into_is_closed_to_them() {
        for mode in [0o755, 0o777, 0o750, 0o711, 0o2770, 0o700] {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            fs::write(folder.path().join("file"), "").unwrap();
            restrict(folder.path()).unwrap();
            assert_eq!(mode_of(folder.path()), mode & !OTHERS, "{mode:o}");
        }
    }

    #[test]
    fn a_folder_that_all_users_share_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
        let refused = restrict(folder.path()).unwrap_err();
        assert!(matches!(refused, PrivateFolderError::Shared { .. }));
        assert_eq!(mode_of(folder.path()), 0o1777);
    }

    #[test]
    fn what_belongs_to_another_user_is_refused_by_name() {
        let path = Path::new("/d/job-token.secret");
        demand_owner(path, 1_000, &[1_000, ROOT]).unwrap();
        demand_owner(path, ROOT, &[1_000, ROOT]).unwrap();
        let refused = demand_owner(path, 1_001, &[1_000, ROOT]).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("/d/job-token.secret"), "{text}");
        assert!(text.contains("1001") && text.contains("1000"), "{text}");
    }

    #[test]
    fn a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut options = own_file();
        let opened = options.write(true).create(true).truncate(true).open(&link);
        assert!(is_link(&opened.unwrap_err()));
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}
