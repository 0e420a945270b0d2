//! A clock that starts with the wall clock's time and then counts seconds by itself.
//!
//! It shows the wall clock's time at its start plus the time since then by a clock that nobody can
//! set, and follows the wall clock slowly. So a step of the wall clock neither ends a lifetime early
//! nor prolongs it, and its time never goes back.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use prominence_core::{Clock, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use super::{LONGEST_SLEEP, Timer, wall_time};

/// The clock that seconds are counted by. On Linux `CLOCK_MONOTONIC` stands still while the machine is
/// suspended, and a lifetime doesn't. Both run at the rate that time synchronization sets.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SECONDS: ClockId = ClockId::Boottime;
/// Elsewhere the monotonic clock goes on.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SECONDS: ClockId = ClockId::Monotonic;

/// Millionths of the time that passes by which the clock may go faster or slower to come nearer to
/// the wall clock. It is the most by which NTP slews a clock (RFC 5905, section 12), so whoever
/// compares durations on two machines has to allow for it anyway: an hour is at most 1.8 s longer or
/// shorter. A leap second is followed within 34 minutes, a step of 10 minutes within 14 days.
const SLEW_PPM: u64 = 500;

/// The interval of its adjustments: often enough that a step of it is shorter than a millisecond, seldom
/// enough that reading the wall clock costs nothing beside requests.
const ADJUST_EVERY: Duration = Duration::from_millis(100);

/// The distance from the wall clock from which on it is told in the log: more than time
/// synchronization leaves when it works.
const WORTH_TELLING: Duration = Duration::from_secs(1);

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The clock of a server.
#[derive(Debug)]
pub struct SteadyClock(Course);

/// Its time as a function of the two clocks that it rests on, in nanoseconds.
#[derive(Debug)]
struct Course {
    /// The offset that is added to the counted seconds.
    offset: AtomicI64,
    /// The counted seconds at the last adjustment.
    adjusted: AtomicU64,
    /// The latest time shown, in milliseconds: an adjustment between two readings could otherwise
    /// take the second one back by a fraction of a millisecond.
    latest: AtomicU64,
    /// True if the log has said that the clocks differ.
    told: AtomicBool,
}

impl SteadyClock {
    /// Starts with the time of the wall clock.
    #[must_use]
    pub fn start() -> Self {
        Self(Course::new(counted(), wall()))
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.at(counted(), wall))
    }

    fn not_before(&self, instant: Timestamp) {
        let ahead = self.0.not_before(counted(), instant.as_millis());
        if ahead >= WORTH_TELLING {
            tracing::warn!(
                "the machine's clock shows an earlier time than this store has seen; the server's own \
                 clock starts {} s ahead of it, so that nothing that has expired comes back",
                ahead.as_secs()
            );
        }
    }
}

#[async_trait]
impl Timer for SteadyClock {
    fn wall(&self) -> Timestamp {
        wall_time()
    }

    async fn reach(&self, instant: Timestamp) {
        loop {
            let left = instant.as_millis().saturating_sub(self.now().as_millis());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
        }
    }
}

impl Course {
    fn new(counted: u64, wall: u64) -> Self {
        Self {
            offset: AtomicI64::new(distance(counted, wall)),
            adjusted: AtomicU64::new(counted),
            latest: AtomicU64::new(0),
            told: AtomicBool::new(false),
        }
    }

    /// Milliseconds since the epoch.
    fn at(&self, counted: u64, wall: impl FnOnce() -> u64) -> u64 {
        let adjusted = self.adjusted.load(Ordering::Relaxed);
        let passed = Duration::from_nanos(counted.saturating_sub(adjusted));
        // The thread that replaces the instant of the last adjustment makes this one.
        let exchange = |from, to| {
            self.adjusted
                .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed)
        };
        if passed >= ADJUST_EVERY && exchange(adjusted, counted).is_ok() {
            self.adjust(counted, passed, wall());
        }
        let shown = self.shown(counted) / NANOS_PER_MILLI;
        let latest = self.latest.load(Ordering::Relaxed);
        if shown <= latest {
            return latest;
        }
        self.latest.fetch_max(shown, Ordering::Relaxed).max(shown)
    }

    fn shown(&self, counted: u64) -> u64 {
        counted.saturating_add_signed(self.offset.load(Ordering::Relaxed))
    }

    /// Comes nearer to the wall clock by as much as the time that has passed allows.
    fn adjust(&self, counted: u64, passed: Duration, wall: u64) {
        let away = distance(self.shown(counted), wall);
        let most = passed.as_nanos() * u128::from(SLEW_PPM) / 1_000_000;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.offset
            .fetch_add(away.clamp(-most, most), Ordering::Relaxed);
        let away = Duration::from_nanos(away.unsigned_abs());
        let is_far = away >= WORTH_TELLING;
        if is_far && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the machine's clock was set and now differs from the server's own by {} s; \
                 lifetimes, claims and locks are not affected, and times that are shown follow by at most \
                 1.8 s an hour, or at once when the server is started again",
                away.as_secs()
            );
        } else if !is_far && self.told.swap(false, Ordering::Relaxed) {
            tracing::info!("the server's own clock agrees with the machine's again");
        }
    }

    /// Shows that many milliseconds or more from now on. Says by how much it had to be put forward.
    fn not_before(&self, counted: u64, millis: u64) -> Duration {
        let wanted = millis.saturating_mul(NANOS_PER_MILLI);
        let ahead = wanted.saturating_sub(self.shown(counted));
        let ahead = i64::try_from(ahead).unwrap_or(i64::MAX);
        self.offset.fetch_add(ahead, Ordering::Relaxed);
        self.latest.fetch_max(millis, Ordering::Relaxed);
        let ahead = Duration::from_nanos(ahead.unsigned_abs());
        // The caller tells it.
        self.told.store(ahead >= WORTH_TELLING, Ordering::Relaxed);
        ahead
    }
}

