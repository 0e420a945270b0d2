//! Why a store did not do what it was asked, in terms that a caller can act on.

use std::time::Duration;

use crate::key::{Key, Prefix};
use crate::limits::Quota;
use crate::revision::Revision;

/// An error of a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition did not hold; nothing was changed.
    #[error("{key}: {reason}")]
    PreconditionFailed {
        /// The key whose condition failed.
        key: Key,
        /// The state that was found instead.
        reason: Mismatch,
    },
    /// A prefix that was to be deleted has not the number of keys that was demanded; nothing was
    /// changed.
    #[error("{prefix}: there are {found} keys, and not {wanted}")]
    OtherCount {
        /// The prefix.
        prefix: Prefix,
        /// The number of keys that was demanded.
        wanted: u64,
        /// The number of keys that begin with the prefix.
        found: u64,
    },
    /// An addition to something that is no decimal integer in the signed 64-bit range, or whose
    /// sum is none; nothing was changed.
    #[error("{key}: {reason}")]
    NotANumber {
        /// The key.
        key: Key,
        /// The fault.
        reason: &'static str,
    },
    /// The commit would leave the namespace with more than it may hold; nothing was changed.
    #[error("{keys} keys and {bytes} bytes would be stored; the limits are {} keys and {} bytes; delete \
             keys that are no longer needed, or have the server's operator raise the quota",
        .quota.keys, .quota.bytes)]
    QuotaExceeded {
        /// Keys after the commit.
        keys: u64,
        /// Bytes after the commit.
        bytes: u64,
        /// The limits.
        quota: Quota,
    },
    /// The log no longer reaches back to the cursor.
    #[error(
        "changes are kept from revision {oldest} on; list the keys again, and watch from there"
    )]
    Compacted {
        /// A reader can start just after this revision.
        oldest: Revision,
    },
    /// The engine can't answer now.
    #[error("{reason}")]
    Unavailable {
        /// For the log and the caller, without paths or other users' data.
        reason: String,
        /// The fate of a write with this answer.
        fate: Fate,
        /// When it may be worth trying again.
        retry_after: Duration,
        /// The error of the engine.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Stored data is damaged; it is reported rather than served.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// Which data and how it was noticed; for the log.
        what: String,
    },
}

/// The state that was found where a condition did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The key was to be absent.
    #[error("the key exists, with revision {0}")]
    Exists(Revision),
    /// The key was to be there.
    #[error("the key does not exist")]
    Missing,
    /// Another commit touched the key.
    #[error("the key has revision {0}")]
    Revision(Revision),
    /// The value is another.
    #[error("the key has another value, with revision {0}")]
    Value(Revision),
    /// Nobody, or nobody any more, holds a claim on the key.
    #[error("the key is not claimed (a claim that ran out is gone)")]
    NotClaimed,
}

impl Mismatch {
    /// The revision that was found, where that is known.
    #[must_use]
    pub fn revision(self) -> Option<Revision> {
        match self {
            Self::Exists(revision) | Self::Revision(revision) | Self::Value(revision) => {
                Some(revision)
            }
            Self::Missing | Self::NotClaimed => None,
        }
    }
}

/// The fate of a write that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did not happen.
    NotApplied,
    /// It may or may not have happened.
    Unknown,
}
