//! Lost wake-ups: held requests that were not answered although their condition had been met for long.

use super::Passed;
use super::count::count;
use crate::history::held;
use crate::history::log::{Held, Log};
use crate::history::operation::{Call, Moment, Record, Round};

/// The time limit for a server to answer a held request whose condition is met, in nanoseconds. Far more than it takes,
/// for busy machines, and less than clients wait.
pub const TELLS_WITHIN: Moment = 2_000_000_000;

/// The held requests of a round that ended late.
pub(super) fn find_late(log: &Log, passed: &Passed, round: &Round) -> Vec<String> {
    let held = |record: &&Record| held::within(&record.call).is_some();
    let late = |record: &Record| {
        let since = quiet_since(round, record)?;
        let since = since.max(so_since(log, passed, record)?);
        let waited = record.end.saturating_sub(since);
        (waited > TELLS_WITHIN)
            .then(|| format!("it waited for {waited} ns for what was so since {since}: {record:?}"))
    };
    round.records.iter().filter(held).filter_map(late).collect()
}

/// The time from which no fault affected a request, if there was one. A server that is stopped answers late, which is
/// no lost wake-up.
fn quiet_since(round: &Round, record: &Record) -> Option<Moment> {
    let mut since = record.start;
    for (begin, end) in &round.disturbed {
        if *begin < record.end && *end > record.start {
            since = since.max(*end);
        }
    }
    (since < record.end).then_some(since)
}

/// The time from which the condition of a request was certainly met without a break until the request ended.
fn so_since(log: &Log, passed: &Passed, record: &Record) -> Option<Moment> {
    let last = passed.reached_at(record.end);
    let first = passed.reached_at(record.start);
    if !is_so(log, record, last) {
        return None;
    }
    let meanwhile = log.commits().range(..=last).rev();
    let made_so = meanwhile
        .take_while(|(revision, _)| **revision > first)
        .find(|(revision, _)| !is_so(log, record, *revision - 1));
    Some(passed.when(made_so.map_or(first, |(revision, _)| *revision)))
}

/// True if the condition of a request is met after a revision.
fn is_so(log: &Log, record: &Record, revision: u64) -> bool {
    match &record.call {
        Call::Wait { key, unlike, .. } => {
            let (since, held) = log.at(key, revision);
            match (held, unlike) {
                (Held::Gone, unlike) => unlike.is_some(),
                (Held::Here(_), unlike) => *unlike != Some(since),
            }
        }
        Call::Count {
            prefix,
            barrier: Some(barrier),
        } => count(log, prefix, revision) >= barrier.at_least,
        _ => false,
    }
}