/// From one reading to another. Both are below 2^63 ns, which is in the year 2262.
fn distance(from: u64, to: u64) -> i64 {
    let signed = |nanos| i64::try_from(nanos).unwrap_or(i64::MAX);
    signed(to).saturating_sub(signed(from))
}

fn counted() -> u64 {
    let time = clock_gettime(SECONDS);
    // It starts at 0 when the machine does.
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

fn wall() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const MINUTE: u64 = 60 * SECOND;
    /// The wall clock's time when the counted seconds are 0.
    const EPOCH: u64 = 1_700_000_000 * SECOND;

    /// Counts `seconds` further, a second at a time, beside a wall clock that is `wrong` by so much.
    /// Gives the distance from the right time in milliseconds at the end.
    fn run(course: &Course, from: u64, seconds: u64, wrong: i64) -> i64 {
        let mut shown = 0;
        for second in 0..=seconds {
            let counted = from + second * SECOND;
            let before = shown;
            shown = course.at(counted, || (EPOCH + counted).saturating_add_signed(wrong));
            assert!(shown >= before, "{before} and then {shown}");
        }
        let right = (EPOCH + from + seconds * SECOND) / NANOS_PER_MILLI;
        distance(right, shown)
    }

    #[test]
    fn a_step_of_the_wall_clock_changes_a_minute_by_at_most_30_milliseconds() {
        for step in [10 * MINUTE, SECOND].map(|step| i64::try_from(step).unwrap()) {
            for step in [step, -step] {
                let course = Course::new(0, EPOCH);
                assert_eq!(run(&course, 0, 60, 0), 0);
                let away = run(&course, MINUTE, 60, step);
                assert!((29..=30).contains(&(away * step.signum())), "{away} ms");
            }
        }
    }

    #[test]
    fn a_leap_second_is_followed_within_34_minutes_and_a_step_of_10_minutes_within_14_days() {
        let leap = -i64::try_from(SECOND).unwrap();
        let course = Course::new(0, EPOCH);
        assert_ne!(run(&course, 0, 33 * 60, leap), -1_000);
        assert_eq!(run(&course, 33 * MINUTE, 60, leap), -1_000);
        let course = Course::new(0, EPOCH);
        let step = i64::try_from(10 * MINUTE).unwrap();
        assert_eq!(run(&course, 0, 14 * 86_400, step), 600_000);
    }

    #[test]
    fn small_differences_are_followed_at_once_and_time_never_goes_back() {
        let course = Course::new(0, EPOCH);
        let mut latest = 0;
        // Readings every 50 µs beside a wall clock that is adjusted back and forth by 40 µs.
        for reading in 0..40_000 {
            let counted = reading * 50_000;
            let wall = EPOCH + counted - 40_000 * (reading / 3 % 2);
            let shown = course.at(counted, || wall);
            assert!(shown >= latest, "{latest} and then {shown}");
            latest = shown;
        }
        assert_eq!(latest, (EPOCH + 39_999 * 50_000) / NANOS_PER_MILLI);
    }

    #[test]
    fn a_clock_that_was_put_forward_goes_on_from_there() {
        let course = Course::new(0, EPOCH);
        let floor = (EPOCH + 10 * MINUTE) / NANOS_PER_MILLI;
        assert_eq!(course.not_before(0, floor), Duration::from_mins(10));
        assert_eq!(
            course.not_before(0, floor - 5),
            Duration::ZERO,
            "it is later"
        );
        assert_eq!(course.at(SECOND, || EPOCH + SECOND) - floor, 999);
        let ahead = run(&course, MINUTE, 60, 0);
        assert!((599_900..600_000).contains(&ahead), "{ahead}");
    }

    #[test]
    fn many_threads_see_time_go_forward_only() {
        let clock = SteadyClock::start();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut latest = clock.now();
                    for _ in 0..100_000 {
                        let now = clock.now();
                        assert!(now >= latest, "{latest:?} and then {now:?}");
                        latest = now;
                    }
                });
            }
        });
        let difference = clock.now().as_millis().abs_diff(wall_time().as_millis());
        assert!(difference < 1_000, "{difference} ms");
    }
}
