//! Where to log in: what was typed, the environment as the existing command line reads it, or the server's word.

use std::collections::BTreeMap;

use prominence_api::name::LOGIN_METADATA;
use prominence_api::{LoginAt, ProtectedResource};
use prominence_client::{BaseUrl, OAuth, OAuthAnswer, OAuthClient};
use serde_json::Value;

use super::{own_client, variable};
use crate::failure::Failure;

/// The issuer's URL in the environment.
const ISSUER: &str = "PROMINENCE_OIDC_URL";

/// The scopes of a login of which nobody says otherwise. The last one lets it be renewed.
const USUAL_SCOPES: [&str; 3] = ["openid", "profile", "offline_access"];

/// An issuer to log in at.
pub(crate) struct Place {
    pub(crate) issuer: String,
    pub(crate) client: OAuthClient,
    pub(crate) scopes: Vec<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) endpoints: Endpoints,
}

/// The addresses that a login needs.
pub(crate) struct Endpoints {
    pub(crate) device: String,
    pub(crate) token: String,
    pub(crate) revocation: Option<String>,
    registration: Option<String>,
}

/// The options as they were typed.
pub(crate) struct Asked<'a> {
    pub(crate) issuer: Option<&'a str>,
    pub(crate) client_id: Option<&'a str>,
    /// True if a client may be registered if there is none.
    pub(crate) may_register: bool,
}

