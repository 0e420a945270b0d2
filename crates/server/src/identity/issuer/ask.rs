//! Requests to an issuer, within limits: of time, of size, of number, and of what counts as an answer.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use prominence_core::Clock;
use serde_json::Value;
use tokio::sync::Semaphore;
use ureq::Agent;
use ureq::http::{self, header};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::circuit::Circuit;
use super::counters::{Counters, Endpoint, Outcome};
use crate::identity::source::Source;

/// For everything: waiting for a place, resolving the name, and reading the answer.
const WITHIN: Duration = Duration::from_secs(3);

/// The longest answer. A set of a hundred keys has some 60 KiB.
const MAX_ANSWER_BYTES: u64 = 256 * 1_024;

/// Requests to one issuer at once.
const AT_ONCE: usize = 32;

/// Requests to one issuer a second, and those of them that one client's tokens cause, with bursts.
const PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);
const PER_SECOND_OF_CLIENT: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const BURST_OF_CLIENT: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);

/// After this many requests clients whose buckets are full again are removed from the table.
const REQUESTS_BETWEEN_CLEANINGS: u32 = 10_000;

/// The time for which a caller waits who was refused for the number of requests.
const BUSY: Duration = Duration::from_secs(1);

/// The way to an issuer.
pub(super) struct Line {
    agent: Agent,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    rate: DefaultDirectRateLimiter,
    clients: DefaultKeyedRateLimiter<Source>,
    until_cleaning: AtomicU32,
    circuits: [Circuit; Endpoint::ALL.len()],
    counters: Arc<Counters>,
}

/// A request.
pub(super) struct Ask {
    pub(super) endpoint: Endpoint,
    pub(super) url: String,
    /// The header `Authorization`.
    pub(super) authorization: Option<String>,
    /// A form, which is posted; without one the request is a GET.
    pub(super) form: Option<String>,
}

/// An answer: its status, what it is, and how long it may be kept.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The JSON, if it is JSON.
    pub(super) json: Option<Value>,
    pub(super) max_age: Option<Duration>,
}

/// The issuer can't be asked, or has not answered.
#[derive(Clone, Debug)]
pub(super) struct NoAnswer {
    pub(super) retry_after: Duration,
    /// For the log.
    pub(super) cause: String,
}

/// The reason why the authorities of an issuer can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// The file can't be read.
    #[error("cannot be read: {0}")]
    Read(std::io::Error),
    /// There is no certificate in it.
    #[error("has no certificate in PEM form")]
    NoCertificate,
}

