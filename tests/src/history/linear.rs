//! Linearizability of each key, by a known algorithm: Wing and Gong's search with Lowe's memory, as the
//! crate todc-utils has it.
//!
//! The search takes the longer the more requests it is given at once, so a key's history is cut where no
//! request was open and the state is known. It is known after a request that overlapped with no other
//! one: whoever is first or second then is fixed, and what it was told says what the key held. A request
//! whose answer was lost counts as done by the end of its window or as never done; the last request of
//! every window shows what became of it.

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action as Half, History};

use super::model::{Action, Content, Expiry, Key, Removal, State, Step};
use super::operation::{Moment, NEVER, Round, Text};
use super::project;

/// Requests in one window above which a search could take all the memory there is. A workload that
/// reaches it hammers one key so hard that no request is ever alone; that is the workload's fault.
const WINDOW: usize = 4_000;

/// What was checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys.
    pub keys: usize,
    /// Windows of one key each.
    pub windows: usize,
    /// Requests in the largest window.
    pub largest: usize,
}

/// Whether the time of a key may be over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It lives until it is deleted.
    Never,
    /// Once it is over for one it is for all.
    Once,
    /// It may be over for one server and not for another.
    Wavering,
}

/// Checks every key; answers what is wrong, in words.
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

/// How many of the steps belong to the first window, and the state after it. There is none after the
/// last.
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

/// The greatest revision that a step was told.
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

/// What a key holds after a step that was alone, where its answer says so.
fn left_by(step: &Step, ends: Ends) -> Option<Option<Content>> {
    let lives = |value: &Text, revision: u64, expires| Content {
        value: value.clone(),
        revision: Some(revision),
        expires,
    };
    match &step.action {
        // How long a lock has left to live is known to who set it alone.
        Action::See(..) | Action::Add { .. } if ends != Ends::Never => None,
        // It may be there again for who asks another server.
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

/// The window as the search wants it: calls and responses in the order of time.
fn history(state: &State, steps: &[Step]) -> History<Step> {
    let begin = Step {
        start: 0,
        end: 0,
        action: Action::Begin(state.clone()),
    };
    // Responses come after calls of the same moment: where the clock can't tell, they overlap.
    let mut halves: Vec<(Moment, bool, usize)> = Vec::with_capacity(2 * steps.len());
    for (index, step) in steps.iter().enumerate() {
        // Lost requests may be placed after everything else, where nobody can see them.
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
