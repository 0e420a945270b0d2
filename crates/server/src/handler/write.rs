//! POST and PUT to a key: a value set, a number added; what is done with claims is in `claim`.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name::parameter;
use prominence_api::time::{DurationError, parse_duration};
use prominence_api::{Added, ErrorBody, ErrorCode, Released, Renewed, Set};
use prominence_core::{
    Commit, Committed, Condition, Key, Lifetime, Operation, Outcome, Precondition, Principal,
    Timestamp, Value, WriteId,
};

use super::{claim, value};
use crate::app::App;
use crate::auth::Caller;
use crate::clock::from_wall;
use crate::conditional;
use crate::failure::Failure;
use crate::hold::Holder;
use crate::query::Query;
use crate::target::{Headers, Target};

/// Parameters of a write, as they are documented.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the parameters; the query module reads them"
)]
pub(crate) struct Parameters {
    /// Only where the current value is this one; otherwise 412.
    prev: Option<String>,
    /// How long the value stays: `90s`, `15m`, `1h30m`, `7d`, a number of seconds, or `job` for as
    /// long as the token lasts.
    #[param(example = "12h")]
    ttl: Option<String>,
}

/// Sets a value, adds to a number, or takes, keeps or gives back work.
///
/// The body is the value, whatever its `Content-Type`. With `add`, `claim`, `renew` and `release`
/// there is no body. `claim` takes the first key that begins with the path and that nobody holds;
/// `renew` and `release` need `If-Match` with the `ETag` that the claim answered.
#[utoipa::path(
    post,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(
        ("key" = String, Path, description = "the key; may contain `/`"),
        Parameters,
        ("add" = Option<i64>, Query, description = "add this to a decimal integer; an absent key counts as 0"),
        claim::Parameters,
        ("renew" = Option<String>, Query, description = "the claim lasts this long from now on; at most 7d"),
        ("release" = Option<bool>, Query, description = "end the claim"),
        ("If-Match" = Option<String>, Header, description = "replace only this `ETag`"),
        ("If-None-Match" = Option<String>, Header, description = "`*` to create only"),
        ("Prominence-Write-Id" = Option<String>, Header, description = "1 to 64 visible ASCII characters, made for this one set; only with a condition. Where the key's current value was set with the same id, the answer is that of the set that stored it, so the request can be repeated"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "the value"),
    responses(
        (status = 201, description = "the value is stored, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        (status = 200, description = "with `add`: the sum is stored, durably; with `claim`: the value that was taken", content(
            (Added = "application/json"),
            (Renewed = "application/json"),
            (Released = "application/json"),
            (Vec<u8> = "application/octet-stream"),
        ), headers(
            ("ETag" = String, description = "the revision in quotes"),
            ("Prominence-Key" = Option<String>, description = "with `claim`: the key that was taken, percent-encoded"),
            ("Prominence-Claimed-Until" = Option<String>, description = "with `claim`: when the claim runs out (RFC 3339)"),
            ("Prominence-Claimed-By" = Option<String>, description = "with `claim`: the job that the token names"),
            ("Prominence-Claims" = Option<u32>, description = "with `claim`: how many times the value was claimed, this claim included"),
        )),
        (status = 204, description = "with `claim`: there is nothing to take"),
        (status = "4XX", description = "nothing was changed", body = ErrorBody),
        (status = 507, description = "the namespace is full; nothing was changed", body = ErrorBody),
        (status = "5XX", description = "the text says whether the write may have happened", body = ErrorBody),
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
    let (answer, _) = request.apply(&app, &who, &headers, body).await?;
    // The existing client takes nothing but 201 for success.
    Ok((StatusCode::CREATED, answer).into_response())
}

/// Sets a value.
///
/// As POST does, but says by its status whether the key is new.
#[utoipa::path(
    put,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(
        ("key" = String, Path, description = "the key; may contain `/`"),
        Parameters,
        ("If-Match" = Option<String>, Header, description = "replace only this `ETag`"),
        ("If-None-Match" = Option<String>, Header, description = "`*` to create only"),
        ("Prominence-Write-Id" = Option<String>, Header, description = "as with POST"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "the value"),
    responses(
        (status = 201, description = "the key is new; its value is stored, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        (status = 200, description = "the value was replaced, durably", body = Set,
            headers(("ETag" = String, description = "the revision in quotes"))),
        (status = "4XX", description = "nothing was changed", body = ErrorBody),
        (status = 507, description = "the namespace is full; nothing was changed", body = ErrorBody),
        (status = "5XX", description = "the text says whether the write may have happened", body = ErrorBody),
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
    let (answer, created) = request.apply(&app, &who, &headers, body).await?;
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, answer).into_response())
}

/// PUT needs a key.
pub(crate) async fn no_key(_: Caller) -> Failure {
    Failure::new(
        ErrorCode::BadKey,
        "the key is empty; name it, as in /kv/KEY",
    )
}

/// A value to be set, but for the value.
struct SetRequest {
    key: Key,
    conditions: Vec<Condition>,
    lifetime: Lifetime,
    write_id: Option<WriteId>,
}

impl SetRequest {
    fn parse(
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
        let expected = [
            conditional::of_write(headers)?,
            previous.map(Precondition::Value),
        ];
        let conditions = expected.into_iter().flatten();
        let conditions = conditions
            .map(|expect| Condition {
                key: key.clone(),
                expect,
            })
            .collect::<Vec<_>>();
        let write_id = conditional::write_id(headers)?;
        if conditions.is_empty() {
            conditional::no_write_id(headers, "a set without a condition")?;
        }
        Ok(Self {
            key,
            conditions,
            lifetime,
            write_id,
        })
    }

    /// Reads the value, sets it, and says whether the key is new.
    async fn apply(
        self,
        app: &App,
        who: &Principal,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<(Response, bool), Failure> {
        let Self {
            key,
            conditions,
            lifetime,
            write_id,
        } = self;
        let value = value::read(headers, body, &app.bounds).await?;
        let set = Operation::Set {
            key: key.clone(),
            value,
            lifetime,
        };
        let commit = Commit::new(conditions, vec![set]).and_then(|commit| match write_id {
            Some(id) => commit.identified_by(id),
            None => Ok(commit),
        });
        let commit = commit.map_err(|error| Failure::bad_request(error.to_string()))?;
        let committed = app.gate.commit(who, commit)?.apply().await?;
        let (created, revision) = match committed.outcomes.first() {
            Some(Outcome::Set { created }) => (*created, committed.revision),
            Some(Outcome::AlreadySet { created, revision }) => (*created, *revision),
            _ => return Err(Failure::surprised()),
        };
        let answer = Json(Set {
            key: key.to_string(),
            revision: revision.get(),
        });
        Ok((
            ([(header::ETAG, conditional::etag(revision))], answer).into_response(),
            created,
        ))
    }
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
    value::none(headers, body, &app.bounds, "?add").await?;
    let condition = conditional::of_write(headers)?;
    let condition = condition.map(|expect| Condition {
        key: key.clone(),
        expect,
    });
    let commit = Commit::single(
        condition,
        Operation::Add {
            key: key.clone(),
            by,
        },
    );
    let Committed { revision, outcomes } = app.gate.commit(who, commit)?.apply().await?;
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
