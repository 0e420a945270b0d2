//! A store of the latest format that is made beside one of an earlier format, and takes its place.
//!
//! | name | what it is |
//! | --- | --- |
//! | `store.upgraded/store/` | the new store's files, until they are in their place |
//! | `store.upgraded/old/` | a copy of the old store's files, from which they are read |
//!
//! As long as `FORMAT` has the earlier number, what is there is a draft. From the moment that it has
//! the new one, it is the store, and what is left to do is done whenever the folder is taken.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{remove_tree, sync_tree};
use super::{Folder, STORE_FOLDER, write_format};
use crate::embedded::files::disk::sync_folder;

/// The place where the new store is made.
const UPGRADED: &str = "store.upgraded";

impl Folder {
    /// A folder for the new store, under the same lock. What an earlier attempt left is removed.
    pub(in crate::embedded) fn upgrade_draft(&self) -> io::Result<Self> {
        let draft = self.path.join(UPGRADED);
        remove_tree(&draft)?;
        DirBuilder::new().mode(0o700).create(&draft)?;
        Ok(Self {
            path: self.path.clone(),
            store: Path::new(UPGRADED).join(STORE_FOLDER),
            lock: Arc::clone(&self.lock),
        })
    }

    /// The place where the old store's files are copied to, beside this draft.
    pub(in crate::embedded) fn copy_of_old(&self) -> PathBuf {
        self.store().with_file_name("old")
    }

    /// Makes the draft the store. Both databases have to be closed.
    pub(in crate::embedded) fn complete_upgrade(&self, draft: &Self) -> io::Result<()> {
        sync_tree(&draft.store())?;
        sync_folder(&self.path.join(UPGRADED))?;
        sync_folder(&self.path)?;
        write_format(&self.path)?;
        finish(&self.path)
    }
}

/// Puts a new store in its place, where `FORMAT` says that it is the store.
pub(super) fn finish(path: &Path) -> io::Result<()> {
    let upgraded = path.join(UPGRADED);
    let new = upgraded.join(STORE_FOLDER);
    if new.try_exists()? {
        // It tells how the files of the old store ended, and goes with them.
        remove_file(&path.join("CLOSED"))?;
        remove_tree(&path.join(STORE_FOLDER))?;
        fs::rename(&new, path.join(STORE_FOLDER))?;
        sync_folder(path)?;
    }
    remove_tree(&upgraded)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
