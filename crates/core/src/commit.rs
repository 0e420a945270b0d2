//! Commits: the operations that a caller requests, and their outcomes.

use std::collections::HashSet;
use std::time::Duration;

use crate::entry::Entry;
use crate::key::{Key, Prefix};
use crate::limits::MAX_COMMIT_OPERATIONS;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// Conditions and operations that are executed all together or not at all.
///
/// Every condition and every operation sees the state before the commit. No key is in two operations, and an operation
/// on a prefix is the only one, so their order doesn't matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    conditions: Vec<Condition>,
    operations: Vec<Operation>,
    /// Only with a single operation, a set, and at least one condition.
    write_id: Option<WriteId>,
}

/// A condition on one key, which has to hold for a commit to be executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The key.
    pub key: Key,
    /// The condition.
    pub expect: Precondition,
}

/// The conditions that a key can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// It does not exist.
    Absent,
    /// It exists.
    Present,
    /// It exists, and the last commit that wrote it is this one.
    Revision(Revision),
    /// It exists, and its value is equal to this one.
    Value(Value),
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Stores a value; creates or replaces the entry. Ends a claim.
    Set {
        /// The key.
        key: Key,
        /// Its new value.
        value: Value,
        /// The lifetime.
        lifetime: Lifetime,
    },
    /// Adds to a decimal integer; an absent key counts as 0. The lifetime is kept, and a claim is ended.
    Add {
        /// The key.
        key: Key,
        /// The number to add.
        by: i64,
    },
    /// Removes one key; no error if it is absent.
    Delete {
        /// The key.
        key: Key,
    },
    /// Removes every key that begins with the prefix, `_internal_` ones included.
    DeletePrefix {
        /// The prefix.
        prefix: Prefix,
        /// The number of keys that have to be there for any to be removed; `None` for any number.
        if_count: Option<u64>,
    },
    /// Claims the first key that a listing of the prefix shows and that has no live claim.
    Claim {
        /// The prefix.
        prefix: Prefix,
        /// The duration of the claim.
        hold: Duration,
    },
    /// Sets the end of a live claim to this time from now. An expired claim or an absent key is a failed precondition.
    Renew {
        /// The key.
        key: Key,
        /// The duration of the claim.
        hold: Duration,
    },
    /// Ends a live claim, with the same precondition as [`Operation::Renew`].
    Release {
        /// The key.
        key: Key,
    },
}

/// The lifetime of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the entry is deleted.
    Permanent,
    /// For this time after the commit.
    For(Duration),
    /// Until this time.
    Until(Timestamp),
}

/// The result of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The commit's revision; if nothing changed, the latest one of the namespace.
    pub revision: Revision,
    /// One outcome for each operation, in their order.
    pub outcomes: Vec<Outcome>,
}

/// The result of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The value is stored.
    Set {
        /// True if the key did not exist before.
        created: bool,
    },
    /// An earlier commit with the same write id stored the value, and nothing was changed.
    AlreadySet {
        /// True if that commit demanded that the key did not exist.
        created: bool,
        /// The entry's revision. It is greater than the commit's if the entry has been claimed since.
        revision: Revision,
    },
    /// The sum.
    Added(i64),
    /// The number of removed keys.
    Deleted(u64),
    /// The key that is now claimed, and its entry.
    Claimed(Key, Entry),
    /// No key under the prefix is free. One may become free at this time, when the first claim ends, or earlier when a
    /// key is written.
    NoneFree {
        /// `None` if no key under the prefix is claimed.
        until: Option<Timestamp>,
    },
    /// The claim lasts until this time.
    Renewed(Timestamp),
    /// The key is not claimed any more.
    Released,
}

/// The reason why conditions and operations don't form a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCommit {
    /// No operation.
    #[error("there is no operation; name at least one")]
    Empty,
    /// More operations than [`MAX_COMMIT_OPERATIONS`].
    #[error("there are {0} operations; the limit is {MAX_COMMIT_OPERATIONS}; send several batches")]
    TooManyOperations(usize),
    /// More conditions than [`MAX_COMMIT_OPERATIONS`].
    #[error("there are {0} conditions; the limit is {MAX_COMMIT_OPERATIONS}; name fewer")]
    TooManyConditions(usize),
    /// The same key in two operations.
    #[error("the key {0} appears in more than one operation; keep one of them")]
    RepeatedKey(Key),
    /// An operation on a prefix together with others.
    #[error("an operation on a prefix must be the only one")]
    PrefixNotAlone,
    /// A write id on a commit other than one set with a condition.
    #[error("a write id belongs to a commit of one set and at least one condition")]
    WriteIdNotAllowed,
}

