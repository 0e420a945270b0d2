//! Compares the log of an engine with the changes of the simple model.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::{Change, ChangeKind};
use crate::namespace::Job;
use crate::revision::Revision;

/// A change of the model, as an engine has to log it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) revision: Revision,
    pub(super) key: String,
    pub(super) kind: ChangeKind,
    pub(super) job: Option<Job>,
    pub(super) time: u64,
    pub(super) expires: Option<u64>,
}

/// The comparison of one log, from its beginning.
pub(super) struct Replay {
    /// The changes that the log still has to have; the next one is the last of the list.
    due: Vec<Logged>,
    /// The keys that exist after the changes so far, with the times at which they expire.
    present: BTreeMap<String, Option<u64>>,
    /// The keys that have to exist at the end.
    left: BTreeSet<String>,
}

impl Replay {
    /// A comparison that has read no change yet.
    pub(super) fn new(mut due: Vec<Logged>, left: BTreeSet<String>) -> Self {
        // An engine may choose the order within one commit; both lists are sorted by key there.
        due.sort_by(|one, other| (other.revision, &other.key).cmp(&(one.revision, &one.key)));
        Self {
            due,
            present: BTreeMap::new(),
            left,
        }
    }

    /// Compares the next change of the log.
    pub(super) fn follow(&mut self, change: &Change) -> Result<(), String> {
        let name = change.key.as_str();
        if change.kind == ChangeKind::Expire {
            let ended = match self.present.remove(name) {
                Some(Some(expires)) => expires <= change.time.as_millis(),
                _ => false,
            };
            let by_nobody = change.job.is_none();
            let right = ended && by_nobody;
            return right
                .then_some(())
                .ok_or_else(|| "the key had not expired".into());
        }
        let due = self.due.pop().ok_or("the model has no further change")?;
        let told = Logged {
            revision: change.at.revision,
            key: name.to_owned(),
            kind: change.kind.clone(),
            job: change.job.clone(),
            time: change.time.as_millis(),
            expires: due.expires,
        };
        if told != due {
            return Err(format!("the model has {due:?}"));
        }
        match change.kind {
            ChangeKind::Put(_) => self.present.insert(due.key, due.expires),
            ChangeKind::Delete | ChangeKind::Expire => self.present.remove(name),
        };
        Ok(())
    }

    /// Succeeds if the log had all changes, and the keys that remain are right.
    pub(super) fn end(&self) -> Result<(), String> {
        if let Some(due) = self.due.last() {
            return Err(format!("{due:?} is missing"));
        }
        if !self.present.keys().eq(&self.left) {
            return Err(format!("{:?} is not {:?}", self.present, self.left));
        }
        Ok(())
    }
}
