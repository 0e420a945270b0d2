//! Requests of one user to a running server.

use std::fmt;
use std::time::Duration;

/// A user at a server, with a token.
#[derive(Clone)]
pub struct Client {
    url: String,
    token: String,
    agent: ureq::Agent,
}

/// The error of a request that got no answer.
#[derive(Debug)]
pub struct Lost(String);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn lost(error: ureq::Error) -> Lost {
    Lost(error.to_string())
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into()
}

impl Client {
    pub(crate) fn new(url: String, token: String) -> Self {
        Self {
            url,
            token,
            agent: agent(),
        }
    }

    /// The same server with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same user at another URL.
    pub fn moved(&self, url: &str) -> Self {
        Self::new(url.to_owned(), self.token.clone())
    }

    /// Sends a request; returns status and body.
    ///
    /// # Errors
    /// Where no answer came.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Lost> {
        let response = self.exchange(method, path, body)?;
        let status = response.status().as_u16();
        Ok((status, whole(response)?))
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<ureq::http::Response<ureq::Body>, Lost> {
        self.exchange_as(None, method, path, body)
    }

    fn exchange_as(
        &self,
        media_type: Option<&str>,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<ureq::http::Response<ureq::Body>, Lost> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.token));
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let request = request.body(body).unwrap();
        self.agent.run(request).map_err(lost)
    }

    /// Sends JSON.
    #[track_caller]
    pub fn send_json(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let response = self.exchange_as(Some("application/json"), method, path, body.as_bytes());
        let response = response.unwrap();
        let status = response.status().as_u16();
        let body = whole(response).unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends a request that must be answered; returns the status, `Retry-After`, and the body.
    #[track_caller]
    pub fn ask_when(&self, method: &str, path: &str, body: &[u8]) -> (u16, Option<String>, String) {
        let response = self.exchange(method, path, body).unwrap();
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let wait = header.map(|wait| wait.to_str().unwrap().to_owned());
        let body = whole(response).unwrap();
        (status, wait, String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends a request that must be answered; returns the status and the body.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, String) {
        let (status, body) = self.send(method, path, body.as_ref()).unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

/// All of a body.
fn whole(mut response: ureq::http::Response<ureq::Body>) -> Result<Vec<u8>, Lost> {
    let body = response.body_mut().with_config().limit(u64::MAX);
    body.read_to_vec().map_err(lost)
}
