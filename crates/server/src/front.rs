//! The short way for the commonest request: reading one key.
//!
//! Most requests are plain reads: the router's layers, extractors and boxed futures would cost
//! more than the answer itself costs. A plain `GET` of a key that exists, with a token that was
//! verified lately, is answered here where the store can do it at once. Whatever is unusual about
//! a request, errors included, goes on to the router, which answers the same to all that could
//! have been answered here.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either};
use hyper::body::{Body as _, Incoming};
use tower_service::Service as _;

use crate::app::App;
use crate::auth;
use crate::conditional::ReadConditions;
use crate::handler::kv;
use crate::middleware;
use crate::router::router;
use crate::target::Target;
use crate::telemetry::Connected;

/// The whole service, as connections call it.
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
        let target = Target::of_plain_key(request.uri())?;
        let headers = request.headers();
        let token = auth::bearer(headers).ok()?;
        let who = self.app.verifier.remembered(token, self.app.clock.wall())?;
        let conditions = ReadConditions::of(headers).ok()?;
        let entry = self.app.gate.read_at_once(&who, &target.key().ok()?)?;
        let mut response = kv::render(entry, &conditions, &*self.app.clock).ok()?;
        // Last of what may fail, because the router would take from the rate once more.
        auth::admit(&self.app, &who).ok()?;
        middleware::keep_private(&mut response);
        middleware::sign(&mut response, middleware::request_id(headers));
        let telemetry = &self.app.telemetry;
        telemetry.answered(request.method(), response.status(), started.elapsed());
        Some(response)
    }
}

impl hyper::service::Service<Request<Incoming>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<
        Ready<Result<Self::Response, Infallible>>,
        BoxFuture<'static, Result<Self::Response, Infallible>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if let Some(response) = self.quick(&request) {
            return Either::Left(ready(Ok(response)));
        }
        let (app, mut router) = (self.app.clone(), self.router.clone());
        let answer = middleware::answer(app, request.map(Body::new), move |request| {
            router.call(request)
        });
        Either::Right(answer.map(Ok).boxed())
    }
}
