//! Where people log in: the metadata of a protected resource (RFC 9728).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::object::Described;

/// The metadata of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProtectedResource {
    /// The address of the service, as its users see it.
    pub resource: String,
    /// The issuers at which people log in.
    pub authorization_servers: Vec<String>,
    /// Scopes that limit a token.
    #[serde(default)]
    pub scopes_supported: Vec<String>,
    /// The ways in which tokens can be sent.
    #[serde(default)]
    pub bearer_methods_supported: Vec<String>,
    /// The logins of the command line.
    #[serde(default)]
    pub prominence_login: Vec<LoginAt>,
}

/// An issuer at which people log in on the page (RFC 6749, section 4.1, with RFC 7636).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PageLogin {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its URL.
    pub issuer: String,
    /// The client of the page.
    pub client_id: String,
    /// The scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The address to which the browser is sent.
    pub authorization_endpoint: String,
    /// The address at which it comes back: that of the page.
    pub redirect_uri: String,
}

/// A code of an issuer, to be exchanged for a token.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LoginCode {
    /// The issuer's name.
    pub issuer: String,
    /// The code that the browser came back with.
    pub code: String,
    /// The verifier whose hash went with the request (RFC 7636, section 4.5).
    pub code_verifier: String,
}

impl Described for LoginCode {
    const DESCRIPTION: &'static str = "the body is a JSON object with the fields \"issuer\", \"code\" and \"code_verifier\", each a text";
}

/// The token of a login on the page.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginToken {
    /// The token.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Its lifetime in seconds, if the issuer tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// An issuer at which people log in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginAt {
    /// Its name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its URL.
    pub issuer: String,
    /// The client as which the command line asks.
    pub client_id: String,
    /// The scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Parameters that are added to requests.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}
