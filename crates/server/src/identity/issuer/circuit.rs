//! A circuit breaker: an endpoint that does not answer is not asked for a while, so that callers are answered at once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prominence_core::Timestamp;

/// After so many failures in a row the circuit opens.
const FAILURES: u32 = 5;

/// The time for which it stays open; then one request tries.
const OPEN_FOR: Duration = Duration::from_secs(10);

/// The state of one endpoint.
#[derive(Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Default)]
struct State {
    failures: u32,
    /// While it is open: when a request may try.
    tries_at: Option<Timestamp>,
}

impl Circuit {
    /// Lets a request pass; while the circuit is open, says how long to wait instead.
    pub(super) fn admit(&self, now: Timestamp) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(tries_at) = state.tries_at else {
            return Ok(());
        };
        if now < tries_at {
            let left = tries_at.as_millis() - now.as_millis();
            return Err(Duration::from_millis(left));
        }
        // This request tries. Others wait as long again, or until it has succeeded.
        state.tries_at = Some(now.after(OPEN_FOR));
        Ok(())
    }

    /// The endpoint has answered.
    pub(super) fn succeeded(&self) {
        *self.state() = State::default();
    }

    /// The endpoint has not answered.
    pub(super) fn failed(&self, now: Timestamp) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.tries_at = Some(now.after(OPEN_FOR));
        }
    }

    /// True if it is open.
    pub(super) fn is_open(&self) -> bool {
        self.state().tries_at.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_lets_one_request_try() {
        let circuit = Circuit::default();
        let at = Timestamp::from_secs;
        for _ in 0..4 {
            circuit.failed(at(1));
        }
        circuit.succeeded();
        for second in 0..4 {
            circuit.failed(at(second));
            assert_eq!(circuit.admit(at(second)), Ok(()));
        }
        circuit.failed(at(10));
        assert!(circuit.is_open());
        assert_eq!(circuit.admit(at(12)), Err(Duration::from_secs(8)));
        assert_eq!(circuit.admit(at(20)), Ok(()), "one tries");
        assert_eq!(circuit.admit(at(21)), Err(Duration::from_secs(9)));
        circuit.failed(at(22));
        assert_eq!(circuit.admit(at(31)), Err(Duration::from_secs(1)));
        assert_eq!(circuit.admit(at(32)), Ok(()));
        circuit.succeeded();
        assert_eq!(circuit.admit(at(32)), Ok(()));
        assert!(!circuit.is_open());
    }
}
