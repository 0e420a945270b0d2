//! Requests to an issuer of tokens: its configuration, and the forms of OAuth 2.0 (RFC 6749, 7009 and 8628).
//!
//! A library for OAuth would bring some forty crates into the small client for three forms of a few fields each.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use ureq::Agent;
use ureq::http::header;

use crate::config::Certificates;
use crate::error::Error;
use crate::tls;

/// The longest time of a request. Somebody waits for a command meanwhile.
const WITHIN: Duration = Duration::from_secs(10);

/// Bytes of the longest answer that makes sense.
const MAX_ANSWER: u64 = 256 << 10;

/// Sends requests to issuers. The certificates of issuers are always checked, by the authorities of the machine.
pub struct OAuth {
    agent: Agent,
}

/// The client as which an issuer is asked.
#[derive(Clone)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// Its secret, where it is not a public client.
    pub secret: Option<String>,
}

/// An answer: a JSON object.
#[derive(Clone, Default)]
pub struct OAuthAnswer {
    /// The status.
    pub status: u16,
    /// The object; empty where there is none.
    pub body: Map<String, Value>,
}

/// The reason why there is no answer. It never repeats what was sent.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach {host}: {cause}")]
pub struct OAuthError {
    host: String,
    cause: Box<ureq::Error>,
}

/// Shows the client, and never its secret.
impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OAuthClient");
        shown.field("id", &self.id).finish_non_exhaustive()
    }
}

/// Shows the status, and never the tokens of the body.
impl fmt::Debug for OAuthAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("OAuthAnswer");
        shown.field("status", &self.status).finish_non_exhaustive()
    }
}

impl OAuthAnswer {
    /// A text in the answer.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.body.get(name)?.as_str()
    }

    /// A number in the answer; some issuers write it as text.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        let value = self.body.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }
}

impl OAuth {
    /// Prepares requests to this URL and others of the same issuer. Nothing is sent yet.
    ///
    /// # Errors
    /// If there are no certificate authorities for an `https` URL.
    pub fn new(url: &str) -> Result<Self, Error> {
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry a token to somewhere else than the issuer named.
            .max_redirects(0)
            .timeout_global(Some(WITHIN))
            .user_agent(concat!("prominence/", env!("CARGO_PKG_VERSION")));
        if url.starts_with("https:") {
            agent = agent.tls_config(tls::config(&Certificates::Verified)?);
        }
        Ok(Self {
            agent: agent.build().into(),
        })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn get(&self, url: &str) -> Result<OAuthAnswer, OAuthError> {
        let answer = self
            .agent
            .get(url)
            .header(header::ACCEPT, "application/json");
        read(url, answer.call())
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn json(&self, url: &str, content: &Value) -> Result<OAuthAnswer, OAuthError> {
        let request = self
            .agent
            .post(url)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/json");
        read(url, request.send(content.to_string().as_bytes()))
    }

    /// Sends a form.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn form(
        &self,
        url: &str,
        client: &OAuthClient,
        fields: &[(&str, &str)],
    ) -> Result<OAuthAnswer, OAuthError> {
        let field = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
        let mut form: Vec<_> = fields.iter().map(field).collect();
        let mut request = self
            .agent
            .post(url)
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        // RFC 6749, section 2.3.1: a public client names itself in the form.
        match &client.secret {
            None => form.push(field(&("client_id", &client.id))),
            Some(secret) => {
                let both = format!("{}:{}", encode(&client.id), encode(secret));
                let basic = format!("Basic {}", BASE64_STANDARD.encode(both));
                request = request.header(header::AUTHORIZATION, basic);
            }
        }
        read(url, request.send(form.join("&").as_bytes()))
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn read(
    url: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<OAuthAnswer, OAuthError> {
    let failed = |cause| OAuthError {
        host: host(url),
        cause: Box::new(cause),
    };
    let mut answer = answer.map_err(failed)?;
    let body = answer.body_mut().with_config().limit(MAX_ANSWER);
    let bytes = body.read_to_vec().map_err(failed)?;
    Ok(OAuthAnswer {
        status: answer.status().as_u16(),
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}

/// The host in a URL, for messages.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default().to_owned()
}
