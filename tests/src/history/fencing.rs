//! Mutual exclusion by fencing: the keys that a lock protects are written in a batch with the condition that the lock
//! still has the holder's revision, so an earlier holder can't write after a later one has taken the lock.

use std::collections::{BTreeMap, BTreeSet};

use super::log::seen;
use super::operation::{Answer, Call, Expect, Round, Text};
use super::project::LOCKS;

/// Checks every lock; returns the number of protected writes, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut holders: BTreeMap<&Text, BTreeSet<u64>> = BTreeMap::new();
    for record in &round.records {
        if let (Call::Set { key, .. }, Answer::Written(revision)) = (&record.call, &record.answer) {
            holders.entry(key).or_default().insert(*revision);
        }
        for (key, entry) in seen(record) {
            holders.entry(key).or_default().insert(entry.revision);
        }
    }
    let mut writes = 0;
    let mut findings = Vec::new();
    for record in &round.records {
        let (Call::Batch { conditions, .. }, Answer::Done(revision, _)) =
            (&record.call, &record.answer)
        else {
            continue;
        };
        for (key, expect) in conditions {
            let Expect::Revision(token) = expect else {
                continue;
            };
            if !key.starts_with(LOCKS) {
                continue;
            }
            writes += 1;
            let newer = holders
                .get(key)
                .and_then(|holders| holders.range(token + 1..*revision).next());
            if let Some(newer) = newer {
                findings.push(format!(
                    "{key} had gone to holder {newer}, and this write of holder {token} was taken: {record:?}"
                ));
            }
        }
    }
    (writes, findings)
}
