//! How fast one user may ask.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use prominence_core::Namespace;

/// Users whose buckets have filled up again are forgotten after this many requests, so that the
/// table holds no more than those who asked lately.
const REQUESTS_BETWEEN_CLEANINGS: u32 = 100_000;

/// A token bucket for each user.
pub(crate) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<Namespace>,
    clock: DefaultClock,
    until_cleaning: AtomicU32,
}

impl RateLimit {
    /// That many requests a second, and as many at once; `None` for 0.
    pub(crate) fn new(requests_per_second: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(requests_per_second)?);
        Some(Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            until_cleaning: AtomicU32::new(REQUESTS_BETWEEN_CLEANINGS),
        })
    }

    /// Takes one request from the user's bucket.
    ///
    /// # Errors
    /// How long to wait, where the bucket is empty.
    pub(crate) fn admit(&self, user: &Namespace) -> Result<(), Duration> {
        if self.until_cleaning.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.until_cleaning
                .store(REQUESTS_BETWEEN_CLEANINGS, Ordering::Relaxed);
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(user)
            .map_err(|early| early.wait_time_from(self.clock.now()))
    }
}
