//! POST without a key: many changes in one commit.

use std::fmt::Display;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use prominence_api::body::MAX_BATCH_BYTES;
use prominence_api::name;
use prominence_api::{
    Batch, BatchCondition, BatchDone, BatchOperation, BatchResult, BatchTtl, Described, ErrorCode,
    Object, Text,
};
use prominence_core::value::TOO_LARGE_ADVICE;
use prominence_core::{
    Commit, Condition, Key, Lifetime, Operation, Outcome, Precondition, Revision, Timestamp, Value,
};

use super::call::{Call, end_of_job};
use super::responses::answers::AnyBytes;
use super::{claim, responses};
use crate::failure::Failure;
use crate::request::body::{self, BodyLimits};
use crate::request::kinds::PostNamespace;
use crate::request::parameters::Ttl;
use crate::request::{conditional, target};

/// The memory that a batch takes, as a multiple of its body: the body, the texts that are parsed of it, and the structs of
/// its operations, which are larger than the shortest JSON of one.
const BATCH_GROWTH: usize = 12;

/// Does a batch: all of its operations if all of its conditions hold, and nothing otherwise.
/// With `claim`: claims the next key of the whole namespace.
#[utoipa::path(
    post,
    path = "/prominence/v1/kv",
    tag = "kv",
    params(PostNamespace),
    request_body(content = Batch, content_type = "application/json", description = "the batch; none with `claim`"),
    responses(
        (status = 200, description = "everything is done, durably; with `claim`: the value that was taken", content(
            (BatchDone = "application/json"),
            (String = "text/plain; charset=utf-8"),
            (AnyBytes = "application/octet-stream"),
        ), headers(
            ("Prominence-Key" = String, description = "with `claim`: the key that was taken, percent-encoded"),
        )),
        (status = 204, description = "with `claim`: there is nothing to take"),
        responses::OfBatch,
    ),
    security(("token" = [])),
)]
pub(crate) async fn post_namespace(call: Call, body: Body) -> Result<Response, Failure> {
    match PostNamespace::parse(call.target.query())? {
        PostNamespace::Claim(claim) => claim::take(&call, claim, body).await,
        PostNamespace::DoBatch(_) => batch(&call, body).await,
    }
}

async fn batch(call: &Call, body: Body) -> Result<Response, Failure> {
    let Call {
        app, who, headers, ..
    } = call;
    demand_json(headers)?;
    conditional::no_write_id(headers, "a batch")?;
    let why = "does not go with a batch; write its conditions into \"if\"";
    conditional::refuse_all(headers, why)?;
    let limits = BodyLimits {
        bytes: MAX_BATCH_BYTES,
        within: app.bounds().body_within,
    };
    let held = BATCH_GROWTH * body::expected(headers, limits);
    let _held = app.memory.take(&who.user, held).await?;
    let bytes = body::read(headers, body, limits, "batch").await?;
    let commit = parse(&bytes, end_of_job(app, who), app.bounds().value_bytes)?;
    call.meter().items(commit.operations().len(), bytes.len());
    let keys = commit.operations().iter().filter_map(Operation::key);
    let keys: Vec<_> = keys.map(Key::to_string).collect();
    let committed = app.gate.commit(who, commit)?.apply().await?;
    let results = keys.into_iter().zip(committed.outcomes);
    let results = results
        .map(|(key, outcome)| result(key, &outcome))
        .collect::<Result<_, _>>()?;
    let revision = committed.revision;
    let done = Json(BatchDone {
        revision: revision.get(),
        results,
    });
    Ok(([(header::ETAG, conditional::etag(revision))], done).into_response())
}

/// A value that was posted without a key would otherwise be taken for a broken batch.
fn demand_json(headers: &HeaderMap) -> Result<(), Failure> {
    let given = headers.get(header::CONTENT_TYPE);
    let media_type = given.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(name::JSON) {
        return Ok(());
    }
    Err(Failure::bad_request(format!(
        "a batch is sent with Content-Type: {} (here it is \"{media_type}\"); \
         to set a value name its key, as in /kv/KEY",
        name::JSON
    )))
}

/// Parses a batch, in which only known fields of the right types are valid.
fn read(bytes: &[u8]) -> Result<Object<Batch>, Failure> {
    if bytes.trim_ascii().is_empty() {
        let message = format!("the body is empty; {}", Batch::DESCRIPTION);
        return Err(Failure::bad_request(message));
    }
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let batch = serde_path_to_error::deserialize(&mut *json);
    let batch = batch.map_err(|error: serde_path_to_error::Error<serde_json::Error>| {
        let inner = error.inner();
        Failure::bad_request(match inner.is_eof() {
            true => format!(
                "the batch ends in line {}, column {}, before its last bracket or quote is closed; send \
                 all of it",
                inner.line(),
                inner.column()
            ),
            false => format!("the batch is not valid: {error}"),
        })
    })?;
    json.end().map_err(|error| {
        Failure::bad_request(format!("there is more text after the batch: {error}"))
    })?;
    Ok(batch)
}

fn parse(bytes: &[u8], job_ends: Timestamp, limit: usize) -> Result<Commit, Failure> {
    let Object(batch) = read(bytes)?;
    let mut conditions = Vec::new();
    for (index, condition) in batch.conditions.into_iter().enumerate() {
        let member = Member("if", index);
        conditions.push(member.condition(condition, limit)?);
    }
    let mut operations = Vec::new();
    for (index, operation) in batch.operations.into_iter().enumerate() {
        let member = Member("do", index);
        operations.push(member.operation(operation, job_ends, limit)?);
    }
    Commit::new(conditions, operations)
        .map_err(|error| Failure::bad_request(format!("the batch is not valid: {error}")))
}

