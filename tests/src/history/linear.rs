//! Linearizability of each key, by the search of Wing and Gong with the cache of Lowe, as implemented in the crate
//! todc-utils.
//!
//! The time of the search grows with the number of requests, so a key's history is cut into windows where no request
//! was open and the state is known. It is known after a request that overlapped with no other, whose answer tells
//! the state of the key. A request whose answer was lost was executed within its window, or never; the last request
//! of every window shows which.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action as Half, History};

use super::model::{Action, Content, Expiry, Key, Removal, State, Step};
use super::operation::{Moment, NEVER, Round, Text};
use super::project;

/// The largest number of requests in a window, since a search could otherwise take all memory. A workload that exceeds
/// it sends so many requests for one key that none is ever alone, and has to be changed.
const WINDOW: usize = 4_000;

/// The extent of a check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// The number of keys.
    pub keys: usize,
    /// The number of windows, each of one key.
    pub windows: usize,
    /// The number of requests in the largest window.
    pub largest: usize,
}

/// The expiry of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It never expires.
    Never,
    /// It expires for all servers at once.
    Once,
    /// It may have expired for one server and not for another.
    Wavering,
}

/// Checks every key; returns the extent, and each violation in words.
#[must_use]
pub fn check(round: &Round) -> (Size, Vec<String>) {
    let mut size = Size::default();
    let mut findings = Vec::new();
    for (key, steps) in project::by_key(round) {
        size.keys += 1;
        let ends = match (key.starts_with(project::LOCKS), round.disagreement) {
            (false, _) => Ends::Never,
            (true, 0) => Ends::Once,
            (true, _) => Ends::Wavering,
        };
        let content = round.before.get(&key).map(|entry| Content {
            value: entry.value.clone(),
            revision: Some(entry.revision),
            expires: (ends != Ends::Never).then_some(Expiry {
                first: 0,
                last: NEVER,
                wavers: ends == Ends::Wavering,
            }),
        });
        let floor = content.as_ref().and_then(|content| content.revision);
        let state = State {
            floor: floor.unwrap_or(0),
            content,
        };
        if let Err(finding) = check_key(&key, ends, state, &steps, &mut size) {
            findings.push(finding);
        }
    }
    (size, findings)
}

fn check_key(
    key: &Text,
    ends: Ends,
    mut state: State,
    steps: &[Step],
    size: &mut Size,
) -> Result<(), String> {
    let mut rest = steps;
    while !rest.is_empty() {
        let (window, after) = cut(ends, &state, rest);
        let (now, later) = rest.split_at(window);
        if now.len() > WINDOW {
            return Err(format!(
                "{key}: {} requests overlap, which is too much to check at once",
                now.len()
            ));
        }
        size.windows += 1;
        size.largest = size.largest.max(now.len());
        if !WGLChecker::<Key>::is_linearizable(history(&state, now)) {
            let steps: Vec<_> = now.iter().map(|step| format!("\n  {step:?}")).collect();
            return Err(format!(
                "{key}: no order of these requests explains their answers, from {state:?}:{}",
                steps.concat()
            ));
        }
        state = after.unwrap_or_default();
        rest = later;
    }
    Ok(())
}

/// The number of steps in the first window, and the state after it. There is no state after the last window.
fn cut(ends: Ends, state: &State, steps: &[Step]) -> (usize, Option<State>) {
    let mut open_until: Moment = 0;
    let mut floor = state.floor;
    for (index, step) in steps.iter().enumerate() {
        floor = floor.max(told(step));
        let next = steps.get(index + 1).map_or(NEVER, |next| next.start);
        let alone = open_until < step.start && step.end < next;
        open_until = open_until.max(step.end);
        if alone
            && index + 1 < steps.len()
            && let Some(content) = left_by(step, ends)
        {
            return (index + 1, Some(State { floor, content }));
        }
    }
    (steps.len(), None)
}

/// The greatest revision in the answer of a step.
fn told(step: &Step) -> u64 {
    match &step.action {
        Action::See(_, revision)
        | Action::Add {
            told: Some((_, revision)),
            ..
        } => *revision,
        Action::Put { revision, .. } | Action::Remove { revision, .. } => revision.unwrap_or(0),
        _ => 0,
    }
}

/// The state of a key after a step that overlapped with no other, where its answer tells it.
fn left_by(step: &Step, ends: Ends) -> Option<Option<Content>> {
    let lives = |value: &Text, revision: u64, expires| Content {
        value: value.clone(),
        revision: Some(revision),
        expires,
    };
    match &step.action {
        // Only the client that set a lock knows when it expires.
        Action::See(..) | Action::Add { .. } if ends != Ends::Never => None,
        // For another server, it may not have expired yet.
        Action::Miss if ends == Ends::Wavering => None,
        Action::See(value, revision) => Some(Some(lives(value, *revision, None))),
        Action::Add {
            told: Some((sum, revision)),
            ..
        } => Some(Some(lives(&sum.to_string().into(), *revision, None))),
        Action::Miss => Some(None),
        Action::Remove { told, .. } => (*told != Removal::Lost).then_some(None),
        Action::Put {
            value,
            revision: Some(revision),
            ttl,
            ..
        } => {
            let expires = ttl.map(|ttl| ttl.ends(step.start, step.end));
            Some(Some(lives(value, *revision, expires)))
        }
        _ => None,
    }
}

/// The window in the form that the search reads: calls and responses in the order of time.
fn history(state: &State, steps: &[Step]) -> History<Step> {
    let begin = Step {
        start: 0,
        end: 0,
        action: Action::Begin(state.clone()),
    };
    // Of one moment, calls come before responses, so that the requests overlap.
    let mut halves: Vec<(Moment, bool, usize)> = Vec::with_capacity(2 * steps.len());
    for (index, step) in steps.iter().enumerate() {
        // A lost request may be placed after all others, where it has no effect on them.
        let end = match step.action {
            Action::Put { revision: None, .. }
            | Action::Add { told: None, .. }
            | Action::Remove {
                told: Removal::Lost,
                ..
            } => NEVER,
            _ => step.end,
        };
        halves.push((step.start, false, index + 1));
        halves.push((end, true, index + 1));
    }
    halves.sort_unstable();
    let mut actions = vec![(0, Half::Call(begin.clone())), (0, Half::Response(begin))];
    actions.extend(halves.into_iter().map(|(_, response, process)| {
        let step = steps[process - 1].clone();
        let half = if response {
            Half::Response(step)
        } else {
            Half::Call(step)
        };
        (process, half)
    }));
    History::from_actions(actions)
}
