//! Why a backup can't be restored.

use std::path::PathBuf;

use prominence_core::StoreError;

use super::OpenError;
use crate::backup::BackupReadError;

/// The reason why a backup can't be restored. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup can't be read.
    #[error(transparent)]
    Backup(#[from] BackupReadError),
    /// The folder is not free for it.
    #[error("{} holds {found:?} already; restore into an empty or a new folder", .folder.display())]
    NotEmpty {
        /// The folder of the new store.
        folder: PathBuf,
        /// A name found there.
        found: String,
    },
    /// The folder is a store already.
    #[error("{} holds a store already; restore into an empty or a new folder", .folder.display())]
    IsAStore {
        /// The folder of the new store.
        folder: PathBuf,
    },
    /// The folder can't be made a store.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// A record can't be stored.
    #[error("the store in {} can't be written: {cause}; make room and try again", .folder.display())]
    Store {
        /// The folder of the new store.
        folder: PathBuf,
        /// The reason.
        #[source]
        cause: StoreError,
    },
}
