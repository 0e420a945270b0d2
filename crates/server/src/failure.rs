//! Errors as answers: a status, a JSON body and headers.

mod sampling;

use std::fmt;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::{ErrorBody, ErrorCode};
use prominence_core::error::Fate;
use prominence_core::permit::{CommitError, Forbidden};
use prominence_core::value::TOO_LARGE_ADVICE;
use prominence_core::{Key, Revision, StoreError};

pub(crate) use sampling::Sampler;

/// Response header of 410: the oldest revision that a watch can start after.
const OLDEST_REVISION: HeaderName = HeaderName::from_static("prominence-oldest-revision");

/// An answer that is an error.
///
/// It travels as an extension of an empty response. The outermost step writes the body, because it alone knows the
/// request's id, and the line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    message: String,
    /// The fate of the change that was asked for.
    fate: Fate,
    /// Rare parts. Boxed, because every handler's result has space for them.
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    headers: HeaderMap,
    /// The condition of a write that did not hold.
    unmet: Option<Unmet>,
    /// The number of keys that a prefix has, where a deletion demanded another one.
    count: Option<u64>,
    /// For the log alone: it may name files and other servers.
    cause: Option<String>,
}

/// A key that does not meet the condition of a write.
#[derive(Clone, Debug)]
struct Unmet {
    key: Key,
    revision: Option<Revision>,
}

impl Failure {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            fate: Fate::NotApplied,
            more: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(crate) fn no_such_key() -> Self {
        // The existing client looks for exactly this text.
        Self::new(ErrorCode::NoSuchKey, "No such key")
    }

    /// 500 for a result of another part of the server that can only be a bug.
    pub(crate) fn surprised() -> Self {
        Self::new(ErrorCode::Internal, "the server has a bug").leaving_open()
    }

    /// 413 for a body of this name.
    pub(crate) fn too_large(name: &str, limit: usize, actual: Option<u64>) -> Self {
        let advice = match name {
            "value" => TOO_LARGE_ADVICE,
            "batch" => "split it into several",
            _ => "send a shorter one",
        };
        let message = match actual {
            Some(bytes) => format!("the {name} has {bytes} bytes; the limit is {limit}; {advice}"),
            None => {
                format!("the {name} has more than {limit} bytes, which is the limit; {advice}")
            }
        };
        Self::new(ErrorCode::ValueTooLarge, message)
    }

    /// 401; `rejected` if a token was sent and not accepted (RFC 6750, section 3).
    pub(crate) fn unauthenticated(message: &str, rejected: bool) -> Self {
        let challenge = if rejected {
            "Bearer realm=\"prominence\", error=\"invalid_token\""
        } else {
            "Bearer realm=\"prominence\""
        };
        Self::new(ErrorCode::Unauthenticated, message).with(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static(challenge),
        )
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.more
            .get_or_insert_default()
            .headers
            .insert(name, value);
        self
    }

    /// Adds a cause for the log, which the client does not get.
    fn caused_by(mut self, cause: impl fmt::Display) -> Self {
        self.more.get_or_insert_default().cause = Some(cause.to_string());
        self
    }

    /// The same for a request whose change may have happened.
    pub(crate) fn leaving_open(self) -> Self {
        Self {
            fate: Fate::Unknown,
            ..self
        }
    }

