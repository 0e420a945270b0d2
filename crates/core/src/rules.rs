//! The meaning of a commit, as pure functions over a view of the state.
//!
//! Every engine plans its commits here, so that the meaning of a commit is the same in all. A plan lists the changes;
//! the engine writes them atomically and durably.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::change::{Cause, ChangeKind, Put};
use crate::commit::{Commit, Condition, Operation, Outcome, Precondition};
use crate::entry::{Entry, Metadata};
use crate::error::{Fate, Mismatch, StoreError};
use crate::key::{Key, Prefix};
use crate::limits::Quota;
use crate::namespace::Job;
use crate::revision::Revision;
use crate::store::Usage;
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// The stored entries of one namespace, including those that have expired and are not removed yet.
pub trait View {
    /// The reason why the view can't answer, or the refusal of the commit.
    type Error: From<StoreError>;

    /// One stored entry.
    ///
    /// # Errors
    /// If the view can't answer.
    fn get(&self, key: &Key) -> Result<Option<Entry>, Self::Error>;

    /// The metadata of one stored entry. An engine may have it in memory without the value.
    ///
    /// # Errors
    /// If the view can't answer.
    fn metadata(&self, key: &Key) -> Result<Option<Metadata>, Self::Error> {
        Ok(self.get(key)?.map(|entry| entry.metadata))
    }

    /// The first live entry, in byte order, that the prefix shows and that has no live claim. [`first_free`] finds it
    /// by visiting; an engine may have an index.
    ///
    /// # Errors
    /// If the view can't answer.
    fn first_free(&self, prefix: &Prefix, now: Timestamp) -> Result<FirstFree, Self::Error>;

    /// The usage, and the latest revision.
    fn usage(&self) -> Usage;
}

/// A view that can also visit all keys under a prefix, as deletions of prefixes require.
pub trait Visit: View {
    /// Visits every stored key that begins with the prefix, in byte order, until the visitor stops it.
    ///
    /// # Errors
    /// If the view can't answer.
    fn visit(
        &self,
        prefix: &Prefix,
        visitor: &mut dyn FnMut(Key, Metadata) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;
}

/// The result of a search for a key to claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstFree {
    /// The key to claim.
    Key(Key),
    /// No key is free.
    None {
        /// The time at which the first claim under the prefix ends, if there is one.
        until: Option<Timestamp>,
    },
}

/// The circumstances of a commit.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The time of the commit.
    pub now: Timestamp,
    /// The job of the caller.
    pub author: Option<&'a Job>,
    /// The limits of the namespace.
    pub quota: Quota,
}

/// The changes that a commit makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order in which they are logged. Empty if nothing changes.
    pub effects: Vec<Effect>,
    /// One for each operation.
    pub outcomes: Vec<Outcome>,
    /// The usage afterwards, with the commit's revision.
    pub usage: Usage,
}

/// The change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The key.
    pub key: Key,
    /// The entry that was stored before, live or expired.
    pub before: Option<Metadata>,
    /// The entry that is stored afterwards.
    pub after: Option<Entry>,
    /// The kind of change in the log.
    pub kind: ChangeKind,
}

/// Plans a commit.
///
/// # Errors
/// Those of [`crate::Store::commit`]; then nothing must be written.
pub fn plan<V: Visit>(
    view: &V,
    commit: &Commit,
    circumstances: Circumstances<'_>,
) -> Result<Plan, V::Error> {
    plan_with(view, commit, circumstances, |planner, prefix| {
        planner.delete_prefix(prefix)
    })
}

/// Plans a commit that deletes no prefix, so that a view that can't visit keys is enough.
///
/// # Errors
/// Those of [`plan`], and [`StoreError::Unavailable`] for a deletion of a prefix.
pub fn plan_without_visit<V: View>(
    view: &V,
    commit: &Commit,
    circumstances: Circumstances<'_>,
) -> Result<Plan, V::Error> {
    plan_with(view, commit, circumstances, |_, _| {
        let refused = StoreError::Unavailable {
            reason: "a deletion of a prefix was planned without visiting keys".to_owned(),
            fate: Fate::NotApplied,
            retry_after: Duration::from_secs(1),
            cause: None,
        };
        Err(refused.into())
    })
}

