//! What is counted of issuers. Labels are those of the configuration, so that the number of series can't grow.

use std::sync::atomic::{AtomicU64, Ordering};

/// An endpoint of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Discovery,
    Jwks,
    Introspection,
    Userinfo,
    Token,
}

/// The outcome of a request to an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    Failed,
    /// It was not sent, because of the number of requests.
    Limited,
    /// It was not sent, because the issuer has not answered lately.
    CircuitOpen,
}

/// The result of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// It was accepted lately, and is still good.
    Remembered,
    Malformed,
    Algorithm,
    Issuer,
    Key,
    Signature,
    Time,
    Audience,
    Claims,
    Name,
    Admission,
    Pin,
    Scope,
    Revoked,
    Unavailable,
}

/// The counters of one issuer.
#[derive(Default)]
pub(crate) struct Counters {
    requests: [[AtomicU64; Outcome::ALL.len()]; Endpoint::ALL.len()],
    verdicts: [AtomicU64; Verdict::ALL.len()],
}

impl Endpoint {
    pub(crate) const ALL: [Self; 5] = [
        Self::Discovery,
        Self::Jwks,
        Self::Introspection,
        Self::Userinfo,
        Self::Token,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Introspection => "introspection",
            Self::Userinfo => "userinfo",
            Self::Token => "token",
        }
    }
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [
        Self::Answered,
        Self::Failed,
        Self::Limited,
        Self::CircuitOpen,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Limited => "limited",
            Self::CircuitOpen => "circuit_open",
        }
    }
}

impl Verdict {
    pub(crate) const ALL: [Self; 16] = [
        Self::Accepted,
        Self::Remembered,
        Self::Malformed,
        Self::Algorithm,
        Self::Issuer,
        Self::Key,
        Self::Signature,
        Self::Time,
        Self::Audience,
        Self::Claims,
        Self::Name,
        Self::Admission,
        Self::Pin,
        Self::Scope,
        Self::Revoked,
        Self::Unavailable,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Remembered => "remembered",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Time => "time",
            Self::Audience => "audience",
            Self::Claims => "claims",
            Self::Name => "name",
            Self::Admission => "admission",
            Self::Pin => "pin",
            Self::Scope => "scope",
            Self::Revoked => "revoked",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Counters {
    pub(crate) fn asked(&self, endpoint: Endpoint, outcome: Outcome) {
        self.requests[endpoint as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn verified(&self, verdict: Verdict) {
        self.verdicts[verdict as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self, endpoint: Endpoint, outcome: Outcome) -> u64 {
        self.requests[endpoint as usize][outcome as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn verdicts(&self, verdict: Verdict) -> u64 {
        self.verdicts[verdict as usize].load(Ordering::Relaxed)
    }
}
