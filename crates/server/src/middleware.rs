//! What happens to every request, whatever it asks: its name, its deadline, its headers.
//!
//! One function around the router rather than a layer of it for each purpose: each layer boxes
//! its future and clones what is below it, and together they cost more than a handler does.

use std::convert::Infallible;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use futures_util::FutureExt as _;
use prominence_api::{ErrorCode, name};

use crate::app::App;
use crate::failure::Failure;
use crate::hold::Patience;

const REQUEST_ID: HeaderName = HeaderName::from_static(name::REQUEST_ID);

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A caller's own name for a request is used up to this length.
const MAX_REQUEST_ID: usize = 128;

/// A request that is being answered: what its answer is named, judged and counted by.
pub(crate) struct InFlight {
    started: Instant,
    method: Method,
    id: HeaderValue,
    is_private: bool,
}

impl InFlight {
    /// Names a request that is being answered since then.
    pub(crate) fn since<B>(started: Instant, request: &axum::http::Request<B>) -> Self {
        Self {
            started,
            method: request.method().clone(),
            id: request_id(request.headers()),
            is_private: request.uri().path().starts_with(name::BASE),
        }
    }

    /// Completes and counts an answer: writes out a failure, and the headers that depend on the request's
    /// name or are the same for all answers. The time that the request was held does not count.
    pub(crate) fn complete(
        self,
        app: &App,
        handled: Result<Response, Failure>,
        held_for: Duration,
    ) -> Response {
        let Self {
            started,
            method,
            id,
            is_private,
        } = self;
        let mut response = match handled {
            Ok(mut response) => match response.extensions_mut().remove::<Failure>() {
                Some(failure) => {
                    let allow = response.headers_mut().remove(header::ALLOW);
                    let mut response = refuse(failure, &method, &id);
                    if let Some(allow) = allow {
                        response.headers_mut().insert(header::ALLOW, allow);
                    }
                    response
                }
                None => response,
            },
            Err(failure) => refuse(failure, &method, &id),
        };
        if is_private {
            keep_private(&mut response);
        }
        // What a caller chose to wait for says nothing about how fast the server is.
        let took = started.elapsed().saturating_sub(held_for);
        app.telemetry.answered(&method, response.status(), took);
        sign(&mut response, id);
        response
    }
}

/// Has a request answered by `handle`: names and counts it, and sees to its deadline and to panics.
pub(crate) async fn answer<H, F>(app: App, mut request: Request, handle: H) -> Response
where
    H: FnOnce(Request) -> F,
    F: Future<Output = Result<Response, Infallible>>,
{
    let in_flight = InFlight::since(Instant::now(), &request);
    let patience = Patience::default();
    request.extensions_mut().insert(patience.clone());
    let within = app.bounds.answer_within;
    let handled = handle(request).map(|Ok(response)| Ok(response));
    let handled = in_time(handled, within, || patience.ends(within)).await;
    in_flight.complete(&app, handled, patience.held_for())
}

/// Has a request answered that is never held: sees to its deadline and to panics.
pub(crate) async fn answer_at_once(
    app: &App,
    in_flight: InFlight,
    answer: impl Future<Output = Result<Response, Failure>>,
) -> Response {
    let within = app.bounds.answer_within;
    let end = tokio::time::Instant::now() + within;
    let handled = in_time(answer, within, || end).await;
    in_flight.complete(app, handled, Duration::ZERO)
}

/// The answer that says what went wrong.
fn refuse(failure: Failure, method: &Method, id: &HeaderValue) -> Response {
    if failure.status().is_server_error() {
        let (status, error) = (failure.status().as_u16(), failure.message());
        tracing::warn!(request_id = ?id, status, error);
    }
    let mut response = failure.render(method, id.to_str().unwrap_or_default());
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// The headers that every answer has.
fn sign(response: &mut Response, id: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// The caller's own name for the request, or a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> HeaderValue {
    sane_id(headers).unwrap_or_else(new_id)
}

/// Waits for a handler until it begins to answer; 503 where that takes too long, not counting the
/// time that it holds the request, and 500 where it panics: a bug costs its own request only.
/// Bodies that are streamed may take longer.
async fn in_time(
    answer: impl Future<Output = Result<Response, Failure>>,
    within: Duration,
    ends: impl Fn() -> tokio::time::Instant,
) -> Result<Response, Failure> {
    // Nothing that the handler shared with others is used again but through locks that know.
    let mut answer = std::pin::pin!(AssertUnwindSafe(answer).catch_unwind());
    loop {
        let end = ends();
        match tokio::time::timeout_at(end, &mut answer).await {
            Ok(Ok(answered)) => return answered,
            Ok(Err(_panic)) => {
                let message = "the server failed; a write may or may not have happened";
                return Err(Failure::new(ErrorCode::Internal, message).leaving_open());
            }
            // Where the request was held meanwhile, its time has not come.
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

/// No such route.
pub(crate) async fn not_found(request: Request) -> Failure {
    if request.method() == Method::CONNECT {
        return no_tunnel();
    }
    let path = request.uri().path();
    let hint = format!(
        "there is nothing at {path}; keys are at {}/kv/KEY",
        name::BASE
    );
    Failure::new(ErrorCode::NotFound, hint)
}

/// No such method; the router adds `Allow`.
pub(crate) async fn method_not_allowed(request: Request) -> Failure {
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
    let message = "CONNECT is not possible: this is a server and no proxy; take its address out of the \
                   client's proxy settings, such as https_proxy";
    // Named beside a 405 in any case (RFC 9110, section 15.5.6).
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE");
    Failure::new(ErrorCode::MethodNotAllowed, message).with(header::ALLOW, allowed)
}

/// Whether a path names all keys and not one.
fn is_namespace(path: &str) -> bool {
    let below = path.strip_prefix(name::BASE).unwrap_or_default();
    matches!(below, "/kv" | "/kv/")
}

/// Says that a value is private, and that every use of a copy asks whether it is still the current one.
fn keep_private(response: &mut Response) {
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        let value = HeaderValue::from_static("private, no-cache");
        response.headers_mut().insert(header::CACHE_CONTROL, value);
    }
}

/// The caller's name for the request, where it can stand in a log without doing harm.
fn sane_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let fits = !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.as_bytes().iter().all(sane);
    // The name is kept until the answer, and what it was read with need not be.
    fits.then(|| HeaderValue::from_bytes(id.as_bytes()).ok())?
}

/// A number that starts at random with the process and counts on.
fn new_id() -> HeaderValue {
    static START: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // The standard library seeds its hash maps at random; that is random enough for a name.
    let start = START.get_or_init(|| RandomState::new().hash_one("request"));
    let number = start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    // The number's 16 hexadecimal digits, two for each byte.
    let mut id = [0; 16];
    for (pair, byte) in id.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
        pair[1] = HEX_DIGITS[usize::from(byte & 15)];
    }
    HeaderValue::from_bytes(&id).unwrap_or(HeaderValue::from_static("unnamed"))
}
