//! The simple model: the meaning of a store in the simplest code, without [`crate::rules`].
//!
//! Expired entries are removed at once, the log is never trimmed, and everything may be copied.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::time::Duration;

use super::draft::Draft;
use super::replay::{Logged, Replay};
use super::steps::Demand;
use crate::commit::{Commit, Condition, Operation, Outcome, Precondition};
use crate::conformance::shorthand::when;
use crate::entry::Entry;
use crate::error::{Mismatch, StoreError};
use crate::key::{Key, Prefix};
use crate::namespace::Job;
use crate::revision::Revision;
use crate::scan::{CountScan, Depth, FolderCount, Item, Order, Page, Projection, Scan, Visibility};
use crate::time::Timestamp;

/// All namespaces at one time, in milliseconds since the epoch.
pub(super) struct State {
    now: u64,
    spaces: Vec<Space>,
}

/// One namespace.
#[derive(Clone, Default)]
pub(super) struct Space {
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) log: Vec<Logged>,
    pub(super) latest: Revision,
    /// Keys that have expired, and that the engine may or may not have removed since.
    pub(super) lapsed: BTreeSet<String>,
}

/// The reason why a commit was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Precondition(Key, Mismatch),
    NotANumber(Key),
    /// With the number of keys that was found.
    OtherCount(Prefix, u64),
}

impl Refusal {
    /// The refusal in a store's error, or `None` for an error of another kind.
    pub(super) fn of(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::PreconditionFailed { key, reason } => {
                Some(Self::Precondition(key.clone(), *reason))
            }
            StoreError::NotANumber { key, .. } => Some(Self::NotANumber(key.clone())),
            StoreError::OtherCount { prefix, found, .. } => {
                Some(Self::OtherCount(prefix.clone(), *found))
            }
            _ => None,
        }
    }
}

/// A number of keys up to a limit, and whether there are more.
fn limited(found: usize, at_most: u64) -> (u64, bool) {
    let found = found as u64;
    (found.min(at_most), found > at_most)
}

impl State {
    pub(super) fn new(now: Timestamp, spaces: usize) -> Self {
        Self {
            now: now.as_millis(),
            spaces: vec![Space::default(); spaces],
        }
    }

    pub(super) fn advance(&mut self, by: Duration) {
        self.now += u64::try_from(by.as_millis()).unwrap();
        for space in &mut self.spaces {
            space.lapse(self.now);
        }
    }

    /// The latest known revision, and true if it must still be the latest one: an engine may use revisions for the
    /// removal of expired entries at any time.
    pub(super) fn latest(&self, space: usize) -> (Revision, bool) {
        let space = &self.spaces[space];
        (space.latest, space.lapsed.is_empty())
    }

    /// The engine has removed all expired entries.
    pub(super) fn swept(&mut self, space: usize, latest: Revision) {
        self.spaces[space].latest = latest;
        self.spaces[space].lapsed.clear();
    }

    pub(super) fn get(&self, space: usize, key: &Key) -> Option<Entry> {
        self.spaces[space].entries.get(key.as_str()).cloned()
    }

    /// The number of keys that a count answers, and whether there are more.
    pub(super) fn count(&self, space: usize, scan: &CountScan) -> (u64, bool) {
        let prefix = scan.prefix.as_str();
        let names = self.spaces[space].entries.keys();
        let counted = names.filter(|name| match scan.visibility {
            Visibility::All => name.starts_with(prefix),
            Visibility::Listed => shown(prefix, name),
        });
        let at_most = scan.at_most.map_or(u64::MAX, NonZero::get);
        limited(counted.count(), at_most)
    }

    /// The number of keys, and their bytes.
    pub(super) fn usage(&self, space: usize) -> (u64, u64) {
        let entries = &self.spaces[space].entries;
        let bytes: usize = entries
            .iter()
            .map(|(name, entry)| name.len() + entry.value.len())
            .sum();
        (entries.len() as u64, bytes as u64)
    }

    /// The page without its revision; see [`Self::latest`].
    pub(super) fn page(&self, space: usize, scan: &Scan) -> Page {
        let prefix = scan.prefix.as_str();
        let mut lines = BTreeMap::new();
        for (name, entry) in &self.spaces[space].entries {
            if !shown(prefix, name) {
                continue;
            }
            let slash = match scan.depth {
                Depth::All => None,
                Depth::OneLevel | Depth::OneLevelCounted(_) => name[prefix.len()..].find('/'),
            };
            if let Some(slash) = slash {
                let folder = &name[..=prefix.len() + slash];
                lines.insert(folder, self.folder(space, scan, folder));
            } else {
                let (key, entry) = (Key::parse(name).unwrap(), entry.clone());
                let item = match scan.projection {
                    Projection::Keys => Item::Key(key),
                    Projection::Details => Item::Details(key, entry.metadata),
                    Projection::Entries => Item::Entry(key, entry),
                };
                lines.insert(name, item);
            }
        }
        let mut lines: Vec<_> = lines.into_iter().collect();
        if scan.order == Order::Descending {
            lines.reverse();
        }
        if let Some(after) = &scan.after {
            lines.retain(|(name, _)| match scan.order {
                Order::Ascending => *name > after.as_str(),
                Order::Descending => *name < after.as_str(),
            });
        }
        let more = lines.len() > scan.limit.get();
        let last = lines.get(scan.limit.get() - 1).filter(|_| more);
        let next = last.map(|(name, _)| Prefix::parse(name).unwrap());
        let items = lines.into_iter().map(|(_, item)| item);
        Page {
            items: items.take(scan.limit.get()).collect(),
            next,
            revision: Revision::ZERO,
        }
    }

