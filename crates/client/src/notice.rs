//! Telling the caller that requests fail and are repeated, so that nobody wonders what a silent
//! program is doing.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;

/// The shortest time between two notices of one client: often enough for a person who watches, and
/// two lines a minute in a log.
const BETWEEN: Duration = Duration::from_secs(30);

/// The time after which a notice says that too many requests are refused: a server that limits the
/// rate of requests refuses some in normal operation.
const LIMITED: Duration = Duration::from_secs(5);

/// A longer pause is told at once: it is longer than a server asks for that limits requests a second.
const LONG_PAUSE: Duration = Duration::from_secs(1);

/// A request has failed and will be repeated.
#[derive(Debug)]
pub struct Notice<'a> {
    /// Why it failed.
    pub error: &'a Error,
    /// The time for which it will be repeated.
    pub left: Duration,
}

/// Called with notices, from any thread that sends requests.
#[derive(Clone)]
pub struct OnNotice(Arc<dyn Fn(&Notice<'_>) + Send + Sync>);

impl OnNotice {
    /// Has notices told by this function.
    pub fn new(tell: impl Fn(&Notice<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl Default for OnNotice {
    /// Tells nobody.
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for OnNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnNotice").finish_non_exhaustive()
    }
}

/// The repetitions of a client and its clones, and when the last notice was given, by its clock.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    last: Mutex<Option<Duration>>,
    /// True once a request was repeated.
    repeated: AtomicBool,
}

impl Notices {
    /// Tells of a failure of a request that began to fail `since` and pauses for `pause`, unless another
    /// was told lately.
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
        // The lock is held so that notices of several threads don't mix.
        to.0(notice);
    }

    /// True if any request was repeated.
    pub(crate) fn has_repeated(&self) -> bool {
        self.repeated.load(Ordering::Relaxed)
    }
}
