//! Errors, by the action that a caller can take.

use std::fmt;
use std::io;
use std::time::Duration;

use prominence_api::ErrorCode;
pub use prominence_core::error::Fate;
use ureq::Timeout;

use crate::explain::{explain, is_lasting, is_lookup, proxy_status};

/// Statuses that this program handles (RFC 9110, section 15).
pub(crate) const BAD_REQUEST: u16 = 400;
const REQUEST_TIMEOUT: u16 = 408;
pub(crate) const CONTENT_TOO_LARGE: u16 = 413;
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;
pub(crate) const BAD_GATEWAY: u16 = 502;
pub(crate) const UNAVAILABLE: u16 = 503;
pub(crate) const GATEWAY_TIMEOUT: u16 = 504;

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key does not exist.
    #[error("{0}")]
    NoSuchKey(Refusal),
    /// A condition did not hold; nothing was changed.
    #[error("{0}")]
    PreconditionFailed(Refusal),
    /// An addition to a value that is not an integer, or an overflow; nothing was changed.
    #[error("{0}")]
    NotANumber(Refusal),
    /// The value is larger than the server allows.
    #[error("{0}")]
    TooLarge(Refusal),
    /// The quota of the namespace is used up.
    #[error("{0}")]
    QuotaExceeded(Refusal),
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(Refusal),
    /// The token is missing, expired or not accepted.
    #[error("{0}")]
    Unauthenticated(Refusal),
    /// The token does not allow this.
    #[error("{0}")]
    Forbidden(Refusal),
    /// Too many requests, also at the end of the time for retries.
    #[error("{0}")]
    RateLimited(Refusal),
    /// The server can't answer at present.
    #[error("{refusal}")]
    Unavailable {
        /// Its message.
        refusal: Refusal,
        /// The fate of a change.
        fate: Fate,
    },
    /// Any other refusal: an error or damage of the server, or a function that this server lacks.
    #[error("{refusal}")]
    Failed {
        /// Its message.
        refusal: Refusal,
        /// The fate of a change.
        fate: Fate,
    },
    /// There was no answer.
    #[error("cannot reach {url}{}: {}", by_way_of(.through), explain(.cause, .url, .through.is_some()))]
    Unreachable {
        /// The URL.
        url: String,
        /// The proxy of the connection, if any.
        through: Option<String>,
        /// The cause.
        #[source]
        cause: Box<ureq::Error>,
        /// The fate of a change.
        fate: Fate,
    },
    /// The answer is from a proxy in front of the server, or from another server at its address.
    #[error("the answer from {url} is not from a Prominence server: {what}")]
    Foreign {
        /// The URL.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer, and the next step for the user.
        what: String,
        /// The fate of a change.
        fate: Fate,
    },
    /// The answer is not valid, or was cut off.
    #[error(
        "{url} gave an answer that makes no sense: {what}; check PROMINENCE_URL or --url, or ask who \
         runs the proxy, where there is one"
    )]
    BadAnswer {
        /// The URL.
        url: String,
        /// A description of the error.
        what: String,
        /// The fate of a change.
        fate: Fate,
    },
    /// This machine has no list of certificate authorities.
    #[error(
        "there are no certificate authorities on this machine to check the server with ({0}); \
         install the package ca-certificates, or pass a file of authorities with --ca-file or \
         SSL_CERT_FILE"
    )]
    NoAuthorities(String),
    /// The file of certificate authorities can't be used.
    #[error(
        "the file of certificate authorities {path} can't be used: {reason}; name a file in PEM form with \
         --ca-file or PROMINENCE_CA_FILE"
    )]
    CaFile {
        /// Its path.
        path: String,
        /// The reason.
        reason: String,
    },
    /// An environment variable for a proxy is not valid.
    #[error("{variable} does not name a proxy: {reason}; correct it, or unset it")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// A description of the error. The variable may have a password, so it is not shown.
        reason: String,
    },
}

/// The error body of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code by which programs tell errors apart; `None` for one that this version does not have.
    pub code: Option<ErrorCode>,
    /// The sentence for a person.
    pub message: String,
    /// The id of the request in the server's log.
    pub request_id: Option<String>,
}

