//! Held requests: the answers with which they may end, and the times at which these must be true.
//!
//! A wait or a barrier ends as soon as its condition is met, or when its time is over and not earlier. Late ends
//! are found by [`super::order`], which knows the time of every change.

use super::operation::{Answer, Barrier, Call, Moment, Record, Round};

/// A request may end this much too early, since servers count time in milliseconds.
const TICK: Moment = 2_000_000;

/// The longest time for which a request may be held; `None` for a request that is answered at once.
#[must_use]
pub fn within(call: &Call) -> Option<Moment> {
    match call {
        Call::Wait { within, .. }
        | Call::Count {
            barrier: Some(Barrier { within, .. }),
            ..
        } => Some(*within),
        _ => None,
    }
}

/// True if a held request ended before its condition was met.
#[must_use]
pub fn is_in_vain(record: &Record) -> bool {
    match (&record.call, &record.answer) {
        (Call::Wait { unlike, .. }, answer) => match answer {
            Answer::Unchanged => true,
            Answer::Absent => unlike.is_none(),
            _ => false,
        },
        (
            Call::Count {
                barrier: Some(barrier),
                ..
            },
            Answer::Counted(count),
        ) => *count < barrier.at_least,
        _ => false,
    }
}

/// The earliest time at which the server read the state that it answered. A request whose time was over was answered
/// with the state at that time, not with the state at its arrival.
#[must_use]
pub fn looked_from(record: &Record) -> Moment {
    match within(&record.call) {
        Some(within) if is_in_vain(record) => {
            let over = record.start.saturating_add(within).saturating_sub(TICK);
            over.min(record.end)
        }
        _ => record.start,
    }
}

/// Checks a round; returns the number of held requests, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (usize, Vec<String>) {
    let mut held = 0;
    let mut findings = Vec::new();
    for record in &round.records {
        let Some(within) = within(&record.call) else {
            continue;
        };
        held += 1;
        let lasted = record.end.saturating_sub(record.start);
        if is_in_vain(record) && lasted < within.saturating_sub(TICK) {
            findings.push(format!(
                "it gave up after {lasted} ns, before its time was over: {record:?}"
            ));
        }
        if let (Call::Wait { unlike, .. }, Answer::Found(entry)) = (&record.call, &record.answer)
            && *unlike == Some(entry.revision)
        {
            findings.push(format!("it was told of no change: {record:?}"));
        }
    }
    (held, findings)
}
