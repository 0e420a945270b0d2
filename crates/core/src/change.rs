//! The log of a namespace: its changes, in order.

use std::future::Future;
use std::pin::Pin;

use crate::entry::Metadata;
use crate::key::{Key, Prefix};
use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;

/// A place in a namespace's log: directly after one change of one commit.
///
/// A commit can change many keys. With the index, a reader can stop in the middle of such a commit and continue there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The commit.
    pub revision: Revision,
    /// The change's place within it, from 0.
    pub index: u32,
}

/// The change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its place in the log.
    pub at: Cursor,
    /// The key.
    pub key: Key,
    /// The kind of change.
    pub kind: ChangeKind,
    /// The job that made the change; `None` for an expiry, which no job makes.
    pub job: Option<Job>,
    /// The time of the change.
    pub time: Timestamp,
}

/// The kind of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The entry was set, added to, claimed, renewed or released.
    Put(Put),
    /// The entry was deleted.
    Delete,
    /// The entry expired.
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

/// The operation that wrote an entry, and the entry's metadata afterwards, without the fields of [`Change`] itself.
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
    /// The value was set or added to.
    Set,
    /// The entry was claimed.
    Claim,
    /// The claim was renewed.
    Renew,
    /// The claim was released.
    Release,
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// In order; never empty.
    pub changes: Vec<Change>,
    /// The cursor to continue from: at or after the last change, past changes that did not match. At the end of the log
    /// it is [`Cursor::after`] the last commit, so that it is past the whole commit.
    pub next: Cursor,
}

/// The extent of the log of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The earliest cursor from which a reader can start.
    pub oldest: Cursor,
    /// The latest revision; [`Revision::ZERO`] before the first commit.
    pub latest: Revision,
}

/// The changes that a waiter waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Changes of one key; not of longer keys that begin with it.
    Key(Key),
    /// Changes of keys that begin with a prefix.
    Prefix(Prefix),
}

/// Completes when something that its listener waits for has changed, or may have changed.
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

    /// After every change of the commit with this revision.
    #[must_use]
    pub const fn after(revision: Revision) -> Self {
        Self {
            revision,
            index: u32::MAX,
        }
    }

    /// True if this is after every change of the commit with this revision.
    #[must_use]
    pub fn is_past(self, commit: Revision) -> bool {
        self >= Self::after(commit)
    }
}
