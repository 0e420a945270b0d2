//! The fast path of the commonest requests: reads of one key and sets of one key.
//!
//! For these the router's layers, extractors and boxed futures would cost more than the answer itself. A plain `GET`
//! of a key that exists, with a token that was verified lately, is answered here if the store has the entry in
//! memory. A plain `POST` or `PUT` with such a token and a small body of known length is done here by the functions
//! that the router's handlers call. Every other request goes to the router before a byte of its body is read,
//! requests with errors included. The router gives the same answers to the requests that are answered here.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use hyper::body::Incoming;
use prominence_core::{Principal, Timestamp};
use tower_service::Service as _;

use super::exchange::{Answering, Exchange, Framing, Returned};
use super::framing;
use super::middleware::{self, InFlight};
use super::router::{Page, router};
use crate::app::App;
use crate::handler::kv;
use crate::handler::write::SetRequest;
use crate::identity::auth;
use crate::metrics::Connected;
use crate::request::conditional::ReadConditions;
use crate::request::kinds::SetValue;
use crate::request::log::LoggedRequest;
use crate::request::target::Target;
use crate::request::unread;
use crate::wait::budget::SMALL_BYTES;
use crate::wait::connection::Standing;

/// The whole service: the fast path, and the router for all other requests.
#[derive(Clone)]
pub struct Service {
    app: App,
    router: Router,
}

impl Service {
    /// The service with this state.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self::with_page(app, Page::Served)
    }

    /// The service with this state, with the web page or without it.
    #[must_use]
    pub fn with_page(app: App, page: Page) -> Self {
        let router = router(app.clone(), page);
        Self { app, router }
    }

    /// Ends all long polls, because the server stops.
    pub(crate) fn stop(&self) {
        self.app.long_polls.stop();
    }

    /// The limit on the bytes of a value.
    pub(crate) fn value_limit(&self) -> usize {
        self.app.bounds().value_bytes
    }

    /// Counts a connection until the returned value is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.app.metrics.connected()
    }

    /// The answer to a plain read, if the token and the entry are in memory.
    fn answer_read(
        &self,
        started: Instant,
        request: &Request<Incoming>,
        standing: &Standing,
        logged: Option<&LoggedRequest>,
    ) -> Option<Response<Body>> {
        if request.method() != Method::GET || !request.body().is_end_stream() {
            return None;
        }
        if !framing::names_one_host(request.version(), request.headers()) {
            return None;
        }
        let target = Target::of_plain_key(request.uri())?;
        let headers = request.headers();
        let wall = self.app.clock.wall();
        let who = self.known_caller(headers, wall)?;
        let conditions = ReadConditions::of(headers).ok()?;
        let entry = self.app.gate.read_at_once(&who, &target.key().ok()?)?;
        // It has to wait for its share of the memory.
        if entry.value.len() > SMALL_BYTES {
            return None;
        }
        let response = kv::render(entry, &conditions, &*self.app.clock, wall).ok()?;
        standing.admit(&who.user).ok()?;
        // The last step that may fail: the router would take from the rate once more.
        self.admit(&who, started)?;
        if let Some(logged) = logged {
            logged.caller().is(&who);
        }
        let in_flight = InFlight::since(started, request, standing);
        Some(in_flight.complete(&self.app, Ok(response), Duration::ZERO))
    }

    /// A plain set: no parameters, a small value of known length, and no error in the head.
    fn parse_set<B: HttpBody>(
        &self,
        started: Instant,
        request: &Request<B>,
        framing: Framing,
        standing: &Standing,
    ) -> Option<PlainSet> {
        if !matches!(*request.method(), Method::POST | Method::PUT) {
            return None;
        }
        let length = request.body().size_hint().exact()?;
        if length > self.app.bounds().value_bytes as u64 {
            return None;
        }
        let headers = request.headers();
        // The router may refuse a client that waits for `100 Continue` before it sends the body.
        if headers.contains_key(header::EXPECT) {
            return None;
        }
        framing::check(request, framing).ok()?;
        let target = Target::of_plain_key(request.uri())?;
        let who = self.known_caller(headers, self.app.clock.wall())?;
        let set = SetValue::default();
        let request = SetRequest::parse(&self.app, &who, &target, set, headers).ok()?;
        standing.admit(&who.user).ok()?;
        // The last step that may fail: the router would take from the rate once more.
        self.admit(&who, started)?;
        Some(PlainSet { who, request })
    }

    /// Begins the line of a request, if requests are logged.
    fn begin_line(
        &self,
        started: Instant,
        request: &Request<Incoming>,
        standing: &Standing,
    ) -> Option<LoggedRequest> {
        let log = self.app.request_log.get()?;
        let headers = request.headers();
        let started = (started, self.app.clock.wall());
        let received = request.body().size_hint().exact();
        let line = (request.method(), request.uri());
        Some(log.begin((started, standing.client(headers)), line, received))
    }

    /// Takes one request from the rate of the caller.
    fn admit(&self, who: &Principal, at: Instant) -> Option<()> {
        self.app.rate.load().admit(&who.user, at).ok()
    }

    /// The caller, if its token was verified lately and has not ended.
    fn known_caller(&self, headers: &HeaderMap, wall: Timestamp) -> Option<Arc<Principal>> {
        let token = auth::bearer(headers).ok()?;
        self.app.verifier.load().remembered(token, wall)
    }
}

