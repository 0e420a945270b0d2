//! Exactness of every watch over all of its connections: events are in order, none is repeated, missing or invented.

use std::collections::BTreeSet;

use super::listing::shows;
use super::log::{Held, Log};
use super::operation::{EventKind, Round, Text, Watch};

/// Checks every watch of a round; returns the number of events, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let (log, _) = Log::new(round);
    let mut findings = Vec::new();
    let mut events = 0;
    for watch in &round.watches {
        events += watch.events.len();
        let prefix = &watch.prefix;
        findings.extend(
            in_order(watch)
                .chain(exact(&log, watch))
                .map(|what| format!("watch of {prefix}: {what}")),
        );
    }
    (events, findings)
}

/// Revisions never decrease, and no event is repeated.
fn in_order(watch: &Watch) -> impl Iterator<Item = String> {
    let mut reached = watch.since;
    let mut told: BTreeSet<&Text> = BTreeSet::new();
    watch.events.iter().filter_map(move |event| {
        let before = reached;
        if event.revision > reached {
            reached = event.revision;
            told.clear();
        }
        if event.revision < before || event.revision <= watch.since {
            return Some(format!("{event:?} came after revision {before}"));
        }
        (!told.insert(&event.key)).then(|| format!("{event:?} came twice"))
    })
}

/// The events are those of the log.
fn exact<'a>(log: &'a Log, watch: &'a Watch) -> impl Iterator<Item = String> + 'a {
    let told: BTreeSet<(u64, &Text, EventKind)> = watch
        .events
        .iter()
        .map(|event| (event.revision, &event.key, event.kind))
        .collect();
    let happened: BTreeSet<(u64, &Text, EventKind)> = log
        .commits()
        .range(watch.since + 1..)
        .take_while(|(revision, _)| **revision <= watch.until)
        .flat_map(|(revision, commit)| commit.iter().map(|(key, kind)| (*revision, key, *kind)))
        .filter(|(_, key, _)| shows(&watch.prefix, key))
        .collect();
    let missing: Vec<_> = happened
        .difference(&told)
        .map(|event| format!("{event:?} is missing"))
        .collect();
    let made_up: Vec<_> = told
        .difference(&happened)
        .map(|event| format!("{event:?} never happened"))
        .collect();
    let false_values = watch.events.iter().filter_map(|event| {
        let told = event.value.as_ref()?;
        match log.at(&event.key, event.revision) {
            (_, Held::Here(Some(value))) if value == told => None,
            (_, held) => Some(format!("{event:?} tells of another value than {held:?}")),
        }
    });
    missing.into_iter().chain(made_up).chain(false_values)
}
