//! Bodies of requests that need no token: what the server says about itself, and signing in.

use serde::{Deserialize, Serialize};

use super::PageLogin;
use super::object::Described;

/// The description of the server for clients without a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct About {
    /// The version of the server.
    pub version: String,
    /// The ways to get a token accepted, the simplest first.
    pub sign_in: Vec<SignIn>,
    /// Limits on what is stored.
    pub limits: AboutLimits,
}

/// A way to sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SignIn {
    /// With a token that the user has.
    Token,
    /// At an OpenID provider.
    Oidc(PageLogin),
}

/// Limits that a client can check before it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AboutLimits {
    /// Bytes of one value.
    pub value_bytes: u64,
}

/// A code that a trial server has printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OneTimeCode {
    /// The code.
    pub code: String,
}

impl Described for OneTimeCode {
    const DESCRIPTION: &'static str = "the body is a JSON object with the field \"code\", a text";
}

/// Answer to a sign-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedIn {
    /// The token.
    pub access_token: String,
}
