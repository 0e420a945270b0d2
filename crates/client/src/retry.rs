//! Pauses between retries.
//!
//! A request is repeated after transient errors, if executing it twice has the same result as once, or if it is certain
//! that it was not executed. It is repeated until its time is over: the time of the wait, or [`RETRY_FOR`] for a
//! request that is answered at once.

use std::time::Duration;

/// The default time for which a request that is answered at once is repeated: enough to restart a server or to move it
/// to another machine.
pub const RETRY_FOR: Duration = Duration::from_secs(60);

/// The first pause; each later one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause: after an outage the next try comes within this time, and a thousand jobs that wait for a server
/// send it at most a few hundred requests a second.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The rule for repeating a request whose fate is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Executing it twice has the same result as once.
    Safe,
    /// Repeated only if it is certain that it was not executed.
    IfNotApplied,
}

/// The pauses of one request.
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST_PAUSE }
    }

    /// The pause before the next try, or `None` if there is no time for one.
    ///
    /// `left` is the remaining time of the request; the last try is made at its end. `asked` is the server's
    /// `Retry-After`, and no pause is shorter, since earlier requests only add to the load.
    pub(crate) fn pause(&mut self, left: Duration, asked: Option<Duration>) -> Option<Duration> {
        if left.is_zero() || asked.is_some_and(|asked| asked > left) {
            return None;
        }
        let pause = jitter(self.next).max(asked.unwrap_or_default()).min(left);
        self.next = self.next.saturating_mul(2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

/// A random time between half of a pause and all of it, so that many jobs that failed at the same time do not retry at
/// the same time.
pub(crate) fn jitter(pause: Duration) -> Duration {
    let half = pause / 2;
    // Without a source of random numbers, the middle of the range.
    let part = getrandom::u32().unwrap_or(u32::MAX / 2);
    half + half.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new();
        let mut full = FIRST_PAUSE;
        for _ in 0..10 {
            let pause = backoff.pause(Duration::MAX, None).unwrap();
            assert!((full / 2..=full).contains(&pause), "{pause:?} of {full:?}");
            full = (full * 2).min(LONGEST_PAUSE);
        }
    }

    #[test]
    fn the_last_try_is_made_when_the_time_ends() {
        let left = Duration::from_millis(1);
        assert_eq!(Backoff::new().pause(left, None), Some(left));
        assert_eq!(Backoff::new().pause(Duration::ZERO, None), None);
    }

    #[test]
    fn retry_after_is_never_undercut_and_a_pause_beyond_the_end_is_not_begun() {
        let asked = Some(Duration::from_secs(4));
        let mut backoff = Backoff::new();
        assert_eq!(backoff.pause(Duration::from_secs(4), asked), asked);
        assert_eq!(backoff.pause(Duration::from_secs(3), asked), None);
    }
}
