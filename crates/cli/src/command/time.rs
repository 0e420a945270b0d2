//! Instants for people: when, and how far from now.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prominence_api::time::rfc3339;
use prominence_core::Timestamp;

/// Now, by this machine's clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The time of day of an instant in RFC 3339, such as `13:10:27 UTC`: a line of a terminal has no room for
/// more. Any other text stays as it is.
pub(super) fn of_day(instant: &str) -> String {
    match instant.get(11..19) {
        Some(time) => format!("{time} UTC"),
        None => instant.to_owned(),
    }
}

/// `2026-01-01T00:00:00.000Z (in 11h 59m)`, or `(expired 2m ago)`.
pub(super) fn with_distance(instant: Timestamp) -> String {
    format!("{} ({})", rfc3339(instant), distance(instant, now()))
}

fn distance(instant: Timestamp, now: Timestamp) -> String {
    let between = |from: Timestamp, to: Timestamp| {
        Duration::from_millis(to.as_millis().saturating_sub(from.as_millis()))
    };
    if instant > now {
        format!("in {}", roughly(between(now, instant)))
    } else {
        format!("expired {} ago", roughly(between(instant, now)))
    }
}

/// The two largest units, which are as much as anyone wants to know.
fn roughly(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_short() {
        assert_eq!(of_day("2026-11-30T13:10:27.512Z"), "13:10:27 UTC");
        assert_eq!(of_day("soon"), "soon");
    }

    #[test]
    fn distances_are_told_in_two_units_and_two_directions() {
        let now = Timestamp::from_secs(1_000_000);
        let at = |secs| distance(Timestamp::from_secs(secs), now);
        assert_eq!(at(1_000_007), "in 7s");
        assert_eq!(at(1_000_000 + 43_200), "in 12h 0m");
        assert_eq!(at(1_000_000 + 90_000), "in 1d 1h");
        assert_eq!(at(999_910), "expired 1m 30s ago");
        assert_eq!(at(1_000_000), "expired 0s ago", "a token ends at its exp");
    }
}
