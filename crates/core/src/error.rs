//! Errors of a store, in terms that a caller can act on.

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
    /// An addition to a value that is not a decimal integer in the signed 64-bit range, or whose sum is outside it;
    /// nothing was changed.
    #[error("{key}: {reason}")]
    NotANumber {
        /// The key.
        key: Key,
        /// A description of the error.
        reason: &'static str,
    },
    /// The commit would exceed the quota of the namespace; nothing was changed.
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
    /// The changes after the cursor are no longer in the log.
    #[error(
        "changes are kept from revision {oldest} on; list the keys again, and watch from there"
    )]
    Compacted {
        /// The earliest revision from which a reader can start.
        oldest: Revision,
    },
    /// The engine can't answer at present.
    #[error("{reason}")]
    Unavailable {
        /// For the log and the caller, without paths or other users' data.
        reason: String,
        /// The fate of a write with this error.
        fate: Fate,
        /// The time after which a retry may succeed.
        retry_after: Duration,
        /// The error of the engine.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Stored data is damaged; it is reported rather than served.
    #[error("stored data is damaged: {what}")]
    Corrupt {
        /// A description of the damaged data and of the check that found it, for the log.
        what: String,
    },
}

/// The state that was found where a condition did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The condition was that the key is absent.
    #[error("the key exists, with revision {0}")]
    Exists(Revision),
    /// The condition was that the key exists.
    #[error("the key does not exist")]
    Missing,
    /// Another commit has written the key.
    #[error("the key has revision {0}")]
    Revision(Revision),
    /// The value is a different one.
    #[error("the key has another value, with revision {0}")]
    Value(Revision),
    /// The key has no live claim.
    #[error("the key is not claimed (a claim that ran out is gone)")]
    NotClaimed,
}

impl Mismatch {
    /// The revision that was found, if it is known.
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
    /// The write was not executed.
    NotApplied,
    /// The write may or may not have been executed.
    Unknown,
}
