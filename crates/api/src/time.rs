//! Durations and times as text.

use std::cell::Cell;
use std::time::{Duration, UNIX_EPOCH};

use prominence_core::Timestamp;

/// The longest duration: a hundred years of 365 days.
const MAX_DURATION: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The units of a duration in seconds, the largest first.
const UNITS: [(u8, u64); 4] = [(b'd', 86_400), (b'h', 3_600), (b'm', 60), (b's', 1)];

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not whole numbers with units.
    #[error(
        "\"{0}\" is not a duration; write it as 90s, 15m, 12h, 7d, 1h30m or a number of seconds"
    )]
    Malformed(String),
    /// A smaller unit before a larger one, or a unit twice: probably a mistake.
    #[error(
        "the units of the duration \"{0}\" are out of order; write each once and the larger one \
         first, as in 1d12h or 1h30m"
    )]
    Order(String),
    /// Zero is probably a mistake.
    #[error("a duration must be longer than 0")]
    Zero,
    /// Longer than [`MAX_DURATION`].
    #[error("\"{0}\" is longer than the limit of 36500d")]
    TooLong(String),
}

/// Reads `90s`, `15m`, `12h`, `7d`, several of them with the larger unit first (`1h30m`, `1d12h`), or a number of
/// seconds without a unit.
///
/// # Errors
/// See [`DurationError`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let malformed = || DurationError::Malformed(text.to_owned());
    let mut rest = text;
    // `None` after the sum has become too large; the rest is still checked.
    let mut sum = Some(0_u64);
    let mut smaller_units = &UNITS[..];
    let mut is_in_order = true;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let seconds = match after.as_bytes().first() {
            _ if number.is_empty() => return Err(malformed()),
            None if number == text => 1,
            None => return Err(malformed()),
            Some(letter) => {
                let unit = UNITS.iter().position(|(unit, _)| unit == letter);
                let unit = unit.ok_or_else(malformed)?;
                is_in_order &= smaller_units.contains(&UNITS[unit]);
                smaller_units = &UNITS[unit + 1..];
                UNITS[unit].1
            }
        };
        // Only digits are left, so the only possible error is a number that is too large.
        let part = number
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(seconds));
        sum = sum.zip(part).and_then(|(sum, part)| sum.checked_add(part));
        rest = after.get(1..).unwrap_or_default();
    }
    if !is_in_order {
        return Err(DurationError::Order(text.to_owned()));
    }
    match sum.map(Duration::from_secs) {
        Some(Duration::ZERO) => Err(DurationError::Zero),
        Some(duration) if duration <= MAX_DURATION => Ok(duration),
        _ => Err(DurationError::TooLong(text.to_owned())),
    }
}

/// Writes a duration as [`parse_duration`] reads it, in whole seconds: the largest unit first, and no unit with zero,
/// as in `9m57s` or `1d12h`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut seconds = duration.as_secs();
    let mut text = String::new();
    for (letter, unit) in UNITS {
        if seconds >= unit {
            text.push_str(&(seconds / unit).to_string());
            text.push(char::from(letter));
            seconds %= unit;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Seconds of a day. Timestamps have no leap seconds.
pub const DAY_SECONDS: u64 = 86_400;

/// Bytes of a date in RFC 3339, such as `2023-11-14`.
const DATE_BYTES: usize = 10;

thread_local! {
    /// The last day that this thread has written, in days since 1970, and its date. Most times that are written are of
    /// one day, and the calculation of its date costs more than the rest of the text.
    static LAST_DATE: Cell<(u64, [u8; DATE_BYTES])> = const { Cell::new((u64::MAX, [0; DATE_BYTES])) };
}

/// A time as RFC 3339 with milliseconds, in UTC.
#[must_use]
pub fn rfc3339(instant: Timestamp) -> String {
    let day = instant.as_secs() / DAY_SECONDS;
    let (last, mut date) = LAST_DATE.get();
    if last != day {
        let midnight = UNIX_EPOCH + Duration::from_secs(day * DAY_SECONDS);
        let text = humantime::format_rfc3339_seconds(midnight).to_string();
        // The year of a timestamp has four digits, so the date has this number of bytes.
        date.copy_from_slice(&text.as_bytes()[..DATE_BYTES]);
        LAST_DATE.set((day, date));
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    text[..DATE_BYTES].copy_from_slice(&date);
    text[11..19].copy_from_slice(&time_of_day(instant));
    let millis = instant.as_millis() % 1_000;
    text[20] = digit(millis / 100);
    text[21] = digit(millis / 10);
    text[22] = digit(millis);
    String::from_utf8(text.to_vec()).unwrap_or_default()
}

/// The time of day in UTC, to the second: `22:13:20`.
#[must_use]
pub fn time_of_day(instant: Timestamp) -> [u8; 8] {
    let seconds = instant.as_secs();
    let (hours, minutes) = (seconds / 3_600 % 24, seconds / 60 % 60);
    [
        digit(hours / 10),
        digit(hours),
        b':',
        digit(minutes / 10),
        digit(minutes),
        b':',
        digit(seconds % 60 / 10),
        digit(seconds),
    ]
}

/// The last decimal digit of a number.
fn digit(number: u64) -> u8 {
    b"0123456789"[(number % 10) as usize]
}

/// Reads an RFC 3339 time in UTC.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let millis = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_the_four_units_and_in_several_at_once() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("12h", 43_200),
            ("7d", 604_800),
            ("5", 5),
            ("1h30m", 5_400),
            ("1d12h", 129_600),
            ("1d0h2m3s", 86_523),
            ("1h90m", 9_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for text in [
            "", "s", "-1s", "+1s", "1.5h", "1w", "1 h", "h1", "٣s", "1é", "1h30", "1h m", "1hm",
            "1h30m ", "1h-30m",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(DurationError::Malformed(text.into())),
                "{text}"
            );
        }
        assert_eq!(parse_duration("0"), Err(DurationError::Zero));
        assert_eq!(parse_duration("0d"), Err(DurationError::Zero));
        for text in ["30m1h", "1h1h", "1s1d", "1h30m2h"] {
            assert_eq!(
                parse_duration(text),
                Err(DurationError::Order(text.into())),
                "{text}"
            );
        }
        for text in [
            "36500d1s",
            "99999999999999999999h1s",
            "36501d",
            "99999999999999999999",
            "18446744073709551615d",
        ] {
            assert_eq!(
                parse_duration(text),
                Err(DurationError::TooLong(text.into())),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in [
            "45s", "1m30s", "15m", "9m57s", "12h", "11h59m", "7d", "1d12h", "1d1s", "36500d",
        ] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(format_duration(Duration::from_millis(999)), "0s");
    }

    #[test]
    fn instants_survive_the_way_through_text() {
        let instant = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(rfc3339(instant), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse_rfc3339(&rfc3339(instant)), Some(instant));
        assert_eq!(rfc3339(Timestamp::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn instants_are_written_as_the_library_writes_them_whichever_day_was_written_before() {
        // Two steps that are not multiples of a day, one within a day and one over many.
        let seconds = (0..3 * DAY_SECONDS).step_by(1_013);
        let years = (0..Timestamp::MAX.as_millis()).step_by(86_461_234_567);
        for millis in seconds.map(|second| second * 1_000 + 7).chain(years) {
            let time = UNIX_EPOCH + Duration::from_millis(millis);
            let expected = humantime::format_rfc3339_millis(time).to_string();
            assert_eq!(rfc3339(Timestamp::from_millis(millis)), expected);
        }
    }
}
