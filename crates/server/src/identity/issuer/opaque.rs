//! What an issuer says of a token: by introspection (RFC 7662), and by its userinfo endpoint (OpenID Connect Core,
//! section 5.3).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prominence_api::path::query_value;
use serde_json::Value;

use super::ask::{Answer, Ask, Line, NoAnswer};
use super::counters::Endpoint;
use super::keys::Keys;
use crate::failure::Sampler;
use crate::identity::token::{Members, Rejected};

/// The time to wait after an issuer has answered with an error.
const AFTER_ERROR: Duration = Duration::from_secs(10);

/// Lines of the log that tokens cause.
static REFUSALS: Sampler = Sampler::new();
static NO_ANSWERS: Sampler = Sampler::new();

/// The questions about tokens.
pub(super) struct Oracle {
    /// For the log.
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) line: Arc<Line>,
    pub(super) keys: Arc<Keys>,
}

impl Oracle {
    /// The claims that introspection answers for a token, as this client.
    pub(super) async fn introspect(
        &self,
        (client_id, secret): (&str, &str),
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<Members, Rejected> {
        let endpoints = self.keys.endpoints().await;
        let url = endpoints.and_then(|endpoints| endpoints.introspection.clone());
        let url =
            url.ok_or_else(|| self.unavailable("it is not known where to ask for introspection"))?;
        // RFC 6749, section 2.3.1: both are encoded as in a form first.
        let client = format!("{}:{}", query_value(client_id), query_value(secret));
        let ask = Ask {
            endpoint: Endpoint::Introspection,
            url,
            authorization: Some(format!("Basic {}", BASE64_STANDARD.encode(client))),
            form: Some(format!(
                "token={}&token_type_hint=access_token",
                query_value(token)
            )),
        };
        let answer = self.line.ask(ask, from).await;
        let answer = answer.map_err(|no_answer| self.no_answer(&no_answer))?;
        let claims = match answer {
            Answer {
                status: 200,
                json: Some(Value::Object(claims)),
                ..
            } => claims,
            Answer {
                status: 401 | 403, ..
            } => {
                let issuer = &self.name;
                REFUSALS.write(|left_out| {
                    tracing::error!(
                        issuer,
                        left_out,
                        "the issuer refuses this service's client-id and client-secret-file for introspection"
                    );
                });
                return Err(Rejected::Unavailable(AFTER_ERROR));
            }
            _ => return Err(self.unavailable("its answer to introspection is not JSON")),
        };
        match claims.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Err(Rejected::Inactive),
            _ => {
                return Err(self
                    .unavailable("its answer to introspection does not say whether it is active"));
            }
        }
        match claims.get("iss") {
            None => {}
            Some(Value::String(issuer)) if *issuer == self.issuer => {}
            Some(_) => return Err(Rejected::Inactive),
        }
        Ok(Members::of(claims))
    }

    /// The claims of the user, as the userinfo endpoint answers them.
    pub(super) async fn userinfo(
        &self,
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<Members, Rejected> {
        let endpoints = self.keys.endpoints().await;
        let url = endpoints.and_then(|endpoints| endpoints.userinfo.clone());
        let url =
            url.ok_or_else(|| self.unavailable("it is not known where to ask for userinfo"))?;
        let ask = Ask {
            endpoint: Endpoint::Userinfo,
            url,
            authorization: Some(format!("Bearer {token}")),
            form: None,
        };
        let answer = self.line.ask(ask, from).await;
        let answer = answer.map_err(|no_answer| self.no_answer(&no_answer))?;
        match answer {
            Answer {
                status: 200,
                json: Some(Value::Object(claims)),
                ..
            } => Ok(Members::of(claims)),
            Answer { status: 401, .. } => Err(Rejected::Inactive),
            Answer { status, .. } => Err(self.unavailable(&format!(
                "its answer of userinfo has status {status}, or is not JSON"
            ))),
        }
    }

    fn no_answer(&self, no_answer: &NoAnswer) -> Rejected {
        let (issuer, cause) = (&self.name, &no_answer.cause);
        NO_ANSWERS.write(|left_out| {
            tracing::warn!(
                issuer,
                cause,
                left_out,
                "the issuer can't be asked about a token"
            );
        });
        Rejected::Unavailable(no_answer.retry_after)
    }

    fn unavailable(&self, cause: &str) -> Rejected {
        self.no_answer(&NoAnswer {
            retry_after: AFTER_ERROR,
            cause: cause.to_owned(),
        })
    }
}

/// Checks that userinfo speaks of the token's own user, where the token names one (section 5.3.2).
pub(super) fn check_subject(token: &Members, info: &Members) -> Result<(), Rejected> {
    match token.get("sub") {
        None => Ok(()),
        own if own == info.get("sub") => Ok(()),
        Some(_) => Err(Rejected::Inactive),
    }
}
