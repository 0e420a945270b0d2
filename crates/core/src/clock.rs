//! The source of "now", which is always passed in.

use std::sync::atomic::{AtomicU64, Ordering};

use event_listener::Event;

use crate::time::Timestamp;

/// Tells the time. A server passes the system's clock in, a test one that it moves by hand.
pub trait Clock: Send + Sync {
    /// The current instant. It is never before one that was told earlier.
    fn now(&self) -> Timestamp;

    /// Makes the clock show this instant or a later one from now on. A store says so when it is
    /// opened and has seen a later time than the clock shows; what had expired then would be back.
    fn not_before(&self, instant: Timestamp);
}

/// A clock that stands still until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock {
    now: AtomicU64,
    moved: Event,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: AtomicU64::new(now.as_millis()),
            moved: Event::new(),
        }
    }

    /// Sets the clock, also back, as the clocks of two servers may differ.
    pub fn set(&self, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::SeqCst);
        self.moved.notify(usize::MAX);
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: std::time::Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
        self.moved.notify(usize::MAX);
    }

    /// Waits until somebody has moved the clock to this instant or beyond.
    pub async fn reach(&self, instant: Timestamp) {
        loop {
            // Listening before looking, so that a move in between is not slept through.
            let moved = self.moved.listen();
            if self.now() >= instant {
                return;
            }
            moved.await;
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn not_before(&self, instant: Timestamp) {
        self.now.fetch_max(instant.as_millis(), Ordering::SeqCst);
        self.moved.notify(usize::MAX);
    }
}
