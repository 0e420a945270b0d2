//! Work items: no item is claimed by two clients at a time, an item that is finished never exists again, every item
//! is finished once, and each claim is counted.
//!
//! An item is put once with a name of its own, and finished by deleting it, so its claims, renewals and releases have
//! an order by revision. A claim lasts until its time is over, or until its client began to end it. Where clocks
//! differ, it may end earlier by their difference.

use std::collections::BTreeMap;

use super::operation::{Answer, Call, Cause, Expect, Moment, Put, Record, Round, Text};
use super::project::ITEMS;

/// The claims of one item, in the order of revisions.
#[derive(Default)]
struct Item<'a> {
    holds: BTreeMap<u64, Hold<'a>>,
    /// Answered deletions that found it.
    done: Vec<&'a Record>,
}

/// A claim, from its beginning or a renewal on.
struct Hold<'a> {
    record: &'a Record,
    until: Moment,
    /// The time at which its client began to end it, if it did.
    ended: Option<Moment>,
    is_claim: bool,
}

/// Checks every item; returns the number of claims, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut items: BTreeMap<&Text, Item> = BTreeMap::new();
    let mut claims = 0;
    for record in &round.records {
        let (key, is_claim) = match (&record.call, &record.answer) {
            (Call::Claim(_), Answer::Claimed { key, .. }) => (key, true),
            (Call::Renew(key, _), Answer::Renewed(..)) => (key, false),
            _ => continue,
        };
        let (revision, until) = match &record.answer {
            Answer::Claimed { entry, until, .. } => (entry.revision, *until),
            Answer::Renewed(revision, until) => (*revision, *until),
            _ => continue,
        };
        claims += usize::from(is_claim);
        let hold = Hold {
            record,
            until,
            ended: None,
            is_claim,
        };
        items.entry(key).or_default().holds.insert(revision, hold);
    }
    for record in &round.records {
        let (key, revision) = match &record.call {
            Call::Release(key, revision) | Call::Delete(key, Expect::Revision(revision)) => {
                (key, Some(*revision))
            }
            Call::Set { key, .. } | Call::Delete(key, _) => (key, None),
            _ => continue,
        };
        if !key.starts_with(ITEMS) || record.answer == Answer::Failed {
            continue;
        }
        let item = items.entry(key).or_default();
        if let Some(hold) = revision.and_then(|revision| item.holds.get_mut(&revision)) {
            hold.ended = Some(hold.ended.unwrap_or(record.start).min(record.start));
        }
        if matches!(record.answer, Answer::Deleted(count) if count > 0) {
            item.done.push(record);
        }
    }
    let findings = items
        .iter()
        .flat_map(|(key, item)| item.findings(key, round.disagreement))
        .chain(undone(round, &items))
        .chain(miscounted(round))
        .collect();
    (claims, findings)
}

impl Item<'_> {
    fn findings(&self, key: &Text, disagreement: Moment) -> Vec<String> {
        let mut findings = Vec::new();
        let holds: Vec<_> = self.holds.values().collect();
        for pair in holds.windows(2) {
            let (first, second) = (&pair[0], &pair[1]);
            let over = second.record.end.saturating_add(disagreement);
            if second.is_claim && first.ended.is_none() && over < first.until {
                findings.push(format!(
                    "{key} was claimed while it was held until {}: {:?} and {:?}",
                    first.until, first.record, second.record
                ));
            }
        }
        if self.done.len() > 1 {
            findings.push(format!("{key} was done more than once: {:?}", self.done));
        }
        if let Some(done) = self.done.first() {
            let late = holds.iter().find(|hold| hold.record.start > done.end);
            if let Some(late) = late {
                findings.push(format!(
                    "{key} came back after it was done: {done:?} and {:?}",
                    late.record
                ));
            }
        }
        findings
    }
}

/// Puts for which a watch of all keys tells a wrong number of claims, or another kind of operation than the request
/// that made them.
fn miscounted(round: &Round) -> Vec<String> {
    let mut findings = Vec::new();
    let mut told: BTreeMap<(u64, &Text), Put> = BTreeMap::new();
    for watch in round.watches.iter().filter(|watch| &*watch.prefix == "/") {
        let mut claims: BTreeMap<&Text, u64> = BTreeMap::new();
        for event in &watch.events {
            let Some(put) = event.put else {
                // The key does not exist, or nothing was recorded of it.
                claims.remove(&event.key);
                continue;
            };
            // Claims before the watch began are not known.
            let expected = match (put.cause, claims.get(&event.key)) {
                (Cause::Set, _) => Some(0),
                (Cause::Claim, Some(before)) => Some(before + 1),
                (Cause::Renew | Cause::Release, Some(before)) => Some(*before),
                (_, None) => None,
            };
            if expected.is_some_and(|expected| expected != put.claims) {
                findings.push(format!(
                    "{event:?} was told where {expected:?} claims were due"
                ));
            }
            claims.insert(&event.key, put.claims);
            told.insert((event.revision, &event.key), put);
        }
    }
    for record in &round.records {
        let Some(revision) = record.answer.revision() else {
            continue;
        };
        let (keys, cause) = match (&record.call, &record.answer) {
            (Call::Claim(_), Answer::Claimed { key, .. }) => (vec![key], Cause::Claim),
            (Call::Renew(key, _), _) => (vec![key], Cause::Renew),
            (Call::Release(key, _), _) => (vec![key], Cause::Release),
            (Call::Set { key, .. } | Call::Add(key, _), _) => (vec![key], Cause::Set),
            (Call::Batch { changes, .. }, _) => {
                (changes.iter().map(|(key, _)| key).collect(), Cause::Set)
            }
            _ => continue,
        };
        let counted = match record.answer {
            Answer::Claimed { claims, .. } => claims,
            _ => None,
        };
        for put in keys
            .into_iter()
            .filter_map(|key| told.get(&(revision, key)))
        {
            if put.cause != cause || counted.is_some_and(|claims| claims != put.claims) {
                findings.push(format!("a watch told of {put:?}, which was {record:?}"));
            }
        }
    }
    findings
}

/// Items that do not exist any more although no client finished them or tried to.
fn undone(round: &Round, items: &BTreeMap<&Text, Item>) -> Vec<String> {
    let Some(Answer::Listed(after)) = round.records.last().map(|record| &record.answer) else {
        return Vec::new();
    };
    let asked: BTreeMap<&Text, &Record> = round
        .records
        .iter()
        .filter(|record| record.answer == Answer::Lost)
        .filter_map(|record| match &record.call {
            Call::Delete(key, _) => Some((key, record)),
            _ => None,
        })
        .collect();
    let put = round
        .records
        .iter()
        .filter_map(|record| match &record.call {
            Call::Set { key, .. } if record.answer.revision().is_some() => Some(key),
            _ => None,
        });
    let mut findings = Vec::new();
    for key in round.before.keys().chain(put) {
        if !key.starts_with(ITEMS) {
            continue;
        }
        let done = items.get(key).map_or(0, |item| item.done.len());
        let there = after.contains_key(key);
        if there && done > 0 {
            findings.push(format!("{key} was done and is still there"));
        }
        if !there && done == 0 && !asked.contains_key(key) {
            findings.push(format!("{key} is gone, and nobody did it"));
        }
    }
    findings
}