impl Place {
    /// Finds the issuer for a server, and asks it for its addresses.
    pub(crate) fn find(url: &BaseUrl, asked: &Asked<'_>) -> Result<Self, Failure> {
        let from_environment = variable(ISSUER);
        let at = match (asked.issuer, &from_environment) {
            (Some(issuer), _) if issuer.contains("://") => at_url(issuer),
            (None, Some(issuer)) => at_url(issuer),
            (name, _) => ask_server(url, name)?,
        };
        for (name, value) in &at.parameters {
            check_parameter(url, name, value)?;
        }
        let endpoints = endpoints(&at.issuer, from_environment.is_some())?;
        let typed = asked.client_id.map(super::client);
        let told = Some(at.client_id.as_str()).filter(|id| !id.is_empty());
        let known = typed
            .or_else(own_client)
            .or_else(|| told.map(super::client));
        let client = match (known, &endpoints.registration) {
            (Some(client), _) => client,
            (None, Some(endpoint)) if asked.may_register => register(endpoint)?,
            (None, _) => {
                let message = "nothing says as which client to log in; name one with --client-id, or have one \
                               registered with --register, where the issuer does that";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        let scopes = match at.scopes.is_empty() {
            true => USUAL_SCOPES.map(str::to_owned).into(),
            false => at.scopes,
        };
        Ok(Self {
            endpoints,
            issuer: at.issuer,
            client,
            scopes,
            parameters: at.parameters,
        })
    }
}

fn at_url(issuer: &str) -> LoginAt {
    LoginAt {
        issuer: issuer.to_owned(),
        ..LoginAt::default()
    }
}

/// The issuer that the server names.
fn ask_server(url: &BaseUrl, name: Option<&str>) -> Result<LoginAt, Failure> {
    let address = format!("{}{LOGIN_METADATA}", url.origin());
    let answer = get(&address)?;
    if answer.status == 404 {
        return Err(Failure::Login(format!(
            "{url} does not say where people log in; name the issuer with --issuer URL, or use a token (see \
             prominence token --help)"
        )));
    }
    let odd = || Failure::Login(format!("{address} does not say where people log in"));
    let metadata: ProtectedResource =
        serde_json::from_value(Value::Object(answer.body)).map_err(|_| odd())?;
    // The document of another service would have people log in for that one.
    if metadata.resource != url.as_str() {
        return Err(Failure::Login(format!(
            "{address} is about {}, and PROMINENCE_URL is {url}; use the address that it names, or ask the operator",
            metadata.resource
        )));
    }
    let names: Vec<_> = metadata
        .prominence_login
        .iter()
        .map(|at| at.name.clone())
        .collect();
    let mut fitting = metadata
        .prominence_login
        .into_iter()
        .filter(|at| name.is_none_or(|name| at.name == name));
    match (fitting.next(), fitting.next()) {
        (Some(at), None) => Ok(at),
        (Some(_), Some(_)) => Err(Failure::Usage(format!(
            "people log in at several issuers; choose one with --issuer: {}",
            names.join(", ")
        ))),
        (None, _) if names.is_empty() => Err(odd()),
        (None, _) => Err(Failure::Usage(format!(
            "there is no such issuer; choose one with --issuer: {}",
            names.join(", ")
        ))),
    }
}

/// A false server could name an issuer and a parameter by which people log in for the true one, and be sent the token.
fn check_parameter(url: &BaseUrl, name: &str, value: &str) -> Result<(), Failure> {
    let is_audience = matches!(name, "resource" | "audience");
    let is_url = value.contains("://");
    let is_own = value
        .strip_prefix(url.origin())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_audience && is_url && !is_own {
        return Err(Failure::Login(format!(
            "the server at {url} would have you log in for {value}, which is another one; ask the operator"
        )));
    }
    Ok(())
}

/// The addresses in an issuer's configuration; where there is none, those that the existing command line takes.
fn endpoints(issuer: &str, has_usual_paths: bool) -> Result<Endpoints, Failure> {
    let bare = issuer.strip_suffix('/').unwrap_or(issuer);
    let answer = get(&format!("{bare}/.well-known/openid-configuration"))?;
    if answer.status == 404 && has_usual_paths {
        return Ok(Endpoints {
            device: format!("{bare}/devicecode"),
            token: format!("{bare}/token"),
            revocation: None,
            registration: Some(format!("{bare}/register")),
        });
    }
    // Of another issuer's document, the tokens would go to that one.
    if answer
        .text("issuer")
        .map(|named| named.trim_end_matches('/'))
        != Some(bare.trim_end_matches('/'))
    {
        return Err(Failure::Login(format!(
            "{issuer} has no configuration, or one of another issuer"
        )));
    }
    let endpoint = |name: &str| {
        answer.text(name).map(str::to_owned).ok_or_else(|| {
            Failure::Login(format!(
                "{issuer} has no {name}, which logging in here needs"
            ))
        })
    };
    Ok(Endpoints {
        device: endpoint("device_authorization_endpoint")?,
        token: endpoint("token_endpoint")?,
        revocation: answer.text("revocation_endpoint").map(str::to_owned),
        registration: answer.text("registration_endpoint").map(str::to_owned),
    })
}

/// Registers a client of this user's own (RFC 7591), and keeps the answer where the existing command line has it.
fn register(endpoint: &str) -> Result<OAuthClient, Failure> {
    let wanted = serde_json::json!({
        "client_name": "prominence",
        "redirect_uris": [],
        "response_types": [],
        "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        // The existing command line needs a secret.
        "token_endpoint_auth_method": "client_secret_basic",
    });
    let oauth = OAuth::new(endpoint)?;
    let answer = oauth.json(endpoint, &wanted);
    let answer = answer.map_err(|error| Failure::Login(error.to_string()))?;
    let (Some(id), Some(secret)) = (answer.text("client_id"), answer.text("client_secret")) else {
        return Err(Failure::Login(format!(
            "{endpoint} does not register a client (status {})",
            answer.status
        )));
    };
    let client = OAuthClient {
        id: id.to_owned(),
        secret: Some(secret.to_owned()),
    };
    super::keep_client(answer.body)?;
    Ok(client)
}

fn get(url: &str) -> Result<OAuthAnswer, Failure> {
    OAuth::new(url)?
        .get(url)
        .map_err(|error| Failure::Login(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if the audience that a server demands is not compared with its address.
    #[test]
    fn a_login_is_for_this_server_alone() {
        let url = BaseUrl::parse("https://kv.example.org/prominence/v1").unwrap();
        for (name, value) in [
            ("resource", "https://kv.example.org"),
            ("resource", "https://kv.example.org/prominence/v1"),
            ("audience", "prominence-kv"),
            ("prompt", "https://elsewhere.example.org"),
        ] {
            assert!(check_parameter(&url, name, value).is_ok(), "{value}");
        }
        for value in [
            "https://kv.example.org.evil.example.org",
            "https://elsewhere.example.org",
            "http://kv.example.org",
            "https://kv.example.org:8443",
        ] {
            for name in ["resource", "audience"] {
                assert!(check_parameter(&url, name, value).is_err(), "{value}");
            }
        }
    }
}
