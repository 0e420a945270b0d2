//! Makes a new database, wholly or not at all.
//!
//! fjall makes its files one after another, doesn't sync the folders of its keyspaces, and can't
//! open what a power cut in between leaves. So the database is made beside its place, what fjall
//! left is synced, and then it is moved there at once.
//!
//! Most of the time that this takes is that of fjall's own syncs, some seventy. So nothing is
//! synced here that fjall has synced already, and that is the content of every file.

use std::fs;
use std::io;
use std::path::Path;

use crate::embedded::error::StorageError;
use crate::embedded::files::folder::{Folder, sync_folder};

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
