//! Limits and lifetimes within their ranges, and those that apply where a setting is left out.

use std::num::NonZero;
use std::time::Duration;

use bytesize::ByteSize;
use prominence_api::time::format_duration;
use prominence_core::limits::{DEFAULT_VALUE_BYTES, MAX_VALUE_BYTES};

use crate::identity::issuer::is_protected;
use crate::identity::token::TokenLimits;
use crate::settings::error::ConfigError;
use crate::settings::{Span, SpanOrNone};
use crate::wait::long_poll::LongPollLimits;

/// The range of `token-max-lifetime`. A revoked token has to be remembered for as long as it could last.
const SHORTEST_TOKEN_LIMIT: Duration = Duration::from_secs(3_600);
const LONGEST_TOKEN_LIMIT: Duration = Duration::from_secs(400 * 86_400);

/// The longest life of a token that is made for a caller, where it is not set: a month, for which a colleague or a portal
/// can be given a part of the keys.
const USUAL_MINT_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// Requests a second of one user for each processor, unless they are set. A processor answers some 30,000 gets a second.
const REQUESTS_PER_PROCESSOR: u32 = 100_000;

/// More requests than a machine with so many processors can answer, so that a user alone is not limited.
pub(super) fn usual_rate() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    u32::try_from(processors).map_or(u32::MAX, |processors| {
        processors.saturating_mul(REQUESTS_PER_PROCESSOR)
    })
}

pub(super) fn token_max_lifetime(given: Option<Span>) -> Result<Duration, ConfigError> {
    let Some(Span(given)) = given else {
        return Ok(TokenLimits::default().max_lifetime);
    };
    if (SHORTEST_TOKEN_LIMIT..=LONGEST_TOKEN_LIMIT).contains(&given) {
        return Ok(given);
    }
    Err(ConfigError::Range {
        setting: "token-max-lifetime",
        given: format_duration(given),
        allowed: "it can be 1h to 400d",
    })
}

/// An origin: what users see has to be encrypted, unless it is this machine alone.
pub(super) fn public_url(given: String) -> Result<String, ConfigError> {
    let origin = given.strip_suffix('/').unwrap_or(&given);
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if !host.is_empty() && host.bytes().all(is_host) && is_protected(origin) {
        return Ok(origin.to_owned());
    }
    Err(ConfigError::Range {
        setting: "public-url",
        given,
        allowed: "it can be https:// and a host, or http:// and a loopback address such as 127.0.0.1, without a path",
    })
}

pub(super) fn mint_max_lifetime(
    given: Option<SpanOrNone>,
    longest: Duration,
) -> Result<Option<Duration>, ConfigError> {
    match given {
        None => Ok(Some(USUAL_MINT_LIFETIME.min(longest))),
        Some(SpanOrNone(Some(given))) if given > longest => Err(ConfigError::Range {
            setting: "mint-max-lifetime",
            given: format_duration(given),
            allowed: "it can be at most token-max-lifetime, or 0 for no tokens",
        }),
        Some(SpanOrNone(given)) => Ok(given),
    }
}

pub(super) fn value_limit(given: Option<ByteSize>) -> Result<usize, ConfigError> {
    let Some(size) = given else {
        return Ok(DEFAULT_VALUE_BYTES);
    };
    match usize::try_from(size.as_u64()) {
        Ok(bytes) if (1..=MAX_VALUE_BYTES).contains(&bytes) => Ok(bytes),
        _ => Err(ConfigError::Range {
            setting: "value-limit",
            given: size.to_string(),
            allowed: "it can be 1 byte to 1MiB",
        }),
    }
}

pub(super) fn connections(given: Option<usize>) -> Result<usize, ConfigError> {
    match given.unwrap_or(10_000) {
        0 => Err(ConfigError::Range {
            setting: "max-connections",
            given: "0".into(),
            allowed: "it can be 1 or more",
        }),
        number => Ok(number),
    }
}

/// Half of the connections for the long polls of all users, and half of that for those of one user. So connections
/// are always left for other requests and other users. 0 turns long polls off.
pub(super) fn long_poll_limits(
    connections: usize,
    in_all: Option<usize>,
    per_user: Option<usize>,
) -> LongPollLimits {
    let in_all = in_all.unwrap_or(connections.div_ceil(2));
    LongPollLimits {
        in_all,
        per_user: per_user.unwrap_or(in_all.div_ceil(2)),
    }
}
