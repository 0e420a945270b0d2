//! What happens to every request, whatever it asks: its name, its deadline, its headers.

use std::any::Any;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prominence_api::{ErrorCode, name};

use crate::app::App;
use crate::failure::Failure;
use crate::hold::{HeldFor, Patience};

const REQUEST_ID: HeaderName = HeaderName::from_static(name::REQUEST_ID);

/// A caller's own name for a request is used up to this length.
const MAX_REQUEST_ID: usize = 128;

/// The outermost layer: names and counts the request, and writes the body and headers that depend
/// on its name.
pub(crate) async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    let HeldFor(held_for) = response.extensions_mut().remove().unwrap_or_default();
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        if response.status().is_server_error() {
            let error = failure.message();
            tracing::warn!(request_id = ?id, status = response.status().as_u16(), error);
        }
        let allow = response.headers_mut().remove(header::ALLOW);
        response = failure.render(id.to_str().unwrap_or_default());
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        if method == Method::HEAD {
            *response.body_mut() = axum::body::Body::empty();
        }
    }
    // What a caller chose to wait for says nothing about how fast the server is.
    let took = started.elapsed().saturating_sub(held_for);
    app.telemetry.answered(&method, response.status(), took);
    sign(&mut response, id);
    response
}

/// The headers that every answer has.
pub(crate) fn sign(response: &mut Response, id: HeaderValue) {
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

/// Answers 503 where a handler does not begin to answer in time, not counting the time that it
/// holds the request. Bodies that are streamed may take longer.
pub(crate) async fn deadline(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let within = app.bounds.answer_within;
    let patience = Patience::default();
    request.extensions_mut().insert(patience.clone());
    let mut answer = std::pin::pin!(next.run(request));
    loop {
        let end = patience.ends(within);
        if let Ok(mut response) = tokio::time::timeout_at(end, &mut answer).await {
            response.extensions_mut().insert(patience.held_for());
            return response;
        }
        // Where the request was held meanwhile, its time has not come.
        if patience.ends(within) <= end {
            break;
        }
    }
    let message = format!(
        "no answer within {} seconds; a write may or may not have happened",
        within.as_secs()
    );
    Failure::new(ErrorCode::Unavailable, message)
        .retry_after(within)
        .into_response()
}

/// A bug in a handler costs its own request only.
pub(crate) fn panicked(_: Box<dyn Any + Send + 'static>) -> Response {
    Failure::new(
        ErrorCode::Internal,
        "the server failed; a write may or may not have happened",
    )
    .into_response()
}

/// No such route.
pub(crate) async fn not_found(request: Request) -> Failure {
    let path = request.uri().path();
    let hint = format!(
        "there is nothing at {path}; keys are at {}/kv/KEY",
        name::BASE
    );
    Failure::new(ErrorCode::NotFound, hint)
}

/// No such method; the router adds `Allow`.
pub(crate) async fn method_not_allowed(request: Request) -> Failure {
    let message = format!(
        "{} is not possible here; see the Allow header",
        request.method()
    );
    Failure::new(ErrorCode::MethodNotAllowed, message)
}

/// Values are private, and every use of a copy asks whether it is still the current one.
pub(crate) async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    keep_private(&mut response);
    response
}

/// Says so in the answer.
pub(crate) fn keep_private(response: &mut Response) {
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
    fits.then(|| id.clone())
}

/// A number that starts at random with the process and counts on.
fn new_id() -> HeaderValue {
    static START: OnceLock<u64> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // The standard library seeds its hash maps at random; that is random enough for a name.
    let start = START.get_or_init(|| RandomState::new().hash_one("request"));
    let number = start.wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    let mut id = String::with_capacity(16);
    let _ = write!(id, "{number:016x}");
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unnamed"))
}
