//! Lines of those who wait to take something: first come, first served.
//!
//! Each namespace and prefix has a line of its own while somebody waits there. Only the first in
//! it listens for changes and looks; the others sleep, which costs the store nothing. Whoever was
//! served tells the next two that there may be more. So many new pieces are taken by many at once,
//! and one new piece is looked for in vain by two at most.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prominence_core::{Namespace, Prefix, Signal};
use tokio::sync::Notify;

/// How many are told by each who was served: two, so that their number grows as fast as they find
/// something, and no faster.
const TOLD_BY_EACH: usize = 2;

/// Every line. As many stand in them as requests are held, which is bounded elsewhere.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<State>>);

/// A place in a line. Dropping it leaves the line.
pub(crate) struct Place {
    lines: Lines,
    name: Name,
    ticket: u64,
    told: Arc<Notify>,
    outcome: Outcome,
}

type Name = (Namespace, Prefix);

/// How the waiting at a place ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Nothing,
    Served,
}

#[derive(Default)]
struct State {
    next_ticket: u64,
    /// Each line in the order of coming.
    lines: HashMap<Name, BTreeMap<u64, Waiter>>,
}

/// Somebody in a line.
struct Waiter {
    wake: Arc<Notify>,
    /// Whether there is word that has not been taken up yet.
    is_told: bool,
}

impl Lines {
    /// Whether somebody waits already, so that whoever comes now has to stand behind.
    pub(crate) fn is_waited_for(&self, namespace: &Namespace, prefix: &Prefix) -> bool {
        let name = (namespace.clone(), prefix.clone());
        self.lock().lines.contains_key(&name)
    }

    /// Takes the last place of a line.
    pub(crate) fn join(&self, namespace: &Namespace, prefix: &Prefix) -> Place {
        let name = (namespace.clone(), prefix.clone());
        let told = Arc::new(Notify::new());
        let mut state = self.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        let waiter = Waiter {
            wake: Arc::clone(&told),
            is_told: false,
        };
        let line = state.lines.entry(name.clone()).or_default();
        line.insert(ticket, waiter);
        drop(state);
        Place {
            lines: self.clone(),
            name,
            ticket,
            told,
            outcome: Outcome::Nothing,
        }
    }

    /// Takes up the word for a place, where there is some.
    fn take_word(&self, name: &Name, ticket: u64) -> bool {
        let mut state = self.lock();
        let line = state.lines.get_mut(name);
        let waiter = line.and_then(|line| line.get_mut(&ticket));
        waiter.is_some_and(|waiter| std::mem::take(&mut waiter.is_told))
    }

    /// Every change is made in one go, so a panic elsewhere leaves the lines whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Whether nobody is before this place. It stays so, since others come behind.
    pub(crate) fn is_first(&self) -> bool {
        let state = self.lines.lock();
        let line = state.lines.get(&self.name);
        let first = line.and_then(|line| line.first_key_value());
        first.is_some_and(|(ticket, _)| *ticket == self.ticket)
    }

    /// Comes once this place is the first of its line, or others have found something.
    pub(crate) fn told(&self) -> Signal {
        let (lines, told) = (self.lines.clone(), Arc::clone(&self.told));
        let (name, ticket) = (self.name.clone(), self.ticket);
        Box::pin(async move {
            while !lines.take_word(&name, ticket) {
                told.notified().await;
            }
        })
    }

    /// Leaves the line with what was waited for.
    pub(crate) fn served(mut self) {
        self.outcome = Outcome::Served;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.lines.lock();
        let Some(line) = state.lines.get_mut(&self.name) else {
            return;
        };
        let first = line.first_key_value();
        let was_first = first.is_some_and(|(ticket, _)| *ticket == self.ticket);
        line.remove(&self.ticket);
        let untold = line.values_mut().filter(|waiter| !waiter.is_told);
        if self.outcome == Outcome::Served {
            untold.take(TOLD_BY_EACH).for_each(Waiter::tell);
        }
        // There is always a first who looks.
        if was_first && let Some(mut first) = line.first_entry() {
            first.get_mut().tell();
        }
        if line.is_empty() {
            state.lines.remove(&self.name);
        }
    }
}

impl Waiter {
    fn tell(&mut self) {
        self.is_told = true;
        self.wake.notify_one();
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

    /// Takes up the word for each of the places, and says which had one.
    fn told(places: &[Place]) -> Vec<bool> {
        let told = |place: &Place| place.told().now_or_never().is_some();
        places.iter().map(told).collect()
    }

    #[test]
    fn each_is_the_first_in_the_order_of_coming() {
        let lines = Lines::default();
        let mut places: Vec<_> = (0..3).map(|_| join(&lines, "alice", "/w/")).collect();
        assert!(places[0].is_first() && !places[1].is_first());
        drop(places.remove(1));
        assert_eq!(told(&places), [false, false]);
        let mut turn = places[1].told();
        assert!((&mut turn).now_or_never().is_none());
        drop(places.remove(0));
        assert!(turn.now_or_never().is_some() && places[0].is_first());
    }

    #[test]
    fn who_was_served_tells_two_who_have_not_been_told() {
        let lines = Lines::default();
        let mut places: Vec<_> = (0..6).map(|_| join(&lines, "alice", "/w/")).collect();
        places.remove(0).served();
        places.remove(0).served();
        // What was told to the second is told to another, now that it is gone.
        assert_eq!(told(&places), [true, true, true, false]);
        assert_eq!(told(&places), [false; 4], "word is taken up once");
        // Who leaves with nothing has nothing to tell but to the next who looks.
        drop(places.remove(1));
        assert_eq!(told(&places), [false; 3]);
        drop(places.remove(0));
        assert_eq!(told(&places), [true, false]);
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