fn plan_with<'a, V: View>(
    view: &'a V,
    commit: &'a Commit,
    circumstances: Circumstances<'a>,
    delete_prefix: impl Fn(&mut Planner<'a, V>, &Prefix) -> Result<u64, V::Error>,
) -> Result<Plan, V::Error> {
    if let Some(plan) = already_set(view, commit, circumstances.now)? {
        return Ok(plan);
    }
    check(view, commit, circumstances.now)?;
    let before = view.usage();
    let mut planner = Planner {
        view,
        circumstances,
        write_id: commit.write_id(),
        revision: before.revision.next(),
        effects: Vec::new(),
        outcomes: Vec::with_capacity(commit.operations().len()),
    };
    for operation in commit.operations() {
        let outcome = planner.apply(operation, &delete_prefix)?;
        planner.outcomes.push(outcome);
    }
    let Planner {
        effects, outcomes, ..
    } = planner;
    let usage = account(before, &effects);
    let grew = usage.keys > before.keys || usage.bytes > before.bytes;
    let quota = circumstances.quota;
    if grew && (usage.keys > quota.keys || usage.bytes > quota.bytes) {
        let exceeded = StoreError::QuotaExceeded {
            keys: usage.keys,
            bytes: usage.bytes,
            quota,
        };
        return Err(exceeded.into());
    }
    Ok(Plan {
        effects,
        outcomes,
        usage,
    })
}

/// The plan of a set that an earlier commit with the same id has executed: it changes nothing.
///
/// This comes before the conditions, since the earlier commit usually has made them false. If they still hold, setting
/// the value again would end a claim that was made since.
fn already_set<V: View>(
    view: &V,
    commit: &Commit,
    now: Timestamp,
) -> Result<Option<Plan>, V::Error> {
    let (Some(id), [Operation::Set { key, .. }]) = (commit.write_id(), commit.operations()) else {
        return Ok(None);
    };
    let stored = view.metadata(key)?;
    let stored =
        stored.filter(|stored| stored.is_live(now) && stored.write_id.as_ref() == Some(id));
    Ok(stored.map(|stored| Plan {
        effects: Vec::new(),
        outcomes: vec![Outcome::AlreadySet {
            created: commit
                .conditions()
                .iter()
                .any(|condition| condition.key == *key && condition.expect == Precondition::Absent),
            revision: stored.revision,
        }],
        usage: view.usage(),
    }))
}

/// Checks the conditions of a commit.
///
/// # Errors
/// [`StoreError::PreconditionFailed`] for the first one that does not hold.
pub fn check<V: View>(view: &V, commit: &Commit, now: Timestamp) -> Result<(), V::Error> {
    commit
        .conditions()
        .iter()
        .try_for_each(|condition| check_one(view, condition, now))
}

/// Checks the number of keys that the deletion of a prefix removes.
///
/// # Errors
/// [`StoreError::OtherCount`] where another one was demanded.
pub fn check_count(prefix: &Prefix, if_count: Option<u64>, found: u64) -> Result<(), StoreError> {
    match if_count {
        Some(wanted) if wanted != found => Err(StoreError::OtherCount {
            prefix: prefix.clone(),
            wanted,
            found,
        }),
        _ => Ok(()),
    }
}

/// Plans the removal of those `due` entries that have expired.
#[must_use]
pub fn expire(
    usage: Usage,
    due: impl IntoIterator<Item = (Key, Metadata)>,
    now: Timestamp,
) -> Plan {
    let effects: Vec<_> = due
        .into_iter()
        .filter(|(_, metadata)| !metadata.is_live(now))
        .map(|(key, metadata)| Effect {
            key,
            before: Some(metadata),
            after: None,
            kind: ChangeKind::Expire,
        })
        .collect();
    let usage = account(usage, &effects);
    Plan {
        effects,
        outcomes: Vec::new(),
        usage,
    }
}

/// Finds the result of [`View::first_free`] by visiting keys from the first one on.
///
/// # Errors
/// If the view can't answer.
pub fn first_free<V: Visit>(
    view: &V,
    prefix: &Prefix,
    now: Timestamp,
) -> Result<FirstFree, V::Error> {
    let mut free = None;
    let mut until: Option<Timestamp> = None;
    view.visit(prefix, &mut |key, metadata| {
        if !metadata.is_live(now) || !prefix.shows(&key) {
            return ControlFlow::Continue(());
        }
        let Some(held_until) = metadata.live_claim(now) else {
            free = Some(key);
            return ControlFlow::Break(());
        };
        until = Some(until.map_or(held_until, |until| until.min(held_until)));
        ControlFlow::Continue(())
    })?;
    Ok(free.map_or(FirstFree::None { until }, FirstFree::Key))
}

