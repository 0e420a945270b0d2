//! GET: a value, a listing, a count, the usage.

use axum::Json;
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
    let mut headers = HeaderMap::with_capacity(10);
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
    let mut optional = |name, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok())
        {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    optional(name::CREATED, Some(rfc3339(metadata.created)));
    optional(name::MODIFIED, Some(rfc3339(metadata.modified)));
    optional(name::EXPIRES, metadata.expires.map(rfc3339));
    optional(
        name::JOB,
        metadata.job.as_ref().map(|job| job.as_str().to_owned()),
    );
    optional(name::CLAIMED_UNTIL, metadata.claimed_until.map(rfc3339));
    if metadata.claimed_by.is_some() {
        let holder = metadata.holder(clock.now());
        optional(name::CLAIMED_BY, holder.map(|job| job.as_str().to_owned()));
    }
    if metadata.claims > 0 {
        optional(name::CLAIMS, Some(metadata.claims.to_string()));
    }
    if conditions.unchanged(&metadata) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let is_text = std::str::from_utf8(value.as_bytes()).is_ok();
    let media_type = if is_text { name::TEXT } else { name::BINARY };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok((headers, value.into_bytes()).into_response())
}
