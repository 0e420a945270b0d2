//! The values of parameters: how each kind of value is parsed, and its schema in the OpenAPI document.

use std::num::NonZero;
use std::time::Duration;

use prominence_api::time::{DurationError, format_duration, parse_duration};
use prominence_core::limits::{MAX_CLAIM, MAX_FOLDER_COUNT, MAX_PAGE_KEYS};
use prominence_core::{Cursor, Depth, Lifetime, Order, PageLimit, Prefix, Timestamp};
use serde_json::Value;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};

use crate::failure::Failure;
use crate::request::query::Query;
use crate::request::{cursor as event_id, target};

/// A duration: a number of seconds, or numbers with their units.
const DURATION: &str = "^[0-9]{1,8}$|^([0-9]{1,6}[smhd]){1,4}$";

/// The longest time of a long poll: short enough that proxies keep the connection, and so long that repeating
/// the request costs next to nothing.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// The time of a long poll: more than nothing, at most [`MAX_WAIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// The lifetime of a value, as the parameter `ttl` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ttl {
    /// As long as the caller's token lasts.
    Job,
    /// This long.
    For(Duration),
}

impl Ttl {
    /// Reads `job` or a duration.
    pub(crate) fn parse(text: &str) -> Result<Self, DurationError> {
        match text {
            "job" => Ok(Self::Job),
            text => parse_duration(text).map(Self::For),
        }
    }

    /// The lifetime of a value whose job ends at this instant.
    pub(crate) fn lifetime(self, job_ends: Timestamp) -> Lifetime {
        match self {
            Self::Job => Lifetime::Until(job_ends),
            Self::For(duration) => Lifetime::For(duration),
        }
    }
}

pub(super) fn flag(query: &mut Query<'_>, name: &'static str) -> Result<bool, Failure> {
    query.flag(name)
}

pub(super) fn flag_schema() -> ObjectBuilder {
    text_schema().enum_values(Some(["", "true", "True", "1", "false", "False", "0"]))
}

pub(super) fn bytes(query: &mut Query<'_>, name: &'static str) -> Result<Option<Vec<u8>>, Failure> {
    query.bytes(name)
}

pub(super) fn prefix(query: &mut Query<'_>, name: &'static str) -> Result<Option<Prefix>, Failure> {
    let text = query.text(name)?;
    text.map(|text| Prefix::parse(&text).map_err(target::bad_key))
        .transpose()
}

pub(super) fn text_schema() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn depth(query: &mut Query<'_>, name: &'static str) -> Result<Depth, Failure> {
    match query.text(name)?.as_deref() {
        None => Ok(Depth::All),
        Some("/") => Ok(Depth::OneLevel),
        Some(_) => Err(Failure::bad_request(format!(
            "the parameter \"{name}\" can only be /"
        ))),
    }
}

pub(super) fn slash_schema() -> ObjectBuilder {
    text_schema().enum_values(Some(["/"]))
}

pub(super) fn order(query: &mut Query<'_>, name: &'static str) -> Result<Order, Failure> {
    match query.text(name)?.as_deref() {
        None | Some("asc") => Ok(Order::Ascending),
        Some("desc") => Ok(Order::Descending),
        Some(_) => Err(Failure::bad_request(format!(
            "the parameter \"{name}\" can only be asc or desc"
        ))),
    }
}

pub(super) fn order_schema() -> ObjectBuilder {
    text_schema().enum_values(Some(["asc", "desc"]))
}

pub(super) fn page_limit(
    query: &mut Query<'_>,
    name: &'static str,
) -> Result<Option<PageLimit>, Failure> {
    query.parsed(name, |text| {
        text.parse()
            .ok()
            .and_then(PageLimit::new)
            .ok_or(format!("it can be 1 to {MAX_PAGE_KEYS}"))
    })
}

pub(super) fn page_limit_schema() -> ObjectBuilder {
    number_schema()
        .minimum(Some(1))
        .maximum(Some(MAX_PAGE_KEYS))
}

pub(super) fn positive(query: &mut Query<'_>, name: &'static str) -> Result<Option<u64>, Failure> {
    query.parsed(name, |text| {
        let number = text.parse::<u64>().ok().filter(|number| *number > 0);
        number.ok_or("it can be 1 or more")
    })
}

pub(super) fn positive_schema() -> ObjectBuilder {
    number_schema().minimum(Some(1)).maximum(Some(i64::MAX))
}

pub(super) fn non_zero(
    query: &mut Query<'_>,
    name: &'static str,
) -> Result<Option<NonZero<u64>>, Failure> {
    Ok(positive(query, name)?.and_then(NonZero::new))
}

