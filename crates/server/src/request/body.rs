//! A request's body: read within its limits of size and time.

use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prominence_api::{Described, ErrorCode, Object};
use prominence_core::Value;
use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// The limits on a body.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimits {
    /// Its bytes.
    pub(crate) bytes: usize,
    /// The time for it to arrive.
    pub(crate) within: Duration,
}

/// The bytes of a body that will be read: those that are declared, or the most that it may have.
pub(crate) fn expected(headers: &HeaderMap, limits: BodyLimits) -> usize {
    let declared = declared(headers).unwrap_or(limits.bytes as u64);
    // More is refused before it is read.
    usize::try_from(declared).map_or(limits.bytes, |bytes| bytes.min(limits.bytes))
}

/// Reads a body that is a value.
pub(crate) async fn read_value<B>(
    headers: &HeaderMap,
    body: B,
    limits: BodyLimits,
) -> Result<Value, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let bytes = read(headers, body, limits, "value").await?;
    Value::new(bytes, limits.bytes)
        .map_err(|error| Failure::too_large("value", error.limit, Some(error.bytes as u64)))
}

/// True if `Content-Length` is over the limit.
pub(crate) fn is_too_large(headers: &HeaderMap, limits: BodyLimits) -> bool {
    declared(headers).is_some_and(|bytes| bytes > limits.bytes as u64)
}

/// Reads a body; messages call it by this name.
pub(crate) async fn read<B>(
    headers: &HeaderMap,
    body: B,
    limits: BodyLimits,
    name: &str,
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let BodyLimits { bytes, within } = limits;
    match tokio::time::timeout(within, read_up_to(headers, body, name, bytes)).await {
        Ok(bytes) => bytes,
        Err(_) => Err(Failure::new(
            ErrorCode::RequestTimeout,
            format!(
                "the body did not arrive within {} seconds",
                within.as_secs()
            ),
        )),
    }
}

async fn read_up_to<B>(
    headers: &HeaderMap,
    body: B,
    name: &str,
    limit: usize,
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let declared = declared(headers);
    if declared.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Failure::too_large(name, limit, declared));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large(name, limit, None)),
        Err(_) if headers.contains_key(header::TRANSFER_ENCODING) => Err(Failure::bad_request(
            "the body is not in chunks, as Transfer-Encoding says that it is, or ends within one; write \
             each chunk as RFC 9112, section 7.1, has it, or send Content-Length instead",
        )),
        Err(_) => Err(Failure::bad_request(
            "the body ended before it had the bytes that Content-Length says; send all of them",
        )),
    }
}

/// Parses a body that is a JSON object. The message does not repeat any part of it, because it may have a secret.
pub(crate) fn object<T: DeserializeOwned + Described>(bytes: &[u8]) -> Result<T, Failure> {
    match serde_json::from_slice(bytes) {
        Ok(Object(object)) => Ok(object),
        Err(error) => Err(Failure::bad_request(format!(
            "{}; this one is not so in line {}, column {}",
            T::DESCRIPTION,
            error.line(),
            error.column()
        ))),
    }
}

/// Demands that the body is empty; messages call the request by this name.
pub(crate) async fn none(
    headers: &HeaderMap,
    body: Body,
    within: Duration,
    request: &str,
) -> Result<(), Failure> {
    let limits = BodyLimits { bytes: 0, within };
    match read(headers, body, limits, "body").await {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::bad_request(format!("{request} takes no body"))),
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
