//! The service's records as operators see and change them: the accounts that have names, and quotas of single users.
//!
//! The server alone does this, because it has to know at once; so it is asked through its socket, with any engine.

use std::path::Path;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use prominence_core::{Namespace, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::AdminError;
use super::remote::Remote;
use super::routes::Refusal;
use crate::app::App;
use crate::failure::Failure;
use crate::identity::records::{Former, OwnLimit, OwnQuota, Pin, REMEMBERED_LONGER, Records};

/// The path on the socket.
const PATH: &str = "/records";

/// A request of an operator about the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecordRequest {
    /// The subjects and the quota of a user.
    Show {
        /// The user.
        user: String,
    },
    /// The users with a quota of their own.
    ShowQuotas,
    /// Gives a name to a subject of an issuer.
    Pin {
        /// The name.
        user: String,
        /// The issuer's URL.
        issuer: String,
        /// `sub` in its tokens.
        subject: String,
    },
    /// Takes a name from its subjects.
    Unpin {
        /// The name.
        user: String,
    },
    /// Gives a user a quota; what is left out is as usual.
    SetQuota {
        /// The user.
        user: String,
        /// Number of keys.
        keys: Option<u64>,
        /// Bytes of all keys and values.
        bytes: Option<u64>,
        /// Requests a second, by cost; 0 for no limit.
        requests_per_second: Option<u32>,
        /// Requests that wait or watch at once.
        held: Option<usize>,
    },
    /// Gives a user the usual quota.
    UnsetQuota {
        /// The user.
        user: String,
    },
}

/// The records of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserReport {
    /// The user.
    pub user: String,
    /// The subjects that have the name.
    pub subjects: Vec<SubjectReport>,
    /// The most keys of the user.
    pub quota_keys: u64,
    /// The most bytes of the user's keys and values.
    pub quota_bytes: u64,
    /// The user's own limit on requests a second, by cost, if it has one; 0 for no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u32>,
    /// The user's own limit on requests that wait or watch at once, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<usize>,
}

/// A subject that has a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectReport {
    /// The issuer's URL.
    pub issuer: String,
    /// `sub` in its tokens.
    pub subject: String,
}

/// Asks the server that has a data folder. Answers what the records say afterwards of the users that were named.
///
/// # Errors
/// See [`AdminError`].
pub fn records(folder: &Path, request: &RecordRequest) -> Result<Vec<UserReport>, AdminError> {
    match Remote::connect(folder)? {
        Some(remote) => remote.tell(PATH, request),
        None => Err(AdminError::NoServer {
            folder: folder.to_owned(),
        }),
    }
}

/// The route of the socket.
pub(crate) fn routes(app: App) -> Router {
    Router::new().route(PATH, post(answer)).with_state(app)
}

async fn answer(
    State(app): State<App>,
    Json(request): Json<RecordRequest>,
) -> Result<Json<Vec<UserReport>>, Refusal> {
    Ok(Json(work(&app, request).await?))
}

async fn work(app: &App, request: RecordRequest) -> Result<Vec<UserReport>, RecordsError> {
    let records = &app.records;
    let user = match request {
        RecordRequest::ShowQuotas => {
            let mut reports = Vec::new();
            for (user, _) in records.own_quotas().await? {
                reports.push(report(records, &user).await?);
            }
            return Ok(reports);
        }
        RecordRequest::Show { user } => named(&user)?,
        RecordRequest::Pin {
            user,
            issuer,
            subject,
        } => {
            let user = named(&user)?;
            if !app.verifier.load().issuers().has(&issuer) {
                return Err(RecordsError::Named(format!(
                    "the configuration has no issuer {issuer}; write its URL as it is there, with or without a / at the end"
                )));
            }
            let pin = Pin::new(&issuer, &subject);
            records.give_name(&user, &pin, so_far(app)).await?;
            tracing::info!(%user, issuer, "a name was given to a subject");
            user
        }
        RecordRequest::Unpin { user } => {
            let user = named(&user)?;
            if !records.unpin(&user, so_far(app)).await? {
                return Err(RecordsError::Named(format!("nobody has the name {user}")));
            }
            tracing::info!(%user, "a name was taken from its subject");
            user
        }
        RecordRequest::SetQuota {
            user,
            keys,
            bytes,
            requests_per_second,
            held,
        } => {
            let user = named(&user)?;
            let limit = OwnLimit {
                requests_per_second,
                held,
            };
            let own = OwnQuota { keys, bytes, limit };
            records.set_quota(user.clone(), Some(own)).await?;
            tracing::info!(%user, keys, bytes, requests_per_second, held, "a quota was set");
            user
        }
        RecordRequest::UnsetQuota { user } => {
            let user = named(&user)?;
            records.set_quota(user.clone(), None).await?;
            tracing::info!(%user, "a quota was taken back");
            user
        }
    };
    Ok(vec![report(records, &user).await?])
}

/// The tokens that a former owner of a name has had until now.
fn so_far(app: &App) -> Former {
    let lasts = app.verifier.load().max_lifetime();
    Former {
        // Tokens tell whole seconds, so this one is over only at its end.
        before: Timestamp::from_secs(app.clock.wall().as_secs() + 1),
        remembered_for: lasts + REMEMBERED_LONGER,
    }
}

async fn report(records: &Records, user: &Namespace) -> Result<UserReport, Failure> {
    let quota = records.quota_of(user);
    let limit = records.own_limits().of(user);
    let subjects = records.pins_of(user).await?.into_iter();
    Ok(UserReport {
        user: user.to_string(),
        subjects: subjects
            .map(|pin| SubjectReport {
                issuer: pin.issuer,
                subject: pin.subject,
            })
            .collect(),
        quota_keys: quota.keys,
        quota_bytes: quota.bytes,
        requests_per_second: limit.requests_per_second,
        held: limit.held,
    })
}

/// The reason why a request can't be carried out.
enum RecordsError {
    /// A name in it can't be used.
    Named(String),
    Failed(Failure),
}

impl From<Failure> for RecordsError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<RecordsError> for Refusal {
    fn from(error: RecordsError) -> Self {
        match error {
            RecordsError::Named(why) => Self(StatusCode::UNPROCESSABLE_ENTITY, why),
            RecordsError::Failed(failure) => Self(failure.status(), failure.message().to_owned()),
        }
    }
}

fn named(user: &str) -> Result<Namespace, RecordsError> {
    Namespace::parse(user)
        .map_err(|why| RecordsError::Named(format!("{user:?} can't be a user's name: {why}")))
}
