//! A client, and its requests, each sent once.

use std::sync::Arc;
use std::time::Duration;

use prominence_api::ErrorCode;
use ureq::http::{self, HeaderName, HeaderValue, Method, header};
use ureq::{Agent, AsSendBody};

use crate::agent;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Timeouts};
use crate::error::{Error, Fate, fate_of};
use crate::explain::no_http;
use crate::notice::{Notice, Notices};
use crate::proxy::{Passage, Proxy};
use crate::reply::{MAX_SMALL, Reply};
use crate::retry::Repeat;
use crate::token::Token;
use crate::transport::cut_off;

/// A connection to the service as one user. Cheap to clone; connections are kept open and shared.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    notices: Arc<Notices>,
    retry_for: Duration,
    proxy: Option<Arc<Proxy>>,
}

/// A request to the server.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    /// Relative to the base URL, with the query string.
    pub(crate) target: String,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) repeat: Repeat,
    /// The largest number of bytes of an answer.
    pub(crate) limit: u64,
    /// The time that the server may wait before it answers.
    pub(crate) held: Duration,
}

impl Client {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// For an `https` URL, if there are no certificate authorities to check the server with; and if an environment
    /// variable for a proxy is not valid.
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::with_clock(config, SystemClock::new())
    }

    /// A client with its own clock for deadlines and pauses. The time limits of connections use the machine's clock.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_clock(config: Config, clock: impl Clock + 'static) -> Result<Self, Error> {
        Self::build(config, Arc::new(clock))
    }

    /// The same client with other limits on silence, and with its own connections.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_timeouts(&self, timeouts: Timeouts) -> Result<Self, Error> {
        let config = Config {
            timeouts,
            ..(*self.config).clone()
        };
        let built = Self::build(config, Arc::clone(&self.clock))?;
        Ok(Self {
            notices: Arc::clone(&self.notices),
            retry_for: self.retry_for,
            ..built
        })
    }

    /// The same client and connections, with another time for which requests that are answered at once are repeated.
    #[must_use]
    pub fn with_retry_for(&self, retry_for: Duration) -> Self {
        Self {
            retry_for,
            ..self.clone()
        }
    }

    /// The time for which requests that are answered at once are repeated.
    #[must_use]
    pub fn retry_for(&self) -> Duration {
        self.retry_for
    }

    /// True if a request of this client or of a clone was repeated. The first try may then have been executed although
    /// the last answer does not show it.
    #[must_use]
    pub fn has_repeated(&self) -> bool {
        self.notices.has_repeated()
    }

    fn build(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let (agent, proxy) = agent::build(&config)?;
        Ok(Self {
            agent,
            proxy: proxy.map(Arc::new),
            retry_for: config.retry_for,
            config: Arc::new(config),
            clock,
            notices: Arc::default(),
        })
    }

    /// The error for an answer with a status of success that is not valid.
    pub(crate) fn bad_answer(&self, what: impl Into<String>, fate: Fate) -> Error {
        Error::BadAnswer {
            url: self.config.url.to_string(),
            what: what.into(),
            fate,
        }
    }

    /// Sends a request once.
    pub(crate) fn attempt(&self, request: &Request<'_>) -> Result<Reply, Error> {
        let response = self.open(request)?;
        Reply::read(response, request).map_err(|cause| self.failed(request, cut_off(cause)))
    }

    /// The same, with a body that is not read yet. If the token is refused and its file has another one by now, the
    /// request is sent with that one.
    pub(crate) fn open(&self, request: &Request<'_>) -> Result<http::Response<ureq::Body>, Error> {
        let mut token = self.config.credentials.current();
        loop {
            let response = self.open_as(request, &token)?;
            if response.status() != http::StatusCode::UNAUTHORIZED {
                return Ok(response);
            }
            match self.config.credentials.instead_of(&token) {
                Some(other) => token = other,
                None => return Ok(response),
            }
        }
    }

    fn open_as(
        &self,
        request: &Request<'_>,
        token: &Token,
    ) -> Result<http::Response<ureq::Body>, Error> {
        let mut builder = http::Request::builder()
            .method(&request.method)
            .uri(format!("{}{}", self.config.url, request.target))
            .header(
                header::AUTHORIZATION,
                secret(format!("Bearer {}", token.reveal())),
            );
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(proxy) = self.forwarding() {
            builder = builder.header(header::CONNECTION, "close");
            if let Some(authorization) = proxy.authorization() {
                builder = builder.header(header::PROXY_AUTHORIZATION, secret(authorization));
            }
        }
        let response = match request.body {
            Some(body) => builder
                .body(body)
                .map_err(ureq::Error::from)
                .and_then(|built| self.agent.run(self.patient(built, request))),
            None => builder
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|built| self.agent.run(self.patient(built, request))),
        };
        response.map_err(|cause| self.failed(request, cause))
    }

    /// The proxy, if it forwards requests.
    fn forwarding(&self) -> Option<&Proxy> {
        let proxy = self.proxy.as_deref()?;
        matches!(proxy.passage(&self.config.url), Passage::Forward(_)).then_some(proxy)
    }

    /// The error for a failure of the transport.
    pub(crate) fn failed(&self, request: &Request<'_>, cause: ureq::Error) -> Error {
        let fate = request.fate(fate_of(&cause));
        match cause {
            ureq::Error::Protocol(_) => self.bad_answer(no_http(self.url()), fate),
            ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => {
                self.bad_answer(cause.to_string(), fate)
            }
            cause => Error::Unreachable {
                url: self.url().to_owned(),
                through: self.proxy.as_ref().map(ToString::to_string),
                cause: Box::new(cause),
                fate,
            },
        }
    }

    /// The address of the service, for messages.
    pub(crate) fn url(&self) -> &str {
        self.config.url.as_str()
    }

    /// The clock of its deadlines.
    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Sends a notice of a request that has failed since `since` and now pauses for `pause`.
    pub(crate) fn tell(&self, notice: &Notice<'_>, pause: Duration, since: Duration) {
        let times = (since, self.clock.now());
        self.notices
            .tell(&self.config.on_notice, notice, pause, times);
    }

    /// Adds the token's file and end to the error of a refused token.
    pub(crate) fn with_token_named(&self, mut error: Error) -> Error {
        if let Error::Unauthenticated(refusal) = &mut error
            && let Some(remark) = self.config.credentials.remark()
        {
            refusal.message.push_str("; ");
            refusal.message.push_str(&remark);
        }
        error
    }

    /// If the server has no route at this address, adds the setting with the URL, and the URL that was probably meant.
    pub(crate) fn with_url_named(&self, mut error: Error) -> Error {
        let Config { url, url_from, .. } = &*self.config;
        if let Error::Failed { refusal, .. } = &mut error
            && refusal.code == Some(ErrorCode::NotFound)
            && let Some(meant) = url.meant()
        {
            let message = &mut refusal.message;
            message.push_str(&match url_from {
                Some(from) => format!("; the URL {url} comes from {from}; write {meant} there"),
                None => format!("; the URL is {url}; write {meant}"),
            });
        }
        error
    }

    /// Waits for the answer for the time that the server may hold the request, plus the usual time limit. The limit for
    /// a single read applies while the answer is waited for, too.
    fn patient<S: AsSendBody>(
        &self,
        built: http::Request<S>,
        request: &Request<'_>,
    ) -> http::Request<S> {
        let until_answered = self.config.timeouts.silence + request.held;
        self.agent
            .configure_request(built)
            .timeout_recv_response(Some(until_answered))
            .timeout_per_read(Some(until_answered))
            .build()
    }
}

/// A header that is not printed with its request.
fn secret(text: String) -> HeaderValue {
    // Tokens have only characters that are allowed in a header.
    let value = HeaderValue::try_from(text);
    let mut value = value.unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
    value.set_sensitive(true);
    value
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Request<'_> {
    /// A request without a body that changes nothing.
    pub(crate) fn read(target: String, limit: u64) -> Self {
        Request {
            method: Method::GET,
            target,
            headers: Vec::new(),
            body: None,
            repeat: Repeat::Safe,
            limit,
            held: Duration::ZERO,
        }
    }

    /// A request with an empty body that changes something and has a short answer.
    pub(crate) fn change(method: Method, target: String, repeat: Repeat) -> Self {
        Request {
            method,
            target,
            headers: Vec::new(),
            body: Some(&[]),
            repeat,
            limit: MAX_SMALL,
            held: Duration::ZERO,
        }
    }

    /// The fate of the requested change if the transport or the server does not tell it: a read changes nothing.
    pub(crate) fn fate(&self, fate: Fate) -> Fate {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        if reads { Fate::NotApplied } else { fate }
    }
}
