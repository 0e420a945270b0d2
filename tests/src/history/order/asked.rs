//! Every change that a watch of all keys shows was requested by a client.

use std::collections::{HashMap, HashSet};

use crate::history::log::{Held, Log, written};
use crate::history::operation::{Answer, Call, Change, EventKind, Record, Text};
use crate::history::project::LOCKS;

/// The changes that no request can have made; `taken` has the revisions of deletions that were answered.
pub(super) fn find_unasked(log: &Log, taken: &HashSet<u64>, records: &[Record]) -> Vec<String> {
    let mut findings = Vec::new();
    let mut made: HashMap<u64, HashSet<Text>> = HashMap::new();
    let mut batches = HashSet::new();
    for record in records {
        if let Some(revision) = record.answer.revision() {
            let keys = written(record).into_iter().map(|(key, ..)| key);
            made.entry(revision).or_default().extend(keys);
            if let Call::Batch { changes, .. } = &record.call {
                batches.extend(changes.iter().map(|(key, _)| (revision, key.clone())));
            }
        }
    }
    let lost: Vec<_> = records
        .iter()
        .filter(|record| record.answer == Answer::Lost)
        .map(|record| &record.call)
        .collect();
    for (revision, commit) in log.commits() {
        if commit.is_empty() || taken.contains(revision) {
            continue;
        }
        let keys = made.get(revision);
        let unasked: Vec<_> = commit
            .iter()
            .filter(|(key, kind)| {
                let asked = keys.is_some_and(|keys| keys.contains(*key))
                    || batches.contains(&(*revision, (*key).clone()));
                let timed = **kind == EventKind::Expire && key.starts_with(LOCKS);
                !asked && !timed
            })
            .collect();
        // A revision has all changes of one request: two lost requests do not share a revision.
        let explained = |call: &&Call| {
            let could = |(key, kind): &(&Text, &EventKind)| {
                could(call, key, **kind, log.at(key, *revision).1)
            };
            unasked.iter().all(could) && is_whole(call, *revision, log)
        };
        if !unasked.is_empty() && !lost.iter().any(explained) {
            findings.push(format!(
                "nobody asked for {unasked:?} at {revision} and for nothing else"
            ));
        }
    }
    findings
}

/// True if a revision has exactly the changes that this request makes.
fn is_whole(call: &Call, revision: u64, log: &Log) -> bool {
    let was_there = |key: &Text| matches!(log.at(key, revision.saturating_sub(1)).1, Held::Here(_));
    match call {
        Call::Batch { changes, .. } => changes.iter().all(|(key, change)| {
            // Deleting a key that does not exist changes nothing.
            let idle = *change == Change::Delete && !was_there(key);
            idle || log.changed(revision, key)
        }),
        // A lock that has expired may be removed before any client sees it.
        Call::DeletePrefix(prefix) => log
            .under(prefix)
            .all(|key| key.starts_with(LOCKS) || !was_there(key) || log.changed(revision, key)),
        _ => true,
    }
}

/// True if a request whose answer was lost may have made this change to a key.
fn could(call: &Call, key: &Text, kind: EventKind, held: &Held) -> bool {
    let sets = |value: &str| match held {
        Held::Here(Some(held)) => value == &**held,
        Held::Here(None) => true,
        Held::Gone => false,
    };
    match (call, kind) {
        (
            Call::Set {
                key: own, value, ..
            },
            EventKind::Put,
        ) => own == key && sets(value),
        (Call::Add(own, _) | Call::Renew(own, _) | Call::Release(own, _), EventKind::Put)
        | (Call::Delete(own, _), EventKind::Delete) => own == key,
        (Call::Claim(prefix), EventKind::Put) | (Call::DeletePrefix(prefix), EventKind::Delete) => {
            key.starts_with(&**prefix)
        }
        (Call::Batch { changes, .. }, kind) => changes.iter().any(|(own, change)| {
            own == key
                && match change {
                    Change::Set(value) => kind == EventKind::Put && sets(value),
                    Change::Add(_) => kind == EventKind::Put,
                    Change::Delete => kind == EventKind::Delete,
                }
        }),
        _ => false,
    }
}
