//! Why a store can't be opened, and the meaning of failures of the storage engine for a caller.

mod restore;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prominence_core::StoreError;
use prominence_core::error::Fate;

use crate::embedded::options::RETRY_LATER;
use crate::private_folder::PrivateFolderError;
pub use restore::RestoreError;

/// The reason why a folder can't be opened as a store. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path leads to a file.
    #[error("{} is not a folder; give the path of one, or of none to have it made", .folder.display())]
    NotADirectory {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// The file system can't be written to.
    #[error("{} is on a read-only file system; mount it for writing or choose another", .folder.display())]
    ReadOnly {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// The process may not read or write there.
    #[error("this user may not read and write {}; change its owner or run as the owner", .folder.display())]
    NoPermission {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// Other users can reach it, or it is another user's.
    #[error(transparent)]
    NotPrivate(#[from] PrivateFolderError),
    /// A symbolic link stands where the store writes a file.
    #[error("{} is a symbolic link, which is not followed; remove it", .path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("{} is in use by {}; stop that process first", .folder.display(), Holder(*.pid))]
    Locked {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The other process, where the lock tells.
        pid: Option<u32>,
    },
    /// A later version of this program wrote it.
    #[error("{} has the format {found}, and this version of the program reads up to \
        {supported}; use the version that wrote it, or a later one", .folder.display())]
    LaterFormat {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The format's number.
        found: u32,
        /// The latest number that is known here.
        supported: u32,
    },
    /// A version of this program wrote it whose format is no longer read.
    #[error("{} has the format {found}, which is too old; run \"prominence admin backup FILE\" \
        with the version that wrote it, and then \"prominence admin restore FILE --data-dir \
        NEW\" with this one", .folder.display())]
    OldFormat {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The format's number.
        found: u32,
    },
    /// An earlier version of this program wrote it; it has to be upgraded first.
    #[error("{} has the format {found} of an earlier version; back it up and run \"prominence admin \
        migrate --data-dir {}\", or start the server with --migrate", .folder.display(),
        .folder.display())]
    EarlierFormat {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The format's number.
        found: u32,
    },
    /// `FORMAT` says something that no version of this program writes.
    #[error("{} says in its file FORMAT {found:?}, which no version of this program writes; \
        restore a backup into a new folder, or choose another", .folder.display())]
    UnknownFormat {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The content of the file.
        found: String,
    },
    /// A backup was being restored into it.
    #[error("the restore into {} did not finish; run it again, or choose another folder",
        .folder.display())]
    UnfinishedRestore {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// There is no store, where there has to be one.
    #[error("there is no store in {}; name the server's data folder with --data-dir",
        .folder.display())]
    NoStore {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// It holds something else.
    #[error("{} holds {found:?}, which is not from a store; choose an empty folder", .folder.display())]
    NotAStore {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// A name found there.
        found: String,
    },
    /// There is no room.
    #[error("the disk of {} is full; make room and try again", .folder.display())]
    DiskFull {
        /// The folder that was to be opened.
        folder: PathBuf,
    },
    /// The stored data is damaged.
    #[error("the data in {} is damaged; look with `prominence admin check`, and bring a backup \
        back with `prominence admin restore`", .folder.display())]
    Damaged {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The way in which that was noticed.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the stored data is damaged.
    #[error("{}/{file} is damaged: {how}; look with `prominence admin check`, and bring a backup \
        back with `prominence admin restore`", .folder.display())]
    DamagedFile {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// Which of its files, by the path within it.
        file: String,
        /// The fault.
        how: String,
    },
    /// The operating system refused for another reason.
    #[error("{} can't be opened: {}", .folder.display(), describe(.cause))]
    Io {
        /// The folder that was to be opened.
        folder: PathBuf,
        /// The error of the operating system.
        #[source]
        cause: io::Error,
    },
}

impl OpenError {
    /// The error for what the operating system said about `folder`.
    pub(super) fn from_io(folder: PathBuf, cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                Self::NotADirectory { folder }
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { folder },
            io::ErrorKind::PermissionDenied => Self::NoPermission { folder },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { folder },
            _ => Self::Io { folder, cause },
        }
    }

    /// The error for what the storage engine said about `folder`.
    pub(super) fn from_storage(folder: PathBuf, cause: StorageError) -> Self {
        match cause {
            StorageError::Damaged { file, how } => Self::DamagedFile { folder, file, how },
            cause => match cause.into_disk() {
                Ok(cause) => Self::from_io(folder, cause),
                Err(cause) => Self::Damaged {
                    folder,
                    cause: Box::new(cause),
                },
            },
        }
    }
}

/// An error of the files of a store, or of the libraries that read and write them.
#[derive(Debug, thiserror::Error)]
pub(super) enum StorageError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A tree failed.
    #[error(transparent)]
    Tree(#[from] lsm_tree::Error),
    /// A file is not what was written.
    #[error("{file} is damaged: {how}")]
    Damaged {
        /// By its path within the folder of the store.
        file: String,
        how: String,
    },
}

impl StorageError {
    /// The error of the operating system, if it is one of the disk.
    fn disk(&self) -> Option<&io::Error> {
        let cause = match self {
            Self::Io(cause) | Self::Tree(lsm_tree::Error::Io(cause)) => cause,
            Self::Tree(_) | Self::Damaged { .. } => return None,
        };
        // The others are the library's own, such as for a file that ends too soon, or the system's
        // answer to an offset that a damaged file gave.
        is_disk(cause).then_some(cause)
    }

