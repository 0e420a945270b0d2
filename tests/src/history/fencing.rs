//! Mutual exclusion by fencing: what a lock protects is written in a batch under the condition that the
//! lock still has the holder's revision, so no write of an older holder comes after a newer one has the
//! lock.

use std::collections::{BTreeMap, BTreeSet};

use super::log::seen;
use super::operation::{Answer, Call, Expect, Round, Text};
use super::project::LOCKS;

/// Checks every lock; answers how many protected writes there were and what is wrong, in words.
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