impl Line {
    /// A way to an issuer, trusting the authorities of a file or those of this machine.
    pub(super) fn new(
        authorities: Option<&Path>,
        clock: Arc<dyn Clock>,
        counters: Arc<Counters>,
    ) -> Result<Self, AuthoritiesError> {
        let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(root_certificates(authorities)?)
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would carry tokens and the client's secret to somewhere else.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(WITHIN))
            .max_idle_connections_per_host(AT_ONCE)
            .proxy(None)
            .tls_config(tls)
            .user_agent(concat!("prominence/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let of_client = Quota::per_second(PER_SECOND_OF_CLIENT).allow_burst(BURST_OF_CLIENT);
        Ok(Self {
            agent,
            clock,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            rate: RateLimiter::direct(Quota::per_second(PER_SECOND)),
            clients: RateLimiter::keyed(of_client),
            until_cleaning: AtomicU32::new(REQUESTS_BETWEEN_CLEANINGS),
            circuits: Default::default(),
            counters,
        })
    }

    /// Asks, on behalf of a client's token or for the service itself.
    pub(super) async fn ask(&self, ask: Ask, client: Option<IpAddr>) -> Result<Answer, NoAnswer> {
        let endpoint = ask.endpoint;
        let circuit = &self.circuits[endpoint as usize];
        let refused = |retry_after, cause: &str| NoAnswer {
            retry_after,
            cause: cause.to_owned(),
        };
        if !self.admit(client) {
            self.counters.asked(endpoint, Outcome::Limited);
            return Err(refused(BUSY, "too many requests to the issuer"));
        }
        circuit.admit(self.clock.now()).map_err(|wait| {
            self.counters.asked(endpoint, Outcome::CircuitOpen);
            refused(wait, "the issuer has not answered lately")
        })?;
        let answered = match tokio::time::timeout(WITHIN, self.send(ask)).await {
            Ok(answered) => answered,
            Err(_elapsed) => Err("it did not answer in time".to_owned()),
        };
        match answered {
            Ok(answer) if is_answer(answer.status) => {
                circuit.succeeded();
                self.counters.asked(endpoint, Outcome::Answered);
                Ok(answer)
            }
            other => {
                circuit.failed(self.clock.now());
                self.counters.asked(endpoint, Outcome::Failed);
                let cause = match other {
                    Ok(answer) => format!("it answered with status {}", answer.status),
                    Err(cause) => cause,
                };
                Err(refused(BUSY, &cause))
            }
        }
    }

    /// Which circuits are open.
    pub(super) fn is_open(&self, endpoint: Endpoint) -> bool {
        self.circuits[endpoint as usize].is_open()
    }

    /// Takes a request from the rates.
    fn admit(&self, client: Option<IpAddr>) -> bool {
        if self.until_cleaning.fetch_sub(1, Ordering::Relaxed) == 1 {
            let all = REQUESTS_BETWEEN_CLEANINGS;
            self.until_cleaning.store(all, Ordering::Relaxed);
            self.clients.retain_recent();
        }
        // The client's first, so that one that sends nonsense takes nothing from the others.
        let of_client =
            client.is_none_or(|client| self.clients.check_key(&Source::of(client)).is_ok());
        of_client && self.rate.check().is_ok()
    }

    /// Sends it on a thread that may block.
    async fn send(&self, ask: Ask) -> Result<Answer, String> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| error.to_string())?;
        let agent = self.agent.clone();
        let sent = tokio::task::spawn_blocking(move || {
            let answer = send(&agent, &ask).map_err(|error| error.to_string());
            // It is taken until the thread is free again, also where nobody waits for the answer any more.
            drop(place);
            answer
        });
        sent.await.map_err(|error| error.to_string())?
    }
}

/// True if a status is an answer of the issuer about what was asked, rather than of its trouble.
fn is_answer(status: u16) -> bool {
    matches!(status, 200 | 400 | 401 | 403 | 404)
}

fn send(agent: &Agent, ask: &Ask) -> Result<Answer, ureq::Error> {
    let mut builder = http::Request::builder()
        .uri(&ask.url)
        .header(header::ACCEPT, "application/json");
    if let Some(authorization) = &ask.authorization {
        builder = builder.header(header::AUTHORIZATION, authorization);
    }
    let mut response = match &ask.form {
        Some(form) => {
            let form_type = "application/x-www-form-urlencoded";
            let builder = builder
                .method("POST")
                .header(header::CONTENT_TYPE, form_type);
            agent.run(builder.body(form.as_str())?)?
        }
        None => agent.run(builder.body(())?)?,
    };
    let max_age = max_age(response.headers());
    let body = response.body_mut().with_config().limit(MAX_ANSWER_BYTES);
    let text = body.read_to_vec()?;
    Ok(Answer {
        status: response.status().as_u16(),
        json: serde_json::from_slice(&text).ok(),
        max_age,
    })
}

/// `max-age` of `Cache-Control` (RFC 9111, section 5.2.2.1).
fn max_age(headers: &http::HeaderMap) -> Option<Duration> {
    let directives = headers.get_all(header::CACHE_CONTROL).iter();
    let mut directives = directives.filter_map(|value| value.to_str().ok());
    directives.find_map(|directives| {
        let mut directives = directives.split(',');
        directives.find_map(|directive| {
            let (name, value) = directive.trim().split_once('=')?;
            let seconds = value.trim_matches('"').parse().ok()?;
            name.eq_ignore_ascii_case("max-age")
                .then(|| Duration::from_secs(seconds))
        })
    })
}

fn root_certificates(file: Option<&Path>) -> Result<RootCerts, AuthoritiesError> {
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs().certs;
        let found = found
            .iter()
            .map(|one| Certificate::from_der(one).to_owned());
        let found: Vec<_> = found.collect();
        // An issuer at a loopback address needs none; one that does fails to be reached.
        return Ok(RootCerts::Specific(Arc::new(found)));
    };
    let pem = std::fs::read(file).map_err(AuthoritiesError::Read)?;
    let certificates = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let certificates: Vec<_> = certificates.collect();
    if certificates.is_empty() {
        return Err(AuthoritiesError::NoCertificate);
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
