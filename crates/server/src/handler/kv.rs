//! GET: a value, a listing, a count, the usage.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name::{self, parameter};
use prominence_api::time::rfc3339;
use prominence_api::{ErrorCode, Usage, UsageLimits};
use prominence_core::limits::MAX_KEY_BYTES;
use prominence_core::{Entry, Principal, Timestamp};

use super::list::{self, Listing};
use super::{wait, watch};
use crate::app::App;
use crate::auth::Caller;
use crate::clock::Timer;
use crate::conditional::{self, ReadConditions};
use crate::failure::Failure;
use crate::hold::{Holder, Wait};
use crate::openapi::answers::{AnyBytes, ListingCountOrUsage, ListingOrCount};
use crate::openapi::{parameters, responses};
use crate::query::Query;
use crate::target::{Headers, Target};

const CREATED: HeaderName = HeaderName::from_static(name::CREATED);
const MODIFIED: HeaderName = HeaderName::from_static(name::MODIFIED);
const EXPIRES: HeaderName = HeaderName::from_static(name::EXPIRES);
const JOB: HeaderName = HeaderName::from_static(name::JOB);
const CLAIMED_UNTIL: HeaderName = HeaderName::from_static(name::CLAIMED_UNTIL);
const CLAIMED_BY: HeaderName = HeaderName::from_static(name::CLAIMED_BY);
const CLAIMS: HeaderName = HeaderName::from_static(name::CLAIMS);

/// As many headers as the answer to a usual read has, those of every answer included, so that their map
/// is made once.
const USUAL_HEADERS: usize = 12;

/// Reads a key, or lists the keys that begin with a prefix.
///
/// Without parameters: the value's bytes, with its revision as `ETag`. With `list`: a JSON array,
/// or one JSON value a line where `Accept` asks for `application/x-ndjson`.
#[utoipa::path(
    get,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(parameters::KeyInPath, parameters::ReadKey),
    responses(
        (status = 200, description = "the value; or, where a parameter asks for it, a listing, a count or a stream of changes", content(
            (String = "text/plain; charset=utf-8"),
            (AnyBytes = "application/octet-stream"),
            (ListingOrCount = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/event-stream"),
        ), headers(
            ("Link" = String, description = "the next page of a listing, as a query relative to this page"),
            ("Prominence-Revision" = u64, description = "of a listing, page or count: the revision of the snapshot that it shows; of a watch: the one that it starts after"),
        )),
        (status = 304, description = "the `ETag` is still current, or the value was not set since"),
        responses::OfRead,
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_key(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    holder: Holder,
    Headers(headers): Headers,
) -> Result<Response, Failure> {
    let mut query = Query::parse(target.query())?;
    if query.flag(parameter::WATCH)? {
        return watch::answer(&app, &who, &target, query, &headers, holder).await;
    }
    if let Some(listing) = Listing::asked_for(&mut query)? {
        return list::answer(&app, &who, &target, listing, query, &headers, holder).await;
    }
    let wait = Wait::asked_for(&mut query)?;
    query.finish("reading a key; add ?list to list")?;
    let key = target.key()?;
    let conditions = ReadConditions::of(&headers)?;
    if wait.is_some() {
        conditions.may_wait()?;
    }
    let permit = app.gate.read(&who, key)?;
    let entry = match wait {
        None => permit.get().await?,
        Some(wait) => wait::entry(&app, &who, &permit, &conditions, (holder, wait)).await?,
    };
    entry.map_or_else(
        || Err(Failure::no_such_key()),
        |entry| render(entry, &conditions, &*app.clock, app.clock.wall()),
    )
}

/// Lists all keys, counts them, or tells what the namespace holds.
#[utoipa::path(
    get,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(parameters::ReadNamespace),
    responses(
        (status = 200, description = "the listing, count, usage or stream of changes that a parameter asks for", content(
            (ListingCountOrUsage = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/event-stream"),
        ), headers(
            ("Link" = String, description = "the next page of a listing, as a query relative to this page"),
            ("Prominence-Revision" = u64, description = "of a listing, page or count: the revision of the snapshot that it shows; of a watch: the one that it starts after"),
        )),
        responses::OfNamespaceRead,
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_namespace(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    holder: Holder,
    Headers(headers): Headers,
) -> Result<Response, Failure> {
    let mut query = Query::parse(target.query())?;
    if query.flag(parameter::USAGE)? {
        query.finish("?usage")?;
        conditional::refuse_all(
            &headers,
            "does not go with ?usage, whose answer has no ETag",
        )?;
        return usage(&app, &who).await;
    }
    if query.flag(parameter::WATCH)? {
        return watch::answer(&app, &who, &target, query, &headers, holder).await;
    }
    if let Some(listing) = Listing::asked_for(&mut query)? {
        return list::answer(&app, &who, &target, listing, query, &headers, holder).await;
    }
    query.finish("this request; add ?list to list")?;
    let hint = "name a key, as in /kv/KEY, or ask for ?list or ?usage";
    Err(Failure::new(ErrorCode::BadRequest, hint))
}

async fn usage(app: &App, who: &Principal) -> Result<Response, Failure> {
    let usage = app.gate.usage(who)?.usage().await?;
    let bounds = &app.bounds;
    let limits = UsageLimits {
        keys: bounds.quota.keys,
        bytes: bounds.quota.bytes,
        key_bytes: MAX_KEY_BYTES as u64,
        value_bytes: bounds.value_bytes as u64,
    };
    Ok(Json(Usage {
        keys: usage.keys,
        bytes: usage.bytes,
        limits,
    })
    .into_response())
}

/// An answer with a value. The clock is asked only where a claim may be live; `wall` is the time of the
/// machine's own clock, which the header `Date` shows.
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
