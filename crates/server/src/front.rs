//! The short way for the commonest requests: reading one key, and setting one.
//!
//! Most requests are plain reads and sets: the router's layers, extractors and boxed futures would cost
//! more than the answer itself costs. A plain `GET` of a key that exists, with a token that was
//! verified lately, is answered here where the store can do it at once. A plain `POST` or `PUT` with such a
//! token and a small body of known length is done here by the same functions that the router's handlers
//! call. Whatever is unusual about a request goes on to the router before a byte of its body is read, errors
//! of its head included; the router answers the same to all that could have been answered here.

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

use crate::app::App;
use crate::auth;
use crate::conditional::ReadConditions;
use crate::exchange::{Answering, Exchange, Framing, Returned};
use crate::framing;
use crate::handler::kv;
use crate::handler::write::SetRequest;
use crate::middleware::{self, InFlight};
use crate::query::Query;
use crate::router::router;
use crate::target::Target;
use crate::telemetry::Connected;
use crate::unread;

/// The whole service.
#[derive(Clone)]
pub struct Front {
    app: App,
    router: Router,
}

impl Front {
    /// The short way, and the router behind it.
    #[must_use]
    pub fn new(app: App) -> Self {
        let router = router(app.clone());
        Self { app, router }
    }

    /// Ends what is held, because the server stops.
    pub(crate) fn stop(&self) {
        self.app.places.stop();
    }

    /// Bytes that a value can have.
    pub(crate) fn value_limit(&self) -> usize {
        self.app.bounds.value_bytes
    }

    /// Counts a connection for as long as what is answered is there.
    pub(crate) fn connected(&self) -> Connected {
        self.app.telemetry.connected()
    }

    /// The answer to a plain read, where all that it takes is at hand.
    fn quick(&self, started: Instant, request: &Request<Incoming>) -> Option<Response<Body>> {
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
        let response = kv::render(entry, &conditions, &*self.app.clock, wall).ok()?;
        // Last of what may fail, because the router would take from the rate once more.
        auth::admit(&self.app, &who).ok()?;
        let in_flight = InFlight::since(started, request);
        Some(in_flight.complete(&self.app, Ok(response), Duration::ZERO))
    }

    /// A set without parameters whose value is small and has a known length, where its head has no fault.
    fn plain_set<B: HttpBody>(&self, request: &Request<B>, framing: Framing) -> Option<PlainSet> {
        if !matches!(*request.method(), Method::POST | Method::PUT) {
            return None;
        }
        let length = request.body().size_hint().exact()?;
        if length > self.app.bounds.value_bytes as u64 {
            return None;
        }
        let headers = request.headers();
        // Whoever waits to be told to send the body may be refused before that.
        if headers.contains_key(header::EXPECT) {
            return None;
        }
        framing::check(request, framing).ok()?;
        let target = Target::of_plain_key(request.uri())?;
        let who = self.known_caller(headers, self.app.clock.wall())?;
        let query = Query::parse(target.query()).ok()?;
        let request = SetRequest::parse(&self.app, &who, &target, query, headers).ok()?;
        // Last of what may fail, because the router would take from the rate once more.
        auth::admit(&self.app, &who).ok()?;
        Some(PlainSet { who, request })
    }

    /// The caller, where its token was verified lately and is still good.
    fn known_caller(&self, headers: &HeaderMap, wall: Timestamp) -> Option<Arc<Principal>> {
        let token = auth::bearer(headers).ok()?;
        self.app.verifier.remembered(token, wall)
    }
}

/// A set that takes the short way, but for its value.
struct PlainSet {
    who: Arc<Principal>,
    request: SetRequest,
}

/// The service as one connection calls it.
pub(crate) struct Served {
    front: Front,
    exchange: Arc<Exchange>,
}

impl Served {
    /// Serves the connection that this exchange belongs to.
    pub(crate) fn new(front: Front, exchange: Arc<Exchange>) -> Self {
        Self { front, exchange }
    }
}

impl hyper::service::Service<Request<Incoming>> for Served {
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
        if let Some(response) = self.front.quick(started, &request) {
            let response = response.map(|body| Answering::new(body, exchange));
            return Either::Left(ready(Ok(response)));
        }
        Either::Right(match self.front.plain_set(&request, framing) {
            Some(plain) => {
                let in_flight = InFlight::since(started, &request);
                let app = self.front.app.clone();
                let answer = set(app, plain, in_flight, request, exchange);
                answer.map(Ok).boxed()
            }
            None => {
                let answer = answer(self.front.clone(), request, exchange, framing);
                answer.map(Ok).boxed()
            }
        })
    }
}

/// Does a set that takes the short way.
async fn set(
    app: App,
    plain: PlainSet,
    in_flight: InFlight,
    request: Request<Incoming>,
    exchange: Arc<Exchange>,
) -> Response<Answering> {
    let (parts, body) = request.into_parts();
    let PlainSet { who, request } = plain;
    let body = Returned::new(body, Arc::clone(&exchange));
    let head = (&parts.method, &parts.headers);
    let answer = request.answer(&app, &who, head, body);
    let response = middleware::answer_at_once(&app, in_flight, answer).await;
    finish(response, exchange, AfterAnswer::default()).await
}

/// The router's answer.
async fn answer(
    front: Front,
    request: Request<Incoming>,
    exchange: Arc<Exchange>,
    framing: Framing,
) -> Response<Answering> {
    let Front { app, mut router } = front;
    let clear = framing::check(&request, framing);
    let after = AfterAnswer {
        ends: framing::is_unclear(&request, framing),
        awaits_continue: unread::awaits_continue(request.headers()),
    };
    let request = request.map(|body| {
        if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Returned::new(body, Arc::clone(&exchange)))
        }
    });
    let response = middleware::answer(app, request, async move |request| match clear {
        Ok(()) => router.call(request).await,
        Err(failure) => Ok(failure.into_response()),
    })
    .await;
    finish(response, exchange, after).await
}

/// What the head of a request says about its connection after the answer.
#[derive(Default)]
struct AfterAnswer {
    /// It can't be used again.
    ends: bool,
    /// The client sends the body only when it is told to, and so does not send one that nobody read.
    awaits_continue: bool,
}

/// Sees to a body that nobody read, and ends the connection where it can't be used again.
async fn finish(
    mut response: Response<Body>,
    exchange: Arc<Exchange>,
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
    response.map(|body| Answering::new(body, exchange))
}

#[cfg(test)]
mod tests;
