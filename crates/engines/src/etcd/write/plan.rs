//! From a group of commits to one transaction.

use std::collections::{BTreeMap, HashSet};

use prominence_core::commit::{Condition, Precondition};
use prominence_core::rules::{self, Circumstances, Effect};
use prominence_core::{Commit, Committed, Entry, Key, Operation, Quota, StoreError, Timestamp};

use super::head_txn::{HeadTxn, PreparedTxn};
use super::namespace_cache::{ChangedEntries, MissingReads, NamespaceCache};
use super::queue::PendingCommit;
use super::view::{PlannedView, Unplanned};
use crate::etcd::records::{Content, Head, LoggedCommit, hint};
use crate::etcd::ticket::Ticket;

/// Bytes of entries in a transaction beyond which it reads nothing where it conflicts: etcd takes
/// requests of 1.5 MiB.
const MAX_BYTES_BESIDE_READS: usize = 512 << 10;

/// Keys that a transaction reads where it conflicts. etcd takes 128 operations.
const MAX_READS: usize = 120;

/// The effect of a group of commits.
pub(super) struct Plan {
    head: Head,
    /// One for each commit, to be given once the transaction is done.
    pub(super) answers: Vec<Result<Committed, StoreError>>,
    /// In the order of the commits.
    effects: Vec<Effect>,
    /// Each changed key with its new entry, or without one.
    planned: BTreeMap<Key, Option<Entry>>,
    /// Keys that are expected to be absent.
    guessed: HashSet<Key>,
    commits: Vec<LoggedCommit>,
}

/// The state and circumstances that a group is planned on.
pub(super) struct PlanContext<'a> {
    pub(super) cache: &'a NamespaceCache,
    pub(super) head: Head,
    pub(super) now: Timestamp,
    pub(super) quota: Quota,
    pub(super) ticket: Ticket,
}

/// The keys that have to be read before a group can be planned, and those that may be expected to
/// be absent where nothing is known of them.
pub(super) fn needed(group: &[PendingCommit], cache: &NamespaceCache) -> (Vec<Key>, HashSet<Key>) {
    let mut guessable = HashSet::new();
    let mut needed = Vec::new();
    let mut seen = HashSet::new();
    for (key, part, is_guess) in group.iter().flat_map(|pending| named(&pending.commit)) {
        let is_unknown = cache.metadata(key).is_none();
        let is_missing = match part {
            Part::Metadata => is_unknown,
            Part::Entry => cache.entry(key).is_none(),
        };
        if is_guess {
            guessable.insert(key.clone());
        }
        if is_missing && !(is_guess && is_unknown) && seen.insert(key) {
            needed.push(key.clone());
        }
    }
    guessable.retain(|key| !seen.contains(key));
    (needed, guessable)
}

/// The part of a stored entry that a plan needs.
#[derive(Clone, Copy)]
enum Part {
    Metadata,
    Entry,
}

/// The keys that a commit names, each with the part of the stored entry that it needs, and whether
/// the key is probably new.
fn named(commit: &Commit) -> impl Iterator<Item = (&Key, Part, bool)> {
    let operations = commit.operations().iter().filter_map(|operation| {
        let (part, is_guess) = match operation {
            Operation::Set { .. } => (Part::Metadata, true),
            Operation::Add { .. } => (Part::Entry, true),
            Operation::Delete { .. } => (Part::Metadata, false),
            _ => (Part::Entry, false),
        };
        Some((operation.key()?, part, is_guess))
    });
    let conditions = commit.conditions().iter().map(|condition: &Condition| {
        let (part, is_guess) = match condition.expect {
            Precondition::Absent => (Part::Metadata, true),
            Precondition::Present | Precondition::Revision(_) => (Part::Metadata, false),
            Precondition::Value(_) => (Part::Entry, false),
        };
        (&condition.key, part, is_guess)
    });
    operations.chain(conditions)
}

/// Plans commits one after another, each on the state that those before it leave. Returns what has
/// to be read where the cache is not enough.
pub(super) fn plan(
    context: &PlanContext<'_>,
    group: &[PendingCommit],
    guessable: &HashSet<Key>,
) -> Result<Plan, MissingReads> {
    let mut view = PlannedView::new(context.cache, context.head.usage, guessable);
    let mut answers = Vec::with_capacity(group.len());
    let mut effects = Vec::new();
    let mut commits = Vec::new();
    for pending in group {
        let author = pending.author.as_ref();
        let circumstances = Circumstances {
            now: context.now,
            author,
            quota: context.quota,
        };
        let plan = match rules::plan_without_visit(&view, &pending.commit, circumstances) {
            Ok(plan) => plan,
            // A refused commit changes nothing, and those after it are planned all the same.
            Err(Unplanned::Refused(error)) => {
                answers.push(Err(error));
                continue;
            }
            // The whole group is planned again after the read: others may have written by then.
            Err(Unplanned::Missing(missing)) => return Err(missing),
        };
        let revision = plan.usage.revision;
        view.apply(&plan.effects, plan.usage);
        if !plan.effects.is_empty() {
            let effects = &plan.effects;
            commits.push(LoggedCommit::of(revision, context.now, author, effects));
        }
        effects.extend(plan.effects);
        answers.push(Ok(Committed {
            revision,
            outcomes: plan.outcomes,
        }));
    }
    Ok(Plan {
        head: Head {
            usage: view.usage,
            ..context.head.after(&effects, context.now, context.ticket)
        },
        answers,
        effects,
        planned: view.planned,
        guessed: view.guessed.into_inner(),
        commits,
    })
}

impl Plan {
    /// True if the answers rest on nothing but what the cache knows, and nothing is to be written.
    pub(super) fn needs_no_transaction(&self) -> bool {
        self.effects.is_empty() && self.guessed.is_empty()
    }

    /// Completes the transaction that does the plan where everything is as it was planned on, and
    /// otherwise reads what the next plan needs. Returns the answers of the commits as well.
    pub(super) fn into_txn(
        self,
        mut txn: HeadTxn<'_>,
        cache: &NamespaceCache,
        group: &[PendingCommit],
    ) -> (PreparedTxn, Vec<Result<Committed, StoreError>>) {
        // A guess that is wrong must not become a set that overwrites an entry unseen.
        for key in &self.guessed {
            txn.expect_absent(key);
        }
        for (key, entry) in &self.planned {
            txn.write_entry(key, entry.as_ref());
        }
        // The reads bring how the keys of the commits stand, so that the next attempt costs no
        // round trip of its own.
        let mut missing = MissingReads::default();
        if txn.bytes() <= MAX_BYTES_BESIDE_READS {
            let named = group.iter().flat_map(|pending| named(&pending.commit));
            let keys = named.map(|(key, ..)| key).chain(self.planned.keys());
            let keys: HashSet<_> = keys.collect();
            missing.keys = keys.into_iter().take(MAX_READS).cloned().collect();
        }
        if !self.effects.is_empty() {
            // One hint at the earliest instant is enough for all keys that expire.
            let expiring = self.effects.iter().filter_map(|effect| {
                let expires = effect.after.as_ref()?.metadata.expires?;
                Some((effect.key.clone(), expires))
            });
            let expiring: Vec<_> = expiring.collect();
            let revision = self.head.usage.revision;
            txn.write(hint(cache.keys(), &expiring, revision));
            let record = Content::Inline(self.commits);
            let entries = ChangedEntries::Some(self.planned);
            txn.replace_head(self.head, Some(record), entries);
        }
        (txn.prepare(missing), self.answers)
    }
}
