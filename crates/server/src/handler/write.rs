//! POST and PUT to a key: a value set, a number added; what is done with claims is in `claim`.

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use bytes::Bytes;
use prominence_api::name::parameter;
use prominence_api::time::{DurationError, parse_duration};
use prominence_api::{Added, Set};
use prominence_core::{
    Committed, Key, Lifetime, Operation, Outcome, Precondition, Principal, Revision, Timestamp,
    Value,
};

use super::commit::{self, Expected};
use super::{claim, value};
use crate::app::App;
use crate::auth::Caller;
use crate::clock::from_wall;
use crate::conditional::{self, WriteCondition};
use crate::failure::Failure;
use crate::hold::Holder;
use crate::openapi::answers::{AddedRenewedOrReleased, AnyBytes};
use crate::openapi::{parameters, responses};
use crate::query::Query;
use crate::target::{Headers, Target};
use crate::unread;

/// Sets a value, adds to a number, or takes, keeps or gives back work.
///
/// The body is the value, whatever its `Content-Type`. With `add`, `claim`, `renew` and `release`
/// there is no body. `claim` takes the first key that begins with the path and that nobody holds;
/// `renew` and `release` need `If-Match` with the `ETag` that the claim answered.
#[utoipa::path(
    post,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(parameters::KeyInPath, parameters::PostKey),
    request_body(content = AnyBytes, content_type = "application/octet-stream", description = "the value"),
    responses(
        (status = 201, description = "the value is stored, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        (status = 200, description = "with `add`: the sum is stored, durably; with `renew` and `release`: it is done; with `claim`: the value that was taken", content(
            (AddedRenewedOrReleased = "application/json"),
            (String = "text/plain; charset=utf-8"),
            (AnyBytes = "application/octet-stream"),
        ), headers(
            ("Prominence-Key" = String, description = "with `claim`: the key that was taken, percent-encoded"),
        )),
        (status = 204, description = "with `claim`: there is nothing to take"),
        responses::OfPost,
    ),
    security(("token" = [])),
)]
pub(crate) async fn post(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    holder: Holder,
    Headers(headers): Headers,
    body: Body,
) -> Result<Response, Failure> {
    let mut query = Query::parse(target.query())?;
    if query.has(parameter::CLAIM) {
        return claim::take(&app, &who, &target, (query, holder), &headers, body).await;
    }
    if query.has(parameter::RENEW) {
        return claim::renew(&app, &who, &target, query, &headers, body).await;
    }
    if query.flag(parameter::RELEASE)? {
        return claim::release(&app, &who, &target, query, &headers, body).await;
    }
    if let Some(by) = query.parsed(parameter::ADD, integer)? {
        query.finish("?add")?;
        return add(&app, &who, target.key()?, by, &headers, body).await;
    }
    let request = SetRequest::parse(&app, &who, &target, query, &headers)?;
    request
        .answer(&app, &who, (&Method::POST, &headers), body)
        .await
}

/// Sets a value.
///
/// As POST does, but says by its status whether the key is new.
#[utoipa::path(
    put,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(parameters::KeyInPath, parameters::PutKey),
    request_body(content = AnyBytes, content_type = "application/octet-stream", description = "the value"),
    responses(
        (status = 201, description = "the key is new; its value is stored, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        (status = 200, description = "the value was replaced, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        responses::OfSet,
    ),
    security(("token" = [])),
)]
pub(crate) async fn put(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let query = Query::parse(target.query())?;
    let request = SetRequest::parse(&app, &who, &target, query, &headers)?;
    request
        .answer(&app, &who, (&Method::PUT, &headers), body)
        .await
}

/// A value to be set, but for the value.
pub(crate) struct SetRequest {
    key: Key,
    expected: Expected,
    lifetime: Lifetime,
}