fn check_one<V: View>(view: &V, condition: &Condition, now: Timestamp) -> Result<(), V::Error> {
    let key = &condition.key;
    let found = view
        .metadata(key)?
        .filter(|metadata| metadata.is_live(now))
        .map(|metadata| metadata.revision);
    let reason = match (&condition.expect, found) {
        (Precondition::Absent, None) | (Precondition::Present, Some(_)) => return Ok(()),
        (Precondition::Absent, Some(revision)) => Mismatch::Exists(revision),
        (_, None) => Mismatch::Missing,
        (Precondition::Revision(wanted), Some(revision)) => {
            if revision == *wanted {
                return Ok(());
            }
            Mismatch::Revision(revision)
        }
        (Precondition::Value(wanted), Some(revision)) => {
            if view.get(key)?.is_some_and(|entry| entry.value == *wanted) {
                return Ok(());
            }
            Mismatch::Value(revision)
        }
    };
    let failed = StoreError::PreconditionFailed {
        key: condition.key.clone(),
        reason,
    };
    Err(failed.into())
}

/// The usage after the effects; the revision grows only if there are any.
fn account(before: Usage, effects: &[Effect]) -> Usage {
    if effects.is_empty() {
        return before;
    }
    let mut usage = Usage {
        revision: before.revision.next(),
        ..before
    };
    for effect in effects {
        let key_bytes = effect.key.as_str().len();
        if let Some(metadata) = &effect.before {
            usage.keys = usage.keys.saturating_sub(1);
            usage.bytes = usage
                .bytes
                .saturating_sub((key_bytes + metadata.size) as u64);
        }
        if let Some(entry) = &effect.after {
            usage.keys += 1;
            usage.bytes += (key_bytes + entry.value.len()) as u64;
        }
    }
    usage
}

struct Planner<'a, V> {
    view: &'a V,
    circumstances: Circumstances<'a>,
    /// The id of the commit's set, which is then its only operation.
    write_id: Option<&'a WriteId>,
    revision: Revision,
    effects: Vec<Effect>,
    outcomes: Vec<Outcome>,
}

