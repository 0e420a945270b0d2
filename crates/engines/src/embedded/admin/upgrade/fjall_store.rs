//! A store of format 1 or 2, for reading: a database of fjall with a keyspace for each table.
//!
//! fjall writes memtables out, compacts, and replaces journals and manifests, also in a database that is
//! only read. So it is given a copy. The tables are large and never change, so the copy has links to
//! them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fjall::{KeyspaceCreateOptions, Readable as _};
use prominence_core::StoreError;

use super::journals;
use crate::embedded::error::{OpenError, StorageError};
use crate::embedded::files::damage::{DamagedFile, Unsound};
use crate::embedded::files::folder::{FJALL_FILE, Folder};
use crate::embedded::files::verification::{self, Tree};
use crate::embedded::panics::{answer, no_panic};
use crate::embedded::storage::database::Table;

/// The place where fjall has the trees of its keyspaces.
const KEYSPACES: &str = "keyspaces";

/// The folders of files that never change.
const UNCHANGED: [&str; 2] = ["tables", "blobs"];

/// The content of the file `version` of fjall 3.
const VERSION: &[u8] = b"FJL\x03";

/// The open database.
pub(super) struct FjallStore {
    keyspaces: [fjall::Keyspace; 4],
    snapshot: fjall::Snapshot,
    _database: fjall::Database,
}

impl FjallStore {
    /// Opens the database in a folder, as a copy that is made in `copy`, once all of its files are found
    /// to be what was written: fjall removes what it does not expect.
    pub(super) fn open(
        folder: &Folder,
        copy: PathBuf,
        cache_bytes: u64,
    ) -> Result<Self, OpenError> {
        let store = folder.store();
        let examined = examine(folder.path(), &store);
        examined.map_err(|unsound| unsound.into_open_error(folder.path()))?;
        let failed = |error| OpenError::from_storage(folder.path().to_owned(), error);
        copy_tree(&store, &copy).map_err(|error| failed(error.into()))?;
        match no_panic(|| Self::open_files(&copy, cache_bytes)) {
            Ok(opened) => opened.map_err(|error| failed(storage_error(error))),
            Err(panic) => Err(failed(StorageError::Io(io::Error::other(panic)))),
        }
    }

    fn open_files(store: &Path, cache_bytes: u64) -> fjall::Result<Self> {
        let database = fjall::Database::builder(store)
            .cache_size(cache_bytes)
            .open()?;
        let keyspace = |name| database.keyspace(name, KeyspaceCreateOptions::default);
        Ok(Self {
            keyspaces: [
                keyspace("entries")?,
                keyspace("log")?,
                keyspace("expiry")?,
                keyspace("namespaces")?,
            ],
            snapshot: database.snapshot(),
            _database: database,
        })
    }

    /// All rows of a table, in the order of their keys.
    pub(super) fn rows(
        &self,
        table: Table,
    ) -> impl Iterator<Item = Result<(Bytes, Bytes), StoreError>> {
        let keyspace = &self.keyspaces[usize::from(table.number())];
        let mut rows = self.snapshot.iter(keyspace);
        std::iter::from_fn(move || {
            let row = answer(|| match rows.next().map(fjall::Guard::into_inner) {
                Some(row) => row.map(Some).map_err(storage_error),
                None => Ok(None),
            });
            let row = row.transpose()?;
            Some(row.map(|(key, row)| (key.into(), row.into())))
        })
    }
}

/// Copies a folder with all that is below it.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir(to)?;
    let is_unchanged = UNCHANGED.iter().any(|name| from.ends_with(name));
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_tree(&from, &to)?;
        } else if !is_unchanged || fs::hard_link(&from, &to).is_err() {
            // Some file systems have no links.
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

fn storage_error(error: fjall::Error) -> StorageError {
    match error {
        fjall::Error::Io(error) => StorageError::Io(error),
        fjall::Error::Storage(error) => StorageError::Tree(error),
        error => StorageError::Io(io::Error::other(error)),
    }
}

fn examine(folder: &Path, store: &Path) -> Result<(), Unsound> {
    let file = store.join(FJALL_FILE);
    if fs::read(file)? != VERSION {
        let file = format!("store/{FJALL_FILE}");
        return Err(Unsound::damaged(file, "it names no known version"));
    }
    let mut trees = Vec::new();
    for entry in fs::read_dir(store.join(KEYSPACES))? {
        let entry = entry?;
        let name = entry.file_name();
        trees.push(Tree {
            folder: entry.path(),
            within: format!("store/{KEYSPACES}/{}", name.to_string_lossy()),
        });
    }
    let mut first = None;
    verification::compare(&trees, &mut |damaged| {
        first.get_or_insert(damaged);
    })?;
    if let Some(DamagedFile { file, how }) = first {
        return Err(Unsound::damaged(file, how));
    }
    journals::examine(folder, store)
}
