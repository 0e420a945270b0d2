//! What may be repeated, how often, and after which pause.
//!
//! A request is repeated on connection errors, 429 and 503, and only where doing it twice is as
//! good as doing it once, or where it is certain that it was not done.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How often a request is sent at most. With the pauses below a server that is restarted is back
/// before the last one.
pub const MAX_TRIES: u32 = 5;

/// The first pause; each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// All pauses and failed tries of one request together: longer than a restart takes, shorter than
/// the patience of a person or of a batch system's watchdog.
pub const MAX_TOTAL: Duration = Duration::from_secs(15);

/// Whether a request may be sent again without knowing what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Doing it twice is as good as doing it once.
    Safe,
    /// Only where it is certain that it was not done.
    IfNotApplied,
}

/// The pauses of one request.
pub(crate) struct Backoff {
    tries: u32,
    next: Duration,
    spent: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self {
            tries: 1,
            next: FIRST_PAUSE,
            spent: Duration::ZERO,
        }
    }

    /// How long to wait before the next try, or `None` where it is time to give up.
    ///
    /// `took` is what the failed try took; `asked` is the server's `Retry-After`, which is never
    /// undercut: coming back too early only adds to the load.
    pub(crate) fn pause(&mut self, took: Duration, asked: Option<Duration>) -> Option<Duration> {
        self.spent = self.spent.saturating_add(took);
        if self.tries >= MAX_TRIES {
            return None;
        }
        let pause = jitter(self.next).max(asked.unwrap_or(Duration::ZERO));
        let spent = self.spent.saturating_add(pause);
        if spent > MAX_TOTAL {
            return None;
        }
        self.tries += 1;
        self.next = self.next.saturating_mul(2);
        self.spent = spent;
        Some(pause)
    }
}

/// Between half of a pause and all of it, so that many jobs that failed together do not come back
/// together.
pub(crate) fn jitter(pause: Duration) -> Duration {
    // The standard library seeds its hash maps at random; that is random enough for a pause.
    let part = RandomState::new().hash_one("pause") % 1_000;
    let half = pause / 2;
    half + half.saturating_mul(u32::try_from(part).unwrap_or_default()) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(took: Duration, asked: Option<Duration>) -> Vec<Duration> {
        let mut backoff = Backoff::new();
        std::iter::from_fn(|| backoff.pause(took, asked)).collect()
    }

    #[test]
    fn pauses_double_and_their_number_is_bounded() {
        let pauses = pauses(Duration::ZERO, None);
        assert_eq!(pauses.len(), 4);
        for (at, pause) in pauses.iter().enumerate() {
            let full = FIRST_PAUSE * 2_u32.pow(u32::try_from(at).unwrap());
            assert!(
                (full / 2..=full).contains(pause),
                "pause {at} is {pause:?} of {full:?}"
            );
        }
    }

    #[test]
    fn retry_after_is_never_undercut_and_too_long_a_wait_is_not_begun() {
        let asked = Duration::from_secs(4);
        let waits = pauses(Duration::ZERO, Some(asked));
        assert_eq!(waits, [asked; 3], "a fourth would exceed the total");
        assert_eq!(pauses(Duration::ZERO, Some(Duration::from_secs(16))), []);
    }

    #[test]
    fn failed_tries_count_towards_the_total() {
        assert_eq!(pauses(Duration::from_secs(10), None).len(), 1);
        assert_eq!(pauses(Duration::from_secs(20), None).len(), 0);
    }
}
