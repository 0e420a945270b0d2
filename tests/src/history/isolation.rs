//! Isolation: no user is shown a key or a value of another user.

use std::collections::HashSet;

use super::log::seen;
use super::operation::{Answer, Call, EventKind, Record, Round, Text};

/// Checks a round; returns the number of entries that were shown, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut own: HashSet<&Text> = round.before.keys().collect();
    own.extend(round.records.iter().flat_map(named));
    let tag = format!("{}:", round.user);
    let foreign = |key: &Text, value: Option<&Text>| {
        let value = value.filter(|value| !value.starts_with(&tag) && value.parse::<i64>().is_err());
        !own.contains(key) || value.is_some()
    };
    let mut shown = 0;
    let mut findings = Vec::new();
    for record in &round.records {
        let mut entries = seen(record);
        if let Answer::Claimed { key, entry, .. } = &record.answer {
            entries.push((key, entry));
        }
        for (key, entry) in entries {
            shown += 1;
            if foreign(key, Some(&entry.value)) {
                findings.push(format!("{} was shown {key} as {entry:?}", round.user));
            }
        }
    }
    for event in round.watches.iter().flat_map(|watch| &watch.events) {
        shown += 1;
        let is_late = event.kind == EventKind::Expire && round.expiring.contains(&event.key);
        if !is_late && foreign(&event.key, event.value.as_ref()) {
            findings.push(format!("{} was told of {event:?}", round.user));
        }
    }
    (shown, findings)
}

/// The keys that a request may create.
fn named(record: &Record) -> Vec<&Text> {
    match &record.call {
        Call::Set { key, .. } | Call::Add(key, _) => vec![key],
        Call::Batch { changes, .. } => changes.iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    }
}
