//! The meaning of a commit in the simple model.

use std::time::Duration;

use super::replay::Logged;
use super::state::{Refusal, Space, shown};
use crate::change::{Cause, ChangeKind, Put};
use crate::commit::{Lifetime, Operation, Outcome};
use crate::entry::{Entry, Metadata};
use crate::error::Mismatch;
use crate::key::Key;
use crate::namespace::Job;
use crate::revision::Revision;
use crate::time::Timestamp;
use crate::value::Value;
use crate::write_id::WriteId;

/// A namespace during a commit.
pub(super) struct Draft<'a> {
    pub(super) space: Space,
    pub(super) now: u64,
    pub(super) author: Option<&'a Job>,
    pub(super) write_id: Option<&'a WriteId>,
    pub(super) revision: Revision,
}

impl Draft<'_> {
    pub(super) fn apply(&mut self, operation: &Operation) -> Result<Outcome, Refusal> {
        match operation {
            Operation::Set {
                key,
                value,
                lifetime,
            } => {
                let created = !self.space.entries.contains_key(key.as_str());
                let expires = match lifetime {
                    Lifetime::Permanent => None,
                    Lifetime::For(duration) => Some(self.later(*duration)),
                    Lifetime::Until(instant) => Some(*instant),
                };
                self.store(key, value.clone(), expires);
                Ok(Outcome::Set { created })
            }
            Operation::Add { key, by } => self.add(key, *by),
            Operation::Delete { key } => {
                let there = self.space.entries.contains_key(key.as_str());
                if there {
                    self.remove(key.as_str());
                }
                Ok(Outcome::Deleted(there.into()))
            }
            Operation::DeletePrefix { prefix, if_count } => {
                let names = self.space.entries.keys();
                let matching = names.filter(|name| name.starts_with(prefix.as_str()));
                let matching: Vec<_> = matching.cloned().collect();
                let found = matching.len() as u64;
                if if_count.is_some_and(|wanted| wanted != found) {
                    return Err(Refusal::OtherCount(prefix.clone(), found));
                }
                for name in &matching {
                    self.remove(name);
                }
                Ok(Outcome::Deleted(found))
            }
            Operation::Claim { prefix, hold } => Ok(self.claim(prefix.as_str(), *hold)),
            Operation::Renew { key, hold } => {
                let until = self.later(*hold);
                self.change_claim(key, Cause::Renew, Some(until))?;
                Ok(Outcome::Renewed(until))
            }
            Operation::Release { key } => {
                self.change_claim(key, Cause::Release, None)?;
                Ok(Outcome::Released)
            }
        }
    }

    fn later(&self, duration: Duration) -> Timestamp {
        Timestamp::from_millis(self.now + u64::try_from(duration.as_millis()).unwrap())
    }

    fn store(&mut self, key: &Key, value: Value, expires: Option<Timestamp>) {
        let now = Timestamp::from_millis(self.now);
        let existing = self.space.entries.get(key.as_str());
        let metadata = Metadata {
            revision: self.revision,
            created: existing.map_or(now, |entry| entry.metadata.created),
            modified: now,
            expires,
            job: self.author.cloned(),
            claimed_until: None,
            claims: 0,
            claimed_by: None,
            write_id: self.write_id.cloned(),
            size: value.len(),
        };
        self.put(key.as_str(), Cause::Set, Entry { value, metadata });
    }

    fn add(&mut self, key: &Key, by: i64) -> Result<Outcome, Refusal> {
        let existing = self.space.entries.get(key.as_str());
        let (number, expires) = match existing {
            None => (Some(0), None),
            Some(entry) => {
                let text = String::from_utf8(entry.value.as_bytes().to_vec());
                let number = text.ok().and_then(|text| text.trim().parse::<i64>().ok());
                (number, entry.metadata.expires)
            }
        };
        let sum = number.map(|number| i128::from(number) + i128::from(by));
        let sum = sum.and_then(|sum| i64::try_from(sum).ok());
        let sum = sum.ok_or_else(|| Refusal::NotANumber(key.clone()))?;
        let text = sum.to_string();
        self.store(key, Value::new(text, usize::MAX).unwrap(), expires);
        Ok(Outcome::Added(sum))
    }

    fn claim(&mut self, prefix: &str, hold: Duration) -> Outcome {
        let entries = self.space.entries.iter();
        let all: Vec<_> = entries.filter(|(name, _)| shown(prefix, name)).collect();
        let held = |entry: &Entry| {
            let until = entry.metadata.claimed_until;
            until.filter(|until| until.as_millis() > self.now)
        };
        let Some((name, entry)) = all.iter().find(|(_, entry)| held(entry).is_none()) else {
            let until = all.iter().filter_map(|(_, entry)| held(entry)).min();
            return Outcome::NoneFree { until };
        };
        let (name, mut entry) = ((*name).clone(), (*entry).clone());
        entry.metadata.claimed_until = Some(self.later(hold));
        entry.metadata.claims += 1;
        entry.metadata.claimed_by = self.author.cloned();
        entry.metadata.revision = self.revision;
        self.put(&name, Cause::Claim, entry.clone());
        Outcome::Claimed(Key::parse(&name).unwrap(), entry)
    }

    fn change_claim(
        &mut self,
        key: &Key,
        cause: Cause,
        until: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        let refuse = |mismatch| Refusal::Precondition(key.clone(), mismatch);
        let found = self.space.entries.get(key.as_str()).cloned();
        let mut entry = found.ok_or_else(|| refuse(Mismatch::Missing))?;
        match entry.metadata.claimed_until {
            Some(end) if end.as_millis() > self.now => {
                entry.metadata.claimed_until = until;
                if until.is_none() {
                    entry.metadata.claimed_by = None;
                }
                entry.metadata.revision = self.revision;
                self.put(key.as_str(), cause, entry);
                Ok(())
            }
            _ => Err(refuse(Mismatch::NotClaimed)),
        }
    }

    fn put(&mut self, name: &str, cause: Cause, entry: Entry) {
        let kind = ChangeKind::Put(Put::of(cause, &entry.metadata));
        self.log(name, kind, entry.metadata.expires);
        self.space.lapsed.remove(name);
        self.space.entries.insert(name.to_owned(), entry);
    }

    fn remove(&mut self, name: &str) {
        self.log(name, ChangeKind::Delete, None);
        self.space.entries.remove(name);
    }

    fn log(&mut self, name: &str, kind: ChangeKind, expires: Option<Timestamp>) {
        self.space.log.push(Logged {
            revision: self.revision,
            key: name.to_owned(),
            kind,
            job: self.author.cloned(),
            time: self.now,
            expires: expires.map(Timestamp::as_millis),
        });
    }
}
