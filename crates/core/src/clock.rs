//! The source of the current time, which is always passed in.

use std::sync::atomic::{AtomicU64, Ordering};

use event_listener::Event;

use crate::time::Timestamp;

/// Tells the time. A server passes in the system's clock, a test a clock that it sets.
pub trait Clock: Send + Sync {
    /// The present time, which never decreases.
    fn now(&self) -> Timestamp;

    /// Sets the clock to this time if it shows an earlier one. A store calls this when it is opened and has stored a
    /// later time than the clock shows; entries that had expired by then would otherwise exist again.
    fn not_before(&self, instant: Timestamp);
}

/// A clock that changes only when it is set.
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

    /// Sets the clock, also to an earlier time, since the clocks of two servers may differ.
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

    /// Waits until the clock has been set to this time or a later one.
    pub async fn reach(&self, instant: Timestamp) {
        loop {
            // The listener comes before the comparison, so that no change in between is missed.
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