impl Commit {
    /// A commit of these conditions and operations.
    ///
    /// # Errors
    /// See [`MalformedCommit`].
    pub fn new(
        conditions: Vec<Condition>,
        operations: Vec<Operation>,
    ) -> Result<Self, MalformedCommit> {
        if operations.is_empty() {
            return Err(MalformedCommit::Empty);
        }
        if operations.len() > MAX_COMMIT_OPERATIONS {
            return Err(MalformedCommit::TooManyOperations(operations.len()));
        }
        if conditions.len() > MAX_COMMIT_OPERATIONS {
            return Err(MalformedCommit::TooManyConditions(conditions.len()));
        }
        if operations.len() > 1 {
            let mut seen = HashSet::new();
            for operation in &operations {
                let key = operation.key().ok_or(MalformedCommit::PrefixNotAlone)?;
                if !seen.insert(key) {
                    return Err(MalformedCommit::RepeatedKey(key.clone()));
                }
            }
        }
        Ok(Self {
            conditions,
            operations,
            write_id: None,
        })
    }

    /// A commit of one operation, with at most one condition.
    #[must_use]
    pub fn single(condition: Option<Condition>, operation: Operation) -> Self {
        Self {
            conditions: condition.into_iter().collect(),
            operations: vec![operation],
            write_id: None,
        }
    }

    /// The same commit with an id, so that a repetition is recognized: if the live entry of its key was stored by a set
    /// with this id, the commit changes nothing, and its outcome is [`Outcome::AlreadySet`], even if its conditions
    /// don't hold.
    ///
    /// Only a commit of one set with at least one condition may have one. A commit of several operations would have to
    /// be recognized by all of its keys, and some of these may have been written since.
    ///
    /// # Errors
    /// [`MalformedCommit::WriteIdNotAllowed`].
    pub fn identified_by(mut self, id: WriteId) -> Result<Self, MalformedCommit> {
        let is_one_set = matches!(self.operations[..], [Operation::Set { .. }]);
        if !is_one_set || self.conditions.is_empty() {
            return Err(MalformedCommit::WriteIdNotAllowed);
        }
        self.write_id = Some(id);
        Ok(self)
    }

    /// The conditions.
    #[must_use]
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The operations.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The id of its set, if it has one.
    #[must_use]
    pub fn write_id(&self) -> Option<&WriteId> {
        self.write_id.as_ref()
    }

    /// Adds a condition. Used by permits that allow creating but not replacing.
    pub(crate) fn demand(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }
}

impl Operation {
    /// Removes every key that begins with the prefix, however many there are.
    #[must_use]
    pub fn delete_prefix(prefix: Prefix) -> Self {
        Self::DeletePrefix {
            prefix,
            if_count: None,
        }
    }

    /// The key of the operation; `None` for an operation on a prefix.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::Set { key, .. }
            | Self::Add { key, .. }
            | Self::Delete { key }
            | Self::Renew { key, .. }
            | Self::Release { key } => Some(key),
            Self::DeletePrefix { .. } | Self::Claim { .. } => None,
        }
    }

    /// True if the operation can only remove keys.
    #[must_use]
    pub fn only_removes(&self) -> bool {
        matches!(self, Self::Delete { .. } | Self::DeletePrefix { .. })
    }
}

impl Lifetime {
    /// The time at which an entry written at `now` expires.
    #[must_use]
    pub fn expires(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Permanent => None,
            Self::For(duration) => Some(now.after(duration)),
            Self::Until(instant) => Some(instant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delete(key: &str) -> Operation {
        Operation::Delete {
            key: Key::parse(key).unwrap(),
        }
    }

    #[test]
    fn a_key_stands_in_one_operation_only() {
        let repeated = Commit::new(vec![], vec![delete("/a"), delete("a")]);
        assert_eq!(
            repeated,
            Err(MalformedCommit::RepeatedKey(Key::parse("/a").unwrap()))
        );
        assert!(Commit::new(vec![], vec![delete("/a"), delete("/b")]).is_ok());
    }

    #[test]
    fn a_write_id_belongs_to_one_set_with_a_condition() {
        let id = || WriteId::parse(b"1").unwrap();
        let key = || Key::parse("/a").unwrap();
        let set = || Operation::Set {
            key: key(),
            value: Value::from_integer(1),
            lifetime: Lifetime::Permanent,
        };
        let absent = || Condition {
            key: key(),
            expect: Precondition::Absent,
        };
        let identified = Commit::single(Some(absent()), set()).identified_by(id());
        assert_eq!(identified.unwrap().write_id(), Some(&id()));
        for commit in [
            Commit::single(None, set()),
            Commit::single(Some(absent()), delete("/a")),
            Commit::new(vec![absent()], vec![set(), delete("/b")]).unwrap(),
        ] {
            assert_eq!(
                commit.identified_by(id()),
                Err(MalformedCommit::WriteIdNotAllowed)
            );
        }
    }

    #[test]
    fn operations_are_bounded_and_prefixes_stand_alone() {
        let many: Vec<_> = (0..=MAX_COMMIT_OPERATIONS)
            .map(|n| delete(&n.to_string()))
            .collect();
        assert_eq!(
            Commit::new(vec![], many),
            Err(MalformedCommit::TooManyOperations(101))
        );
        assert_eq!(Commit::new(vec![], vec![]), Err(MalformedCommit::Empty));
        let prefix = Operation::delete_prefix(Prefix::everything());
        assert_eq!(
            Commit::new(vec![], vec![prefix.clone(), delete("/a")]),
            Err(MalformedCommit::PrefixNotAlone)
        );
        assert!(Commit::new(vec![], vec![prefix]).is_ok());
    }
}
