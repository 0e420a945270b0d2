//! Splits each request into its effects on each key. Histories are checked key by key, which gives the same result
//! as checking them whole (linearizability is local: Herlihy and Wing, TOPLAS 12(3), 1990, theorem 1).

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Action, Lifetime, Removal, Step};
use super::operation::{Answer, Call, Change, Expect, Moment, Record, Round, Text};
use super::{held, listing};

/// The prefix of work items. A claim does not name the item that it changes, so items have a check of their own.
pub const ITEMS: &str = "/w/";

/// The prefix of locks, the only keys that expire.
pub const LOCKS: &str = "/lock/";

/// The steps of each key in the order in which they were sent.
#[must_use]
pub fn by_key(round: &Round) -> BTreeMap<Text, Vec<Step>> {
    let keys = keys(round);
    let mut steps: BTreeMap<Text, Vec<Step>> = BTreeMap::new();
    for record in &round.records {
        for (key, action) in actions(record, &keys, round.disagreement) {
            let step = Step {
                start: held::looked_from(record),
                end: record.end,
                action,
            };
            steps.entry(key).or_default().push(step);
        }
    }
    for steps in steps.values_mut() {
        steps.sort_by_key(|step| step.start);
    }
    steps
}

/// Every key of the round except work items.
fn keys(round: &Round) -> BTreeSet<Text> {
    let mut keys: BTreeSet<Text> = round.before.keys().cloned().collect();
    for record in &round.records {
        match &record.call {
            Call::Get(key)
            | Call::Wait { key, .. }
            | Call::Set { key, .. }
            | Call::Add(key, _)
            | Call::Delete(key, _) => {
                keys.insert(key.clone());
            }
            Call::Batch {
                conditions,
                changes,
            } => {
                keys.extend(conditions.iter().map(|(key, _)| key.clone()));
                keys.extend(changes.iter().map(|(key, _)| key.clone()));
            }
            _ => {}
        }
        if let Some(listed) = listing::listed(record) {
            keys.extend(listed.keys().cloned());
        }
    }
    keys.retain(|key| !key.starts_with(ITEMS));
    keys
}

/// The effects of a request on keys.
fn actions(record: &Record, keys: &BTreeSet<Text>, disagreement: Moment) -> Vec<(Text, Action)> {
    let under = |prefix: &Text| {
        let prefix = prefix.clone();
        keys.range(prefix.clone()..)
            .take_while(move |key| key.starts_with(&*prefix))
            .cloned()
    };
    let found = match (&record.call, &record.answer) {
        (Call::Get(key) | Call::Wait { key, .. }, Answer::Found(entry)) => {
            vec![(
                key.clone(),
                Action::See(entry.value.clone(), entry.revision),
            )]
        }
        (Call::Get(key) | Call::Wait { key, .. }, Answer::Absent) => {
            vec![(key.clone(), Action::Miss)]
        }
        (
            Call::Wait {
                key,
                unlike: Some(revision),
                ..
            },
            Answer::Unchanged,
        ) => vec![(key.clone(), Action::Hold(Expect::Revision(*revision)))],
        (
            Call::List(prefix) | Call::Page { prefix, .. },
            Answer::Listed(listed) | Answer::Page(listed, _),
        ) => under(prefix)
            .filter(|key| listing::covers(record, key) || listed.contains_key(key))
            .map(|key| match listed.get(&key) {
                Some(entry) => (key, Action::See(entry.value.clone(), entry.revision)),
                None => (key, Action::Miss),
            })
            .collect(),
        (Call::Set { key, expect, .. } | Call::Delete(key, expect), Answer::Failed) => {
            vec![(key.clone(), Action::Fail(expect.clone()))]
        }
        (
            Call::Set {
                key,
                value,
                expect,
                ttl,
            },
            answer,
        ) => {
            let action = Action::Put {
                expect: expect.clone(),
                value: value.clone(),
                revision: answer.revision(),
                ttl: ttl.map(|lasts| Lifetime {
                    lasts,
                    disagreement,
                }),
            };
            vec![(key.clone(), action)]
        }
        (Call::Add(key, by), answer) => {
            let told = match answer {
                Answer::Sum(sum, revision) => Some((*sum, *revision)),
                _ => None,
            };
            vec![(key.clone(), Action::Add { by: *by, told })]
        }
        (Call::Delete(key, expect), answer) => {
            let told = match answer {
                Answer::Deleted(0) => Removal::WasNot,
                Answer::Deleted(_) => Removal::WasThere,
                _ => Removal::Lost,
            };
            vec![(key.clone(), remove(expect.clone(), told, None))]
        }
        (Call::DeletePrefix(prefix), answer) => {
            let told = match answer {
                Answer::Deleted(_) => Removal::Done,
                _ => Removal::Lost,
            };
            under(prefix)
                .map(|key| (key, remove(Expect::Anything, told, None)))
                .collect()
        }
        (
            Call::Batch {
                conditions,
                changes,
            },
            answer,
        ) => batch(conditions, changes, answer),
        _ => Vec::new(),
    };
    found
        .into_iter()
        .filter(|(key, _)| !key.starts_with(ITEMS))
        .collect()
}

fn remove(expect: Expect, told: Removal, revision: Option<u64>) -> Action {
    Action::Remove {
        expect,
        revision,
        told,
    }
}

fn batch(
    conditions: &[(Text, Expect)],
    changes: &[(Text, Change)],
    answer: &Answer,
) -> Vec<(Text, Action)> {
    if *answer == Answer::Failed {
        // The answer does not say which of several conditions failed.
        let [(key, expect)] = conditions else {
            return Vec::new();
        };
        return vec![(key.clone(), Action::Fail(expect.clone()))];
    }
    let expectation = |key: &Text| {
        let own = conditions.iter().find(|(other, _)| other == key);
        own.map_or(Expect::Anything, |(_, expect)| expect.clone())
    };
    let mut actions = Vec::new();
    for (index, (key, change)) in changes.iter().enumerate() {
        let action = match (change, answer) {
            (Change::Set(value), answer) => Action::Put {
                expect: expectation(key),
                value: value.clone(),
                revision: answer.revision(),
                ttl: None,
            },
            (Change::Add(by), Answer::Done(revision, sums)) => Action::Add {
                by: *by,
                told: sums
                    .get(index)
                    .copied()
                    .flatten()
                    .map(|sum| (sum, *revision)),
            },
            (Change::Add(by), _) => Action::Add {
                by: *by,
                told: None,
            },
            (Change::Delete, Answer::Done(revision, _)) => {
                remove(expectation(key), Removal::Done, Some(*revision))
            }
            (Change::Delete, _) => remove(expectation(key), Removal::Lost, None),
        };
        actions.push((key.clone(), action));
    }
    if matches!(answer, Answer::Done(..)) {
        for (key, expect) in conditions {
            if !changes.iter().any(|(changed, _)| changed == key) {
                actions.push((key.clone(), Action::Hold(expect.clone())));
            }
        }
    }
    actions
}
