//! The limit on the request rate of each user.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use prominence_api::ErrorCode;
use prominence_core::Namespace;

use crate::failure::Failure;

/// After this many requests users whose buckets are full again are removed from the table, so that it holds
/// only users of the last moments.
const REQUESTS_BETWEEN_CLEANINGS: u32 = 100_000;

/// A token bucket for each user.
pub(crate) struct RateLimit {
    limiter: DefaultKeyedRateLimiter<Namespace>,
    clock: DefaultClock,
    until_cleaning: AtomicU32,
    requests_per_second: u32,
}

impl RateLimit {
    /// That many requests a second, and as many at once; `None` for 0.
    pub(crate) fn new(requests_per_second: u32) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(requests_per_second)?);
        Some(Self {
            limiter: RateLimiter::keyed(quota),
            clock: DefaultClock::default(),
            until_cleaning: AtomicU32::new(REQUESTS_BETWEEN_CLEANINGS),
            requests_per_second,
        })
    }

    /// Takes one request from the user's bucket.
    ///
    /// # Errors
    /// 429 if the bucket is empty.
    pub(crate) fn admit(&self, user: &Namespace) -> Result<(), Failure> {
        self.take(user).map_err(|wait| {
            let limit = self.requests_per_second;
            let message = format!("more than {limit} requests a second");
            Failure::new(ErrorCode::RateLimited, message).retry_after(wait)
        })
    }

    /// The same; an error says how long to wait.
    fn take(&self, user: &Namespace) -> Result<(), Duration> {
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
