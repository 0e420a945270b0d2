//! The system's clock, and clocks that can be waited for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use prominence_core::clock::ManualClock;
use prominence_core::{Clock, Timestamp};

/// The longest sleep before the time is looked at again. Sleeps are measured by a clock that is
/// never set, so this is how late one can end after the system's clock was put forward.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// A clock that can be waited for, so that what is held ends by the same clock as everything else.
#[async_trait]
pub trait Timer: Clock {
    /// Waits until the clock shows this instant or a later one.
    async fn reach(&self, instant: Timestamp);
}

/// Tells the time that the operating system tells.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A system clock before 1970 is not set at all; everything then happens at the epoch.
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl Timer for SystemClock {
    async fn reach(&self, instant: Timestamp) {
        loop {
            let left = instant.as_millis().saturating_sub(self.now().as_millis());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
        }
    }
}

#[async_trait]
impl Timer for ManualClock {
    async fn reach(&self, instant: Timestamp) {
        ManualClock::reach(self, instant).await;
    }
}
