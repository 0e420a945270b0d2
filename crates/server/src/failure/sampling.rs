//! Lines of the log that requests cause: only some a second, so that no client fills the disk with them.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Lines a second from one place in the code, and at once after a while without any.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(4);
const AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// The lines of one place in the code.
pub(crate) struct Sampler {
    rate: LazyLock<DefaultDirectRateLimiter>,
    left_out: AtomicU64,
}

impl Sampler {
    pub(crate) const fn new() -> Self {
        Self {
            rate: LazyLock::new(|| {
                RateLimiter::direct(Quota::per_second(PER_SECOND).allow_burst(AT_ONCE))
            }),
            left_out: AtomicU64::new(0),
        }
    }

    /// Has a line written, with the number of those that were left out before it, or leaves it out.
    pub(crate) fn write(&self, line: impl FnOnce(Option<u64>)) {
        if self.rate.check().is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        line((left_out > 0).then_some(left_out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_becomes_few_that_say_how_many_were_left_out() {
        let sampler = Sampler::new();
        let (mut written, mut told) = (0, 0);
        for _ in 0..100_000 {
            sampler.write(|left_out| {
                written += 1;
                told += left_out.unwrap_or_default();
            });
        }
        // A second would have to pass for each five more.
        assert!((50..1_000).contains(&written), "{written}");
        let left_out = sampler.left_out.load(Ordering::Relaxed);
        assert_eq!(written + told + left_out, 100_000);
    }
}
