//! Pauses between tries.
//!
//! A request is repeated after errors that may pass, and only where doing it twice is as good as
//! doing it once, or where it is certain that it was not done. It is repeated until its time is
//! over: the time that the caller is ready to wait for what is asked, or [`RETRY_FOR`] where the
//! request is answered at once.

use std::time::Duration;

/// The default time for which a request that is answered at once is repeated: a server that is restarted
/// or moved to another machine is back by then.
pub const RETRY_FOR: Duration = Duration::from_secs(60);

/// The first pause; each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest pause: after an outage nobody waits longer than this for the next try, and a
/// thousand jobs that wait for a server ask it a few hundred times a second at the most.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The rule for sending a request again whose fate is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Doing it twice is as good as doing it once.
    Safe,
    /// Only where it is certain that it was not done.
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

    /// The pause before the next try, or `None` if it is time to give up.
    ///
    /// `left` is the time that is left of the request's; the last try is made at its end. `asked`
    /// is the server's `Retry-After`, which is never undercut: coming back too early only adds to
    /// the load.
    pub(crate) fn pause(&mut self, left: Duration, asked: Option<Duration>) -> Option<Duration> {
        if left.is_zero() || asked.is_some_and(|asked| asked > left) {
            return None;
        }
        let pause = jitter(self.next).max(asked.unwrap_or_default()).min(left);
        self.next = self.next.saturating_mul(2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

/// Between half of a pause and all of it, so that many jobs that failed together do not come back
/// together.
pub(crate) fn jitter(pause: Duration) -> Duration {
    let half = pause / 2;
    // Without a source of random numbers the middle has to do.
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
