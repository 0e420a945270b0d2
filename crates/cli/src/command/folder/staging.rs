//! The staging folder of an export: files are written there before they get their names.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use super::super::file_name::STAGING;
use super::{TRIES, at_folder, cannot, enter};
use crate::failure::Failure;

/// The file in the staging folder that an export locks.
pub(super) const LOCK: &str = "lock";

/// Opens the staging folder and locks it. Another export that ends may remove both meanwhile.
pub(super) fn open(
    root: &Path,
    folder: BorrowedFd<'_>,
    path: &Path,
) -> Result<(OwnedFd, File), Failure> {
    for _ in 0..TRIES {
        let staging = enter(folder, STAGING, path)?;
        if let Some(lock) = lock(root, &staging, &path.join(LOCK))? {
            return Ok((staging, lock));
        }
    }
    Err(under_way(root))
}

/// Locks the file in the staging folder; `None` if it was removed before it was locked.
fn lock(root: &Path, staging: &OwnedFd, path: &Path) -> Result<Option<File>, Failure> {
    let file = match at_folder::open_or_create(staging, LOCK) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("write", path, &error)),
    };
    let failed = |error: io::Error| cannot("lock", path, &error);
    match file.try_lock() {
        Ok(()) => {
            let is_there = at_folder::has_name(&file).map_err(failed)?;
            Ok(is_there.then_some(file))
        }
        Err(TryLockError::WouldBlock) => Err(under_way(root)),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn under_way(root: &Path) -> Failure {
    Failure::Usage(format!(
        "another export into {} is under way; wait for its end",
        root.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::super::Destination;
    use super::*;

    #[test]
    fn a_staging_folder_that_its_owner_removes_meanwhile_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(STAGING);
        let folder = File::open(place.path()).unwrap();
        let staging = enter(folder.as_fd(), STAGING, &path).unwrap();
        std::fs::remove_dir(&path).unwrap();
        assert!(lock(place.path(), &staging, &path).unwrap().is_none());
        let (_, lock) = open(place.path(), folder.as_fd(), &path).unwrap();
        assert!(at_folder::has_name(&lock).unwrap());
        std::fs::remove_dir_all(&path).unwrap();
        assert!(!at_folder::has_name(&lock).unwrap());
    }

    #[test]
    fn one_of_several_exports_at_once_has_the_folder_and_the_others_are_told() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("out");
        let worker = || {
            for turn in 0..500 {
                match Destination::open(&root) {
                    // In a staging folder that another export has removed no file can be made.
                    Ok(open) => {
                        open.put(&["a".to_owned()], turn.to_string().as_bytes())
                            .unwrap();
                    }
                    Err(failure) => {
                        let said = failure.to_string();
                        assert!(said.contains("another export into"), "{said}");
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(worker);
            }
        });
    }
}