    /// The item of a folder that a listing shows.
    fn folder(&self, space: usize, scan: &Scan, folder: &str) -> Item {
        let path = Prefix::parse(folder).unwrap();
        let Depth::OneLevelCounted(at_most) = scan.depth else {
            return Item::Folder(path);
        };
        let names = self.spaces[space].entries.keys();
        let inside =
            names.filter(|name| name.starts_with(folder) && shown(scan.prefix.as_str(), name));
        let (keys, more) = limited(inside.count(), at_most.get());
        Item::CountedFolder(path, FolderCount { keys, more })
    }

    /// The conditions, with the present revisions of their keys.
    pub(super) fn resolve(&self, space: usize, demands: &[(Key, Demand)]) -> Vec<Condition> {
        let resolve = |(key, demand): &(Key, Demand)| {
            let entry = self.spaces[space].entries.get(key.as_str());
            let revision = entry.map_or(Revision::ZERO, |entry| entry.metadata.revision);
            let expect = match demand {
                Demand::Absent => Precondition::Absent,
                Demand::Present => Precondition::Present,
                Demand::ItsRevision => Precondition::Revision(revision),
                Demand::AnotherRevision => Precondition::Revision(revision.next()),
                Demand::Value(value) => Precondition::Value(value.clone()),
            };
            Condition {
                key: key.clone(),
                expect,
            }
        };
        demands.iter().map(resolve).collect()
    }

    /// The outcomes of a commit with this revision, and true if it changes anything.
    pub(super) fn commit(
        &mut self,
        space: usize,
        author: Option<&Job>,
        commit: &Commit,
        revision: Revision,
    ) -> Result<(Vec<Outcome>, bool), Refusal> {
        if let Some(outcome) = self.spaces[space].already_set(commit) {
            return Ok((vec![outcome], false));
        }
        for condition in commit.conditions() {
            self.spaces[space].check(condition)?;
        }
        let mut draft = Draft {
            space: self.spaces[space].clone(),
            now: self.now,
            author,
            write_id: commit.write_id(),
            revision,
        };
        let outcomes: Result<Vec<_>, _> = commit
            .operations()
            .iter()
            .map(|operation| draft.apply(operation))
            .collect();
        let outcomes = outcomes?;
        let changed = draft.space.log.len() > self.spaces[space].log.len();
        draft.space.latest = revision;
        draft.space.lapse(self.now);
        self.spaces[space] = draft.space;
        Ok((outcomes, changed))
    }

    /// The changes that the log of a prefix has to have.
    pub(super) fn replay(&self, space: usize, prefix: &str) -> Replay {
        let space = &self.spaces[space];
        let due = space.log.iter().filter(|told| shown(prefix, &told.key));
        let left = space.entries.keys().filter(|name| shown(prefix, name));
        Replay::new(due.cloned().collect(), left.cloned().collect())
    }
}

impl Space {
    /// Removes the entries that have expired at this time.
    fn lapse(&mut self, now: u64) {
        let lapsed = &mut self.lapsed;
        self.entries.retain(|name, entry| {
            let ended = entry
                .metadata
                .expires
                .is_some_and(|expires| expires.as_millis() <= now);
            if ended {
                lapsed.insert(name.clone());
            }
            !ended
        });
    }

    /// The outcome of a set whose key already has its write id.
    fn already_set(&self, commit: &Commit) -> Option<Outcome> {
        let [Operation::Set { key, .. }] = commit.operations() else {
            return None;
        };
        let entry = self.entries.get(key.as_str())?;
        commit.write_id()?;
        (entry.metadata.write_id.as_ref() == commit.write_id()).then(|| Outcome::AlreadySet {
            created: commit
                .conditions()
                .contains(&when(key.as_str(), Precondition::Absent)),
            revision: entry.metadata.revision,
        })
    }

    fn check(&self, condition: &Condition) -> Result<(), Refusal> {
        let refuse = |mismatch| Err(Refusal::Precondition(condition.key.clone(), mismatch));
        let found = self.entries.get(condition.key.as_str());
        if condition.expect == Precondition::Absent {
            return match found {
                Some(entry) => refuse(Mismatch::Exists(entry.metadata.revision)),
                None => Ok(()),
            };
        }
        let Some(entry) = found else {
            return refuse(Mismatch::Missing);
        };
        let revision = entry.metadata.revision;
        match &condition.expect {
            Precondition::Revision(wanted) if *wanted != revision => {
                refuse(Mismatch::Revision(revision))
            }
            Precondition::Value(wanted) if *wanted != entry.value => {
                refuse(Mismatch::Value(revision))
            }
            _ => Ok(()),
        }
    }
}

/// True if a listing of a prefix shows a key.
pub(super) fn shown(prefix: &str, name: &str) -> bool {
    let reaches_inside = prefix.contains("/_internal_/");
    let internal = name.split('/').any(|segment| segment == "_internal_");
    name.starts_with(prefix) && (reaches_inside || !internal)
}
