//! The page's login: where a browser is sent, and the exchange of the code that it comes back with for a token
//! (RFC 6749, section 4.1; RFC 7636).
//!
//! The service asks the issuer, so that the page talks to its own origin only, and issuers that demand a secret can be
//! used.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::future::join_all;
use prominence_api::PageLogin;
use prominence_api::path::query_value;
use serde_json::{Map, Value};

use super::Issuers;
use super::ask::{Answer, Ask};
use super::config::WebClient;
use super::counters::Endpoint;
use super::verification::Issuer;

/// The time to wait after an issuer has answered with something else.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// The code with which a browser comes back, and the verifier that the page has kept meanwhile.
pub(crate) struct Code<'a> {
    pub(crate) code: &'a str,
    pub(crate) verifier: &'a str,
    /// The page's address, to which the issuer has sent the browser.
    pub(crate) redirect_uri: &'a str,
}

/// The reason why there is no token.
pub(crate) enum CodeError {
    /// There is no such issuer with a login for the page.
    NoSuchIssuer,
    /// The issuer does not accept the code, or not any more.
    Refused,
    /// The issuer can't be asked.
    Unavailable(Duration),
}

impl Issuers {
    /// The logins that the page at this address offers, of issuers whose endpoints are known or can be asked for now. One
    /// that does not answer costs the time limit of one question, however many there are.
    pub(crate) async fn page_logins(&self, page: &str) -> Vec<PageLogin> {
        let logins = self.all.iter().map(async |issuer| {
            let (web, scopes) = web_client(issuer)?;
            let endpoints = issuer.keys.endpoints().await?;
            Some(PageLogin {
                name: issuer.config.name.clone(),
                title: issuer.config.title.clone(),
                issuer: issuer.config.issuer.clone(),
                client_id: web.id.clone(),
                scopes: scopes.to_vec(),
                authorization_endpoint: endpoints.authorization.clone()?,
                redirect_uri: page.to_owned(),
            })
        });
        join_all(logins).await.into_iter().flatten().collect()
    }

    /// Exchanges a code at the issuer of this name. Answers what the issuer answers.
    pub(crate) async fn exchange(
        &self,
        name: &str,
        code: &Code<'_>,
        from: Option<IpAddr>,
    ) -> Result<Map<String, Value>, CodeError> {
        let issuer = self.all.iter().find(|issuer| issuer.config.name == name);
        let issuer = issuer.ok_or(CodeError::NoSuchIssuer)?;
        let (web, _) = web_client(issuer).ok_or(CodeError::NoSuchIssuer)?;
        let endpoints = issuer.keys.endpoints().await;
        let url = endpoints.and_then(|found| found.token.clone());
        let url = url.ok_or(CodeError::Unavailable(AFTER_ERROR))?;
        let answer = issuer.line.ask(request(url, web, code), from).await;
        let answer = answer.map_err(|no_answer| {
            let cause = &no_answer.cause;
            tracing::warn!(
                issuer = name,
                cause,
                "the issuer can't be asked for a token"
            );
            CodeError::Unavailable(no_answer.retry_after)
        })?;
        match answer {
            Answer {
                status: 200,
                json: Some(Value::Object(answer)),
                ..
            } => Ok(answer),
            Answer {
                status: 400,
                json: Some(answer),
                ..
            } if answer.get("error") == Some(&Value::from("invalid_grant")) => {
                Err(CodeError::Refused)
            }
            Answer { status, .. } => {
                tracing::error!(
                    issuer = name,
                    status,
                    "the issuer refuses the exchange of a code"
                );
                Err(CodeError::Unavailable(AFTER_ERROR))
            }
        }
    }
}

/// The client of the page at an issuer, and its scopes.
fn web_client(issuer: &Issuer) -> Option<(&WebClient, &[String])> {
    let login = issuer.config.login.as_ref()?;
    Some((login.web.as_ref()?, &login.scopes))
}

fn request(url: String, web: &WebClient, code: &Code<'_>) -> Ask {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.code),
        ("code_verifier", code.verifier),
        ("redirect_uri", code.redirect_uri),
        ("client_id", &web.id),
    ];
    let field = |(name, value): (&str, &str)| format!("{name}={}", query_value(value));
    // RFC 6749, section 2.3.1: both are encoded as in a form first.
    let basic = |secret: &String| {
        let client = format!("{}:{}", query_value(&web.id), query_value(secret));
        format!("Basic {}", BASE64_STANDARD.encode(client))
    };
    Ask {
        endpoint: Endpoint::Token,
        url,
        authorization: web.secret.as_ref().map(basic),
        form: Some(fields.map(field).join("&")),
    }
}
