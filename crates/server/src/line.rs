//! Lines of those who wait to take something: first come, first served.
//!
//! Each namespace and prefix has a line of its own while somebody waits there. Only the first in
//! it tries; the others are told when they are the first, which costs the store nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Namespace, Prefix, Signal};
use tokio::sync::oneshot;

/// Every line. As many stand in them as requests are held, which is bounded elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<State>>);

/// A place in a line. Dropping it leaves the line.
pub(crate) struct Place {
    lines: Lines,
    name: Name,
    ticket: u64,
    turn: Option<oneshot::Receiver<()>>,
}

type Name = (Namespace, Prefix);

#[derive(Default)]
struct State {
    next_ticket: u64,
    /// By the order in which they came; the first has been told, and its sender is used up.
    lines: HashMap<Name, BTreeMap<u64, Option<oneshot::Sender<()>>>>,
}

impl Lines {
    /// Takes the last place of a line.
    pub(crate) fn join(&self, namespace: &Namespace, prefix: &Prefix) -> Place {
        let (tell, turn) = oneshot::channel();
        let name = (namespace.clone(), prefix.clone());
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let line = state.lines.entry(name.clone()).or_default();
        line.insert(ticket, Some(tell));
        tell_first(line);
        drop(state);
        Place {
            lines: self.clone(),
            name,
            ticket,
            turn: Some(turn),
        }
    }

    /// Every change is made in one go, so a panic elsewhere leaves the lines whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether nobody is before this place.
    pub(crate) fn is_first(&self) -> bool {
        let state = self.lines.lock();
        let line = state.lines.get(&self.name);
        let first = line.and_then(|line| line.first_key_value());
        first.is_some_and(|(ticket, _)| *ticket == self.ticket)
    }

    /// Comes once this place is the first of its line.
    pub(crate) fn turn(&mut self) -> Signal {
        let turn = self.turn.take();
        Box::pin(async move {
            if let Some(turn) = turn {
                // It is told, or the lines are gone, and then there is nobody before it either.
                let _ = turn.await;
            }
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.lines.lock();
        let Some(line) = state.lines.get_mut(&self.name) else {
            return;
        };
        line.remove(&self.ticket);
        if line.is_empty() {
            state.lines.remove(&self.name);
        } else {
            tell_first(line);
        }
    }
}

fn tell_first(line: &mut BTreeMap<u64, Option<oneshot::Sender<()>>>) {
    if let Some(mut first) = line.first_entry()
        && let Some(tell) = first.get_mut().take()
    {
        // Who has stopped listening has looked, or leaves the line.
        let _ = tell.send(());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn join(lines: &Lines, user: &str, prefix: &str) -> Place {
        let namespace = Namespace::parse(user).unwrap();
        lines.join(&namespace, &Prefix::parse(prefix).unwrap())
    }

    #[test]
    fn each_has_its_turn_in_the_order_of_coming() {
        let lines = Lines::default();
        let mut first = join(&lines, "alice", "/w/");
        let mut second = join(&lines, "alice", "/w/");
        let mut third = join(&lines, "alice", "/w/");
        assert!(first.is_first() && !second.is_first());
        let (mut second_turn, mut third_turn) = (second.turn(), third.turn());
        assert!(first.turn().now_or_never().is_some());
        assert!((&mut second_turn).now_or_never().is_none());
        drop(second);
        assert!((&mut third_turn).now_or_never().is_none());
        drop(first);
        assert!(third_turn.now_or_never().is_some());
        assert!(third.is_first());
    }

    #[test]
    fn lines_are_apart_and_end_with_the_last_who_waits() {
        let lines = Lines::default();
        let places = [
            join(&lines, "alice", "/w/"),
            join(&lines, "alice", "/v/"),
            join(&lines, "alice2", "/w/"),
        ];
        assert!(places.iter().all(Place::is_first));
        drop(places);
        assert!(lines.lock().lines.is_empty());
    }
}
