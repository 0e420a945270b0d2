//! The short way for the commonest request: reading one key.
//!
//! Most requests are plain reads: the router's layers, extractors and boxed futures would cost
//! more than the answer itself costs. A plain `GET` of a key that exists, with a token that was
//! verified lately, is answered here where the store can do it at once. Whatever is unusual about
//! a request, errors included, goes on to the router, which answers the same to all that could
//! have been answered here.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, header};
use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use hyper::body::{Body as _, Incoming};
use tower_service::Service as _;

use crate::app::App;
use crate::auth;
use crate::conditional::ReadConditions;
use crate::exchange::{Answering, Exchange, Framing, Returned};
use crate::framing;
use crate::handler::kv;
use crate::middleware;
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
    fn quick(&self, request: &Request<Incoming>) -> Option<Response<Body>> {
        let started = Instant::now();
        if request.method() != Method::GET || !request.body().is_end_stream() {
            return None;
        }
        if !framing::names_one_host(request.version(), request.headers()) {
            return None;
        }
        let target = Target::of_plain_key(request.uri())?;
        let headers = request.headers();
        let token = auth::bearer(headers).ok()?;
        let wall = self.app.clock.wall();
        let who = self.app.verifier.remembered(token, wall)?;
        let conditions = ReadConditions::of(headers).ok()?;
        let entry = self.app.gate.read_at_once(&who, &target.key().ok()?)?;
        let mut response = kv::render(entry, &conditions, &*self.app.clock, wall).ok()?;
        // Last of what may fail, because the router would take from the rate once more.
        auth::admit(&self.app, &who).ok()?;
        middleware::keep_private(&mut response);
        middleware::sign(&mut response, middleware::request_id(headers));
        let telemetry = &self.app.telemetry;
        telemetry.answered(request.method(), response.status(), started.elapsed());
        Some(response)
    }
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
        let framing = self.exchange.begin();
        let exchange = Arc::clone(&self.exchange);
        if let Some(response) = self.front.quick(&request) {
            let response = response.map(|body| Answering::new(body, exchange));
            return Either::Left(ready(Ok(response)));
        }
        let answer = answer(self.front.clone(), request, exchange, framing);
        Either::Right(answer.map(Ok).boxed())
    }
}

/// The router's answer, and what becomes of a body that it did not read.
async fn answer(
    front: Front,
    request: Request<Incoming>,
    exchange: Arc<Exchange>,
    framing: Framing,
) -> Response<Answering> {
    let Front { app, mut router } = front;
    let clear = framing::check(&request, framing);
    let is_unclear = framing::is_unclear(&request, framing);
    let sends_anyway = !unread::awaits_continue(request.headers());
    let request = request.map(|body| {
        if body.is_end_stream() {
            Body::empty()
        } else {
            Body::new(Returned::new(body, Arc::clone(&exchange)))
        }
    });
    let mut response = middleware::answer(app, request, async move |request| match clear {
        Ok(()) => router.call(request).await,
        Err(failure) => Ok(failure.into_response()),
    })
    .await;
    let mut ends = is_unclear;
    if let Some(body) = exchange.take_unread() {
        ends |= !(sends_anyway && unread::drain(body).await);
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
