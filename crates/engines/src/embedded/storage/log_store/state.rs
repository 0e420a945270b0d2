//! What readers are given: everything up to a group, and the segments that its rows refer to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::embedded::files::group_log::Segments;

/// States that may be remembered before the list is gone through.
const MIN_LIMIT: usize = 1_024;

/// Everything up to a group.
#[derive(Debug)]
pub(in crate::embedded) struct State {
    /// Rows with a lower sequence number are seen.
    pub(super) visible: u64,
    /// They stay open as long as somebody has the state, also when they are removed meanwhile.
    pub(super) segments: Arc<Segments>,
}

/// The states that somebody still has.
#[derive(Debug)]
pub(super) struct States(Mutex<Used>);

#[derive(Debug)]
struct Used {
    /// In the order in which they were published, which is that of their numbers.
    states: VecDeque<(u64, Weak<State>)>,
    /// How many may be in it before all are looked at: one that somebody keeps for long would keep
    /// those behind it in the list.
    limit: usize,
}

impl Default for States {
    fn default() -> Self {
        Self(Mutex::new(Used {
            states: VecDeque::new(),
            limit: MIN_LIMIT,
        }))
    }
}

impl States {
    /// A state of everything below a number, for readers. It is in the list as long as somebody has it.
    pub(super) fn publish(&self, visible: u64, segments: Arc<Segments>) -> Arc<State> {
        let state = Arc::new(State { visible, segments });
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.states.push_back((visible, Arc::downgrade(&state)));
        used.forget();
        state
    }

    /// The lowest number that a reader has; 0 where nobody has a state.
    pub(super) fn oldest(&self) -> u64 {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget();
        used.states.front().map_or(0, |(visible, _)| *visible)
    }
}

impl Used {
    fn forget(&mut self) {
        while let Some((_, state)) = self.states.front()
            && state.strong_count() == 0
        {
            self.states.pop_front();
        }
        if self.states.len() > self.limit {
            self.states.retain(|(_, state)| state.strong_count() > 0);
            self.limit = MIN_LIMIT.max(2 * self.states.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_state_that_somebody_has_is_known() {
        let states = States::default();
        assert_eq!(states.oldest(), 0);
        let mut latest = states.publish(1, Arc::default());
        let kept = states.publish(2, Arc::default());
        for visible in 3..10_000 {
            latest = states.publish(visible, Arc::default());
            assert_eq!(states.oldest(), 2);
        }
        assert!(states.0.lock().unwrap().states.len() <= MIN_LIMIT + 1);
        drop(kept);
        assert_eq!(states.oldest(), 9_999);
        drop(latest);
    }
}
