//! POST and PUT to a key: a value set, a number added to. Claims are in `claim`.

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{BoxError, Json};
use bytes::Bytes;
use prominence_api::{Added, Set};
use prominence_core::{
    Committed, Key, Lifetime, Operation, Outcome, Precondition, Principal, Revision, Value,
};

use super::call::{Call, end_of_job};
use super::commit::{self, Expected};
use super::responses::answers::{AddedRenewedOrReleased, AnyBytes};
use super::{claim, responses};
use crate::app::App;
use crate::failure::Failure;
use crate::request::conditional::{self, WriteCondition};
use crate::request::documented::KeyInPath;
use crate::request::kinds::{Add, PostKey, PutKey, SetValue};
use crate::request::target::Target;
use crate::request::{body, unread};

/// Sets a value, adds to a number, or claims a key, renews its claim or ends it.
///
/// The body is the value, whatever its `Content-Type`. With `add`, `claim`, `renew` and `release`
/// there is no body. `claim` takes the first key that begins with the path and has no live claim;
/// `renew` and `release` need `If-Match` with the `ETag` that the claim answered.
#[utoipa::path(
    post,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(KeyInPath, PostKey),
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
pub(crate) async fn post(call: Call, body: Body) -> Result<Response, Failure> {
    match PostKey::parse(call.target.query())? {
        PostKey::Claim(claim) => claim::take(&call, claim, body).await,
        PostKey::Renew(renew) => claim::renew(&call, renew, body).await,
        PostKey::Release(_) => claim::release(&call, body).await,
        PostKey::Add(add) => add_to_number(&call, add, body).await,
        PostKey::SetValue(set) => set_value(&call, set, &Method::POST, body).await,
    }
}

/// Sets a value.
///
/// As POST does, but says by its status whether the key is new.
#[utoipa::path(
    put,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(KeyInPath, PutKey),
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
pub(crate) async fn put(call: Call, body: Body) -> Result<Response, Failure> {
    let PutKey::SetValue(set) = PutKey::parse(call.target.query())?;
    set_value(&call, set, &Method::PUT, body).await
}

async fn set_value(
    call: &Call,
    set: SetValue,
    method: &Method,
    body: Body,
) -> Result<Response, Failure> {
    let Call {
        app,
        who,
        target,
        headers,
        ..
    } = call;
    let request = SetRequest::parse(app, who, target, set, headers)?;
    request.answer(app, who, (method, headers), body).await
}

/// A set without its value: the request without its body.
pub(crate) struct SetRequest {
    key: Key,
    expected: Expected,
    lifetime: Lifetime,
}

impl SetRequest {
    /// Reads the head of a set.
    ///
    /// # Errors
    /// 400 if the key, a parameter or a condition is malformed.
    pub(crate) fn parse(
        app: &App,
        who: &Principal,
        target: &Target,
        set: SetValue,
        headers: &HeaderMap,
    ) -> Result<Self, Failure> {
        let key = target.key()?;
        let lifetime = match set.ttl {
            None => Lifetime::Permanent,
            Some(ttl) => ttl.lifetime(end_of_job(app, who)),
        };
        let previous = match set.prev {
            None => None,
            // The current value can't be one that is too large to be stored; an error says so.
            Some(bytes) => Some(
                Value::new(bytes, app.bounds().value_bytes).map_err(|error| {
                    Failure::bad_request(format!("the parameter \"prev\" is not valid: {error}"))
                })?,
            ),
        };
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
    /// If the value does not arrive, or may not or can't be set.
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
        let limits = app.bounds().value();
        if unread::awaits_continue(headers) && !body::is_too_large(headers, limits) {
            let empty = Operation::Set {
                key: key.clone(),
                value: Value::stored(Bytes::new()),
                lifetime,
            };
            commit::check_first(app, who, &key, &expected, empty).await?;
        }
        // As long as the value is read and stored.
        let bytes = body::expected(headers, limits);
        let _held = app.memory.take(&who.user, bytes).await?;
        let value = body::read_value(headers, body, limits).await?;
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

async fn add_to_number(call: &Call, add: Add, body: Body) -> Result<Response, Failure> {
    let Add { by } = add;
    let key = call.target.key()?;
    conditional::no_write_id(&call.headers, "?add")?;
    let expected = Expected {
        headers: WriteCondition::of(&call.headers)?,
        ..Expected::default()
    };
    body::none(&call.headers, body, call.app.bounds().body_within, "?add").await?;
    let add = Operation::Add {
        key: key.clone(),
        by,
    };
    let committed = commit::apply(&call.app, &call.who, &key, expected, add).await?;
    let Committed { revision, outcomes } = committed;
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
