//! Tokens that the service makes, lists and revokes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::object::Described;

/// Answer to a request for a token (RFC 8693, section 2.2.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MadeToken {
    /// The token.
    pub access_token: String,
    /// `urn:ietf:params:oauth:token-type:jwt`.
    pub issued_token_type: String,
    /// `Bearer`.
    pub token_type: String,
    /// Its lifetime in seconds. It can be shorter than was asked for, if the token that it is made from ends earlier.
    pub expires_in: u64,
    /// Its scopes, separated by spaces; empty for everything.
    pub scope: String,
    /// The token's name, by which it can be revoked: 64 hexadecimal digits.
    pub id: String,
    /// True if it is in the list of the user's tokens.
    pub listed: bool,
}

/// Shows that there is a token, and never the token.
impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MadeToken");
        shown.field("id", &self.id).field("scope", &self.scope);
        shown.finish_non_exhaustive()
    }
}

/// A token that the service has made for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ListedToken {
    /// The token's name, by which it can be revoked: 64 hexadecimal digits.
    pub id: String,
    /// The job that it was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The scopes that limit it; empty for everything.
    pub scopes: Vec<String>,
    /// Its purpose, in the user's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub made: String,
    /// When it ends.
    pub ends: String,
    /// The day on which it was last used, in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
}

/// Tokens to revoke: one of `token`, `id`, `job` and `user`, or `job` and `user` together.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RevokeTokens {
    /// This token. Whoever has it may revoke it, without another token in the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The token with this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The tokens of this job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The tokens of this user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// With `job` or `user`: those that were issued before this instant, which is not in the future; now if it is left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

impl Described for RevokeTokens {
    const DESCRIPTION: &'static str = "the body is a JSON object with one of the fields \"token\", \"id\", \"job\" and \"user\", each a text, and \"before\" beside \"job\" or \"user\"";
}

/// Answer to a revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Revoked {
    /// `token`, `id`, `job` or `user`.
    pub revoked: String,
    /// Tokens that were issued before this instant are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Until when the revocation is remembered; every token that it is about has ended by then. Left out where a token
    /// was not accepted anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}
