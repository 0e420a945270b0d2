//! The steps around every request: its id, its span, its deadline, panics, metrics, and the headers of all answers.
//!
//! One function around the router rather than a layer of it for each purpose: each layer boxes
//! its future and clones what is below it, and together they cost more than a handler does.

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::FutureExt as _;
use prominence_api::{ErrorCode, name};
use tracing::{Instrument as _, Level, Span};

use crate::app::App;
use crate::failure::Failure;
use crate::request::id::{REQUEST_ID, request_id};
use crate::request::log::RefusalReason;
use crate::wait::connection::Standing;
use crate::wait::long_poll::RequestDeadline;

/// A request that is being answered.
pub(super) struct InFlight {
    started: Instant,
    /// The address of the client, if it is logged.
    client: Option<IpAddr>,
    method: Method,
    id: HeaderValue,
    is_private: bool,
}

impl InFlight {
    /// A request whose answer began at this instant, on this connection.
    pub(super) fn since<B>(
        started: Instant,
        request: &axum::http::Request<B>,
        standing: &Standing,
    ) -> Self {
        let is_logged = tracing::enabled!(Level::DEBUG);
        Self {
            started,
            client: is_logged.then(|| standing.client(request.headers())),
            method: request.method().clone(),
            id: request_id(request.headers()),
            is_private: request.uri().path().starts_with(name::BASE),
        }
    }

    /// The span of this request: every line of the log within it has the request's id.
    fn span(&self) -> Span {
        tracing::info_span!("request", request_id = %self.id(), method = %self.method)
    }

    /// An id has only ASCII letters, digits and a few signs.
    fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// Completes and counts an answer: writes out a failure, and the headers that depend on the request's id or are
    /// the same for all answers. The time of a long poll does not count.
    pub(super) fn complete(
        self,
        app: &App,
        handled: Result<Response, Failure>,
        paused_for: Duration,
    ) -> Response {
        let mut response = match handled {
            Ok(mut response) => match response.extensions_mut().remove::<Failure>() {
                Some(failure) => {
                    let allow = response.headers_mut().remove(header::ALLOW);
                    let mut response = self.refuse(failure);
                    if let Some(allow) = allow {
                        response.headers_mut().insert(header::ALLOW, allow);
                    }
                    response
                }
                None => response,
            },
            Err(failure) => self.refuse(failure),
        };
        if self.is_private {
            keep_private(&mut response);
        }
        if response.status() == StatusCode::UNAUTHORIZED
            && let Some(login) = app.login.load().as_ref()
        {
            login.add_to_challenge(response.headers_mut());
        }
        // The time that a caller chose to wait says nothing about how fast the server is.
        let took = self.started.elapsed().saturating_sub(paused_for);
        app.metrics.answered(&self.method, response.status(), took);
        if tracing::enabled!(Level::DEBUG) {
            self.log_answer(response.status(), took);
        }
        sign(&mut response, self.id);
        response
    }

