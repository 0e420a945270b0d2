//! The server's clocks: one that steps of the machine's clock don't reach, and the machine's own.
//!
//! Lifetimes, claims, locks and waits are durations, so they are measured by [`SteadyClock`]. The end
//! of a token is an instant that another machine named, so it is compared with the wall clock, which
//! time synchronization keeps the same on both machines.

mod steady;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use prominence_core::clock::ManualClock;
use prominence_core::{Clock, Timestamp};

pub use steady::SteadyClock;

/// The longest sleep before the time is looked at again. Sleeps are measured by a clock that stands
/// still while the machine is suspended, so this is how late one can end afterwards.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Up to this difference an instant is the same by both clocks: it is more than reading one clock
/// after the other and slewing ever make.
const SAME: Duration = Duration::from_secs(1);

/// A clock that can be waited for, so that what is held ends by the same clock as everything else.
#[async_trait]
pub trait Timer: Clock {
    /// The time of the machine's own clock, which may be set at any moment.
    fn wall(&self) -> Timestamp;

    /// Waits until the clock shows this instant or a later one.
    async fn reach(&self, instant: Timestamp);
}

/// The time of the machine's own clock. A clock before 1970 is not set at all; it then shows 1970.
#[must_use]
pub fn wall_time() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// When `clock` shows what the wall clock shows at `instant`, as far as is known now.
pub(crate) fn from_wall(clock: &dyn Timer, instant: Timestamp) -> Timestamp {
    let (now, wall) = (clock.now(), clock.wall());
    let difference = now.as_millis().abs_diff(wall.as_millis());
    if Duration::from_millis(difference) <= SAME {
        return instant;
    }
    let left = instant.as_millis().saturating_sub(wall.as_millis());
    now.after(Duration::from_millis(left))
}

#[async_trait]
impl Timer for ManualClock {
    fn wall(&self) -> Timestamp {
        self.now()
    }

    async fn reach(&self, instant: Timestamp) {
        ManualClock::reach(self, instant).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clocks that stand still.
    struct Two {
        now: Timestamp,
        wall: Timestamp,
    }

    impl Clock for Two {
        fn now(&self) -> Timestamp {
            self.now
        }

        fn not_before(&self, _: Timestamp) {}
    }

    #[async_trait]
    impl Timer for Two {
        fn wall(&self) -> Timestamp {
            self.wall
        }

        async fn reach(&self, _: Timestamp) {}
    }

    #[test]
    fn an_instant_of_another_machine_is_as_far_away_by_either_clock() {
        let at = |now, wall, instant| {
            let two = Two {
                now: Timestamp::from_millis(now),
                wall: Timestamp::from_millis(wall),
            };
            from_wall(&two, Timestamp::from_millis(instant)).as_millis()
        };
        assert_eq!(at(700_000, 100_000, 160_000), 760_000);
        assert_eq!(at(100_000, 700_000, 760_000), 160_000);
        assert_eq!(at(100_000, 700_000, 600_000), 100_000, "it has passed");
        assert_eq!(at(100_003, 100_000, 160_000), 160_000, "to the millisecond");
    }
}
