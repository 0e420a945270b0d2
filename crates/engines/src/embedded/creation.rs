//! Makes a new database, wholly or not at all.
//!
//! fjall makes its files one after another, doesn't sync the folders of its keyspaces, and can't
//! open what a power cut in between leaves. So the database is made beside its place, everything
//! is synced, and then it is moved there at once.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::folder::{Folder, sync_folder};

/// Makes the database with `make`, which is given the folder for it and closes it again, where
/// there is none.
pub(super) fn ensure(
    folder: &Folder,
    make: impl FnOnce(&Path) -> fjall::Result<()>,
) -> fjall::Result<()> {
    if folder.store().try_exists()? {
        return Ok(());
    }
    let draft = folder.draft();
    match fs::remove_dir_all(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    make(&draft)?;
    sync_all(&draft)?;
    fs::rename(&draft, folder.store())?;
    sync_folder(folder.path())?;
    Ok(())
}

/// Syncs a folder and everything below it.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}