pub(super) fn folder_count(
    query: &mut Query<'_>,
    name: &'static str,
) -> Result<Option<NonZero<u64>>, Failure> {
    query.parsed(name, |text| {
        let number = text.parse::<NonZero<u64>>().ok();
        number
            .filter(|number| number.get() <= MAX_FOLDER_COUNT)
            .ok_or(format!("it can be 1 to {MAX_FOLDER_COUNT}"))
    })
}

pub(super) fn folder_count_schema() -> ObjectBuilder {
    positive_schema().maximum(Some(MAX_FOLDER_COUNT))
}

pub(super) fn number_of_keys(
    query: &mut Query<'_>,
    name: &'static str,
) -> Result<Option<u64>, Failure> {
    query.parsed(name, |text| {
        text.parse()
            .map_err(|_| "it can be a number of keys, 0 or more")
    })
}

pub(super) fn number_of_keys_schema() -> ObjectBuilder {
    number_schema().minimum(Some(0)).maximum(Some(i64::MAX))
}

pub(super) fn integer(query: &mut Query<'_>, name: &'static str) -> Result<i64, Failure> {
    required(query.parsed(name, |text| {
        text.parse()
            .map_err(|_| format!("\"{text}\" is not an integer in the signed 64-bit range"))
    }))
}

pub(super) fn integer_schema() -> ObjectBuilder {
    number_schema()
        .minimum(Some(i64::MIN))
        .maximum(Some(i64::MAX))
}

pub(super) fn wait(query: &mut Query<'_>, name: &'static str) -> Result<Option<Wait>, Failure> {
    query.parsed(name, |text| {
        let wait = parse_duration(text).map_err(|error| error.to_string())?;
        if wait > MAX_WAIT {
            let limit = format_duration(MAX_WAIT);
            return Err(format!("\"{text}\" is longer than the limit of {limit}"));
        }
        Ok(Wait(wait))
    })
}

pub(super) fn claim_duration(
    query: &mut Query<'_>,
    name: &'static str,
) -> Result<Duration, Failure> {
    required(query.parsed(name, |text| {
        let duration = parse_duration(text).map_err(|error| error.to_string())?;
        if duration > MAX_CLAIM {
            let limit = format_duration(MAX_CLAIM);
            return Err(format!(
                "\"{text}\" is longer than the limit of {limit}; renew the claim while you work"
            ));
        }
        Ok(duration)
    }))
}

pub(super) fn duration_schema() -> ObjectBuilder {
    text_schema()
        .pattern(Some(DURATION))
        .examples([Value::from("90s")])
}

pub(super) fn ttl(query: &mut Query<'_>, name: &'static str) -> Result<Option<Ttl>, Failure> {
    query.parsed(name, Ttl::parse)
}

pub(super) fn ttl_schema() -> ObjectBuilder {
    let pattern = format!("^job$|{DURATION}");
    text_schema()
        .pattern(Some(pattern))
        .examples([Value::from("12h")])
}

pub(super) fn cursor(query: &mut Query<'_>, name: &'static str) -> Result<Option<Cursor>, Failure> {
    query.parsed(name, event_id::parse)
}

pub(super) fn cursor_schema() -> ObjectBuilder {
    text_schema().pattern(Some("^[0-9]+(\\.[0-9]+)?$"))
}

fn number_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

/// The value of a parameter that selected its kind of request, so that the query has it.
fn required<T>(value: Result<Option<T>, Failure>) -> Result<T, Failure> {
    value?.ok_or_else(Failure::surprised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_longer_than_nothing_and_no_longer_than_the_limit() {
        let of = |raw| wait(&mut Query::parse(raw).unwrap(), "wait");
        assert_eq!(of("").unwrap(), None);
        assert_eq!(of("wait=90s").unwrap(), Some(Wait(Duration::from_secs(90))));
        assert_eq!(of("wait=10m").unwrap(), Some(Wait(MAX_WAIT)));
        for (raw, reason) in [
            ("wait", "needs a value"),
            ("wait=0", "longer than 0"),
            ("wait=-1", "not a duration"),
            ("wait=NaN", "not a duration"),
            ("wait=1e9", "not a duration"),
            ("wait=601", "\"601\" is longer than the limit of 10m"),
            ("wait=11m", "longer than the limit of 10m"),
            ("wait=99999999999999999999d", "longer than the limit"),
        ] {
            let refused = of(raw).unwrap_err();
            assert_eq!(refused.status(), 400, "{raw}");
            let message = refused.message();
            assert!(message.contains(reason), "{raw}: {message}");
            assert!(message.contains("\"wait\""), "{raw}: {message}");
        }
    }
}