impl<V: View> Planner<'_, V> {
    fn apply(
        &mut self,
        operation: &Operation,
        delete_prefix: impl Fn(&mut Self, &Prefix) -> Result<u64, V::Error>,
    ) -> Result<Outcome, V::Error> {
        let now = self.circumstances.now;
        Ok(match operation {
            Operation::Set {
                key,
                value,
                lifetime,
            } => {
                let stored = self.view.metadata(key)?;
                let created = self.put(key, stored, value.clone(), lifetime.expires(now));
                Outcome::Set { created }
            }
            Operation::Add { key, by } => self.add(key, *by)?,
            Operation::Delete { key } => {
                let stored = self.view.metadata(key)?;
                match stored.filter(|metadata| metadata.is_live(now)) {
                    None => Outcome::Deleted(0),
                    Some(metadata) => {
                        self.remove(key.clone(), metadata);
                        Outcome::Deleted(1)
                    }
                }
            }
            Operation::DeletePrefix { prefix, if_count } => {
                let deleted = delete_prefix(self, prefix)?;
                check_count(prefix, *if_count, deleted)?;
                Outcome::Deleted(deleted)
            }
            Operation::Claim { prefix, hold } => self.claim(prefix, now.after(*hold))?,
            Operation::Renew { key, hold } => {
                let until = now.after(*hold);
                self.change_claim(key, Cause::Renew, Some(until))?;
                Outcome::Renewed(until)
            }
            Operation::Release { key } => {
                self.change_claim(key, Cause::Release, None)?;
                Outcome::Released
            }
        })
    }

    fn live(&self, key: &Key) -> Result<Option<Entry>, V::Error> {
        let now = self.circumstances.now;
        Ok(self
            .view
            .get(key)?
            .filter(|entry| entry.metadata.is_live(now)))
    }

    /// Stores a value over the stored entry, if any; returns true if the key is new.
    fn put(
        &mut self,
        key: &Key,
        before: Option<Metadata>,
        value: Value,
        expires: Option<Timestamp>,
    ) -> bool {
        let now = self.circumstances.now;
        let live = before.as_ref().filter(|metadata| metadata.is_live(now));
        let is_new = live.is_none();
        let created = live.map_or(now, |metadata| metadata.created);
        let metadata = Metadata {
            revision: self.revision,
            created,
            // The process that created the entry may have had a clock that is ahead of this one.
            modified: now.max(created),
            expires,
            job: self.circumstances.author.cloned(),
            claimed_until: None,
            claims: 0,
            claimed_by: None,
            write_id: self.write_id.cloned(),
            size: value.len(),
        };
        self.effects.push(Effect {
            key: key.clone(),
            before,
            kind: ChangeKind::Put(Put::of(Cause::Set, &metadata)),
            after: Some(Entry { value, metadata }),
        });
        is_new
    }

    fn add(&mut self, key: &Key, by: i64) -> Result<Outcome, V::Error> {
        let refuse = |reason| StoreError::NotANumber {
            key: key.clone(),
            reason,
        };
        let stored = self.view.get(key)?;
        let live = stored
            .as_ref()
            .filter(|entry| entry.metadata.is_live(self.circumstances.now));
        let (current, expires) = match live {
            None => (0, None),
            Some(entry) => {
                let number = entry.value.as_integer();
                let number = number.ok_or_else(|| refuse(entry.value.why_not_an_integer()))?;
                (number, entry.metadata.expires)
            }
        };
        let sum = current.checked_add(by).ok_or_else(|| {
            refuse(
                "the sum is outside the signed 64-bit range; add less, or set the key to a \
                     smaller number",
            )
        })?;
        let before = stored.map(|entry| entry.metadata);
        self.put(key, before, Value::from_integer(sum), expires);
        Ok(Outcome::Added(sum))
    }

    fn remove(&mut self, key: Key, metadata: Metadata) {
        self.effects.push(Effect {
            key,
            before: Some(metadata),
            after: None,
            kind: ChangeKind::Delete,
        });
    }

    fn claim(&mut self, prefix: &Prefix, until: Timestamp) -> Result<Outcome, V::Error> {
        let key = match self.view.first_free(prefix, self.circumstances.now)? {
            FirstFree::Key(key) => key,
            FirstFree::None { until } => return Ok(Outcome::NoneFree { until }),
        };
        let Some(entry) = self.live(&key)? else {
            return Ok(Outcome::NoneFree { until: None });
        };
        // A view's index of free keys may be out of date; the stored entry decides.
        if let held @ Some(_) = entry.metadata.live_claim(self.circumstances.now) {
            return Ok(Outcome::NoneFree { until: held });
        }
        let claimed = self.hold(&key, entry, Cause::Claim, Some(until));
        Ok(Outcome::Claimed(key, claimed))
    }

    fn change_claim(
        &mut self,
        key: &Key,
        cause: Cause,
        until: Option<Timestamp>,
    ) -> Result<(), V::Error> {
        let now = self.circumstances.now;
        let refuse = |reason| StoreError::PreconditionFailed {
            key: key.clone(),
            reason,
        };
        let entry = self.live(key)?.ok_or_else(|| refuse(Mismatch::Missing))?;
        if entry.metadata.live_claim(now).is_none() {
            return Err(refuse(Mismatch::NotClaimed).into());
        }
        self.hold(key, entry, cause, until);
        Ok(())
    }

    /// Writes an entry again with another claim and this commit's revision.
    fn hold(&mut self, key: &Key, entry: Entry, cause: Cause, until: Option<Timestamp>) -> Entry {
        let before = entry.metadata.clone();
        let mut after = entry;
        let metadata = &mut after.metadata;
        metadata.revision = self.revision;
        metadata.claimed_until = until;
        match cause {
            Cause::Claim => {
                metadata.claims = metadata.claims.saturating_add(1);
                metadata.claimed_by = self.circumstances.author.cloned();
            }
            Cause::Release => metadata.claimed_by = None,
            // A renewal keeps the job of the claim, even if the holder has another token by now.
            Cause::Renew | Cause::Set => {}
        }
        self.effects.push(Effect {
            key: key.clone(),
            before: Some(before),
            kind: ChangeKind::Put(Put::of(cause, metadata)),
            after: Some(after.clone()),
        });
        after
    }
}

impl<V: Visit> Planner<'_, V> {
    fn delete_prefix(&mut self, prefix: &Prefix) -> Result<u64, V::Error> {
        let now = self.circumstances.now;
        let view = self.view;
        let mut deleted = 0;
        view.visit(prefix, &mut |key, metadata| {
            if metadata.is_live(now) {
                self.remove(key, metadata);
                deleted += 1;
            }
            ControlFlow::Continue(())
        })?;
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests;
