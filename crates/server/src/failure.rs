//! What went wrong, as a status and a JSON body.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prominence_api::{ErrorBody, ErrorCode};
use prominence_core::error::Fate;
use prominence_core::permit::{CommitError, Forbidden};
use prominence_core::value::TOO_LARGE_ADVICE;
use prominence_core::{Key, Revision, StoreError};

/// Response header of 410: the oldest revision that a watch can start after.
const OLDEST_REVISION: HeaderName = HeaderName::from_static("prominence-oldest-revision");

/// An answer that is an error.
///
/// It travels as an extension of an empty response; the outermost layer writes the body, because
/// it alone knows the request's name.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    code: ErrorCode,
    message: String,
    /// What is known about a change that was asked for.
    fate: Fate,
    /// What some failures need. Boxed, as every handler's result has room for it.
    headers: Option<Box<HeaderMap>>,
    /// The condition of a write that did not hold. Boxed for the same reason.
    unmet: Option<Box<Unmet>>,
}

/// A key that was not as a write demanded.
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
            headers: None,
            unmet: None,
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }

    pub(crate) fn no_such_key() -> Self {
        // The existing client looks for exactly this text.
        Self::new(ErrorCode::NoSuchKey, "No such key")
    }

    /// For an answer of the store that doesn't fit what it was asked.
    pub(crate) fn surprised() -> Self {
        Self::new(ErrorCode::Internal, "the store answered something else").leaving_open()
    }

    /// 413 for a body of what is named.
    pub(crate) fn too_large(what: &str, limit: usize, actual: Option<u64>) -> Self {
        let advice = match what {
            "value" => TOO_LARGE_ADVICE,
            _ => "split it into several",
        };
        let message = match actual {
            Some(bytes) => format!("the {what} has {bytes} bytes; the limit is {limit}; {advice}"),
            None => {
                format!("the {what} has more than {limit} bytes, which is the limit; {advice}")
            }
        };
        Self::new(ErrorCode::ValueTooLarge, message)
    }

    /// 401. Where a token was sent and not accepted, `rejected` says why (RFC 6750, section 3).
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
        self.headers.get_or_insert_default().insert(name, value);
        self
    }

    /// The same where a change that was asked for may have happened.
    pub(crate) fn leaving_open(self) -> Self {
        Self {
            fate: Fate::Unknown,
            ..self
        }
    }

    /// Whole seconds, at least one: a client that comes back after 0 has gained nothing.
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1);
        self.with(header::RETRY_AFTER, seconds.into())
    }

    /// Ends the connection after this answer: for callers who are to come back much later, while
    /// others wait for a connection.
    pub(crate) fn hang_up(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body and headers, now that the request's method and name are known.
    pub(crate) fn render(self, method: &Method, request_id: &str) -> Response {
        let status = self.status();
        let request_id = status.is_server_error().then(|| request_id.to_owned());
        let unmet = self.unmet.as_deref();
        let revision = unmet.and_then(|unmet| unmet.revision);
        let body = ErrorBody {
            key: unmet.map(|unmet| unmet.key.to_string()),
            revision: revision.map(Revision::get),
            error: self.message,
            code: self.code,
            may_have_happened: may_change(method).then_some(self.fate == Fate::Unknown),
            request_id,
        };
        let mut response = (status, axum::Json(body)).into_response();
        if let Some(headers) = self.headers {
            response.headers_mut().extend(*headers);
        }
        response
    }

    /// For the log of failures that are the server's own.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// Whether a request with this method may change something.
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

impl From<Forbidden> for Failure {
    fn from(forbidden: Forbidden) -> Self {
        Self::new(ErrorCode::Forbidden, forbidden.to_string())
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
                Self {
                    unmet: Some(Box::new(Unmet { key, revision })),
                    ..Self::new(ErrorCode::PreconditionFailed, text)
                }
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
                if let Some(cause) = cause {
                    tracing::warn!(%reason, %cause, "the storage engine is unavailable");
                }
                let known = match fate {
                    Fate::NotApplied => "nothing was changed",
                    Fate::Unknown => "a write may or may not have happened",
                };
                let message = format!("{reason}; {known}");
                let failure = Self::new(ErrorCode::Unavailable, message).retry_after(retry_after);
                Self { fate, ..failure }
            }
            StoreError::Corrupt { what } => {
                tracing::error!(%what, "stored data is damaged");
                Self::new(
                    ErrorCode::Internal,
                    "the stored data is damaged; tell the operator",
                )
                .leaving_open()
            }
        }
    }
}
