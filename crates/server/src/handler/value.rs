//! A request's body: read within its limits of size and time.

use axum::BoxError;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use prominence_api::ErrorCode;
use prominence_core::Value;

use crate::app::Bounds;
use crate::failure::Failure;

/// Reads a body of at most the value limit.
pub(super) async fn read<B>(headers: &HeaderMap, body: B, bounds: &Bounds) -> Result<Value, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let limit = bounds.value_bytes;
    let bytes = read_bytes(headers, body, bounds, ("value", limit)).await?;
    Value::new(bytes, limit)
        .map_err(|error| Failure::too_large("value", error.limit, Some(error.bytes as u64)))
}

/// Whether a body of a value says of itself that it is over the limit.
pub(super) fn is_too_large(headers: &HeaderMap, bounds: &Bounds) -> bool {
    declared(headers).is_some_and(|bytes| bytes > bounds.value_bytes as u64)
}

/// Reads a body of what is named, of at most so many bytes.
pub(super) async fn read_bytes<B>(
    headers: &HeaderMap,
    body: B,
    bounds: &Bounds,
    what: (&str, usize),
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let within = bounds.body_within;
    match tokio::time::timeout(within, read_up_to(headers, body, what)).await {
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
    (what, limit): (&str, usize),
) -> Result<Bytes, Failure>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let declared = declared(headers);
    if declared.is_some_and(|bytes| bytes > limit as u64) {
        return Err(Failure::too_large(what, limit, declared));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large(what, limit, None)),
        Err(_) if headers.contains_key(header::TRANSFER_ENCODING) => Err(Failure::bad_request(
            "the body is not in chunks, as Transfer-Encoding says that it is, or ends within one; write \
             each chunk as RFC 9112, section 7.1, has it, or send Content-Length instead",
        )),
        Err(_) => Err(Failure::bad_request(
            "the body ended before it had the bytes that Content-Length says; send all of them",
        )),
    }
}

/// Demands that there be no body.
pub(super) async fn none(
    headers: &HeaderMap,
    body: Body,
    bounds: &Bounds,
    what: &str,
) -> Result<(), Failure> {
    let empty = read(
        headers,
        body,
        &Bounds {
            value_bytes: 0,
            ..*bounds
        },
    )
    .await
    .is_ok();
    if empty {
        Ok(())
    } else {
        Err(Failure::bad_request(format!("{what} takes no body")))
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
