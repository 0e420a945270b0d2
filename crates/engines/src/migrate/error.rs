//! Errors of a migration.

use super::{Differences, Unfit};
use crate::backup::{BackupError, BackupReadError};
use crate::embedded::{OpenError, RestoreError};
use crate::etcd;
use crate::etcd::transfer::{ConnectError, LoadError};

/// The reason why a migration has failed. Each message names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A folder can't be opened.
    #[error(transparent)]
    Folder(#[from] OpenError),
    /// The settings of a cluster are wrong.
    #[error(transparent)]
    Cluster(#[from] etcd::OpenError),
    /// Source and destination are the same.
    #[error("source and destination are the same place; name two")]
    SamePlace,
    /// The source is empty.
    #[error("there is nothing to migrate in the source; look whether it is the right one")]
    NothingThere,
    /// The source is the destination of a migration that was broken off.
    #[error(
        "the source is not whole, as a migration into it was broken off; run that one again first"
    )]
    Unfinished,
    /// Keys that can't be imported, or have no owner.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The destination has other data.
    #[error(
        "{place} holds something else than the source, with {} differences; nothing was changed, \
        so name an empty place for the destination", .differences.count
    )]
    NotEmpty {
        /// The destination.
        place: String,
        /// The differences from the source.
        differences: Box<Differences>,
    },
    /// The source can't be read.
    #[error("not everything can be read: {0}; put that right and run the migration again")]
    Source(#[source] BackupError),
    /// The folder can't be filled.
    #[error(transparent)]
    Restore(RestoreError),
    /// An earlier run wrote other data than this one would.
    #[error(
        "the source is not what it was when the migration was begun; delete what is in the \
        destination, or name another, and begin again"
    )]
    Changed,
    /// A server, or another migration, writes to the destination.
    #[error(
        "another process writes to the destination; stop the servers and other migrations there, \
        delete what is in it, and begin again"
    )]
    Disturbed,
    /// A cluster does not answer, or not as it should.
    #[error("{0}; put that right and run the migration again, which goes on where it was")]
    Stopped(#[source] prominence_core::StoreError),
    /// Source and destination are not the same.
    #[error(
        "{} differences between source and destination; stop all servers at both, empty the \
        destination, and begin again", .0.count
    )]
    Different(Box<Differences>),
    /// The storage engine panicked, as it does at some kinds of damage.
    #[error("the storage engine panicked while it read; look with prominence admin check")]
    Panicked,
}

impl From<RestoreError> for MigrateError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Folder(error) => Self::Folder(error),
            error => Self::Restore(error),
        }
    }
}

impl From<BackupReadError> for MigrateError {
    fn from(error: BackupReadError) -> Self {
        Self::Restore(error.into())
    }
}

impl From<ConnectError> for MigrateError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Open(error) => Self::Cluster(error),
            ConnectError::Store(error) => Self::Stopped(error),
        }
    }
}

impl From<LoadError> for MigrateError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Stream(error) => error.into(),
            LoadError::Store(error) => Self::Stopped(error),
            LoadError::Changed => Self::Changed,
            LoadError::Disturbed => Self::Disturbed,
        }
    }
}
