//! DELETE: one key, or every key that begins with a prefix.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use prominence_api::name::parameter;
use prominence_api::{Deleted, ErrorBody};
use prominence_core::{Commit, Committed, Condition, Operation, Outcome, Prefix, Principal};

use super::list::revision_header;
use crate::app::App;
use crate::auth::Caller;
use crate::conditional;
use crate::failure::Failure;
use crate::query::Query;
use crate::target::Target;

/// Parameters of a deletion, as they are documented.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the parameters; the query module reads them"
)]
pub(crate) struct Parameters {
    /// Delete every key that begins with the path, all at once.
    prefix: Option<bool>,
    /// With `prefix`: only count what would be deleted.
    dry_run: Option<bool>,
}

/// Deletes a key or, with `prefix`, every key that begins with the path.
///
/// Deleting nothing is no error.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(
        ("key" = String, Path, description = "the key or the prefix; may contain `/`"),
        Parameters,
        ("If-Match" = Option<String>, Header, description = "delete only this `ETag`; for a single key"),
    ),
    responses(
        (status = 200, description = "deleted, durably", body = Deleted),
        (status = "4XX", description = "nothing was changed", body = ErrorBody),
        (status = "5XX", description = "the text says whether the deletion may have happened", body = ErrorBody),
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_key(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut query = Query::parse(target.query())?;
    if query.flag(parameter::PREFIX)? {
        return delete_prefix(&app, &who, target.prefix()?, query, &headers).await;
    }
    query.finish("deleting a key; add ?prefix to delete all that begins with it")?;
    let key = target.key()?;
    conditional::no_write_id(&headers, "DELETE")?;
    let condition = conditional::of_write(&headers)?;
    let condition = condition.map(|expect| Condition {
        key: key.clone(),
        expect,
    });
    delete(
        &app,
        &who,
        Commit::single(condition, Operation::Delete { key }),
    )
    .await
}

/// Deletes every key, where `prefix` says that this is meant.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(Parameters),
    responses(
        (status = 200, description = "deleted, durably", body = Deleted),
        (status = 400, description = "without `prefix`; nothing was changed", body = ErrorBody),
        (status = "4XX", description = "nothing was changed", body = ErrorBody),
        (status = "5XX", description = "the text says whether the deletion may have happened", body = ErrorBody),
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_namespace(
    State(app): State<App>,
    Caller(who): Caller,
    target: Target,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let mut query = Query::parse(target.query())?;
    if !query.flag(parameter::PREFIX)? {
        query.finish("this request")?;
        return Err(Failure::bad_request(
            "name a key, as in /kv/KEY; to delete every key add ?prefix",
        ));
    }
    delete_prefix(&app, &who, Prefix::everything(), query, &headers).await
}

async fn delete_prefix(
    app: &App,
    who: &Principal,
    prefix: Prefix,
    mut query: Query<'_>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let dry_run = query.flag(parameter::DRY_RUN)?;
    query.finish("?prefix")?;
    conditional::no_write_id(headers, "?prefix")?;
    if headers.contains_key(header::IF_MATCH) || headers.contains_key(header::IF_NONE_MATCH) {
        return Err(Failure::bad_request(
            "If-Match and If-None-Match do not go with ?prefix",
        ));
    }
    if dry_run {
        let counted = app.gate.dry_run(who, prefix)?.count().await?;
        let deleted = counted.keys;
        return Ok((revision_header(counted.revision), Json(Deleted { deleted })).into_response());
    }
    delete(
        app,
        who,
        Commit::single(None, Operation::DeletePrefix { prefix }),
    )
    .await
}

async fn delete(app: &App, who: &Principal, commit: Commit) -> Result<Response, Failure> {
    let Committed { outcomes, .. } = app.gate.commit(who, commit)?.apply().await?;
    let deleted = match outcomes.first() {
        Some(Outcome::Deleted(deleted)) => *deleted,
        _ => 0,
    };
    Ok(Json(Deleted { deleted }).into_response())
}