    /// The answer that says what failed.
    fn refuse(&self, failure: Failure) -> Response {
        if failure.status().is_server_error() {
            self.in_span(|| failure.log());
        }
        let is_of_caller = matches!(
            failure.status(),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        let reason = is_of_caller.then(|| RefusalReason(failure.message().to_owned()));
        let mut response = failure.render(&self.method, self.id());
        if let Some(reason) = reason {
            response.extensions_mut().insert(reason);
        }
        if self.method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        response
    }

    /// A line of the log for each answer; its span names the request.
    #[cold]
    fn log_answer(&self, status: StatusCode, took: Duration) {
        let client = self.client.map(tracing::field::display);
        self.in_span(|| tracing::debug!(status = status.as_u16(), ?took, client, "answered"));
    }

    /// Does something in the span of this request. Requests on the fast path have none until they log something,
    /// because a span costs them more than their other steps.
    fn in_span(&self, log: impl FnOnce()) {
        let current = Span::current();
        let is_own = current
            .metadata()
            .is_some_and(|metadata| metadata.name() == "request");
        match is_own {
            true => log(),
            false => self.span().in_scope(log),
        }
    }
}

/// Has a request answered by `handle`: gives it its id and span, counts it, and ends it at its deadline or when it
/// panics.
pub(super) async fn answer<H, F>(
    app: App,
    mut request: Request,
    standing: &Standing,
    handle: H,
) -> Response
where
    H: FnOnce(Request) -> F,
    F: Future<Output = Result<Response, Infallible>>,
{
    let in_flight = InFlight::since(Instant::now(), &request, standing);
    let span = in_flight.span();
    let deadline = RequestDeadline::default();
    request.extensions_mut().insert(deadline.clone());
    let answered = async {
        let within = app.bounds().answer_within;
        let handled = handle(request).map(|Ok(response)| Ok(response));
        let handled = in_time(handled, within, || deadline.ends(within)).await;
        in_flight.complete(&app, handled, deadline.paused_for())
    };
    answered.instrument(span).await
}

/// Has a request of the fast path answered, which is never a long poll: ends it at its deadline or when it panics.
pub(super) async fn answer_at_once(
    app: &App,
    in_flight: InFlight,
    answer: impl Future<Output = Result<Response, Failure>>,
) -> Response {
    let within = app.bounds().answer_within;
    let end = tokio::time::Instant::now() + within;
    let handled = in_time(answer, within, || end).await;
    in_flight.complete(app, handled, Duration::ZERO)
}

/// Adds the headers that every answer has.
fn sign(response: &mut Response, id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// Waits until a handler begins to answer; 503 if that takes too long, without the time of a long poll, and 500 if
/// it panics, so that a bug fails its own request only. Bodies that are streamed may take longer.
async fn in_time(
    answer: impl Future<Output = Result<Response, Failure>>,
    within: Duration,
    ends: impl Fn() -> tokio::time::Instant,
) -> Result<Response, Failure> {
    // The handler shares with others only state behind locks, which are whole after a panic.
    let mut answer = std::pin::pin!(AssertUnwindSafe(answer).catch_unwind());
    loop {
        let end = ends();
        match tokio::time::timeout_at(end, &mut answer).await {
            Ok(Ok(answered)) => return answered,
            Ok(Err(_panic)) => {
                let message = "the server failed; a write may or may not have happened";
                return Err(Failure::new(ErrorCode::Internal, message).leaving_open());
            }
            // The deadline has moved meanwhile, by the time of a long poll.
            Err(_elapsed) if ends() > end => {}
            Err(_elapsed) => {
                let seconds = within.as_secs();
                let message = format!(
                    "no answer within {seconds} seconds; a write may or may not have happened"
                );
                let failure = Failure::new(ErrorCode::Unavailable, message).leaving_open();
                return Err(failure.retry_after(within));
            }
        }
    }
}

/// 404 for a path without a route.
pub(super) async fn not_found(request: Request) -> Failure {
    if request.method() == Method::CONNECT {
        return no_tunnel();
    }
    let path = request.uri().path();
    let hint = format!("no route is at {path}; keys are at {}/kv/KEY", name::BASE);
    Failure::new(ErrorCode::NotFound, hint)
}

/// 405 for a method that the route does not have; the router adds `Allow`.
pub(super) async fn method_not_allowed(request: Request) -> Failure {
    let (method, path) = (request.method(), request.uri().path());
    if method == Method::CONNECT {
        return no_tunnel();
    }
    let message = if method == Method::PUT && is_namespace(path) {
        "PUT needs a key; name it, as in /kv/KEY".to_owned()
    } else {
        format!("{method} is not possible here; see the Allow header")
    };
    Failure::new(ErrorCode::MethodNotAllowed, message)
}

/// `CONNECT` asks a proxy for a tunnel to another server, so its client takes this server for a proxy.
fn no_tunnel() -> Failure {
    let message = "CONNECT is not possible: this is a server, not a proxy; take its address out of the \
                   client's proxy settings, such as https_proxy";
    // A 405 always has `Allow` (RFC 9110, section 15.5.6).
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
    Failure::new(ErrorCode::MethodNotAllowed, message).with(header::ALLOW, allowed)
}

/// True if a path is that of the namespace, without a key.
fn is_namespace(path: &str) -> bool {
    let below = path.strip_prefix(name::BASE).unwrap_or_default();
    matches!(below, "/kv" | "/kv/")
}

/// Marks a value as private, and as one that every cache has to validate before each use.
fn keep_private(response: &mut Response) {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        let value = HeaderValue::from_static("private, no-cache");
        let headers = response.headers_mut();
        // An answer with a token says no-store by itself.
        headers.entry(header::CACHE_CONTROL).or_insert(value);
    }
}
