//! Held requests: what they end with, and from when on it has to be true.
//!
//! A wait or a barrier ends because what it waits for is so, and then as soon as it is; or because its
//! time is over, and then not before. That it ends late is found by [`super::order`], which knows when
//! everything happened.

use super::operation::{Answer, Barrier, Call, Moment, Record, Round};

/// How much earlier than after its time a request may end: servers reckon in milliseconds.
const TICK: Moment = 2_000_000;

/// How long a held request was to be held, if it is one.
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

/// Whether a held request ended without what it waited for.
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

/// From when on a request looked at what it answered. One that was held in vain looked when its time was
/// over, not when it came.
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

/// Checks a round; answers how many held requests there were and what is wrong, in words.
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
