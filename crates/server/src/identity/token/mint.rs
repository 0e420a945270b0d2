//! Making a token as the batch platform would.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use prominence_core::permit::Scopes;
use prominence_core::{Job, Namespace, Timestamp};
use serde::Serialize;

use super::{ISSUER, Secret};

/// The claims of a new token.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The user, whose namespace the token opens.
    pub user: Namespace,
    /// The job that it is for.
    pub job: Option<Job>,
    /// The groups that its user is in.
    pub groups: Vec<String>,
    /// Its scopes.
    pub scopes: Scopes,
    /// Its lifetime.
    pub lifetime: Duration,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    username: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    groups: &'a [String],
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    from: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_since: Option<u64>,
}

/// The claims of a token that the service makes for a caller.
pub(in crate::identity) struct MadeFor<'a> {
    /// Random, so that no two tokens are the same.
    pub(in crate::identity) id: String,
    /// The name of the issuer that the caller has logged in at.
    pub(in crate::identity) via: &'a str,
    /// The names of the tokens that it is made from.
    pub(in crate::identity) from: Vec<String>,
    /// The second at which the first of them was issued; 0 if it does not say when.
    pub(in crate::identity) since: u64,
    /// The same of those of the same job, if there are any.
    pub(in crate::identity) job_since: Option<u64>,
}

/// Signs a token.
///
/// # Errors
/// When the signing library refuses the secret.
pub fn mint(
    secret: &Secret,
    token: &NewToken,
    now: Timestamp,
) -> Result<String, jsonwebtoken::errors::Error> {
    sign(secret, token, None, now)
}

/// Signs a token that the service makes for a caller.
pub(in crate::identity) fn mint_for(
    secret: &Secret,
    token: &NewToken,
    made: &MadeFor<'_>,
    now: Timestamp,
) -> Result<String, jsonwebtoken::errors::Error> {
    sign(secret, token, Some(made), now)
}

fn sign(
    secret: &Secret,
    token: &NewToken,
    made: Option<&MadeFor<'_>>,
    now: Timestamp,
) -> Result<String, jsonwebtoken::errors::Error> {
    let header = Header {
        kid: secret.kid.clone(),
        ..Header::new(Algorithm::HS256)
    };
    let claims = Claims {
        iss: ISSUER,
        username: token.user.as_str(),
        job: token.job.as_ref().map(Job::as_str),
        groups: &token.groups,
        scope: token.scopes.words().join(" "),
        iat: now.as_secs(),
        exp: now.after(token.lifetime).as_secs(),
        jti: made.map(|made| made.id.as_str()),
        via: made.map(|made| made.via),
        from: made.map_or(&[][..], |made| &made.from[..]),
        since: made.map(|made| made.since),
        job_since: made.and_then(|made| made.job_since),
    };
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret.key)?)
}