/// A condition or operation by its list and index, as messages name it.
#[derive(Clone, Copy)]
struct Member(&'static str, usize);

impl Member {
    fn condition(self, condition: BatchCondition, limit: usize) -> Result<Condition, Failure> {
        let BatchCondition {
            key,
            absent,
            revision,
            value,
            value_base64,
        } = condition;
        let key = self.key(&key)?;
        let value = self.value(value, value_base64, limit)?;
        let expect = match (absent, revision, value) {
            (Some(true), None, None) => Precondition::Absent,
            (Some(false), None, None) => Precondition::Present,
            (None, Some(revision), None) => Precondition::Revision(Revision::new(revision)),
            (None, None, Some(value)) => Precondition::Value(value),
            _ => {
                let rule =
                    "has exactly one of \"absent\", \"revision\", \"value\", \"value_base64\"";
                return Err(self.bad(format!("a condition {rule} beside its \"key\"")));
            }
        };
        Ok(Condition { key, expect })
    }

    fn operation(
        self,
        operation: BatchOperation,
        job_ends: Timestamp,
        limit: usize,
    ) -> Result<Operation, Failure> {
        let BatchOperation {
            set,
            delete,
            add,
            value,
            value_base64,
            ttl,
            by,
        } = operation;
        let value = self.value(value, value_base64, limit)?;
        match (set, delete, add) {
            (Some(key), None, None) => {
                self.refuse("by", by.is_some(), "set")?;
                let value = value
                    .ok_or_else(|| self.bad("\"set\" needs a \"value\" or a \"value_base64\""))?;
                Ok(Operation::Set {
                    key: self.key(&key)?,
                    value,
                    lifetime: self.lifetime(ttl, job_ends)?,
                })
            }
            (None, Some(key), None) => {
                self.refuse("by", by.is_some(), "delete")?;
                self.refuse("ttl", ttl.is_some(), "delete")?;
                self.refuse("value", value.is_some(), "delete")?;
                let key = self.key(&key)?;
                Ok(Operation::Delete { key })
            }
            (None, None, Some(key)) => {
                self.refuse("ttl", ttl.is_some(), "add")?;
                self.refuse("value", value.is_some(), "add")?;
                let by = by.ok_or_else(|| self.bad("\"add\" needs a whole number \"by\""))?;
                let key = self.key(&key)?;
                Ok(Operation::Add { key, by })
            }
            _ => Err(self.bad("an operation has exactly one of \"set\", \"delete\", \"add\"")),
        }
    }

    fn key(self, text: &str) -> Result<Key, Failure> {
        Key::parse(text).map_err(|error| {
            let message = target::bad_key(error).message().to_owned();
            Failure::new(ErrorCode::BadKey, format!("{self}: {message}"))
        })
    }

    fn value(
        self,
        text: Option<String>,
        base64: Option<String>,
        limit: usize,
    ) -> Result<Option<Value>, Failure> {
        let bytes = match (text, base64) {
            (None, None) => return Ok(None),
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => Text::Encoded { base64 }
                .into_bytes()
                .ok_or_else(|| self.bad("\"value_base64\" is not base64 (RFC 4648, section 4)"))?,
            (Some(_), Some(_)) => {
                return Err(self.bad("\"value\" and \"value_base64\" do not go together"));
            }
        };
        let value = Value::new(bytes, limit).map_err(|error| {
            let message = format!("{self}: {error}; {TOO_LARGE_ADVICE}");
            Failure::new(ErrorCode::ValueTooLarge, message)
        })?;
        Ok(Some(value))
    }

    fn lifetime(self, ttl: Option<BatchTtl>, job_ends: Timestamp) -> Result<Lifetime, Failure> {
        let text = match ttl {
            None => return Ok(Lifetime::Permanent),
            Some(BatchTtl::Text(text)) => text,
            Some(BatchTtl::Seconds(seconds)) => seconds.to_string(),
        };
        Ttl::parse(&text)
            .map(|ttl| ttl.lifetime(job_ends))
            .map_err(|error| self.bad(format!("\"ttl\" is not valid: {error}")))
    }

    fn refuse(self, member: &str, given: bool, operation: &str) -> Result<(), Failure> {
        if given {
            return Err(self.bad(format!("\"{member}\" does not go with \"{operation}\"")));
        }
        Ok(())
    }

    fn bad(self, what: impl Display) -> Failure {
        Failure::bad_request(format!("{self}: {what}"))
    }
}

impl Display for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(list, index) = self;
        write!(f, "{list}[{index}]")
    }
}

fn result(key: String, outcome: &Outcome) -> Result<BatchResult, Failure> {
    match *outcome {
        Outcome::Set { created } => Ok(BatchResult::Set { key, created }),
        Outcome::Added(value) => Ok(BatchResult::Added { key, value }),
        Outcome::Deleted(deleted) => Ok(BatchResult::Deleted { key, deleted }),
        Outcome::AlreadySet { .. }
        | Outcome::Claimed(..)
        | Outcome::NoneFree { .. }
        | Outcome::Renewed(_)
        | Outcome::Released => Err(Failure::surprised()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_body_is_a_commit_within_the_limits_or_refused_with_400_or_413() {
        let limit = 64;
        prominence_fuzz::run("batch", |input| match parse(input, Timestamp::MAX, limit) {
            Ok(commit) => {
                for operation in commit.operations() {
                    if let Operation::Set { value, .. } = operation {
                        assert!(value.len() <= limit);
                    }
                }
            }
            Err(failure) => {
                let status = failure.status().as_u16();
                assert!(
                    [400, 413].contains(&status),
                    "{status} {}",
                    failure.message()
                );
            }
        });
    }
}
