//! The memory of a waiting commit, and the limit for all of them.

use prominence_core::{Commit, Operation, Precondition};

/// Bytes of all waiting commits together. With a bound on their number alone, a few thousand
/// large ones would fill the memory of a small machine.
pub(crate) const MAX_QUEUED_BYTES: usize = 64 << 20;

/// Bytes that a commit takes in the queue beside its values: keys and structure.
pub(crate) const COMMIT_OVERHEAD: usize = 512;

/// The bytes that a waiting commit takes, about.
pub(crate) fn weigh(commit: &Commit) -> usize {
    let conditions = commit.conditions().iter();
    let expected = conditions.map(|condition| match &condition.expect {
        Precondition::Value(value) => value.len() + COMMIT_OVERHEAD,
        Precondition::Absent | Precondition::Present | Precondition::Revision(_) => COMMIT_OVERHEAD,
    });
    let operations = commit.operations().iter();
    let written = operations.map(|operation| match operation {
        Operation::Set { value, .. } => value.len() + COMMIT_OVERHEAD,
        _ => COMMIT_OVERHEAD,
    });
    expected.chain(written).sum()
}
