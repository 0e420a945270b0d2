//! The configuration of a client.

use std::path::PathBuf;
use std::time::Duration;

use crate::base_url::BaseUrl;
use crate::credentials::Credentials;
use crate::notice::OnNotice;
use crate::proxy::Route;
use crate::retry::RETRY_FOR;

/// The address of the service, the token, and the limits of time.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the service.
    pub url: BaseUrl,
    /// The caller's name for the setting that the URL comes from, for messages.
    pub url_from: Option<String>,
    /// The token of the caller.
    pub credentials: Credentials,
    /// The way to the server: directly, or through a proxy.
    pub route: Route,
    /// The check of the server's certificate; for `https` only.
    pub certificates: Certificates,
    /// When a connection counts as lost.
    pub timeouts: Timeouts,
    /// The time for which a request that is answered at once is repeated after errors that may pass; zero is
    /// not to repeat it. A request that waits has a time of its own and is repeated until then.
    pub retry_for: Duration,
    /// Told of requests that fail and are repeated.
    pub on_notice: OnNotice,
}

/// The check of the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// By a certificate that this machine's authorities vouch for.
    Verified,
    /// By a certificate that the authorities in this file vouch for (PEM), and no others.
    VerifiedBy(PathBuf),
    /// Not at all. Anyone on the way can pose as the server and read the token.
    Unverified,
}

/// When a connection counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest time until a connection stands, TLS included.
    pub connect: Duration,
    /// The longest silence of a server that is asked to answer at once. The time that a request
    /// asks to be held comes on top of it.
    pub silence: Duration,
}

impl Config {
    /// The usual configuration.
    #[must_use]
    pub fn new(url: BaseUrl, credentials: impl Into<Credentials>) -> Self {
        Self {
            url,
            url_from: None,
            credentials: credentials.into(),
            route: Route::Environment,
            certificates: Certificates::Verified,
            timeouts: Timeouts::default(),
            retry_for: RETRY_FOR,
            on_notice: OnNotice::default(),
        }
    }
}

impl Default for Timeouts {
    /// Ten seconds to connect: three lost packets in a row. A minute of silence: twice as long as
    /// the server itself lets a request take.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(60),
        }
    }
}