impl Error {
    /// The fate of the requested change.
    #[must_use]
    pub fn fate(&self) -> Fate {
        match self {
            Self::Unavailable { fate, .. }
            | Self::Failed { fate, .. }
            | Self::Unreachable { fate, .. }
            | Self::Foreign { fate, .. }
            | Self::BadAnswer { fate, .. } => *fate,
            _ => Fate::NotApplied,
        }
    }

    /// True if a watch asked for changes that the server no longer keeps.
    #[must_use]
    pub fn is_compacted(&self) -> bool {
        matches!(self, Self::Failed { refusal, .. } if refusal.code == Some(ErrorCode::Compacted))
    }

    /// True if the same request may succeed when it is repeated.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited(_) | Self::Unavailable { .. } => true,
            // A server sends this before it closes a connection that was idle for too long.
            Self::Failed { refusal, .. } => refusal.status == REQUEST_TIMEOUT,
            Self::Foreign { status, .. } => [
                REQUEST_TIMEOUT,
                TOO_MANY_REQUESTS,
                BAD_GATEWAY,
                UNAVAILABLE,
                GATEWAY_TIMEOUT,
            ]
            .contains(status),
            Self::Unreachable { cause, .. } => match &**cause {
                ureq::Error::Io(_) => !is_lasting(cause),
                ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Timeout(_) => true,
                ureq::Error::ConnectProxyFailed(_) => {
                    proxy_status(cause).is_none_or(|status| status >= BAD_GATEWAY)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// True if an established connection was lost before the answer.
    pub(crate) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. } => {
                matches!(&**cause, ureq::Error::Io(_)) && fate_of(cause) == Fate::Unknown
            }
            Self::Foreign { status, .. } => [BAD_GATEWAY, GATEWAY_TIMEOUT].contains(status),
            _ => false,
        }
    }

    /// The last error of a request. If the server has asked for a longer pause than the time that is left, the error
    /// says so.
    pub(crate) fn after_giving_up(mut self, asked: Option<Duration>, left: Duration) -> Self {
        let Some(asked) = asked.filter(|asked| *asked > left && !left.is_zero()) else {
            return self;
        };
        let why = format!(
            "; the next try has to wait {} s (Retry-After), which is longer than the {} s that are left",
            asked.as_secs(),
            left.as_secs_f32().ceil()
        );
        match &mut self {
            Self::RateLimited(refusal)
            | Self::Unavailable { refusal, .. }
            | Self::Failed { refusal, .. } => refusal.message.push_str(&why),
            Self::Foreign { what, .. } => what.push_str(&why),
            _ => {}
        }
        self
    }

    /// True if the server itself refuses the request for the present.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable { .. })
    }

    /// The last error of a request, after the answer to an earlier try may have been lost.
    pub(crate) fn after_lost_answer(mut self, lost: bool) -> Self {
        if !lost {
            return self;
        }
        match &mut self {
            Self::Unavailable { fate, .. }
            | Self::Failed { fate, .. }
            | Self::Unreachable { fate, .. }
            | Self::Foreign { fate, .. }
            | Self::BadAnswer { fate, .. } => *fate = Fate::Unknown,
            Self::PreconditionFailed(refusal) => refusal.message.push_str(
                "; an earlier try, whose answer was lost, may or may not have happened before \
                 that",
            ),
            _ => {}
        }
        self
    }
}

/// The part of a message that names the proxy of a failed connection.
fn by_way_of(proxy: &Option<String>) -> String {
    let proxy = proxy.as_ref();
    proxy.map_or_else(String::new, |proxy| format!(" through {proxy}"))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// The fate of a change after this error of the transport: without a connection, nothing was sent.
pub(crate) fn fate_of(error: &ureq::Error) -> Fate {
    let connected = match error {
        ureq::Error::Io(error) if is_lookup(error) => false,
        ureq::Error::Io(error) => !matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::InvalidData
        ),
        ureq::Error::Timeout(phase) => !matches!(phase, Timeout::Resolve | Timeout::Connect),
        ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::BadUri(_)
        | ureq::Error::Http(_)
        | ureq::Error::InvalidProxyUrl
        | ureq::Error::ConnectProxyFailed(_)
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_) => false,
        _ => true,
    };
    if connected {
        Fate::Unknown
    } else {
        Fate::NotApplied
    }
}
