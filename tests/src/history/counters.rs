//! Counters that only grow by one: every answer is another number, and at the end they have grown by the number of
//! acknowledged additions, and by at most the number of those without an answer more.

use std::collections::{BTreeMap, HashSet};

use super::operation::{Answer, Call, Change, Record, Round, Text};

/// The prefix of counters to which only one is added.
pub const COUNTERS: &str = "/c/";

#[derive(Default)]
struct Counter {
    before: i64,
    acknowledged: i64,
    lost: i64,
    after: i64,
    answers: HashSet<i64>,
}

/// Checks every counter; returns the number of additions, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut findings = Vec::new();
    let mut additions = 0;
    let mut counters: BTreeMap<&Text, Counter> = BTreeMap::new();
    let number = |text: &Text| text.parse::<i64>().unwrap_or(i64::MIN);
    for (key, entry) in &round.before {
        if key.starts_with(COUNTERS) {
            counters.entry(key).or_default().before = number(&entry.value);
        }
    }
    for record in &round.records {
        for (key, told) in added(record) {
            additions += 1;
            let counter = counters.entry(key).or_default();
            match told {
                Some(sum) => {
                    counter.acknowledged += 1;
                    if !counter.answers.insert(sum) {
                        findings.push(format!("{key} answered {sum} twice: {record:?}"));
                    }
                }
                None => counter.lost += 1,
            }
        }
    }
    if let Some(Answer::Listed(listed)) = round.records.last().map(|record| &record.answer) {
        for (key, counter) in &mut counters {
            counter.after = listed.get(*key).map_or(0, |entry| number(&entry.value));
        }
    }
    for (key, counter) in counters {
        let least = counter.before + counter.acknowledged;
        let most = least + counter.lost;
        if !(least..=most).contains(&counter.after) {
            findings.push(format!(
                "{key} holds {}, and by its additions it has to be from {least} to {most}",
                counter.after
            ));
        }
        if let Some(odd) = counter
            .answers
            .iter()
            .find(|sum| **sum <= counter.before || **sum > counter.after)
        {
            findings.push(format!(
                "{key} answered {odd}, and went from {} to {}",
                counter.before, counter.after
            ));
        }
    }
    (additions, findings)
}

/// The counters to which a request added one or may have, each with the sum where the answer tells it.
fn added(record: &Record) -> Vec<(&Text, Option<i64>)> {
    let mut added = match (&record.call, &record.answer) {
        (Call::Add(key, 1), Answer::Sum(sum, _)) => vec![(key, Some(*sum))],
        (Call::Add(key, 1), Answer::Lost) => vec![(key, None)],
        (Call::Batch { changes, .. }, Answer::Done(_, sums)) => changes
            .iter()
            .zip(sums)
            .filter(|((_, change), _)| *change == Change::Add(1))
            .map(|((key, _), sum)| (key, *sum))
            .collect(),
        (Call::Batch { changes, .. }, Answer::Lost) => changes
            .iter()
            .filter(|(_, change)| *change == Change::Add(1))
            .map(|(key, _)| (key, None))
            .collect(),
        _ => Vec::new(),
    };
    added.retain(|(key, _)| key.starts_with(COUNTERS));
    added
}
