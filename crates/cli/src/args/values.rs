//! Texts that become keys, prefixes, lifetimes and durations.

use prominence_api::time::{DurationError, parse_duration};
use prominence_client::Lifetime;
use prominence_core::key::KeyError;
use prominence_core::{Key, Prefix, Revision};

use super::kv::table::Delimiter;
pub(super) use crate::text::duration;

/// The `--ttl` that lasts as long as the token.
const JOB: &str = "job";

pub(super) fn key(text: &str) -> Result<Key, KeyError> {
    Key::parse(text)
}

pub(super) fn prefix(text: &str) -> Result<Prefix, KeyError> {
    Prefix::parse(text)
}

pub(super) fn lifetime(text: &str) -> Result<Lifetime, DurationError> {
    if text == JOB {
        return Ok(Lifetime::Job);
    }
    parse_duration(text).map(Lifetime::For)
}

pub(super) fn revision(text: &str) -> Result<Revision, String> {
    number(0, u64::MAX)(text).map(Revision::new)
}

/// Reads a whole number of this range, which is within the type's.
pub(super) fn number<T: TryFrom<u64>>(
    least: u64,
    greatest: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse::<u64>().ok();
        let number = number.filter(|number| (least..=greatest).contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("write a whole number from {least} to {greatest}"))
    }
}

/// The separator of a table's columns.
pub(super) fn delimiter(text: &str) -> Result<Delimiter, String> {
    match text.as_bytes() {
        b"none" => Ok(Delimiter::None),
        b"tab" | b"\\t" => Ok(Delimiter::Character(b'\t')),
        [one] if *one == b'\t' || (one.is_ascii_punctuation() && *one != b'"') || *one == b' ' => {
            Ok(Delimiter::Character(*one))
        }
        _ => Err("write one character such as , ; or |, or tab, or none".to_owned()),
    }
}
