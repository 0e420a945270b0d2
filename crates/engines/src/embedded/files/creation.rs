//! Makes the files of a new database, wholly or not at all.
//!
//! They are made one after another, and what a power cut in between leaves can't be opened. So the
//! database is made beside its place, its folders are synced, and then it is moved there at once. The
//! content of every file is synced by who writes it.

use std::fs;
use std::io;
use std::path::Path;

use crate::embedded::error::StorageError;
use crate::embedded::files::disk::sync_folder;
use crate::embedded::files::folder::Folder;

/// Makes the database with `make`, which is given the folder for it and closes it again, where
/// there is none.
pub(in crate::embedded) fn ensure(
    folder: &Folder,
    make: impl FnOnce(&Path) -> Result<(), StorageError>,
) -> Result<(), StorageError> {
    if folder.store().try_exists()? {
        return Ok(());
    }
    let draft = folder.draft();
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    make(&draft)?;
    sync_folders(&draft)?;
    fs::rename(&draft, folder.store())?;
    sync_folder(folder.path())?;
    Ok(())
}

/// Syncs a folder and those below it.
fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}