/// A set on the fast path, without its value.
struct PlainSet {
    who: Arc<Principal>,
    request: SetRequest,
}

/// The service of one connection.
pub(crate) struct ConnectionService {
    service: Service,
    exchange: Arc<Exchange>,
    standing: Arc<Standing>,
}

impl ConnectionService {
    /// Serves the connection of this exchange, which has this place.
    pub(crate) fn new(service: Service, exchange: Arc<Exchange>, standing: Arc<Standing>) -> Self {
        Self {
            service,
            exchange,
            standing,
        }
    }
}

impl hyper::service::Service<Request<Incoming>> for ConnectionService {
    type Response = Response<Answering>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        BoxFuture<'static, Result<Self::Response, Infallible>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let started = Instant::now();
        let framing = self.exchange.begin();
        let exchange = Arc::clone(&self.exchange);
        let is_last = self.standing.is_over(started);
        let standing = &self.standing;
        // Once in the life of a connection the router closes it.
        let logged = self.service.begin_line(started, &request, standing);
        let read = || {
            let logged = logged.as_ref();
            self.service
                .answer_read(started, &request, standing, logged)
        };
        if let Some(response) = (!is_last).then(read).flatten() {
            let response = Answering::of(response, exchange, logged);
            return Either::Left(ready(Ok(response)));
        }
        let parse = || self.service.parse_set(started, &request, framing, standing);
        let plain = (!is_last).then(parse);
        Either::Right(match plain.flatten() {
            Some(plain) => {
                let in_flight = InFlight::since(started, &request, standing);
                let app = self.service.app.clone();
                if let Some(logged) = &logged {
                    logged.caller().is(&plain.who);
                }
                let answer = set(app, plain, in_flight, request, (exchange, logged));
                answer.map(Ok).boxed()
            }
            None => {
                let (service, standing) = (self.service.clone(), Arc::clone(standing));
                let connection = (exchange, logged);
                let answer = answer(service, request, connection, (framing, standing));
                answer.map(Ok).boxed()
            }
        })
    }
}

/// Does a set on the fast path.
async fn set(
    app: App,
    plain: PlainSet,
    in_flight: InFlight,
    request: Request<Incoming>,
    (exchange, logged): (Arc<Exchange>, Option<LoggedRequest>),
) -> Response<Answering> {
    let (parts, body) = request.into_parts();
    let PlainSet { who, request } = plain;
    let body = Returned::new(body, Arc::clone(&exchange));
    let head = (&parts.method, &parts.headers);
    let answer = request.answer(&app, &who, head, body);
    let response = middleware::answer_at_once(&app, in_flight, answer).await;
    finish(response, (exchange, logged), AfterAnswer::default()).await
}

/// The router's answer.
async fn answer(
    service: Service,
    request: Request<Incoming>,
    (exchange, logged): (Arc<Exchange>, Option<LoggedRequest>),
    (framing, standing): (Framing, Arc<Standing>),
) -> Response<Answering> {
    let Service { app, mut router } = service;
    let clear = framing::check(&request, framing);
    let after = AfterAnswer {
        ends: framing::is_unclear(&request, framing) || standing.is_over(Instant::now()),
        awaits_continue: unread::awaits_continue(request.headers()),
    };
    let mut request = request.map(|body| {
        if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Returned::new(body, Arc::clone(&exchange)))
        }
    });
    request.extensions_mut().insert(Arc::clone(&standing));
    if let Some(logged) = &logged {
        request.extensions_mut().insert(logged.caller().clone());
    }
    let response = middleware::answer(app, request, &standing, async move |request| match clear {
        Ok(()) => router.call(request).await,
        Err(failure) => Ok(failure.into_response()),
    })
    .await;
    finish(response, (exchange, logged), after).await
}

/// The state of a connection after an answer, as the head of the request determines it.
#[derive(Default)]
struct AfterAnswer {
    /// The connection can't be used again.
    ends: bool,
    /// The client waits for `100 Continue`, so it does not send a body that no handler reads.
    awaits_continue: bool,
}

/// Reads the rest of a body that no handler read, or closes the connection after the answer.
async fn finish(
    mut response: Response<Body>,
    (exchange, logged): (Arc<Exchange>, Option<LoggedRequest>),
    after: AfterAnswer,
) -> Response<Answering> {
    let mut ends = after.ends;
    if let Some(body) = exchange.take_unread() {
        ends |= after.awaits_continue || !unread::drain(body).await;
        if ends {
            exchange.linger();
        }
    }
    if ends {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    Answering::of(response, exchange, logged)
}

#[cfg(test)]
mod tests;
