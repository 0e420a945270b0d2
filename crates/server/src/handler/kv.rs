//! GET: a value, a listing, a count, changes, the usage.

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name;
use prominence_api::time::rfc3339;
use prominence_api::{ErrorCode, Usage, UsageLimits};
use prominence_core::limits::MAX_KEY_BYTES;
use prominence_core::{Entry, Timestamp, Value};

use super::call::Call;
use super::responses::answers::{AnyBytes, ListingCountOrUsage, ListingOrCount};
use super::{list, responses, waiting_read, watch};
use crate::failure::Failure;
use crate::request::conditional::{self, ReadConditions};
use crate::request::documented::KeyInPath;
use crate::request::kinds::{ReadKey, ReadNamespace, ReadValue};
use crate::wait::budget::SMALL_BYTES;
use crate::wait::clock::Timer;

const CREATED: HeaderName = HeaderName::from_static(name::CREATED);
const MODIFIED: HeaderName = HeaderName::from_static(name::MODIFIED);
const EXPIRES: HeaderName = HeaderName::from_static(name::EXPIRES);
const JOB: HeaderName = HeaderName::from_static(name::JOB);
const CLAIMED_UNTIL: HeaderName = HeaderName::from_static(name::CLAIMED_UNTIL);
const CLAIMED_BY: HeaderName = HeaderName::from_static(name::CLAIMED_BY);
const CLAIMS: HeaderName = HeaderName::from_static(name::CLAIMS);

/// The headers of the answer to a usual read, those of every answer included, so that their map is allocated
/// once.
const USUAL_HEADERS: usize = 12;