    /// The same by value.
    fn into_disk(self) -> Result<io::Error, Self> {
        match self {
            Self::Io(cause) | Self::Tree(lsm_tree::Error::Io(cause)) if is_disk(&cause) => {
                Ok(cause)
            }
            other => Err(other),
        }
    }
}

/// The reason why writes are not taken. It answers a whole group of commits, so it can be cloned.
#[derive(Clone, Debug)]
pub(super) struct Unavailable {
    /// For the log and the caller, without paths or other users' data.
    pub(super) reason: String,
    /// When it may be worth trying again.
    pub(super) retry_after: Duration,
    /// The error.
    pub(super) cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Unavailable {
    /// A reason that is no error of the disk.
    pub(super) fn new(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            reason: reason.into(),
            retry_after,
            cause: None,
        }
    }

    /// The meaning of a failed write of the storage engine.
    pub(super) fn from_storage(error: StorageError) -> Self {
        let reason = match error.disk() {
            Some(cause) => disk_reason(cause),
            None => "the storage engine has stopped".to_owned(),
        };
        Self {
            reason,
            retry_after: RETRY_LATER,
            cause: Some(Arc::new(error)),
        }
    }

    /// The meaning of an error of the operating system.
    pub(super) fn from_io(error: io::Error) -> Self {
        Self {
            reason: disk_reason(&error),
            retry_after: RETRY_LATER,
            cause: Some(Arc::new(error)),
        }
    }

    /// The meaning of damage that is met when it is too late to refuse a commit.
    pub(super) fn from_damage(error: StoreError) -> Self {
        Self {
            reason: "the stored data is damaged".to_owned(),
            retry_after: RETRY_LATER,
            cause: Some(Arc::new(error)),
        }
    }

    /// The answer to one commit.
    pub(super) fn answer(&self, fate: Fate) -> StoreError {
        let cause = self.cause.clone().map(|cause| Box::new(cause) as Box<_>);
        unavailable_because(self.reason.clone(), fate, self.retry_after, cause)
    }
}

/// The reason why a batch was not written, and whether it may have been written all the same.
#[derive(Clone, Debug)]
pub(super) struct WriteError {
    pub(super) why: Unavailable,
    pub(super) fate: Fate,
}

impl WriteError {
    /// The error of a batch that was certainly not written.
    pub(super) fn not_applied(why: Unavailable) -> Self {
        let fate = Fate::NotApplied;
        Self { why, fate }
    }

    /// The error of a batch that may be there after the database is opened again.
    pub(super) fn unknown(why: Unavailable) -> Self {
        let fate = Fate::Unknown;
        Self { why, fate }
    }

    /// The answer to one commit.
    pub(super) fn answer(&self) -> StoreError {
        self.why.answer(self.fate)
    }
}

/// The reason why an entry was not read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is on the disk alone, and the caller can't wait for that.
    WouldWait,
    Failed(StoreError),
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// The choice of a read to wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Allowed,
    Refused,
}

/// The meaning of a failed read of the storage engine.
pub(super) fn read_failed(error: StorageError) -> StoreError {
    match error.into_disk() {
        Ok(cause) => {
            let reason = disk_reason(&cause);
            let cause = Some(Box::new(cause) as _);
            unavailable_because(reason, Fate::NotApplied, RETRY_LATER, cause)
        }
        Err(StorageError::Damaged { file, how }) => StoreError::Corrupt {
            what: format!("{file}: {how}"),
        },
        // All others are what the storage engine says about data that it can't make sense of.
        // Its messages are made for its developers, so they go to the log as they are.
        Err(error) => StoreError::Corrupt {
            what: format!("the storage engine found {error:?}"),
        },
    }
}

/// An answer for now, where nothing is known to have gone wrong on a disk.
pub(super) fn unavailable(reason: &str, fate: Fate, retry_after: Duration) -> StoreError {
    unavailable_because(reason.to_owned(), fate, retry_after, None)
}

/// An answer for now, with what led to it.
fn unavailable_because(
    reason: String,
    fate: Fate,
    retry_after: Duration,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        reason,
        fate,
        retry_after,
        cause,
    }
}

/// The reason for a caller of an error of the operating system: never a path.
fn disk_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DISK_FULL.to_owned(),
        _ => format!("the disk answered an error: {}", describe(error)),
    }
}

/// The reason if the disk has no room, or less than is kept free.
pub(super) const DISK_FULL: &str = "the disk is full";

/// The system's own words where there are some; an error that a library made may hold a path.
fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}

/// True if the operating system failed at something that made sense.
fn is_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != io::ErrorKind::InvalidInput
}

/// Names the process that holds a lock.
struct Holder(Option<u32>);

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_told_of_a_full_disk_in_plain_words_and_never_of_paths() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert_eq!(disk_reason(&full), "the disk is full");
        let broken = io::Error::from_raw_os_error(5);
        assert!(disk_reason(&broken).contains("Input/output error"));
        let revealing = io::Error::other("/srv/data/store/0.jnl");
        assert!(!disk_reason(&revealing).contains("/srv"));
    }

    #[test]
    fn data_that_makes_no_sense_is_corrupt_and_a_failed_disk_is_not() {
        let tag = lsm_tree::Error::InvalidTag(("block", 9));
        assert!(matches!(
            read_failed(tag.into()),
            StoreError::Corrupt { .. }
        ));
        let io = || io::Error::from_raw_os_error(5);
        for error in [StorageError::Io(io()), lsm_tree::Error::Io(io()).into()] {
            assert!(matches!(read_failed(error), StoreError::Unavailable { .. }));
        }
    }
}
