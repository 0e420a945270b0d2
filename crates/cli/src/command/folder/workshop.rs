//! The folder within the folder of an export in which files are written before they get their names.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use super::super::file_name::WORKSHOP;
use super::{TRIES, beneath, cannot, enter};
use crate::failure::Failure;

/// The file in the workshop that says that somebody is at work.
pub(super) const LOCK: &str = "lock";

/// Opens the workshop and says in it that an export is under way. Another export may remove both meanwhile, as it ends.
pub(super) fn open(
    root: &Path,
    folder: BorrowedFd<'_>,
    path: &Path,
) -> Result<(OwnedFd, File), Failure> {
    for _ in 0..TRIES {
        let workshop = enter(folder, WORKSHOP, path)?;
        if let Some(lock) = lock(root, &workshop, &path.join(LOCK))? {
            return Ok((workshop, lock));
        }
    }
    Err(under_way(root))
}

/// Locks the file in the workshop; `None` where it was removed before it was locked.
fn lock(root: &Path, workshop: &OwnedFd, path: &Path) -> Result<Option<File>, Failure> {
    let file = match beneath::open_or_create(workshop, LOCK) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("write", path, &error)),
    };
    let failed = |error: io::Error| cannot("lock", path, &error);
    match file.try_lock() {
        Ok(()) => {
            let is_there = beneath::has_name(&file).map_err(failed)?;
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
    fn a_workshop_that_its_owner_removes_meanwhile_is_made_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(WORKSHOP);
        let folder = File::open(place.path()).unwrap();
        let workshop = enter(folder.as_fd(), WORKSHOP, &path).unwrap();
        std::fs::remove_dir(&path).unwrap();
        assert!(lock(place.path(), &workshop, &path).unwrap().is_none());
        let (_, lock) = open(place.path(), folder.as_fd(), &path).unwrap();
        assert!(beneath::has_name(&lock).unwrap());
        std::fs::remove_dir_all(&path).unwrap();
        assert!(!beneath::has_name(&lock).unwrap());
    }

    #[test]
    fn one_of_several_exports_at_once_has_the_folder_and_the_others_are_told() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("out");
        let worker = || {
            for turn in 0..500 {
                match Destination::open(&root) {
                    // A workshop that another has removed would take no file.
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
