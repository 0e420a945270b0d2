//! The deadline of a request, which is paused during a long poll.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The deadline of a request, without the time of its long poll. The request carries it as an extension, so
/// that its handler can pause it.
#[derive(Clone)]
pub(crate) struct RequestDeadline(Arc<Mutex<State>>);

/// Pauses the deadline until it is dropped.
pub(super) struct Paused(RequestDeadline);

struct State {
    phase: Phase,
    /// The length of all pauses that have ended.
    paused_for: Duration,
}

#[derive(Clone, Copy)]
enum Phase {
    /// The deadline counts from then on.
    Running(Instant),
    /// It does not count since then.
    Paused(Instant),
}

impl RequestDeadline {
    /// When a handler that may work for this long has to be done. The instant moves on during a pause.
    pub(crate) fn ends(&self, within: Duration) -> Instant {
        match self.lock().phase {
            Phase::Running(since) => since + within,
            Phase::Paused(_) => Instant::now() + within,
        }
    }

    /// The length of the pauses.
    pub(crate) fn paused_for(&self) -> Duration {
        self.lock().paused_for
    }

    /// Pauses the deadline until the returned value is dropped.
    pub(super) fn pause(self) -> Paused {
        self.lock().phase = Phase::Paused(Instant::now());
        Paused(self)
    }

    /// No step under the lock can fail halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for RequestDeadline {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Running(Instant::now()),
            paused_for: Duration::ZERO,
        })))
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.0.lock();
        if let Phase::Paused(since) = state.phase {
            state.paused_for += now - since;
        }
        state.phase = Phase::Running(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn the_time_of_a_long_poll_does_not_count() {
        let deadline = RequestDeadline::default();
        let began = Instant::now();
        assert_eq!(deadline.ends(WITHIN), began + WITHIN);
        tokio::time::advance(Duration::from_secs(10)).await;
        let paused = deadline.clone().pause();
        tokio::time::advance(Duration::from_secs(600)).await;
        assert_eq!(deadline.ends(WITHIN), Instant::now() + WITHIN);
        drop(paused);
        let resumed = Instant::now();
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(deadline.ends(WITHIN), resumed + WITHIN);
        assert_eq!(deadline.paused_for(), Duration::from_secs(600));
    }
}
