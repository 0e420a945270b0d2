//! The settings of issuers: a table `[[issuer]]` of the configuration file for each, or a file for each.

mod check;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Span;
use crate::identity::issuer::{ClaimPath, ClaimsFrom, Requirement, Unnamed, Unscoped};

pub(super) use check::check;

/// An issuer as it was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IssuerSettings {
    /// The label in metrics, in the log and in messages.
    pub name: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `iss` of its tokens.
    pub issuer: String,
    /// The claim with the user's name.
    pub user_claim: ClaimPath,
    /// The place where this claim and those of `require` are.
    #[serde(default)]
    pub claims_from: ClaimsFrom,
    /// The beginning of the namespaces of its users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_prefix: Option<String>,
    /// A file with the namespaces of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names_file: Option<PathBuf>,
    /// The users who are not in this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unnamed: Option<Unnamed>,
    /// Issuers whose users may be the same people.
    #[serde(default)]
    pub shares_names_with: Vec<String>,
    /// True if a name belongs to the first subject that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_subject: Option<bool>,
    /// One of these has to be in `aud`.
    #[serde(default)]
    pub audience: Vec<String>,
    /// One of these has to be `azp` or `client_id`.
    #[serde(default)]
    pub authorized_parties: Vec<String>,
    /// True if tokens for other services are accepted.
    #[serde(default)]
    pub any_audience: bool,
    /// Algorithms by which it may sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithms: Option<Vec<String>>,
    /// The tolerance for clocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leeway: Option<Span>,
    /// The limit of a token without capabilities.
    #[serde(default)]
    pub unscoped: Unscoped,
    /// Claims that a token must have, all of them.
    #[serde(default)]
    pub require: Vec<Requirement>,
    /// The claim with the job's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_claim: Option<ClaimPath>,
    /// True if its users may have tokens made for jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_mint: Option<bool>,
    /// A file with its keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Its certificate authorities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The treatment of tokens that are not JSON Web Tokens.
    #[serde(default)]
    pub opaque: OpaqueSetting,
    /// The client for introspection, and the time for which answers are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introspection: Option<IntrospectionSettings>,
    /// The login of people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginSettings>,
}

/// The login of people at an issuer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LoginSettings {
    /// The client of the command line: a public one with the device grant.
    pub client_id: String,
    /// The scopes that it asks for.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Parameters that it adds to requests.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// The client of the page, with the authorization code grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_client_id: Option<String>,
    /// A file with its secret, where the issuer demands one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub web_client_secret_file: Option<PathBuf>,
}

/// The treatment of tokens that are not JSON Web Tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpaqueSetting {
    /// They are refused.
    #[default]
    Refuse,
    /// The introspection endpoint is asked.
    Introspection,
    /// The userinfo endpoint is asked.
    Userinfo,
}

/// The client with which an issuer is asked about tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct IntrospectionSettings {
    /// The client as which this service asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// A file with its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_file: Option<PathBuf>,
    /// The time for which an answer is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh: Option<Span>,
    /// The time for which it is used while the issuer does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<Span>,
}
