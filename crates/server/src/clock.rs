//! The system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use prominence_core::{Clock, Timestamp};

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
