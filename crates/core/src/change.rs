//! The log of a namespace: what changed, in order.

use std::future::Future;
use std::pin::Pin;

use crate::entry::Metadata;
use crate::key::{Key, Prefix};
use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;

/// A place in a namespace's log: just after one change of one commit.
///
/// A commit can change many keys. The index lets a reader stop in the middle of such a commit
/// and go on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The commit.
    pub revision: Revision,
    /// The change's place within it, from 0.
    pub index: u32,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log.
    pub at: Cursor,
    /// The key.
    pub key: Key,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The job that did it; `None` also for expiry, which nobody does.
    pub job: Option<Job>,
    /// When.
    pub time: Timestamp,
}

/// The kind of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was set, added to, claimed, renewed or released.
    Put(Put),
    /// It was deleted.
    Delete,
    /// Its lifetime ended.
    Expire,
}

/// An entry that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Bytes of the value.
    pub size: usize,
    /// `None` where an earlier version of the program logged the change without it.
    pub state: Option<PutState>,
}

/// Why an entry was written, and its metadata afterwards, beside what the [`Change`] itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutState {
    /// The kind of operation.
    pub cause: Cause,
    /// [`Metadata::created`].
    pub created: Timestamp,
    /// [`Metadata::expires`].
    pub expires: Option<Timestamp>,
    /// [`Metadata::claimed_until`].
    pub claimed_until: Option<Timestamp>,
    /// [`Metadata::claimed_by`].
    pub claimed_by: Option<Job>,
    /// [`Metadata::claims`].
    pub claims: u32,
}

/// The kind of operation that wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its value was set or added to.
    Set,
    /// It was claimed.
    Claim,
    /// Its claim was renewed.
    Renew,
    /// Its claim was released.
    Release,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In order; never empty.
    pub changes: Vec<Change>,
    /// Where to go on: at or after the last change, past others that did not match. Where the
    /// log was read to its end, this is [`Cursor::after`] its last commit, which says that all
    /// of that commit has been read.
    pub next: Cursor,
}

/// The extent of the log of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest place that a reader can start from.
    pub oldest: Cursor,
    /// The latest revision; [`Revision::ZERO`] before the first commit.
    pub latest: Revision,
}

/// The changes that a waiter is interested in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Changes of one key, and of none that merely begins like it.
    Key(Key),
    /// Changes of keys that begin with a prefix.
    Prefix(Prefix),
}

/// Comes once something that somebody waits for may have changed.
pub type Signal = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Put {
    /// The change of an entry that has this metadata afterwards.
    #[must_use]
    pub fn of(cause: Cause, after: &Metadata) -> Self {
        Self {
            size: after.size,
            state: Some(PutState {
                cause,
                created: after.created,
                expires: after.expires,
                claimed_until: after.claimed_until,
                claimed_by: after.claimed_by.clone(),
                claims: after.claims,
            }),
        }
    }
}

impl Cursor {
    /// Before every change.
    pub const START: Self = Self {
        revision: Revision::ZERO,
        index: u32::MAX,
    };

    /// After everything that the commit with this revision changed.
    #[must_use]
    pub const fn after(revision: Revision) -> Self {
        Self {
            revision,
            index: u32::MAX,
        }
    }

    /// True if this is behind everything that the commit with this revision changed.
    #[must_use]
    pub fn is_past(self, commit: Revision) -> bool {
        self >= Self::after(commit)
    }
}
