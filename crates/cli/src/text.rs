//! Texts that arguments, the environment and the client file have in common: durations, and names that may be
//! misspelt.

use std::time::Duration;

use prominence_api::time::{DurationError, parse_duration};

/// The similarity from which one name may be meant for another (Jaro, 0 to 1); clap's own bound.
const ALIKE: f64 = 0.7;

/// A duration that may be 0.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, DurationError> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, DurationError> {
    parse_duration(text)
}

/// The name that is probably meant by this one.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let alike = |other: &&str| strsim::jaro(name, other);
    names
        // By this measure, two letters of a short name that changed places are all but two names.
        .filter(|other| alike(other) > ALIKE || strsim::osa_distance(name, other) == 1)
        .max_by(|one, other| alike(one).total_cmp(&alike(other)))
}
