//! Errors, by the action that a caller can take.

use std::fmt;
use std::io;
use std::time::Duration;

use prominence_api::ErrorCode;
pub use prominence_core::error::Fate;
use ureq::Timeout;

use crate::explain::{explain, is_lasting, is_lookup, proxy_status};

/// Statuses of which this program knows more than a text (RFC 9110, section 15).
pub(crate) const BAD_REQUEST: u16 = 400;
const REQUEST_TIMEOUT: u16 = 408;
pub(crate) const CONTENT_TOO_LARGE: u16 = 413;
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;
pub(crate) const BAD_GATEWAY: u16 = 502;
pub(crate) const UNAVAILABLE: u16 = 503;
pub(crate) const GATEWAY_TIMEOUT: u16 = 504;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key does not exist.
    #[error("{0}")]
    NoSuchKey(Refusal),
    /// A condition did not hold; nothing was changed.
    #[error("{0}")]
    PreconditionFailed(Refusal),
    /// An addition to what is no integer, or an overflow; nothing was changed.
    #[error("{0}")]
    NotANumber(Refusal),
    /// The value has more bytes than the server takes.
    #[error("{0}")]
    TooLarge(Refusal),
    /// The namespace is full.
    #[error("{0}")]
    QuotaExceeded(Refusal),
    /// The request itself is wrong.
    #[error("{0}")]
    BadRequest(Refusal),
    /// The token is missing, expired or not accepted.
    #[error("{0}")]
    Unauthenticated(Refusal),
    /// The token does not cover this.
    #[error("{0}")]
    Forbidden(Refusal),
    /// Too many requests, for longer than was waited.
    #[error("{0}")]
    RateLimited(Refusal),
    /// The server can't answer now.
    #[error("{refusal}")]
    Unavailable {
        /// Its message.
        refusal: Refusal,
        /// The fate of a change.
        fate: Fate,
    },
    /// Any other refusal: a bug or damage on the server's side, or what this server can't do.
    #[error("{refusal}")]
    Failed {
        /// Its message.
        refusal: Refusal,
        /// The fate of a change.
        fate: Fate,
    },
    /// No answer came.
    #[error("cannot reach {url}{}: {}", by_way_of(.through), explain(.cause, .url, .through.is_some()))]
    Unreachable {
        /// Where.
        url: String,
        /// The proxy that is in between.
        through: Option<String>,
        /// Why not.
        #[source]
        cause: Box<ureq::Error>,
        /// The fate of a change.
        fate: Fate,
    },
    /// A proxy in front of the server, or another server at its address, has answered.
    #[error("the answer from {url} is not from a Prominence server: {what}")]
    Foreign {
        /// Where.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The answer in short, and what to do next.
        what: String,
        /// The fate of a change.
        fate: Fate,
    },
    /// The answer does not make sense, or did not arrive whole.
    #[error(
        "{url} gave an answer that makes no sense: {what}; check PROMINENCE_URL or --url, or ask who \
         runs the proxy, where there is one"
    )]
    BadAnswer {
        /// Where.
        url: String,
        /// The fault.
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
        /// Why not.
        reason: String,
    },
    /// The environment names a proxy that can't be one.
    #[error("{variable} does not name a proxy: {reason}; correct it, or unset it")]
    Proxy {
        /// The variable.
        variable: &'static str,
        /// The fault. The text may have a password and is not shown.
        reason: String,
    },
}

/// The error body of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code by which programs tell errors apart; `None` for one that this version does not know.
    pub code: Option<ErrorCode>,
    /// The sentence for a person.
    pub message: String,
    /// Names the request in the server's log.
    pub request_id: Option<String>,
}

impl Error {
    /// The fate of a change that was asked for.
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

    /// True if the same request may succeed in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited(_) | Self::Unavailable { .. } => true,
            // A server that found a connection idle for too long says so before it closes it.
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

    /// True if a connection that stood was lost before the answer.
    pub(crate) fn is_lost_connection(&self) -> bool {
        match self {
            Self::Unreachable { cause, .. } => {
                matches!(&**cause, ureq::Error::Io(_)) && fate_of(cause) == Fate::Unknown
            }
            Self::Foreign { status, .. } => [BAD_GATEWAY, GATEWAY_TIMEOUT].contains(status),
            _ => false,
        }
    }

    /// The last error of a request, where the pause that was asked for is longer than the time that is
    /// left for further tries.
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

    /// True if the server is there and refuses for now.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable { .. })
    }

    /// The last error of a request, where the answer of an earlier try of it may have been lost.
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

/// Names the proxy of a connection that failed.
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

/// The fate of a change after this error of the transport: nothing was sent where no
/// connection stood.
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
