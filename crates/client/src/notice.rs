//! Notices of requests that fail and are repeated, so that users see why the program waits.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;

/// The shortest time between two notices of one client: short enough for a user who waits, and at most two lines a
/// minute in a log.
const BETWEEN: Duration = Duration::from_secs(30);

/// The time before a notice of too many requests: a server that limits the rate of requests refuses some in normal
/// operation.
const LIMITED: Duration = Duration::from_secs(5);

/// A longer pause is reported at once: it is longer than a limit of requests a second makes necessary.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// A request has failed and will be repeated.
#[derive(Debug)]
pub struct Notice<'a> {
    /// The error.
    pub error: &'a Error,
    /// The time for which it will be repeated.
    pub left: Duration,
}

/// Called with notices, from any thread that sends requests.
#[derive(Clone)]
pub struct OnNotice(Arc<dyn Fn(&Notice<'_>) + Send + Sync>);

impl OnNotice {
    /// Calls this function for each notice.
    pub fn new(tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl Default for OnNotice {
    /// Notices are dropped.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for OnNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnNotice").finish_non_exhaustive()
    }
}

/// The time of the last notice of a client and its clones, by its clock, and a flag for repeated requests.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    last: Mutex<Option<Duration>>,
    /// True after a request was repeated.
    repeated: AtomicBool,
}

impl Notices {
    /// Sends a notice of a request that has failed since `since` and now pauses for `pause`, unless another notice was
    /// sent a short time ago.
    pub(crate) fn tell(
        &self,
        to: &OnNotice,
        notice: &Notice<'_>,
        pause: Duration,
        (since, now): (Duration, Duration),
    ) {
        self.repeated.store(true, Ordering::Relaxed);
        let is_usual = pause <= LONG_PAUSE && now.saturating_sub(since) < LIMITED;
        if is_usual && matches!(notice.error, Error::RateLimited(_)) {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.saturating_sub(last) < BETWEEN) {
            return;
        }
        *last = Some(now);
        // The lock is held so that notices of several threads are not mixed.
        to.0(notice);
    }

    /// True if any request was repeated.
    pub(crate) fn has_repeated(&self) -> bool {
        self.repeated.load(Ordering::Relaxed)
    }
}
