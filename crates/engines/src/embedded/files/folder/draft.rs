//! A store that is put together in a folder and becomes one at the very end.
//!
//! | name | what it is |
//! | --- | --- |
//! | `restore.draft/` | there from the first step to the last |
//! | `restore.draft/store/` | the storage engine's files, until they are complete |
//!
//! Without `FORMAT` a folder is no store, and that file is written last. As long as it is
//! missing, whatever lies beside `restore.draft` was put there by a restore.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use super::{ALLOWED_BEFORE_FORMAT, FORMAT_FILE, Folder, STORE_FOLDER, lock, write_format};
use crate::embedded::error::{OpenError, RestoreError};
use crate::embedded::files::disk::sync_folder;
use crate::private_folder;

/// The place where a restore works.
pub(super) const DRAFT_FOLDER: &str = "restore.draft";

impl Folder {
    /// Takes a folder that is empty or missing, or in which a restore was broken off.
    pub(in crate::embedded) fn take_for_restore(path: &Path) -> Result<Self, RestoreError> {
        let failed = |cause| OpenError::from_io(path.to_owned(), cause);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(failed)?;
        refuse_used(path)?;
        private_folder::restrict(path).map_err(OpenError::from)?;
        let lock = lock(path)?;
        refuse_used(path)?;
        let folder = Self {
            path: path.to_owned(),
            store: Path::new(DRAFT_FOLDER).join(STORE_FOLDER),
            lock: Arc::new(lock),
        };
        let clear = || {
            folder.abandon_restore()?;
            DirBuilder::new()
                .mode(0o700)
                .create(path.join(DRAFT_FOLDER))?;
            sync_folder(path)
        };
        clear().map_err(failed)?;
        Ok(folder)
    }

    /// Makes the draft a store. Its database has to be closed.
    pub(in crate::embedded) fn complete_restore(&self) -> Result<(), OpenError> {
        let complete = || {
            let draft = self.store();
            sync_tree(&draft)?;
            fs::rename(&draft, self.path.join(STORE_FOLDER))?;
            sync_folder(&self.path)?;
            write_format(&self.path)?;
            fs::remove_dir_all(self.path.join(DRAFT_FOLDER))
        };
        complete().map_err(|cause| OpenError::from_io(self.path.clone(), cause))
    }

    /// Removes what a restore put into the folder. The draft's own folder goes last, as it tells
    /// whose the rest is.
    pub(in crate::embedded) fn abandon_restore(&self) -> io::Result<()> {
        let draft = self.path.join(DRAFT_FOLDER);
        if !draft.try_exists()? {
            return Ok(());
        }
        remove_tree(&self.path.join(STORE_FOLDER))?;
        remove_tree(&draft)
    }
}

fn refuse_used(path: &Path) -> Result<(), RestoreError> {
    let failed = |cause| OpenError::from_io(path.to_owned(), cause);
    if path.join(FORMAT_FILE).try_exists().map_err(failed)? {
        return Err(RestoreError::IsAStore {
            folder: path.to_owned(),
        });
    }
    let is_draft = path.join(DRAFT_FOLDER).try_exists().map_err(failed)?;
    for entry in fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let is_own = is_draft && (name == DRAFT_FOLDER || name == STORE_FOLDER);
        if !is_own && !ALLOWED_BEFORE_FORMAT.iter().any(|allowed| name == *allowed) {
            return Err(RestoreError::NotEmpty {
                folder: path.to_owned(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Makes everything below a folder survive a power cut.
pub(super) fn sync_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync_folder(path)
}
