//! The records of a history: requests, answers, watches, and their times.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the run began, on one clock for the whole run.
pub type Moment = u64;

/// A moment that never comes: the end of a request that may still take effect.
pub const NEVER: Moment = Moment::MAX;

/// Text that many records share.
pub type Text = Arc<str>;

/// One request of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The number of the client. A client whose request was lost goes on with a new number.
    pub client: u64,
    /// Before the request was sent.
    pub start: Moment,
    /// After the answer came; for a lost request, when it can no longer take effect.
    pub end: Moment,
    /// The request.
    pub call: Call,
    /// The answer.
    pub answer: Answer,
}

/// The precondition of a write on a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// The key does not exist.
    Absent,
    /// The key has this revision.
    Revision(u64),
    /// The key has this value.
    Value(Text),
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `GET /kv/KEY`.
    Get(Text),
    /// `GET /kv/PREFIX?list&detail&values`, in one page.
    List(Text),
    /// The same with `limit` and `after`: one page of several.
    Page {
        /// The prefix.
        prefix: Text,
        /// The last key of the page before, if there was one.
        after: Option<Text>,
        /// The largest number of keys in the page.
        limit: usize,
    },
    /// `GET /kv/KEY?wait=DURATION`.
    Wait {
        /// The key.
        key: Text,
        /// The wait ends when the key has another revision than this; `None`: when it exists.
        unlike: Option<u64>,
        /// The longest wait, in nanoseconds.
        within: Moment,
    },
    /// `GET /kv/PREFIX?list&count`.
    Count {
        /// The prefix.
        prefix: Text,
        /// The number of keys that it waits for, if it waits.
        barrier: Option<Barrier>,
    },
    /// `POST /kv/KEY`.
    Set {
        /// The key.
        key: Text,
        /// A value that no other request sets.
        value: Text,
        /// Its precondition.
        expect: Expect,
        /// Its lifetime, in nanoseconds.
        ttl: Option<u64>,
    },
    /// `POST /kv/KEY?add=N`.
    Add(Text, i64),
    /// `DELETE /kv/KEY`.
    Delete(Text, Expect),
    /// `DELETE /kv/PREFIX?prefix`.
    DeletePrefix(Text),
    /// `POST /kv`.
    Batch {
        /// Its conditions: nothing is changed where one is not met.
        conditions: Vec<(Text, Expect)>,
        /// Its changes.
        changes: Vec<(Text, Change)>,
    },
    /// `POST /kv/PREFIX?claim=DURATION`.
    Claim(Text),
    /// `POST /kv/KEY?renew=DURATION` of the claim with this revision.
    Renew(Text, u64),
    /// `POST /kv/KEY?release` of the claim with this revision.
    Release(Text, u64),
}

/// The condition of a count that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// The smallest number of keys.
    pub at_least: u64,
    /// The longest wait, in nanoseconds.
    pub within: Moment,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Sets it.
    Set(Text),
    /// Adds to it.
    Add(i64),
    /// Deletes it.
    Delete,
}

/// A value and the revision that wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value.
    pub value: Text,
    /// Its revision.
    pub revision: u64,
}

/// The entries of a namespace.
pub type Snapshot = BTreeMap<Text, Entry>;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// There was none, or one that says that the request may have been executed.
    Lost,
    /// The entry of a key.
    Found(Entry),
    /// 404.
    Absent,
    /// Everything under a prefix.
    Listed(Snapshot),
    /// A page of it, and whether it says that more keys follow.
    Page(Snapshot, Follows),
    /// 304: a wait ended, and the key still has the revision.
    Unchanged,
    /// The number of keys below the prefix.
    Counted(u64),
    /// The value was set, or the claim renewed or released, with this revision.
    Written(u64),
    /// The sum, and its revision.
    Sum(i64, u64),
    /// The number of keys that were deleted.
    Deleted(u64),
    /// The batch was executed: its revision, and the sum of each addition.
    Done(u64, Vec<Option<i64>>),
    /// 412: nothing was changed.
    Failed,
    /// An item was claimed.
    Claimed {
        /// Its key.
        key: Text,
        /// Its value, and the claim's revision.
        entry: Entry,
        /// The time at which the claim ends.
        until: Moment,
        /// The number of claims since its value was set, where it was recorded.
        #[serde(default)]
        claims: Option<u64>,
    },
    /// The claim was renewed with this revision, and ends at this time.
    Renewed(u64, Moment),
    /// 204: nothing to claim.
    Nothing,
    /// An answer that the interface does not have.
    Odd(u16, String),
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Follows {
    /// Another page.
    More,
    /// Nothing.
    Nothing,
}

/// A change in an event of a watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// The commit's revision.
    pub revision: u64,
    /// The key.
    pub key: Text,
    /// The kind of change.
    pub kind: EventKind,
    /// The value, where the event has it.
    pub value: Option<Text>,
    /// The other members of the event of a put, where they were recorded.
    #[serde(default)]
    pub put: Option<Put>,
}

/// Members of the event of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Put {
    /// The kind of operation.
    pub cause: Cause,
    /// The number of claims since the value was set.
    pub claims: u64,
}

/// The kind of operation that wrote an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A set or an addition.
    Set,
    /// A claim.
    Claim,
    /// A renewal.
    Renew,
    /// A release.
    Release,
}

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was deleted.
    Delete,
    /// It expired.
    Expire,
}

/// The events of one watcher in a round, over all its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The prefix.
    pub prefix: Text,
    /// It asked for events after this revision.
    pub since: u64,
    /// It read until the event of this revision.
    pub until: u64,
    /// The events.
    pub events: Vec<Event>,
}

/// The requests to one namespace from one moment at which no request was open to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The user of the namespace; every value that is set in it begins with this and a colon, or is a number.
    pub user: String,
    /// The entries at the beginning.
    pub before: Snapshot,
    /// Keys that got a lifetime in an earlier round. One that has expired is in no listing, and has one more event when
    /// the store removes it.
    pub expiring: Vec<Text>,
    /// The requests with their answers. The last record lists all keys.
    pub records: Vec<Record>,
    /// The watches. One of them is of all keys, where there are any.
    pub watches: Vec<Watch>,
    /// The times in which there were faults.
    pub disturbed: Vec<(Moment, Moment)>,
    /// The largest difference between the servers' clocks, in nanoseconds.
    pub disagreement: Moment,
}

impl Record {
    /// The key that it may have given a lifetime.
    #[must_use]
    pub fn expiring(&self) -> Option<&Text> {
        match &self.call {
            Call::Set {
                key, ttl: Some(_), ..
            } => Some(key),
            _ => None,
        }
    }
}

impl Call {
    /// True if the state of the store is not known where the answer is lost.
    #[must_use]
    pub fn is_write(&self) -> bool {
        !matches!(
            self,
            Self::Get(_)
                | Self::List(_)
                | Self::Page { .. }
                | Self::Wait { .. }
                | Self::Count { .. }
        )
    }
}

impl Answer {
    /// The revision of the change, where the answer tells it.
    #[must_use]
    pub fn revision(&self) -> Option<u64> {
        match self {
            Self::Written(revision)
            | Self::Sum(_, revision)
            | Self::Done(revision, _)
            | Self::Renewed(revision, _) => Some(*revision),
            Self::Claimed { entry, .. } => Some(entry.revision),
            _ => None,
        }
    }
}
