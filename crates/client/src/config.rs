//! The configuration of a client.

use std::path::PathBuf;
use std::time::Duration;

use crate::base_url::BaseUrl;
use crate::credentials::Credentials;
use crate::notice::OnNotice;
use crate::proxy::Route;
use crate::retry::RETRY_FOR;

/// The address of the service, the token, and the time limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address of the service.
    pub url: BaseUrl,
    /// The name of the setting that has the URL, for messages.
    pub url_from: Option<String>,
    /// The token of the caller.
    pub credentials: Credentials,
    /// The way to the server: directly, or through a proxy.
    pub route: Route,
    /// The check of the server's certificate; for `https` only.
    pub certificates: Certificates,
    /// The time limits after which a connection counts as lost.
    pub timeouts: Timeouts,
    /// The time for which a request that is answered at once is repeated after transient errors; with zero it is not
    /// repeated. A request that waits has its own time limit, and is repeated until then.
    pub retry_for: Duration,
    /// Called for requests that fail and are repeated.
    pub on_notice: OnNotice,
}

/// The check of the server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// Checked with the certificate authorities of this machine.
    Verified,
    /// Checked with the certificate authorities in this file (PEM) only.
    VerifiedBy(PathBuf),
    /// Not checked. Any machine on the network path can act as the server and read the token.
    Unverified,
}

/// The time limits after which a connection counts as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The longest time until a connection is established, TLS included.
    pub connect: Duration,
    /// The longest time without data from a server that has to answer at once. For a request that waits, the time of
    /// the wait is added.
    pub silence: Duration,
}

impl Config {
    /// The default configuration.
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
    /// Ten seconds to connect, enough for three lost packets in a row; and a minute without data, twice the server's
    /// own time limit for a request.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            silence: Duration::from_secs(60),
        }
    }
}