    /// Adds `Retry-After` in whole seconds, at least one: 0 would make clients repeat at once.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        self.with(header::RETRY_AFTER, seconds.into())
    }

    /// Closes the connection after this answer: its client is to repeat the request much later, and others wait for a
    /// connection.
    pub(crate) fn hang_up(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The response, with the request's method and id.
    pub(crate) fn render(self, method: &Method, request_id: &str) -> Response {
        let status = self.status();
        let request_id = status.is_server_error().then(|| request_id.to_owned());
        let more = self.more.map(|more| *more).unwrap_or_default();
        let unmet = more.unmet.as_ref();
        let revision = unmet.and_then(|unmet| unmet.revision);
        let body = ErrorBody {
            key: unmet.map(|unmet| unmet.key.to_string()),
            revision: revision.map(Revision::get),
            count: more.count,
            error: self.message,
            code: self.code,
            may_have_happened: may_change(method).then_some(self.fate == Fate::Unknown),
            request_id,
        };
        let mut response = (status, axum::Json(body)).into_response();
        response.headers_mut().extend(more.headers);
        response
    }

    /// True if it has this code.
    pub(crate) fn is(&self, code: ErrorCode) -> bool {
        self.code == code
    }

    /// The sentence for the client.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Writes the line of the log for a failure of the server itself. The span of the request has its id.
    pub(crate) fn log(&self) {
        let (status, error) = (self.status().as_u16(), self.message());
        let cause = self.more.as_ref().and_then(|more| more.cause.as_deref());
        static LINES: Sampler = Sampler::new();
        LINES.write(|left_out| {
            if self.code == ErrorCode::Internal {
                tracing::error!(status, error, cause, left_out, "the request failed");
            } else {
                tracing::warn!(status, error, cause, left_out, "the request failed");
            }
        });
    }
}

/// True if a request with this method may change something.
fn may_change(method: &Method) -> bool {
    !method.is_safe()
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The longest scope that a header names: with keys whose characters are all escaped it could become longer than what
/// proxies take.
const MAX_SCOPE_BYTES: usize = 1_024;

/// 403 with the challenge of RFC 6750, section 3.1, and the scope that would be enough, if one would.
impl From<Forbidden> for Failure {
    fn from(forbidden: Forbidden) -> Self {
        let mut challenge = "Bearer realm=\"prominence\", error=\"insufficient_scope\"".to_owned();
        let scope = forbidden.scope();
        if let Some(scope) = scope.filter(|scope| scope.len() <= MAX_SCOPE_BYTES) {
            challenge.push_str(&format!(", scope=\"{scope}\""));
        }
        let failure = Self::new(ErrorCode::Forbidden, forbidden.to_string());
        // A scope has only characters that a header can have.
        match HeaderValue::try_from(challenge) {
            Ok(challenge) => failure.with(header::WWW_AUTHENTICATE, challenge),
            Err(_) => failure,
        }
    }
}

impl From<CommitError> for Failure {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Forbidden(forbidden) => forbidden.into(),
            CommitError::Store(error) => error.into(),
        }
    }
}

/// The one place where the store's errors become statuses.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = error.to_string();
        match error {
            StoreError::PreconditionFailed { key, reason } => {
                let revision = reason.revision();
                let mut failure = Self::new(ErrorCode::PreconditionFailed, text);
                failure.more.get_or_insert_default().unmet = Some(Unmet { key, revision });
                failure
            }
            StoreError::OtherCount { found, .. } => {
                let mut failure = Self::new(ErrorCode::PreconditionFailed, text);
                failure.more.get_or_insert_default().count = Some(found);
                failure
            }
            StoreError::NotANumber { .. } => Self::new(ErrorCode::NotANumber, text),
            StoreError::QuotaExceeded { .. } => Self::new(ErrorCode::QuotaExceeded, text),
            StoreError::Compacted { oldest } => Self::new(ErrorCode::Compacted, text)
                .with(OLDEST_REVISION, HeaderValue::from(oldest.get())),
            StoreError::Unavailable {
                reason,
                fate,
                retry_after,
                cause,
            } => {
                let known = match fate {
                    Fate::NotApplied => "nothing was changed",
                    Fate::Unknown => "a write may or may not have happened",
                };
                let message = format!("{reason}; {known}");
                let failure = Self::new(ErrorCode::Unavailable, message).retry_after(retry_after);
                let failure = Self { fate, ..failure };
                match cause {
                    Some(cause) => failure.caused_by(cause),
                    None => failure,
                }
            }
            StoreError::Corrupt { what } => {
                let message = "the stored data is damaged; tell the operator";
                Self::new(ErrorCode::Internal, message)
                    .leaving_open()
                    .caused_by(what)
            }
        }
    }
}
