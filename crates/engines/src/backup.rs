//! Backups: a whole store as one stream, in which a reader finds every damage and every cut.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `frame` | the head, and frames with their checksums |
//! | `record` | what stands in a frame |
//! | `writer` | records become a stream |
//! | `read` | a stream becomes records, in the one order that they may have |
//!
//! The format is described in `docs/backup-format.md`. It holds what users stored and what
//! watchers need to go on, and nothing of how an engine lays it out; so it is also what goes from
//! one engine to the other.

mod frame;
mod read;
mod record;
mod writer;

use std::io;

use prominence_core::{StoreError, Timestamp};

pub(crate) use read::Records;
pub use read::verify;
pub(crate) use record::{Record, Space};
pub(crate) use writer::Writer;

/// The content of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// When it was made.
    pub made: Timestamp,
    /// Namespaces, those that are empty included.
    pub namespaces: u64,
    /// Entries of all namespaces.
    pub entries: u64,
    /// Bytes of the keys and values of these entries.
    pub bytes: u64,
    /// Changes in all logs.
    pub changes: u64,
}

/// The reason why a backup can't be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup can't be written.
    #[error("the backup can't be written: {0}")]
    Write(#[source] io::Error),
}

/// The reason why a backup can't be read. Each message names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum BackupReadError {
    /// It begins with something else.
    #[error("this is not a backup of a store; give a file that prominence admin backup made")]
    NotABackup,
    /// A later version of this program made it.
    #[error(
        "the backup has version {found}, and this program reads up to {supported}; use the \
        version of the program that made it, or a later one"
    )]
    LaterVersion {
        /// The version in its head.
        found: u32,
        /// The latest version that is known here.
        supported: u32,
    },
    /// It ends too early.
    #[error("the backup ends at byte {at}, before its end mark; it is not whole, so use another")]
    Truncated {
        /// The byte at which it ends.
        at: u64,
    },
    /// Something in it is not what was written.
    #[error("the backup is damaged at byte {at}: {what}; use another")]
    Damaged {
        /// The byte at which the damaged part begins.
        at: u64,
        /// The damage.
        what: &'static str,
    },
    /// It can't be read.
    #[error("the backup can't be read: {0}; look at the file or its disk, and try again")]
    Read(#[source] io::Error),
}
