//! DELETE: one key, or every key that begins with a prefix.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use prominence_api::Deleted;
use prominence_api::name::parameter;
use prominence_core::{Commit, Committed, Operation, Outcome, Prefix, Principal};

use super::commit::{self, Expected};
use super::list::revision_header;
use crate::app::App;
use crate::auth::Caller;
use crate::conditional::{self, WriteCondition};
use crate::failure::Failure;
use crate::openapi::{parameters, responses};
use crate::query::Query;
use crate::target::Target;

/// Deletes a key or, with `prefix`, every key that begins with the path.
///
/// Deleting nothing is no error.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(parameters::KeyInPath, parameters::DeleteKey),
    responses(
        (status = 200, description = "deleted, durably; with `dry_run`: counted", body = Deleted,
            headers(("Prominence-Revision" = u64, description = "with `dry_run`: the revision of the snapshot that was counted"))),
        responses::OfDeletion,
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
    let expected = Expected {
        headers: WriteCondition::of(&headers)?,
        ..Expected::default()
    };
    let delete = Operation::Delete { key: key.clone() };
    let committed = commit::apply(&app, &who, &key, expected, delete).await?;
    Ok(deleted(&committed))
}

/// Deletes every key, where `prefix` says that this is meant.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(parameters::DeleteNamespace),
    responses(
        (status = 200, description = "deleted, durably; with `dry_run`: counted", body = Deleted,
            headers(("Prominence-Revision" = u64, description = "with `dry_run`: the revision of the snapshot that was counted"))),
        responses::OfNamespaceDeletion,
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
    conditional::refuse_all(
        headers,
        "does not go with ?prefix, since a prefix has no ETag",
    )?;
    if dry_run {
        let counted = app.gate.dry_run(who, prefix)?.count().await?;
        let deleted = counted.keys;
        return Ok((revision_header(counted.revision), Json(Deleted { deleted })).into_response());
    }
    let commit = Commit::single(None, Operation::DeletePrefix { prefix });
    Ok(deleted(&app.gate.commit(who, commit)?.apply().await?))
}

/// The answer that says how many keys are gone.
fn deleted(committed: &Committed) -> Response {
    let deleted = match committed.outcomes.first() {
        Some(Outcome::Deleted(deleted)) => *deleted,
        _ => 0,
    };
    Json(Deleted { deleted }).into_response()
}
