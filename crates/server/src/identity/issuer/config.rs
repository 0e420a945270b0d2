//! The valid configuration of an issuer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::algorithm::Alg;
use crate::identity::token::Members;

/// An OpenID provider, or a batch platform that publishes its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerConfig {
    /// The label in metrics, in the log and in messages.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// `iss`, compared byte for byte.
    pub issuer: String,
    /// The place where the user's name is.
    pub user_claim: ClaimPath,
    /// The source in which `user_claim` and `require` are looked up.
    pub claims_from: ClaimsFrom,
    /// The beginning of the namespaces of its users.
    pub namespace_prefix: String,
    /// The file of names, and who is not in it.
    pub names: Option<(PathBuf, Unnamed)>,
    /// Names of issuers whose users may be the same people.
    pub shares_names_with: Vec<String>,
    /// Which tokens are meant for this service.
    pub audience: Audience,
    /// Algorithms by which its tokens may be signed.
    pub algorithms: Vec<Alg>,
    /// The tolerance for clocks that disagree.
    pub leeway: Duration,
    /// The limit of a token without any capability.
    pub unscoped: Unscoped,
    /// Claims that a token must have, all of them.
    pub require: Vec<Requirement>,
    /// The place where the name of the job is, to which the token belongs.
    pub job_claim: Option<ClaimPath>,
    /// The file with its keys, instead of discovery.
    pub jwks_file: Option<PathBuf>,
    /// The authorities that vouch for its address.
    pub ca_file: Option<PathBuf>,
    /// The treatment of tokens that are not JSON Web Tokens.
    pub opaque: Opaque,
    /// The time for which an answer about a token is used.
    pub freshness: Freshness,
    /// True if a name belongs to the first subject that has it.
    pub pin_subject: bool,
    /// True if its users may have tokens made for jobs.
    pub may_mint: bool,
    /// The login of people, if it is offered.
    pub login: Option<LoginConfig>,
}

/// The login of people at an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginConfig {
    /// The client of the command line.
    pub client_id: String,
    /// The scopes that it asks for.
    pub scopes: Vec<String>,
    /// Parameters that it adds to requests.
    pub parameters: BTreeMap<String, String>,
    /// The client of the page, where people can log in on it.
    pub web: Option<WebClient>,
}

/// The client of the page at an issuer.
#[derive(Clone, PartialEq, Eq)]
pub struct WebClient {
    /// Its id.
    pub id: String,
    /// Its secret, where the issuer demands one.
    pub secret: Option<String>,
}

/// Shows the client, and never its secret.
impl fmt::Debug for WebClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebClient");
        shown.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Which tokens are meant for this service. What is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience {
    /// One of these has to be in `aud`; none for any.
    pub audiences: Vec<String>,
    /// One of these has to be `azp`, or `client_id` without an `azp`; none for any.
    pub parties: Vec<String>,
}

/// The time for which an answer of an issuer about a token is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Without asking again.
    pub fresh: Duration,
    /// While the issuer does not answer.
    pub stale: Duration,
}

/// The source of the claims of the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimsFrom {
    /// In the token, or in the answer of introspection.
    #[default]
    Token,
    /// In the answer of the userinfo endpoint.
    Userinfo,
}

/// The users who are not in the file of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unnamed {
    /// Is refused.
    #[default]
    Refuse,
    /// Has the prefix and the claim as namespace.
    Prefix,
}

/// The limit of a token without any capability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unscoped {
    /// It is not.
    #[default]
    Everything,
    /// To nothing.
    Nothing,
}

/// The treatment of tokens that are not JSON Web Tokens.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Opaque {
    /// They are refused.
    #[default]
    Refuse,
    /// The issuer is asked by introspection (RFC 7662), as this client.
    Introspection {
        /// The client's id.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
    /// The userinfo endpoint is asked (OpenID Connect Core, section 5.3).
    Userinfo,
}

/// A claim that a token must have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The claim.
    pub claim: ClaimPath,
    /// One of these has to be its value, or in it.
    pub any: Vec<String>,
}

/// The name of a claim, or its place as a JSON Pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimPath(String);

/// Shows that there is a secret, and never the secret.
impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "Refuse",
            Self::Introspection { .. } => "Introspection",
            Self::Userinfo => "Userinfo",
        })
    }
}

impl ClaimPath {
    /// The value at this place.
    pub(super) fn find<'a>(&self, members: &'a Members) -> Option<&'a Value> {
        let Some(path) = self.0.strip_prefix('/') else {
            return members.get(&self.0);
        };
        let (name, rest) = match path.find('/') {
            Some(slash) => path.split_at(slash),
            None => (path, ""),
        };
        // RFC 6901, section 4: in this order.
        let name = name.replace("~1", "/").replace("~0", "~");
        members.get(&name)?.pointer(rest)
    }

    /// True if it is this claim at the top.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ClaimPath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() || text == "/" || text.chars().any(char::is_control) {
            return Err("a claim is a name such as sub, or a place such as /a/b");
        }
        Ok(Self(text))
    }
}

impl From<ClaimPath> for String {
    fn from(path: ClaimPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_or_its_place() {
        let text = "{\"sub\": \"a\", \"/x\": 1, \"kubernetes.io\": {\"pod\": {\"uid\": \"u\"}}, \"a/b\": {\"~\": 2}}";
        let members = Members::parse(text.as_bytes()).unwrap();
        let find = |path: &str| {
            let path = ClaimPath::try_from(path.to_owned()).unwrap();
            path.find(&members).cloned()
        };
        assert_eq!(find("sub"), Some("a".into()));
        assert_eq!(find("/sub"), Some("a".into()));
        assert_eq!(find("/kubernetes.io/pod/uid"), Some("u".into()));
        assert_eq!(find("/a~1b/~0"), Some(2.into()));
        assert_eq!(find("/~1x"), Some(1.into()));
        for missing in ["/sub/x", "/kubernetes.io/pod/name", "pod", "/x"] {
            assert_eq!(find(missing), None, "{missing}");
        }
        assert!(ClaimPath::try_from(String::new()).is_err());
    }
}
