//! What a client asked for, what it was told, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Nanoseconds since the run began, on one clock for everybody in it.
pub type Moment = u64;

/// A moment that never comes: the end of a request that may still take effect.
pub const NEVER: Moment = Moment::MAX;

/// Text that many records share.
pub type Text = Arc<str>;

/// One request of one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Who asked; a client whose request was lost goes on under a new number.
    pub client: u64,
    /// Before the request was sent.
    pub start: Moment,
    /// After the answer came; for a lost request, when it can no longer take effect.
    pub end: Moment,
    /// What was asked for.
    pub call: Call,
    /// What was answered.
    pub answer: Answer,
}

/// What a write expects of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Nothing.
    Anything,
    /// That it isn't there.
    Absent,
    /// That it has this revision.
    Revision(u64),
    /// That it has this value.
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
        /// What is listed.
        prefix: Text,
        /// The last key of the page before, if there was one.
        after: Option<Text>,
        /// Keys in the page, at most.
        limit: usize,
    },
    /// `GET /kv/KEY?wait=DURATION`.
    Wait {
        /// The key.
        key: Text,
        /// Until it differs from this revision; `None`: until it is there.
        unlike: Option<u64>,
        /// For how long, in nanoseconds.
        within: Moment,
    },
    /// `GET /kv/PREFIX?list&count`.
    Count {
        /// What is counted.
        prefix: Text,
        /// How many keys it waits for, if it does.
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
        /// How long it is to live, in nanoseconds.
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
        /// All of these hold, or nothing happens.
        conditions: Vec<(Text, Expect)>,
        /// What happens.
        changes: Vec<(Text, Change)>,
    },
    /// `POST /kv/PREFIX?claim=DURATION`.
    Claim(Text),
    /// `POST /kv/KEY?renew=DURATION` of the claim with this revision.
    Renew(Text, u64),
    /// `POST /kv/KEY?release` of the claim with this revision.
    Release(Text, u64),
}

/// How many keys a count waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// At least so many.
    pub at_least: u64,
    /// For how long, in nanoseconds.
    pub within: Moment,
}

/// What a batch does to one key.
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

/// What a namespace holds.
pub type Snapshot = BTreeMap<Text, Entry>;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// None, or one that says that it may have happened.
    Lost,
    /// The entry of a key.
    Found(Entry),
    /// 404.
    Absent,
    /// Everything under a prefix.
    Listed(Snapshot),
    /// A page of it, and whether it was said that more follows.
    Page(Snapshot, Follows),
    /// 304: a wait ended, and the key still has the revision.
    Unchanged,
    /// So many keys are under the prefix.
    Counted(u64),
    /// The value was set, or the claim renewed or released, with this revision.
    Written(u64),
    /// The sum, and its revision.
    Sum(i64, u64),
    /// So many keys were deleted.
    Deleted(u64),
    /// The batch was done: its revision, and of each addition its sum.
    Done(u64, Vec<Option<i64>>),
    /// 412: nothing was changed.
    Failed,
    /// An item was claimed.
    Claimed {
        /// Its key.
        key: Text,
        /// What it holds, and the claim's revision.
        entry: Entry,
        /// Until when it is claimed.
        until: Moment,
        /// How many times it was claimed, where that was recorded.
        #[serde(default)]
        claims: Option<u64>,
    },
    /// The claim was renewed with this revision until then.
    Renewed(u64, Moment),
    /// 204: nothing to claim.
    Nothing,
    /// Something that the interface doesn't say.
    Odd(u16, String),
}

/// What comes after a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Follows {
    /// Another page.
    More,
    /// Nothing.
    Nothing,
}

/// A change as a watch tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Event {
    /// The commit's revision.
    pub revision: u64,
    /// The key.
    pub key: Text,
    /// What happened to it.
    pub kind: EventKind,
    /// The value, where it was told.
    pub value: Option<Text>,
    /// What was told of a put beside, where that was recorded.
    #[serde(default)]
    pub put: Option<Put>,
}

/// What a watch tells of a put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Put {
    /// The kind of operation.
    pub cause: Cause,
    /// How many times the entry was claimed since its value was set.
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

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// It was written.
    Put,
    /// It was deleted.
    Delete,
    /// Its time was over.
    Expire,
}

/// Everything that one watcher was told in a round, over all its connections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// What it watched.
    pub prefix: Text,
    /// It asked for what is later than this revision.
    pub since: u64,
    /// It listened until it had been told of this revision.
    pub until: u64,
    /// What it was told.
    pub events: Vec<Event>,
}

/// What happened in one namespace, from one moment at which nobody asked for anything to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// Whose namespace it is; every value that is set in it begins with this and a colon, or is a number.
    pub user: String,
    /// What it held in the beginning.
    pub before: Snapshot,
    /// Keys that were given a lifetime before. One that has ended is in no listing, and is told of
    /// once more when the store removes it.
    pub expiring: Vec<Text>,
    /// What was asked and answered. The last record lists everything.
    pub records: Vec<Record>,
    /// What was watched. One of these watches everything, where watches are taken.
    pub watches: Vec<Watch>,
    /// From when until when servers were not well.
    pub disturbed: Vec<(Moment, Moment)>,
    /// By how much the servers' clocks differ, at most, in nanoseconds.
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
    /// Whether losing the answer leaves open what the store holds.
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
    /// The revision that was made, where one was told.
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