/// Reads a key, or lists the keys that begin with a prefix.
///
/// Without parameters: the value's bytes, with its revision as `ETag`. With `list`: a JSON array,
/// or one JSON value a line if `Accept` asks for `application/x-ndjson`.
#[utoipa::path(
    get,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(KeyInPath, ReadKey),
    responses(
        (status = 200, description = "the value; or, if a parameter asks for it, a listing, a count or a stream of changes", content(
            (String = "text/plain; charset=utf-8"),
            (AnyBytes = "application/octet-stream"),
            (ListingOrCount = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/event-stream"),
        ), headers(
            ("Link" = String, description = "the next page of a listing, as a query relative to this page"),
            ("Content-Encoding" = String, description = "of a listing of more than 1 KiB: `gzip` or `zstd`, if `Accept-Encoding` has it"),
            ("Prominence-Revision" = u64, description = "of a listing, page or count: the revision of the snapshot that it shows; of a watch: the one that it starts after"),
        )),
        (status = 304, description = "the `ETag` is still current, or the value was not set since"),
        responses::OfRead,
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_key(call: Call) -> Result<Response, Failure> {
    match ReadKey::parse(call.target.query())? {
        ReadKey::Watch(watch) => watch::answer(&call, watch).await,
        ReadKey::Count(count) => list::count(&call, count).await,
        ReadKey::List(list) => list::list(&call, list).await,
        ReadKey::ReadValue(read) => read_value(&call, read).await,
    }
}

/// Lists all keys, counts them, watches them, or reads the usage of the namespace.
#[utoipa::path(
    get,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(ReadNamespace),
    responses(
        (status = 200, description = "the listing, count, usage or stream of changes that a parameter asks for", content(
            (ListingCountOrUsage = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/event-stream"),
        ), headers(
            ("Link" = String, description = "the next page of a listing, as a query relative to this page"),
            ("Content-Encoding" = String, description = "of a listing of more than 1 KiB: `gzip` or `zstd`, if `Accept-Encoding` has it"),
            ("Prominence-Revision" = u64, description = "of a listing, page or count: the revision of the snapshot that it shows; of a watch: the one that it starts after"),
        )),
        responses::OfNamespaceRead,
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_namespace(call: Call) -> Result<Response, Failure> {
    match ReadNamespace::parse(call.target.query())? {
        ReadNamespace::ReadUsage(_) => usage(&call).await,
        ReadNamespace::Watch(watch) => watch::answer(&call, watch).await,
        ReadNamespace::Count(count) => list::count(&call, count).await,
        ReadNamespace::List(list) => list::list(&call, list).await,
        ReadNamespace::ReadNothing(_) => {
            let hint = "name a key, as in /kv/KEY, or ask for ?list or ?usage";
            Err(Failure::new(ErrorCode::BadRequest, hint))
        }
    }
}

async fn read_value(call: &Call, read: ReadValue) -> Result<Response, Failure> {
    let key = call.target.key()?;
    let conditions = ReadConditions::of(&call.headers)?;
    if read.wait.is_some() {
        conditions.may_wait()?;
    }
    let clock = &*call.app.clock;
    let permit = call.app.gate.read(&call.who, key)?;
    let entry = match read.wait {
        None => permit.get().await?,
        Some(wait) => waiting_read::entry(call, &permit, &conditions, wait).await?,
    };
    let mut entry = entry.ok_or_else(Failure::no_such_key)?;
    let bytes = entry.value.len();
    if bytes > SMALL_BYTES {
        let held = call.app.memory.take(&call.who.user, bytes).await?;
        entry.value = Value::stored(held.of(entry.value.into_bytes()));
    }
    render(entry, &conditions, clock, clock.wall())
}

async fn usage(call: &Call) -> Result<Response, Failure> {
    conditional::refuse_all(
        &call.headers,
        "does not go with ?usage, whose answer has no ETag",
    )?;
    let usage = call.app.gate.usage(&call.who)?.usage().await?;
    let quota = call.app.records.quota_of(&call.who.user);
    let own = call.app.records.own_limits().of(&call.who.user);
    let bounds = call.app.bounds();
    let per_second = own
        .requests_per_second
        .unwrap_or(bounds.requests_per_second);
    let limits = UsageLimits {
        keys: quota.keys,
        bytes: quota.bytes,
        key_bytes: MAX_KEY_BYTES as u64,
        value_bytes: bounds.value_bytes as u64,
        requests_per_second: (per_second > 0).then_some(per_second),
        held: Some(bounds.long_polls.of_user(own.held) as u64),
    };
    Ok(Json(Usage {
        keys: usage.keys,
        bytes: usage.bytes,
        limits,
    })
    .into_response())
}

/// An answer with a value. The clock is read only if a claim may be live; `wall` is the time of the machine's own
/// clock, which the header `Date` shows.
pub(crate) fn render(
    entry: Entry,
    conditions: &ReadConditions,
    clock: &dyn Timer,
    wall: Timestamp,
) -> Result<Response, Failure> {
    let Entry { value, metadata } = entry;
    conditions.hold(&metadata)?;
    let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
    headers.insert(header::ETAG, conditional::etag(metadata.revision));
    if metadata.modified.as_secs() < wall.as_secs() {
        headers.insert(
            header::LAST_MODIFIED,
            conditional::http_date(metadata.modified),
        );
    } else {
        // A `Last-Modified` must not be later than `Date` (RFC 9110, section 8.8.2.1), which it would be
        // after the machine's clock was set back. hyper's own `Date` may be of the second before.
        let date = conditional::http_date(wall);
        headers.insert(header::DATE, date.clone());
        headers.insert(header::LAST_MODIFIED, date);
    }
    let mut insert = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    insert(CREATED, rfc3339(metadata.created));
    insert(MODIFIED, rfc3339(metadata.modified));
    if let Some(expires) = metadata.expires {
        insert(EXPIRES, rfc3339(expires));
    }
    if let Some(job) = &metadata.job {
        insert(JOB, job.as_str().to_owned());
    }
    if let Some(until) = metadata.claimed_until {
        insert(CLAIMED_UNTIL, rfc3339(until));
    }
    if metadata.claimed_by.is_some()
        && let Some(holder) = metadata.holder(clock.now())
    {
        insert(CLAIMED_BY, holder.as_str().to_owned());
    }
    if metadata.claims > 0 {
        insert(CLAIMS, metadata.claims.to_string());
    }
    if conditions.unchanged(&metadata) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    // Most texts are plain ASCII, which is checked several times as fast.
    let bytes = value.as_bytes();
    let is_text = bytes.is_ascii() || std::str::from_utf8(bytes).is_ok();
    let media_type = if is_text { name::TEXT } else { name::BINARY };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let mut response = Response::new(Body::from(value.into_bytes()));
    *response.headers_mut() = headers;
    Ok(response)
}
