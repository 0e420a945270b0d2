//! How long a handler may take, not counting the time that its request is held.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What the deadline of a request is counted from. It travels with the request, so that a handler
/// that holds it can put the deadline off.
#[derive(Clone)]
pub(crate) struct Patience(Arc<Mutex<State>>);

/// Puts the deadline off for as long as it is there.
pub(crate) struct Paused(Patience);

struct State {
    phase: Phase,
    held_for: Duration,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The handler has been working since then.
    Working(Instant),
    /// The request has been held since then.
    Held(Instant),
}

impl Patience {
    /// When a handler that may work for this long has to be done; later, where the request is
    /// held now.
    pub(crate) fn ends(&self, within: Duration) -> Instant {
        match self.lock().phase {
            Phase::Working(since) => since + within,
            Phase::Held(_) => Instant::now() + within,
        }
    }

    /// How long the request was held, up to now.
    pub(crate) fn held_for(&self) -> Duration {
        self.lock().held_for
    }

    /// Stops counting until what is answered is dropped.
    pub(super) fn pause(self) -> Paused {
        self.lock().phase = Phase::Held(Instant::now());
        Paused(self)
    }

    /// Nothing that is done under the lock can fail halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Working(Instant::now()),
            held_for: Duration::ZERO,
        })))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.0.lock();
        if let Phase::Held(since) = state.phase {
            state.held_for += now - since;
        }
        state.phase = Phase::Working(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn the_time_that_a_request_is_held_does_not_count() {
        let patience = Patience::default();
        let began = Instant::now();
        assert_eq!(patience.ends(WITHIN), began + WITHIN);
        tokio::time::advance(Duration::from_secs(10)).await;
        let paused = patience.clone().pause();
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(patience.ends(WITHIN), Instant::now() + WITHIN);
        drop(paused);
        let released = Instant::now();
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(patience.ends(WITHIN), released + WITHIN);
        assert_eq!(patience.held_for(), Duration::from_secs(600));
    }
}
