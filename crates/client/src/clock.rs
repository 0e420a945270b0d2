//! The clock for deadlines, passed in so that tests need not wait.

use std::time::{Duration, Instant};

/// A monotonic clock, and a way to wait by it.
pub trait Clock: Send + Sync {
    /// The time since an arbitrary start; never smaller than before.
    fn now(&self) -> Duration;

    /// Returns when this much time has passed.
    fn sleep(&self, time: Duration);
}

/// The clock of this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
