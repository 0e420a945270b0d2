//! The log of an engine, read beside what the plain model did.

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

/// A log being read beside the model's.
pub(super) struct Replay {
    /// The changes that the log still has to have, the next one last.
    due: Vec<Logged>,
    /// The keys that are there by what was told so far, and when they end.
    present: BTreeMap<String, Option<u64>>,
    /// The keys that have to be there at the end.
    left: BTreeSet<String>,
}

impl Replay {
    /// A log that has still to be read from its beginning.
    pub(super) fn new(mut due: Vec<Logged>, left: BTreeSet<String>) -> Self {
        // The order within one commit is the engine's own; here and there it is that of the keys.
        due.sort_by(|one, other| (other.revision, &other.key).cmp(&(one.revision, &one.key)));
        Self {
            due,
            present: BTreeMap::new(),
            left,
        }
    }

    /// Takes in the next change of the log.
    pub(super) fn follow(&mut self, change: &Change) -> Result<(), String> {
        let name = change.key.as_str();
        if change.kind == ChangeKind::Expire {
            let ended = match self.present.remove(name) {
                Some(Some(expires)) => expires <= change.time.as_millis(),
                _ => false,
            };
            let by_nobody = change.job.is_none();
            let right = ended && by_nobody;
            return right.then_some(()).ok_or_else(|| "it was not due".into());
        }
        let due = self.due.pop().ok_or("nothing more was due")?;
        let told = Logged {
            revision: change.at.revision,
            key: name.to_owned(),
            kind: change.kind.clone(),
            job: change.job.clone(),
            time: change.time.as_millis(),
            expires: due.expires,
        };
        if told != due {
            return Err(format!("{due:?} was due"));
        }
        match change.kind {
            ChangeKind::Put(_) => self.present.insert(due.key, due.expires),
            ChangeKind::Delete | ChangeKind::Expire => self.present.remove(name),
        };
        Ok(())
    }

    /// Succeeds if all changes were read, and they leave the keys that exist.
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
