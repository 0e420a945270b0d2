//! What a client needs to know.

use std::time::Duration;

use crate::base_url::BaseUrl;
use crate::token::Token;

/// Where the service is, who asks, and how patiently.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the service is.
    pub url: BaseUrl,
    /// Who asks.
    pub token: Token,
    /// Whether the server has to prove who it is; matters for `https` only.
    pub certificates: Certificates,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// Whether the server has to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// By a certificate that this machine's authorities vouch for.
    Verified,
    /// Not at all. Anyone on the way can pose as the server and read the token.
    Unverified,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Until an answer begins, and between two parts of it.
    pub silence: Duration,
}

impl Config {
    /// The usual configuration.
    #[must_use]
    pub fn new(url: BaseUrl, token: Token) -> Self {
        Self {
            url,
            token,
            certificates: Certificates::Verified,
            timeouts: Timeouts::default(),
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
