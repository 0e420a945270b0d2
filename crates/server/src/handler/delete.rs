//! DELETE: one key, or every key that begins with a prefix.

use axum::Json;
use axum::response::{IntoResponse, Response};
use prominence_api::Deleted;
use prominence_core::{Commit, Committed, Operation, Outcome, Prefix};

use super::call::Call;
use super::commit::{self, Expected};
use super::list::revision_header;
use super::responses;
use crate::failure::Failure;
use crate::request::conditional::{self, WriteCondition};
use crate::request::documented::KeyInPath;
use crate::request::kinds::{DeleteKey, DeleteNamespace, DeletePrefix};

/// Deletes a key or, with `prefix`, every key that begins with the path.
///
/// Deleting nothing is not an error.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv/{key}",
    tag = "kv",
    params(KeyInPath, DeleteKey),
    responses(
        (status = 200, description = "deleted, durably; with `dry_run`: counted", body = Deleted,
            headers(("Prominence-Revision" = u64, description = "with `dry_run`: the revision of the snapshot that was counted"))),
        responses::OfDeletion,
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_key(call: Call) -> Result<Response, Failure> {
    match DeleteKey::parse(call.target.query())? {
        DeleteKey::DeletePrefix(delete) => {
            delete_prefix(&call, call.target.prefix()?, delete).await
        }
        DeleteKey::DeleteOne(_) => delete_one(&call).await,
    }
}

/// Deletes every key; needs `prefix`, so that no request does it by mistake.
#[utoipa::path(
    delete,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(DeleteNamespace),
    responses(
        (status = 200, description = "deleted, durably; with `dry_run`: counted", body = Deleted,
            headers(("Prominence-Revision" = u64, description = "with `dry_run`: the revision of the snapshot that was counted"))),
        responses::OfNamespaceDeletion,
    ),
    security(("token" = [])),
)]
pub(crate) async fn delete_namespace(call: Call) -> Result<Response, Failure> {
    match DeleteNamespace::parse(call.target.query())? {
        DeleteNamespace::DeletePrefix(delete) => {
            delete_prefix(&call, Prefix::everything(), delete).await
        }
        DeleteNamespace::DeleteNothing(_) => Err(Failure::bad_request(
            "name a key, as in /kv/KEY; to delete every key add ?prefix",
        )),
    }
}

async fn delete_one(call: &Call) -> Result<Response, Failure> {
    let key = call.target.key()?;
    conditional::no_write_id(&call.headers, "DELETE")?;
    let expected = Expected {
        headers: WriteCondition::of(&call.headers)?,
        ..Expected::default()
    };
    let delete = Operation::Delete { key: key.clone() };
    let committed = commit::apply(&call.app, &call.who, &key, expected, delete).await?;
    Ok(deleted(&committed))
}

async fn delete_prefix(
    call: &Call,
    prefix: Prefix,
    delete: DeletePrefix,
) -> Result<Response, Failure> {
    let (gate, who) = (&call.app.gate, &call.who);
    conditional::no_write_id(&call.headers, "?prefix")?;
    conditional::refuse_all(
        &call.headers,
        "does not go with ?prefix, since a prefix has no ETag",
    )?;
    if delete.dry_run {
        if delete.if_count.is_some() {
            return Err(Failure::bad_request(
                "if_count does not go with dry_run, which answers the number of keys",
            ));
        }
        let counted = gate.dry_run(who, prefix)?.count().await?;
        let deleted = counted.keys;
        return Ok((revision_header(counted.revision), Json(Deleted { deleted })).into_response());
    }
    let if_count = delete.if_count;
    let commit = Commit::single(None, Operation::DeletePrefix { prefix, if_count });
    Ok(deleted(&gate.commit(who, commit)?.apply().await?))
}

/// The answer with the number of deleted keys.
fn deleted(committed: &Committed) -> Response {
    let deleted = match committed.outcomes.first() {
        Some(Outcome::Deleted(deleted)) => *deleted,
        _ => 0,
    };
    Json(Deleted { deleted }).into_response()
}