impl SetRequest {
    /// Reads the head of a set.
    ///
    /// # Errors
    /// 400 where the key, a parameter or a condition is malformed.
    pub(crate) fn parse(
        app: &App,
        who: &Principal,
        target: &Target,
        mut query: Query<'_>,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        let key = target.key()?;
        let lifetime = match query.text(parameter::TTL)?.as_deref() {
            None => Lifetime::Permanent,
            Some(text) => lifetime(text, end_of_job(app, who)).map_err(|why| {
                Failure::bad_request(format!("the parameter \"ttl\" is not valid: {why}"))
            })?,
        };
        let previous = match query.bytes(parameter::PREV)? {
            None => None,
            // A value that can't be stored can't be the current one either; say so.
            Some(bytes) => Some(Value::new(bytes, app.bounds.value_bytes).map_err(|error| {
                Failure::bad_request(format!("the parameter \"prev\" is not valid: {error}"))
            })?),
        };
        query.finish("setting a value")?;
        let expected = Expected {
            headers: WriteCondition::of(headers)?,
            previous: previous.map(Precondition::Value),
            write_id: conditional::write_id(headers)?,
        };
        if !expected.is_conditional() {
            conditional::no_write_id(headers, "a set without a condition")?;
        }
        Ok(Self {
            key,
            expected,
            lifetime,
        })
    }

    /// Reads the value, sets it, and answers as this method does.
    ///
    /// # Errors
    /// Where the value does not arrive, or may not or can't be set.
    pub(crate) async fn answer<B>(
        self,
        app: &App,
        who: &Principal,
        (method, headers): (&Method, &HeaderMap),
        body: B,
    ) -> Result<Response, Failure>
    where
        B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
    {
        let Self {
            key,
            expected,
            lifetime,
        } = self;
        if unread::awaits_continue(headers) && !value::is_too_large(headers, &app.bounds) {
            let empty = Operation::Set {
                key: key.clone(),
                value: Value::stored(Bytes::new()),
                lifetime,
            };
            commit::check_first(app, who, &key, &expected, empty).await?;
        }
        let value = value::read(headers, body, &app.bounds).await?;
        let set = Operation::Set {
            key: key.clone(),
            value,
            lifetime,
        };
        let committed = commit::apply(app, who, &key, expected, set).await?;
        let (created, revision) = match committed.outcomes.first() {
            Some(Outcome::Set { created }) => (*created, committed.revision),
            Some(Outcome::AlreadySet { created, revision }) => (*created, *revision),
            _ => return Err(Failure::surprised()),
        };
        // The existing client takes nothing but 201 for the success of a POST.
        let status = if created || *method == Method::POST {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        Ok(stored(status, &key, revision))
    }
}

/// The answer to a set that was done.
fn stored(status: StatusCode, key: &Key, revision: Revision) -> Response {
    let answer = Json(Set {
        key: key.to_string(),
        revision: revision.get(),
    });
    (
        status,
        [(header::ETAG, conditional::etag(revision))],
        answer,
    )
        .into_response()
}

async fn add(
    app: &App,
    who: &Principal,
    key: Key,
    by: i64,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    conditional::no_write_id(headers, "?add")?;
    let expected = Expected {
        headers: WriteCondition::of(headers)?,
        ..Expected::default()
    };
    value::none(headers, body, &app.bounds, "?add").await?;
    let add = Operation::Add {
        key: key.clone(),
        by,
    };
    let Committed { revision, outcomes } = commit::apply(app, who, &key, expected, add).await?;
    let Some(Outcome::Added(sum)) = outcomes.first() else {
        return Err(Failure::surprised());
    };
    let answer = Json(Added {
        key: key.to_string(),
        value: *sum,
        revision: revision.get(),
    });
    Ok(([(header::ETAG, conditional::etag(revision))], answer).into_response())
}

/// When the caller's token ends, by the server's own clock.
pub(super) fn end_of_job(app: &App, who: &Principal) -> Timestamp {
    from_wall(&*app.clock, who.expires)
}

/// How long a value stays, as `ttl` says it.
pub(super) fn lifetime(text: &str, job_ends: Timestamp) -> Result<Lifetime, DurationError> {
    match text {
        "job" => Ok(Lifetime::Until(job_ends)),
        text => parse_duration(text).map(Lifetime::For),
    }
}

fn integer(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("\"{text}\" is no integer in the signed 64-bit range"))
}
